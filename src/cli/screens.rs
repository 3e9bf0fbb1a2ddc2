//! The screens: reports turned into words. Pure; tested against committed captures.

use super::{
    id::short,
    lists::rest,
    render::{bytes, clock, count, grouped, minute, table, utc},
};
use crate::{
    daemon::Finding,
    dock::report::{
        BayReport, Explanation, Light, ObjectRow, Page, RecordingRow, SegmentRow, StatusReport,
    },
    types::fact::{Content, Entry},
};
use jiff::Timestamp;

fn safe(at: Option<Timestamp>, now: Timestamp) -> String {
    match at {
        None => "not known yet".into(),
        Some(at) if at <= now => "now".into(),
        Some(at) => clock(at, now),
    }
}

pub fn status(status: &StatusReport) -> String {
    let s = status;
    let mut out = format!("Dock {}   {}\n\n", s.dock, utc(s.at));
    out.push_str(&bays_at_a_glance(&s.bays, s.at));
    let (copy, queue) = (&s.to_copy, &s.queue);
    let row =
        |name: &str, copy: &crate::dock::state::Amount, queue: &crate::dock::state::Amount| {
            vec![
                name.to_owned(),
                copy.count.to_string(),
                bytes(copy.bytes),
                queue.count.to_string(),
                bytes(queue.bytes),
            ]
        };
    out.push('\n');
    out.push_str(&table(
        &["WAITING", "TO COPY", "", "TO STORE", ""],
        &[1, 2, 3, 4],
        vec![
            row("evidential", &copy.evidential, &queue.evidential),
            row("quarantine", &copy.quarantine, &queue.quarantine),
            row("unreviewed", &copy.unreviewed, &queue.unreviewed),
        ],
    ));
    let released = s.segments.iter().find(|a| a.stage == crate::dock::Stage::Released);
    out.push_str(&format!(
        "\nSafe       evidential footage {}, everything {}\n",
        safe(s.evidential_safe_at, s.at),
        safe(s.all_safe_at, s.at)
    ));
    out.push_str(&format!(
        "Stored     {}, {}; {} signed; {} released from cameras\n",
        count(s.stored.count, "object", "objects"),
        bytes(s.stored.bytes),
        count(s.receipts, "receipt", "receipts"),
        count(released.map_or(0, |r| r.count), "file", "files"),
    ));
    out.push_str(&format!(
        "Checked    {} verified, {} matched, {} unverified; {} mismatched, {} partial, {} unreadable",
        s.verified, s.matched, s.unverified, s.mismatched, s.partial, s.unreadable
    ));
    if s.bad_signature > 0 {
        out.push_str(&format!(", {} with a signature that does not fit", s.bad_signature));
    }
    out.push('\n');
    out.push_str(&format!(
        "Spool      {} of {}; copying {}/s, sending {}/s\n",
        bytes(s.spool_used),
        bytes(s.spool_max),
        bytes(s.copy_rate),
        bytes(s.upload_rate)
    ));
    out.push_str(&format!(
        "Custody    line {}, head {}\n",
        s.custody_seq,
        s.custody_head.get(..16).unwrap_or(&s.custody_head)
    ));
    if !s.problems.is_empty() {
        out.push('\n');
        s.problems.iter().for_each(|problem| out.push_str(&format!("! {problem}\n")));
    }
    out
}

/// Of many bays, those that are empty only as a number; `bays` has them all.
fn bays_at_a_glance(all: &[BayReport], now: Timestamp) -> String {
    const MANY: usize = 12;
    let empty = |bay: &&BayReport| bay.light == Light::Off && bay.camera.is_none();
    let hidden = all.iter().filter(empty).count();
    if all.len() <= MANY || hidden < 2 {
        return bays(all, now);
    }
    let rest: Vec<_> = all.iter().filter(|bay| !empty(bay)).cloned().collect();
    if rest.is_empty() {
        return format!("All {hidden} bays are empty.\n");
    }
    format!("{}and {hidden} more: empty\n", bays(&rest, now))
}

pub fn bays(bays: &[BayReport], now: Timestamp) -> String {
    if bays.is_empty() {
        return "No bay is configured: add [[bays]] to the configuration.\n".into();
    }
    let battery = super::battery::is_told(bays);
    let rows = bays
        .iter()
        .map(|bay| {
            let mut row = vec![
                bay.bay.to_string(),
                bay.light.as_str().to_owned(),
                bay.camera.as_ref().map_or("-".into(), ToString::to_string),
                if bay.camera.is_some() { bay.files.to_string() } else { "-".into() },
                bay.words.clone(),
            ];
            if battery {
                row.splice(4..4, super::battery::cells(bay, now));
            }
            row
        })
        .collect();
    let mut out = match battery {
        true => table(&["BAY", "LIGHT", "CAMERA", "FILES", "BATTERY", "READY", ""], &[3], rows),
        false => table(&["BAY", "LIGHT", "CAMERA", "FILES", ""], &[3], rows),
    };
    for bay in bays {
        bay.notes.iter().for_each(|note| out.push_str(&format!("bay {}: {note}\n", bay.bay)));
    }
    out
}

pub(super) fn none(rows: String, nothing: &str) -> String {
    if rows.is_empty() { format!("{nothing}\n") } else { rows }
}

/// A list, and what of it is not on the screen.
pub(super) fn listed<T>(page: &Page<T>, table: String, nothing: &str) -> String {
    match page.total {
        0 => none(table, nothing),
        _ => {
            table
                + rest(page, "--limit N, --offset N or --all").trim_start_matches(
                    // Without a table above, no line is left free.
                    if page.shown == 0 { "\n" } else { "" },
                )
        }
    }
}

pub fn recordings(page: &Page<RecordingRow>) -> String {
    let rows = page
        .rows
        .iter()
        .map(|r| {
            let stages: Vec<_> =
                r.stages.iter().map(|(stage, n)| format!("{n} {}", stage.as_str())).collect();
            let mut notes = stages.join(", ");
            if r.unsound > 0 {
                notes.push_str(&format!("; {} failed", r.unsound));
            }
            if r.gaps > 0 {
                notes.push_str(&format!("; {} missing", r.gaps));
            }
            vec![
                short(&r.id),
                r.camera.to_string(),
                r.name.clone(),
                r.officer.clone().unwrap_or_else(|| "-".into()),
                r.started.map_or("-".into(), minute),
                r.class.to_string(),
                bytes(r.bytes),
                notes,
            ]
        })
        .collect();
    listed(
        page,
        table(
            &["RECORDING", "CAMERA", "NAME", "OFFICER", "STARTED", "CLASS", "SIZE", "FILES"],
            &[6],
            rows,
        ),
        "No recording is known.",
    )
}

pub fn segments(page: &Page<SegmentRow>) -> String {
    let marks: std::collections::BTreeSet<&str> =
        page.rows.iter().filter_map(|s| s.marks.as_deref()).collect();
    let marks: String = marks.into_iter().map(|words| format!("* {words}\n")).collect();
    let rows = page
        .rows
        .iter()
        .map(|s| {
            vec![
                short(&s.id),
                s.camera.to_string(),
                s.path.to_string(),
                bytes(s.size),
                match (&s.gone, &s.marks) {
                    (Some(gone), _) => gone.as_str().to_owned(),
                    (None, Some(_)) => format!("{} *", s.stage.as_str()),
                    (None, None) => s.stage.as_str().to_owned(),
                },
                s.verdict.map_or("-".into(), |v| v.to_string()),
                s.object.map_or("-".into(), |o| short(&o)),
            ]
        })
        .collect();
    listed(
        page,
        table(
            &["SEGMENT", "CAMERA", "FILE", "SIZE", "STAGE", "CHECK", "SEALED OBJECT"],
            &[3],
            rows,
        ),
        "No such segment is known.",
    ) + &marks
}

pub fn queue(page: &Page<ObjectRow>) -> String {
    let rows = page
        .rows
        .iter()
        .map(|o| {
            let what = match o.content {
                Content::Segment(_) => "segment",
                Content::Record(_) => "description",
            };
            let waits = match (&o.trouble, o.retry_at) {
                (Some(words), Some(at)) => {
                    format!("attempt {} at {}: {words}", o.attempts + 1, utc(at))
                }
                (Some(words), None) => words.clone(),
                (None, _) => String::new(),
            };
            vec![
                short(&o.id),
                o.class.to_string(),
                what.to_owned(),
                o.camera.to_string(),
                bytes(o.bytes),
                utc(o.sealed_at),
                waits,
            ]
        })
        .collect();
    listed(
        page,
        table(
            &["SEALED OBJECT", "CLASS", "WHAT", "CAMERA", "SIZE", "SEALED", "WAITS FOR"],
            &[4],
            rows,
        ),
        "Nothing waits for the store.",
    )
}

pub fn why(answer: &Explanation) -> String {
    let mut out = format!("{}\n", answer.subject);
    answer.because.iter().for_each(|line| out.push_str(&format!("  - {line}\n")));
    if answer.next.is_empty() {
        out.push_str("What to do: nothing.\n");
    } else {
        out.push_str("What to do:\n");
        answer.next.iter().for_each(|line| out.push_str(&format!("  -> {line}\n")));
    }
    out
}

pub fn custody(page: &Page<Entry>) -> String {
    let mut out = String::new();
    for entry in &page.rows {
        let mut fact = serde_json::to_value(&entry.fact).unwrap_or_default();
        let kind = fact["type"].as_str().unwrap_or("?").replace('_', " ");
        if let Some(fields) = fact.as_object_mut() {
            fields.remove("type");
        }
        out.push_str(&format!(
            "{:>6}  {}  {:<10}  {kind}  {}\n",
            entry.seq,
            utc(entry.at),
            entry.actor,
            shortened(&fact.to_string())
        ));
    }
    if out.is_empty() {
        let last = grouped(page.total);
        return format!("The log has no such line; its last is number {last}.\n");
    }
    out + &rest(page, "--from LINE, --limit N or --all")
}

fn shortened(text: &str) -> String {
    const WIDTH: usize = 220;
    match text.char_indices().nth(WIDTH) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

pub fn doctor(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let mark = match (finding.fine, finding.warning) {
            (true, false) => "ok",
            (true, true) => "! ",
            (false, _) => "!!",
        };
        out.push_str(&format!("{mark}  {}: {}\n", finding.what, finding.words));
        if let Some(next) = &finding.next {
            out.push_str(&format!("    -> {next}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bay(name: usize, light: &str) -> BayReport {
        let none = serde_json::json!({ "count": 0, "bytes": 0 });
        serde_json::from_value(serde_json::json!({
            "bay": name.to_string(), "light": light, "words": light, "files": 0, "bytes": 0,
            "to_copy": none, "to_store": none,
        }))
        .unwrap()
    }

    #[test]
    fn of_many_bays_the_empty_ones_are_a_number() {
        let mut all: Vec<_> = (1..=40).map(|name| bay(name, "off")).collect();
        assert_eq!(bays_at_a_glance(&all, Timestamp::UNIX_EPOCH), "All 40 bays are empty.\n");
        all[6] = bay(7, "red");
        let glance = bays_at_a_glance(&all, Timestamp::UNIX_EPOCH);
        assert!(glance.contains("\n7    red") && glance.ends_with("\nand 39 more: empty\n"));
        assert_eq!(
            bays_at_a_glance(&all[..12], Timestamp::UNIX_EPOCH),
            bays(&all[..12], Timestamp::UNIX_EPOCH)
        );
    }
}
