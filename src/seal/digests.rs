//! The digests taken in the one pass: of the plaintext, of the ciphertext, of each of its parts.
//!
//! A digest of one stream is a chain: each block waits for the one before, and a core that can do
//! more at once stands idle. The chains of different digests do not wait for each other, so the
//! pass feeds them in turn, one 64-byte block each, and the core overlaps them. Measured
//! (`cargo bench --bench seal`, x86-64 with SHA extensions): three SHA-256 and an MD5 take 2.4
//! CPU seconds per GiB in turn, 3.1 one after the other.

use crate::types::{
    Sha256Digest,
    fact::{Hashed, Part, PartTable},
};
use ring::digest::{Context, SHA256};
use sha2::{Digest as _, Sha256};

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// Bytes fed at a time where overlapping gains nothing: fits a first-level cache.
const STRETCH: usize = 8 * 1024;

/// Whether this processor has SHA-256 instructions.
fn is_accelerated() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("sha");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("sha2");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[derive(Clone)]
enum Sha {
    /// Short instruction sequences, made to be overlapped.
    Instructions(Sha256),
    /// Without such instructions (Raspberry Pi 4 and older) hand-written assembly is fastest.
    Assembly(Context),
}

/// A running SHA-256 with its length.
#[derive(Clone)]
pub(super) struct Hashing {
    sha: Sha,
    size: u64,
}

impl Hashing {
    pub fn new() -> Self {
        Self::on(is_accelerated())
    }

    fn on(accelerated: bool) -> Self {
        let sha = match accelerated {
            true => Sha::Instructions(Sha256::new()),
            false => Sha::Assembly(Context::new(&SHA256)),
        };
        Self { sha, size: 0 }
    }

    #[inline]
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.sha {
            Sha::Instructions(sha) => sha.update(bytes),
            Sha::Assembly(context) => context.update(bytes),
        }
        self.size += bytes.len() as u64;
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes until the next block begins.
    fn to_block(&self) -> usize {
        (BLOCK - (self.size % BLOCK as u64) as usize) % BLOCK
    }

    /// How many bytes to feed at a time when taking turns.
    fn turn(&self) -> usize {
        match self.sha {
            Sha::Instructions(_) => BLOCK,
            Sha::Assembly(_) => STRETCH,
        }
    }

    pub fn finish(self) -> Hashed {
        let mut sha256 = [0; 32];
        match self.sha {
            Sha::Instructions(sha) => sha256.copy_from_slice(&sha.finalize()),
            Sha::Assembly(context) => sha256.copy_from_slice(context.finish().as_ref()),
        }
        Hashed { size: self.size, sha256: Sha256Digest(sha256) }
    }
}

/// All digests of the pass.
///
/// Up to the end of the first part, the part's SHA-256 and the whole's are the same computation:
/// it runs once, and is copied there. An object of one part costs a single SHA-256.
pub(super) struct Digests {
    plain: Hashing,
    part_size: u64,
    parts: Vec<Part>,
    /// From the second part on.
    whole: Option<Hashing>,
    part: Hashing,
}

impl Digests {
    /// `part_size` in bytes, not 0.
    pub fn new(part_size: u64) -> Self {
        Self::on(is_accelerated(), part_size)
    }

    pub(super) fn on(accelerated: bool, part_size: u64) -> Self {
        assert!(part_size > 0, "a part holds at least one byte");
        let (plain, part) = (Hashing::on(accelerated), Hashing::on(accelerated));
        Self { plain, part_size, parts: Vec::new(), whole: None, part }
    }

    pub fn plain_size(&self) -> u64 {
        self.plain.size()
    }

    /// Takes what was read, and what was sealed meanwhile: two streams of much the same length,
    /// fed side by side.
    pub fn update(&mut self, plain: &[u8], mut sealed: &[u8]) {
        let (head, mut beside) = plain.split_at(self.plain.to_block().min(plain.len()));
        self.plain.update(head);
        while !sealed.is_empty() {
            // Closed only when more follows, so that no object ends in an empty part.
            if self.part.size() == self.part_size {
                self.next_part();
            }
            let room = self.part_size - self.part.size();
            let room = usize::try_from(room).map_or(sealed.len(), |room| room.min(sealed.len()));
            let (now, later) = sealed.split_at(room);
            let (head, body) = now.split_at(self.part.to_block().min(now.len()));
            self.update_sealed(head);
            for piece in body.chunks(self.part.turn()) {
                self.update_sealed(piece);
                let (now, later) = beside.split_at(piece.len().min(beside.len()));
                self.plain.update(now);
                beside = later;
            }
            sealed = later;
        }
        self.plain.update(beside);
    }

    #[inline]
    fn update_sealed(&mut self, piece: &[u8]) {
        self.part.update(piece);
        if let Some(whole) = &mut self.whole {
            whole.update(piece);
        }
    }

    fn next_part(&mut self) {
        if self.whole.is_none() {
            self.whole = Some(self.part.clone());
        }
        let fresh = Hashing::on(matches!(self.part.sha, Sha::Instructions(_)));
        let part = std::mem::replace(&mut self.part, fresh);
        self.parts.push(part.finish().sha256.into());
    }

    /// Of the plaintext, of the ciphertext, of its parts.
    pub fn finish(mut self) -> (Hashed, Hashed, PartTable) {
        let part = self.part.finish();
        self.parts.push(part.sha256.into());
        let whole = self.whole.map_or(part, Hashing::finish);
        let table = PartTable { part_size: self.part_size, parts: self.parts };
        (self.plain.finish(), whole, table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Both ways of computing give what the plain one-shot functions give, for any lengths.
        #[test]
        fn both_ways_agree_with_a_third(
            pieces in prop::collection::vec((0usize..20_000, 0usize..20_000), 0..8),
            part_size in 1u64..30_000,
        ) {
            let bytes = |n: usize, seed: usize| -> Vec<u8> {
                (0..n).map(|i| ((i + seed).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
            };
            let (mut plain, mut sealed) = (Vec::new(), Vec::new());
            let mut both = [Digests::on(true, part_size), Digests::on(false, part_size)];
            for (index, (p, s)) in pieces.into_iter().enumerate() {
                let (p, s) = (bytes(p, index), bytes(s, index + 99));
                both.iter_mut().for_each(|digests| digests.update(&p, &s));
                plain.extend(p);
                sealed.extend(s);
            }
            let empty: &[&[u8]] = &[&[]];
            let parts: Vec<&[u8]> = sealed.chunks(part_size as usize).collect();
            let parts = if parts.is_empty() { empty } else { &parts[..] };
            for digests in both {
                let (of_plain, whole, table) = digests.finish();
                prop_assert_eq!(of_plain.sha256, Sha256Digest::of(&plain));
                prop_assert_eq!(whole.sha256, Sha256Digest::of(&sealed));
                prop_assert_eq!((of_plain.size, whole.size as usize), (plain.len() as u64, sealed.len()));
                prop_assert_eq!(table.parts.len(), parts.len());
                for (row, part) in table.parts.iter().zip(parts) {
                    prop_assert_eq!(row.sha256, Sha256Digest::of(part));
                    prop_assert_eq!(row.md5, None);
                }
            }
        }
    }
}
