//! The policy against simulated batteries.

mod cases;
mod week;
mod world;

use super::*;
use jiff::{civil::Weekday, tz::TimeZone};

/// Dwell 10 minutes, stagger 15 seconds, two shifts a day, no budgets.
pub(super) fn settings() -> Settings {
    let shift = |start: &str| Shift {
        days: vec![
            Weekday::Monday,
            Weekday::Tuesday,
            Weekday::Wednesday,
            Weekday::Thursday,
            Weekday::Friday,
        ],
        start: start.parse().unwrap(),
        zone: TimeZone::UTC,
    };
    Settings {
        gate_percent: 80,
        full_percent: 95,
        battery_required: false,
        full_charge: Duration::from_secs(4 * 3600),
        slowest_charge: Duration::from_secs(12 * 3600),
        hold: Some(Hold { percent: 60, idle: Duration::from_secs(24 * 3600) }),
        port_milliamps: 1000,
        hub_milliamps_max: None,
        station_milliamps_max: None,
        order: Order::NextShift,
        stagger: Duration::from_secs(15),
        dwell: Duration::from_secs(600),
        coldest_celsius: 0,
        hottest_celsius: 45,
        stops: true,
        shifts: Shifts(vec![shift("07:00"), shift("19:00")]),
    }
}
