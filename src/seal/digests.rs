//! The digests taken in the one pass: of the plaintext, and of each part of the ciphertext.
//!
//! That of the whole ciphertext is taken when the object is read back ([`super::Opener::verify`]),
//! beside that of the plaintext: two streams at a time are what a core does best (`sha256`).

#[cfg(target_arch = "x86_64")]
use super::sha256::Sha256;
use crate::types::{
    Sha256Digest,
    fact::{Hashed, Part, PartTable},
};
use ring::digest::{Context, SHA256};

#[derive(Clone)]
enum Sha {
    /// Two at a time.
    #[cfg(target_arch = "x86_64")]
    Paired(Sha256),
    Single(Context),
}

/// A running SHA-256 with its length.
#[derive(Clone)]
pub(super) struct Hashing {
    sha: Sha,
    size: u64,
}

impl Hashing {
    pub fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(sha) = Sha256::new() {
            return Self { sha: Sha::Paired(sha), size: 0 };
        }
        Self::single()
    }

    fn single() -> Self {
        Self { sha: Sha::Single(Context::new(&SHA256)), size: 0 }
    }

    /// The same kind, from the start.
    fn fresh(&self) -> Self {
        match self.sha {
            #[cfg(target_arch = "x86_64")]
            Sha::Paired(_) => Self::new(),
            Sha::Single(_) => Self::single(),
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.sha {
            #[cfg(target_arch = "x86_64")]
            Sha::Paired(sha) => sha.update(bytes),
            Sha::Single(context) => context.update(bytes),
        }
        self.size += bytes.len() as u64;
    }

    /// Updates two of them, at less than twice the cost where the processor can.
    pub fn update_both(one: (&mut Self, &[u8]), two: (&mut Self, &[u8])) {
        let ((one, bytes), (two, others)) = (one, two);
        #[cfg(target_arch = "x86_64")]
        if let (Sha::Paired(first), Sha::Paired(second)) = (&mut one.sha, &mut two.sha) {
            Sha256::update_both((first, bytes), (second, others));
            one.size += bytes.len() as u64;
            two.size += others.len() as u64;
            return;
        }
        one.update(bytes);
        two.update(others);
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn finish(self) -> Hashed {
        let mut sha256 = [0; 32];
        match self.sha {
            #[cfg(target_arch = "x86_64")]
            Sha::Paired(sha) => sha256 = sha.finish(),
            Sha::Single(context) => sha256.copy_from_slice(context.finish().as_ref()),
        }
        Hashed { size: self.size, sha256: Sha256Digest(sha256) }
    }
}

/// All digests of the pass.
pub(super) struct Digests {
    plain: Hashing,
    part_size: u64,
    parts: Vec<Part>,
    part: Hashing,
}

impl Digests {
    /// `part_size` in bytes, not 0.
    pub fn new(part_size: u64) -> Self {
        Self::with(Hashing::new(), part_size)
    }

    fn with(plain: Hashing, part_size: u64) -> Self {
        assert!(part_size > 0, "a part holds at least one byte");
        let part = plain.fresh();
        Self { plain, part_size, parts: Vec::new(), part }
    }

    pub fn plain_size(&self) -> u64 {
        self.plain.size()
    }

    /// Takes what was read, and what was sealed meanwhile: two streams of much the same length,
    /// fed side by side.
    pub fn update(&mut self, mut plain: &[u8], mut sealed: &[u8]) {
        while !sealed.is_empty() {
            // Closed only when more follows, so that no object ends in an empty part.
            if self.part.size() == self.part_size {
                let fresh = self.part.fresh();
                let part = std::mem::replace(&mut self.part, fresh);
                self.parts.push(part.finish().sha256.into());
            }
            let room = self.part_size - self.part.size();
            let room = usize::try_from(room).map_or(sealed.len(), |room| room.min(sealed.len()));
            let (now, later) = sealed.split_at(room);
            let (beside, rest) = plain.split_at(room.min(plain.len()));
            Hashing::update_both((&mut self.plain, beside), (&mut self.part, now));
            (plain, sealed) = (rest, later);
        }
        self.plain.update(plain);
    }

    /// Of the plaintext, and of the parts.
    pub fn finish(mut self) -> (Hashed, PartTable) {
        self.parts.push(self.part.finish().sha256.into());
        let table = PartTable { part_size: self.part_size, parts: self.parts };
        (self.plain.finish(), table)
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
            let ways = [Hashing::new(), Hashing::single()];
            let mut both = ways.map(|way| Digests::with(way, part_size));
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
                let (of_plain, table) = digests.finish();
                prop_assert_eq!(of_plain.sha256, Sha256Digest::of(&plain));
                prop_assert_eq!(of_plain.size, plain.len() as u64);
                prop_assert_eq!(table.parts.len(), parts.len());
                for (row, part) in table.parts.iter().zip(parts) {
                    prop_assert_eq!(*row, Part::from(Sha256Digest::of(part)));
                }
            }
        }
    }
}
