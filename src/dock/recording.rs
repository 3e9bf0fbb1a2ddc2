//! Rules for describing recordings: when the descriptive record is sealed, and what it covers.

use super::{
    Dock, IndexBroken, Records, View,
    event::{Action, CopyResult, Step},
    state::key,
};
use crate::types::{
    ObjectId, RecordingId,
    fact::{Content, Fact},
};
use jiff::{SignedDuration, Timestamp};
use std::ops::ControlFlow;

/// Recordings looked at in one step.
const LOOK_MAX: usize = 64;
/// A recording is described at the latest this long after something of it changed.
const LATEST: SignedDuration = SignedDuration::from_mins(10);
/// How long after a record could not be sealed the next one is tried.
const RETRY: SignedDuration = SignedDuration::from_secs(15);

/// The one record that is being sealed, and where the search for the next goes on.
#[derive(Debug, Default)]
pub(super) struct Describing {
    pub now: Option<RecordingId>,
    /// Something changed after the record was asked for: it may not cover that.
    pub outdated: bool,
    pub from: Option<Vec<u8>>,
    pub retry_at: Option<Timestamp>,
}

impl Dock {
    /// What is being described now, does not describe this recording any more.
    pub(super) fn recording_changed(&mut self, recording: RecordingId) {
        self.describing.outdated |= self.describing.now == Some(recording);
    }

    /// A recording is described when all of it that can be copied now is sealed, or at the latest
    /// ten minutes after something changed.
    pub(super) fn poll_records(
        &mut self,
        now: Timestamp,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let ingesting = self.bays.values().any(|bay| bay.ingest.is_some());
        let waits = self.describing.retry_at.is_some_and(|at| now < at);
        if self.describing.now.is_some() || ingesting || waits {
            return Ok(());
        }
        // On from where the last look ended, then once from the start: a recording that cannot
        // be described yet keeps no other waiting.
        for from in [self.describing.from.take(), None] {
            let (waiting, whole) = undescribed(from.as_deref().unwrap_or_default(), view)?;
            for (id, since) in &waiting {
                let Some(recording) = view.recording(*id)? else { continue };
                let late = now.duration_since(*since).abs() >= LATEST;
                if recording.files[0] == 0 || late {
                    self.describe(now, *id, step);
                    return Ok(());
                }
            }
            if let (false, Some((last, _))) = (whole, waiting.last()) {
                self.describing.from = Some(after(*last));
                return Ok(());
            }
            if from.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn describe(&mut self, now: Timestamp, recording: RecordingId, step: &mut Step) {
        let object = self.object_id(now);
        let from = Some(after(recording));
        self.describing =
            Describing { now: Some(recording), outdated: false, from, retry_at: None };
        step.act(Action::SealRecord { recording, object });
    }

    pub(super) fn handle_record_sealed(
        &mut self,
        now: Timestamp,
        recording: RecordingId,
        object: ObjectId,
        result: CopyResult,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let outdated = self.describing.outdated || self.describing.now != Some(recording);
        if self.describing.now == Some(recording) {
            self.describing.now = None;
        }
        let CopyResult::Sealed { plain, sealed, table, read_failed: None } = result else {
            // The recording stays marked: it is tried again.
            self.describing.retry_at = now.saturating_add(RETRY).ok();
            return Ok(());
        };
        let Some(state) = view.recording(recording)?.filter(|_| !outdated) else {
            step.act(Action::Discard { object });
            return Ok(());
        };
        let captured = state.recording.started.unwrap_or(state.first_seen);
        let object = self.sealed_object(
            now,
            Content::Record(recording),
            (object, plain, sealed, table),
            state.recording.class,
            captured,
        );
        step.fact(Fact::RecordSealed { recording, object });
        Ok(())
    }
}

fn after(recording: RecordingId) -> Vec<u8> {
    let mut from = key::undescribed(recording);
    from.push(0);
    from
}

type Waiting = Vec<(RecordingId, Timestamp)>;

/// Recordings to be described, with the time of their last change; and whether these are all.
fn undescribed(from: &[u8], view: &dyn View) -> Result<(Waiting, bool), IndexBroken> {
    let (mut waiting, mut looked) = (Vec::new(), 0);
    view.scan(key::UNDESCRIBED, from, &mut |key, value| {
        let id = key::tail(key).and_then(|id| RecordingId::from_slice(id).ok());
        let since = value.try_into().ok().map(i64::from_be_bytes);
        waiting.extend(id.zip(since.and_then(|ms| Timestamp::from_millisecond(ms).ok())));
        looked += 1;
        if looked < LOOK_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok((waiting, looked < LOOK_MAX))
}
