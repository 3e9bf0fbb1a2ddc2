//! Faults and pulled cables while a file is read.

use super::*;

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
        let mut camera = PtpCamera::open(pipes, None, EraseMode::ReadOnly, limits()).unwrap();
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
