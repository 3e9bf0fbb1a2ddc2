//! Files that leave their camera by another hand: what was copied is safe, and only what was not is
//! lost.

use super::{
    camera::{Camera, hashed, path},
    world::World,
};
use crate::{
    dock::{
        Action, Event, Records, Stage,
        report::{self, CameraBalance, Gone, Light, SegmentRow},
    },
    types::{
        Class, ObjectId, SegmentId, Verdict,
        fact::{Fact, Hashed},
    },
};

const FIRST: &str = "R000001/000001.mp4";
const SECOND: &str = "R000001/000002.mp4";

fn balance(world: &World) -> CameraBalance {
    report::reconcile(&world.table, None).unwrap().remove(0)
}

fn rows(world: &World) -> Vec<SegmentRow> {
    let filter = report::Filter { limit: 100, ..report::Filter::default() };
    report::segment_rows(&world.table, &filter).unwrap().rows
}

fn gone(world: &World, at: &str) -> Option<Gone> {
    rows(world).into_iter().find(|row| row.path == path(at)).unwrap().gone
}

fn why(world: &World, at: &str) -> report::Explanation {
    let id = world.id("C1", at).0;
    report::explain(&world.dock, id, world.now, &world.table).unwrap().unwrap()
}

/// A copy is under way when the camera is pulled; it turns up in another bay without the file.
fn gone_while_it_was_read() -> (World, SegmentId, ObjectId) {
    let mut world = World::new();
    let mut camera = Camera::new("C1");
    camera.record(&[b"first", b"second"], false);
    world.add(camera).withheld.insert("copy");
    world.dock("1", "C1");
    world.run();
    // Which copy comes first is up to the ids: this one is as good as ordered.
    let (segment, object) = (world.id("C1", FIRST), ObjectId(uuid::Uuid::from_u128(6)));
    world.pending.clear();
    world.pull("1");
    world.camera("C1").files.remove(&path(FIRST));
    world.dock("2", "C1");
    world.run();
    assert_eq!(world.stage("C1", FIRST), Stage::Vanished);
    assert_eq!((balance(&world).lost_sight_of, gone(&world, FIRST)), (1, Some(Gone::Lost)));
    assert_eq!(world.table.totals().unwrap().vanished_unsealed, 1);
    (world, segment, object)
}

fn late(world: &mut World, segment: SegmentId, object: ObjectId, plain: Hashed, failed: bool) {
    let failed = failed.then(|| "the cable".to_owned());
    let result = world.seal(object, plain, failed);
    let bay = super::world::bay("1");
    world.event(Event::Copied { bay, segment, object, result });
}

#[test]
fn a_copy_whose_answer_comes_after_its_file_had_gone_is_kept_and_stored() {
    let (mut world, segment, object) = gone_while_it_was_read();
    late(&mut world, segment, object, hashed(b"first"), false);
    assert_eq!(world.facts(|f| matches!(f, Fact::Sealed { .. })), 1);
    assert_eq!((world.has_pending("discard"), gone(&world, FIRST)), (0, Some(Gone::InSpool)));
    let now = balance(&world);
    assert_eq!((now.lost_sight_of, now.gone_in_spool, now.in_spool), (0, 1, 1));
    assert_eq!(world.table.totals().unwrap().vanished_unsealed, 0);
    world.withheld.clear();
    world.settle();
    let state = world.at("C1", FIRST);
    assert_eq!((state.stage, state.sealed.unwrap().verdict), (Stage::Vanished, Verdict::Verified));
    assert!(world.stored.contains_key(&object) && state.receipt.is_some());
    assert_eq!(gone(&world, FIRST), Some(Gone::Stored));
    let now = balance(&world);
    assert_eq!((now.lost_sight_of, now.gone_stored, now.outstanding), (0, 1, 0));
    assert!(now.clean, "{now:?}");
    // What is known of it is in a sealed description too.
    let recording = world.table.recording(state.segment.recording).unwrap().unwrap();
    let (record, _) = recording.record.unwrap();
    assert!(world.covers[&record].contains(&object));
    let words = why(&world, FIRST).because.join("\n");
    assert!(words.contains("it is safe") && !words.contains("lost"), "{words}");
    assert_eq!(world.left("C1"), Vec::<String>::new());
    assert_eq!(world.bay_report("2").light, Light::Green);
}

#[test]
fn a_late_copy_of_a_file_that_is_back_is_not_made_twice() {
    let (mut world, segment, object) = gone_while_it_was_read();
    late(&mut world, segment, object, hashed(b"first"), false);
    world.pull("2");
    let stored = world.stored.len();
    world.camera("C1").put(FIRST, b"first");
    let ms = world.at("C1", FIRST).segment.source.modified_ms.unwrap();
    world.camera("C1").files.get_mut(&path(FIRST)).unwrap().modified_ms = ms;
    world.withheld.clear();
    world.dock("3", "C1");
    world.settle();
    assert_eq!(world.at("C1", FIRST).sealed.unwrap().object, object);
    assert_eq!(world.stage("C1", FIRST), Stage::Released);
    let firsts = world.stored.values().filter(|c| **c == hashed(b"first").sha256).count();
    assert!(firsts == 1 && world.stored.len() > stored);
    assert!(balance(&world).clean);
}

#[test]
fn what_cannot_be_read_once_more_is_kept_as_it_was_read() {
    for (plain, failed, verdict) in [
        (hashed(b"firsT"), false, Verdict::Mismatched),
        (hashed(b"fir"), true, Verdict::Unreadable),
    ] {
        let (mut world, segment, object) = gone_while_it_was_read();
        late(&mut world, segment, object, plain, failed);
        world.withheld.clear();
        world.settle();
        let sealed = world.at("C1", FIRST).sealed.unwrap();
        assert_eq!((sealed.object, sealed.verdict), (object, verdict));
        let stored = world.table.object(object).unwrap().unwrap();
        assert!(stored.stored.is_some() && stored.object.class == Class::Quarantine);
        assert!(!balance(&world).clean, "it is told");
    }
}

#[test]
fn a_late_copy_of_what_is_safe_is_not_needed() {
    let (mut world, segment, object) = gone_while_it_was_read();
    late(&mut world, segment, object, hashed(b"first"), false);
    let again = ObjectId(uuid::Uuid::from_u128(7));
    late(&mut world, segment, again, hashed(b"firsT"), false);
    assert_eq!(world.at("C1", FIRST).sealed.unwrap().object, object);
    assert_eq!(world.has_pending("discard"), 1);
    // Of a copy that failed its check a better one is kept, an equal one is not.
    let (mut world, segment, object) = gone_while_it_was_read();
    late(&mut world, segment, object, hashed(b"firsT"), false);
    late(&mut world, segment, again, hashed(b"firsT"), false);
    assert_eq!(
        (world.at("C1", FIRST).sealed.unwrap().object, world.has_pending("discard")),
        (object, 1)
    );
    let better = ObjectId(uuid::Uuid::from_u128(8));
    late(&mut world, segment, better, hashed(b"first"), false);
    assert_eq!(world.at("C1", FIRST).sealed.unwrap().verdict, Verdict::Verified);
    world.withheld.clear();
    world.settle();
    assert!(world.stored.contains_key(&object) && world.stored.contains_key(&better));
}

#[test]
fn a_folder_emptied_by_hand_loses_only_what_was_never_copied() {
    let mut world = World::new();
    let mut camera = Camera::bare("C1", "clip-folders");
    let at = |n: u32| format!("A1_C1_20260314T221503Z/clip_00{n}.mp4");
    (1..=2).for_each(|n| camera.put(&at(n), &[n as u8]));
    camera.erase_allowed = false;
    world.add(camera).dock("1", "C1");
    world.settle();
    world.withheld.insert("upload");
    world.camera("C1").put(&at(3), b"three");
    world.pass(330);
    world.withheld.insert("copy");
    world.camera("C1").put(&at(4), b"four");
    world.pass(330);
    let emptied: Vec<_> = world.camera("C1").files.keys().cloned().collect();
    emptied.iter().for_each(|path| drop(world.camera("C1").files.remove(path)));
    world.pending.retain(|p| !matches!(p.action, Action::Copy { .. }));
    world.pull("1");
    world.dock("1", "C1");
    world.run();
    let now = balance(&world);
    assert_eq!((now.on_camera, now.gone_stored, now.gone_in_spool), (0, 2, 1));
    assert_eq!((now.lost_sight_of, now.stored, now.copied, now.clean), (1, 2, 3, false));
    assert_eq!(
        [1, 2, 3, 4].map(|n| gone(&world, &at(n)).unwrap()),
        [Gone::Stored, Gone::Stored, Gone::InSpool, Gone::Lost]
    );
    let open = world.concerns("C1");
    assert!(open.len() == 1 && open[0].contains("clip_004.mp4: never copied"), "{open:?}");
    assert!(why(&world, &at(1)).next.is_empty());
    assert!(why(&world, &at(3)).because.join("\n").contains("only copy is on this dock's disk"));
    assert!(why(&world, &at(4)).because.join("\n").contains("it is lost"));
    world.withheld.clear();
    world.settle();
    assert_eq!((balance(&world).gone_stored, balance(&world).outstanding), (3, 0));
}

#[test]
fn a_missing_file_that_is_back_on_its_camera_is_missing_no_more() {
    let mut world = World::new();
    let mut camera = Camera::new("C1");
    camera.record(&[b"first", b"second"], false);
    world.add(camera).withheld.insert("copy");
    world.dock("1", "C1");
    world.run();
    let file = world.camera("C1").files.remove(&path(SECOND)).unwrap();
    world.pull("1");
    world.dock("2", "C1");
    world.run();
    assert_eq!(balance(&world).lost_sight_of, 1);
    world.pull("2");
    world.camera("C1").files.insert(path(SECOND), file);
    world.withheld.clear();
    world.dock("1", "C1");
    world.settle();
    assert!(balance(&world).clean, "{:?}", balance(&world));
    assert_eq!(world.left("C1"), Vec::<String>::new());
}
