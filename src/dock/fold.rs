//! Facts into state: the only writer of the records in [`super::state`].
//!
//! A fact that speaks of something unknown changes nothing: after a damaged line the rest of the
//! log still folds, and what hangs in the air stays on its camera.

mod forgotten;
mod history;
mod marks;
mod matters;

use super::{
    IndexBroken, Records, Table,
    state::{
        Amount, CameraState, FileTrouble, Mark, ObjectState, QueueRow, RecordingState, SealedState,
        SegmentState, Stage, Totals, class_slot, key, put, segment_of,
    },
};
use crate::types::{
    CameraId, Class, FileKind, ObjectId, RecordingId, SegmentId, StoreNeed,
    fact::{Content, Entry, Fact, Recording, SealedObject, Segment},
};
use jiff::Timestamp;
use std::collections::BTreeSet;

type Done = Result<(), IndexBroken>;

/// Counts up whenever the same log folds to other records than before: an index made by another
/// version is made again from the log.
pub const FOLD_VERSION: u32 = 9;

/// Applies one line of the log to the state.
///
/// # Errors
/// [`IndexBroken`] when a record cannot be read; the index is then rebuilt from the log.
pub fn fold(entry: &Entry, table: &mut dyn Table) -> Done {
    let mut fold = Fold { totals: table.totals()?, table, entry };
    fold.totals.last_at = Some(entry.at);
    fold.apply(&entry.fact)?;
    let Fold { totals, table, .. } = fold;
    put(table, key::TOTALS.to_vec(), &totals)
}

struct Fold<'a> {
    totals: Totals,
    table: &'a mut dyn Table,
    entry: &'a Entry,
}

impl Fold<'_> {
    fn apply(&mut self, fact: &Fact) -> Done {
        let at = self.entry.at;
        match fact {
            Fact::DockStarted { boot, .. } => {
                self.totals.starts.begin(at, boot);
                self.undock_all()
            }
            Fact::DockStopped { .. } => {
                self.totals.starts.running = false;
                Ok(())
            }
            Fact::BayTrouble { .. }
            | Fact::Security { .. }
            | Fact::ClockSetting { .. }
            | Fact::EmptyCard { .. }
            | Fact::LogPruned { .. } => Ok(()),
            Fact::CameraDocked { .. } => self.docked(fact),
            Fact::CameraListed { .. } => Ok(()),
            Fact::CameraRemoved { camera, condition, .. } => {
                self.history_removed(camera, condition)?;
                self.camera(camera, |c| (c.docked, c.claims_bay) = (false, false))
            }
            Fact::PortSwitched { bay, on, .. } => self.history_switched(bay, *on),
            Fact::BatteryFault { camera, fault, .. } => self.history_battery_fault(camera, fault),
            Fact::ClockSet { camera, after, .. } => self.history_clock_set(camera, *after),
            Fact::RecordingSeen { recording } => self.recording_seen(recording),
            Fact::CameraFindings { camera, grave, clock, noted } => {
                self.findings(camera, [grave, clock, noted])
            }
            Fact::GapFound { camera, gap } => self.gap_found(camera, gap),
            Fact::SegmentSeen { segment } => self.segment_seen(segment),
            Fact::SegmentVanished { segment, words, superseded } => {
                self.vanished(*segment, words, *superseded)
            }
            Fact::AbsenceConfirmed { segments, .. } => self.absent(segments),
            Fact::Acknowledged { camera, matters, reason } => {
                self.acknowledged(camera, matters, reason)
            }
            Fact::Sealed { segment, verdict, object } => {
                self.history_sealed(*segment, *verdict)?;
                self.sealed(*segment, *verdict, object)
            }
            Fact::RecordSealed { recording, object } => self.record_sealed(*recording, object),
            Fact::CopyFailed { segment, attempts, words, retry_at } => {
                self.totals.copy_failures += 1;
                self.segment(*segment, |s| {
                    s.copy_attempts = *attempts;
                    s.trouble = Some(words.clone());
                    s.retry_at = Some(*retry_at);
                })
            }
            Fact::UploadCreated { object, upload } => {
                self.object(*object, |o| o.upload = Some(upload.clone()))
            }
            Fact::PartAcknowledged { object, number, etag } => {
                self.totals.parts_acknowledged += 1;
                // Whether it has room shows only when an object is whole.
                self.totals.store_need.take_if(|(need, _)| *need != StoreNeed::Room);
                self.table.put(key::part(*object, *number), etag.clone().into_bytes());
                // Progress: what failed before is no longer held against the object.
                if self.table.object(*object)?.is_some_and(|o| o.attempts > 0) {
                    return self.object(*object, |o| o.attempts = 0);
                }
                Ok(())
            }
            Fact::UploadAbandoned { object, words } => {
                self.totals.uploads_abandoned += 1;
                self.forget_parts(*object)?;
                self.object(*object, |o| {
                    o.upload = None;
                    o.abandoned += 1;
                    o.trouble = Some(words.clone());
                })
            }
            Fact::UploadFailed { object, attempts, words, retry_at, need } => {
                self.totals.upload_failures += 1;
                if let Some(need) = need {
                    self.totals.store_need = Some((*need, words.clone()));
                }
                self.object(*object, |o| {
                    o.attempts = *attempts;
                    o.trouble = Some(words.clone());
                    o.retry_at = Some(*retry_at);
                })
            }
            Fact::Stored { object, level, version } => self.stored(*object, *level, version),
            Fact::MarksDue { object } => self.marks_due(*object),
            Fact::Marked { object, asked, seen } => self.marked(*object, *asked, seen),
            Fact::MarkFailed { object, attempts, words, retry_at } => {
                self.mark_failed(*object, *attempts, words, *retry_at)
            }
            Fact::StoreForgot { object, words, retry_at } => {
                self.store_forgot(*object, words, *retry_at)
            }
            Fact::StoreMissed { object, words } => self.store_missed(*object, words),
            Fact::StoreFound { object } => self.store_found(*object),
            Fact::StoreLost { object, words, retry_at } => {
                self.store_lost(*object, words, *retry_at)
            }
            Fact::Receipted { object, receipt } => self.receipted(*object, receipt),
            Fact::ReceiptPlaced { object } => self.object(*object, |o| o.receipt_placed = true),
            Fact::SpoolFreed { object } => self.object(*object, |o| o.spool_freed = true),
            Fact::SpoolDamaged { object, words } => self.spool_damaged(*object, words),
            Fact::SecondRead { segment, read, agrees, mark } => {
                if !agrees {
                    self.totals.second_reads_differing += 1;
                    self.history_read_differs(*segment)?;
                }
                self.segment(*segment, |s| {
                    s.second_read = Some((*read, *agrees));
                    s.segment.source.mark = mark.or(s.segment.source.mark);
                })
            }
            Fact::Held { target, reason } => self.mark(key::hold(target), at, reason),
            Fact::Unheld { target, .. } => {
                self.table.remove(&key::hold(target));
                Ok(())
            }
            Fact::Paused { target, reason } => self.mark(key::pause(target), at, reason),
            Fact::Resumed { target, .. } => {
                self.table.remove(&key::pause(target));
                Ok(())
            }
            Fact::RetryAsked { target, .. } => self.retry(target),
            Fact::Reclassed { recording, class, .. } => self.reclassed(*recording, *class),
            Fact::Releasing { segment, .. } => self.stage(*segment, Stage::Releasing),
            Fact::Released { segment } => self.stage(*segment, Stage::Released),
            Fact::ReleaseFailed { segment, words } => {
                self.segment(*segment, |s| s.trouble = Some(words.clone()))?;
                self.stage(*segment, Stage::Receipted)
            }
            Fact::SourceChanged { segment, .. } => {
                self.totals.sources_changed += 1;
                // Two files that were read right, and not one that was read wrong.
                let state = self.table.segment(*segment)?;
                if state.is_some_and(|s| matches!(s.second_read, Some((_, false)))) {
                    let count = &mut self.totals.second_reads_differing;
                    *count = count.saturating_sub(1);
                }
                self.segment(*segment, |s| {
                    s.replaced = true;
                    s.trouble = Some("another file lies in its place on the camera".into());
                })
            }
            Fact::LogDamaged { .. } => {
                self.totals.log_damages += 1;
                Ok(())
            }
            Fact::DamageAccepted { .. } => Ok(()),
            Fact::LogRepaired { .. } => {
                self.totals.log_repairs += 1;
                Ok(())
            }
            Fact::IndexRebuilt { .. } => {
                self.totals.index_rebuilds += 1;
                Ok(())
            }
        }
    }

    // --- records, changed one at a time ---

    fn camera(&mut self, id: &CameraId, change: impl FnOnce(&mut CameraState)) -> Done {
        let Some(mut camera) = self.table.camera(id)? else { return Ok(()) };
        change(&mut camera);
        put(self.table, key::camera(id), &camera)
    }

    fn recording(&mut self, id: RecordingId, change: impl FnOnce(&mut RecordingState)) -> Done {
        let Some(mut recording) = self.table.recording(id)? else { return Ok(()) };
        change(&mut recording);
        let open = key::open_recording(&recording.recording.camera, id);
        if recording.on_camera() + recording.gone_unstored > 0 {
            self.table.put(open, Vec::new());
        } else {
            self.table.remove(&open);
        }
        put(self.table, key::recording(id), &recording)
    }

    /// Changes a segment and keeps the copy index in step with it.
    fn segment(&mut self, id: SegmentId, change: impl FnOnce(&mut SegmentState)) -> Done {
        let Some(mut state) = self.table.segment(id)? else { return Ok(()) };
        let was = FileTrouble::of(&state);
        change(&mut state);
        put(self.table, key::segment(id), &state)?;
        self.file_trouble(was, &state)?;
        self.index_copy(&state)
    }

    /// Changes an object and keeps the queue index in step with it.
    fn object(&mut self, id: ObjectId, change: impl FnOnce(&mut ObjectState)) -> Done {
        let Some(mut object) = self.table.object(id)? else { return Ok(()) };
        change(&mut object);
        let waits = object.stored.is_none() && !object.lost;
        if waits {
            let bytes = object.object.sealed.size;
            let row = key::queue(object.object.class, object.sealed_at, id);
            self.table.put(row, QueueRow::value(object.retry_at, bytes));
        }
        if object.is_finished() {
            self.table.remove(&key::unfinished(id));
        }
        put(self.table, key::object(id), &object)
    }

    fn mark(&mut self, key: Vec<u8>, at: Timestamp, reason: &str) -> Done {
        let mark = Mark { at, actor: self.entry.actor.clone(), reason: reason.to_owned() };
        put(self.table, key, &mark)
    }

    // --- cameras ---

    fn undock_all(&mut self) -> Done {
        for mut camera in self.table.list::<CameraState>(key::CAMERAS, b"", usize::MAX)? {
            if camera.docked {
                camera.docked = false;
                put(self.table, key::camera(&camera.id), &camera)?;
            }
        }
        Ok(())
    }

    fn docked(&mut self, fact: &Fact) -> Done {
        let Fact::CameraDocked {
            bay,
            camera: id,
            profile,
            model,
            clock,
            clock_reading,
            condition,
            again,
        } = fact
        else {
            return Ok(());
        };
        let at = self.entry.at;
        let before = self.table.camera(id)?;
        let camera = CameraState {
            id: id.clone(),
            profile: profile.clone(),
            model: model.clone(),
            first_docked: before.as_ref().map_or(at, |c| c.first_docked),
            last_docked: at,
            last_bay: bay.clone(),
            docked: true,
            claims_bay: true,
            clock: *clock,
            clock_reading: *clock_reading,
            findings: before.as_ref().map_or_else(Vec::new, |c| c.findings.clone()),
            last_manifest: before.as_ref().and_then(|c| c.last_manifest),
            gaps: before.as_ref().map_or(0, |c| c.gaps),
            recordings: before.as_ref().map_or(0, |c| c.recordings),
        };
        put(self.table, key::camera(id), &camera)?;
        self.history_docked((id, bay), (model, *clock), condition, *again)
    }

    // --- recordings and segments ---

    fn recording_seen(&mut self, recording: &Recording) -> Done {
        let id = recording.id;
        let signed = recording.manifest.as_ref().filter(|m| m.sequence.is_some());
        let newest = signed.and_then(|m| m.sequence.map(|sequence| (sequence, m.sha256)));
        let claimed = recording.manifest.as_ref().filter(|m| m.sequence.is_none());
        if let Some(number) = claimed.and_then(|m| m.claimed) {
            self.table.put(key::claim(&recording.camera, number), id.as_bytes().to_vec());
        }
        if let Some((sequence, _)) = newest {
            self.number_arrived(recording, sequence)?;
        }
        let before = self.table.recording(id)?;
        let new = before.is_none();
        self.camera(&recording.camera, |camera| {
            camera.recordings += u64::from(new);
            camera.last_manifest = camera.last_manifest.max(newest);
        })?;
        match before {
            None => {
                self.totals.recordings += 1;
                self.history_recording(recording)?;
                let name = key::name(&recording.camera, &recording.name);
                self.table.put(name, id.as_bytes().to_vec());
                let state = RecordingState {
                    recording: recording.clone(),
                    first_seen: self.entry.at,
                    files: [0; 7],
                    bytes: 0,
                    unsound: 0,
                    gaps: 0,
                    others_on_camera: 0,
                    media_on_camera: 0,
                    unaccounted: 0,
                    gone_unstored: 0,
                    record: None,
                    described_before: 0,
                };
                put(self.table, key::recording(id), &state)?;
            }
            Some(mut state) => {
                // A class is raised by what is found on a camera, and lowered only by people.
                let class = state.recording.class.min(recording.class);
                if class != state.recording.class {
                    self.reclass_members(id, class)?;
                }
                state.recording = Recording { class, ..recording.clone() };
                put(self.table, key::recording(id), &state)?;
            }
        }
        self.undescribed(id)
    }

    /// Marks a recording of which something was sealed.
    fn undescribed(&mut self, id: RecordingId) -> Done {
        let Some(state) = self.table.recording(id)? else { return Ok(()) };
        let sealed = state.files[Stage::Sealed as usize..=Stage::Released as usize].iter();
        if sealed.sum::<u64>() > 0 || state.record.is_some() {
            self.describe_anew(id);
        }
        Ok(())
    }

    fn describe_anew(&mut self, id: RecordingId) {
        let since = self.entry.at.as_millisecond().to_be_bytes().to_vec();
        self.table.put(key::undescribed(id), since);
    }

    fn segment_seen(&mut self, segment: &Segment) -> Done {
        let id = segment.id;
        self.table.put(
            key::source(&segment.camera, segment.source.path.as_bytes()),
            id.as_bytes().to_vec(),
        );
        if let Some(known) = self.table.segment(id)? {
            // Back again after it had vanished.
            let stage = match (&known.sealed, &known.receipt) {
                (Some(_), Some(_)) => Stage::Receipted,
                (Some(_), None) if self.waits_for_store(&known)? => Stage::Sealed,
                (Some(_), None) => Stage::Stored,
                (None, _) => Stage::Seen,
            };
            self.stage(id, stage)?;
            self.gap_filled(segment)?;
            return self.segment(id, |s| s.superseded = false);
        }
        self.gap_filled(segment)?;
        self.table.put(key::member(segment.recording, id), Vec::new());
        let state = SegmentState {
            segment: segment.clone(),
            stage: Stage::Seen,
            seen_at: self.entry.at,
            copy_attempts: 0,
            trouble: None,
            retry_at: None,
            sealed: None,
            receipt: None,
            second_read: None,
            superseded: false,
            replaced: false,
            store_losses: 0,
            missed: false,
        };
        self.totals.stages[Stage::Seen as usize].add(segment.source.size);
        let class = self.class_of(&state)?;
        self.totals.to_copy[class_slot(class)].add(segment.source.size);
        self.recording(segment.recording, |recording| {
            recording.files[Stage::Seen as usize] += 1;
            recording.bytes += segment.source.size;
            recording.others_on_camera += u64::from(segment.kind != FileKind::Manifest);
            recording.media_on_camera += u64::from(segment.kind == FileKind::Media);
        })?;
        put(self.table, key::segment(id), &state)?;
        self.index_copy(&state)
    }

    /// Whether the newest sealed object of a segment is only in the spool.
    fn waits_for_store(&self, state: &SegmentState) -> Result<bool, IndexBroken> {
        let Some(sealed) = &state.sealed else { return Ok(false) };
        let object = self.table.object(sealed.object)?;
        Ok(object.is_some_and(|object| object.stored.is_none() && !object.lost))
    }

    fn class_of(&self, state: &SegmentState) -> Result<Class, IndexBroken> {
        if state.segment.kind == FileKind::Orphan {
            return Ok(Class::Quarantine);
        }
        let recording = self.table.recording(state.segment.recording)?;
        Ok(recording.map_or(Class::Unreviewed, |r| r.recording.class))
    }

    /// The order of copying: evidence, then other media, then what belongs to it, then orphans.
    fn index_copy(&mut self, state: &SegmentState) -> Done {
        let segment = &state.segment;
        for rank in 0..4 {
            self.table.remove(&key::copy(&segment.camera, rank, segment.id));
        }
        if state.stage == Stage::Seen {
            let rank = match (segment.kind, self.class_of(state)?) {
                (FileKind::Orphan, _) => 3,
                (_, Class::Evidential) => 0,
                (FileKind::Media | FileKind::Manifest, _) => 1,
                (FileKind::Sidecar, _) => 2,
            };
            let not_before = state.retry_at.map_or(0, Timestamp::as_millisecond);
            let value = not_before.to_be_bytes().to_vec();
            self.table.put(key::copy(&segment.camera, rank, segment.id), value);
        }
        Ok(())
    }

    /// Moves a segment to a stage and keeps counts and indexes in step.
    fn stage(&mut self, id: SegmentId, to: Stage) -> Done {
        let Some(mut state) = self.table.segment(id)? else { return Ok(()) };
        let from = state.stage;
        if from == to {
            return Ok(());
        }
        let bytes = state.segment.source.size;
        self.totals.stages[from as usize].remove(bytes);
        self.totals.stages[to as usize].add(bytes);
        let class = class_slot(self.class_of(&state)?);
        if from == Stage::Seen {
            self.totals.to_copy[class].remove(bytes);
        }
        if to == Stage::Seen {
            self.totals.to_copy[class].add(bytes);
        }
        let was = FileTrouble::of(&state);
        state.stage = to;
        let media = u64::from(state.segment.kind == FileKind::Media);
        let other = u64::from(state.segment.kind != FileKind::Manifest);
        let moved = from == Stage::Vanished || to == Stage::Vanished;
        let unstored = u64::from(moved && self.waits_for_store(&state)?);
        self.recording(state.segment.recording, |recording| {
            match to {
                Stage::Vanished => recording.gone_unstored += unstored,
                _ => recording.gone_unstored = recording.gone_unstored.saturating_sub(unstored),
            }
            for (here, one) in
                [(&mut recording.others_on_camera, other), (&mut recording.media_on_camera, media)]
            {
                match (from.is_gone(), to.is_gone()) {
                    (false, true) => *here = here.saturating_sub(one),
                    (true, false) => *here += one,
                    (false, false) | (true, true) => {}
                }
            }
            recording.files[from as usize] = recording.files[from as usize].saturating_sub(1);
            recording.files[to as usize] += 1;
        })?;
        let candidate = key::candidate(&state.segment.camera, id);
        // What is unsound or unclaimed never leaves its camera by rule: no use looking at it again.
        let sound = state.segment.kind != FileKind::Orphan
            && state.sealed.as_ref().is_some_and(|sealed| sealed.verdict.is_sound());
        match to {
            Stage::Receipted | Stage::Releasing if sound => self.table.put(candidate, Vec::new()),
            Stage::Receipted
            | Stage::Releasing
            | Stage::Seen
            | Stage::Sealed
            | Stage::Stored
            | Stage::Released
            | Stage::Vanished => {
                self.table.remove(&candidate);
            }
        }
        put(self.table, key::segment(id), &state)?;
        self.file_trouble(was, &state)?;
        self.index_copy(&state)
    }

    fn vanished(&mut self, id: SegmentId, words: &Option<String>, superseded: bool) -> Done {
        let Some(state) = self.table.segment(id)? else { return Ok(()) };
        // One that is read again has an earlier copy.
        if state.stage == Stage::Seen && state.sealed.is_none() && !superseded {
            self.totals.vanished_unsealed += 1;
        }
        self.segment(id, |s| {
            s.superseded = superseded;
            if words.is_some() {
                s.trouble.clone_from(words);
            }
        })?;
        self.stage(id, Stage::Vanished)
    }

    // --- sealing ---

    fn new_object(&mut self, object: &SealedObject, camera: CameraId) -> Done {
        let recording = self.recording_of(object)?;
        let marking = self.marking_of(object, recording)?;
        if let Some(recording) = recording {
            self.table.put(key::object_of(recording, object.id), Vec::new());
        }
        let state = ObjectState {
            object: object.clone(),
            camera,
            sealed_at: self.entry.at,
            sealed_seq: self.entry.seq,
            upload: None,
            attempts: 0,
            abandoned: 0,
            trouble: None,
            retry_at: None,
            stored: None,
            stored_at: None,
            receipt: None,
            receipt_placed: false,
            spool_freed: false,
            lost: false,
            marking,
            forgotten: 0,
            missed_at: None,
            missing: false,
        };
        self.totals.queue[class_slot(object.class)].add(object.sealed.size);
        let row = key::queue(object.class, self.entry.at, object.id);
        self.table.put(row, QueueRow::value(None, object.sealed.size));
        put(self.table, key::object(object.id), &state)
    }

    fn sealed(
        &mut self,
        id: SegmentId,
        verdict: crate::types::Verdict,
        object: &SealedObject,
    ) -> Done {
        let Some(mut state) = self.table.segment(id)? else { return Ok(()) };
        let was = FileTrouble::of(&state);
        // It was read to its end before it left the camera: safe, though it is not there any more.
        let gone = state.stage == Stage::Vanished;
        let waited = gone && self.waits_for_store(&state)?;
        if was == Some(FileTrouble::Lost) {
            self.totals.vanished_unsealed = self.totals.vanished_unsealed.saturating_sub(1);
        }
        self.retract_verdict(&state)?;
        *self.totals.verdict(verdict) += 1;
        state.sealed = Some(SealedState {
            object: object.id,
            verdict,
            plain: object.plain,
            at: self.entry.at,
            seq: self.entry.seq,
        });
        state.trouble = None;
        state.retry_at = None;
        state.receipt = None;
        state.second_read = None;
        put(self.table, key::segment(id), &state)?;
        self.file_trouble(was, &state)?;
        match gone {
            true => self.gap_filled(&state.segment)?,
            false => self.stage(id, Stage::Sealed)?,
        }
        // A rotten line that people went on with may contradict itself: the two must find each other,
        // or nobody would ever copy this segment again.
        let object = &SealedObject { content: Content::Segment(id), ..object.clone() };
        self.new_object(object, state.segment.camera.clone())?;
        self.recording(state.segment.recording, |recording| {
            recording.unsound += u64::from(!verdict.is_sound());
            recording.gone_unstored += u64::from(gone && !waited);
        })?;
        self.describe_anew(state.segment.recording);
        Ok(())
    }

    /// A segment that is sealed again counts once, by its newest verdict.
    fn retract_verdict(&mut self, state: &SegmentState) -> Done {
        let Some(before) = &state.sealed else { return Ok(()) };
        let count = self.totals.verdict(before.verdict);
        *count = count.saturating_sub(1);
        let unsound = u64::from(!before.verdict.is_sound());
        self.recording(state.segment.recording, |recording| {
            recording.unsound = recording.unsound.saturating_sub(unsound);
        })
    }

    fn record_sealed(&mut self, id: RecordingId, object: &SealedObject) -> Done {
        let seq = self.entry.seq;
        let Some(recording) = self.table.recording(id)? else { return Ok(()) };
        self.new_object(object, recording.recording.camera.clone())?;
        self.table.remove(&key::undescribed(id));
        self.recording(id, |recording| recording.record = Some((object.id, seq)))
    }

    // --- the store ---

    fn forget_parts(&mut self, id: ObjectId) -> Done {
        for (number, _) in self.table.acknowledged(id)? {
            self.table.remove(&key::part(id, number));
        }
        Ok(())
    }

    fn leave_queue(&mut self, state: &ObjectState) {
        let object = &state.object;
        self.table.remove(&key::queue(object.class, state.sealed_at, object.id));
        self.totals.queue[class_slot(object.class)].remove(object.sealed.size);
    }

    fn stored(
        &mut self,
        id: ObjectId,
        level: crate::types::ReceiptLevel,
        version: &Option<String>,
    ) -> Done {
        let Some(mut state) = self.table.object(id)? else { return Ok(()) };
        if state.stored.is_some() {
            return Ok(());
        }
        if !state.lost {
            self.leave_queue(&state);
        }
        self.forget_parts(id)?;
        self.totals.stored.add(state.object.sealed.size);
        self.totals.store_need = None;
        state.stored = Some((level, version.clone()));
        state.stored_at = Some(self.entry.at);
        state.trouble = None;
        state.retry_at = None;
        if !state.is_finished() {
            self.table.put(key::unfinished(id), Vec::new());
        }
        put(self.table, key::object(id), &state)?;
        match self.current_segment(&state.object)? {
            Some(segment) if segment.stage == Stage::Sealed => {
                self.stage(segment.segment.id, Stage::Stored)
            }
            Some(segment) if segment.stage == Stage::Vanished => {
                self.gone_is_settled(segment.segment.recording)
            }
            _ => Ok(()),
        }
    }

    /// A file that vanished does not wait for the store any more.
    fn gone_is_settled(&mut self, recording: RecordingId) -> Done {
        self.recording(recording, |r| r.gone_unstored = r.gone_unstored.saturating_sub(1))
    }

    /// The segment whose newest sealed object this is.
    fn current_segment(&self, object: &SealedObject) -> Result<Option<SegmentState>, IndexBroken> {
        let Some(id) = segment_of(object) else { return Ok(None) };
        let state = self.table.segment(id)?;
        Ok(state.filter(|s| s.sealed.as_ref().is_some_and(|sealed| sealed.object == object.id)))
    }

    fn receipted(&mut self, id: ObjectId, receipt: &crate::types::fact::ReceiptRef) -> Done {
        let Some(state) = self.table.object(id)? else { return Ok(()) };
        self.totals.receipts += u64::from(state.receipt.is_none());
        self.object(id, |object| object.receipt = Some(receipt.clone()))?;
        if let Content::Record(recording) = state.object.content {
            return self.recording(recording, |recording| {
                recording.described_before = recording.described_before.max(state.sealed_seq);
            });
        }
        let Some(segment) = self.current_segment(&state.object)? else { return Ok(()) };
        self.segment(segment.segment.id, |s| s.receipt = Some(receipt.clone()))?;
        match segment.stage {
            Stage::Sealed | Stage::Stored => self.stage(segment.segment.id, Stage::Receipted),
            Stage::Seen
            | Stage::Receipted
            | Stage::Releasing
            | Stage::Released
            | Stage::Vanished => Ok(()),
        }
    }

    fn spool_damaged(&mut self, id: ObjectId, words: &str) -> Done {
        let Some(mut state) = self.table.object(id)? else { return Ok(()) };
        if state.stored.is_some() || state.lost {
            return Ok(());
        }
        self.totals.spool_damage += 1;
        self.leave_queue(&state);
        self.forget_parts(id)?;
        state.lost = true;
        state.trouble = Some(words.to_owned());
        put(self.table, key::object(id), &state)?;
        match state.object.content {
            Content::Record(recording) => self.undescribed(recording),
            Content::Segment(_) => self.copy_again(&state.object, words),
        }
    }

    fn copy_again(&mut self, object: &SealedObject, words: &str) -> Done {
        let Some(segment) = self.current_segment(object)? else { return Ok(()) };
        let id = segment.segment.id;
        self.retract_verdict(&segment)?;
        self.segment(id, |s| {
            s.sealed = None;
            s.trouble = Some(words.to_owned());
        })?;
        match segment.stage {
            Stage::Vanished => {
                self.totals.vanished_unsealed += 1;
                self.gone_is_settled(segment.segment.recording)
            }
            _ => self.stage(id, Stage::Seen),
        }
    }

    // --- people ---

    fn retry(&mut self, target: &crate::types::fact::Target) -> Done {
        use crate::types::fact::Target;
        match target {
            Target::Segment(id) => self.retry_segment(*id),
            Target::Recording(id) => {
                for segment in self.table.ids(&key::members(*id), b"", usize::MAX)? {
                    if let Ok(segment) = SegmentId::from_slice(&segment) {
                        self.retry_segment(segment)?;
                    }
                }
                Ok(())
            }
            Target::Camera(id) => {
                self.retry_unsound(&key::matters(id))?;
                self.retry_copies(&key::copies(id))?;
                self.retry_all_marks(Some(id))?;
                self.retry_queue(target)
            }
            Target::Dock => {
                // What is elsewhere cannot be read again: its sealed copy stays what it is.
                for camera in self.table.list::<CameraState>(key::CAMERAS, b"", usize::MAX)? {
                    if camera.docked {
                        self.retry_unsound(&key::matters(&camera.id))?;
                    }
                }
                self.retry_copies(key::COPIES)?;
                self.retry_all_marks(None)?;
                self.retry_queue(target)
            }
        }
    }

    fn retry_copies(&mut self, prefix: &[u8]) -> Done {
        let mut waiting = Vec::new();
        self.table.scan(prefix, b"", &mut |key, value| {
            if value.iter().any(|byte| *byte != 0) {
                waiting.extend(key::tail(key).and_then(|id| SegmentId::from_slice(id).ok()));
            }
            std::ops::ControlFlow::Continue(())
        })?;
        waiting.into_iter().try_for_each(|id| self.segment(id, |s| s.retry_at = None))
    }

    /// Clears the waiting time; a segment whose copy was unsound is read from the camera again.
    pub(super) fn retry_segment(&mut self, id: SegmentId) -> Done {
        let Some(state) = self.table.segment(id)? else { return Ok(()) };
        self.segment(id, |s| s.retry_at = None)?;
        let Some(sealed) = &state.sealed else { return Ok(()) };
        self.object(sealed.object, |o| o.retry_at = None)?;
        self.retry_marks(sealed.object)?;
        let on_camera = matches!(state.stage, Stage::Sealed | Stage::Stored | Stage::Receipted);
        if on_camera && !sealed.verdict.is_sound() {
            self.segment(id, |s| s.copy_attempts = 0)?;
            return self.stage(id, Stage::Seen);
        }
        Ok(())
    }

    fn retry_queue(&mut self, target: &crate::types::fact::Target) -> Done {
        use crate::types::fact::Target;
        for class in [Class::Evidential, Class::Quarantine, Class::Unreviewed] {
            let mut waiting = Vec::new();
            self.table.queue(class, &mut |row| {
                if row.not_before.as_millisecond() > 0 {
                    waiting.push(row.object);
                }
                std::ops::ControlFlow::Continue(())
            })?;
            for id in waiting {
                let Some(object) = self.table.object(id)? else { continue };
                if !matches!(target, Target::Camera(camera) if *camera != object.camera) {
                    self.object(id, |o| o.retry_at = None)?;
                }
            }
        }
        Ok(())
    }

    fn reclassed(&mut self, id: RecordingId, class: Class) -> Done {
        self.reclass_members(id, class)?;
        self.recording(id, |recording| recording.recording.class = class)?;
        self.undescribed(id)
    }

    /// Moves what is queued or still to be copied to its new class.
    fn reclass_members(&mut self, id: RecordingId, class: Class) -> Done {
        let Some(recording) = self.table.recording(id)? else { return Ok(()) };
        let was = recording.recording.class;
        let mut moved = Amount::default();
        let mut segments = Vec::new();
        // Older copies and descriptions too: whatever the store has of it.
        let mut objects: BTreeSet<[u8; 16]> =
            self.table.ids(&key::objects_of(id), b"", usize::MAX)?.into_iter().collect();
        for raw in self.table.ids(&key::members(id), b"", usize::MAX)? {
            let Ok(segment) = SegmentId::from_slice(&raw) else { continue };
            let Some(state) = self.table.segment(segment)? else { continue };
            if state.stage == Stage::Seen && state.segment.kind != FileKind::Orphan {
                moved.add(state.segment.source.size);
                segments.push(segment);
            }
            objects.extend(state.sealed.as_ref().map(|sealed| *sealed.object.as_bytes()));
        }
        let from = &mut self.totals.to_copy[class_slot(was)];
        from.count = from.count.saturating_sub(moved.count);
        from.bytes = from.bytes.saturating_sub(moved.bytes);
        let to = &mut self.totals.to_copy[class_slot(class)];
        to.count += moved.count;
        to.bytes += moved.bytes;
        self.recording(id, |recording| recording.recording.class = class)?;
        for segment in segments {
            self.segment(segment, |_| {})?;
        }
        objects.extend(recording.record.map(|(record, _)| *record.as_bytes()));
        for raw in objects {
            let Ok(object) = ObjectId::from_slice(&raw) else { continue };
            self.reclass_object(object, class)?;
        }
        Ok(())
    }

    fn reclass_object(&mut self, id: ObjectId, class: Class) -> Done {
        let Some(mut state) = self.table.object(id)? else { return Ok(()) };
        if state.lost {
            return Ok(());
        }
        // Quarantine is never lowered here.
        let moves = state.object.class != Class::Quarantine;
        if state.stored.is_some() {
            return self.reclass_stored(state, class);
        }
        state.marking.evidence = class == Class::Evidential;
        state.marking.hold_is_ours |= state.marking.evidence;
        if moves {
            self.leave_queue(&state);
            state.object.class = class;
            self.totals.queue[class_slot(class)].add(state.object.sealed.size);
        }
        put(self.table, key::object(id), &state)?;
        self.object(id, |_| {})
    }
}
