//! Sealing: a plaintext goes in, an age v1 file comes out, and what is needed to prove it.
//!
//! Pure: bytes in, bytes out; the randomness of a file key comes from the `age` crate.
//!
//! **Format** (age-encryption.org/v1): a header that wraps a fresh 16-byte file key for every
//! recipient, then a 16-byte nonce, then the payload: 64 KiB chunks, each ChaCha20-Poly1305 under
//! `HKDF-SHA256(salt = nonce, ikm = file key, info = "payload")` with the 12-byte nonce
//! `chunk number (11 bytes, big-endian) || last (1 byte)`. Only the last chunk may be short, and it
//! is empty only in an empty file. `age -d` opens the result.
//!
//! **Invariants.** A key seals one plaintext: [`Sealer`] draws it, owns the chunk counter, cannot be
//! cloned and is consumed by [`Sealer::finish`]. What was sealed can be opened again only through
//! the [`Opener`] that `finish` gives, which wipes the key when it is dropped. A [`Proven`] exists
//! only for ciphertext that was opened and found equal; the spool demands one. The digest of the
//! whole ciphertext is part of it: it is that of the bytes the disk gave back.

mod digests;
mod key;
mod opener;
mod plan;
mod recipients;
mod sealer;
#[cfg(target_arch = "x86_64")]
mod sha256;
#[cfg(test)]
mod tests;

pub use opener::{OpenError, Opener, Proven};
pub use plan::{PART_BYTES_MIN, part_size, sealed_size_max};
pub use recipients::{Identity, Recipients};
pub use sealer::{Finished, Sealer, seal_small};

/// Plaintext bytes in a chunk, all but the last.
pub const CHUNK: usize = 64 * 1024;

/// Bytes of the Poly1305 tag after each chunk.
pub const TAG: usize = 16;

/// Why something cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("no recipient: footage cannot be sealed without at least one age public key")]
    NoRecipients,
    #[error("more than {} recipients", Recipients::MAX)]
    TooManyRecipients,
    /// The key itself is never repeated here.
    #[error(
        "recipient {place} is a PRIVATE key (AGE-SECRET-KEY-...): the dock must never hold one; \
         treat that key as exposed, and give the dock the age1... public key that belongs to it"
    )]
    PrivateKey { place: usize },
    #[error("recipient {place} is not an age X25519 public key (age1...): {words}")]
    NotARecipient { place: usize, words: String },
    #[error("recipient {place} is the same key as recipient {first}")]
    Repeated { place: usize, first: usize },
    /// Nothing of the refused bytes was taken; what was pushed before can still be finished.
    #[error(
        "longer than the {bytes_max} bytes that {} parts of {part_size} bytes hold",
        crate::types::fact::PartTable::PARTS_MAX
    )]
    TooLong { part_size: u64, bytes_max: u64 },
    #[error("the age header cannot be made: {0}")]
    Header(String),
}
