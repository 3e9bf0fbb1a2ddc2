//! Manifests: whose word counts, and what happens without it.

use super::*;

#[test]
fn a_signed_recording_is_planned_whole() {
    let mut full = manifest(1, 2);
    full.evidential = true;
    full.flags = vec!["kept".into()];
    full.sidecars = vec![ManifestSidecar {
        name: path("track.gpx"),
        size: 3,
        sha256: Sha256Digest::of(b"gps"),
    }];
    full.segments[1].partial = true;
    let mut card = recorded(&[full]);
    card.put("R000001/track.gpx", *b"gps");
    let plan = card.plan("bwv-manifest");
    let found = recording(&plan, "R000001");
    assert_eq!((found.class, found.erase_allowed), (Class::Evidential, true));
    assert_eq!((found.officer.as_deref(), found.segments_expected), (Some("A1"), Some(2)));
    let kinds: Vec<FileKind> = found.files.iter().map(|f| f.kind).collect();
    use FileKind::{Manifest, Media, Sidecar};
    assert_eq!(kinds, [Media, Media, Manifest, Manifest, Sidecar]);
    assert_eq!(found.files.iter().map(|f| f.index).collect::<Vec<_>>(), [1, 2, 0, 0, 0]);
    assert_eq!(found.files.iter().map(|f| f.partial).collect::<Vec<_>>()[..2], [false, true]);
    let trusts: Vec<Trust> = found.files.iter().map(|f| f.trust).collect();
    // All but the signature file itself, which nothing signs.
    assert_eq!(trusts, [Trust::Signed, Trust::Signed, Trust::Signed, Trust::None, Trust::Signed]);
    let reference = found.manifest.as_ref().unwrap();
    assert_eq!((reference.trust, reference.sequence), (Trust::Signed, Some(1)));
    assert_eq!(reference.sha256, Sha256Digest::of(&card.contents[&reference.path]));
    assert_eq!(plan.findings, []);
    assert_eq!(continuity(None, &plan.links()), []);
}

#[test]
fn an_invalid_signature_of_an_enrolled_camera_is_loud_and_never_erasable() {
    let mut card = recorded(&[manifest(1, 1)]);
    card.contents.get_mut(&path("R000001/manifest.json.sig")).unwrap()[5] ^= 1;
    let plan = card.plan("bwv-manifest");
    let found = recording(&plan, "R000001");
    assert!(has(&plan, FindingKind::SignatureInvalid));
    assert_eq!((found.class, found.erase_allowed), (Class::Quarantine, false));
    let reference = found.manifest.as_ref().unwrap();
    assert_eq!((reference.trust, reference.sequence), (Trust::Invalid, None));
    assert!(reference.caveat.as_ref().unwrap().contains("the signature does not fit"));
    assert!(found.files.iter().all(|file| file.trust != Trust::Signed));
    // Media and the manifest itself: nobody vouches for either.
    let invalid = found.files.iter().filter(|file| file.trust == Trust::Invalid);
    assert_eq!(invalid.count(), 2);
    assert_eq!(plan.links(), []);
    assert_eq!(plan.unproven_numbers(), [(1, "R000001".to_owned())].into());
}

#[test]
fn one_changed_byte_in_a_signed_manifest_is_an_invalid_signature() {
    let mut card = recorded(&[manifest(1, 1)]);
    let bytes = card.contents.get_mut(&path("R000001/manifest.json")).unwrap();
    let at = bytes.windows(2).position(|pair| pair == b"A1").unwrap();
    bytes[at + 1] = b'2';
    assert!(has(&card.plan("bwv-manifest"), FindingKind::SignatureInvalid));
}

#[test]
fn a_signature_taken_away_from_an_enrolled_camera_is_no_way_around_it() {
    let mut card = recorded(&[manifest(1, 1)]);
    card.remove("R000001/manifest.json.sig");
    let plan = card.plan("bwv-manifest");
    assert!(has(&plan, FindingKind::SignatureMissing));
    let found = recording(&plan, "R000001");
    assert_eq!((found.class, found.erase_allowed), (Class::Unreviewed, false));
    assert_eq!(media(found)[0].trust, Trust::Listed);
    // Not even under a profile that takes unsigned manifests.
    let text = include_str!("../../../../config/cameras/bwv-manifest.toml");
    let lax = text.replace("require_signature = true", "require_signature = false");
    let lax = Profile::parse(&lax).unwrap();
    let keys = [(camera(), key().public())].into_iter().collect();
    assert!(!recording(&card.plan_with(&lax, &keys), "R000001").erase_allowed);
    assert!(recording(&card.plan_with(&lax, &KeyRing::default()), "R000001").erase_allowed);
}

#[test]
fn a_valid_signature_by_a_key_that_is_not_enrolled_is_only_a_list() {
    let plan = recorded(&[manifest(1, 1)]).plan_with(shipped("bwv-manifest"), &KeyRing::default());
    let found = recording(&plan, "R000001");
    assert_eq!(media(found)[0].trust, Trust::Listed);
    assert_eq!((found.class, found.erase_allowed), (Class::Unreviewed, false));
    assert_eq!(found.manifest.as_ref().unwrap().sequence, None);
}

#[test]
fn the_manifest_of_another_camera_is_loud_even_when_its_key_is_enrolled() {
    let mut other = manifest(1, 1);
    other.camera = CameraId::new("BWC-2").unwrap();
    let keys = [(camera(), key().public()), (other.camera.clone(), key().public())];
    let plan = recorded(&[other]).plan_with(shipped("bwv-manifest"), &keys.into_iter().collect());
    assert!(has(&plan, FindingKind::CameraDiffers));
    let found = recording(&plan, "R000001");
    assert_eq!((found.class, found.erase_allowed), (Class::Quarantine, false));
    assert_eq!(media(found)[0].trust, Trust::Listed);
}

#[test]
fn media_without_a_usable_manifest_stay_media_without_trust_in_quarantine() {
    for bytes in [&b""[..], b"{}", b"\xff\xfe", br#"{"format":"bwv-manifest","version":9}"#] {
        let mut card = recorded(&[manifest(1, 2)]);
        card.contents.insert(path("R000001/manifest.json"), bytes.to_vec());
        let plan = card.plan("bwv-manifest");
        assert!(has(&plan, FindingKind::Unreadable) && has(&plan, FindingKind::Unproven));
        let found = recording(&plan, "R000001:unproven");
        assert_eq!((found.class, found.erase_allowed), (Class::Quarantine, false));
        assert_eq!(found.files.len(), 4);
        assert_eq!(media(found).iter().map(|f| f.index).collect::<Vec<_>>(), [1, 2]);
        assert!(found.files.iter().all(|file| file.trust == Trust::None));
        // And what the layout does not know is an orphan.
        card.put("R000001/odd.bin", *b"x");
        let plan = card.plan("bwv-manifest");
        assert_eq!(recording(&plan, UNCLAIMED).files[0].kind, FileKind::Orphan);
    }
}

#[test]
fn a_manifest_that_could_not_be_read_is_as_no_manifest() {
    let mut card = recorded(&[manifest(1, 1)]);
    card.contents.remove(&path("R000001/manifest.json"));
    let plan = card.plan("bwv-manifest");
    assert!(has(&plan, FindingKind::Unreadable));
    assert_eq!(media(recording(&plan, "R000001:unproven")).len(), 1);
}

#[test]
fn media_beside_a_manifest_that_does_not_name_them_are_kept_apart() {
    let mut card = recorded(&[manifest(1, 1)]);
    card.put("R000001/extra.mp4", *b"x");
    let plan = card.plan("bwv-manifest");
    assert!(recording(&plan, "R000001").erase_allowed);
    let apart = recording(&plan, "R000001:unproven");
    assert_eq!((apart.class, media(apart).len()), (Class::Quarantine, 1));
}

#[test]
fn a_missing_segment_is_visible_and_so_is_a_missing_recording() {
    let mut card = recorded(&[manifest(1, 3), manifest(4, 1)]);
    card.remove("R000001/000002.mp4");
    let plan = card.plan("bwv-manifest");
    let found = recording(&plan, "R000001");
    assert_eq!(found.missing, [(2, path("R000001/000002.mp4"))]);
    assert_eq!(media(found).iter().map(|f| f.index).collect::<Vec<_>>(), [1, 3]);
    assert!(has(&plan, FindingKind::Missing));
    let gaps = continuity(None, &plan.links());
    assert_eq!(gaps, [crate::types::fact::Gap::Recordings { first: 2, last: 3 }]);
}

#[test]
fn a_size_unlike_the_declared_one_is_planned_with_the_declared_digest() {
    for (listed, partial, expected) in
        [(4, true, Verdict::Partial), (11, false, Verdict::Mismatched)]
    {
        let mut card = recorded(&[manifest(1, 1)]);
        card.listing.files[0].size = listed;
        let plan = card.plan("bwv-manifest");
        assert!(has(&plan, FindingKind::SizeDiffers));
        let file = media(recording(&plan, "R000001"))[0];
        assert_eq!((file.source.size, file.partial), (listed, partial));
        assert_eq!(file.source.expected, Some(Sha256Digest::of(b"ten bytes!")));
        let id = SegmentId::from_slice(&[0; 16]).unwrap();
        let of = RecordingId::from_slice(&[0; 16]).unwrap();
        let copy = Hashed { size: listed, sha256: Sha256Digest::of(b"other") };
        assert_eq!(verdict(&file.to_fact(id, of, &camera()), &copy, false), expected);
    }
}

#[test]
fn clock_jumps_are_said_and_the_times_kept_as_they_are() {
    let mut backwards = manifest(1, 1);
    backwards.started = "1970-01-01T00:00:10Z".parse().unwrap();
    backwards.stopped = Some("1970-01-01T00:00:00Z".parse().unwrap());
    let plan = recorded(&[backwards.clone()]).plan("bwv-manifest");
    assert_eq!(plan.findings.iter().filter(|f| f.kind == FindingKind::Clock).count(), 2);
    let found = recording(&plan, "R000001");
    assert_eq!((found.started, found.stopped), (Some(backwards.started), backwards.stopped));
    assert!(found.erase_allowed && found.class == Class::Unreviewed);
}

#[test]
fn the_card_of_another_camera_or_with_another_key_is_loud() {
    let mut card = recorded(&[manifest(1, 1)]);
    let mut shown = CameraCard {
        camera: camera(),
        model: "M2".into(),
        firmware: String::new(),
        public_key: Some(key().public()),
    };
    card.put("camera.json", shown.to_bytes());
    let plan = card.plan("bwv-manifest");
    assert_eq!((plan.model.as_deref(), plan.firmware, plan.ignored), (Some("M2"), None, 1));
    assert_eq!(plan.findings, []);
    shown.public_key = Some(CameraKey::from_seed(&[1; 32]).public());
    shown.camera = CameraId::new("BWC-2").unwrap();
    card.contents.insert(path("camera.json"), shown.to_bytes());
    let plan = card.plan("bwv-manifest");
    assert!(has(&plan, FindingKind::KeyDiffers) && has(&plan, FindingKind::CameraDiffers));
}
