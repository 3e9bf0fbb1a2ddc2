//! Why a file stays on its camera, as a person needs to hear it: each reason once, none that is
//! not true of this file, and no step that could cost footage. The rule itself answers every one
//! of its conditions; some of those answers only follow from others.

use super::{
    super::{Dock, IndexBroken, Records, View, state::SegmentState},
    concerns::{Concern, concerns},
    log_damage,
    status::outstanding,
};
use crate::{
    evidence::LISTS,
    release::Obstacle,
    types::{CameraId, FileKind, Verdict},
};

/// One reason, and what a person can do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub words: String,
    pub next: Option<String>,
}

/// The reasons of one file. `all_stored` says whether its camera may be emptied by hand
/// ([`all_stored`]).
///
/// # Errors
/// [`IndexBroken`].
pub(super) fn reasons(
    dock: &Dock,
    state: &SegmentState,
    obstacles: Vec<Obstacle>,
    all_stored: bool,
    view: &dyn View,
) -> Result<Vec<Reason>, IndexBroken> {
    let is_list = state.segment.kind == FileKind::Manifest
        && view.recording(state.segment.recording)?.is_some_and(|r| r.recording.name == LISTS);
    let by_hand = all_stored && obstacles.iter().all(leaves_footage_safe);
    let never = obstacles.contains(&Obstacle::EraseNotAllowed);
    let mut told: Vec<Reason> = Vec::new();
    for obstacle in obstacles {
        let reason = match obstacle {
            Obstacle::EraseNotAllowed if is_list => Reason {
                words: "it lists files of several recordings, so it is copied, and never erased \
                        by this dock"
                    .into(),
                next: None,
            },
            // No second read is made of what is never erased.
            Obstacle::SecondReadMissing | Obstacle::NotStillYet { .. } if never => continue,
            Obstacle::DigestDiffers if !digest_differs(state) => continue,
            obstacle => {
                Reason { next: next_step(dock, &obstacle, by_hand), words: obstacle.to_string() }
            }
        };
        if !told.contains(&reason) {
            told.push(reason);
        }
    }
    Ok(told)
}

/// Whether everything of a camera, as far as this dock knows, is in the store with its receipt,
/// and nothing needs a person: only then may anybody be told to empty it by hand.
///
/// # Errors
/// [`IndexBroken`].
pub(super) fn all_stored(
    dock: &Dock,
    camera: &CameraId,
    view: &dyn View,
) -> Result<bool, IndexBroken> {
    let Some((name, bay)) = dock.bays().iter().find(|(_, bay)| bay.camera == *camera) else {
        // What it holds by now nobody knows.
        return Ok(false);
    };
    let is_looked_at = bay.listed_at.is_some() && bay.ingest.is_none() && bay.problem.is_none();
    if !is_looked_at || dock.troubles().contains_key(name) || bay.growing.count() > 0 {
        return Ok(false);
    }
    if dock.journal_damage().is_some() || bay.marks.count() > 0 {
        return Ok(false);
    }
    let open = outstanding(camera, view)?;
    if open.to_copy.count > 0 || open.to_store.count > 0 {
        return Ok(false);
    }
    Ok(!needs_a_person(camera, view)?)
}

/// Whether anything of a camera waits for a person.
///
/// # Errors
/// [`IndexBroken`].
pub(super) fn needs_a_person(camera: &CameraId, view: &dyn View) -> Result<bool, IndexBroken> {
    Ok(concerns(view, camera, Concern::LIST_MAX)?.iter().any(Concern::is_open))
}

/// Whether footage is safe in the store although this keeps the dock from erasing it.
fn leaves_footage_safe(obstacle: &Obstacle) -> bool {
    matches!(
        obstacle,
        Obstacle::ReleaseDisabled
            | Obstacle::EraseNotAllowed
            | Obstacle::UnverifiedStays
            | Obstacle::SecondReadMissing
            | Obstacle::NeededByOthers
    )
}

/// Whether a digest, or the size, of what was sealed is not what the camera gave. The rule calls
/// every file without a sound verdict so.
fn digest_differs(state: &SegmentState) -> bool {
    let source = &state.segment.source;
    state.sealed.as_ref().is_none_or(|sealed| {
        sealed.verdict == Verdict::Mismatched
            || sealed.verdict.is_sound()
            || sealed.plain.size != source.size
            || source.expected.is_some_and(|expected| expected != sealed.plain.sha256)
    })
}

fn next_step(dock: &Dock, obstacle: &Obstacle, by_hand: bool) -> Option<String> {
    match (obstacle, dock.journal_damage()) {
        (Obstacle::JournalDamaged, Some(damage)) => Some(log_damage::next_step(damage)),
        (Obstacle::EraseNotAllowed, _) if !by_hand => None,
        _ => (!obstacle.passes_by_itself()).then(|| obstacle.next_step().to_owned()),
    }
}
