//! What the records say of footage that needs a person.

use super::Finding;
use crate::{
    dock::{
        IndexBroken, Records, View, describe, report,
        state::{Mark, Totals, key},
    },
    types::{CameraId, RecordingId, SegmentId, fact::Target},
};
use jiff::{SignedDuration, Timestamp};
use std::ops::ControlFlow;

/// Older pauses and holds are named: somebody may have forgotten them.
const PAUSED_LONG: SignedDuration = SignedDuration::from_hours(24);
const HELD_LONG: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Old holds named one by one; the rest is counted.
const NAMED_MAX: usize = 8;

/// Everything about footage that waits for a person, or that it is fine.
///
/// # Errors
/// [`IndexBroken`].
pub(super) fn findings(view: &dyn View, now: Timestamp) -> Result<Vec<Finding>, IndexBroken> {
    let totals = view.totals()?;
    let mut found = of_totals(&totals);
    if found.is_empty() {
        found.push(Finding::fine("footage", "nothing failed its check, nothing is missing"));
    }
    found.extend(report::away_words(view, &[])?.map(|words| {
        let next = "`bwvdock acknowledge --camera ID --reason WHY` when it is known why";
        Finding::bad("footage", words, next)
    }));
    found.extend(marks(view, now, ("pause", key::PAUSES), PAUSED_LONG, "resume")?);
    found.extend(marks(view, now, ("hold", key::HOLDS), HELD_LONG, "unhold")?);
    found.extend(past(&totals));
    Ok(found)
}

fn of_totals(totals: &Totals) -> Vec<Finding> {
    let Totals { mismatched, partial, unreadable, bad_signature, .. } = totals;
    let unsound = mismatched + partial + unreadable + bad_signature;
    let rows = [
        (
            unsound,
            format!(
                "{unsound} failed the check ({mismatched} mismatched, {partial} partial, \
                 {unreadable} unreadable, {bad_signature} with a signature that does not fit); stored in quarantine, kept on the camera"
            ),
            "`bwvdock segments --unsound` lists them; keep those cameras aside and tell the \
             evidence unit",
        ),
        (
            totals.marks_lacking,
            format!(
                "{} stored objects have not all their marks at the store (class, lock or legal \
                 hold), which cannot keep them: not to be called locked",
                totals.marks_lacking
            ),
            "`bwvdock store probe` shows what the store keeps, `bwvdock store setup` what it can \
             be brought to; `bwvdock retry` then asks it again",
        ),
        (
            totals.store_losses,
            format!(
                "{} objects were lost by the store after it had acknowledged them",
                totals.store_losses
            ),
            "`bwvdock reconcile` and `bwvdock custody show` (store_lost) name them; what is still \
             on a camera is sent again; ask whoever runs the store about the rest",
        ),
        (
            totals.gaps,
            format!("{} gaps: numbering names footage this dock never saw", totals.gaps),
            "`bwvdock recordings` names them; look for it on the camera and in other docks, and \
             tell the evidence unit",
        ),
        (
            totals.second_reads_differing,
            format!("{} second reads gave other bytes", totals.second_reads_differing),
            "`bwvdock custody show` names them (second_read); take those cameras out of service",
        ),
        (
            totals.sources_changed,
            format!(
                "{} replaced on a camera after being copied; both are kept",
                totals.sources_changed
            ),
            "`bwvdock custody show` names them (source_changed); tell the evidence unit",
        ),
        (
            totals.vanished_unsealed,
            format!("{} left a camera before being copied", totals.vanished_unsealed),
            "`bwvdock segments --vanished` lists them; ask who had the camera",
        ),
    ];
    rows.into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(_, words, next)| Finding::bad("footage", words, next))
        .collect()
}

/// What had to be put right in this dock's life; sound now, and worth knowing.
fn past(totals: &Totals) -> Option<Finding> {
    let counts = [
        (totals.index_rebuilds, "index rebuilt"),
        (totals.log_repairs, "torn last line cut off"),
        (totals.log_damages, "custody log found damaged"),
        (totals.spool_damage, "spool file found damaged"),
    ];
    let told: Vec<_> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{what}: {n}")).collect();
    (!told.is_empty()).then(|| Finding::fine("past repairs", told.join("; ")))
}

fn marks(
    view: &dyn View,
    now: Timestamp,
    (what, prefix): (&str, &[u8]),
    long: SignedDuration,
    undo: &str,
) -> Result<Vec<Finding>, IndexBroken> {
    let (mut found, mut more) = (Vec::new(), 0u64);
    view.scan(prefix, b"", &mut |key, value| {
        let mark = serde_json::from_slice::<Mark>(value).ok();
        let target = target_of(&key[prefix.len()..]);
        if let (Some(mark), Some(target)) = (mark, target)
            && now.duration_since(mark.at) > long
        {
            if found.len() < NAMED_MAX {
                found.push(old_mark(what, &mark, &target, undo));
            } else {
                more += 1;
            }
        }
        ControlFlow::Continue(())
    })?;
    if more > 0 {
        let words = format!("and {more} more as old");
        found.push(Finding::bad(what, words, "`bwvdock custody show` has them all"));
    }
    Ok(found)
}

fn old_mark(what: &str, mark: &Mark, target: &Target, undo: &str) -> Finding {
    let Mark { at, actor, reason } = mark;
    let words = format!("{} since {at:.0}, by {actor}: {reason}", describe(target));
    let which = match target {
        Target::Dock => "--all".to_owned(),
        Target::Camera(id) => format!("--camera {id}"),
        Target::Recording(id) => format!("--recording {id}"),
        Target::Segment(id) => format!("--segment {id}"),
    };
    let next = format!("if its reason is gone: `bwvdock {undo} {which} --reason ...`");
    Finding::bad(what, words, next)
}

/// What a hold or a pause is about, by the end of its key.
fn target_of(key: &[u8]) -> Option<Target> {
    let (kind, id) = key.split_at(key.iter().position(|byte| *byte == b'/').unwrap_or(key.len()));
    let id = id.get(1..).unwrap_or_default();
    match kind {
        b"dock" => Some(Target::Dock),
        b"camera" => CameraId::new(std::str::from_utf8(id).ok()?).ok().map(Target::Camera),
        b"recording" => RecordingId::from_slice(id).ok().map(Target::Recording),
        b"segment" => SegmentId::from_slice(id).ok().map(Target::Segment),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dock::{MemoryTable, fold},
        types::{
            Sha256Digest,
            fact::{Entry, Fact, Hashed, VERSION},
        },
    };

    fn table(facts: Vec<(&str, Fact)>) -> MemoryTable {
        let mut table = MemoryTable::default();
        for (seq, (at, fact)) in (1..).zip(facts) {
            let entry = Entry {
                prev: Sha256Digest([0; 32]),
                v: VERSION,
                seq,
                at: at.parse().unwrap(),
                dock: "d1".parse().unwrap(),
                actor: "user:ann".parse().unwrap(),
                fact,
            };
            fold(&entry, &mut table).unwrap();
        }
        table
    }

    #[test]
    fn a_signature_that_does_not_fit_counts_as_a_failed_check() {
        let totals = Totals { mismatched: 2, bad_signature: 6, ..Totals::default() };
        let words = format!("{:?}", of_totals(&totals));
        assert!(words.contains("8 failed the check (2 mismatched"), "{words}");
        assert!(words.contains("6 with a signature that does not fit"), "{words}");
    }

    #[test]
    fn old_holds_and_pauses_and_bad_reads_are_named_with_a_next_step() {
        let segment = SegmentId(uuid::Uuid::from_u128(7));
        let read = Hashed { size: 1, sha256: Sha256Digest([1; 32]) };
        let camera = |id: &str| Target::Camera(CameraId::new(id).unwrap());
        let reason = || "inspection".to_owned();
        let (old, young) = ("2026-01-01T00:00:00Z", "2026-02-28T23:00:00Z");
        let table = table(vec![
            (old, Fact::Held { target: Target::Segment(segment), reason: reason() }),
            (old, Fact::Paused { target: camera("C1"), reason: reason() }),
            (old, Fact::SecondRead { segment, read, agrees: false, mark: None }),
            (old, Fact::SourceChanged { segment, read }),
            (young, Fact::Held { target: Target::Dock, reason: reason() }),
            (young, Fact::Paused { target: Target::Dock, reason: reason() }),
        ]);
        let found = findings(&table, "2026-03-01T00:00:00Z".parse().unwrap()).unwrap();
        let bad: Vec<_> = found.iter().filter(|finding| !finding.fine).collect();
        assert_eq!(bad.len(), 4, "{bad:?}");
        assert!(bad.iter().all(|finding| finding.next.is_some()));
        let all = format!("{bad:?}");
        for words in ["second reads", "replaced", "--camera C1", &format!("--segment {segment}")] {
            assert!(all.contains(words), "{words}: {all}");
        }
        let clean = findings(&MemoryTable::default(), Timestamp::UNIX_EPOCH).unwrap();
        assert!(clean.iter().all(|finding| finding.fine));
    }
}
