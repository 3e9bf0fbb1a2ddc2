//! What a plan found wrong or odd, for people and for rules.

use crate::types::SourcePath;
use std::collections::BTreeMap;

/// What kind of thing was found; decisions go by this, never by the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// A signature that the enrolled key did not make. Somebody or something changed a file.
    SignatureInvalid,
    /// The camera has an enrolled key, but this manifest carries no signature.
    SignatureMissing,
    /// A manifest, card or file name says another camera's id.
    CameraDiffers,
    /// The camera shows another key than the one enrolled for it.
    KeyDiffers,
    /// A manifest, list or card that could not be read or understood.
    Unreadable,
    /// One file is claimed twice, or has two different digests.
    Conflict,
    /// The camera's own list names a file that is not there.
    Missing,
    /// A file is not as long as its manifest says.
    SizeDiffers,
    /// Media without the proof that the profile promises.
    Unproven,
    /// Files that nothing claims.
    Orphans,
    /// Times that cannot be: an end before its beginning, a year before 2000.
    Clock,
    /// Something on the camera that may hold footage and could not be listed.
    Unread,
    /// Something on the camera that is no file and was passed over.
    PassedOver,
    /// Files that the profile ignores.
    LeftOut,
    /// Something a list could not take in; the rest counts.
    Caveat,
}

impl FindingKind {
    /// Whether somebody must look at it, now.
    pub fn is_grave(self) -> bool {
        match self {
            Self::SignatureInvalid
            | Self::SignatureMissing
            | Self::CameraDiffers
            | Self::KeyDiffers
            | Self::Unreadable
            | Self::Conflict
            | Self::Missing
            | Self::SizeDiffers
            | Self::Unproven
            | Self::Unread => true,
            Self::Orphans | Self::Clock | Self::PassedOver | Self::LeftOut | Self::Caveat => false,
        }
    }
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: FindingKind,
    pub path: Option<SourcePath>,
    /// One sentence without a full stop.
    pub words: String,
}

/// Findings, of which only so many are described.
#[derive(Debug, Default)]
pub struct Findings {
    pub list: Vec<Finding>,
    pub left_out: usize,
    counts: BTreeMap<FindingKind, usize>,
}

impl Findings {
    /// The most findings of one kind that a plan describes; the rest are counted.
    pub const EACH_MAX: usize = 100;

    pub fn add(&mut self, kind: FindingKind, path: Option<&SourcePath>, words: impl Into<String>) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count > Self::EACH_MAX {
            self.left_out += 1;
            return;
        }
        self.list.push(Finding { kind, path: path.cloned(), words: words.into() });
    }
}
