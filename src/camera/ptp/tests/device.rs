//! The battery, the clock and events of a camera.

use super::*;

#[test]
fn battery_in_every_form() {
    for (battery, percent) in [
        (SimBattery::Range(80), Some(80)),
        (SimBattery::OneOf(3, vec![0, 1, 2, 3, 4]), Some(75)),
        (SimBattery::Wide(0x8000), None),
        (SimBattery::Wide(64), Some(64)),
        (SimBattery::ValueOnly(vec![42]), Some(42)),
        (SimBattery::ValueOnly(vec![0, 0x80]), None),
        (SimBattery::None, None),
    ] {
        let mut sim = SimResponder::new();
        sim.battery = battery.clone();
        let (mut camera, _pipes) = dock(sim);
        assert_eq!(camera.battery_percent().unwrap(), percent, "{battery:?}");
    }
    let without = [Operation::GET_DEVICE_PROP_DESC, Operation::GET_DEVICE_PROP_VALUE];
    let (mut camera, _pipes) = dock(SimResponder::new().without(&without[..1]));
    assert_eq!(camera.battery_percent().unwrap(), Some(80));
    let (mut camera, _pipes) = dock(SimResponder::new().without(&without));
    assert_eq!(camera.battery_percent().unwrap(), None);
}

#[test]
fn firmware_serial_and_room_are_told_as_far_as_the_camera_says() {
    let (mut camera, _pipes) = dock(SimResponder::new());
    let told = camera.condition().unwrap();
    assert_eq!(told.firmware.as_deref(), Some("1.0"));
    assert_eq!(told.storage_bytes, Some(64 << 30));
    assert_eq!(told.storage_free_bytes, Some(64 << 30));
    let (mut camera, _pipes) = dock(SimResponder::new().without(&[Operation::GET_STORAGE_INFO]));
    let told = camera.condition().unwrap();
    assert_eq!((told.storage_bytes, told.storage_free_bytes), (None, None));
}

/// A camera whose clock goes wrong by `offset`; and the dock's time, for any moment of the cable's.
fn clocked(offset: SignedDuration, form: &str) -> (PtpCamera<SimPipes>, impl Fn() -> Timestamp) {
    let start: Timestamp = "2026-03-01T12:00:00.250Z".parse().unwrap();
    let mut sim = SimResponder::new();
    sim.clock = Some((offset, start));
    sim.clock_form = form.into();
    sim.latency = std::time::Duration::from_millis(7);
    let (camera, pipes) = dock(sim);
    let now = move || {
        let mut pipes = pipes.clone();
        pipes.pause(std::time::Duration::ZERO);
        start.checked_add(SignedDuration::try_from(pipes.elapsed()).unwrap()).unwrap()
    };
    (camera, now)
}

#[test]
fn the_clock_is_measured_with_half_the_way_and_half_the_resolution() {
    for (form, error_ms) in [
        ("20200101T000000", 520),
        ("20200101T000000Z", 520),
        ("20200101T000000.0", 70),
        ("20200101T000000.0+0100", 70),
    ] {
        for seconds in [0, 1, -3600, 86_400 * 400] {
            let (mut camera, now) = clocked(SignedDuration::from_secs(seconds), form);
            let measured = camera.clock_offset(now(), true).unwrap().unwrap();
            let error = (measured.camera_minus_dock_ms - seconds * 1000).abs();
            assert!(error <= error_ms && measured.dock_synchronised, "{form} {seconds}: {error}");
        }
    }
}

#[test]
fn the_clock_is_set_only_from_a_synchronised_dock_and_told_before_and_after() {
    for form in ["20200101T000000", "20200101T000000.0", "20200101T000000Z"] {
        let (mut camera, now) = clocked(SignedDuration::from_hours(-30), form);
        assert!(!camera.clock_offset(now(), false).unwrap().unwrap().dock_synchronised);
        let refused = camera.set_clock(now(), Offset::UTC, false);
        assert!(matches!(refused, Err(CameraError::Io { .. })));
        let untouched = camera.clock_offset(now(), true).unwrap().unwrap();
        assert!((untouched.camera_minus_dock_ms + 108_000_000).abs() < 1000);
        let set = camera.set_clock(now(), Offset::UTC, true).unwrap().unwrap();
        assert!((set.before.camera_minus_dock_ms + 108_000_000).abs() < 1000, "{set:?}");
        assert!(set.after.camera_minus_dock_ms.abs() <= 1100, "{form} {set:?}");
    }
}

#[test]
fn a_camera_that_keeps_local_time_gets_local_time() {
    let (mut camera, now) = clocked(SignedDuration::from_hours(-30), "20200101T000000");
    let set = camera.set_clock(now(), Offset::from_seconds(7200).unwrap(), true).unwrap().unwrap();
    assert!((set.after.camera_minus_dock_ms - 7_200_000).abs() <= 1100, "{set:?}");
}

#[test]
fn a_camera_without_a_clock_has_none() {
    let mut sim = SimResponder::new();
    sim.clock = None;
    let (mut camera, _pipes) = dock(sim);
    assert_eq!(camera.clock_offset(Timestamp::UNIX_EPOCH, true).unwrap(), None);
    assert_eq!(camera.set_clock(Timestamp::UNIX_EPOCH, Offset::UTC, true).unwrap(), None);
    // A clock that shows no time.
    let mut sim = SimResponder::new();
    sim.clock_form = "nonsense".into();
    let (mut camera, _pipes) = dock(sim);
    assert_eq!(camera.clock_offset(Timestamp::UNIX_EPOCH, true).unwrap(), None);
}

#[test]
fn events_say_that_a_listing_is_old() {
    let (mut camera, pipes) = dock(two_files());
    assert!(!camera.said_changed().unwrap());
    pipes.camera().say(0x4002, 7);
    assert!(camera.said_changed().unwrap());
    pipes.camera().say(0x4006, 7);
    assert!(!camera.said_changed().unwrap());
}
