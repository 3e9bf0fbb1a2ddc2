//! What a camera was seen to hold, before anybody says what it means.

use super::{ChangeMark, SourcePath};

/// A regular file on a camera, as listed. Links and devices are never listed as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    pub path: SourcePath,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since 1970 by the camera's clock.
    pub modified_ms: Option<i64>,
    /// Of file systems that have something to tell replaced files by.
    pub mark: Option<ChangeMark>,
}

/// A complete look at a camera.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    pub files: Vec<FileEntry>,
    /// What was passed over because it is no file, in words: links, FIFOs, sockets, devices.
    pub caveats: Vec<String>,
    /// What may hold footage and could not be listed, in words: unreadable folders, other file
    /// systems, unusable names. With any of these a camera is not wholly read.
    pub unread: Vec<String>,
}
