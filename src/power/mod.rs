//! Port power, as rules: what a trial of a switch proves, when a wedged camera's port is cycled,
//! and for how long the port of a refused device stays off.
//!
//! Times are what has passed since the daemon started; they never run backwards.
//!
//! Hubs do not always do what their descriptor says (USB 2.0 section 11.23.2.1, "logical power
//! switching mode"): some ignore the switch, some switch all ports with one, and some take away
//! the connection while the current goes on flowing. So a hub is believed only after a trial:
//! see [`judge`]. That the *current* stops cannot be seen from the bus at all; hubs known to keep
//! it are listed in [`keeps_current`].

mod isolation;
mod revival;

pub use isolation::Isolation;
pub use revival::{Next, Revival};

use crate::types::{HubPath, PortPath, UsbClass, UsbDevice, UsbId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a hub's descriptor says of its switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    PerPort,
    Ganged,
    /// It has no switches.
    Nothing,
}

/// What a hub's switches do, as seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switching {
    /// One port goes off and no other.
    PerPort,
    /// Other ports go off with it.
    Ganged,
    /// The connection ends, but this hub is known to keep the current on.
    ConnectionOnly,
    Nothing,
}

/// What the conclusion rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A device was in the port, and went or stayed.
    Device,
    /// The port was empty: only what the hub says of itself.
    StatusBits,
}

/// What a trial showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub switching: Switching,
    pub proof: Proof,
}

/// One port at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PortLook {
    /// The port's own word (PORT_POWER); none where the hub could not be asked.
    pub powered: Option<bool>,
    /// The port's own word (PORT_CONNECTION).
    pub connected: Option<bool>,
    /// The kernel knows a device there.
    pub device: bool,
}

/// All ports of a hub at one moment.
pub type Looks = BTreeMap<PortPath, PortLook>;

/// Concludes from a look before and a look after `tried` was switched off; none where nothing
/// can be concluded. `keeps_current` is what [`keeps_current`] says of the hub.
pub fn judge(
    tried: &PortPath,
    before: &Looks,
    off: &Looks,
    keeps_current: bool,
) -> Option<Finding> {
    let was = before.get(tried)?;
    let is = off.get(tried).copied().unwrap_or_default();
    let proof = if was.device { Proof::Device } else { Proof::StatusBits };
    let switching = if was.device && is.device || is.powered == Some(true) {
        Switching::Nothing
    } else if !was.device && (was.powered != Some(true) || is.powered != Some(false)) {
        return None;
    } else if before.iter().any(|(port, was)| port != tried && went(*was, off.get(port).copied())) {
        Switching::Ganged
    } else if keeps_current {
        Switching::ConnectionOnly
    } else {
        Switching::PerPort
    };
    Some(Finding { switching, proof })
}

/// Whether a port that nobody touched went off too.
fn went(was: PortLook, is: Option<PortLook>) -> bool {
    let is = is.unwrap_or_default();
    was.device && !is.device || was.powered == Some(true) && is.powered == Some(false)
}

/// Hubs on boards whose ports keep their current whatever is switched, one port at a time.
///
/// Source: README of uhubctl (github.com/mvp/uhubctl, 2985dfcf), sections on Raspberry Pi: the
/// ports of each of these boards hang on one switch.
pub fn keeps_current(board: Option<&str>, hub: &HubPath, id: Option<UsbId>) -> bool {
    let board = board.unwrap_or_default();
    let on_board = matches!(hub, HubPath::Root(_));
    if board.starts_with("Raspberry Pi 5") {
        return on_board;
    }
    let chip = |vendor, product| id == Some(UsbId { vendor, product });
    board.starts_with("Raspberry Pi 4") && (on_board || chip(0x2109, 0x3431))
        || board.starts_with("Raspberry Pi") && (chip(0x0424, 0x9514) || chip(0x0424, 0x2514))
}

/// Why a port must not be switched, in words; none if it may.
///
/// `beside` are the devices on the other ports of the hub that are in no bay. A switch that was
/// never tried might cut off more than its port: with a disk beside it, perhaps the dock's own,
/// it is not tried. A camera in another bay only loses time.
pub fn forbidden(
    known: Option<Switching>,
    claim: Option<Claim>,
    beside: &[&UsbDevice],
) -> Option<String> {
    match (known, claim) {
        (Some(Switching::PerPort | Switching::ConnectionOnly), _) => None,
        (Some(Switching::Ganged), _) => Some("the hub switches all its ports at once".into()),
        (Some(Switching::Nothing), _) => Some("the hub ignores its power switch".into()),
        (None, Some(Claim::Nothing)) => Some("the hub has no power switch".into()),
        (None, Some(Claim::Ganged)) => {
            Some("the hub says it switches all its ports at once".into())
        }
        (None, Some(Claim::PerPort) | None) => {
            let keep = beside.iter().find(|device| !device.is_hub() && needs_power(device));
            keep.map(|device| {
                format!("the hub's switch was never tried, and {} is beside it", device.words())
            })
        }
    }
}

fn needs_power(device: &UsbDevice) -> bool {
    let network = |class: UsbClass| matches!(class.class, 0x02 | 0x0a | 0xe0 | 0xff);
    device.interfaces.iter().any(|i| i.class.is_storage() || network(i.class))
}

#[cfg(test)]
mod tests;
