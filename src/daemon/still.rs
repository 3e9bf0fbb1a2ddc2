//! Whether a docked camera is still the one that was recognised.
//!
//! A folder may be emptied and filled again between two looks, without being another folder. So every
//! listing is asked anew whose it is, and before a copy the card is, where a card says it. What a
//! camera does not say cannot be told: of two that say nothing, one is as good as the other.

use crate::{
    camera::{Camera, CameraError},
    evidence::{self, CameraCard, IdentityError, IdentityFrom, Known, Profile},
    types::{CameraId, Listing, SourcePath},
};
use std::collections::BTreeMap;

/// Who a docked camera was found to be, and by what.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub id: CameraId,
    /// What the bay's configuration says.
    pub configured: Option<CameraId>,
    pub usb_serial: Option<CameraId>,
    /// The camera's own card was read.
    pub by_card: bool,
}

/// What a look at the card says before a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Still {
    /// Nothing speaks against it.
    Same,
    Another,
    /// What said who it is has gone: a listing must tell.
    Silent,
}

impl Identity {
    fn known(&self) -> Known<'_> {
        Known { configured: self.configured.as_ref(), usb_serial: self.usb_serial.as_ref() }
    }

    /// Whether a listing is of another camera, or of one that cannot be this one.
    pub fn is_another(
        &self,
        profile: &Profile,
        listing: &Listing,
        small: &BTreeMap<SourcePath, Vec<u8>>,
    ) -> bool {
        match evidence::identify(profile, listing, small, self.known()) {
            Ok(found) => found != self.id,
            // It was emptied; whose it was does not change by that.
            Err(error) if evidence::is_empty_card(profile, listing, &error) => false,
            // A card that is there and could not be read this time says nothing new.
            Err(IdentityError::NoCard(card)) => listing.files.iter().all(|file| file.path != card),
            Err(
                IdentityError::Card { .. }
                | IdentityError::Several(..)
                | IdentityError::Differs { .. },
            ) => true,
            // Names that told whose it is may have been erased by the rule.
            Err(
                IdentityError::NoSerial | IdentityError::NotConfigured | IdentityError::NoUsbSerial,
            ) => false,
        }
    }

    /// Asks the card, where one said who it is.
    pub fn still(&self, profile: &Profile, camera: &mut dyn Camera) -> Still {
        let (IdentityFrom::Card(path), true) = (profile.identity(), self.by_card) else {
            return Still::Same;
        };
        match camera.read_small(path, CameraCard::BYTES_MAX as u64) {
            Ok(bytes) => match CameraCard::parse(&bytes) {
                Ok(card) if card.camera == self.id => Still::Same,
                Ok(_) => Still::Another,
                Err(_) => Still::Silent,
            },
            Err(CameraError::NoSuchFile(_) | CameraError::Changed { .. }) => Still::Silent,
            // Reading what is to be copied meets the same, and says it.
            Err(
                CameraError::Gone
                | CameraError::ReadOnly(_)
                | CameraError::TooMany(_)
                | CameraError::Io { .. },
            ) => Still::Same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::{EraseMode, FolderCamera};
    use std::{fs, path::Path};

    fn shipped(name: &str) -> Profile {
        Profile::shipped().into_iter().find(|profile| profile.name() == name).unwrap()
    }

    fn camera(root: &Path) -> Box<dyn Camera> {
        Box::new(FolderCamera::open(root, EraseMode::ReadOnly).unwrap())
    }

    fn card(root: &Path, id: &str) {
        let text = format!("{{\"format\":\"bwv-camera\",\"version\":1,\"camera\":\"{id}\"}}");
        fs::write(root.join("camera.json"), text).unwrap();
    }

    fn look(profile: &Profile, camera: &mut dyn Camera, who: &Identity) -> bool {
        let listing = camera.list().unwrap();
        let mut small = BTreeMap::new();
        for (path, max) in profile.small_files(&listing) {
            small.insert(path.clone(), camera.read_small(&path, max).unwrap());
        }
        who.is_another(profile, &listing, &small)
    }

    fn who(by_card: bool) -> Identity {
        let id = CameraId::new("CAM-A").unwrap();
        Identity { id, configured: None, usb_serial: None, by_card }
    }

    #[test]
    fn a_card_says_who_it_is_at_every_listing_and_before_every_copy() {
        let folder = tempfile::tempdir().unwrap();
        let (root, profile, who) = (folder.path(), shipped("bwv-manifest"), who(true));
        card(root, "CAM-A");
        fs::write(root.join("x.mp4"), b"x").unwrap();
        let mut camera = camera(root);
        let ask =
            |camera: &mut dyn Camera| (look(&profile, camera, &who), who.still(&profile, camera));
        assert_eq!(ask(&mut *camera), (false, Still::Same));
        card(root, "CAM-B");
        assert_eq!(ask(&mut *camera), (true, Still::Another));
        fs::write(root.join("camera.json"), b"{").unwrap();
        assert_eq!(ask(&mut *camera), (true, Still::Silent));
        fs::remove_file(root.join("camera.json")).unwrap();
        assert_eq!(ask(&mut *camera), (true, Still::Silent), "files that nobody claims");
        fs::remove_file(root.join("x.mp4")).unwrap();
        assert_eq!(ask(&mut *camera), (false, Still::Silent), "emptied");
    }

    #[test]
    fn names_say_it_as_long_as_there_are_any() {
        let folder = tempfile::tempdir().unwrap();
        let (root, profile, who) = (folder.path(), shipped("clip-folders"), who(false));
        let folder = |id: &str| root.join(format!("P1_{id}_20260301T200000Z"));
        for id in ["CAM-A", "CAM-B"] {
            fs::create_dir(folder(id)).unwrap();
        }
        let mut camera = camera(root);
        fs::write(folder("CAM-A").join("clip_001.mp4"), b"a").unwrap();
        assert!(!look(&profile, &mut *camera, &who));
        fs::write(folder("CAM-B").join("clip_001.mp4"), b"b").unwrap();
        assert!(look(&profile, &mut *camera, &who), "of several");
        fs::remove_dir_all(folder("CAM-A")).unwrap();
        assert!(look(&profile, &mut *camera, &who));
        fs::remove_dir_all(folder("CAM-B")).unwrap();
        fs::write(root.join("stray.bin"), b"s").unwrap();
        assert!(!look(&profile, &mut *camera, &who), "the clips were released");
        assert_eq!(who.still(&profile, &mut *camera), Still::Same);
    }

    #[test]
    fn a_folder_made_anew_in_its_place_is_another_though_it_has_the_same_inode() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("bay");
        fs::create_dir(&root).unwrap();
        let mut camera = camera(&root);
        assert!(camera.is_present());
        fs::remove_dir(&root).unwrap();
        fs::create_dir(&root).unwrap();
        assert!(!camera.is_present());
    }
}
