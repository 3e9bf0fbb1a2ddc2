//! What a USB device says of itself before anything on it is opened or read.

use super::PortPath;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Vendor and product number, `1d6b:0104`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UsbId {
    pub vendor: u16,
    pub product: u16,
}

/// Class, subclass and protocol, `06/01/01` (USB-IF defined class codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UsbClass {
    pub class: u8,
    pub subclass: u8,
    pub protocol: u8,
}

/// Text that is no USB number or class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsbTextError {
    #[error("{0:?} is no vendor and product number; one looks like 1d6b:0104")]
    Id(String),
    #[error("{0:?} is no class; one looks like 06/01/01")]
    Class(String),
}

impl UsbClass {
    pub const fn new(class: u8, subclass: u8, protocol: u8) -> Self {
        Self { class, subclass, protocol }
    }

    /// Still image capture device: PTP, and MTP too (USB still image class 1.0, section 3.3).
    pub const PTP: Self = Self::new(0x06, 0x01, 0x01);
    /// SCSI commands by bulk-only transport (mass storage class overview 1.4, sections 2 and 3).
    pub const BULK_STORAGE: Self = Self::new(0x08, 0x06, 0x50);
    /// SCSI commands by USB attached SCSI.
    pub const UAS: Self = Self::new(0x08, 0x06, 0x62);
    const HUB: u8 = 0x09;
    const VENDOR: u8 = 0xff;

    pub fn is_storage(self) -> bool {
        self == Self::BULK_STORAGE || self == Self::UAS
    }

    pub fn is_hub(self) -> bool {
        self.class == Self::HUB
    }

    /// The maker's own; the class says nothing of what it does.
    pub fn is_vendors(self) -> bool {
        self.class == Self::VENDOR
    }

    /// What people call it; for screens and the custody log.
    pub fn words(self) -> &'static str {
        match (self.class, self.subclass, self.protocol) {
            (0x01, _, _) => "an audio device",
            (0x02 | 0x0a, _, _) => "a modem or network adapter",
            (0x03, _, 0x01) => "a keyboard",
            (0x03, _, 0x02) => "a mouse",
            (0x03, _, _) => "an input device",
            (0x06, 0x01, 0x01) => "a camera (PTP/MTP)",
            (0x07, _, _) => "a printer",
            (0x08, 0x06, 0x50 | 0x62) => "mass storage",
            (0x08, _, _) => "an unusual storage device",
            (0x09, _, _) => "a hub",
            (0x0b, _, _) => "a smart card reader",
            (0x0e, _, _) => "a video device",
            (0xdc, _, _) => "a diagnostic device",
            (0xe0, _, _) => "a wireless controller or network adapter",
            (0xfe, 0x01, _) => "a firmware update port",
            (0xff, 0x42, 0x01) => "a debugging port (ADB)",
            (0xff, _, _) => "a device of its maker's own kind",
            _ => "a device of unknown kind",
        }
    }
}

/// One interface of a device, in one of its configurations and alternate settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsbInterface {
    pub configuration: u8,
    pub number: u8,
    pub class: UsbClass,
    /// The interface's string, where the kernel knows it (it does for the active setting).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A device as it stands in its port, from its descriptors alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsbDevice {
    pub port: PortPath,
    /// The number the kernel gave it on its bus, 1 to 127; a new one at every enumeration.
    pub address: u8,
    pub id: UsbId,
    /// The maker's own release number, binary coded decimal (bcdDevice).
    pub release: u16,
    /// The device's own class; 00/00/00 where the interfaces say it.
    pub class: UsbClass,
    /// All interfaces of all configurations and alternate settings: a device can change between
    /// them at any time.
    pub interfaces: Vec<UsbInterface>,
    /// False while the kernel is told to keep its drivers off.
    pub authorised: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}

impl UsbDevice {
    pub fn is_hub(&self) -> bool {
        self.class.is_hub() || self.interfaces.iter().any(|i| i.class.is_hub())
    }

    /// Whether this is the same device, freshly enumerated or not.
    pub fn is_same_device(&self, other: &Self) -> bool {
        (&self.port, self.id, self.release, &self.serial, self.class)
            == (&other.port, other.id, other.release, &other.serial, other.class)
    }

    /// For screens and the custody log: `Keychron K2 (3434:0220, serial 0042)`.
    pub fn words(&self) -> String {
        let name: Vec<&str> =
            [&self.maker, &self.product].into_iter().flatten().map(|s| &**s).collect();
        let name = if name.is_empty() { "unnamed device".to_owned() } else { name.join(" ") };
        match &self.serial {
            Some(serial) => format!("{name} ({}, serial {serial})", self.id),
            None => format!("{name} ({}, no serial)", self.id),
        }
    }
}

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.product)
    }
}

impl fmt::Display for UsbClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}/{:02x}/{:02x}", self.class, self.subclass, self.protocol)
    }
}

/// `digits` hexadecimal digits, no more and no less.
fn hex(text: &str, digits: usize) -> Option<u16> {
    let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u16::from_str_radix(text, 16).ok()).flatten()
}

impl FromStr for UsbId {
    type Err = UsbTextError;
    fn from_str(text: &str) -> Result<Self, UsbTextError> {
        text.split_once(':')
            .and_then(|(vendor, product)| {
                Some(Self { vendor: hex(vendor, 4)?, product: hex(product, 4)? })
            })
            .ok_or_else(|| UsbTextError::Id(text.chars().take(40).collect()))
    }
}

impl FromStr for UsbClass {
    type Err = UsbTextError;
    fn from_str(text: &str) -> Result<Self, UsbTextError> {
        let parts: Option<Vec<u8>> =
            text.split('/').map(|part| hex(part, 2).map(|byte| byte as u8)).collect();
        match parts.as_deref() {
            Some([class, subclass, protocol]) => Ok(Self::new(*class, *subclass, *protocol)),
            _ => Err(UsbTextError::Class(text.chars().take(40).collect())),
        }
    }
}

macro_rules! as_text {
    ($type:ident) => {
        impl TryFrom<String> for $type {
            type Error = UsbTextError;
            fn try_from(text: String) -> Result<Self, UsbTextError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}

as_text!(UsbId);
as_text!(UsbClass);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_classes_have_one_spelling_to_write_and_no_way_around_it() {
        assert_eq!("1D6B:0104".parse::<UsbId>().unwrap().to_string(), "1d6b:0104");
        assert_eq!("06/01/01".parse::<UsbClass>().unwrap(), UsbClass::PTP);
        for bad in ["1d6b", "1d6b:", "1d6b:104", "1d6b:01040", "+d6b:0104", "1d6b:0104:1", ""] {
            assert!(bad.parse::<UsbId>().is_err(), "{bad:?}");
        }
        for bad in ["06/01", "6/1/1", "06/01/01/01", "06-01-01", "0x/01/01", ""] {
            assert!(bad.parse::<UsbClass>().is_err(), "{bad:?}");
        }
    }
}
