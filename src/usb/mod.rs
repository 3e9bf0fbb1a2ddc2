//! The USB door: what is plugged in where, and the power of its ports.
//!
//! **The bus is watched, not believed.** A hotplug event only says that something may have
//! changed; then everything is enumerated afresh and compared with what was there ([`Watch`]).
//! So lost, doubled and reordered events cost nothing, devices present at start are arrivals like
//! any other, and a bus that cannot be read just now keeps its last picture.
//!
//! **Nothing is opened to be recognised.** Descriptors, strings and places come from sysfs, where
//! the kernel keeps what it read at enumeration: a device is judged before anybody speaks to it.
//!
//! Real side: [`RusbBus`] (libusb with its netlink backend for events, [`Sysfs`] for the picture)
//! and [`HubPower`]; [`RusbPipes`] are how a PTP camera is spoken to once it was let in. Simulated side: [`SimUsb`].

mod bus;
mod descriptors;
mod findings;
mod hub;
mod pipes;
mod power;
mod sim;
mod sysfs;
mod watch;

pub use bus::{BACKEND, Bus, BusError, RusbBus, Trigger, find};
pub use findings::Findings;
pub use pipes::{OpenError, RusbPipes};
pub use power::{HubLook, HubPower, PortPower, PowerError};
pub use sim::{SimSwitch, SimUsb};
pub use sysfs::{BlockNode, Sysfs};
pub use watch::{Change, Counts, Watch};

#[cfg(test)]
mod tests;
