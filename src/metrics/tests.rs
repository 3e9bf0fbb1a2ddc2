//! What is told of a large dock, and what is never told.

mod kit;

use super::*;
use serde_json::json;
use std::{collections::BTreeSet, time::Instant};

/// A dock of `bays` bays, a camera in each.
fn vitals(bays: usize) -> Vitals {
    let amount = json!({"count": 3, "bytes": 300});
    let amounts = json!({"evidential": amount, "quarantine": amount, "unreviewed": amount});
    let charge = json!({
        "state": "charging", "fitness": "not_yet", "percent": 43, "celsius": 21, "powered": true,
        "switchable": true, "ready_at": "2026-03-01T12:30:00Z", "percent_per_hour": 25.0,
        "words": "charging", "lacks": "battery 43 %, a shift needs 80 %",
    });
    let bay = |n: usize| {
        json!({
            "bay": n.to_string(), "light": "amber", "words": "Officer PC4711 of no concern",
            "camera": format!("BWC-{n:04}"), "files": 7, "bytes": 700, "to_copy": amount,
            "to_store": amount, "charge": charge,
        })
    };
    let status = json!({
        "dock": "dock-1", "at": "2026-03-01T12:00:00Z",
        "bays": (0..bays).map(bay).collect::<Vec<_>>(),
        "recordings": 9, "segments": [], "to_copy": amounts, "queue": amounts, "stored": amount,
        "receipts": 3, "unfinished": 0, "undescribed": 0, "verified": 1, "matched": 1,
        "unverified": 1, "mismatched": 0, "partial": 0, "unreadable": 0, "gaps": 1,
        "parts_acknowledged": 4, "uploads": [], "spool_used": 10, "spool_max": 100,
        "copy_rate": 1000, "upload_rate": 500, "evidential_safe_at": "2026-03-01T13:00:00Z",
        "problems": ["PC4711 said \"no\""], "custody_seq": 77, "custody_head": "ab",
    });
    let of_bay = |n: usize| {
        let vitals = BayVitals {
            usb_arrivals: Some(4),
            usb_resets: Some(2),
            clock_offset_ms: Some(-1500),
            gaps: Some(1),
        };
        (n.to_string().parse().unwrap(), vitals)
    };
    Vitals {
        version: "0.1.0".into(),
        status: serde_json::from_value(status).unwrap(),
        totals: Default::default(),
        bays: (0..bays).map(of_bay).collect(),
        oldest: [(crate::types::Class::Evidential, "2026-03-01T11:00:00Z".parse().unwrap())].into(),
        board: Board::default(),
        disk_free: None,
        disk_size: Some(1000),
        clock_synchronised: true,
        custody_damaged: false,
        store_waits: false,
        receipt_level: Some(crate::types::ReceiptLevel::ReadBack),
        store_checks_sha256: None,
        store_clock_offset_ms: 250,
        usb_bus_losses: 0,
        push: None,
    }
}

fn series(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn figures_have_units_and_what_is_not_known_is_absent() {
    let text = exposition(&vitals(2), Format::OpenMetrics);
    for line in [
        "bwvdock_queue_oldest_seconds{class=\"evidential\"} 3600.0",
        "bwvdock_queue_bytes{class=\"unreviewed\"} 300.0",
        "bwvdock_camera_battery_ratios{bay=\"1\",camera=\"BWC-0001\"} 0.43",
        "bwvdock_camera_fit{bay=\"0\",camera=\"BWC-0000\"} 0.0",
        "bwvdock_camera_clock_offset_seconds{bay=\"0\",camera=\"BWC-0000\"} -1.5",
        "bwvdock_bay_charge_state{bay=\"0\",state=\"charging\"} 1.0",
        "bwvdock_bay_charge_state{bay=\"0\",state=\"faulty\"} 0.0",
        "bwvdock_bay_light{bay=\"1\",light=\"amber\"} 1.0",
        "bwvdock_bay_usb_resets_total{bay=\"1\"} 2",
        "bwvdock_custody_lines_total 77",
        "bwvdock_disk_size_bytes 1000.0",
        "bwvdock_receipt_level 2.0",
        "bwvdock_safe_timestamp_seconds{footage=\"evidential\"} 1772370000.0",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    for absent in
        ["disk_free", "temperature_celsius", "under_voltage", "throttled", "store_checks_sha256"]
    {
        let name = format!("bwvdock_{absent}");
        assert!(!text.lines().any(|line| line.starts_with(&name)), "{absent} is not known");
    }
    assert!(!text.contains("footage=\"all\""), "nobody knows when");
    assert!(!text.contains("class=\"quarantine\"} 3600"));
}

#[test]
fn no_word_of_people_gets_out() {
    for format in [Format::Text, Format::OpenMetrics] {
        let text = exposition(&vitals(3), format);
        assert!(!text.contains("PC4711") && !text.contains("Officer"));
    }
}

#[test]
fn the_older_format_names_counters_by_their_series() {
    let text = exposition(&vitals(1), Format::Text);
    assert!(text.contains("# TYPE bwvdock_recordings_total counter\n"), "{text}");
    assert!(text.contains("# HELP bwvdock_recordings_total Recordings seen.\n"));
    assert!(!text.contains("# UNIT") && !text.contains("# EOF"));
    let typed: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    for line in series(&text) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(typed.contains(name), "{name} has no type");
    }
}

#[test]
fn a_dock_of_forty_bays_is_told_quickly_and_in_bounds() {
    let vitals = vitals(40);
    let began = Instant::now();
    let text = exposition(&vitals, Format::Text);
    let took = began.elapsed();
    assert!(text.len() < 256 << 10, "{} bytes", text.len());
    let series = series(&text);
    assert!(series.len() < 60 + 40 * 32, "{} series", series.len());
    // The figure is for a release build; unoptimised and on a busy machine it only must not hang.
    assert!(took.as_millis() < 2000, "{took:?}");
    let all: BTreeSet<_> = series.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(all.len(), series.len(), "no series twice");
}

/// What the manual says of `buffer_bytes_max`.
#[test]
fn an_outage_of_six_hours_fits_into_the_buffer() {
    let url = "http://127.0.0.1:9/api/v1/write".parse().unwrap();
    let config = crate::config::Push { url: Some(url), ..crate::config::Push::default() };
    let dock = "station-7-dock-2".parse().unwrap();
    for (bays, bytes_max) in [(8, 4 << 20), (40, config.buffer_bytes_max)] {
        let push = Push::new(&config, &dock, push::Access::default()).unwrap();
        let text = exposition(&vitals(bays), Format::OpenMetrics);
        push.take_in(&text, jiff::Timestamp::now(), std::time::Duration::ZERO);
        let bytes = push.vitals().buffered_bytes;
        let moments = 6 * 3600 / config.interval_seconds;
        println!("{bays} bays: {bytes} bytes a moment, {} in 6 hours", moments * bytes);
        assert!(moments * bytes < bytes_max, "{bays} bays: {bytes} bytes a moment");
    }
}
