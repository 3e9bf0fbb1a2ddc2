use super::*;
use crate::{evidence::CameraKey, types::FileEntry};
use proptest::prelude::*;

fn shipped(name: &str) -> Profile {
    Profile::shipped().into_iter().find(|p| p.name() == name).unwrap()
}

fn id(text: &str) -> CameraId {
    CameraId::new(text).unwrap()
}

fn listing(paths: &[&str]) -> Listing {
    let entry = |path: &&str| FileEntry {
        path: SourcePath::new(*path).unwrap(),
        size: 1,
        modified_ms: None,
        mark: None,
    };
    Listing { files: paths.iter().map(entry).collect(), ..Listing::default() }
}

fn card(camera: &str) -> CameraCard {
    CameraCard {
        camera: id(camera),
        model: "M".into(),
        firmware: String::new(),
        public_key: Some(CameraKey::from_seed(&[1; 32]).public()),
    }
}

fn with_card(bytes: Vec<u8>) -> BTreeMap<SourcePath, Vec<u8>> {
    BTreeMap::from([(SourcePath::new("camera.json").unwrap(), bytes)])
}

#[test]
fn a_card_survives_writing() {
    assert_eq!(CameraCard::parse(&card("BWC-1").to_bytes()).unwrap(), card("BWC-1"));
}

#[test]
fn bad_cards_are_refused_by_name() {
    let text = String::from_utf8(card("BWC-1").to_bytes()).unwrap();
    let parse = |text: String| CameraCard::parse(text.as_bytes()).unwrap_err();
    let version = parse(text.replace("\"version\": 1", "\"version\": 2"));
    assert!(matches!(version, CardError::Format { .. }), "{version:?}");
    assert!(matches!(parse(text.replace("BWC-1", "../1")), CardError::Json(_)));
    assert!(matches!(parse(text.replace("\"M\"", "\"M\\n\"")), CardError::Text));
    let key = card("BWC-1").public_key.unwrap().to_base64();
    assert!(matches!(parse(text.replace(&key, "AAAA")), CardError::Key(_)));
    assert!(matches!(parse(" ".repeat(CameraCard::BYTES_MAX + 1)), CardError::TooLong));
}

#[test]
fn the_card_says_who_it_is_and_a_bad_card_is_never_passed_over() {
    let profile = shipped("bwv-manifest");
    let files = listing(&["camera.json"]);
    let good = with_card(card("BWC-1").to_bytes());
    let of = |small, configured: Option<&CameraId>| {
        identify(&profile, &files, small, Known { configured, usb_serial: None })
    };
    assert_eq!(of(&good, None).unwrap(), id("BWC-1"));
    assert_eq!(of(&good, Some(&id("BWC-1"))).unwrap(), id("BWC-1"));
    assert!(matches!(of(&good, Some(&id("X"))), Err(IdentityError::Differs { .. })));
    let bad = with_card(b"{}".to_vec());
    assert!(matches!(of(&bad, Some(&id("X"))), Err(IdentityError::Card { .. })));
    let none = BTreeMap::new();
    assert!(matches!(of(&none, None), Err(IdentityError::NoCard(_))));
    assert_eq!(of(&none, Some(&id("X"))).unwrap(), id("X"));
}

#[test]
fn file_names_say_who_it_is_as_long_as_they_agree() {
    let profile = shipped("clip-folders");
    let of = |paths: &[&str], configured: Option<&CameraId>| {
        identify(
            &profile,
            &listing(paths),
            &BTreeMap::new(),
            Known { configured, usb_serial: None },
        )
    };
    let (a, b) = ("A1_BWC7_20260314T221503Z/1.mp4", "A1_BWC8_20260314T221503Z/1.mp4");
    assert_eq!(of(&[a, "readme.txt"], None).unwrap(), id("BWC7"));
    assert!(matches!(of(&[a, b], None), Err(IdentityError::Several(..))));
    assert!(matches!(of(&["x.mp4"], None), Err(IdentityError::NoSerial)));
    assert_eq!(of(&["x.mp4"], Some(&id("X"))).unwrap(), id("X"));
}

#[test]
fn a_card_without_identity_needs_the_configuration() {
    let profile = shipped("generic-dcim");
    let files = listing(&["DCIM/100/A.MP4"]);
    let error = identify(&profile, &files, &BTreeMap::new(), Known::default());
    assert!(matches!(error, Err(IdentityError::NotConfigured)));
    let stick = id("STICK-1");
    let known = Known { configured: Some(&stick), usb_serial: None };
    let found = identify(&profile, &files, &BTreeMap::new(), known);
    assert_eq!(found.unwrap(), id("STICK-1"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = CameraCard::parse(&bytes);
    }
}

#[test]
fn an_empty_card_is_one_with_nothing_on_it_and_nothing_unread() {
    let of = |profile: &Profile, listing: &Listing| {
        let error = identify(profile, listing, &BTreeMap::new(), Known::default()).unwrap_err();
        is_empty_card(profile, listing, &error)
    };
    let clips = shipped("clip-folders");
    assert!(of(&clips, &Listing::default()));
    assert!(of(&Profile::unrecognised(), &Listing::default()));
    assert!(of(&shipped("bwv-manifest"), &Listing::default()));
    let linked = Listing { caveats: vec!["x: a link".into()], ..Listing::default() };
    assert!(of(&clips, &linked), "what is no file is nothing to copy");
    let locked = Listing { unread: vec!["x: may not be read".into()], ..Listing::default() };
    assert!(!of(&clips, &locked), "nobody knows whether that is empty");
    assert!(!of(&Profile::unrecognised(), &listing(&["stray.bin"])));
    assert!(!of(&clips, &listing(&["A1_C1_20260314T221503Z.mp4.part"])));
}
