//! Which cameras are told, and how much of each.

use super::*;
use crate::{
    dock::{MemoryTable, fold},
    types::{
        Condition, Sha256Digest,
        fact::{ClockOffset, Entry, Fact, VERSION},
    },
};
use prometheus_client::encoding::text::encode;

pub fn at(day: i64, hour: i64) -> Timestamp {
    Timestamp::from_second(1_772_323_200 + (day * 24 + hour) * 3600).unwrap()
}

pub fn docked(table: &mut MemoryTable, camera: &str, at: Timestamp, condition: Condition, ms: i64) {
    let fact = Fact::CameraDocked {
        bay: "1".parse().unwrap(),
        camera: camera.parse().unwrap(),
        profile: "p".into(),
        model: Some("Body 2".into()),
        clock: Some(ClockOffset { camera_minus_dock_ms: ms, dock_synchronised: true }),
        clock_reading: None,
        condition,
        again: false,
    };
    let entry = Entry {
        prev: Sha256Digest([0; 32]),
        v: VERSION,
        seq: 1,
        at,
        dock: "d".parse().unwrap(),
        actor: "dock".parse().unwrap(),
        fact,
    };
    fold(&entry, table).unwrap();
}

fn text(cameras: &[KnownCamera]) -> String {
    let (mut sheet, mut text) = (Sheet::new(), String::new());
    tell(&mut sheet, cameras);
    encode(&mut text, sheet.registry()).unwrap();
    text
}

#[test]
fn what_a_camera_said_is_told_and_the_rest_is_absent() {
    let mut table = MemoryTable::default();
    let told = Condition {
        firmware: Some("2.1".into()),
        battery_percent: Some(43),
        storage_bytes: Some(1000),
        ..Condition::default()
    };
    docked(&mut table, "C1", at(0, 18), told, 0);
    docked(&mut table, "C1", at(2, 18), Condition::default(), 8_640);
    docked(&mut table, "C2", at(2, 18), Condition::default(), 0);
    let text = text(&known(&table, at(2, 19)).unwrap());
    for line in [
        "bwvdock_camera_info{camera=\"C1\",model=\"Body 2\",firmware=\"2.1\"} 1.0",
        "bwvdock_camera_storage_size_bytes{camera=\"C1\"} 1000.0",
        "bwvdock_camera_dockings_total{camera=\"C1\"} 1",
        "bwvdock_camera_hash_failures_total{camera=\"C2\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    let drift = text.lines().find_map(|line| {
        line.strip_prefix("bwvdock_camera_clock_drift_ratios{camera=\"C1\"} ")?.parse::<f64>().ok()
    });
    assert!((drift.unwrap() - 0.00005).abs() < 1e-9, "{drift:?}");
    for absent in [
        "storage_free_bytes{camera=\"C1\"}",
        "storage_size_bytes{camera=\"C2\"}",
        "clock_drift_ratios{camera=\"C2\"}",
        "battery_removed_ratios",
        "last_recording_timestamp_seconds",
    ] {
        assert!(!text.contains(&format!("bwvdock_camera_{absent}")), "{absent} is not known");
    }
}

#[test]
fn the_cameras_told_are_those_seen_last_and_never_too_many() {
    let mut table = MemoryTable::default();
    for n in 0..KNOWN_MAX as i64 + 40 {
        docked(&mut table, &format!("C{n:04}"), at(n / 10, n % 10), Condition::default(), 0);
    }
    docked(&mut table, "OLD", at(-100, 0), Condition::default(), 0);
    let cameras = known(&table, at(30, 0)).unwrap();
    assert_eq!(cameras.len(), KNOWN_MAX);
    let text = text(&cameras);
    assert!(!text.contains("OLD"));
    assert!(text.len() < 512 << 10, "{} bytes", text.len());
}
