//! Claims by manifests: whose word each one is, and which files it names.

use super::{FindingKind, PlannedFile, PlannedRecording, Planner, chain, natural_name};
use crate::{
    evidence::{Manifest, SIGNATURE_BYTES, inside, profile::Role, signature::verify_signature},
    types::{
        CameraId, FileKind, Sha256Digest, SourcePath, Trust,
        fact::{Bookmark, ManifestRef},
    },
};
use jiff::Timestamp;

/// A manifest that was understood, and what it is worth.
struct Judged {
    path: SourcePath,
    sha256: Sha256Digest,
    manifest: Manifest,
    caveat: Option<(FindingKind, String)>,
}

/// A file as a manifest names it.
struct Claim<'m> {
    kind: FileKind,
    index: u32,
    name: &'m SourcePath,
    size: u64,
    sha256: Sha256Digest,
    partial: bool,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
}

impl Judged {
    fn trust(&self) -> Trust {
        match &self.caveat {
            None => Trust::Signed,
            Some((FindingKind::SignatureInvalid, _)) => Trust::Invalid,
            Some(_) => Trust::Listed,
        }
    }
}

impl Planner<'_> {
    /// Lets every readable manifest claim its files; unreadable ones are left to the grouping.
    pub(super) fn claim_by_manifests(&mut self, require_signature: bool) {
        let mut judged = self.judge_manifests();
        // A forged manifest must not take a file away from a signed one. Stable: then by path.
        judged.sort_by_key(|judged| judged.trust() != Trust::Signed);
        for judged in &judged {
            self.claim_own_files(judged);
        }
        for judged in judged {
            self.claim_listed_files(judged, require_signature);
        }
    }

    fn judge_manifests(&mut self) -> Vec<Judged> {
        let paths: Vec<SourcePath> = self
            .files
            .iter()
            .filter(|file| file.role == Role::Manifest)
            .map(|file| file.entry.path.clone())
            .collect();
        let mut judged = Vec::new();
        for path in paths {
            let Some(bytes) = self.small.get(&path) else {
                let words = "the manifest could not be read, or is too long to be one";
                self.findings.add(FindingKind::Unreadable, Some(&path), words);
                continue;
            };
            match Manifest::parse(bytes) {
                Ok(manifest) => {
                    let caveat = self.caveat(&path, bytes, &manifest);
                    let sha256 = Sha256Digest::of(bytes);
                    judged.push(Judged { path, sha256, manifest, caveat });
                }
                Err(error) => {
                    self.findings.add(FindingKind::Unreadable, Some(&path), chain(&error));
                }
            }
        }
        judged
    }

    /// Why the manifest is not its camera's signed word; `None`: it is.
    fn caveat(
        &self,
        path: &SourcePath,
        bytes: &[u8],
        manifest: &Manifest,
    ) -> Option<(FindingKind, String)> {
        if manifest.camera != *self.camera {
            let words = format!("the manifest is of camera {}", manifest.camera);
            return Some((FindingKind::CameraDiffers, words));
        }
        let signature = signature_path(path).and_then(|path| self.small.get(&path));
        match (self.keys.key(self.camera), signature) {
            (None, _) => {
                let words = format!("no key is enrolled for camera {}", self.camera);
                Some((FindingKind::Caveat, words))
            }
            (Some(_), None) => Some((
                FindingKind::SignatureMissing,
                "the manifest has no readable signature".into(),
            )),
            (Some(_), Some(signature)) if signature.len() != SIGNATURE_BYTES => {
                let words = format!(
                    "the signature does not fit: it is {} bytes long, not 64",
                    signature.len()
                );
                Some((FindingKind::SignatureInvalid, words))
            }
            (Some(key), Some(signature)) if verify_signature(bytes, signature, key) => None,
            (Some(_), Some(_)) => {
                let words = "the signature does not fit: it is not the enrolled key's over this \
                             manifest";
                Some((FindingKind::SignatureInvalid, words.into()))
            }
        }
    }

    /// The manifest and its signature are its recording's before anybody names them.
    fn claim_own_files(&mut self, judged: &Judged) {
        let name = recording_name(&judged.path);
        for (path, is_manifest) in
            [(Some(judged.path.clone()), true), (signature_path(&judged.path), false)]
        {
            let Some(at) = path.and_then(|path| self.index.get(&path).copied()) else { continue };
            if self.files[at].taken {
                continue;
            }
            self.files[at].taken = true;
            let mut file = PlannedFile::new(FileKind::Manifest, self.files[at].entry);
            match judged.trust() {
                // The signature is over exactly these bytes, so it vouches for their digest; or
                // it is over other bytes, and then these are what it does not fit.
                trust @ (Trust::Signed | Trust::Invalid) if is_manifest => {
                    file = file.expecting(judged.sha256, trust);
                }
                Trust::Signed | Trust::Invalid | Trust::Listed | Trust::None => {}
            }
            self.recording(&name).files.push(file);
        }
    }

    fn claim_listed_files(&mut self, judged: Judged, require_signature: bool) {
        let name = recording_name(&judged.path);
        let trust = judged.trust();
        let key_enrolled = self.keys.key(self.camera).is_some();
        if let Some((kind, words)) = &judged.caveat {
            self.findings.add(*kind, Some(&judged.path), words.clone());
        }
        if trust == Trust::Signed && self.model.is_none() {
            let manifest = &judged.manifest;
            self.model = Some((manifest.model.clone(), manifest.firmware.clone()));
        }
        self.check_times(&judged);
        let camera = self.camera.clone();
        let recording = self.recording(&name);
        describe(recording, &judged, &camera);
        if trust != Trust::Signed {
            recording.erase_allowed &= !require_signature && !key_enrolled;
        }
        if matches!(
            judged.caveat,
            Some((FindingKind::SignatureInvalid | FindingKind::CameraDiffers, _))
        ) {
            recording.quarantine();
        }
        for claim in claims(&judged.manifest) {
            self.claim(&name, &judged.path, trust, &claim);
        }
    }

    fn claim(&mut self, name: &str, manifest: &SourcePath, trust: Trust, claim: &Claim<'_>) {
        let Ok(path) = inside(manifest.folder(), claim.name) else {
            let words = format!("it names {}, whose path is too long", claim.name);
            self.findings.add(FindingKind::Conflict, Some(manifest), words);
            self.recording(name).quarantine();
            return;
        };
        let Some(at) = self.index.get(&path).copied() else {
            let words = format!("{manifest} names it, but it is not on the camera");
            self.findings.add(FindingKind::Missing, Some(&path), words);
            self.absent.push(path.clone());
            self.recording(name).missing.push((claim.index, path));
            return;
        };
        let listed = &mut self.files[at];
        if listed.taken || listed.role == Role::Identity {
            let words = format!("{manifest} names it, but it belongs to something else");
            self.findings.add(FindingKind::Conflict, Some(&path), words);
            self.recording(name).quarantine();
            return;
        }
        listed.taken = true;
        let entry = listed.entry;
        let mut file = PlannedFile::new(claim.kind, entry).expecting(claim.sha256, trust);
        file.index = claim.index;
        // A file shorter than declared was cut off, whatever cut it.
        file.partial = claim.partial || entry.size < claim.size;
        (file.started, file.ended) = (claim.started, claim.ended);
        if entry.size != claim.size {
            let words =
                format!("it is listed with {} bytes, declared with {}", entry.size, claim.size);
            self.findings.add(FindingKind::SizeDiffers, Some(&path), words);
        }
        let evidential = self.profile.marks_evidential(&path);
        let recording = self.recording(name);
        recording.files.push(file);
        if evidential {
            recording.mark_evidential();
        }
    }

    /// Times are kept as the camera wrote them; what cannot be is said.
    fn check_times(&mut self, judged: &Judged) {
        let manifest = &judged.manifest;
        let spans = manifest.segments.iter().map(|s| (s.started, s.ended));
        let whole = (Some(manifest.started), manifest.stopped);
        let backwards = std::iter::once(whole)
            .chain(spans)
            .any(|(start, end)| matches!((start, end), (Some(start), Some(end)) if end < start));
        if backwards {
            let words = "it ends before it starts: the camera's clock jumped while recording";
            self.findings.add(FindingKind::Clock, Some(&judged.path), words);
        }
        if is_before_2000(manifest.started) {
            let words = "it starts before the year 2000: the camera's clock was not set";
            self.findings.add(FindingKind::Clock, Some(&judged.path), words);
        }
    }
}

/// No camera of this kind existed then; 1970 and 1980 are where unset clocks start.
pub(super) fn is_before_2000(time: Timestamp) -> bool {
    time.as_second() < 946_684_800
}

fn claims(manifest: &Manifest) -> impl Iterator<Item = Claim<'_>> {
    let media = manifest.segments.iter().map(|segment| Claim {
        kind: FileKind::Media,
        index: segment.index,
        name: &segment.name,
        size: segment.size,
        sha256: segment.sha256,
        partial: segment.partial,
        started: segment.started,
        ended: segment.ended,
    });
    let sidecars = manifest.sidecars.iter().map(|sidecar| Claim {
        kind: FileKind::Sidecar,
        index: 0,
        name: &sidecar.name,
        size: sidecar.size,
        sha256: sidecar.sha256,
        partial: false,
        started: None,
        ended: None,
    });
    media.chain(sidecars)
}

/// Copies what the manifest says of the whole recording, within the bounds of a fact.
fn describe(recording: &mut PlannedRecording, judged: &Judged, camera: &CameraId) {
    let manifest = &judged.manifest;
    let signed = judged.trust() == Trust::Signed;
    recording.officer.clone_from(&manifest.officer);
    recording.started = Some(manifest.started);
    recording.stopped = manifest.stopped;
    recording.flags =
        manifest.flags.iter().take(PlannedRecording::MARKS_MAX).map(|flag| short(flag)).collect();
    recording.bookmarks = manifest
        .bookmarks
        .iter()
        .take(PlannedRecording::MARKS_MAX)
        .map(|mark| Bookmark { at: mark.at, label: short(&mark.label) })
        .collect();
    recording.segments_expected = u32::try_from(manifest.segments.len()).ok();
    recording.manifest = Some(ManifestRef {
        path: judged.path.clone(),
        sha256: judged.sha256,
        trust: judged.trust(),
        sequence: signed.then_some(manifest.sequence),
        previous: signed.then_some(manifest.previous),
        claimed: (!signed && manifest.camera == *camera).then_some(manifest.sequence),
        caveat: judged.caveat.as_ref().map(|(_, words)| words.clone()),
    });
    if manifest.evidential {
        recording.mark_evidential();
    }
}

/// At most 64 characters; a fact is one line and must stay small.
fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

/// `R000012/manifest.json` is recording `R000012`; under another name the file itself is.
fn recording_name(manifest: &SourcePath) -> String {
    if manifest.name().eq_ignore_ascii_case(b"manifest.json") {
        natural_name(manifest.folder())
    } else {
        natural_name(manifest.as_bytes())
    }
}

fn signature_path(manifest: &SourcePath) -> Option<SourcePath> {
    SourcePath::new([manifest.as_bytes(), b".sig"].concat()).ok()
}
