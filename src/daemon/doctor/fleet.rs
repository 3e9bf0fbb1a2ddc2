//! What `doctor` says of the cameras this dock knows: late ones, and those that wear out.

use super::Finding;
use crate::{
    dock::{
        IndexBroken, View,
        history::{CameraHistory, drift_words},
    },
    metrics::{KnownCamera, known},
};
use jiff::{SignedDuration, Timestamp};

/// Cameras named one by one; the rest is counted.
const NAMED_MAX: usize = 8;
/// Drift beyond this, seconds a day, is no ordinary quartz.
const DRIFT_MAX: f64 = 5.0;
/// What was found longer ago is history: somebody has seen to it, or `cameras` still has it.
const LATELY: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Resets in one docking before a camera is worth a word.
const RESETS_MANY: u32 = 5;

/// `days` is within how many days of capture footage is to be here.
///
/// # Errors
/// [`IndexBroken`].
pub(super) fn findings(
    view: &dyn View,
    now: Timestamp,
    days: u32,
) -> Result<Vec<Finding>, IndexBroken> {
    let cameras = known(view, now)?;
    let mut found = Vec::new();
    for known in &cameras {
        found.extend(of_camera(known, now, days));
    }
    let more = found.len().saturating_sub(NAMED_MAX);
    found.truncate(NAMED_MAX);
    if more > 0 {
        let words = format!("and {more} more findings of cameras");
        found.push(Finding::bad("camera", words, "`bwvdock cameras` has them all"));
    }
    Ok(found)
}

fn of_camera(known: &KnownCamera, now: Timestamp, days: u32) -> Vec<Finding> {
    let KnownCamera { history, last_seen, .. } = known;
    let camera = &history.camera;
    let mut found = Vec::new();
    let mut tell = |words: String, next: &str| {
        found.push(Finding::bad(
            "camera",
            format!("{camera}: {words}"),
            next.replace("ID", camera.as_str()),
        ));
    };
    let limit = SignedDuration::from_hours(24 * i64::from(days));
    let away = now.duration_since(*last_seen);
    // What it recorded right after it was taken is the first to get too old.
    if away > limit * 3 / 4 {
        tell(
            format!(
                "not docked here for {} days; what it recorded since then is to be here within \
                 {days} days of capture",
                away.as_hours() / 24
            ),
            "find it, and dock it; if it is in another dock or out of service, all is well",
        );
    }
    if history.last.oldest_on_arrival().is_some_and(|age| age > limit) {
        tell(
            format!("its last docking brought footage older than {days} days"),
            "have it released from automatic deletion where it is needed; dock after each shift",
        );
    }
    for (words, next) in worn(history, now) {
        tell(words, next);
    }
    if let Some(drift) = known.clock_drift_seconds_per_day.filter(|d| d.abs() > DRIFT_MAX) {
        tell(
            format!("its clock {}", drift_words(drift)),
            "have its clock battery looked at; `set_clock = true` under [cameras] sets it at each \
             docking",
        );
    }
    found
}

fn worn(history: &CameraHistory, now: Timestamp) -> Vec<(String, &'static str)> {
    let lately = |at: Option<Timestamp>| at.is_some_and(|at| now.duration_since(at) < LATELY);
    let CameraHistory { unreadable_files, differing_reads, hash_failures, .. } = history;
    let mut found = Vec::new();
    let bad = unreadable_files + differing_reads + hash_failures;
    if bad > 0 && lately(history.last_failure_at) {
        found.push((
            format!(
                "{hash_failures} files failed their hash, {unreadable_files} could not be read to \
                 the end, {differing_reads} read differently twice"
            ),
            "its storage may be wearing out: take it out of service and have it looked at; \
             `bwvdock segments --camera ID --unsound` lists the files",
        ));
    }
    let resets = history.last.usb_resets;
    if resets >= RESETS_MANY {
        found.push((
            format!("it came back by itself {resets} times in its last docking"),
            "clean its contacts, try another bay and cable",
        ));
    }
    let fault = history.last_battery_fault.as_ref();
    if let Some(fault) = fault.filter(|_| lately(history.last_battery_fault_at)) {
        found.push((
            format!("its battery was found not right, last: {}", fault.replace('_', " ")),
            "have its battery replaced; `bwvdock cameras ID` has its charges",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn camera(more: serde_json::Value) -> KnownCamera {
        let mut known = json!({
            "last_seen": "2026-03-01T12:00:00Z", "camera": "C1", "dockings": 9,
            "last": {"bay": "1", "docked_at": "2026-03-01T08:00:00Z"},
        });
        if let (Some(known), Some(more)) = (known.as_object_mut(), more.as_object()) {
            known.extend(more.clone());
        }
        serde_json::from_value(known).unwrap()
    }

    fn words(more: serde_json::Value, now: &str) -> Vec<String> {
        let found = of_camera(&camera(more), now.parse().unwrap(), 31);
        assert!(found.iter().all(|finding| finding.next.is_some() && !finding.fine));
        found.into_iter().map(|finding| finding.words).collect()
    }

    #[test]
    fn a_camera_is_named_when_it_is_late_or_wears_out_and_not_for_ever() {
        const SOON: &str = "2026-03-02T12:00:00Z";
        assert_eq!(words(json!({}), SOON), Vec::<String>::new());
        let late = words(json!({}), "2026-03-26T12:00:00Z");
        assert!(late[0].starts_with("C1: not docked here for 25 days"), "{late:?}");
        let old = json!({"last": {
            "bay": "1", "docked_at": "2026-03-01T08:00:00Z", "usb_resets": 6,
            "first_recording_at": "2026-01-20T08:00:00Z",
        }});
        let old = words(old, SOON);
        assert_eq!(old.len(), 2, "{old:?}");
        assert!(old[0].contains("older than 31 days") && old[1].contains("6 times"), "{old:?}");
        let worn = json!({
            "hash_failures": 2, "unreadable_files": 1, "last_failure_at": "2026-03-01T09:00:00Z",
            "last_battery_fault": "never_full", "last_battery_fault_at": "2026-03-01T09:00:00Z",
            "clock_drift_seconds_per_day": -7.25,
        });
        let found = words(worn.clone(), SOON);
        assert_eq!(
            found,
            [
                "C1: 2 files failed their hash, 1 could not be read to the end, 0 read \
                 differently twice",
                "C1: its battery was found not right, last: never full",
                "C1: its clock loses 7.2 s a day",
            ]
        );
        let mut later = worn;
        later["last_seen"] = json!("2026-04-20T12:00:00Z");
        assert_eq!(words(later, "2026-04-21T12:00:00Z").len(), 1, "only the clock is still so");
    }
}
