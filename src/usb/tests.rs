//! The watch on a simulated bus, and sysfs on a tree of files.

mod files;
mod watching;

use crate::types::{UsbClass, UsbDevice, UsbId, UsbInterface};

/// A PTP camera in a port.
pub fn camera(port: &str, serial: &str) -> UsbDevice {
    UsbDevice {
        port: port.parse().unwrap(),
        address: 9,
        id: UsbId { vendor: 0x46f4, product: 4 },
        release: 0x0100,
        class: UsbClass::new(0, 0, 0),
        interfaces: vec![UsbInterface {
            configuration: 1,
            number: 0,
            class: UsbClass::PTP,
            name: None,
        }],
        authorised: true,
        maker: Some("QEMU".into()),
        product: Some("Bodycam".into()),
        serial: Some(serial.into()),
    }
}
