//! Requests of the hub class (USB 2.0 section 11.24.2; USB 3.2 section 10.16.2), over libusb.
//!
//! Their recipient is the hub or one of its ports, so nothing is claimed and the kernel's own hub
//! driver goes on undisturbed.

use crate::{power::Claim, types::HubPath};
use rusb::{Context, DeviceHandle, UsbContext as _};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(1);
/// Class request, to the host, recipient hub.
const FROM_HUB: u8 = 0xa0;
/// Class request, recipient port ("other").
const FROM_PORT: u8 = 0xa3;
const TO_PORT: u8 = 0x23;
const GET_STATUS: u8 = 0;
const CLEAR_FEATURE: u8 = 1;
const SET_FEATURE: u8 = 3;
const GET_DESCRIPTOR: u8 = 6;
const PORT_POWER: u16 = 8;

/// An opened hub.
pub struct Hub {
    handle: DeviceHandle<Context>,
    super_speed: bool,
}

/// What a port says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortStatus {
    pub powered: bool,
    pub connected: bool,
}

impl Hub {
    /// # Errors
    /// It is not there, or the rights of its device node refuse.
    pub fn open(path: &HubPath) -> rusb::Result<Self> {
        let context = Context::new()?;
        let fits = |device: &rusb::Device<Context>| match path {
            HubPath::Root(bus) => {
                device.bus_number() == *bus && device.port_numbers().is_ok_and(|p| p.is_empty())
            }
            HubPath::Port(port) => {
                device.bus_number() == port.bus()
                    && device.port_numbers().is_ok_and(|found| found == port.ports())
            }
        };
        let device = context.devices()?.iter().find(fits).ok_or(rusb::Error::NoDevice)?;
        let super_speed = device.device_descriptor()?.usb_version().major() >= 3;
        Ok(Self { handle: device.open()?, super_speed })
    }

    /// What the descriptor says of its switches: wHubCharacteristics, bits 1 and 0.
    ///
    /// # Errors
    /// The hub does not answer.
    pub fn claim(&self) -> rusb::Result<Claim> {
        // USB 2.0 table 11-13 has type 29h, USB 3.2 table 10-6 has 2Ah; both begin alike.
        let kind: u16 = if self.super_speed { 0x2a } else { 0x29 };
        let mut bytes = [0; 71];
        let n = self.handle.read_control(
            FROM_HUB,
            GET_DESCRIPTOR,
            kind << 8,
            0,
            &mut bytes,
            TIMEOUT,
        )?;
        if n < 5 {
            return Err(rusb::Error::BadDescriptor);
        }
        Ok(match bytes[3] & 0b11 {
            0b00 => Claim::Ganged,
            0b01 => Claim::PerPort,
            // Reserved; hubs of USB 1.0 without switches have it.
            _ => Claim::Nothing,
        })
    }

    /// # Errors
    /// The hub does not answer.
    pub fn status(&self, port: u8) -> rusb::Result<PortStatus> {
        let mut bytes = [0; 4];
        let index = port.into();
        let n = self.handle.read_control(FROM_PORT, GET_STATUS, 0, index, &mut bytes, TIMEOUT)?;
        if n < 4 {
            return Err(rusb::Error::Io);
        }
        let status = u16::from_le_bytes([bytes[0], bytes[1]]);
        // PORT_POWER is bit 8 (USB 2.0 table 11-21), for SuperSpeed bit 9 (USB 3.2 table 10-13).
        let power = if self.super_speed { 9 } else { 8 };
        Ok(PortStatus { powered: status >> power & 1 == 1, connected: status & 1 == 1 })
    }

    /// # Errors
    /// The hub does not answer, or refuses.
    pub fn switch(&self, port: u8, on: bool) -> rusb::Result<()> {
        let request = if on { SET_FEATURE } else { CLEAR_FEATURE };
        self.handle
            .write_control(TO_PORT, request, PORT_POWER, port.into(), &[], TIMEOUT)
            .map(|_| ())
    }
}
