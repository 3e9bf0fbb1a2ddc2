//! Letting old log files go: never before what they led to is in a durable snapshot.

use super::{
    Damage, Journal, JournalError,
    damage::DamageFinder,
    files,
    index::{APPLIED, Index},
    note::Note,
    recover::fold_all,
    snapshot::{Record, Snapshot},
    survey::{LogFiles, chain_start},
};
use crate::{custody::chain::Head, types::fact::Fact};
use jiff::{SignedDuration, Timestamp};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What came of pruning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pruned {
    /// No file is old enough.
    Nothing,
    /// These many files, up to this line, were folded into a snapshot and removed.
    Done { through: Head, files: usize },
    /// A damaged log is evidence itself, accepted or not: nothing is removed.
    Refused(Damage),
}

pub(super) fn prune(journal: &Journal, now: Timestamp) -> Result<Pruned, JournalError> {
    if let Some(damage) = journal.damage() {
        return Ok(Pruned::Refused(damage));
    }
    let dir = &journal.options.dir;
    let mut note = Note::read(dir)?;
    if let Some(accepted) = note.accepted.first() {
        return Ok(Pruned::Refused(accepted.damage.clone()));
    }
    let files = files::list(dir)?;
    let keep = SignedDuration::from_hours(24 * i64::from(journal.options.keep_days));
    let old = files_before(&files, now.saturating_sub(keep).unwrap_or(Timestamp::MIN))?;
    let mut snapshot = Snapshot::newest(dir)?;
    let is_covered = |snapshot: &Option<Snapshot>| -> Result<bool, JournalError> {
        let Some((_, path)) = old.last() else { return Ok(true) };
        let last = files::last_line(path)?.and_then(|(seq, _)| seq);
        Ok(snapshot.as_ref().is_some_and(|found| last.is_some_and(|seq| seq <= found.through.seq)))
    };
    if old.is_empty() {
        return Ok(Pruned::Nothing);
    }
    // Covered already: a prune that was cut short after its snapshot.
    if !is_covered(&snapshot)? {
        match take_snapshot(journal, old, snapshot.as_ref())? {
            Ok(taken) => snapshot = Some(taken),
            Err(damage) => {
                note.settle(Some(damage.clone()));
                note.keep(dir)?;
                journal.shared.set_damage(Some(damage.clone()));
                return Ok(Pruned::Refused(damage));
            }
        }
    }
    let Some(snapshot) = snapshot else { return Ok(Pruned::Nothing) };
    let Head { seq: through_seq, hash: through_hash } = snapshot.through;
    journal.commit_blocking(vec![Fact::LogPruned { through_seq, through_hash }.into()], now)?;
    for (_, path) in old {
        remove(path)?;
    }
    for older in Snapshot::list(dir)?.iter().filter(|found| found.through.seq < through_seq) {
        remove(&older.path)?;
    }
    files::sync_dir(dir)?;
    Ok(Pruned::Done { through: snapshot.through, files: old.len() })
}

/// The leading files whose every line is older than `limit`: judged by the line that follows
/// them, as a file may have been begun under a clock that was far behind.
fn files_before(files: &LogFiles, limit: Timestamp) -> Result<&LogFiles, JournalError> {
    let mut old = 0;
    for (at, (_, next)) in files.iter().enumerate().skip(1) {
        let Some(first) = files::first_entry(next)? else { break };
        if first.at >= limit {
            break;
        }
        old = at;
    }
    // The name must agree: a clock far behind may have written the line that follows.
    while old > 0 && !files[old - 1].0.is_before_day_of(limit) {
        old -= 1;
    }
    Ok(&files[..old])
}

/// Folds the old files, on top of the last snapshot, in an index of their own beside the real one.
fn take_snapshot(
    journal: &Journal,
    old: &LogFiles,
    last: Option<&Snapshot>,
) -> Result<Result<Snapshot, Damage>, JournalError> {
    let options = &journal.options;
    let scratch = scratch_dir(&options.index_dir);
    remove_scratch(&scratch)?;
    let (start, missing) = chain_start(old, last)?;
    let mut index = Index::create(&scratch, &options.boot, &options.dock, options.cache_bytes)?;
    let (_, found) = fold_all(&mut index, last, old, start, journal.fold, DamageFinder::default())?;
    if let Some(damage) = missing.or(found) {
        drop(index);
        remove_scratch(&scratch)?;
        return Ok(Err(damage));
    }
    let through = index.applied()?.unwrap_or(Head::GENESIS);
    let records = || records(index.tree());
    let count = records().count() as u64;
    let taken = Snapshot::write(&options.dir, through, count, records())?;
    drop(index);
    remove_scratch(&scratch)?;
    Ok(Ok(taken))
}

/// Every record of an index but its own.
pub(super) fn records(tree: sled::Tree) -> impl Iterator<Item = Record> {
    let mut pairs = tree.iter();
    std::iter::from_fn(move || super::overlay::next_pair(&mut pairs).transpose())
        .map(|pair| pair.map(|(key, value)| (key.to_vec(), value.to_vec())))
        .filter(|pair| pair.as_ref().map_or(true, |(key, _)| key != APPLIED))
        .map(|pair| pair.map_err(JournalError::from))
}

fn scratch_dir(index_dir: &Path) -> PathBuf {
    index_dir.with_file_name(format!("{}.pruning", files::name_of(index_dir)))
}

fn remove_scratch(dir: &Path) -> Result<(), JournalError> {
    if !dir.exists() {
        return Ok(());
    }
    fs::remove_dir_all(dir).map_err(|source| JournalError::io("remove", dir, source))
}

fn remove(path: &Path) -> Result<(), JournalError> {
    fs::remove_file(path).map_err(|source| JournalError::io("remove", path, source))
}
