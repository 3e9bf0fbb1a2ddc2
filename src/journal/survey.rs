//! Walking the log: every line in order, and what the log as a whole looks like at open.

use super::{
    JournalError,
    damage::{Damage, DamageFinder, Proved},
    files::{self, LogName},
    lines::{LineReader, Piece},
    note::{Accepted, Note},
    snapshot::Snapshot,
};
use crate::{
    custody::chain::{BadLine, Fault, Head, Verifier},
    types::fact::Entry,
};
use std::{
    collections::BTreeMap,
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
        proved: None,
    });
    Ok((before, damage))
}

/// The log as found at open.
#[derive(Debug)]
pub(super) struct Survey {
    pub files: Vec<(LogName, PathBuf)>,
    pub snapshot: Option<Snapshot>,
    pub start: Head,
    /// The last line there is.
    pub head: Head,
    pub torn: Option<Torn>,
    pub note: Note,
    /// The open damage was not known before.
    pub is_news: bool,
}

impl Survey {
    /// Looks at the whole newest file, and at the first and last line of every older one; at every
    /// line of all of them if damage was noted before, to see whether it is still there. Compares
    /// with what `witnesses` outside the log prove.
    pub fn take(dir: &Path, witnesses: &[Proved]) -> Result<Self, JournalError> {
        let mut note = Note::read(dir)?;
        let known = note.open.clone();
        let looked = look(dir, &mut note, witnesses)?;
        note.keep(dir)?;
        let is_news = note.open != known;
        let Looked { files, snapshot, start, walked } = looked;
        Ok(Self { files, snapshot, start, head: walked.head, torn: walked.torn, note, is_news })
    }

    /// The first damage that nobody has accepted.
    pub fn damage(&self) -> Option<&Damage> {
        self.note.open.as_ref()
    }

    /// The line the next one must continue: the last there is, or the last that is proved where
    /// the end of the log is gone. So the lines that are missing keep their place.
    pub fn tail(&self) -> Head {
        let proved = self.note.furthest().and_then(|damage| damage.proved.as_ref());
        proved
            .map(|proved| proved.head)
            .filter(|head| head.seq > self.head.seq)
            .unwrap_or(self.head)
    }

    /// Takes note of damage found after the survey.
    pub fn add(&mut self, dir: &Path, damage: Damage) -> Result<(), JournalError> {
        if self.note.is_accepted(&damage) {
            return Ok(());
        }
        if damage.proved.is_some() {
            self.note.add_lost(&damage);
        }
        let is_more = |open: &Damage| {
            damage.proved.is_some() && open.is_within(&damage) && !damage.is_within(open)
        };
        if self.note.open.as_ref().is_none_or(is_more) {
            self.is_news = true;
            self.note.open = Some(damage);
        }
        self.note.keep(dir)
    }

    /// Takes note of a line that the index has seen and that is not in the log.
    pub fn add_proved(&mut self, dir: &Path, proved: Proved) -> Result<(), JournalError> {
        let file = newest_name(&self.files);
        let damage = match proved.head.seq > self.head.seq {
            true => Damage::lost(file, self.head, proved),
            false => Damage::rewritten(file, proved),
        };
        self.add(dir, damage)
    }

    /// Whether the line is one of those known to be missing.
    pub fn is_missing(&self, seq: u64) -> bool {
        let accepted = self.note.accepted.iter().map(|accepted| &accepted.damage);
        let mut known = self.note.open.iter().chain(&self.note.lost).chain(accepted);
        known.any(|damage| (damage.first_seq..=damage.last_seq).contains(&seq))
    }
}

fn newest_name(files: &LogFiles) -> String {
    files.last().map_or_else(|| "custody log".into(), |(_, path)| files::name_of(path))
}

/// What a look at the log saw.
pub(super) struct Looked {
    files: Vec<(LogName, PathBuf)>,
    snapshot: Option<Snapshot>,
    start: Head,
    walked: Walked,
}

/// Looks at the log and brings the note up to what is seen.
pub(super) fn look(
    dir: &Path,
    note: &mut Note,
    witnesses: &[Proved],
) -> Result<Looked, JournalError> {
    let files = files::list(dir)?;
    let snapshot = Snapshot::newest(dir)?;
    let (start, missing) = chain_start(&files, snapshot.as_ref())?;
    let mut older = if note.is_open() { 0 } else { files.len().saturating_sub(1) };
    let (mut carried, broken) = check_links(&files[..older], start, &note.accepted)?;
    if broken.is_some() {
        // Where it shows is not where it is: every line is looked at, so that it has one name, by
        // which it is known again when it was accepted.
        (older, carried) = (0, start);
    }
    let mut finder = DamageFinder::passing(&note.accepted);
    let proved = note.lost.iter().filter_map(|damage| damage.proved.as_ref()).chain(witnesses);
    let mut met: BTreeMap<u64, Option<Head>> = proved.map(|p| (p.head.seq, None)).collect();
    let walked = walk(&files[older..], carried, &mut |step| {
        step.note_in(&mut finder);
        if let Some(met) = met.get_mut(&step.head.seq) {
            met.get_or_insert(step.head);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let at = |seq: u64| met.get(&seq).copied().flatten();
    // A line that is back in its place heals what was missing with it.
    let is_back = |p: &Proved| at(p.head.seq) == Some(p.head);
    note.lost.retain(|damage| !damage.proved.as_ref().is_some_and(is_back));
    let name = newest_name(&files);
    let beyond = |p: &&Proved| p.head.seq > walked.head.seq;
    if let Some(furthest) = witnesses.iter().filter(beyond).max_by_key(|p| p.head.seq) {
        note.add_lost(&Damage::lost(name.clone(), walked.head, furthest.clone()));
    }
    let differs = |p: &&Proved| at(p.head.seq).is_some_and(|found| found != p.head);
    let first = witnesses.iter().filter(differs).map(|p| p.head.seq).min();
    let last = witnesses.iter().filter(differs).max_by_key(|p| p.head.seq);
    if let (Some(first_seq), Some(last)) = (first, last) {
        note.add_lost(&Damage { first_seq, ..Damage::rewritten(name, last.clone()) });
    }
    let seen = missing.into_iter().chain(finder.finish());
    let open = note.lost.first().cloned().into_iter().chain(seen);
    let open = open.into_iter().find(|damage| !note.is_accepted(damage));
    note.settle(open);
    Ok(Looked { files, snapshot, start, walked })
}

/// Follows the chain from file to file by their ends only.
fn check_links(
    files: &LogFiles,
    start: Head,
    accepted: &[Accepted],
) -> Result<(Head, Option<Damage>), JournalError> {
    let mut carried = start;
    let mut first = None;
    for (_, path) in files {
        let mut bad = |line, seq: u64, words: String| {
            let file = files::name_of(path);
            let damage = Damage { file, line, first_seq: seq, last_seq: seq, words, proved: None };
            if !accepted.iter().any(|accepted| damage.is_within(&accepted.damage)) {
                first.get_or_insert(damage);
            }
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
    Ok((carried, first))
}
