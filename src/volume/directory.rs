//! A directory as a stream of 32-byte entries, whatever file system it is of.

use super::{
    ReadAt,
    chain::{Broken, Chain},
    fat::Fat,
    geometry::Geometry,
};
use std::io;

/// Bytes of a directory that are kept at a time.
const PIECE: u64 = 16 << 10;

/// Where a directory lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Outside the clusters: the root of FAT12 and FAT16.
    Region { at: u64, bytes: u64 },
    /// From this cluster on, by the table.
    Linked { first: u32 },
    /// So many bytes in one piece (exFAT 6.2, NoFatChain).
    Contiguous { first: u32, bytes: u64 },
}

/// The next thing of a directory.
#[derive(Debug)]
pub(super) enum Slot {
    /// An entry and where it lies on the device.
    Entry(u64, [u8; 32]),
    /// A part of it cannot be read; more may follow.
    Unreadable(u64, io::Error),
    /// It cannot be followed further.
    Broken(Broken),
    End,
}

/// A directory being read.
#[derive(Debug)]
pub(super) struct Directory {
    chain: Chain,
    /// Where the unread rest of the current run lies, and its bytes.
    rest: (u64, u64),
    piece: Vec<u8>,
    piece_at: u64,
    used: usize,
    /// Bytes that were taken from the card so far.
    pub bytes: u64,
}

impl Directory {
    pub fn new(place: Place, geometry: &Geometry) -> Self {
        let (chain, rest) = match place {
            Place::Region { at, bytes } => (Chain::contiguous(0, 0), (at, bytes)),
            Place::Linked { first } => (Chain::linked(first), (0, 0)),
            Place::Contiguous { first, bytes } => {
                (Chain::contiguous(first, geometry.clusters_for(bytes)), (0, 0))
            }
        };
        Self { chain, rest, piece: Vec::new(), piece_at: 0, used: 0, bytes: 0 }
    }

    pub fn next(&mut self, dev: &dyn ReadAt, geometry: &Geometry, fat: &mut Fat) -> Slot {
        loop {
            if let Some(entry) = self.piece.get(self.used..).and_then(|rest| rest.first_chunk()) {
                let at = self.piece_at + self.used as u64;
                self.used += entry.len();
                return Slot::Entry(at, *entry);
            }
            if self.rest.1 == 0 {
                match self.chain.run(dev, geometry, fat, 1024) {
                    Ok(Some(run)) => {
                        let bytes = u64::from(run.count) * u64::from(geometry.cluster);
                        self.rest = (geometry.at(run.first), bytes);
                    }
                    Ok(None) => return Slot::End,
                    Err(broken) => return Slot::Broken(broken),
                }
            }
            if let Err(slot) = self.fill(dev, geometry) {
                return slot;
            }
        }
    }

    /// Takes the next piece; where that fails, the next sector, or tells that it is lost.
    fn fill(&mut self, dev: &dyn ReadAt, geometry: &Geometry) -> Result<(), Slot> {
        let (at, left) = self.rest;
        let sector = u64::from(geometry.sector).min(left);
        let mut failed = None;
        for length in [PIECE.min(left), sector] {
            self.piece.resize(usize::try_from(length).unwrap_or(0), 0);
            (self.piece_at, self.used) = (at, 0);
            match dev.read_at(at, &mut self.piece) {
                Ok(()) => {
                    self.rest = (at + length, left - length);
                    self.bytes += length;
                    return Ok(());
                }
                Err(error) => failed = Some(error),
            }
        }
        self.piece.clear();
        self.rest = (at + sector, left - sector);
        self.bytes += sector;
        let failed = failed.unwrap_or_else(|| io::ErrorKind::Other.into());
        // Beyond the end of the card there is nothing to come.
        if failed.kind() == io::ErrorKind::UnexpectedEof {
            self.rest.1 = 0;
        }
        Err(Slot::Unreadable(sector, failed))
    }
}
