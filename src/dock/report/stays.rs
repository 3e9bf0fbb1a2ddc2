//! Why files stay on a docked camera: every file counts once in how many they are, and in each
//! reason that holds for it.

use super::{
    super::{Dock, IndexBroken, Records, Stage, View, machine::Bay, state::key},
    light::files_of,
    obstacles::{all_stored, reasons},
    why::Explanation,
};
use crate::{
    release::Decision,
    types::{CameraId, RecordingId, SegmentId},
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Files that the release rule is asked about.
const ASKED_MAX: usize = 2000;

#[derive(Default)]
struct Found {
    /// Files that stay.
    files: u64,
    /// For how many each reason holds, and what can be done about it.
    why: BTreeMap<String, (u64, Option<String>)>,
    there_are_more: bool,
}

/// Tells why files stay on the camera, each reason once.
///
/// # Errors
/// [`IndexBroken`].
pub(super) fn stays(
    dock: &Dock,
    camera: &CameraId,
    bay: &Bay,
    now: Timestamp,
    view: &dyn View,
    answer: &mut Explanation,
) -> Result<(), IndexBroken> {
    let Found { files, why, there_are_more } = found(dock, camera, bay, now, view)?;
    if files == 0 {
        return Ok(());
    }
    let stay =
        format!("{} {} on the camera", files_of(files), if files == 1 { "stays" } else { "stay" });
    let alike = why.values().all(|(count, _)| *count == files);
    if !alike {
        answer.because.push(format!("{stay}; more than one reason may hold for a file:"));
    }
    for (words, (count, next)) in why {
        answer.because.push(match alike {
            true => format!("{stay}: {words}"),
            false => format!("for {}: {words}", files_of(count)),
        });
        answer.next.extend(next);
    }
    if there_are_more {
        answer.because.push(format!("that is of {ASKED_MAX} files; there are more"));
    }
    Ok(())
}

fn found(
    dock: &Dock,
    camera: &CameraId,
    bay: &Bay,
    now: Timestamp,
    view: &dyn View,
) -> Result<Found, IndexBroken> {
    let (mut found, mut asked) = (Found::default(), 0);
    let all_stored = all_stored(dock, camera, view)?;
    for raw in view.ids(&key::open_recordings(camera), b"", usize::MAX)? {
        let Ok(recording) = RecordingId::from_slice(&raw) else { continue };
        for raw in view.ids(&key::members(recording), b"", ASKED_MAX)? {
            let Ok(id) = SegmentId::from_slice(&raw) else { continue };
            let Some(state) = view.segment(id)? else { continue };
            if state.stage.is_gone() || state.stage == Stage::Seen {
                continue;
            }
            asked += 1;
            if asked > ASKED_MAX {
                found.there_are_more = true;
                return Ok(found);
            }
            if let Decision::Stay(obstacles) = dock.decide(now, &state, bay.erase_allowed, view)? {
                found.files += 1;
                for reason in reasons(dock, &state, obstacles, all_stored, view)? {
                    let (count, next) = found.why.entry(reason.words).or_default();
                    *count += 1;
                    // Of one file it may be a step to take, of another of the same reason not.
                    *next = if *count == 1 { reason.next } else { next.take().and(reason.next) };
                }
            }
        }
    }
    Ok(found)
}
