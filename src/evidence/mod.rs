//! The evidence model: how a camera's files become recordings, and what stands behind each file.
//!
//! Pure: no clock, file, socket, thread or log. The daemon lists a camera, reads the few small
//! files that [`Profile::small_files`] names, and hands both in; a [`Plan`] comes out. After a
//! file was copied, [`verdict`] compares the copy with what the plan expected.
//!
//! Invariants:
//! - Every listed file the profile does not ignore is in exactly one recording of the plan.
//! - Nothing is trusted more than its proof: `signed` needs the enrolled key of exactly this
//!   camera; anything else is a list with a caveat, or nothing.
//! - What has weaker proof than its profile promises may never be erased from the camera.
//! - No input from a camera panics, and work is linear (times a logarithm) in the listing.

mod continuity;
mod hash_list;
mod identity;
mod manifest;
mod plan;
mod profile;
mod signature;
mod verdict;

pub use continuity::{LastLink, Link, continuity, tell_unproven};
pub use hash_list::{HashList, ListKind, RefusedLine};
pub use identity::{CameraCard, CardError, IdentityError, Known, identify, is_empty_card};
pub use manifest::{Manifest, ManifestError, ManifestSegment, ManifestSidecar};
pub use plan::{Finding, FindingKind, LISTS, Plan, PlannedFile, PlannedRecording, left_out, plan};
pub use profile::{
    BatteryFile, Fields, Grouping, IdentityFrom, ManifestKind, Profile, ProfileError, choose,
};
pub use signature::{CameraKey, KeyError, KeyRing, PublicKey, SIGNATURE_BYTES, verify_signature};
pub use verdict::verdict;

use crate::types::{PathError, SourcePath};

/// `name` as seen from the camera's root, when it is given relative to `folder` (empty: the root).
///
/// # Errors
/// [`PathError::TooLong`].
fn inside(folder: &[u8], name: &SourcePath) -> Result<SourcePath, PathError> {
    if folder.is_empty() {
        return Ok(name.clone());
    }
    SourcePath::new([folder, b"/", name.as_bytes()].concat())
}
