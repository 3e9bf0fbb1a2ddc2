//! Walking the log: every line in order, and what the log as a whole looks like at open.

use super::{
    JournalError,
    damage::{self, Damage, DamageFinder},
    files::{self, LogName},
    lines::{LineReader, Piece},
    snapshot::Snapshot,
};
use crate::{
    custody::chain::{BadLine, Fault, Head, Verifier},
    types::fact::Entry,
};
use std::{
    fs::{self, File},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// What may at most be written without a sync, and so be torn in any place after a power cut.
pub(super) const UNSYNCED_BYTES_MAX: u64 = 2 << 20;

pub(super) type LogFiles = [(LogName, PathBuf)];

/// One line on a walk.
pub(super) struct Step<'a> {
    pub file: &'a Path,
    pub line: u64,
    /// Without the line feed; only the beginning when the line is too long to be held.
    pub bytes: &'a [u8],
    /// This line's place in the chain.
    pub head: Head,
    pub outcome: Result<Entry, BadLine>,
}

impl Step<'_> {
    /// What the line says, whole chain or not.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.outcome {
            Ok(entry) => Some(entry),
            Err(bad) => bad.entry.as_deref(),
        }
    }

    pub fn note_in(&self, finder: &mut DamageFinder) {
        finder.note(self.file, self.line, self.head.seq, self.outcome.as_ref().err());
    }
}

/// Where a walk ended.
#[derive(Debug, Clone)]
pub(super) struct Walked {
    pub head: Head,
    pub torn: Option<Torn>,
}

/// The end of the newest file, left by a write that never completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Torn {
    pub path: PathBuf,
    pub at: u64,
    pub bytes: u64,
}

/// Hands every line of `files` to `visit`, in order, until told to stop.
///
/// # Errors
/// I/O errors, a line of a newer program, and whatever `visit` returns.
pub(super) fn walk(
    files: &LogFiles,
    start: Head,
    visit: &mut dyn FnMut(Step<'_>) -> Result<ControlFlow<()>, JournalError>,
) -> Result<Walked, JournalError> {
    let mut verifier = Verifier::new(start);
    for (at, (_, path)) in files.iter().enumerate() {
        let is_newest = at + 1 == files.len();
        match walk_file(path, is_newest, &mut verifier, visit)? {
            ControlFlow::Continue(()) => {}
            ControlFlow::Break(torn) => return Ok(Walked { head: verifier.head(), torn }),
        }
    }
    Ok(Walked { head: verifier.head(), torn: None })
}

fn walk_file(
    path: &Path,
    is_newest: bool,
    verifier: &mut Verifier,
    visit: &mut dyn FnMut(Step<'_>) -> Result<ControlFlow<()>, JournalError>,
) -> Result<ControlFlow<Option<Torn>>, JournalError> {
    let failed = |source| JournalError::io("read", path, source);
    let file = File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    let mut reader = LineReader::new(file);
    loop {
        let before = verifier.head();
        let piece = reader.next_piece().map_err(failed)?;
        let at = reader.start();
        let torn = || Torn { path: path.to_owned(), at, bytes: len.saturating_sub(at) };
        let outcome = match piece {
            Piece::End => return Ok(ControlFlow::Continue(())),
            Piece::Torn { .. } if is_newest => return Ok(ControlFlow::Break(Some(torn()))),
            Piece::Torn { bytes } => Err(unfinished(before, bytes)),
            Piece::TooLong { hash, bytes } => Err(verifier.feed_too_long(hash, bytes)),
            Piece::Line => verifier.feed(reader.line()),
        };
        if let Err(BadLine { fault: Fault::Newer(v), .. }) = outcome {
            return Err(JournalError::Newer { file: files::name_of(path), v });
        }
        let (line, bytes, head) = (reader.number(), reader.line(), verifier.head());
        // A hole in the last unsynced stretch: a power cut kept a later block of one write and
        // lost an earlier one. JSON holds no NUL, and nothing from there on was ever relied on.
        let is_recent = at + UNSYNCED_BYTES_MAX >= len;
        if is_newest && is_recent && outcome.is_err() && bytes.contains(&0) {
            *verifier = Verifier::new(before);
            return Ok(ControlFlow::Break(Some(torn())));
        }
        if visit(Step { file: path, line, bytes, head, outcome })?.is_break() {
            return Ok(ControlFlow::Break(None));
        }
    }
}

fn unfinished(before: Head, bytes: u64) -> BadLine {
    let words = format!("the file ends after {bytes} bytes of an unfinished line");
    BadLine { fault: Fault::Unreadable(words), expected_seq: before.seq + 1, entry: None }
}

/// Where the chain of these files begins, and whether that beginning is accounted for.
pub(super) fn chain_start(
    files: &LogFiles,
    snapshot: Option<&Snapshot>,
) -> Result<(Head, Option<Damage>), JournalError> {
    let pruned = snapshot.map_or(Head::GENESIS, |snapshot| snapshot.through);
    let mut first = None;
    for (_, path) in files {
        if let Some(entry) = files::first_entry(path)? {
            first = Some((path, entry));
            break;
        }
        if fs::metadata(path).is_ok_and(|found| found.len() > 0) {
            break;
        }
    }
    let Some((path, entry)) = first else { return Ok((pruned, None)) };
    let before = Head::before(&entry);
    // Behind the snapshot: what is left of pruning that was interrupted.
    let accounted = if before.seq == 0 {
        before == Head::GENESIS
    } else {
        before.seq < pruned.seq || before == pruned
    };
    let damage = (!accounted).then(|| Damage {
        file: files::name_of(path),
        line: 0,
        first_seq: pruned.seq + 1,
        last_seq: before.seq.max(pruned.seq + 1),
        words: format!("the log begins at line {}; what was before is missing", entry.seq),
    });
    Ok((before, damage))
}

/// The log as found at open.
#[derive(Debug)]
pub(super) struct Survey {
    pub files: Vec<(LogName, PathBuf)>,
    pub snapshot: Option<Snapshot>,
    pub start: Head,
    pub head: Head,
    pub torn: Option<Torn>,
    pub damage: Option<Damage>,
}

impl Survey {
    /// Looks at the whole newest file, and at the first and last line of every older one; at every
    /// line of all of them if damage was noted before, to see whether it is still there.
    pub fn take(dir: &Path) -> Result<Self, JournalError> {
        let files = files::list(dir)?;
        let snapshot = Snapshot::newest(dir)?;
        let (start, missing) = chain_start(&files, snapshot.as_ref())?;
        let noted = damage::note_path(dir).exists();
        let older = if noted { 0 } else { files.len().saturating_sub(1) };
        let (carried, broken) = check_links(&files[..older], start)?;
        let mut finder = DamageFinder::default();
        let walked = walk(&files[older..], carried, &mut |step| {
            step.note_in(&mut finder);
            Ok(ControlFlow::Continue(()))
        })?;
        let damage = missing.or(broken).or(finder.finish());
        match &damage {
            Some(damage) => damage::write_note(dir, damage)?,
            None if noted => damage::remove_note(dir)?,
            None => {}
        }
        Ok(Self { files, snapshot, start, head: walked.head, torn: walked.torn, damage })
    }
}

/// Follows the chain from file to file by their ends only.
fn check_links(files: &LogFiles, start: Head) -> Result<(Head, Option<Damage>), JournalError> {
    let mut carried = start;
    let mut damage = None;
    for (_, path) in files {
        let mut bad = |line, seq: u64, words: String| {
            let file = files::name_of(path);
            damage.get_or_insert(Damage { file, line, first_seq: seq, last_seq: seq, words });
        };
        let Some(first) = files::first_entry(path)? else {
            bad(1, carried.seq + 1, "the first line cannot be read".into());
            continue;
        };
        if Head::before(&first) != carried {
            let words = format!("line {} does not continue line {}", first.seq, carried.seq);
            bad(1, carried.seq + 1, words);
        }
        carried = match files::last_line(path)? {
            Some((Some(seq), hash)) => Head { seq, hash },
            Some((None, hash)) => {
                bad(0, first.seq, "the last line cannot be read".into());
                Head { hash, ..carried }
            }
            None => {
                bad(0, first.seq, "the file does not end with a whole line".into());
                carried
            }
        };
    }
    Ok((carried, damage))
}
