//! Which profile a camera gets.

use super::Profile;
use crate::types::Listing;
use globset::Candidate;

impl Profile {
    /// Whether every glob of `match.require` finds a file. A profile without any is never chosen
    /// by looking: it is for cameras whose configuration names it.
    pub fn matches(&self, listing: &Listing) -> bool {
        let finds = |glob: &globset::GlobMatcher| {
            listing
                .files
                .iter()
                .any(|file| glob.is_match_candidate(&Candidate::from_bytes(file.path.as_bytes())))
        };
        !self.require.is_empty() && self.require.iter().all(finds)
    }

    /// The more files a profile asks for, the more it knows of the camera.
    fn specificity(&self) -> usize {
        self.require.len()
    }
}

/// The profile that fits `listing` and asks for the most files; among equals the first given.
pub fn choose<'p>(profiles: &'p [Profile], listing: &Listing) -> Option<&'p Profile> {
    // max_by_key keeps the last of equals, so the order is turned round.
    profiles.iter().rev().filter(|p| p.matches(listing)).max_by_key(|p| p.specificity())
}
