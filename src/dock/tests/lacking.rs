//! A store that was emptied, exchanged or is silent after it gave its receipts.

use super::{
    camera::Camera,
    reports::light,
    world::{Store, World, settings},
};
use crate::{
    dock::{Command, Stage, event::Event, report::Light},
    types::fact::{Fact, Target},
};

/// One camera with one recording, stored and receipted, and held.
fn held() -> (World, String) {
    let mut world = World::new();
    let mut camera = Camera::new("c1");
    let folder = camera.record(&[b"one"], false);
    world.add(camera).dock("1", "c1");
    world.ask(Command::Hold { target: Target::Dock, reason: "case 7".into() });
    world.settle();
    let path = format!("{folder}/000001.mp4");
    assert_eq!(world.stage("c1", &path), Stage::Receipted);
    (world, path)
}

fn unhold(world: &mut World) {
    world.ask(Command::Unhold { target: Target::Dock, reason: "closed".into() });
    world.pass(6);
}

fn losses(world: &World) -> usize {
    world.facts(|fact| matches!(fact, Fact::StoreLost { .. }))
}

#[test]
fn a_store_emptied_after_the_receipt_erases_nothing_and_gets_it_again() {
    let (mut world, path) = held();
    world.stored.clear();
    unhold(&mut world);
    assert!(world.erased.is_empty() && world.camera("c1").has(&path));
    assert_eq!(losses(&world), 0, "one look is not believed yet");
    let bay = light(&world);
    assert_eq!(bay.light, Light::Red, "{}", bay.words);
    assert!(bay.words.contains("asked once more"), "{}", bay.words);
    world.pass(30);
    assert_eq!(losses(&world), 0, "nor is a second one so soon after it");
    world.pass(60);
    world.pass(60);
    assert!(losses(&world) > 0);
    world.settle();
    world.pass(3600);
    world.settle();
    assert!(!world.camera("c1").has(&path), "read, sent and receipted anew, and only then erased");
    let concerns = world.concerns("c1");
    assert!(
        concerns.iter().any(|words| words.contains("lost it after its receipt")),
        "{concerns:?}"
    );
    assert_eq!(light(&world).light, Light::Red, "somebody has to know");
    let camera = world.camera("c1").id.clone();
    world.ask(Command::Acknowledge { camera, only: None, reason: "restored".into() });
    world.pass(60);
    world.settle();
    assert_eq!(light(&world).light, Light::Green, "{}", light(&world).words);
}

#[test]
fn a_look_that_missed_for_a_minute_only_costs_nothing_twice() {
    let (mut world, path) = held();
    let stored = std::mem::take(&mut world.stored);
    unhold(&mut world);
    world.pass(30);
    world.stored = stored;
    world.pass(120);
    world.settle();
    assert!(!world.camera("c1").has(&path));
    assert_eq!((losses(&world), world.concerns("c1").len()), (0, 0));
    assert_eq!(light(&world).light, Light::Green);
}

#[test]
fn a_silent_store_delays_clearing_alarms_nobody_and_fills_no_log() {
    let (mut world, path) = held();
    world.store = Store::Down;
    unhold(&mut world);
    let bay = light(&world);
    assert_eq!(bay.light, Light::Amber, "{}", bay.words);
    assert!(
        bay.words.contains("everything is safe; clearing waits for the store"),
        "{}",
        bay.words
    );
    let before = world.log.len();
    for _ in 0..120 {
        world.pass(60);
    }
    assert!(world.camera("c1").has(&path) && world.erased.is_empty());
    let lines = world.log.len() - before;
    assert!(lines < 100, "{lines} lines in two hours");
    world.store = Store::Up;
    world.pass(700);
    world.settle();
    assert!(!world.camera("c1").has(&path));
    assert_eq!(light(&world).light, Light::Green, "{}", light(&world).words);
}

#[test]
fn what_was_released_before_the_store_lost_it_is_told_and_its_description_sealed_anew() {
    let mut world = World::with(settings(), 1);
    let mut camera = Camera::new("c1");
    let folder = camera.record(&[b"one"], false);
    world.add(camera).dock("1", "c1");
    world.settle();
    let path = format!("{folder}/000001.mp4");
    assert_eq!(world.stage("c1", &path), Stage::Released);
    let objects: Vec<_> = world.stored.keys().copied().collect();
    world.stored.clear();
    let records = world.facts(|fact| matches!(fact, Fact::RecordSealed { .. }));
    for _ in 0..2 {
        for object in &objects {
            world.event(Event::StoreLacks { object: *object, words: "it is gone".into() });
        }
        assert_eq!(losses(&world), 0, "one look is not believed, nor a second at once");
    }
    world.pass(61);
    for object in objects {
        world.event(Event::StoreLacks { object, words: "it is gone".into() });
    }
    world.settle();
    assert_eq!(world.stage("c1", &path), Stage::Released);
    let concerns = world.concerns("c1");
    assert!(concerns.iter().any(|words| words.contains("look for it in the store's backups")));
    assert!(world.facts(|fact| matches!(fact, Fact::RecordSealed { .. })) > records);
    assert_eq!(light(&world).light, Light::Red);
}

#[test]
fn what_one_look_missed_is_remembered_by_a_restart_and_an_empty_bay() {
    let (mut world, path) = held();
    let object = world.at("c1", &path).sealed.unwrap().object;
    world.stored.clear();
    unhold(&mut world);
    world.pull("1");
    world.camera("c1").files.clear();
    world.crash(0);
    world.dock("1", "c1");
    world.run();
    world.pass(61);
    let concerns = world.concerns("c1");
    assert!(concerns.iter().any(|words| words.contains("asked once more")), "{concerns:?}");
    assert_eq!(light(&world).light, Light::Red, "{}", light(&world).words);
    world.event(Event::StoreLacks { object, words: "it is gone".into() });
    world.run();
    let concerns = world.concerns("c1");
    assert!(concerns.iter().any(|words| words.contains("store's backups")), "{concerns:?}");
    assert_eq!((losses(&world), light(&world).light), (1, Light::Red));
}

#[test]
fn what_is_found_at_the_next_look_alarms_nobody_any_more() {
    let (mut world, path) = held();
    let object = world.at("c1", &path).sealed.unwrap().object;
    world.event(Event::StoreLacks { object, words: "it is gone".into() });
    world.run();
    assert_eq!(light(&world).light, Light::Red);
    world.event(Event::StoreHolds { object });
    world.run();
    assert_eq!((world.concerns("c1").len(), losses(&world)), (0, 0));
    assert_ne!(light(&world).light, Light::Red);
}
