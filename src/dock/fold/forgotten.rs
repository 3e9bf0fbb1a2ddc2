//! What the store proved and then did not have any more: back to the queue, as before it was stored;
//! after the receipt back to the camera, as far as it still has it.

use super::{Done, Fold};
use crate::{
    dock::{
        Records as _, Stage,
        state::{ObjectState, QueueRow, class_slot, key, put},
    },
    types::{ObjectId, fact::Content},
};
use jiff::Timestamp;

impl Fold<'_> {
    /// After the receipt the fact stands: the receipt is what the dock can prove.
    pub(super) fn store_forgot(&mut self, id: ObjectId, words: &str, retry_at: Timestamp) -> Done {
        let Some(mut state) = self.table.object(id)? else { return Ok(()) };
        if state.stored.is_none() || state.receipt.is_some() {
            return Ok(());
        }
        let bytes = state.object.sealed.size;
        self.totals.stored.remove(bytes);
        state.stored = None;
        state.stored_at = None;
        state.upload = None;
        state.forgotten = state.forgotten.saturating_add(1);
        state.trouble = Some(words.to_owned());
        state.retry_at = Some(retry_at);
        self.table.remove(&key::unfinished(id));
        if !state.lost {
            self.totals.queue[class_slot(state.object.class)].add(bytes);
            let row = key::queue(state.object.class, state.sealed_at, id);
            self.table.put(row, QueueRow::value(state.retry_at, bytes));
        }
        put(self.table, key::object(id), &state)?;
        match self.current_segment(&state.object)? {
            Some(segment) if segment.stage == Stage::Stored => {
                self.stage(segment.segment.id, Stage::Sealed)
            }
            Some(segment) if segment.stage == Stage::Vanished && !state.lost => {
                self.recording(segment.segment.recording, |r| r.gone_unstored += 1)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn store_missed(&mut self, id: ObjectId, words: &str) -> Done {
        let Some(mut state) = self.table.object(id)? else { return Ok(()) };
        if state.receipt.is_none() || state.missing || state.missed_at.is_some() {
            return Ok(());
        }
        state.missed_at = Some(self.entry.at);
        state.trouble = Some(words.to_owned());
        self.table.put(key::missed(id), Vec::new());
        put(self.table, key::object(id), &state)?;
        match self.current_segment(&state.object)? {
            Some(segment) => self.segment(segment.segment.id, |s| s.missed = true),
            None => Ok(()),
        }
    }

    pub(super) fn store_found(&mut self, id: ObjectId) -> Done {
        let Some(mut state) = self.table.object(id)? else { return Ok(()) };
        if state.missed_at.take().is_none() {
            return Ok(());
        }
        state.trouble = None;
        self.table.remove(&key::missed(id));
        put(self.table, key::object(id), &state)?;
        match self.current_segment(&state.object)? {
            Some(segment) => self.segment(segment.segment.id, |s| s.missed = false),
            None => Ok(()),
        }
    }

    /// The receipt was given and the spool cleared: only the camera may have the footage besides.
    /// What was released since can only be told of.
    pub(super) fn store_lost(&mut self, id: ObjectId, words: &str, retry_at: Timestamp) -> Done {
        self.store_found(id)?;
        let Some(mut state) = self.table.object(id)? else { return Ok(()) };
        if state.receipt.is_none() || state.missing {
            return Ok(());
        }
        self.totals.store_losses += 1;
        state.missing = true;
        state.trouble = Some(words.to_owned());
        if let Content::Record(recording) = state.object.content {
            self.no_longer_stored(state)?;
            self.recording(recording, |r| r.described_before = 0)?;
            return self.undescribed(recording);
        }
        let Some(segment) = self.current_segment(&state.object)? else {
            return put(self.table, key::object(id), &state);
        };
        let segment_id = segment.segment.id;
        if segment.stage.is_gone() {
            self.unmark(&mut state)?;
            put(self.table, key::object(id), &state)?;
            return self.segment(segment_id, |s| {
                s.store_losses = s.store_losses.saturating_add(1);
                s.trouble = Some(words.to_owned());
            });
        }
        let object = state.object.clone();
        self.no_longer_stored(state)?;
        self.copy_again(&object, words)?;
        self.segment(segment_id, |s| {
            s.store_losses = s.store_losses.saturating_add(1);
            s.receipt = None;
            s.second_read = None;
            s.retry_at = Some(retry_at);
        })
    }

    fn no_longer_stored(&mut self, mut state: ObjectState) -> Done {
        let id = state.object.id;
        self.totals.stored.remove(state.object.sealed.size);
        state.stored = None;
        state.stored_at = None;
        state.lost = true;
        self.table.remove(&key::unfinished(id));
        self.unmark(&mut state)?;
        put(self.table, key::object(id), &state)
    }
}
