//! Rules for a store that does not have what its receipts say, or does not answer before an erase.
//!
//! One look proves little: a proxy that answers for the store for a minute must not send a whole
//! station's footage a second time. Two looks, some time apart, are believed.

use super::{Dock, IndexBroken, Records, View, event::Step, machine::Bay, state::segment_of};
use crate::types::{ObjectId, SegmentId, fact::Fact};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Between the first look that missed an object and the one that is believed, at least.
pub const LOOKED_APART: SignedDuration = SignedDuration::from_secs(60);
/// Files of one camera that may wait for their second look at the same time.
const LACKING_MAX: usize = 1000;
/// The first wait before what the store lost is read and sent again; doubled by each further time,
/// up to about two hours.
const AGAIN_BASE: SignedDuration = SignedDuration::from_mins(1);
const AGAIN_DOUBLINGS_MAX: u32 = 7;

/// What the looks before erasing found at the store, as long as the camera is docked.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Files whose object was missed once, and when.
    lacking: BTreeMap<SegmentId, Timestamp>,
    /// In words, since the store last could not be asked.
    pub silent: Option<String>,
}

impl Looks {
    /// Whether a look now, which missed the object, is the second one and late enough.
    fn is_believed(&mut self, now: Timestamp, segment: SegmentId) -> bool {
        match self.lacking.get(&segment) {
            Some(first) if now.duration_since(*first).abs() >= LOOKED_APART => {
                self.lacking.remove(&segment);
                true
            }
            Some(_) => false,
            None => {
                if self.lacking.len() < LACKING_MAX {
                    self.lacking.insert(segment, now);
                }
                false
            }
        }
    }
}

impl Bay {
    /// Why its camera is not cleared, when only the store's silence is the cause.
    pub fn waits_for_store(&self) -> Option<&str> {
        self.looks.silent.as_deref()
    }
}

impl Dock {
    /// Looked for twice, apart from any erase, the store does not have it.
    pub(super) fn handle_store_lacks(
        &mut self,
        now: Timestamp,
        object: ObjectId,
        words: &str,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let Some(state) = view.object(object)? else { return Ok(()) };
        if state.receipt.is_some() && !state.missing {
            let segment = segment_of(&state.object).map(|id| view.segment(id)).transpose()?;
            let before = segment.flatten().map_or(0, |segment| segment.store_losses);
            store_lost(now, object, before, words, step);
            self.bays.values_mut().filter(|bay| bay.camera == state.camera).for_each(|bay| {
                bay.settled = false;
                bay.was_worked_on();
                bay.release.hasten();
            });
        }
        Ok(())
    }
}

/// A look right before an erase missed the object. The words for the bay, until it is believed.
pub(super) fn missed_before_erase(
    now: Timestamp,
    looks: Option<&mut Looks>,
    segment: SegmentId,
    words: &str,
    view: &dyn View,
    step: &mut Step,
) -> Result<Option<String>, IndexBroken> {
    let believed = looks.is_some_and(|looks| looks.is_believed(now, segment));
    step.fact(Fact::ReleaseFailed { segment, words: words.to_owned() });
    if !believed {
        return Ok(Some(format!("{words}; it is asked once more before that is believed")));
    }
    let Some(state) = view.segment(segment)? else { return Ok(None) };
    let Some(sealed) = &state.sealed else { return Ok(None) };
    store_lost(now, sealed.object, state.store_losses, words, step);
    Ok(None)
}

fn store_lost(now: Timestamp, object: ObjectId, before: u32, words: &str, step: &mut Step) {
    let wait = AGAIN_BASE * (1 << before.min(AGAIN_DOUBLINGS_MAX));
    let retry_at = now.saturating_add(wait).unwrap_or(now);
    step.fact(Fact::StoreLost { object, words: words.to_owned(), retry_at });
}
