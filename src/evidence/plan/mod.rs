//! From a listing to recordings: every file in exactly one of them, with what stands behind it.
//!
//! Order of claims: signed manifests, other manifests, hash lists, then the profile's grouping;
//! within each by path. The first claim counts, a second one is a grave finding. What has not the
//! proof its profile promises goes to a recording `NAME:unproven`, in quarantine, never to be
//! erased; what nothing claims goes to [`UNCLAIMED`]; lists over several recordings to [`LISTS`].
//!
//! Names of recordings follow from paths and contents alone, so that a second listing, with some
//! files gone, gives the same names.

mod finding;
mod groups;
mod lists;
mod manifests;

pub use finding::{Finding, FindingKind};

use super::{
    CameraCard, KeyRing, Link,
    profile::{IdentityFrom, ManifestKind, Profile, Role},
};
use crate::types::{
    CameraId, Class, FileEntry, FileKind, Listing, RecordingId, SegmentId, Sha256Digest,
    SourcePath, Trust,
    fact::{Bookmark, ManifestRef, Recording, Segment, Source},
};
use finding::Findings;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};

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
    /// At most 100 of a kind.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub findings_left_out: usize,
    /// Files the profile ignores, and the identity file.
    pub ignored: usize,
}

/// A recording to be.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRecording {
    /// Stable on one camera.
    pub name: String,
    /// The id of the officer, never a name.
    pub officer: Option<String>,
    /// By the camera's clock, however wrong.
    pub started: Option<Timestamp>,
    pub stopped: Option<Timestamp>,
    pub class: Class,
    pub flags: Vec<String>,
    pub bookmarks: Vec<Bookmark>,
    pub segments_expected: Option<u32>,
    pub manifest: Option<ManifestRef>,
    /// False as soon as anything about the recording has weaker proof than its profile promises.
    pub erase_allowed: bool,
    /// Media by number, then everything else by path.
    pub files: Vec<PlannedFile>,
    /// What the camera's own list names and the listing lacks: number (0: no media, or not
    /// known) and path. A file that was released earlier is among them.
    pub missing: Vec<(u32, SourcePath)>,
}

/// A file of a recording to be.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedFile {
    pub kind: FileKind,
    /// Place within the recording, from 1; 0 for what is not media.
    pub index: u32,
    pub source: Source,
    pub trust: Trust,
    /// Declared cut off, or shorter on the camera than declared.
    pub partial: bool,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
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
}

impl PlannedRecording {
    /// The most flags, and the most bookmarks, that a fact carries; the manifest has them all.
    pub const MARKS_MAX: usize = 128;

    fn new(name: String, erase_allowed: bool) -> Self {
        Self {
            name,
            officer: None,
            started: None,
            stopped: None,
            class: Class::Unreviewed,
            flags: Vec::new(),
            bookmarks: Vec::new(),
            segments_expected: None,
            manifest: None,
            erase_allowed,
            files: Vec::new(),
            missing: Vec::new(),
        }
    }

    fn quarantine(&mut self) {
        self.class = Class::Quarantine;
        self.erase_allowed = false;
    }

    /// Marks as evidence what is not in quarantine.
    fn mark_evidential(&mut self) {
        if self.class != Class::Quarantine {
            self.class = Class::Evidential;
        }
    }

    /// The fact that remembers this recording.
    pub fn to_fact(&self, id: RecordingId, camera: &CameraId, profile: &Profile) -> Recording {
        Recording {
            id,
            camera: camera.clone(),
            name: self.name.clone(),
            officer: self.officer.clone(),
            started: self.started,
            stopped: self.stopped,
            class: self.class,
            flags: self.flags.clone(),
            bookmarks: self.bookmarks.clone(),
            segments_expected: self.segments_expected,
            manifest: self.manifest.clone(),
            profile: profile.name().into(),
            erase_allowed: self.erase_allowed,
        }
    }
}

impl PlannedFile {
    fn new(kind: FileKind, entry: &FileEntry) -> Self {
        Self {
            kind,
            index: 0,
            source: Source {
                path: entry.path.clone(),
                size: entry.size,
                modified_ms: entry.modified_ms,
                expected: None,
            },
            trust: Trust::None,
            partial: false,
            started: None,
            ended: None,
        }
    }

    fn expecting(mut self, digest: Sha256Digest, trust: Trust) -> Self {
        self.source.expected = Some(digest);
        self.trust = trust;
        self
    }

    /// The fact that remembers this file.
    pub fn to_fact(&self, id: SegmentId, recording: RecordingId, camera: &CameraId) -> Segment {
        Segment {
            id,
            recording,
            camera: camera.clone(),
            kind: self.kind,
            index: self.index,
            source: self.source.clone(),
            trust: self.trust,
            partial: self.partial,
            started: self.started,
            ended: self.ended,
        }
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

/// A listed file and what became of it.
struct Listed<'a> {
    entry: &'a FileEntry,
    role: Role,
    taken: bool,
}

/// A plan being made.
struct Planner<'a> {
    profile: &'a Profile,
    small: &'a BTreeMap<SourcePath, Vec<u8>>,
    camera: &'a CameraId,
    keys: &'a KeyRing,
    files: Vec<Listed<'a>>,
    index: HashMap<&'a SourcePath, usize>,
    recordings: BTreeMap<String, PlannedRecording>,
    /// What hash lists say, by path from the root.
    digests: BTreeMap<SourcePath, Sha256Digest>,
    conflicting: std::collections::BTreeSet<SourcePath>,
    findings: Findings,
}

impl<'a> Planner<'a> {
    fn new(
        profile: &'a Profile,
        listing: &'a Listing,
        small: &'a BTreeMap<SourcePath, Vec<u8>>,
        camera: &'a CameraId,
        keys: &'a KeyRing,
    ) -> Self {
        let mut findings = Findings::default();
        for caveat in &listing.caveats {
            findings.add(FindingKind::Caveat, None, caveat.clone());
        }
        let mut entries: Vec<&FileEntry> = listing.files.iter().collect();
        // Stable: of one path listed twice the first entry counts.
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        entries.dedup_by(|again, first| {
            let same = again.path == first.path;
            if same {
                let words = "the camera lists it twice; the first entry counts";
                findings.add(FindingKind::Conflict, Some(&again.path), words);
            }
            same
        });
        let files: Vec<Listed<'a>> = entries
            .into_iter()
            .map(|entry| Listed { entry, role: profile.role(&entry.path), taken: false })
            .collect();
        let index = files.iter().enumerate().map(|(at, f)| (&f.entry.path, at)).collect();
        Self {
            profile,
            small,
            camera,
            keys,
            files,
            index,
            recordings: BTreeMap::new(),
            digests: BTreeMap::new(),
            conflicting: Default::default(),
            findings,
        }
    }

    /// Reads the identity file again for model, firmware and the key the camera shows.
    fn read_card(&mut self) -> Option<CameraCard> {
        let IdentityFrom::Card(path) = self.profile.identity() else { return None };
        let parsed = CameraCard::parse(self.small.get(path)?);
        let card = match parsed {
            Ok(card) => card,
            Err(error) => {
                let words = format!("the identity file cannot be used: {}", chain(&error));
                self.findings.add(FindingKind::Unreadable, Some(path), words);
                return None;
            }
        };
        if card.camera != *self.camera {
            let words = format!("the camera's card says {}, not {}", card.camera, self.camera);
            self.findings.add(FindingKind::CameraDiffers, Some(path), words);
        }
        if let (Some(shown), Some(enrolled)) = (card.public_key, self.keys.key(self.camera))
            && shown != *enrolled
        {
            let words = "the camera shows another public key than the one enrolled for it";
            self.findings.add(FindingKind::KeyDiffers, Some(path), words);
        }
        Some(card)
    }

    /// The recording of that name, made if it is not there yet.
    fn recording(&mut self, name: &str) -> &mut PlannedRecording {
        if !self.recordings.contains_key(name) {
            let mut made = PlannedRecording::new(name.into(), self.profile.erase_allowed());
            if name == UNCLAIMED || name.ends_with(UNPROVEN) {
                made.quarantine();
            }
            made.erase_allowed &= name != LISTS;
            self.recordings.insert(name.into(), made);
        }
        self.recordings.get_mut(name).expect("it was just put there")
    }

    fn finish(mut self, card: Option<CameraCard>) -> Plan {
        for recording in self.recordings.values_mut() {
            groups::number(recording);
        }
        let ignored = self.files.iter().filter(|file| !file.taken).count();
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        let (model, firmware) = match card {
            Some(card) => (known(card.model), known(card.firmware)),
            None => (None, None),
        };
        Plan {
            camera: self.camera.clone(),
            model,
            firmware,
            recordings: self.recordings.into_values().collect(),
            findings: self.findings.list,
            findings_left_out: self.findings.left_out,
            ignored,
        }
    }
}

/// An error with its causes in one line: a plan keeps words, not errors.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}

/// A recording's name from a path: printable, short, and never one of the reserved names.
fn natural_name(path: &[u8]) -> String {
    const BYTES_MAX: usize = 200;
    if path.is_empty() {
        return ROOT.into();
    }
    let mut name = SourcePath::new(path).map(String::from).unwrap_or_default();
    if name.is_empty() || name.len() > BYTES_MAX {
        let cut = (0..=BYTES_MAX - 60).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        name.truncate(cut);
        // Half a SHA-256 keeps apart what is too long, or no path at all.
        name.push('~');
        name.push_str(&hex::encode(&Sha256Digest::of(path).0[..16]));
    }
    // No path ends in a slash, so a folder that happens to have a reserved name stays apart.
    if [UNCLAIMED, LISTS, ROOT].contains(&name.as_str()) || name.ends_with(UNPROVEN) {
        name.push('/');
    }
    name
}

#[cfg(test)]
mod tests;
