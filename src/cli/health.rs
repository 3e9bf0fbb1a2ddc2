//! `health` and `cameras`: how the dock and its cameras are.

use super::render::{bytes, count, minute, table, utc};
use crate::{
    dock::report::CameraRow,
    metrics::{PushVitals, Vitals},
    types::Class,
};
use std::time::Duration;

fn line(name: &str, words: &str) -> String {
    format!("{name:<10} {words}\n")
}

/// A span of time in its two largest units.
fn span(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match (minutes / (24 * 60), minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

pub fn health(v: &Vitals) -> String {
    let s = &v.status;
    let mut out = format!("Dock {}   bwvdock {}   {}\n\n", s.dock, v.version, utc(s.at));
    let clock = if v.clock_synchronised { "synchronised" } else { "NOT synchronised" };
    out.push_str(&line("Clock", clock));
    let whole = if v.custody_damaged { "DAMAGED, see `bwvdock doctor`" } else { "whole" };
    out.push_str(&line("Custody", &format!("line {}, {whole}", s.custody_seq)));
    let disk = v.disk_free.zip(v.disk_size).map_or("cannot be asked".into(), |(free, size)| {
        format!("{} free of {}", bytes(free), bytes(size))
    });
    out.push_str(&line("Disk", &disk));
    let spool = format!("{} of {} used", bytes(s.spool_used), bytes(s.spool_max));
    out.push_str(&line("Spool", &spool));
    out.push_str(&line("Store", &store(v)));
    out.push_str(&line("Queue", &queue(v)));
    out.push_str(&line("Board", &board(v)));
    out.push_str(&line("USB", &usb(v)));
    if let Some(push) = &v.push {
        out.push_str(&line("Push", &pushing(push)));
    }
    if !s.bays.is_empty() {
        out.push('\n');
        out.push_str(&bays(v));
    }
    if !s.problems.is_empty() {
        out.push('\n');
        s.problems.iter().for_each(|problem| out.push_str(&format!("! {problem}\n")));
    }
    out
}

fn store(v: &Vitals) -> String {
    let checks = match v.store_checks_sha256 {
        None => "not asked yet what it checks",
        Some(true) => "checks SHA-256",
        Some(false) => "checks no SHA-256: objects are read back",
    };
    let waits = if v.store_waits { "; UNWELL, it takes nothing now" } else { "" };
    let offset = v.store_clock_offset_ms as f64 / 1000.0;
    format!("{checks}; its clock is {offset:+.1} s from ours{waits}")
}

fn queue(v: &Vitals) -> String {
    let q = &v.status.queue;
    let classes = [
        (Class::Evidential, &q.evidential),
        (Class::Quarantine, &q.quarantine),
        (Class::Unreviewed, &q.unreviewed),
    ];
    let words = classes.map(|(class, amount)| {
        let waits = v.oldest.get(&class).map(|since| v.status.at.duration_since(*since));
        let waits = waits.and_then(|waits| Duration::try_from(waits).ok());
        let oldest = waits.map(|waits| format!(", the oldest for {}", span(waits)));
        format!("{} {class}{}", amount.count, oldest.unwrap_or_default())
    });
    words.join("; ")
}

fn board(v: &Vitals) -> String {
    let b = &v.board;
    let mut words: Vec<_> =
        b.temperatures.iter().map(|t| format!("{} {:.1} °C", t.name, t.celsius)).collect();
    let told = |is: Option<bool>, bad: &str, good: &str| {
        is.map(|is| if is { bad.to_owned() } else { good.to_owned() })
    };
    words.extend(told(b.under_voltage, "SUPPLY TOO WEAK", "supply strong enough"));
    words.extend(told(b.throttled, "THROTTLED", "not throttled"));
    if words.is_empty() { "tells nothing of itself".into() } else { words.join("; ") }
}

/// How bringing the figures to a receiver goes.
fn pushing(p: &PushVitals) -> String {
    let last = p.last_success.map_or("never".into(), utc);
    let mut words = format!("to {}, last taken {last}", p.to);
    if p.buffered_samples > 0 {
        words += &format!("; {} wait", count(p.buffered_samples, "sample", "samples"));
    }
    let dropped = p.refused_samples + p.overflowed_samples;
    if dropped > 0 {
        words += &format!("; {} dropped", count(dropped, "sample", "samples"));
    }
    if let Some(trouble) = &p.trouble {
        words += &format!("; FAILS since {}: {}", utc(trouble.since), trouble.words);
    }
    words
}

fn usb(v: &Vitals) -> String {
    let mut words: Vec<_> = v
        .bays
        .iter()
        .filter_map(|(bay, vitals)| vitals.usb_resets.filter(|n| *n > 0).map(|n| (bay, n)))
        .map(|(bay, n)| format!("bay {bay}: {}", count(n, "reset", "resets")))
        .collect();
    if v.usb_bus_losses > 0 {
        words.push(format!("the bus was lost {}", count(v.usb_bus_losses, "time", "times")));
    }
    if words.is_empty() { "no reset seen".into() } else { words.join("; ") }
}

fn bays(v: &Vitals) -> String {
    let row = |bay: &crate::dock::report::BayReport| {
        let vitals = v.bays.get(&bay.bay);
        let clock = vitals.and_then(|vitals| vitals.clock_offset_ms);
        let charge = bay.charge.as_ref();
        let [battery, ready] = super::battery::cells(bay, v.status.at);
        vec![
            bay.bay.to_string(),
            bay.camera.as_ref().map_or("-".into(), ToString::to_string),
            battery,
            ready,
            charge
                .and_then(|charge| charge.percent_per_hour)
                .map_or("-".into(), |pace| format!("{pace:.0} %/h")),
            clock.map_or("-".into(), |ms| format!("{:+.1} s", ms as f64 / 1000.0)),
            charge.map_or(String::new(), |charge| charge.words.clone()),
        ]
    };
    let rows = v.status.bays.iter().map(row).collect();
    table(&["BAY", "CAMERA", "BATTERY", "READY", "PACE", "CLOCK", ""], &[4, 5], rows)
}

pub fn cameras(rows: &[CameraRow]) -> String {
    let cells = rows
        .iter()
        .map(|c| {
            vec![
                c.camera.to_string(),
                c.model.clone().unwrap_or_else(|| "-".into()),
                c.profile.clone(),
                if c.docked { format!("bay {}", c.bay) } else { format!("was in {}", c.bay) },
                minute(c.first_docked),
                minute(c.last_docked),
                c.recordings.to_string(),
                c.gaps.to_string(),
                c.open_concerns.to_string(),
                c.battery_percent.map_or("-".into(), |percent| format!("{percent} %")),
            ]
        })
        .collect();
    let header = [
        "CAMERA",
        "MODEL",
        "PROFILE",
        "WHERE",
        "FIRST",
        "LAST",
        "RECORDINGS",
        "GAPS",
        "OPEN",
        "BATTERY",
    ];
    match rows.is_empty() {
        true => "No camera was ever docked here.\n".into(),
        false => table(&header, &[6, 7, 8, 9], cells),
    }
}

/// The register as CSV (RFC 4180), with a header.
pub fn csv(rows: &[CameraRow]) -> String {
    let mut out = String::from(
        "camera,model,profile,docked,bay,first_docked,last_docked,recordings,gaps,open_concerns,\
         clock_offset_ms,battery_percent\r\n",
    );
    for c in rows {
        let known = |n: Option<i64>| n.map_or(String::new(), |n| n.to_string());
        let cells = [
            field(c.camera.as_str()),
            field(c.model.as_deref().unwrap_or_default()),
            field(&c.profile),
            c.docked.to_string(),
            field(c.bay.as_str()),
            c.first_docked.to_string(),
            c.last_docked.to_string(),
            c.recordings.to_string(),
            c.gaps.to_string(),
            c.open_concerns.to_string(),
            known(c.clock_offset_ms),
            known(c.battery_percent.map(i64::from)),
        ];
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

/// A text that a spreadsheet shows as it stands: quoted where it must be, and no formula. What a
/// camera calls itself is not to be trusted.
fn field(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text };
    if text.contains(['"', ',']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_and_never_a_formula() {
        for (text, expected) in [
            ("BWC-0001", "BWC-0001"),
            ("Body 2, \"pro\"", "\"Body 2, \"\"pro\"\"\""),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("@a\r\nb", "'@ab"),
            ("", ""),
        ] {
            assert_eq!(field(text), expected);
        }
    }

    #[test]
    fn spans_are_told_in_two_units() {
        for (minutes, expected) in [(0, "0 min"), (61, "1 h 1 min"), (26 * 60, "1 d 2 h")] {
            assert_eq!(span(Duration::from_secs(minutes * 60)), expected);
        }
    }
}
