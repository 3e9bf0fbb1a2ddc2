//! Rules for the marks of stored objects: when the store is given a class tag, a retention, a hold.
//!
//! A due mark is a fact in the log before the store hears of it (`marks_due` after storing;
//! `reclassed` by a person; `recording_seen` when a camera says later that it is evidence), and it
//! is done with only by the fact of what the store was seen to keep. Nothing else waits for it but
//! the receipt, and that only for the first attempt: the object is stored, proved and locked by the
//! headers it was created with, or not locked at all, which is then said everywhere. So releasing
//! goes on.

use super::{
    Dock, IndexBroken, Records, View,
    elapsed::is_due,
    event::{Action, MarkEnd, Step},
    state::{MarkingState, key},
};
use crate::types::{
    ObjectId,
    fact::{Fact, MarksAsked},
};
use jiff::Timestamp;
use std::ops::ControlFlow;

/// Objects marked at the same time.
const MARKS_MAX: usize = 4;
/// Rows looked at for one decision; beyond it the rest waits its turn.
const LOOK_MAX: usize = 4096;

/// Its first marking has neither ended nor failed.
pub(super) fn is_first_marking(marking: &MarkingState) -> bool {
    marking.due && marking.attempts == 0 && marking.seen.is_none()
}

impl Dock {
    /// Until when, and why, nothing is marked at the store.
    pub fn marking_wait(&self) -> Option<&(Timestamp, String)> {
        self.marking_wait.as_ref()
    }

    pub(super) fn handle_marked(
        &mut self,
        object: ObjectId,
        asked: MarksAsked,
        end: MarkEnd,
        step: &mut Step,
    ) {
        self.marking.remove(&object);
        match end {
            MarkEnd::Seen(seen) => {
                self.marking_wait = None;
                step.fact(Fact::Marked { object, asked, seen });
            }
            MarkEnd::Failed { attempts, words, retry_at, store_wide } => {
                if store_wide {
                    self.marking_wait = Some((retry_at, words.clone()));
                }
                step.fact(Fact::MarkFailed { object, attempts, words, retry_at });
            }
        }
    }

    /// All waits end: somebody asked, or the clock was set back.
    pub(super) fn mark_now(&mut self, now: Timestamp) {
        self.marking_wait = self.marking_wait.take().map(|(until, words)| (until.min(now), words));
    }

    pub(super) fn poll_marking(
        &mut self,
        now: Timestamp,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        // After trouble with the store one object asks first, as with uploads.
        let slots = match &self.marking_wait {
            Some((until, _)) if now < *until => 0,
            Some(_) => 1,
            None => MARKS_MAX,
        };
        while self.marking.len() < slots {
            let Some(object) = self.next_mark(now, view)? else { return Ok(()) };
            let Some(state) = view.object(object)? else { return Ok(()) };
            self.marking.insert(object);
            step.act(Action::Mark { object, asked: state.marks_asked() });
        }
        Ok(())
    }

    fn next_mark(&self, now: Timestamp, view: &dyn View) -> Result<Option<ObjectId>, IndexBroken> {
        let (mut found, mut looked) = (None, 0);
        view.scan(key::MARKS_DUE, b"", &mut |key, value| {
            looked += 1;
            let not_before = value.try_into().map_or(0, i64::from_be_bytes);
            let due = Timestamp::from_millisecond(not_before).is_ok_and(|at| is_due(at, now));
            let id = key::tail(key).and_then(|id| ObjectId::from_slice(id).ok());
            found = id.filter(|id| due && !self.marking.contains(id));
            let more = found.is_none() && looked < LOOK_MAX;
            if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(found)
    }
}
