//! What the cameras of a dock bring, as the real profiles would understand it.

use crate::options::Options;
use bwvdock::{
    dock::event::Listed,
    evidence::{Plan, PlannedFile, PlannedRecording},
    transfer::Random,
    types::{CameraId, Class, FileKind, Sha256Digest, SourcePath, Trust, fact::Source},
};
use std::collections::BTreeSet;

/// One camera, docked once.
pub struct Camera {
    pub id: CameraId,
    /// Milliseconds after the beginning of the day.
    pub arrives: i64,
    recordings: Vec<PlannedRecording>,
    pub erased: BTreeSet<SourcePath>,
    signed: bool,
}

/// Between 0 and 1.
pub fn share(random: &mut Random) -> f64 {
    (random.bits() >> 11) as f64 / (1u64 << 53) as f64
}

/// What these bytes would hash to: a name for them, as nobody has them.
pub fn digest(camera: &CameraId, path: &SourcePath) -> Sha256Digest {
    Sha256Digest::of(format!("{camera}/{path}").as_bytes())
}

impl Camera {
    pub fn new(number: u32, options: &Options, random: &mut Random) -> Self {
        let id = CameraId::new(format!("BWC-{number:05}")).expect("a good id");
        let signed = share(random) < options.signed;
        let arrives = arrival(options, random);
        let (low, high) = options.gb_per_hour;
        let per_minute = (low + (high - low) * share(random)) * 1e9 / 60.0;
        let mut minutes = options.hours * 60.0 * (0.5 + share(random));
        let mut recordings = Vec::new();
        while minutes > 0.1 {
            // Exponential around the mean: many short ones, some long.
            let length = -options.recording_minutes * (1.0 - share(random)).ln();
            let length = length.clamp(0.2, minutes.max(0.2));
            minutes -= length;
            let number = recordings.len() as u32 + 1;
            let evidential = share(random) < options.evidential;
            let mut media = Vec::new();
            let mut left = length;
            while left > 0.0 {
                media.push((left.min(options.segment_minutes) * per_minute) as u64);
                left -= options.segment_minutes;
            }
            recordings.push(recording(&id, number, signed, evidential, &media));
        }
        Self { id, arrives, recordings, erased: BTreeSet::new(), signed }
    }

    pub fn profile(&self) -> &'static str {
        if self.signed { "bwv-manifest" } else { "clip-folders" }
    }

    /// Files that it came with.
    pub fn files(&self) -> impl Iterator<Item = &PlannedFile> {
        self.recordings.iter().flat_map(|recording| &recording.files)
    }

    pub fn recordings(&self) -> usize {
        self.recordings.len()
    }

    /// What is on it now.
    pub fn list(&self) -> Listed {
        let mut recordings = self.recordings.clone();
        for recording in &mut recordings {
            recording.files.retain(|file| !self.erased.contains(&file.source.path));
        }
        recordings.retain(|recording| !recording.files.is_empty());
        let files = || recordings.iter().flat_map(|recording| &recording.files);
        let (count, bytes) = (files().count() as u64, files().map(|file| file.source.size).sum());
        let plan = Plan {
            camera: self.id.clone(),
            model: None,
            firmware: None,
            recordings,
            absent: Vec::new(),
            findings: Vec::new(),
            findings_left_out: 0,
            ignored: 0,
        };
        Listed { plan, files: count, bytes }
    }
}

/// When it comes: around the end of a shift, or at any time.
fn arrival(options: &Options, random: &mut Random) -> i64 {
    const DAY: f64 = 24.0 * 3600e3;
    let mut which = share(random);
    for (hour, part) in &options.shifts {
        if which < *part {
            let (one, two) = (1.0 - share(random), share(random));
            let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * two).cos();
            let at = hour * 3600e3 + normal * options.spread_minutes * 60e3;
            return at.clamp(0.0, DAY - 1.0) as i64;
        }
        which -= part;
    }
    (share(random) * (DAY - 1.0)) as i64
}

fn recording(
    camera: &CameraId,
    number: u32,
    signed: bool,
    evidential: bool,
    media: &[u64],
) -> PlannedRecording {
    let name = format!("R{number:06}");
    let file = |kind, index: u32, leaf: &str, size: u64, trust| {
        let path = SourcePath::new(format!("{name}/{leaf}")).expect("a plain path");
        let expected = (trust == Trust::Signed).then(|| digest(camera, &path));
        let modified_ms = Some(1_772_000_000_000 + i64::from(number) * 1000);
        let source = Source { path, size: size.max(1), modified_ms, expected, mark: None };
        PlannedFile { kind, index, source, trust, partial: false, started: None, ended: None }
    };
    let trust = if signed { Trust::Signed } else { Trust::None };
    let mut files: Vec<PlannedFile> = (1..)
        .zip(media)
        .map(|(index, size)| file(FileKind::Media, index, &format!("{index:06}.mp4"), *size, trust))
        .collect();
    if signed {
        let seconds = media.len() as u64 * 300;
        files.push(file(FileKind::Manifest, 0, "manifest.json", 1500, trust));
        files.push(file(FileKind::Manifest, 0, "manifest.json.sig", 64, Trust::None));
        files.push(file(FileKind::Sidecar, 0, "track.json", 60 * seconds, trust));
    }
    PlannedRecording {
        name,
        officer: Some("PC4711".into()),
        started: None,
        stopped: None,
        class: if evidential { Class::Evidential } else { Class::Unreviewed },
        flags: Vec::new(),
        bookmarks: Vec::new(),
        segments_expected: Some(media.len() as u32),
        manifest: None,
        erase_allowed: true,
        files,
        missing: Vec::new(),
    }
}
