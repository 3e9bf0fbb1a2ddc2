//! `[charging]`: which ports have power, and when a camera is fit for a shift.

use super::{
    reader::Section,
    sections::{EVERY_DAY, zone},
    value::{ChargeOrder, Day, TimeOfDay},
};
use serde::Serialize;

/// `[charging]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Charging {
    /// false: every port keeps its power; how cameras charge is only told.
    pub switch_ports: bool,
    /// 0: no camera is kept back for its battery.
    pub gate_percent: u8,
    pub full_percent: u8,
    pub battery_required: bool,
    pub battery_poll_seconds: u64,
    pub full_charge_minutes: u64,
    pub slowest_charge_hours: u64,
    pub stop_on_anomaly: bool,
    /// 0: cameras never rest.
    pub rest_percent: u8,
    pub rest_idle_hours: u64,
    pub port_milliamps: u32,
    /// 0: no limit.
    pub hub_milliamps_max: u32,
    /// 0: no limit.
    pub station_milliamps_max: u32,
    pub order: ChargeOrder,
    pub stagger_seconds: u64,
    pub dwell_minutes: u64,
    pub celsius_min: u16,
    pub celsius_max: u16,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shifts: Vec<ChargingShift>,
}

impl Default for Charging {
    fn default() -> Self {
        Self {
            switch_ports: true,
            gate_percent: 80,
            full_percent: 95,
            battery_required: false,
            battery_poll_seconds: 60,
            full_charge_minutes: 300,
            slowest_charge_hours: 12,
            stop_on_anomaly: true,
            rest_percent: 60,
            rest_idle_hours: 48,
            port_milliamps: 900,
            hub_milliamps_max: 0,
            station_milliamps_max: 0,
            order: ChargeOrder::NextShift,
            stagger_seconds: 5,
            dwell_minutes: 15,
            celsius_min: 0,
            celsius_max: 45,
            shifts: Vec::new(),
        }
    }
}

/// `[[charging.shifts]]`: when cameras are wanted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChargingShift {
    pub days: Vec<Day>,
    pub start: TimeOfDay,
    /// An IANA name. Only its form is checked here.
    pub time_zone: String,
}

const SHIFTS_MAX: usize = 32;

pub(super) fn charging(mut s: Section<'_>) -> Charging {
    let default = Charging::default();
    let shifts = s.sections("shifts", SHIFTS_MAX).into_iter().filter_map(shift).collect();
    let charging = Charging {
        switch_ports: s.flag("switch_ports", default.switch_ports),
        gate_percent: s.number("gate_percent", 0..=100, default.gate_percent),
        full_percent: s.number("full_percent", 50..=100, default.full_percent),
        battery_required: s.flag("battery_required", default.battery_required),
        battery_poll_seconds: s.number(
            "battery_poll_seconds",
            10..=3600,
            default.battery_poll_seconds,
        ),
        full_charge_minutes: s.number(
            "full_charge_minutes",
            15..=1440,
            default.full_charge_minutes,
        ),
        slowest_charge_hours: s.number(
            "slowest_charge_hours",
            1..=48,
            default.slowest_charge_hours,
        ),
        stop_on_anomaly: s.flag("stop_on_anomaly", default.stop_on_anomaly),
        rest_percent: s.number("rest_percent", 0..=100, default.rest_percent),
        rest_idle_hours: s.number("rest_idle_hours", 12..=744, default.rest_idle_hours),
        port_milliamps: s.number("port_milliamps", 100..=5000, default.port_milliamps),
        hub_milliamps_max: s.number("hub_milliamps_max", 0..=1_000_000, 0),
        station_milliamps_max: s.number("station_milliamps_max", 0..=1_000_000, 0),
        order: s.word("order", ChargeOrder::WORDS, default.order),
        stagger_seconds: s.number("stagger_seconds", 0..=600, default.stagger_seconds),
        dwell_minutes: s.number("dwell_minutes", 5..=240, default.dwell_minutes),
        celsius_min: s.number("celsius_min", 0..=30, default.celsius_min),
        celsius_max: s.number("celsius_max", 31..=80, default.celsius_max),
        shifts,
    };
    check(&s, &charging);
    s.finish();
    charging
}

/// What belongs together.
fn check(s: &Section<'_>, charging: &Charging) {
    let c = charging;
    if c.gate_percent > c.full_percent {
        let words = format!("is {}, more than full_percent", c.gate_percent);
        s.problem("gate_percent", words, "write at most what counts as full");
    }
    if c.slowest_charge_hours * 60 < c.full_charge_minutes * 3 / 2 {
        let words = "leaves an ordinary charge too little time";
        s.problem("slowest_charge_hours", words, "write at least 1.5 times full_charge_minutes");
    }
    if c.rest_idle_hours * 60 < c.full_charge_minutes * 2 {
        let words = "is too short for charging up again before a shift";
        s.problem("rest_idle_hours", words, "write at least twice full_charge_minutes");
    }
    for (key, max) in [
        ("hub_milliamps_max", c.hub_milliamps_max),
        ("station_milliamps_max", c.station_milliamps_max),
    ] {
        if max > 0 && max < c.port_milliamps {
            let words = format!("is {max}, less than one port (port_milliamps) takes");
            s.problem(key, words, "write 0 for no limit, or enough for one port");
        }
    }
}

fn shift(mut s: Section<'_>) -> Option<ChargingShift> {
    let remedy = "write when it starts, for example \"06:30\"";
    let days = s.words("days", Day::WORDS).unwrap_or_else(|| EVERY_DAY.to_vec());
    let start: Option<TimeOfDay> = s.parsed("start", remedy);
    match start {
        None if !s.has("start") => s.missing("start", remedy),
        Some(TimeOfDay::END) => s.problem("start", "is 24:00", "write 00:00 of the day after"),
        None | Some(_) => {}
    }
    let time_zone = zone(&mut s, "time_zone");
    s.finish();
    Some(ChargingShift { days, start: start?, time_zone })
}
