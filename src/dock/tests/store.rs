//! The way to the store: room in the spool, order, attempts, damage.

use super::{
    camera::Camera,
    world::{Store, World, settings},
};
use crate::{
    dock::{Action, Command, Event, MemoryTable, Records, Settings, Stage, fold, state::key},
    types::{
        Class, ObjectId, ReceiptLevel, SegmentId,
        fact::{Content, Fact, Target},
    },
};

const FIRST: &str = "R000001/000001.mp4";

fn world_of(settings: Settings, recordings: &[(&[&[u8]], bool)]) -> World {
    let mut world = World::with(settings, 1);
    let mut camera = Camera::new("C1");
    for (contents, evidential) in recordings {
        camera.record(contents, *evidential);
    }
    world.add(camera);
    world
}

fn uploading(world: &World) -> Vec<ObjectId> {
    let object = |action: &Action| match action {
        Action::Upload { object } => Some(*object),
        _ => None,
    };
    world.pending.iter().filter_map(|p| object(&p.action)).collect()
}

fn object(world: &World, at: &str) -> ObjectId {
    world.at("C1", at).sealed.unwrap().object
}

#[test]
fn a_full_spool_waits_and_goes_on_by_itself() {
    let mut world = world_of(settings(), &[(&[b"a", b"b"], false)]);
    world.spool_full = true;
    world.dock("1", "C1");
    world.run();
    world.pass(600);
    assert_eq!(world.table.totals().unwrap().stages[0].count, 4);
    assert_eq!(world.facts(|f| matches!(f, Fact::CopyFailed { .. })), 0, "waiting is no failure");
    world.spool_full = false;
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn a_segment_larger_than_the_spool_stays_and_lets_the_others_pass() {
    let mut world = world_of(settings(), &[(&[&[7; 5000], b"b"], false)]);
    world.spool_bytes = 4000;
    world.dock("1", "C1");
    world.settle();
    assert_eq!(world.stage("C1", FIRST), Stage::Seen);
    assert!(world.at("C1", FIRST).trouble.unwrap().contains("larger than the whole spool"));
    assert_eq!(world.left("C1").len(), 3, "with its manifest and signature");
}

#[test]
fn while_the_store_is_down_one_object_asks_and_attempts_survive_a_crash() {
    let mut world = world_of(settings(), &[(&[b"a", b"b", b"c"], false)]);
    world.store = Store::Down;
    world.dock("1", "C1");
    world.run();
    for _ in 0..5 {
        world.withheld.insert("upload");
        world.pass(90);
        assert!(uploading(&world).len() <= 1, "more than one object asks");
        world.withheld.clear();
        world.run();
    }
    let attempts = |world: &World| -> u32 {
        let objects: Vec<crate::dock::state::ObjectState> =
            world.table.list(b"o/", b"", usize::MAX).unwrap();
        objects.iter().map(|object| object.attempts).sum()
    };
    let before = attempts(&world);
    assert!((2..=8).contains(&before), "{before} attempts");
    world.crash(0);
    assert_eq!(attempts(&world), before);
    assert!(world.erased.is_empty());
    world.store = Store::Up;
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn an_object_the_store_refuses_waits_alone_and_retry_ends_its_wait() {
    let mut world = world_of(settings(), &[(&[b"a"], false)]);
    world.store = Store::Refuses;
    world.dock("1", "C1");
    world.run();
    assert!(world.dock.store_wait().is_none());
    assert_eq!(uploading(&world).len(), 0);
    world.store = Store::Up;
    assert!(
        world
            .ask(Command::Retry { target: Target::Dock, reason: None })
            .starts_with("trying again")
    );
    world.run();
    assert_eq!(world.table.totals().unwrap().queue.map(|q| q.count), [0; 3]);
}

#[test]
fn retry_of_a_camera_ends_the_wait_of_its_failed_copies() {
    let mut world = world_of(settings(), &[(&[b"a"], false)]);
    world.camera("C1").broken.insert(super::camera::path(FIRST));
    world.dock("1", "C1");
    world.run();
    assert!(world.at("C1", FIRST).retry_at.is_some());
    world.camera("C1").broken.clear();
    let camera = world.cameras["C1"].id.clone();
    world.ask(Command::Retry { target: Target::Camera(camera), reason: None });
    world.run();
    assert!(world.at("C1", FIRST).sealed.is_some());
}

#[test]
fn evidence_stops_the_youngest_upload_and_goes_before_it() {
    let mut world = world_of(settings(), &[(&[b"a", b"b", b"c"], false)]);
    world.withheld.insert("upload");
    world.dock("1", "C1");
    world.run();
    let before = uploading(&world);
    assert_eq!(before.len(), 2);
    world.camera("C1").record(&[b"evidence"], true);
    world.pass(330);
    let now = uploading(&world);
    let class = |id: &ObjectId| world.table.object(*id).unwrap().unwrap().object.class;
    assert!(now.iter().any(|id| class(id) == Class::Evidential), "{now:?}");
    assert_eq!(now.iter().filter(|id| before.contains(id)).count(), 1, "only one gave way");
    world.withheld.clear();
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn unreviewed_footage_waits_at_most_the_head_start_and_is_then_stopped_no_more() {
    let settings = Settings { objects_in_flight: 1, ..settings() };
    let mut world = world_of(settings, &[(&[b"old"], false)]);
    world.withheld.insert("upload");
    world.dock("1", "C1");
    world.run();
    let old = uploading(&world);
    world.pass(31 * 60);
    world.camera("C1").record(&[b"evidence"], true);
    let lines = world.log.len();
    world.pass(330);
    assert_eq!(uploading(&world), old, "it has waited long enough");
    assert_eq!(world.pending.len(), 1, "{}", world.log.len() - lines);
    // Done, the rest of the old goes before the young evidence too.
    let next: Vec<ObjectId> = (0..3)
        .map(|_| {
            let at = uploading(&world)[0];
            world.withheld.clear();
            world.perform();
            world.withheld.insert("upload");
            world.run();
            at
        })
        .collect();
    let recording = |id: &ObjectId| {
        let state = world.table.object(*id).unwrap().unwrap();
        state.sealed_at
    };
    assert!(next.windows(2).all(|pair| recording(&pair[0]) <= recording(&pair[1])));
    assert!(!next.contains(&object(&world, "R000002/000001.mp4")));
}

#[test]
fn damage_in_the_spool_is_copied_again_from_the_camera() {
    let mut world = world_of(settings(), &[(&[b"a", b"b"], false)]);
    world.withheld.insert("upload");
    world.dock("1", "C1");
    world.run();
    let damaged = object(&world, FIRST);
    world.spool.insert(damaged, None);
    world.withheld.clear();
    world.settle();
    assert_ne!(object(&world, FIRST), damaged);
    assert!(!world.spool.contains_key(&damaged));
    assert_eq!(world.table.totals().unwrap().spool_damage, 1);
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn a_file_missing_from_the_spool_at_start_is_copied_again_and_a_late_answer_harms_nothing() {
    let mut world = world_of(settings(), &[(&[b"a", b"b"], false)]);
    world.withheld.insert("upload");
    world.dock("1", "C1");
    world.run();
    let lost = object(&world, FIRST);
    world.event(Event::SpoolMissing { object: lost, stored: None });
    // It had been sent all the same: the answer comes now.
    world.withheld.clear();
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
    assert_eq!(world.table.totals().unwrap().queue.map(|q| (q.count, q.bytes)), [(0, 0); 3]);
}

/// What a log tells in which one line is destroyed, and people went on.
fn without_a_line(which: impl Fn(&Fact) -> bool) -> (World, ObjectId) {
    let mut keeps = settings();
    keeps.release.enabled = false;
    let mut world = world_of(keeps, &[(&[b"a", b"b"], false)]);
    world.dock("1", "C1");
    world.settle();
    let one = object(&world, FIRST);
    let of_one = |fact: &Fact| match fact {
        Fact::Stored { object, .. } | Fact::Receipted { object, .. } => *object == one,
        _ => false,
    };
    let before = world.log.len();
    world.log.retain(|entry| !(of_one(&entry.fact) && which(&entry.fact)));
    assert_eq!(world.log.len(), before - 1);
    world.table = MemoryTable::default();
    let log = world.log.clone();
    log.iter().for_each(|entry| fold(entry, &mut world.table).unwrap());
    (world, one)
}

fn unfinished(world: &World) -> usize {
    world.table.ids(key::UNFINISHED, b"", 100).unwrap().len()
}

#[test]
fn an_object_whose_receipt_lost_its_line_gets_another_one() {
    let (mut world, one) = without_a_line(|fact| matches!(fact, Fact::Receipted { .. }));
    assert_eq!((world.stage("C1", FIRST), unfinished(&world)), (Stage::Stored, 1));
    world.settle();
    assert_eq!((world.stage("C1", FIRST), unfinished(&world)), (Stage::Receipted, 0));
    assert!(world.table.object(one).unwrap().unwrap().receipt.is_some());
}

#[test]
fn an_object_that_lost_the_line_that_it_is_stored_is_not_left_to_be_finished_for_ever() {
    let (mut world, one) = without_a_line(|fact| matches!(fact, Fact::Stored { .. }));
    assert_eq!(unfinished(&world), 0);
    // Its receipt on the disk tells.
    world.event(Event::SpoolMissing { object: one, stored: Some((ReceiptLevel::ReadBack, None)) });
    world.settle();
    assert_eq!((world.stage("C1", FIRST), unfinished(&world)), (Stage::Receipted, 0));
}

#[test]
fn a_rotten_line_that_contradicts_itself_loses_no_segment() {
    let mut world = world_of(settings(), &[(&[b"a", b"b"], false)]);
    world.withheld.insert("upload");
    world.dock("1", "C1");
    world.run();
    let one = object(&world, FIRST);
    for entry in &mut world.log {
        if let Fact::Sealed { object, .. } = &mut entry.fact
            && object.id == one
        {
            object.content = Content::Segment(SegmentId(uuid::Uuid::nil()));
        }
    }
    world.table = MemoryTable::default();
    let log = world.log.clone();
    log.iter().for_each(|entry| fold(entry, &mut world.table).unwrap());
    world.spool.insert(one, None);
    world.withheld.clear();
    world.settle();
    assert_ne!(object(&world, FIRST), one, "copied again when its spool file turned out damaged");
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn a_damaged_description_is_sealed_again() {
    let mut world = world_of(settings(), &[(&[b"a"], false)]);
    world.withheld.insert("upload");
    world.dock("1", "C1");
    world.run();
    let recording = world.at("C1", FIRST).segment.recording;
    let (record, _) = world.table.recording(recording).unwrap().unwrap().record.unwrap();
    world.spool.insert(record, None);
    world.withheld.clear();
    world.settle();
    assert_ne!(world.table.recording(recording).unwrap().unwrap().record.unwrap().0, record);
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn footage_lost_from_camera_and_spool_is_counted_and_said() {
    let mut world = world_of(settings(), &[(&[b"a"], false)]);
    world.withheld.insert("upload");
    world.dock("1", "C1");
    world.run();
    let only = object(&world, FIRST);
    world.camera("C1").files.remove(&super::camera::path(FIRST));
    world.pass(330);
    world.spool.insert(only, None);
    world.withheld.clear();
    world.settle();
    assert_eq!(world.table.totals().unwrap().vanished_unsealed, 1);
    let balance = crate::dock::report::reconcile(&world.table, None).unwrap();
    assert_eq!((balance[0].lost_sight_of, balance[0].clean), (1, false));
}

#[test]
fn a_receipt_that_cannot_be_written_or_is_too_weak_releases_nothing() {
    let mut world = world_of(settings(), &[(&[b"a"], false)]);
    world.receipts_fail = true;
    world.dock("1", "C1");
    world.settle();
    assert_eq!(world.stage("C1", FIRST), Stage::Stored);
    world.receipts_fail = false;
    world.level = ReceiptLevel::Md5PerPart;
    world.settle();
    assert_eq!(world.stage("C1", FIRST), Stage::Receipted);
    assert!(world.erased.is_empty());
}

#[test]
fn a_store_that_gives_no_receipts_is_not_stormed_and_says_why() {
    let mut world = world_of(settings(), &[(&[b"a"], false)]);
    for file in 0..40_u8 {
        world.camera("C1").record(&[&[file]], false);
    }
    world.receipts_fail = true;
    world.dock("1", "C1");
    world.run();
    let before = world.receipts_asked;
    assert!(before <= 8, "{before} asked at once");
    for _ in 0..60 {
        world.pass(60);
    }
    let asked = world.receipts_asked - before;
    assert!((10..=60).contains(&asked), "{asked} asked in an hour");
    let trouble = world.dock.finish_trouble().unwrap();
    assert!(trouble.words.contains("the disk is full"), "{trouble:?}");
    world.receipts_fail = false;
    world.settle();
    assert_eq!(world.dock.finish_trouble(), None);
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn what_the_store_proved_and_forgot_is_sent_again_ever_later_and_erased_only_then() {
    let mut world = World::new();
    let mut camera = Camera::new("c1");
    let folder = camera.record(&[b"one"], false);
    let path = format!("{folder}/000001.mp4");
    world.add(camera).dock("1", "c1");
    world.withheld.insert("receipt");
    world.run();
    assert_eq!(world.stage("c1", &path), Stage::Stored);
    let forget = |world: &mut World| {
        world.stored.clear();
        world.withheld.clear();
        world.run();
    };
    forget(&mut world);
    assert_eq!(world.stage("c1", &path), Stage::Sealed, "it is in the queue again");
    assert!(world.erased.is_empty());
    assert!(world.spool.values().all(Option::is_some), "and still in the spool");
    let facts = world.facts(|fact| matches!(fact, Fact::StoreForgot { .. }));
    assert!(facts >= 1);
    world.crash(0);
    world.settle();
    world.pass(3600);
    assert!(!world.camera("c1").has(&path), "stored anew, receipted, and only then erased");
    assert_eq!(world.table_queue(), 0);
}
