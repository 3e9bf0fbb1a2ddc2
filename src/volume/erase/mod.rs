//! What has to be written to erase one file, in an order that a power cut may interrupt anywhere.
//!
//! **Why not mount.** Letting the kernel mount the card read-write for the moment would need a
//! privileged helper, give a stranger's file system to a kernel driver after all, and write more than
//! is meant (access times, journals, "repairs"). Erasing a file takes a handful of sector writes;
//! here each is planned, can be looked at, and touches nothing but the file's own entries.
//!
//! **Preconditions**, all checked on the medium, or nothing is written: the frame of
//! the volume is sound; the whole tree could be read; the file is there once, its entry whole, its
//! size, time and number of clusters as expected; no other file, folder or table has one of its
//! clusters; every copy of the allocation table agrees on its chain, or the bitmap has all its bits.
//! A volume that was not unmounted properly is no obstacle where all that holds; its mark stays.
//!
//! What that says of the file itself is looked at anew each time. What it says of everything else is
//! the work of a walk over the whole volume; for many files in a row one walk does ([`Survey`]), as
//! long as its holder lets nobody else write.
//!
//! **Order**, each [`Change`] durable and read back before the next:
//! 1. the volume is marked dirty: FAT[1] (fatgen103; FAT12 has no such mark and is never written), or
//!    VolumeFlags (exFAT 3.1.13). FAT's boot sector is never written.
//! 2. the directory entries are marked deleted, first the one that makes the others a file: the short
//!    entry of FAT (long names without it are ignored), the File entry of exFAT.
//! 3. FAT: every link of its chain becomes "end of chain", in the first table, then its copies. Only
//!    when all are cut, they become "free". So whatever part of whatever write is lost, no cluster
//!    ever points to one that is free: what is left over are lost clusters that lead nowhere.
//!    exFAT: the bits of its clusters are cleared in the bitmap; the table says nothing of free ones.
//! 4. FAT32: the count of free clusters, where it is kept.
//! 5. the mark of 1 is taken back, if it was not there before.
//!
//! This is the order that exFAT 8.1 demands for deleting. The worst a cut leaves is a volume marked
//! dirty with lost clusters, never a shared cluster, never another file without one of its own.

mod card;
mod plan;
mod survey;
mod write;

pub use survey::Survey;

use super::{ReadAt, VolumeError, card::Volume, chain::Run, entry::Entry, geometry::Geometry};
use crate::types::SourcePath;
use std::collections::VecDeque;

/// Bytes of one change to a table or bitmap.
const BATCH: u64 = 64 << 10;
/// Runs of clusters of a file that can be erased.
const RUNS_MAX: usize = 16_384;

/// One write: whole sectors, as they are and as they shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Bytes from the start of the device.
    pub offset: u64,
    pub before: Vec<u8>,
    pub after: Vec<u8>,
    /// For messages.
    pub what: &'static str,
}

/// The planned erasing of one file. [`Erasure::step`] gives its writes one by one.
#[derive(Debug)]
pub struct Erasure {
    path: SourcePath,
    geometry: Geometry,
    exfat: bool,
    /// The file's own entries.
    slots: Vec<u64>,
    tasks: VecDeque<Task>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// From a link to "end of chain".
    Cut,
    /// From "end of chain" to "free".
    Free,
}

#[derive(Debug, Clone)]
enum Task {
    /// The mark of a clean volume in one table.
    FatMark { table: u64, clean: bool },
    /// The mark of a dirty volume in the boot sector.
    ExfatMark { dirty: bool },
    /// Entries within one sector; the offsets are from the start of the device.
    Slots { sector_at: u64, slots: Vec<u64> },
    /// A part of a run in one table; `follows` is the cluster its last one leads to.
    Table { table: u64, run: Run, follows: Option<u32>, phase: Phase },
    /// Bits `from..from + count` of the piece of the bitmap that begins at `at`.
    Bits { at: u64, from: u64, count: u64 },
    /// So many more clusters are free.
    Info { at: u64, freed: u32 },
}

impl Erasure {
    /// `survey`: what a walk found; without one, the volume is walked for this file alone.
    pub(super) fn plan(
        dev: &dyn ReadAt,
        volume: &Volume,
        path: &SourcePath,
        entry: &Entry,
        survey: Option<&Survey>,
    ) -> Result<Self, VolumeError> {
        plan::plan(dev, volume, path, entry, survey)
    }

    /// Whether nothing is left of the file's entry; to be asked after the last step.
    ///
    /// # Errors
    /// [`VolumeError::Io`].
    pub fn is_gone(&self, dev: &dyn ReadAt) -> Result<bool, VolumeError> {
        for slot in &self.slots {
            let mut first = [0];
            dev.read_at(*slot, &mut first).map_err(|source| VolumeError::Io {
                doing: format!("look whether {} is gone", self.path),
                source,
            })?;
            if self.is_in_use(first[0]) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a directory entry that begins with this byte is one.
    fn is_in_use(&self, first: u8) -> bool {
        if self.exfat { first & 0x80 != 0 } else { !matches!(first, 0 | 0xe5) }
    }

    /// The next write, made from what the device holds now; none when all is done. The caller makes
    /// each one durable and reads it back before it asks again.
    ///
    /// # Errors
    /// [`VolumeError::NotSafeToErase`] if the device holds something else than when it was planned;
    /// [`VolumeError::Io`]. Stopping at any step is safe.
    pub fn step(&mut self, dev: &dyn ReadAt) -> Result<Option<Change>, VolumeError> {
        while let Some(task) = self.tasks.front() {
            let change = self.change(dev, task)?;
            self.tasks.pop_front();
            if let Some(change) = change
                && change.before != change.after
            {
                return Ok(Some(change));
            }
        }
        Ok(None)
    }

    fn unsafe_to_erase(&self, words: impl Into<String>) -> VolumeError {
        VolumeError::NotSafeToErase { path: self.path.clone(), words: words.into() }
    }
}
