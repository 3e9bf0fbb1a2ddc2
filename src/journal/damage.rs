//! Damage in the middle of the log: found once, named exactly, remembered, never repaired.

use super::{files, note::Accepted};
use crate::custody::chain::{BadLine, Fault, Head};
use serde::{Deserialize, Serialize};
use std::{fmt, path::Path};

/// The first bad line of a log, and what it puts in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The log file, without its folder.
    pub file: String,
    /// From 1; 0 when it is the file as a whole that is missing or does not fit.
    pub line: u64,
    /// The numbers of the lines that are missing or cannot be relied on.
    pub first_seq: u64,
    pub last_seq: u64,
    pub words: String,
    /// The line the log must have and has not, where something outside the log proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved: Option<Proved>,
}

/// A line of the log that something outside the log vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proved {
    pub head: Head,
    /// What vouches for it, in words: the index, or a receipt.
    pub by: String,
}

impl Damage {
    /// The end of the log is gone: `proved` lies behind its last line.
    pub(super) fn lost(file: String, head: Head, proved: Proved) -> Self {
        let words = format!(
            "the log ends at line {}, but line {} ({}) is proved by {}: its end was cut off, or \
             whole files were removed",
            head.seq, proved.head.seq, proved.head.hash, proved.by
        );
        let (first_seq, last_seq) = (head.seq + 1, proved.head.seq);
        Self { file, line: 0, first_seq, last_seq, words, proved: Some(proved) }
    }

    /// The log has another line where `proved` belongs.
    pub(super) fn rewritten(file: String, proved: Proved) -> Self {
        let seq = proved.head.seq;
        let words = format!(
            "line {seq} is not the one ({}) that is proved by {}: the log was written anew, or is \
             another one",
            proved.head.hash, proved.by
        );
        Self { file, line: 0, first_seq: seq, last_seq: seq, words, proved: Some(proved) }
    }

    /// Whether what a person accepted speaks of this damage too: the same place, and no more
    /// lines. Lines whose loss was accepted also show as a jump in the first line behind them.
    pub(super) fn is_within(&self, accepted: &Self) -> bool {
        let begins = self.first_seq >= accepted.first_seq;
        match accepted.proved {
            Some(_) => {
                let behind = u64::from(self.proved.is_none());
                begins && self.line <= 1 && self.last_seq <= accepted.last_seq + behind
            }
            None => {
                begins
                    && self.file == accepted.file
                    && self.line == accepted.line
                    && self.last_seq <= accepted.last_seq
            }
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.words),
            line => write!(f, "{}:{line}: {}", self.file, self.words),
        }
    }
}

#[derive(Debug, Clone)]
struct Place {
    file: String,
    line: u64,
    seq: u64,
    /// It is no line of the log.
    unreadable: bool,
}

/// Watches a walk over the lines and keeps the first bad one.
///
/// When line N claims another hash for line N-1 than that line has, one of the two was changed.
/// Line N+1 tells which: if it agrees with line N as it stands, N is whole and N-1 is the bad one.
#[derive(Debug, Default)]
pub(super) struct DamageFinder {
    /// What people have accepted is passed over.
    accepted: Vec<Accepted>,
    first: Option<Damage>,
    before: Option<Place>,
    /// The line that disagrees with the one before, and that one.
    undecided: Option<(Place, Place)>,
    bad_lines: u64,
}

impl DamageFinder {
    pub fn passing(accepted: &[Accepted]) -> Self {
        Self { accepted: accepted.to_vec(), ..Self::default() }
    }

    pub fn bad_lines(&self) -> u64 {
        self.bad_lines
    }

    /// Takes note of one line. `seq` is what it says, or should have been.
    pub fn note(&mut self, file: &Path, line: u64, seq: u64, fault: Option<&BadLine>) {
        let is = |wanted: fn(&Fault) -> bool| fault.is_some_and(|bad| wanted(&bad.fault));
        let unreadable = is(|fault| matches!(fault, Fault::Unreadable(_)));
        let disagrees = is(|fault| matches!(fault, Fault::Prev { .. }));
        // What has no number has the place of one.
        let seq = fault.filter(|_| unreadable).map_or(seq, |bad| bad.expected_seq);
        let here = Place { file: files::name_of(file), line, seq, unreadable };
        self.bad_lines += u64::from(fault.is_some());
        // Whoever follows a line that is none has another hash for it, or another number: one
        // fault, not two.
        let follows = |fault: &Fault, before: &Place| match fault {
            Fault::Prev { .. } => true,
            Fault::Seq { found, .. } => *found == before.seq + 1,
            Fault::Unreadable(_) | Fault::Newer(_) => false,
        };
        let mut explained = fault
            .zip(self.before.as_ref().filter(|before| before.unreadable))
            .is_some_and(|(bad, before)| follows(&bad.fault, before));
        if let Some((before, there)) = self.undecided.take() {
            explained |= disagrees;
            let blamed = if disagrees { there.clone() } else { before };
            self.keep(&blamed, there.seq, "the line was changed after it was written".into());
        }
        match fault {
            Some(_) if explained => {}
            Some(bad) if disagrees && self.first.is_none() => match self.before.take() {
                Some(before) => self.undecided = Some((before, here.clone())),
                None => self.keep(&here, seq, bad.fault.to_string()),
            },
            Some(bad) => self.keep_fault(&here, bad),
            None => {}
        }
        self.before = Some(here);
    }

    fn keep_fault(&mut self, here: &Place, bad: &BadLine) {
        let expected = bad.expected_seq;
        let words = match bad.fault {
            Fault::Seq { found, .. } if found > expected => {
                format!("lines {expected} to {} are missing before it", found - 1)
            }
            _ => bad.fault.to_string(),
        };
        let place = Place { seq: expected, ..here.clone() };
        self.keep(&place, here.seq.max(expected), words);
    }

    fn keep(&mut self, place: &Place, last_seq: u64, words: String) {
        let Place { file, line, seq, .. } = place.clone();
        let damage = Damage { file, line, first_seq: seq, last_seq, words, proved: None };
        if !self.accepted.iter().any(|accepted| damage.is_within(&accepted.damage)) {
            self.first.get_or_insert(damage);
        }
    }

    /// The first bad line, if any.
    pub fn finish(mut self) -> Option<Damage> {
        if let Some((before, there)) = self.undecided.take() {
            let words = "the line, or the one after it, was changed after it was written";
            self.keep(&before, there.seq, words.into());
        }
        self.first
    }
}
