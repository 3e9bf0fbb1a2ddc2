//! Reading from any offset, in each way a camera allows.

use super::*;

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
