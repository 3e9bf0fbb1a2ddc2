//! When cameras are wanted.

use jiff::{Timestamp, ToSpan as _, civil, tz::TimeZone};

/// A time of day at which a shift starts, on some days of the week.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    pub days: Vec<civil::Weekday>,
    pub start: civil::Time,
    pub zone: TimeZone,
}

/// All shifts there are; none: nobody said when cameras are wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shifts(pub Vec<Shift>);

impl Shifts {
    /// The next start after `now`. Where daylight saving skips that time of day, as much later as
    /// the clocks jump; where it comes twice, the first.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.iter().filter_map(|shift| shift.next(now)).min()
    }
}

impl Shift {
    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let today = now.to_zoned(self.zone.clone()).date();
        (0..=8).find_map(|offset| {
            let day = today.checked_add(offset.days()).ok()?;
            let start = day.to_datetime(self.start).to_zoned(self.zone.clone()).ok()?.timestamp();
            (self.days.contains(&day.weekday()) && start > now).then_some(start)
        })
    }
}
