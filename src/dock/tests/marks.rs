//! Marks of stored objects: evidence marked after it was stored, and marks taken back.

use super::{
    camera::Camera,
    world::{Store, World},
};
use crate::{
    dock::{Command, Event, Records as _, report, state::key},
    transfer::marks::MarkChange,
    types::{Class, ObjectId, RecordingId, fact::Fact},
};

const FIRST: &str = "R000001/000001.mp4";

/// One recording, stored, released and marked.
fn stored() -> (World, RecordingId, ObjectId) {
    let mut world = World::new();
    let mut camera = Camera::new("C1");
    camera.record(&[b"one", b"two"], false);
    world.add(camera);
    world.dock("1", "C1");
    world.settle();
    let state = world.at("C1", FIRST);
    let object = state.sealed.unwrap().object;
    world.mark_changes.clear();
    (world, state.segment.recording, object)
}

fn flag(world: &mut World, recording: RecordingId, class: Class) {
    let said = world.ask(Command::Reclass { recording, class, reason: "case 7".into() });
    assert!(!said.starts_with("refused"), "{said}");
}

fn changes_of(world: &World, object: ObjectId) -> Vec<MarkChange> {
    let mine = world.mark_changes.iter().filter(|(of, _)| *of == object);
    mine.map(|(_, change)| change.clone()).collect()
}

fn due(world: &World) -> usize {
    world.table.ids(key::MARKS_DUE, b"", 100).unwrap().len()
}

const RAISED: [MarkChange; 2] = [MarkChange::Hold(true), MarkChange::Class(Class::Evidential)];
const LOWERED: [MarkChange; 2] = [MarkChange::Class(Class::Unreviewed), MarkChange::Hold(false)];

#[test]
fn evidence_marked_after_storing_is_held_first_then_tagged_then_confirmed() {
    let (mut world, recording, object) = stored();
    assert_eq!(due(&world), 0);
    flag(&mut world, recording, Class::Evidential);
    assert!(due(&world) >= 3, "both files and the description");
    world.settle();
    assert_eq!(changes_of(&world, object), RAISED);
    let marking = world.table.object(object).unwrap().unwrap().marking;
    assert!(marking.seen.is_some_and(|seen| seen.legal_hold && seen.lacks.is_none()));
    assert_eq!(due(&world), 0);
    // Twice is once.
    flag(&mut world, recording, Class::Evidential);
    world.settle();
    assert_eq!(changes_of(&world, object), RAISED);
    flag(&mut world, recording, Class::Unreviewed);
    world.settle();
    assert_eq!(changes_of(&world, object)[2..], LOWERED);
    // Descriptions sealed in between, and replaced since, among them.
    assert!(world.marks.len() > 4, "{} objects", world.marks.len());
    for (object, found) in &world.marks {
        let held = matches!(&found.locks, Some(Ok(locks)) if locks.legal_hold);
        assert_eq!((found.class.as_deref(), held), (Some("unreviewed"), false), "{object}");
    }
}

#[test]
fn a_crash_or_a_lost_store_between_any_two_steps_ends_in_the_same_marks() {
    for (class, steps) in [(Class::Evidential, RAISED), (Class::Unreviewed, LOWERED)] {
        for cut in 0..=steps.len() {
            let (mut world, recording, object) = stored();
            if class == Class::Unreviewed {
                flag(&mut world, recording, Class::Evidential);
                world.settle();
                world.mark_changes.clear();
            }
            world.withheld.insert("mark");
            flag(&mut world, recording, class);
            world.mark_changes_left = cut;
            world.withheld.clear();
            // Done as far as it goes, and not reported.
            let marks = world.has_pending("mark");
            world.crash(marks);
            world.mark_changes_left = usize::MAX;
            world.settle();
            assert_eq!(changes_of(&world, object), steps, "{class} cut after {cut}");
            assert_eq!(due(&world), 0);
        }
    }
}

#[test]
fn what_cannot_be_marked_now_holds_up_no_release_and_is_told() {
    let mut world = World::new();
    let mut camera = Camera::new("C1");
    camera.record(&[b"one"], true);
    world.add(camera);
    world.mark_changes_left = 0;
    world.dock("1", "C1");
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new(), "stored and proved is enough");
    assert!(due(&world) > 0);
    let status = |world: &World| {
        let now = report::Now::default();
        let head = (1, crate::types::Sha256Digest([0; 32]));
        report::status(&world.dock, &now, head, world.now, &world.table).unwrap()
    };
    let words = status(&world).problems.join("; ");
    assert!(words.contains("wait for their class at the store (no connection)"), "{words}");
    let id = world.at("C1", FIRST).segment.id.0;
    let why = report::explain(&world.dock, id, world.now, &world.table).unwrap().unwrap();
    let why = why.because.join("; ");
    assert!(why.contains("to be evidential at the store"), "{why}");
    // Attempts are counted, and one object asks at a time.
    let failures = world.facts(|fact| matches!(fact, Fact::MarkFailed { .. }));
    assert!(failures < 100, "{failures} attempts in half an hour");
    world.mark_changes_left = usize::MAX;
    world.settle();
    assert_eq!((due(&world), status(&world).marks_lacking), (0, 0));
}

#[test]
fn a_camera_that_says_later_that_it_is_evidence_raises_what_is_stored() {
    let mut world = World::new();
    let mut camera = Camera::bare("C1", "generic-dcim");
    camera.put("DCIM/100MEDIA/20260314_101112_one.mp4", b"one");
    camera.erase_allowed = false;
    world.add(camera);
    world.dock("1", "C1");
    world.settle();
    let file = "DCIM/100MEDIA/20260314_101112_one.mp4";
    let state = world.at("C1", file);
    let object = state.sealed.unwrap().object;
    // The same recording is listed again as evidence.
    let mut recording = world.table.recording(state.segment.recording).unwrap().unwrap().recording;
    recording.class = Class::Evidential;
    world.mark_changes.clear();
    world.remember(Fact::RecordingSeen { recording });
    world.event(Event::Tick);
    world.settle();
    assert_eq!(changes_of(&world, object), RAISED);
}

#[test]
fn a_question_answered_after_the_class_changed_again_is_asked_again() {
    let (mut world, recording, object) = stored();
    world.withheld.insert("mark");
    flag(&mut world, recording, Class::Evidential);
    world.run();
    flag(&mut world, recording, Class::Unreviewed);
    world.withheld.clear();
    world.settle();
    let state = world.table.object(object).unwrap().unwrap();
    assert_eq!((state.object.class, due(&world)), (Class::Unreviewed, 0));
    assert!(state.marking.seen.is_some_and(|seen| !seen.legal_hold));
}

#[test]
fn while_the_store_is_away_nobody_storms_it() {
    let (mut world, recording, _) = stored();
    world.store = Store::Down;
    flag(&mut world, recording, Class::Evidential);
    world.pass(3600);
    let failures = world.facts(|fact| matches!(fact, Fact::MarkFailed { .. }));
    assert!((1..=200).contains(&failures), "{failures} attempts in an hour");
    world.store = Store::Up;
    world.settle();
    assert_eq!(due(&world), 0);
}
