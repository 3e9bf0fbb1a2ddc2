//! Random walks: short worlds, everything that can go wrong, then everything heals.
//!
//! A failure names its seed. `BWVDOCK_WALK=SEED cargo test --lib dock::tests::walk` replays it;
//! `BWVDOCK_WALKS=N` walks through N worlds instead of the usual few.

use super::{
    camera::{Camera, path},
    invariants, reports,
    world::{Random, Store, World, settings},
};
use crate::{
    dock::{Command, Event, Records, Settings, Stage, report, state::SegmentState},
    release::Policy,
    types::{Class, ObjectId, fact::Target},
};
use jiff::SignedDuration;
use std::panic::{AssertUnwindSafe, catch_unwind};

const WORLDS: u64 = 40;
const EVENTS: usize = 45;

fn world(seed: u64, random: &mut Random) -> World {
    let age_min = SignedDuration::from_secs(if random.one_in(3) { 300 } else { 0 });
    let settings = Settings {
        copies_max: 1 + random.below(2),
        objects_in_flight: 1 + random.below(3),
        release: Policy { age_min, ..settings().release },
        ..settings()
    };
    let mut world = World::with(settings, seed);
    let mut one = Camera::new("C1");
    one.record(&[b"a", b""], random.one_in(2));
    if random.one_in(2) {
        one.record_with(&[b"b"], false, |m| m.segments[0].partial = m.sequence % 2 == 0);
    }
    if random.one_in(4) {
        one.put("stray.bin", b"?");
    }
    let mut two = Camera::bare("C2", "clip-folders");
    two.put("A1_C2_20260314T221503Z/clip_001.mp4", b"c");
    world.add(one).add(two);
    world
}

fn anything(world: &mut World, random: &mut Random) -> String {
    let camera = if random.one_in(2) { "C1" } else { "C2" };
    let place = ["1", "2", "3"][random.below(3)];
    let files: Vec<_> = world.cameras[camera].files.keys().cloned().collect();
    let file = files.get(random.below(files.len())).cloned();
    let file = file.filter(|file| *file != path("camera.json"));
    let what = random.below(29);
    match what {
        0 | 1 => world.dock(place, camera),
        2 => world.pull(place),
        3 => world.crash(random.below(3)),
        4 => world.store = [Store::Up, Store::Down, Store::Refuses][random.below(3)],
        5 => world.spool_full ^= true,
        6 => world.receipts_fail ^= true,
        7 => world.records_fail ^= true,
        8 => world.camera(camera).refuses_erase ^= true,
        9 => world.camera(camera).refuses_list ^= true,
        10 => _ = file.map(|f| world.camera(camera).flips.insert(f, 1 + random.below(2) as u32)),
        11 => _ = file.map(|f| world.camera(camera).broken.insert(f)),
        12 => {
            let objects: Vec<ObjectId> = world.spool.keys().copied().collect();
            let victim = objects.get(random.below(objects.len()));
            _ = victim.map(|object| world.spool.insert(*object, None));
        }
        13 if camera == "C1" && files.len() < 14 => {
            let bytes = [random.next() as u8; 3];
            world.camera(camera).record(&[&bytes], random.one_in(2));
        }
        14 => _ = file.map(|f| world.camera(camera).files.remove(&f)),
        15 => drop(file.map(|f| {
            let bytes = random.next().to_be_bytes();
            world.camera(camera).put(&f.to_string(), &bytes);
        })),
        16 | 17 => {
            let target = target(world, camera, random);
            let reason = || "r".to_owned();
            let command = match random.below(7) {
                0 => Command::Hold { target, reason: reason() },
                1 => Command::Unhold { target, reason: reason() },
                2 => Command::Pause { target, reason: reason() },
                3 => Command::Resume { target, reason: None },
                4 => Command::Retry { target, reason: None },
                5 => Command::Release,
                _ => match target {
                    Target::Recording(recording) => {
                        let class = [Class::Evidential, Class::Unreviewed][random.below(2)];
                        Command::Reclass { recording, class, reason: reason() }
                    }
                    target => Command::Retry { target, reason: None },
                },
            };
            let said = format!("{command:?}");
            world.ask(command);
            return said;
        }
        18 => {
            let span = SignedDuration::from_hours(random.below(10_000) as i64 - 5_000);
            world.now += span;
            world.event(Event::Tick);
        }
        26 => {
            let camera = world.camera(camera);
            match camera.unread.pop() {
                Some(_) => {}
                None => camera.unread.push("locked: this folder may not be read".into()),
            }
        }
        27 => {
            let (camera, reason) = (world.cameras[camera].id.clone(), "known".to_owned());
            world.ask(Command::Acknowledge { camera, only: None, reason });
        }
        28 => {
            // Touched, or another file in its place.
            let file = file.and_then(|f| world.camera(camera).files.get_mut(&f));
            if let Some(file) = file {
                file.inode += 1;
                if random.one_in(2)
                    && let Some(byte) = file.bytes.first_mut()
                {
                    *byte ^= 1;
                }
            }
        }
        19 | 20 => world.pass(5 + random.below(60) as i64),
        _ => {
            // Work is done in any order, and slowly.
            for _ in 0..1 + random.below(12) {
                let pending = world.pending.len();
                if pending > 0 {
                    let at = random.below(pending);
                    world.perform_at(at);
                }
            }
        }
    }
    format!("{what} {camera} {place}")
}

fn target(world: &World, camera: &str, random: &mut Random) -> Target {
    let segments: Vec<SegmentState> = world.table.list(b"s/", b"", usize::MAX).unwrap();
    match (random.below(4), segments.get(random.below(segments.len()))) {
        (0, _) | (_, None) => Target::Dock,
        (1, _) => Target::Camera(world.cameras[camera].id.clone()),
        (2, Some(state)) => Target::Recording(state.segment.recording),
        (_, Some(state)) => Target::Segment(state.segment.id),
    }
}

fn heal(world: &mut World) {
    world.store = Store::Up;
    world.spool_full = false;
    world.receipts_fail = false;
    world.records_fail = false;
    for camera in world.cameras.values_mut() {
        camera.refuses_erase = false;
        camera.refuses_list = false;
        camera.flips.clear();
        camera.broken.clear();
    }
    world.run();
    let marks: Vec<Vec<u8>> = world
        .table
        .0
        .keys()
        .filter(|k| k.starts_with(b"h/") || k.starts_with(b"z/"))
        .cloned()
        .collect();
    let segments: Vec<SegmentState> = world.table.list(b"s/", b"", usize::MAX).unwrap();
    let mut targets = vec![Target::Dock];
    for camera in world.cameras.values() {
        targets.push(Target::Camera(camera.id.clone()));
    }
    for state in &segments {
        targets.push(Target::Segment(state.segment.id));
        targets.push(Target::Recording(state.segment.recording));
    }
    for target in targets {
        if marks.iter().any(|key| *key == crate::dock::state::key::hold(&target)) {
            world.ask(Command::Unhold { target: target.clone(), reason: "healed".into() });
        }
        if marks.iter().any(|key| *key == crate::dock::state::key::pause(&target)) {
            world.ask(Command::Resume { target, reason: None });
        }
    }
    for place in ["1", "2", "3"] {
        world.pull(place);
    }
    world.dock("1", "C1");
    world.dock("2", "C2");
    world.ask(Command::Retry { target: Target::Dock, reason: None });
    world.settle();
}

/// After healing nothing is left to do, and what stays on a camera stays by rule.
fn everything_came_to_its_end(world: &World) {
    assert_eq!(world.table_queue(), 0, "the queue is not empty");
    assert!(world.pending.is_empty(), "work is left");
    let segments: Vec<SegmentState> = world.table.list(b"s/", b"", usize::MAX).unwrap();
    for state in &segments {
        match state.stage {
            Stage::Released | Stage::Vanished => {}
            Stage::Receipted => {
                let decided = world.dock.decide(world.now, state, true, &world.table).unwrap();
                let crate::release::Decision::Stay(why) = decided else {
                    panic!("it could be released, and is not: {state:?}")
                };
                assert!(
                    why.iter().any(|o| !o.passes_by_itself())
                        || why.contains(&crate::release::Obstacle::NeededByOthers)
                        || world.now < state.sealed.as_ref().unwrap().at,
                    "{why:?} {state:?}"
                );
            }
            stage => panic!("{stage:?}: {state:?}"),
        }
    }
    for balance in report::reconcile(&world.table, None).unwrap() {
        let id = crate::types::CameraId::new(balance.camera.clone()).unwrap();
        let of = segments.iter().filter(|s| s.segment.camera == id);
        assert_eq!(balance.seen, of.count() as u64);
        assert_eq!(balance.outstanding, 0, "{balance:?}");
        let accounted = balance.stored + balance.lost_sight_of + balance.superseded;
        assert_eq!(balance.seen, accounted, "{balance:?}");
        let on_camera = world.left(&balance.camera).len() as u64;
        assert_eq!(balance.on_camera, on_camera, "{balance:?} {:?}", world.left(&balance.camera));
    }
}

fn walk(seed: u64, story: &mut Vec<String>) {
    let mut random = Random(seed.wrapping_mul(0xD134_2543_DE82_EF95) | 1);
    let mut world = world(seed, &mut random);
    for _ in 0..EVENTS {
        let said = anything(&mut world, &mut random);
        story.push(format!("{said} at {}", world.now));
        reports::green_means_safe(&world);
    }
    story.push("healed".into());
    heal(&mut world);
    reports::green_means_safe(&world);
    everything_came_to_its_end(&world);
    let cut = random.below(world.log.len());
    invariants::the_log_is_the_state(&world, cut);
}

#[test]
fn whatever_happens_the_law_holds_and_in_the_end_everything_is_safe() {
    let replay = std::env::var("BWVDOCK_WALK").ok().map(|seed| seed.parse::<u64>().unwrap());
    let worlds = std::env::var("BWVDOCK_WALKS").map_or(WORLDS, |n| n.parse::<u64>().unwrap());
    let seeds = replay.map_or(1..=worlds, |seed| seed..=seed);
    for seed in seeds {
        let mut story = Vec::new();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| walk(seed, &mut story))) {
            eprintln!("seed {seed}; replay with BWVDOCK_WALK={seed}; what happened:");
            story.iter().for_each(|line| eprintln!("  {line}"));
            std::panic::resume_unwind(panic);
        }
    }
}
