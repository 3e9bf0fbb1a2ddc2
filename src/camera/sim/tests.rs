use super::*;
use crate::{
    camera::{Camera, EraseMode, Faults, FaultyCamera, FolderCamera, Listing},
    evidence::verify_signature,
    release::ErasePermit,
    types::{SegmentId, fact::Source},
};
use std::{io::Read as _, time::Instant};
use tempfile::TempDir;

const BYTES: u64 = 200_000;

fn recording(segments: u32) -> SimRecording {
    let segment = SimSegment { media: Media::Noise { bytes: BYTES }, seconds: 10 };
    SimRecording {
        officer: Some("4711".into()),
        started: "2026-05-01T09:14:02Z".parse().unwrap(),
        evidential: true,
        flags: vec!["arrest".into()],
        bookmarks: Vec::new(),
        segments: vec![segment; segments as usize],
        gnss: true,
        cut_off: false,
    }
}

fn camera(place: &TempDir, name: &str, seed: u64) -> SimCamera {
    let options = SimCameraOptions {
        camera: CameraId::new("BWC-0001").unwrap(),
        model: "Simulated".into(),
        seed,
    };
    SimCamera::make(&place.path().join(name), options).unwrap()
}

fn docked() -> (TempDir, SimCamera, FaultyCamera, Faults) {
    let place = TempDir::new().unwrap();
    let mut sim = camera(&place, "camera", 7);
    sim.record(&recording(2)).unwrap();
    let folder = FolderCamera::open(sim.root(), EraseMode::Allowed).unwrap();
    let (faulty, faults) = FaultyCamera::new(Box::new(folder));
    (place, sim, faulty, faults)
}

fn first() -> SourcePath {
    SourcePath::new("R000001/S001.mp4").unwrap()
}

fn read(camera: &mut FaultyCamera) -> (Vec<u8>, io::Result<usize>) {
    let mut bytes = Vec::new();
    let mut reader = camera.open(&first(), 0).unwrap();
    let ended = reader.read_to_end(&mut bytes);
    (bytes, ended)
}

fn list(root: &Path) -> Listing {
    FolderCamera::open(root, EraseMode::ReadOnly).unwrap().list().unwrap()
}

#[test]
fn manifests_are_signed_chained_and_true_of_the_files() {
    let place = TempDir::new().unwrap();
    let mut sim = camera(&place, "camera", 7);
    for _ in 0..3 {
        sim.record(&recording(2)).unwrap();
    }
    let card = CameraCard::parse(&fs::read(sim.root().join("camera.json")).unwrap()).unwrap();
    assert_eq!(card.public_key, Some(sim.public_key()));
    let mut previous = Manifest::FIRST;
    for sequence in 1..=3 {
        let folder = sim.root().join(format!("R{sequence:06}"));
        let bytes = fs::read(folder.join("manifest.json")).unwrap();
        let signature = fs::read(folder.join("manifest.json.sig")).unwrap();
        assert!(verify_signature(&bytes, &signature, &sim.public_key()));
        let manifest = Manifest::parse(&bytes).unwrap();
        assert_eq!((manifest.sequence, manifest.previous), (sequence, previous));
        previous = Sha256Digest::of(&bytes);
        assert_eq!(manifest.stopped, Some(manifest.started + SignedDuration::from_secs(20)));
        let segments = manifest.segments.iter().map(|s| (&s.name, s.size, s.sha256));
        for (name, size, sha256) in
            segments.chain(manifest.sidecars.iter().map(|s| (&s.name, s.size, s.sha256)))
        {
            let bytes = fs::read(folder.join(name.to_path())).unwrap();
            assert_eq!((bytes.len() as u64, Sha256Digest::of(&bytes)), (size, sha256));
        }
    }
}

#[test]
fn one_seed_makes_one_camera_and_another_seed_another() {
    let place = TempDir::new().unwrap();
    let made: Vec<_> = [("a", 1), ("b", 1), ("c", 2)]
        .into_iter()
        .map(|(name, seed)| {
            let mut sim = camera(&place, name, seed);
            let manifest = sim.record(&recording(2)).unwrap();
            (sim.public_key(), manifest, list(sim.root()))
        })
        .collect();
    let without_card = |listing: &Listing| listing.files[..5].to_vec();
    assert_eq!(made[0].0, made[1].0);
    assert_eq!(made[0].1, made[1].1);
    assert_eq!(without_card(&made[0].2), without_card(&made[1].2));
    assert_ne!(made[0].0, made[2].0);
    assert_ne!(made[0].1.segments[0].sha256, made[2].1.segments[0].sha256);
    assert_ne!(made[0].1.segments[0].sha256, made[0].1.segments[1].sha256);
}

#[test]
fn a_recording_cut_off_by_the_battery_says_so() {
    let place = TempDir::new().unwrap();
    let mut sim = camera(&place, "camera", 7);
    let manifest = sim.record(&SimRecording { cut_off: true, ..recording(2) }).unwrap();
    assert_eq!(manifest.stopped, None);
    let partial: Vec<bool> = manifest.segments.iter().map(|segment| segment.partial).collect();
    assert_eq!(partial, [false, true]);
}

#[test]
fn damage_changes_the_bytes_and_not_the_listing() {
    let (_place, sim, _, _) = docked();
    let (before, bytes) =
        (list(sim.root()), fs::read(sim.root().join("R000001/S001.mp4")).unwrap());
    sim.flip_bit(&first(), 100).unwrap();
    assert_eq!(list(sim.root()), before);
    let after = fs::read(sim.root().join("R000001/S001.mp4")).unwrap();
    assert_eq!(bytes.iter().zip(&after).filter(|(a, b)| a != b).count(), 1);
    assert!(sim.flip_bit(&first(), BYTES).is_err());
    sim.cut(&first(), 10).unwrap();
    assert_ne!(list(sim.root()), before);
    sim.lose("R000001").unwrap();
    assert_eq!(list(sim.root()).files.len(), 1);
}

#[test]
fn without_a_fault_a_faulty_camera_is_the_camera() {
    let (_place, sim, mut faulty, _) = docked();
    assert!(faulty.is_present());
    assert_eq!(faulty.list().unwrap(), list(sim.root()));
    let (bytes, ended) = read(&mut faulty);
    assert_eq!(ended.unwrap() as u64, BYTES);
    assert_eq!(bytes, fs::read(sim.root().join("R000001/S001.mp4")).unwrap());
}

#[test]
fn a_yanked_camera_is_gone_until_reinserted_and_its_old_readers_stay_dead() {
    let (_place, _sim, mut faulty, faults) = docked();
    let mut old = faulty.open(&first(), 0).unwrap();
    faults.yank_after(70_000);
    let mut bytes = Vec::new();
    let error = old.read_to_end(&mut bytes).unwrap_err();
    assert_eq!((bytes.len(), error.raw_os_error()), (70_000, Some(19)));
    assert!(!faulty.is_present());
    assert!(matches!(faulty.list(), Err(CameraError::Gone)));
    assert!(matches!(faulty.open(&first(), 0).map(drop), Err(CameraError::Gone)));
    faults.reinsert();
    assert!(old.read(&mut [0; 10]).is_err());
    assert_eq!(read(&mut faulty).0.len() as u64, BYTES);
}

#[test]
fn stalls_short_reads_and_flipped_bits_come_where_they_were_asked_for() {
    let (_place, sim, mut faulty, faults) = docked();
    let whole = fs::read(sim.root().join("R000001/S001.mp4")).unwrap();

    faults.stall_after(1000);
    let (bytes, ended) = read(&mut faulty);
    assert_eq!((bytes.len(), ended.unwrap_err().kind()), (1000, io::ErrorKind::TimedOut));
    faults.recover();

    faults.end_early(first(), 5000);
    let (bytes, ended) = read(&mut faulty);
    assert_eq!((&bytes[..], ended.unwrap()), (&whole[..5000], 5000));
    faults.recover();

    faults.flip_bit(first(), 150_000);
    let (bytes, _) = read(&mut faulty);
    let wrong: Vec<usize> = (0..whole.len()).filter(|at| bytes[*at] != whole[*at]).collect();
    assert_eq!(wrong, [150_000]);
    let mut tail = Vec::new();
    faulty.open(&first(), 149_999).unwrap().read_to_end(&mut tail).unwrap();
    assert_ne!(tail[1], whole[150_000]);
    faults.recover();
    assert_eq!(read(&mut faulty).0, whole);
}

#[test]
fn listings_and_erasings_fail_as_often_as_they_are_told() {
    let (_place, _sim, mut faulty, faults) = docked();
    let listing = faulty.list().unwrap();
    let file = listing.files.iter().find(|file| file.path == first()).unwrap();
    let source = Source {
        path: first(),
        size: file.size,
        modified_ms: file.modified_ms,
        expected: None,
        mark: None,
    };
    let permit = ErasePermit::for_test(SegmentId(uuid::Uuid::nil()), source);
    faults.fail_listings(2);
    faults.fail_erases(1);
    for _ in 0..2 {
        assert!(matches!(faulty.list(), Err(CameraError::Io { .. })));
    }
    faulty.list().unwrap();
    assert!(matches!(faulty.erase(&permit), Err(CameraError::Io { .. })));
    faulty.erase(&permit).unwrap();
    assert_eq!(faulty.list().unwrap().files.len(), listing.files.len() - 1);
}

#[test]
fn a_slow_camera_takes_its_time() {
    let (_place, _sim, mut faulty, faults) = docked();
    faults.slow(1_000_000);
    let start = Instant::now();
    read(&mut faulty).1.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(190), "{:?}", start.elapsed());
}

/// Everything the rules make of a simulated camera whose key is enrolled.
fn planned(root: &Path) -> crate::evidence::Plan {
    use crate::evidence::{KeyRing, Known, Profile, choose, identify, plan};
    let mut camera = FolderCamera::open(root, EraseMode::ReadOnly).unwrap();
    let listing = camera.list().unwrap();
    let profiles = Profile::shipped();
    let profile = choose(&profiles, &listing, None).unwrap();
    assert_eq!(profile.name(), "bwv-manifest");
    let camera: &mut dyn Camera = &mut camera;
    let small = profile
        .small_files(&listing)
        .into_iter()
        .map(|(path, max)| (path.clone(), camera.read_small(&path, max).unwrap()))
        .collect();
    let id = identify(profile, &listing, &small, Known::default()).unwrap();
    let card = CameraCard::parse(&small[&SourcePath::new("camera.json").unwrap()]).unwrap();
    let keys: KeyRing = [(id.clone(), card.public_key.unwrap().0)].into_iter().collect();
    plan(profile, &listing, &small, &id, &keys)
}

#[test]
fn the_rules_understand_a_simulated_camera_and_see_what_was_taken_from_it() {
    use crate::{evidence::continuity, types::Class, types::Trust, types::fact::Gap};
    let place = TempDir::new().unwrap();
    let mut sim = camera(&place, "camera", 7);
    sim.record(&recording(2)).unwrap();
    sim.record(&SimRecording { evidential: false, flags: Vec::new(), ..recording(1) }).unwrap();
    sim.record(&recording(1)).unwrap();
    let plan = planned(sim.root());
    assert_eq!(plan.findings, []);
    let classes: Vec<Class> = plan.recordings.iter().map(|recording| recording.class).collect();
    assert_eq!(classes, [Class::Evidential, Class::Unreviewed, Class::Evidential]);
    for recording in &plan.recordings {
        assert_eq!(recording.manifest.as_ref().unwrap().trust, Trust::Signed);
    }
    assert_eq!(continuity(None, &plan.links()), []);

    sim.lose("R000002").unwrap();
    let gaps = continuity(None, &planned(sim.root()).links());
    assert!(matches!(gaps[..], [Gap::Recordings { first: 2, last: 2 }]), "{gaps:?}");

    sim.flip_bit(&SourcePath::new("R000003/manifest.json").unwrap(), 300).unwrap();
    assert_ne!(planned(sim.root()).findings, []);
}
