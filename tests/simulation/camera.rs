//! A camera: files with real manifests, listed by the real profiles, and reads that go wrong as told.

use crate::dice::Dice;
use bwvdock::{
    dock::event::Listed,
    evidence::{self, CameraKey, KeyRing, Manifest, ManifestSegment, Profile},
    types::{CameraId, FileEntry, Listing, Sha256Digest, SourcePath, fact::Source},
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(Profile::shipped);

pub const CHUNK: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Manifests signed with the enrolled key.
    Signed,
    /// No digests at all: two reads must agree.
    Bare,
    /// A hash list, and a profile that never erases.
    Listed,
}

#[derive(Debug, Clone)]
pub struct File {
    pub bytes: Vec<u8>,
    pub modified_ms: i64,
}

/// A file that the camera has not finished.
#[derive(Debug, Clone)]
pub struct Writing {
    /// The next write comes then.
    pub next: Timestamp,
    pub pause: SignedDuration,
    pub left: usize,
}

#[derive(Debug)]
pub struct Camera {
    pub id: CameraId,
    pub kind: Kind,
    pub files: BTreeMap<SourcePath, File>,
    /// What the camera itself says of its files, true or not.
    pub declared: BTreeMap<SourcePath, Sha256Digest>,
    /// Cannot be read past their middle.
    pub broken: BTreeSet<SourcePath>,
    /// Still being written.
    pub written: BTreeMap<SourcePath, Writing>,
    /// The next so many chunks read have a bit turned over.
    pub flips: u32,
    /// The next so many reads fail and then succeed again.
    pub hiccups: u32,
    /// The next so many reads end too early.
    pub shorts: u32,
    pub refuses_list: bool,
    pub refuses_erase: bool,
    /// Something was done to it that people must hear of.
    pub harmed: bool,
    sequence: u64,
    previous: Sha256Digest,
    shots: u64,
}

/// What one read gives.
pub enum Chunk {
    Bytes(Vec<u8>),
    End,
    /// Ended before the listed size: the dock looks again.
    TooEarly,
    /// Tried again.
    Hiccup,
    Broken,
    NoSuchFile,
}

pub fn path(text: &str) -> SourcePath {
    SourcePath::new(text).expect("a good path")
}

impl Camera {
    pub fn new(number: usize, kind: Kind) -> Self {
        let id = format!("BWC-{number:04}");
        let mut camera = Self {
            id: CameraId::new(&id).expect("a good id"),
            kind,
            files: BTreeMap::new(),
            declared: BTreeMap::new(),
            broken: BTreeSet::new(),
            written: BTreeMap::new(),
            flips: 0,
            hiccups: 0,
            shorts: 0,
            refuses_list: false,
            refuses_erase: false,
            harmed: false,
            sequence: 0,
            previous: Manifest::FIRST,
            shots: 0,
        };
        if kind == Kind::Signed {
            let card = format!("{{\"format\":\"bwv-camera\",\"version\":1,\"camera\":\"{id}\"}}");
            camera.put("camera.json", card.into_bytes());
        }
        camera
    }

    pub fn key() -> CameraKey {
        CameraKey::from_seed(&[9; 32])
    }

    pub fn profile(&self) -> &'static Profile {
        let name = match self.kind {
            Kind::Signed => "bwv-manifest",
            Kind::Bare => "clip-folders",
            Kind::Listed => "generic-dcim",
        };
        PROFILES.iter().find(|profile| profile.name() == name).expect("it is shipped")
    }

    pub fn put(&mut self, at: &str, bytes: Vec<u8>) {
        self.shots += 1;
        let modified_ms = 1_773_000_000_000 + self.shots as i64 * 1000;
        self.files.insert(path(at), File { bytes, modified_ms });
    }

    /// Records something; `wrong`: what the camera says of the first file is not true.
    pub fn record(&mut self, dice: &mut Dice, wrong: bool) {
        let files = dice.between(1, 3);
        let contents: Vec<Vec<u8>> = (0..files)
            .map(|_| {
                let size = dice.between(17, 3 * CHUNK);
                dice.bytes(size)
            })
            .collect();
        self.sequence += 1;
        match self.kind {
            Kind::Signed => self.record_signed(&contents, dice.permille(300), wrong),
            Kind::Bare => {
                let folder = format!("A7_{}_20260314T{:06}Z", self.id, self.sequence);
                for (bytes, index) in contents.into_iter().zip(1..) {
                    self.put(&format!("{folder}/clip_{index:03}.mp4"), bytes);
                }
                if dice.permille(300) {
                    self.put(&format!("{folder}/evidence.flag"), dice.bytes(20));
                }
            }
            Kind::Listed => {
                let mut list = String::new();
                for (bytes, index) in contents.into_iter().zip(1..) {
                    let name = format!("V{:04}_{index}.MP4", self.sequence);
                    let name = name.to_lowercase();
                    let mut digest = Sha256Digest::of(&bytes);
                    if wrong && index == 1 {
                        digest = Sha256Digest::of(b"something else");
                    }
                    list.push_str(&format!("{digest}  {name}\n"));
                    self.declared.insert(path(&format!("DCIM/R{}/{name}", self.sequence)), digest);
                    self.put(&format!("DCIM/R{}/{name}", self.sequence), bytes);
                }
                self.put(&format!("DCIM/R{}/SHA256SUMS", self.sequence), list.into_bytes());
            }
        }
        self.harmed |= wrong;
    }

    fn record_signed(&mut self, contents: &[Vec<u8>], evidential: bool, wrong: bool) {
        let folder = format!("R{:06}", self.sequence);
        let mut segments = Vec::new();
        for (bytes, index) in contents.iter().zip(1..) {
            let name = format!("{index:06}.mp4");
            let mut sha256 = Sha256Digest::of(bytes);
            if wrong && index == 1 {
                sha256 = Sha256Digest::of(b"something else");
            }
            self.declared.insert(path(&format!("{folder}/{name}")), sha256);
            segments.push(ManifestSegment {
                index,
                name: path(&name),
                size: bytes.len() as u64,
                sha256,
                started: None,
                ended: None,
                partial: false,
            });
        }
        let manifest = Manifest {
            camera: self.id.clone(),
            model: "M".into(),
            firmware: "1".into(),
            sequence: self.sequence,
            previous: self.previous,
            recording: folder.clone(),
            officer: Some("A1".into()),
            started: "2026-03-14T22:15:03Z".parse().expect("a time"),
            stopped: Some("2026-03-14T22:25:03Z".parse().expect("a time")),
            evidential,
            flags: Vec::new(),
            bookmarks: Vec::new(),
            segments,
            sidecars: Vec::new(),
        };
        for (bytes, index) in contents.iter().zip(1..) {
            self.put(&format!("{folder}/{index:06}.mp4"), bytes.clone());
        }
        let bytes = manifest.to_bytes();
        self.previous = Sha256Digest::of(&bytes);
        self.put(&format!("{folder}/manifest.json.sig"), Self::key().sign(&bytes).to_vec());
        self.put(&format!("{folder}/manifest.json"), bytes);
    }

    /// A recording whose number is never seen.
    pub fn skip_number(&mut self) {
        self.sequence += 1;
        self.harmed = true;
    }

    pub fn list(&self) -> Listed {
        let entry = |(path, file): (&SourcePath, &File)| FileEntry {
            path: path.clone(),
            size: file.bytes.len() as u64,
            modified_ms: Some(file.modified_ms),
            mark: None,
        };
        let files: Vec<_> = self.files.iter().map(entry).collect();
        let listing = Listing { files, caveats: Vec::new(), unread: Vec::new() };
        let small = self.profile().small_files(&listing).into_iter();
        let small = small
            .filter_map(|(path, _)| Some((path.clone(), self.files.get(&path)?.bytes.clone())))
            .collect();
        let keys: KeyRing = [(self.id.clone(), Self::key().public())].into_iter().collect();
        let plan = evidence::plan(self.profile(), &listing, &small, &self.id, &keys);
        let bytes = listing.files.iter().map(|file| file.size).sum();
        Listed { plan, files: listing.files.len() as u64, bytes }
    }

    /// The next bytes of a file from `offset` on.
    pub fn read(&mut self, source: &Source, offset: usize) -> Chunk {
        let Some(file) = self.files.get(&source.path) else { return Chunk::NoSuchFile };
        if self.hiccups > 0 {
            self.hiccups -= 1;
            return Chunk::Hiccup;
        }
        if self.broken.contains(&source.path) && offset + CHUNK > file.bytes.len() / 2 {
            return Chunk::Broken;
        }
        if offset >= file.bytes.len() {
            return if (offset as u64) < source.size { Chunk::TooEarly } else { Chunk::End };
        }
        if self.shorts > 0 {
            self.shorts -= 1;
            return Chunk::TooEarly;
        }
        let end = file.bytes.len().min(offset + CHUNK);
        let mut bytes = file.bytes[offset..end].to_vec();
        if self.flips > 0 {
            self.flips -= 1;
            self.shots += 1;
            bytes[0] ^= 1 + (self.shots % 255) as u8;
        }
        Chunk::Bytes(bytes)
    }

    /// Whether the file is there and looks as it did when it was sealed, as a real camera checks.
    pub fn still(&self, source: &Source) -> Option<bool> {
        let file = self.files.get(&source.path)?;
        let same = file.bytes.len() as u64 == source.size;
        Some(same && source.modified_ms.is_none_or(|ms| ms == file.modified_ms))
    }

    /// Another file in the place of one, with the same size, and the same time if it is to be so.
    pub fn replace(&mut self, at: &SourcePath, same_time: bool) {
        self.shots += 1;
        if let Some(file) = self.files.get_mut(at) {
            file.bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
            if !same_time {
                file.modified_ms = 1_774_000_000_000 + self.shots as i64 * 1000;
            }
        }
        self.written.remove(at);
        self.harmed = true;
    }

    /// Begins a clip that it goes on writing.
    pub fn begin_writing(&mut self, dice: &mut Dice, now: Timestamp) {
        self.sequence += 1;
        let at = format!("A7_{}_20260314T{:06}Z/clip_001.mp4", self.id, self.sequence);
        let (size, pause) = (dice.between(17, CHUNK), dice.between(2, 28));
        self.put(&at, dice.bytes(size));
        let pause = SignedDuration::from_secs(pause as i64);
        let writing = Writing { next: now + pause, pause, left: dice.between(1, 6) };
        self.written.insert(path(&at), writing);
    }

    /// Writes what is due: the file before and after, of each write.
    pub fn write_on(
        &mut self,
        dice: &mut Dice,
        now: Timestamp,
    ) -> Vec<(Sha256Digest, Sha256Digest)> {
        let mut grown = Vec::new();
        for (at, writing) in &mut self.written {
            let Some(file) = self.files.get_mut(at) else {
                writing.left = 0;
                continue;
            };
            while writing.left > 0 && writing.next <= now {
                let before = Sha256Digest::of(&file.bytes);
                let more = dice.between(5, CHUNK);
                file.bytes.extend(dice.bytes(more));
                file.modified_ms += 1000;
                grown.push((before, Sha256Digest::of(&file.bytes)));
                writing.next += writing.pause;
                writing.left -= 1;
            }
        }
        self.written.retain(|_, writing| writing.left > 0);
        grown
    }
}
