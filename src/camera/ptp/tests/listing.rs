//! What a listing holds, and what it makes of the oddities of cameras.

use super::*;

#[test]
fn a_listing_is_sorted_and_has_sizes_and_times() {
    let (mut camera, _pipes) = dock(two_files());
    let listing = camera.list().unwrap();
    assert_eq!(names(&listing), ["DCIM/100/A.MP4", "DCIM/100/B.MP4"]);
    assert_eq!(listing.files[0].size, 2_500_000);
    assert_eq!(listing.files[0].modified_ms, Some(1_772_366_400_000));
    assert!(listing.caveats.is_empty());
}

#[test]
fn an_empty_camera_and_one_without_a_card_hold_nothing() {
    let (mut camera, pipes) = dock(SimResponder::new());
    assert_eq!(camera.list().unwrap(), Listing::default());
    pipes.camera().storages[0].id = 0x0001_0000;
    assert_eq!(camera.list().unwrap(), Listing::default());
    pipes.camera().storages.clear();
    assert_eq!(camera.list().unwrap(), Listing::default());
}

#[test]
fn quirk_the_root_is_zero_or_zero_is_everything() {
    let odd: [fn(&mut Oddities); 3] =
        [|_| {}, |o| o.zero_is_root = true, |o| o.zero_is_everything = true];
    for set in odd {
        let mut sim = two_files();
        set(&mut sim.oddities);
        sim.add_file("C.MP4", b"c");
        let (mut camera, _pipes) = dock(sim);
        for _ in 0..2 {
            let listing = camera.list().unwrap();
            assert_eq!(names(&listing), ["C.MP4", "DCIM/100/A.MP4", "DCIM/100/B.MP4"]);
            assert!(listing.caveats.is_empty(), "{:?}", listing.caveats);
        }
    }
}

#[test]
fn quirk_all_storages_are_never_listed_at_once() {
    let mut sim = two_files();
    sim.oddities.hangs_on_all_storages = true;
    sim.oddities.info_needs_session = true;
    let (mut camera, _pipes) = dock(sim);
    assert_eq!(camera.list().unwrap().files.len(), 2);
}

#[test]
fn quirk_videos_listed_with_no_bytes_get_their_size_or_are_read_to_their_end() {
    for (taken, listed) in [(vec![], 2_500_000), (vec![Operation::GET_OBJECT_PROP_VALUE], 0)] {
        let mut sim = two_files().without(&taken);
        sim.oddities.sizes_are_zero = true;
        let (mut camera, _pipes) = dock(sim);
        assert_eq!(camera.list().unwrap().files[0].size, listed);
        assert!(read(&mut camera, "DCIM/100/A.MP4", 0).unwrap() == pattern(2_500_000));
        assert_eq!(read(&mut camera, "DCIM/100/A.MP4", 2_499_999).unwrap().len(), 1);
        // What does not say its size cannot be compared, and stays.
        let permit = permit_for("DCIM/100/A.MP4", listed, None);
        let erased = camera.erase(&permit);
        assert_eq!(erased.is_ok(), listed > 0, "{erased:?}");
    }
}

#[test]
fn quirk_a_model_is_never_asked_beyond_the_end() {
    const TABLE: &[Entry] = &[Entry {
        model: Model {
            vendor_id: None,
            product_id: None,
            manufacturer: Some("bwvdock"),
            model: None,
            version: None,
        },
        needs: &[Need::ExactReads],
        because: "a test",
    }];
    let mut sim = two_files();
    sim.oddities.refuses_beyond_end = true;
    let (mut camera, pipes) = dock(sim);
    camera.quirks = Quirks::matching(TABLE, None, Some(camera.info()));
    assert_eq!(read(&mut camera, "DCIM/100/B.MP4", 0).unwrap(), b"bbb");
    assert_eq!(count(&pipes, Operation::GET_PARTIAL_OBJECT_64), 1);
}

#[test]
fn quirk_a_model_whose_partial_reads_are_wrong_is_read_whole() {
    let (mut camera, pipes) = dock(two_files());
    const TABLE: &[Entry] = &[Entry {
        model: Model {
            vendor_id: Some(1),
            product_id: None,
            manufacturer: None,
            model: None,
            version: None,
        },
        needs: &[Need::WholeReads],
        because: "a test",
    }];
    camera.quirks = Quirks::matching(TABLE, Some((1, 2)), None);
    assert_eq!(read(&mut camera, "DCIM/100/B.MP4", 1).unwrap(), b"bb");
    assert_eq!(count(&pipes, Operation::GET_PARTIAL_OBJECT_64), 0);
}

#[test]
fn what_only_a_listing_of_everything_names_is_still_listed() {
    let mut sim = SimResponder::new();
    sim.oddities.zero_is_everything = true;
    // Its folder is not there.
    sim.add(SimObject::file(0x0001_0001, 77, "orphan.mp4", b"x"));
    sim.add_file("DCIM/A.MP4", b"a");
    let (mut camera, _pipes) = dock(sim);
    let listing = camera.list().unwrap();
    assert_eq!(names(&listing), ["DCIM/A.MP4", "orphan.mp4"]);
    assert_eq!(listing.caveats.len(), 1);
}

#[test]
fn other_storages_have_a_folder_of_their_own() {
    let mut sim = two_files();
    let card =
        SimStorage { id: 0x0002_0001, access: 0, description: "card".into(), capacity: 1 << 30 };
    sim.storages.push(card);
    sim.add(SimObject::file(0x0002_0001, 0, "C.MP4", b"on the card"));
    let (mut camera, _pipes) = dock(sim);
    let listing = camera.list().unwrap();
    assert_eq!(names(&listing), ["DCIM/100/A.MP4", "DCIM/100/B.MP4", "storage-00020001/C.MP4"]);
    assert_eq!(read(&mut camera, "storage-00020001/C.MP4", 3).unwrap(), b"the card");
    let permit = permit(&mut camera, "storage-00020001/C.MP4");
    camera.erase(&permit).unwrap();
    assert_eq!(camera.list().unwrap().files.len(), 2);
}
