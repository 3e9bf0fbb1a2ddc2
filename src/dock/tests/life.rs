//! The plain life of recordings, and cameras and daemons that go away in the middle of it.

use super::{
    camera::{Camera, path},
    invariants,
    world::World,
};
use crate::{
    dock::{Records, Stage},
    types::{SourcePath, fact::Fact},
};

fn one_camera() -> World {
    let mut camera = Camera::new("C1");
    camera.record(&[b"first", b"second"], false);
    camera.record(&[b"evidence", b""], true);
    let mut world = World::new();
    world.add(camera);
    world
}

#[test]
fn a_docked_camera_is_emptied_and_its_manifests_go_last_then_their_signatures() {
    let mut world = one_camera();
    world.dock("1", "C1");
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
    for folder in ["R000001", "R000002"] {
        let released = |at: &str| {
            let id = world.id("C1", &format!("{folder}/{at}"));
            let fact = Fact::Released { segment: id };
            world.log.iter().position(|entry| entry.fact == fact).expect("never released")
        };
        let releasing = |at: &str| {
            let id = world.id("C1", &format!("{folder}/{at}"));
            let of = |f: &Fact| matches!(f, Fact::Releasing { segment, .. } if *segment == id);
            world.log.iter().position(|entry| of(&entry.fact)).expect("never releasing")
        };
        assert!(released("000001.mp4") < releasing("manifest.json"));
        assert!(released("000002.mp4") < releasing("manifest.json"));
        assert!(released("manifest.json") < releasing("manifest.json.sig"));
    }
    let totals = world.table.totals().unwrap();
    assert_eq!((totals.verified, totals.unverified, totals.gaps), (6, 2, 0));
    assert_eq!(world.stored.len(), 8 + 2, "eight files and two descriptions");
    assert!(world.spool.is_empty() && world.pending.is_empty());
    invariants::the_log_is_the_state(&world, 17);
}

/// How many actions the plain life takes.
fn actions() -> usize {
    let mut world = one_camera();
    world.dock("1", "C1");
    let mut actions = 0;
    for _ in 0..60 {
        while world.perform() {
            actions += 1;
        }
        world.now += jiff::SignedDuration::from_secs(30);
        world.event(crate::dock::Event::Tick);
    }
    actions
}

fn performed(world: &mut World, actions: usize) {
    let mut left = actions;
    for _ in 0..60 {
        while left > 0 && world.perform() {
            left -= 1;
        }
        if left == 0 {
            return;
        }
        world.now += jiff::SignedDuration::from_secs(30);
        world.event(crate::dock::Event::Tick);
    }
}

#[test]
fn a_camera_pulled_at_any_step_and_docked_elsewhere_is_emptied_all_the_same() {
    for step in 0..actions() {
        let mut world = one_camera();
        world.dock("1", "C1");
        performed(&mut world, step);
        world.pull("1");
        world.run();
        world.dock("2", "C1");
        world.run();
        world.pass(660);
        assert_eq!(world.left("C1"), Vec::<String>::new(), "pulled after {step} actions");
        assert_eq!(world.concerns("C1"), Vec::<String>::new());
        assert_eq!(world.table.totals().unwrap().gaps, 0, "pulled after {step} actions");
    }
}

/// The hub's supply breaks down: all cameras are gone at once, and come back.
#[test]
fn a_brown_out_at_any_step_takes_all_cameras_and_costs_time_only() {
    for step in (0..2 * actions()).step_by(17) {
        let mut world = one_camera();
        let mut other = Camera::bare("C2", "clip-folders");
        other.put("A1_C2_20260314T221503Z/clip_001.mp4", b"clip");
        world.add(other);
        world.dock("1", "C1");
        world.dock("2", "C2");
        performed(&mut world, step);
        ["1", "2"].iter().for_each(|at| world.pull(at));
        world.run();
        // In whatever order they answer.
        world.dock("2", "C2");
        world.dock("1", "C1");
        world.settle();
        for camera in ["C1", "C2"] {
            assert_eq!(world.left(camera), Vec::<String>::new(), "step {step}");
        }
        assert_eq!(world.stored.len(), 9 + 3, "step {step}: each file and description once");
    }
}

#[test]
fn a_crash_at_any_step_loses_nothing_and_stores_nothing_twice() {
    for step in (0..actions()).step_by(2) {
        let unreported = (step / 2) % 2;
        let mut world = one_camera();
        world.dock("1", "C1");
        performed(&mut world, step);
        world.crash(unreported);
        world.run();
        world.pass(660);
        let left = world.left("C1");
        assert_eq!(left, Vec::<String>::new(), "crash after {step}, {unreported} unreported");
        let contents = world.stored.values().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(contents.len(), world.stored.len());
        assert_eq!(world.table.totals().unwrap().gaps, 0);
        invariants::the_log_is_the_state(&world, step * 3);
    }
}

#[test]
fn an_erase_cut_short_by_a_crash_is_settled_by_the_next_listing() {
    for done in [0, 1] {
        let mut world = one_camera();
        world.withheld.insert("erase");
        world.dock("1", "C1");
        world.settle();
        assert_eq!(world.has_pending("erase"), 1);
        world.withheld.clear();
        let at = world.pending.iter().position(|p| super::world::name_of(&p.action) == "erase");
        let erase = world.pending.remove(at.unwrap()).unwrap();
        world.pending.push_front(erase);
        let erased = world.erased.len();
        world.crash(done);
        assert_eq!(world.erased.len() > erased, done == 1);
        world.perform();
        let cut_short = world.facts(
            |fact| matches!(fact, Fact::ReleaseFailed { words, .. } if words.contains("cut short")),
        );
        assert_eq!(cut_short > 0, done == 0);
        world.settle();
        assert_eq!(world.left("C1"), Vec::<String>::new());
    }
}

#[test]
fn another_file_under_the_name_of_one_that_is_stored_is_never_erased_unread() {
    let mut world = one_camera();
    world.withheld.insert("erase");
    world.camera("C1").erase_allowed = false;
    world.dock("1", "C1");
    world.settle();
    assert_eq!(world.stage("C1", "R000001/000001.mp4"), Stage::Receipted);
    // The same name, size and time, signed anew: only the digest tells.
    world.pull("1");
    let camera = world.camera("C1");
    let times: Vec<(SourcePath, i64)> =
        camera.files.iter().map(|(p, f)| (p.clone(), f.modified_ms)).collect();
    let mut again = Camera::new("C1");
    again.record(&[b"FIRST", b"second"], false);
    again.record(&[b"evidence", b""], true);
    for (path, ms) in times {
        again.files.get_mut(&path).unwrap().modified_ms = ms;
    }
    world.add(again);
    world.withheld.clear();
    world.dock("1", "C1");
    world.settle();
    assert!(world.erased.contains(&crate::types::Sha256Digest::of(b"FIRST")));
    assert!(world.stored.values().any(|c| *c == crate::types::Sha256Digest::of(b"FIRST")));
}

#[test]
fn a_path_used_again_before_sealing_or_after_release_is_a_new_segment() {
    let mut world = World::new();
    let mut camera = Camera::bare("C1", "clip-folders");
    let at = "A1_C1_20260314T221503Z/clip_001.mp4";
    camera.put(at, b"one");
    world.add(camera);
    world.withheld.insert("copy");
    world.dock("1", "C1");
    world.run();
    let first = world.id("C1", at);
    world.pull("1");
    world.withheld.clear();
    world.pending.clear();
    world.camera("C1").put(at, b"another");
    world.dock("1", "C1");
    world.settle();
    let second = world.id("C1", at);
    assert_ne!(first, second);
    assert_eq!(world.table.segment(first).unwrap().unwrap().stage, Stage::Vanished);
    assert_eq!(world.stage("C1", at), Stage::Released);
    world.camera("C1").put(at, b"a third");
    world.pass(400);
    world.settle();
    assert_ne!(world.id("C1", at), second);
    assert_eq!(world.stage("C1", at), Stage::Released);
    assert_eq!(world.erased.len(), 2);
}

#[test]
fn a_file_that_vanished_and_is_back_goes_on_where_it_was() {
    let mut world = one_camera();
    world.withheld.insert("receipt");
    world.dock("1", "C1");
    world.settle();
    let at = path("R000001/000001.mp4");
    assert_eq!(world.stage("C1", "R000001/000001.mp4"), Stage::Stored);
    let file = world.camera("C1").files.remove(&at).unwrap();
    world.pass(400);
    assert_eq!(world.stage("C1", "R000001/000001.mp4"), Stage::Vanished);
    world.camera("C1").files.insert(at, file);
    world.pass(400);
    assert_eq!(world.stage("C1", "R000001/000001.mp4"), Stage::Stored);
    world.withheld.clear();
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
    assert_eq!(world.stored.len(), 10, "nothing was copied twice");
}

#[test]
fn a_recording_whose_description_fails_waits_and_is_described_later() {
    let mut world = one_camera();
    world.records_fail = true;
    world.dock("1", "C1");
    world.run();
    world.pass(300);
    assert!(world.erased.is_empty(), "not described, and erased");
    let asked = world.steps;
    world.event(crate::dock::Event::Tick);
    assert!(world.steps - asked < 4, "it is not tried without a pause");
    world.records_fail = false;
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn a_description_that_missed_a_later_seal_is_thrown_away_and_made_anew() {
    let mut world = one_camera();
    world.dock("1", "C1");
    // Listed, and one file copied; the rest keeps it waiting for more than ten minutes.
    world.perform();
    world.perform();
    world.withheld.extend(["copy", "record"]);
    world.run();
    world.pass(660);
    assert_eq!(world.has_pending("record"), 1);
    world.withheld.remove("copy");
    world.run();
    world.withheld.clear();
    // The law is looked at with every erase: the first record names one file only.
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}
