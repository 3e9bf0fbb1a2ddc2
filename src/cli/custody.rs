//! The custody log, read and verified from a folder: no daemon, no network.

use super::{Complaint, Exit, Outcome, ask::Asker, lists, render, screens};
use crate::{
    api::{ROWS_MAX, Request},
    custody::receipt::Receipt,
    dock::report::{Page, Span, StatusReport},
    journal::offline::{self, Anchored},
    types::fact::Entry,
};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    fs, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

fn no_log(dir: &Path, error: &crate::journal::JournalError) -> Complaint {
    Complaint::new(
        Exit::Usage,
        format!("the log in {} cannot be read: {}", dir.display(), crate::daemon::chain(error)),
        "name the folder that holds the custody-*.jsonl files",
    )
}

/// An empty folder is no whole log, and must not be called one.
fn must_hold_a_log(dir: &Path) -> Result<(), Complaint> {
    let Ok(mut entries) = fs::read_dir(dir) else { return Ok(()) };
    let is_log = |entry: io::Result<fs::DirEntry>| {
        let name = entry.map(|entry| entry.file_name()).unwrap_or_default();
        let name = name.to_string_lossy();
        name.starts_with("custody-") || name.starts_with("snapshot-")
    };
    if entries.any(is_log) {
        return Ok(());
    }
    Err(Complaint::new(
        Exit::Usage,
        format!("there is no custody log in {}", dir.display()),
        "name the folder that holds the custody-*.jsonl files",
    ))
}

/// Which lines are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// None: the last ones.
    from: Option<u64>,
    limit: usize,
}

impl Wanted {
    pub fn new(from: Option<u64>, limit: usize, all: bool) -> Self {
        match all {
            true => Self { from: Some(1), limit: usize::MAX },
            false => Self { from, limit },
        }
    }

    /// Asks the daemon, in as many answers as it takes.
    ///
    /// # Errors
    /// A [`Complaint`].
    pub fn ask(self, asker: &Asker) -> Result<Value, Complaint> {
        let from = match (self.from, self.limit <= ROWS_MAX) {
            (None, true) => None,
            (Some(from), _) => Some(from.max(1)),
            // So many last lines come in several answers: where they begin must be known first.
            (None, false) => {
                let status: StatusReport = asker.ask(&Request::Status)?;
                Some((status.custody_seq + 1).saturating_sub(self.limit as u64).max(1))
            }
        };
        lists::ask_span(asker, Span::from(self.limit), |Span { offset, limit }| Request::Custody {
            from: from.map(|from| from + offset as u64),
            limit: limit as u64,
        })
    }
}

/// Prints lines of a copy of the log, up to the first bad one.
pub fn show(dir: &Path, wanted: Wanted, as_json: bool) -> Outcome {
    must_hold_a_log(dir)?;
    let from = wanted.from.unwrap_or(1);
    let mut lines: VecDeque<Entry> = VecDeque::new();
    let (mut total, mut bad) = (0, None);
    offline::read(dir, 1, u64::MAX, &mut |line| match line.entry {
        Ok(entry) => {
            total = entry.seq;
            match (wanted.from, lines.len() < wanted.limit) {
                (Some(_), fits) if fits && entry.seq >= from => lines.push_back(entry),
                (Some(_), _) => {}
                (None, fits) => {
                    if !fits {
                        lines.pop_front();
                    }
                    if wanted.limit > 0 {
                        lines.push_back(entry);
                    }
                }
            }
            ControlFlow::Continue(())
        }
        Err(error) => {
            bad = Some(format!("{}:{}: {}", line.file, line.number, error.fault));
            ControlFlow::Break(())
        }
    })
    .map_err(|error| no_log(dir, &error))?;
    let offset = lines.front().map_or(from, |first| first.seq).saturating_sub(1);
    let page = Page::new(Vec::from(lines), offset, total);
    let bad = bad.map(|what| {
        Complaint::new(
            Exit::Differs,
            what,
            "this line or the one before it was changed, and nothing from there on is proved; \
             `bwvdock custody verify` tells more",
        )
    });
    match (bad, as_json) {
        (None, true) => render::print_json(&json!(page)),
        (None, false) => render::print(&screens::custody(&page)),
        // One object: the lines before it come with what is wrong.
        (Some(complaint), true) => return Err(complaint.with("lines", json!(page))),
        (Some(complaint), false) => {
            render::print(&screens::custody(&page));
            return Err(complaint);
        }
    }
    Ok(Exit::Fine)
}

pub fn verify(dir: &Path, receipts: &[PathBuf], as_json: bool) -> Outcome {
    must_hold_a_log(dir)?;
    let mut anchors = Vec::new();
    for file in receipts {
        let receipt = fs::read(file)
            .map_err(|error| error.to_string())
            .and_then(|bytes| Receipt::verify(&bytes, None).map_err(|e| crate::daemon::chain(&e)))
            .map_err(|words| {
                Complaint::new(
                    Exit::Usage,
                    format!("{} is no receipt to check against: {words}", file.display()),
                    "give receipts as this dock wrote them (`bwvdock receipt show ID`)",
                )
            })?;
        anchors.push(receipt.custody);
    }
    let report = offline::verify(dir, &anchors).map_err(|error| no_log(dir, &error))?;
    let mut problems = Vec::new();
    if let Some(damage) = &report.damage {
        problems.push(damage.to_string());
        if report.bad_lines > 1 {
            problems.push(format!("{} lines do not continue the chain", report.bad_lines));
        }
    }
    for accepted in report.accepted.iter().filter(|_| report.damage.is_some()) {
        let (by, at, reason) = (&accepted.by, accepted.at, &accepted.reason);
        problems.push(format!(
            "damage from line {} on was accepted by {by} at {at:.0}: {reason}",
            accepted.damage.first_seq
        ));
    }
    for (file, (anchor, found)) in receipts.iter().zip(&report.anchors) {
        let (file, seq) = (file.display(), anchor.seq);
        match found {
            Anchored::Agrees | Anchored::Pruned => {}
            Anchored::Differs => problems.push(format!(
                "{file}: line {seq} of this log is not the one the receipt names: the log was \
                 written anew"
            )),
            Anchored::BeyondEnd => problems.push(format!(
                "{file}: the receipt names line {seq}, this log ends at {}: its end was cut off",
                report.head.seq
            )),
        }
    }
    let whole = problems.is_empty();
    if as_json {
        render::print_json(&json!({
            "whole": whole,
            "lines": report.lines,
            "head": { "seq": report.head.seq, "hash": report.head.hash },
            "anchors": anchors.len(),
            "problems": problems,
        }));
    } else if whole {
        let against = match anchors.len() as u64 {
            0 => "no --receipt was given, so a cut-off end would not show".to_owned(),
            1 => "the receipt lies on the chain".to_owned(),
            n => format!("all {n} receipts lie on the chain"),
        };
        let (lines, head) = (report.lines, report.head);
        render::print(&format!(
            "whole: {}, head {} at line {}\n  {against}",
            render::count(lines, "line", "lines"),
            head.hash,
            head.seq
        ));
    } else {
        render::print(&problems.join("\n"));
    }
    Ok(if whole { Exit::Fine } else { Exit::Differs })
}
