//! The writing end of the log: which file, and when the next one begins.

use super::{
    JournalError,
    files::{self, LINE_BYTES_MAX, LogName},
    media::{LogFile, Media, make_read_only},
    survey::Survey,
};
use crate::{
    custody::chain::{self, Head},
    types::{
        DockId, Sha256Digest,
        fact::{Entry, NewFact, VERSION},
    },
};
use jiff::Timestamp;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Writes lines into the newest file, and begins a new one each day or above a size.
pub(super) struct Appender {
    dir: PathBuf,
    media: Box<dyn Media>,
    file_bytes_max: u64,
    open: Option<OpenFile>,
    /// The next file, where lines are missing before it.
    after_loss: Option<LogName>,
}

/// The newest log file, opened before anybody reads the log.
pub(super) struct Newest {
    path: PathBuf,
    handle: Box<dyn LogFile>,
}

/// Makes sure that what is read of the log from now on is what the device holds. The last run may
/// have been killed between a write and its sync, or ended because a sync failed: then the kernel
/// may still show bytes that it has given up writing, and call them clean.
pub(super) fn settle_newest(
    dir: &Path,
    media: &mut dyn Media,
) -> Result<Option<Newest>, JournalError> {
    let Some((_, path)) = files::list(dir)?.pop() else { return Ok(None) };
    let failed = |source| JournalError::io("open", &path, source);
    let mut handle = media.reopen(&path).map_err(failed)?;
    handle.sync().map_err(|source| JournalError::io("sync", &path, source))?;
    let cached = fs::File::open(&path).map_err(failed)?;
    // Not every file system can; there is nothing else to try.
    let _ = rustix::fs::fadvise(&cached, 0, None, rustix::fs::Advice::DontNeed);
    Ok(Some(Newest { path, handle }))
}

struct OpenFile {
    name: LogName,
    path: PathBuf,
    handle: Box<dyn LogFile>,
    bytes: u64,
}

impl Appender {
    /// Goes on where the survey ended; a torn end was cut off before.
    pub fn new(
        dir: &Path,
        media: Box<dyn Media>,
        newest: Option<Newest>,
        file_bytes_max: u64,
        survey: &Survey,
        now: Timestamp,
    ) -> Result<Self, JournalError> {
        let mut open = None;
        let is_lost = survey.tail() != survey.head;
        let last = survey.files.last().map(|(name, _)| *name);
        let after_loss = is_lost.then(|| LogName::after_loss(last, now));
        if let (Some((name, path)), Some(newest)) = (survey.files.last(), newest) {
            debug_assert_eq!(*path, newest.path, "nobody else makes log files");
            let failed = |source| JournalError::io("open", path, source);
            let bytes = fs::metadata(path).map_err(failed)?.len();
            open = Some(OpenFile { name: *name, path: newest.path, handle: newest.handle, bytes });
        }
        Ok(Self { dir: dir.to_owned(), media, file_bytes_max, open, after_loss })
    }

    /// The file that must be begun before `bytes` more are written at `at`, when `waiting` are to
    /// be written here before; none to go on here.
    pub fn next_file(&self, at: Timestamp, waiting: u64, bytes: u64) -> Option<LogName> {
        if let Some(name) = self.after_loss {
            return Some(name);
        }
        let Some(open) = &self.open else { return Some(LogName::first_of(at)) };
        let before = open.bytes + waiting;
        let is_full = before > 0 && before + bytes > self.file_bytes_max;
        // An empty file of an earlier day is no gap: it is simply left behind.
        let is_over = open.name.is_before_day_of(at);
        if is_full || is_over { open.name.next(at) } else { None }
    }

    /// Ends the file and begins the next. What was appended must be synced before, so that a
    /// later file never outlives the end of an earlier one.
    pub fn begin(&mut self, name: LogName) -> Result<(), JournalError> {
        let path = self.dir.join(name.to_string());
        let handle =
            self.media.create(&path).map_err(|source| JournalError::io("make", &path, source))?;
        self.after_loss = None;
        if let Some(ended) = self.open.replace(OpenFile { name, path, handle, bytes: 0 }) {
            make_read_only(&ended.path)
                .map_err(|source| JournalError::io("end", &ended.path, source))?;
        }
        Ok(())
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        let open = self.open.as_mut().expect("a file was begun before lines were encoded");
        open.bytes += bytes.len() as u64;
        open.handle
            .append(bytes)
            .map_err(|source| JournalError::io("append to", &open.path, source))
    }

    pub fn sync(&mut self) -> Result<(), JournalError> {
        let Some(open) = self.open.as_mut() else { return Ok(()) };
        open.handle.sync().map_err(|source| JournalError::io("sync", &open.path, source))
    }
}

/// The lines for some facts, following on `head`.
#[derive(Debug)]
pub(super) struct Encoded {
    pub bytes: Vec<u8>,
    pub entries: Vec<Entry>,
    pub head: Head,
    pub must_be_durable: bool,
}

/// Makes lines of facts.
///
/// # Errors
/// [`JournalError::TooLong`] if one of them would not be read back.
pub(super) fn encode(
    facts: Vec<NewFact>,
    at: Timestamp,
    dock: &DockId,
    mut head: Head,
) -> Result<Encoded, JournalError> {
    let must_be_durable = facts.iter().any(|new| new.fact.must_be_durable());
    let mut bytes = Vec::new();
    let mut entries = Vec::with_capacity(facts.len());
    for NewFact { actor, fact } in facts {
        let seq = head.seq + 1;
        let entry = Entry { prev: head.hash, v: VERSION, seq, at, dock: dock.clone(), actor, fact };
        let line = chain::encode(&entry);
        if line.len() > LINE_BYTES_MAX {
            return Err(JournalError::TooLong { bytes: line.len() });
        }
        head = Head { seq, hash: Sha256Digest::of(&line) };
        bytes.extend(line);
        bytes.push(b'\n');
        entries.push(entry);
    }
    Ok(Encoded { bytes, entries, head, must_be_durable })
}
