//! The one pass: plaintext in, sealed bytes and the digests of both out; that of the sealed bytes as
//! a whole comes from reading them back.

use super::{
    CHUNK, Opener, Recipients, SealError, TAG,
    digests::Digests,
    key::{self, ChunkSeat, Counter, PayloadKey},
};
use crate::types::fact::{Hashed, PartTable};
use zeroize::Zeroizing;

/// Seals one plaintext. Holds at most one chunk (64 KiB) of it: the last chunk is marked as such,
/// and which one is the last is known only at the end.
pub struct Sealer {
    header: Vec<u8>,
    header_given: bool,
    key: PayloadKey,
    counter: Counter,
    held: Zeroizing<Vec<u8>>,
    digests: Digests,
    sealed_max: u64,
    part_size: u64,
}

/// What the pass established.
pub struct Finished {
    pub plain: Hashed,
    pub table: PartTable,
    /// The only thing left that can open the object on this dock; drop it to forget the key.
    pub opener: Opener,
}

impl Sealer {
    /// Draws a new file key and wraps it. `part_size` in bytes, as [`super::part_size`] gives it.
    ///
    /// # Errors
    /// [`SealError::Header`], [`SealError::TooLong`] if a part cannot even hold the header.
    pub fn start(recipients: &Recipients, part_size: u64) -> Result<Self, SealError> {
        let (header, key) = key::start(recipients)?;
        Self::with_key(header, key, part_size)
    }

    /// The header's length varies: the `age` crate adds a stanza of random size to each, so that
    /// readers learn to skip what they do not know.
    pub(super) fn with_key(
        header: Vec<u8>,
        key: PayloadKey,
        part_size: u64,
    ) -> Result<Self, SealError> {
        let sealed_max = part_size.saturating_mul(PartTable::PARTS_MAX);
        if sealed_max < header.len() as u64 + TAG as u64 {
            return Err(SealError::TooLong { part_size, bytes_max: sealed_max });
        }
        Ok(Self {
            header,
            header_given: false,
            key,
            counter: Counter::new(),
            held: Zeroizing::new(Vec::with_capacity(CHUNK)),
            digests: Digests::new(part_size),
            sealed_max,
            part_size,
        })
    }

    /// Plaintext bytes taken so far.
    pub fn plain_size(&self) -> u64 {
        self.digests.plain_size()
    }

    /// Takes plaintext, appends what is sealed to `out`: at most the length of `plaintext`, one
    /// chunk, their tags and the header. The caller drains `out` between calls.
    ///
    /// # Errors
    /// [`SealError::TooLong`]: nothing was taken.
    pub fn push(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        self.check_room(plaintext.len())?;
        let from = out.len();
        // Once and exactly: growing by doubling would cost the bound of a running copy.
        let chunks = plaintext.len() / CHUNK + 1;
        out.reserve(self.header.len() + plaintext.len() + CHUNK + chunks * TAG);
        self.give_header(out);
        // Each chunk is hashed beside the one sealed before it, while both are near the core.
        let (mut rest, mut hashed) = (plaintext, from);
        if !self.held.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(CHUNK - self.held.len()));
            self.held.extend_from_slice(now);
            rest = later;
            if !rest.is_empty() {
                seal_chunk(&self.key, self.counter.middle(), &self.held, out);
                self.held.clear();
            }
            if !now.is_empty() {
                self.digests.update(now, &out[hashed..]);
                hashed = out.len();
            }
        }
        while rest.len() > CHUNK {
            let (chunk, later) = rest.split_at(CHUNK);
            self.digests.update(chunk, &out[hashed..]);
            hashed = out.len();
            seal_chunk(&self.key, self.counter.middle(), chunk, out);
            rest = later;
        }
        self.held.extend_from_slice(rest);
        self.digests.update(rest, &out[hashed..]);
        Ok(())
    }

    /// Seals the last chunk onto `out`.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Finished {
        let from = out.len();
        self.give_header(out);
        seal_chunk(&self.key, self.counter.last(), &self.held, out);
        self.digests.update(&[], &out[from..]);
        let (plain, table) = self.digests.finish();
        let opener = Opener::new(self.key, self.header, plain);
        Finished { plain, table, opener }
    }

    fn give_header(&mut self, out: &mut Vec<u8>) {
        if !self.header_given {
            out.extend_from_slice(&self.header);
            self.header_given = true;
        }
    }

    fn check_room(&self, more: usize) -> Result<(), SealError> {
        let plain = self.digests.plain_size().saturating_add(more as u64);
        let tags = plain.div_ceil(CHUNK as u64).max(1).saturating_mul(TAG as u64);
        let sealed = plain.saturating_add(tags).saturating_add(self.header.len() as u64);
        if sealed > self.sealed_max {
            let (part_size, bytes_max) = (self.part_size, self.sealed_max);
            return Err(SealError::TooLong { part_size, bytes_max });
        }
        Ok(())
    }
}

fn seal_chunk(key: &PayloadKey, seat: ChunkSeat, plain: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    out.extend_from_slice(plain);
    let tag = key.seal(seat, &mut out[from..]);
    out.extend_from_slice(&tag);
}

/// Seals a small text (a descriptive record) the very same way: the sealed bytes, and the rest.
///
/// # Errors
/// As [`Sealer::start`] and [`Sealer::push`].
pub fn seal_small(
    recipients: &Recipients,
    plaintext: &[u8],
    part_size: u64,
) -> Result<(Vec<u8>, Finished), SealError> {
    let mut out = Vec::with_capacity(plaintext.len() + 1024);
    let mut sealer = Sealer::start(recipients, part_size)?;
    sealer.push(plaintext, &mut out)?;
    let finished = sealer.finish(&mut out);
    Ok((out, finished))
}
