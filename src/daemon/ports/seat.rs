//! One bay's seat: what is in it, and what became of it.

use super::{Admitted, Revival};
use crate::{
    power::Isolation,
    types::{PortPath, UsbDevice, UsbId},
    usb::PortPower,
};
use std::{collections::BTreeMap, time::Duration};

/// A device that was kept out.
#[derive(Debug, Clone)]
pub struct Refused {
    pub device: UsbDevice,
    /// Its port is off, or was just switched on to see whether it is still there.
    pub isolation: Option<Isolation>,
    /// Since when the port is on again, waiting for the device to show itself.
    pub shown_since: Option<Duration>,
}

/// A camera whose port was switched off to charge it later, or no more.
#[derive(Debug, Clone)]
pub struct Resting {
    pub device: UsbDevice,
    /// When the port was last looked at.
    pub looked: Duration,
    /// The same device was seen there in this look.
    pub seen: bool,
}

pub struct Seat {
    pub port: PortPath,
    pub models: Vec<UsbId>,
    admitted: BTreeMap<PortPath, Admitted>,
    pub refused: BTreeMap<PortPath, Refused>,
    pub revival: Revival,
    /// Its port is switched off and on by the dock itself.
    pub cycling: bool,
    /// Its camera said it is gone: not spoken to until the bus has told what is true.
    pub doubted_until: Option<Duration>,
    /// Its port is off, and its camera is still there as far as is known.
    pub resting: Option<Resting>,
}

impl Seat {
    pub fn new(port: PortPath, models: Vec<UsbId>) -> Self {
        Self {
            port,
            models,
            admitted: BTreeMap::new(),
            refused: BTreeMap::new(),
            revival: Revival::default(),
            cycling: false,
            doubted_until: None,
            resting: None,
        }
    }

    /// Whether a port is this very socket, at either speed.
    pub fn is_own(&self, port: &PortPath, power: &dyn PortPower) -> bool {
        *port == self.port || power.twin(&self.port).as_ref() == Some(port)
    }

    /// Whether a port is this socket, or behind it.
    pub fn holds(&self, port: &PortPath, power: &dyn PortPower) -> bool {
        self.is_own(port, power)
            || self.port.is_above(port)
            || power.twin(&self.port).is_some_and(|twin| twin.is_above(port))
    }

    /// The camera, if it is alone.
    pub fn camera(&self) -> Option<Admitted> {
        match (self.admitted.len(), self.refused.is_empty()) {
            (1, true) => self.admitted.values().next().cloned(),
            _ => None,
        }
    }

    pub fn is_doubted(&self, now: Duration) -> bool {
        self.doubted_until.is_some_and(|until| now < until)
    }

    pub fn admit(&mut self, admitted: Admitted, again: bool) {
        // Another camera, or the same put in again by a person: it starts with a clean sheet.
        if !again && !self.cycling {
            self.revival = Revival::default();
        }
        // A port that shows a camera is no longer off because of a stranger.
        self.refused.remove(&admitted.device.port);
        self.doubted_until = None;
        self.admitted.insert(admitted.device.port.clone(), admitted);
    }

    /// Takes note of a stranger; true if it is the one that was refused there before.
    pub fn refuse(&mut self, device: UsbDevice) -> bool {
        self.admitted.remove(&device.port);
        let known = self.refused.get_mut(&device.port);
        if let Some(refused) = known.filter(|refused| refused.device.is_same_device(&device)) {
            refused.device = device;
            refused.shown_since = None;
            return true;
        }
        let refused = Refused { device: device.clone(), isolation: None, shown_since: None };
        self.refused.insert(device.port, refused);
        false
    }

    /// The measures against the strangers in this seat were taken; `off` if the port went off.
    pub fn isolate(&mut self, off: bool, now: Duration) {
        for refused in self.refused.values_mut() {
            match (&mut refused.isolation, off) {
                (Some(isolation), true) => isolation.again(now),
                (isolation @ None, true) => *isolation = Some(Isolation::begin(now)),
                (isolation, false) => *isolation = None,
            }
        }
    }

    /// A device went; true if it was the last stranger, and it went by itself.
    pub fn leave(&mut self, port: &PortPath) -> bool {
        self.admitted.remove(port);
        let by_itself = self.refused.get(port).is_some_and(|refused| refused.isolation.is_none());
        if by_itself {
            self.refused.remove(port);
        }
        by_itself && self.refused.is_empty()
    }
}
