//! What needs a person: it turns the light red, makes the accounts differ, stands in the log, and
//! is at rest once somebody has acknowledged it.

use super::{
    camera::{Camera, path},
    invariants, reports,
    reports::light,
    world::{World, bay},
};
use crate::{
    dock::{
        Command, Event, Records, Stage,
        report::{self, CameraBalance, Light},
        state::key,
    },
    types::{
        Class, Verdict,
        fact::{ClockReading, Fact, Gap, Matter},
    },
};

const FIRST: &str = "R000001/000001.mp4";
const SECOND: &str = "R000001/000002.mp4";
const MANIFEST: &str = "R000001/manifest.json";
const CLIP: &str = "A1_C1_20260314T221503Z/clip_001.mp4";

fn docked(change: impl FnOnce(&mut Camera)) -> World {
    let mut camera = Camera::new("C1");
    camera.record(&[b"first", b"second"], false);
    change(&mut camera);
    let mut world = World::new();
    world.add(camera).dock("1", "C1");
    world
}

fn balance(world: &World) -> CameraBalance {
    report::reconcile(&world.table, None).unwrap().remove(0)
}

fn acknowledge(world: &mut World, only: Option<&str>) -> String {
    let camera = world.cameras["C1"].id.clone();
    let only = only.map(str::to_owned);
    world.ask(Command::Acknowledge { camera, only, reason: "report 12".into() })
}

fn again(world: &mut World) {
    world.pull("1");
    world.dock("1", "C1");
    world.settle();
    reports::green_means_safe(world);
}

/// Red with these words, on every docking and in the accounts, until it is acknowledged.
fn alarms_until_acknowledged(world: &mut World, words: &str) {
    for _ in 0..2 {
        let report = light(world);
        assert!(report.light == Light::Red && report.words.contains(words), "{report:?}");
        assert!(report.words.contains("evidence unit"), "{report:?}");
        let account = balance(world);
        assert!(!account.clean && account.open > 0, "{account:?}");
        assert!(account.concerns.iter().any(|c| c.words.contains(words)), "{account:?}");
        again(world);
    }
    let said = acknowledge(world, None);
    assert!(said.starts_with("acknowledged") && said.contains(words), "{said}");
    world.settle();
    for _ in 0..2 {
        assert_eq!(light(world).light, Light::Green, "{}", light(world).words);
        let account = balance(world);
        assert!(account.clean && account.open == 0, "{account:?}");
        let known = account.concerns.iter().find(|c| c.words.contains(words)).unwrap();
        let mark = known.acknowledged.as_ref().unwrap();
        assert_eq!(
            (mark.actor.to_string().as_str(), mark.reason.as_str()),
            ("user:ann", "report 12")
        );
        again(world);
    }
    let refused = acknowledge(world, None);
    assert!(refused.starts_with("refused: nothing of camera C1 waits"), "{refused}");
    invariants::the_log_is_the_state(world, world.log.len() / 2);
}

#[test]
fn a_folder_that_could_not_be_read_alarms_until_somebody_knows_of_it() {
    let unread = "DCIM/locked: this folder may not be read";
    let mut world = docked(|camera| camera.unread.push(unread.into()));
    world.settle();
    let told = |f: &Fact| matches!(f, Fact::CameraFindings { grave, .. } if grave == &[unread]);
    assert_eq!(world.facts(told), 1, "once in the log, not with every listing");
    alarms_until_acknowledged(&mut world, unread);
    assert_eq!(world.facts(told), 1);
    world.camera("C1").unread.push("DCIM/more: another file system is mounted here".into());
    world.pass(60);
    let report = light(&world);
    assert!(report.light == Light::Red && report.words.contains("DCIM/more"), "{report:?}");
    // What is gone and comes back is new.
    world.camera("C1").unread.clear();
    world.pass(60);
    assert_eq!(light(&world).light, Light::Green);
    world.camera("C1").unread.push(unread.into());
    world.pass(60);
    assert_eq!(light(&world).light, Light::Red);
}

#[test]
fn what_is_no_file_stands_in_the_log_and_alarms_nobody() {
    let link = "video.mp4: a link; links are not followed";
    let mut world = docked(|camera| camera.passed_over.push(link.into()));
    world.settle();
    let told = |f: &Fact| {
        matches!(f, Fact::CameraFindings { noted, grave, .. }
        if noted == &[link] && grave.is_empty())
    };
    assert_eq!(world.facts(told), 1);
    assert_eq!(light(&world).light, Light::Green);
    assert!(balance(&world).clean);
}

#[test]
fn findings_without_number_are_bounded_in_the_log() {
    let mut world = docked(|camera| {
        camera.unread = (0..90).map(|n| format!("{n:02}{}: unread", "x".repeat(400))).collect();
    });
    world.settle();
    for entry in &world.log {
        let Fact::CameraFindings { grave, .. } = &entry.fact else { continue };
        assert_eq!((grave.len(), grave[31].as_str()), (32, "and 59 more"));
        assert!(grave.iter().all(|words| words.chars().count() <= 300));
    }
    assert_eq!(balance(&world).open, 32);
}

#[test]
fn a_missing_recording_alarms_until_somebody_knows_of_it() {
    let mut world = docked(|camera| _ = camera.record_with(&[b"x"], false, |m| m.sequence = 5));
    world.settle();
    alarms_until_acknowledged(&mut world, "recordings number 2 to 4 had not arrived");
    let totals = world.table.totals().unwrap();
    assert_eq!((totals.gaps, totals.gaps_settled, balance(&world).gaps), (1, 1, 1));
    let status = reports::status(&world);
    assert!(status.problems.iter().any(|p| p.starts_with("1 gap:") && p.contains("acknowledged")));
}

#[test]
fn a_missing_segment_keeps_its_manifest_until_it_arrives_or_somebody_knows_of_it() {
    for arrives in [true, false] {
        let mut world = docked(|camera| _ = camera.files.remove(&path(SECOND)));
        world.settle();
        assert_eq!(world.left("C1"), [MANIFEST, "R000001/manifest.json.sig"]);
        let report = light(&world);
        assert!(report.light == Light::Red && report.words.contains(SECOND), "{report:?}");
        let id = world.id("C1", MANIFEST).0;
        let why = report::explain(&world.dock, id, world.now, &world.table).unwrap().unwrap();
        assert!(why.because.iter().any(|b| b.contains("are missing")), "{why:?}");
        assert!(why.next.iter().any(|n| n.contains("acknowledge")), "{why:?}");
        if arrives {
            world.camera("C1").put(SECOND, b"second");
            world.settle();
            assert!(balance(&world).concerns[0].arrived.is_some());
        } else {
            acknowledge(&mut world, Some("000002.mp4"));
        }
        world.settle();
        assert_eq!(world.left("C1"), Vec::<String>::new());
        assert_eq!(light(&world).light, Light::Green);
        assert!(balance(&world).clean && balance(&world).gaps == 1);
    }
}

#[test]
fn a_file_that_left_uncopied_alarms_and_keeps_its_manifest() {
    let mut world = docked(|_| {});
    world.withheld.insert("copy");
    world.run();
    world.camera("C1").files.remove(&path(SECOND));
    world.withheld.clear();
    world.settle();
    assert_eq!(world.left("C1"), [MANIFEST, "R000001/manifest.json.sig"]);
    assert_eq!(balance(&world).lost_sight_of, 1);
    let open = world.concerns("C1");
    assert!(open.iter().any(|words| words.contains("left the camera before")), "{open:?}");
    acknowledge(&mut world, None);
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn two_reads_that_differ_alarm_until_somebody_knows_of_them() {
    let mut camera = Camera::bare("C1", "clip-folders");
    camera.put(CLIP, b"one");
    let mut world = World::new();
    world.add(camera).dock("1", "C1");
    world.withheld.insert("second read");
    world.settle();
    world.camera("C1").flips.insert(path(CLIP), 1);
    world.withheld.clear();
    world.settle();
    alarms_until_acknowledged(&mut world, "two reads of the camera gave different bytes");
    assert!(world.camera("C1").has(CLIP), "acknowledged is not released");
}

#[test]
fn a_failed_check_can_be_acknowledged_and_alarms_anew_when_it_fails_anew() {
    let mut world = docked(|camera| _ = camera.flips.insert(path(FIRST), 99));
    world.settle();
    let report = light(&world);
    assert!(report.words.contains("1 file failed its check"), "{report:?}");
    acknowledge(&mut world, None);
    world.settle();
    again(&mut world);
    assert_eq!(light(&world).light, Light::Green, "{}", light(&world).words);
    let account = balance(&world);
    assert!(account.clean && account.unsound == 1, "{account:?}");
    assert!(world.camera("C1").has(FIRST));
    let target = crate::types::fact::Target::Segment(world.id("C1", FIRST));
    world.ask(Command::Retry { target, reason: None });
    world.settle();
    assert_eq!(light(&world).light, Light::Red);
}

#[test]
fn nothing_acknowledged_hides_what_is_open() {
    let mut world = docked(|camera| {
        for sequence in [3, 6, 9, 12] {
            camera.record_with(&[b"x"], false, |m| m.sequence = sequence);
        }
    });
    world.settle();
    acknowledge(&mut world, None);
    world.camera("C1").record_with(&[b"y"], false, |m| m.sequence = 20);
    again(&mut world);
    let camera = &world.cameras["C1"].id;
    let few = report::concerns(&world.table, camera, 1).unwrap();
    assert!(few[0].is_open() && few[0].words.contains("number 13 to 19"), "{few:?}");
    assert_eq!(few.len(), 2);
}

#[test]
fn only_what_is_named_is_acknowledged_and_the_log_names_it() {
    let mut world = docked(|camera| {
        camera.record_with(&[b"x"], false, |m| m.sequence = 5);
        camera.unread.push("DCIM/locked: this folder may not be read".into());
    });
    world.settle();
    assert!(acknowledge(&mut world, Some("nothing like it")).contains("nothing was changed"));
    let said = acknowledge(&mut world, Some("locked"));
    assert!(said.contains("locked") && !said.contains("number 2"), "{said}");
    assert_eq!(world.concerns("C1").len(), 1);
    let Fact::Acknowledged { matters, reason, .. } = &world.log.last().unwrap().fact else {
        panic!("{:?}", world.log.last())
    };
    assert!(matches!(&matters[..], [Matter::Finding(words)] if words.contains("locked")));
    assert_eq!(
        (reason.as_str(), world.log.last().unwrap().actor.as_str()),
        ("report 12", "user:ann")
    );
    let unknown = crate::types::CameraId::new("C9").unwrap();
    let command = Command::Acknowledge { camera: unknown, only: None, reason: "r".into() };
    assert!(world.ask(command).contains("knows no camera C9"));
}

#[test]
fn a_signature_that_does_not_fit_has_a_word_of_its_own_and_is_never_erased() {
    let mut world = docked(|camera| {
        camera.files.get_mut(&path("R000001/manifest.json.sig")).unwrap().bytes[7] ^= 1;
    });
    world.settle();
    for file in [FIRST, SECOND, MANIFEST] {
        let state = world.at("C1", file);
        let sealed = state.sealed.as_ref().unwrap();
        assert_eq!((sealed.verdict, state.stage), (Verdict::BadSignature, Stage::Receipted));
        let object = world.table.object(sealed.object).unwrap().unwrap();
        assert_eq!(object.object.class, Class::Quarantine);
    }
    assert_eq!(world.left("C1").len(), 4, "nothing is erased");
    let report = light(&world);
    assert!(
        report.light == Light::Red && report.words.contains("the signature does not fit: 3 files"),
        "{report:?}"
    );
    let status = reports::status(&world);
    assert_eq!((status.bad_signature, status.matched), (3, 0));
    assert!(status.problems[0].starts_with("the signature does not fit: 3 files"), "{status:?}");
    let words = world.concerns("C1").join("; ");
    assert!(words.contains("signature of its manifest does not fit"), "{words}");
    let why = report::explain(&world.dock, world.id("C1", FIRST).0, world.now, &world.table);
    let why = why.unwrap().unwrap();
    assert!(!why.because.join("; ").contains("digest and the dock's differ"), "{why:?}");
}

#[test]
fn a_recording_that_lost_its_signature_is_not_called_missing() {
    for gone_by_then in [false, true] {
        let mut world = docked(|camera| {
            camera.record(&[b"x"], false);
            camera.files.remove(&path("R000002/manifest.json.sig"));
        });
        world.settle();
        if gone_by_then {
            // By hand: the dock never erases it. What it knew of it then is told.
            let is_second = |at: &crate::types::SourcePath| at.as_bytes().starts_with(b"R000002/");
            world.camera("C1").files.retain(|at, _| !is_second(at));
            world.settle();
        }
        world.camera("C1").record(&[b"y"], false);
        again(&mut world);
        let missing = |f: &Fact| matches!(f, Fact::GapFound { gap: Gap::Recordings { .. }, .. });
        assert_eq!(world.facts(missing), 0);
        let told = |f: &Fact| {
            matches!(f, Fact::GapFound { gap: Gap::Signature { sequence: 2, name }, .. }
            if name == "R000002")
        };
        assert_eq!(world.facts(told), 1);
        let words = world.concerns("C1").join("; ");
        assert!(words.contains("recording number 2 is here as R000002"), "{words}");
    }
}

#[test]
fn a_file_that_grew_is_told_in_the_log_read_as_it_is_now_and_not_called_lost() {
    let mut camera = Camera::bare("C1", "clip-folders");
    camera.put(CLIP, b"one");
    let mut world = World::new();
    world.add(camera).dock("1", "C1");
    world.withheld.insert("copy");
    world.run();
    world.camera("C1").put(CLIP, b"one and more");
    let first = world.id("C1", CLIP);
    // As the daemon reports what it meets.
    let Some(at) = world.pending.iter().position(|p| super::world::name_of(&p.action) == "copy")
    else {
        panic!("no copy")
    };
    let crate::dock::Action::Copy { segment, object, .. } =
        world.pending.remove(at).unwrap().action
    else {
        panic!("no copy")
    };
    let words = "it grew while it was read, past 3 bytes".into();
    let result = crate::dock::event::CopyResult::Changed { words };
    world.event(Event::Copied { bay: bay("1"), segment, object, result });
    assert_eq!(world.has_pending("list"), 1, "listed again at once");
    world.withheld.clear();
    world.settle();
    let told = |f: &Fact| {
        matches!(f, Fact::SegmentVanished { segment, words: Some(words), superseded: true }
        if *segment == first && words.contains("it grew from 3 to 12 bytes"))
    };
    assert_eq!(world.facts(told), 1);
    assert_eq!(world.left("C1"), Vec::<String>::new());
    let account = balance(&world);
    assert!(account.clean && account.superseded == 1 && account.lost_sight_of == 0, "{account:?}");
    assert_eq!(light(&world).light, Light::Green);
    let why = report::explain(&world.dock, first.0, world.now, &world.table).unwrap().unwrap();
    assert!(why.because.iter().any(|b| b.contains("it grew")), "{why:?}");
    assert_eq!(world.table.totals().unwrap().vanished_unsealed, 0);
}

#[test]
fn what_comes_while_the_dock_is_busy_is_found_before_the_light_is_green() {
    let mut world = docked(|_| {});
    world.withheld.insert("receipt");
    world.run();
    // Less than the time between two listings of a busy camera.
    world.pass(60);
    world.camera("C1").put("late.bin", b"late");
    world.withheld.clear();
    for _ in 0..400 {
        reports::green_means_safe(&world);
        let green = light(&world).light == Light::Green;
        let known = world.log.iter().any(|e| {
            matches!(&e.fact, Fact::SegmentSeen { segment }
            if segment.source.path == path("late.bin"))
        });
        assert!(!green || known, "green, and late.bin was never seen");
        if !world.perform() {
            // Without doing what comes of it: every step is looked at.
            world.now += jiff::SignedDuration::from_secs(1);
            world.event(Event::Tick);
        }
    }
    assert_eq!(world.stage("C1", "late.bin"), Stage::Receipted);
}

#[test]
fn a_settled_camera_is_looked_at_often_without_filling_the_log() {
    let mut world = docked(|_| {});
    world.settle();
    assert_eq!(light(&world).light, Light::Green);
    let lines = world.log.len();
    world.pass(3600);
    assert_eq!(world.log.len(), lines, "an hour without news");
    world.camera("C1").put("R000009/late.mp4", b"late");
    world.pass(30);
    assert!(world.log.len() > lines, "seen within half a minute");
    assert_eq!(light(&world).light, Light::Red, "media without proof");
}

#[test]
fn a_listing_that_costs_much_is_not_repeated_often() {
    let mut world = docked(|_| {});
    world.settle();
    world.withheld.insert("list");
    world.pass(30);
    assert_eq!(world.has_pending("list"), 1);
    // It took 10 seconds: for 200 the camera is left alone.
    world.pass(10);
    world.withheld.clear();
    world.run();
    world.withheld.insert("list");
    world.pass(180);
    assert_eq!(world.has_pending("list"), 0);
    world.pass(60);
    assert_eq!(world.has_pending("list"), 1);
}

#[test]
fn a_card_with_nothing_on_it_is_calm_and_nobodys() {
    let mut world = World::new();
    for _ in 0..3 {
        world.event(Event::EmptyCard { bay: bay("1"), noted: Vec::new() });
    }
    assert_eq!(world.facts(|f| matches!(f, Fact::EmptyCard { .. })), 1);
    let report = light(&world);
    assert_eq!((report.light, report.camera.clone()), (Light::Off, None));
    assert!(report.words.starts_with("empty card: nothing to copy"), "{report:?}");
    assert_eq!(reports::status(&world).problems, Vec::<String>::new());
    world.event(Event::BayTrouble { bay: bay("1"), words: "two cameras' files".into() });
    assert_eq!(light(&world).light, Light::Red);
    world.event(Event::EmptyCard { bay: bay("1"), noted: Vec::new() });
    assert_eq!(light(&world).light, Light::Off);
    let mut camera = Camera::new("C1");
    camera.record(&[b"first"], false);
    world.add(camera).dock("1", "C1");
    world.settle();
    assert_eq!(light(&world).light, Light::Green);
    world.pull("1");
    world.event(Event::EmptyCard { bay: bay("1"), noted: Vec::new() });
    world.event(Event::CameraGone { bay: bay("1") });
    assert_eq!(light(&world).words, "empty");
}

#[test]
fn that_a_camera_gives_no_clock_is_said() {
    let world = docked(|_| {});
    let said = |f: &Fact| {
        matches!(f, Fact::CameraDocked { clock: None, clock_reading: Some(ClockReading::None), .. })
    };
    assert_eq!(world.facts(said), 1);
    let camera = world.table.camera(&world.cameras["C1"].id).unwrap().unwrap();
    assert_eq!(camera.clock_reading, Some(ClockReading::None));
}

#[test]
fn a_clock_that_is_ahead_is_told_and_keeps_nothing_from_being_safe() {
    let mut world = docked(|_| {});
    world.settle();
    world.withheld.insert("list");
    world.pass(60);
    let mut listed = world.cameras["C1"].list();
    // As the daemon does when its own clock is synchronised.
    let past = "2026-03-01T00:00:00Z".parse().unwrap();
    world.camera("C1").record(&[b"third"], false);
    listed.plan = world.cameras["C1"].list().plan;
    listed.plan.compare_clock(past);
    world.pending.clear();
    world.event(Event::Listed { bay: bay("1"), listed });
    let told = |f: &Fact| {
        matches!(f, Fact::CameraFindings { clock, grave, .. }
        if clock[0].contains("clock is ahead") && grave.is_empty())
    };
    assert_eq!(world.facts(told), 1);
    let problems = reports::status(&world).problems;
    assert!(problems.iter().any(|p| p.contains("bay 1") && p.contains("ahead")), "{problems:?}");
    let account = balance(&world);
    assert!(account.open == 0 && account.notes[0].contains("ahead"), "{account:?}");
    world.withheld.clear();
    world.settle();
    assert_eq!((light(&world).light, world.left("C1")), (Light::Green, Vec::new()));
}

#[test]
fn one_number_that_arrives_late_is_no_gap_any_more() {
    let mut world = docked(|camera| {
        camera.record(&[b"late"], false);
        camera.record(&[b"third"], false);
    });
    let is_second = |at: &crate::types::SourcePath| at.as_bytes().starts_with(b"R000002/");
    let whole = world.cameras["C1"].files.clone();
    world.camera("C1").files.retain(|at, _| !is_second(at));
    world.settle();
    assert_eq!(world.concerns("C1").len(), 1);
    world.camera("C1").files.extend(whole.into_iter().filter(|(at, _)| is_second(at)));
    again(&mut world);
    assert_eq!(world.concerns("C1"), Vec::<String>::new());
    let account = balance(&world);
    assert!(account.clean && account.gaps == 1 && account.concerns[0].arrived.is_some());
    assert_eq!(light(&world).light, Light::Green);
}

fn source_rows(world: &World) -> usize {
    let prefix = key::sources(&world.cameras["C1"].id);
    world.table.0.keys().filter(|key| key.starts_with(&prefix)).count()
}

#[test]
fn released_files_leave_the_index_of_sources_and_are_not_missed() {
    let mut world = docked(|_| {});
    for _ in 0..5 {
        world.settle();
        assert_eq!((world.left("C1"), source_rows(&world)), (Vec::new(), 0));
        world.camera("C1").record(&[b"more", b"of it"], false);
        again(&mut world);
    }
    assert_eq!(world.facts(|f| matches!(f, Fact::GapFound { .. })), 0);
    // Their history is still there.
    assert_eq!(balance(&world).released, 4 * 6);
    let whole = light(&world);
    assert_eq!(whole.light, Light::Green);
}

#[test]
fn while_a_manifest_names_them_released_files_stay_known() {
    let mut world = docked(|camera| _ = camera.broken.insert(path(SECOND)));
    world.settle();
    assert_eq!(world.stage("C1", FIRST), Stage::Released);
    assert_eq!(source_rows(&world), 4);
    again(&mut world);
    assert_eq!((source_rows(&world), world.table.totals().unwrap().gaps), (4, 0));
}

#[test]
fn a_manifest_that_is_back_on_its_camera_does_not_miss_what_was_released() {
    let mut world = docked(|_| {});
    let kept: Vec<_> = world.cameras["C1"].files.clone().into_iter().collect();
    world.settle();
    assert_eq!(source_rows(&world), 0);
    for (at, file) in kept.into_iter().filter(|(at, _)| at.name().starts_with(b"manifest")) {
        world.camera("C1").files.insert(at, file);
    }
    again(&mut world);
    assert_eq!(world.table.totals().unwrap().gaps, 0);
    assert_eq!(light(&world).light, Light::Green, "{}", light(&world).words);
}

#[test]
fn sidecars_stay_with_their_media() {
    use crate::evidence::ManifestSidecar;
    let gnss = "R000002/track.json";
    let mut world = docked(|camera| {
        camera.record_with(&[b"long"], false, |m| {
            m.sidecars.push(ManifestSidecar {
                name: path("track.json"),
                size: 2,
                sha256: crate::types::Sha256Digest::of(b"{}"),
            });
        });
        camera.put(gnss, b"{}");
    });
    let media = "R000002/000001.mp4";
    world.withheld.insert("copy");
    world.run();
    let target = crate::types::fact::Target::Segment(world.id("C1", media));
    world.ask(Command::Hold { target: target.clone(), reason: "case 7".into() });
    world.withheld.clear();
    world.settle();
    assert!(world.camera("C1").has(gnss) && world.camera("C1").has(media));
    world.ask(Command::Unhold { target, reason: "done".into() });
    world.settle();
    assert_eq!(world.left("C1"), Vec::<String>::new());
}

#[test]
fn cameras_that_were_taken_out_with_open_matters_are_named_until_somebody_knows() {
    let mut world = docked(|camera| camera.unread.push("DCIM/locked: may not be read".into()));
    world.camera("C1").flips.insert(path(FIRST), 2);
    world.settle();
    let told = |world: &World| {
        let problems = reports::status(world).problems;
        problems.into_iter().find(|words| words.starts_with("not docked"))
    };
    assert_eq!(told(&world), None, "its bay tells of it");
    world.pull("1");
    let words = told(&world).unwrap();
    assert!(words.contains("C1 (2)") && words.contains("why --camera C1"), "{words}");
    acknowledge(&mut world, None);
    assert_eq!(told(&world), None);
}
