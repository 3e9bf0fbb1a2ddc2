//! How much time really passed, however the dock's clock jumps.
//!
//! The rules hear the time about once a second. A step forward much longer than that is a clock
//! that was set (or a dock that was off): what it skipped does not count towards the age of
//! anything, so no jump ever hastens a release. A clock that is set back puts one off, but by less
//! than twice its wait: what is dated later than now is at least as old as that setting. Only what
//! has not waited long enough when the clock comes to its date again begins anew there.

use jiff::{SignedDuration, Timestamp};

/// Jumps remembered; beyond it the two oldest become one, with the time between them.
const JUMPS_MAX: usize = 32;
/// A longer step forward than this is a jump.
const STEP_MAX: SignedDuration = SignedDuration::from_secs(60);
/// A longer step back than this ends the waits that were reckoned by the old time.
const BACK_MAX: SignedDuration = SignedDuration::from_secs(10);
/// The longest wait that anything asks for; a later time was reckoned by another clock.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(25);

#[derive(Debug, Default)]
pub(super) struct Elapsed {
    last: Option<Timestamp>,
    /// Spans of clock time that did not pass, in the order they were met.
    skipped: Vec<(Timestamp, Timestamp)>,
    /// What the clock said when it had last been set back, or at the start.
    set_back_to: Option<Timestamp>,
}

impl Elapsed {
    /// Hears the time; true when the clock was set back.
    pub fn notice(&mut self, now: Timestamp) -> bool {
        let last = self.last.replace(now).unwrap_or(now);
        if now.duration_since(last) > STEP_MAX {
            self.skip(last, now);
        }
        if now < last {
            self.set_back(now);
            // What lies ahead again will really pass this time.
            self.skipped.retain(|(from, _)| *from < now);
            self.skipped.iter_mut().for_each(|(_, to)| *to = (*to).min(now));
        }
        last.duration_since(now) > BACK_MAX
    }

    /// Remembers that the time between did not pass, as far as anybody knows.
    pub fn skip(&mut self, from: Timestamp, to: Timestamp) {
        if to <= from {
            return;
        }
        self.skipped.push((from, to));
        if self.skipped.len() > JUMPS_MAX {
            let (first, second) = (self.skipped[0], self.skipped.remove(1));
            self.skipped[0] = (first.0.min(second.0), first.1.max(second.1));
        }
    }

    /// Remembers that the clock says `now`, and may have said more before.
    pub fn set_back(&mut self, now: Timestamp) {
        self.set_back_to = Some(now);
    }

    /// Since when, by today's clock, something is in being that was dated `at`: later when the
    /// clock skipped time since, and never after `now` when it was set back since.
    pub fn since(&self, at: Timestamp, now: Timestamp) -> Timestamp {
        let from = self.set_back_to.filter(|back| at > now && *back <= now).unwrap_or(at);
        from.saturating_add(self.skipped_between(from, now)).unwrap_or(from)
    }

    /// How much of the clock time between the two did not pass.
    fn skipped_between(&self, from: Timestamp, to: Timestamp) -> SignedDuration {
        let overlap = |(start, end): &(Timestamp, Timestamp)| {
            let span = (*end).min(to).duration_since((*start).max(from));
            span.max(SignedDuration::ZERO)
        };
        self.skipped.iter().map(overlap).fold(SignedDuration::ZERO, SignedDuration::saturating_add)
    }
}

/// Whether a wait is over. One that ends implausibly late was reckoned before the clock was set
/// back, and is over too.
pub(super) fn is_due(not_before: Timestamp, now: Timestamp) -> bool {
    not_before <= now || not_before.duration_since(now) > WAIT_MAX
}
