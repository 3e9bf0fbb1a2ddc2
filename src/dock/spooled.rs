//! What is done at a start about sealed objects that are in the spool, or should be.

use super::{
    IndexBroken, Records, View,
    state::{ObjectState, key, segment_of},
};
use crate::types::{Class, ObjectId};
use std::ops::ControlFlow;

/// Whether a sealed object that was found in the spool is still needed there; none for one the log
/// has no line of.
///
/// # Errors
/// [`IndexBroken`].
pub fn still_needed(view: &dyn View, object: ObjectId) -> Result<Option<bool>, IndexBroken> {
    let Some(state) = view.object(object)? else { return Ok(None) };
    if !state.lost {
        return Ok(Some(state.receipt.is_none() || !state.spool_freed));
    }
    // A damaged file may be all there is, until a newer copy is safe.
    let newer = segment_of(&state.object).map(|id| view.segment(id)).transpose()?;
    Ok(Some(newer.flatten().is_none_or(|segment| segment.receipt.is_none())))
}

/// Objects still to be stored that are not `there` in the spool.
///
/// # Errors
/// [`IndexBroken`].
pub fn missing(
    view: &dyn View,
    there: impl Fn(ObjectId) -> bool,
) -> Result<Vec<ObjectState>, IndexBroken> {
    let mut missing = Vec::new();
    for class in [Class::Evidential, Class::Quarantine, Class::Unreviewed] {
        view.scan(&key::queue_of(class), b"", &mut |key, _| {
            let object = key::tail(key).and_then(|id| ObjectId::from_slice(id).ok());
            missing.extend(object.filter(|object| !there(*object)));
            ControlFlow::Continue(())
        })?;
    }
    let states = missing.into_iter().map(|object| view.object(object));
    Ok(states.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}
