//! What must hold after every event, by name.

use super::world::World;
use crate::{
    dock::{
        Action, MemoryTable, Records, Stage, fold,
        state::{
            Amount, CameraState, FileMatter, FileTrouble, GapState, ObjectState, RecordingState,
            SegmentState, Totals, class_slot, key, segment_of,
        },
    },
    release::Approval,
    types::{Class, FileKind, ObjectId, RecordingId, SegmentId, Verdict, fact::Gap},
};
use std::collections::{BTreeMap, BTreeSet};

/// The law, looked at when the permit is given out: its facts are folded by then.
pub fn the_law(world: &World, permit: &Approval) {
    let table = &world.table;
    let state = table.segment(permit.segment()).unwrap().expect("a permit for nothing");
    let path = &state.segment.source.path;
    assert_eq!(state.stage, Stage::Releasing, "{path}: an erase before its line in the log");
    let sealed = state.sealed.as_ref().expect("an erase of what is not sealed");
    assert!(sealed.verdict.is_sound() && state.segment.kind != FileKind::Orphan, "{path}");
    match state.segment.source.expected {
        Some(expected) => assert_eq!(expected, sealed.plain.sha256, "{path}: digests differ"),
        None => assert_eq!(state.second_read, Some((sealed.plain, true)), "{path}: one read only"),
    }
    let object = table.object(sealed.object).unwrap().unwrap();
    assert!(object.stored.is_some() && object.receipt.is_some() && !object.lost, "{path}");
    assert_eq!(object.object.plain, sealed.plain, "{path}: another object");
    let recording = table.recording(state.segment.recording).unwrap().unwrap();
    assert!(sealed.seq < recording.described_before, "{path}: not described");
    let mut records = world.covers.iter().filter(|(_, covered)| covered.contains(&sealed.object));
    let receipted = |id: &ObjectId| {
        let record = table.object(*id).unwrap();
        record.is_some_and(|record| record.receipt.is_some() && !record.lost)
    };
    assert!(records.any(|(record, _)| receipted(record)), "{path}: no stored record names it");
    assert!(table.hold_over(&state.segment).unwrap().is_none(), "{path}: held");
    what_describes_goes_last(table, &state, &recording);
    assert!(world.dock.journal_damage().is_none());
}

/// A manifest and its sidecars stay while anything of their recording is on the camera, not in the
/// store, or not accounted for.
fn what_describes_goes_last(table: &MemoryTable, state: &SegmentState, of: &RecordingState) {
    let kind = state.segment.kind;
    if !matches!(kind, FileKind::Manifest | FileKind::Sidecar) {
        return;
    }
    let path = &state.segment.source.path;
    assert_eq!((of.unaccounted, of.gone_unstored), (0, 0), "{path}: footage is missing");
    for raw in table.ids(&key::members(of.recording.id), b"", usize::MAX).unwrap() {
        let id = SegmentId::from_slice(&raw).unwrap();
        let other = table.segment(id).unwrap().unwrap();
        let described = match kind {
            FileKind::Manifest => other.segment.kind != FileKind::Manifest,
            _ => other.segment.kind == FileKind::Media,
        };
        assert!(!described || other.stage.is_gone(), "{path} goes before {id}");
    }
}

pub fn check(world: &World) {
    one_thing_at_a_time(world);
    // Only facts change records.
    if world.compared < world.log.len() {
        records_agree(&world.table);
    }
}

fn one_thing_at_a_time(world: &World) {
    let settings = world.dock.settings();
    let mut busy = BTreeMap::new();
    let (mut copies, mut uploads) = (0, 0);
    for pending in &world.pending {
        let current = world.bays.values().any(|(_, number)| Some(*number) == pending.docking);
        // To be told to stop is no work.
        if current && !matches!(pending.action, Action::StopErase { .. }) {
            *busy.entry(pending.docking).or_insert(0) += 1;
            copies += usize::from(matches!(pending.action, Action::Copy { .. }));
        }
        uploads += usize::from(matches!(pending.action, Action::Upload { .. }));
    }
    assert!(busy.values().all(|works| *works == 1), "a camera does two things at once");
    assert!(copies <= settings.copies_max, "{copies} copies at once");
    assert!(uploads <= settings.objects_in_flight, "{uploads} uploads at once");
}

type Rows = BTreeSet<Vec<u8>>;

fn rows(table: &MemoryTable, prefix: &[u8]) -> Rows {
    table.0.keys().filter(|key| key.starts_with(prefix)).cloned().collect()
}

/// What is due or lacking is exactly what the indexes of marks say, and a mark that is neither
/// stands as it was asked.
fn marks_agree(table: &MemoryTable, objects: &[ObjectState]) {
    let (mut due, mut lacking) = (Rows::new(), Rows::new());
    let mut of_recordings = BTreeSet::new();
    for o in objects {
        let (id, marking) = (o.object.id, &o.marking);
        of_recordings.insert(id);
        assert!(!marking.due || o.stored.is_some(), "{id} is to be marked and not stored");
        if marking.due {
            due.insert(key::marks_due(id));
            continue;
        }
        let Some(seen) = &marking.seen else { continue };
        if seen.lacks.is_some() {
            lacking.insert(key::marks_lacking(id));
        } else {
            assert!(seen.class <= Some(o.object.class), "{id} is {seen:?}");
            assert!(seen.legal_hold || !marking.evidence, "{id} is evidence without a hold");
        }
    }
    assert_eq!(table.totals().unwrap().marks_lacking, lacking.len() as u64);
    let indexed = rows(table, key::OBJECTS_OF);
    let indexed = indexed.iter().map(|row| ObjectId::from_slice(&row[18..]).unwrap());
    assert_eq!(indexed.collect::<BTreeSet<_>>(), of_recordings);
    assert_eq!(rows(table, key::MARKS_DUE), due);
    assert_eq!(rows(table, key::MARKS_LACKING), lacking);
}

/// Totals, counts and index rows, made again from the segments, objects and recordings.
pub fn records_agree(table: &MemoryTable) {
    let segments: Vec<SegmentState> = table.list(b"s/", b"", usize::MAX).unwrap();
    let objects: Vec<ObjectState> = table.list(b"o/", b"", usize::MAX).unwrap();
    let recordings: Vec<RecordingState> = table.list(key::RECORDINGS, b"", usize::MAX).unwrap();
    let totals = table.totals().unwrap();
    marks_agree(table, &objects);
    let by_object: BTreeMap<ObjectId, &ObjectState> =
        objects.iter().map(|o| (o.object.id, o)).collect();
    let by_recording: BTreeMap<RecordingId, &RecordingState> =
        recordings.iter().map(|r| (r.recording.id, r)).collect();
    let mut again = Totals { last_at: totals.last_at, ..Totals::default() };
    let (mut copies, mut candidates) = (Rows::new(), Rows::new());
    let mut counted: BTreeMap<RecordingId, ([u64; 7], u64, u64, u64)> = BTreeMap::new();
    let mut media: BTreeMap<RecordingId, u64> = BTreeMap::new();
    for s in &segments {
        let (segment, bytes) = (&s.segment, s.segment.source.size);
        again.stages[s.stage as usize].add(bytes);
        let class = match segment.kind {
            FileKind::Orphan => Class::Quarantine,
            _ => by_recording[&segment.recording].recording.class,
        };
        let counts = counted.entry(segment.recording).or_default();
        counts.0[s.stage as usize] += 1;
        counts.1 += u64::from(segment.kind != FileKind::Manifest && !s.stage.is_gone());
        *media.entry(segment.recording).or_default() +=
            u64::from(segment.kind == FileKind::Media && !s.stage.is_gone());
        if s.stage == Stage::Seen {
            again.to_copy[class_slot(class)].add(bytes);
            let rows = (0..4).map(|rank| key::copy(&segment.camera, rank, segment.id));
            let here: Vec<_> = rows.filter(|row| table.0.contains_key(row)).collect();
            assert_eq!(here.len(), 1, "{} has not one place in the copy order", segment.id);
            let at = s.retry_at.map_or(0, jiff::Timestamp::as_millisecond);
            assert_eq!(table.0[&here[0]], at.to_be_bytes());
            copies.extend(here);
        }
        if let Some(sealed) = &s.sealed {
            *again.verdict(sealed.verdict) += 1;
            counts.2 += u64::from(!sealed.verdict.is_sound());
            let object = by_object[&sealed.object];
            assert_eq!(segment_of(&object.object), Some(segment.id));
            let waits = object.stored.is_none() && !object.lost;
            counts.3 += u64::from(s.stage == Stage::Vanished && waits);
            assert!(!object.lost, "{} stands on a lost object", segment.id);
            stage_agrees_with_object(s, object);
        } else {
            assert!(matches!(s.stage, Stage::Seen | Stage::Vanished), "{:?} unsealed", s.stage);
        }
        let sound = s.sealed.as_ref().is_some_and(|sealed| sealed.verdict.is_sound());
        if matches!(s.stage, Stage::Receipted | Stage::Releasing)
            && sound
            && segment.kind != FileKind::Orphan
        {
            candidates.insert(key::candidate(&segment.camera, segment.id));
        }
        assert!(table.0.contains_key(&key::member(segment.recording, segment.id)));
    }
    assert_eq!(rows(table, key::COPIES), copies, "copy order");
    assert_eq!(rows(table, b"e/"), candidates, "release candidates");
    objects_agree(table, &objects, &mut again);
    let mut open = Rows::new();
    for r in &recordings {
        let id = r.recording.id;
        let counts = counted.get(&id).copied().unwrap_or_default();
        assert_eq!((r.files, r.others_on_camera, r.unsound, r.gone_unstored), counts, "{id}");
        assert_eq!(r.media_on_camera, media.get(&id).copied().unwrap_or_default(), "{id}");
        if r.on_camera() + r.gone_unstored > 0 {
            open.insert(key::open_recording(&r.recording.camera, id));
        }
        undescribed_agrees(table, r, &segments);
    }
    assert_eq!(rows(table, b"u/"), open, "open recordings");
    again.recordings = recordings.len() as u64;
    again.gaps = rows(table, key::GAPS).len() as u64;
    again.gaps_settled = matters_agree(table, &segments, &recordings);
    assert_eq!(gauges(&totals), gauges(&again));
}

/// Every file in trouble has its row, nothing else has one, and what is not accounted for is
/// counted; gives the number of settled gaps.
fn matters_agree(
    table: &MemoryTable,
    segments: &[SegmentState],
    recordings: &[RecordingState],
) -> u64 {
    let mut matters = Rows::new();
    let mut unaccounted: BTreeMap<RecordingId, u64> = BTreeMap::new();
    for s in segments {
        let Some(trouble) = FileTrouble::of(s) else { continue };
        let row = key::matter(&s.segment.camera, s.segment.id);
        let matter: FileMatter = table.record(&row).unwrap().expect("trouble without a row");
        assert_eq!((matter.segment, matter.trouble), (s.segment.id, trouble));
        let open_loss = trouble == FileTrouble::Lost && matter.acknowledged.is_none();
        *unaccounted.entry(s.segment.recording).or_default() += u64::from(open_loss);
        matters.insert(row);
    }
    assert_eq!(rows(table, key::MATTERS), matters, "files in trouble");
    let mut settled = 0;
    for camera in table.list::<CameraState>(key::CAMERAS, b"", usize::MAX).unwrap() {
        for state in table.list::<GapState>(&key::gaps(&camera.id), b"", usize::MAX).unwrap() {
            settled += u64::from(!state.is_open());
            if let Gap::Segment { recording, .. } = state.gap {
                *unaccounted.entry(recording).or_default() += u64::from(state.is_open());
            }
        }
    }
    for r in recordings {
        let expected = unaccounted.get(&r.recording.id).copied().unwrap_or_default();
        assert_eq!(r.unaccounted, expected, "{}", r.recording.id);
    }
    settled
}

fn stage_agrees_with_object(s: &SegmentState, object: &ObjectState) {
    let (stored, receipted) = (object.stored.is_some(), object.receipt.is_some());
    let expected = match s.stage {
        Stage::Sealed => (false, false),
        Stage::Stored => (true, false),
        Stage::Receipted | Stage::Releasing | Stage::Released => (true, true),
        Stage::Seen | Stage::Vanished => return,
    };
    assert_eq!((stored, receipted), expected, "{} is {:?}", s.segment.id, s.stage);
}

fn objects_agree(table: &MemoryTable, objects: &[ObjectState], again: &mut Totals) {
    let (mut queue, mut unfinished) = (Rows::new(), Rows::new());
    for o in objects {
        let size = o.object.sealed.size;
        if o.stored.is_none() && !o.lost {
            again.queue[class_slot(o.object.class)].add(size);
            let row = key::queue(o.object.class, o.sealed_at, o.object.id);
            let ms = o.retry_at.map_or(0, jiff::Timestamp::as_millisecond);
            assert_eq!(table.0.get(&row), Some(&[ms.to_be_bytes(), size.to_be_bytes()].concat()));
            queue.insert(row);
        }
        if o.stored.is_some() {
            again.stored.add(size);
            if !(o.receipt_placed && o.spool_freed) {
                unfinished.insert(key::unfinished(o.object.id));
            }
        }
        again.receipts += u64::from(o.receipt.is_some());
        let answered = o.stored.is_some() || o.missing;
        assert!(o.receipt.is_none() || answered, "a receipt without an answer");
        assert!(!o.spool_freed || o.receipt.is_some(), "the spool was cleared too early");
    }
    assert_eq!(rows(table, key::QUEUE), queue, "queue");
    let missed = objects.iter().filter(|o| o.missed_at.is_some());
    let missed: Rows = missed.map(|o| key::missed(o.object.id)).collect();
    assert_eq!(rows(table, key::MISSED), missed, "missed");
    assert_eq!(rows(table, key::UNFINISHED), unfinished, "unfinished");
}

/// What is sealed and not covered by the newest record is marked.
fn undescribed_agrees(table: &MemoryTable, r: &RecordingState, segments: &[SegmentState]) {
    let id = r.recording.id;
    let covered = r.record.map_or(0, |(_, seq)| seq);
    let on_camera = |s: &&SegmentState| s.segment.recording == id && !s.stage.is_gone();
    let newest = segments.iter().filter(on_camera).filter_map(|s| s.sealed.as_ref());
    let uncovered = newest.map(|sealed| sealed.seq).any(|seq| seq > covered);
    let marked = table.0.contains_key(&key::undescribed(id));
    assert!(marked || !uncovered, "{id} has files that no record will describe");
}

fn gauges(t: &Totals) -> impl PartialEq + std::fmt::Debug {
    let verdicts = [
        Verdict::Verified,
        Verdict::Matched,
        Verdict::Unverified,
        Verdict::BadSignature,
        Verdict::Mismatched,
        Verdict::Partial,
        Verdict::Unreadable,
    ]
    .map(|verdict| *t.clone().verdict(verdict));
    let amounts: (Vec<Amount>, [Amount; 3], [Amount; 3], Amount) =
        (t.stages.to_vec(), t.queue, t.to_copy, t.stored);
    (amounts, verdicts, t.receipts, t.recordings, t.gaps, t.gaps_settled)
}

/// Folding the whole log anew, and from any cut, gives the same table.
pub fn the_log_is_the_state(world: &World, cut: usize) {
    let mut table = MemoryTable::default();
    let (before, after) = world.log.split_at(cut.min(world.log.len()));
    before.iter().for_each(|entry| fold(entry, &mut table).unwrap());
    // A cut: what is kept is only the table, as bytes.
    let mut table = MemoryTable(table.0.clone());
    for entry in after {
        let line = serde_json::to_string(entry).unwrap();
        fold(&serde_json::from_str(&line).unwrap(), &mut table).unwrap();
    }
    assert!(table == world.table, "another state comes out of the same log");
    let ids: BTreeSet<SegmentId> = table
        .0
        .keys()
        .filter(|k| k.starts_with(b"s/"))
        .map(|k| SegmentId::from_slice(key::tail(k).unwrap()).unwrap())
        .collect();
    assert_eq!(
        ids.len() as u64,
        table.totals().unwrap().stages.iter().map(|a| a.count).sum::<u64>()
    );
}
