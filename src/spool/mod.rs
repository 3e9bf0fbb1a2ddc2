//! The spool door: sealed objects on the dock's disk, within a byte budget.
//!
//! Only ciphertext ever lies here. A file under its final name is whole, fsynced and was opened
//! again and found equal; everything else is `*.tmp` and is removed at start.
//! Real side: a folder. Simulated side: memory, with faults.
//!
//! **Layout.** `<object>.age` is a finished object, `<object>.age.tmp` one being written, where
//! `<object>` is the [`ObjectId`] as lower-case UUID text. A writer goes: write, fsync, read back
//! and open ([`Proven`]), rename, fsync the folder. [`Writer::commit`] takes the proof, so no
//! unproved file can get a final name.
//!
//! **Budget.** Whoever writes reserves first; a spool that is full answers "wait", not an error.
//! See [`budget`].

pub mod budget;
mod direct;
mod folder;
pub mod sim;

pub use budget::{Limits, Usage, Wait};
pub use folder::FolderSpool;

use direct::DirectReader;

use crate::{seal::Proven, types::ObjectId};
use std::{
    fs::File,
    io::{self, Read},
    sync::Arc,
};

/// A finished sealed object, open for reading at any offset from several tasks at once.
#[derive(Debug, Clone)]
pub struct SpoolFile {
    bytes: Bytes,
    /// Another handle of the same file, past the kernel's cache.
    direct: Option<Arc<File>>,
    size: u64,
}

#[derive(Debug, Clone)]
enum Bytes {
    Disk(Arc<File>),
    Memory(Arc<[u8]>),
}

impl SpoolFile {
    /// A file of the real spool, as long as it is now.
    ///
    /// # Errors
    /// Plain I/O errors of fstat(2).
    pub fn from_file(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { bytes: Bytes::Disk(Arc::new(file)), direct: None, size })
    }

    fn with_direct(mut self, direct: Option<File>) -> Self {
        self.direct = direct.map(Arc::new);
        self
    }

    /// Bytes in memory: the simulated spool, and tests of those who read the spool.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { size: bytes.len() as u64, bytes: Bytes::Memory(bytes), direct: None }
    }

    /// Bytes of ciphertext.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads `length` bytes from `offset` on, in order.
    pub fn reader(&self, offset: u64, length: u64) -> SpoolReader {
        let from = match &self.bytes {
            Bytes::Memory(bytes) => Source::Memory(bytes.clone()),
            Bytes::Disk(file) => {
                Source::Disk(DirectReader::new(self.direct.clone(), file.clone(), offset))
            }
        };
        SpoolReader { from, at: offset, end: offset.saturating_add(length) }
    }

    /// Reads at `offset` without moving a cursor; short only at the end.
    ///
    /// # Errors
    /// Plain I/O errors.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.bytes {
            Bytes::Disk(file) => {
                use std::os::unix::fs::FileExt as _;
                file.read_at(buffer, offset)
            }
            Bytes::Memory(bytes) => {
                let from = usize::try_from(offset).map_or(bytes.len(), |at| at.min(bytes.len()));
                let n = buffer.len().min(bytes.len() - from);
                buffer[..n].copy_from_slice(&bytes[from..from + n]);
                Ok(n)
            }
        }
    }
}

/// Part of a [`SpoolFile`], read in order: past the kernel's cache where that can be. Holds 256 KiB.
pub struct SpoolReader {
    from: Source,
    /// Where the next piece begins.
    at: u64,
    end: u64,
}

enum Source {
    Disk(DirectReader),
    Memory(Arc<[u8]>),
}

impl SpoolReader {
    /// The next bytes, at most `most`; none at the end of what was asked for.
    ///
    /// # Errors
    /// Plain I/O errors; the file being shorter than what was asked for is one.
    pub fn next(&mut self, most: usize) -> io::Result<Option<Vec<u8>>> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(None);
        }
        let mut piece = Vec::with_capacity(left.min(most));
        while piece.len() < left.min(most) {
            let want = left.min(most) - piece.len();
            let n = match &mut self.from {
                Source::Memory(bytes) => {
                    let rest = usize::try_from(self.at).ok().and_then(|at| bytes.get(at..));
                    let rest = rest.unwrap_or_default();
                    piece.extend_from_slice(&rest[..want.min(rest.len())]);
                    want.min(rest.len())
                }
                Source::Disk(reader) => match reader.next(want) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    bytes => {
                        let bytes = bytes?;
                        piece.extend_from_slice(bytes);
                        bytes.len()
                    }
                },
            };
            if n == 0 {
                let words = format!("the spool file ends at byte {}", self.at);
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, words));
            }
            self.at += n as u64;
        }
        Ok(Some(piece))
    }
}

/// A finished object, as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub object: ObjectId,
    /// Bytes of ciphertext.
    pub size: u64,
}

/// What opening the spool found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Finished objects, sorted by id.
    pub objects: Vec<Entry>,
    /// Unfinished files of an earlier life that were removed.
    pub removed: u64,
    /// Names (at most [`Found::FOREIGN_MAX`]) that are none of the spool's; left alone.
    pub foreign: Vec<String>,
}

impl Found {
    /// The most foreign names that are kept to be reported.
    pub const FOREIGN_MAX: usize = 32;
}

/// Whether a new object may be written now.
pub enum Admission {
    Granted(Box<dyn Writer>),
    /// Not now: space comes back when uploads are acknowledged.
    Wait(Wait),
    /// Not ever: it is larger than the whole budget.
    TooLarge {
        bytes_max: u64,
    },
}

/// How much of a write was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    All,
    /// The disk or the budget is full; the first `taken` bytes are kept, the writer stays good.
    Full {
        taken: usize,
    },
}

/// Why the spool could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("cannot {doing}")]
    Io {
        doing: String,
        #[source]
        source: io::Error,
    },
    #[error("object {0} is not in the spool")]
    Missing(ObjectId),
    #[error("object {0} is in the spool already")]
    Exists(ObjectId),
    /// The proof is for another length, or the file was not fsynced: a mistake of the caller.
    #[error("object {0} was not proved as it lies there")]
    Unproved(ObjectId),
}

/// One spool.
pub trait Spool: Send + Sync {
    /// Reserves `bytes` (an upper bound of what will be written) and starts an object.
    ///
    /// # Errors
    /// [`SpoolError::Io`], [`SpoolError::Exists`]. A full spool is no error.
    fn create(&self, object: ObjectId, bytes: u64) -> Result<Admission, SpoolError>;

    /// Opens a finished object.
    ///
    /// # Errors
    /// [`SpoolError::Missing`], [`SpoolError::Io`].
    fn open(&self, object: ObjectId) -> Result<SpoolFile, SpoolError>;

    /// Removes a finished object, durably, and gives its bytes back to the budget.
    ///
    /// # Errors
    /// [`SpoolError::Missing`], [`SpoolError::Io`].
    fn remove(&self, object: ObjectId) -> Result<(), SpoolError>;

    /// Finished objects, sorted by id.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    fn list(&self) -> Result<Vec<Entry>, SpoolError>;

    /// How full it is.
    fn usage(&self) -> Usage;
}

/// An object being written. Dropped without [`Writer::commit`], it leaves nothing behind.
pub trait Writer: Send {
    /// Appends.
    ///
    /// # Errors
    /// [`SpoolError::Io`]: drop this writer, what it holds cannot be trusted.
    fn write(&mut self, bytes: &[u8]) -> Result<Written, SpoolError>;

    /// Makes what was written durable. [`Written::Full`]: the disk has no room for the end of it;
    /// nothing is lost, call again when there is.
    ///
    /// # Errors
    /// [`SpoolError::Io`]: never call again after a failed fsync; drop this writer.
    fn sync(&mut self) -> Result<Written, SpoolError>;

    /// Bytes written.
    fn size(&self) -> u64;

    /// What was written, from its start, as the disk has it: past the kernel's cache where the
    /// file system allows that, else after asking the kernel to drop its copy, which it may not.
    /// What the drive itself caches stays out of reach. To be called after [`Writer::sync`].
    fn read_back(&self) -> Box<dyn Read + '_>;

    /// Gives the object its final name, durably.
    ///
    /// # Errors
    /// [`SpoolError::Unproved`], [`SpoolError::Io`]; the object is then not in the spool, or (if
    /// only the folder's fsync failed) may be after a power cut.
    fn commit(self: Box<Self>, proof: &Proven) -> Result<SpoolFile, SpoolError>;
}
