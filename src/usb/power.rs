//! The switches of ports: the kernel's where it has one, else the hub's own.

use super::{Sysfs, hub::Hub};
use crate::{
    power::{Claim, Looks, PortLook},
    types::{HubPath, PortPath, UsbId},
};
use std::io;

/// Why a port was not switched.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    #[error("there is no port {0} here")]
    NoPort(PortPath),
    /// The rights of the kernel's files and of the hub's device node refuse.
    #[error("this user may not switch port {0}")]
    Forbidden(PortPath),
    #[error("the kernel does not switch port {port}")]
    Kernel {
        port: PortPath,
        #[source]
        source: io::Error,
    },
    #[error("the hub of port {port} does not switch it")]
    Hub {
        port: PortPath,
        #[source]
        source: rusb::Error,
    },
}

/// A hub at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubLook {
    pub id: Option<UsbId>,
    /// None where the hub could not be asked.
    pub claim: Option<Claim>,
    pub ports: Looks,
}

/// Switches of ports.
pub trait PortPower: Send + Sync {
    /// A look at a hub and all its ports; empty where there is no such hub.
    fn look(&self, hub: &HubPath) -> HubLook;

    /// Switches a port, and the same socket at the other speed with it.
    ///
    /// That it was asked for is no proof that it happened: look.
    ///
    /// # Errors
    /// [`PowerError`].
    fn switch(&self, port: &PortPath, on: bool) -> Result<(), PowerError>;

    /// The same socket at the other speed.
    fn twin(&self, port: &PortPath) -> Option<PortPath>;

    /// What the board calls itself.
    fn board(&self) -> Option<String>;
}

/// The machine's own hubs.
#[derive(Debug, Clone, Default)]
pub struct HubPower {
    sysfs: Sysfs,
}

impl HubPower {
    pub fn new(sysfs: Sysfs) -> Self {
        Self { sysfs }
    }

    /// The kernel's switch first: it then knows, and neither resumes the port nor complains.
    fn switch_one(&self, port: &PortPath, on: bool) -> Result<(), PowerError> {
        let denied = match self.sysfs.set_disabled(port, !on) {
            Ok(true) => return Ok(()),
            Ok(false) => false,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => true,
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => true,
            Err(source) => return Err(PowerError::Kernel { port: port.clone(), source }),
        };
        match Hub::open(&port.hub()).and_then(|hub| hub.switch(port.port(), on)) {
            Ok(()) => Ok(()),
            Err(rusb::Error::Access) => Err(PowerError::Forbidden(port.clone())),
            Err(_) if denied => Err(PowerError::Forbidden(port.clone())),
            Err(source) => Err(PowerError::Hub { port: port.clone(), source }),
        }
    }
}

impl PortPower for HubPower {
    fn look(&self, hub: &HubPath) -> HubLook {
        let opened = Hub::open(hub).ok();
        let ports = (1..=self.sysfs.port_count(hub)).filter_map(|number| {
            let port = hub.port(number)?;
            let status = opened.as_ref().and_then(|hub| hub.status(number).ok());
            let disabled = self.sysfs.is_disabled(&port);
            let look = PortLook {
                powered: status.map(|s| s.powered).or(disabled.map(|disabled| !disabled)),
                connected: status.map(|s| s.connected),
                device: self.sysfs.device(&port).is_ok(),
            };
            Some((port, look))
        });
        HubLook {
            id: self.sysfs.hub_id(hub),
            claim: opened.as_ref().and_then(|hub| hub.claim().ok()),
            ports: ports.collect(),
        }
    }

    fn switch(&self, port: &PortPath, on: bool) -> Result<(), PowerError> {
        if !self.sysfs.has_port(port) {
            return Err(PowerError::NoPort(port.clone()));
        }
        self.switch_one(port, on)?;
        match self.sysfs.twin(port) {
            Some(twin) => self.switch_one(&twin, on),
            None => Ok(()),
        }
    }

    fn twin(&self, port: &PortPath) -> Option<PortPath> {
        self.sysfs.twin(port)
    }

    fn board(&self) -> Option<String> {
        self.sysfs.board()
    }
}
