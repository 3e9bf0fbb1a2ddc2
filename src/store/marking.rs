//! Brings the marks of one object about at a store, in the order of [`crate::transfer::marks`].

use super::{Fault, Store, StoreError};
use crate::{
    transfer::marks::{MarkChange, MarksWanted, changes, outcome},
    types::fact::MarksSeen,
};

/// How many times a store may acknowledge a mark without showing it, before it counts as one that
/// keeps none.
const PATIENCE: u32 = 3;

/// Reads what is there, changes what must be changed, one after the other, and reads again. What
/// the store refuses is passed over and said; any other trouble ends it where it is, so that no tag
/// is lowered, and none raised, before what has to come first. `attempts` is how often it failed
/// before.
///
/// # Errors
/// As the store says, when asking again may help; nothing is known then.
pub async fn establish<S: Store>(
    store: &S,
    key: &str,
    version: Option<&str>,
    wanted: &MarksWanted,
    attempts: u32,
) -> Result<MarksSeen, StoreError> {
    let with_locks = wanted.looks_at_locks();
    let found = match store.marks(key, version, with_locks).await {
        Ok(found) => found,
        Err(error) if error.fault == Fault::Missing => return Ok(gone(&error)),
        Err(error) => return Err(error),
    };
    let steps = changes(wanted, &found);
    if steps.is_empty() {
        return Ok(outcome(wanted, &found, &[]));
    }
    let mut refused = Vec::new();
    for change in &steps {
        // A hold goes last, and only after what it follows.
        if *change == MarkChange::Hold(false) && !refused.is_empty() {
            break;
        }
        match store.mark(key, version, change).await {
            Ok(()) => {}
            Err(error) if error.fault == Fault::Refused => refused.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    let found = store.marks(key, version, with_locks).await?;
    let seen = outcome(wanted, &found, &refused);
    match &seen.lacks {
        // It said yes to all of it, and does not show it: it may need a while.
        Some(words) if refused.is_empty() && attempts < PATIENCE => Err(StoreError {
            call: "marking",
            fault: Fault::NotTheStore,
            words: format!("the store acknowledged it, and yet: {words}"),
        }),
        _ => Ok(seen),
    }
}

fn gone(error: &StoreError) -> MarksSeen {
    let words = format!("the store no longer has this object ({error})");
    MarksSeen { lacks: Some(words), ..MarksSeen::default() }
}
