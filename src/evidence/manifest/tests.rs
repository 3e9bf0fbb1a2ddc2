use super::*;
use crate::evidence::{PublicKey, verify_signature};
use proptest::prelude::*;
use std::path::PathBuf;

fn fixtures(kind: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifests").join(kind)
}

fn samples(kind: &str) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = std::fs::read_dir(fixtures(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    assert!(found.len() >= 5);
    found.sort();
    found
}

fn sample(segments: u32) -> Manifest {
    let segment = |index: u32| ManifestSegment {
        index,
        name: SourcePath::new(format!("{index:06}.mp4")).unwrap(),
        size: u64::from(index) + (5 << 32),
        sha256: Sha256Digest::of(&index.to_le_bytes()),
        started: None,
        ended: None,
        partial: false,
    };
    Manifest {
        camera: CameraId::new("BWC-1").unwrap(),
        model: "M".into(),
        firmware: "1".into(),
        sequence: 2,
        previous: Sha256Digest::of(b"1"),
        recording: "R000002".into(),
        officer: None,
        started: "2026-03-14T22:15:03Z".parse().unwrap(),
        stopped: None,
        evidential: true,
        flags: vec!["kept".into()],
        bookmarks: Vec::new(),
        segments: (1..=segments).map(segment).collect(),
        sidecars: Vec::new(),
    }
}

#[test]
fn every_good_sample_is_read_and_survives_writing() {
    for (name, bytes) in samples("good") {
        let manifest = Manifest::parse(&bytes).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_eq!(Manifest::parse(&manifest.to_bytes()).unwrap(), manifest, "{name}");
    }
}

#[test]
fn every_bad_sample_is_refused() {
    for (name, bytes) in samples("bad") {
        assert!(Manifest::parse(&bytes).is_err(), "{name}");
    }
}

#[test]
fn what_openssl_signed_verifies_here_and_not_when_a_byte_differs() {
    let read = |name| std::fs::read(fixtures("signed").join(name)).unwrap();
    let (mut bytes, signature) = (read("manifest.json"), read("manifest.json.sig"));
    let key = PublicKey::parse(&String::from_utf8(read("camera.pem")).unwrap()).unwrap();
    assert!(verify_signature(&bytes, &signature, &key));
    bytes.push(b'\n');
    assert!(!verify_signature(&bytes, &signature, &key));
}

#[test]
fn another_version_is_refused_in_words_before_anything_else_is_read() {
    let error = Manifest::parse(br#"{"format":"bwv-manifest","version":2,"new":[]}"#).unwrap_err();
    assert_eq!(error.to_string(), "the manifest is of version 2; this program reads version 1");
    let error = Manifest::parse(br#"{"format":"other"}"#).unwrap_err();
    assert!(matches!(error, ManifestError::Format { found } if found == "other"));
}

#[test]
fn path_traversal_and_absolute_paths_are_refused_even_when_escaped() {
    let text = String::from_utf8(sample(1).to_bytes()).unwrap();
    for bad in ["../x", "a/../../x", "/etc/passwd", "", "a//b", "\\\\x2e\\\\x2e/x", "\\\\x2fx"] {
        let changed = text.replace("000001.mp4", bad);
        let error = Manifest::parse(changed.as_bytes()).unwrap_err();
        assert!(matches!(error, ManifestError::Json(_)), "{bad}: {error:?}");
    }
}

#[test]
fn non_utf8_names_are_carried_escaped_and_raw_non_utf8_json_is_refused() {
    let mut manifest = sample(1);
    manifest.segments[0].name = SourcePath::new(*b"caf\xe9.mp4").unwrap();
    let bytes = manifest.to_bytes();
    assert!(String::from_utf8(bytes.clone()).unwrap().contains(r"caf\\xe9.mp4"));
    assert_eq!(Manifest::parse(&bytes).unwrap(), manifest);
    let raw = String::from_utf8(bytes).unwrap().replace(r"\\xe9", "!").into_bytes();
    let raw: Vec<u8> = raw.into_iter().map(|b| if b == b'!' { 0xe9 } else { b }).collect();
    assert!(matches!(Manifest::parse(&raw), Err(ManifestError::Json(_))));
}

#[test]
fn a_name_used_twice_is_refused_among_segments_and_sidecars() {
    let mut manifest = sample(2);
    manifest.segments[1].name = manifest.segments[0].name.clone();
    assert!(matches!(manifest.check(), Err(ManifestError::Duplicate(_))));
    let mut manifest = sample(2);
    let ManifestSegment { name, size, sha256, .. } = manifest.segments[1].clone();
    manifest.sidecars.push(ManifestSidecar { name, size, sha256 });
    assert!(matches!(manifest.check(), Err(ManifestError::Duplicate(_))));
}

#[test]
fn a_segment_number_left_out_or_out_of_order_is_refused() {
    for (at, index) in [(0, 0), (0, 2), (1, 1), (1, 3)] {
        let mut manifest = sample(2);
        manifest.segments[at].index = index;
        assert!(matches!(manifest.check(), Err(ManifestError::Order { .. })), "{at} {index}");
    }
}

#[test]
fn fifty_thousand_segments_are_read_and_one_more_is_refused() {
    let manifest = sample(50_000);
    let bytes = manifest.to_bytes();
    assert!(bytes.len() < Manifest::BYTES_MAX);
    assert_eq!(Manifest::parse(&bytes).unwrap().segments.len(), 50_000);
    let error = Manifest::parse(&sample(50_001).to_bytes()).unwrap_err();
    assert!(matches!(error, ManifestError::TooMany { what: "segments", found: 50_001, .. }));
}

#[test]
fn sizes_beyond_32_bits_are_exact_and_beyond_64_bits_refused() {
    let mut manifest = sample(1);
    manifest.segments[0].size = u64::MAX;
    let bytes = manifest.to_bytes();
    assert_eq!(Manifest::parse(&bytes).unwrap().segments[0].size, u64::MAX);
    let text =
        String::from_utf8(bytes).unwrap().replace(&u64::MAX.to_string(), "18446744073709551616");
    assert!(matches!(Manifest::parse(text.as_bytes()), Err(ManifestError::Json(_))));
}

#[test]
fn a_file_beyond_the_bound_is_not_even_looked_at() {
    let bytes = vec![b' '; Manifest::BYTES_MAX + 1];
    assert!(matches!(Manifest::parse(&bytes), Err(ManifestError::TooLong { .. })));
}

#[test]
fn deep_nesting_and_repeated_fields_are_refused() {
    let deep = [b"{\"format\":\"bwv-manifest\",\"x\":".to_vec(), vec![b'['; 100_000]].concat();
    assert!(matches!(Manifest::parse(&deep), Err(ManifestError::Json(_))));
    let text = String::from_utf8(sample(1).to_bytes()).unwrap();
    let twice = text.replacen("\"sequence\": 2", "\"sequence\": 2, \"sequence\": 3", 1);
    assert_ne!(text, twice);
    assert!(matches!(Manifest::parse(twice.as_bytes()), Err(ManifestError::Json(_))));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = Manifest::parse(&bytes);
    }

    #[test]
    fn a_damaged_manifest_never_panics_and_never_verifies(at in 0_usize..700, byte: u8) {
        let bytes = sample(2).to_bytes();
        let key = crate::evidence::CameraKey::from_seed(&[3; 32]);
        let signature = key.sign(&bytes);
        let mut damaged = bytes.clone();
        let at = at % damaged.len();
        damaged[at] = byte;
        let _ = Manifest::parse(&damaged);
        let same = damaged == bytes;
        prop_assert_eq!(verify_signature(&damaged, &signature, &key.public()), same);
    }
}
