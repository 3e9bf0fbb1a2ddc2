//! `cameras`: the asset register, one camera of it, and the register for spreadsheets.

use super::render::{bytes, clock, count, minute, table};
use crate::dock::{
    history::{CameraHistory, Docking, drift_words},
    report::CameraRow,
};
use jiff::{SignedDuration, Timestamp};

/// A docking this long after the last recording is worth a word.
const LATE: SignedDuration = SignedDuration::from_hours(24);

/// A span of time in its two largest units.
pub fn span(time: SignedDuration) -> String {
    let minutes = time.as_mins().max(0);
    match (minutes / (24 * 60), minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

fn or_dash(told: Option<String>) -> String {
    told.unwrap_or_else(|| "-".into())
}

/// How long ago, in one unit.
fn ago(since: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(since).as_mins().max(0);
    match (minutes / (24 * 60), minutes / 60) {
        (0, 0) => format!("{minutes} min ago"),
        (0, hours) => format!("{hours} h ago"),
        (days, _) => format!("{days} d ago"),
    }
}

fn offset(ms: i64) -> String {
    format!("{:+.1} s", ms as f64 / 1000.0)
}

fn percent(told: Option<u8>) -> Option<String> {
    told.map(|percent| format!("{percent} %"))
}

/// What a person would want to know of a camera, shortest first.
fn remarks(c: &CameraRow) -> String {
    let mut words = Vec::new();
    if c.open_concerns > 0 {
        words.push(format!("{} to look at: `bwvdock why {}`", c.open_concerns, c.camera));
    }
    if let Some(anomaly) = c.battery_anomaly {
        words.push(anomaly.words().to_owned());
    }
    if let Some(history) = &c.history {
        if let Some(late) = history.last.late().filter(|late| *late >= LATE) {
            words.push(format!("docked {} after its last recording", span(late)));
        }
        words.extend(faults(history));
    }
    words.join("; ")
}

fn faults(h: &CameraHistory) -> Vec<String> {
    let counts = [
        (h.hash_failures, "hash failure", "hash failures"),
        (h.unreadable_files, "unreadable file", "unreadable files"),
        (h.differing_reads, "differing read", "differing reads"),
        (h.usb_resets, "USB reset", "USB resets"),
        (h.battery_faults, "battery fault", "battery faults"),
    ];
    let told = counts.into_iter().filter(|(n, ..)| *n > 0);
    told.map(|(n, one, many)| count(n, one, many)).collect()
}

/// All cameras, one a line.
pub fn list(rows: &[CameraRow], now: Timestamp) -> String {
    if rows.is_empty() {
        return "No camera was ever docked here.\n".into();
    }
    let cells = rows.iter().map(|c| {
        let history = c.history.as_ref();
        let offset_ms = c.clock_offset_ms;
        vec![
            c.camera.to_string(),
            if c.docked { format!("bay {}", c.bay) } else { ago(c.last_seen, now) },
            or_dash(percent(c.battery_percent.or_else(|| at_take_out(history)))),
            or_dash(offset_ms.map(offset)),
            c.recordings.to_string(),
            c.gaps.to_string(),
            remarks(c),
        ]
    });
    let header = ["CAMERA", "SEEN", "BATTERY", "CLOCK", "RECORDINGS", "GAPS", ""];
    table(&header, &[2, 3, 4, 5], cells.collect())
}

/// How full the battery was when the camera was taken; of a docked one that says something else.
fn at_take_out(history: Option<&CameraHistory>) -> Option<u8> {
    let last = &history?.last;
    last.battery_removed_percent.or(last.battery_docked_percent)
}

fn line(name: &str, words: impl AsRef<str>) -> String {
    format!("{name:<11} {}\n", words.as_ref())
}

/// One camera with its dockings.
pub fn one(c: &CameraRow, now: Timestamp) -> String {
    let model = c.model.as_deref().unwrap_or("model not told");
    let mut out = format!("Camera {}   {model}   profile {}\n\n", c.camera, c.profile);
    let place = match c.docked {
        true => format!("bay {}, docked since {}", c.bay, minute(c.last_docked)),
        false => format!("was in bay {}, last seen {}", c.bay, minute(c.last_seen)),
    };
    out += &line("Where", place);
    let Some(history) = &c.history else {
        out += &line("History", "none yet: it is remembered from its next docking on");
        return out;
    };
    out += &line("Known", known(c, history));
    out += &line("Battery", battery(c, history));
    out += &line("Storage", storage(history));
    out += &line("Firmware", firmware(history));
    if let Some(serial) = &history.serial {
        out += &line("Serial", serial);
    }
    out += &line("Clock", clock_words(c, history));
    out += &line("Footage", footage(c, history, now));
    let faults = faults(history);
    let faults = if faults.is_empty() { "none seen".to_owned() } else { faults.join("; ") };
    out += &line("Faults", faults);
    out.push('\n');
    out += &dockings(history, &c.past, now);
    out
}

fn known(c: &CameraRow, h: &CameraHistory) -> String {
    format!("since {}, docked {}", minute(c.first_docked), count(h.dockings, "time", "times"))
}

fn battery(c: &CameraRow, h: &CameraHistory) -> String {
    let told = [
        percent(c.battery_percent).map(|now| format!("{now} now")),
        percent(h.last.battery_docked_percent).map(|then| format!("{then} when docked")),
        percent(h.last.battery_removed_percent).map(|then| format!("{then} when taken")),
        h.last.percent_per_hour.map(|pace| format!("charges {pace:.0} % an hour")),
        c.battery_anomaly.map(|anomaly| anomaly.words().to_owned()),
    ];
    let told: Vec<_> = told.into_iter().flatten().collect();
    if told.is_empty() { "it does not say".into() } else { told.join("; ") }
}

fn storage(h: &CameraHistory) -> String {
    match (h.storage_bytes, h.storage_free_bytes) {
        (Some(all), Some(free)) => format!(
            "{} of {} used, {} free when docked",
            bytes(all.saturating_sub(free)),
            bytes(all),
            bytes(free)
        ),
        (Some(all), None) => format!("{}; what is free it does not say", bytes(all)),
        (None, _) => "it does not say".into(),
    }
}

fn firmware(h: &CameraHistory) -> String {
    let Some(firmware) = &h.firmware else { return "it does not say".into() };
    match (&h.firmware_before, h.firmware_changed_at) {
        (Some(before), Some(at)) => format!("{firmware}; until {} it was {before}", minute(at)),
        _ => firmware.clone(),
    }
}

fn clock_words(c: &CameraRow, h: &CameraHistory) -> String {
    let Some(ms) = c.clock_offset_ms else { return "it has none that can be asked".into() };
    let drift = match (c.clock_drift_seconds_per_day, h.clock.first(), h.clock.last()) {
        (Some(drift), Some(first), Some(last)) => {
            let over = span(last.at.duration_since(first.at));
            format!("{}, measured over {over}", drift_words(drift))
        }
        _ => "its drift is known after two measurements a day apart".into(),
    };
    format!("{} from the dock's when docked; {drift}", offset(ms))
}

fn footage(c: &CameraRow, h: &CameraHistory, now: Timestamp) -> String {
    let mut words = format!(
        "{}, {}",
        count(c.recordings, "recording", "recordings"),
        count(c.gaps.into(), "gap", "gaps")
    );
    if let Some(at) = h.last_recording_at {
        words += &format!("; the newest of {} ({})", minute(at), ago(at, now));
    }
    if let Some(late) = h.last.late() {
        words += &format!("; docked {} after it", span(late));
    }
    if let Some(age) = h.last.oldest_on_arrival() {
        words += &format!("; the oldest it brought was {} old", span(age));
    }
    if c.open_concerns > 0 {
        words += &format!("; {} to look at: `bwvdock why {}`", c.open_concerns, c.camera);
    }
    words
}

fn dockings(history: &CameraHistory, past: &[Docking], now: Timestamp) -> String {
    let row = |d: &Docking| {
        let from = d.battery_docked_percent.map(|percent| percent.to_string());
        let to = d.battery_removed_percent.map(|percent| percent.to_string());
        let battery = match (&from, &to) {
            (None, None) => "-".into(),
            _ => format!("{} to {} %", or_dash(from), or_dash(to)),
        };
        vec![
            minute(d.docked_at),
            or_dash(d.removed_at.map(|at| clock(at, now))),
            d.bay.to_string(),
            battery,
            or_dash(d.percent_per_hour.map(|pace| format!("{pace:.0} %/h"))),
            or_dash(d.clock_offset_ms.map(offset)),
            or_dash(d.late().map(span)),
        ]
    };
    let rows = std::iter::once(&history.last).chain(past).map(row).collect();
    table(&["DOCKED", "TAKEN", "BAY", "BATTERY", "PACE", "CLOCK", "LATE"], &[4, 5], rows)
}

/// The columns of the register, in their order; new ones come at the end.
const COLUMNS: [&str; 33] = [
    "camera",
    "model",
    "profile",
    "docked",
    "bay",
    "first_docked",
    "last_docked",
    "recordings",
    "gaps",
    "open_concerns",
    "clock_offset_ms",
    "battery_percent",
    "last_seen",
    "dockings",
    "serial",
    "firmware",
    "firmware_before",
    "firmware_changed_at",
    "battery_docked_percent",
    "battery_removed_percent",
    "percent_per_hour",
    "battery_faults",
    "last_battery_fault",
    "storage_bytes",
    "storage_free_bytes",
    "clock_drift_seconds_per_day",
    "last_recording_at",
    "late_hours",
    "oldest_on_arrival_hours",
    "hash_failures",
    "unreadable_files",
    "differing_reads",
    "usb_resets",
];

/// The register as CSV (RFC 4180), with a header. Empty is what is not known.
pub fn csv(rows: &[CameraRow]) -> String {
    let mut out = COLUMNS.join(",") + "\r\n";
    for row in rows {
        out.push_str(&cells(row).join(","));
        out.push_str("\r\n");
    }
    out
}

fn cells(c: &CameraRow) -> [String; 33] {
    fn told<T: ToString>(value: Option<T>) -> String {
        value.map_or(String::new(), |value| value.to_string())
    }
    let words = |value: Option<&String>| field(value.map_or("", String::as_str));
    let h = c.history.as_ref();
    let last = h.map(|h| &h.last);
    let hours = |span: Option<SignedDuration>| told(span.map(|span| span.as_hours()));
    [
        field(c.camera.as_str()),
        words(c.model.as_ref()),
        field(&c.profile),
        c.docked.to_string(),
        field(c.bay.as_str()),
        c.first_docked.to_string(),
        c.last_docked.to_string(),
        c.recordings.to_string(),
        c.gaps.to_string(),
        c.open_concerns.to_string(),
        told(c.clock_offset_ms),
        told(c.battery_percent),
        c.last_seen.to_string(),
        told(h.map(|h| h.dockings)),
        words(h.and_then(|h| h.serial.as_ref())),
        words(h.and_then(|h| h.firmware.as_ref())),
        words(h.and_then(|h| h.firmware_before.as_ref())),
        told(h.and_then(|h| h.firmware_changed_at)),
        told(last.and_then(|d| d.battery_docked_percent)),
        told(last.and_then(|d| d.battery_removed_percent)),
        told(last.and_then(|d| d.percent_per_hour)),
        told(h.map(|h| h.battery_faults)),
        words(h.and_then(|h| h.last_battery_fault.as_ref())),
        told(h.and_then(|h| h.storage_bytes)),
        told(h.and_then(|h| h.storage_free_bytes)),
        told(c.clock_drift_seconds_per_day.map(|drift| format!("{drift:.3}"))),
        told(h.and_then(|h| h.last_recording_at)),
        hours(last.and_then(Docking::late)),
        hours(last.and_then(Docking::oldest_on_arrival)),
        told(h.map(|h| h.hash_failures)),
        told(h.map(|h| h.unreadable_files)),
        told(h.map(|h| h.differing_reads)),
        told(h.map(|h| h.usb_resets)),
    ]
}

/// A text that a spreadsheet shows as it stands: quoted where it must be, and no formula, also not
/// behind blanks or in the wide letters that some take for it. What a camera calls itself is not to
/// be trusted.
fn field(text: &str) -> String {
    const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = if text.trim_start().starts_with(FORMULA) { format!("'{text}") } else { text };
    let quoted = text.contains(['"', ',', ';']);
    if quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests;
