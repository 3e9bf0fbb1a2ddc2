//! Every camera this dock ever knew: the asset register.

use super::{
    concerns::{Concern, concerns},
    status::Now,
};
use crate::{
    charging::{Anomaly, Fitness},
    dock::{
        IndexBroken, Records as _, View,
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
}

/// All cameras by their ids, at most `limit`.
///
/// # Errors
/// [`IndexBroken`].
pub fn camera_rows(view: &dyn View, at: &Now, limit: usize) -> Result<Vec<CameraRow>, IndexBroken> {
    let states = view.list::<CameraState>(key::CAMERAS, b"", limit)?;
    states.into_iter().map(|state| row(state, view, at)).collect()
}

fn row(state: CameraState, view: &dyn View, at: &Now) -> Result<CameraRow, IndexBroken> {
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
