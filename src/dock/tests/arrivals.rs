//! Two cameras that go by one id, before and after a restart.

use super::{
    camera::Camera,
    world::{World, bay},
};
use crate::{
    dock::{Event, report::Light},
    types::fact::Fact,
};
use jiff::SignedDuration;

fn world() -> World {
    let mut camera = Camera::new("C1");
    camera.record(&[b"first", b"second"], false);
    let mut world = World::new();
    world.add(camera);
    world
}

/// The bay whose camera is believed.
fn believed(world: &World) -> Vec<String> {
    world.dock.bays().keys().map(ToString::to_string).collect()
}

/// The daemon is started again, and the bays answer in this order.
fn restart(world: &mut World, order: &[&str]) {
    world.bays.clear();
    world.now += SignedDuration::from_secs(1);
    world.crash(0);
    for at in order {
        world.dock(at, "C1");
    }
}

#[test]
fn of_two_cameras_with_one_id_the_first_is_believed_and_a_restart_does_not_change_that() {
    let mut world = world();
    world.dock("2", "C1");
    world.dock("1", "C1");
    assert_eq!(believed(&world), ["2"]);
    for order in [["1", "2"], ["2", "1"]] {
        restart(&mut world, &order);
        world.pass(60);
        assert_eq!(believed(&world), ["2"], "they came back as {order:?}");
        let report = world.bay_report("1");
        assert_eq!(report.light, Light::Red);
        assert!(report.words.contains("is in bay 2 too"), "{}", report.words);
    }
    let docked = |f: &Fact| matches!(f, Fact::CameraDocked { bay: at, .. } if *at == bay("1"));
    assert_eq!(world.facts(docked), 0, "nothing was read from the other one");
}

#[test]
fn who_waits_and_is_pulled_is_forgotten_and_a_clock_set_back_ends_the_wait() {
    let mut world = world();
    world.dock("1", "C1");
    restart(&mut world, &["2"]);
    world.pull("2");
    world.pass(60);
    assert_eq!(believed(&world), Vec::<String>::new());
    restart(&mut world, &["2"]);
    world.now -= SignedDuration::from_hours(1);
    world.event(Event::Tick);
    assert_eq!(believed(&world), ["2"]);
}
