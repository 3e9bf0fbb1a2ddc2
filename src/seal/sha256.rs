//! SHA-256 (FIPS 180-4) of two streams side by side, by the SHA instructions of x86-64.
//!
//! A digest of one stream is a chain: each round waits for the one before, and the unit that could
//! begin another stands idle most of the time. Two independent chains fill it: measured
//! (`cargo bench --bench seal`), two streams together take little more than one.
//!
//! Only [`lanes`] is here because speed asks for it; what it computes is compared with `ring` before
//! it is used for the first time in a process ([`is_right`]), and by tests for any lengths.

use ring::digest::{SHA256, digest};
use std::{arch::x86_64::*, sync::OnceLock};

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

type State = [u32; 8];

/// The first 32 bits of the fractional parts of the square roots of the first 8 primes.
const START: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
#[rustfmt::skip]
const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// A running digest: what of the last block is not whole yet waits in `block`.
#[derive(Clone)]
pub(super) struct Sha256 {
    state: State,
    block: [u8; BLOCK],
    /// Bytes taken, modulo 2^64.
    size: u64,
}

impl Sha256 {
    /// None where the processor cannot do it, or does it wrong.
    pub fn new() -> Option<Self> {
        static USABLE: OnceLock<bool> = OnceLock::new();
        USABLE.get_or_init(|| has_instructions() && is_right()).then(Self::start)
    }

    fn start() -> Self {
        Self { state: START, block: [0; BLOCK], size: 0 }
    }

    fn filled(&self) -> usize {
        (self.size % BLOCK as u64) as usize
    }

    pub fn update(&mut self, bytes: &[u8]) {
        let (blocks, rest) = self.head(bytes).as_chunks();
        compress([&mut self.state], [blocks]);
        self.keep(blocks.len() * BLOCK, rest);
    }

    /// Updates both: side by side as long as both have whole blocks, then one after the other.
    pub fn update_both(one: (&mut Self, &[u8]), two: (&mut Self, &[u8])) {
        let ((one, bytes), (two, others)) = (one, two);
        let (bytes, others) = (one.head(bytes), two.head(others));
        let blocks = bytes.len().min(others.len()) / BLOCK;
        let (now, later) = bytes.split_at(blocks * BLOCK);
        let (others_now, others_later) = others.split_at(blocks * BLOCK);
        compress([&mut one.state, &mut two.state], [now.as_chunks().0, others_now.as_chunks().0]);
        one.keep(now.len(), &[]);
        two.keep(others_now.len(), &[]);
        one.update(later);
        two.update(others_later);
    }

    /// Fills up the block that is not whole; gives what is left of `bytes`, which then begins a
    /// block or is empty.
    fn head<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let filled = self.filled();
        if filled == 0 {
            return bytes;
        }
        let (head, rest) = bytes.split_at(bytes.len().min(BLOCK - filled));
        self.block[filled..filled + head.len()].copy_from_slice(head);
        self.size = self.size.wrapping_add(head.len() as u64);
        if self.filled() == 0 {
            let block = self.block;
            compress([&mut self.state], [&[block]]);
        }
        rest
    }

    /// Counts what was compressed, and keeps what is no whole block. At a block's beginning.
    fn keep(&mut self, compressed: usize, rest: &[u8]) {
        if !rest.is_empty() {
            self.block[..rest.len()].copy_from_slice(rest);
        }
        self.size = self.size.wrapping_add((compressed + rest.len()) as u64);
    }

    pub fn finish(mut self) -> [u8; 32] {
        let bits = self.size.wrapping_mul(8).to_be_bytes();
        let zeros = (2 * BLOCK - 9 - self.filled()) % BLOCK;
        self.update(&[0x80]);
        self.update(&[0; BLOCK][..zeros]);
        self.update(&bits);
        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }
}

fn has_instructions() -> bool {
    is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("sse4.1")
}

/// Compares with `ring`, alone and side by side.
fn is_right() -> bool {
    let bytes: Vec<u8> = (0..1000u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
    let (mut one, mut two, mut alone) = (Sha256::start(), Sha256::start(), Sha256::start());
    for (piece, other) in bytes.chunks(330).zip(bytes[7..].chunks(470)) {
        Sha256::update_both((&mut one, piece), (&mut two, other));
    }
    // Three pairs of pieces are all of the second, but not of the first.
    one.update(&bytes[990..]);
    alone.update(&bytes);
    let is = |sha: Sha256, bytes: &[u8]| sha.finish() == digest(&SHA256, bytes).as_ref();
    is(alone, &bytes) && is(one, &bytes) && is(two, &bytes[7..])
}

/// Takes the same number of blocks into each state.
fn compress<const N: usize>(states: [&mut State; N], blocks: [&[[u8; BLOCK]]; N]) {
    // SAFETY: every `Sha256` comes from `new`, which has asked the processor for exactly the
    // features that `lanes` is compiled for; `lanes` is safe in all else.
    unsafe { lanes(states, blocks) }
}

#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn words(block: &[u8; BLOCK], quarter: usize) -> __m128i {
    let eight = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&block[at..at + 8]);
        i64::from_le_bytes(bytes)
    };
    // Big-endian words.
    let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    _mm_shuffle_epi8(_mm_set_epi64x(eight(16 * quarter + 8), eight(16 * quarter)), order)
}

#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn four(words: [u32; 4]) -> __m128i {
    let [a, b, c, d] = words.map(u32::cast_signed);
    _mm_set_epi32(a, b, c, d)
}

#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn four_of(register: __m128i) -> [u32; 4] {
    [
        _mm_extract_epi32::<3>(register),
        _mm_extract_epi32::<2>(register),
        _mm_extract_epi32::<1>(register),
        _mm_extract_epi32::<0>(register),
    ]
    .map(i32::cast_unsigned)
}

/// The rounds of all lanes, four at a time in turn.
#[allow(clippy::needless_range_loop, reason = "all lanes are walked in step, by number")]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn lanes<const N: usize>(states: [&mut State; N], blocks: [&[[u8; BLOCK]]; N]) {
    // The instructions want the words as a, b, e, f and c, d, g, h.
    let mut abef = [_mm_setzero_si128(); N];
    let mut cdgh = abef;
    for (lane, [a, b, c, d, e, f, g, h]) in states.iter().map(|state| **state).enumerate() {
        abef[lane] = four([a, b, e, f]);
        cdgh[lane] = four([c, d, g, h]);
    }
    let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
    for number in 0..count {
        let before = (abef, cdgh);
        let mut schedule = [[_mm_setzero_si128(); 4]; N];
        for lane in 0..N {
            for (quarter, four) in schedule[lane].iter_mut().enumerate() {
                *four = words(&blocks[lane][number], quarter);
            }
        }
        for turn in 0..16 {
            let k = four([K[4 * turn + 3], K[4 * turn + 2], K[4 * turn + 1], K[4 * turn]]);
            for lane in 0..N {
                let [w0, w1, w2, w3] = schedule[lane];
                let wk = _mm_add_epi32(w0, k);
                cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], wk);
                let wk = _mm_shuffle_epi32::<0x0e>(wk);
                abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], wk);
                // The last three words of the schedule are never asked for.
                let next =
                    _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
                schedule[lane] = [w1, w2, w3, _mm_sha256msg2_epu32(next, w3)];
            }
        }
        for lane in 0..N {
            abef[lane] = _mm_add_epi32(abef[lane], before.0[lane]);
            cdgh[lane] = _mm_add_epi32(cdgh[lane], before.1[lane]);
        }
    }
    for (lane, state) in states.into_iter().enumerate() {
        let ([a, b, e, f], [c, d, g, h]) = (four_of(abef[lane]), four_of(cdgh[lane]));
        *state = [a, b, c, d, e, f, g, h];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(size: usize, seed: usize) -> Vec<u8> {
        (0..size).map(|i| ((i + seed).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    fn hex(sha: Sha256) -> String {
        sha.finish().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// FIPS 180-4, examples: "abc", the two-block message, a million times "a".
    #[test]
    fn the_published_examples() {
        let Some(new) = Sha256::new() else { return };
        let of = |bytes: &[u8]| {
            let mut sha = new.clone();
            sha.update(bytes);
            hex(sha)
        };
        assert_eq!(of(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(of(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(
            of(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        );
        assert_eq!(
            of(&[b'a'; 1_000_000]),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
    }

    #[test]
    fn a_processor_that_has_them_uses_them() {
        assert_eq!(Sha256::new().is_some(), has_instructions());
    }

    proptest! {
        #[test]
        fn side_by_side_is_what_each_is_alone(
            pieces in prop::collection::vec((0usize..700, 0usize..700), 0..12),
        ) {
            let Some(mut one) = Sha256::new() else { return Ok(()) };
            let (mut two, mut a, mut b) = (one.clone(), Vec::new(), Vec::new());
            for (index, (m, n)) in pieces.into_iter().enumerate() {
                let (piece, other) = (bytes(m, index), bytes(n, index + 99));
                Sha256::update_both((&mut one, &piece), (&mut two, &other));
                a.extend(piece);
                b.extend(other);
            }
            let (a, b) = (digest(&SHA256, &a), digest(&SHA256, &b));
            prop_assert_eq!(&one.finish()[..], a.as_ref());
            prop_assert_eq!(&two.finish()[..], b.as_ref());
        }
    }
}
