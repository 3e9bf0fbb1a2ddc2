//! Footage that fails its check, cameras that cannot be read, people who intervene.

use super::{
    camera::{Camera, path},
    invariants,
    world::{World, bay, settings},
};
use crate::{
    dock::{Command, Event, LogDamage, Records, Stage, report, report::Light},
    types::{
        Class, Verdict,
        fact::{Fact, Gap, Target},
    },
};

const FIRST: &str = "R000001/000001.mp4";
const SECOND: &str = "R000001/000002.mp4";
const CLIP: &str = "A1_C1_20260314T221503Z/clip_001.mp4";

fn docked(change: impl FnOnce(&mut Camera)) -> World {
    let mut camera = Camera::new("C1");
    camera.record(&[b"first", b"second"], false);
    change(&mut camera);
    let mut world = World::new();
    world.add(camera);
    world.dock("1", "C1");
    world
}

fn clip(change: impl FnOnce(&mut Camera)) -> World {
    let mut camera = Camera::bare("C1", "clip-folders");
    camera.put(CLIP, b"one");
    change(&mut camera);
    let mut world = World::new();
    world.add(camera);
    world.dock("1", "C1");
    world
}

fn verdict(world: &World, at: &str) -> Option<Verdict> {
    world.at("C1", at).sealed.map(|sealed| sealed.verdict)
}

#[test]
fn a_read_that_differs_once_is_read_again_and_counts_as_verified() {
    let mut world = docked(|camera| _ = camera.flips.insert(path(FIRST), 1));
    world.settle();
    assert_eq!(verdict(&world, FIRST), Some(Verdict::Verified));
    assert_eq!(world.left("C1"), Vec::<String>::new());
    assert_eq!(world.table.totals().unwrap().copy_failures, 1);
}

#[test]
fn a_differing_read_after_a_failed_one_is_still_only_the_first() {
    let mut world = docked(|camera| {
        camera.broken.insert(path(FIRST));
        camera.flips.insert(path(FIRST), 1);
    });
    world.run();
    assert_eq!(world.at("C1", FIRST).copy_attempts, 1);
    world.camera("C1").broken.clear();
    world.settle();
    assert_eq!(verdict(&world, FIRST), Some(Verdict::Verified));
}

#[test]
fn a_read_that_differs_twice_is_quarantined_and_stays_until_a_retry_reads_it_well() {
    let mut world = docked(|camera| _ = camera.flips.insert(path(FIRST), 2));
    world.settle();
    assert_eq!(verdict(&world, FIRST), Some(Verdict::Mismatched));
    let object = world.at("C1", FIRST).sealed.unwrap().object;
    assert_eq!(world.table.object(object).unwrap().unwrap().object.class, Class::Quarantine);
    assert!(world.stored.contains_key(&object), "preserved all the same");
    let left = ["000001.mp4", "manifest.json", "manifest.json.sig"].map(|f| format!("R000001/{f}"));
    assert_eq!(world.left("C1"), left);
    let target = Target::Segment(world.id("C1", FIRST));
    world.ask(Command::Retry { target, reason: None });
    world.settle();
    assert_eq!(verdict(&world, FIRST), Some(Verdict::Verified));
    assert_eq!(world.left("C1"), Vec::<String>::new());
    let totals = world.table.totals().unwrap();
    assert_eq!((totals.mismatched, totals.verified), (0, 3));
    invariants::the_log_is_the_state(&world, 40);
}

#[test]
fn a_retry_of_the_dock_or_a_camera_reads_again_what_failed_its_check_and_nobody_explained() {
    let camera = Target::Camera(crate::types::CameraId::new("C1").unwrap());
    for (target, acknowledged, away) in [
        (Target::Dock, false, false),
        (camera, false, false),
        (Target::Dock, true, false),
        (Target::Dock, false, true),
    ] {
        let mut world = docked(|camera| _ = camera.flips.insert(path(FIRST), 2));
        world.settle();
        assert_eq!(verdict(&world, FIRST), Some(Verdict::Mismatched));
        if acknowledged {
            let camera = crate::types::CameraId::new("C1").unwrap();
            let reason = "a broken reader".to_owned();
            world.ask(Command::Acknowledge { camera, only: None, reason });
        }
        if away {
            world.pull("1");
        }
        let said = world.ask(Command::Retry { target, reason: None });
        assert!(said.contains("read again"), "{said}");
        world.settle();
        let again = !acknowledged && !away;
        let wanted = if again { Verdict::Verified } else { Verdict::Mismatched };
        assert_eq!(verdict(&world, FIRST), Some(wanted), "{said}");
        // A copy in the store is not forgotten because its camera is elsewhere.
        assert_ne!(world.stage("C1", FIRST), Stage::Seen);
        invariants::the_log_is_the_state(&world, 40);
    }
}

#[test]
fn a_segment_declared_cut_off_is_preserved_and_never_released() {
    let mut camera = Camera::new("C1");
    camera.record_with(&[b"cut", b"whole"], false, |m| m.segments[0].partial = true);
    let mut world = World::new();
    world.add(camera).dock("1", "C1");
    world.settle();
    assert_eq!(verdict(&world, FIRST), Some(Verdict::Partial));
    assert_eq!(world.stage("C1", FIRST), Stage::Receipted);
    assert_eq!(world.stage("C1", SECOND), Stage::Released);
    assert_eq!(world.stage("C1", "R000001/manifest.json"), Stage::Receipted);
}

#[test]
fn what_cannot_be_read_is_tried_three_times_and_kept_as_far_as_it_goes() {
    let mut world = docked(|camera| _ = camera.broken.insert(path(FIRST)));
    world.settle();
    assert_eq!(verdict(&world, FIRST), Some(Verdict::Unreadable));
    assert_eq!(world.at("C1", FIRST).copy_attempts, 2, "two failures, then sealed");
    assert_eq!(world.stage("C1", FIRST), Stage::Receipted);
    assert!(world.camera("C1").has(FIRST));
}

/// A spool that is read-only, or whose disk is broken, for hours is nothing that passes by itself.
#[test]
fn copies_that_all_fail_for_long_turn_the_bay_red_until_one_works() {
    let mut world = docked(|_| ());
    let room = std::mem::replace(&mut world.spool_bytes, 0);
    world.run();
    assert_eq!(world.bay_report("1").light, Light::Amber, "it may pass");
    world.pass(9 * 60);
    assert_eq!(world.bay_report("1").light, Light::Amber);
    world.pass(4 * 60);
    let report = world.bay_report("1");
    assert_eq!(report.light, Light::Red, "{report:?}");
    for words in ["larger than the whole spool", "leave the camera here", "on the camera only"] {
        assert!(report.words.contains(words), "{}", report.words);
    }
    assert_eq!(world.left("C1").len(), 4);
    world.spool_bytes = room;
    world.pass(11 * 60);
    world.settle();
    assert_eq!(world.bay_report("1").light, Light::Green);
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn an_orphan_is_preserved_in_quarantine_and_never_released() {
    let mut world = docked(|camera| camera.put("stray.bin", b"whose is it"));
    world.settle();
    assert_eq!(world.left("C1"), ["stray.bin"]);
    assert_eq!(world.stage("C1", "stray.bin"), Stage::Receipted);
}

#[test]
fn without_a_digest_a_file_goes_after_a_second_equal_read_only() {
    let mut world = clip(|_| {});
    world.withheld.insert("second read");
    world.settle();
    assert!(world.camera("C1").has(CLIP));
    assert_eq!(world.has_pending("second read"), 1);
    world.withheld.clear();
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
    assert_eq!(world.facts(|f| matches!(f, Fact::SecondRead { agrees: true, .. })), 1);
}

#[test]
fn a_second_read_that_differs_keeps_the_file_for_good() {
    let mut world = clip(|_| {});
    world.withheld.insert("second read");
    world.settle();
    world.camera("C1").flips.insert(path(CLIP), 1);
    world.withheld.clear();
    world.settle();
    world.pull("1");
    world.dock("1", "C1");
    world.settle();
    assert!(world.camera("C1").has(CLIP));
    assert_eq!(world.facts(|f| matches!(f, Fact::SecondRead { agrees: false, .. })), 1);
}

#[test]
fn a_second_read_that_fails_holds_up_nothing_else() {
    let other = "A1_C1_20260314T221503Z/clip_002.mp4";
    let mut world = clip(|camera| camera.put(other, b"two"));
    world.withheld.insert("second read");
    world.settle();
    world.camera("C1").broken.insert(path(CLIP));
    world.withheld.clear();
    world.settle();
    assert_eq!(world.left("C1"), [CLIP]);
    world.camera("C1").broken.clear();
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn a_hold_on_dock_camera_recording_or_segment_keeps_what_it_covers() {
    for which in 0..4 {
        let mut world = docked(|_| {});
        world.withheld.insert("upload");
        world.settle();
        let segment = world.at("C1", FIRST).segment;
        let target = match which {
            0 => Target::Dock,
            1 => Target::Camera(segment.camera),
            2 => Target::Recording(segment.recording),
            _ => Target::Segment(segment.id),
        };
        let hold = Command::Hold { target: target.clone(), reason: "case 7".into() };
        assert!(world.ask(hold.clone()).starts_with("held"));
        world.withheld.clear();
        world.settle();
        assert!(world.camera("C1").has(FIRST));
        assert_eq!(world.camera("C1").has(SECOND), which < 3);
        world.crash(0);
        world.settle();
        assert!(world.camera("C1").has(FIRST), "a hold is forgotten by a crash");
        world.ask(Command::Unhold { target: target.clone(), reason: "done".into() });
        let again = world.ask(Command::Unhold { target, reason: "done".into() });
        assert!(again.starts_with("refused") && again.contains("not held"), "{again}");
        world.settle();
        assert_eq!(world.left("C1"), Vec::<String>::new());
    }
}

#[test]
fn a_pause_stops_copying_and_sending_and_survives_a_crash() {
    let mut world = docked(|_| {});
    world.perform();
    let camera = world.cameras["C1"].id.clone();
    world.ask(Command::Pause { target: Target::Camera(camera.clone()), reason: "x".into() });
    world.run();
    world.crash(0);
    world.settle();
    let copied = world.table.totals().unwrap().stages[0].count;
    assert_eq!(copied, 4 - 1, "only what was being read was copied");
    let stored = world.stored.len();
    world.ask(Command::Pause { target: Target::Dock, reason: "y".into() });
    world.ask(Command::Resume { target: Target::Camera(camera), reason: None });
    world.settle();
    assert_eq!(world.stored.len(), stored, "sent or copied while the dock was paused");
    assert!(
        world.ask(Command::Resume { target: Target::Dock, reason: None }).starts_with("resumed")
    );
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn a_pause_stops_erasing_too() {
    for dock_wide in [true, false] {
        let mut world = docked(|_| {});
        let camera = Target::Camera(world.cameras["C1"].id.clone());
        world.ask(Command::Hold { target: camera.clone(), reason: "case 7".into() });
        world.settle();
        let kept = world.left("C1");
        let paused = if dock_wide { Target::Dock } else { camera.clone() };
        world.ask(Command::Pause { target: paused.clone(), reason: "audit".into() });
        world.ask(Command::Unhold { target: camera, reason: "closed".into() });
        world.settle();
        assert_eq!(world.left("C1"), kept, "erased during a pause");
        world.ask(Command::Resume { target: paused, reason: None });
        world.settle();
        assert_eq!(world.left("C1"), Vec::<String>::new());
    }
}

#[test]
fn what_cannot_be_asked_for_is_refused_in_words() {
    let mut world = docked(|_| {});
    world.run();
    let segment = world.at("C1", FIRST).segment;
    let nobody = Target::Segment(crate::types::SegmentId(uuid::Uuid::nil()));
    let reason = || "r".to_owned();
    for (command, words) in [
        (Command::Pause { target: Target::Segment(segment.id), reason: reason() }, "use `hold`"),
        (Command::Hold { target: nobody.clone(), reason: reason() }, "knows no segment"),
        (Command::Retry { target: nobody, reason: None }, "knows no segment"),
        (Command::Resume { target: Target::Dock, reason: None }, "not paused"),
        (
            Command::Reclass {
                recording: segment.recording,
                class: Class::Quarantine,
                reason: reason(),
            },
            "nothing was changed",
        ),
    ] {
        let lines = world.log.len();
        let said = world.ask(command);
        assert!(said.starts_with("refused") && said.contains(words), "{said}");
        assert_eq!(world.log.len(), lines);
    }
}

#[test]
fn a_class_given_by_people_moves_what_is_to_copy_queued_and_stored() {
    let mut world = docked(|_| {});
    world.withheld.extend(["copy", "upload"]);
    world.run();
    let recording = world.at("C1", FIRST).segment.recording;
    let reclass = |class| Command::Reclass { recording, class, reason: "r".into() };
    world.ask(reclass(Class::Evidential));
    assert_eq!(world.table.totals().unwrap().to_copy[0].count, 4);
    world.withheld.remove("copy");
    world.run();
    assert!(world.table.totals().unwrap().queue[0].count >= 4);
    world.ask(reclass(Class::Unreviewed));
    assert_eq!(world.table.totals().unwrap().queue[0].count, 0);
    world.withheld.clear();
    world.settle();
    let object = world.at("C1", FIRST).sealed.unwrap().object;
    world.ask(reclass(Class::Evidential));
    let stored = world.table.object(object).unwrap().unwrap();
    assert_eq!(stored.object.class, Class::Evidential);
    world.settle();
    assert!(world.table.0.keys().all(|key| !key.starts_with(b"w/")), "described anew");
}

#[test]
fn the_same_camera_in_two_bays_is_read_in_one_and_taken_over_when_it_leaves_that() {
    let mut world = docked(|_| {});
    world.withheld.insert("upload");
    world.dock("2", "C1");
    assert!(world.dock.troubles()[&bay("2")].contains("too; nothing is read"));
    world.settle();
    assert!(!world.dock.bays().contains_key(&bay("2")));
    world.pull("1");
    assert!(world.dock.troubles().is_empty());
    assert!(world.dock.bays().contains_key(&bay("2")));
    world.withheld.clear();
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn a_camera_in_the_place_of_another_ends_the_others_work() {
    let mut world = docked(|_| {});
    let mut other = Camera::new("C2");
    other.record(&[b"third"], false);
    world.add(other);
    world.dock("1", "C2");
    world.settle();
    assert_eq!(world.left("C2"), Vec::<String>::new());
    assert_eq!(world.left("C1").len(), 4);
    assert!(!world.table.camera(&world.cameras["C1"].id).unwrap().unwrap().docked);
}

#[test]
fn a_late_listing_of_the_camera_before_is_not_taken_for_this_ones() {
    let mut world = docked(|_| {});
    let late = Event::Listed { bay: bay("1"), listed: world.cameras["C1"].list() };
    world.add(Camera::new("C2"));
    world.dock("1", "C2");
    world.event(late);
    world.settle();
    let seen = |f: &Fact| matches!(f, Fact::SegmentSeen { .. });
    assert_eq!(world.facts(seen), 0);
}

#[test]
fn a_gap_is_reported_once_however_often_the_camera_is_docked() {
    let mut camera = Camera::new("C1");
    camera.record(&[b"one"], false);
    camera.record_with(&[b"two", b"lost"], false, |m| m.sequence = 5);
    camera.files.remove(&path("R000002/000002.mp4"));
    camera.erase_allowed = false;
    let mut world = World::new();
    world.add(camera);
    for _ in 0..3 {
        world.dock("1", "C1");
        world.settle();
        world.pull("1");
    }
    let missing =
        |f: &Fact| matches!(f, Fact::GapFound { gap: Gap::Recordings { first: 2, last: 4 }, .. });
    let segment = |f: &Fact| matches!(f, Fact::GapFound { gap: Gap::Segment { index: 2, .. }, .. });
    assert_eq!((world.facts(missing), world.facts(segment)), (1, 1));
    assert_eq!(world.table.totals().unwrap().gaps, 2);
}

#[test]
fn a_released_file_is_no_gap_and_no_finding_while_its_manifest_is_still_there() {
    let mut world = docked(|camera| _ = camera.broken.insert(path(SECOND)));
    world.settle();
    assert!(!world.camera("C1").has(FIRST));
    world.pull("1");
    world.dock("1", "C1");
    world.settle();
    assert_eq!(world.facts(|f| matches!(f, Fact::GapFound { .. })), 0);
    assert_eq!(world.concerns("C1").len(), 1, "the file that cannot be read");
}

#[test]
fn a_card_that_refuses_to_be_erased_is_asked_ever_more_rarely() {
    let mut world = docked(|camera| camera.refuses_erase = true);
    world.settle();
    let tried = world.facts(|f| matches!(f, Fact::ReleaseFailed { .. }));
    assert!((2..=30).contains(&tried), "{tried} failed erases in half an hour");
    world.camera("C1").refuses_erase = false;
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn one_file_that_cannot_be_erased_keeps_no_other() {
    let mut world = docked(|_| {});
    world.withheld.insert("upload");
    world.settle();
    // Touched after it was copied: the camera sees that it is not what the permit is for.
    world.camera("C1").files.get_mut(&path(FIRST)).unwrap().modified_ms += 1;
    world.withheld.clear();
    world.run();
    world.pass(20);
    assert!(!world.camera("C1").has(SECOND) && world.camera("C1").has(FIRST));
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new(), "as a new segment, copied again");
}

#[test]
fn a_list_that_fails_is_tried_again_and_shown() {
    let mut world = docked(|camera| camera.refuses_list = true);
    world.pass(60);
    assert!(world.dock.bays()[&bay("1")].problem.is_some());
    assert_eq!(world.facts(|f| matches!(f, Fact::BayTrouble { .. })), 1, "said once");
    world.camera("C1").refuses_list = false;
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

fn damage() -> LogDamage {
    LogDamage { first_seq: 8, last_seq: 9, words: "lines 8 to 9 are missing".into() }
}

#[test]
fn a_damaged_journal_is_accepted_by_name_and_reason_only() {
    let mut world = docked(|_| {});
    world.dock.set_journal_damage(Some(damage()));
    world.settle();
    let accept = |first_seq| Command::AcceptDamage { first_seq, reason: "disk replaced".into() };
    assert!(world.ask(accept(7)).contains("begins at line 8, not at 7"));
    world.settle();
    assert!(world.erased.is_empty());
    assert!(world.ask(accept(8)).starts_with("accepted: lines 8 to 9 are missing"));
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
    let accepted = |f: &Fact| matches!(f, Fact::DamageAccepted { first_seq: 8, last_seq: 9, .. });
    assert_eq!(world.facts(accepted), 1);
    assert!(world.ask(accept(8)).contains("no damage to accept"));
}

#[test]
fn with_a_damaged_journal_nothing_is_released() {
    let mut world = docked(|_| {});
    world.dock.set_journal_damage(Some(damage()));
    world.settle();
    assert_eq!(world.left("C1").len(), 4);
    assert_eq!(world.stored.len(), 4 + 1, "but everything is saved");
    let report = super::reports::light(&world);
    assert_eq!(report.light, report::Light::Red, "{report:?}");
    assert!(report.words.contains("everything is safe; may be taken; but"), "{report:?}");
    assert!(report.words.contains("custody log is damaged"), "{report:?}");
    let at = report::Now::default();
    let why = report::explain_bay(&world.dock, &bay("1"), &at, world.now, &world.table);
    let why = why.unwrap().unwrap();
    assert!(why.next.iter().any(|step| step.contains("custody accept 8 ")), "{why:?}");
    let all = why.because.iter().filter(|words| words.starts_with("4 files stay")).count();
    assert_eq!(all, 1, "each file once: {why:?}");
    world.crash(0);
    world.settle();
    assert!(world.erased.is_empty());
}

#[test]
fn bays_take_turns_when_fewer_may_copy_than_are_full() {
    let mut world = World::with(crate::dock::Settings { copies_max: 1, ..settings() }, 1);
    for id in ["C1", "C2", "C3"] {
        let mut camera = Camera::new(id);
        camera.record(&[b"a", b"b", b"c"], false);
        world.add(camera);
    }
    world.withheld.insert("copy");
    for (at, id) in [("1", "C1"), ("2", "C2"), ("3", "C3")] {
        world.dock(at, id);
        world.run();
    }
    world.withheld.insert("upload");
    let mut order = Vec::new();
    for _ in 0..6 {
        let copies = world.pending.iter().enumerate();
        let found = copies.into_iter().find_map(|(at, p)| match &p.action {
            crate::dock::Action::Copy { bay, .. } => Some((at, bay.to_string())),
            _ => None,
        });
        let (at, name) = found.unwrap();
        order.push(name);
        world.perform_at(at);
        world.run();
    }
    assert_eq!(order, ["1", "2", "3", "1", "2", "3"]);
}
