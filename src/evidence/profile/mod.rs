//! Camera profiles: how one model's files become recordings, said in TOML by an admin.
//!
//! **Format.** `config/cameras/*.toml`; the shipped `bwv-manifest.toml` explains every key.
//! Globs are matched without regard to case (cards are FAT), `*` and `?` stay within one folder,
//! `**` crosses folders. Unknown keys are refused with the list of known ones.

mod battery;
mod choice;
mod pattern;
mod read;
mod text;

pub use battery::BatteryFile;
pub use choice::choose;
pub use pattern::Fields;

use super::{CameraCard, HashList, Manifest};
use crate::types::{Listing, SourcePath, UsbId};
use globset::{Candidate, GlobMatcher, GlobSet};
use pattern::Pattern;
use regex::bytes::Regex;

/// Why a profile is refused.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Not TOML, a key missing, or an unknown key: the text names the place and the known keys.
    #[error("line {line}: {words}")]
    Toml { line: usize, words: String },
    #[error("{key} {words}")]
    Value { key: &'static str, words: String },
}

/// Where a camera's id comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityFrom {
    /// A [`CameraCard`] at this path.
    Card(SourcePath),
    /// The group `serial` of the pattern; every file must agree.
    Pattern,
    /// The configuration of the bay or folder.
    Configured,
    /// The serial number it says on USB.
    Usb,
}

/// Which files make one recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// Those a manifest names.
    Manifest,
    /// Those of one folder.
    Folder,
    /// Those of one folder with one name but for the ending.
    File,
    /// Those whose paths have equal grouping groups.
    Pattern,
}

/// What the camera says about its files' digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// [`Manifest`]; without `require_signature` an unsigned one counts as a list, and is only
    /// erasable where no key is enrolled for the camera.
    BwvManifest {
        require_signature: bool,
    },
    /// [`HashList`]; without `required` a file that no list names counts as one without digest.
    HashList {
        required: bool,
    },
    None,
}

/// One model of camera, checked and compiled.
#[derive(Debug, Clone)]
pub struct Profile {
    name: String,
    description: String,
    erase_allowed: bool,
    require: Vec<GlobMatcher>,
    usb: Vec<UsbId>,
    products: Vec<String>,
    identity: IdentityFrom,
    media: GlobSet,
    sidecars: GlobSet,
    ignore: GlobSet,
    pattern: Option<Pattern>,
    grouping: Grouping,
    manifest: ManifestKind,
    manifest_files: GlobSet,
    evidential: Option<Regex>,
    flag_files: GlobSet,
    battery: Option<BatteryFile>,
}

/// What a path is by its profile's globs; the first that fits, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The camera's identity file: configuration, not footage. Never copied, never erased.
    Identity,
    /// The file that says how full the battery is: never copied, never erased.
    Status,
    Ignored,
    Manifest,
    Signature,
    Media,
    Sidecar,
    Unknown,
}

impl Profile {
    /// The longest profile text, bytes.
    pub const BYTES_MAX: usize = 256 << 10;

    /// The profiles that come with the program, in the order they are tried.
    pub fn shipped() -> Vec<Self> {
        [
            include_str!("../../../config/cameras/bwv-manifest.toml"),
            include_str!("../../../config/cameras/clip-folders.toml"),
            include_str!("../../../config/cameras/generic-dcim.toml"),
        ]
        .map(|text| Self::parse(text).expect("the shipped profiles are tested"))
        .into()
    }

    /// For a camera that no profile fits: every file is an orphan, kept in quarantine, never
    /// erased. Nothing is lost because nobody wrote a profile yet.
    pub fn unrecognised() -> Self {
        // No path on a camera is "/", so nothing is media.
        Self::parse(
            "name = \"unrecognised\"\ndescription = \"No profile fits this camera\"\n\
             identity.from = \"configured\"\nlayout.media = [\"/\"]\n\
             recordings.group = \"file\"\nmanifest.kind = \"none\"\n",
        )
        .expect("this text is tested")
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn description(&self) -> &str {
        &self.description
    }

    /// Whether files of this model may be erased at all, once everything else agrees.
    pub fn erase_allowed(&self) -> bool {
        self.erase_allowed
    }

    pub fn identity(&self) -> &IdentityFrom {
        &self.identity
    }

    pub fn grouping(&self) -> Grouping {
        self.grouping
    }

    pub fn manifest(&self) -> ManifestKind {
        self.manifest
    }

    /// Where the model says how full its battery is, if the profile knows.
    pub fn battery(&self) -> Option<&BatteryFile> {
        self.battery.as_ref()
    }

    /// USB numbers by which the model may be recognised.
    pub fn usb_ids(&self) -> &[UsbId] {
        &self.usb
    }

    /// USB product strings by which the model may be recognised.
    pub fn product_names(&self) -> &[String] {
        &self.products
    }

    /// What the path says by the profile's pattern, if it has one and it fits.
    pub fn fields(&self, path: &SourcePath) -> Option<Fields> {
        self.pattern.as_ref()?.read(path.as_bytes())
    }

    /// The small files that [`super::plan`] and [`super::identify`] need, and the most bytes each
    /// may have. Files listed longer are left out, as is what would pass
    /// [`Profile::SMALL_BYTES_MAX`] in all; the plan reports them.
    pub fn small_files(&self, listing: &Listing) -> Vec<(SourcePath, u64)> {
        let mut wanted = Vec::new();
        let mut left = Self::SMALL_BYTES_MAX;
        for file in &listing.files {
            let max = match self.role(&file.path) {
                Role::Identity => CameraCard::BYTES_MAX,
                Role::Signature => Self::SIGNATURE_READ_MAX,
                Role::Manifest => match self.manifest {
                    ManifestKind::BwvManifest { .. } => Manifest::BYTES_MAX,
                    ManifestKind::HashList { .. } => HashList::BYTES_MAX,
                    ManifestKind::None => continue,
                },
                Role::Status | Role::Ignored | Role::Media | Role::Sidecar | Role::Unknown => {
                    continue;
                }
            } as u64;
            if file.size <= max && file.size <= left {
                left -= file.size;
                wanted.push((file.path.clone(), max));
            }
        }
        wanted
    }

    /// The most bytes of small files read for one plan.
    pub const SMALL_BYTES_MAX: u64 = 64 << 20;
    const SIGNATURE_READ_MAX: usize = 1024;

    pub(super) fn role(&self, path: &SourcePath) -> Role {
        if matches!(&self.identity, IdentityFrom::Card(card) if card == path) {
            return Role::Identity;
        }
        if self.battery.as_ref().is_some_and(|battery| battery.path == *path) {
            return Role::Status;
        }
        let bytes = path.as_bytes();
        let fits = |set: &GlobSet, bytes: &[u8]| {
            !set.is_empty() && set.is_match_candidate(&Candidate::from_bytes(bytes))
        };
        let signs = matches!(self.manifest, ManifestKind::BwvManifest { .. });
        match bytes {
            _ if fits(&self.ignore, bytes) => Role::Ignored,
            _ if fits(&self.manifest_files, bytes) => Role::Manifest,
            [signed @ .., b'.', b's', b'i', b'g']
                if signs && fits(&self.manifest_files, signed) =>
            {
                Role::Signature
            }
            _ if fits(&self.media, bytes) => Role::Media,
            _ if fits(&self.sidecars, bytes) || fits(&self.flag_files, bytes) => Role::Sidecar,
            _ => Role::Unknown,
        }
    }

    /// Whether the file's path or its being there marks its recording as evidence.
    pub(super) fn marks_evidential(&self, path: &SourcePath) -> bool {
        self.evidential.as_ref().is_some_and(|regex| regex.is_match(path.as_bytes()))
            || self.flag_files.is_match_candidate(&Candidate::from_bytes(path.as_bytes()))
    }
}

#[cfg(test)]
mod tests;
