//! What is said of a camera that tells everything, and of one that tells nothing.

use super::*;
use serde_json::json;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const NOW: &str = "2026-03-10T12:00:00Z";

fn row(history: serde_json::Value) -> CameraRow {
    let mut row = json!({
        "camera": "BWC-0001", "model": "Body 2, \"pro\"", "profile": "bwv-manifest",
        "docked": false, "bay": "3", "first_docked": "2026-01-01T08:00:00Z",
        "last_docked": "2026-03-09T18:00:00Z", "last_seen": "2026-03-10T06:00:00Z",
        "recordings": 214, "gaps": 1, "open_concerns": 2,
    });
    if !history.is_null() {
        row["clock_offset_ms"] = json!(-4200);
        row["clock_drift_seconds_per_day"] = json!(-1.5);
        row["history"] = history;
        row["past"] = json!([{
            "bay": "2", "docked_at": "2026-03-08T18:00:00Z", "removed_at": "2026-03-09T06:00:00Z",
            "battery_docked_percent": 31, "battery_removed_percent": 100,
            "percent_per_hour": 24.7, "clock_offset_ms": -2700,
        }]);
    }
    serde_json::from_value(row).unwrap()
}

fn told() -> CameraRow {
    row(json!({
        "camera": "BWC-0001", "dockings": 61, "serial": "=HYPERLINK(1)", "firmware": "2.1",
        "firmware_before": "2.0", "firmware_changed_at": "2026-02-01T08:00:00Z",
        "storage_bytes": 64_000_000_000_u64, "storage_free_bytes": 16_000_000_000_u64,
        "clock": [
            {"at": "2026-03-05T18:00:00Z", "offset_ms": 1800},
            {"at": "2026-03-09T18:00:00Z", "offset_ms": -4200},
        ],
        "last_recording_at": "2026-03-08T12:00:00Z", "hash_failures": 1, "unreadable_files": 0,
        "differing_reads": 0, "usb_resets": 3, "battery_faults": 0,
        "last": {
            "bay": "3", "docked_at": "2026-03-09T18:00:00Z", "removed_at": "2026-03-10T06:00:00Z",
            "battery_docked_percent": 12, "battery_removed_percent": 97,
            "percent_per_hour": 25.5, "clock_offset_ms": -4200,
            "first_recording_at": "2026-03-08T08:00:00Z",
            "last_recording_at": "2026-03-08T12:00:00Z", "usb_resets": 1,
        },
    }))
}

#[test]
fn one_camera_is_told_whole() {
    let words = one(&told(), at(NOW));
    for line in [
        "Where       was in bay 3, last seen 2026-03-10 06:00Z",
        "Known       since 2026-01-01 08:00Z, docked 61 times",
        "Battery     12 % when docked; 97 % when taken; charges 26 % an hour",
        "Storage     44.7 GiB of 59.6 GiB used, 14.9 GiB free when docked",
        "Firmware    2.1; until 2026-02-01 08:00Z it was 2.0",
        "Clock       -4.2 s from the dock's when docked; loses 1.5 s a day, measured over 4 d 0 h",
        "Faults      1 hash failure; 3 USB resets",
    ] {
        assert!(words.lines().any(|found| found == line), "no {line:?} in\n{words}");
    }
    assert!(words.contains("docked 1 d 6 h after it"), "{words}");
    assert!(words.contains("the oldest it brought was 1 d 10 h old"), "{words}");
    assert!(words.contains("31 to 100 %"), "{words}");
}

#[test]
fn what_a_camera_does_not_say_is_never_zero() {
    let silent = row(serde_json::Value::Null);
    let words = one(&silent, at(NOW));
    assert!(!words.contains(" 0 ") && !words.contains("+0."), "{words}");
    let line = csv(&[silent]).lines().nth(1).unwrap().to_owned();
    assert!(line.contains("2026-03-10T06:00:00Z,,,,"), "{line}");
    assert!(list(&[row(serde_json::Value::Null)], at(NOW)).contains("6 h ago"));
    let bare = row(json!({
        "camera": "BWC-0001", "dockings": 1,
        "last": {"bay": "3", "docked_at": "2026-03-09T18:00:00Z"},
    }));
    let words = one(&bare, at(NOW));
    assert!(words.contains("Battery     it does not say"), "{words}");
    assert!(words.contains("Storage     it does not say"), "{words}");
}

#[test]
fn the_register_has_as_many_cells_as_columns_and_no_formula() {
    let text = csv(&[told()]);
    assert!(text.ends_with("\r\n") && text.starts_with("camera,model,profile,docked,bay,"));
    assert!(text.contains("BWC-0001,\"Body 2, \"\"pro\"\"\",bwv-manifest,false,3,"), "{text}");
    assert!(text.contains(",'=HYPERLINK(1),2.1,2.0,2026-02-01T08:00:00Z,12,97,25.5,0,,"), "{text}");
    assert!(text.contains(",-1.500,2026-03-08T12:00:00Z,30,34,1,0,0,3\r\n"), "{text}");
    // No field but the model has a comma in it.
    let cells = text.lines().nth(1).unwrap().split(',').count() - 1;
    assert_eq!(cells, COLUMNS.len());
}

#[test]
fn a_field_is_quoted_and_never_a_formula() {
    for (text, expected) in [
        ("BWC-0001", "BWC-0001"),
        ("Body 2, \"pro\"", "\"Body 2, \"\"pro\"\"\""),
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("  +1", "'  +1"),
        ("＝1", "'＝1"),
        ("@a\r\nb", "'@ab"),
        ("a;b", "\"a;b\""),
        ("", ""),
    ] {
        assert_eq!(field(text), expected);
    }
}

#[test]
fn spans_are_told_in_two_units() {
    for (minutes, expected) in [(0, "0 min"), (61, "1 h 1 min"), (26 * 60, "1 d 2 h")] {
        assert_eq!(span(SignedDuration::from_mins(minutes)), expected);
    }
}

#[test]
fn the_list_has_a_remark_where_one_is_due() {
    let words = list(&[told()], at(NOW));
    let line = words.lines().nth(1).unwrap();
    assert!(line.contains("97 %") && line.contains("-4.2 s"), "{line}");
    assert!(line.contains("2 to look at: `bwvdock why BWC-0001`"), "{line}");
    assert!(line.contains("docked 1 d 6 h after its last recording"), "{line}");
}
