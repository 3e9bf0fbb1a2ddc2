//! A plan being made: the listing with its claims, and the recordings so far.

use super::{
    FindingKind, LISTS, Plan, PlannedRecording, ROOT, UNCLAIMED, UNPROVEN, finding::Findings,
    groups, left_out,
};
use crate::{
    evidence::{
        CameraCard, KeyRing,
        profile::{IdentityFrom, Profile, Role},
    },
    types::{CameraId, FileEntry, Listing, Sha256Digest, SourcePath},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A listed file and what became of it.
pub(super) struct Listed<'a> {
    pub(super) entry: &'a FileEntry,
    pub(super) role: Role,
    pub(super) taken: bool,
}

/// A plan being made.
pub(super) struct Planner<'a> {
    pub(super) profile: &'a Profile,
    pub(super) small: &'a BTreeMap<SourcePath, Vec<u8>>,
    pub(super) camera: &'a CameraId,
    pub(super) keys: &'a KeyRing,
    pub(super) files: Vec<Listed<'a>>,
    pub(super) index: HashMap<&'a SourcePath, usize>,
    pub(super) recordings: BTreeMap<String, PlannedRecording>,
    /// What hash lists say, by path from the root.
    pub(super) digests: BTreeMap<SourcePath, Sha256Digest>,
    pub(super) conflicting: BTreeSet<SourcePath>,
    /// What a manifest or list names and the listing lacks.
    pub(super) absent: Vec<SourcePath>,
    /// Model and firmware, as the first signed manifest gives them; a card counts more.
    pub(super) model: Option<(String, String)>,
    pub(super) findings: Findings,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        profile: &'a Profile,
        listing: &'a Listing,
        small: &'a BTreeMap<SourcePath, Vec<u8>>,
        camera: &'a CameraId,
        keys: &'a KeyRing,
    ) -> Self {
        let mut findings = Findings::default();
        if let Some(words) = left_out(profile, listing) {
            findings.add(FindingKind::LeftOut, None, words);
        }
        for words in &listing.unread {
            findings.add(FindingKind::Unread, None, words.clone());
        }
        for words in &listing.caveats {
            findings.add(FindingKind::PassedOver, None, words.clone());
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
            conflicting: BTreeSet::new(),
            absent: Vec::new(),
            model: None,
            findings,
        }
    }

    /// Reads the identity file again for model, firmware and the key the camera shows.
    pub(super) fn read_card(&mut self) -> Option<CameraCard> {
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
    pub(super) fn recording(&mut self, name: &str) -> &mut PlannedRecording {
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

    pub(super) fn finish(mut self, card: Option<CameraCard>) -> Plan {
        for recording in self.recordings.values_mut() {
            groups::number(recording);
        }
        let ignored = self.files.iter().filter(|file| !file.taken).count();
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        let (model, firmware) =
            card.map(|card| (card.model, card.firmware)).or(self.model).unwrap_or_default();
        Plan {
            camera: self.camera.clone(),
            model: known(model),
            firmware: known(firmware),
            recordings: self.recordings.into_values().collect(),
            absent: self.absent,
            findings: self.findings.list,
            findings_left_out: self.findings.left_out,
            ignored,
        }
    }
}

/// An error with its causes in one line: a plan keeps words, not errors.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
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
pub(super) fn natural_name(path: &[u8]) -> String {
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
