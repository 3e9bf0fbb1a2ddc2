//! The journal against a disk that tears, fills up, breaks and loses power.

mod damaged;
mod failing;
mod indexed;
mod killed;
mod lost;
mod normal;
mod pruning;
mod shell;
mod speed;

use super::{sim::SimDisk, *};
use crate::{dock::MemoryTable, dock::View as _, types::fact::Fact};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A dock's journal folder, and how to open it.
struct Dock {
    home: TempDir,
    disk: SimDisk,
    options: JournalOptions,
}

const NOON: &str = "2026-03-01T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Keeps the words of `DockStopped` under the line's number, counts progress, and forgets the
/// line that `SegmentVanished`-like `CameraListed` names in `files`.
fn fold(entry: &Entry, table: &mut dyn Table) -> Result<(), IndexBroken> {
    match &entry.fact {
        Fact::DockStopped { why } => {
            table.put([b"s/", &entry.seq.to_be_bytes()[..]].concat(), why.clone().into());
        }
        Fact::CameraListed { files, .. } => {
            table.remove(&[b"s/", &files.to_be_bytes()[..]].concat());
            let count = table.get(b"n")?.map_or(0, |n| u64::from_be_bytes(n.try_into().unwrap()));
            table.put(b"n".to_vec(), (count + 1).to_be_bytes().to_vec());
        }
        _ => {}
    }
    Ok(())
}

/// A fact that must be durable.
fn stopped(why: &str) -> Vec<NewFact> {
    vec![Fact::DockStopped { why: why.into() }.into()]
}

/// A progress fact; takes the line numbered `files` out of the folded state.
fn listed(files: u64) -> Vec<NewFact> {
    let camera = "cam-1".parse().unwrap();
    vec![Fact::CameraListed { camera, files, bytes: 0, new_files: 0 }.into()]
}

impl Dock {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let (dir, index_dir) = (home.path().join("log"), home.path().join("index"));
        let mut options =
            JournalOptions::new(dir, index_dir, "dock-1".parse().unwrap(), "boot-1".into());
        // Only the tests of the lag itself want it short.
        options.progress_lag_ms_max = 3_600_000;
        Self { home, disk: SimDisk::default(), options }
    }

    fn try_open(&self) -> Result<(Journal, OpenReport), JournalError> {
        Journal::open_on(self.disk.media(), self.options.clone(), fold, at(NOON))
    }

    fn open(&self) -> (Journal, OpenReport) {
        self.try_open().unwrap()
    }

    /// A log of `lines` durable lines, cleanly closed.
    fn with_lines(lines: u64) -> Self {
        let dock = Self::new();
        let (journal, _) = dock.open();
        for n in 1..=lines {
            journal.commit_blocking(stopped(&format!("reason {n}")), at(NOON)).unwrap();
        }
        journal.close().unwrap();
        dock
    }

    fn log_files(&self) -> Vec<PathBuf> {
        files::list(&self.options.dir).unwrap().into_iter().map(|(_, path)| path).collect()
    }

    fn names(&self) -> Vec<String> {
        self.log_files().iter().map(|path| files::name_of(path)).collect()
    }

    /// Changes the text of the newest log file, read-only or not.
    fn edit(&self, change: impl FnOnce(String) -> String) {
        let path = self.log_files().pop().unwrap();
        let text = change(fs::read_to_string(&path).unwrap());
        fs::write(&path, text).unwrap();
    }

    fn set_aside(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.path()).unwrap();
        let names = entries.map(|entry| files::name_of(&entry.unwrap().path()));
        names.filter(|name| name.contains(".damaged-")).collect()
    }
}

/// The folded state as the journal shows it.
fn state(journal: &Journal) -> MemoryTable {
    let mut table = MemoryTable::default();
    journal
        .view()
        .scan(b"", b"", &mut |key, value| {
            if !key.starts_with(b"m/") {
                table.put(key.to_vec(), value.to_vec());
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    table
}

/// The folded state as the log itself says it must be.
fn folded_from_log(dir: &Path) -> MemoryTable {
    let mut table = MemoryTable::default();
    read::read(dir, 1, u64::MAX, &mut |line| {
        let entry = line.entry.unwrap_or_else(|bad| *bad.entry.unwrap());
        fold(&entry, &mut table).unwrap();
        ControlFlow::Continue(())
    })
    .unwrap();
    table
}

fn lines(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    read::read(dir, 1, u64::MAX, &mut |line| {
        found.push(String::from_utf8(line.bytes.to_vec()).unwrap());
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}
