//! A camera that is a folder: a mounted card or stick, or any directory.
//!
//! A card is written by strangers, so nothing on it is followed: no symbolic link, no `..`, no
//! mount point below the root; FIFOs, sockets and devices are never opened. Every call walks from
//! the root by directory descriptors, and no descriptor is kept between calls, so the card can be
//! unmounted at any time. The root is recognised by device, inode, mount and birth: another card
//! in the same place is another camera.

mod below;
mod walk;

use self::{
    below::{RootId, device_of, is_mounted, modified_ms, open_folder, open_root},
    walk::Walk,
};
use super::{Camera, CameraError, Listing};
use crate::{
    release::ErasePermit,
    types::{Condition, SourcePath, fact::ClockOffset},
};
use jiff::Timestamp;
use rustix::{
    fd::OwnedFd,
    fs::{
        Advice, AtFlags, FileType, Mode, OFlags, Stat, fadvise, fcntl_getfl, fcntl_setfl, fstat,
        fstatvfs, fsync, major, minor, openat, statat, unlinkat,
    },
    io::Errno,
};
use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

/// Whether files may be removed from this camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EraseMode {
    ReadOnly,
    /// By permit of the release rule, one file at a time.
    Allowed,
}

/// One folder as a docked camera.
#[derive(Debug)]
pub struct FolderCamera {
    root: PathBuf,
    id: RootId,
    /// The kernel's entry of the block device below, where there is one: gone when it is pulled,
    /// although the mount still answers from memory.
    device: Option<PathBuf>,
    erase: EraseMode,
}

impl FolderCamera {
    /// Recognises what is at `root` now; anything else there later is [`CameraError::Gone`].
    ///
    /// # Errors
    /// [`CameraError::Gone`] if there is no folder, [`CameraError::Io`].
    pub fn open(root: &Path, erase: EraseMode) -> Result<Self, CameraError> {
        let (_, id) = open_root(root).map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::NODEV | Errno::NXIO => CameraError::Gone,
            errno => io_error("open the camera's folder", errno),
        })?;
        let entry = format!("/sys/dev/block/{}:{}", major(id.device), minor(id.device));
        let device = Some(PathBuf::from(entry)).filter(|entry| entry.exists());
        Ok(Self { root: root.to_owned(), id, device, erase })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The root, if it is still the one that was opened.
    fn enter(&self) -> Result<OwnedFd, CameraError> {
        if self.device.as_ref().is_some_and(|entry| !entry.exists()) {
            return Err(CameraError::Gone);
        }
        match open_root(&self.root) {
            Ok((root, id)) if id.is(&self.id) => Ok(root),
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::NODEV | Errno::NXIO | Errno::IO) => {
                Err(CameraError::Gone)
            }
            Err(errno) => Err(io_error("open the camera's folder", errno)),
        }
    }

    /// The right words for a failure: that the camera is gone, if it is.
    fn explain(&self, path: &SourcePath, doing: &str, errno: Errno) -> CameraError {
        if errno == Errno::NODEV || self.enter().is_err() {
            return CameraError::Gone;
        }
        let changed =
            |words: &str| CameraError::Changed { path: path.clone(), words: words.into() };
        match errno {
            Errno::NOENT => CameraError::NoSuchFile(path.clone()),
            Errno::LOOP | Errno::NOTDIR => changed("there is a link or a file in its way"),
            Errno::XDEV => changed("another file system is mounted in its way"),
            errno => io_error(&format!("{doing} {path}"), errno),
        }
    }

    /// The folder of a file, opened, and the file as it stands.
    fn find(&self, path: &SourcePath) -> Result<(OwnedFd, Stat), CameraError> {
        let root = self.enter()?;
        let explain = |errno| self.explain(path, "look at", errno);
        let folder = if path.folder().is_empty() {
            root
        } else {
            open_folder(&root, path.folder(), self.id.device).map_err(explain)?
        };
        let stat = statat(&folder, path.name(), AtFlags::SYMLINK_NOFOLLOW).map_err(explain)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            let words = "it is no regular file any more".into();
            return Err(CameraError::Changed { path: path.clone(), words });
        }
        if device_of(&stat) != self.id.device {
            return Err(explain(Errno::XDEV));
        }
        Ok((folder, stat))
    }
}

fn io_error(doing: &str, errno: Errno) -> CameraError {
    CameraError::Io { doing: doing.to_owned(), source: errno.into() }
}

impl Camera for FolderCamera {
    fn list(&mut self) -> Result<Listing, CameraError> {
        Walk::whole(self)
    }

    fn open(
        &mut self,
        path: &SourcePath,
        offset: u64,
    ) -> Result<Box<dyn Read + Send>, CameraError> {
        let (folder, seen) = self.find(path)?;
        let explain = |errno| self.explain(path, "open", errno);
        // NONBLOCK: if it became a FIFO since, opening must not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&folder, path.name(), flags, Mode::empty()).map_err(explain)?;
        let stat = fstat(&file).map_err(explain)?;
        if (stat.st_dev, stat.st_ino) != (seen.st_dev, seen.st_ino) {
            let words = "it was replaced just now".into();
            return Err(CameraError::Changed { path: path.clone(), words });
        }
        let _ = fadvise(&file, 0, None, Advice::Sequential);
        let mut file = File::from(file);
        file.seek(SeekFrom::Start(offset))
            .map_err(|source| CameraError::Io { doing: format!("read {path}"), source })?;
        Ok(Box::new(Reader::new(file)))
    }

    fn erase(&mut self, permit: &ErasePermit) -> Result<(), CameraError> {
        if self.erase == EraseMode::ReadOnly {
            return Err(CameraError::ReadOnly("it was docked read only".into()));
        }
        let source = permit.source();
        let path = &source.path;
        let (folder, stat) = self.find(path)?;
        let changed = |words: String| Err(CameraError::Changed { path: path.clone(), words });
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if size != source.size {
            return changed(format!("it has {size} bytes now and had {}", source.size));
        }
        if source.modified_ms.is_some() && source.modified_ms != modified_ms(&stat) {
            return changed("its time is another now".into());
        }
        unlinkat(&folder, path.name(), AtFlags::empty()).map_err(|errno| match errno {
            Errno::ROFS => CameraError::ReadOnly("it is mounted read only".into()),
            Errno::ACCESS | Errno::PERM => CameraError::ReadOnly("the system forbids it".into()),
            errno => self.explain(path, "erase", errno),
        })?;
        fsync(&folder).map_err(|errno| self.explain(path, "make the erasing last of", errno))
    }

    fn is_present(&mut self) -> bool {
        self.enter().is_ok()
    }

    /// A folder of another file system says nothing of its own room.
    fn condition(&mut self) -> Result<Condition, CameraError> {
        let root = self.enter()?;
        let doing = |errno| io_error("ask how much room the camera has", errno);
        if !is_mounted(&root).map_err(doing)? {
            return Ok(Condition::default());
        }
        let room = fstatvfs(&root).map_err(doing)?;
        Ok(Condition {
            storage_bytes: Some(room.f_blocks.saturating_mul(room.f_frsize)),
            storage_free_bytes: Some(room.f_bfree.saturating_mul(room.f_frsize)),
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

/// A file being read once, front to back; its pages are not kept in memory afterwards.
///
/// Read past the kernel's cache where the file system can and the caller's buffer allows it: a
/// second read then comes from the card again, and no pages of others are pushed out.
struct Reader {
    file: File,
    direct: bool,
    offset: u64,
}

impl Reader {
    /// What the strictest block devices want of addresses, offsets and lengths.
    const ALIGN: usize = 4096;

    fn new(mut file: File) -> Self {
        let offset = file.stream_position().unwrap_or(1);
        let mut reader = Self { file, direct: false, offset };
        // Refused by file systems that cannot.
        reader.direct = reader.set(true).is_ok();
        reader
    }

    fn set(&self, direct: bool) -> Result<(), Errno> {
        let mut flags = fcntl_getfl(&self.file)?;
        flags.set(OFlags::DIRECT, direct);
        fcntl_setfl(&self.file, flags)
    }

    /// From now on through the cache.
    fn give_up_direct(&mut self) -> io::Result<()> {
        self.set(false)?;
        self.direct = false;
        Ok(())
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_aligned = buffer.as_ptr().align_offset(Self::ALIGN) == 0
            && buffer.len().is_multiple_of(Self::ALIGN)
            && self.offset.is_multiple_of(Self::ALIGN as u64);
        if self.direct && !is_aligned {
            self.give_up_direct()?;
        }
        let n = match self.file.read(buffer) {
            Err(error) if self.direct && error.kind() == ErrorKind::InvalidInput => {
                self.give_up_direct()?;
                self.file.read(buffer)?
            }
            result => result?,
        };
        self.offset += n as u64;
        Ok(n)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
    }
}

/// A bay that is a folder: something is docked when something lies in it.
#[derive(Debug, Clone)]
pub struct FolderBay {
    path: PathBuf,
}

impl FolderBay {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a folder with at least one entry: a bare mount point is an empty bay.
    pub fn is_present(&self) -> bool {
        std::fs::read_dir(&self.path).is_ok_and(|mut entries| matches!(entries.next(), Some(Ok(_))))
    }
}

#[cfg(test)]
mod tests;
