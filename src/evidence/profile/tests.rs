use super::*;
use crate::types::FileEntry;
use proptest::prelude::*;
use std::{error::Error as _, sync::LazyLock};

const LEAST: &str = r#"
name = "least"
[identity]
from = "configured"
[layout]
media = ["*.mp4"]
[recordings]
group = "file"
[manifest]
kind = "none"
"#;

static SHIPPED: LazyLock<Vec<Profile>> = LazyLock::new(Profile::shipped);

fn path(text: &str) -> SourcePath {
    SourcePath::new(text).unwrap()
}

fn listing(paths: &[&str]) -> Listing {
    let entry =
        |text: &&str| FileEntry { path: path(text), size: 1, modified_ms: None, mark: None };
    Listing { files: paths.iter().map(entry).collect(), ..Listing::default() }
}

fn shipped(name: &str) -> Profile {
    Profile::shipped().into_iter().find(|p| p.name() == name).unwrap()
}

/// The error and its causes, for reading in tests only.
fn words(text: &str) -> String {
    let error = Profile::parse(text).map(|p| p.name().to_owned()).unwrap_err();
    format!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default())
}

#[test]
fn the_shipped_profiles_are_read_and_named_as_their_files() {
    let names: Vec<String> = Profile::shipped().iter().map(|p| p.name().to_owned()).collect();
    assert_eq!(names, ["bwv-manifest", "clip-folders", "generic-dcim"]);
    assert!(!shipped("generic-dcim").erase_allowed());
}

#[test]
fn erasing_is_not_allowed_unless_said() {
    assert!(!Profile::parse(LEAST).unwrap().erase_allowed());
}

#[test]
fn unknown_keys_are_refused_with_the_known_ones() {
    let top = words(&format!("colour = 1\n{LEAST}"));
    assert!(top.contains("colour") && top.contains("erase_allowed"), "{top}");
    let nested = words(&LEAST.replace("media =", "files = []\nmedia ="));
    assert!(nested.contains("files") && nested.contains("sidecars"), "{nested}");
    let value = words(&LEAST.replace("\"file\"", "\"day\""));
    assert!(value.contains("day") && value.contains("folder"), "{value}");
}

#[test]
fn contradictions_are_refused_with_the_key_that_is_wrong() {
    for (from, to, key) in [
        ("least", "Least", "name"),
        ("[\"*.mp4\"]", "[]", "layout.media"),
        ("*.mp4", "[", "layout.media"),
        ("\"file\"", "\"manifest\"", "recordings.group"),
        ("\"file\"", "\"pattern\"", "recordings.group_by"),
        ("\"file\"", "\"pattern\"\ngroup_by = [\"time\"]", "recordings.group"),
        ("\"file\"", "\"file\"\ngroup_by = [\"time\"]", "recordings.group_by"),
        ("\"configured\"", "\"pattern\"", "identity.from"),
        ("\"configured\"", "\"pattern\"\n[pattern]\nregex = \"x\"", "identity.from"),
        ("\"configured\"", "\"file\"\nfile = \"../x\"", "identity.file"),
        ("\"configured\"", "\"configured\"\nfile = \"x\"", "identity.file"),
        ("\"none\"", "\"hash-list\"", "manifest.files"),
        ("\"none\"", "\"none\"\nfiles = [\"x\"]", "manifest.files"),
        ("\"none\"", "\"none\"\nrequired = true", "manifest.required"),
        ("\"none\"", "\"none\"\nrequire_signature = true", "manifest.require_signature"),
        ("\"none\"", "\"none\"\n[match]\nusb = [\"1d6b-0104\"]", "match.usb"),
        ("\"none\"", "\"none\"\n[match]\nusb = [\"+d6b:0104\"]", "match.usb"),
        ("\"none\"", "\"none\"\n[evidential]\npattern = \"(\"", "evidential.pattern"),
        ("\"none\"", "\"none\"\n[pattern]\nregex = \"(?P<place>x)\"", "pattern.regex"),
        ("\"none\"", "\"none\"\n[pattern]\nregex = \"(?P<time>x)\"", "pattern.time_format"),
        ("\"none\"", "\"none\"\n[pattern]\nregex = \"x{1000}{1000}\"", "pattern.regex"),
        ("\"none\"", "\"none\"\n[battery]\nfile = \"../b\"\nformat = \"number\"", "battery.file"),
        ("\"none\"", "\"none\"\n[battery]\nfile = \"b.mp4\"\nformat = \"number\"", "battery.file"),
        ("\"none\"", "\"none\"\n[battery]\nfile = \"b\"\nformat = \"json\"", "battery.pointer"),
        ("\"none\"", "\"none\"\n[battery]\nfile = \"b\"\nformat = \"key-value\"", "battery.key"),
    ] {
        assert_ne!(LEAST.replacen(from, to, 1), LEAST);
        match Profile::parse(&LEAST.replacen(from, to, 1)) {
            Err(ProfileError::Value { key: found, .. }) => assert_eq!(found, key, "{to}"),
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn time_formats_and_zones_are_checked_when_the_profile_is_read() {
    let with = |lines: &str| {
        let pattern = format!("\n[pattern]\nregex = '(?P<time>[0-9_]+)'\n{lines}\n");
        Profile::parse(&format!("{LEAST}{pattern}"))
    };
    let time = |profile: &Profile, text| profile.fields(&path(text)).unwrap().started;
    for bad in [
        "time_format = '%Y%m'",
        "time_format = '%Y%m%d'",
        "time_format = '%Y%m%d_%I%M%S'",
        "time_format = '%Y%m%d_%Q!'",
        "time_format = '%Y%m%d_%H%M%S'\ntime_zone = 'Europe/London'",
    ] {
        assert!(matches!(with(bad), Err(ProfileError::Value { .. })), "{bad}");
    }
    let utc = with("time_format = '%Y%m%d_%H%M%S'").unwrap();
    assert_eq!(time(&utc, "20260714_120000").unwrap().to_string(), "2026-07-14T12:00:00Z");
    assert_eq!(time(&utc, "20261340_120000"), None);
    let local = "time_format = '%Y%m%d_%H%M%S'\ntime_zone = 'GMT0BST,M3.5.0/1,M10.5.0/2'";
    let local = with(local).unwrap();
    assert_eq!(time(&local, "20260714_120000").unwrap().to_string(), "2026-07-14T11:00:00Z");
    assert_eq!(time(&local, "20260114_120000").unwrap().to_string(), "2026-01-14T12:00:00Z");
}

#[test]
fn clip_folder_names_say_officer_serial_time_and_number() {
    let profile = shipped("clip-folders");
    let fields = profile.fields(&path("A1_BWC7_20260314T221503Z/clip_012.mp4")).unwrap();
    assert_eq!(fields.officer.as_deref(), Some("A1"));
    assert_eq!(fields.serial.as_deref(), Some("BWC7"));
    assert_eq!(fields.started.unwrap().to_string(), "2026-03-14T22:15:03Z");
    assert_eq!(fields.segment, Some(12));
    assert_eq!(fields.key.as_deref(), Some("A1_BWC7_20260314T221503Z"));
    assert_eq!(profile.fields(&path("A1_BWC7_2026/clip.mp4")), None);
    let bytes = SourcePath::new(*b"A\xff_BWC7_20260314T221503Z/1.mp4").unwrap();
    let fields = profile.fields(&bytes).unwrap_or_default();
    assert_eq!((fields.officer, fields.key), (None, None));
}

#[test]
fn globs_ignore_case_stay_in_their_folder_and_take_any_bytes() {
    let profile = shipped("generic-dcim");
    let role = |bytes: &[u8]| profile.role(&SourcePath::new(bytes).unwrap());
    assert_eq!(role(b"dcim/100MEDIA/a.mp4"), Role::Media);
    assert_eq!(role(b"DCIM/100/caf\xe9.MP4"), Role::Media);
    assert_eq!(role(b"DCIM/100/A.THM"), Role::Sidecar);
    assert_eq!(role(b"SHA256SUMS"), Role::Manifest);
    assert_eq!(role(b"DCIM/.Trashes/1/a.mp4"), Role::Ignored);
    assert_eq!(role(b"System Volume Information/IndexerVolumeGuid"), Role::Ignored);
    assert_eq!(role(b"DCIM/THUMBS.DB"), Role::Ignored);
    assert_eq!(role(b"MISC/a.mp4"), Role::Unknown);
    let profile = shipped("bwv-manifest");
    let role = |bytes: &[u8]| profile.role(&SourcePath::new(bytes).unwrap());
    assert_eq!(role(b"camera.json"), Role::Identity);
    assert_eq!(role(b"R1/manifest.json"), Role::Manifest);
    assert_eq!(role(b"R1/manifest.json.sig"), Role::Signature);
    assert_eq!(role(b"R1/a/b.mp4"), Role::Unknown);
    assert_eq!(role(b"R1/other.sig"), Role::Unknown);
}

#[test]
fn the_file_that_tells_the_battery_is_no_footage_and_not_left_out_either() {
    let text = format!("{LEAST}\n[battery]\nfile = \"BATTERY\"\nformat = \"number\"\n");
    let profile = Profile::parse(&text).unwrap();
    assert_eq!(profile.role(&path("BATTERY")), Role::Status);
    assert_eq!(profile.role(&path("battery")), Role::Unknown, "another file is kept");
    let card = listing(&["BATTERY", "a.mp4"]);
    assert!(profile.small_files(&card).is_empty());
    let plan = crate::evidence::plan(
        &profile,
        &card,
        &std::collections::BTreeMap::new(),
        &"C1".parse().unwrap(),
        &crate::evidence::KeyRing::default(),
    );
    let files: Vec<_> = plan.recordings.iter().flat_map(|r| &r.files).collect();
    assert_eq!(files.len(), 1, "{plan:?}");
    assert_eq!(plan.findings, []);
}

#[test]
fn the_profile_that_asks_for_more_wins_and_among_equals_the_first() {
    let make = |name: &str, require: &str| {
        let text = LEAST.replace("least", name);
        Profile::parse(&format!("{text}\n[match]\nrequire = {require}")).unwrap()
    };
    let profiles = [
        make("never", "[]"),
        make("one", "[\"a\"]"),
        make("uno", "[\"b\"]"),
        make("two", "[\"a\", \"b\"]"),
        make("due", "[\"b\", \"a\"]"),
    ];
    let chosen = |paths: &[&str]| choose(&profiles, &listing(paths), None).map(Profile::name);
    assert_eq!(chosen(&["a"]), Some("one"));
    assert_eq!(chosen(&["b"]), Some("uno"));
    assert_eq!(chosen(&["b", "a"]), Some("two"));
    assert_eq!(chosen(&["c"]), None);
    assert_eq!(chosen(&[]), None);
}

#[test]
fn the_shipped_profiles_recognise_their_cameras() {
    let profiles = Profile::shipped();
    let chosen = |paths: &[&str]| choose(&profiles, &listing(paths), None).map(Profile::name);
    assert_eq!(chosen(&["camera.json"]), Some("bwv-manifest"));
    assert_eq!(chosen(&["camera.json", "DCIM/a.mp4"]), Some("bwv-manifest"));
    assert_eq!(chosen(&["A1_B2_20260314T221503Z/1.mp4"]), Some("clip-folders"));
    assert_eq!(chosen(&["DCIM/100MEDIA/A.MP4"]), Some("generic-dcim"));
    assert_eq!(chosen(&["holiday.jpg"]), None);
}

#[test]
fn small_files_are_bounded_one_by_one_and_in_all() {
    let profile = shipped("bwv-manifest");
    let mut files = listing(&["camera.json", "R1/a.mp4"]).files;
    let entry =
        |text: String, size| FileEntry { path: path(&text), size, modified_ms: None, mark: None };
    files.push(entry("R1/manifest.json".into(), (32 << 20) + 1));
    files.push(entry("R1/manifest.json.sig".into(), 2000));
    files.extend((2..6).map(|n| entry(format!("R{n}/manifest.json"), 30 << 20)));
    files.push(entry("R6/manifest.json.sig".into(), 64));
    let wanted = profile.small_files(&Listing { files, ..Listing::default() });
    let names: Vec<String> = wanted.iter().map(|(path, _)| path.to_string()).collect();
    let expected = ["camera.json", "R2/manifest.json", "R3/manifest.json", "R6/manifest.json.sig"];
    assert_eq!(names, expected);
    assert_eq!(wanted[0].1, CameraCard::BYTES_MAX as u64);
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text: String) {
        let _ = Profile::parse(&text);
    }

    #[test]
    fn arbitrary_values_in_the_right_places_never_panic(
        glob: String, regex: String, format: String, zone: String,
    ) {
        let quote = |text: String| toml::Value::String(text).to_string();
        let [glob, regex, format, zone] = [glob, format!("(?P<time>{regex})"), format, zone].map(quote);
        let text = LEAST.replace("\"*.mp4\"", &glob);
        let pattern = format!("[pattern]\nregex = {regex}\ntime_format = {format}\n");
        let _ = Profile::parse(&format!("{text}{pattern}"));
        let _ = Profile::parse(&format!("{text}{pattern}time_zone = {zone}\n"));
    }

    #[test]
    fn arbitrary_paths_never_panic(bytes: Vec<u8>) {
        if let Ok(path) = SourcePath::new(bytes) {
            for profile in SHIPPED.iter() {
                let _ = (profile.role(&path), profile.fields(&path));
            }
        }
    }
}

#[test]
fn a_model_on_usb_gets_the_profile_that_names_it() {
    use crate::types::{UsbClass, UsbDevice};
    let text = |name: &str, matching: &str| {
        format!(
            "name = \"{name}\"\n[match]\n{matching}\n[identity]\nfrom = \"usb\"\n[layout]\n\
             media = [\"**\"]\n[recordings]\ngroup = \"file\"\n[manifest]\nkind = \"none\"\n"
        )
    };
    let profiles = [
        text("by-files", "require = [\"DCIM/**\", \"a\"]"),
        text("by-number", "usb = [\"46f4:0004\"]"),
        text("by-name", "products = [\"Bodycam 3\"]\nrequire = [\"DCIM/**\"]"),
    ]
    .map(|text| Profile::parse(&text).unwrap());
    let device = |id: &str, product: &str| UsbDevice {
        port: "1-1".parse().unwrap(),
        address: 1,
        id: id.parse().unwrap(),
        release: 0,
        class: UsbClass::new(0, 0, 0),
        interfaces: Vec::new(),
        authorised: true,
        maker: None,
        product: Some(product.into()),
        serial: None,
    };
    let chosen = |paths: &[&str], device: Option<&UsbDevice>| {
        choose(&profiles, &listing(paths), device).map(|p| p.name().to_owned())
    };
    let known = device("46f4:0004", "x");
    assert_eq!(chosen(&[], Some(&known)).as_deref(), Some("by-number"), "even if it is empty");
    assert_eq!(chosen(&["DCIM/x", "a"], Some(&known)).as_deref(), Some("by-number"));
    let by_name = device("1111:2222", "Bodycam 3");
    assert_eq!(chosen(&["DCIM/x"], Some(&by_name)).as_deref(), Some("by-name"));
    assert_eq!(chosen(&["x"], Some(&by_name)), None);
    assert_eq!(chosen(&["DCIM/x", "a"], None).as_deref(), Some("by-files"));
    assert_eq!(chosen(&[], None), None, "a folder is never recognised by USB numbers");
}
