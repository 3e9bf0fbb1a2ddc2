//! What a battery does while it has power: its pace, and what is wrong with it.
//!
//! Only spans are judged in which the camera had power and no work: reading footage draws current
//! of its own. Percentages may come in steps as coarse as a quarter; until a camera has shown a
//! finer one, nothing is concluded that a quarter could explain.

use super::Settings;
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, time::Duration};

/// What is wrong with a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anomaly {
    /// It rises, but would take longer than any charge should.
    Slow,
    /// Nearly full, and never full.
    NeverFull,
    /// It does not rise at all.
    Stalls,
    /// It falls though it has power.
    Drains,
}

impl Anomaly {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::NeverFull => "never_full",
            Self::Stalls => "stalls",
            Self::Drains => "drains",
        }
    }

    /// Whether its camera should go out of service; a slow charge is only told.
    pub fn is_fault(self) -> bool {
        match self {
            Self::Slow => false,
            Self::NeverFull | Self::Stalls | Self::Drains => true,
        }
    }

    /// As it is said of a battery.
    pub fn words(self) -> &'static str {
        match self {
            Self::Slow => "it charges far too slowly",
            Self::NeverFull => "it never gets full",
            Self::Stalls => "it does not charge",
            Self::Drains => "it loses charge though it has power",
        }
    }
}

/// Points below its best that are no wobble: chargers top up some points later by themselves.
const FALL: u8 = 10;
/// Points below its best that are a fall in the making.
const WOBBLE: u8 = 3;
/// How long a fall must last.
const FALL_FOR: Duration = Duration::from_secs(30 * 60);
/// From here on batteries charge ever more slowly.
const NEAR_FULL: u8 = 80;
/// The step of the coarsest gauges.
const COARSE: u8 = 25;
/// No standstill shorter than this is one.
const STALL_MIN: Duration = Duration::from_secs(3600);
/// Before this nothing is said about a pace.
const PACE_AFTER: Duration = Duration::from_secs(3 * 3600);
/// Changes from which the pace is taken.
const CHANGES_MAX: usize = 16;
/// Rise that is enough to know a pace, points.
const RISE_MIN: u8 = 2;

/// A stretch of undisturbed charging.
#[derive(Debug, Clone)]
struct Span {
    since: Duration,
    from: u8,
    now: u8,
    best: u8,
    risen_at: Duration,
    fallen_since: Option<Duration>,
}

/// One camera's battery, as long as the camera is in its bay.
#[derive(Debug, Clone, Default)]
pub struct Curve {
    span: Option<Span>,
    changes: VecDeque<(Duration, u8)>,
    /// The finest step seen.
    step: Option<u8>,
    /// Time for one percent, as measured.
    pace: Option<Duration>,
}

impl Curve {
    /// Takes in a percentage; `undisturbed` if the camera has power and nothing to do.
    pub fn observe(&mut self, at: Duration, percent: u8, undisturbed: bool) {
        if !undisturbed {
            return self.interrupt();
        }
        let Some(span) = &mut self.span else {
            let span = Span {
                since: at,
                from: percent,
                now: percent,
                best: percent,
                risen_at: at,
                fallen_since: None,
            };
            self.span = Some(span);
            self.changes = VecDeque::from([(at, percent)]);
            return;
        };
        if percent != span.now {
            let step = percent.abs_diff(span.now);
            self.step = Some(self.step.map_or(step, |known| known.min(step)));
            self.changes.push_back((at, percent));
            if self.changes.len() > CHANGES_MAX {
                self.changes.pop_front();
            }
        }
        span.now = percent;
        if percent > span.best {
            (span.best, span.risen_at) = (percent, at);
            // From change to change: a coarse gauge says nothing in between.
            self.pace = measured(&self.changes).or(self.pace);
        }
        if percent.saturating_add(FALL) > span.best {
            span.fallen_since = None;
        } else {
            span.fallen_since.get_or_insert(at);
        }
    }

    /// The power went, or the camera has work: what comes next is another stretch.
    pub fn interrupt(&mut self) {
        self.span = None;
        self.changes.clear();
    }

    /// Time for one percent, if it was measured.
    pub fn pace(&self) -> Option<Duration> {
        self.pace
    }

    /// What is wrong, the worst first.
    pub fn anomaly(&self, now: Duration, settings: &Settings) -> Option<Anomaly> {
        let span = self.span.as_ref()?;
        let still = now.saturating_sub(span.risen_at);
        if span.fallen_since.is_some_and(|since| now.saturating_sub(since) >= FALL_FOR) {
            return Some(Anomaly::Drains);
        }
        // Once full, or on its way down: only a fall says something then.
        if span.best >= settings.full_percent || span.now.saturating_add(WOBBLE) <= span.best {
            return None;
        }
        if span.now >= NEAR_FULL {
            return (still >= settings.slowest_charge).then_some(Anomaly::NeverFull);
        }
        if still >= self.longest_still(settings) {
            return Some(Anomaly::Stalls);
        }
        let long = now.saturating_sub(span.since);
        let hidden = self.step.unwrap_or(COARSE);
        let gained = u32::from(span.now.saturating_sub(span.from)) + u32::from(hidden);
        let slow = long >= PACE_AFTER && settings.slowest_charge * gained < long * 100;
        slow.then_some(Anomaly::Slow)
    }

    /// How long a percentage may stand still in the slowest charge there should be.
    fn longest_still(&self, settings: &Settings) -> Duration {
        let steps = self.step.map_or(u32::from(COARSE), |step| u32::from(step) * 2);
        (settings.slowest_charge / 100 * steps).max(STALL_MIN)
    }
}

fn measured(changes: &VecDeque<(Duration, u8)>) -> Option<Duration> {
    // The first is only where the gauge stood when the stretch began, not where it changed.
    let first = changes.get(1).filter(|(_, percent)| *percent > changes[0].1).or(changes.front())?;
    let last = changes.back()?;
    let risen = last.1.checked_sub(first.1).filter(|risen| *risen >= RISE_MIN)?;
    Some(last.0.saturating_sub(first.0) / u32::from(risen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charging::tests::settings;

    const MINUTE: Duration = Duration::from_secs(60);

    /// What is found by a battery that stands at `gauge(minute)`, and when.
    fn first(hours: u32, gauge: impl Fn(u32) -> u8) -> Option<(u32, Anomaly)> {
        let (mut curve, settings) = (Curve::default(), settings());
        (0..hours * 60).find_map(|minute| {
            curve.observe(MINUTE * minute, gauge(minute), true);
            curve.anomaly(MINUTE * minute, &settings).map(|anomaly| (minute, anomaly))
        })
    }

    #[test]
    fn a_healthy_charge_raises_nothing_however_coarse_the_gauge() {
        for hours in [2_u32, 4, 9, 11] {
            for step in [1_u32, 5, 10, 25] {
                let gauge = |minute: u32| (100 * minute / (hours * 60)).min(100) / step * step;
                assert_eq!(first(30, |m| gauge(m) as u8), None, "{hours} h in steps of {step}");
            }
        }
        // Full, a little less, and topped up again by its own charger.
        assert_eq!(first(48, |m| [100, 98, 95, 92][(m / 60 % 4) as usize]), None);
    }

    #[test]
    fn each_anomaly_is_told_by_what_it_does() {
        let (minute, found) = first(24, |m| 80_u32.saturating_sub(m / 10) as u8).unwrap();
        assert_eq!((found, minute < 180), (Anomaly::Drains, true), "after {minute} minutes");
        let (minute, found) = first(24, |_| 40).unwrap();
        assert_eq!((found, minute), (Anomaly::Stalls, 180), "a quarter of the slowest charge");
        let (minute, found) = first(24, |m| if m < 30 { 30 + (m / 3) as u8 } else { 40 }).unwrap();
        assert_eq!((found, minute < 100), (Anomaly::Stalls, true), "{minute}: a fine gauge");
        let (_, found) = first(48, |m| (20 + m / 30).min(100) as u8).unwrap();
        assert_eq!(found, Anomaly::Slow, "two percent an hour are 50 hours");
        let (minute, found) = first(48, |m| (60 + m / 3).min(91) as u8).unwrap();
        assert_eq!((found, minute > 12 * 60), (Anomaly::NeverFull, true), "{minute}");
    }

    #[test]
    fn work_and_darkness_begin_a_new_stretch_and_keep_the_pace() {
        let (mut curve, settings) = (Curve::default(), settings());
        for minute in 0..=60 {
            curve.observe(MINUTE * minute, 20 + (minute / 3) as u8, true);
        }
        assert_eq!(curve.pace(), Some(MINUTE * 3));
        for minute in 61..600 {
            curve.observe(MINUTE * minute, 40, false);
            assert_eq!(curve.anomaly(MINUTE * minute, &settings), None);
        }
        curve.observe(MINUTE * 600, 15, true);
        assert_eq!(curve.anomaly(MINUTE * 600, &settings), None, "it fell while it worked");
        assert_eq!(curve.pace(), Some(MINUTE * 3));
    }
}
