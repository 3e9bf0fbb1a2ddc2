//! Reads one file from an offset on, in as large pieces as it is asked for.

use super::{ReadAt, chain::Chain, entry::Entry, fat::Fat, geometry::Geometry};
use std::io::{self, Read};

/// Clusters that are looked up at a time: enough for long reads, soon done.
const RUN_MAX: u64 = 4096;

/// A file being read. Memory: a window of the allocation table (16 KiB), whatever the file.
///
/// Where the card fails, everything before that place is given first, to the sector; what comes then
/// is an error that names the place. A file whose chain ends early is an error there, never a short
/// file.
#[derive(Debug)]
pub struct FileReader<D> {
    dev: D,
    geometry: Geometry,
    fat: Fat,
    chain: Chain,
    at: u64,
    size: u64,
    valid: u64,
    /// Where the next byte lies, and how many follow in one piece.
    rest: (u64, u64),
}

impl<D: ReadAt> FileReader<D> {
    pub(super) fn new(dev: D, geometry: &Geometry, entry: &Entry, offset: u64) -> io::Result<Self> {
        let mut reader = Self {
            dev,
            geometry: geometry.clone(),
            fat: Fat::default(),
            chain: entry.chain(geometry),
            at: 0,
            size: entry.size,
            valid: entry.valid,
            rest: (0, 0),
        };
        let target = offset.min(entry.valid);
        while reader.at < target {
            if reader.rest.1 == 0 {
                reader.more()?;
            }
            let skipped = reader.rest.1.min(target - reader.at);
            reader.advance(skipped);
        }
        reader.at = reader.at.max(offset);
        Ok(reader)
    }

    /// Where on the device the next bytes lie, and how many follow in one piece; `None` where the
    /// file ends, has none, or cannot be followed.
    pub fn next_piece(&mut self) -> Option<(u64, u64)> {
        if self.at >= self.valid || self.rest.1 == 0 && self.more().is_err() {
            return None;
        }
        let piece = (self.rest.0, self.rest.1.min(self.valid - self.at));
        self.advance(piece.1);
        Some(piece)
    }

    fn advance(&mut self, bytes: u64) {
        self.at += bytes;
        self.rest = (self.rest.0 + bytes, self.rest.1 - bytes);
    }

    fn failed(&self, kind: io::ErrorKind, words: impl std::fmt::Display) -> io::Error {
        io::Error::new(kind, format!("at byte {} of the file: {words}", self.at))
    }

    fn more(&mut self) -> io::Result<()> {
        let run = self.chain.run(&self.dev, &self.geometry, &mut self.fat, RUN_MAX);
        let invalid = io::ErrorKind::InvalidData;
        match run.map_err(|broken| self.failed(invalid, broken))? {
            Some(run) => {
                let bytes = u64::from(run.count) * u64::from(self.geometry.cluster);
                self.rest = (self.geometry.at(run.first), bytes);
                Ok(())
            }
            None => Err(self.failed(invalid, "its chain of clusters ends before the file does")),
        }
    }

    /// As much of `buffer` as the device gives, trying ever less.
    fn some(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let sector = self.geometry.sector as usize;
        let mut length = buffer.len();
        loop {
            let failed = match self.dev.read_at(self.rest.0, &mut buffer[..length]) {
                Ok(()) => return Ok(length),
                Err(failed) => failed,
            };
            // Up to the end of the sector that the next byte lies in.
            let least = sector - (self.rest.0 % sector as u64) as usize;
            if length <= least {
                // The number that tells a pulled device from a bad sector must not be lost.
                return match failed.raw_os_error() {
                    Some(_) => Err(failed),
                    None => Err(self.failed(failed.kind(), &failed)),
                };
            }
            length = least + (length - least) / 2 / sector * sector;
        }
    }
}

impl<D: ReadAt> Read for FileReader<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let fits = |left: u64| usize::try_from(left).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(fits(self.size.saturating_sub(self.at)));
        if wanted == 0 {
            return Ok(0);
        }
        if self.at >= self.valid {
            buffer[..wanted].fill(0);
            self.at += wanted as u64;
            return Ok(wanted);
        }
        if self.rest.1 == 0 {
            self.more()?;
        }
        let wanted = wanted.min(fits(self.rest.1)).min(fits(self.valid - self.at));
        let length = self.some(&mut buffer[..wanted])?;
        self.advance(length as u64);
        Ok(length)
    }
}
