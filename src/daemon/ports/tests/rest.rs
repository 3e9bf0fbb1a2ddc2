//! Cameras that rest without power, and what happens in the dark.

use super::*;

const LATER: u64 = 300;

fn never() -> bool {
    false
}

#[test]
fn a_camera_rests_is_looked_at_in_silence_and_wakes() {
    let rig = Rig::new(SimSwitch::PerPort);
    rig.usb.plug(camera("1-1.1", "A"));
    let docking = rig.camera("1").docking;
    rig.ports.rest(&bay("1"), "charging: full").unwrap();
    rig.gone("1", docking);
    assert!(rig.ports.place(&bay("1")).unwrap().dark);
    let written = rig.heard.lines();
    assert!(written[0].contains(r#""on":false,"why":"charging: full""#), "{written:#?}");

    rig.ports.look_at_resting(never);
    assert_eq!(rig.usb.switched().len(), 1, "too early to look");
    for look in 1..=3 {
        rig.pass(LATER);
        rig.ports.look_at_resting(never);
        assert_eq!(rig.usb.switched().len(), 1 + 2 * look, "on for a moment, and off again");
        assert!(rig.ports.place(&bay("1")).unwrap().dark);
        assert!(rig.ports.camera_in(&bay("1")).is_none(), "nobody speaks to it");
    }
    assert_eq!(rig.heard.lines(), written, "a look is nothing to write down");

    rig.ports.wake(&bay("1"), "charging: its turn").unwrap();
    assert!(rig.camera("1").docking > docking);
    assert!(!rig.ports.place(&bay("1")).unwrap().dark);
    assert_eq!(rig.heard.lines().len(), written.len() + 1);
}

#[test]
fn another_camera_in_a_dark_port_is_found_and_let_in() {
    let rig = Rig::new(SimSwitch::PerPort);
    rig.usb.plug(camera("1-1.1", "A"));
    rig.camera("1");
    rig.ports.rest(&bay("1"), "charging: full").unwrap();
    rig.usb.unplug(&port("1-1.1"));
    rig.usb.plug(camera("1-1.1", "B"));
    rig.pass(LATER);
    rig.ports.look_at_resting(never);
    assert_eq!(rig.camera("1").device.serial.as_deref(), Some("B"));
    assert!(!rig.ports.place(&bay("1")).unwrap().dark);
    assert_eq!(rig.usb.switched().last(), Some(&(port("1-1.1"), true)), "its port stays on");
}

#[test]
fn a_stranger_in_a_dark_port_is_refused_as_anywhere() {
    let rig = Rig::new(SimSwitch::PerPort);
    rig.usb.plug(camera("1-1.1", "A"));
    rig.camera("1");
    rig.ports.rest(&bay("1"), "charging: full").unwrap();
    rig.usb.unplug(&port("1-1.1"));
    rig.usb.plug(keyboard("1-1.1"));
    rig.pass(LATER);
    rig.ports.look_at_resting(never);
    rig.heard.wait("BayTrouble", 1);
    rig.isolated("1", 1);
    assert!(!rig.ports.place(&bay("1")).unwrap().dark);
}

#[test]
fn a_camera_that_was_taken_in_the_dark_leaves_a_port_that_is_on() {
    let rig = Rig::new(SimSwitch::PerPort);
    rig.usb.plug(camera("1-1.1", "A"));
    rig.camera("1");
    rig.ports.rest(&bay("1"), "charging: full").unwrap();
    rig.usb.unplug(&port("1-1.1"));
    rig.pass(LATER);
    rig.ports.look_at_resting(never);
    let place = rig.ports.place(&bay("1")).unwrap();
    assert_eq!((place.dark, place.draws), (false, false));
    rig.usb.plug(camera("1-1.1", "B"));
    rig.camera("1");
}

#[test]
fn hubs_that_do_not_switch_single_ports_are_found_out_and_everything_is_on_again() {
    for (switch, expected) in [
        (SimSwitch::LyingGanged, "switches all its ports at once"),
        (SimSwitch::Deaf, "ignores its power switch"),
        (SimSwitch::Forbidden, "may not switch"),
    ] {
        let rig = Rig::new(switch);
        rig.usb.plug(camera("1-1.1", "A"));
        rig.usb.plug(camera("1-1.2", "B"));
        rig.cameras();
        let why = rig.ports.rest(&bay("1"), "charging: full").unwrap_err();
        assert!(why.contains(expected), "{why}");
        assert!(!rig.ports.place(&bay("1")).unwrap().dark);
        rig.cameras();
        let known = rig.ports.cannot_switch(&bay("2"));
        assert_eq!(known.is_some(), switch != SimSwitch::Forbidden, "{known:?}");
    }
}

#[test]
fn a_camera_without_a_serial_number_does_not_rest_and_a_stopping_dock_wakes_all() {
    let rig = Rig::new(SimSwitch::PerPort);
    rig.usb.plug(UsbDevice { serial: None, ..camera("1-1.1", "") });
    rig.usb.plug(camera("1-1.2", "B"));
    rig.cameras();
    assert!(rig.ports.place(&bay("1")).unwrap().nameless);
    assert!(rig.ports.rest(&bay("1"), "charging").unwrap_err().contains("no serial number"));
    assert_eq!(rig.usb.switched(), Vec::new());
    rig.ports.rest(&bay("2"), "charging").unwrap();
    rig.ports.wake_all();
    assert_eq!(rig.camera("2").device.serial.as_deref(), Some("B"));
}
