//! Where something is plugged in: a bus and the way through its hubs.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A physical USB port as the kernel names it: `1-1.3` is port 3 of the hub in port 1 of bus 1.
///
/// Stable as long as nobody moves a cable: the same socket has the same path after a restart, for
/// any device. Bus 1 to 255; 1 to 6 ports of 1 to 255 (a root hub and five hubs below it; USB 2.0
/// section 4.1.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortPath {
    bus: u8,
    ports: Vec<u8>,
}

/// Text that names no port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no USB port; one looks like 1-1.3")]
pub struct PortError(String);

/// A USB hub: the root hub of a bus, or what is plugged into a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubPath {
    Root(u8),
    Port(PortPath),
}

impl PortPath {
    /// The most hubs, and so ports, one behind the other.
    pub const DEPTH_MAX: usize = 6;

    /// # Errors
    /// [`PortError`]: no bus, no port, or too many.
    pub fn new(bus: u8, ports: &[u8]) -> Result<Self, PortError> {
        let path = Self { bus, ports: ports.to_vec() };
        let whole = bus > 0
            && !ports.is_empty()
            && ports.len() <= Self::DEPTH_MAX
            && ports.iter().all(|port| *port > 0);
        if whole { Ok(path) } else { Err(PortError(path.to_string())) }
    }

    /// The kernel's number of the bus.
    pub fn bus(&self) -> u8 {
        self.bus
    }

    /// The ports from the root hub on.
    pub fn ports(&self) -> &[u8] {
        &self.ports
    }

    /// The number of the port on its hub, from 1.
    pub fn port(&self) -> u8 {
        self.ports.last().copied().unwrap_or_default()
    }

    /// The hub this is a port of.
    pub fn hub(&self) -> HubPath {
        match self.ports.split_last() {
            Some((_, above)) if !above.is_empty() => {
                HubPath::Port(Self { bus: self.bus, ports: above.to_vec() })
            }
            _ => HubPath::Root(self.bus),
        }
    }

    /// Whether `other` is plugged into a hub in this port, however far below.
    pub fn is_above(&self, other: &Self) -> bool {
        self.bus == other.bus
            && self.ports.len() < other.ports.len()
            && other.ports.starts_with(&self.ports)
    }
}

impl HubPath {
    /// Port `number` (from 1) of this hub; none where the way would be too long.
    pub fn port(&self, number: u8) -> Option<PortPath> {
        let (bus, mut ports) = match self {
            Self::Root(bus) => (*bus, Vec::new()),
            Self::Port(path) => (path.bus, path.ports.clone()),
        };
        ports.push(number);
        PortPath::new(bus, &ports).ok()
    }

    /// The kernel's name of the hub as a device: `usb1`, or the path of its port.
    pub fn device_name(&self) -> String {
        match self {
            Self::Root(bus) => format!("usb{bus}"),
            Self::Port(path) => path.to_string(),
        }
    }
}

impl fmt::Display for HubPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.device_name())
    }
}

impl fmt::Display for PortPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports: Vec<String> = self.ports.iter().map(u8::to_string).collect();
        f.pad(&format!("{}-{}", self.bus, ports.join(".")))
    }
}

impl FromStr for PortPath {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        let refuse = || PortError(text.chars().take(40).collect());
        // The kernel writes no leading zero or sign; two spellings would be two ports.
        let number = |digits: &str| match digits.as_bytes() {
            [b'1'..=b'9', ..] if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
            _ => None,
        };
        let (bus, ports) = text.split_once('-').ok_or_else(refuse)?;
        let bus = number(bus).ok_or_else(refuse)?;
        let ports: Vec<u8> =
            ports.split('.').map(number).collect::<Option<_>>().ok_or_else(refuse)?;
        Self::new(bus, &ports).map_err(|_| refuse())
    }
}

impl TryFrom<String> for PortPath {
    type Error = PortError;
    fn try_from(text: String) -> Result<Self, PortError> {
        text.parse()
    }
}

impl From<PortPath> for String {
    fn from(path: PortPath) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_and_written_as_the_kernel_does() {
        for text in ["1-1", "1-1.3", "12-255.4.1.1.2.3"] {
            assert_eq!(text.parse::<PortPath>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "1",
            "usb1",
            "1-",
            "-1",
            "1-0",
            "0-1",
            "1-1.",
            "1-01",
            "1-+1",
            "256-1",
            "1-256",
            "1-1.1.1.1.1.1.1",
            "1-1:1.0",
            " 1-1",
            "1-1/..",
            "1-1.\u{0663}",
        ] {
            assert!(bad.parse::<PortPath>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_port_knows_its_hub_and_what_is_below() {
        let port = |text: &str| text.parse::<PortPath>().unwrap();
        assert_eq!(port("1-1.3").hub(), HubPath::Port(port("1-1")));
        assert_eq!(port("2-4").hub(), HubPath::Root(2));
        assert_eq!((port("2-4").hub().device_name(), port("2-4").port()), ("usb2".into(), 4));
        assert_eq!(HubPath::Root(2).port(4), Some(port("2-4")));
        assert_eq!(HubPath::Port(port("1-1.1.1.1.1.1")).port(1), None);
        assert!(port("1-1").is_above(&port("1-1.3.2")));
        assert!(!port("1-1").is_above(&port("1-1")) && !port("1-1").is_above(&port("1-12.3")));
        assert!(!port("1-1").is_above(&port("2-1.3")));
    }
}
