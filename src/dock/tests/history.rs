//! A camera over its dockings, folded from the log.

use crate::{
    dock::{
        MemoryTable, Records, fold,
        history::{CameraHistory, DOCKINGS_MAX, Docking},
        state::key,
    },
    types::{
        CameraId, Condition, Sha256Digest,
        fact::{ClockOffset, Entry, Fact, VERSION},
    },
};
use jiff::Timestamp;

#[derive(Default)]
struct Log {
    table: MemoryTable,
    seq: u64,
}

fn camera() -> CameraId {
    CameraId::new("C1").unwrap()
}

fn at(text: &str) -> Timestamp {
    format!("2026-03-{text}Z").parse().unwrap()
}

fn percent(battery_percent: u8) -> Condition {
    Condition { battery_percent: Some(battery_percent), ..Condition::default() }
}

fn docked(bay: &str, condition: Condition, again: bool) -> Fact {
    Fact::CameraDocked {
        bay: bay.parse().unwrap(),
        camera: camera(),
        profile: "p".into(),
        model: None,
        clock: None,
        clock_reading: None,
        condition,
        again,
    }
}

fn removed(bay: &str, condition: Condition) -> Fact {
    Fact::CameraRemoved { bay: bay.parse().unwrap(), camera: camera(), condition }
}

fn started(boot: &str) -> Fact {
    let (version, config) = ("1".into(), Sha256Digest([0; 32]));
    Fact::DockStarted { version, boot: boot.into(), clock_synchronised: true, config }
}

fn switched(on: bool) -> Fact {
    let (bay, port) = ("1".parse().unwrap(), "1-1".parse().unwrap());
    Fact::PortSwitched { bay, port, on, why: "rests".into() }
}

impl Log {
    fn add(&mut self, when: &str, fact: Fact) {
        self.seq += 1;
        let entry = Entry {
            prev: Sha256Digest([0; 32]),
            v: VERSION,
            seq: self.seq,
            at: at(when),
            dock: "d".parse().unwrap(),
            actor: "dock".parse().unwrap(),
            fact,
        };
        fold(&entry, &mut self.table).unwrap();
    }

    fn history(&self) -> CameraHistory {
        self.table.history(&camera()).unwrap().unwrap()
    }

    fn past(&self) -> Vec<Docking> {
        self.table.list(&key::dockings(&camera()), b"", usize::MAX).unwrap()
    }
}

#[test]
fn a_stay_has_its_battery_at_both_ends_and_a_new_one_begins_after_a_shift() {
    let mut log = Log::default();
    log.add("01T18:00:00", docked("1", percent(12), false));
    log.add("02T06:00:00", removed("1", percent(100)));
    log.add("02T18:00:00", docked("1", percent(30), false));
    let history = log.history();
    assert_eq!((history.dockings, history.last.battery_docked_percent), (2, Some(30)));
    assert_eq!(history.last.battery_removed_percent, None, "it is docked");
    let past = log.past();
    assert_eq!(past.len(), 1);
    assert_eq!(
        (past[0].battery_docked_percent, past[0].battery_removed_percent, past[0].removed_at),
        (Some(12), Some(100), Some(at("02T06:00:00")))
    );
}

#[test]
fn resets_dark_ports_and_restarts_do_not_end_a_stay() {
    let mut log = Log::default();
    log.add("01T17:00:00", started("a"));
    log.add("01T18:00:00", docked("1", percent(12), false));
    log.add("01T18:00:05", removed("1", Condition::default()));
    log.add("01T18:00:06", docked("1", percent(13), true));
    assert_eq!((log.history().usb_resets, log.history().last.usb_resets), (1, 1));
    log.add("01T22:00:00", switched(false));
    log.add("01T22:00:01", removed("1", percent(100)));
    log.add("02T05:00:00", switched(true));
    log.add("02T05:00:20", docked("1", percent(98), false));
    log.add("02T05:10:00", started("a"));
    log.add("02T05:10:20", docked("1", percent(98), false));
    let history = log.history();
    assert_eq!((history.dockings, history.usb_resets), (1, 1));
    assert_eq!(history.last.battery_docked_percent, Some(12));
    // Taken out of the dark, and back in the evening.
    log.add("02T06:00:00", switched(false));
    log.add("02T06:00:01", removed("1", percent(100)));
    log.add("02T18:00:00", docked("1", percent(20), false));
    assert_eq!((log.history().dockings, log.history().last.battery_docked_percent), (2, Some(20)));
    // Taken while the dock was off.
    log.add("03T05:00:00", started("b"));
    log.add("03T18:00:00", docked("1", percent(25), false));
    assert_eq!((log.history().dockings, log.past().len()), (3, 2));
    let starts = log.table.totals().unwrap().starts;
    assert_eq!((starts.count, starts.unclean, starts.unclean_boots), (3, 2, 1));
    log.add("03T19:00:00", Fact::DockStopped { why: "SIGTERM".into() });
    log.add("03T19:01:00", started("b"));
    assert_eq!(log.table.totals().unwrap().starts.unclean, 2, "it was stopped");
}

#[test]
fn a_years_dockings_stay_few_and_firmware_is_remembered() {
    let mut log = Log::default();
    for day in 1..=28 {
        let firmware = Some(if day < 10 { "1.4" } else { "1.5" }.to_owned());
        let condition = Condition { firmware, ..percent(50) };
        log.add(&format!("{day:02}T18:00:00"), docked(&day.to_string(), condition, false));
        log.add(&format!("{day:02}T19:00:00"), removed(&day.to_string(), Condition::default()));
    }
    let (history, past) = (log.history(), log.past());
    assert_eq!((history.dockings, past.len()), (28, DOCKINGS_MAX));
    assert_eq!(past[0].docked_at, at("12T18:00:00"), "the oldest went");
    assert_eq!(history.firmware.as_deref(), Some("1.5"));
    assert_eq!(history.firmware_before.as_deref(), Some("1.4"));
    assert_eq!(history.firmware_changed_at, Some(at("10T18:00:00")));
    assert_eq!(history.last_seen(false, at("28T23:00:00")), at("28T19:00:00"));
}

#[test]
fn a_clock_that_is_set_begins_a_new_measurement() {
    let mut log = Log::default();
    let offset = |ms| ClockOffset { camera_minus_dock_ms: ms, dock_synchronised: true };
    let mut measured = |when: &str, ms| {
        let Fact::CameraDocked { bay, camera, profile, condition, .. } =
            docked("1", Condition::default(), false)
        else {
            unreachable!("it is one")
        };
        let (clock, model, clock_reading) = (Some(offset(ms)), None, None);
        let again = false;
        let fact = Fact::CameraDocked {
            bay,
            camera,
            profile,
            model,
            clock,
            clock_reading,
            condition,
            again,
        };
        log.add(when, fact);
        let drift = log.history().drift_seconds_per_day();
        log.add(&format!("{}T23:00:00", &when[..2]), removed("1", Condition::default()));
        drift
    };
    assert_eq!(measured("01T18:00:00", 0), None);
    assert_eq!(measured("05T18:00:00", 6_000), Some(1.5));
    let (bay, after) = ("1".parse().unwrap(), Some(offset(0)));
    log.add("05T23:30:00", Fact::ClockSet { bay, camera: camera(), after, words: None });
    assert_eq!(log.history().drift_seconds_per_day(), None);
    assert_eq!(log.history().clock.len(), 1);
}
