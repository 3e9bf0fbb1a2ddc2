//! The short step in which a device is written to, and what is kept between two of them.

use super::{
    CameraError,
    device::{Device, read_around, with_aligned},
    explain,
};
use crate::{
    release::ErasePermit,
    volume::{Card, Change, ReadAt, Survey, VolumeError},
};
use rustix::{fs::OFlags, io::Errno};
use std::{
    cell::RefCell,
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    time::{Duration, Instant},
};

/// A device opened for writing; what it reads comes from the device.
struct Writer {
    file: File,
    bytes: u64,
    memory: RefCell<Vec<u8>>,
}

/// So long after a walk over the card it is walked again...
const WALK_LASTS: Duration = Duration::from_secs(600);
/// ...and so long after the last file.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// Erasing many files in a row: the walk over the card, and the claim on its device that lets nobody
/// mount it in the meantime. The device is open for writing only while a file is erased.
#[derive(Debug)]
pub(super) struct Burst {
    /// Exclusive, and held for that alone.
    _claim: File,
    survey: Option<Survey>,
    begun: Instant,
    used: Instant,
}

impl Burst {
    /// # Errors
    /// [`CameraError::ReadOnly`] if the card is mounted or in use elsewhere.
    pub fn begin(device: &Device) -> Result<Self, CameraError> {
        let exclusive = if device.is_block() { OFlags::EXCL } else { OFlags::empty() };
        let claim = device.reopen(OFlags::RDONLY | exclusive).map_err(refused)?;
        let now = Instant::now();
        Ok(Self { _claim: claim, survey: None, begun: now, used: now })
    }

    /// Whether what is remembered may still be believed.
    pub fn is_fresh(&self) -> bool {
        self.begun.elapsed() < WALK_LASTS && self.used.elapsed() < IDLE_MAX
    }

    pub fn survey(&self) -> Option<&Survey> {
        self.survey.as_ref().filter(|_| self.is_fresh())
    }

    /// Removes the file of the permit. After a failure this is to be thrown away.
    pub fn erase(
        &mut self,
        card: &Card,
        device: &Device,
        permit: &ErasePermit,
    ) -> Result<(), CameraError> {
        let source = permit.source();
        let writer = Writer::open(device)?;
        let explained = |error| explain(device, error);
        let (survey, size, time) = (&mut self.survey, source.size, source.modified_ms);
        let mut erasure =
            card.erasure_by(survey, &writer, &source.path, size, time).map_err(explained)?;
        while let Some(change) = erasure.step(&writer).map_err(explained)? {
            let made = writer.make(&change);
            device.forget(change.offset, change.after.len() as u64);
            made.map_err(|source| {
                explained(VolumeError::Io { doing: format!("write {}", change.what), source })
            })?;
        }
        if !erasure.is_gone(&writer).map_err(explained)? {
            let words = "it is still there after it was erased".into();
            return Err(explained(VolumeError::NotSafeToErase {
                path: source.path.clone(),
                words,
            }));
        }
        if let Some(survey) = &mut self.survey {
            survey.forget(&source.path);
        }
        self.used = Instant::now();
        Ok(())
    }
}

fn refused(errno: Errno) -> CameraError {
    let read_only = |words: &str| CameraError::ReadOnly(words.to_owned());
    match errno {
        Errno::BUSY => read_only("it is mounted or in use elsewhere"),
        Errno::ROFS => read_only("the card is write-protected"),
        Errno::ACCESS | Errno::PERM => read_only("the system forbids it"),
        Errno::NOENT | Errno::NODEV | Errno::NXIO => CameraError::Gone,
        errno => {
            let doing = "open the camera's device for erasing".into();
            CameraError::Io { doing, source: errno.into() }
        }
    }
}

impl Writer {
    /// The claim of a [`Burst`] keeps others out.
    fn open(device: &Device) -> Result<Self, CameraError> {
        let flags = OFlags::RDWR | OFlags::DIRECT;
        let opened = match device.reopen(flags) {
            // An image on a file system that does not know O_DIRECT.
            Err(Errno::INVAL) if !device.is_block() => device.reopen(OFlags::RDWR),
            opened => opened,
        };
        let file = opened.map_err(refused)?;
        Ok(Self { file, bytes: device.bytes(), memory: RefCell::default() })
    }

    /// Writes, makes it durable, and reads it back from the device.
    fn make(&self, change: &Change) -> io::Result<()> {
        let after = &change.after;
        with_aligned(&mut self.memory.borrow_mut(), after.len(), |blocks| {
            blocks.copy_from_slice(after);
            self.file.write_all_at(blocks, change.offset)
        })?;
        self.file.sync_data()?;
        let mut kept = vec![0; after.len()];
        self.read_at(change.offset, &mut kept)?;
        if kept == *after {
            return Ok(());
        }
        Err(io::Error::other("the card does not keep what is written to it"))
    }
}

impl ReadAt for Writer {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_around(&self.file, &mut self.memory.borrow_mut(), offset, buffer)
    }
}
