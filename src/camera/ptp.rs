//! A camera that speaks PTP or MTP.
//!
//! It is written by strangers and behaves as they please, so: folders are walked one by one and
//! each at most once; names are made safe and never trusted; every object is looked at again, by
//! its handle, before it is read or erased, and must still be the one that was listed (name, size,
//! time, folder). A read is never silently short: what ends before its size is an error, and what
//! goes on after it is read on.
//!
//! **Memory**: the session's one buffer of [`crate::ptp::TRANSFER_BYTES`], the folder being looked
//! into (at most 800 KB of handles), the listing while it is made, and 24 bytes a file afterwards.

mod clock;
mod erase;
mod index;
mod names;
mod read;
mod walk;

use self::{index::Index, read::PtpReader, walk::Walk};
use super::{Camera, CameraError, ClockSet, EraseMode, FILES_MAX, Listing};
use crate::{
    ptp::{
        DeviceInfo, DeviceProp, Limits, ObjectHandle, ObjectInfo, Operation, Pipes, PtpError,
        Quirks, ResponseCode, Root, Session, ShortSize, battery_percent, battery_percent_of_value,
    },
    release::ErasePermit,
    types::{Condition, SourcePath, fact::ClockOffset},
};
use jiff::{Timestamp, tz::Offset};
use std::{
    io::{self, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long an event is waited for when it is asked whether there was one.
const EVENT_WAIT: Duration = Duration::from_millis(5);

/// Storages of one camera that are asked how much room they have.
const STORAGES_MAX: usize = 8;

/// One docked PTP camera.
pub struct PtpCamera<P> {
    /// Shared with the reader that was opened last.
    session: Arc<Mutex<Session<P>>>,
    info: DeviceInfo,
    quirks: Quirks,
    root: Root,
    erase: EraseMode,
    index: Index,
}

/// How many bytes an object has, as far as the camera will say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Bytes(u64),
    /// Said to be 0, and no way to ask again: it is read until it ends.
    SaidZero,
    /// 4 GiB or more.
    Huge,
}

impl Size {
    /// As it is listed.
    fn listed(self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::SaidZero => 0,
            Self::Huge => u64::from(u32::MAX),
        }
    }
}

fn lock<P>(session: &Mutex<Session<P>>) -> MutexGuard<'_, Session<P>> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a failure of the protocol is for a camera.
fn explain(doing: &str, error: PtpError) -> CameraError {
    match error {
        PtpError::Gone => CameraError::Gone,
        PtpError::TooLarge { operation: Operation::GET_OBJECT_HANDLES, .. } => {
            CameraError::TooMany(FILES_MAX)
        }
        error => CameraError::Io { doing: doing.to_owned(), source: io_error(error) },
    }
}

fn io_error(error: PtpError) -> io::Error {
    match error {
        // ENODEV: what the kernel answers when a device was pulled.
        PtpError::Gone => io::Error::from_raw_os_error(19),
        PtpError::Timeout { .. } => io::Error::new(io::ErrorKind::TimedOut, error),
        error => io::Error::other(error),
    }
}

impl<P: Pipes + Send + 'static> PtpCamera<P> {
    /// Opens the session and asks who the camera is. `usb` is its vendor and product id.
    ///
    /// # Errors
    /// [`CameraError::Gone`], [`CameraError::Io`].
    pub fn open(
        pipes: P,
        usb: Option<(u16, u16)>,
        erase: EraseMode,
        limits: Limits,
    ) -> Result<Self, CameraError> {
        let doing = |error| explain("open a session with the camera", error);
        let mut session = Session::new(pipes, limits);
        session.set_quirks(usb.map_or_else(Quirks::default, |(v, p)| Quirks::by_usb(v, p)));
        session.open().map_err(doing)?;
        let info = session.device_info().map_err(doing)?;
        let quirks = Quirks::by_all(usb, &info);
        session.set_quirks(quirks.clone());
        let root = walk::first_root(&quirks);
        let session = Arc::new(Mutex::new(session));
        Ok(Self { session, info, quirks, root, erase, index: Index::default() })
    }

    /// Who it says it is.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    pub fn quirks(&self) -> &Quirks {
        &self.quirks
    }

    /// The session, open.
    fn session(&self) -> Result<MutexGuard<'_, Session<P>>, PtpError> {
        let mut session = lock(&self.session);
        session.open()?;
        Ok(session)
    }

    /// The object that was listed as `path`, as it is now.
    fn locate(&mut self, path: &SourcePath) -> Result<Located, CameraError> {
        let doing = |error| explain(&format!("look at {path}"), error);
        // Without a listing, or after one that is no longer true, there is one more.
        for relist in [self.index.is_empty(), true] {
            if relist {
                self.list()?;
            }
            let Some(entry) = self.index.find(path) else { continue };
            let mut session = self.session().map_err(doing)?;
            match session.object_info(entry.handle) {
                Ok(info) if index::print(&info) == entry.print => {
                    let size = size_of(&mut session, &self.info, entry.handle, &info);
                    let size = size.map_err(doing)?;
                    let (handle, is_ambiguous) = (entry.handle, entry.is_ambiguous);
                    return Ok(Located { handle, info, size, is_ambiguous });
                }
                Ok(_) => {}
                Err(error) if error.code() == Some(ResponseCode::INVALID_OBJECT_HANDLE) => {}
                Err(error) => return Err(doing(error)),
            }
        }
        Err(CameraError::NoSuchFile(path.clone()))
    }
}

/// An object found again.
struct Located {
    handle: ObjectHandle,
    info: ObjectInfo,
    size: Size,
    /// Another one has the same name in the same folder.
    is_ambiguous: bool,
}

/// Asks for the long size where the short one says nothing.
fn size_of<P: Pipes>(
    session: &mut Session<P>,
    device: &DeviceInfo,
    handle: ObjectHandle,
    info: &ObjectInfo,
) -> Result<Size, PtpError> {
    let unsaid = match info.size {
        ShortSize::Bytes(0) => Size::SaidZero,
        ShortSize::Bytes(bytes) => return Ok(Size::Bytes(u64::from(bytes))),
        ShortSize::TooBigToSay => Size::Huge,
    };
    if !device.offers(Operation::GET_OBJECT_PROP_VALUE) {
        return Ok(unsaid);
    }
    match session.object_size(handle) {
        // Some say here what they said before.
        Ok(size) if size == unsaid.listed() && unsaid == Size::Huge => Ok(unsaid),
        Ok(size) => Ok(Size::Bytes(size)),
        Err(PtpError::Refused { .. } | PtpError::Malformed { .. }) => Ok(unsaid),
        Err(error) => Err(error),
    }
}

impl<P: Pipes + Send + 'static> Camera for PtpCamera<P> {
    fn list(&mut self) -> Result<Listing, CameraError> {
        let doing = |error| explain("list the camera", error);
        let mut session = lock(&self.session);
        session.open().map_err(doing)?;
        let walk = Walk::new(&mut session, &self.info, &mut self.root);
        let (listing, index) = walk.whole()?;
        drop(session);
        self.index = index;
        Ok(listing)
    }

    fn open(
        &mut self,
        path: &SourcePath,
        offset: u64,
    ) -> Result<Box<dyn Read + Send>, CameraError> {
        let located = self.locate(path)?;
        let reader = PtpReader::new(
            self.session.clone(),
            &self.info,
            &self.quirks,
            (located.handle, located.size),
            offset,
        );
        match reader {
            Ok(reader) => Ok(Box::new(reader)),
            Err(source) => Err(CameraError::Io { doing: format!("read {path}"), source }),
        }
    }

    fn erase(&mut self, permit: &ErasePermit) -> Result<(), CameraError> {
        self.erase_file(permit.source())
    }

    fn is_present(&mut self) -> bool {
        lock(&self.session).probe().is_ok()
    }

    fn clock_offset(
        &mut self,
        now: Timestamp,
        dock_synchronised: bool,
    ) -> Result<Option<ClockOffset>, CameraError> {
        self.measure_clock(now, dock_synchronised)
    }

    fn set_clock(
        &mut self,
        now: Timestamp,
        zone: Offset,
        dock_synchronised: bool,
    ) -> Result<Option<ClockSet>, CameraError> {
        self.set_clock_to(now, zone, dock_synchronised)
    }

    fn battery_percent(&mut self) -> Result<Option<u8>, CameraError> {
        let property = DeviceProp::BATTERY_LEVEL;
        if !self.info.properties.contains(&property.0) {
            return Ok(None);
        }
        let mut session = self.session().map_err(|e| explain("ask for the battery", e))?;
        let mut described = None;
        if self.info.offers(Operation::GET_DEVICE_PROP_DESC) {
            match session.prop_desc(property) {
                Ok(desc) => match battery_percent(&desc) {
                    None => described = Some(desc),
                    told => return Ok(told),
                },
                // The value alone may be had all the same.
                Err(PtpError::Refused { .. } | PtpError::Malformed { .. }) => {}
                Err(error) => return Err(explain("ask for the battery", error)),
            }
        }
        match session.prop_value(property) {
            Ok(bytes) => Ok(match described {
                Some(desc) => desc.with_value(&bytes).ok().as_ref().and_then(battery_percent),
                None => battery_percent_of_value(&bytes),
            }),
            Err(PtpError::Refused { .. } | PtpError::Malformed { .. }) => Ok(None),
            Err(error) => Err(explain("ask for the battery", error)),
        }
    }

    fn condition(&mut self) -> Result<Condition, CameraError> {
        let doing = |error| explain("ask how much room the camera has", error);
        let mut room: Option<(u64, u64)> = None;
        let mut session = self.session().map_err(doing)?;
        let storages = if self.info.offers(Operation::GET_STORAGE_INFO) {
            session.storages().map_err(doing)?
        } else {
            Vec::new()
        };
        let storages = storages.into_iter().filter(|storage| storage.has_medium());
        for storage in storages.take(STORAGES_MAX) {
            match session.storage_info(storage) {
                // Some say nothing in zeros, or more free than there is.
                Ok(info) if info.capacity == 0 || info.free > info.capacity => {}
                Ok(info) => {
                    let (bytes, free) = room.unwrap_or_default();
                    let sum = (bytes.saturating_add(info.capacity), free.saturating_add(info.free));
                    room = Some(sum);
                }
                Err(PtpError::Refused { .. } | PtpError::Malformed { .. }) => {}
                Err(error) => return Err(doing(error)),
            }
        }
        Ok(Condition {
            firmware: Condition::text(&self.info.version.to_string()),
            serial: Condition::text(&self.info.serial.to_string()),
            storage_bytes: room.map(|(bytes, _)| bytes),
            storage_free_bytes: room.map(|(_, free)| free),
            ..Condition::default()
        })
    }

    fn is_wedged(&mut self) -> bool {
        lock(&self.session).is_wedged()
    }

    fn said_changed(&mut self) -> Result<bool, CameraError> {
        let events = lock(&self.session).events(EVENT_WAIT);
        let events = events.map_err(|e| explain("ask for events", e))?;
        Ok(events.into_iter().any(crate::ptp::Event::changes_listing))
    }
}

#[cfg(test)]
mod tests;
