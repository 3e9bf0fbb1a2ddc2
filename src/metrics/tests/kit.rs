//! The fleet kit in `config/`: it asks only for what a dock tells.

use super::*;
use crate::types::ReceiptLevel;
use regex::Regex;
use serde_json::Value;
use std::fs;

fn read(path: &str) -> String {
    let path = format!("{}/config/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A dock that knows everything that can be known.
fn all_known() -> Vitals {
    let mut vitals = vitals(2);
    vitals.board = Board {
        temperatures: vec![Sensor { name: "cpu-thermal0".into(), celsius: 50.0 }],
        under_voltage: Some(false),
        throttled: Some(false),
    };
    vitals.disk_free = Some(500);
    vitals.store_checks_sha256 = Some(true);
    vitals.receipt_level = Some(ReceiptLevel::Sha256PerPart);
    vitals.push = Some(PushVitals {
        last_success: Some("2026-03-01T12:00:00Z".parse().unwrap()),
        ..PushVitals::default()
    });
    vitals
}

/// The names of all series a dock can tell, and of those that Prometheus records.
fn known() -> BTreeSet<String> {
    let text = exposition(&all_known(), Format::OpenMetrics);
    let told = series(&text).into_iter().map(|line| line.split(['{', ' ']).next().unwrap());
    let rules = read("prometheus/bwvdock-rules.yml");
    let recorded = rules.lines().filter_map(|line| line.trim().strip_prefix("- record: "));
    told.chain(recorded).chain(PENDING.iter().copied()).map(str::to_owned).collect()
}

/// Told by docks that know more than this one.
const PENDING: &[&str] = &[
    "bwvdock_camera_last_recording_timestamp_seconds",
    "bwvdock_certificate_expiry_timestamp_seconds",
];

fn names(expression: &str) -> Vec<String> {
    let name = Regex::new("(?:[a-z]+:)?bwvdock_[a-z0-9_:]+").unwrap();
    name.find_iter(expression).map(|found| found.as_str().to_owned()).collect()
}

#[test]
fn rules_and_alerts_ask_only_for_what_there_is() {
    let known = known();
    for file in ["prometheus/bwvdock-rules.yml", "prometheus/bwvdock-alerts.yml"] {
        let text = read(file);
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let asked: Vec<_> = lines.flat_map(names).collect();
        assert!(asked.len() > 10, "{file}");
        for name in asked {
            assert!(known.contains(&name), "{file}: no dock tells {name}");
        }
    }
}

#[test]
fn what_is_told_elsewhere_is_not_told_here() {
    let text = exposition(&all_known(), Format::OpenMetrics);
    for name in PENDING {
        assert!(!text.contains(name), "{name} is told now: it is pending no more");
    }
}

fn array<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key} in {value}"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn dashboards_are_whole_and_ask_only_for_what_there_is() {
    let known = known();
    let mut uids = BTreeSet::new();
    for file in ["fleet", "station", "camera"] {
        let board: Value = serde_json::from_str(&read(&format!("grafana/{file}.json"))).unwrap();
        assert!(uids.insert(board["uid"].as_str().unwrap().to_owned()), "{file}");
        assert!(board["title"].as_str().is_some_and(|title| !title.is_empty()));
        assert!(number(&board["schemaVersion"]) >= 38);
        assert!(board["id"].is_null(), "{file}: an id belongs to one Grafana");
        let variables: Vec<_> = array(&board["templating"], "list")
            .iter()
            .map(|variable| variable["name"].as_str().unwrap())
            .collect();
        assert!(variables.contains(&"datasource"));
        let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
        for panel in array(&board, "panels") {
            panel_is_whole(file, panel, &known, &variables);
            assert!(ids.insert(number(&panel["id"])), "{file}: two panels of one id");
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| number(&panel["gridPos"][key]));
            assert!(w > 0 && h > 0 && x + w <= 24, "{file}: {panel}");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(cells.insert(cell), "{file}: panels lie over each other at {cell:?}");
            }
        }
        assert!(ids.len() >= 10, "{file}");
    }
}

fn panel_is_whole(file: &str, panel: &Value, known: &BTreeSet<String>, variables: &[&str]) {
    const TYPES: [&str; 4] = ["stat", "table", "timeseries", "state-timeline"];
    let at = format!("{file}: {}", panel["title"]);
    assert!(TYPES.contains(&panel["type"].as_str().unwrap()), "{at}");
    for text in ["title", "description"] {
        assert!(panel[text].as_str().is_some_and(|text| !text.is_empty()), "{at}: no {text}");
    }
    assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{at}: no unit");
    let targets = array(panel, "targets");
    assert!(!targets.is_empty(), "{at}");
    let used = Regex::new(r"\$\{?([a-z_]+)").unwrap();
    for target in targets {
        assert_eq!(target["datasource"]["uid"], "${datasource}", "{at}");
        let expression = target["expr"].as_str().unwrap();
        let asked = names(expression);
        assert!(!asked.is_empty() || expression.contains("ALERTS"), "{at}: {expression}");
        for name in asked {
            assert!(known.contains(&name), "{at}: no dock tells {name}");
        }
        for variable in used.captures_iter(expression) {
            assert!(variables.contains(&&variable[1]), "{at}: no variable {}", &variable[1]);
        }
    }
}
