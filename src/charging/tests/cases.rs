//! One thing at a time.

use super::{world::*, *};

fn one(settings: Settings, battery: Battery) -> World {
    let mut world = World::new(settings, &[1]);
    world.dock(0, battery);
    world
}

#[test]
fn a_camera_charges_is_fit_at_the_gate_and_full_later() {
    let mut world = one(settings(), Battery::new("A", 50.0));
    world.minutes(2);
    let report = world.report(0).clone();
    assert_eq!((report.state, report.fitness), (State::Charging, Fitness::NotYet));
    // The configured pace is 2.4 minutes a percent: 30 percent in 72 minutes.
    let wait = report.ready_at.unwrap().duration_since(world.at.now).as_mins();
    assert!((70..=72).contains(&wait), "{wait}");
    world.minutes(80);
    assert_eq!(world.report(0).fitness, Fitness::Fit);
    assert!((24.0..26.5).contains(&world.report(0).percent_per_hour.unwrap()));
    world.minutes(60);
    assert_eq!((world.report(0).state, world.report(0).powered), (State::Full, true));
    world.take(0);
    world.minute();
    assert_eq!(world.report(0).state, State::Absent);
    assert_eq!(world.report(0).percent, None);
}

#[test]
fn a_camera_that_does_not_say_is_unknown_and_only_unfit_where_that_is_demanded() {
    let silent = || Battery { step: None, ..Battery::new("A", 50.0) };
    let mut world = one(settings(), silent());
    world.minutes(600);
    let report = world.report(0);
    assert_eq!((report.state, report.fitness), (State::Unknown, Fitness::Untold));
    assert_eq!((report.percent, report.ready_at, report.powered), (None, None, true));
    let mut world = one(Settings { battery_required: true, ..settings() }, silent());
    world.minutes(2);
    assert_eq!(world.report(0).fitness, Fitness::NotYet);
}

#[test]
fn a_drain_ends_charging_and_stays_a_fault_until_the_camera_is_out() {
    let sick = Battery { pace: -30.0, ..Battery::new("A", 70.0) };
    let mut world = one(settings(), sick);
    world.minutes(90);
    let report = world.report(0).clone();
    assert_eq!((report.state, report.fitness), (State::Faulty, Fitness::Unfit));
    assert_eq!(
        (report.anomaly, report.stopped, report.powered),
        (Some(Anomaly::Drains), true, false)
    );
    assert_eq!(report.resting, Some(CameraId::new("A").unwrap()));
    assert!(report.words.contains("charging was stopped"), "{}", report.words);
    world.minutes(3000);
    assert_eq!((world.report(0).state, world.sockets[&bay(0)].switches), (State::Faulty, 1));
    world.take(0);
    world.minute();
    world.dock(0, Battery::new("B", 70.0));
    world.minutes(2);
    assert_eq!((world.report(0).state, world.report(0).powered), (State::Charging, true));
}

#[test]
fn a_fault_does_not_take_the_power_from_a_camera_that_is_read() {
    let mut world = one(settings(), Battery { pace: -30.0, ..Battery::new("A", 90.0) });
    world.minutes(45);
    world.battery(0).work = 60;
    world.minutes(60);
    assert!(world.report(0).powered, "its footage first");
    world.minutes(90);
    assert_eq!((world.report(0).state, world.report(0).powered), (State::Faulty, false));
}

#[test]
fn where_no_port_can_be_switched_the_words_say_so() {
    let mut world = one(settings(), Battery { pace: -30.0, ..Battery::new("A", 70.0) });
    world.sockets.get_mut(&bay(0)).unwrap().fixed = true;
    world.minutes(90);
    let report = world.report(0);
    assert_eq!((report.state, report.fitness), (State::Faulty, Fitness::Unfit));
    assert_eq!((report.powered, report.stopped, report.switchable), (true, false, false));
    assert!(
        report.words.contains("cannot take its power away: the hub has no"),
        "{}",
        report.words
    );

    // Three such ports on a budget of two: said, and nothing comes on top.
    let two = Settings { station_milliamps_max: Some(2000), ..settings() };
    let mut world = World::new(two, &[1, 1, 1, 2]);
    for n in 0..4 {
        world.dock(n, Battery::new(&format!("C{n}"), 30.0));
        world.sockets.get_mut(&bay(n)).unwrap().fixed = n < 3;
    }
    world.minutes(5);
    assert!(world.report(0).words.contains("cannot take its power away"), "{:?}", world.report(0));
    assert_eq!((world.report(3).state, world.report(3).powered), (State::Held, false));
}

#[test]
fn a_camera_that_lost_its_power_before_it_was_recognised_is_read_next() {
    let mut station = Station::new(Settings { station_milliamps_max: Some(1000), ..settings() });
    let first =
        |busy| Seat::Camera { camera: CameraId::new("FIRST").unwrap(), reading: None, busy };
    let look = |n: usize, seat| {
        let hub = "1-1.1".parse::<crate::types::PortPath>().ok().map(|port| port.hub());
        Look { bay: bay(n), hub, switch: Switch::PerPort, seat }
    };
    let mut power = |second: u64, seats: [Seat; 2]| {
        let at = Moment {
            now: "2026-03-02T00:00:00Z".parse().unwrap(),
            elapsed: Duration::from_secs(second),
        };
        let looks = seats.into_iter().enumerate().map(|(n, seat)| look(n, seat)).collect();
        let mut on: Vec<_> =
            station.poll(at, looks).into_iter().map(|d| (d.bay, d.power)).collect();
        on.sort();
        on.into_iter().map(|(_, power)| power).collect::<Vec<_>>()
    };
    assert_eq!(power(0, [first(true), Seat::Empty]), [true, true]);
    assert_eq!(power(5, [first(true), Seat::Unnamed]), [true, false], "it came later");
    assert_eq!(power(10, [first(true), Seat::Dark]), [true, false]);
    // Not after the other one is charged: as soon as that one is read.
    assert_eq!(power(15, [first(false), Seat::Dark]), [false, true]);
}

#[test]
fn a_card_in_a_folder_takes_nothing_of_the_budget() {
    let one = Settings { station_milliamps_max: Some(1000), ..settings() };
    let look = |n: usize, hub: Option<HubPath>| Look {
        bay: bay(n),
        switch: match &hub {
            Some(_) => Switch::PerPort,
            None => Switch::Cannot("it is a folder, not a port".into()),
        },
        hub,
        seat: Seat::Camera {
            camera: CameraId::new(format!("C{n}")).unwrap(),
            reading: None,
            busy: false,
        },
    };
    let looks = vec![look(0, None), look(1, None), look(2, Some(HubPath::Root(1)))];
    let at = Moment { now: "2026-03-02T00:00:00Z".parse().unwrap(), elapsed: Duration::ZERO };
    let decisions = Station::new(one).poll(at, looks);
    assert!(decisions.iter().all(|decision| decision.power), "{decisions:?}");
    assert!(
        decisions.iter().all(|decision| decision.report.words == "does not say how full it is")
    );
}

#[test]
fn too_hot_and_too_cold_wait_and_look_again() {
    for (celsius, state) in [(48, State::TooHot), (-3, State::TooCold)] {
        let mut world =
            one(settings(), Battery { celsius: Some(celsius), ..Battery::new("A", 50.0) });
        world.minutes(100);
        assert_eq!((world.report(0).state, world.report(0).powered), (state, false));
        let looked = world.sockets[&bay(0)].switches;
        assert!((8..=20).contains(&looked), "off, and a look every ten minutes: {looked}");
        // One degree better is not enough.
        world.battery(0).celsius = Some(if celsius > 0 { 44 } else { 1 });
        world.minutes(30);
        assert_eq!(world.report(0).state, state);
        world.battery(0).celsius = Some(20);
        world.minutes(30);
        assert_eq!((world.report(0).state, world.report(0).powered), (State::Charging, true));
    }
}

#[test]
fn over_a_weekend_cameras_rest_and_are_ready_on_monday() {
    let mut world = World::new(settings(), &[1, 1]);
    // To Friday, 20:00: the next shift is Monday, 07:00.
    world.minutes(60 * (4 * 24 + 20));
    world.dock(0, Battery::new("A", 90.0));
    world.dock(1, Battery::new("B", 30.0));
    world.minutes(60 * 24);
    for n in 0..2 {
        let report = world.report(n);
        assert_eq!((report.state, report.powered), (State::Held, false), "{report:?}");
        let percent = world.battery(n).percent;
        assert!((55.0..=90.0).contains(&percent), "{percent}");
    }
    world.minutes(60 * 35 - 1);
    for n in 0..2 {
        assert_eq!(world.report(n).fitness, Fitness::Fit, "bay {n} on Monday morning");
        let switches = world.sockets[&bay(n)].switches;
        assert!(switches <= 8, "bay {n} was switched {switches} times");
    }
}

#[test]
fn without_shifts_nothing_rests_and_without_a_budget_nothing_waits() {
    let mut world = World::new(Settings { shifts: Shifts::default(), ..settings() }, &[1; 6]);
    (0..6).for_each(|n| world.dock(n, Battery::new(&format!("C{n}"), 90.0)));
    world.minutes(60 * 24 * 7);
    assert!(world.sockets.values().all(|socket| socket.powered && socket.switches == 0));
}

#[test]
fn footage_goes_before_batteries_and_a_late_camera_waits_for_those_that_are_read() {
    let two = Settings { station_milliamps_max: Some(2000), ..settings() };
    let mut world = World::new(two, &[1; 4]);
    world.dock(0, Battery::new("A", 20.0));
    world.dock(1, Battery::new("B", 30.0));
    world.minutes(3);
    world.dock(2, Battery { work: 40, ..Battery::new("C", 90.0) });
    world.dock(3, Battery { work: 5, ..Battery::new("D", 90.0) });
    world.minute();
    let powered = |world: &World| (0..4).map(|n| world.report(n).powered).collect::<Vec<_>>();
    assert_eq!(powered(&world), [false, false, true, true], "both that charge give way");
    world.minutes(5);
    world.dock(1, Battery { work: 5, ..Battery::new("E", 90.0) });
    world.minutes(60);
    assert_eq!(world.battery(2).work + world.battery(3).work, 0);
    assert!(world.report(0).powered, "the emptiest charges again");
}

#[test]
fn fair_order_lets_everybody_have_some() {
    let one = Settings {
        station_milliamps_max: Some(1000),
        order: Order::Fair,
        gate_percent: 100,
        ..settings()
    };
    let mut world = World::new(one, &[1; 3]);
    (0..3).for_each(|n| world.dock(n, Battery::new(&format!("C{n}"), 10.0)));
    world.minutes(60 * 5);
    let percents: Vec<_> = (0..3).map(|n| world.battery(n).percent).collect();
    assert!(percents.iter().all(|percent| *percent > 30.0), "{percents:?}");
}
