//! `health`: how the dock is.

use super::{
    cameras::span,
    render::{bytes, count, table, utc},
};
use crate::{
    machine::days_left,
    metrics::{PushVitals, Vitals},
    types::Class,
};

fn line(name: &str, words: &str) -> String {
    format!("{name:<10} {words}\n")
}

pub fn health(v: &Vitals) -> String {
    let s = &v.status;
    let mut out = format!("Dock {}   bwvdock {}   {}\n\n", s.dock, v.version, utc(s.at));
    let clock = if v.clock_synchronised { "synchronised" } else { "NOT synchronised" };
    out.push_str(&line("Clock", clock));
    let whole = if v.custody_damaged { "DAMAGED, see `bwvdock doctor`" } else { "whole" };
    out.push_str(&line("Custody", &format!("line {}, {whole}", s.custody_seq)));
    out.push_str(&line("Starts", &starts(v)));
    let disk = v.disk_free.zip(v.disk_size).map_or("cannot be asked".into(), |(free, size)| {
        format!("{} free of {}", bytes(free), bytes(size))
    });
    out.push_str(&line("Disk", &format!("{disk}{}", of_disk(v))));
    let mut spool = format!("{} of {} used", bytes(s.spool_used), bytes(s.spool_max));
    if v.spool_failures > 0 {
        spool += &format!("; {} TO WRITE", count(v.spool_failures, "FAILURE", "FAILURES"));
    }
    out.push_str(&line("Spool", &spool));
    out.push_str(&line("Store", &store(v)));
    if !v.machine.certificates.is_empty() {
        out.push_str(&line("TLS", &certificates(v)));
    }
    out.push_str(&line("Queue", &queue(v)));
    out.push_str(&line("Safe", &safe(v)));
    out.push_str(&line("Board", &board(v)));
    out.push_str(&line("Watchdog", watchdog(v)));
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

/// How often it was started, and how it ended.
fn starts(v: &Vitals) -> String {
    let starts = &v.totals.starts;
    let since = starts.last_at.map_or(String::new(), |at| format!(", last {}", utc(at)));
    let unclean = match starts.unclean {
        0 => String::new(),
        n => format!("; {n} after a run that nobody stopped"),
    };
    format!("{}{since}{unclean}", count(starts.count, "start", "starts"))
}

fn of_disk(v: &Vitals) -> String {
    let Some(disk) = v.machine.disk else { return String::new() };
    let read_only = disk.read_only.then(|| "READ-ONLY".to_owned());
    let errors = disk.errors.filter(|n| *n > 0);
    let errors = errors.map(|n| format!("{n} ERRORS of the file system"));
    let life = disk.life_used_percent.map(|used| format!("at most {used} % of its life used"));
    let told = [read_only, errors, life].into_iter().flatten();
    told.map(|words| format!("; {words}")).collect()
}

fn certificates(v: &Vitals) -> String {
    let told = v.machine.certificates.iter().map(|certificate| {
        let days = certificate.expires_at.map(|end| days_left(end, v.status.at));
        match days {
            None => format!("{} cannot be read", certificate.what),
            Some(days) if days < 0 => format!("{} EXPIRED", certificate.what),
            Some(days) => format!("{} good for {days} days", certificate.what),
        }
    });
    told.collect::<Vec<_>>().join("; ")
}

/// When everything will be in the store, and how fast it goes there.
fn safe(v: &Vitals) -> String {
    let s = &v.status;
    let waits = |bytes: [u64; 2]| bytes.iter().any(|bytes| *bytes > 0);
    let evidence = waits([s.to_copy.evidential.bytes, s.queue.evidential.bytes]);
    let others = [&s.to_copy, &s.queue]
        .map(|all| all.evidential.bytes + all.quarantine.bytes + all.unreviewed.bytes);
    if !waits(others) {
        return "everything known is in the store".into();
    }
    let by = |at: Option<jiff::Timestamp>| match at {
        Some(at) => format!("by {}", utc(at)),
        None => "at a time nobody can say".to_owned(),
    };
    let rate = match s.upload_rate {
        0 => String::new(),
        rate => format!("; sends {}/s", bytes(rate)),
    };
    let evidence = match evidence {
        true => format!("evidence {}", by(s.evidential_safe_at)),
        false => "all evidence is in the store".to_owned(),
    };
    format!("{evidence}; everything {}{rate}", by(s.all_safe_at))
}

fn watchdog(v: &Vitals) -> &'static str {
    match (v.machine.service_watched, v.machine.watchdog_runs) {
        (true, Some(true)) => "systemd watches the daemon, and hardware the machine",
        (true, Some(false) | None) => "systemd watches the daemon; none watches the machine",
        (false, Some(true)) => "hardware watches the machine; NOBODY watches the daemon",
        (false, Some(false) | None) => "NONE",
    }
}

fn store(v: &Vitals) -> String {
    let checks = match v.store_checks_sha256 {
        None => "not asked yet what it checks",
        Some(true) => "checks SHA-256",
        Some(false) => "checks no SHA-256: objects are read back",
    };
    let waits = if v.store_waits { "; UNWELL, it takes nothing now" } else { "" };
    let offset = v.store_clock_offset_ms as f64 / 1000.0;
    let answered = v.store_answered_at;
    let answered = answered.map_or(String::new(), |at| format!("; last answered {}", utc(at)));
    format!("{checks}; its clock is {offset:+.1} s from ours{answered}{waits}")
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
    let seen = |is: Option<bool>, what: &str| {
        is.filter(|is| *is).map(|_| format!("{what} since the boot"))
    };
    if b.under_voltage != Some(true) {
        words.extend(seen(b.under_voltage_seen, "SUPPLY WAS TOO WEAK"));
    }
    if b.throttled != Some(true) {
        words.extend(seen(b.throttled_seen, "was throttled"));
    }
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
    let over = v.bays.iter().filter_map(|(bay, of)| Some((bay, of.over_currents?)));
    words.extend(
        over.filter(|(_, n)| *n > 0)
            .map(|(bay, n)| format!("bay {bay}: TOO MUCH CURRENT, {}", count(n, "time", "times"))),
    );
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
