use super::*;
use crate::evidence::CameraCard;
use crate::evidence::{CameraKey, Manifest, ManifestSegment, ManifestSidecar, continuity, verdict};
use crate::types::{
    Class, FileEntry, FileKind, RecordingId, SegmentId, Sha256Digest, Trust, Verdict,
    fact::{Bookmark, Hashed},
};
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::LazyLock};

/// A camera in memory: what it lists, and what reading it gives.
#[derive(Default)]
struct Card {
    listing: Listing,
    contents: BTreeMap<SourcePath, Vec<u8>>,
}

impl Card {
    fn put(&mut self, path: impl Into<Vec<u8>>, bytes: impl Into<Vec<u8>>) -> &mut Self {
        let bytes = bytes.into();
        let path = self.list(path, bytes.len() as u64);
        self.contents.insert(path, bytes);
        self
    }

    fn list(&mut self, path: impl Into<Vec<u8>>, size: u64) -> SourcePath {
        let path = SourcePath::new(path).unwrap();
        self.listing.files.push(FileEntry {
            path: path.clone(),
            size,
            modified_ms: Some(0),
            mark: None,
        });
        path
    }

    /// A signed recording whose segments are listed but, for speed, have no bytes.
    fn record(&mut self, manifest: &Manifest) -> &mut Self {
        let folder = manifest.recording.clone();
        for segment in &manifest.segments {
            self.list(format!("{folder}/{}", segment.name), segment.size);
        }
        let bytes = manifest.to_bytes();
        self.put(format!("{folder}/manifest.json.sig"), key().sign(&bytes));
        self.put(format!("{folder}/manifest.json"), bytes)
    }

    fn remove(&mut self, path: &str) -> &mut Self {
        self.listing.files.retain(|file| file.path.as_bytes() != path.as_bytes());
        self.contents.retain(|at, _| at.as_bytes() != path.as_bytes());
        self
    }

    fn plan(&self, profile: &str) -> Plan {
        self.plan_with(shipped(profile), &[(camera(), key().public())].into_iter().collect())
    }

    fn plan_with(&self, profile: &Profile, keys: &KeyRing) -> Plan {
        let small = profile
            .small_files(&self.listing)
            .into_iter()
            .filter_map(|(path, _)| Some((path.clone(), self.contents.get(&path)?.clone())))
            .collect();
        let plan = plan(profile, &self.listing, &small, &camera(), keys);
        every_file_once(&plan, &self.listing);
        if profile.name() == "bwv-manifest" && profile.erase_allowed() {
            let strict = ManifestKind::BwvManifest { require_signature: true };
            let signed = |r: &PlannedRecording| {
                r.manifest.as_ref().is_some_and(|m| m.trust == Trust::Signed)
            };
            let erasable = plan.recordings.iter().filter(|r| r.erase_allowed);
            assert!(profile.manifest() != strict || erasable.clone().all(signed));
        }
        plan
    }
}

/// The invariants of every plan whatever.
fn every_file_once(plan: &Plan, listing: &Listing) {
    let listed: BTreeSet<&SourcePath> = listing.files.iter().map(|file| &file.path).collect();
    let mut planned = BTreeSet::new();
    let mut names = BTreeSet::new();
    for recording in &plan.recordings {
        assert!(names.insert(&recording.name));
        for file in &recording.files {
            assert!(listed.contains(&file.source.path));
            assert!(planned.insert(&file.source.path), "{} twice", file.source.path);
            assert_eq!(file.source.expected.is_some(), file.trust != Trust::None);
            assert_eq!(file.index > 0, file.kind == FileKind::Media);
        }
        assert!(recording.class != Class::Quarantine || !recording.erase_allowed);
    }
    assert_eq!(planned.len() + plan.ignored, listed.len());
}

fn camera() -> CameraId {
    CameraId::new("BWC-1").unwrap()
}

fn key() -> CameraKey {
    CameraKey::from_seed(&[9; 32])
}

static SHIPPED: LazyLock<Vec<Profile>> = LazyLock::new(Profile::shipped);

fn shipped(name: &str) -> &'static Profile {
    SHIPPED.iter().find(|p| p.name() == name).unwrap()
}

fn path(text: &str) -> SourcePath {
    SourcePath::new(text).unwrap()
}

fn manifest(sequence: u64, segments: u32) -> Manifest {
    let segment = |index: u32| ManifestSegment {
        index,
        name: path(&format!("{index:06}.mp4")),
        size: 10,
        sha256: Sha256Digest::of(b"ten bytes!"),
        started: None,
        ended: None,
        partial: false,
    };
    Manifest {
        camera: camera(),
        model: "M".into(),
        firmware: "1".into(),
        sequence,
        previous: if sequence == 1 { Manifest::FIRST } else { Sha256Digest::of(b"before") },
        recording: format!("R{sequence:06}"),
        officer: Some("A1".into()),
        started: "2026-03-14T22:15:03Z".parse().unwrap(),
        stopped: Some("2026-03-14T22:25:03Z".parse().unwrap()),
        evidential: false,
        flags: Vec::new(),
        bookmarks: Vec::new(),
        segments: (1..=segments).map(segment).collect(),
        sidecars: Vec::new(),
    }
}

fn recorded(manifests: &[Manifest]) -> Card {
    let mut card = Card::default();
    for manifest in manifests {
        card.record(manifest);
    }
    card
}

fn recording<'p>(plan: &'p Plan, name: &str) -> &'p PlannedRecording {
    let names: Vec<&str> = plan.recordings.iter().map(|r| r.name.as_str()).collect();
    let found = plan.recordings.iter().find(|r| r.name == name);
    found.unwrap_or_else(|| panic!("no {name} among {names:?}"))
}

fn has(plan: &Plan, kind: FindingKind) -> bool {
    plan.findings.iter().any(|finding| finding.kind == kind)
}

fn media(recording: &PlannedRecording) -> Vec<&PlannedFile> {
    recording.files.iter().filter(|file| file.kind == FileKind::Media).collect()
}

mod dcim;
mod hostile;
mod signed;

proptest! {
    #[test]
    fn arbitrary_damage_to_a_signed_recording_never_leaves_it_erasable(
        in_signature: bool, at: usize, flip in 1_u8..,
    ) {
        let mut card = recorded(&[manifest(1, 2)]);
        let name = if in_signature { "R000001/manifest.json.sig" } else { "R000001/manifest.json" };
        let bytes = card.contents.get_mut(&path(name)).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        let plan = card.plan("bwv-manifest");
        prop_assert!(plan.recordings.iter().all(|r| !r.erase_allowed));
        prop_assert!(plan.findings.iter().any(|finding| finding.kind.is_grave()));
        prop_assert_eq!(plan.links(), []);
        let files = plan.recordings.iter().flat_map(|r| &r.files);
        prop_assert!(files.clone().all(|file| file.trust != Trust::Signed));
    }

    #[test]
    fn arbitrary_cards_never_panic_and_lose_no_file(
        files in proptest::collection::vec(("[RD/.a-c]{1,8}(/manifest.json|/manifest.json.sig|\
            /SHA256SUMS|/1.mp4|.THM|/x)?", any::<Vec<u8>>(), any::<u64>()), 0..12),
        caveats: Vec<String>,
    ) {
        let mut card = Card::default();
        card.put("camera.json", b"{".to_vec());
        for (name, bytes, size) in files {
            let Ok(path) = SourcePath::new(name) else { continue };
            let entry = FileEntry { path: path.clone(), size: size % 100, modified_ms: None , mark: None};
            card.listing.files.push(entry);
            card.contents.insert(path, bytes);
        }
        card.listing.caveats = caveats;
        for profile in SHIPPED.iter() {
            card.plan(profile.name());
        }
    }
}
