//! Everything no manifest claimed: grouped by the profile, or kept apart.

use super::{
    FindingKind, PlannedFile, PlannedRecording, Planner, UNCLAIMED, UNPROVEN, manifests,
    natural_name,
};
use crate::{
    evidence::profile::{Fields, Grouping, ManifestKind, Role},
    types::{FileKind, SourcePath, Trust},
};
use std::collections::BTreeMap;

impl Planner<'_> {
    /// Gives every file that is left a recording, and says what the lists miss.
    pub(super) fn group_the_rest(&mut self) {
        let mut orphans = 0_usize;
        let mut unproven: BTreeMap<String, usize> = BTreeMap::new();
        for at in 0..self.files.len() {
            let (entry, role) = (self.files[at].entry, self.files[at].role);
            if self.files[at].taken || matches!(role, Role::Ignored | Role::Identity | Role::Status)
            {
                continue;
            }
            self.files[at].taken = true;
            let (name, file) = match role {
                Role::Media => self.place(FileKind::Media, entry),
                Role::Sidecar => self.place(FileKind::Sidecar, entry),
                // Not understood, or the signature of one that is not: kept beside its media.
                Role::Manifest | Role::Signature => {
                    let file = PlannedFile::new(FileKind::Manifest, entry);
                    (self.unproven_name(&entry.path), file)
                }
                Role::Unknown | Role::Ignored | Role::Identity | Role::Status => {
                    orphans += 1;
                    (UNCLAIMED.into(), PlannedFile::new(FileKind::Orphan, entry))
                }
            };
            if file.kind == FileKind::Media && name.ends_with(UNPROVEN) {
                *unproven.entry(name.clone()).or_default() += 1;
            }
            self.put(&name, file);
        }
        for (name, count) in unproven {
            let words = format!("{name}: {count} media files lack the proof the profile promises");
            self.findings.add(FindingKind::Unproven, None, words);
        }
        if orphans > 0 {
            let words = format!("{orphans} files belong to nothing; they go to quarantine");
            self.findings.add(FindingKind::Orphans, None, words);
        }
        self.say_what_lists_miss();
    }

    fn place(&self, kind: FileKind, entry: &crate::types::FileEntry) -> (String, PlannedFile) {
        let mut file = PlannedFile::new(kind, entry);
        let conflict = self.conflicting.contains(&entry.path);
        if !conflict && let Some(digest) = self.digests.get(&entry.path) {
            file = file.expecting(*digest, Trust::Listed);
        }
        let proven = match self.profile.manifest() {
            ManifestKind::BwvManifest { .. } => false,
            ManifestKind::HashList { required } => !required || file.trust == Trust::Listed,
            ManifestKind::None => true,
        };
        match self.group_name(&entry.path) {
            Some(name) if proven && !conflict => (name, file),
            _ => (self.unproven_name(&entry.path), file),
        }
    }

    /// The recording of a path by the profile's grouping alone.
    pub(super) fn group_name(&self, path: &SourcePath) -> Option<String> {
        match self.profile.grouping() {
            Grouping::Manifest => None,
            Grouping::Folder => Some(natural_name(path.folder())),
            Grouping::File => Some(natural_name(stem(path))),
            Grouping::Pattern => {
                let key = self.profile.fields(path)?.key?;
                Some(natural_name(key.as_bytes()))
            }
        }
    }

    fn unproven_name(&self, path: &SourcePath) -> String {
        let name = self.group_name(path).unwrap_or_else(|| natural_name(path.folder()));
        name + UNPROVEN
    }

    fn put(&mut self, name: &str, mut file: PlannedFile) {
        let path = file.source.path.clone();
        let evidential = self.profile.marks_evidential(&path);
        let fields = self.profile.fields(&path).unwrap_or_default();
        let stranger = fields.serial.as_deref().filter(|s| *s != self.camera.as_str());
        if let Some(serial) = stranger {
            let words = format!("its name says camera {serial}, not {}", self.camera);
            self.findings.add(FindingKind::CameraDiffers, Some(&path), words);
        }
        let stranger = stranger.is_some();
        if file.kind == FileKind::Media {
            file.index = fields.segment.unwrap_or(0);
        }
        let before_2000 = fields.started.is_some_and(manifests::is_before_2000);
        let recording = self.recording(name);
        let first = recording.started.is_none() && fields.started.is_some();
        describe(recording, fields);
        if evidential {
            recording.mark_evidential();
        }
        if stranger {
            recording.quarantine();
        }
        recording.files.push(file);
        if before_2000 && first {
            let words = "it starts before the year 2000: the camera's clock was not set";
            self.findings.add(FindingKind::Clock, Some(&path), words);
        }
    }

    fn say_what_lists_miss(&mut self) {
        let absent: Vec<SourcePath> =
            self.digests.keys().filter(|path| !self.index.contains_key(path)).cloned().collect();
        for path in absent {
            let words = "a hash list names it, but it is not on the camera";
            self.findings.add(FindingKind::Missing, Some(&path), words);
            self.absent.push(path.clone());
            // A recording is not made for what is not there.
            if let Some(name) = self.group_name(&path)
                && let Some(recording) = self.recordings.get_mut(&name)
            {
                recording.missing.push((0, path));
            }
        }
    }
}

/// The first file of a recording that says something is believed.
fn describe(recording: &mut PlannedRecording, fields: Fields) {
    if recording.officer.is_none() {
        recording.officer = fields.officer;
    }
    if recording.started.is_none() {
        recording.started = fields.started;
    }
}

/// The path without the ending of its name.
fn stem(path: &SourcePath) -> &[u8] {
    let bytes = path.as_bytes();
    let name_at = bytes.len() - path.name().len();
    match path.name().iter().rposition(|b| *b == b'.') {
        Some(dot) if dot > 0 => &bytes[..name_at + dot],
        _ => bytes,
    }
}

/// Puts media first and numbers it: by the numbers in the names when every one has its own, else
/// by path. Media of a manifest keep the numbers it gave them.
pub(super) fn number(recording: &mut PlannedRecording) {
    let is_media = |file: &PlannedFile| file.kind == FileKind::Media;
    recording.files.sort_by(|a, b| {
        let key = |file: &PlannedFile| (!is_media(file), file.index);
        key(a).cmp(&key(b)).then_with(|| a.source.path.cmp(&b.source.path))
    });
    let media = recording.files.iter().take_while(|file| is_media(file)).count();
    let numbers: Vec<u32> = recording.files[..media].iter().map(|file| file.index).collect();
    let own = numbers.iter().all(|n| *n > 0) && numbers.windows(2).all(|pair| pair[0] < pair[1]);
    if !own {
        recording.files[..media].sort_by(|a, b| a.source.path.cmp(&b.source.path));
        for (file, number) in recording.files[..media].iter_mut().zip(1..) {
            file.index = number;
        }
    }
}
