//! Simulated cameras: whole `bwv-manifest` trees on disk, signed and chained as real ones are.
//!
//! For `bwvdock demo`, the benches and the tests. One seed makes one camera, byte for byte, key
//! included, so a dock can enrol it and a failing test can be run again.

use super::CameraError;
use crate::{
    evidence::{CameraCard, CameraKey, Manifest, ManifestSegment, ManifestSidecar, PublicKey},
    types::{
        CameraId, Sha256Digest, SourcePath,
        fact::{Bookmark, Hashed},
    },
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Who the camera is.
#[derive(Debug, Clone)]
pub struct SimCameraOptions {
    pub camera: CameraId,
    pub model: String,
    pub seed: u64,
}

/// What a segment holds.
#[derive(Debug, Clone)]
pub enum Media {
    Clip(Cow<'static, [u8]>),
    /// Incompressible bytes from the camera's seed; never whole in memory.
    Noise {
        bytes: u64,
    },
}

/// One media segment to be recorded.
#[derive(Debug, Clone)]
pub struct SimSegment {
    pub media: Media,
    pub seconds: u32,
}

/// One recording to be made.
#[derive(Debug, Clone)]
pub struct SimRecording {
    /// The officer's id, never a name.
    pub officer: Option<String>,
    pub started: Timestamp,
    pub evidential: bool,
    pub flags: Vec<String>,
    pub bookmarks: Vec<Bookmark>,
    pub segments: Vec<SimSegment>,
    /// Writes a `gnss.json` with a point a second.
    pub gnss: bool,
    /// The battery died: no stop time, and the last segment is marked cut off.
    pub cut_off: bool,
}

/// A camera on disk that can record more.
pub struct SimCamera {
    root: PathBuf,
    options: SimCameraOptions,
    key: CameraKey,
    sequence: u64,
    previous: Sha256Digest,
}

impl SimCamera {
    /// Makes a fresh camera at `root`, with its identity card and nothing recorded.
    ///
    /// # Errors
    /// [`CameraError::Io`].
    pub fn make(root: &Path, options: SimCameraOptions) -> Result<Self, CameraError> {
        let text = format!("simulated camera {} {}", options.camera, options.seed);
        let key = CameraKey::from_seed(&Sha256Digest::of(text.as_bytes()).0);
        let camera =
            Self { root: root.to_owned(), options, key, sequence: 0, previous: Manifest::FIRST };
        let card = CameraCard {
            camera: camera.options.camera.clone(),
            model: camera.options.model.clone(),
            firmware: "sim-1".into(),
            public_key: Some(camera.key.public()),
        };
        doing("make a camera", fs::create_dir_all(root))?;
        doing("write camera.json", fs::write(root.join("camera.json"), card.to_bytes()))?;
        Ok(camera)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn id(&self) -> &CameraId {
        &self.options.camera
    }

    /// The key a dock enrols for this camera.
    pub fn public_key(&self) -> PublicKey {
        self.key.public()
    }

    /// Records: segments first, then the sidecar, then the signed manifest that names them.
    /// Returns the manifest as it was written.
    ///
    /// # Errors
    /// [`CameraError::Io`].
    pub fn record(&mut self, recording: &SimRecording) -> Result<Manifest, CameraError> {
        let sequence = self.sequence + 1;
        let name = format!("R{sequence:06}");
        let folder = self.root.join(&name);
        doing("make a recording", fs::create_dir_all(&folder))?;
        let mut manifest = Manifest {
            camera: self.options.camera.clone(),
            model: self.options.model.clone(),
            firmware: "sim-1".into(),
            sequence,
            previous: self.previous,
            recording: name,
            officer: recording.officer.clone(),
            started: recording.started,
            stopped: None,
            evidential: recording.evidential,
            flags: recording.flags.clone(),
            bookmarks: recording.bookmarks.clone(),
            segments: Vec::new(),
            sidecars: Vec::new(),
        };
        let mut at = recording.started;
        for (index, segment) in (1..).zip(&recording.segments) {
            let ended = at + SignedDuration::from_secs(i64::from(segment.seconds));
            let written = self.write_segment(&folder, index, segment, at, ended)?;
            manifest.segments.push(written);
            at = ended;
        }
        if recording.cut_off {
            manifest.segments.last_mut().into_iter().for_each(|last| last.partial = true);
        } else {
            manifest.stopped = Some(at);
        }
        if recording.gnss {
            manifest.sidecars.push(self.write_gnss(&folder, recording.started, at)?);
        }
        self.sign(&folder, &manifest, at)?;
        Ok(manifest)
    }

    fn write_segment(
        &self,
        folder: &Path,
        index: u32,
        segment: &SimSegment,
        started: Timestamp,
        ended: Timestamp,
    ) -> Result<ManifestSegment, CameraError> {
        let name = format!("S{index:03}.mp4");
        let path = folder.join(&name);
        let seed = (self.options.seed, self.sequence, index);
        let hashed = doing("write a segment", write_media(&path, &segment.media, seed))?;
        doing("date a segment", date(&path, ended))?;
        Ok(ManifestSegment {
            index,
            name: plain(name),
            size: hashed.size,
            sha256: hashed.sha256,
            started: Some(started),
            ended: Some(ended),
            partial: false,
        })
    }

    /// A slow walk around a place everybody knows; nothing about anybody.
    fn write_gnss(
        &self,
        folder: &Path,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<ManifestSidecar, CameraError> {
        let seconds = to.duration_since(from).as_secs().clamp(0, 3600);
        let points: Vec<_> = (0..=seconds)
            .map(|second| {
                let angle = (second as f64 + self.options.seed as f64 % 360.0) / 60.0;
                json!({
                    "at": from + SignedDuration::from_secs(second),
                    "lat": 51.4779 + 0.0003 * angle.sin(),
                    "lon": -0.0015 + 0.0005 * angle.cos(),
                })
            })
            .collect();
        let text = json!({ "format": "bwv-gnss", "version": 1, "points": points }).to_string();
        let path = folder.join("gnss.json");
        doing("write gnss.json", fs::write(&path, &text))?;
        doing("date gnss.json", date(&path, to))?;
        Ok(ManifestSidecar {
            name: plain("gnss.json".into()),
            size: text.len() as u64,
            sha256: Sha256Digest::of(text.as_bytes()),
        })
    }

    fn sign(
        &mut self,
        folder: &Path,
        manifest: &Manifest,
        at: Timestamp,
    ) -> Result<(), CameraError> {
        let bytes = manifest.to_bytes();
        for (name, bytes) in
            [("manifest.json.sig", &self.key.sign(&bytes)[..]), ("manifest.json", &bytes)]
        {
            let path = folder.join(name);
            doing("write a manifest", fs::write(&path, bytes))?;
            doing("date a manifest", date(&path, at))?;
        }
        self.sequence = manifest.sequence;
        self.previous = Sha256Digest::of(&bytes);
        Ok(())
    }

    /// Flips the lowest bit of one byte behind the camera's back; the file's time stays.
    ///
    /// # Errors
    /// [`CameraError::Io`], also when the file has no such byte.
    pub fn flip_bit(&self, path: &SourcePath, offset: u64) -> Result<(), CameraError> {
        let flipped = (|| {
            let file =
                File::options().read(true).write(true).open(self.root.join(path.to_path()))?;
            let modified = file.metadata()?.modified()?;
            let mut byte = [0];
            file.read_exact_at(&mut byte, offset)?;
            file.write_all_at(&[byte[0] ^ 1], offset)?;
            file.set_modified(modified)
        })();
        doing("flip a bit", flipped)
    }

    /// Cuts a file to `bytes` behind the camera's back.
    ///
    /// # Errors
    /// [`CameraError::Io`].
    pub fn cut(&self, path: &SourcePath, bytes: u64) -> Result<(), CameraError> {
        let file = File::options().write(true).open(self.root.join(path.to_path()));
        doing("cut a file", file.and_then(|file| file.set_len(bytes)))
    }

    /// Takes a whole recording away, as somebody who wants it gone would.
    ///
    /// # Errors
    /// [`CameraError::Io`].
    pub fn lose(&self, recording: &str) -> Result<(), CameraError> {
        doing("remove a recording", fs::remove_dir_all(self.root.join(recording)))
    }
}

fn doing<T>(doing: &str, done: io::Result<T>) -> Result<T, CameraError> {
    done.map_err(|source| CameraError::Io { doing: doing.to_owned(), source })
}

fn plain(name: String) -> SourcePath {
    SourcePath::new(name).expect("a simulated camera makes plain names")
}

fn date(path: &Path, at: Timestamp) -> io::Result<()> {
    let at = SystemTime::UNIX_EPOCH
        + Duration::from_millis(u64::try_from(at.as_millisecond()).unwrap_or(0));
    File::options().write(true).open(path)?.set_modified(at)
}

fn write_media(path: &Path, media: &Media, seed: (u64, u64, u32)) -> io::Result<Hashed> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    let mut size = 0;
    let mut put = |piece: &[u8]| {
        digest.update(piece);
        size += piece.len() as u64;
        out.write_all(piece)
    };
    match media {
        Media::Clip(bytes) => put(bytes)?,
        Media::Noise { bytes } => {
            let mut noise = Noise::new(seed);
            let mut piece = vec![0; 64 << 10];
            let mut left = *bytes;
            while left > 0 {
                noise.fill(&mut piece);
                let length = left.min(piece.len() as u64);
                put(&piece[..usize::try_from(length).expect("a piece fits in memory")])?;
                left -= length;
            }
        }
    }
    out.flush()?;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest.finish().as_ref());
    Ok(Hashed { size, sha256: Sha256Digest(sha256) })
}

/// SplitMix64 (Steele, Lea, Flood 2014): fast, and the same everywhere.
struct Noise(u64);

impl Noise {
    fn new((seed, sequence, index): (u64, u64, u32)) -> Self {
        let text = format!("{seed} {sequence} {index}");
        let digest = Sha256Digest::of(text.as_bytes());
        Self(u64::from_le_bytes(digest.0[..8].try_into().expect("eight of 32 bytes")))
    }

    fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests;
