//! The real spool: a folder of its own on the dock's disk.

use super::{
    Admission, Entry, Found, Limits, Spool, SpoolError, SpoolFile, Usage, Wait, Writer, Written,
    budget::{Answer, Budget, Reservation},
    direct::{self, DirectLoader, DirectReader, DirectWriter},
};
use crate::{seal::Proven, types::ObjectId};
use rustix::fs::{Advice, fadvise, statvfs};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// One folder; one daemon uses it at a time, which the journal's lock sees to.
pub struct FolderSpool {
    folder: Arc<Folder>,
    budget: Budget,
}

struct Folder {
    path: PathBuf,
    /// Kept open to be fsynced after a rename.
    handle: File,
}

fn io_error(doing: impl Into<String>) -> impl FnOnce(io::Error) -> SpoolError {
    let doing = doing.into();
    move |source| SpoolError::Io { doing, source }
}

impl FolderSpool {
    /// Opens the folder, making it (mode 0700) if need be, and removes what an earlier life left
    /// unfinished.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn open(path: &Path, limits: Limits) -> Result<(Self, Found), SpoolError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(io_error(format!("make the spool folder {}", path.display())))?;
        let handle =
            File::open(path).map_err(io_error(format!("open the spool {}", path.display())))?;
        // The run that made it may have been killed before its name was durable.
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))
            .and_then(|parent| parent.sync_all())
            .map_err(io_error(format!("fsync the folder of {}", path.display())))?;
        let folder = Folder { path: path.to_owned(), handle };
        let mut found = folder.scan()?;
        found.removed = folder.remove_unfinished()?;
        let used = found.objects.iter().map(|entry| entry.size).sum();
        let spool = Self { folder: Arc::new(folder), budget: Budget::new(limits, used) };
        Ok((spool, found))
    }

    /// Free bytes for ordinary users; none when that cannot be found out.
    fn free(&self) -> u64 {
        self.folder.free()
    }
}

/// What a name in the folder is.
enum Kind {
    Object(ObjectId),
    Unfinished,
    Foreign,
}

fn kind(name: &str) -> Kind {
    let Some((stem, rest)) = name.split_once('.') else { return Kind::Foreign };
    // Only the text the spool itself would write: other UUID spellings are somebody else's.
    let object = stem.parse::<ObjectId>().ok().filter(|object| object.to_string() == stem);
    match (object, rest) {
        (Some(object), "age") => Kind::Object(object),
        (Some(_), "age.tmp") => Kind::Unfinished,
        _ => Kind::Foreign,
    }
}

impl Folder {
    fn name(&self, object: ObjectId) -> PathBuf {
        self.path.join(format!("{object}.age"))
    }

    fn free(&self) -> u64 {
        statvfs(&self.path).map_or(0, |s| s.f_bavail.saturating_mul(s.f_frsize))
    }

    fn sync(&self) -> Result<(), SpoolError> {
        self.handle.sync_all().map_err(io_error("fsync the spool folder"))
    }

    fn each(
        &self,
        visit: &mut dyn FnMut(&fs::DirEntry, Kind) -> io::Result<()>,
    ) -> Result<(), SpoolError> {
        let doing = || io_error(format!("list the spool {}", self.path.display()));
        for entry in fs::read_dir(&self.path).map_err(doing())? {
            let entry = entry.map_err(doing())?;
            // A link or folder is nothing the spool made, whatever its name.
            let plain = entry.file_type().map_err(doing())?.is_file();
            let name = entry.file_name();
            let kind = name.to_str().filter(|_| plain).map_or(Kind::Foreign, kind);
            visit(&entry, kind).map_err(doing())?;
        }
        Ok(())
    }

    fn scan(&self) -> Result<Found, SpoolError> {
        let mut found = Found::default();
        self.each(&mut |entry, kind| {
            match kind {
                Kind::Object(object) => {
                    found.objects.push(Entry { object, size: entry.metadata()?.len() });
                }
                Kind::Foreign if found.foreign.len() < Found::FOREIGN_MAX => {
                    found.foreign.push(entry.file_name().to_string_lossy().into_owned());
                }
                Kind::Foreign | Kind::Unfinished => {}
            }
            Ok(())
        })?;
        found.objects.sort_unstable();
        found.foreign.sort_unstable();
        Ok(found)
    }

    fn remove_unfinished(&self) -> Result<u64, SpoolError> {
        let mut leftovers = Vec::new();
        self.each(&mut |entry, kind| {
            if let Kind::Unfinished = kind {
                leftovers.push(entry.path());
            }
            Ok(())
        })?;
        for path in &leftovers {
            fs::remove_file(path).map_err(io_error(format!("remove {}", path.display())))?;
        }
        Ok(leftovers.len() as u64)
    }
}

impl Spool for FolderSpool {
    fn create(&self, object: ObjectId, bytes: u64) -> Result<Admission, SpoolError> {
        let name = self.folder.name(object);
        if name.exists() {
            return Err(SpoolError::Exists(object));
        }
        let reservation = match self.budget.reserve(bytes, self.free()) {
            Ok(reservation) => reservation,
            Err(Answer::Wait(wait)) => return Ok(Admission::Wait(wait)),
            Err(Answer::TooLarge | Answer::Granted) => {
                let bytes_max = self.budget.usage(0).limits.bytes_max;
                return Ok(Admission::TooLarge { bytes_max });
            }
        };
        let tmp = name.with_extension("age.tmp");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = match options.open(&tmp) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(SpoolError::Exists(object));
            }
            // No inode or no block for the name.
            Err(error) if is_full(&error) => {
                return Ok(Admission::Wait(Wait::FreeSpace { missing: bytes }));
            }
            Err(error) => return Err(io_error(format!("create {}", tmp.display()))(error)),
        };
        let folder = Arc::clone(&self.folder);
        Ok(Admission::Granted(Box::new(FolderWriter {
            object,
            folder,
            reservation: Some(reservation),
            direct: Some(DirectWriter::new(direct::open(&tmp, true), 0)),
            tmp: Tmp(Some(tmp)),
            file: Arc::new(file),
            size: 0,
            synced: false,
        })))
    }

    fn open(&self, object: ObjectId) -> Result<SpoolFile, SpoolError> {
        let name = self.folder.name(object);
        match File::open(&name).and_then(SpoolFile::from_file) {
            Ok(file) => Ok(file.with_direct(direct::open(&name, false))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(SpoolError::Missing(object)),
            Err(e) => Err(io_error(format!("open {}", name.display()))(e)),
        }
    }

    fn remove(&self, object: ObjectId) -> Result<(), SpoolError> {
        let size = self.open(object)?.size();
        let name = self.folder.name(object);
        fs::remove_file(&name).map_err(io_error(format!("remove {}", name.display())))?;
        self.budget.freed(size);
        self.folder.sync()
    }

    fn list(&self) -> Result<Vec<Entry>, SpoolError> {
        Ok(self.folder.scan()?.objects)
    }

    fn usage(&self) -> Usage {
        self.budget.usage(self.free())
    }
}

struct FolderWriter {
    object: ObjectId,
    folder: Arc<Folder>,
    /// Taken at commit.
    reservation: Option<Reservation>,
    tmp: Tmp,
    file: Arc<File>,
    /// Takes what is written; let go when all of it is durable.
    direct: Option<DirectWriter>,
    size: u64,
    synced: bool,
}

/// The unfinished name; removed when dropped, unless it was renamed.
struct Tmp(Option<PathBuf>);

impl Drop for Tmp {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Best effort: what stays is removed at the next start.
            let _ = fs::remove_file(path);
        }
    }
}

/// The disk or a quota is full: waiting may help, nothing is broken.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Writer for FolderWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<Written, SpoolError> {
        let reservation = self.reservation.as_mut().expect("taken only by commit, which consumes");
        let free = || self.folder.free();
        if reservation.is_beyond(bytes.len() as u64)
            && reservation.allow(bytes.len() as u64, free()).is_err()
        {
            return Ok(Written::Full { taken: 0 });
        }
        if bytes.is_empty() {
            return Ok(Written::All);
        }
        self.synced = false;
        let direct = self.direct.get_or_insert_with(|| DirectWriter::new(None, self.size));
        let mut taken = 0;
        while taken < bytes.len() {
            match direct.push(&self.file, &bytes[taken..]) {
                Ok(n) => {
                    taken += n;
                    self.size += n as u64;
                    reservation.wrote(n as u64);
                }
                Err(error) if is_full(&error) => return Ok(Written::Full { taken }),
                Err(error) => return Err(io_error(format!("write object {}", self.object))(error)),
            }
        }
        Ok(Written::All)
    }

    fn sync(&mut self) -> Result<Written, SpoolError> {
        let doing = || io_error(format!("fsync object {}", self.object));
        if let Some(direct) = &mut self.direct {
            match direct.flush(&self.file) {
                Err(error) if is_full(&error) => return Ok(Written::Full { taken: 0 }),
                flushed => flushed.map_err(doing())?,
            }
        }
        self.file.sync_all().map_err(doing())?;
        // The sealed bytes are wanted again only by the upload: their pages are better used by
        // others. Only clean pages are dropped, hence after the fsync. Not every file system can.
        let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
        self.direct = None;
        self.synced = true;
        Ok(Written::All)
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn read_back(&self) -> Box<dyn Read + '_> {
        let path = self.tmp.0.as_ref().expect("taken only by commit, which consumes");
        let direct = direct::open(path, false).map(Arc::new);
        Box::new(DirectReader::new(DirectLoader::new(direct, self.file.clone(), 0)))
    }

    fn commit(mut self: Box<Self>, proof: &Proven) -> Result<SpoolFile, SpoolError> {
        let object = self.object;
        if !self.synced || proof.sealed().size != self.size {
            return Err(SpoolError::Unproved(object));
        }
        let name = self.folder.name(object);
        let tmp = self.tmp.0.as_ref().expect("taken only at the end of this function");
        fs::rename(tmp, &name).map_err(io_error(format!("rename object {object}")))?;
        // Until the folder is fsynced too, dropping the writer takes the object away again.
        self.tmp.0 = Some(name);
        self.folder.sync()?;
        let file = self.file.try_clone().and_then(SpoolFile::from_file);
        let file = file.map_err(io_error(format!("look at object {object}")))?;
        self.tmp.0 = None;
        if let Some(reservation) = self.reservation.take() {
            reservation.keep();
        }
        Ok(file)
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
