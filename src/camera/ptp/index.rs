//! Which object was listed under which path: 24 bytes a file.

use crate::{
    ptp::{ObjectHandle, ObjectInfo, ShortSize},
    types::SourcePath,
};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// One listed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Of the path. Two paths with one hash would have to be made on purpose, and only cost the
    /// camera that made them: both are then ambiguous.
    key: u64,
    /// Of what the object was when it was listed; see [`print`].
    pub print: u64,
    pub handle: ObjectHandle,
    /// Another object has the same name in the same folder.
    pub is_ambiguous: bool,
}

impl Entry {
    pub fn new(path: &SourcePath, print: u64, handle: ObjectHandle, is_ambiguous: bool) -> Self {
        Self { key: key(path), print, handle, is_ambiguous }
    }
}

/// All of a listing.
#[derive(Debug, Default)]
pub(super) struct Index(Vec<Entry>);

impl Index {
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.shrink_to_fit();
        entries.sort_unstable();
        Self(entries)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn find(&self, path: &SourcePath) -> Option<Entry> {
        let key = key(path);
        let first = self.0.partition_point(|entry| entry.key < key);
        let mut found = self.0[first..].iter().take_while(|entry| entry.key == key);
        let mut entry = *found.next()?;
        entry.is_ambiguous |= found.next().is_some();
        Some(entry)
    }

    pub fn forget(&mut self, handle: ObjectHandle) {
        self.0.retain(|entry| entry.handle != handle);
    }
}

fn key(path: &SourcePath) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// What makes an object this one and no other: storage, folder, name, size, time.
pub(super) fn print(info: &ObjectInfo) -> u64 {
    let mut hasher = DefaultHasher::new();
    let size = match info.size {
        ShortSize::Bytes(bytes) => bytes,
        ShortSize::TooBigToSay => u32::MAX,
    };
    (info.storage, info.parent, &info.name, size).hash(&mut hasher);
    (info.format, info.modified_ms()).hash(&mut hasher);
    hasher.finish()
}
