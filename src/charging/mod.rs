//! Charging, as rules: which port has power, what a battery does, and when a camera is fit for a
//! shift.
//!
//! Pure: the shell tells what is in each bay ([`Look`]) and what time it is ([`Moment`]); out come
//! [`Decision`]s, one a bay. Nothing here knows how a port is switched or a battery is read.
//!
//! Invariants:
//! - **A budget is never passed** by ports that can be switched: what does not fit is off. Ports
//!   that cannot be switched always count in full; if they alone pass it, the report says so.
//! - **Reading footage keeps its power**: a port is never switched off for charging's sake while
//!   its camera has work. Only a camera that came when all power was in use by others that are
//!   read waits, dark, until one of them is done; and one in a port that cannot be switched takes
//!   the place of the one that came last.
//! - **No oscillation**: what was switched on stays on for the dwell, and what was switched off
//!   stays off for it. Only footage, a fault and a temperature end it early.
//! - **Nothing is pretended**: where a hub switches no single port, the decision is "on", and the
//!   words say that charging cannot be limited there. A percentage is one that a camera told.
//! - A fault stays until its camera is taken out.
//!
//! A port without power also ends the connection: what is in a dark bay cannot be asked, and a
//! camera put there is not noticed. So the shell looks at dark ports again and again (see
//! `daemon::charging`), and empty ports always have power.

mod bay;
mod curve;
mod order;
mod report;
mod settings;
mod shifts;
mod station;

pub use curve::Anomaly;
pub use report::{Fitness, Report, State};
pub use settings::{Hold, Order, Settings};
pub use shifts::{Shift, Shifts};
pub use station::Station;

use crate::types::{BayName, CameraId, HubPath};
use jiff::Timestamp;
use std::time::Duration;

/// When something is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The dock's clock: only shifts go by it.
    pub now: Timestamp,
    /// What has passed since the daemon started; never runs backwards. All waits go by it.
    pub elapsed: Duration,
}

/// What a camera said of its battery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// 0 to 100; none where it does not say.
    pub percent: Option<u8>,
    /// Degrees Celsius; none where it does not say.
    pub celsius: Option<i16>,
    /// When it was asked.
    pub at: Duration,
}

/// What is in a bay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seat {
    Empty,
    /// Something draws power and cannot be told yet.
    Unnamed,
    Camera {
        camera: CameraId,
        reading: Option<Reading>,
        /// Footage is read, cleared, or not all looked at yet.
        busy: bool,
    },
    /// Its port is off by a decision made here, and what was in it still is, as far as is known.
    Dark,
}

/// Whether a bay's port can be switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch {
    PerPort,
    /// Why not, in words.
    Cannot(String),
}

/// One bay at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub bay: BayName,
    /// Whose budget it draws on; none for what is no port.
    pub hub: Option<HubPath>,
    pub switch: Switch,
    pub seat: Seat,
}

/// What is to be done with a bay's port, and what to tell of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub bay: BayName,
    /// Whether its port is to have power.
    pub power: bool,
    /// Why it is off, for the log; none while it is on.
    pub off_because: Option<String>,
    pub report: Report,
}

#[cfg(test)]
mod tests;
