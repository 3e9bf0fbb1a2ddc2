//! What a listing tells beyond its files: findings, and what the camera's own numbering and lists
//! say is missing. Only news becomes facts.

use super::{
    IndexBroken, Records, Stage, View,
    event::Step,
    state::{Weight, key},
};
use crate::{
    evidence::{self, FindingKind, LastLink, Plan},
    types::{
        CameraId, RecordingId, SegmentId, SourcePath,
        fact::{Fact, Gap},
    },
};
use std::{collections::HashSet, ops::ControlFlow};

/// Findings of one listing that are written to the log, grave ones and others; the rest is counted.
const FINDINGS_MAX: usize = 32;
/// Characters of one finding.
const FINDING_CHARS_MAX: usize = 300;
/// Numbers of unproven manifests that are looked up for one gap.
const CLAIMS_MAX: usize = 256;

/// What the listing found wrong or odd, if that is not what is known already.
pub(super) fn findings_fact(
    camera: &CameraId,
    plan: &Plan,
    view: &dyn View,
    step: &mut Step,
) -> Result<(), IndexBroken> {
    // Those of a recording become gaps, which stay known when the camera is gone.
    let of_recordings: HashSet<&SourcePath> =
        plan.recordings.iter().flat_map(|r| r.missing.iter().map(|(_, path)| path)).collect();
    let (mut grave, mut clock, mut noted) = (Vec::new(), Vec::new(), Vec::new());
    for finding in &plan.findings {
        let list = match finding.kind {
            FindingKind::Orphans | FindingKind::Caveat => continue,
            FindingKind::Clock => &mut clock,
            FindingKind::PassedOver | FindingKind::LeftOut => &mut noted,
            FindingKind::Missing => match &finding.path {
                // A file that was copied or released is missing by right.
                Some(path) if of_recordings.contains(path) || was_taken(camera, path, view)? => {
                    continue;
                }
                Some(_) | None => &mut grave,
            },
            FindingKind::SignatureInvalid
            | FindingKind::SignatureMissing
            | FindingKind::CameraDiffers
            | FindingKind::KeyDiffers
            | FindingKind::Unreadable
            | FindingKind::Conflict
            | FindingKind::SizeDiffers
            | FindingKind::Unproven
            | FindingKind::Unread => &mut grave,
        };
        let words = match &finding.path {
            Some(path) => format!("{path}: {}", finding.words),
            None => finding.words.clone(),
        };
        list.push(words.chars().take(FINDING_CHARS_MAX).collect());
    }
    if plan.findings_left_out > 0 {
        grave.push(format!("{} findings more than can be told", plan.findings_left_out));
    }
    let [grave, clock, noted] = [grave, clock, noted].map(bounded);
    let known = view.camera(camera)?.map(|camera| camera.findings).unwrap_or_default();
    let of = |weight| {
        known.iter().filter(move |finding| finding.weight == weight).map(|finding| &finding.words)
    };
    let same = of(Weight::Grave).eq(&grave) && of(Weight::Clock).eq(&clock);
    if !same || !of(Weight::Noted).eq(&noted) {
        step.fact(Fact::CameraFindings { camera: camera.clone(), grave, clock, noted });
    }
    Ok(())
}

pub(super) fn bounded(mut words: Vec<String>) -> Vec<String> {
    if words.len() > FINDINGS_MAX {
        let more = words.len() - (FINDINGS_MAX - 1);
        words.truncate(FINDINGS_MAX - 1);
        words.push(format!("and {more} more"));
    }
    words
}

/// Numbers that never arrived, or only without a valid signature.
pub(super) fn gap_facts(
    camera: &CameraId,
    plan: &Plan,
    view: &dyn View,
    step: &mut Step,
) -> Result<(), IndexBroken> {
    let history = view.camera(camera)?.and_then(|camera| camera.last_manifest);
    let history = history.map(|(sequence, sha256)| LastLink { sequence, sha256 });
    let gaps = evidence::continuity(history, &plan.links());
    let mut unproven = plan.unproven_numbers();
    for gap in &gaps {
        if let Gap::Recordings { first, last } = gap {
            unproven.extend(claimed_before(camera, *first, *last, view)?);
        }
    }
    for gap in evidence::tell_unproven(gaps, &unproven) {
        if view.get(&key::gap(camera, &gap))?.is_none() {
            step.fact(Fact::GapFound { camera: camera.clone(), gap });
        }
    }
    Ok(())
}

/// Numbers within a gap that manifests without a valid signature claimed in earlier listings, at
/// most [`CLAIMS_MAX`].
fn claimed_before(
    camera: &CameraId,
    first: u64,
    last: u64,
    view: &dyn View,
) -> Result<Vec<(u64, String)>, IndexBroken> {
    let mut claims = Vec::new();
    view.scan(&key::claims(camera), &key::claim(camera, first), &mut |row, value| {
        let number = row.last_chunk::<8>().map(|n| u64::from_be_bytes(*n));
        let Some(number) = number.filter(|n| *n <= last) else { return ControlFlow::Break(()) };
        claims.extend(RecordingId::from_slice(value).ok().map(|id| (number, id)));
        if claims.len() < CLAIMS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let mut named = Vec::new();
    for (number, id) in claims {
        let recording = view.recording(id)?.map(|state| state.recording);
        // Its signature may have been mended since.
        let unproven =
            recording.filter(|r| r.manifest.as_ref().is_some_and(|m| m.sequence.is_none()));
        named.extend(unproven.map(|recording| (number, recording.name)));
    }
    Ok(named)
}

/// Reports a file that the camera's own list names and that never arrived, once.
pub(super) fn missing_fact(
    camera: &CameraId,
    gap: Gap,
    taken: &mut Option<HashSet<SourcePath>>,
    view: &dyn View,
    step: &mut Step,
) -> Result<(), IndexBroken> {
    let Gap::Segment { recording, path, .. } = &gap else { return Ok(()) };
    if was_taken(camera, path, view)? || view.get(&key::gap(camera, &gap))?.is_some() {
        return Ok(());
    }
    // A manifest that is back on its camera may name what was released long ago.
    if taken.is_none() {
        *taken = Some(taken_of(*recording, view)?);
    }
    if !taken.as_ref().is_some_and(|taken| taken.contains(path)) {
        step.fact(Fact::GapFound { camera: camera.clone(), gap });
    }
    Ok(())
}

/// The paths of all files of a recording that were sealed.
fn taken_of(recording: RecordingId, view: &dyn View) -> Result<HashSet<SourcePath>, IndexBroken> {
    let mut taken = HashSet::new();
    for raw in view.ids(&key::members(recording), b"", usize::MAX)? {
        let Ok(id) = SegmentId::from_slice(&raw) else { continue };
        let state = view.segment(id)?.filter(|state| state.sealed.is_some());
        taken.extend(state.map(|state| state.segment.source.path));
    }
    Ok(taken)
}

fn was_taken(camera: &CameraId, path: &SourcePath, view: &dyn View) -> Result<bool, IndexBroken> {
    let segment = view.segment_at(camera, path.as_bytes())?;
    let state = segment.map(|id| view.segment(id)).transpose()?.flatten();
    Ok(state.is_some_and(|state| state.sealed.is_some() || state.stage == Stage::Released))
}
