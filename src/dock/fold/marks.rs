//! How stored objects stand with their marks at the store: class tag, retention, legal hold.
//!
//! What is due is an index of its own, so that a crash at any point finds it again. It ends only
//! with what the store was seen to keep for what is asked *now*: an answer to an earlier question
//! leaves it due.

use super::{Done, Fold};
use crate::{
    dock::{
        IndexBroken, Records,
        state::{MarkingState, ObjectState, key, put},
    },
    types::{
        CameraId, Class, ObjectId, RecordingId,
        fact::{Content, MarksAsked, MarksSeen, SealedObject},
    },
};
use jiff::Timestamp;

impl Fold<'_> {
    /// The recording that an object is of.
    pub(super) fn recording_of(
        &self,
        object: &SealedObject,
    ) -> Result<Option<RecordingId>, IndexBroken> {
        Ok(match object.content {
            Content::Record(id) => Some(id),
            Content::Segment(id) => self.table.segment(id)?.map(|s| s.segment.recording),
        })
    }

    /// How a new object begins: evidence if its recording is.
    pub(super) fn marking_of(
        &self,
        object: &SealedObject,
        recording: Option<RecordingId>,
    ) -> Result<MarkingState, IndexBroken> {
        let recording = recording.map(|id| self.table.recording(id)).transpose()?.flatten();
        let evidence = object.class == Class::Evidential
            || recording.is_some_and(|r| r.recording.class == Class::Evidential);
        Ok(MarkingState { evidence, hold_is_ours: evidence, ..MarkingState::default() })
    }

    pub(super) fn marks_due(&mut self, id: ObjectId) -> Done {
        let Some(state) = self.table.object(id)? else { return Ok(()) };
        if state.stored.is_some() { self.due(state) } else { Ok(()) }
    }

    /// A class that changed after the object was stored.
    pub(super) fn reclass_stored(&mut self, mut state: ObjectState, class: Class) -> Done {
        let before = state.marks_asked();
        // Quarantine is what checks decided; a person's mark adds a hold to it and no more.
        if state.object.class != Class::Quarantine {
            state.object.class = class;
        }
        state.marking.evidence = class == Class::Evidential;
        state.marking.hold_is_ours |= state.marking.evidence;
        if state.marks_asked() == before {
            return put(self.table, key::object(state.object.id), &state);
        }
        self.due(state)
    }

    fn due(&mut self, mut state: ObjectState) -> Done {
        let id = state.object.id;
        if state.missing {
            return put(self.table, key::object(id), &state);
        }
        self.not_lacking(id)?;
        state.marking.due = true;
        state.marking.attempts = 0;
        state.marking.trouble = None;
        state.marking.retry_at = None;
        self.index_due(id, None);
        put(self.table, key::object(id), &state)
    }

    /// It is not in the store: there is nothing to mark.
    pub(super) fn unmark(&mut self, state: &mut ObjectState) -> Done {
        let id = state.object.id;
        self.not_lacking(id)?;
        self.table.remove(&key::marks_due(id));
        state.marking.due = false;
        state.marking.seen = None;
        Ok(())
    }

    fn index_due(&mut self, id: ObjectId, not_before: Option<Timestamp>) {
        let not_before_ms = not_before.map_or(0, Timestamp::as_millisecond);
        self.table.put(key::marks_due(id), not_before_ms.to_be_bytes().to_vec());
    }

    fn not_lacking(&mut self, id: ObjectId) -> Done {
        let row = key::marks_lacking(id);
        if self.table.get(&row)?.is_some() {
            self.table.remove(&row);
            self.totals.marks_lacking = self.totals.marks_lacking.saturating_sub(1);
        }
        Ok(())
    }

    pub(super) fn marked(&mut self, id: ObjectId, asked: MarksAsked, seen: &MarksSeen) -> Done {
        let Some(mut state) = self.table.object(id)? else { return Ok(()) };
        // An answer from before the store was seen to have lost it.
        if state.missing {
            return Ok(());
        }
        if state.marks_asked() == asked {
            self.not_lacking(id)?;
            self.table.remove(&key::marks_due(id));
            if seen.lacks.is_some() {
                self.table.put(key::marks_lacking(id), Vec::new());
                self.totals.marks_lacking += 1;
            }
            state.marking.due = false;
            // A hold that somebody else put there stays theirs.
            state.marking.hold_is_ours &= asked.evidence || seen.legal_hold;
            state.marking.trouble.clone_from(&seen.lacks);
        }
        state.marking.attempts = 0;
        state.marking.retry_at = None;
        state.marking.seen = Some(seen.clone());
        put(self.table, key::object(id), &state)
    }

    pub(super) fn mark_failed(
        &mut self,
        id: ObjectId,
        attempts: u32,
        words: &str,
        retry_at: Timestamp,
    ) -> Done {
        let Some(mut state) = self.table.object(id)? else { return Ok(()) };
        if !state.marking.due {
            return Ok(());
        }
        state.marking.attempts = attempts;
        state.marking.trouble = Some(words.to_owned());
        state.marking.retry_at = Some(retry_at);
        self.index_due(id, Some(retry_at));
        put(self.table, key::object(id), &state)
    }

    /// Somebody asked: what waits goes now, and a store that could not is asked once more.
    pub(super) fn retry_marks(&mut self, id: ObjectId) -> Done {
        let Some(state) = self.table.object(id)? else { return Ok(()) };
        let lacks = self.table.get(&key::marks_lacking(id))?.is_some();
        if state.marking.due || lacks { self.due(state) } else { Ok(()) }
    }

    pub(super) fn retry_all_marks(&mut self, camera: Option<&CameraId>) -> Done {
        let mut ids = self.table.ids(key::MARKS_DUE, b"", usize::MAX)?;
        ids.extend(self.table.ids(key::MARKS_LACKING, b"", usize::MAX)?);
        for raw in ids {
            let Ok(id) = ObjectId::from_slice(&raw) else { continue };
            let Some(state) = self.table.object(id)? else { continue };
            if camera.is_none_or(|camera| *camera == state.camera) {
                self.retry_marks(id)?;
            }
        }
        Ok(())
    }
}
