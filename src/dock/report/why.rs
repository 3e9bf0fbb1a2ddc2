//! `why ID`: in plain words, what a thing is waiting for and what can be done.

use super::super::{
    Dock, IndexBroken, Records, Stage, View,
    report::{
        concerns::verdict_words,
        marks,
        obstacles::{all_stored, reasons},
        rows::Gone,
    },
    state::{ObjectState, RecordingState, SegmentState},
};
use crate::{
    release::Decision,
    types::{
        ObjectId, RecordingId, SegmentId,
        fact::{Content, Target},
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// An answer for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What the id names.
    pub subject: String,
    /// Where it stands, why, one sentence a line.
    pub because: Vec<String>,
    /// What to do next; empty when there is nothing to do.
    pub next: Vec<String>,
}

/// Explains a segment, an object or a recording; `None` when this dock knows no such id.
///
/// # Errors
/// [`IndexBroken`].
pub fn explain(
    dock: &Dock,
    id: Uuid,
    now: Timestamp,
    view: &dyn View,
) -> Result<Option<Explanation>, IndexBroken> {
    if let Some(state) = view.segment(SegmentId(id))? {
        return segment(dock, &state, now, view).map(Some);
    }
    if let Some(state) = view.object(ObjectId(id))? {
        let subject = match state.object.content {
            Content::Segment(of) => format!("sealed object of segment {of}"),
            Content::Record(of) => format!("sealed description of recording {of}"),
        };
        let mut answer = Explanation { subject, because: Vec::new(), next: Vec::new() };
        object(dock, &state, now, view, &mut answer)?;
        return Ok(Some(answer));
    }
    Ok(view.recording(RecordingId(id))?.map(|state| recording(&state)))
}

fn recording(state: &RecordingState) -> Explanation {
    let r = &state.recording;
    let subject = format!("recording {} of camera {}", r.name, r.camera);
    let mut because = vec![format!("class {}, {} bytes", r.class, state.bytes)];
    because.extend(
        Stage::ALL
            .iter()
            .filter(|stage| state.at(**stage) > 0)
            .map(|stage| format!("{} files {}", state.at(*stage), stage.as_str())),
    );
    let mut next = Vec::new();
    if state.gaps > 0 {
        because.push(format!("{} files its manifest lists did not arrive", state.gaps));
        if state.unaccounted > 0 {
            next.push("look for them on the camera, and tell the evidence unit".into());
            next.push(format!(
                "`bwvdock acknowledge --camera {} --reason WHY` when it is known why",
                r.camera
            ));
        }
    }
    if state.unsound > 0 {
        because.push(format!("{} files failed their check", state.unsound));
        next.push(format!("`bwvdock segments --recording {} --unsound`", r.id));
    }
    if let Some(words) = r.manifest.as_ref().and_then(|m| m.caveat.clone()) {
        because.push(format!("its manifest is not fully trusted: {words}"));
    }
    if !r.erase_allowed {
        because.push("its files are not erased by this dock".into());
    }
    next.push(format!("`bwvdock segments --recording {}` lists its files", r.id));
    Explanation { subject, because, next }
}

fn segment(
    dock: &Dock,
    state: &SegmentState,
    now: Timestamp,
    view: &dyn View,
) -> Result<Explanation, IndexBroken> {
    let s = &state.segment;
    let subject = format!("{} {} on camera {}", s.kind, s.source.path, s.camera);
    let mut answer = Explanation { subject, because: Vec::new(), next: Vec::new() };
    let because = &mut answer.because;
    match state.stage {
        Stage::Seen => waiting_for_copy(dock, state, now, view, &mut answer)?,
        Stage::Released => {
            because.push("it was released: erased from the camera by the rule".into());
            if let Some(sealed) = &state.sealed {
                if let Some(o) = view.object(sealed.object)? {
                    marks::explain(&o, now, because);
                }
                because.push(format!("the store has it as object {}", sealed.object));
                answer.next.push(format!("`bwvdock receipt show {}` proves it", sealed.object));
            }
        }
        Stage::Vanished => gone(dock, state, now, view, &mut answer)?,
        Stage::Sealed | Stage::Stored | Stage::Receipted | Stage::Releasing => {
            if let Some(words) = still_written(dock, state) {
                because.push(words);
            }
            if let Some(sealed) = &state.sealed {
                because.push(format!("copied and sealed, verdict {}", sealed.verdict));
                if !sealed.verdict.is_sound() {
                    because.push(verdict_words(sealed.verdict).into());
                }
                if let Some(o) = view.object(sealed.object)? {
                    object(dock, &o, now, view, &mut answer)?;
                }
            }
            release(dock, state, now, view, &mut answer)?;
        }
    }
    if let Some(words) = &state.trouble {
        answer.because.push(format!("last trouble: {words}"));
    }
    // Several obstacles often call for the same step.
    let mut told = BTreeSet::new();
    answer.next.retain(|step| told.insert(step.clone()));
    Ok(answer)
}

/// Of a file that is not on its camera any more, though the rule did not release it.
fn gone(
    dock: &Dock,
    state: &SegmentState,
    now: Timestamp,
    view: &dyn View,
    answer: &mut Explanation,
) -> Result<(), IndexBroken> {
    let because = &mut answer.because;
    let gone = Gone::of(state, view)?;
    if state.superseded {
        because.push("it is seen anew, as it is now, under another id".into());
    } else {
        because.push("it is no longer on the camera, though this dock did not erase it".into());
    }
    match gone {
        Gone::Superseded => {}
        Gone::Stored => because.push("it is safe: it was copied, and the store has it".into()),
        Gone::InSpool => {
            because.push("it was copied: its only copy is on this dock's disk".into());
        }
        Gone::Lost => {
            because.push("it was never copied: as far as this dock knows, it is lost".into());
            let ask = "ask who emptied the camera; `bwvdock custody show` has the time";
            answer.next.push(ask.into());
        }
    }
    if let Some(sealed) = &state.sealed {
        because.push(format!("copied and sealed, verdict {}", sealed.verdict));
        if !sealed.verdict.is_sound() {
            because.push(verdict_words(sealed.verdict).into());
        }
        if let Some(o) = view.object(sealed.object)? {
            object(dock, &o, now, view, answer)?;
        }
    }
    Ok(())
}

/// That the camera still writes to a file, and until when that is waited for.
fn still_written(dock: &Dock, state: &SegmentState) -> Option<String> {
    let bay = dock.bays().values().find(|bay| bay.camera == state.segment.camera)?;
    let latest = bay.growing.latest(state.segment.id)?;
    Some(format!(
        "it is still being written by the camera; it is copied when two listings find it \
         unchanged, as it is at {latest:.0} at the latest"
    ))
}

fn waiting_for_copy(
    dock: &Dock,
    state: &SegmentState,
    now: Timestamp,
    view: &dyn View,
    answer: &mut Explanation,
) -> Result<(), IndexBroken> {
    let camera = &state.segment.camera;
    answer.because.push("it is on the camera and not copied yet".into());
    let Some((name, bay)) = dock.bays().iter().find(|(_, bay)| bay.camera == *camera) else {
        answer.because.push(format!("camera {camera} is not docked"));
        answer.next.push("dock the camera".into());
        return Ok(());
    };
    if let Some(words) = still_written(dock, state) {
        answer.because.push(words);
        return Ok(());
    }
    if let Some(at) = state.retry_at.filter(|at| *at > now) {
        answer.because.push(format!("attempt {} failed; next at {at:.0}", state.copy_attempts));
        answer.next.push(format!("`bwvdock retry {}` tries at once", state.segment.id));
    }
    if view.paused(&Target::Dock)?.is_some()
        || view.paused(&Target::Camera(camera.clone()))?.is_some()
    {
        answer.because.push("copying is paused".into());
        answer.next.push("`bwvdock resume`".into());
    } else if bay.spool_full {
        answer.because.push("the spool is full; copying goes on when uploads make room".into());
        answer.next.push("`bwvdock queue` shows what holds the uploads up".into());
    } else {
        answer.because.push(format!("bay {name} copies one file at a time, evidence first"));
    }
    Ok(())
}

fn object(
    dock: &Dock,
    state: &ObjectState,
    now: Timestamp,
    view: &dyn View,
    answer: &mut Explanation,
) -> Result<(), IndexBroken> {
    let id = state.object.id;
    let because = &mut answer.because;
    if state.missing {
        because.push(format!(
            "the store lost it after its receipt (object {id}): {}",
            state.trouble.as_deref().unwrap_or("it was looked for twice")
        ));
        answer.next.push(
            "ask whoever runs the store what happened to it: other footage may be gone too, and \
             some of it may have been released"
                .into(),
        );
        return Ok(());
    }
    if state.lost {
        because.push("its spool file was damaged; it is sealed again from the camera".into());
        return Ok(());
    }
    if let Some((level, _)) = &state.stored {
        because.push(format!("the store acknowledged it (object {id}, proof {level})"));
        because.push(match (&state.receipt, dock.finish_trouble()) {
            (Some(receipt), _) => {
                format!("its receipt is on this disk: {}", receipt.sha256.short())
            }
            (None, Some(trouble)) => {
                answer.next.push("`bwvdock retry` tries at once".into());
                format!("it has no receipt yet: {}", trouble.words)
            }
            (None, None) => "its receipt is being signed".into(),
        });
        if marks::explain(state, now, because) {
            answer.next.push(
                "`bwvdock doctor` checks the way to the store; `bwvdock store probe` \
                              shows what it keeps; `bwvdock retry` asks it again"
                    .into(),
            );
        }
        return Ok(());
    }
    if dock.uploads().contains_key(&id) {
        because.push(format!("it is being sent to the store (object {id})"));
        return Ok(());
    }
    because.push(format!("it waits for the store (object {id}, class {})", state.object.class));
    if let Some(words) = &state.trouble {
        because.push(format!("attempt {} ended: {words}", state.attempts));
    }
    if let Some(at) = state.retry_at.filter(|at| *at > now) {
        because.push(format!("the next attempt is at {at:.0}"));
        answer.next.push("`bwvdock retry` tries at once".into());
    }
    if let Some((until, words)) = dock.store_wait().filter(|(until, _)| *until > now) {
        because.push(format!("nothing is sent before {until:.0}: {words}"));
        answer.next.push("`bwvdock doctor` checks the way to the store".into());
    }
    if view.paused(&Target::Dock)?.is_some() {
        because.push("the dock is paused".into());
        answer.next.push("`bwvdock resume`".into());
    }
    Ok(())
}

fn release(
    dock: &Dock,
    state: &SegmentState,
    now: Timestamp,
    view: &dyn View,
    answer: &mut Explanation,
) -> Result<(), IndexBroken> {
    let bay = dock.bays().values().find(|bay| bay.camera == state.segment.camera);
    match dock.decide(now, state, bay.is_none_or(|bay| bay.erase_allowed), view)? {
        Decision::Release(_) if bay.is_none() => {
            answer.because.push("it may be erased the next time its camera is docked".into());
        }
        Decision::Release(_) => answer.because.push("it may be erased, and is next".into()),
        Decision::ReadAgain => {
            answer.because.push("it stays until a second read of the camera agreed".into());
        }
        Decision::Stay(obstacles) => {
            let all_stored = all_stored(dock, &state.segment.camera, view)?;
            for reason in reasons(dock, state, obstacles, all_stored, view)? {
                answer.because.push(format!("it stays on the camera: {}", reason.words));
                answer.next.extend(reason.next);
            }
        }
    }
    Ok(())
}
