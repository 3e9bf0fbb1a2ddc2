//! Rules for copying: what is read next, and what becomes of what was read.

use super::{
    Dock, IndexBroken, Records, Stage, View,
    elapsed::is_due,
    event::{Action, CopyResult, Step},
    machine::Work,
    state::{SegmentState, key},
};
use crate::{
    evidence,
    transfer::marks,
    types::{
        BayName, CameraId, Class, FileKind, ObjectId, SegmentId, Verdict,
        fact::{Content, Fact, Hashed, PartTable, SealedObject},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::ops::ControlFlow;

impl Dock {
    /// Starts the next copy in a bay; true when the bay has something to copy, now or soon.
    pub(super) fn poll_copy(
        &mut self,
        now: Timestamp,
        name: &BayName,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<bool, IndexBroken> {
        let Some(bay) = self.bays.get(name) else { return Ok(false) };
        let camera = bay.camera.clone();
        let held = |id| bay.growing.waits(id);
        let Some(segment) = next_copy(now, &camera, &held, view)? else { return Ok(false) };
        let paused = self.is_paused(name, view)?;
        let running =
            self.bays.values().filter(|bay| matches!(bay.work, Some(Work::Copy(_)))).count();
        if paused || bay.spool_full || running >= self.settings.copies_max {
            return Ok(true);
        }
        let Some(state) = view.segment(segment)? else { return Ok(false) };
        let object = self.object_id(now);
        self.copies_given += 1;
        if let Some(bay) = self.bays.get_mut(name) {
            bay.work = Some(Work::Copy(segment));
            bay.last_copy = self.copies_given;
        }
        self.give_way(name, step);
        step.act(Action::Copy { bay: name.clone(), segment, object, source: state.segment.source });
        Ok(true)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one event")]
    pub(super) fn handle_copied(
        &mut self,
        now: Timestamp,
        bay: &BayName,
        segment: SegmentId,
        object: ObjectId,
        result: CopyResult,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        self.finish_work(bay, Work::Copy(segment));
        let Some(state) = view.segment(segment)? else { return Ok(()) };
        match result {
            CopyResult::Gone => {}
            CopyResult::SpoolFull => {
                if let Some(bay) = self.bays.get_mut(bay) {
                    bay.spool_full = true;
                }
            }
            CopyResult::Failed { words } => {
                if let Some(bay) = self.bays.get_mut(bay) {
                    let since = bay.copies_fail.take().map_or(now, |(since, _)| since);
                    bay.copies_fail = Some((since, words.clone()));
                }
                self.copy_failed(now, &state, words, step);
            }
            CopyResult::Changed { words } => {
                if let Some(bay) = self.bays.get_mut(bay) {
                    bay.list_due = true;
                    bay.list_retry_at = None;
                }
                self.copy_failed(now, &state, words, step);
            }
            CopyResult::Sealed { plain, sealed, table, read_failed } => {
                if let Some(bay) = self.bays.get_mut(bay) {
                    bay.copies_fail = None;
                }
                if !is_wanted(&state, &plain) {
                    step.act(Action::Discard { object });
                    return Ok(());
                }
                let verdict = evidence::verdict(&state.segment, &plain, read_failed.is_some());
                // What has left its camera cannot be read once more: it is kept as it was read.
                let again = state.stage == Stage::Seen;
                // A bad cable can spoil a read: what differs is read once more before it counts.
                if again && verdict == Verdict::Mismatched && self.suspects.insert(segment) {
                    step.act(Action::Discard { object });
                    let words = format!(
                        "read {plain_sha}, the camera says otherwise; reading once more",
                        plain_sha = plain.sha256.short()
                    );
                    self.copy_failed(now, &state, words, step);
                    return Ok(());
                }
                if again
                    && read_failed.is_some()
                    && state.copy_attempts + 1 < self.settings.copy_attempts_max
                {
                    step.act(Action::Discard { object });
                    let words = read_failed.unwrap_or_default();
                    self.copy_failed(now, &state, words, step);
                    return Ok(());
                }
                self.suspects.remove(&segment);
                self.recording_changed(state.segment.recording);
                let recording = view.recording(state.segment.recording)?;
                let class = match (verdict.is_sound(), state.segment.kind, &recording) {
                    (true, FileKind::Media | FileKind::Sidecar | FileKind::Manifest, Some(r)) => {
                        r.recording.class
                    }
                    _ => Class::Quarantine,
                };
                let captured = recording.and_then(|r| r.recording.started);
                let object = self.sealed_object(
                    now,
                    Content::Segment(segment),
                    (object, plain, sealed, table),
                    class,
                    captured.unwrap_or(state.seen_at),
                );
                step.fact(Fact::Sealed { segment, verdict, object });
            }
        }
        Ok(())
    }

    fn copy_failed(&self, now: Timestamp, state: &SegmentState, words: String, step: &mut Step) {
        let attempts = state.copy_attempts.saturating_add(1);
        let (base, longest) = self.settings.copy_retry;
        let wait = base.saturating_mul(1 << (attempts - 1).min(16)).min(longest);
        let retry_at = now.saturating_add(wait).unwrap_or(now);
        step.fact(Fact::CopyFailed { segment: state.segment.id, attempts, words, retry_at });
    }

    pub(super) fn sealed_object(
        &self,
        now: Timestamp,
        content: Content,
        (id, plain, sealed, table): (ObjectId, Hashed, Hashed, PartTable),
        class: Class,
        captured: Timestamp,
    ) -> SealedObject {
        let day = now.strftime("%Y/%m/%d");
        let key = format!("{}{}/{day}/{id}.age", self.settings.key_prefix, self.settings.dock);
        let retain_until = self.settings.lock_for.map(|lock| {
            // A camera whose clock says 1970, or next year, must not shorten or stretch the lock.
            let believable = now.duration_since(captured);
            let days = SignedDuration::from_hours(24);
            let from = if (-days..=days.saturating_mul(60)).contains(&believable) {
                captured
            } else {
                now
            };
            let asked = from.saturating_add(lock).unwrap_or(Timestamp::MAX);
            marks::retain_until(asked, now, lock)
        });
        SealedObject { id, content, plain, sealed, table, key, class, retain_until }
    }
}

/// Whether a sealed copy is kept. Of a file that is sealed already it can only be an answer that
/// came late. One that left its camera before its answer came is evidence that is nowhere else.
fn is_wanted(state: &SegmentState, plain: &Hashed) -> bool {
    match (state.stage, &state.sealed) {
        (Stage::Seen, _) | (Stage::Vanished, None) => true,
        (Stage::Vanished, Some(known)) => !known.verdict.is_sound() && known.plain != *plain,
        (
            Stage::Sealed | Stage::Stored | Stage::Receipted | Stage::Releasing | Stage::Released,
            _,
        ) => false,
    }
}

/// The first segment of a camera that may be copied now.
fn next_copy(
    now: Timestamp,
    camera: &CameraId,
    held: &dyn Fn(SegmentId) -> bool,
    view: &dyn View,
) -> Result<Option<SegmentId>, IndexBroken> {
    let mut next = None;
    view.scan(&key::copies(camera), b"", &mut |key, value| {
        let not_before = value.try_into().map_or(0, i64::from_be_bytes);
        if Timestamp::from_millisecond(not_before).is_ok_and(|at| !is_due(at, now)) {
            return ControlFlow::Continue(());
        }
        next = key::tail(key).and_then(|id| SegmentId::from_slice(id).ok());
        match next.take_if(|id| held(*id)) {
            // What is still being written is copied when it holds still.
            Some(_) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    })?;
    Ok(next)
}
