//! Goes through everything on a volume once.

use super::{
    DEPTH_MAX, DIRECTORY_BYTES_MAX, FILES_MAX, FOLDERS_MAX, PATH_BYTES_MAX, ReadAt, VolumeError,
    card::Volume,
    caveats::Caveats,
    directory::{Directory, Place, Slot},
    entries_exfat::ExfatEntries,
    entries_fat::FatEntries,
    entry::{Entry, Outcome},
    fat::Fat,
    geometry::Width,
    name,
};
use crate::types::SourcePath;
use std::collections::BTreeSet;

/// Puts the 32-byte entries of one directory together.
#[derive(Debug)]
pub(super) enum Entries {
    Fat(FatEntries),
    Exfat(ExfatEntries),
}

impl Entries {
    pub fn of(volume: &Volume) -> Self {
        match volume.geometry().width {
            Width::Exfat => Self::Exfat(ExfatEntries::default()),
            Width::Fat32 => Self::Fat(FatEntries::new(true)),
            Width::Fat12 | Width::Fat16 => Self::Fat(FatEntries::new(false)),
        }
    }

    pub fn push(&mut self, at: u64, raw: &[u8; 32]) -> Outcome {
        match self {
            Self::Fat(entries) => entries.push(at, raw),
            Self::Exfat(entries) => entries.push(at, raw),
        }
    }

    pub fn gap(&mut self) {
        match self {
            Self::Fat(entries) => entries.gap(),
            Self::Exfat(entries) => entries.gap(),
        }
    }
}

/// Something that has clusters.
#[derive(Debug)]
pub(super) enum Node {
    /// A file with a path, or one whose name no path can have.
    File(Option<SourcePath>, Entry),
    Folder(Vec<u8>, Entry),
    /// A table of exFAT in the root.
    System {
        kind: u8,
        flags: u8,
        table: Entry,
    },
}

struct Open {
    path: Vec<u8>,
    depth: usize,
    directory: Directory,
    entries: Entries,
}

/// A walk under way.
pub(super) struct Walk<'a> {
    pub dev: &'a dyn ReadAt,
    pub volume: &'a Volume,
    pub fat: Fat,
    pub caveats: Caveats,
    /// Every folder was seen to its end: nothing on the volume was missed.
    pub complete: bool,
    open: Option<Open>,
    pending: Vec<(Vec<u8>, usize, Place)>,
    /// The first clusters of folders that were looked into, and their paths.
    seen: BTreeSet<u32>,
    paths: BTreeSet<Vec<u8>>,
    files: usize,
    directory_bytes: u64,
    path_bytes: usize,
}

impl<'a> Walk<'a> {
    pub fn new(dev: &'a dyn ReadAt, volume: &'a Volume) -> Self {
        let root = volume.root();
        let mut seen = BTreeSet::new();
        if let Place::Linked { first } = root {
            seen.insert(first);
        }
        Self {
            dev,
            volume,
            fat: Fat::default(),
            caveats: Caveats::default(),
            complete: true,
            open: None,
            pending: vec![(volume.prefix.clone().into_bytes(), 0, root)],
            seen,
            paths: BTreeSet::new(),
            files: 0,
            directory_bytes: 0,
            path_bytes: 0,
        }
    }

    /// The next file, folder or table; none when everything was seen.
    pub fn next(&mut self) -> Result<Option<Node>, VolumeError> {
        loop {
            let Some(mut open) = self.open.take() else {
                let Some((path, depth, place)) = self.pending.pop() else { return Ok(None) };
                let directory = Directory::new(place, self.volume.geometry());
                let entries = Entries::of(self.volume);
                self.open = Some(Open { path, depth, directory, entries });
                continue;
            };
            if self.directory_bytes + open.directory.bytes > DIRECTORY_BYTES_MAX {
                let words = format!("more than {} MiB of folders", DIRECTORY_BYTES_MAX >> 20);
                return Err(VolumeError::TooMuch(words));
            }
            let slot = open.directory.next(self.dev, self.volume.geometry(), &mut self.fat);
            match self.take(&mut open, slot)? {
                Taken::Node(node) => {
                    self.open = Some(open);
                    return Ok(Some(node));
                }
                Taken::Nothing => self.open = Some(open),
                Taken::End => self.directory_bytes += open.directory.bytes,
            }
        }
    }

    /// Tells of something that makes the walk incomplete.
    fn missed(&mut self, path: &[u8], words: &str) {
        self.complete = false;
        self.caveats.unread_at(path, words);
    }

    fn take(&mut self, open: &mut Open, slot: Slot) -> Result<Taken, VolumeError> {
        let outcome = match slot {
            Slot::Entry(at, raw) => open.entries.push(at, &raw),
            Slot::Unreadable(bytes, error) => {
                open.entries.gap();
                let words = format!("{bytes} bytes of this folder cannot be read: {error}");
                self.missed(&open.path, &words);
                return Ok(Taken::Nothing);
            }
            Slot::Broken(broken) => {
                self.missed(&open.path, &format!("this folder is cut off: {broken}"));
                return Ok(Taken::End);
            }
            Slot::End => return Ok(Taken::End),
        };
        match outcome {
            Outcome::Nothing => Ok(Taken::Nothing),
            Outcome::End => Ok(Taken::End),
            Outcome::Odd(words) => {
                self.missed(&open.path, &format!("this folder holds {words}"));
                Ok(Taken::Nothing)
            }
            Outcome::System { kind, flags, table } if open.depth == 0 => {
                Ok(Taken::Node(Node::System { kind, flags, table }))
            }
            Outcome::System { .. } => Ok(Taken::Nothing),
            Outcome::Found(entry) => self.found(open, entry),
        }
    }

    fn found(&mut self, open: &Open, entry: Entry) -> Result<Taken, VolumeError> {
        self.files += 1;
        if self.files > FILES_MAX {
            return Err(VolumeError::TooMuch(format!("more than {FILES_MAX} files")));
        }
        let slash = if open.path.is_empty() { &b""[..] } else { b"/" };
        let path = [&open.path[..], slash, &entry.name[..]].concat();
        self.path_bytes += path.len();
        if self.path_bytes > PATH_BYTES_MAX {
            let words = format!("more than {} MiB of paths", PATH_BYTES_MAX >> 20);
            return Err(VolumeError::TooMuch(words));
        }
        for odd in &entry.odd {
            self.caveats.about(&path, odd);
        }
        let usable = match name::unusable(&entry.name) {
            Some(words) => Err(words.to_owned()),
            None => SourcePath::new(path.clone()).map_err(|error| error.to_string()),
        };
        if !entry.folder {
            if let Err(words) = &usable {
                self.caveats.unread_at(&path, &format!("a file that is not listed: {words}"));
            }
            return Ok(Taken::Node(Node::File(usable.ok(), entry)));
        }
        match usable {
            Err(words) => self.missed(&path, &format!("a folder not looked into: {words}")),
            Ok(_) => self.enter(open.depth, path.clone(), &entry)?,
        }
        Ok(Taken::Node(Node::Folder(path, entry)))
    }

    fn enter(&mut self, depth: usize, path: Vec<u8>, entry: &Entry) -> Result<(), VolumeError> {
        if self.paths.len() >= FOLDERS_MAX {
            return Err(VolumeError::TooMuch(format!("more than {FOLDERS_MAX} folders")));
        }
        if depth >= DEPTH_MAX {
            self.missed(&path, "the folder lies too deep and was not looked into");
        } else if !self.seen.insert(entry.first) {
            self.missed(&path, "the folder is another one once more and was not looked into again");
        } else if !self.paths.insert(path.clone()) {
            self.missed(&path, "a second folder of this name, not looked into");
        } else {
            self.pending.push((path, depth + 1, entry.place()));
        }
        Ok(())
    }
}

enum Taken {
    Nothing,
    Node(Node),
    End,
}
