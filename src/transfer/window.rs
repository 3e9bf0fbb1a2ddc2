//! When which class may be sent.
//!
//! A class that no window names may be sent at any time, so that evidential footage is exempt by
//! leaving it out. A named class is sent only inside the windows that name it.
//!
//! A window is a span of time for each of its days: from `from` on that day to `to`, on the next
//! day where `to` is not after `from` (equal means 24 hours). Where daylight saving skips a time
//! of day, it is taken as much later as the clocks jump; where one happens twice, the first is
//! meant. So no window is lost or doubled, and 00:00 to 03:00 lasts four hours once a year.

use crate::types::Class;
use jiff::{Timestamp, ToSpan as _, Zoned, civil, tz::TimeZone};

/// One span of the day on some days of the week.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// The days on which it opens.
    pub days: Vec<civil::Weekday>,
    pub from: civil::Time,
    pub to: civil::Time,
    pub zone: TimeZone,
    pub classes: Vec<Class>,
}

/// All windows there are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Windows(pub Vec<Window>);

/// Whether a class may be sent, and when that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Open until then; for ever if none.
    Open { until: Option<Timestamp> },
    /// Closed until then; for ever if none.
    Closed { until: Option<Timestamp> },
}

impl Windows {
    /// How many days are looked at; a window opens at least once a week.
    const DAYS: i64 = 9;

    /// Whether `class` may be sent at `now`.
    pub fn gate(&self, now: Timestamp, class: Class) -> Gate {
        let mine = || self.0.iter().filter(move |window| window.classes.contains(&class));
        if mine().next().is_none() {
            return Gate::Open { until: None };
        }
        let mut spans: Vec<_> = mine().flat_map(|window| window.spans(now)).collect();
        spans.sort();
        let mut open_until = None;
        for (from, to) in spans.iter().copied().filter(|(_, to)| *to > now) {
            if from > open_until.unwrap_or(now) {
                return match open_until {
                    Some(until) => Gate::Open { until: Some(until) },
                    None => Gate::Closed { until: Some(from) },
                };
            }
            open_until = open_until.max(Some(to));
        }
        match open_until {
            // Open for as long as was looked ahead: in effect for ever.
            Some(until) if until.duration_since(now).as_hours() >= 24 * (Self::DAYS - 2) => {
                Gate::Open { until: None }
            }
            Some(until) => Gate::Open { until: Some(until) },
            None => Gate::Closed { until: None },
        }
    }

    pub fn is_open(&self, now: Timestamp, class: Class) -> bool {
        matches!(self.gate(now, class), Gate::Open { .. })
    }
}

impl Window {
    /// The spans that begin from two days before `now` on.
    fn spans(&self, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let today = now.to_zoned(self.zone.clone()).date();
        (-2..Windows::DAYS)
            .filter_map(|offset| {
                let day = today.checked_add(offset.days()).ok()?;
                if !self.days.contains(&day.weekday()) {
                    return None;
                }
                let last = if self.to <= self.from { day.tomorrow().ok()? } else { day };
                let (from, to) = (self.instant(day, self.from)?, self.instant(last, self.to)?);
                (from < to).then_some((from, to))
            })
            .collect()
    }

    fn instant(&self, day: civil::Date, time: civil::Time) -> Option<Timestamp> {
        let zoned: Zoned = day.to_datetime(time).to_zoned(self.zone.clone()).ok()?;
        Some(zoned.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use civil::Weekday::*;
    use proptest::prelude::*;

    const ALL: [civil::Weekday; 7] =
        [Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday];

    /// Great Britain's rule without its history: +1 from the last Sunday of March, 01:00 UTC, to
    /// that of October.
    fn london() -> TimeZone {
        TimeZone::posix("GMT0BST,M3.5.0/1,M10.5.0").unwrap()
    }

    fn window(days: &[civil::Weekday], from: &str, to: &str) -> Windows {
        let [from, to] = [from, to].map(|t| t.parse().unwrap());
        let classes = vec![Class::Unreviewed];
        Windows(vec![Window { days: days.to_vec(), from, to, zone: london(), classes }])
    }

    fn gate(windows: &Windows, now: &str) -> Gate {
        windows.gate(now.parse().unwrap(), Class::Unreviewed)
    }

    fn open(until: &str) -> Gate {
        Gate::Open { until: Some(until.parse().unwrap()) }
    }

    fn closed(until: &str) -> Gate {
        Gate::Closed { until: Some(until.parse().unwrap()) }
    }

    #[test]
    fn a_class_no_window_names_is_always_open() {
        let windows = window(&[Monday], "01:00", "02:00");
        let now = "2026-01-06T12:00:00Z".parse().unwrap();
        assert_eq!(windows.gate(now, Class::Evidential), Gate::Open { until: None });
        assert!(!windows.is_open(now, Class::Unreviewed));
    }

    #[test]
    fn midnight_is_crossed_and_the_day_is_that_of_the_opening() {
        let windows = window(&[Friday], "22:00", "06:00");
        // 2026-01-09 is a Friday.
        assert_eq!(gate(&windows, "2026-01-09T21:59:59Z"), closed("2026-01-09T22:00:00Z"));
        assert_eq!(gate(&windows, "2026-01-09T22:00:00Z"), open("2026-01-10T06:00:00Z"));
        assert_eq!(gate(&windows, "2026-01-10T05:59:59Z"), open("2026-01-10T06:00:00Z"));
        assert_eq!(gate(&windows, "2026-01-10T06:00:00Z"), closed("2026-01-16T22:00:00Z"));
    }

    #[test]
    fn summer_time_moves_the_window_with_the_clock_on_the_wall() {
        let windows = window(&ALL, "22:00", "06:00");
        assert_eq!(gate(&windows, "2026-07-01T20:00:00Z"), closed("2026-07-01T21:00:00Z"));
        // The night of the change, 2026-03-29: 22:00 GMT to 06:00 BST is seven hours.
        assert_eq!(gate(&windows, "2026-03-28T23:00:00Z"), open("2026-03-29T05:00:00Z"));
    }

    #[test]
    fn a_window_in_the_skipped_hour_is_moved_and_one_in_the_doubled_hour_opens_once() {
        let windows = window(&[Sunday], "01:15", "01:45");
        assert_eq!(gate(&windows, "2026-03-29T00:00:00Z"), closed("2026-03-29T01:15:00Z"));
        assert_eq!(gate(&windows, "2026-03-29T01:20:00Z"), open("2026-03-29T01:45:00Z"));
        // 2026-10-25: 01:15 BST is 00:15 UTC; the same time of day in GMT is not meant.
        assert_eq!(gate(&windows, "2026-10-25T00:20:00Z"), open("2026-10-25T00:45:00Z"));
        assert_eq!(gate(&windows, "2026-10-25T01:20:00Z"), closed("2026-11-01T01:15:00Z"));
    }

    #[test]
    fn touching_windows_are_one_and_all_day_every_day_never_closes() {
        let mut windows = window(&[Monday], "10:00", "12:00");
        windows.0.extend(window(&[Monday], "12:00", "14:00").0);
        assert_eq!(gate(&windows, "2026-01-05T10:30:00Z"), open("2026-01-05T14:00:00Z"));
        let always = window(&ALL, "00:00", "00:00");
        assert_eq!(gate(&always, "2026-01-05T10:30:00Z"), Gate::Open { until: None });
        let never = window(&[], "00:00", "00:00");
        assert_eq!(gate(&never, "2026-01-05T10:30:00Z"), Gate::Closed { until: None });
    }

    proptest! {
        #[test]
        fn a_change_that_is_announced_happens(second in 1_700_000_000_i64..1_900_000_000) {
            let windows = window(&[Tuesday, Saturday], "21:30", "04:15");
            let now = Timestamp::from_second(second).unwrap();
            match windows.gate(now, Class::Unreviewed) {
                Gate::Open { until: Some(until) } => {
                    prop_assert!(until > now && !windows.is_open(until, Class::Unreviewed));
                }
                Gate::Closed { until: Some(until) } => {
                    prop_assert!(until > now && windows.is_open(until, Class::Unreviewed));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
