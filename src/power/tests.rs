//! Conclusions from trials, and bounds on switching.

use super::*;
use std::time::Duration;

fn port(n: u8) -> PortPath {
    PortPath::new(1, &[5, n]).unwrap()
}

const FULL: PortLook = PortLook { powered: Some(true), connected: Some(true), device: true };
const EMPTY: PortLook = PortLook { powered: Some(true), connected: Some(false), device: false };
const OFF: PortLook = PortLook { powered: Some(false), connected: Some(false), device: false };
const BLIND: PortLook = PortLook { powered: None, connected: None, device: true };
const BLIND_GONE: PortLook = PortLook { powered: None, connected: None, device: false };

fn looks(looks: [PortLook; 3]) -> Looks {
    (1..).map(port).zip(looks).collect()
}

#[test]
fn a_trial_shows_what_a_switch_does() {
    use Proof::*;
    use Switching::*;
    for (before, off, expected) in [
        ([FULL, FULL, EMPTY], [OFF, FULL, EMPTY], Some((PerPort, Device))),
        ([EMPTY, FULL, EMPTY], [OFF, FULL, EMPTY], Some((PerPort, StatusBits))),
        ([FULL, FULL, EMPTY], [OFF, OFF, OFF], Some((Ganged, Device))),
        ([FULL, EMPTY, EMPTY], [OFF, OFF, OFF], Some((Ganged, Device))),
        // It says it is off, and the device goes on.
        (
            [FULL, FULL, EMPTY],
            [PortLook { powered: Some(false), ..FULL }, FULL, EMPTY],
            Some((Nothing, Device)),
        ),
        // It does not even say so.
        ([FULL, FULL, EMPTY], [FULL, FULL, EMPTY], Some((Nothing, Device))),
        ([EMPTY, FULL, EMPTY], [EMPTY, FULL, EMPTY], Some((Nothing, StatusBits))),
        // The hub cannot be asked: devices still tell.
        ([BLIND, BLIND, BLIND_GONE], [BLIND_GONE, BLIND, BLIND_GONE], Some((PerPort, Device))),
        ([BLIND, BLIND, BLIND_GONE], [BLIND_GONE; 3], Some((Ganged, Device))),
        ([BLIND_GONE; 3], [BLIND_GONE; 3], None),
    ] {
        let found = judge(&port(1), &looks(before), &looks(off), false);
        let expected = expected.map(|(switching, proof)| Finding { switching, proof });
        assert_eq!(found, expected, "{before:?} -> {off:?}");
    }
    assert_eq!(judge(&port(9), &looks([FULL; 3]), &looks([FULL; 3]), false), None);
}

#[test]
fn boards_that_keep_the_current_are_not_believed() {
    let found = judge(&port(1), &looks([FULL; 3]), &looks([OFF, FULL, FULL]), true).unwrap();
    assert_eq!(found.switching, Switching::ConnectionOnly);
    let hub = HubPath::Port(PortPath::new(1, &[1]).unwrap());
    let chip = |v, p| Some(UsbId { vendor: v, product: p });
    for (board, hub, id, keeps) in [
        ("Raspberry Pi 5 Model B Rev 1.0", &HubPath::Root(1), chip(0x1d6b, 2), true),
        ("Raspberry Pi 5 Model B Rev 1.0", &hub, chip(0x2109, 0x2817), false),
        ("Raspberry Pi 4 Model B Rev 1.4", &hub, chip(0x2109, 0x3431), true),
        ("Raspberry Pi 4 Model B Rev 1.4", &hub, chip(0x2109, 0x2817), false),
        ("Raspberry Pi 3 Model B Plus", &hub, chip(0x0424, 0x2514), true),
        ("", &HubPath::Root(1), chip(0x1d6b, 2), false),
    ] {
        assert_eq!(keeps_current(Some(board), hub, id), keeps, "{board} {hub}");
    }
}

#[test]
fn a_switch_that_might_cut_off_the_docks_own_disk_is_not_tried() {
    let disk = UsbDevice {
        port: port(2),
        address: 3,
        id: UsbId { vendor: 1, product: 2 },
        release: 0,
        class: UsbClass::new(0, 0, 0),
        interfaces: vec![crate::types::UsbInterface {
            configuration: 1,
            number: 0,
            class: UsbClass::UAS,
            name: None,
        }],
        authorised: true,
        maker: None,
        product: Some("Boot disk".into()),
        serial: None,
    };
    let words = forbidden(None, Some(Claim::PerPort), &[&disk]).unwrap();
    assert!(words.contains("Boot disk"), "{words}");
    assert!(forbidden(Some(Switching::PerPort), Some(Claim::Ganged), &[&disk]).is_none());
    assert!(forbidden(None, Some(Claim::PerPort), &[]).is_none());
    for (known, claim) in [
        (None, Some(Claim::Ganged)),
        (None, Some(Claim::Nothing)),
        (Some(Switching::Ganged), Some(Claim::PerPort)),
        (Some(Switching::Nothing), Some(Claim::PerPort)),
    ] {
        assert!(forbidden(known, claim, &[]).is_some(), "{known:?} {claim:?}");
    }
}

#[test]
fn a_wedged_camera_is_cycled_three_times_with_longer_and_longer_waits() {
    let mut revival = Revival::default();
    let mut cycled = Vec::new();
    let mut gave_up = 0;
    for second in 0..600 {
        match revival.failed(Duration::from_secs(second)) {
            Next::TryAgain => {}
            Next::Cycle => cycled.push(second),
            Next::GiveUp => gave_up += 1,
        }
    }
    assert_eq!(cycled, [1, 16, 46], "never more often, never sooner");
    assert!(gave_up > 0);
    let mut well = Revival::default();
    for second in 0..100 {
        assert_eq!(well.failed(Duration::from_secs(second)), Next::TryAgain);
        well.answered();
    }
}

#[test]
fn a_refused_port_stays_off_longer_each_time_and_comes_back_at_last() {
    let mut now = Duration::ZERO;
    let mut isolation = Isolation::begin(now);
    for seconds in [30, 60, 120, 240, 480, 900, 900] {
        assert!(!isolation.is_over(now + Duration::from_secs(seconds - 1)), "{seconds}");
        now += Duration::from_secs(seconds);
        assert!(isolation.is_over(now), "{seconds}");
        isolation.again(now);
    }
    (0..100).for_each(|_| isolation.again(now));
    assert!(isolation.is_over(now + Duration::from_secs(900)));
}
