//! Rules for a store that does not have what its receipts say, or does not answer before an erase.
//!
//! One look proves little: a proxy that answers for the store for a minute must not send a whole
//! station's footage a second time. The first is a fact of the log, so that neither a restart nor a pulled
//! camera forgets it; a second one, some time later, is believed.

use super::{
    Dock, IndexBroken, Records, View,
    event::Step,
    state::{ObjectState, segment_of},
};
use crate::types::{ObjectId, SegmentId, fact::Fact};
use jiff::{SignedDuration, Timestamp};

/// Between the first look that missed an object and the one that is believed, at least.
pub const LOOKED_APART: SignedDuration = SignedDuration::from_secs(60);
/// The first wait before what the store lost is read and sent again; doubled by each further time,
/// up to about two hours.
const AGAIN_BASE: SignedDuration = SignedDuration::from_mins(1);
const AGAIN_DOUBLINGS_MAX: u32 = 7;

impl Dock {
    /// Asked apart from any erase, the store does not have it.
    pub(super) fn handle_store_lacks(
        &mut self,
        now: Timestamp,
        object: ObjectId,
        words: &str,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let Some(state) = view.object(object)? else { return Ok(()) };
        if missed(now, &state, words, view, step)? != Missed::Before {
            self.bays.values_mut().filter(|bay| bay.camera == state.camera).for_each(|bay| {
                bay.settled = false;
                bay.was_worked_on();
                bay.release.hasten();
            });
        }
        Ok(())
    }
}

/// What a look that missed an object comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missed {
    /// It is the first, and is remembered.
    First,
    /// It is known already, or follows the first too soon.
    Before,
    /// It is believed.
    Lost,
}

fn missed(
    now: Timestamp,
    state: &ObjectState,
    words: &str,
    view: &dyn View,
    step: &mut Step,
) -> Result<Missed, IndexBroken> {
    let (object, words) = (state.object.id, words.to_owned());
    if state.receipt.is_none() || state.missing {
        return Ok(Missed::Before);
    }
    match state.missed_at {
        None => {
            step.fact(Fact::StoreMissed { object, words });
            Ok(Missed::First)
        }
        Some(first) if now.duration_since(first).abs() < LOOKED_APART => Ok(Missed::Before),
        Some(_) => {
            let segment = segment_of(&state.object).map(|id| view.segment(id)).transpose()?;
            let before = segment.flatten().map_or(0, |segment| segment.store_losses);
            let wait = AGAIN_BASE * (1 << before.min(AGAIN_DOUBLINGS_MAX));
            let retry_at = now.saturating_add(wait).unwrap_or(now);
            step.fact(Fact::StoreLost { object, words, retry_at });
            Ok(Missed::Lost)
        }
    }
}

/// A look right before an erase missed the object. The words for the bay, until it is believed.
pub(super) fn missed_before_erase(
    now: Timestamp,
    segment: SegmentId,
    words: &str,
    view: &dyn View,
    step: &mut Step,
) -> Result<Option<String>, IndexBroken> {
    step.fact(Fact::ReleaseFailed { segment, words: words.to_owned() });
    let sealed = view.segment(segment)?.and_then(|state| state.sealed);
    let Some(object) = sealed.map(|s| view.object(s.object)).transpose()?.flatten() else {
        return Ok(None);
    };
    let words = format!("{words}; it is asked once more before that is believed");
    Ok((missed(now, &object, &words, view, step)? != Missed::Lost).then_some(words))
}

/// Erased, so a look found what an earlier one had missed.
pub(super) fn found_before_erase(
    segment: SegmentId,
    view: &dyn View,
    step: &mut Step,
) -> Result<(), IndexBroken> {
    let state = view.segment(segment)?.filter(|state| state.missed);
    if let Some(sealed) = state.and_then(|state| state.sealed) {
        step.fact(Fact::StoreFound { object: sealed.object });
    }
    Ok(())
}
