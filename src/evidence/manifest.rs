//! The recording manifest, version 1: what a camera itself says of one recording.
//!
//! **Format.** One UTF-8 JSON object a file, at most [`Manifest::BYTES_MAX`] bytes, usually
//! `NAME/manifest.json`; `config/schema/manifest-v1.schema.json` describes it. Beside it lies the
//! detached raw Ed25519 signature (64 bytes, RFC 8032) over exactly the file's bytes, under the
//! same name with `.sig` added, so `openssl pkeyutl -verify -rawin` checks it. Times are RFC 3339
//! by the camera's clock. Names are relative to the manifest's folder, in the text form of
//! [`SourcePath`]. Segments are numbered 1, 2, 3 ... in order. `sequence` counts a camera's
//! recordings from 1; `previous` is the SHA-256 of the manifest file before (64 zeros for the
//! first). Unknown fields are skipped, an unknown version is refused.

use crate::types::{CameraId, Sha256Digest, SourcePath, fact::Bookmark};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Why bytes are not a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("the manifest is {bytes} bytes long; at most {} are read", Manifest::BYTES_MAX)]
    TooLong { bytes: usize },
    #[error("the manifest is not the JSON object it should be")]
    Json(#[source] serde_json::Error),
    #[error("the file calls its format {found:?}, not \"bwv-manifest\"")]
    Format { found: String },
    #[error("the manifest is of version {found}; this program reads version 1")]
    Version { found: u64 },
    #[error("the manifest's {field} {words}")]
    Field { field: &'static str, words: String },
    #[error("the manifest lists {found} {what}; at most {max} are allowed")]
    TooMany { what: &'static str, found: usize, max: usize },
    #[error("segment number {expected} is missing or out of order in the manifest")]
    Order { expected: u32 },
    #[error("the manifest names {0} twice")]
    Duplicate(SourcePath),
}

/// One recording, in its camera's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub camera: CameraId,
    #[serde(default)]
    pub model: String,
    #[serde(default)]
    pub firmware: String,
    /// The camera's running number of recordings, from 1.
    pub sequence: u64,
    /// SHA-256 of the manifest before; [`Manifest::FIRST`] if there is none.
    pub previous: Sha256Digest,
    /// What the camera calls it; the dock goes by the folder, which a listing cannot give twice.
    pub recording: String,
    /// The officer's id, never a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub officer: Option<String>,
    pub started: Timestamp,
    /// Absent when the camera lost power before it could say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Timestamp>,
    pub evidential: bool,
    #[serde(default)]
    pub flags: Vec<String>,
    #[serde(default)]
    pub bookmarks: Vec<Bookmark>,
    pub segments: Vec<ManifestSegment>,
    #[serde(default)]
    pub sidecars: Vec<ManifestSidecar>,
}

/// A segment of media, as its camera declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestSegment {
    /// From 1, without gaps.
    pub index: u32,
    pub name: SourcePath,
    /// Bytes.
    pub size: u64,
    pub sha256: Sha256Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// The camera knows that the segment was cut off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// A file that belongs to the recording but is no media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestSidecar {
    pub name: SourcePath,
    /// Bytes.
    pub size: u64,
    pub sha256: Sha256Digest,
}

/// What must be known before the rest is read.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    format: String,
    #[serde(default)]
    version: u64,
}

#[derive(Serialize)]
struct Written<'a> {
    format: &'static str,
    version: u64,
    #[serde(flatten)]
    manifest: &'a Manifest,
}

impl Manifest {
    /// The longest manifest that is read: 32 MiB, enough for the most segments allowed.
    pub const BYTES_MAX: usize = 32 << 20;
    /// The most segments of one recording; also the most sidecars.
    pub const SEGMENTS_MAX: usize = 50_000;
    /// The most bookmarks; also the most flags.
    pub const MARKS_MAX: usize = 10_000;
    /// The longest text of any one field, in characters.
    pub const TEXT_CHARS_MAX: usize = 256;
    /// What the first manifest of a camera's life names as the one before.
    pub const FIRST: Sha256Digest = Sha256Digest([0; 32]);

    /// Reads a manifest and checks every bound.
    ///
    /// # Errors
    /// [`ManifestError`] names the first rule that is broken; nothing is half accepted.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > Self::BYTES_MAX {
            return Err(ManifestError::TooLong { bytes: bytes.len() });
        }
        let head: Head = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
        if head.format != "bwv-manifest" {
            return Err(ManifestError::Format { found: head.format.chars().take(80).collect() });
        }
        if head.version != 1 {
            return Err(ManifestError::Version { found: head.version });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The bytes a camera writes: indented JSON and a line feed. The signature is over these.
    pub fn to_bytes(&self) -> Vec<u8> {
        let written = Written { format: "bwv-manifest", version: 1, manifest: self };
        let mut bytes = serde_json::to_vec_pretty(&written)
            .expect("a manifest has only text keys, so JSON can hold it");
        bytes.push(b'\n');
        bytes
    }

    /// Checks what the types alone do not: numbers, lengths, order, names used twice.
    ///
    /// # Errors
    /// As [`Manifest::parse`].
    pub fn check(&self) -> Result<(), ManifestError> {
        if self.sequence == 0 {
            return Err(field("sequence", "is 0; it counts from 1"));
        }
        if self.sequence == 1 && self.previous != Self::FIRST {
            return Err(field("previous", "is not all zeros although the sequence is 1"));
        }
        bounded("segments", self.segments.len(), Self::SEGMENTS_MAX)?;
        bounded("sidecars", self.sidecars.len(), Self::SEGMENTS_MAX)?;
        bounded("flags", self.flags.len(), Self::MARKS_MAX)?;
        bounded("bookmarks", self.bookmarks.len(), Self::MARKS_MAX)?;
        self.check_texts()?;
        self.check_names()
    }

    fn check_texts(&self) -> Result<(), ManifestError> {
        text("model", &self.model, 0)?;
        text("firmware", &self.firmware, 0)?;
        text("recording", &self.recording, 1)?;
        self.officer.iter().try_for_each(|id| text("officer", id, 1))?;
        self.flags.iter().try_for_each(|flag| text("flags", flag, 1))?;
        self.bookmarks.iter().try_for_each(|mark| text("bookmarks", &mark.label, 0))
    }

    fn check_names(&self) -> Result<(), ManifestError> {
        let mut seen = HashSet::with_capacity(self.segments.len() + self.sidecars.len());
        for (expected, segment) in (1..).zip(&self.segments) {
            if segment.index != expected {
                return Err(ManifestError::Order { expected });
            }
        }
        let names = self.segments.iter().map(|s| &s.name);
        for name in names.chain(self.sidecars.iter().map(|s| &s.name)) {
            if !seen.insert(name) {
                return Err(ManifestError::Duplicate(name.clone()));
            }
        }
        Ok(())
    }
}

fn field(field: &'static str, words: &str) -> ManifestError {
    ManifestError::Field { field, words: words.into() }
}

fn bounded(what: &'static str, found: usize, max: usize) -> Result<(), ManifestError> {
    if found > max { Err(ManifestError::TooMany { what, found, max }) } else { Ok(()) }
}

/// Text that is short and cannot break a line or a terminal.
fn text(name: &'static str, text: &str, chars_min: usize) -> Result<(), ManifestError> {
    if text.len() < chars_min {
        return Err(field(name, "is empty"));
    }
    if text.chars().nth(Manifest::TEXT_CHARS_MAX).is_some() {
        return Err(field(name, "is longer than 256 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(field(name, "holds a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
