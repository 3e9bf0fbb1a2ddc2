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
mod file;
mod folder;
pub mod sim;

pub use budget::{Limits, Usage, Wait};
pub use direct::ALIGN;
pub use file::SpoolFile;
pub use folder::FolderSpool;

use crate::{seal::Proven, types::ObjectId};
use std::io::{self, Read};

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
    /// Appends. Multiples of [`ALIGN`] bytes at an address that is one too need no copy.
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
