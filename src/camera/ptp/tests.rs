use super::{names::TOLD_MAX, walk::DEPTH_MAX, *};
use crate::{
    ptp::{
        SimPipes, SimResponder,
        quirks::{Entry, Model, Need},
        sim::{Content, Oddities, SimBattery, SimFault, SimObject, SimStorage, Trouble},
    },
    types::{SegmentId, fact::Source},
};
use jiff::SignedDuration;
use proptest::prelude::*;
use std::sync::LazyLock;

mod guest;

fn path(text: &str) -> SourcePath {
    SourcePath::new(text).unwrap()
}

fn dock(camera: SimResponder) -> (PtpCamera<SimPipes>, SimPipes) {
    let pipes = SimPipes::new(camera);
    let camera =
        PtpCamera::open(pipes.clone(), None, EraseMode::Allowed, Limits::default()).unwrap();
    (camera, pipes)
}

fn dock_again(pipes: SimPipes) -> PtpCamera<SimPipes> {
    // What was on its way went with the power.
    pipes.clone().class_out(crate::ptp::ClassRequest::DeviceReset, &[], EVENT_WAIT).unwrap();
    PtpCamera::open(pipes, None, EraseMode::Allowed, Limits::default()).unwrap()
}

fn pattern(bytes: usize) -> Vec<u8> {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut data = vec![0; 2_500_000];
        Content::Pattern { seed: 3, bytes: 0 }.copy(0, &mut data);
        data
    });
    BYTES[..bytes].to_vec()
}

/// DCIM/100/A.MP4 with 2.5 MB of pattern, and B.MP4 with three bytes.
fn two_files() -> SimResponder {
    let mut camera = SimResponder::new();
    camera.add_file("DCIM/100/A.MP4", pattern(2_500_000));
    camera.add_file("DCIM/100/B.MP4", b"bbb");
    camera
}

fn names(listing: &Listing) -> Vec<String> {
    listing.files.iter().map(|file| file.path.to_string()).collect()
}

fn read(camera: &mut PtpCamera<SimPipes>, name: &str, offset: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reader = camera.open(&path(name), offset).map_err(|error| match error {
        CameraError::Io { source, .. } => source,
        error => io::Error::other(error),
    });
    reader?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn permit(camera: &mut PtpCamera<SimPipes>, name: &str) -> ErasePermit {
    let listing = camera.list().unwrap();
    let file = listing.files.iter().find(|file| file.path == path(name)).unwrap();
    permit_for(name, file.size, file.modified_ms)
}

fn permit_for(name: &str, size: u64, modified_ms: Option<i64>) -> ErasePermit {
    let source = Source { path: path(name), size, modified_ms, expected: None, mark: None };
    ErasePermit::for_test(SegmentId(uuid::Uuid::nil()), source)
}

fn count(pipes: &SimPipes, operation: Operation) -> usize {
    pipes.camera().asked.iter().filter(|asked| **asked == operation).count()
}

// --- listing -----------------------------------------------------------------------------------

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

// --- reading -----------------------------------------------------------------------------------

/// The three ways to read, by what the camera cannot do.
fn ways() -> [Vec<Operation>; 3] {
    [
        vec![],
        vec![Operation::GET_PARTIAL_OBJECT_64],
        vec![Operation::GET_PARTIAL_OBJECT_64, Operation::GET_PARTIAL_OBJECT],
    ]
}

#[test]
fn reading_starts_at_the_offset_and_ends_at_the_end_in_each_way() {
    for without in ways() {
        let (mut camera, pipes) = dock(two_files().without(&without));
        let whole = pattern(2_500_000);
        for offset in [0, 1, 1_048_575, 1_048_576, 2_499_999, 2_500_000] {
            let read = read(&mut camera, "DCIM/100/A.MP4", offset as u64).unwrap();
            assert!(read == whole[offset..], "{offset} {without:?}");
        }
        assert_eq!(read(&mut camera, "DCIM/100/A.MP4", 9_999_999).unwrap(), b"");
        assert!(matches!(camera.open(&path("DCIM/none"), 0), Err(CameraError::NoSuchFile(_))));
        assert!(matches!(camera.open(&path("DCIM/100"), 0), Err(CameraError::NoSuchFile(_))));
        let whole_reads = count(&pipes, Operation::GET_OBJECT);
        assert_eq!(whole_reads > 0, without.len() == 2);
    }
}

#[test]
fn every_oddity_of_the_wire_gives_the_same_bytes() {
    let odd: [fn(&mut Oddities); 4] = [
        |o| o.refuses_beyond_end = true,
        |o| (o.splits_header, o.omits_empty_packet) = (true, true),
        |o| o.never_announces = true,
        |o| (o.refuses_beyond_end, o.sizes_are_zero) = (true, true),
    ];
    for set in odd {
        for without in ways() {
            for size in [0, 1, 3, 1_048_575, 1_048_576, 1_048_577, 2_097_152] {
                let mut sim = SimResponder::new().without(&without);
                sim.operations.retain(|o| *o != Operation::GET_OBJECT_PROP_VALUE);
                sim.add_file("A", pattern(size));
                set(&mut sim.oddities);
                let (mut camera, _pipes) = dock(sim);
                assert!(read(&mut camera, "A", 0).unwrap() == pattern(size), "{size} {without:?}");
            }
        }
    }
}

#[test]
fn beyond_four_gibibytes_it_is_read_or_refused_in_words_and_never_cut_off() {
    let size = (4u64 << 30) + 1000;
    let sim = |without: &[Operation]| {
        let mut sim = SimResponder::new().without(without);
        sim.add_file("A.MP4", Content::Pattern { seed: 3, bytes: size });
        sim
    };
    let mut tail = vec![0; 600];
    Content::Pattern { seed: 3, bytes: size }.copy(size - 600, &mut tail);

    let (mut camera, _pipes) = dock(sim(&[]));
    assert_eq!(camera.list().unwrap().files[0].size, size);
    assert!(read(&mut camera, "A.MP4", size - 600).unwrap() == tail);

    // Its size cannot be asked: read to the end, and not erased.
    let (mut camera, _pipes) = dock(sim(&[Operation::GET_OBJECT_PROP_VALUE]));
    let listing = camera.list().unwrap();
    assert_eq!(listing.files[0].size, u64::from(u32::MAX));
    assert!(listing.caveats[0].contains("4 GiB"));
    assert!(read(&mut camera, "A.MP4", size - 600).unwrap() == tail);
    let permit = permit_for("A.MP4", listing.files[0].size, None);
    assert!(matches!(camera.erase(&permit), Err(CameraError::Changed { .. })));

    // Neither its size nor a way to its end.
    let none = [Operation::GET_OBJECT_PROP_VALUE, Operation::GET_PARTIAL_OBJECT_64];
    let (mut camera, _pipes) = dock(sim(&none));
    let refused = read(&mut camera, "A.MP4", 0).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
    assert!(refused.to_string().contains("4 GiB"));
}

#[test]
fn a_size_whose_upper_half_was_dropped_is_noticed_and_read_past() {
    let size = (4u64 << 30) + 700;
    let mut sim = SimResponder::new();
    sim.oddities.sizes_wrap = true;
    sim.add_file("A.MP4", Content::Pattern { seed: 3, bytes: size });
    let (mut camera, _pipes) = dock(sim);
    assert_eq!(camera.list().unwrap().files[0].size, 700);
    let mut reader = camera.open(&path("A.MP4"), 0).unwrap();
    let mut bytes = vec![0; 5000];
    reader.read_exact(&mut bytes).expect("it goes on after its listed end");
    let mut expected = vec![0; 5000];
    Content::Pattern { seed: 3, bytes: size }.copy(0, &mut expected);
    assert!(bytes == expected);
}

#[test]
fn a_camera_that_would_send_less_than_it_lists_is_refused_in_words() {
    let mut sim = two_files().without(&ways()[2]);
    sim.faults.push(SimFault::once(
        Operation::GET_OBJECT,
        Trouble::Garbage(
            [&1000u32.to_le_bytes()[..], &[2, 0, 9, 0x10], &9u32.to_le_bytes(), &[0; 988]].concat(),
        ),
    ));
    let (mut camera, _pipes) = dock(sim);
    camera.list().unwrap();
    let mut tries = 0;
    let refused = loop {
        // The fault only fits the transaction that happens to have the number 9.
        tries += 1;
        match read(&mut camera, "DCIM/100/A.MP4", 0) {
            Err(error) => break error,
            Ok(bytes) => assert!(bytes == pattern(2_500_000) && tries < 3),
        }
    };
    assert!(!refused.to_string().is_empty());
}

/// Every fault while a file is read: the bytes up to it are right, going on at the offset gives
/// the rest, as the copy engine does it.
#[test]
fn after_any_fault_reading_goes_on_where_it_stopped() {
    use Trouble::*;
    for without in ways() {
        let operation = match without.len() {
            0 => Operation::GET_PARTIAL_OBJECT_64,
            1 => Operation::GET_PARTIAL_OBJECT,
            _ => Operation::GET_OBJECT,
        };
        for trouble in [
            Silence,
            SilenceAfter(300_000),
            StallAfter(300_000),
            StallAfter(0),
            Truncate(300_000),
            Truncate(0),
            Refuse(0x2019),
            Refuse(0x2002),
            Refuse(0x2003),
            WrongTransaction,
            StaleFirst,
            OutOfOrder,
            WrongCount,
            Garbage(vec![9; 30]),
            Endless { claimed: u32::MAX },
            Endless { claimed: 9_000_000 },
            DoneInSilence,
        ] {
            // Data that goes on for ever is data, if nobody said how much there would be.
            if operation == Operation::GET_OBJECT && matches!(trouble, Endless { .. } | WrongCount)
            {
                continue;
            }
            let (mut camera, pipes) = dock(two_files().without(&without));
            camera.list().unwrap();
            pipes.camera().faults.push(SimFault::once(operation, trouble.clone()));
            let (mut bytes, mut failures) = (Vec::new(), 0);
            let whole = pattern(2_500_000);
            while bytes.len() < whole.len() {
                let opened = camera.open(&path("DCIM/100/A.MP4"), bytes.len() as u64);
                let more = opened.map(|mut reader| reader.read_to_end(&mut bytes));
                assert!(whole.starts_with(&bytes), "{operation} {trouble:?}");
                failures += u32::from(!matches!(more, Ok(Ok(_))));
                assert!(
                    failures < 5,
                    "{operation} {trouble:?}: {:?}",
                    more.map_err(|e| e.to_string())
                );
                assert!(camera.is_present());
            }
            assert!(bytes == whole, "{operation} {trouble:?}");
        }
    }
}

#[test]
fn a_camera_pulled_while_it_is_read_is_gone_and_comes_back_as_another_docking() {
    for without in ways() {
        let (mut camera, pipes) = dock(two_files().without(&without));
        let mut reader = camera.open(&path("DCIM/100/A.MP4"), 0).unwrap();
        reader.read_exact(&mut [0; 1000]).unwrap();
        pipes.camera().gone = true;
        let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(19));
        assert!(!camera.is_present());
        assert!(matches!(camera.open(&path("DCIM/100/B.MP4"), 0), Err(CameraError::Gone)));
        drop((reader, camera));
        pipes.camera().gone = false;
        // The session of before is still open there.
        let mut camera =
            PtpCamera::open(pipes, None, EraseMode::ReadOnly, Limits::default()).unwrap();
        assert!(read(&mut camera, "DCIM/100/A.MP4", 1000).unwrap() == pattern(2_500_000)[1000..]);
    }
}

#[test]
fn two_readers_and_a_listing_in_between_do_not_mix() {
    for without in ways() {
        let (mut camera, _pipes) = dock(two_files().without(&without));
        let whole = pattern(2_500_000);
        let mut a = camera.open(&path("DCIM/100/A.MP4"), 0).unwrap();
        let mut b = camera.open(&path("DCIM/100/A.MP4"), 5).unwrap();
        let (mut from_a, mut from_b) = (vec![0; 1_500_000], vec![0; 1_500_000]);
        a.read_exact(&mut from_a[..700_000]).unwrap();
        b.read_exact(&mut from_b[..900_000]).unwrap();
        assert_eq!(camera.list().unwrap().files.len(), 2);
        a.read_exact(&mut from_a[700_000..]).unwrap();
        b.read_exact(&mut from_b[900_000..]).unwrap();
        assert!(from_a == whole[..1_500_000] && from_b == whole[5..1_500_005], "{without:?}");
    }
}

#[test]
fn an_object_whose_number_became_anothers_is_not_read_for_it() {
    let (mut camera, pipes) = dock(two_files());
    camera.list().unwrap();
    // As after a restart inside the camera: the same handles, other files.
    pipes.camera().forget_session();
    {
        let mut sim = pipes.camera();
        let a = *sim.objects.iter().find(|(_, o)| o.content.len() > 3).unwrap().0;
        let b = *sim.objects.iter().find(|(_, o)| o.content.len() == 3).unwrap().0;
        let (first, second) = (sim.objects[&a].clone(), sim.objects[&b].clone());
        sim.objects.insert(a, second);
        sim.objects.insert(b, first);
    }
    assert_eq!(read(&mut camera, "DCIM/100/B.MP4", 0).unwrap(), b"bbb");
    let permit = permit_for("DCIM/100/B.MP4", 3, Some(1_772_366_400_000));
    camera.erase(&permit).unwrap();
    assert_eq!(names(&camera.list().unwrap()), ["DCIM/100/A.MP4"]);
}

// --- erasing -----------------------------------------------------------------------------------

#[test]
fn erase_deletes_exactly_the_file_of_the_permit() {
    let (mut camera, pipes) = dock(two_files());
    let permit = permit(&mut camera, "DCIM/100/B.MP4");
    camera.erase(&permit).unwrap();
    assert_eq!(names(&camera.list().unwrap()), ["DCIM/100/A.MP4"]);
    assert_eq!(count(&pipes, Operation::DELETE_OBJECT), 1);
    assert!(matches!(camera.erase(&permit), Err(CameraError::NoSuchFile(_))));
}

#[test]
fn erase_compares_size_time_and_kind_immediately_before() {
    let change: [fn(&mut SimObject); 3] = [
        |object| object.content = Content::from(b"bbbb"),
        |object| object.modified = "20260301T120001".into(),
        |object| object.format = 0x3001,
    ];
    for change in change {
        let (mut camera, pipes) = dock(two_files());
        let permit = permit(&mut camera, "DCIM/100/B.MP4");
        change(pipes.camera().objects.values_mut().last().unwrap());
        let refused = camera.erase(&permit);
        assert!(
            matches!(refused, Err(CameraError::Changed { .. } | CameraError::NoSuchFile(_))),
            "{refused:?}"
        );
        assert_eq!(count(&pipes, Operation::DELETE_OBJECT), 0);
    }
}

#[test]
fn what_is_read_only_is_never_asked_to_delete() {
    let change: [fn(&mut SimResponder); 4] = [
        |sim| sim.storages[0].access = 1,
        |sim| sim.storages[0].access = 9,
        |sim| sim.objects.values_mut().for_each(|object| object.protection = 1),
        |sim| sim.operations.retain(|operation| *operation != Operation::DELETE_OBJECT),
    ];
    for change in change {
        let mut sim = two_files();
        change(&mut sim);
        let (mut camera, pipes) = dock(sim);
        let permit = permit(&mut camera, "DCIM/100/B.MP4");
        assert!(matches!(camera.erase(&permit), Err(CameraError::ReadOnly(_))));
        assert_eq!(count(&pipes, Operation::DELETE_OBJECT), 0);
    }
    let pipes = SimPipes::new(two_files());
    let mut camera =
        PtpCamera::open(pipes.clone(), None, EraseMode::ReadOnly, Limits::default()).unwrap();
    let permit = permit(&mut camera, "DCIM/100/B.MP4");
    assert!(matches!(camera.erase(&permit), Err(CameraError::ReadOnly(_))));
    // Read only with deletion is what it says.
    pipes.camera().storages[0].access = 2;
    camera.erase = EraseMode::Allowed;
    camera.erase(&permit).unwrap();
}

#[test]
fn a_camera_that_says_erased_and_is_not_believed() {
    let mut sim = two_files();
    sim.oddities.lies_about_deletion = true;
    let (mut camera, _pipes) = dock(sim);
    let permit = permit(&mut camera, "DCIM/100/B.MP4");
    let error = camera.erase(&permit).unwrap_err();
    assert!(
        matches!(&error, CameraError::Io { source, .. } if source.to_string().contains("still has it"))
    );
}

#[test]
fn an_erasure_without_an_answer_is_found_out_by_looking() {
    for (trouble, erased) in [(Trouble::DoneInSilence, true), (Trouble::Silence, false)] {
        let (mut camera, pipes) = dock(two_files());
        let permit = permit(&mut camera, "DCIM/100/B.MP4");
        pipes.camera().faults.push(SimFault::once(Operation::DELETE_OBJECT, trouble));
        assert_eq!(camera.erase(&permit).is_ok(), erased);
        assert_eq!(count(&pipes, Operation::DELETE_OBJECT), 1);
        let left = camera.list().unwrap().files.len();
        assert_eq!(left, if erased { 1 } else { 2 });
    }
}

// --- battery, clock, events --------------------------------------------------------------------

#[test]
fn battery_in_every_form() {
    for (battery, percent) in [
        (SimBattery::Range(80), Some(80)),
        (SimBattery::OneOf(3, vec![0, 1, 2, 3, 4]), Some(75)),
        (SimBattery::Wide(0x8000), None),
        (SimBattery::Wide(64), Some(64)),
        (SimBattery::ValueOnly(vec![42]), Some(42)),
        (SimBattery::ValueOnly(vec![0, 0x80]), None),
        (SimBattery::None, None),
    ] {
        let mut sim = SimResponder::new();
        sim.battery = battery.clone();
        let (mut camera, _pipes) = dock(sim);
        assert_eq!(camera.battery_percent().unwrap(), percent, "{battery:?}");
    }
    let without = [Operation::GET_DEVICE_PROP_DESC, Operation::GET_DEVICE_PROP_VALUE];
    let (mut camera, _pipes) = dock(SimResponder::new().without(&without[..1]));
    assert_eq!(camera.battery_percent().unwrap(), Some(80));
    let (mut camera, _pipes) = dock(SimResponder::new().without(&without));
    assert_eq!(camera.battery_percent().unwrap(), None);
}

/// A camera whose clock goes wrong by `offset`; and the dock's time, for any moment of the cable's.
fn clocked(offset: SignedDuration, form: &str) -> (PtpCamera<SimPipes>, impl Fn() -> Timestamp) {
    let start: Timestamp = "2026-03-01T12:00:00.250Z".parse().unwrap();
    let mut sim = SimResponder::new();
    sim.clock = Some((offset, start));
    sim.clock_form = form.into();
    sim.latency = std::time::Duration::from_millis(7);
    let (camera, pipes) = dock(sim);
    let now = move || {
        let mut pipes = pipes.clone();
        pipes.pause(std::time::Duration::ZERO);
        start.checked_add(SignedDuration::try_from(pipes.elapsed()).unwrap()).unwrap()
    };
    (camera, now)
}

#[test]
fn the_clock_is_measured_with_half_the_way_and_half_the_resolution() {
    for (form, error_ms) in [
        ("20200101T000000", 520),
        ("20200101T000000Z", 520),
        ("20200101T000000.0", 70),
        ("20200101T000000.0+0100", 70),
    ] {
        for seconds in [0, 1, -3600, 86_400 * 400] {
            let (mut camera, now) = clocked(SignedDuration::from_secs(seconds), form);
            let measured = camera.clock_offset(now(), true).unwrap().unwrap();
            let error = (measured.camera_minus_dock_ms - seconds * 1000).abs();
            assert!(error <= error_ms && measured.dock_synchronised, "{form} {seconds}: {error}");
        }
    }
}

#[test]
fn the_clock_is_set_only_from_a_synchronised_dock_and_told_before_and_after() {
    for form in ["20200101T000000", "20200101T000000.0", "20200101T000000Z"] {
        let (mut camera, now) = clocked(SignedDuration::from_hours(-30), form);
        assert!(!camera.clock_offset(now(), false).unwrap().unwrap().dock_synchronised);
        let refused = camera.set_clock(now(), Offset::UTC, false);
        assert!(matches!(refused, Err(CameraError::Io { .. })));
        let untouched = camera.clock_offset(now(), true).unwrap().unwrap();
        assert!((untouched.camera_minus_dock_ms + 108_000_000).abs() < 1000);
        let set = camera.set_clock(now(), Offset::UTC, true).unwrap().unwrap();
        assert!((set.before.camera_minus_dock_ms + 108_000_000).abs() < 1000, "{set:?}");
        assert!(set.after.camera_minus_dock_ms.abs() <= 1100, "{form} {set:?}");
    }
}

#[test]
fn a_camera_that_keeps_local_time_gets_local_time() {
    let (mut camera, now) = clocked(SignedDuration::from_hours(-30), "20200101T000000");
    let set = camera.set_clock(now(), Offset::from_seconds(7200).unwrap(), true).unwrap().unwrap();
    assert!((set.after.camera_minus_dock_ms - 7_200_000).abs() <= 1100, "{set:?}");
}

#[test]
fn a_camera_without_a_clock_has_none() {
    let mut sim = SimResponder::new();
    sim.clock = None;
    let (mut camera, _pipes) = dock(sim);
    assert_eq!(camera.clock_offset(Timestamp::UNIX_EPOCH, true).unwrap(), None);
    assert_eq!(camera.set_clock(Timestamp::UNIX_EPOCH, Offset::UTC, true).unwrap(), None);
    // A clock that shows no time.
    let mut sim = SimResponder::new();
    sim.clock_form = "nonsense".into();
    let (mut camera, _pipes) = dock(sim);
    assert_eq!(camera.clock_offset(Timestamp::UNIX_EPOCH, true).unwrap(), None);
}

#[test]
fn events_say_that_a_listing_is_old() {
    let (mut camera, pipes) = dock(two_files());
    assert!(!camera.said_changed().unwrap());
    pipes.camera().say(0x4002, 7);
    assert!(camera.said_changed().unwrap());
    pipes.camera().say(0x4006, 7);
    assert!(!camera.said_changed().unwrap());
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
