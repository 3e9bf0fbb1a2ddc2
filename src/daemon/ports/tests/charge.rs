//! The charging policy on a simulated hub: what it decides happens to the ports.

use super::*;
use crate::{
    charging::{Anomaly, Fitness, Report, State},
    config::{Config, Store, StoreRequired},
    daemon::{
        charging::{Batteries, Charger, Docked},
        open::charging_settings,
    },
    types::CameraId,
};

struct Desk {
    rig: Rig,
    charger: Charger,
    batteries: Batteries,
    docked: Docked,
    facts: Vec<Fact>,
}

impl Desk {
    /// A dock whose supply is enough for `ports` ports.
    fn new(switch: SimSwitch, ports: u32) -> Self {
        let store = Store::new(StoreRequired {
            endpoint: "https://s3.example.org".parse().unwrap(),
            bucket: "evidence".into(),
            access_key_file: "credential:a".parse().unwrap(),
            secret_key_file: "credential:b".parse().unwrap(),
        });
        let mut config = Config::new("dock-1".parse().unwrap(), Vec::new(), store);
        config.bays = bays();
        config.charging.station_milliamps_max = ports * config.charging.port_milliamps;
        let rig = Rig::new(switch);
        let batteries = Batteries::new(Duration::from_secs(60), rig.elapsed());
        let charger = Charger::new(charging_settings(&config).unwrap(), &config);
        Self { rig, charger, batteries, docked: Docked::new(), facts: Vec::new() }
    }

    /// A camera is plugged in, let in and recognised.
    fn dock(&mut self, name: &str, serial: &str, busy: bool) {
        self.rig.usb.plug(camera(if name == "1" { "1-1.1" } else { "1-1.2" }, serial));
        self.rig.camera(name);
        self.docked.insert(bay(name), (CameraId::new(serial).unwrap(), busy));
    }

    fn say(&self, name: &str, percent: u8) {
        let (camera, _) = &self.docked[&bay(name)];
        self.batteries.heard(&bay(name), camera, Some(percent));
    }

    /// A minute passes; then the dock decides. Bays without power are served no more.
    fn turn(&mut self) -> BTreeMap<BayName, Report> {
        self.rig.pass(60);
        let now = "2026-03-02T00:00:00Z".parse().unwrap();
        let facts = &mut self.facts;
        let remember = |new: Vec<Fact>| {
            facts.extend(new);
            Some(())
        };
        let ports = &self.rig.ports;
        let reports =
            self.charger.decide(ports, &self.batteries, now, &self.docked, remember).unwrap();
        self.docked.retain(|bay, _| !ports.place(bay).unwrap().dark);
        reports
    }
}

#[test]
fn on_one_port_s_power_two_cameras_take_turns() {
    let mut desk = Desk::new(SimSwitch::PerPort, 1);
    desk.dock("1", "A", false);
    desk.dock("2", "B", false);
    desk.say("1", 70);
    desk.say("2", 30);
    let reports = desk.turn();
    let dark: Vec<_> = reports.values().map(|report| report.dark).collect();
    assert_eq!(dark.iter().filter(|dark| **dark).count(), 1, "{reports:?}");
    let (off, on) = if dark[0] { ("1", "2") } else { ("2", "1") };
    let report = &reports[&bay(off)];
    assert_eq!((report.state, report.powered, report.owes_footage), (State::Held, false, false));
    assert!(report.words.contains("waits for its turn"), "{}", report.words);
    assert!(desk.rig.ports.place(&bay(off)).unwrap().dark);
    assert!(desk.rig.heard.lines()[0].contains("charging: waits for its turn"));
    // The other is full: now it is the one that waited.
    for _ in 0..20 {
        desk.say(on, 100);
        let reports = desk.turn();
        if !reports[&bay(off)].dark {
            break;
        }
    }
    assert!(!desk.rig.ports.place(&bay(off)).unwrap().dark, "it has its turn");
    assert!(desk.rig.ports.place(&bay(on)).unwrap().dark);
    assert_eq!(desk.facts, Vec::new(), "turns are no matter for the custody log's own facts");
}

#[test]
fn a_drain_is_in_the_log_before_the_port_goes_off_and_only_once() {
    let mut desk = Desk::new(SimSwitch::PerPort, 2);
    desk.dock("1", "A", false);
    let mut reports = BTreeMap::new();
    for minute in 0..90_u8 {
        if desk.docked.contains_key(&bay("1")) {
            desk.say("1", 90 - minute / 2);
            assert_eq!(desk.facts, Vec::new());
        }
        reports = desk.turn();
    }
    let report = &reports[&bay("1")];
    assert_eq!((report.state, report.fitness), (State::Faulty, Fitness::Unfit));
    assert!(report.stopped && desk.rig.ports.place(&bay("1")).unwrap().dark);
    let [Fact::BatteryFault { fault, stops: true, percent: Some(_), camera, .. }] = &desk.facts[..]
    else {
        panic!("{:?}", desk.facts)
    };
    assert_eq!((fault.as_str(), camera.as_str()), (Anomaly::Drains.as_str(), "A"));
}

#[test]
fn a_hub_that_switches_nothing_is_found_out_and_not_tried_again_and_again() {
    let mut desk = Desk::new(SimSwitch::Deaf, 1);
    desk.dock("1", "A", false);
    desk.dock("2", "B", false);
    let first = desk.turn();
    let tried = desk.rig.usb.switched().len();
    assert!(tried > 0, "{first:?}");
    for _ in 0..30 {
        let reports = desk.turn();
        assert!(reports.values().all(|report| report.powered && !report.dark), "{reports:?}");
    }
    let reports = desk.turn();
    assert!(desk.rig.usb.switched().len() <= tried + 2, "a trial a bay at most");
    let words = &reports[&bay("1")].words;
    assert!(words.contains("cannot take its power away: the hub ignores"), "{words}");
}

#[test]
fn a_camera_that_is_read_keeps_its_power_and_the_next_one_waits_for_it() {
    let mut desk = Desk::new(SimSwitch::PerPort, 1);
    desk.dock("1", "A", true);
    desk.turn();
    desk.dock("2", "B", true);
    for _ in 0..30 {
        let reports = desk.turn();
        assert!(reports[&bay("1")].powered, "{reports:?}");
        assert!(reports[&bay("2")].dark && reports[&bay("2")].owes_footage, "{reports:?}");
    }
    desk.docked.get_mut(&bay("1")).unwrap().1 = false;
    desk.turn();
    assert!(!desk.rig.ports.place(&bay("2")).unwrap().dark, "its footage now");
}
