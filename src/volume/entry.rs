//! What a directory says of one file or folder, the same for every file system.

use super::{chain::Chain, directory::Place, geometry::Geometry};
use crate::types::ChangeMark;

/// A file, a folder, or one of exFAT's own tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// As bytes of a path; may be unusable as one.
    pub name: Vec<u8>,
    pub folder: bool,
    /// Bytes; 0 for a folder of FAT, which does not tell.
    pub size: u64,
    /// Bytes that were ever written; the rest reads as zeros (exFAT 7.6.5).
    pub valid: u64,
    /// 0 if it has no clusters.
    pub first: u32,
    /// Its clusters lie in one piece, and the table says nothing of them.
    pub contiguous: bool,
    pub modified_ms: Option<i64>,
    /// When it was made, as the entry has it; no meaning but that it does not change.
    pub created: u64,
    /// Where its 32-byte entries lie on the device; the one that counts first.
    pub slots: Vec<u64>,
    /// What is not right about them; it can be read all the same.
    pub odd: Vec<&'static str>,
}

impl Entry {
    /// Where its bytes begin, where its entry lies, and when it was made. A file that is written
    /// over in its place keeps all three.
    pub fn mark(&self) -> ChangeMark {
        let slot = self.slots.first().copied().unwrap_or_default();
        ChangeMark::of(&[self.first.into(), slot.into(), self.created.into()])
    }

    /// Its clusters: of a file as many as its size says, but by a table as far as they go.
    pub fn chain(&self, geometry: &Geometry) -> Chain {
        if self.contiguous {
            Chain::contiguous(self.first, geometry.clusters_for(self.size))
        } else if self.first == 0 {
            Chain::contiguous(0, 0)
        } else {
            Chain::linked(self.first)
        }
    }

    /// Where a folder's own entries lie.
    pub fn place(&self) -> Place {
        if self.contiguous {
            Place::Contiguous { first: self.first, bytes: self.size }
        } else {
            Place::Linked { first: self.first }
        }
    }
}

/// What one more 32-byte entry made of a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    Found(Entry),
    /// One of the tables of exFAT: bitmap (0x81) or up-case table (0x82), and its flags.
    System {
        kind: u8,
        flags: u8,
        table: Entry,
    },
    /// Something that cannot be made sense of.
    Odd(&'static str),
    /// Nothing follows that is in use.
    End,
}
