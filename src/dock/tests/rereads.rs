//! Reading again before an erase: what was replaced, what is unreliable, and who goes first.

use super::{
    camera::{Camera, path},
    world::{World, bay, settings},
};
use crate::{
    dock::{Command, Stage, report::Light},
    types::fact::{Fact, Target},
};

const FIRST: &str = "R000001/000001.mp4";

fn camera(id: &str) -> Camera {
    let mut camera = Camera::new(id);
    camera.record(&[b"first", b"second"], false);
    camera
}

/// Everything is stored, and the erases are given out and not performed.
fn about_to_erase() -> World {
    let mut world = World::new();
    world.add(camera("C1")).withheld.insert("erase");
    world.dock("1", "C1");
    world.settle();
    assert_eq!(world.has_pending("erase"), 1);
    world
}

#[test]
fn a_file_replaced_after_it_was_copied_is_copied_too_and_turns_the_bay_red() {
    let mut world = about_to_erase();
    let was = world.id("C1", FIRST);
    // The same size, the same time.
    world.camera("C1").files.get_mut(&path(FIRST)).unwrap().bytes = b"FIRST".to_vec();
    world.withheld.clear();
    world.settle();
    let now = world.at("C1", FIRST);
    assert_ne!(now.segment.id, was, "new footage");
    assert!(world.left("C1").contains(&FIRST.to_owned()), "it does not fit its manifest: it stays");
    assert!(world.stored.values().any(|held| *held == crate::types::Sha256Digest::of(b"first")));
    assert!(world.stored.values().any(|held| *held == crate::types::Sha256Digest::of(b"FIRST")));
    assert_eq!(world.facts(|f| matches!(f, Fact::SourceChanged { .. })), 1);
    let report = world.bay_report("1");
    assert_eq!(report.light, Light::Red);
    assert!(report.words.contains("lies in its place"), "{}", report.words);
}

#[test]
fn a_file_without_a_digest_is_not_read_three_times_but_again_when_its_read_is_old() {
    let mut world = World::new();
    let mut bare = Camera::bare("C1", "clip-folders");
    bare.put("A1_C1_20260314T221503Z/clip_001.mp4", b"clip");
    world.add(bare).withheld.insert("erase");
    world.dock("1", "C1");
    world.settle();
    assert_eq!(world.facts(|f| matches!(f, Fact::SecondRead { .. })), 1);
    assert_eq!(world.approvals(), [false], "its second read was made just now");
    // The camera is pulled and comes back: whatever was read before proves nothing now.
    world.pull("1");
    world.dock("1", "C1");
    world.settle();
    assert_eq!(world.approvals(), [true]);
    world.withheld.clear();
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
    assert_eq!(world.facts(|f| matches!(f, Fact::SecondRead { .. })), 1);
}

#[test]
fn a_file_without_a_digest_replaced_before_its_second_read_is_copied_too() {
    const CLIP: &str = "A1_C1_20260314T221503Z/clip_001.mp4";
    let mut world = World::new();
    let mut bare = Camera::bare("C1", "clip-folders");
    bare.put(CLIP, b"clip");
    world.add(bare).withheld.insert("second read");
    world.dock("1", "C1");
    world.settle();
    assert_eq!(world.has_pending("second read"), 1);
    world.camera("C1").files.get_mut(&path(CLIP)).unwrap().bytes = b"PILC".to_vec();
    world.withheld.clear();
    world.settle();
    for bytes in [b"clip", b"PILC"] {
        let held = crate::types::Sha256Digest::of(bytes);
        assert!(world.stored.values().any(|stored| *stored == held), "both are kept");
    }
    assert_eq!(world.facts(|f| matches!(f, Fact::SourceChanged { .. })), 1);
    let report = world.bay_report("1");
    assert_eq!(report.light, Light::Red);
    assert!(report.words.contains("lies in its place"), "{}", report.words);
}

#[test]
fn an_unreliable_camera_loses_nothing_and_makes_no_new_footage() {
    let mut world = about_to_erase();
    world.camera("C1").flips.insert(path(FIRST), 2);
    world.withheld.clear();
    world.run();
    assert!(world.facts(|f| matches!(f, Fact::ReleaseFailed { .. })) > 0);
    assert_eq!(world.facts(|f| matches!(f, Fact::SourceChanged { .. })), 0);
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn clearing_waits_for_copying_in_other_bays_and_gives_way_to_it_but_not_for_ever() {
    let mut world = about_to_erase();
    world.add(camera("C2")).withheld.insert("copy");
    world.dock("2", "C2");
    world.run();
    assert_eq!(world.has_pending("copy"), 1);
    assert_eq!(world.has_pending("erase"), 0, "told to stop when the copy began");
    assert!(world.left("C1").len() == 4 && world.stage("C1", FIRST) == Stage::Receipted);
    world.pass(29 * 60);
    assert_eq!(world.has_pending("erase"), 0, "it waits");
    world.pass(2 * 60);
    assert_eq!(world.has_pending("erase"), 1, "and then goes on beside it");
    world.withheld.clear();
    world.settle();
    assert!(world.left("C1").is_empty() && world.left("C2").is_empty());
}

#[test]
fn a_hold_or_a_pause_stops_the_reading_before_an_erase() {
    for pause in [false, true] {
        let mut world = about_to_erase();
        let (target, reason) = (Target::Dock, "case 7".to_owned());
        world.ask(match pause {
            true => Command::Pause { target, reason },
            false => Command::Hold { target, reason },
        });
        world.run();
        assert_eq!(world.has_pending("erase"), 0);
        world.withheld.clear();
        world.settle();
        assert_eq!(world.left("C1").len(), 4);
    }
}

#[test]
fn without_the_second_look_only_size_and_time_are_compared() {
    let mut settings = settings();
    settings.release.reread = false;
    let mut world = World::with(settings, 1);
    world.add(camera("C1")).withheld.insert("erase");
    world.dock("1", "C1");
    world.settle();
    assert!(world.approvals().iter().all(|needs_read| !needs_read));
    assert_eq!(world.dock.bays()[&bay("1")].camera.as_str(), "C1");
}
