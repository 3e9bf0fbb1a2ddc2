//! Coming, going, and everything that goes wrong in between.

use super::{super::*, camera};
use crate::types::{HubPath, PortPath};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);

fn port(text: &str) -> PortPath {
    text.parse().unwrap()
}

/// Serials that came and went, with `+`, `-`, and `*` for one that came again.
fn said(changes: &[Change]) -> Vec<String> {
    let serial = |d: &crate::types::UsbDevice| d.serial.clone().unwrap_or_default();
    let word = |change: &Change| match change {
        Change::Left(device) => format!("-{}", serial(device)),
        Change::Arrived { device, again: false } => format!("+{}", serial(device)),
        Change::Arrived { device, again: true } => format!("*{}", serial(device)),
    };
    changes.iter().map(word).collect()
}

/// The next changes that are any.
fn next(watch: &mut Watch<SimUsb>) -> Vec<String> {
    let until = Instant::now() + LONG;
    while Instant::now() < until {
        let changes = watch.next(LONG);
        if !changes.is_empty() {
            return said(&changes);
        }
    }
    panic!("nothing changed");
}

#[test]
fn what_is_there_at_start_arrives_and_what_comes_later_too() {
    let usb = SimUsb::new(SimSwitch::PerPort, 4);
    usb.plug(camera("1-1.1", "A"));
    let mut watch = Watch::new(usb.clone());
    assert_eq!(next(&mut watch), ["+A"]);
    usb.plug(camera("1-1.2", "B"));
    assert_eq!(next(&mut watch), ["+B"]);
    usb.unplug(&port("1-1.1"));
    assert_eq!(next(&mut watch), ["-A"]);
    assert_eq!(watch.present().count(), 1);
}

#[test]
fn the_same_camera_under_a_new_address_is_back_and_is_counted() {
    let usb = SimUsb::new(SimSwitch::PerPort, 4);
    usb.plug(camera("1-1.1", "A"));
    let mut watch = Watch::new(usb.clone());
    next(&mut watch);
    // So fast that no look falls in between.
    usb.plug(camera("1-1.1", "A"));
    assert_eq!(next(&mut watch), ["-A", "*A"]);
    usb.plug(camera("1-1.1", "B"));
    assert_eq!(next(&mut watch), ["-A", "+B"]);
    usb.unplug(&port("1-1.1"));
    assert_eq!(next(&mut watch), ["-B"]);
    usb.plug(camera("1-1.1", "B"));
    assert_eq!(next(&mut watch), ["*B"]);
    assert_eq!(watch.counts()[&port("1-1.1")], Counts { arrivals: 4, again: 2 });
    assert_eq!(watch.bus_losses(), 0);
}

#[test]
fn a_camera_moved_to_another_port_left_the_one_and_arrived_in_the_other() {
    let usb = SimUsb::new(SimSwitch::PerPort, 4);
    usb.plug(camera("1-1.1", "A"));
    let mut watch = Watch::new(usb.clone());
    next(&mut watch);
    usb.unplug(&port("1-1.1"));
    usb.plug(camera("1-1.2", "A"));
    assert_eq!(next(&mut watch), ["-A", "+A"]);
}

#[test]
fn a_reset_controller_brings_all_its_devices_again() {
    let usb = SimUsb::new(SimSwitch::PerPort, 4);
    for (at, serial) in [("1-1.1", "A"), ("1-1.2", "B"), ("2-1", "C")] {
        usb.plug(camera(at, serial));
    }
    let mut watch = Watch::new(usb.clone());
    next(&mut watch);
    usb.reset_controller(1);
    assert_eq!(next(&mut watch), ["-A", "-B", "*A", "*B"]);
    assert_eq!(watch.bus_losses(), 1);
}

#[test]
fn a_storm_of_events_costs_a_few_looks_and_never_more_than_its_bound_of_time() {
    let usb = SimUsb::new(SimSwitch::PerPort, 4);
    let mut watch = Watch::new(usb.clone());
    watch.next(Duration::ZERO);
    let before = usb.looks();
    usb.storm(10_000);
    usb.plug(camera("1-1.1", "A"));
    assert_eq!(next(&mut watch), ["+A"]);
    assert!(usb.looks() - before <= 3, "{} looks", usb.looks() - before);
    // Events without end: the settling is cut short all the same.
    usb.storm(u32::MAX);
    usb.plug(camera("1-1.2", "B"));
    let began = Instant::now();
    assert_eq!(next(&mut watch), ["+B"]);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_bus_that_cannot_be_read_keeps_its_last_picture() {
    let usb = SimUsb::new(SimSwitch::PerPort, 4);
    usb.plug(camera("1-1.1", "A"));
    let mut watch = Watch::new(usb.clone());
    next(&mut watch);
    usb.fail(2);
    assert_eq!(said(&watch.next(LONG)), Vec::<String>::new());
    assert!(watch.failure().is_some());
    assert_eq!(watch.present().count(), 1, "the camera did not go");
    usb.unplug(&port("1-1.1"));
    assert_eq!(next(&mut watch), ["-A"], "and its going is seen as soon as the bus is back");
    assert!(watch.failure().is_none());
}

#[test]
fn switching_off_takes_a_device_and_its_twin_and_on_brings_it_back() {
    let usb = SimUsb::new(SimSwitch::PerPort, 4);
    usb.plug(camera("1-1.1", "A"));
    usb.pair(port("1-1.1"), port("2-1.1"));
    let mut watch = Watch::new(usb.clone());
    next(&mut watch);
    usb.switch(&port("1-1.1"), false).unwrap();
    assert_eq!(next(&mut watch), ["-A"]);
    let twin = &usb.look(&HubPath::Port(port("2-1"))).ports[&port("2-1.1")];
    assert_eq!(twin.powered, Some(false));
    usb.switch(&port("1-1.1"), true).unwrap();
    assert_eq!(next(&mut watch), ["*A"]);
}

#[test]
fn trials_of_simulated_hubs_show_what_they_do() {
    use crate::power::{Switching, judge};
    for (kind, expected) in [
        (SimSwitch::PerPort, Switching::PerPort),
        (SimSwitch::LyingGanged, Switching::Ganged),
        (SimSwitch::Deaf, Switching::Nothing),
    ] {
        let usb = SimUsb::new(kind, 4);
        usb.plug(camera("1-1.1", "A"));
        let hub = HubPath::Port(port("1-1"));
        let before = usb.look(&hub);
        usb.switch(&port("1-1.1"), false).unwrap();
        let found = judge(&port("1-1.1"), &before.ports, &usb.look(&hub).ports, false).unwrap();
        assert_eq!(found.switching, expected, "{kind:?}, though it claims {:?}", before.claim);
    }
}

#[test]
fn the_real_bus_never_panics_and_is_the_pinned_one() {
    assert!(!RusbBus::has_udev_backend(), "libusb was built with libudev: see .cargo/config.toml");
    // Whatever this machine has: a bus, or words.
    let mut watch = Watch::new(RusbBus::open(Sysfs::default()));
    watch.next(Duration::ZERO);
    if watch.failure().is_none() {
        return;
    }
    let deaf = watch.bus().deafness().expect("without USB libusb cannot start");
    assert!(deaf.contains("netlink"), "{deaf}");
    let power = HubPower::default();
    assert!(matches!(power.switch(&port("1-1"), false), Err(PowerError::NoPort(_))));
    assert!(power.look(&HubPath::Root(1)).ports.is_empty());
}
