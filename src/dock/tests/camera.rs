//! A scripted camera: files in memory, signed manifests, and reads that go wrong as told.

use crate::{
    dock::event::Listed,
    evidence::{self, CameraKey, Manifest, ManifestSegment, ManifestSidecar, Profile},
    types::{
        CameraId, ChangeMark, FileEntry, Listing, Sha256Digest, SourcePath,
        fact::{Hashed, Source},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

static SHIPPED: LazyLock<Vec<Profile>> = LazyLock::new(Profile::shipped);

#[derive(Debug, Clone)]
pub struct File {
    pub bytes: Vec<u8>,
    pub modified_ms: i64,
    /// What its change mark is made of.
    pub inode: u32,
}

/// How a read ends.
#[derive(Debug, PartialEq)]
pub enum Read {
    Whole(Hashed),
    /// Reading failed after a prefix.
    Broken(Hashed, String),
    Absent,
}

pub struct Camera {
    pub id: CameraId,
    pub files: BTreeMap<SourcePath, File>,
    pub profile: &'static str,
    pub erase_allowed: bool,
    /// Paths whose next so many reads give other bytes.
    pub flips: BTreeMap<SourcePath, u32>,
    /// Paths that cannot be read to their end.
    pub broken: BTreeSet<SourcePath>,
    pub refuses_erase: bool,
    pub refuses_list: bool,
    /// What a listing tells besides files.
    pub unread: Vec<String>,
    pub passed_over: Vec<String>,
    sequence: u64,
    previous: Sha256Digest,
}

pub fn path(text: &str) -> SourcePath {
    SourcePath::new(text).unwrap()
}

pub fn hashed(bytes: &[u8]) -> Hashed {
    Hashed { size: bytes.len() as u64, sha256: Sha256Digest::of(bytes) }
}

impl Camera {
    pub fn new(id: &str) -> Self {
        let mut camera = Self::bare(id, "bwv-manifest");
        let card = format!("{{\"format\":\"bwv-camera\",\"version\":1,\"camera\":\"{id}\"}}");
        camera.put("camera.json", card.as_bytes());
        camera
    }

    /// Without manifests, and so without digests.
    pub fn bare(id: &str, profile: &'static str) -> Self {
        Self {
            id: CameraId::new(id).unwrap(),
            files: BTreeMap::new(),
            profile,
            erase_allowed: true,
            flips: BTreeMap::new(),
            broken: BTreeSet::new(),
            refuses_erase: false,
            refuses_list: false,
            unread: Vec::new(),
            passed_over: Vec::new(),
            sequence: 0,
            previous: Manifest::FIRST,
        }
    }

    pub fn key() -> CameraKey {
        CameraKey::from_seed(&[9; 32])
    }

    pub fn put(&mut self, at: &str, bytes: &[u8]) {
        let modified_ms = 1_773_000_000_000 + self.files.len() as i64;
        self.files.insert(path(at), File { bytes: bytes.to_vec(), modified_ms, inode: 0 });
    }

    pub fn has(&self, at: &str) -> bool {
        self.files.contains_key(&path(at))
    }

    /// Records `contents` as media with a signed manifest; gives the folder's name.
    pub fn record(&mut self, contents: &[&[u8]], evidential: bool) -> String {
        self.record_with(contents, evidential, |_| {})
    }

    pub fn record_with(
        &mut self,
        contents: &[&[u8]],
        evidential: bool,
        change: impl FnOnce(&mut Manifest),
    ) -> String {
        self.sequence += 1;
        let folder = format!("R{:06}", self.sequence);
        let segments = contents.iter().zip(1..).map(|(bytes, index)| ManifestSegment {
            index,
            name: path(&format!("{index:06}.mp4")),
            size: bytes.len() as u64,
            sha256: Sha256Digest::of(bytes),
            started: None,
            ended: None,
            partial: false,
        });
        let mut manifest = Manifest {
            camera: self.id.clone(),
            model: "M".into(),
            firmware: "1".into(),
            sequence: self.sequence,
            previous: self.previous,
            recording: folder.clone(),
            officer: Some("A1".into()),
            started: "2026-03-14T22:15:03Z".parse().unwrap(),
            stopped: Some("2026-03-14T22:25:03Z".parse().unwrap()),
            evidential,
            flags: Vec::new(),
            bookmarks: Vec::new(),
            segments: segments.collect(),
            sidecars: Vec::<ManifestSidecar>::new(),
        };
        change(&mut manifest);
        self.sequence = manifest.sequence;
        for (bytes, index) in contents.iter().zip(1..) {
            self.put(&format!("{folder}/{index:06}.mp4"), bytes);
        }
        let bytes = manifest.to_bytes();
        self.previous = Sha256Digest::of(&bytes);
        self.put(&format!("{folder}/manifest.json"), &bytes);
        self.put(&format!("{folder}/manifest.json.sig"), &Self::key().sign(&bytes));
        folder
    }

    pub fn list(&self) -> Listed {
        let profile = SHIPPED.iter().find(|p| p.name() == self.profile).unwrap();
        let entry = |(path, file): (&SourcePath, &File)| FileEntry {
            path: path.clone(),
            size: file.bytes.len() as u64,
            modified_ms: Some(file.modified_ms),
            mark: Some(ChangeMark::of(&[file.inode.into()])),
        };
        let listing = Listing {
            files: self.files.iter().map(entry).collect(),
            caveats: self.passed_over.clone(),
            unread: self.unread.clone(),
        };
        let small = profile.small_files(&listing).into_iter();
        let small = small
            .filter_map(|(path, _)| Some((path.clone(), self.files.get(&path)?.bytes.clone())))
            .collect();
        let keys = [(self.id.clone(), Self::key().public())].into_iter().collect();
        let plan = evidence::plan(profile, &listing, &small, &self.id, &keys);
        let bytes = listing.files.iter().map(|file| file.size).sum();
        Listed { plan, files: listing.files.len() as u64, bytes }
    }

    pub fn read(&mut self, source: &Source) -> Read {
        let Some(file) = self.files.get(&source.path) else { return Read::Absent };
        if self.broken.contains(&source.path) {
            let half = &file.bytes[..file.bytes.len() / 2];
            return Read::Broken(hashed(half), "input/output error".into());
        }
        let mut read = hashed(&file.bytes);
        if let Some(left) = self.flips.get_mut(&source.path).filter(|left| **left > 0) {
            *left -= 1;
            read.sha256 = Sha256Digest::of(format!("flipped {left} {}", read.sha256).as_bytes());
        }
        Read::Whole(read)
    }

    /// Whether the file is there and looks as it did when it was sealed, as a real camera checks.
    pub fn still(&self, source: &Source) -> Option<bool> {
        let file = self.files.get(&source.path)?;
        let same = file.bytes.len() as u64 == source.size;
        Some(same && source.modified_ms.is_none_or(|ms| ms == file.modified_ms))
    }
}
