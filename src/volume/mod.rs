//! Volumes: reads the file systems on a body-worn camera's card in user space.
//!
//! A card is written by strangers. A kernel driver that mounts it runs their bytes with every right
//! there is; this room is ordinary safe code that can at worst be wrong about one card. It is pure:
//! it asks a [`ReadAt`] for bytes and never writes. What erasing a file would write is returned as
//! [`Change`]s (see [`Erasure`]); the camera door writes them.
//!
//! **What it reads**
//!
//! | | source |
//! |---|---|
//! | no partition table, MBR with logical partitions, GPT with its second copy | UEFI Specification 2.10, section 5 |
//! | FAT12, FAT16, FAT32 | ECMA-107; Microsoft FAT32 File System Specification 1.03 ("fatgen103") |
//! | VFAT long names | fatgen103, "FAT Long Directory Entries" |
//! | exFAT | Microsoft exFAT file system specification 1.00 |
//!
//! Other file systems are recognised by their magic, named in words, and not read.
//!
//! **Invariants**
//! - Nothing on a card makes it panic, loop or take more memory than stated below. Chains are walked
//!   lazily: a reader needs the same memory for 1 KiB as for 1 TiB, however fragmented.
//! - A listing holds everything, or its `unread` says what it lacks. A card of which nothing can be
//!   read is an error, never an empty listing.
//! - Names are kept without loss: UTF-16 becomes UTF-8, an unpaired surrogate the three bytes it has
//!   in WTF-8, and a short name keeps the bytes of its unknown code page.
//! - Times are the camera's: FAT has local time without a zone, which is taken *as if* it were UTC.
//!   exFAT's is brought to UTC by its offset where that is valid, and taken as FAT's where not.
//!
//! **Bounds** for one card: [`PARTITIONS_MAX`], [`FILES_MAX`], [`FOLDERS_MAX`], [`DEPTH_MAX`],
//! [`PATH_BYTES_MAX`], [`DIRECTORY_BYTES_MAX`], [`RUNS_MAX`], [`CAVEATS_MAX`]. A listing takes at
//! most about 40 MiB if a card was made to hurt (its own text, most of it), and 300 bytes a file on
//! one that was not; a [`FileReader`] takes 20 KiB.

mod boot_exfat;
mod boot_fat;
mod bytes;
mod card;
mod caveats;
mod chain;
mod directory;
mod entries_exfat;
mod entries_fat;
mod entry;
mod erase;
mod fat;
mod geometry;
mod gpt;
mod known;
mod list;
mod name;
mod partition;
mod reader;
mod room;
mod time;
mod walk;

pub use card::{Card, Volume};
pub use erase::{Change, Erasure, Survey};
pub use reader::FileReader;
pub use room::Room;

use crate::types::SourcePath;
use std::{io, sync::Arc};

/// Partitions that are looked at; more are told and left alone.
pub const PARTITIONS_MAX: usize = 64;
/// Files on one volume; beyond it the listing is refused, not cut off.
pub const FILES_MAX: usize = 200_000;
/// Folders on one volume; beyond it the listing is refused.
pub const FOLDERS_MAX: usize = 16_384;
/// Folders within folders that are looked into.
pub const DEPTH_MAX: usize = 32;
/// Bytes of all paths of a volume together; beyond it the listing is refused.
pub const PATH_BYTES_MAX: usize = 16 << 20;
/// Bytes of all directories of a volume together; beyond it the listing is refused. One exFAT
/// directory may have 256 MiB, which no camera fills.
pub const DIRECTORY_BYTES_MAX: u64 = 128 << 20;
/// Runs of clusters that are compared to find files that share some; also the most a file may have
/// that is to be erased.
pub const RUNS_MAX: usize = 131_072;
/// Caveats of a volume, of each kind, that are told one by one.
pub const CAVEATS_MAX: usize = 100;

/// Bytes at a place: a block device, an image, a slice.
pub trait ReadAt {
    /// How many bytes there are.
    fn bytes(&self) -> u64;

    /// Fills the whole buffer from `offset` on.
    ///
    /// # Errors
    /// Whatever the device answers; `UnexpectedEof` beyond the end. The buffer is then undefined.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn bytes(&self) -> u64 {
        (**self).bytes()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buffer)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn bytes(&self) -> u64 {
        (**self).bytes()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buffer)
    }
}

impl ReadAt for [u8] {
    fn bytes(&self) -> u64 {
        self.len() as u64
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let bytes = from.and_then(|from| from.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Why something on a card cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The device itself failed.
    #[error("cannot {doing}")]
    Io {
        doing: String,
        #[source]
        source: io::Error,
    },
    /// Nothing on the card is a file system that is read here.
    #[error("{0}")]
    NotReadable(String),
    #[error("no such file on the card: {0}")]
    NoSuchFile(SourcePath),
    /// More than a camera has: the card is damaged, or was made to hurt.
    #[error("the card holds {0}")]
    TooMuch(String),
    /// The file is not the one that was listed.
    #[error("{path} changed: {words}")]
    Changed { path: SourcePath, words: String },
    /// Something about the volume is not as it should be, so nothing may be written to it.
    #[error("{path} is not erased: {words}")]
    NotSafeToErase { path: SourcePath, words: String },
}
