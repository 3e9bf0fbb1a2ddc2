//! What is remembered of a camera over its dockings: how it came and went, its clock, its faults.
//!
//! Folded from the log like everything else, so it outlives a restart; bounded: the dockings of
//! [`DOCKINGS_MAX`], and [`CLOCK_POINTS_MAX`] measurements of its clock. What a camera never said
//! stays absent.

use crate::types::{BayName, CameraId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Past dockings kept of one camera, besides the one it is in.
pub const DOCKINGS_MAX: usize = 16;
/// Measurements of its clock kept of one camera.
pub const CLOCK_POINTS_MAX: usize = 8;
/// Two measurements less far apart tell no drift: many clocks are told in whole seconds only.
const DRIFT_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Measurements closer together replace each other, so that the kept ones span days.
const POINT_EVERY: SignedDuration = SignedDuration::from_hours(12);
/// A clock that seems to drift more than this, seconds a day, was set by somebody.
const STEP_SECONDS_PER_DAY: f64 = 300.0;
/// How far back a capture may lie to be believed: beyond it a clock had lost its time.
const CAPTURED_WITHIN: SignedDuration = SignedDuration::from_hours(400 * 24);
/// How soon a camera shows itself that sat in its bay, when its port or the dock is on again.
const SHOWS_WITHIN: SignedDuration = SignedDuration::from_mins(2);
/// How far ahead of the dock's clock it may be.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);

/// One stay in a bay. A reset, a port the dock switched off and on, and a restart of the dock do
/// not end it, as far as the same camera is there afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Docking {
    pub bay: BayName,
    pub docked_at: Timestamp,
    /// Absent while it is docked, and where nobody saw it go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
    /// How full the battery was when it came, and when it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_docked_percent: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_removed_percent: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_per_hour: Option<f32>,
    /// Camera minus dock when it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
    /// Capture of the oldest and the newest recording it brought, by its clock less its offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_recording_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_recording_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub usb_resets: u32,
    /// The dock switched its port off: that it went was no taking.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dark: bool,
    /// And on again, then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lit_at: Option<Timestamp>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Docking {
    /// Whether a camera that comes now never left: it was reset, its port was dark, or the dock was
    /// not running, and it shows itself at once.
    pub(super) fn goes_on(&self, at: Timestamp, started: Option<Timestamp>, again: bool) -> bool {
        let just = |since: Timestamp| at.duration_since(since) < SHOWS_WITHIN;
        match (self.removed_at, self.dark) {
            (_, true) => self.lit_at.is_some_and(just),
            (Some(_), false) => again,
            (None, false) => again || started.is_none_or(just),
        }
    }

    /// How old the oldest recording was that it brought.
    pub fn oldest_on_arrival(&self) -> Option<SignedDuration> {
        self.first_recording_at
            .map(|at| self.docked_at.duration_since(at).max(SignedDuration::ZERO))
    }

    /// How long after its last recording it was docked.
    pub fn late(&self) -> Option<SignedDuration> {
        self.last_recording_at.map(|at| self.docked_at.duration_since(at).max(SignedDuration::ZERO))
    }
}

/// A camera's clock as it was measured while the dock's own was synchronised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockPoint {
    pub at: Timestamp,
    pub offset_ms: i64,
}

/// A camera over its dockings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraHistory {
    pub camera: CameraId,
    pub dockings: u64,
    /// The docking it is in, or was in last.
    pub last: Docking,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// As said when it was docked last; with what it said before the last update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware_before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware_changed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_free_bytes: Option<u64>,
    /// Since its clock was set last, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clock: Vec<ClockPoint>,
    /// The newest capture seen of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_recording_at: Option<Timestamp>,
    /// Files whose bytes were not those its hash said.
    #[serde(default)]
    pub hash_failures: u64,
    /// Files that could not be read to their end: a card that wears out.
    #[serde(default)]
    pub unreadable_files: u64,
    #[serde(default)]
    pub differing_reads: u64,
    /// When the newest of these three was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure_at: Option<Timestamp>,
    #[serde(default)]
    pub usb_resets: u64,
    #[serde(default)]
    pub battery_faults: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_battery_fault: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_battery_fault_at: Option<Timestamp>,
}

impl CameraHistory {
    /// When it was seen last: now, if it is docked.
    pub fn last_seen(&self, docked: bool, now: Timestamp) -> Timestamp {
        let last = &self.last;
        if docked { now } else { last.removed_at.unwrap_or(last.docked_at) }
    }

    /// Seconds its clock gains a day, from measurements at least a day apart.
    pub fn drift_seconds_per_day(&self) -> Option<f64> {
        let (first, last) = (self.clock.first()?, self.clock.last()?);
        (last.at.duration_since(first.at) >= DRIFT_AFTER).then(|| rate(first, last))?
    }

    /// Takes in a measurement; one that no drift explains begins anew.
    pub(super) fn measured(&mut self, point: ClockPoint) {
        if self.clock.last().is_some_and(|last| was_set(last, &point)) {
            self.clock.clear();
        }
        // The first stays: drift is told over the longest span there is.
        let close = |last: &ClockPoint| point.at.duration_since(last.at) < POINT_EVERY;
        if self.clock.len() > 1 && self.clock.last().is_some_and(close) {
            self.clock.pop();
        }
        if self.clock.len() == CLOCK_POINTS_MAX {
            self.clock.remove(0);
        }
        self.clock.push(point);
    }

    /// Takes in when something was captured, by the camera's clock, which stood `offset_ms` ahead.
    pub(super) fn captured(&mut self, at: Timestamp, offset_ms: Option<i64>) {
        let offset = SignedDuration::from_millis(offset_ms.unwrap_or(0));
        let Ok(at) = at.checked_sub(offset) else { return };
        let age = self.last.docked_at.duration_since(at);
        if age > CAPTURED_WITHIN || age < -AHEAD_MAX {
            return;
        }
        let last = &mut self.last;
        last.first_recording_at = Some(last.first_recording_at.map_or(at, |first| first.min(at)));
        last.last_recording_at = last.last_recording_at.max(Some(at));
        self.last_recording_at = self.last_recording_at.max(Some(at));
    }
}

/// A drift as it is said of a clock.
pub fn drift_words(seconds_per_day: f64) -> String {
    let verb = if seconds_per_day < 0.0 { "loses" } else { "gains" };
    format!("{verb} {:.1} s a day", seconds_per_day.abs())
}

/// Seconds a day.
fn rate(first: &ClockPoint, last: &ClockPoint) -> Option<f64> {
    let days = last.at.duration_since(first.at).as_secs_f64() / 86_400.0;
    let gained = last.offset_ms.checked_sub(first.offset_ms)? as f64 / 1000.0;
    (days > 0.0).then(|| gained / days)
}

/// Whether the clock was set between two measurements: it moved more than any drift, and more than
/// the seconds by which measuring may err.
fn was_set(before: &ClockPoint, after: &ClockPoint) -> bool {
    let days = after.at.duration_since(before.at).as_secs_f64().max(0.0) / 86_400.0;
    let gained = after.offset_ms.abs_diff(before.offset_ms) as f64 / 1000.0;
    gained > 4.0 + days * STEP_SECONDS_PER_DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> CameraHistory {
        CameraHistory::new("C1".parse().unwrap(), "1".parse().unwrap(), at(0))
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_772_366_400 + hours * 3600).unwrap()
    }

    #[test]
    fn drift_wants_a_day_and_begins_anew_when_the_clock_was_set() {
        let mut camera = history();
        let mut measure = |hours, offset_ms| {
            camera.measured(ClockPoint { at: at(hours), offset_ms });
            camera.drift_seconds_per_day()
        };
        assert_eq!(measure(0, 1000), None);
        assert_eq!(measure(8, 1900), None, "a clock told in seconds says nothing in a shift");
        assert_eq!(measure(48, 5000), Some(2.0));
        assert_eq!(measure(49, 5000), Some(4.0 / (49.0 / 24.0)), "close ones replace each other");
        assert_eq!(measure(72, -3_595_000), None, "somebody set it by an hour");
        assert_eq!(measure(168, -3_603_000), Some(-2.0));
        for day in 8..40 {
            measure(day * 24, -3_603_000 - (day - 7) * 2000);
        }
        assert_eq!(camera.clock.len(), CLOCK_POINTS_MAX);
        assert!((camera.drift_seconds_per_day().unwrap() + 2.0).abs() < 0.01);
    }

    #[test]
    fn captures_are_dated_by_the_docks_clock_and_absurd_ones_are_not_believed() {
        let mut camera = history();
        camera.captured(at(-30), Some(3_600_000));
        camera.captured(at(-10), None);
        camera.captured(at(-24 * 1000), None);
        camera.captured(at(48), None);
        assert_eq!(camera.last.first_recording_at, Some(at(-31)));
        assert_eq!(camera.last.late(), Some(SignedDuration::from_hours(10)));
        assert_eq!(camera.last.oldest_on_arrival(), Some(SignedDuration::from_hours(31)));
    }
}
