//! Rules for what is left to do with a stored object: its receipt, the receipt's place in the store,
//! and the clearing of the spool.
//!
//! Trouble with one receipt is mostly trouble with the store: then one object asks at a time, and
//! ever later, so that thousands of stored objects do not ask in a storm. An object that fails
//! waits longer than the dock does: others have their turn, and the first success ends the trouble.

use super::{
    Dock, IndexBroken, Records, View,
    event::{Action, Step},
    marking::is_first_marking,
    state::key,
};
use crate::types::{ObjectId, fact::Fact};
use jiff::{SignedDuration, Timestamp};

/// Receipts, placings and clearings under way at the same time.
const FINISHING_MAX: usize = 4;
/// Rows looked at for one decision, beside those that wait; more in trouble, where those that need
/// nothing of the store may lie behind others.
const LOOK: usize = 2 * FINISHING_MAX;
const LOOK_IN_TROUBLE: usize = 64;
/// The first wait after trouble; doubled by each further failure.
const WAIT_BASE: SignedDuration = SignedDuration::from_secs(5);
const DOUBLINGS_MAX: u32 = 5;
/// How many times the dock's wait an object that failed waits itself.
const OWN_WAIT: i32 = 4;

/// The first wait before an object that the store forgot is sent again; doubled by each further
/// time, up to about two hours.
const FORGOTTEN_BASE: SignedDuration = SignedDuration::from_mins(1);
const FORGOTTEN_DOUBLINGS_MAX: u32 = 7;

/// Why no receipt is signed or placed at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishTrouble {
    pub until: Timestamp,
    pub words: String,
    failures: u32,
}

impl Dock {
    /// Until when, and why, no receipt is signed or placed.
    pub fn finish_trouble(&self) -> Option<&FinishTrouble> {
        self.finish_trouble.as_ref()
    }

    /// A receipt was signed or placed.
    pub(super) fn finished(&mut self, object: ObjectId) {
        self.finishing.remove(&object);
        self.finish_trouble = None;
    }

    pub(super) fn finish_later(&mut self, now: Timestamp, object: ObjectId, words: String) {
        // What was under way together fails together: that is one failure.
        let failures = match self.finish_trouble.take() {
            None => 1,
            Some(trouble) if now < trouble.until => trouble.failures,
            Some(trouble) => trouble.failures.saturating_add(1),
        };
        let wait = WAIT_BASE * (1 << (failures - 1).min(DOUBLINGS_MAX));
        let after = |wait| now.saturating_add(wait).unwrap_or(now);
        self.finishing.insert(object, Some(after(wait * OWN_WAIT)));
        self.finish_trouble = Some(FinishTrouble { until: after(wait), words, failures });
    }

    /// What was called stored goes back to the queue: its sealed object is still in the spool, for
    /// that is cleared after the receipt only. A store that does so again is asked ever later.
    pub(super) fn store_forgot(
        &mut self,
        now: Timestamp,
        object: ObjectId,
        words: String,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        self.finish_later(now, object, words.clone());
        let before = view.object(object)?.map_or(0, |state| state.forgotten);
        let wait = FORGOTTEN_BASE * (1 << before.min(FORGOTTEN_DOUBLINGS_MAX));
        let retry_at = now.saturating_add(wait).unwrap_or(now);
        step.fact(Fact::StoreForgot { object, words, retry_at });
        Ok(())
    }

    /// All waits end: somebody asked, or the clock was set back.
    pub(super) fn finish_now(&mut self, now: Timestamp) {
        self.finishing.retain(|_, retry_at| retry_at.is_none());
        if let Some(trouble) = &mut self.finish_trouble {
            trouble.until = trouble.until.min(now);
        }
    }

    /// Stored objects get their receipt, the receipt its place in the store, the spool its room.
    pub(super) fn poll_finishing(
        &mut self,
        now: Timestamp,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        self.finishing.retain(|_, retry_at| retry_at.is_none_or(|at| now < at));
        let under_way = self.finishing.values().filter(|retry_at| retry_at.is_none()).count();
        let mut room = FINISHING_MAX.saturating_sub(under_way);
        let mut asking = match &self.finish_trouble {
            None => room,
            Some(trouble) if trouble.until <= now => 1usize.saturating_sub(under_way),
            Some(_) => 0,
        };
        if room == 0 {
            return Ok(());
        }
        let look = if self.finish_trouble.is_some() { LOOK_IN_TROUBLE } else { LOOK };
        let looked = self.finishing.len() + look;
        for raw in view.ids(key::UNFINISHED, b"", looked)? {
            if room == 0 {
                break;
            }
            let Ok(object) = ObjectId::from_slice(&raw) else { continue };
            if self.finishing.contains_key(&object) {
                continue;
            }
            let Some(state) = view.object(object)? else { continue };
            // The receipt says what the store keeps: its first marking comes before. Trouble with
            // that holds nothing up, for the object is stored and proved.
            let marks_go_on = self.marking_wait.is_none();
            if state.receipt.is_none() && marks_go_on && is_first_marking(&state.marking) {
                continue;
            }
            let action = match (&state.receipt, state.spool_freed, state.receipt_placed) {
                (None, _, _) => Action::WriteReceipt { object },
                // The spool is cleared first: its room is what cameras wait for, and the store
                // has no say in it.
                (Some(_), false, _) => Action::FreeSpool { object },
                (Some(_), true, false) => Action::PlaceReceipt { object },
                (Some(_), true, true) => continue,
            };
            if !matches!(action, Action::FreeSpool { .. }) {
                if asking == 0 {
                    continue;
                }
                asking -= 1;
            }
            room -= 1;
            self.finishing.insert(object, None);
            step.act(action);
        }
        Ok(())
    }
}
