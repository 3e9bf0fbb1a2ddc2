//! The key of one sealed object, and the header that wraps it.

use super::{CHUNK, Recipients, SealError, TAG};
use age_core::{
    format::{FILE_KEY_BYTES, FileKey, Stanza},
    secrecy::ExposeSecret as _,
};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf,
};
use std::{cell::RefCell, collections::HashSet, hint::black_box};
use zeroize::Zeroizing;

/// Bytes of the nonce between header and payload.
const SALT: usize = 16;

/// The payload key. Boxed, so that moving it leaves no copy behind; wiped when dropped. What passed
/// through registers and the stack while it was derived is overwritten by ordinary use only.
pub(super) struct PayloadKey(Box<LessSafeKey>);

impl PayloadKey {
    fn derive(file_key: &[u8; FILE_KEY_BYTES], salt: &[u8]) -> Self {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(file_key);
        let okm = prk
            .expand(&[b"payload"], &CHACHA20_POLY1305)
            .expect("32 bytes are far below the limit of HKDF");
        Self(Box::new(LessSafeKey::new(UnboundKey::from(okm))))
    }

    fn nonce(chunk: u64, last: bool) -> Nonce {
        let mut bytes = [0; NONCE_LEN];
        bytes[3..11].copy_from_slice(&chunk.to_be_bytes());
        bytes[11] = u8::from(last);
        Nonce::assume_unique_for_key(bytes)
    }

    /// Encrypts in place. Only [`Counter`] gives chunk numbers, each once.
    pub fn seal(&self, at: ChunkSeat, chunk: &mut [u8]) -> [u8; TAG] {
        debug_assert!(chunk.len() <= CHUNK);
        let tag = self
            .0
            .seal_in_place_separate_tag(Self::nonce(at.number, at.last), Aad::empty(), chunk)
            .expect("a chunk is far below the limit of ChaCha20");
        let mut bytes = [0; TAG];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    /// Decrypts chunk and tag in place; `None` if a single bit differs from what was sealed.
    pub fn open<'a>(&self, number: u64, last: bool, chunk: &'a mut [u8]) -> Option<&'a [u8]> {
        let nonce = Self::nonce(number, last);
        self.0.open_in_place(nonce, Aad::empty(), chunk).ok().map(|plain| &*plain)
    }

    /// Overwrites the key where it lies. Safe Rust has no volatile store for a foreign type;
    /// `black_box` is what keeps the compiler from dropping a store nobody reads.
    fn wipe(&mut self) {
        let zero = UnboundKey::new(&CHACHA20_POLY1305, &[0; 32]).expect("32 bytes are a key");
        *self.0 = LessSafeKey::new(zero);
        black_box(&mut self.0);
    }
}

impl Drop for PayloadKey {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// A chunk's place, to be used for sealing once: it cannot be copied.
pub(super) struct ChunkSeat {
    number: u64,
    last: bool,
}

/// Numbers chunks from 0. After the last there is none.
pub(super) struct Counter(u64);

impl Counter {
    pub fn new() -> Self {
        Self(0)
    }

    pub fn middle(&mut self) -> ChunkSeat {
        let number = self.0;
        self.0 = number.checked_add(1).expect("2^64 chunks are more than any disk holds");
        ChunkSeat { number, last: false }
    }

    pub fn last(self) -> ChunkSeat {
        ChunkSeat { number: self.0, last: true }
    }
}

/// Draws a file key, wraps it for `recipients` and derives the payload key.
/// Gives the header with the nonce behind it: the bytes before the first chunk.
pub(super) fn start(recipients: &Recipients) -> Result<(Vec<u8>, PayloadKey), SealError> {
    let seen = Zeroizing::new([0; FILE_KEY_BYTES]);
    let witness = Witness { seen: RefCell::new(seen), recipients };
    let encryptor =
        age::Encryptor::with_recipients(std::iter::once(&witness as &dyn age::Recipient))
            .map_err(|error| SealError::Header(error.to_string()))?;
    let mut header = Vec::with_capacity(1024);
    // The writer is dropped unused: it would hide the key. Its header and nonce are ours now.
    drop(encryptor.wrap_output(&mut header).map_err(|error| SealError::Header(error.to_string()))?);
    let salt = &header[header.len() - SALT..];
    let key = PayloadKey::derive(&witness.seen.borrow(), salt);
    Ok((header, key))
}

/// Stands in for all recipients, and sees the file key that the crate keeps to itself.
struct Witness<'a> {
    seen: RefCell<Zeroizing<[u8; FILE_KEY_BYTES]>>,
    recipients: &'a Recipients,
}

impl age::Recipient for Witness<'_> {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        **self.seen.borrow_mut() = *file_key.expose_secret();
        let mut stanzas = Vec::with_capacity(self.recipients.count());
        let mut labels = HashSet::new();
        for key in self.recipients.keys() {
            // All are X25519, whose label sets are equal (empty), so the last one stands for all.
            let (mut more, theirs) = key.wrap_file_key(file_key)?;
            stanzas.append(&mut more);
            labels = theirs;
        }
        Ok((stanzas, labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wiped_key_opens_nothing_it_sealed() {
        let mut key = PayloadKey::derive(&[7; 16], &[9; 16]);
        let mut chunk = b"footage".to_vec();
        let tag = key.seal(Counter::new().last(), &mut chunk);
        chunk.extend(tag);
        assert_eq!(key.open(0, true, &mut chunk.clone()), Some(&b"footage"[..]));
        assert_eq!(key.open(0, false, &mut chunk.clone()), None, "the last flag is bound");
        assert_eq!(key.open(1, true, &mut chunk.clone()), None, "the place is bound");
        key.wipe();
        assert_eq!(key.open(0, true, &mut chunk.clone()), None);
        let zero = PayloadKey(Box::new(LessSafeKey::new(
            UnboundKey::new(&CHACHA20_POLY1305, &[0; 32]).unwrap(),
        )));
        let seal = |key: &PayloadKey| key.seal(Counter::new().last(), &mut [0; 64]);
        assert_eq!(seal(&key), seal(&zero), "what is left is the key of all zeros");
    }

    #[test]
    fn every_chunk_number_is_given_once() {
        let mut counter = Counter::new();
        let seats = [counter.middle(), counter.middle(), counter.last()];
        assert_eq!(seats.map(|s| (s.number, s.last)), [(0, false), (1, false), (2, true)]);
    }
}
