//! A camera that is a folder: a mounted card or stick, or any directory.
//!
//! A card is written by strangers, so nothing on it is followed: no symbolic link, no `..`, no
//! mount point below the root; FIFOs, sockets and devices are never opened. Every call walks from
//! the root by directory descriptors, and no descriptor is kept between calls, so the card can be
//! unmounted at any time. The root is recognised by device, inode and mount: another card in the
//! same place is another camera.

use super::{Camera, CameraError, FILES_MAX, FileEntry, Listing};
use crate::{
    release::ErasePermit,
    types::{SourcePath, fact::ClockOffset},
};
use jiff::Timestamp;
use rustix::{
    fd::OwnedFd,
    fs::{
        Advice, AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, StatxFlags, fadvise,
        fstat, fsync, major, minor, openat, openat2, statat, statx, unlinkat,
    },
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

/// Folders within folders that are looked into.
const DEPTH_MAX: usize = 32;
/// Things seen and not listed that are told one by one.
const CAVEATS_MAX: usize = 100;

/// Whether files may be removed from this camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EraseMode {
    ReadOnly,
    /// By permit of the release rule, one file at a time.
    Allowed,
}

/// What tells one mounted root from another that appears in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RootId {
    device: u64,
    inode: u64,
    mount: u64,
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
            Ok((root, id)) if id == self.id => Ok(root),
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

#[allow(clippy::unnecessary_cast, reason = "the width differs between architectures")]
fn device_of(stat: &Stat) -> u64 {
    stat.st_dev as u64
}

fn modified_ms(stat: &Stat) -> Option<i64> {
    let nanos = i64::try_from(stat.st_mtime_nsec).ok()?;
    stat.st_mtime.checked_mul(1000)?.checked_add(nanos / 1_000_000)
}

fn open_root(path: &Path) -> Result<(OwnedFd, RootId), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, path, flags, Mode::empty())?;
    let stat = fstat(&root)?;
    // Old kernels do not number mounts; device and inode must do there.
    let mount = statx(&root, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)
        .ok()
        .filter(|seen| seen.stx_mask & StatxFlags::MNT_ID.bits() != 0)
        .map_or(0, |seen| seen.stx_mnt_id);
    Ok((root, RootId { device: device_of(&stat), inode: stat.st_ino, mount }))
}

/// Opens a folder below `root` without following a link or leaving the file system.
fn open_folder(root: &OwnedFd, path: &[u8], device: u64) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    match openat2(root, path, flags, Mode::empty(), resolve) {
        // Before Linux 5.6, or forbidden by a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => walk_to_folder(root, path, device),
        opened => opened,
    }
}

/// The same, step by step; only a bind mount within one file system passes unnoticed.
fn walk_to_folder(root: &OwnedFd, path: &[u8], device: u64) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at: Option<OwnedFd> = None;
    for name in path.split(|byte| *byte == b'/') {
        // SourcePath allows neither; this function must not depend on it.
        if name == b".." || name.is_empty() {
            return Err(Errno::XDEV);
        }
        let next = openat(at.as_ref().unwrap_or(root), name, flags, Mode::empty())?;
        if device_of(&fstat(&next)?) != device {
            return Err(Errno::XDEV);
        }
        at = Some(next);
    }
    at.ok_or(Errno::INVAL)
}

/// A listing under way.
struct Walk<'a> {
    camera: &'a FolderCamera,
    root: OwnedFd,
    listing: Listing,
    /// Folders still to be looked into, with their depth.
    folders: Vec<(Vec<u8>, usize)>,
    entries: usize,
    untold: usize,
}

impl Walk<'_> {
    fn caveat(&mut self, path: &[u8], words: &str) {
        if self.listing.caveats.len() >= CAVEATS_MAX {
            self.untold += 1;
            return;
        }
        let name = SourcePath::new(path).map_or_else(
            |_| format!("{:.80}…", String::from_utf8_lossy(path).escape_default().to_string()),
            |path| path.to_string(),
        );
        self.listing.caveats.push(format!("{name}: {words}"));
    }

    fn look_into(&mut self, folder: Vec<u8>, depth: usize) -> Result<(), CameraError> {
        let opened = if folder.is_empty() {
            self.root.try_clone().map_err(|source| CameraError::Io {
                doing: "open the camera's folder".into(),
                source,
            })?
        } else {
            match open_folder(&self.root, &folder, self.camera.id.device) {
                Ok(opened) => opened,
                Err(errno) => return self.unopened(&folder, errno),
            }
        };
        let failed = |errno| match self.camera.enter() {
            Ok(_) if errno != Errno::NODEV => io_error("list the camera", errno),
            _ => CameraError::Gone,
        };
        let mut entries = Dir::read_from(&opened).map_err(failed)?;
        while let Some(entry) = entries.read() {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            self.entries += 1;
            if self.entries > 2 * FILES_MAX || self.listing.files.len() >= FILES_MAX {
                return Err(CameraError::TooMany(FILES_MAX));
            }
            match statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => self.take(&folder, name, &stat, depth),
                // Removed since the folder was read.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        Ok(())
    }

    fn unopened(&mut self, folder: &[u8], errno: Errno) -> Result<(), CameraError> {
        match errno {
            Errno::NOENT => {}
            Errno::ACCESS => self.caveat(folder, "this folder may not be read"),
            Errno::XDEV => self.caveat(folder, "another file system is mounted here"),
            Errno::LOOP | Errno::NOTDIR => self.caveat(folder, "changed while it was looked at"),
            _ if self.camera.enter().is_err() || errno == Errno::NODEV => {
                return Err(CameraError::Gone);
            }
            errno => return Err(io_error("list the camera", errno)),
        }
        Ok(())
    }

    fn take(&mut self, folder: &[u8], name: &[u8], stat: &Stat, depth: usize) {
        let path = if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() };
        let elsewhere = device_of(stat) != self.camera.id.device;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Directory if elsewhere => {
                self.caveat(&path, "another file system is mounted here");
            }
            FileType::RegularFile => match SourcePath::new(path.clone()) {
                Ok(path) => self.listing.files.push(FileEntry {
                    path,
                    size: u64::try_from(stat.st_size).unwrap_or(0),
                    modified_ms: modified_ms(stat),
                }),
                Err(error) => self.caveat(&path, &error.to_string()),
            },
            FileType::Directory if depth >= DEPTH_MAX => {
                self.caveat(&path, "the folder lies too deep and was not looked into");
            }
            FileType::Directory => self.folders.push((path, depth + 1)),
            FileType::Symlink => self.caveat(&path, "a link; links are not followed"),
            FileType::Fifo => self.caveat(&path, "a FIFO, not a file"),
            FileType::Socket => self.caveat(&path, "a socket, not a file"),
            FileType::CharacterDevice | FileType::BlockDevice => {
                self.caveat(&path, "a device, not a file");
            }
            FileType::Unknown => self.caveat(&path, "not a file"),
        }
    }
}

impl Camera for FolderCamera {
    fn list(&mut self) -> Result<Listing, CameraError> {
        let root = self.enter()?;
        let mut walk = Walk {
            camera: self,
            root,
            listing: Listing::default(),
            folders: vec![(Vec::new(), 0)],
            entries: 0,
            untold: 0,
        };
        while let Some((folder, depth)) = walk.folders.pop() {
            walk.look_into(folder, depth)?;
        }
        let (mut listing, untold) = (walk.listing, walk.untold);
        // What was pulled while it was listed is not whole.
        self.enter()?;
        listing.files.sort_by(|a, b| a.path.cmp(&b.path));
        listing.caveats.sort();
        if untold > 0 {
            listing.caveats.push(format!("and {untold} more that were not listed"));
        }
        Ok(listing)
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
        Ok(Box::new(Reader { file }))
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
struct Reader {
    file: File,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
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
