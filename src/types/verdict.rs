//! What the dock decided about a file, in the field's words.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a segment's bytes compare with what its camera said of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Equal to the digest in a manifest whose signature is the camera's.
    Verified,
    /// Equal to the digest in an unsigned list (`SHA256SUMS`, BagIt, unsigned manifest).
    Matched,
    /// The camera gave no digest; the dock made one. Released only after a second, equal read.
    Unverified,
    /// Equal to the digest in a manifest whose signature is not the camera's: somebody or
    /// something changed the manifest. Quarantined, never released.
    BadSignature,
    /// Not equal to the digest the camera gave. Quarantined, never released.
    Mismatched,
    /// Shorter than declared, or declared cut off by the camera. Quarantined, never released.
    Partial,
    /// Reading failed for good; what could be read is sealed. Quarantined, never released.
    Unreadable,
}

impl Verdict {
    /// Whether the bytes are as their camera made them, as far as anybody can tell.
    pub fn is_sound(self) -> bool {
        match self {
            Self::Verified | Self::Matched | Self::Unverified => true,
            Self::BadSignature | Self::Mismatched | Self::Partial | Self::Unreadable => false,
        }
    }
}

/// What stands behind the expected digest of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// A manifest signed by the key enrolled (or declared) for this camera.
    Signed,
    /// An unsigned list of digests found on the camera.
    Listed,
    /// A manifest with a signature that does not fit: its digests are nobody's word.
    Invalid,
    /// No digest at all.
    None,
}

/// What a file on a camera is to the dock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A segment of video or audio.
    Media,
    /// Belongs to a recording but is no media: GNSS track, bookmarks, thumbnails.
    Sidecar,
    /// The manifest or hash list itself: kept byte for byte, it is the camera's own statement.
    Manifest,
    /// Nothing claims it. Preserved in quarantine, never released.
    Orphan,
}

/// What the store may know of an object, and what retention follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Marked as evidence. Goes first.
    Evidential,
    /// Failed a check, or nothing claims it. Preserved and loudly reported.
    Quarantine,
    /// Nobody has said yet. Never "non-evidence".
    Unreviewed,
}

/// How much the store proved about an object; ordered, more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptLevel {
    /// The store confirmed size only; not enough to release anything.
    SizeOnly,
    /// The store checked an MD5 of every part.
    Md5PerPart,
    /// The dock read the whole object back and its SHA-256 was equal.
    ReadBack,
    /// The store checked the SHA-256 of every part and its composite is equal.
    Sha256PerPart,
}

macro_rules! plain_text {
    ($($type:ident { $($variant:ident => $text:literal),+ $(,)? })+) => { $(
        impl $type {
            /// The word people and machines read; the same as in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    )+ };
}

plain_text! {
    Verdict {
        Verified => "verified", Matched => "matched", Unverified => "unverified",
        BadSignature => "bad_signature", Mismatched => "mismatched", Partial => "partial",
        Unreadable => "unreadable",
    }
    Trust { Signed => "signed", Listed => "listed", Invalid => "invalid", None => "none" }
    FileKind { Media => "media", Sidecar => "sidecar", Manifest => "manifest", Orphan => "orphan" }
    Class { Evidential => "evidential", Quarantine => "quarantine", Unreviewed => "unreviewed" }
    ReceiptLevel {
        SizeOnly => "size_only", Md5PerPart => "md5_per_part",
        ReadBack => "read_back", Sha256PerPart => "sha256_per_part",
    }
}
