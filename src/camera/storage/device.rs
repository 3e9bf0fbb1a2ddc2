//! A block device or image, read through the page cache or around it.

use super::{CameraError, ReadAt};
use rustix::{
    fs::{Advice, CWD, FileType, Mode, OFlags, Stat, fadvise, fstat, openat, stat},
    io::Errno,
};
use std::{
    cell::RefCell,
    fs::{self, File},
    io::{self, Seek as _, SeekFrom},
    num::NonZeroU64,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What O_DIRECT wants places, lengths and memory to be a multiple of, on any device there is.
const ALIGNED: usize = 4096;
/// A multiple of every page size there is.
const PAGES: u64 = 64 << 10;
/// Bytes that are read ahead around the page cache.
const AHEAD: usize = 256 << 10;

/// What tells this device from another one in its place: what the node is, and the kernel's number.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    block: bool,
    node: (u64, u64),
    sysfs: Option<(Option<String>, Option<String>)>,
}

/// A device opened read only.
#[derive(Debug)]
pub(super) struct Device {
    path: PathBuf,
    sysfs: Option<PathBuf>,
    identity: Identity,
    file: File,
    direct: Option<File>,
    bytes: u64,
}

fn io_error(doing: &str, source: impl Into<io::Error>) -> CameraError {
    CameraError::Io { doing: doing.to_owned(), source: source.into() }
}

#[allow(clippy::unnecessary_cast, reason = "the width differs between architectures")]
fn node(stat: &Stat) -> Option<(bool, (u64, u64))> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::BlockDevice => Some((true, (stat.st_rdev as u64, 0))),
        FileType::RegularFile => Some((false, (stat.st_dev as u64, stat.st_ino as u64))),
        _ => None,
    }
}

fn identity(stat: &Stat, sysfs: Option<&Path>) -> Option<Identity> {
    let (block, node) = node(stat)?;
    let sysfs = match sysfs {
        Some(folder) if folder.is_dir() => {
            let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
            Some((text("diskseq"), text("size")))
        }
        Some(_) => return None,
        None => None,
    };
    Some(Identity { block, node, sysfs })
}

impl Device {
    pub fn open(path: &Path, sysfs: Option<&Path>) -> Result<Self, CameraError> {
        // NONBLOCK: if it is a FIFO after all, opening must not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(CWD, path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::NOENT | Errno::NODEV | Errno::NXIO | Errno::NOMEDIUM => CameraError::Gone,
            errno => io_error("open the camera's device", errno),
        })?;
        let seen = fstat(&file).map_err(|errno| io_error("look at the camera's device", errno))?;
        if node(&seen).is_none() {
            let words = io::Error::other("it is no block device and no image");
            return Err(io_error("open the camera's device", words));
        }
        let identity = identity(&seen, sysfs).ok_or(CameraError::Gone)?;
        let number = sysfs.and_then(|folder| fs::read_to_string(folder.join("dev")).ok());
        if let Some(number) = number.filter(|_| identity.block) {
            let (major, minor) =
                (rustix::fs::major(identity.node.0), rustix::fs::minor(identity.node.0));
            if number.trim() != format!("{major}:{minor}") {
                let words = io::Error::other("its sysfs folder is of another device");
                return Err(io_error("open the camera's device", words));
            }
        }
        let mut file = File::from(file);
        let bytes = file
            .seek(SeekFrom::End(0))
            .map_err(|source| io_error("find the size of the camera's device", source))?;
        let _ = fadvise(&file, 0, None, Advice::Sequential);
        let direct = openat(CWD, path, flags | OFlags::DIRECT, Mode::empty()).map(File::from).ok();
        let direct = direct.filter(|direct| {
            fstat(direct).ok().and_then(|seen| node(&seen)) == node(&seen) && reads_directly(direct)
        });
        let (path, sysfs) = (path.to_owned(), sysfs.map(Path::to_owned));
        Ok(Self { path, sysfs, identity, file, direct, bytes })
    }

    pub fn is_present(&self) -> bool {
        let Ok(seen) = stat(&self.path) else { return false };
        identity(&seen, self.sysfs.as_deref()).as_ref() == Some(&self.identity)
    }

    /// A second descriptor of the same device, with other rights.
    pub fn reopen(&self, flags: OFlags) -> Result<File, Errno> {
        let flags = flags | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(CWD, &self.path, flags, Mode::empty())?;
        let same = node(&fstat(&file)?) == Some((self.identity.block, self.identity.node));
        if same { Ok(file.into()) } else { Err(Errno::NODEV) }
    }

    pub fn is_block(&self) -> bool {
        self.identity.block
    }

    /// Whether somebody has mounted it or claims it: only a block device can tell.
    pub fn is_used_by_others(&self) -> bool {
        self.is_block() && matches!(self.reopen(OFlags::RDONLY | OFlags::EXCL), Err(Errno::BUSY))
    }

    /// Asks the kernel to forget what it cached of these bytes, and of whole pages around them: it
    /// keeps a page that is named in part only.
    pub fn forget(&self, at: u64, bytes: u64) {
        let end = (at + bytes).next_multiple_of(PAGES);
        let at = at - at % PAGES;
        let bytes = end - at;
        let _ = fadvise(&self.file, at, NonZeroU64::new(bytes), Advice::DontNeed);
    }

    pub fn forget_all(&self) {
        let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
    }
}

impl ReadAt for Device {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

/// Some file systems take the flag and then refuse to read.
fn reads_directly(file: &File) -> bool {
    with_aligned(&mut Vec::new(), ALIGNED, |buffer| file.read_at(buffer, 0)).is_ok()
}

/// Calls with `length` bytes of memory that is aligned as O_DIRECT wants it.
pub(super) fn with_aligned<T>(
    memory: &mut Vec<u8>,
    length: usize,
    call: impl FnOnce(&mut [u8]) -> T,
) -> T {
    memory.resize(length + ALIGNED, 0);
    let from = memory.as_ptr().align_offset(ALIGNED).min(ALIGNED);
    call(&mut memory[from..from + length])
}

/// Fills `buffer` through a descriptor opened with O_DIRECT, reading only whole blocks.
pub(super) fn read_around(
    file: &File,
    memory: &mut Vec<u8>,
    offset: u64,
    buffer: &mut [u8],
) -> io::Result<()> {
    let block = ALIGNED as u64;
    let inside = usize::try_from(offset % block).unwrap_or(0);
    let length = (inside + buffer.len()).div_ceil(ALIGNED) * ALIGNED;
    with_aligned(memory, length, |blocks| {
        let mut done = 0;
        // At the end of a device fewer bytes come than there are in whole blocks.
        while done < inside + buffer.len() {
            match file.read_at(&mut blocks[done..], offset - inside as u64 + done as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.copy_from_slice(&blocks[inside..inside + buffer.len()]);
        Ok(())
    })
}

/// A device read around the page cache, a little ahead.
#[derive(Debug)]
pub(super) struct Direct {
    device: Arc<Device>,
    memory: RefCell<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    aligned: Vec<u8>,
    ahead: Vec<u8>,
    ahead_at: u64,
}

impl Direct {
    /// None where the device cannot be read so.
    pub fn new(device: &Arc<Device>) -> Option<Self> {
        device.direct.as_ref()?;
        Some(Self { device: Arc::clone(device), memory: RefCell::default() })
    }
}

impl ReadAt for Direct {
    fn bytes(&self) -> u64 {
        self.device.bytes
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let file = self.device.direct.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let memory = &mut *self.memory.borrow_mut();
        let kept = |memory: &Memory| {
            let from = usize::try_from(offset.checked_sub(memory.ahead_at)?).ok()?;
            (from.checked_add(buffer.len())? <= memory.ahead.len()).then_some(from)
        };
        // Footage is read in long pieces; tables and folders must not push those out.
        if kept(memory).is_none() && buffer.len() >= AHEAD / 8 && buffer.len() < AHEAD {
            let left = self.device.bytes.saturating_sub(offset);
            let length = usize::try_from(left).unwrap_or(AHEAD).min(AHEAD);
            memory.ahead.resize(length, 0);
            memory.ahead_at = offset;
            if read_around(file, &mut memory.aligned, offset, &mut memory.ahead).is_err() {
                // A bad sector further on must not hide what lies before it.
                memory.ahead.clear();
            }
        }
        match kept(memory) {
            Some(from) => buffer.copy_from_slice(&memory.ahead[from..from + buffer.len()]),
            None => return read_around(file, &mut memory.aligned, offset, buffer),
        }
        Ok(())
    }
}
