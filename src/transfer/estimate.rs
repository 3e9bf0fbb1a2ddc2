//! When will it be safe: by class, from what is queued, how fast it goes and the windows.

use super::window::{Gate, Windows};
use crate::types::Class;
use jiff::Timestamp;
use std::time::Duration;

/// Bytes that are not yet stored, by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queued {
    pub evidential: u64,
    pub quarantine: u64,
    pub unreviewed: u64,
}

impl Queued {
    pub fn add(&mut self, class: Class, bytes: u64) {
        let sum = match class {
            Class::Evidential => &mut self.evidential,
            Class::Quarantine => &mut self.quarantine,
            Class::Unreviewed => &mut self.unreviewed,
        };
        *sum = sum.saturating_add(bytes);
    }
}

/// When the last byte of each class is stored; none where nobody can say: nothing has been sent
/// yet, or its windows never open. A class with nothing queued is safe at `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafeAt {
    pub evidential: Option<Timestamp>,
    pub quarantine: Option<Timestamp>,
    pub unreviewed: Option<Timestamp>,
}

impl SafeAt {
    /// When everything is safe.
    pub fn all(&self) -> Option<Timestamp> {
        Some(self.evidential?.max(self.quarantine?).max(self.unreviewed?))
    }
}

/// The most changes of a window that are followed; beyond it the answer is "nobody can say".
const CHANGES_MAX: usize = 1000;

/// The classes are taken one after the other; what ageing moves forward is neglected.
pub fn estimate(
    now: Timestamp,
    queued: Queued,
    bytes_per_second: Option<u64>,
    windows: &Windows,
) -> SafeAt {
    let mut free = now;
    let mut one = |bytes: u64, class| {
        if bytes == 0 {
            return Some(now);
        }
        let rate = bytes_per_second.filter(|rate| *rate > 0)?;
        let needed = Duration::try_from_secs_f64(bytes as f64 / rate as f64).ok()?;
        let done = advance(free, needed, class, windows)?;
        free = done;
        Some(done)
    };
    SafeAt {
        evidential: one(queued.evidential, Class::Evidential),
        quarantine: one(queued.quarantine, Class::Quarantine),
        unreviewed: one(queued.unreviewed, Class::Unreviewed),
    }
}

/// When `needed` of open time has passed since `from`.
fn advance(
    mut from: Timestamp,
    mut needed: Duration,
    class: Class,
    windows: &Windows,
) -> Option<Timestamp> {
    for _ in 0..CHANGES_MAX {
        match windows.gate(from, class) {
            Gate::Open { until: None } => return from.checked_add(needed).ok(),
            Gate::Open { until: Some(until) } => {
                let open = Duration::try_from(until.duration_since(from)).ok()?;
                if needed <= open {
                    return from.checked_add(needed).ok();
                }
                needed -= open;
                from = until;
            }
            Gate::Closed { until } => from = until?,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::window::Window;
    use jiff::{civil::Weekday, tz::TimeZone};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn nights() -> Windows {
        use Weekday::*;
        Windows(vec![Window {
            days: vec![Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday],
            from: "22:00".parse().unwrap(),
            to: "02:00".parse().unwrap(),
            zone: TimeZone::UTC,
            classes: vec![Class::Unreviewed],
        }])
    }

    #[test]
    fn classes_follow_each_other_and_windows_are_waited_for() {
        let queued = Queued { evidential: 3_600_000, quarantine: 0, unreviewed: 6 * 3_600_000 };
        let safe = estimate(at("2026-01-05T12:00:00Z"), queued, Some(1000), &nights());
        assert_eq!(safe.evidential, Some(at("2026-01-05T13:00:00Z")));
        assert_eq!(safe.quarantine, Some(at("2026-01-05T12:00:00Z")));
        assert_eq!(safe.unreviewed, Some(at("2026-01-07T00:00:00Z")));
        assert_eq!(safe.all(), safe.unreviewed);
    }

    #[test]
    fn without_a_rate_or_an_opening_nobody_can_say() {
        let now = at("2026-01-05T12:00:00Z");
        let queued = Queued { unreviewed: 1, ..Queued::default() };
        assert_eq!(estimate(now, queued, None, &nights()).all(), None);
        assert_eq!(estimate(now, queued, Some(0), &nights()).all(), None);
        let mut never = nights();
        never.0[0].days.clear();
        assert_eq!(estimate(now, queued, Some(9), &never).unreviewed, None);
        assert_eq!(estimate(now, queued, Some(9), &never).evidential, Some(now));
    }

    #[test]
    fn absurd_amounts_end_in_nobody_can_say() {
        let queued = Queued { unreviewed: u64::MAX, ..Queued::default() };
        assert_eq!(estimate(Timestamp::MIN, queued, Some(1), &nights()).unreviewed, None);
    }
}
