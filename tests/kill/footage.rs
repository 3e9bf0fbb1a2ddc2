//! The cameras, what they recorded, and a private note of every file's hash from before.

use crate::{dice::Dice, rig::Rig};
use bwvdock::{
    camera::{Media, SimCamera, SimCameraOptions, SimRecording, SimSegment},
    types::{
        CameraId, Sha256Digest, SourcePath,
        fact::{Bookmark, Hashed},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const MIB: u64 = 1 << 20;

/// A file as a camera made it: whose it is and where it lay.
pub type Place = (CameraId, SourcePath);

pub struct Footage {
    cameras: Vec<SimCamera>,
    dice: Dice,
    /// When the next recording begins; they follow each other.
    clock: Timestamp,
    recordings: u64,
    /// Bytes of large segments that may still be recorded.
    large_left: u64,
    /// What every file held when it was made.
    pub originals: BTreeMap<Place, Hashed>,
}

impl Footage {
    /// Cameras that the dock knows, each with something on it.
    pub fn make(rig: &Rig, cameras: usize, large: u64, seed: u64) -> Self {
        let now = Timestamp::now();
        let mut footage = Self {
            cameras: Vec::new(),
            dice: Dice::new(seed),
            clock: now - SignedDuration::from_hours(12),
            recordings: 0,
            large_left: large,
            originals: BTreeMap::new(),
        };
        for number in 1..=cameras {
            let id = CameraId::new(format!("BWC-{number:04}")).unwrap();
            let options = SimCameraOptions {
                camera: id.clone(),
                model: "Simulated BWC".into(),
                seed: seed ^ number as u64,
            };
            let camera = SimCamera::make(&rig.path("cameras").join(id.as_str()), options).unwrap();
            let key = rig.path("camera-keys").join(format!("{id}.pub"));
            fs::write(key, camera.public_key().to_pem()).unwrap();
            footage.cameras.push(camera);
        }
        for at in 0..cameras {
            footage.record(at, true);
            footage.record(at, false);
        }
        footage
    }

    pub fn folders(&self) -> Vec<PathBuf> {
        self.cameras.iter().map(|camera| camera.root().to_owned()).collect()
    }

    /// Whether a file is still on its camera.
    pub fn holds(&self, (camera, path): &Place) -> bool {
        self.root(camera).join(path.to_path()).exists()
    }

    fn root(&self, id: &CameraId) -> &Path {
        let camera = self.cameras.iter().find(|camera| camera.id() == id);
        camera.expect("a camera of this test").root()
    }

    /// Records more where little is left, so that the dock always has work. Only while no daemon
    /// runs: a docked camera does not record.
    pub fn refill(&mut self, files_min: usize) {
        loop {
            let mut left: BTreeMap<&CameraId, usize> =
                self.cameras.iter().map(|camera| (camera.id(), 0)).collect();
            for place in self.originals.keys().filter(|place| self.holds(place)) {
                *left.get_mut(&place.0).unwrap() += 1;
            }
            if left.values().sum::<usize>() >= files_min {
                return;
            }
            let least = self.cameras.iter().enumerate().min_by_key(|(_, c)| left[c.id()]);
            let at = least.expect("there are cameras").0;
            let large = self.recordings.is_multiple_of(2);
            self.record(at, large);
        }
    }

    /// One recording: a few small segments, and a large one of several parts if that is wanted.
    fn record(&mut self, at: usize, large: bool) {
        let dice = &mut self.dice;
        let small = dice.between(2, 5);
        let mut sizes: Vec<u64> = (0..small).map(|_| dice.between(1, 300 << 10)).collect();
        if large && self.large_left > 0 {
            let bytes = dice.between(12 * MIB, 30 * MIB).min(self.large_left);
            self.large_left -= bytes;
            sizes.insert(1, bytes);
        }
        let evidential = dice.between(0, 3) == 0;
        let marked = self.clock + SignedDuration::from_secs(1);
        let recording = SimRecording {
            officer: Some(format!("PC{}", dice.between(1000, 9999))),
            started: self.clock,
            evidential,
            flags: Vec::new(),
            bookmarks: evidential
                .then(|| Bookmark { at: marked, label: "marker".into() })
                .into_iter()
                .collect(),
            segments: sizes
                .into_iter()
                .map(|bytes| SimSegment { media: Media::Noise { bytes }, seconds: 3 })
                .collect(),
            gnss: dice.between(0, 2) == 0,
            cut_off: false,
        };
        self.clock += SignedDuration::from_secs(60);
        self.recordings += 1;
        let camera = &mut self.cameras[at];
        let name = camera.record(&recording).unwrap().recording;
        self.note(at, &name);
    }

    fn note(&mut self, at: usize, recording: &str) {
        let camera = &self.cameras[at];
        for entry in fs::read_dir(camera.root().join(recording)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let bytes = fs::read(entry.path()).unwrap();
            let hashed = Hashed { size: bytes.len() as u64, sha256: Sha256Digest::of(&bytes) };
            let path = SourcePath::new(format!("{recording}/{name}")).unwrap();
            let before = self.originals.insert((camera.id().clone(), path), hashed);
            assert!(before.is_none(), "a recording has a name of its own");
        }
    }
}
