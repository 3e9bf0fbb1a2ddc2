//! The names of log files, and what stands at either end of each.
//!
//! `custody-YYYY-MM-DD-NNN.jsonl`: the day by the dock's clock (UTC) when the file was begun, and a
//! number from 001 within the day. The number is always there so that a plain sorted listing, in
//! any locale, is the order of the chain.

use super::{
    JournalError,
    lines::{LineReader, Piece},
};
use crate::{
    custody::chain,
    types::{Sha256Digest, fact::Entry},
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::{
    ffi::OsStr,
    fmt,
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

/// No line is longer, so that reading a damaged log needs no more memory than a whole one.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// A log file's name; ordered as the chain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogName {
    day: Date,
    part: u16,
}

impl LogName {
    const PART_MAX: u16 = 999;
    const AFTER_LOSS: u16 = 500;

    pub fn first_of(at: Timestamp) -> Self {
        Self { day: day_of(at), part: 1 }
    }

    /// The file to begin after this one at `at`. A clock that ran backwards never leads back to an
    /// older name. None when the day has no number left: this file then grows on.
    pub fn next(self, at: Timestamp) -> Option<Self> {
        if day_of(at) > self.day {
            return Some(Self::first_of(at));
        }
        (self.part < Self::PART_MAX).then_some(Self { part: self.part + 1, ..self })
    }

    /// The file to begin behind lines that are missing. Files of the same day that come back keep
    /// their places before it.
    pub fn after_loss(last: Option<Self>, at: Timestamp) -> Self {
        let first = Self { day: day_of(at), part: Self::AFTER_LOSS };
        match last {
            Some(last) if last >= first => last.next(at).unwrap_or(last),
            Some(last) if last.day > first.day => Self { part: Self::AFTER_LOSS, ..last },
            Some(_) | None => first,
        }
    }

    /// Whether a line made at `at` belongs to a later day.
    pub fn is_before_day_of(self, at: Timestamp) -> bool {
        self.day < day_of(at)
    }

    fn parse(name: &OsStr) -> Option<Self> {
        let middle = name.to_str()?.strip_prefix("custody-")?.strip_suffix(".jsonl")?;
        let (day, part) = middle.rsplit_once('-')?;
        let parsed = Self { day: day.parse().ok()?, part: part.parse().ok()? };
        // Only the one spelling, or two names could stand for one place in the order.
        (parsed.to_string().as_str() == name).then_some(parsed)
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "custody-{}-{:03}.jsonl", self.day, self.part)
    }
}

fn day_of(at: Timestamp) -> Date {
    // A clock before 1970 is a dead battery; negative years would not sort as text.
    at.max(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC).date()
}

/// The log files of a folder, in the order of the chain.
pub(super) fn list(dir: &Path) -> Result<Vec<(LogName, PathBuf)>, JournalError> {
    let failed = |source| JournalError::io("list", dir, source);
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Some(name) = LogName::parse(&entry.file_name()) {
            files.push((name, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// What the first line of a file says, if there is one that decodes.
pub(super) fn first_entry(path: &Path) -> Result<Option<Entry>, JournalError> {
    let file = File::open(path).map_err(|source| JournalError::io("open", path, source))?;
    let mut reader = LineReader::new(file);
    match reader.next_piece().map_err(|source| JournalError::io("read", path, source))? {
        Piece::Line => Ok(chain::decode(reader.line()).ok()),
        Piece::TooLong { .. } | Piece::Torn { .. } | Piece::End => Ok(None),
    }
}

/// The last line of a finished file: its hash, and its number if it decodes. None if the file is
/// empty or does not end in a line feed.
pub(super) fn last_line(path: &Path) -> Result<Option<(Option<u64>, Sha256Digest)>, JournalError> {
    read_last_line(path)
        .map(|line| {
            line.map(|line| (chain::decode(&line).ok().map(|e| e.seq), Sha256Digest::of(&line)))
        })
        .map_err(|source| JournalError::io("read", path, source))
}

fn read_last_line(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut take = 4096;
    loop {
        let start = len.saturating_sub(take);
        let mut tail = vec![0; usize::try_from(len - start).map_err(io::Error::other)?];
        file.read_exact_at(&mut tail, start)?;
        if tail.pop() != Some(b'\n') {
            return Ok(None);
        }
        let feed = tail.iter().rposition(|byte| *byte == b'\n');
        match feed {
            Some(feed) => return Ok(Some(tail.split_off(feed + 1))),
            None if start == 0 => return Ok(Some(tail)),
            None if take > LINE_BYTES_MAX as u64 => return Ok(None),
            None => take *= 4,
        }
    }
}

/// Makes names made or removed in `dir` last through a power cut.
pub(super) fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| JournalError::io("sync", dir, source))
}

/// The folder that something lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a small file so that it is there whole or not at all, even after a power cut.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), JournalError> {
    let failed = |source| JournalError::io("write", path, source);
    let tmp = path.with_extension("tmp");
    let mut file = File::create(&tmp).map_err(failed)?;
    io::Write::write_all(&mut file, bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&tmp, path).map_err(failed)?;
    sync_dir(folder_of(path))
}

/// The short name of a path, for reports.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn names_follow_the_day_and_never_run_backwards() {
        let first = LogName::first_of(at("2026-03-01T23:59:59Z"));
        assert_eq!(first.to_string(), "custody-2026-03-01-001.jsonl");
        assert_eq!(LogName::parse(OsStr::new("custody-2026-03-01-001.jsonl")), Some(first));
        let next = first.next(at("2026-03-02T00:00:00Z")).unwrap();
        assert_eq!(next.to_string(), "custody-2026-03-02-001.jsonl");
        let back = next.next(at("1970-01-01T00:00:00Z")).unwrap();
        assert_eq!(back.to_string(), "custody-2026-03-02-002.jsonl");
        assert!(first < next && next < back);
        assert!(first.to_string() < next.to_string() && next.to_string() < back.to_string());
        let last = LogName { part: 999, ..back };
        assert_eq!(last.next(at("2026-03-02T12:00:00Z")), None);
        assert!(last.next(at("2026-03-03T00:00:00Z")).is_some());
        assert_eq!(LogName::first_of(Timestamp::MIN).day.year(), 1970);
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "custody-2026-03-01.jsonl",
            "custody-2026-03-01-1.jsonl",
            "custody-2026-03-01-001.jsonl.torn-1",
            "custody-2026-13-01-001.jsonl",
            "snapshot-12.jsonl",
        ] {
            assert_eq!(LogName::parse(OsStr::new(name)), None, "{name}");
        }
    }

    #[test]
    fn the_last_line_is_found_from_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for (text, expected) in [
            ("", None),
            ("no feed", None),
            ("\n", Some("")),
            ("one\n", Some("one")),
            ("one\ntwo\n", Some("two")),
            (&format!("one\n{}\n", "x".repeat(50_000)), Some(&*"x".repeat(50_000))),
        ] {
            fs::write(&path, text).unwrap();
            let line = read_last_line(&path).unwrap();
            assert_eq!(line.as_deref(), expected.map(str::as_bytes));
        }
    }
}
