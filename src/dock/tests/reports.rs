//! What the screens say is true: the light, the reasons, the accounts.

use super::{
    camera::{Camera, path},
    invariants,
    world::{Store, World, bay},
};
use crate::{
    dock::{
        Command, Records, Stage,
        report::{self, BayReport, Light},
    },
    types::fact::{Fact, Target},
};

const FIRST: &str = "R000001/000001.mp4";

fn world() -> World {
    let mut camera = Camera::new("C1");
    camera.record(&[b"first", b"second"], true);
    let mut world = World::new();
    world.add(camera);
    world
}

pub fn status(world: &World) -> report::StatusReport {
    let head = (world.log.len() as u64, crate::types::Sha256Digest([0; 32]));
    let at = report::Now::default();
    report::status(&world.dock, &at, head, world.now, &world.table).unwrap()
}

pub fn light(world: &World) -> BayReport {
    let report = status(world).bays.remove(0);
    assert_eq!(report.bay, bay("1"));
    report
}

/// The light is green only if every file known of the docked camera is in the store, the camera
/// was listed after the last work on it, every file it held then is known, all of it could be
/// looked at, and whatever is wrong was acknowledged by a person.
pub fn green_means_safe(world: &World) {
    for report in status(world).bays {
        let Some(camera) = report.camera.filter(|_| report.light == Light::Green) else { continue };
        let open: Vec<_> = report::concerns(&world.table, &camera, usize::MAX)
            .unwrap()
            .into_iter()
            .filter(report::Concern::is_open)
            .collect();
        assert!(open.is_empty(), "green with {open:?}");
        nothing_came_since_it_was_listed(world, &camera);
        let segments: Vec<crate::dock::state::SegmentState> =
            world.table.list(b"s/", b"", usize::MAX).unwrap();
        for state in segments.iter().filter(|s| s.segment.camera == camera) {
            let Some(sealed) = &state.sealed else {
                assert_eq!(state.stage, Stage::Vanished, "green with {:?}", state);
                continue;
            };
            let object = world.table.object(sealed.object).unwrap().unwrap();
            assert!(object.receipt.is_some() || state.stage == Stage::Vanished, "{state:?}");
            assert!(object.stored.is_some(), "green, and not in the store: {state:?}");
            let here =
                world.cameras[camera.as_str()].files.contains_key(&state.segment.source.path);
            let row = crate::dock::state::key::matter(&camera, state.segment.id);
            let matter: Option<crate::dock::state::FileMatter> = world.table.record(&row).unwrap();
            let known = matter.is_some_and(|matter| matter.acknowledged.is_some());
            let sound = sealed.verdict.is_sound() || state.stage.is_gone() || !here;
            assert!(sound || known, "{state:?}");
        }
    }
}

fn nothing_came_since_it_was_listed(world: &World, camera: &crate::types::CameraId) {
    let (lines, files) = &world.looks[camera.as_str()];
    for source in files {
        let id = world.table.segment_at(camera, source.path.as_bytes()).unwrap();
        let id = id.unwrap_or_else(|| panic!("green, and {} is not known", source.path));
        assert_eq!(world.table.segment(id).unwrap().unwrap().segment.source, *source);
    }
    for entry in &world.log[*lines..] {
        let of = match &entry.fact {
            Fact::Sealed { segment, .. }
            | Fact::SecondRead { segment, .. }
            | Fact::Releasing { segment, .. } => world.table.segment(*segment).unwrap(),
            _ => None,
        };
        let worked = of.is_some_and(|state| state.segment.camera == *camera);
        assert!(!worked, "green, and not listed since {:?}", entry.fact);
    }
}

#[test]
fn the_light_says_what_is_going_on_and_is_green_at_the_end_only() {
    let mut world = world();
    assert_eq!((light(&world).light, light(&world).words), (Light::Off, "empty".into()));
    world.dock("1", "C1");
    assert_eq!(light(&world).light, Light::Amber);
    assert!(light(&world).words.contains("do not take it yet"));
    world.perform();
    assert!(light(&world).words.contains("copying, 4 files to go"), "{}", light(&world).words);
    world.withheld.insert("upload");
    world.run();
    let report = light(&world);
    assert!(report.light == Light::Amber && report.words.contains("may be taken"), "{report:?}");
    world.withheld.clear();
    world.withheld.insert("erase");
    world.settle();
    assert!(light(&world).words.contains("clearing the camera"));
    world.withheld.clear();
    world.settle();
    let report = light(&world);
    assert_eq!((report.light, report.words), (Light::Green, "everything is safe; take it".into()));
    assert_eq!(status(&world).problems, Vec::<String>::new());
    assert_eq!(report.all_safe_at, Some(world.now));
}

#[test]
fn green_is_never_shown_at_any_step_while_something_is_not_safe() {
    let mut world = world();
    world.dock("1", "C1");
    for step in 0..400 {
        if !world.perform() {
            world.pass(5);
        }
        green_means_safe(&world);
        if step == 9 {
            world.camera("C1").record(&[b"third"], false);
        }
    }
    assert_eq!(light(&world).light, Light::Green);
}

#[test]
fn a_file_that_left_by_another_hand_keeps_the_light_from_green_until_it_is_stored() {
    let mut world = world();
    world.withheld.insert("upload");
    world.dock("1", "C1");
    world.run();
    world.camera("C1").files.retain(|at, _| *at == path("camera.json"));
    world.pass(330);
    assert_eq!(world.stage("C1", FIRST), Stage::Vanished);
    assert_eq!(light(&world).light, Light::Amber, "{}", light(&world).words);
    let balance = report::reconcile(&world.table, None).unwrap().remove(0);
    assert_eq!((balance.outstanding, balance.lost_sight_of, balance.on_camera), (4, 0, 0));
    world.withheld.clear();
    world.settle();
    assert_eq!(light(&world).light, Light::Green);
    let balance = report::reconcile(&world.table, None).unwrap().remove(0);
    assert!(balance.clean && balance.stored == 4 && balance.released == 0, "{balance:?}");
}

#[test]
fn footage_that_failed_its_check_makes_the_light_red_with_words() {
    let mut world = world();
    world.camera("C1").flips.insert(path(FIRST), 2);
    world.dock("1", "C1");
    world.settle();
    let report = light(&world);
    assert_eq!(report.light, Light::Red);
    assert!(report.words.contains("1 file failed its check"), "{}", report.words);
    assert!(status(&world).problems.iter().any(|p| p.contains("quarantine")));
    let why = report::explain(&world.dock, world.id("C1", FIRST).0, world.now, &world.table);
    let why = why.unwrap().unwrap();
    assert!(why.because.iter().any(|b| b.contains("its check ended as mismatched")), "{why:?}");
    assert!(why.next.iter().any(|n| n.contains("retry")), "{why:?}");
    let balance = report::reconcile(&world.table, None).unwrap().remove(0);
    assert!(!balance.clean && balance.unsound == 1 && balance.outstanding == 0, "{balance:?}");
}

#[test]
fn red_words_name_the_second_bay_the_card_and_the_missing_file() {
    let mut world = world();
    world.dock("2", "C1");
    world.dock("1", "C1");
    let report = light(&world);
    assert!(report.light == Light::Red && report.words.contains("in bay 2 too"), "{report:?}");
    world.pull("1");
    world.pull("2");
    world.camera("C1").refuses_list = true;
    world.dock("1", "C1");
    world.run();
    assert!(light(&world).light == Light::Red && light(&world).words.contains("does not answer"));
    world.camera("C1").refuses_list = false;
    world.camera("C1").files.remove(&path(FIRST));
    world.ask(Command::Hold { target: Target::Dock, reason: "look".into() });
    world.pass(60);
    let report = light(&world);
    assert!(report.light == Light::Red && report.words.contains("not on the camera"), "{report:?}");
    assert!(status(&world).problems.iter().any(|p| p.contains("1 gap:")));
}

#[test]
fn why_names_what_a_file_waits_for() {
    let mut world = world();
    world.dock("1", "C1");
    world.perform();
    let why = |world: &World| {
        let id = world.id("C1", FIRST).0;
        let why = report::explain(&world.dock, id, world.now, &world.table).unwrap().unwrap();
        (why.because.join("; "), why.next.join("; "))
    };
    assert!(why(&world).0.contains("not copied yet"));
    world.ask(Command::Pause { target: Target::Dock, reason: "lunch".into() });
    assert!(why(&world).0.contains("copying is paused") && why(&world).1.contains("resume"));
    assert_eq!(status(&world).paused.as_deref(), Some("lunch"));
    world.ask(Command::Resume { target: Target::Dock, reason: None });
    world.spool_full = true;
    world.run();
    assert!(why(&world).0.contains("the spool is full"), "{}", why(&world).0);
    world.spool_full = false;
    world.store = Store::Down;
    world.pass(30);
    assert!(why(&world).0.contains("nothing is sent before"), "{}", why(&world).0);
    assert!(status(&world).problems.iter().any(|p| p.contains("no connection")));
    world.store = Store::Up;
    let hold = Command::Hold { target: Target::Dock, reason: "case 7".into() };
    world.ask(hold);
    world.settle();
    assert!(why(&world).0.contains("held: case 7") && why(&world).1.contains("unhold"));
    let rows = report::dry_run(&world.dock, world.now, &world.table, 100).unwrap().page.rows;
    assert_eq!(rows.len(), 4);
    let held = |row: &report::DryRunRow| row.obstacles.iter().any(|o| o.0.contains("case 7"));
    assert!(rows.iter().all(|row| !row.release && held(row)), "{rows:?}");
    world.ask(Command::Unhold { target: Target::Dock, reason: "done".into() });
    world.settle();
    assert!(why(&world).0.contains("released") && why(&world).1.contains("receipt show"));
    assert!(
        report::dry_run(&world.dock, world.now, &world.table, 100).unwrap().page.rows.is_empty()
    );
    let nobody = uuid::Uuid::nil();
    assert!(report::explain(&world.dock, nobody, world.now, &world.table).unwrap().is_none());
}

#[test]
fn a_dry_run_names_what_would_go_and_erases_nothing() {
    let mut world = world();
    world.withheld.insert("erase");
    world.dock("1", "C1");
    world.settle();
    world.pull("1");
    world.pending.clear();
    let run = report::dry_run(&world.dock, world.now, &world.table, 100).unwrap();
    assert_eq!(run.conditions.len(), crate::release::CONDITIONS.len());
    assert_eq!(
        run.page.rows.iter().filter(|row| row.release).count(),
        2,
        "the media, not the manifest"
    );
    assert!(world.erased.is_empty());
    invariants::the_log_is_the_state(&world, 5);
}

#[test]
fn what_a_pulled_camera_still_has_and_what_waits_in_the_spool_is_outstanding_and_not_lost() {
    let mut world = world();
    world.withheld.extend(["copy", "upload"]);
    world.dock("1", "C1");
    world.run();
    world.pull("1");
    world.run();
    let account = |world: &World| report::reconcile(&world.table, None).unwrap().remove(0);
    let balance = account(&world);
    assert_eq!((balance.outstanding, balance.not_copied, balance.in_spool), (4, 4, 0));
    assert_eq!((balance.lost_sight_of, balance.docked, balance.on_camera), (0, false, 4));
    world.pending.clear();
    world.withheld.remove("copy");
    world.dock("1", "C1");
    world.run();
    world.pull("1");
    world.run();
    let balance = account(&world);
    assert_eq!((balance.outstanding, balance.not_copied, balance.in_spool), (4, 0, 4));
    assert_eq!((balance.lost_sight_of, balance.clean), (0, false));
    // It comes back without one of them, which is copied: nothing is lost.
    world.camera("C1").files.remove(&path(FIRST));
    world.pending.clear();
    world.dock("1", "C1");
    world.run();
    let balance = account(&world);
    assert_eq!((balance.outstanding, balance.in_spool, balance.lost_sight_of), (4, 4, 0));
}
