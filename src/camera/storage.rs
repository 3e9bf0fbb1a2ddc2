//! A camera that is a mass-storage device: a block device, or an image of one.
//!
//! Nothing is mounted. `volume` reads the file systems in user space over a descriptor opened
//! read only, so no kernel driver ever sees what a stranger's card holds. File systems it does not
//! know are named and refused; an administrator may mount those (ro,nodev,nosuid,noexec) and dock
//! the folder (`FolderCamera`).
//!
//! **The first read** goes through the page cache, whose read-ahead keeps the device busy while the
//! dock hashes and seals. **The second, independent read** ([`Camera::drop_cached`]) is made with
//! O_DIRECT: every byte of it, directories and tables too, comes from the device. Only where that
//! cannot be had (some image files) the kernel is merely asked to forget.
//!
//! **Erasing** is the only thing that opens the device for writing, for one file and no longer, under
//! an exclusive claim (a device that is mounted anywhere refuses that). See `volume::Erasure` for what
//! is written in which order and why that survives a power cut at every write; here each write is made
//! durable and read back from the device before the next. Between the files of one round the claim
//! is held and the walk over the card is remembered (`volume::Survey`): for ten minutes at most, and
//! not beyond a listing, a failure, or a minute without work.
//!
//! **Who it is**: the device number of the node, and where there is a sysfs folder, the kernel's
//! sequence number of the disk (`diskseq`, Linux 5.15), which is never used twice: another card in
//! the same reader is another camera.

mod device;
mod erase;

use self::{
    device::{Device, Direct},
    erase::Burst,
};
use super::{Camera, CameraError, EraseMode, FILES_MAX, Listing};
use crate::{
    release::ErasePermit,
    types::{Condition, SourcePath, fact::ClockOffset},
    volume::{Card, ReadAt, Room, VolumeError},
};
use jiff::Timestamp;
use std::{
    io::{self, Read},
    path::Path,
    sync::Arc,
};

/// One block device or image as a docked camera.
#[derive(Debug)]
pub struct StorageCamera {
    device: Arc<Device>,
    /// The volumes as the last listing found them: paths mean what they meant there.
    card: Option<Card>,
    erase: EraseMode,
    /// The file whose next reads must come from the device.
    fresh: Option<SourcePath>,
    /// Kept between the files that are erased one after the other.
    burst: Option<Burst>,
}

impl StorageCamera {
    /// Opens a device node, or an image file. `sysfs` is the folder of the kernel's block device
    /// (`/sys/class/block/sdX`), gone when it is pulled; none for an image.
    ///
    /// # Errors
    /// [`CameraError::Gone`] if it is not there; [`CameraError::Io`], also if node and folder are of
    /// different devices.
    pub fn open(
        device: &Path,
        sysfs: Option<&Path>,
        erase: EraseMode,
    ) -> Result<Self, CameraError> {
        let device = Arc::new(Device::open(device, sysfs)?);
        Ok(Self { device, card: None, erase, fresh: None, burst: None })
    }

    fn card(&mut self) -> Result<&Card, CameraError> {
        match &mut self.card {
            Some(card) => Ok(card),
            none => {
                let card =
                    Card::open(&*self.device).map_err(|error| explain(&self.device, error))?;
                Ok(none.insert(card))
            }
        }
    }
}

/// The right words for a failure: that the camera is gone, if it is.
fn explain(device: &Device, error: VolumeError) -> CameraError {
    if !device.is_present() {
        return CameraError::Gone;
    }
    match error {
        VolumeError::Io { doing, source } => CameraError::Io { doing, source },
        VolumeError::NotReadable(words) => {
            CameraError::Io { doing: "read the card".into(), source: io::Error::other(words) }
        }
        VolumeError::NoSuchFile(path) => CameraError::NoSuchFile(path),
        VolumeError::TooMuch(_) => CameraError::TooMany(FILES_MAX),
        VolumeError::Changed { path, words } => CameraError::Changed { path, words },
        error @ VolumeError::NotSafeToErase { .. } => CameraError::ReadOnly(error.to_string()),
    }
}

impl Camera for StorageCamera {
    fn list(&mut self) -> Result<Listing, CameraError> {
        self.burst = None;
        self.device.forget_all();
        self.card = None;
        let device = Arc::clone(&self.device);
        let mut listing = self.card()?.list(&*device).map_err(|error| explain(&device, error))?;
        if device.is_used_by_others() {
            let words = "the card is mounted or in use elsewhere; what is read may be changing";
            listing.caveats.push(words.into());
        }
        // What was pulled while it was listed is not whole.
        if device.is_present() { Ok(listing) } else { Err(CameraError::Gone) }
    }

    fn open(
        &mut self,
        path: &SourcePath,
        offset: u64,
    ) -> Result<Box<dyn Read + Send>, CameraError> {
        let device = Arc::clone(&self.device);
        if !device.is_present() {
            return Err(CameraError::Gone);
        }
        let fresh = self.fresh.as_ref() == Some(path);
        let burst = self.burst.take();
        let card = self.card()?;
        let reader: Result<Box<dyn Read + Send>, VolumeError> = match Direct::new(&device) {
            Some(direct) if fresh => match burst.as_ref().and_then(Burst::survey) {
                Some(survey) => card.read_by(survey, direct, path, offset),
                None => card.read(direct, path, offset),
            }
            .map(|reader| Box::new(reader) as _),
            _ => card.read(Arc::clone(&device), path, offset).map(|reader| Box::new(reader) as _),
        };
        self.burst = burst;
        reader.map_err(|error| explain(&device, error))
    }

    fn erase(&mut self, permit: &ErasePermit) -> Result<(), CameraError> {
        if self.erase == EraseMode::ReadOnly {
            return Err(CameraError::ReadOnly("it was docked read only".into()));
        }
        let device = Arc::clone(&self.device);
        if !device.is_present() {
            return Err(CameraError::Gone);
        }
        let mut burst = match self.burst.take().filter(Burst::is_fresh) {
            Some(burst) => burst,
            None => Burst::begin(&device)?,
        };
        let erased = burst.erase(self.card()?, &device, permit);
        // After a failure nothing that was remembered is believed.
        self.burst = erased.is_ok().then_some(burst);
        if erased.is_err() {
            device.forget_all();
        }
        erased
    }

    fn drop_cached(&mut self, path: &SourcePath) {
        let device = Arc::clone(&self.device);
        if let Ok(card) = self.card()
            && let Ok(mut reader) = card.read(&*device, path, 0)
        {
            while let Some((at, bytes)) = reader.next_piece() {
                device.forget(at, bytes);
            }
        }
        self.fresh = Some(path.clone());
    }

    fn is_present(&mut self) -> bool {
        self.burst = self.burst.take().filter(Burst::is_fresh);
        self.device.is_present()
    }

    fn condition(&mut self) -> Result<Condition, CameraError> {
        let device = Arc::clone(&self.device);
        let Room { bytes, free } = self.card()?.room(&*device);
        Ok(Condition {
            storage_bytes: Some(bytes),
            storage_free_bytes: free,
            ..Condition::default()
        })
    }

    fn clock_offset(
        &mut self,
        _now: Timestamp,
        _dock_synchronised: bool,
    ) -> Result<Option<ClockOffset>, CameraError> {
        // A card has no clock.
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
