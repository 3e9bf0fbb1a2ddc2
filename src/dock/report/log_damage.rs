//! What a damaged custody log means for one camera: its files stay, and only a person can end that.

use super::light::{Light, Take, files_of};
use crate::{
    charging::Report,
    dock::{Dock, IndexBroken, LogDamage, Records, View, state::key},
    release::{Decision, Obstacle},
    types::{CameraId, SegmentId},
};
use jiff::Timestamp;
use std::ops::ControlFlow;

/// Files that the rule is asked about; of a camera with more it is taken that one waits.
const ASKED_MAX: usize = 2000;

/// Whether a file of this camera would be erased, now or when ordinary work is done, if the custody
/// log were whole. What stays for another reason too does not wait for the log.
///
/// # Errors
/// [`IndexBroken`].
pub(super) fn keeps_files(
    dock: &Dock,
    camera: &CameraId,
    bay_allows: bool,
    now: Timestamp,
    view: &dyn View,
) -> Result<bool, IndexBroken> {
    if dock.journal_damage().is_none() || !dock.settings().release.enabled || !bay_allows {
        return Ok(false);
    }
    let prefix = key::candidates(camera);
    let mut candidates = Vec::new();
    view.scan(&prefix, b"", &mut |row, _| {
        candidates.extend(SegmentId::from_slice(&row[prefix.len()..]));
        let more = candidates.len() <= ASKED_MAX;
        if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    if candidates.len() > ASKED_MAX {
        return Ok(true);
    }
    for id in candidates {
        let Some(state) = view.segment(id)? else { continue };
        if let Decision::Stay(obstacles) = dock.decide(now, &state, bay_allows, view)?
            && obstacles.contains(&Obstacle::JournalDamaged)
            && obstacles.iter().all(|o| *o == Obstacle::JournalDamaged || o.passes_by_itself())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a light says while files of its camera wait for the log: what must not be called green, as
/// somebody is needed. Whatever keeps the camera in its bay, and whatever is red already, comes first.
pub(super) fn instead(
    (light, words, take): (Light, String, Take),
    to_store: u64,
    charge: Option<&Report>,
) -> (Light, String, Take) {
    if take == Take::No {
        return (light, words, take);
    }
    let safe = match to_store {
        0 => "everything is safe".to_owned(),
        n => format!("copied; {} on the way to the store", files_of(n)),
    };
    let lacks = charge.and_then(|charge| charge.lacks.as_ref());
    let may = lacks.map(|lacks| format!("not fit for a shift: {lacks}"));
    let words = format!(
        "{safe}; {}; but its files stay on it, as the dock's custody log is damaged and needs a \
         person: tell whoever runs this dock",
        may.unwrap_or_else(|| "may be taken".into())
    );
    (Light::Red, words, Take::No)
}

/// What can be done about the damage.
pub(super) fn next_step(damage: &LogDamage) -> String {
    format!(
        "put the missing lines back, or, when people have looked at the damage: `bwvdock custody \
         accept {} --reason WHY`; `bwvdock doctor` has the rest",
        damage.first_seq
    )
}
