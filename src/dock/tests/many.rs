//! Very many files: bounded steps, and time that grows with their number only.

use super::{
    camera::{Camera, path},
    invariants,
    world::World,
};
use crate::dock::Records;

const MANY: usize = 50_000;

/// Keeps only the lists of work: nothing is performed but what the test names.
#[test]
fn fifty_thousand_segments_of_one_recording_are_taken_in_by_bounded_steps() {
    let mut camera = Camera::new("C1");
    let contents = vec![&b"x"[..]; MANY];
    camera.record(&contents, true);
    let mut world = World::new();
    world.checking = false;
    world.add(camera);
    world.withheld.insert("copy");
    world.dock("1", "C1");
    world.run();
    assert_eq!(world.table.totals().unwrap().stages[0].count, MANY as u64 + 2);
    assert!(world.largest_step <= 300, "{} facts in one commit", world.largest_step);
    assert_eq!(world.has_pending("copy"), 1);
    // A poll with nothing to do looks at a few records, not at all of them.
    let steps = world.steps;
    world.event(crate::dock::Event::Tick);
    assert!(world.steps - steps <= 1);
}

#[test]
fn a_manifest_with_thousands_of_missing_files_is_reported_by_bounded_steps() {
    let mut camera = Camera::new("C1");
    camera.record(&vec![&b"x"[..]; 1000], false);
    for index in 1..=1000 {
        camera.files.remove(&path(&format!("R000001/{index:06}.mp4")));
    }
    let mut world = World::new();
    world.checking = false;
    world.add(camera);
    world.dock("1", "C1");
    world.run();
    assert_eq!(world.table.totals().unwrap().gaps, 1000);
    assert!(world.largest_step <= 300, "{} facts in one commit", world.largest_step);
}

#[test]
fn hundreds_of_files_that_may_not_be_erased_cost_one_look_each_a_pass() {
    let mut camera = Camera::new("C1");
    camera.record(&vec![&b"x"[..]; 400], false);
    camera.erase_allowed = false;
    let mut world = World::new();
    world.checking = false;
    world.add(camera);
    world.dock("1", "C1");
    world.run();
    let steps = world.steps;
    for _ in 0..100 {
        world.event(crate::dock::Event::Tick);
    }
    let looks = world.steps - steps;
    assert!(looks <= 7, "{looks} steps while the clock stands still");
    invariants::records_agree(&world.table);
    assert_eq!(world.left("C1").len(), 402);
}
