//! Clocks that jump: nothing is released earlier, nothing waits for ever.

use super::{
    camera::Camera,
    world::{Store, World, settings},
};
use crate::{
    dock::{Event, Settings, Stage},
    release::Policy,
};
use jiff::{SignedDuration, Timestamp};

const FIRST: &str = "R000001/000001.mp4";

/// A dock that keeps everything on its camera for an hour.
fn aged() -> World {
    let release = Policy { age_min: SignedDuration::from_hours(1), ..settings().release };
    let mut world = World::with(Settings { release, ..settings() }, 1);
    let mut camera = Camera::new("C1");
    camera.record(&[b"a"], false);
    world.add(camera);
    world
}

fn jump(world: &mut World, to: Timestamp) {
    world.now = to;
    world.event(Event::Tick);
    world.run();
}

#[test]
fn a_segment_is_released_when_it_is_old_enough_and_not_before() {
    let mut world = aged();
    world.dock("1", "C1");
    world.run();
    world.pass(3540);
    assert_eq!(world.stage("C1", FIRST), Stage::Receipted);
    world.pass(120);
    assert_eq!(world.stage("C1", FIRST), Stage::Released);
}

#[test]
fn a_jump_of_a_year_ahead_hastens_no_release() {
    let mut world = aged();
    world.dock("1", "C1");
    world.run();
    let year = SignedDuration::from_hours(24 * 365);
    let later = world.now + year;
    jump(&mut world, later);
    world.pass(3000);
    assert_eq!(world.stage("C1", FIRST), Stage::Receipted);
    world.pass(900);
    assert_eq!(world.stage("C1", FIRST), Stage::Released);
}

#[test]
fn a_boot_in_1970_hastens_no_release_when_the_clock_is_set() {
    let mut world = aged();
    let right = world.now;
    world.now = Timestamp::from_second(30).unwrap();
    world.crash(0);
    world.dock("1", "C1");
    world.run();
    assert_eq!(world.stage("C1", FIRST), Stage::Receipted);
    jump(&mut world, right);
    world.pass(3000);
    assert_eq!(world.stage("C1", FIRST), Stage::Receipted);
    world.pass(900);
    assert_eq!(world.stage("C1", FIRST), Stage::Released);
}

#[test]
fn a_clock_that_was_set_while_the_dock_was_off_hastens_no_release() {
    let mut world = aged();
    world.dock("1", "C1");
    world.run();
    world.now += SignedDuration::from_hours(24 * 365);
    world.crash(0);
    world.pass(3000);
    assert_eq!(world.stage("C1", FIRST), Stage::Receipted);
    world.pass(900);
    assert_eq!(world.stage("C1", FIRST), Stage::Released);
}

#[test]
fn a_clock_set_back_a_year_delays_releases_and_stops_no_copy_and_no_upload() {
    let mut world = aged();
    world.camera("C1").broken.insert(super::camera::path(FIRST));
    world.store = Store::Down;
    world.receipts_fail = true;
    world.dock("1", "C1");
    world.settle();
    world.camera("C1").broken.clear();
    let before = world.now - SignedDuration::from_hours(24 * 365);
    jump(&mut world, before);
    world.store = Store::Up;
    world.receipts_fail = false;
    world.settle();
    assert_eq!(world.table_queue(), 0, "the queue waits for last year's future");
    assert!(world.erased.is_empty());
}

#[test]
fn a_clock_set_back_puts_a_release_off_by_the_whole_age_and_not_by_the_jump() {
    let mut world = aged();
    world.dock("1", "C1");
    world.run();
    let right = world.now - SignedDuration::from_hours(24 * 40);
    jump(&mut world, right);
    world.pass(3540);
    assert_eq!(world.stage("C1", FIRST), Stage::Receipted);
    world.pass(120);
    assert_eq!(world.stage("C1", FIRST), Stage::Released);
}

#[test]
fn a_start_with_a_clock_set_back_long_ago_counts_from_the_start() {
    let mut world = aged();
    world.dock("1", "C1");
    world.run();
    let right = world.now - SignedDuration::from_hours(24 * 40);
    jump(&mut world, right);
    world.pass(600);
    world.crash(0);
    world.pass(3540);
    assert_eq!(world.stage("C1", FIRST), Stage::Receipted);
    world.pass(120);
    assert_eq!(world.stage("C1", FIRST), Stage::Released);
}

#[test]
fn a_clock_set_back_after_the_first_read_does_not_keep_a_file_from_its_second() {
    let still_min = SignedDuration::from_secs(30);
    let release = Policy { still_min, ..settings().release };
    let mut world = World::with(Settings { release, ..settings() }, 1);
    let mut camera = Camera::bare("C1", "clip-folders");
    camera.put("A1_C1_20260314T221503Z/clip_001.mp4", b"clip");
    world.add(camera).dock("1", "C1");
    world.run();
    let right = world.now - SignedDuration::from_hours(24 * 40);
    jump(&mut world, right);
    assert_eq!(world.left("C1").len(), 1, "it has not held still for long enough");
    world.pass(300);
    assert!(world.left("C1").is_empty(), "{:?}", world.left("C1"));
}

#[test]
fn a_jump_that_is_taken_back_stops_no_clock() {
    let mut world = aged();
    world.dock("1", "C1");
    world.run();
    let right = world.now;
    jump(&mut world, right + SignedDuration::from_hours(24 * 365));
    jump(&mut world, right);
    world.pass(3000);
    assert_eq!(world.stage("C1", FIRST), Stage::Receipted);
    world.pass(900);
    assert_eq!(world.stage("C1", FIRST), Stage::Released);
}
