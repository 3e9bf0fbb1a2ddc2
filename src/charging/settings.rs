//! What the policy is told by the configuration.

use super::Shifts;
use std::time::Duration;

/// Whose turn it is while there is not power for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As many cameras as can be fit at the next shift's start.
    NextShift,
    /// The one that had power for the shortest time.
    Fair,
}

/// Long rest at a level that does a battery good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// At or above it nothing is charged.
    pub percent: u8,
    /// Only while the next shift is further off than this.
    pub idle: Duration,
}

/// The charging policy of one dock.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// From this on a camera is fit for a shift.
    pub gate_percent: u8,
    /// From this on a battery counts as full: not all ever say 100.
    pub full_percent: u8,
    /// A camera that does not say how full it is, is not fit.
    pub battery_required: bool,
    /// From empty to full, until this camera's own pace is known.
    pub full_charge: Duration,
    /// A charge that takes longer than this is not right.
    pub slowest_charge: Duration,
    pub hold: Option<Hold>,
    /// What one port counts with as soon as something is in it.
    pub port_milliamps: u32,
    pub hub_milliamps_max: Option<u32>,
    pub station_milliamps_max: Option<u32>,
    pub order: Order,
    /// Between two ports that are switched on.
    pub stagger: Duration,
    /// How long a port stays on, or off, at least.
    pub dwell: Duration,
    /// Colder or hotter is not charged, degrees Celsius.
    pub coldest_celsius: i16,
    pub hottest_celsius: i16,
    /// Whether a fault takes the power away.
    pub stops: bool,
    pub shifts: Shifts,
}

impl Settings {
    /// The pace of a charge of which nothing is known, per percent.
    pub(super) fn pace(&self) -> Duration {
        self.full_charge / 100
    }
}
