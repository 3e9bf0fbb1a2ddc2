//! Checking a log without the daemon: every line of a folder, or of a copy of it.
//!
//! Nobody has to believe this program for it: `tests/tools/verify_custody.sh DIR [SEQ HASH]...`
//! does the same with a POSIX shell and `sha256sum`. It goes through `custody-*.jsonl` in sorted
//! order and expects every line to begin with `{"prev":"<SHA-256 of the line before>","v":1,
//! "seq":<one more>,`; each SEQ and HASH, from a receipt, must be met on the way.

use super::{
    Damage, JournalError, Line,
    damage::DamageFinder,
    files,
    note::{Accepted, Note},
    snapshot::Snapshot,
    survey::{chain_start, walk},
};
use crate::custody::chain::{Anchor, Head};
use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

/// What a whole check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub files: usize,
    pub lines: u64,
    /// Where the chain begins: before line 1, or behind what was pruned.
    pub start: Head,
    /// The last line.
    pub head: Head,
    /// What people have looked at and go on with; it is damage all the same.
    pub accepted: Vec<Accepted>,
    /// The first bad line.
    pub damage: Option<Damage>,
    /// How many lines do not continue the chain.
    pub bad_lines: u64,
    /// Bytes of an unfinished last line: harmless in a copy made while the dock was writing.
    pub torn_bytes: u64,
    /// Each anchor, in the order given, and what the log says at that place.
    pub anchors: Vec<(Anchor, Anchored)>,
}

/// How an anchor compares with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchored {
    /// The line has that hash: nothing up to it was changed since.
    Agrees,
    /// The line has another hash: it, or one before it, was written anew.
    Differs,
    /// The log ends before that line: lines were cut off its end.
    BeyondEnd,
    /// The line was pruned, so it can no longer be compared.
    Pruned,
}

impl Report {
    /// Whether every line continues the chain and no anchor contradicts it.
    pub fn is_whole(&self) -> bool {
        self.damage.is_none()
            && self.anchors.iter().all(|(_, at)| matches!(at, Anchored::Agrees | Anchored::Pruned))
    }
}

/// Reads every line of the log in `dir` and compares it with `anchors`, which come from receipts.
/// Writes nothing. Memory is bounded by the number of anchors.
///
/// # Errors
/// I/O errors and a log of a newer program; damage is no error but in the report.
pub fn verify(dir: &Path, anchors: &[Anchor]) -> Result<Report, JournalError> {
    let files = files::list(dir)?;
    let snapshot = Snapshot::newest(dir)?;
    let (start, missing) = chain_start(&files, snapshot.as_ref())?;
    let mut wanted: BTreeMap<u64, Option<Head>> = anchors.iter().map(|a| (a.seq, None)).collect();
    let Note { lost, accepted, .. } = Note::read(dir)?;
    let accepted_heads = accepted.iter().map(|accepted| &accepted.damage);
    let missing_heads: Vec<_> =
        lost.iter().chain(accepted_heads).filter(|damage| damage.proved.is_some()).collect();
    for head in missing_heads.iter().filter_map(|damage| damage.proved.as_ref()) {
        wanted.entry(head.head.seq).or_insert(None);
    }
    let pruned = snapshot.map(|snapshot| snapshot.through);
    let mut seen = |head: Head| {
        if let Some(found) = wanted.get_mut(&head.seq) {
            found.get_or_insert(head);
        }
    };
    seen(start);
    pruned.into_iter().for_each(&mut seen);
    let mut finder = DamageFinder::default();
    let mut lines = 0;
    let walked = walk(&files, start, &mut |step| {
        step.note_in(&mut finder);
        seen(step.head);
        lines += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    let compare = |anchor: &Anchor| match wanted[&anchor.seq] {
        Some(found) if found == *anchor => Anchored::Agrees,
        Some(_) => Anchored::Differs,
        None if anchor.seq > walked.head.seq => Anchored::BeyondEnd,
        None if anchor.seq < start.seq => Anchored::Pruned,
        None => Anchored::Differs,
    };
    let anchors = anchors.iter().map(|anchor| (*anchor, compare(anchor))).collect();
    let bad_lines = finder.bad_lines();
    let is_back = |damage: &Damage| {
        let proved = damage.proved.as_ref().map(|proved| proved.head);
        proved.is_some_and(|head| wanted[&head.seq] == Some(head))
    };
    let lost = missing_heads.into_iter().find(|damage| !is_back(damage)).cloned();
    let damage = lost.or(missing).or(finder.finish());
    let torn_bytes = walked.torn.map_or(0, |torn| torn.bytes);
    let files = files.len();
    let head = walked.head;
    Ok(Report { files, lines, start, head, accepted, damage, bad_lines, torn_bytes, anchors })
}

/// Hands out lines of the log in `dir` from number `from_seq` on, at most `limit`.
///
/// # Errors
/// I/O errors.
pub fn read(
    dir: &Path,
    from_seq: u64,
    limit: u64,
    visit: &mut dyn FnMut(Line<'_>) -> ControlFlow<()>,
) -> Result<(), JournalError> {
    super::read::read(dir, from_seq, limit, visit)
}
