//! Files that change on a docked camera: those still being written, and those put in the place of
//! others behind the dock's back.

use super::{
    camera::{Camera, path},
    world::{World, settings},
};
use crate::{
    dock::{
        Settings, Stage,
        report::{self, BayReport, Light},
    },
    release::Policy,
    types::{Sha256Digest, fact::Fact},
};
use jiff::SignedDuration;

const CLIP: &str = "A1_C1_20260314T221503Z/clip_001.mp4";

/// A camera that is never erased, docked in bay 1 and wholly dealt with.
fn settled() -> World {
    let mut camera = Camera::bare("C1", "clip-folders");
    camera.erase_allowed = false;
    camera.put(CLIP, b"clip");
    let mut world = World::new();
    world.add(camera).dock("1", "C1");
    world.settle();
    assert_eq!(light(&world).light, Light::Green);
    world
}

fn light(world: &World) -> BayReport {
    world.bay_report("1")
}

fn sealed(world: &World) -> usize {
    world.facts(|f| matches!(f, Fact::Sealed { .. }))
}

fn reads(world: &World) -> usize {
    world.facts(|f| matches!(f, Fact::SecondRead { .. }))
}

fn changed(world: &World) -> usize {
    world.facts(|f| matches!(f, Fact::SourceChanged { .. }))
}

fn stored(world: &World, bytes: &[u8]) -> bool {
    world.stored.values().any(|held| *held == Sha256Digest::of(bytes))
}

/// Somebody changes bytes and mark; size and time stay.
fn swap(world: &mut World, bytes: &[u8], inode: u32) {
    let file = world.camera("C1").files.get_mut(&path(CLIP)).unwrap();
    assert_eq!(file.bytes.len(), bytes.len());
    (file.bytes, file.inode) = (bytes.to_vec(), inode);
}

#[test]
fn a_file_that_is_still_being_written_is_not_erased_between_two_writes() {
    let still_min = SignedDuration::from_secs(30);
    let release = Policy { still_min, ..settings().release };
    let mut world = World::with(Settings { release, ..settings() }, 1);
    let mut camera = Camera::bare("C1", "clip-folders");
    camera.put(CLIP, b"0");
    world.add(camera).dock("1", "C1");
    // Every 18 s a little more comes; each version, if it was copied, is stored long before.
    for length in 2..30 {
        (0..3).for_each(|_| world.pass(6));
        assert_ne!(light(&world).light, Light::Green, "{length}");
        let camera = world.camera("C1");
        assert!(camera.files.contains_key(&path(CLIP)), "erased with {length} writes to come");
        camera.put(CLIP, &vec![b'0'; length]);
    }
    world.pass(600);
    world.settle();
    assert!(stored(&world, &[b'0'; 29]), "what it came to in the end is at the store");
    assert!(world.camera("C1").files.is_empty(), "and then it may go");
}

// --- replaced behind the dock's back ---

#[test]
fn a_file_swapped_on_a_camera_that_is_never_erased_is_noticed_and_copied_too() {
    let mut world = settled();
    let reads_before = reads(&world);
    swap(&mut world, b"PILC", 1);
    world.pass(30);
    assert_eq!((changed(&world), reads(&world)), (1, reads_before + 1));
    world.settle();
    assert!(stored(&world, b"clip") && stored(&world, b"PILC"), "both are kept");
    let report = light(&world);
    assert_eq!(report.light, Light::Red);
    assert!(report.words.contains("lies in its place"), "{}", report.words);
    // It has the new mark now: nothing is read for it any more.
    let reads_now = reads(&world);
    world.pass(7200);
    assert_eq!((changed(&world), reads(&world)), (1, reads_now));
}

#[test]
fn a_file_swapped_while_its_camera_was_away_or_the_dock_was_down_is_noticed() {
    for crash in [false, true] {
        let mut world = settled();
        if !crash {
            world.pull("1");
        }
        swap(&mut world, b"PILC", 1);
        match crash {
            true => world.crash(0),
            false => world.dock("1", "C1"),
        }
        world.settle();
        assert_eq!(changed(&world), 1);
        assert!(stored(&world, b"PILC"));
    }
}

#[test]
fn a_mark_that_changed_alone_costs_one_read_and_alarms_nobody() {
    let mut world = settled();
    let reads_before = reads(&world);
    swap(&mut world, b"clip", 1);
    world.withheld.insert("second read");
    world.pass(30);
    let report = light(&world);
    assert_eq!((report.light, report.touched), (Light::Amber, 1));
    assert!(report.words.contains("read again"), "{}", report.words);
    world.withheld.clear();
    world.settle();
    assert_eq!((changed(&world), reads(&world)), (0, reads_before + 1));
    assert_eq!(light(&world).light, Light::Green);
    // The mark it was read with is known from now on, over dockings and restarts.
    world.pull("1");
    world.dock("1", "C1");
    world.settle();
    world.crash(0);
    world.settle();
    assert_eq!(reads(&world), reads_before + 1);
}

#[test]
fn marks_that_change_all_the_time_cost_a_read_an_hour() {
    let mut world = settled();
    let reads_before = reads(&world);
    for inode in 1..=240 {
        swap(&mut world, b"clip", inode);
        world.pass(60);
    }
    let cost = reads(&world) - reads_before;
    assert!((3..=5).contains(&cost), "{cost} reads in four hours");
    assert_eq!((changed(&world), sealed(&world)), (0, 1));
}

#[test]
fn a_swapped_file_in_quarantine_is_noticed_too() {
    let mut world = settled();
    world.camera("C1").put("stray.bin", b"stray");
    world.settle();
    let file = world.camera("C1").files.get_mut(&path("stray.bin")).unwrap();
    (file.bytes, file.inode) = (b"STRAY".to_vec(), 7);
    world.settle();
    assert_eq!(changed(&world), 1);
    assert!(stored(&world, b"stray") && stored(&world, b"STRAY"));
}

// --- still being written ---

/// The camera writes a byte every five seconds, for so long.
fn grow(world: &mut World, seconds: i64) {
    for _ in 0..seconds / 5 {
        let file = world.camera("C1").files.get_mut(&path(CLIP)).unwrap();
        file.bytes.push(b'+');
        file.modified_ms += 5000;
        world.pass(5);
    }
}

#[test]
fn a_growing_file_is_copied_once_when_it_holds_still_and_the_bay_says_why() {
    let mut world = settled();
    grow(&mut world, 120);
    let report = light(&world);
    assert_eq!((report.light, report.growing), (Light::Amber, 1));
    assert!(report.words.contains("still being written by the camera"), "{}", report.words);
    assert!(report.words.contains("do not take it"), "{}", report.words);
    let id = world.id("C1", CLIP);
    let why = report::explain(&world.dock, id.0, world.now, &world.table).unwrap().unwrap();
    let why = why.because.join("; ");
    assert!(why.contains("still being written by the camera"), "{why}");
    assert_eq!(sealed(&world), 1, "only as it was at first");
    world.pass(60);
    assert_eq!(sealed(&world), 2);
    assert_eq!(world.at("C1", CLIP).segment.source.size, 4 + 24);
    world.settle();
    assert_eq!(light(&world).light, Light::Green);
}

/// The second read gives more than was sealed. Once the listing shows that the file grew, that is no
/// camera that reads unreliably, and nobody is to be called.
#[test]
fn a_file_that_grew_between_its_two_reads_alarms_nobody() {
    let mut camera = Camera::bare("C1", "clip-folders");
    camera.put(CLIP, b"clip");
    let mut world = World::new();
    world.add(camera).withheld.insert("second read");
    world.dock("1", "C1");
    world.run();
    world.pass(20);
    assert_eq!((sealed(&world), world.has_pending("second read")), (1, 1));
    world.camera("C1").put(CLIP, b"clip and more");
    world.withheld.clear();
    world.settle();
    assert_eq!(world.facts(|f| matches!(f, Fact::SecondRead { agrees: false, .. })), 1);
    assert!(stored(&world, b"clip and more") && world.camera("C1").files.is_empty());
    assert_eq!(light(&world).light, Light::Green, "{}", light(&world).words);
    assert!(report::reconcile(&world.table, None).unwrap().iter().all(|balance| balance.clean));
}

#[test]
fn a_file_that_never_holds_still_is_copied_ever_more_rarely_but_copied() {
    let mut world = settled();
    grow(&mut world, 6 * 60);
    assert_eq!(sealed(&world), 2, "after five minutes as it is");
    grow(&mut world, 4 * 3600);
    let versions = sealed(&world);
    assert!((6..=9).contains(&versions), "{versions} versions in four hours");
    world.settle();
    let whole = world.camera("C1").files[&path(CLIP)].bytes.clone();
    assert!(stored(&world, &whole), "and at the end whole");
    assert_eq!(light(&world).light, Light::Green);
}

#[test]
fn a_file_written_in_bursts_rests_longer_between_its_versions() {
    let mut world = settled();
    for _ in 0..60 {
        grow(&mut world, 5);
        world.pass(55);
    }
    let versions = sealed(&world);
    assert!((4..=12).contains(&versions), "{versions} versions in an hour");
}

#[test]
fn a_file_that_grew_while_its_camera_was_away_does_not_wait() {
    let mut world = settled();
    world.pull("1");
    world.camera("C1").put(CLIP, b"clip and more");
    world.dock("1", "C1");
    world.run();
    assert!(stored(&world, b"clip and more"));
}

#[test]
fn what_still_grows_is_not_erased_and_holds_nothing_else_up() {
    let mut camera = Camera::bare("C1", "clip-folders");
    camera.put(CLIP, b"clip");
    let mut world = World::new();
    world.add(camera).withheld.insert("receipt");
    world.dock("1", "C1");
    world.run();
    grow(&mut world, 60);
    world.withheld.clear();
    let other = "A1_C1_20260314T221503Z/clip_002.mp4";
    world.camera("C1").put(other, b"other");
    grow(&mut world, 120);
    let tried = world.facts(
        |f| matches!(f, Fact::Releasing { segment, .. } if *segment == world.id("C1", CLIP)),
    );
    assert_eq!(tried, 0, "no erase is even tried");
    assert_eq!(world.stage("C1", other), Stage::Released);
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
    assert_eq!(light(&world).light, Light::Green);
}
