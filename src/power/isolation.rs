//! For how long the port of a refused device stays off.

use std::time::Duration;

/// The first time; doubled each time the same thing is found there again.
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(900);

/// A port that is off because of what was found in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isolation {
    times: u32,
    until: Duration,
}

impl Isolation {
    /// Refused for the first time.
    pub fn begin(now: Duration) -> Self {
        Self { times: 1, until: now + FIRST }
    }

    /// Found there again when the port was switched on.
    pub fn again(&mut self, now: Duration) {
        let wait = FIRST.saturating_mul(2_u32.saturating_pow(self.times)).min(LONGEST);
        self.times = self.times.saturating_add(1);
        self.until = now + wait;
    }

    /// Whether it is time to switch the port on and look who is there.
    pub fn is_over(&self, now: Duration) -> bool {
        now >= self.until
    }

    /// How often the port was switched off for it.
    pub fn times(&self) -> u32 {
        self.times
    }
}
