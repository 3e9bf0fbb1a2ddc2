//! What the store proved and then did not have any more: back to the queue, as before it was stored.

use super::{Done, Fold};
use crate::{
    dock::{
        Records as _, Stage,
        state::{QueueRow, class_slot, key, put},
    },
    types::ObjectId,
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
}
