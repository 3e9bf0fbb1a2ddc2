//! Rules for what a person acknowledges: it was looked into, and alarms nobody any more.
//!
//! Nothing is forgotten by it: gaps and failed files stay in status, reconciliation and log.

use super::{
    IndexBroken, Records, View,
    event::Step,
    report::{Concern, concerns},
};
use crate::types::{
    Actor, CameraId,
    fact::{Fact, NewFact},
};

/// Matters in one line of the log.
const LINE_MAX: usize = 32;
/// Matters named in the answer; the rest is counted.
const NAMED_MAX: usize = 20;

/// The reply, and the facts that remember it.
///
/// # Errors
/// [`IndexBroken`].
pub(super) fn acknowledge(
    actor: Actor,
    camera: CameraId,
    only: Option<String>,
    reason: String,
    view: &dyn View,
    step: &mut Step,
) -> Result<Result<String, String>, IndexBroken> {
    if view.camera(&camera)?.is_none() {
        return Ok(Err(format!("this dock knows no camera {camera}; nothing was changed")));
    }
    let mut open = concerns(view, &camera, Concern::LIST_MAX)?;
    open.retain(Concern::is_open);
    open.retain(|concern| only.as_ref().is_none_or(|only| concern.words.contains(only.as_str())));
    if open.is_empty() {
        let which = only.map_or_else(String::new, |only| format!(" with {only:?} in its words"));
        return Ok(Err(format!(
            "nothing of camera {camera} waits to be acknowledged{which}; nothing was changed"
        )));
    }
    let mut words = format!("acknowledged for camera {camera}:");
    for concern in open.iter().take(NAMED_MAX) {
        words.push_str(&format!("\n  - {}", concern.words));
    }
    if open.len() > NAMED_MAX {
        words.push_str(&format!("\n  and {} more", open.len() - NAMED_MAX));
    }
    if open.len() >= Concern::LIST_MAX {
        words.push_str("\nthere may be more: ask again");
    }
    let mut matters: Vec<_> = open.into_iter().map(|concern| concern.matter).collect();
    while !matters.is_empty() {
        let rest = matters.split_off(matters.len().min(LINE_MAX));
        let (camera, reason) = (camera.clone(), reason.clone());
        let fact = Fact::Acknowledged { camera, matters, reason };
        step.facts.push(NewFact { actor: actor.clone(), fact });
        matters = rest;
    }
    Ok(Ok(words))
}
