//! `why` of a bay or a camera: its light, and everything that is in the way of a green one.

use super::{
    super::{
        Dock, IndexBroken, Records, View,
        machine::Bay,
        state::{Mark, Weight, key},
    },
    concerns::{Concern, concerns},
    light::{Light, files_of},
    status::{Now, bay_reports, outstanding},
    stays::stays,
    why::Explanation,
};
use crate::types::{BayName, CameraId, SegmentId, fact::Target};
use jiff::Timestamp;
use std::ops::ControlFlow;

/// Matters for people that are told one by one.
const CONCERNS_MAX: usize = 50;
/// Copies that failed and are told one by one.
const FAILED_MAX: usize = 10;

/// Explains a bay or a camera by its name; a bay first. `None` when this dock knows neither.
///
/// # Errors
/// [`IndexBroken`].
pub fn explain_named(
    dock: &Dock,
    name: &str,
    at: &Now,
    now: Timestamp,
    view: &dyn View,
) -> Result<Option<Explanation>, IndexBroken> {
    let bay = BayName::new(name).ok();
    if let Some(bay) = bay
        && let Some(answer) = explain_bay(dock, &bay, at, now, view)?
    {
        return Ok(Some(answer));
    }
    let camera = CameraId::new(name).ok();
    camera.map_or(Ok(None), |camera| explain_camera(dock, &camera, at, now, view))
}

/// Explains a bay's light; `None` when there is no such bay.
///
/// # Errors
/// [`IndexBroken`].
pub fn explain_bay(
    dock: &Dock,
    name: &BayName,
    at: &Now,
    now: Timestamp,
    view: &dyn View,
) -> Result<Option<Explanation>, IndexBroken> {
    let reports = bay_reports(dock, at, now, view)?;
    let Some(report) = reports.into_iter().find(|report| report.bay == *name) else {
        return Ok(None);
    };
    let camera = report.camera.as_ref();
    let who = camera.map_or_else(String::new, |camera| format!(", camera {camera}"));
    let subject = format!("bay {name}{who}: {}", report.light.as_str());
    let mut answer = Explanation { subject, because: vec![report.words], next: Vec::new() };
    if let Some(noted) = dock.empty_cards().get(name) {
        answer.because.extend(noted.iter().cloned());
    }
    if dock.troubles().contains_key(name) {
        answer.next.push("do what the words say, then put the camera in again".into());
    }
    if let Some(bay) = dock.bays().get(name) {
        of_camera(dock, &bay.camera, Some(bay), now, view, &mut answer)?;
    }
    if report.light == Light::Green {
        answer.next.clear();
    }
    Ok(Some(answer))
}

/// Explains how a camera stands; `None` when it was never docked here.
///
/// # Errors
/// [`IndexBroken`].
pub fn explain_camera(
    dock: &Dock,
    camera: &CameraId,
    at: &Now,
    now: Timestamp,
    view: &dyn View,
) -> Result<Option<Explanation>, IndexBroken> {
    if let Some((name, _)) = dock.bays().iter().find(|(_, bay)| bay.camera == *camera) {
        return explain_bay(dock, name, at, now, view);
    }
    let Some(state) = view.camera(camera)? else { return Ok(None) };
    let last = format!("it is not docked; it was last in bay {} at", state.last_bay);
    let mut answer = Explanation {
        subject: format!("camera {camera}"),
        because: vec![format!("{last} {:.0}", state.last_docked)],
        next: Vec::new(),
    };
    of_camera(dock, camera, None, now, view, &mut answer)?;
    Ok(Some(answer))
}

fn of_camera(
    dock: &Dock,
    camera: &CameraId,
    bay: Option<&Bay>,
    now: Timestamp,
    view: &dyn View,
    answer: &mut Explanation,
) -> Result<(), IndexBroken> {
    marks(camera, view, answer)?;
    let open = outstanding(camera, view)?;
    if open.to_copy.count > 0 {
        answer.because.push(format!("{} still to be copied", files_of(open.to_copy.count)));
        failed_copies(camera, now, view, answer)?;
    }
    if let Some(bay) = bay {
        now_doing(bay, answer);
    } else if open.to_copy.count > 0 {
        answer.next.push("dock the camera".into());
    }
    if open.to_store.count > 0 {
        answer.because.push(format!("{} on the way to the store", files_of(open.to_store.count)));
        store(dock, now, answer);
    }
    people(camera, view, answer)?;
    if let Some(bay) = bay {
        stays(dock, camera, bay, now, view, answer)?;
    }
    let findings = view.camera(camera)?.map(|camera| camera.findings).unwrap_or_default();
    let noted = findings.into_iter().filter(|finding| finding.weight != Weight::Grave);
    answer.because.extend(noted.map(|finding| finding.words));
    let mut told = std::collections::BTreeSet::new();
    answer.next.retain(|step| told.insert(step.clone()));
    Ok(())
}

/// Pauses and holds of the dock or the camera.
fn marks(camera: &CameraId, view: &dyn View, answer: &mut Explanation) -> Result<(), IndexBroken> {
    let whom = [
        (Target::Dock, "this dock".to_owned(), "--all".to_owned()),
        (Target::Camera(camera.clone()), "this camera".to_owned(), format!("--camera {camera}")),
    ];
    for (target, named, option) in whom {
        let Mark { at, actor, reason } = match view.paused(&target)? {
            Some(mark) => mark,
            None => continue,
        };
        answer.because.push(format!("{named} is paused since {at:.0}, by {actor}: {reason}"));
        answer.next.push(format!("`bwvdock resume {option}`"));
    }
    Ok(())
}

fn now_doing(bay: &Bay, answer: &mut Explanation) {
    if bay.spool_full {
        answer.because.push("the spool is full; copying goes on when uploads make room".into());
        answer.next.push("`bwvdock queue` shows what holds the uploads up".into());
    }
    if bay.growing.count() > 0 {
        let words = "still being written by the camera; copied when two listings agree";
        answer.because.push(format!("{}: {words}", files_of(bay.growing.count())));
        answer.next.push("switch the camera's recording off, if it is on".into());
    }
    if bay.marks.count() > 0 {
        let words = "touched since they were copied, and read again in case of being replaced";
        answer.because.push(format!("{}: {words}", files_of(bay.marks.count())));
    }
}

fn failed_copies(
    camera: &CameraId,
    now: Timestamp,
    view: &dyn View,
    answer: &mut Explanation,
) -> Result<(), IndexBroken> {
    let mut waiting = Vec::new();
    view.scan(&key::copies(camera), b"", &mut |row, value| {
        if value.iter().any(|byte| *byte != 0) {
            waiting.extend(key::tail(row).and_then(|id| SegmentId::from_slice(id).ok()));
        }
        let more = waiting.len() < FAILED_MAX;
        if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    for id in waiting {
        let Some(state) = view.segment(id)? else { continue };
        let Some(at) = state.retry_at.filter(|at| *at > now) else { continue };
        let words = state.trouble.unwrap_or_default();
        let path = &state.segment.source.path;
        answer.because.push(format!("{path} could not be copied: {words}; next at {at:.0}"));
        answer.next.push(format!("`bwvdock retry --camera {camera}` tries at once"));
    }
    Ok(())
}

fn store(dock: &Dock, now: Timestamp, answer: &mut Explanation) {
    let wait = dock.store_wait().filter(|(until, _)| *until > now);
    match (dock.store_trouble(), wait) {
        (Some(trouble), _) => {
            answer.because.push(format!("{}: {}", trouble.need.words(), trouble.words));
            answer.next.push(trouble.need.next_step().into());
        }
        (None, Some((until, words))) => {
            answer.because.push(format!("nothing is sent before {until:.0}: {words}"));
            answer.next.push("`bwvdock doctor` checks the way to the store".into());
        }
        (None, None) => {}
    }
    if let Some(trouble) = dock.finish_trouble() {
        answer.because.push(format!("stored objects wait for their receipts: {}", trouble.words));
        answer.next.push("`bwvdock retry` tries at once".into());
    }
}

/// What waits for a person.
fn people(camera: &CameraId, view: &dyn View, answer: &mut Explanation) -> Result<(), IndexBroken> {
    let mut open = concerns(view, camera, Concern::LIST_MAX)?;
    open.retain(Concern::is_open);
    let more = open.len().saturating_sub(CONCERNS_MAX);
    open.truncate(CONCERNS_MAX);
    if open.is_empty() {
        return Ok(());
    }
    answer.because.extend(open.into_iter().map(|concern| concern.words));
    if more > 0 {
        answer.because.push(format!("and {more} more: `bwvdock reconcile --camera {camera}`"));
    }
    answer.next.push("take the camera to the evidence unit when it may be taken".into());
    answer
        .next
        .push(format!("`bwvdock acknowledge --camera {camera} --reason WHY` when it is known why"));
    Ok(())
}
