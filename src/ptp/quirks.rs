//! What particular models need, as data.
//!
//! Most oddities need no entry, because the ordinary way of asking avoids them or copes:
//!
//! | Oddity | What is done with every camera |
//! |---|---|
//! | "No session" (2003) to GetDeviceInfo before a session (umtp-responder) | asked again inside one |
//! | hangs when all storages are listed at once, 0xFFFFFFFF (umtp-responder 1.3.10: it returns with its lock held) | one storage at a time |
//! | parent 0 lists the root only, or everything | folder by folder, root as 0xFFFFFFFF; a refusal falls back to 0, and then only what says that it lies in the root is taken for it |
//! | a session left open (201E) | closed and opened anew, or gone on with |
//! | videos listed with 0 bytes | ObjectSize is asked; else they are read until the camera says that there is no more |
//! | 0xFFFFFFFF as a size | ObjectSize is asked; else it is said in words |
//! | asking beyond the end is refused | asked again to the byte |
//!
//! An entry here is for what cannot be found out harmlessly.

use super::DeviceInfo;

/// One deviation from the ordinary way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The root is 0; 0xFFFFFFFF is not understood, or not harmless.
    RootIsZero,
    /// Never ask for more bytes than the object has left.
    ExactReads,
    /// Partial reads give wrong bytes: only whole objects.
    WholeReads,
    /// Never cancel a transfer: it hangs afterwards. It is read to its end, or reset.
    NoCancel,
    /// The serial number in DeviceInfo is the same for all of them; USB has the real one.
    UsbSerial,
}

/// By what a model is recognised; everything that is given must agree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Model {
    pub vendor_id: Option<u16>,
    pub product_id: Option<u16>,
    /// In DeviceInfo; whole texts, but for case.
    pub manufacturer: Option<&'static str>,
    pub model: Option<&'static str>,
    /// What the version begins with.
    pub version: Option<&'static str>,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub model: Model,
    pub needs: &'static [Need],
    /// Where it was seen, and how to find out whether it is still so.
    pub because: &'static str,
}

const ANY: Model =
    Model { vendor_id: None, product_id: None, manufacturer: None, model: None, version: None };

/// The table. All rows that fit apply.
pub const TABLE: &[Entry] = &[
    Entry {
        model: Model { vendor_id: Some(0x46F4), product_id: Some(0x0004), ..ANY },
        needs: &[Need::UsbSerial],
        because: "QEMU usb-mtp (10.0): DeviceInfo always says 0123456789abcdef0123456789abcdef; \
                  compare with `lsusb -v` of two of them",
    },
    Entry {
        model: Model { vendor_id: Some(0x04E8), ..ANY },
        needs: &[Need::NoCancel],
        because: "Samsung telephones stop answering after a cancelled GetObject until they are \
                  plugged in again; cancel one in the middle of a large video to see",
    },
];

/// What one camera needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quirks(Vec<Need>);

impl Quirks {
    /// From what USB says, before anything was asked.
    pub fn by_usb(vendor_id: u16, product_id: u16) -> Self {
        Self::matching(TABLE, Some((vendor_id, product_id)), None)
    }

    /// From all that is known.
    pub fn by_all(usb: Option<(u16, u16)>, info: &DeviceInfo) -> Self {
        Self::matching(TABLE, usb, Some(info))
    }

    /// From a table of one's own.
    pub fn matching(table: &[Entry], usb: Option<(u16, u16)>, info: Option<&DeviceInfo>) -> Self {
        let fitting = table.iter().filter(|entry| entry.model.fits(usb, info));
        let mut needs: Vec<Need> = fitting.flat_map(|entry| entry.needs).copied().collect();
        needs.dedup();
        Self(needs)
    }

    pub fn need(&self, need: Need) -> bool {
        self.0.contains(&need)
    }
}

impl Model {
    fn fits(&self, usb: Option<(u16, u16)>, info: Option<&DeviceInfo>) -> bool {
        let (vendor, product) = usb.unzip();
        let same = |wanted: Option<u16>, is: Option<u16>| wanted.is_none() || wanted == is;
        let text = |wanted: Option<&str>, is: fn(&DeviceInfo) -> String, whole: bool| {
            let Some(wanted) = wanted else { return true };
            info.is_some_and(|info| {
                let is = is(info);
                if whole { is.eq_ignore_ascii_case(wanted) } else { is.starts_with(wanted) }
            })
        };
        *self != ANY
            && same(self.vendor_id, vendor)
            && same(self.product_id, product)
            && text(self.manufacturer, |info| info.manufacturer.to_string(), true)
            && text(self.model, |info| info.model.to_string(), true)
            && text(self.version, |info| info.version.to_string(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ptp::SimResponder;

    fn info(manufacturer: &str, model: &str, version: &str) -> DeviceInfo {
        let mut camera = SimResponder::new();
        camera.manufacturer = manufacturer.into();
        camera.model = model.into();
        camera.version = version.into();
        DeviceInfo::decode(&camera.encode_device_info()).unwrap()
    }

    #[test]
    fn a_row_fits_what_it_names_and_nothing_else() {
        let nobody = info("X", "Y", "1");
        assert!(Quirks::by_usb(0x46F4, 0x0004).need(Need::UsbSerial));
        assert!(!Quirks::by_usb(0x46F4, 0x0005).need(Need::UsbSerial));
        assert!(Quirks::by_all(Some((0x04E8, 0x6860)), &nobody).need(Need::NoCancel));
        assert_eq!(Quirks::by_all(Some((0x1234, 0x5678)), &nobody), Quirks::default());
        assert_eq!(Quirks::by_all(None, &nobody), Quirks::default());
    }

    #[test]
    fn model_and_version_narrow_a_row() {
        const TABLE: &[Entry] = &[Entry {
            model: Model { model: Some("BWC-1"), version: Some("2."), ..ANY },
            needs: &[Need::ExactReads],
            because: "a test",
        }];
        let need = |model, version| {
            Quirks::matching(TABLE, None, Some(&info("M", model, version))).need(Need::ExactReads)
        };
        assert!(need("BWC-1", "2.7"));
        assert!(need("bwc-1", "2.7"));
        // Before DeviceInfo is known a row that asks for it cannot fit.
        assert!(!Quirks::matching(TABLE, Some((1, 2)), None).need(Need::ExactReads));
        assert!(!need("BWC-1", "3.0"));
        assert!(!need("BWC-10", "2.7"));
    }

    #[test]
    fn every_row_names_a_model_a_need_and_a_reason() {
        for entry in TABLE {
            assert!(entry.model != ANY && !entry.needs.is_empty(), "{}", entry.because);
            assert!(entry.because.len() > 40);
        }
    }
}
