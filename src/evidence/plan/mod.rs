//! From a listing to recordings: every file in exactly one of them, with what stands behind it.
//!
//! Order of claims: signed manifests, other manifests, hash lists, then the profile's grouping;
//! within each by path. The first claim counts, a second one is a grave finding. What has not the
//! proof its profile promises goes to a recording `NAME:unproven`, in quarantine, never to be
//! erased; what nothing claims goes to [`UNCLAIMED`]; lists over several recordings to [`LISTS`].
//!
//! Names of recordings follow from paths and contents alone, so that a second listing, with some
//! files gone, gives the same names.

mod clock;
mod finding;
mod groups;
mod left_out;
mod lists;
mod manifests;
mod planner;
mod recording;

pub use finding::{Finding, FindingKind};
pub use left_out::left_out;
pub use recording::{PlannedFile, PlannedRecording};

use super::{
    KeyRing, Link,
    profile::{ManifestKind, Profile},
};
use crate::types::{CameraId, Listing, SourcePath};
use planner::{Planner, chain, natural_name};
use std::collections::BTreeMap;

/// The recording of files that nothing claims.
pub const UNCLAIMED: &str = "unclaimed";
/// The recording of hash lists that speak of several recordings. Never erased: the media they
/// prove may outlive them on the camera.
pub const LISTS: &str = "lists";
/// The name of a recording that lies at the camera's root.
pub const ROOT: &str = "root";
const UNPROVEN: &str = ":unproven";

/// What a camera holds, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub camera: CameraId,
    pub model: Option<String>,
    pub firmware: Option<String>,
    /// Sorted by name.
    pub recordings: Vec<PlannedRecording>,
    /// Every file that a manifest or list names and the listing lacks; one that was released
    /// earlier is among them.
    pub absent: Vec<SourcePath>,
    /// At most 100 of a kind.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub findings_left_out: usize,
    /// Files the profile ignores, and the identity file.
    pub ignored: usize,
}

impl Plan {
    /// The signed manifests as links of the camera's chain, for [`super::continuity`].
    pub fn links(&self) -> Vec<Link> {
        let manifests = self.recordings.iter().filter_map(|r| r.manifest.as_ref());
        manifests
            .filter_map(|m| {
                Some(Link { sequence: m.sequence?, sha256: m.sha256, previous: m.previous? })
            })
            .collect()
    }

    /// The numbers that manifests without a valid signature claim, with the recording's name.
    pub fn unproven_numbers(&self) -> BTreeMap<u64, String> {
        let claimed = |r: &PlannedRecording| {
            let manifest = r.manifest.as_ref().filter(|m| m.sequence.is_none())?;
            Some((manifest.claimed?, r.name.clone()))
        };
        self.recordings.iter().filter_map(claimed).collect()
    }
}

/// Works out what `listing` means under `profile`.
///
/// `small` holds the contents of what [`Profile::small_files`] named; a file that could not be
/// read is simply absent. `camera` is the camera as [`super::identify`] told it.
pub fn plan(
    profile: &Profile,
    listing: &Listing,
    small: &BTreeMap<SourcePath, Vec<u8>>,
    camera: &CameraId,
    keys: &KeyRing,
) -> Plan {
    let mut planner = Planner::new(profile, listing, small, camera, keys);
    let card = planner.read_card();
    match profile.manifest() {
        ManifestKind::BwvManifest { require_signature } => {
            planner.claim_by_manifests(require_signature);
        }
        ManifestKind::HashList { .. } => planner.read_lists(),
        ManifestKind::None => {}
    }
    planner.group_the_rest();
    planner.finish(card)
}

#[cfg(test)]
mod tests;
