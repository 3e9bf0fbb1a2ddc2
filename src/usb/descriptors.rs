//! Reading the descriptors of a device as the kernel keeps them (sysfs file `descriptors`).
//!
//! **Format**: the device descriptor (USB 2.0 section 9.6.1, 18 bytes), then each configuration
//! with all that belongs to it (9.6.3 and following). Every item begins with its length and its
//! kind; unknown kinds are stepped over. A device writes this itself: whatever does not fit ends
//! the reading, and what was read until then counts.

use crate::types::{UsbClass, UsbId, UsbInterface};

const DEVICE: u8 = 1;
const CONFIGURATION: u8 = 2;
const INTERFACE: u8 = 4;
const DEVICE_LEN: usize = 18;

/// The most interfaces looked at; a device with more is no camera, and is refused for the rest.
const INTERFACES_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptors {
    pub id: UsbId,
    pub release: u16,
    pub class: UsbClass,
    pub interfaces: Vec<UsbInterface>,
}

/// None if there is not even a device descriptor, or a configuration is cut off or malformed: a
/// device whose interfaces are not all known cannot be judged.
pub fn parse(bytes: &[u8]) -> Option<Descriptors> {
    let (device, mut rest) = bytes.split_at_checked(DEVICE_LEN)?;
    if usize::from(device[0]) != DEVICE_LEN || device[1] != DEVICE {
        return None;
    }
    let word = |at: usize| u16::from_le_bytes([device[at], device[at + 1]]);
    let mut found = Descriptors {
        id: UsbId { vendor: word(8), product: word(10) },
        release: word(12),
        class: UsbClass::new(device[4], device[5], device[6]),
        interfaces: Vec::new(),
    };
    let mut configuration = 0;
    while let [length, kind, ..] = *rest {
        let (item, after) = rest.split_at_checked(usize::from(length).max(2))?;
        match (kind, item) {
            (CONFIGURATION, [_, _, _, _, _, value, ..]) => configuration = *value,
            (INTERFACE, [_, _, number, _, _, class, subclass, protocol, ..]) => {
                if found.interfaces.len() == INTERFACES_MAX {
                    return None;
                }
                found.interfaces.push(UsbInterface {
                    configuration,
                    number: *number,
                    class: UsbClass::new(*class, *subclass, *protocol),
                    name: None,
                });
            }
            (CONFIGURATION | INTERFACE | DEVICE, _) => return None,
            _ => {}
        }
        rest = after;
    }
    rest.is_empty().then_some(found)
}

/// The bytes of a device, for simulated trees.
#[cfg(test)]
pub fn build(device: &crate::types::UsbDevice) -> Vec<u8> {
    let mut bytes = vec![DEVICE_LEN as u8, DEVICE, 0, 2];
    bytes.extend([device.class.class, device.class.subclass, device.class.protocol, 64]);
    for word in [device.id.vendor, device.id.product, device.release] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([1, 2, 3, 1]);
    let mut last = None;
    for interface in &device.interfaces {
        if last != Some(interface.configuration) {
            bytes.extend([9, CONFIGURATION, 0, 0, 1, interface.configuration, 0, 0x80, 50]);
            last = Some(interface.configuration);
        }
        let UsbClass { class, subclass, protocol } = interface.class;
        bytes.extend([9, INTERFACE, interface.number, 0, 1, class, subclass, protocol, 0]);
        bytes.extend([7, 5, 0x81, 2, 0, 2, 0]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// QEMU's usb-mtp: one interface, three end points.
    const MTP: &[u8] = &[
        18, 1, 0, 2, 0, 0, 0, 64, 0xf4, 0x46, 4, 0, 0, 0, 1, 2, 3, 1, // device
        9, 2, 39, 0, 1, 1, 2, 0xc0, 2, // configuration
        9, 4, 0, 0, 3, 6, 1, 1, 4, // interface
        7, 5, 0x81, 2, 0, 2, 0, 7, 5, 2, 2, 0, 2, 0, 7, 5, 0x83, 3, 64, 0, 10,
    ];

    #[test]
    fn a_camera_is_read() {
        let found = parse(MTP).unwrap();
        assert_eq!(found.id.to_string(), "46f4:0004");
        let [only] = &found.interfaces[..] else { panic!("{found:?}") };
        assert_eq!((only.configuration, only.class), (1, UsbClass::PTP));
    }

    #[test]
    fn what_is_cut_off_is_not_judged_by_its_beginning() {
        for length in 0..MTP.len() {
            let found = parse(&MTP[..length]);
            // At the end of an item nobody can see that something is missing but for what is there.
            let whole = [18, 27, 36, 43, 50];
            assert_eq!(found.is_some(), whole.contains(&length), "{length}");
        }
        let mut endless = MTP.to_vec();
        for _ in 0..300 {
            endless.extend([9, 4, 1, 0, 0, 3, 1, 1, 0]);
        }
        assert_eq!(parse(&endless), None);
        let mut zero = MTP.to_vec();
        zero[18] = 0;
        assert!(parse(&zero).is_none_or(|found| found.interfaces.len() < 100));
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
            let mut real = MTP.to_vec();
            real.extend(bytes);
            let _ = parse(&real);
        }
    }
}
