//! Erasing one object: the one that was listed, sealed and acknowledged, and no other.

use super::{Located, PtpCamera, Size, explain, index};
use crate::{
    camera::{CameraError, EraseMode},
    ptp::{Access, ObjectHandle, Operation, Pipes, PtpError, ResponseCode, Session},
    types::fact::Source,
};
use std::io;

impl<P: Pipes + Send + 'static> PtpCamera<P> {
    /// Looks at the object a last time, compares, deletes exactly its handle, and sees that it is
    /// gone.
    pub(super) fn erase_file(&mut self, source: &Source) -> Result<(), CameraError> {
        if self.erase == EraseMode::ReadOnly {
            return Err(CameraError::ReadOnly("it was docked read only".into()));
        }
        if !self.info.offers(Operation::DELETE_OBJECT) {
            return Err(CameraError::ReadOnly("it offers no way to delete a file".into()));
        }
        let path = &source.path;
        let doing = |error| explain(&format!("erase {path}"), error);
        let mut located = self.locate(path)?;
        let storage = {
            let mut session = self.session().map_err(doing)?;
            read_only(&mut session, &located).map_err(doing)?
        };
        if let Some(words) = storage {
            return Err(CameraError::ReadOnly(words));
        }
        // Once more, so that nothing lies between the look and the deletion.
        located = self.locate(path)?;
        compare(source, &located)?;
        let handle = located.handle;
        let mut session = self.session().map_err(doing)?;
        let deleted = session.delete(handle);
        let is_gone = match &deleted {
            Err(PtpError::Gone) => return Err(CameraError::Gone),
            _ => is_gone(&mut session, &located).map_err(doing)?,
        };
        drop(session);
        match (deleted, is_gone) {
            // Whatever it answered: it was there, and is not any more.
            (_, true) => {
                self.index.forget(handle);
                Ok(())
            }
            (Ok(()), false) => {
                let words = "the camera says that it was erased, and still has it";
                let doing = format!("erase {path}");
                Err(CameraError::Io { doing, source: io::Error::other(words) })
            }
            (Err(PtpError::Refused { code, .. }), false) if forbids(code) => {
                Err(CameraError::ReadOnly(code.words().into()))
            }
            (Err(error), false) => Err(doing(error)),
        }
    }
}

fn forbids(code: ResponseCode) -> bool {
    [
        ResponseCode::STORE_READ_ONLY,
        ResponseCode::OBJECT_WRITE_PROTECTED,
        ResponseCode::ACCESS_DENIED,
        ResponseCode::OPERATION_NOT_SUPPORTED,
    ]
    .contains(&code)
}

/// Why nothing may be deleted there, if so. An object that does not say where it lies may be on
/// any storage, so all of them must allow it.
fn read_only<P: Pipes>(
    session: &mut Session<P>,
    located: &Located,
) -> Result<Option<String>, PtpError> {
    if located.info.is_protected {
        return Ok(Some("the camera has write-protected this file".into()));
    }
    let storages = match located.info.storage {
        Some(storage) => vec![storage],
        None => session.storages()?,
    };
    for storage in storages.into_iter().filter(|storage| storage.has_medium()) {
        let access = session.storage_info(storage)?.access;
        if !access.allows_deletion() {
            return Ok(Some(match access {
                Access::Reserved(number) => {
                    format!("its storage {storage} has the unknown access capability {number}")
                }
                Access::ReadOnly | Access::ReadOnlyWithDeletion | Access::ReadWrite => {
                    format!("its storage {storage} is read only")
                }
            }));
        }
    }
    Ok(None)
}

/// Whether it is still what was sealed.
fn compare(source: &Source, located: &Located) -> Result<(), CameraError> {
    let changed = |words: String| Err(CameraError::Changed { path: source.path.clone(), words });
    if located.is_ambiguous {
        return changed("the camera has more than one file of this name".into());
    }
    if located.info.is_folder() {
        return changed("it is a folder now".into());
    }
    match located.size {
        Size::Bytes(size) if size == source.size => {}
        Size::SaidZero if source.size == 0 => {
            return changed("the camera does not say how many bytes it has".into());
        }
        Size::Huge => return changed("the camera does not say how many bytes it has".into()),
        size => {
            let (now, then) = (size.listed(), source.size);
            return changed(format!("it has {now} bytes now and had {then}"));
        }
    }
    if source.modified_ms.is_some() && source.modified_ms != located.info.modified_ms() {
        return changed("its time is another now".into());
    }
    Ok(())
}

/// Whether the object is no longer there: its handle is unknown, or its folder does not name it.
fn is_gone<P: Pipes>(session: &mut Session<P>, located: &Located) -> Result<bool, PtpError> {
    session.open()?;
    match session.object_info(located.handle) {
        Ok(info) => Ok(index::print(&info) != index::print(&located.info)),
        Err(PtpError::Refused { code: ResponseCode::INVALID_OBJECT_HANDLE, .. }) => Ok(true),
        Err(PtpError::Refused { .. }) => {
            let (Some(storage), Some(folder)) = (located.info.storage, located.info.parent) else {
                return Ok(false);
            };
            let handle: ObjectHandle = located.handle;
            Ok(!session.handles(storage, Ok(folder))?.iter().any(|listed| listed == handle))
        }
        Err(error) => Err(error),
    }
}
