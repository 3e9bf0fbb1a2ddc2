//! When to kill: some time after the start, some time after it is ready, or in the very moment
//! something is written to the log of the dock or of the store.

use crate::{dice::Dice, rig::Rig};
use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Facts waited for: between each and what follows from it lies a moment worth a kill.
const FACTS: [&str; 13] = [
    "camera_listed",
    "segment_seen",
    "sealed",
    "sealed",
    "record_sealed",
    "upload_created",
    "part_acknowledged",
    "stored",
    "receipted",
    "receipt_placed",
    "spool_freed",
    "releasing",
    "released",
];

/// Requests waited for; their lines are written before the answers leave the store.
const REQUESTS: [Request; 5] =
    [Request::Create, Request::Part, Request::Part, Request::Complete, Request::Receipt];

/// Longest wait for a line; then it is killed anyway.
const PATIENCE: Duration = Duration::from_millis(2500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Create,
    Part,
    Complete,
    Receipt,
}

impl Request {
    fn is(self, line: &str) -> bool {
        let has = |what: &str| line.contains(what);
        let multipart = has("\"upload\":") && !has("bwvdock-probe");
        match self {
            Self::Create => has("\"POST\"") && !has("\"upload\":") && !has("bwvdock-probe"),
            Self::Part => multipart && has("\"part\":"),
            Self::Complete => multipart && has("\"POST\""),
            Self::Receipt => has("\"PUT\"") && has(".receipt\""),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// After the process was started, ready or not.
    Start(Duration),
    Ready(Duration),
    Fact(&'static str, Duration),
    Answer(Request, Duration),
}

impl Moment {
    pub fn draw(dice: &mut Dice) -> Self {
        let ms = Duration::from_millis;
        match dice.between(0, 100) {
            0..25 => Self::Start(ms(dice.between(0, 300))),
            25..50 => Self::Ready(ms(dice.between(0, 1500))),
            50..80 => Self::Fact(dice.pick(&FACTS), ms(dice.between(0, 6))),
            _ => Self::Answer(dice.pick(&REQUESTS), ms(dice.between(0, 3))),
        }
    }

    /// One that shows at the dock: other stores keep no log of what they were asked.
    pub fn draw_of_dock(dice: &mut Dice) -> Self {
        loop {
            let moment = Self::draw(dice);
            if !matches!(moment, Self::Answer(..)) {
                return moment;
            }
        }
    }

    /// In a word, to be counted.
    pub fn name(self) -> String {
        match self {
            Self::Start(_) => "after the start".into(),
            Self::Ready(_) => "after ready".into(),
            Self::Fact(kind, _) => format!("at {kind}"),
            Self::Answer(request, _) => format!("at {request:?} by the store"),
        }
    }

    /// Waits for it. `ready` waits until the daemon answers; false if what was waited for did not
    /// come in time.
    pub fn wait(self, rig: &Rig, ready: impl FnOnce()) -> bool {
        match self {
            Self::Start(after) => thread::sleep(after),
            Self::Ready(after) => {
                ready();
                thread::sleep(after);
            }
            Self::Fact(kind, after) => {
                let wanted = format!("\"type\":\"{kind}\"");
                let mut tail = Tail::new(newest_log(&rig.journal()));
                if !tail.wait(&rig.journal(), |line| line.contains(&wanted)) {
                    return false;
                }
                thread::sleep(after);
            }
            Self::Answer(request, after) => {
                let mut tail = Tail::new(Some(rig.access_log()));
                if !tail.wait(&rig.journal(), |line| request.is(line)) {
                    return false;
                }
                thread::sleep(after);
            }
        }
        true
    }
}

fn newest_log(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let logs = entries.flatten().map(|entry| entry.path());
    logs.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).max()
}

/// The end of a file that grows.
struct Tail {
    path: Option<PathBuf>,
    from: u64,
}

impl Tail {
    fn new(path: Option<PathBuf>) -> Self {
        let length = |path: &PathBuf| fs::metadata(path).map_or(0, |data| data.len());
        Self { from: path.as_ref().map_or(0, length), path }
    }

    /// Whether a line like that came in time.
    fn wait(&mut self, folder: &Path, wanted: impl Fn(&str) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if self.path.is_none() {
                self.path = newest_log(folder);
            }
            if self.new_text().lines().any(&wanted) {
                return true;
            }
            thread::sleep(Duration::from_micros(500));
        }
        false
    }

    fn new_text(&mut self) -> String {
        let Some(mut file) = self.path.as_ref().and_then(|path| File::open(path).ok()) else {
            return String::new();
        };
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.from)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.from += whole as u64;
        String::from_utf8_lossy(&bytes[..whole]).into_owned()
    }
}
