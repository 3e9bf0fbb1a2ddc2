//! Camera profiles: how one model's files become recordings, said in TOML by an admin.
//!
//! **Format.** `config/cameras/*.toml`; the shipped `bwv-manifest.toml` explains every key.
//! Globs are matched without regard to case (cards are FAT), `*` and `?` stay within one folder,
//! `**` crosses folders. Unknown keys are refused with the list of known ones.

mod choice;
mod pattern;
mod text;

pub use choice::choose;
pub use pattern::Fields;

use super::{CameraCard, HashList, Manifest};
use crate::types::{Listing, SourcePath};
use globset::{Candidate, Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use pattern::Pattern;
use regex::bytes::Regex;
use text::{GroupWord, IdentityText, IdentityWord, KindWord, ManifestText, ProfileText};

/// Why a profile is refused.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Not TOML, a key missing, or an unknown key: the text names the place and the known keys.
    #[error("the profile cannot be read")]
    Toml(#[source] Box<toml::de::Error>),
    #[error("{key} {words}")]
    Value { key: &'static str, words: String },
}

/// A USB vendor and product number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsbId {
    pub vendor: u16,
    pub product: u16,
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
}

/// What a path is by its profile's globs; the first that fits, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The camera's identity file: configuration, not footage. Never copied, never erased.
    Identity,
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

    /// Reads and compiles a profile.
    ///
    /// # Errors
    /// [`ProfileError`] names the key and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        if text.len() > Self::BYTES_MAX {
            return Err(value("the profile", "is longer than 256 KiB"));
        }
        let text: ProfileText =
            toml::from_str(text).map_err(|error| ProfileError::Toml(Box::new(error)))?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.name.is_empty() || text.name.len() > 64 || !text.name.chars().all(plain) {
            return Err(value("name", "may hold a-z, 0-9 and '-', at most 64 of them"));
        }
        if text.layout.media.is_empty() {
            return Err(value("layout.media", "is empty: no file would be footage"));
        }
        let grouping = grouping(text.recordings.group, &text.recordings.group_by)?;
        let (manifest, manifest_files) = manifest_rule(&text.manifest, grouping)?;
        let group_by = text.recordings.group_by;
        let pattern = match text.pattern {
            Some(pattern) => Some(Pattern::compile(pattern, group_by)?),
            None if grouping == Grouping::Pattern => {
                return Err(value("recordings.group", "is \"pattern\", but there is no [pattern]"));
            }
            None => None,
        };
        let has_serial = pattern.is_some();
        let evidential = text.evidential.pattern.as_deref();
        Ok(Self {
            identity: identity(&text.identity, has_serial)?,
            name: text.name,
            description: text.description,
            erase_allowed: text.erase_allowed,
            require: globs("match.require", &text.matching.require)?
                .iter()
                .map(Glob::compile_matcher)
                .collect(),
            usb: text.matching.usb.iter().map(|id| usb_id(id)).collect::<Result<_, _>>()?,
            products: text.matching.products,
            media: glob_set("layout.media", &text.layout.media)?,
            sidecars: glob_set("layout.sidecars", &text.layout.sidecars)?,
            ignore: glob_set("layout.ignore", &text.layout.ignore)?,
            pattern,
            grouping,
            manifest,
            manifest_files,
            evidential: evidential
                .map(|text| pattern::compile("evidential.pattern", text))
                .transpose()?,
            flag_files: glob_set("evidential.flag_files", &text.evidential.flag_files)?,
        })
    }

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
                Role::Ignored | Role::Media | Role::Sidecar | Role::Unknown => continue,
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

fn value(key: &'static str, words: &str) -> ProfileError {
    ProfileError::Value { key, words: words.into() }
}

fn grouping(word: GroupWord, group_by: &[String]) -> Result<Grouping, ProfileError> {
    let grouping = match word {
        GroupWord::Manifest => Grouping::Manifest,
        GroupWord::Folder => Grouping::Folder,
        GroupWord::File => Grouping::File,
        GroupWord::Pattern => Grouping::Pattern,
    };
    match (grouping == Grouping::Pattern, group_by.is_empty()) {
        (true, true) => Err(value("recordings.group_by", "must name the groups of one recording")),
        (false, false) => {
            Err(value("recordings.group_by", "only goes with recordings.group = \"pattern\""))
        }
        _ => Ok(grouping),
    }
}

fn manifest_rule(
    text: &ManifestText,
    grouping: Grouping,
) -> Result<(ManifestKind, GlobSet), ProfileError> {
    let kind = match text.kind {
        KindWord::BwvManifest => {
            ManifestKind::BwvManifest { require_signature: text.require_signature.unwrap_or(true) }
        }
        KindWord::HashList => ManifestKind::HashList { required: text.required.unwrap_or(true) },
        KindWord::None => ManifestKind::None,
    };
    let by_manifest = text.kind == KindWord::BwvManifest;
    if by_manifest != (grouping == Grouping::Manifest) {
        let words = "\"manifest\" goes with manifest.kind = \"bwv-manifest\", and only with it";
        return Err(value("recordings.group", words));
    }
    if text.require_signature.is_some() && !by_manifest {
        return Err(value("manifest.require_signature", "only goes with \"bwv-manifest\""));
    }
    if text.required.is_some() && text.kind != KindWord::HashList {
        return Err(value("manifest.required", "only goes with \"hash-list\""));
    }
    if text.files.is_empty() != (text.kind == KindWord::None) {
        return Err(value("manifest.files", "names the files of every kind but \"none\""));
    }
    Ok((kind, glob_set("manifest.files", &text.files)?))
}

fn identity(text: &IdentityText, has_pattern: bool) -> Result<IdentityFrom, ProfileError> {
    match (text.from, &text.file) {
        (IdentityWord::File, file) => {
            let path = SourcePath::new(file.as_deref().unwrap_or("camera.json"));
            path.map(IdentityFrom::Card).map_err(|e| value("identity.file", &e.to_string()))
        }
        (_, Some(_)) => Err(value("identity.file", "only goes with identity.from = \"file\"")),
        (IdentityWord::Pattern, None) if has_pattern => Ok(IdentityFrom::Pattern),
        (IdentityWord::Pattern, None) => {
            Err(value("identity.from", "is \"pattern\", but there is no [pattern]"))
        }
        (IdentityWord::Configured, None) => Ok(IdentityFrom::Configured),
    }
}

fn usb_id(text: &str) -> Result<UsbId, ProfileError> {
    let part = |digits: &str| match digits.len() {
        4 if digits.bytes().all(|b| b.is_ascii_hexdigit()) => u16::from_str_radix(digits, 16).ok(),
        _ => None,
    };
    text.split_once(':')
        .and_then(|(vendor, product)| {
            Some(UsbId { vendor: part(vendor)?, product: part(product)? })
        })
        .ok_or_else(|| value("match.usb", "is a list of texts like \"1d6b:0104\""))
}

fn globs(key: &'static str, texts: &[String]) -> Result<Vec<Glob>, ProfileError> {
    let compile = |text: &String| {
        GlobBuilder::new(text)
            .literal_separator(true)
            .case_insensitive(true)
            .build()
            .map_err(|error| value(key, &format!("holds a glob that cannot be used: {error}")))
    };
    texts.iter().map(compile).collect()
}

fn glob_set(key: &'static str, texts: &[String]) -> Result<GlobSet, ProfileError> {
    let mut set = GlobSetBuilder::new();
    for glob in globs(key, texts)? {
        set.add(glob);
    }
    set.build().map_err(|error| value(key, &format!("holds too many globs: {error}")))
}

#[cfg(test)]
mod tests;
