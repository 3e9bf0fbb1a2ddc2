//! Token buckets and a speedometer, over a clock that only goes forward.
//!
//! Time is a [`Duration`] since any fixed moment; the caller reads a monotonic clock.

use std::time::Duration;

/// Lets `per_second` tokens through on average, and at most a burst at once. Tokens may be taken
/// on credit: the bucket says how long to wait before using them, so that whoever comes later
/// waits longer and nobody is starved by smaller requests.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    at: Duration,
}

impl TokenBucket {
    /// `per_second` of 0 means no limit. `burst` is raised to 1.
    pub fn new(per_second: u64, burst: u64) -> Self {
        let burst = burst.max(1) as f64;
        Self { per_second: per_second as f64, burst, tokens: burst, at: Duration::ZERO }
    }

    /// Takes `count` tokens and says how long to wait before using them.
    pub fn take(&mut self, now: Duration, count: u64) -> Duration {
        if self.per_second == 0.0 {
            return Duration::ZERO;
        }
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed.as_secs_f64() * self.per_second).min(self.burst);
        self.tokens -= count as f64;
        let lacking = (-self.tokens).max(0.0) / self.per_second;
        Duration::try_from_secs_f64(lacking).unwrap_or(Duration::MAX)
    }
}

/// Bytes per second lately: an average in which what is older than a minute counts little.
#[derive(Debug, Clone, Default)]
pub struct RateMeter {
    average: Option<f64>,
    since: Option<Duration>,
    bytes: u64,
}

impl RateMeter {
    const STEP: Duration = Duration::from_secs(5);
    const MEMORY_S: f64 = 60.0;

    /// `bytes` were acknowledged at `now`.
    pub fn handle(&mut self, now: Duration, bytes: u64) {
        let since = *self.since.get_or_insert(now);
        self.bytes = self.bytes.saturating_add(bytes);
        let passed = now.saturating_sub(since);
        if passed < Self::STEP {
            return;
        }
        let passed_s = passed.as_secs_f64();
        let rate = self.bytes as f64 / passed_s;
        let kept = (-passed_s / Self::MEMORY_S).exp();
        self.average = Some(self.average.map_or(rate, |old| old * kept + rate * (1.0 - kept)));
        (self.since, self.bytes) = (Some(now), 0);
    }

    /// Bytes per second; none before five seconds of transfer.
    pub fn bytes_per_second(&self) -> Option<u64> {
        self.average.map(|rate| rate as u64)
    }

    /// Nothing is being sent on purpose: the time until the next bytes does not count.
    pub fn rest(&mut self) {
        (self.since, self.bytes) = (None, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn no_limit_never_waits() {
        assert_eq!(TokenBucket::new(0, 0).take(Duration::ZERO, u64::MAX), Duration::ZERO);
    }

    #[test]
    fn a_burst_is_free_and_then_the_rate_holds() {
        let mut bucket = TokenBucket::new(100, 50);
        assert_eq!(bucket.take(SECOND, 50), Duration::ZERO);
        assert_eq!(bucket.take(SECOND, 100), SECOND);
        assert_eq!(bucket.take(SECOND, 100), 2 * SECOND);
        // A clock read late by another thread gives nothing away.
        assert_eq!(bucket.take(Duration::ZERO, 100), 3 * SECOND);
    }

    #[test]
    fn a_long_rest_gives_no_more_than_the_burst() {
        let mut bucket = TokenBucket::new(100, 50);
        assert_eq!(bucket.take(1000 * SECOND, 150), SECOND);
    }

    proptest! {
        #[test]
        fn over_any_time_no_more_than_rate_and_burst_goes_through(
            takes in proptest::collection::vec((0_u64..5_000, 1_u64..10_000), 1..200),
        ) {
            let mut bucket = TokenBucket::new(1000, 500);
            let (mut now, mut last, mut total) = (Duration::ZERO, Duration::ZERO, 0);
            for (after_ms, count) in takes {
                now += Duration::from_millis(after_ms);
                last = last.max(now + bucket.take(now, count));
                total += count;
            }
            prop_assert!(total as f64 <= 500.0 + 1000.0 * last.as_secs_f64() + 1.0);
        }
    }

    #[test]
    fn the_meter_follows_and_does_not_count_rest() {
        let mut meter = RateMeter::default();
        assert_eq!(meter.bytes_per_second(), None);
        for second in 0..120 {
            meter.handle(second * SECOND, 1000);
        }
        let steady = meter.bytes_per_second().unwrap();
        assert!((950..=1200).contains(&steady), "{steady}");
        meter.rest();
        meter.handle(4000 * SECOND, 1000);
        assert_eq!(meter.bytes_per_second(), Some(steady));
    }
}
