//! Bringing the index up to the log at open: catching up, or making it again from the start.

use super::{
    FoldFn, JournalError, JournalOptions,
    damage::{Damage, DamageFinder},
    files,
    index::{Index, fold_guarded},
    overlay::Overlay,
    snapshot::Snapshot,
    survey::{LogFiles, Step, Survey, walk},
};
use crate::{
    custody::chain::Head,
    dock::{IndexBroken, Table as _},
};
use jiff::Timestamp;
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// How many sets of index files found unusable are kept for study.
const SET_ASIDE_MAX: usize = 3;
const BATCH_LINES: u64 = 512;
const BATCH_BYTES: usize = 256 << 10;

/// What was done to the index at open.
pub(super) struct Recovered {
    pub index: Index,
    /// Why the index had to be made again; none if it was only caught up, or is the first.
    pub rebuilt: Option<String>,
    pub lines_folded: u64,
    /// Found on the way through the log.
    pub damage: Option<Damage>,
    /// The last line the index has seen, where the log has it not.
    pub proved: Option<Head>,
}

/// Opens the index, catches it up, or sets it aside and makes it again.
pub(super) fn recover(
    options: &JournalOptions,
    survey: &Survey,
    fold: FoldFn,
    now: Timestamp,
) -> Result<Recovered, JournalError> {
    let dir = &options.index_dir;
    let left = Index::open_left(dir, &options.boot, &options.dock, options.cache_bytes);
    let left = left.map_err(Stale::from);
    let caught_up = left.and_then(|mut index| {
        let (lines_folded, proved) = match catch_up(&mut index, survey, fold)? {
            Caught::Up(lines) => (lines, None),
            // It alone remembers what the missing lines said: nothing is sealed or stored twice.
            Caught::Ahead(applied) => (0, Some(applied)),
        };
        Ok(Recovered { index, rebuilt: None, lines_folded, damage: None, proved })
    });
    let (words, proved) = match caught_up {
        Ok(recovered) => return Ok(recovered),
        Err(Stale::Log(error)) => return Err(error),
        Err(Stale::Index(words)) => (words, None),
        Err(Stale::Elsewhere(words, applied)) => (words, Some(applied)),
    };
    set_aside(dir, now)?;
    let mut index = Index::create(dir, &options.boot, &options.dock, options.cache_bytes)?;
    let rescued = Snapshot::rescued(&options.dir)?;
    let base = [survey.snapshot.as_ref(), rescued.as_ref()].into_iter().flatten();
    let base = base.max_by_key(|snapshot| snapshot.through.seq);
    let finder = DamageFinder::passing(&survey.note.accepted);
    let (lines_folded, damage) =
        fold_all(&mut index, base, &survey.files, survey.start, fold, finder)?;
    let is_first = survey.head.seq == 0 && words == MISSING;
    let rebuilt = (!is_first).then_some(words);
    // What lies in a stretch known to be missing proves nothing new.
    let proved = proved.filter(|applied| !survey.is_missing(applied.seq));
    Ok(Recovered { index, rebuilt, lines_folded, damage, proved })
}

/// What [`Index::open_left`] says of an index that is not there.
const MISSING: &str = "it was missing";

/// How catching up ended.
enum Caught {
    /// So many lines were folded.
    Up(u64),
    /// The index has seen more than the log has: lines were taken from the log's end.
    Ahead(Head),
}

/// Why catching up did not work.
enum Stale {
    /// The index is sound, and its last line is not one of this log.
    Elsewhere(String, Head),
    /// The index is no good: make it again.
    Index(String),
    /// The log cannot be read: nothing helps.
    Log(JournalError),
}

impl From<IndexBroken> for Stale {
    fn from(error: IndexBroken) -> Self {
        Self::Index(error.0)
    }
}

impl From<JournalError> for Stale {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Index(error) => error.into(),
            other => Self::Log(other),
        }
    }
}

/// Folds the lines the index has not seen, after finding the last one it has seen in the log.
fn catch_up(index: &mut Index, survey: &Survey, fold: FoldFn) -> Result<Caught, Stale> {
    let applied = index.applied()?.ok_or_else(|| Stale::Index("it was empty".into()))?;
    if applied == survey.head {
        return Ok(Caught::Up(0));
    }
    if applied.seq > survey.head.seq {
        return Ok(Caught::Ahead(applied));
    }
    if applied.seq == survey.head.seq {
        let words = format!("the log ends with another line {} than it had seen", applied.seq);
        return Err(Stale::Elsewhere(words, applied));
    }
    let (from, start) = file_after(survey, applied.seq)?;
    let mut is_known = start == applied;
    let mut folding = Folding::new(index, fold);
    folding.at = Some(applied);
    walk(&survey.files[from..], start, &mut |step| {
        if is_known {
            folding.take(&step)?;
        }
        is_known |= step.head == applied;
        Ok(ControlFlow::Continue(()))
    })?;
    if !is_known {
        let words = format!("the last line it had seen, {}, is not in this log", applied.seq);
        return Err(Stale::Elsewhere(words, applied));
    }
    Ok(Caught::Up(folding.finish()?))
}

/// The last file that begins at or before the line after `seq`, and where its chain begins.
fn file_after(survey: &Survey, seq: u64) -> Result<(usize, Head), JournalError> {
    for (at, (_, path)) in survey.files.iter().enumerate().rev() {
        if let Some(first) = files::first_entry(path)?
            && first.seq <= seq + 1
        {
            return Ok((at, Head::before(&first)));
        }
    }
    Ok((0, survey.start))
}

/// Makes the whole state from a snapshot and the lines behind it; looks at every line of `files`.
pub(super) fn fold_all(
    index: &mut Index,
    snapshot: Option<&Snapshot>,
    files: &LogFiles,
    start: Head,
    fold: FoldFn,
    mut finder: DamageFinder,
) -> Result<(u64, Option<Damage>), JournalError> {
    let mut damage = None;
    let mut through = Head::GENESIS;
    let mut folding = Folding::new(index, fold);
    if let Some(snapshot) = snapshot {
        if snapshot.load(&mut |key, value| folding.put(key, value))? {
            through = snapshot.through;
        } else {
            damage = Some(Damage {
                file: files::name_of(&snapshot.path),
                line: 0,
                first_seq: 1,
                last_seq: snapshot.through.seq,
                words: "the snapshot is damaged; what was folded into it is not known".into(),
                proved: None,
            });
        }
    }
    folding.at = Some(through);
    walk(files, start, &mut |step| {
        step.note_in(&mut finder);
        if step.head.seq > through.seq {
            folding.take(&step)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((folding.finish()?, damage.or(finder.finish())))
}

/// Folds line after line in batches, in bounded memory.
struct Folding<'a> {
    index: &'a mut Index,
    fold: FoldFn,
    overlay: Overlay,
    /// None while a snapshot is being loaded: half of one is the state after no line.
    at: Option<Head>,
    in_batch: u64,
    lines: u64,
}

impl<'a> Folding<'a> {
    fn new(index: &'a mut Index, fold: FoldFn) -> Self {
        let overlay = Overlay::new(index.tree());
        Self { index, fold, overlay, at: None, in_batch: 0, lines: 0 }
    }

    fn take(&mut self, step: &Step<'_>) -> Result<(), JournalError> {
        if let Some(entry) = step.entry() {
            fold_guarded(self.fold, entry, &mut self.overlay)?;
        }
        self.at = Some(step.head);
        self.lines += 1;
        self.count()
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), JournalError> {
        self.overlay.put(key, value);
        self.count()
    }

    fn count(&mut self) -> Result<(), JournalError> {
        self.in_batch += 1;
        if self.in_batch < BATCH_LINES && self.overlay.bytes() < BATCH_BYTES {
            return Ok(());
        }
        self.apply()
    }

    fn apply(&mut self) -> Result<(), JournalError> {
        let fresh = Overlay::new(self.index.tree());
        self.in_batch = 0;
        Ok(self.index.apply(std::mem::replace(&mut self.overlay, fresh), self.at)?)
    }

    fn finish(mut self) -> Result<u64, JournalError> {
        self.apply()?;
        Ok(self.lines)
    }
}

/// Moves the index out of the way under a name that is kept; the oldest beyond three go.
fn set_aside(dir: &Path, now: Timestamp) -> Result<(), JournalError> {
    if !dir.exists() {
        return Ok(());
    }
    let name = files::name_of(dir);
    let prefix = format!("{name}.damaged-");
    let parent = dir.parent().unwrap_or(Path::new("."));
    let failed = |source| JournalError::io("set aside", dir, source);
    let mut kept: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(parent).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if files::name_of(&path).starts_with(&prefix) {
            kept.push(path);
        }
    }
    kept.sort();
    let surplus = (kept.len() + 1).saturating_sub(SET_ASIDE_MAX);
    for old in kept.drain(..surplus) {
        fs::remove_dir_all(&old).map_err(failed)?;
    }
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let free = (0u32..)
        .map(|n| parent.join(format!("{prefix}{stamp}-{n:02}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| parent.join(format!("{prefix}{stamp}")));
    fs::rename(dir, free).map_err(failed)?;
    files::sync_dir(parent)
}
