//! Erasing exactly the file of a permit.

use super::*;

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
    let mut camera = PtpCamera::open(pipes.clone(), None, EraseMode::ReadOnly, limits()).unwrap();
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
