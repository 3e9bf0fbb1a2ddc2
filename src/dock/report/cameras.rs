//! Every camera this dock ever knew: the asset register, with what is remembered of each.
//!
//! What a camera never said, or nobody measured, is absent and never zero.

use super::{
    concerns::{Concern, concerns},
    status::Now,
};
use crate::{
    charging::{Anomaly, Fitness},
    dock::{
        IndexBroken, Records as _, View,
        history::{CameraHistory, DOCKINGS_MAX, Docking},
        state::{CameraState, key},
    },
    types::{BayName, CameraId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraRow {
    pub camera: CameraId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub profile: String,
    pub docked: bool,
    /// Where it is, or was last.
    pub bay: BayName,
    pub first_docked: Timestamp,
    pub last_docked: Timestamp,
    pub recordings: u64,
    /// Gaps in its numbering, ever.
    pub gaps: u32,
    /// What needs a person now, counted as far as it is listed.
    pub open_concerns: u64,
    /// Camera minus dock, as measured when it was docked last; none if it has no clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
    /// While it is docked, as far as it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_percent: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitness: Option<Fitness>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_anomaly: Option<Anomaly>,
    /// Now, if it is docked.
    pub last_seen: Timestamp,
    /// Seconds its clock gains a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_drift_seconds_per_day: Option<f64>,
    /// The rest; absent for a camera whose dockings were all before this was remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<CameraHistory>,
    /// Past dockings, the newest first; only where one camera was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<Docking>,
}

/// All cameras by their ids, at most `limit`.
///
/// # Errors
/// [`IndexBroken`].
pub fn camera_rows(
    view: &dyn View,
    at: &Now,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<CameraRow>, IndexBroken> {
    let states = view.list::<CameraState>(key::CAMERAS, b"", limit)?;
    states.into_iter().map(|state| row(state, view, (at, now))).collect()
}

/// One camera with its past dockings; none if this dock never knew it.
///
/// # Errors
/// [`IndexBroken`].
pub fn camera_row(
    view: &dyn View,
    at: &Now,
    now: Timestamp,
    camera: &CameraId,
) -> Result<Option<CameraRow>, IndexBroken> {
    let Some(state) = view.camera(camera)? else { return Ok(None) };
    let mut row = row(state, view, (at, now))?;
    row.past = view.list(&key::dockings(camera), b"", DOCKINGS_MAX)?;
    row.past.reverse();
    Ok(Some(row))
}

fn row(
    state: CameraState,
    view: &dyn View,
    (at, now): (&Now, Timestamp),
) -> Result<CameraRow, IndexBroken> {
    let history = view.history(&state.id)?;
    let open = concerns(view, &state.id, Concern::LIST_MAX)?;
    let charge = at.charge.get(&state.last_bay).filter(|charge| match &charge.resting {
        Some(resting) => *resting == state.id,
        None => state.docked,
    });
    Ok(CameraRow {
        open_concerns: open.iter().filter(|concern| concern.is_open()).count() as u64,
        battery_percent: charge.and_then(|charge| charge.percent),
        fitness: charge.map(|charge| charge.fitness).filter(|fit| *fit != Fitness::Untold),
        battery_anomaly: charge.and_then(|charge| charge.anomaly),
        last_seen: match (&history, state.docked) {
            (Some(history), docked) => history.last_seen(docked, now),
            (None, true) => now,
            (None, false) => state.last_docked,
        },
        clock_drift_seconds_per_day: history
            .as_ref()
            .and_then(CameraHistory::drift_seconds_per_day),
        history,
        past: Vec::new(),
        camera: state.id,
        model: state.model,
        profile: state.profile,
        docked: state.docked,
        bay: state.last_bay,
        first_docked: state.first_docked,
        last_docked: state.last_docked,
        recordings: state.recordings,
        gaps: state.gaps,
        clock_offset_ms: state.clock.map(|clock| clock.camera_minus_dock_ms),
    })
}
