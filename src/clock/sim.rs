//! A clock that tests and the simulation set by hand; backwards too, as real ones are.

use super::Clock;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Stands still until it is told otherwise. Clones are hands of the same clock.
#[derive(Debug, Clone)]
pub struct SimClock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    now: Timestamp,
    synchronised: bool,
}

impl SimClock {
    /// A synchronised clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(State { now, synchronised: true })))
    }

    /// Jumps to any time, earlier or later.
    pub fn set(&self, now: Timestamp) {
        self.state().now = now;
    }

    /// Moves by `by`, which may be negative; stays within what a timestamp can hold.
    pub fn advance(&self, by: SignedDuration) {
        let mut state = self.state();
        state.now = state.now.saturating_add(by).expect("a signed duration has no calendar units");
    }

    pub fn set_synchronised(&self, synchronised: bool) {
        self.state().synchronised = synchronised;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Two plain values are never half written, so a poisoned lock harms nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.state().now
    }

    fn is_synchronised(&self) -> bool {
        self.state().synchronised
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_only_when_told_and_in_both_directions() {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let clock = SimClock::new(start);
        let other_hand = clock.clone();
        other_hand.advance(SignedDuration::from_secs(-5));
        assert_eq!(clock.now().duration_since(start), SignedDuration::from_secs(-5));
        clock.set(start);
        assert_eq!(other_hand.now(), start);
        clock.advance(SignedDuration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
        other_hand.set_synchronised(false);
        assert!(!clock.is_synchronised());
    }
}
