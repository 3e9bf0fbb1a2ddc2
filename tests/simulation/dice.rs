//! The one source of chance: everything that happens in a world follows from its seed.

use bwvdock::dock::IdSource;
use jiff::Timestamp;

/// SplitMix64: small, and the same everywhere.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `n - 1`; 0 if there is nothing to choose from.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high + 1 - low)
    }

    /// True `n` times in a thousand.
    pub fn permille(&mut self, n: usize) -> bool {
        self.below(1000) < n
    }

    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.bits() as u8).collect()
    }
}

impl IdSource for Dice {
    fn next(&mut self, now: Timestamp) -> uuid::Uuid {
        let random = [self.bits().to_be_bytes(), self.bits().to_be_bytes()].concat();
        let ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let tail = random[..10].try_into().expect("ten of sixteen");
        uuid::Builder::from_unix_timestamp_millis(ms, &tail).into_uuid()
    }
}
