//! Sealed objects as this world makes them: another text for every object, and openable.

use bwvdock::types::{
    Md5Digest, ObjectId, Sha256Digest,
    fact::{Hashed, Part, PartTable},
};
use md5::{Digest as _, Md5};

const PART: usize = 80;

/// The object's id, then the bytes with the id laid over them.
pub fn seal(object: ObjectId, plain: &[u8]) -> Vec<u8> {
    let id = object.as_bytes();
    let mut sealed = id.to_vec();
    sealed.extend(plain.iter().enumerate().map(|(at, byte)| byte ^ id[at % 16]));
    sealed
}

pub fn open(sealed: &[u8]) -> Option<Vec<u8>> {
    let (id, rest) = sealed.split_at_checked(16)?;
    Some(rest.iter().enumerate().map(|(at, byte)| byte ^ id[at % 16]).collect())
}

pub fn hashed(bytes: &[u8]) -> Hashed {
    Hashed { size: bytes.len() as u64, sha256: Sha256Digest::of(bytes) }
}

/// `with_md5`: for a store that does not check SHA-256.
pub fn table(sealed: &[u8], with_md5: bool) -> PartTable {
    let part = |bytes: &[u8]| Part {
        sha256: Sha256Digest::of(bytes),
        md5: with_md5.then(|| Md5Digest(Md5::digest(bytes).into())),
    };
    PartTable { part_size: PART as u64, parts: sealed.chunks(PART).map(part).collect() }
}
