//! The camera door: list, read and, with a permit, erase what a docked camera holds.
//!
//! Blocking by design: USB libraries are. The daemon gives every camera a thread of its own.
//! Real sides: `folder` (a folder, a mounted card or stick), `ptp` (a camera that speaks PTP or MTP
//! over USB) and `storage` (a block device that nobody mounts). Simulated side: `sim` makes cameras
//! on disk and can make them fail; `crate::ptp::sim` is a PTP camera in memory.
//!
//! A camera never learns what a recording is; it only knows files.

mod faulty;
mod folder;
mod ptp;
mod sim;
mod storage;

pub use faulty::{Faults, FaultyCamera};
pub use folder::{EraseMode, FolderBay, FolderCamera};
pub use ptp::PtpCamera;
pub use sim::{Media, SimCamera, SimCameraOptions, SimRecording, SimSegment};
pub use storage::StorageCamera;

use crate::{
    release::ErasePermit,
    types::{Condition, SourcePath, fact::ClockOffset},
};
use jiff::{Timestamp, tz::Offset};
use std::io::{self, Read};

pub use crate::types::{FileEntry, Listing};

/// Why a camera could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// Pulled, powered off or unmounted: try again when it is back.
    #[error("the camera is gone")]
    Gone,
    #[error("no such file on the camera: {0}")]
    NoSuchFile(SourcePath),
    /// The file is no longer what was listed; nothing was done to it.
    #[error("{path} changed on the camera: {words}")]
    Changed { path: SourcePath, words: String },
    /// The camera, its mount or its profile does not allow erasing.
    #[error("this camera may not be erased: {0}")]
    ReadOnly(String),
    #[error("more than {0} files on one camera")]
    TooMany(usize),
    #[error("cannot {doing}")]
    Io {
        doing: String,
        #[source]
        source: io::Error,
    },
}

/// The most files one camera may hold; a listing beyond it is refused in words, not truncated.
pub const FILES_MAX: usize = 200_000;

/// One docked camera.
pub trait Camera: Send {
    /// Everything on it, in a stable order.
    ///
    /// # Errors
    /// [`CameraError`]; a listing is whole or it is an error.
    fn list(&mut self) -> Result<Listing, CameraError>;

    /// A reader from `offset` bytes on; its errors are plain I/O errors.
    ///
    /// # Errors
    /// [`CameraError::NoSuchFile`], [`CameraError::Gone`], [`CameraError::Io`].
    fn open(&mut self, path: &SourcePath, offset: u64)
    -> Result<Box<dyn Read + Send>, CameraError>;

    /// Removes exactly the file the permit names, if it is still the one that was sealed:
    /// size and time are compared immediately before.
    ///
    /// # Errors
    /// [`CameraError::Changed`], [`CameraError::ReadOnly`], [`CameraError::NoSuchFile`] (it is
    /// gone already), [`CameraError::Gone`], [`CameraError::Io`].
    fn erase(&mut self, permit: &ErasePermit) -> Result<(), CameraError>;

    /// Asks the kernel to forget what it cached of a file, before an independent second read.
    /// A hint: where there is nothing to forget (USB protocols) it does nothing.
    fn drop_cached(&mut self, _path: &SourcePath) {}

    /// Whether the camera still answers.
    fn is_present(&mut self) -> bool;

    /// How the camera's clock stands against `now`, before anything is set; `None` if it has none
    /// that can be read.
    ///
    /// # Errors
    /// [`CameraError`].
    fn clock_offset(
        &mut self,
        now: Timestamp,
        dock_synchronised: bool,
    ) -> Result<Option<ClockOffset>, CameraError>;

    /// Sets the camera's clock to `now`; how it stood before and stands after, or `None` if it
    /// cannot be set. `zone` is where a clock is kept that says nothing of its zone.
    ///
    /// Only for a dock whose own clock is synchronised, and never without being told: it is
    /// evidence how the clock stood.
    ///
    /// # Errors
    /// [`CameraError`]; [`CameraError::Io`] in words if `dock_synchronised` is false.
    fn set_clock(
        &mut self,
        _now: Timestamp,
        _zone: Offset,
        _dock_synchronised: bool,
    ) -> Result<Option<ClockSet>, CameraError> {
        Ok(None)
    }

    /// How full the battery is, in percent; `None` where the camera does not say.
    ///
    /// # Errors
    /// [`CameraError`].
    fn battery_percent(&mut self) -> Result<Option<u8>, CameraError> {
        Ok(None)
    }

    /// What it says of itself beside its files; what it does not say stays absent. Asked once a
    /// docking: it may read some MiB.
    ///
    /// # Errors
    /// [`CameraError`].
    fn condition(&mut self) -> Result<Condition, CameraError> {
        Ok(Condition::default())
    }

    /// Whether the camera is there and no longer follows its protocol, even after a reset: a power
    /// cycle of its port is next, and then it is opened anew.
    fn is_wedged(&mut self) -> bool {
        false
    }

    /// Whether the camera said since the last question that its files are no longer as listed.
    /// A hint: cameras lose events, and many send none.
    ///
    /// # Errors
    /// [`CameraError`].
    fn said_changed(&mut self) -> Result<bool, CameraError> {
        Ok(false)
    }
}

/// A clock that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSet {
    pub before: ClockOffset,
    /// Read back after it was set; what is left is the camera's resolution, or its refusal.
    pub after: ClockOffset,
}

impl dyn Camera + '_ {
    /// Reads a small file whole: manifests, hash lists, identity files.
    ///
    /// # Errors
    /// As [`Camera::open`]; [`CameraError::Changed`] if it is longer than `bytes_max`.
    pub fn read_small(
        &mut self,
        path: &SourcePath,
        bytes_max: u64,
    ) -> Result<Vec<u8>, CameraError> {
        let mut bytes = Vec::new();
        let reader = self.open(path, 0)?;
        reader
            .take(bytes_max + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| CameraError::Io { doing: format!("read {path}"), source })?;
        if bytes.len() as u64 > bytes_max {
            let words = format!("it is longer than the {bytes_max} bytes such a file may have");
            return Err(CameraError::Changed { path: path.clone(), words });
        }
        Ok(bytes)
    }
}
