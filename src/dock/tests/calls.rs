//! Who is called, and by what: a store that needs a person, files left out, two cameras of one
//! serial over restarts, and what `why` says of a bay.

use super::{
    camera::Camera,
    reports::status,
    world::{Store, World, bay},
};
use crate::{
    dock::{
        Command, Event, Records,
        report::{self, Explanation, Light},
    },
    transfer::StoreNeed,
    types::fact::{Fact, Target},
};

fn world() -> World {
    let mut camera = Camera::new("C1");
    camera.record(&[b"first", b"second"], false);
    let mut world = World::new();
    world.add(camera);
    world
}

fn why(world: &World, name: &str) -> Option<Explanation> {
    let at = report::Now::default();
    report::explain_named(&world.dock, name, &at, world.now, &world.table).unwrap()
}

// --- the store ---

#[test]
fn a_store_that_needs_a_person_turns_the_bay_red_and_says_whom_to_call() {
    for (need, words) in [
        (StoreNeed::Access, "the store refuses this dock"),
        (StoreNeed::Room, "the store is full"),
        (StoreNeed::Trust, "certificate is not trusted"),
        (StoreNeed::Folder, "the store's folder cannot be written"),
    ] {
        let mut world = world();
        (world.store, world.store_need) = (Store::Down, Some(need));
        world.withheld.insert("copy");
        world.dock("1", "C1");
        world.run();
        assert_eq!(world.bay_report("1").light, Light::Amber, "copying comes first");
        world.withheld.clear();
        world.settle();
        let report = world.bay_report("1");
        assert_eq!(report.light, Light::Red);
        assert!(report.words.contains(words), "{}", report.words);
        assert!(report.words.contains("may be taken"), "{}", report.words);
        let problems = status(&world).problems.join("\n");
        assert!(problems.contains(words) && problems.contains("disk only"), "{problems}");
        let why = why(&world, "1").unwrap();
        assert!(why.next.iter().any(|step| step == need.next_step()), "{why:?}");
        assert!(world.erased.is_empty());
        (world.store, world.store_need) = (Store::Up, None);
        world.ask(Command::Retry { target: Target::Dock, reason: None });
        world.settle();
        assert_eq!(world.bay_report("1").light, Light::Green);
        assert!(world.dock.store_trouble().is_none());
    }
}

#[test]
fn a_key_that_is_right_again_calls_nobody_while_a_large_object_is_still_on_its_way() {
    let mut world = world();
    (world.store, world.store_need) = (Store::Down, Some(StoreNeed::Access));
    world.dock("1", "C1");
    world.run();
    assert_eq!(world.bay_report("1").light, Light::Red);
    world.withheld.insert("upload");
    world.pass(120);
    let object = *world.dock.uploads().keys().next().unwrap();
    world.remember(Fact::PartAcknowledged { object, number: 1, etag: "e".into() });
    world.event(Event::Tick);
    assert_eq!(world.bay_report("1").light, Light::Amber);
}

#[test]
fn a_store_that_needs_a_person_is_known_after_a_restart_and_asked_once_at_once() {
    for need in [StoreNeed::Access, StoreNeed::Room, StoreNeed::Trust] {
        let mut world = world();
        (world.store, world.store_need) = (Store::Down, Some(need));
        world.dock("1", "C1");
        world.run();
        world.withheld.insert("upload");
        world.crash(0);
        world.run();
        let report = world.bay_report("1");
        assert_eq!(report.light, Light::Red, "{}", report.words);
        assert!(report.words.contains(need.words()), "{}", report.words);
        assert_eq!(world.has_pending("upload"), 1, "one object asks, though its time is not come");
        // Refused again: the others wait for their time.
        world.withheld.clear();
        world.run();
        assert_eq!((world.bay_report("1").light, world.has_pending("upload")), (Light::Red, 0));
        // Somebody mended it and starts the dock anew: nobody waits, and nobody is called.
        (world.store, world.store_need) = (Store::Up, None);
        world.crash(0);
        world.run();
        world.pass(60);
        assert!(world.dock.store_trouble().is_none() && !world.stored.is_empty());
        world.crash(0);
        assert!(world.dock.store_trouble().is_none());
    }
}

// --- left out ---

#[test]
fn what_a_profile_ignores_and_what_is_no_file_is_told_everywhere_and_alarms_nobody() {
    let mut camera = Camera::bare("C1", "generic-dcim");
    camera.put("DCIM/100/A.MP4", b"clip");
    camera.put("DCIM/100/._A.MP4", b"shadow");
    camera.passed_over.push("DCIM/pipe: a FIFO, not a file".into());
    let mut world = World::new();
    world.add(camera).dock("1", "C1");
    world.settle();
    let bay = world.bay_report("1");
    assert_eq!(bay.light, Light::Green, "{}", bay.words);
    let told = [
        "1 file left out, as profile generic-dcim ignores such names: DCIM/100/._A.MP4",
        "DCIM/pipe: a FIFO, not a file",
    ];
    assert_eq!(bay.notes, told);
    assert_eq!(status(&world).bays[0].notes, told);
    let balance = report::reconcile(&world.table, None).unwrap().remove(0);
    assert!(balance.clean && balance.notes == told, "{balance:?}");
    let logged = |f: &Fact| matches!(f, Fact::CameraFindings { noted, .. } if *noted == told);
    assert_eq!(world.facts(logged), 1);
    for name in ["1", "C1"] {
        let why = why(&world, name).unwrap();
        assert!(told.iter().all(|words| why.because.iter().any(|b| b == words)), "{why:?}");
        assert_eq!(why.next, [] as [&str; 0], "a green bay asks for nothing");
    }
    world.pull("1");
    assert!(why(&world, "C1").unwrap().because.iter().any(|b| b == told[0]));
}

#[test]
fn many_notes_are_few_on_a_list_and_all_in_why() {
    let mut camera = Camera::new("C1");
    camera.passed_over.extend((0..9).map(|n| format!("link-{n}: a link; links are not followed")));
    let mut world = World::new();
    world.add(camera).dock("1", "C1");
    world.settle();
    let notes = world.bay_report("1").notes;
    assert_eq!(notes.len(), 4);
    assert_eq!(notes[3], "and 6 more: `bwvdock why --bay 1`");
    let why = why(&world, "1").unwrap();
    assert!(why.because.iter().any(|b| b.contains("link-8")), "{why:?}");
}

#[test]
fn a_card_with_nothing_but_ignored_files_says_so() {
    let mut world = World::new();
    let noted = vec!["1 file left out, as profile generic-dcim ignores such names: ._x".to_owned()];
    for _ in 0..2 {
        world.event(Event::EmptyCard { bay: bay("1"), noted: noted.clone() });
    }
    let report = world.bay_report("1");
    assert_eq!((report.light, &report.notes), (Light::Off, &noted));
    assert_eq!(world.facts(|f| matches!(f, Fact::EmptyCard { noted: n, .. } if *n == noted)), 1);
    assert!(why(&world, "1").unwrap().because.contains(&noted[0]));
}

// --- why of a bay ---

#[test]
fn why_of_a_bay_has_everything_that_is_in_the_way_each_with_a_step() {
    let mut camera = Camera::new("C1");
    camera.record(&[b"first", b"second"], false);
    camera.record_with(&[b"third"], false, |m| m.sequence = 4);
    camera.files.remove(&super::camera::path("R000001/000002.mp4"));
    camera.put("stray.bin", b"stray");
    camera.unread.push("DCIM/x: this folder may not be read".into());
    camera.flips.insert(super::camera::path("R000001/000001.mp4"), 2);
    let mut world = World::new();
    world.add(camera).dock("1", "C1");
    world.settle();
    let camera = world.cameras["C1"].id.clone();
    let reason = "inventory".to_owned();
    world.ask(Command::Hold { target: Target::Camera(camera.clone()), reason: reason.clone() });
    world.ask(Command::Pause { target: Target::Camera(camera), reason });
    let answer = why(&world, "1").unwrap();
    assert!(answer.subject.contains("bay 1, camera C1: red"), "{answer:?}");
    let because = answer.because.join("\n");
    for words in [
        "may not be read",
        "recordings number 2 to 3 had not arrived",
        "000002.mp4 of recording R000001 is named",
        "000001.mp4: its bytes are not those that its camera listed",
        "the file belongs to no recording",
        "it is held: inventory",
        "this camera is paused since",
        "its check ended as mismatched",
    ] {
        assert!(because.contains(words), "{words} is not in\n{because}");
    }
    let next = answer.next.join("\n");
    for step in ["acknowledge --camera C1", "resume --camera C1", "unhold", "bwvdock retry"] {
        assert!(next.contains(step), "{step} is not in\n{next}");
    }
    assert_eq!(why(&world, "C1"), Some(answer));
    assert_eq!(why(&world, "7"), None);
    assert_eq!(why(&world, "no such name"), None);
    assert_eq!(why(&world, "2").unwrap().because, ["empty"]);
}

// --- two of one serial ---

#[test]
fn of_two_cameras_of_one_serial_the_bay_of_the_log_keeps_it_over_restarts() {
    let mut world = world();
    world.withheld.insert("copy");
    world.dock("2", "C1");
    world.dock("1", "C1");
    assert!(world.dock.troubles().contains_key(&bay("1")));
    // The bays answer in the order of their names: the wrong one first, three times.
    for _ in 0..3 {
        world.crash(0);
        world.pass(300);
        assert!(world.dock.bays().contains_key(&bay("2")), "the log knows it there");
        assert!(world.dock.troubles()[&bay("1")].contains("too; nothing is read"));
    }
    world.withheld.clear();
    world.settle();
    assert_eq!(
        world.facts(|f| matches!(f, Fact::CameraDocked { bay: b, .. } if *b == bay("1"))),
        0
    );
    // When it is taken out, the other is let in, and keeps the place from then on.
    world.pull("2");
    assert!(world.dock.bays().contains_key(&bay("1")));
    world.dock("2", "C1");
    world.crash(0);
    world.settle();
    assert!(
        world.dock.bays().contains_key(&bay("1")) && !world.dock.bays().contains_key(&bay("2"))
    );
}

#[test]
fn a_camera_that_was_moved_while_the_dock_was_down_waits_for_its_old_bay_and_not_for_ever() {
    for answers in [false, true] {
        let mut world = world();
        world.add(Camera::new("C2"));
        world.withheld.insert("copy");
        world.dock("2", "C1");
        let docked = world.bays.remove(&bay("2")).unwrap();
        world.bays.insert(bay("1"), docked);
        world.crash(0);
        let report = world.bay_report("1");
        assert_eq!(report.light, Light::Amber);
        assert!(report.words.contains("was in bay 2"), "{}", report.words);
        assert!(!world.dock.bays().contains_key(&bay("1")));
        if answers {
            world.dock("2", "C2");
        } else {
            world.pass(10);
            assert!(!world.dock.bays().contains_key(&bay("1")));
            world.pass(10);
        }
        assert!(world.dock.bays().contains_key(&bay("1")));
        let camera = world.table.camera(&world.cameras["C1"].id).unwrap().unwrap();
        assert_eq!(camera.last_bay, bay("1"));
    }
}

#[test]
fn a_camera_that_was_taken_out_and_put_elsewhere_before_a_restart_waits_for_nobody() {
    let mut world = world();
    world.withheld.insert("copy");
    world.dock("2", "C1");
    world.pull("2");
    world.crash(0);
    world.dock("1", "C1");
    assert!(world.dock.bays().contains_key(&bay("1")));
}
