//! How long to wait after a failure: full jitter, capped, longer where a person has to act.

use super::Fault;
use std::time::Duration;

/// A small deterministic generator (SplitMix64) so that waits can be tested; never for secrets.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Any time from `low` to `high`, to the millisecond.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low).as_millis() as u64;
        low + Duration::from_millis(if span == 0 { 0 } else { self.bits() % (span + 1) })
    }
}

/// The waits of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Up to this after the first failure; doubled by each further one.
    pub base: Duration,
    /// Never more than this, unless the store itself names a longer time.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_secs(2), cap: Duration::from_secs(300) }
    }
}

impl Backoff {
    /// The most a store can make us wait by Retry-After.
    pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
    /// The least: a lucky draw of nothing, many times over, would be a storm.
    const LEAST: Duration = Duration::from_millis(100);

    /// How long to wait after failure number `attempts` (from 1).
    pub fn wait(&self, fault: Fault, attempts: u32, random: &mut Random) -> Duration {
        let doubled = self.base.saturating_mul(1 << attempts.saturating_sub(1).min(20));
        let jitter = random.between(Self::LEAST, doubled.min(self.cap).max(Self::LEAST));
        match fault {
            // Only a person can help, and soon after is soon enough: no short draws.
            Fault::Full | Fault::Denied | Fault::Unwritable => {
                random.between(self.cap / 2, self.cap)
            }
            // What the store asks for is a minimum; the jitter keeps the docks of a station apart.
            Fault::Busy { retry_after: Some(asked) } => asked.min(Self::RETRY_AFTER_MAX) + jitter,
            Fault::Busy { retry_after: None }
            | Fault::Network
            | Fault::Server
            | Fault::Skewed
            | Fault::Missing
            | Fault::Conflict
            | Fault::Exists
            | Fault::BadDigest
            | Fault::NotTheStore
            | Fault::Untrusted { .. }
            | Fault::Refused
            | Fault::Spool => jitter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_stay_within_their_bounds(seed: u64, attempts: u32) {
            let (backoff, mut random) = (Backoff::default(), Random::new(seed));
            let wait = backoff.wait(Fault::Network, attempts, &mut random);
            prop_assert!(wait >= Backoff::LEAST && wait <= backoff.cap);
            let wait = backoff.wait(Fault::Denied, attempts, &mut random);
            prop_assert!(wait >= backoff.cap / 2 && wait <= backoff.cap);
        }
    }

    #[test]
    fn first_waits_are_short_and_spread() {
        let (backoff, mut random) = (Backoff::default(), Random::new(7));
        let waits: Vec<_> = (0..100).map(|_| backoff.wait(Fault::Server, 1, &mut random)).collect();
        assert!(waits.iter().all(|w| *w <= backoff.base));
        assert!(waits.iter().min().unwrap().as_millis() < 300);
        assert!(waits.iter().max().unwrap().as_millis() > 1700);
    }

    #[test]
    fn retry_after_is_a_minimum_and_cannot_hold_us_for_ever() {
        let (backoff, mut random) = (Backoff::default(), Random::new(7));
        let asked = |s| Fault::Busy { retry_after: Some(Duration::from_secs(s)) };
        assert!(backoff.wait(asked(40), 1, &mut random) >= Duration::from_secs(40));
        let most = Backoff::RETRY_AFTER_MAX + backoff.cap;
        assert!(backoff.wait(asked(u64::MAX), 1, &mut random) <= most);
    }
}
