//! Listing a PTP camera, storage by storage and folder by folder.

use super::{
    Size, explain,
    index::{Entry, Index, print},
    names::{Told, join, safe_name},
    size_of,
};
use crate::{
    camera::{CameraError, FILES_MAX, FileEntry, Listing},
    ptp::{
        DeviceInfo, Handles, ObjectHandle, ObjectInfo, Operation, Pipes, PtpError, Quirks,
        ResponseCode, Root, Session, StorageId, quirks::Need,
    },
    types::SourcePath,
};
use std::{collections::HashSet, io};

/// Folders within folders that are looked into.
pub(super) const DEPTH_MAX: usize = 32;
/// How often equal names are made different before it is given up.
const NAMING_ROUNDS: usize = 8;

pub(super) fn first_root(quirks: &Quirks) -> Root {
    if quirks.need(Need::RootIsZero) { Root::Zero } else { Root::Standard }
}

/// A file before its name is known to be its own.
struct Found {
    path: SourcePath,
    size: u64,
    modified_ms: Option<i64>,
    handle: ObjectHandle,
    print: u64,
    is_ambiguous: bool,
}

/// A folder still to be looked into; `None` is the root.
struct Folder {
    storage: StorageId,
    handle: Option<ObjectHandle>,
    path: Vec<u8>,
    depth: usize,
}

/// A listing under way.
pub(super) struct Walk<'a, P> {
    session: &'a mut Session<P>,
    device: &'a DeviceInfo,
    root: &'a mut Root,
    found: Vec<Found>,
    caveats: Told,
    unread: Told,
    folders: Vec<Folder>,
    entered: HashSet<ObjectHandle>,
    /// What a root listing named although it lies elsewhere, by its own account.
    strays: Vec<ObjectHandle>,
    entries: usize,
}

impl<'a, P: Pipes> Walk<'a, P> {
    pub fn new(session: &'a mut Session<P>, device: &'a DeviceInfo, root: &'a mut Root) -> Self {
        Self {
            session,
            device,
            root,
            found: Vec::new(),
            caveats: Told::default(),
            unread: Told::default(),
            folders: Vec::new(),
            entered: HashSet::new(),
            strays: Vec::new(),
            entries: 0,
        }
    }

    /// Lists everything, in a stable order.
    ///
    /// The storage with the lowest number is the camera itself; the paths of others begin with a
    /// folder `storage-ID`.
    pub fn whole(mut self) -> Result<(Listing, Index), CameraError> {
        let doing = |error| explain("list the camera", error);
        let epoch = self.session.epoch();
        let mut storages = self.session.storages().map_err(doing)?;
        storages.sort_unstable();
        storages.dedup();
        let main = storages.first().copied();
        for storage in storages.into_iter().filter(|storage| storage.has_medium()) {
            let path = if Some(storage) == main {
                Vec::new()
            } else {
                format!("storage-{storage}").into()
            };
            self.folders.push(Folder { storage, handle: None, path: path.clone(), depth: 0 });
            self.drain()?;
            self.place_strays(storage, &path)?;
        }
        if self.session.epoch() != epoch {
            // Handles from before and after do not mix.
            let words = "the camera began a new session while it was listed";
            let source = io::Error::new(io::ErrorKind::Interrupted, words);
            return Err(CameraError::Io { doing: "list the camera".into(), source });
        }
        self.tell_apart()?;
        Ok(self.finish())
    }

    fn drain(&mut self) -> Result<(), CameraError> {
        while let Some(folder) = self.folders.pop() {
            self.look_into(&folder)?;
        }
        Ok(())
    }

    /// Something that is listed otherwise than the camera has it.
    fn caveat(&mut self, name: &[u8], words: &str) {
        self.caveats.tell(name, words);
    }

    /// Something that may hold footage and is not listed.
    fn unread(&mut self, name: &[u8], words: &str) {
        self.unread.tell(name, words);
    }

    /// The handles of a folder; none, with a caveat, if the camera will not give them.
    fn handles(&mut self, folder: &Folder) -> Result<Option<Handles>, CameraError> {
        let wanted = folder.handle.ok_or(*self.root);
        match self.session.handles(folder.storage, wanted) {
            Ok(handles) => Ok(Some(handles)),
            Err(PtpError::Refused { code, .. })
                if wanted == Err(Root::Standard)
                    && (code == ResponseCode::INVALID_PARENT
                        || code == ResponseCode::INVALID_OBJECT_HANDLE
                        || code == ResponseCode::INVALID_PARAMETER) =>
            {
                *self.root = Root::Zero;
                self.handles(folder)
            }
            Err(PtpError::Refused { code, .. }) => {
                let name = match folder.path.as_slice() {
                    [] => format!("storage-{}", folder.storage).into_bytes(),
                    path => path.to_vec(),
                };
                self.unread(&name, &format!("this folder cannot be looked into: {code}"));
                Ok(None)
            }
            Err(error) => Err(explain("list the camera", error)),
        }
    }

    fn look_into(&mut self, folder: &Folder) -> Result<(), CameraError> {
        let Some(handles) = self.handles(folder)? else { return Ok(()) };
        self.entries += handles.len();
        if self.entries > 2 * FILES_MAX {
            return Err(CameraError::TooMany(FILES_MAX));
        }
        for handle in handles.iter() {
            let Some(info) = self.describe(folder, handle)? else { continue };
            // A camera that takes "the root" for "everything" names what lies deeper, too.
            if folder.handle.is_none() && info.parent.is_some() {
                self.strays.push(handle);
            } else {
                self.take(folder, handle, &info)?;
            }
        }
        Ok(())
    }

    /// An object's description; none if it has just gone, or cannot be described.
    fn describe(
        &mut self,
        folder: &Folder,
        handle: ObjectHandle,
    ) -> Result<Option<ObjectInfo>, CameraError> {
        match self.session.object_info(handle) {
            Ok(info) => Ok(Some(info)),
            Err(PtpError::Refused { code: ResponseCode::INVALID_OBJECT_HANDLE, .. }) => Ok(None),
            Err(
                error @ (PtpError::Refused { .. }
                | PtpError::TooLarge { .. }
                | PtpError::Malformed { .. }),
            ) => {
                let name = join(&folder.path, format!("object-{handle}").as_bytes());
                self.unread(&name, &format!("not listed: {error}"));
                Ok(None)
            }
            Err(error) => Err(explain("list the camera", error)),
        }
    }

    fn take(
        &mut self,
        folder: &Folder,
        handle: ObjectHandle,
        info: &ObjectInfo,
    ) -> Result<(), CameraError> {
        let (name, is_own) = safe_name(&info.name);
        let path = join(&folder.path, &name);
        if !is_own {
            let words =
                format!("called {:?} on the camera, which cannot be a file's name", info.name);
            self.caveat(&path, &words);
        }
        if info.is_folder() {
            if folder.depth >= DEPTH_MAX {
                self.unread(&path, "the folder lies too deep and was not looked into");
            } else if !self.entered.insert(handle) {
                self.caveat(&path, "the folder is also elsewhere, and was looked into there");
            } else {
                let (storage, depth) = (folder.storage, folder.depth + 1);
                self.folders.push(Folder { storage, handle: Some(handle), path, depth });
            }
            return Ok(());
        }
        if self.found.len() >= FILES_MAX {
            return Err(CameraError::TooMany(FILES_MAX));
        }
        let path = match SourcePath::new(path.clone()) {
            Ok(path) => path,
            Err(error) => {
                self.unread(&path, &error.to_string());
                return Ok(());
            }
        };
        let size = size_of(self.session, self.device, handle, info);
        let size = size.map_err(|error| explain("list the camera", error))?;
        if size == Size::Huge {
            let way = if self.device.offers(Operation::GET_PARTIAL_OBJECT_64) {
                "it is read until it ends, and cannot be erased"
            } else {
                "it cannot be read"
            };
            self.caveat(path.as_bytes(), &format!("4 GiB or more, and no word how much: {way}"));
        }
        let (size, modified_ms) = (size.listed(), info.modified_ms());
        let (print, is_ambiguous) = (print(info), false);
        self.found.push(Found { path, size, modified_ms, handle, print, is_ambiguous });
        Ok(())
    }

    /// Lists what only a root listing named, and no folder did.
    fn place_strays(&mut self, storage: StorageId, path: &[u8]) -> Result<(), CameraError> {
        let strays = std::mem::take(&mut self.strays);
        if strays.is_empty() {
            return Ok(());
        }
        let mut known: HashSet<ObjectHandle> = HashSet::new();
        let mut seen = 0;
        let root = Folder { storage, handle: None, path: path.to_vec(), depth: 0 };
        for handle in strays {
            known.extend(self.found[seen..].iter().map(|file| file.handle));
            seen = self.found.len();
            if known.contains(&handle) || self.entered.contains(&handle) {
                continue;
            }
            let Some(info) = self.describe(&root, handle)? else { continue };
            let (name, _) = safe_name(&info.name);
            self.caveat(&join(path, &name), "its folder cannot be found; listed here instead");
            self.take(&root, handle, &info)?;
            self.drain()?;
        }
        Ok(())
    }

    /// Gives every file a path of its own, the same one each time the camera is listed.
    fn tell_apart(&mut self) -> Result<(), CameraError> {
        for _ in 0..NAMING_ROUNDS {
            self.found.sort_unstable_by(|a, b| {
                (&a.path, a.modified_ms, a.size, a.handle).cmp(&(
                    &b.path,
                    b.modified_ms,
                    b.size,
                    b.handle,
                ))
            });
            let mut equal = 1;
            let mut renamed = Vec::new();
            for at in 1..self.found.len() {
                let same = self.found[at].path == self.found[at - 1].path;
                equal = if same { equal + 1 } else { 1 };
                if same {
                    self.found[at - 1].is_ambiguous = true;
                    self.found[at].is_ambiguous = true;
                    renamed.push((at, equal));
                }
            }
            if renamed.is_empty() {
                return Ok(());
            }
            for (at, number) in renamed {
                let old = self.found[at].path.clone();
                let new = [old.as_bytes(), format!(" ({number})").as_bytes()].concat();
                let new = SourcePath::new(new).map_err(|_| unnameable(&old))?;
                self.caveat(new.as_bytes(), &format!("the camera has more than one {old}"));
                self.found[at].path = new;
            }
        }
        let first = self.found.first().map(|file| file.path.clone());
        Err(first.map_or(CameraError::TooMany(FILES_MAX), |path| unnameable(&path)))
    }

    fn finish(self) -> (Listing, Index) {
        let index = self.found.iter();
        let index = index.map(|f| Entry::new(&f.path, f.print, f.handle, f.is_ambiguous)).collect();
        // Handles are given anew for each session, and so tell nothing from one to the next.
        let file = |f: Found| FileEntry {
            path: f.path,
            size: f.size,
            modified_ms: f.modified_ms,
            mark: None,
        };
        let (caveats, unread) = (self.caveats.into_words(), self.unread.into_words());
        let files = self.found.into_iter().map(file).collect();
        (Listing { files, caveats, unread }, Index::new(index))
    }
}

fn unnameable(path: &SourcePath) -> CameraError {
    let words = format!("it has too many files called {path}");
    CameraError::Io { doing: "list the camera".into(), source: io::Error::other(words) }
}
