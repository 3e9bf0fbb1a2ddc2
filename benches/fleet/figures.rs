//! What a dock tells Prometheus, by the real code, at one moment of its simulated day.

use crate::{
    footage::share,
    station::{Station, at, bay},
};
use bwvdock::{
    dock::{
        Records as _,
        report::{self, Now},
    },
    metrics::{Format, Vitals, exposition},
    transfer::Random,
    types::Class,
};
use serde_json::json;
use std::{collections::BTreeMap, fmt::Write as _, ops::ControlFlow};

/// Everything a dock tells. Of what no simulation of footage has (charge, temperature, disk) there
/// are values that change as real ones do, so that nothing compresses better than it would.
pub fn vitals(station: &Station, ms: i64) -> Vitals {
    let mut random = Random::new(ms as u64);
    let mut noise = |around: f64, spread: f64| around + spread * (share(&mut random) - 0.5);
    let docked = |number: usize| (station.cameras[number].arrives <= ms).then_some(number);
    let mut now = Now {
        copy_rate: noise(6e7, 2e7).round(),
        upload_rate: noise(1e7, 2e6).round(),
        spool_used: station.spool,
        spool_max: 1 << 42,
        ..Now::default()
    };
    let mut bays = BTreeMap::new();
    for number in (0..station.cameras.len()).filter_map(docked) {
        let percent = (20 + (ms - station.cameras[number].arrives) / 180_000).min(100);
        let full = percent == 100;
        let charge = json!({
            "state": if full { "full" } else { "charging" },
            "fitness": if percent >= 80 { "fit" } else { "not_yet" },
            "percent": percent, "celsius": noise(27.0, 4.0) as i16, "powered": !full,
            "switchable": true, "words": "charging",
            "ready_at": at(station.cameras[number].arrives + 60 * 180_000),
        });
        let charge = serde_json::from_value(charge).expect("a report of a charge");
        now.charge.insert(bay(number), charge);
        let own = json!({
            "usb_arrivals": 3, "usb_resets": 0, "clock_offset_ms": 12 * number, "gaps": 0,
        });
        bays.insert(bay(number).to_string(), own);
    }
    let head = (1, bwvdock::types::Sha256Digest([0; 32]));
    let status = report::status(&station.dock, &now, head, at(ms), &station.table);
    let status = status.expect("a table in memory");
    let mut oldest = BTreeMap::new();
    for class in [Class::Evidential, Class::Quarantine, Class::Unreviewed] {
        let first = station.table.queue(class, &mut |row| {
            oldest.insert(class, row.sealed_at);
            ControlFlow::Break(())
        });
        first.expect("a table in memory");
    }
    let vitals = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "status": status,
        "totals": station.table.totals().expect("a table in memory"),
        "bays": bays,
        "oldest": oldest,
        "board": {
            "temperatures": [{ "name": "cpu-thermal0", "celsius": noise(55.0, 3.0).round() }],
            "under_voltage": false, "throttled": false,
        },
        "disk_free": (1u64 << 41) - station.spool, "disk_size": 1u64 << 42,
        "clock_synchronised": true, "custody_damaged": false, "store_waits": false,
        "store_checks_sha256": true, "store_clock_offset_ms": 0, "usb_bus_losses": 0,
    });
    serde_json::from_value(vitals).expect("the vitals of a dock")
}

/// The exposition as Prometheus would fetch it, in both formats.
pub fn scrape(station: &Station, ms: i64) -> [String; 2] {
    let vitals = vitals(station, ms);
    [Format::OpenMetrics, Format::Text].map(|format| exposition(&vitals, format))
}

pub fn series(text: &str) -> u64 {
    text.lines().filter(|line| !line.starts_with('#')).count() as u64
}

/// The same lines as `promtool tsdb create-blocks-from openmetrics` takes them: with the labels a
/// scrape adds, and its time.
pub fn dated(out: &mut String, text: &str, dock: &str, ms: i64) {
    let seconds = at(ms).as_second();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let added = format!("instance=\"{dock}.example:9947\",job=\"bwvdock\"");
        let name = match name.split_once('{') {
            Some((name, labels)) => format!("{name}{{{added},{labels}"),
            None => format!("{name}{{{added}}}"),
        };
        writeln!(out, "{name} {value} {seconds}").expect("a String takes all text");
    }
}
