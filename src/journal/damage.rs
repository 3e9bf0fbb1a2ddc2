//! Damage in the middle of the log: found once, named exactly, remembered, never repaired.

use super::{JournalError, files};
use crate::custody::chain::{BadLine, Fault};
use serde::{Deserialize, Serialize};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

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
}

/// Watches a walk over the lines and keeps the first bad one.
///
/// When line N claims another hash for line N-1 than that line has, one of the two was changed.
/// Line N+1 tells which: if it agrees with line N as it stands, N is whole and N-1 is the bad one.
#[derive(Debug, Default)]
pub(super) struct DamageFinder {
    first: Option<Damage>,
    before: Option<Place>,
    /// The line that disagrees with the one before, and that one.
    undecided: Option<(Place, Place)>,
    bad_lines: u64,
}

impl DamageFinder {
    pub fn bad_lines(&self) -> u64 {
        self.bad_lines
    }

    /// Takes note of one line. `seq` is what it says, or should have been.
    pub fn note(&mut self, file: &Path, line: u64, seq: u64, fault: Option<&BadLine>) {
        let here = Place { file: files::name_of(file), line, seq };
        let disagrees = matches!(fault, Some(BadLine { fault: Fault::Prev { .. }, .. }));
        self.bad_lines += u64::from(fault.is_some());
        if let Some((before, there)) = self.undecided.take() {
            let blamed = if disagrees { there.clone() } else { before };
            self.keep(&blamed, there.seq, "the line was changed after it was written".into());
        }
        match fault {
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
        let Place { file, line, seq } = place.clone();
        self.first.get_or_insert(Damage { file, line, first_seq: seq, last_seq, words });
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

/// The file beside the log that keeps damage known when later opens look at newer files only.
pub(super) fn note_path(dir: &Path) -> PathBuf {
    dir.join("damage.json")
}

pub(super) fn write_note(dir: &Path, damage: &Damage) -> Result<(), JournalError> {
    let bytes = serde_json::to_vec_pretty(damage).expect("plain text and numbers");
    files::write_whole(&note_path(dir), &bytes)
}

pub(super) fn remove_note(dir: &Path) -> Result<(), JournalError> {
    let path = note_path(dir);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(JournalError::io("remove", &path, error))
        }
        _ => files::sync_dir(dir),
    }
}
