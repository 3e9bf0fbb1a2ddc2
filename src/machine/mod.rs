//! The machine door: what the dock's own hardware and its certificates say of themselves.
//!
//! Real side: [`LinuxMachine`], from sysfs and the file systems. Simulated side: [`SimMachine`],
//! which says what it is told to. What a machine does not have is absent, never zero.
//!
//! Reading is slow at times (firmware, worn cards): ask once a minute, not once a question.

mod board;
mod certificate;
mod disk;
mod sim;

pub use board::{Board, Sensor};
pub use certificate::Expiry;
pub use disk::Disk;
pub use sim::{Says, SimMachine};

use jiff::Timestamp;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Asks the machine.
pub trait Machine: Send + Sync {
    /// Temperatures, supply, throttling.
    fn board(&self) -> Board;

    /// The file system a folder is on; none if it cannot be asked.
    fn disk(&self, folder: &Path) -> Option<Disk>;

    /// Whether a hardware watchdog runs; none where the kernel knows none.
    fn watchdog_runs(&self) -> Option<bool>;

    /// When the certificates of a PEM file expire; none if it holds none that can be read.
    fn expiry(&self, file: &Path) -> Option<Expiry>;
}

/// The machine this runs on.
#[derive(Debug, Clone)]
pub struct LinuxMachine {
    sys: PathBuf,
}

impl Default for LinuxMachine {
    fn default() -> Self {
        Self::below("/sys")
    }
}

impl LinuxMachine {
    /// `sys` is `/sys` but for tests.
    pub fn below(sys: impl Into<PathBuf>) -> Self {
        Self { sys: sys.into() }
    }
}

impl Machine for LinuxMachine {
    fn board(&self) -> Board {
        Board::read(&self.sys)
    }

    fn disk(&self, folder: &Path) -> Option<Disk> {
        Disk::read(folder, &self.sys)
    }

    /// Linux, Documentation/ABI/testing/sysfs-class-watchdog.
    fn watchdog_runs(&self) -> Option<bool> {
        let states = folders(&self.sys.join("class/watchdog"), "watchdog")
            .into_iter()
            .filter_map(|dog| Some(text(&dog.join("state"))? == "active"));
        states.reduce(|one, other| one || other)
    }

    fn expiry(&self, file: &Path) -> Option<Expiry> {
        Expiry::of_pem(&fs::read(file).ok()?)
    }
}

/// A short file of sysfs.
fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn folders(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix)))
        .collect();
    found.sort();
    found
}

/// Whole days until then; negative once it is over.
pub fn days_left(until: Timestamp, now: Timestamp) -> i64 {
    until.duration_since(now).as_secs().div_euclid(86_400)
}

#[cfg(test)]
mod tests;
