//! Which profile a camera gets.

use super::Profile;
use crate::types::{Listing, UsbDevice};
use globset::Candidate;

impl Profile {
    /// Whether every glob of `match.require` finds a file. A profile without any is never chosen
    /// by looking: it is for cameras whose configuration or USB numbers name it.
    pub fn matches(&self, listing: &Listing) -> bool {
        !self.require.is_empty() && self.finds_all(listing)
    }

    fn finds_all(&self, listing: &Listing) -> bool {
        let finds = |glob: &globset::GlobMatcher| {
            listing
                .files
                .iter()
                .any(|file| glob.is_match_candidate(&Candidate::from_bytes(file.path.as_bytes())))
        };
        self.require.iter().all(finds)
    }

    /// Whether the profile names this model by its USB numbers or its product string.
    pub fn names(&self, device: &UsbDevice) -> bool {
        self.usb.contains(&device.id)
            || device.product.as_ref().is_some_and(|name| self.products.contains(name))
    }

    /// How well the profile fits, if it does: one that names the model before one that only finds
    /// its files, and the more files it asks for, the more it knows of the camera.
    fn fit(&self, listing: &Listing, device: Option<&UsbDevice>) -> Option<(bool, usize)> {
        let named = device.is_some_and(|device| self.names(device));
        let fits = if named { self.finds_all(listing) } else { self.matches(listing) };
        fits.then_some((named, self.require.len()))
    }
}

/// The profile that fits best; among equals the first given. `device` is there for cameras on USB.
pub fn choose<'p>(
    profiles: &'p [Profile],
    listing: &Listing,
    device: Option<&UsbDevice>,
) -> Option<&'p Profile> {
    // max_by_key keeps the last of equals, so the order is turned round.
    let fitting = profiles.iter().rev().filter_map(|p| Some((p.fit(listing, device)?, p)));
    fitting.max_by_key(|(fit, _)| *fit).map(|(_, profile)| profile)
}
