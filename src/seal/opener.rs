//! Opening again what was sealed, before the key is forgotten.

use super::{CHUNK, TAG, digests::Hashing, key::PayloadKey};
use crate::types::fact::Hashed;
use std::io::{self, Read};
use zeroize::Zeroizing;

/// What opening again found wrong. Each means: what lies there is not what was sealed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("reading back failed at byte {at}")]
    Read {
        at: u64,
        #[source]
        source: io::Error,
    },
    #[error("it ends after {at} bytes, {missing} too early")]
    Short { at: u64, missing: u64 },
    #[error("there are bytes after its end")]
    Trailing,
    #[error("its header is not the one that was written")]
    Header,
    #[error("chunk {number} does not open: at least one bit differs from what was sealed")]
    Chunk { number: u64 },
    #[error("it opens, but not to the plaintext that was sealed")]
    Differs,
}

/// Sealed bytes were opened with their own key and gave the plaintext they were made from.
/// Only [`Opener::verify`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proven {
    sealed: Hashed,
}

impl Proven {
    /// The ciphertext that was opened, to its last byte.
    pub fn sealed(self) -> Hashed {
        self.sealed
    }
}

/// Holds the key of one finished object; wipes it when dropped.
pub struct Opener {
    key: PayloadKey,
    header: Vec<u8>,
    plain: Hashed,
}

impl Opener {
    pub(super) fn new(key: PayloadKey, header: Vec<u8>, plain: Hashed) -> Self {
        Self { key, header, plain }
    }

    #[cfg(test)]
    pub(super) fn pretend_plain(&mut self, plain: Hashed) {
        self.plain = plain;
    }

    /// Bytes the sealed object has.
    pub fn sealed_size(&self) -> u64 {
        self.header.len() as u64 + self.plain.size + self.chunks() * TAG as u64
    }

    fn chunks(&self) -> u64 {
        self.plain.size.div_ceil(CHUNK as u64).max(1)
    }

    /// Reads the whole sealed object: the header must be equal byte for byte, every chunk must open
    /// in its place, the last one as the last, nothing may follow, and the plaintext must have the
    /// SHA-256 it had when it was read from the camera. Takes the SHA-256 of what was read on the
    /// way. Holds two chunks (128 KiB).
    ///
    /// # Errors
    /// [`OpenError`]; the object must not be trusted.
    pub fn verify(&self, source: &mut dyn Read) -> Result<Proven, OpenError> {
        let mut source = Exact { source, at: 0, size: self.sealed_size() };
        let mut buffers = [(); 2].map(|()| Zeroizing::new(vec![0; CHUNK + TAG]));
        let [buffer, opened] = &mut buffers;
        let (mut plain, mut sealed) = (Hashing::new(), Hashing::new());
        for piece in self.header.chunks(CHUNK) {
            source.fill(&mut buffer[..piece.len()])?;
            if buffer[..piece.len()] != *piece {
                return Err(OpenError::Header);
            }
            sealed.update(piece);
        }
        // Each chunk's plaintext is hashed beside the ciphertext of the next.
        let (mut left, mut before) = (self.plain.size, 0);
        let last = self.chunks() - 1;
        for number in 0..=last {
            let size = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
            let chunk = &mut buffer[..size + TAG];
            source.fill(chunk)?;
            Hashing::update_both((&mut plain, &opened[..before]), (&mut sealed, chunk));
            self.key.open(number, number == last, chunk).ok_or(OpenError::Chunk { number })?;
            std::mem::swap(buffer, opened);
            left -= size as u64;
            before = size;
        }
        plain.update(&opened[..before]);
        source.end()?;
        if plain.finish() != self.plain {
            return Err(OpenError::Differs);
        }
        Ok(Proven { sealed: sealed.finish() })
    }
}

/// Reads that are whole or an error that says where.
struct Exact<'a> {
    source: &'a mut dyn Read,
    at: u64,
    size: u64,
}

impl Exact<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, OpenError> {
        loop {
            match self.source.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(OpenError::Read { at: self.at, source }),
                Ok(n) => {
                    self.at += n as u64;
                    return Ok(n);
                }
            }
        }
    }

    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<(), OpenError> {
        while !buffer.is_empty() {
            let n = self.read(buffer)?;
            if n == 0 {
                return Err(OpenError::Short { at: self.at, missing: self.size - self.at });
            }
            buffer = &mut buffer[n..];
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), OpenError> {
        match self.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(OpenError::Trailing),
        }
    }
}
