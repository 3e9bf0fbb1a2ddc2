//! Cameras this dock knows, docked or not: a bounded list, so that the last word of a camera that
//! does not come any more still stands in the figures.

use super::{
    sheet::{Labels, Sheet},
    text::unix,
};
use crate::dock::{
    IndexBroken, Records as _, View,
    history::CameraHistory,
    state::{CameraState, key},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Cameras told at most: those seen last.
pub const KNOWN_MAX: usize = 256;
/// Records looked through for them at most.
const LOOKED_AT_MAX: usize = 4096;
/// A camera not seen for longer has gone elsewhere: twice the 31 days within which its footage was
/// to be here.
const GONE_AFTER: SignedDuration = SignedDuration::from_hours(62 * 24);

/// One camera, as far as figures tell of it. What it never said is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownCamera {
    pub last_seen: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_drift_seconds_per_day: Option<f64>,
    #[serde(flatten)]
    pub history: CameraHistory,
}

/// The cameras seen last, by their ids.
///
/// # Errors
/// [`IndexBroken`].
pub fn known(view: &dyn View, now: Timestamp) -> Result<Vec<KnownCamera>, IndexBroken> {
    let states = view.list::<CameraState>(key::CAMERAS, b"", LOOKED_AT_MAX)?;
    let docked: BTreeMap<_, _> = states.into_iter().map(|c| (c.id, c.docked)).collect();
    let histories = view.list::<CameraHistory>(key::HISTORIES, b"", LOOKED_AT_MAX)?;
    let mut found: Vec<_> = histories
        .into_iter()
        .map(|history| KnownCamera {
            last_seen: history.last_seen(docked.get(&history.camera) == Some(&true), now),
            clock_drift_seconds_per_day: history.drift_seconds_per_day(),
            history,
        })
        .filter(|known| now.duration_since(known.last_seen) < GONE_AFTER)
        .collect();
    found.sort_by_key(|known| std::cmp::Reverse(known.last_seen));
    found.truncate(KNOWN_MAX);
    found.sort_by(|one, other| one.history.camera.cmp(&other.history.camera));
    Ok(found)
}

fn of(known: &KnownCamera) -> Labels {
    vec![("camera", known.history.camera.to_string())]
}

fn share(percent: u8) -> f64 {
    f64::from(percent) / 100.0
}

/// A figure of each camera, as far as it is known.
type Of<T> = fn(&KnownCamera) -> Option<T>;

pub fn tell(sheet: &mut Sheet, cameras: &[KnownCamera]) {
    use prometheus_client::registry::Unit::{Bytes, Ratios, Seconds};
    let info = |known: &KnownCamera| {
        let mut labels = of(known);
        let told = [("model", &known.history.model), ("firmware", &known.history.firmware)];
        labels.extend(told.map(|(name, said)| (name, said.clone().unwrap_or_default())));
        (labels, 1.0)
    };
    sheet.gauge("camera_info", "What a camera is", None, cameras.iter().map(info));
    let gauges: [(&str, &str, _, Of<f64>); 8] = [
        ("camera_last_seen_timestamp", "When it was docked last", Seconds, |k| {
            Some(unix(k.last_seen))
        }),
        (
            "camera_last_recording_timestamp",
            "When the newest recording was made that came to this dock",
            Seconds,
            |k| k.history.last_recording_at.map(unix),
        ),
        ("camera_docked_late", "From its last recording to its last docking", Seconds, |k| {
            k.history.last.late().map(|late| late.as_secs_f64())
        }),
        ("camera_storage_size", "Size of its storage", Bytes, |k| {
            k.history.storage_bytes.map(|n| n as f64)
        }),
        ("camera_storage_free", "Free on it when it was docked last", Bytes, |k| {
            k.history.storage_free_bytes.map(|n| n as f64)
        }),
        (
            "camera_clock_drift",
            "Seconds its clock gains a second, measured over a day or more",
            Ratios,
            |k| k.clock_drift_seconds_per_day.map(|drift| drift / 86_400.0),
        ),
        (
            "camera_battery_docked",
            "How full its battery was when it was docked last",
            Ratios,
            |k| k.history.last.battery_docked_percent.map(share),
        ),
        ("camera_battery_removed", "How full its battery was when it was taken", Ratios, |k| {
            k.history.last.battery_removed_percent.map(share)
        }),
    ];
    for (name, words, unit, of_camera) in gauges {
        let rows = cameras.iter().filter_map(|known| Some((of(known), of_camera(known)?)));
        sheet.gauge(name, words, Some(unit), rows);
    }
    let counters: [(&str, &str, Of<u64>); 6] = [
        ("camera_dockings", "Times it was docked", |k| Some(k.history.dockings)),
        ("camera_hash_failures", "Its files whose bytes were not those its hash said", |k| {
            Some(k.history.hash_failures)
        }),
        ("camera_unreadable_files", "Its files that could not be read to their end", |k| {
            Some(k.history.unreadable_files)
        }),
        ("camera_differing_reads", "Its second reads that gave other bytes", |k| {
            Some(k.history.differing_reads)
        }),
        ("camera_usb_resets", "Times it came back by itself", |k| Some(k.history.usb_resets)),
        ("camera_battery_faults", "Times its battery was found not right", |k| {
            Some(k.history.battery_faults)
        }),
    ];
    for (name, words, of_camera) in counters {
        let rows = cameras.iter().filter_map(|known| Some((of(known), of_camera(known)?)));
        sheet.counter(name, words, None, rows);
    }
}

#[cfg(test)]
pub(super) mod tests;
