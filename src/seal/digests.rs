//! The digests taken in the one pass: of the whole, and of every part.

use crate::types::{
    Md5Digest, Sha256Digest,
    fact::{Hashed, Part, PartTable},
};
use md5::{Digest as _, Md5};
use ring::digest::{Context, SHA256};

/// A running SHA-256 with its length.
#[derive(Clone)]
pub(super) struct Hashing {
    context: Context,
    size: u64,
}

impl Hashing {
    pub fn new() -> Self {
        Self { context: Context::new(&SHA256), size: 0 }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.size += bytes.len() as u64;
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn finish(self) -> Hashed {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.context.finish().as_ref());
        Hashed { size: self.size, sha256: Sha256Digest(sha256) }
    }
}

/// Digests of a ciphertext cut into parts.
///
/// Up to the end of the first part, the part's SHA-256 and the whole's are the same computation:
/// it runs once, and is copied there. An object of one part costs a single SHA-256.
pub(super) struct PartHashing {
    part_size: u64,
    parts: Vec<Part>,
    /// From the second part on.
    whole: Option<Hashing>,
    part: Hashing,
    md5: Md5,
}

impl PartHashing {
    /// `part_size` in bytes, not 0.
    pub fn new(part_size: u64) -> Self {
        assert!(part_size > 0, "a part holds at least one byte");
        let (part, md5) = (Hashing::new(), Md5::new());
        Self { part_size, parts: Vec::new(), whole: None, part, md5 }
    }

    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // Closed only when more follows, so that no object ends in an empty part.
            if self.part.size() == self.part_size {
                self.next_part();
            }
            let room = self.part_size - self.part.size();
            let take = usize::try_from(room).map_or(bytes.len(), |room| room.min(bytes.len()));
            let (now, later) = bytes.split_at(take);
            self.part.update(now);
            self.md5.update(now);
            if let Some(whole) = &mut self.whole {
                whole.update(now);
            }
            bytes = later;
        }
    }

    fn next_part(&mut self) {
        if self.whole.is_none() {
            self.whole = Some(self.part.clone());
        }
        let part = std::mem::replace(&mut self.part, Hashing::new());
        let md5 = std::mem::replace(&mut self.md5, Md5::new());
        self.parts.push(row(part.finish().sha256, md5));
    }

    pub fn finish(mut self) -> (Hashed, PartTable) {
        let part = self.part.finish();
        self.parts.push(row(part.sha256, self.md5));
        let whole = self.whole.map_or(part, Hashing::finish);
        (whole, PartTable { part_size: self.part_size, parts: self.parts })
    }
}

fn row(sha256: Sha256Digest, md5: Md5) -> Part {
    Part { sha256, md5: Md5Digest(md5.finalize().into()) }
}
