//! Files below a handle of the folder, durable before they count.

use super::words::{Trouble, io, no_marker, while_};
use crate::{store::Fault, types::Sha256Digest};
use ring::digest::{Context, SHA256};
use rustix::{
    fd::OwnedFd,
    fs::{
        Advice, AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, fadvise, linkat, mkdirat,
        openat, renameat, renameat_with, statat, unlinkat,
    },
    io::Errno,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::Path,
};

pub(super) const MARKER: &str = ".bwvdock-store";
pub(super) const UPLOADS: &str = ".bwvdock-uploads";
const FOLDER: Mode = Mode::from_raw_mode(0o750);
const FILE: Mode = Mode::from_raw_mode(0o640);

/// When a file was written to last, as its file system gives it: seconds since 1970 and what is
/// above them, as exact as that file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Modified {
    pub seconds: i64,
    pub nanoseconds: u32,
}

/// What a look at a file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Looks {
    pub size: u64,
    pub modified: Modified,
}

/// The folder, held open; its marker was there.
pub(super) struct Root {
    folder: OwnedFd,
}

impl Root {
    /// Only a folder with a marker: an empty mount point is none.
    pub fn open(folder: &Path) -> Result<Self, Trouble> {
        let shown = folder.display().to_string();
        let root = Self::open_any(folder).map_err(|trouble| match trouble.fault {
            Fault::Missing => no_marker(&shown),
            _ => trouble,
        })?;
        match root.read(MARKER) {
            Ok(marker) if marker.starts_with(b"{") => Ok(root),
            Ok(_) => Err(no_marker(&shown)),
            Err(trouble) if trouble.fault == Fault::Missing => Err(no_marker(&shown)),
            Err(trouble) => Err(trouble),
        }
    }

    pub fn open_any(folder: &Path) -> Result<Self, Trouble> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let shown = folder.display().to_string();
        let folder = openat(CWD, folder, flags, Mode::empty()).map_err(while_("open", &shown))?;
        Ok(Self { folder })
    }

    pub fn has(&self, path: &str) -> Result<bool, Trouble> {
        match statat(&self.folder, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(while_("look at", path)(errno)),
        }
    }

    pub fn file(&self, path: &str, flags: OFlags) -> Result<File, Trouble> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        openat(&self.folder, path, flags, FILE).map(File::from).map_err(while_("open", path))
    }

    pub fn read(&self, path: &str) -> Result<Vec<u8>, Trouble> {
        const SMALL_MAX: u64 = 4 << 20;
        let mut bytes = Vec::new();
        let file = self.file(path, OFlags::RDONLY)?;
        file.take(SMALL_MAX).read_to_end(&mut bytes).map_err(io("read", path))?;
        Ok(bytes)
    }

    /// What the file system says of a file; none where there is none, or no file.
    pub fn look(&self, path: &str) -> Result<Option<Looks>, Trouble> {
        let stat = match statat(&self.folder, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(errno) => return Err(while_("look at", path)(errno)),
        };
        let looks = Looks {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: Modified {
                seconds: stat.st_mtime as i64,
                nanoseconds: stat.st_mtime_nsec as u32,
            },
        };
        Ok(FileType::from_raw_mode(stat.st_mode).is_file().then_some(looks))
    }

    /// fsyncs the folder of a path, so that its name stays.
    pub fn sync_folder_of(&self, path: &str) -> Result<(), Trouble> {
        let parent = path.rsplit_once('/').map_or(".", |(parent, _)| parent);
        let folder = self.file(parent, OFlags::RDONLY | OFlags::DIRECTORY)?;
        folder.sync_all().map_err(io("flush", parent))
    }

    /// Makes the folders that a path lies in, each durably.
    pub fn make_folders_of(&self, path: &str) -> Result<(), Trouble> {
        let Some((parent, _)) = path.rsplit_once('/') else { return Ok(()) };
        if self.has(parent)? {
            return Ok(());
        }
        self.make_folders_of(parent)?;
        self.make_folder(parent)
    }

    pub fn make_folder(&self, path: &str) -> Result<(), Trouble> {
        match mkdirat(&self.folder, path, FOLDER) {
            Ok(()) | Err(Errno::EXIST) => self.sync_folder_of(path),
            Err(errno) => Err(while_("make the folder", path)(errno)),
        }
    }

    /// Writes a small file under a name of its own, fsynced, to be given its real name.
    pub fn temporary(&self, bytes: &[u8]) -> Result<String, Trouble> {
        self.make_folder(UPLOADS)?;
        let path = format!("{UPLOADS}/{}.tmp", uuid::Uuid::now_v7().simple());
        let written = (|| {
            let mut file = self.file(&path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
            file.write_all(bytes).map_err(io("write", &path))?;
            file.sync_all().map_err(io("flush", &path))
        })();
        match written {
            Ok(()) => Ok(path),
            Err(trouble) => {
                // A full disk needs the room; what cannot be removed, `store setup` clears away.
                let _ = self.remove(&path);
                Err(trouble)
            }
        }
    }

    /// A small file, if there is none of that name yet.
    pub fn put(&self, path: &str, bytes: &[u8]) -> Result<(), Trouble> {
        if self.has(path)? {
            return Ok(());
        }
        let temporary = self.temporary(bytes)?;
        match self.place(&temporary, path) {
            Err(trouble) if trouble.fault == Fault::Exists => self.remove(&temporary),
            placed => placed,
        }
    }

    /// A small file, at once in place of an older one.
    pub fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), Trouble> {
        self.make_folders_of(path)?;
        let temporary = self.temporary(bytes)?;
        renameat(&self.folder, &temporary, &self.folder, path).map_err(while_("name", path))?;
        self.sync_folder_of(path)
    }

    /// Gives a whole, fsynced file its name; never replaces one.
    pub fn place(&self, from: &str, to: &str) -> Result<(), Trouble> {
        self.make_folders_of(to)?;
        let folder = &self.folder;
        match renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            // NFS and some others know no such rename; a hard link does not replace either.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                match linkat(folder, from, folder, to, AtFlags::empty()) {
                    Ok(()) => self.remove(from)?,
                    // Nor hard links (CIFS, FAT). Names hold the dock's id and a fresh UUID, so
                    // nobody else makes them: looking first is enough.
                    Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                        if self.has(to)? {
                            return Err(while_("name", to)(Errno::EXIST));
                        }
                        renameat(folder, from, folder, to).map_err(while_("name", to))?;
                    }
                    Err(errno) => return Err(while_("name", to)(errno)),
                }
            }
            Err(errno) => return Err(while_("name", to)(errno)),
        }
        self.sync_folder_of(from)?;
        self.sync_folder_of(to)
    }

    pub fn remove(&self, path: &str) -> Result<(), Trouble> {
        match unlinkat(&self.folder, path, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(while_("remove", path)(errno)),
        }
    }

    pub fn remove_folder(&self, path: &str) -> Result<(), Trouble> {
        match unlinkat(&self.folder, path, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(while_("remove", path)(errno)),
        }
    }

    /// Names in a folder, at most so many; none where there is no such folder.
    pub fn names(&self, path: &str, limit: usize) -> Result<Vec<String>, Trouble> {
        let folder = match self.file(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(folder) => folder,
            Err(trouble) if trouble.fault == Fault::Missing => return Ok(Vec::new()),
            Err(trouble) => return Err(trouble),
        };
        let entries = rustix::fs::Dir::read_from(&folder).map_err(while_("list", path))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(while_("list", path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
            if names.len() >= limit {
                break;
            }
        }
        names.sort();
        Ok(names)
    }

    /// Reads a whole file from the medium and not from memory, as far as the kernel can be told:
    /// what is clean leaves the cache first.
    pub fn read_back(&self, path: &str) -> Result<(u64, Sha256Digest), Trouble> {
        let file = self.file(path, OFlags::RDONLY)?;
        file.sync_all().map_err(io("flush", path))?;
        // Where it is not known, the bytes come from the cache: still those that were written.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        let (mut hash, mut size) = (Context::new(&SHA256), 0);
        let (mut buffer, mut file) = (vec![0; 256 * 1024], file);
        loop {
            match file.read(&mut buffer).map_err(io("read", path))? {
                0 => break,
                n => {
                    hash.update(&buffer[..n]);
                    size += n as u64;
                }
            }
        }
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        let mut digest = [0; 32];
        digest.copy_from_slice(hash.finish().as_ref());
        Ok((size, Sha256Digest(digest)))
    }
}
