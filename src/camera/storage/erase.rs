//! The short step in which a device is written to.

use super::{
    CameraError,
    device::{Device, read_around, with_aligned},
    explain,
};
use crate::{
    release::ErasePermit,
    types::SourcePath,
    volume::{Card, Change, ReadAt, VolumeError},
};
use rustix::{fs::OFlags, io::Errno};
use std::{cell::RefCell, fs::File, io, os::unix::fs::FileExt as _};

/// A device opened for writing, exclusively; what it reads comes from the device.
struct Writer {
    file: File,
    bytes: u64,
    memory: RefCell<Vec<u8>>,
}

/// Removes the file of the permit; everything is closed again when it returns.
pub(super) fn erase(card: &Card, device: &Device, permit: &ErasePermit) -> Result<(), CameraError> {
    let source = permit.source();
    let writer = Writer::open(device)?;
    let explained = |error| explain(device, error);
    let mut erasure =
        card.erasure(&writer, &source.path, source.size, source.modified_ms).map_err(explained)?;
    let written = loop {
        match erasure.step(&writer) {
            Ok(Some(change)) => {
                if let Err(source) = writer.make(&change) {
                    let doing = format!("write {}", change.what);
                    break Err(VolumeError::Io { doing, source });
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    device.forget_all();
    written.map_err(explained)?;
    is_gone(card, &writer, &source.path).map_err(explained)
}

/// The path must not lead to a file any more.
fn is_gone(card: &Card, writer: &Writer, path: &SourcePath) -> Result<(), VolumeError> {
    match card.read(writer, path, 0) {
        Err(VolumeError::NoSuchFile(_)) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            let words = "it is still there after it was erased".into();
            Err(VolumeError::NotSafeToErase { path: path.clone(), words })
        }
    }
}

impl Writer {
    fn open(device: &Device) -> Result<Self, CameraError> {
        let mut flags = OFlags::RDWR | OFlags::DIRECT;
        if device.is_block() {
            flags |= OFlags::EXCL;
        }
        let opened = match device.reopen(flags) {
            // An image on a file system that does not know O_DIRECT.
            Err(Errno::INVAL) if !device.is_block() => device.reopen(OFlags::RDWR),
            opened => opened,
        };
        let read_only = |words: &str| Err(CameraError::ReadOnly(words.to_owned()));
        let file = match opened {
            Ok(file) => file,
            Err(Errno::BUSY) => return read_only("it is mounted or in use elsewhere"),
            Err(Errno::ROFS) => return read_only("the card is write-protected"),
            Err(Errno::ACCESS | Errno::PERM) => return read_only("the system forbids it"),
            Err(Errno::NOENT | Errno::NODEV | Errno::NXIO) => return Err(CameraError::Gone),
            Err(errno) => {
                let doing = "open the camera's device for erasing".into();
                return Err(CameraError::Io { doing, source: errno.into() });
            }
        };
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
