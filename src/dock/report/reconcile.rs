//! Three-way reconciliation of every camera, and the release rule without its consequences.

use super::super::{
    Dock, IndexBroken, Records, Stage, View,
    report::{
        concerns::{Concern, concerns},
        page::{Page, Span, Turner},
        rows::Gone,
    },
    state::{CameraState, RecordingState, SegmentState, Weight, key},
};
use crate::{
    release::{CONDITIONS, Decision},
    types::{CameraId, RecordingId, SegmentId, SourcePath},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::ControlFlow};

/// One camera's account: every file the dock ever saw on it is in exactly one column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraBalance {
    pub camera: String,
    pub docked: bool,
    pub seen: u64,
    /// On the camera as far as the dock knows.
    pub on_camera: u64,
    pub copied: u64,
    pub stored: u64,
    pub released: u64,
    /// Not safe in the store yet, and not lost: not copied, or waiting in the spool.
    pub outstanding: u64,
    /// Of the outstanding, what is on the camera and not copied; of a camera that is not docked, it
    /// is not back yet.
    #[serde(default)]
    pub not_copied: u64,
    /// Of the outstanding, what is copied and waits in the dock's spool for the store.
    #[serde(default)]
    pub in_spool: u64,
    /// Of the stored, what left its camera by another hand: it is safe, but nobody released it.
    #[serde(default)]
    pub gone_stored: u64,
    /// Of what waits in the spool, what left its camera by another hand: it is nowhere else.
    #[serde(default)]
    pub gone_in_spool: u64,
    /// Copied nowhere, and missing when its camera was listed last: it left by another hand.
    pub lost_sight_of: u64,
    /// Seen anew because they had grown, or because their camera spoke of them differently.
    #[serde(default)]
    pub superseded: u64,
    pub unsound: u64,
    pub gaps: u32,
    /// What needs a person, or needed one; at most [`CameraBalance::CONCERNS_MAX`].
    #[serde(default)]
    pub concerns: Vec<Concern>,
    /// What is known besides and needs nobody: the camera's clock, what was passed over.
    #[serde(default)]
    pub notes: Vec<String>,
    /// How many of all concerns nobody has acknowledged (of gaps and files counted up to 1,000).
    #[serde(default)]
    pub open: u64,
    /// Everything seen is stored, and whatever is missing or failed its check is acknowledged.
    pub clean: bool,
}

impl CameraBalance {
    /// The most concerns one camera's balance names.
    pub const CONCERNS_MAX: usize = 50;
}

/// # Errors
/// [`IndexBroken`].
pub fn reconcile(
    view: &dyn View,
    only: Option<&CameraId>,
) -> Result<Vec<CameraBalance>, IndexBroken> {
    let mut cameras = BTreeMap::new();
    for camera in view.list::<CameraState>(key::CAMERAS, b"", usize::MAX)? {
        if only.is_none_or(|id| *id == camera.id) {
            let balance = CameraBalance {
                camera: camera.id.to_string(),
                docked: camera.docked,
                gaps: camera.gaps,
                ..CameraBalance::default()
            };
            let mut concerns = concerns(view, &camera.id, Concern::LIST_MAX)?;
            let open = concerns.iter().filter(|concern| concern.is_open()).count() as u64;
            concerns.truncate(CameraBalance::CONCERNS_MAX);
            let notes = camera.findings.into_iter().filter(|f| f.weight != Weight::Grave);
            let notes = notes.map(|finding| finding.words).collect();
            cameras.insert(camera.id, CameraBalance { concerns, open, notes, ..balance });
        }
    }
    let mut broken = None;
    let mut vanished = Vec::new();
    view.scan(
        key::RECORDINGS,
        b"",
        &mut |_, value| match serde_json::from_slice::<RecordingState>(value) {
            Ok(state) => {
                if let Some(balance) = cameras.get_mut(&state.recording.camera) {
                    add(balance, &state);
                    if state.at(Stage::Vanished) > 0 {
                        vanished.push((state.recording.camera.clone(), state.recording.id));
                    }
                }
                ControlFlow::Continue(())
            }
            Err(error) => {
                broken = Some(IndexBroken(error.to_string()));
                ControlFlow::Break(())
            }
        },
    )?;
    if let Some(error) = broken {
        return Err(error);
    }
    for (camera, recording) in vanished {
        if let Some(balance) = cameras.get_mut(&camera) {
            account_for_vanished(view, recording, balance)?;
        }
    }
    let mut balances: Vec<_> = cameras.into_values().collect();
    for balance in &mut balances {
        balance.clean = balance.outstanding == 0 && balance.open == 0;
    }
    Ok(balances)
}

fn add(balance: &mut CameraBalance, state: &RecordingState) {
    let [seen, sealed, stored, receipted, releasing, released, vanished] = state.files;
    balance.seen += state.files.iter().sum::<u64>();
    balance.on_camera += state.files.iter().sum::<u64>() - released - vanished;
    balance.copied += sealed + stored + receipted + releasing + released;
    balance.stored += stored + receipted + releasing + released;
    balance.released += released;
    balance.outstanding += seen + sealed;
    balance.not_copied += seen;
    balance.in_spool += sealed;
    balance.unsound += state.unsound;
}

/// A file that left by another hand may have been copied, even stored, before it went.
fn account_for_vanished(
    view: &dyn View,
    recording: RecordingId,
    balance: &mut CameraBalance,
) -> Result<(), IndexBroken> {
    for raw in view.ids(&key::members(recording), b"", usize::MAX)? {
        let Ok(id) = SegmentId::from_slice(&raw) else { continue };
        let Some(state) = view.segment(id)?.filter(|s| s.stage == Stage::Vanished) else {
            continue;
        };
        match Gone::of(&state, view)? {
            Gone::Superseded => balance.superseded += 1,
            Gone::Lost => balance.lost_sight_of += 1,
            Gone::Stored => {
                balance.copied += 1;
                balance.stored += 1;
                balance.gone_stored += 1;
            }
            Gone::InSpool => {
                balance.copied += 1;
                balance.outstanding += 1;
                balance.in_spool += 1;
                balance.gone_in_spool += 1;
            }
        }
    }
    Ok(())
}

/// What the release rule says about each candidate, with nothing done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DryRun {
    /// The declared rule, in order.
    pub conditions: Vec<String>,
    #[serde(flatten)]
    pub page: Page<DryRunRow>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DryRunRow {
    pub segment: SegmentId,
    pub camera: CameraId,
    pub path: SourcePath,
    pub release: bool,
    /// Why not, and what could be done.
    pub obstacles: Vec<(String, String)>,
}

/// Asks the rule about the files that are still on a camera, those of `span`.
///
/// # Errors
/// [`IndexBroken`].
pub fn dry_run(
    dock: &Dock,
    now: Timestamp,
    view: &dyn View,
    span: impl Into<Span>,
) -> Result<DryRun, IndexBroken> {
    let mut rows = Turner::new(span.into());
    for camera in view.list::<CameraState>(key::CAMERAS, b"", usize::MAX)? {
        let bay = dock.bays().values().find(|bay| bay.camera == camera.id);
        // A camera that is not docked cannot be erased now; the rule is asked all the same.
        let allows = bay.is_none_or(|bay| bay.erase_allowed);
        for raw in view.ids(&key::open_recordings(&camera.id), b"", usize::MAX)? {
            let Ok(recording) = RecordingId::from_slice(&raw) else { continue };
            let still = view.recording(recording)?.map_or(0, |state| still_there(&state)) as usize;
            if rows.may_pass(still) {
                rows.pass(still);
                continue;
            }
            for raw in view.ids(&key::members(recording), b"", usize::MAX)? {
                let Ok(id) = SegmentId::from_slice(&raw) else { continue };
                let Some(state) = view.segment(id)? else { continue };
                if !is_there(state.stage) {
                    continue;
                }
                if rows.wants() {
                    let row = judged(dock, now, state, allows, view)?;
                    rows.turn(|| row);
                } else {
                    rows.pass(1);
                }
            }
        }
    }
    let conditions = CONDITIONS.iter().map(|(name, _)| (*name).to_owned()).collect();
    Ok(DryRun { conditions, page: rows.page() })
}

fn is_there(stage: Stage) -> bool {
    !matches!(stage, Stage::Released | Stage::Vanished)
}

/// What of a recording neither was released nor left by another hand.
fn still_there(state: &RecordingState) -> u64 {
    Stage::ALL.iter().zip(state.files).filter(|(stage, _)| is_there(**stage)).map(|(_, n)| n).sum()
}

fn judged(
    dock: &Dock,
    now: Timestamp,
    state: SegmentState,
    allows: bool,
    view: &dyn View,
) -> Result<DryRunRow, IndexBroken> {
    let (release, obstacles) = match dock.decide(now, &state, allows, view)? {
        Decision::Release(_) => (true, Vec::new()),
        Decision::ReadAgain => {
            let words = "a second read of the camera comes first".to_owned();
            (false, vec![(words, "nothing: the dock does it".to_owned())])
        }
        Decision::Stay(why) => {
            (false, why.iter().map(|o| (o.to_string(), o.next_step().to_owned())).collect())
        }
    };
    let segment = state.segment;
    Ok(DryRunRow {
        segment: segment.id,
        camera: segment.camera,
        path: segment.source.path,
        release,
        obstacles,
    })
}
