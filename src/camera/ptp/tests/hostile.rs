//! Names, trees and answers that no honest camera gives.

use super::*;

#[test]
fn names_that_are_no_names_are_made_safe_and_told() {
    let mut sim = SimResponder::new();
    for name in ["..", ".", "", "a/../../b", "/etc/passwd", "n\0ul", "\u{1F4F9}.mp4"] {
        sim.add_file("x", b"x");
        sim.objects.values_mut().last().unwrap().name = name.encode_utf16().collect();
    }
    let lone = sim.add_file("x", b"lone");
    sim.objects.get_mut(&lone).unwrap().name = vec![0xD83D, u16::from(b'!')];
    let (mut camera, _pipes) = dock(sim);
    let listing = camera.list().unwrap();
    let mut expected = [
        "%2E",
        "%2E%2E",
        "%2Fetc%2Fpasswd",
        "a%2F..%2F..%2Fb",
        "n%00ul",
        "unnamed",
        "\u{1F4F9}.mp4",
        "\\xed\\xa0\\xbd!",
    ];
    expected.sort_unstable();
    let mut names = names(&listing);
    names.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(listing.caveats.len(), 6);
    for file in &listing.files {
        let mut bytes = Vec::new();
        camera.open(&file.path, 0).unwrap().read_to_end(&mut bytes).unwrap();
        assert!(bytes == b"x" || bytes == b"lone");
    }
}

#[test]
fn files_of_one_name_are_all_listed_and_none_of_them_erased() {
    let mut sim = SimResponder::new();
    for content in [b"first", b"other", b"third"] {
        sim.add_file("DCIM/A.MP4", content);
    }
    // One that looks as if it were renamed.
    sim.add_file("DCIM/A.MP4 (2)", b"decoy");
    let (mut camera, pipes) = dock(sim);
    let listing = camera.list().unwrap();
    assert_eq!(listing.files.len(), 4);
    assert!(listing.files.is_sorted_by(|a, b| a.path < b.path));
    let again = camera.list().unwrap();
    assert_eq!(listing, again);
    let mut contents = Vec::new();
    for file in &listing.files {
        contents.push(read(&mut camera, &file.path.to_string(), 0).unwrap());
        let permit = permit_for(&file.path.to_string(), file.size, file.modified_ms);
        assert!(matches!(camera.erase(&permit), Err(CameraError::Changed { .. })));
    }
    contents.sort();
    assert_eq!(contents, [b"decoy", b"first", b"other", b"third"]);
    assert_eq!(pipes.camera().objects.len(), 5);
}

#[test]
fn folders_in_a_circle_and_without_end_are_bounded() {
    let mut sim = SimResponder::new();
    let a = sim.add(SimObject::folder(0x0001_0001, 0, "a"));
    let b = sim.add(SimObject::folder(0x0001_0001, a, "b"));
    sim.add_file("a/b/x", b"x");
    // The camera says of `a` that it lies in `b` and still names it in the root: no way in.
    sim.objects.get_mut(&a).unwrap().parent = b;
    sim.add_file("ok", b"ok");
    let (mut camera, _pipes) = dock(sim);
    assert_eq!(names(&camera.list().unwrap()), ["ok"]);

    let mut sim = SimResponder::new();
    sim.oddities.zero_is_everything = true;
    let a = sim.add(SimObject::folder(0x0001_0001, 0, "a"));
    sim.objects.get_mut(&a).unwrap().parent = a;
    sim.add(SimObject::file(0x0001_0001, a, "x", b"x"));
    let (mut camera, _pipes) = dock(sim);
    let listing = camera.list().unwrap();
    assert_eq!(names(&listing), ["a/x"]);
    assert!(!listing.caveats.is_empty());

    let mut sim = SimResponder::new();
    let deep = vec!["d"; DEPTH_MAX + 5].join("/");
    sim.add_file(&format!("{deep}/x"), b"x");
    let (mut camera, _pipes) = dock(sim);
    let listing = camera.list().unwrap();
    assert!(listing.files.is_empty() && listing.unread[0].contains("too deep"));
}

#[test]
fn too_many_files_are_refused_and_caveats_are_bounded() {
    let mut sim = SimResponder::new();
    let many = u32::try_from(crate::ptp::HANDLES_MAX).unwrap() + 1;
    let handles: Vec<u8> =
        std::iter::once(many).chain(1..=many).flat_map(u32::to_le_bytes).collect();
    let length = u32::try_from(handles.len() + 12).unwrap();
    let header = [&length.to_le_bytes()[..], &[2, 0, 7, 0x10], &3u32.to_le_bytes()].concat();
    sim.faults.push(SimFault::once(
        Operation::GET_OBJECT_HANDLES,
        Trouble::Garbage([header, handles].concat()),
    ));
    let (mut camera, pipes) = dock(sim);
    assert!(matches!(camera.list(), Err(CameraError::TooMany(FILES_MAX))));
    for _ in 0..TOLD_MAX + 7 {
        let _ = pipes.camera().add_file("..", b"");
    }
    let listing = camera.list().unwrap();
    assert!(listing.files.len() == TOLD_MAX + 7 && listing.caveats.len() == TOLD_MAX + 1);
}

#[test]
fn an_object_that_cannot_be_described_is_told_and_the_rest_is_listed() {
    let (mut camera, pipes) = dock(two_files());
    let trouble = Trouble::Refuse(0x2002);
    pipes.camera().faults.push(SimFault::once(Operation::GET_OBJECT_INFO, trouble));
    pipes.camera().add_file("ok.mp4", b"ok");
    let listing = camera.list().unwrap();
    assert_eq!(listing.unread.len(), 1, "{:?}", listing.unread);
    assert!(listing.unread[0].contains("failed without saying why"));
    // It was the folder DCIM.
    assert_eq!(names(&listing), ["ok.mp4"]);
}

#[test]
fn a_listing_is_whole_or_an_error() {
    let (mut camera, pipes) = dock(two_files());
    pipes.camera().faults.push(SimFault {
        operation: Some(Operation::GET_OBJECT_INFO),
        times: 2,
        trouble: Trouble::Silence,
    });
    assert!(matches!(camera.list(), Err(CameraError::Io { .. })));
    assert_eq!(camera.list().unwrap().files.len(), 2);
    pipes.camera().gone = true;
    assert!(matches!(camera.list(), Err(CameraError::Gone)));
    assert!(!camera.is_present());
}

#[test]
fn a_camera_that_talks_nonsense_for_good_is_wedged_and_still_there() {
    let (mut camera, pipes) = dock(two_files());
    assert!(!camera.is_wedged());
    let trouble = Trouble::Endless { claimed: 50 };
    pipes.camera().faults.push(SimFault { operation: None, times: u32::MAX, trouble });
    let failures = (0..10).filter(|_| camera.list().is_err()).count();
    assert!(failures == 10 && camera.is_wedged() && camera.is_present());
    // A power cycle makes it another docking.
    pipes.camera().faults.clear();
    pipes.camera().forget_session();
    assert_eq!(dock_again(pipes).list().unwrap().files.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever objects a camera makes up: every listing ends, every path is its own, and what is
    /// listed can be read or says why not.
    #[test]
    fn any_tree_of_objects_is_listed_or_refused(
        objects in prop::collection::vec(
            (0u32..12, prop::bool::weighted(0.3), prop::collection::vec(any::<u16>(), 0..4), any::<u8>()),
            0..12,
        ),
        oddity in 0u8..4,
    ) {
        let mut sim = SimResponder::new();
        for (parent, is_folder, name, byte) in objects {
            let mut object = SimObject::file(0x0001_0001, parent, "", &[byte]);
            object.name = name;
            object.format = if is_folder { 0x3001 } else { 0x3000 };
            sim.add(object);
        }
        match oddity {
            1 => sim.oddities.zero_is_everything = true,
            2 => sim.oddities.zero_is_root = true,
            3 => sim.oddities.sizes_are_zero = true,
            _ => {}
        }
        let (mut camera, _pipes) = dock(sim);
        let listing = camera.list().unwrap();
        prop_assert!(listing.files.is_sorted_by(|a, b| a.path < b.path));
        prop_assert_eq!(&camera.list().unwrap(), &listing);
        for file in &listing.files {
            let mut bytes = Vec::new();
            camera.open(&file.path, 0).unwrap().read_to_end(&mut bytes).unwrap();
            prop_assert_eq!(bytes.len() as u64, 1);
        }
    }
}
