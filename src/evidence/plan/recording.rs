//! What a plan is made of: recordings and their files, and the facts that remember them.

use crate::types::{
    CameraId, Class, FileEntry, FileKind, RecordingId, SegmentId, Sha256Digest, SourcePath, Trust,
    fact::{Bookmark, ManifestRef, Recording, Segment, Source},
};
use jiff::Timestamp;

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

impl PlannedRecording {
    /// The most flags, and the most bookmarks, that a fact carries; the manifest has them all.
    pub const MARKS_MAX: usize = 128;

    pub(super) fn new(name: String, erase_allowed: bool) -> Self {
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

    pub(super) fn quarantine(&mut self) {
        self.class = Class::Quarantine;
        self.erase_allowed = false;
    }

    /// Marks as evidence what is not in quarantine.
    pub(super) fn mark_evidential(&mut self) {
        if self.class != Class::Quarantine {
            self.class = Class::Evidential;
        }
    }

    /// The fact that remembers this recording.
    pub fn to_fact(&self, id: RecordingId, camera: &CameraId, profile: &str) -> Recording {
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
            profile: profile.to_owned(),
            erase_allowed: self.erase_allowed,
        }
    }
}

impl PlannedFile {
    pub(super) fn new(kind: FileKind, entry: &FileEntry) -> Self {
        Self {
            kind,
            index: 0,
            source: Source {
                path: entry.path.clone(),
                size: entry.size,
                modified_ms: entry.modified_ms,
                mark: entry.mark,
                expected: None,
            },
            trust: Trust::None,
            partial: false,
            started: None,
            ended: None,
        }
    }

    pub(super) fn expecting(mut self, digest: Sha256Digest, trust: Trust) -> Self {
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
