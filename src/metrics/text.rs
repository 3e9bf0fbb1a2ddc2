//! The vitals as figures for Prometheus: names, units and labels.

use super::{
    Vitals,
    sheet::{Labels, Sheet},
};
use crate::{
    charging::{Fitness, Report, State},
    dock::{
        Stage,
        report::{BayReport, ClassAmounts, Light},
        state::Amount,
    },
    types::ReceiptLevel,
};
use jiff::Timestamp;
use prometheus_client::{encoding::text::encode, registry::Unit};

/// How the text is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Everything, written out.
pub fn exposition(vitals: &Vitals, format: Format) -> String {
    let mut sheet = Sheet::new();
    dock(&mut sheet, vitals);
    queues(&mut sheet, vitals);
    history(&mut sheet, vitals);
    board(&mut sheet, vitals);
    bays(&mut sheet, vitals);
    cameras(&mut sheet, vitals);
    if let Some(push) = &vitals.push {
        push.tell(&mut sheet);
    }
    let mut text = String::new();
    encode(&mut text, sheet.registry()).expect("a String takes all text");
    match format {
        Format::OpenMetrics => text,
        Format::Text => older(&text),
    }
}

/// OpenMetrics as text format 0.0.4: there a counter's family has the name of its series, and
/// lines with units and the end are unknown.
fn older(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let lines: Vec<&str> = text.lines().collect();
    let counter = |name: &str| lines.contains(&format!("# TYPE {name} counter").as_str());
    for line in &lines {
        let words: Vec<_> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "UNIT", ..] | ["#", "EOF"] => continue,
            ["#", kind, name, rest] if counter(name) => {
                out.push_str(&format!("# {kind} {name}_total {rest}"));
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// One row without labels.
pub(super) fn one(value: f64) -> [(Labels, f64); 1] {
    [(Labels::new(), value)]
}

pub(super) fn maybe(value: Option<f64>) -> Option<(Labels, f64)> {
    value.map(|value| (Labels::new(), value))
}

pub(super) fn total(value: u64) -> [(Labels, u64); 1] {
    [(Labels::new(), value)]
}

pub(super) fn unix(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

fn strength(level: ReceiptLevel) -> f64 {
    match level {
        ReceiptLevel::SizeOnly => 0.0,
        ReceiptLevel::Md5PerPart => 1.0,
        ReceiptLevel::ReadBack => 2.0,
        ReceiptLevel::Sha256PerPart => 3.0,
    }
}

fn dock(sheet: &mut Sheet, v: &Vitals) {
    let s = &v.status;
    let build = vec![("version", v.version.clone()), ("dock", s.dock.to_string())];
    sheet.gauge("build_info", "The dock and its program", None, [(build, 1.0)]);
    let words = "Whether the dock is paused";
    sheet.gauge("paused", words, None, one(flag(s.paused.is_some())));
    let words = "What status tells people to look at";
    sheet.gauge("problems", words, None, one(s.problems.len() as f64));
    let words = "Whether the kernel says that the clock is synchronised";
    sheet.gauge("clock_synchronised", words, None, one(flag(v.clock_synchronised)));
    let words = "Whether lines of the custody log are missing or changed: nothing is released";
    sheet.gauge("custody_damaged", words, None, one(flag(v.custody_damaged)));
    sheet.counter("custody_lines", "Lines of the custody log", None, total(s.custody_seq));
    let words = "Whether the store as a whole is unwell, from a failure to the next success";
    sheet.gauge("store_waiting", words, None, one(flag(v.store_waits)));
    let words = "Whether the store was seen to check SHA-256; absent until it was asked";
    sheet.gauge("store_checks_sha256", words, None, maybe(v.store_checks_sha256.map(flag)));
    let words = "What the newest receipt since the start proves: 0 a size, 1 MD5 of the parts, \
                 2 read back, 3 SHA-256 of the parts";
    sheet.gauge("receipt_level", words, None, maybe(v.receipt_level.map(strength)));
    let words = "Clock of the store minus clock of the dock";
    let seconds = v.store_clock_offset_ms as f64 / 1000.0;
    sheet.gauge("store_clock_offset", words, Some(Unit::Seconds), one(seconds));
    let words = "Smoothed rate while cameras are read";
    sheet.gauge("copy_rate_bytes_per_second", words, None, one(s.copy_rate as f64));
    let words = "Smoothed rate while the store is sent to";
    sheet.gauge("upload_rate_bytes_per_second", words, None, one(s.upload_rate as f64));
    sheet.gauge("spool_used", "Spool in use", Some(Unit::Bytes), one(s.spool_used as f64));
    sheet.gauge(
        "spool_limit",
        "What the spool may use",
        Some(Unit::Bytes),
        one(s.spool_max as f64),
    );
    let words = "Free space for the dock's state";
    sheet.gauge("disk_free", words, Some(Unit::Bytes), maybe(v.disk_free.map(|n| n as f64)));
    let words = "Size of the file system with the dock's state";
    sheet.gauge("disk_size", words, Some(Unit::Bytes), maybe(v.disk_size.map(|n| n as f64)));
    let words = "When everything known will be in the store, as far as can be said";
    let safe = [("evidential", s.evidential_safe_at), ("all", s.all_safe_at)];
    let rows = safe
        .into_iter()
        .filter_map(|(what, at)| Some((vec![("footage", what.to_owned())], unix(at?))));
    sheet.gauge("safe_timestamp", words, Some(Unit::Seconds), rows);
}

/// A row for each class.
fn by_class(amounts: &ClassAmounts, of: fn(&Amount) -> u64) -> Vec<(Labels, f64)> {
    let classes = [
        ("evidential", &amounts.evidential),
        ("quarantine", &amounts.quarantine),
        ("unreviewed", &amounts.unreviewed),
    ];
    let row =
        |(class, amount): (&str, &Amount)| (vec![("class", class.to_owned())], of(amount) as f64);
    classes.into_iter().map(row).collect()
}

fn queues(sheet: &mut Sheet, v: &Vitals) {
    let s = &v.status;
    let rows = by_class(&s.queue, |amount| amount.count);
    sheet.gauge("queue_objects", "Sealed objects that wait for the store", None, rows);
    let rows = by_class(&s.queue, |amount| amount.bytes);
    sheet.gauge("queue", "Sealed bytes that wait for the store", Some(Unit::Bytes), rows);
    let rows = v.oldest.iter().map(|(class, since)| {
        let waited = s.at.duration_since(*since).as_secs_f64().max(0.0);
        (vec![("class", class.to_string())], waited)
    });
    let words = "How long the oldest object waits for the store; absent where none waits";
    sheet.gauge("queue_oldest", words, Some(Unit::Seconds), rows);
    let rows = by_class(&s.to_copy, |amount| amount.count);
    sheet.gauge("to_copy_files", "Files still to be read from cameras", None, rows);
    let rows = by_class(&s.to_copy, |amount| amount.bytes);
    sheet.gauge("to_copy", "Bytes still to be read from cameras", Some(Unit::Bytes), rows);
}

/// Totals over the life of the dock.
fn history(sheet: &mut Sheet, v: &Vitals) {
    let t = &v.totals;
    let verdicts = [
        ("verified", t.verified),
        ("matched", t.matched),
        ("unverified", t.unverified),
        ("bad_signature", t.bad_signature),
        ("mismatched", t.mismatched),
        ("partial", t.partial),
        ("unreadable", t.unreadable),
    ];
    let rows = verdicts.map(|(verdict, n)| (vec![("verdict", verdict.to_owned())], n));
    sheet.counter("checked_files", "Files copied, by what their check said", None, rows);
    let released = t.stages[Stage::Released as usize].count;
    for (name, words, value) in [
        ("recordings", "Recordings seen", t.recordings),
        ("stored_objects", "Objects the store acknowledged", t.stored.count),
        ("receipts", "Receipts signed", t.receipts),
        ("released_files", "Files erased from cameras by the rule", released),
        ("copy_failures", "Attempts to copy that failed", t.copy_failures),
        ("upload_failures", "Attempts to send that failed", t.upload_failures),
        ("uploads_abandoned", "Uploads that were begun again", t.uploads_abandoned),
        ("gaps", "Gaps in the numbering of cameras", t.gaps),
        ("gaps_settled", "Gaps that were filled or acknowledged", t.gaps_settled),
        (
            "lost_files",
            "Files that left a camera uncopied, by no doing of the dock",
            t.vanished_unsealed,
        ),
        ("differing_reads", "Second reads that gave other bytes", t.second_reads_differing),
        ("replaced_files", "Files replaced on a camera after they were copied", t.sources_changed),
        ("spool_damages", "Objects that the spool lost", t.spool_damage),
        ("store_losses", "Objects that the store lost after their receipt", t.store_losses),
        ("index_rebuilds", "Times the index was made again", t.index_rebuilds),
        ("log_repairs", "Torn last lines of the custody log", t.log_repairs),
        ("usb_bus_losses", "Times the USB bus could not be read", v.usb_bus_losses),
    ] {
        sheet.counter(name, words, None, total(value));
    }
    let words = "Sealed bytes the store acknowledged";
    sheet.counter("stored", words, Some(Unit::Bytes), total(t.stored.bytes));
}

fn board(sheet: &mut Sheet, v: &Vitals) {
    let rows = v.board.temperatures.iter().map(|t| (vec![("sensor", t.name.clone())], t.celsius));
    sheet.gauge("temperature", "Temperatures of the dock", Some(Unit::Celsius), rows);
    let words = "Whether the supply is too weak now";
    sheet.gauge("under_voltage", words, None, maybe(v.board.under_voltage.map(flag)));
    let words = "Whether the processor is held down now";
    sheet.gauge("throttled", words, None, maybe(v.board.throttled.map(flag)));
}

fn of_bay(bay: &BayReport) -> Labels {
    vec![("bay", bay.bay.to_string())]
}

fn with(labels: &Labels, name: &'static str, value: &str) -> Labels {
    let mut labels = labels.clone();
    labels.push((name, value.to_owned()));
    labels
}

fn bays(sheet: &mut Sheet, v: &Vitals) {
    const LIGHTS: [Light; 4] = [Light::Off, Light::Amber, Light::Green, Light::Red];
    let bays = &v.status.bays;
    let rows = bays.iter().flat_map(|bay| {
        let row =
            |light: Light| (with(&of_bay(bay), "light", light.as_str()), flag(bay.light == light));
        LIGHTS.map(row)
    });
    sheet.gauge("bay_light", "The light of each bay: 1 for the one that is on", None, rows);
    let charges = || bays.iter().filter_map(|bay| Some((bay, bay.charge.as_ref()?)));
    let rows = charges().flat_map(|(bay, charge)| {
        State::ALL
            .map(|state| (with(&of_bay(bay), "state", state.as_str()), flag(charge.state == state)))
    });
    sheet.gauge("bay_charge_state", "How each bay charges: 1 for its state", None, rows);
    let rows = charges().map(|(bay, charge)| (of_bay(bay), flag(charge.powered)));
    sheet.gauge("bay_powered", "Whether the bay has power, as decided", None, rows);
    let rows = charges().map(|(bay, charge)| (of_bay(bay), flag(charge.switchable)));
    sheet.gauge("bay_switchable", "Whether the dock can switch the bay's power", None, rows);
    let counts = |of: fn(&super::BayVitals) -> Option<u64>| {
        let row = move |(bay, vitals): (&crate::types::BayName, &super::BayVitals)| {
            Some((vec![("bay", bay.to_string())], of(vitals)?))
        };
        v.bays.iter().filter_map(row).collect::<Vec<_>>()
    };
    let words = "Devices that came in the bay's port";
    sheet.counter("bay_usb_arrivals", words, None, counts(|v| v.usb_arrivals));
    let words = "Devices that came again a moment after they went: resets, bad contacts";
    sheet.counter("bay_usb_resets", words, None, counts(|v| v.usb_resets));
}

fn cameras(sheet: &mut Sheet, v: &Vitals) {
    let docked = || {
        let named = |bay| Some((bay, with(&of_bay(bay), "camera", bay.camera.as_ref()?.as_str())));
        v.status.bays.iter().filter_map(named)
    };
    let words = "Files on the camera at its last listing";
    let rows = docked().map(|(bay, labels)| (labels, bay.files as f64));
    sheet.gauge("camera_files", words, None, rows);
    let words = "Bytes on the camera at its last listing";
    let rows = docked().map(|(bay, labels)| (labels, bay.bytes as f64));
    sheet.gauge("camera_stored", words, Some(Unit::Bytes), rows);
    let words = "Files of the camera that are not in the store yet";
    let rows =
        docked().map(|(bay, labels)| (labels, (bay.to_copy.count + bay.to_store.count) as f64));
    sheet.gauge("camera_unsafe_files", words, None, rows);
    let charge = |of: fn(&Report) -> Option<f64>| {
        let row =
            move |(bay, labels): (&BayReport, Labels)| Some((labels, of(bay.charge.as_ref()?)?));
        docked().filter_map(row).collect::<Vec<_>>()
    };
    let words = "How full the battery is, as the camera told last";
    let rows = charge(|c| c.percent.map(|percent| f64::from(percent) / 100.0));
    sheet.gauge("camera_battery", words, Some(Unit::Ratios), rows);
    let words = "Whether the battery lasts a shift; absent where nothing is known or demanded";
    let rows = charge(|c| match c.fitness {
        Fitness::Fit => Some(1.0),
        Fitness::NotYet | Fitness::Unfit => Some(0.0),
        Fitness::Untold => None,
    });
    sheet.gauge("camera_fit", words, None, rows);
    let words = "Whether something is wrong with its battery";
    let rows = charge(|c| c.percent.map(|_| flag(c.anomaly.is_some())));
    sheet.gauge("camera_battery_anomaly", words, None, rows);
    let words = "When it will be fit for a shift, as far as can be said";
    let rows = charge(|c| c.ready_at.map(unix));
    sheet.gauge("camera_ready_timestamp", words, Some(Unit::Seconds), rows);
    let words = "Temperature of its battery";
    let rows = charge(|c| c.celsius.map(f64::from));
    sheet.gauge("camera_temperature", words, Some(Unit::Celsius), rows);
    let vitals = |of: fn(&super::BayVitals) -> Option<f64>| {
        let row =
            move |(bay, labels): (&BayReport, Labels)| Some((labels, of(v.bays.get(&bay.bay)?)?));
        docked().filter_map(row).collect::<Vec<_>>()
    };
    let words = "Clock of the camera minus clock of the dock when it was docked";
    let rows = vitals(|v| v.clock_offset_ms.map(|ms| ms as f64 / 1000.0));
    sheet.gauge("camera_clock_offset", words, Some(Unit::Seconds), rows);
    let words = "Gaps of its numbering, ever";
    let rows = vitals(|v| v.gaps.map(f64::from));
    sheet.gauge("camera_gaps", words, None, rows);
}
