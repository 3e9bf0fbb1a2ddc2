//! Which USB devices are let into a bay: decided from descriptors alone, before anything is read.
//!
//! **What is trusted.** USB numbers, strings and serials are whatever the device says; a hostile
//! one says what it likes. They decide which *program* may speak to a device, not whether its
//! footage is true: that is for digests and signatures. The fence that holds against a hostile
//! device is the kind of its interfaces, all of them, in every configuration: nothing that types,
//! routes or stores beside what a camera needs is ever let in, and kernel drivers are kept off the
//! rest.
//!
//! **Default.** A model that nobody named is refused, and its footage stays on it.

mod refusal;

pub use refusal::Refusal;

use crate::types::{UsbClass, UsbDevice, UsbId, UsbInterface};

/// A model somebody named: by a camera profile, or in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    pub how: ModelMark,
    /// Who named it; for people.
    pub named_by: String,
}

/// By what a model is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelMark {
    Id(UsbId),
    /// The whole product string.
    Product(String),
}

impl Model {
    fn fits(&self, device: &UsbDevice) -> bool {
        match &self.how {
            ModelMark::Id(id) => *id == device.id,
            ModelMark::Product(name) => device.product.as_ref() == Some(name),
        }
    }
}

/// What the whole dock lets in.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub models: Vec<Model>,
    /// Let in what nobody named if it is a PTP camera and nothing else.
    pub unknown_ptp: bool,
    /// Let in a named model whose interface is of the maker's own class and called MTP.
    pub vendor_mtp: bool,
    /// Interfaces a named model may have besides its camera interface; they are left alone.
    pub tolerated: Vec<UsbClass>,
    /// If there, only these serials.
    pub serials: Option<Vec<String>>,
}

/// How a device that was let in is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PTP, or MTP with the class of PTP.
    Ptp,
    /// MTP with an interface of the maker's own class.
    VendorMtp,
    /// Mass storage: through its block device.
    Storage,
}

/// The answer for one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Camera(Kind),
    Refused(Refusal),
}

impl Policy {
    /// Decides about `device` in a bay that takes only `bay_models` (any if that is empty).
    pub fn judge(&self, device: &UsbDevice, bay_models: &[UsbId]) -> Decision {
        match self.admit(device, bay_models) {
            Ok(kind) => Decision::Camera(kind),
            Err(refusal) => Decision::Refused(refusal),
        }
    }

    fn admit(&self, device: &UsbDevice, bay_models: &[UsbId]) -> Result<Kind, Refusal> {
        if device.is_hub() {
            return Err(Refusal::Hub);
        }
        if device.interfaces.is_empty() {
            return Err(Refusal::Silent);
        }
        let named = self.models.iter().any(|model| model.fits(device));
        // The worst interface first: it tells people most about what was plugged in.
        let stranger = device.interfaces.iter().find(|i| !self.is_expected(i, named));
        if let Some(interface) = stranger {
            return Err(Refusal::Interface { class: interface.class, named });
        }
        let kind = self.kind(&device.interfaces).ok_or(Refusal::NoCamera)?;
        let let_in = named || self.unknown_ptp && kind == Kind::Ptp;
        if !let_in {
            return Err(Refusal::UnknownModel { id: device.id, kind });
        }
        if !bay_models.is_empty() && !bay_models.contains(&device.id) {
            return Err(Refusal::OtherBay { id: device.id });
        }
        if let Some(serials) = &self.serials {
            let known = |serial: &String| serials.contains(serial);
            if !device.serial.as_ref().is_some_and(known) {
                return Err(Refusal::NotEnrolled { serial: device.serial.clone() });
            }
        }
        Ok(kind)
    }

    fn is_expected(&self, interface: &UsbInterface, named: bool) -> bool {
        let class = interface.class;
        class == UsbClass::PTP
            || class.is_storage()
            || named && (self.is_vendor_mtp(interface) || self.tolerated.contains(&class))
    }

    /// PTP before storage: it needs no kernel driver.
    fn kind(&self, interfaces: &[UsbInterface]) -> Option<Kind> {
        let any = |fits: &dyn Fn(&UsbInterface) -> bool| interfaces.iter().any(fits);
        if any(&|i| i.class == UsbClass::PTP) {
            Some(Kind::Ptp)
        } else if any(&|i| self.is_vendor_mtp(i)) {
            Some(Kind::VendorMtp)
        } else if any(&|i| i.class.is_storage()) {
            Some(Kind::Storage)
        } else {
            None
        }
    }

    /// Microsoft's MTP devices name their interface; libmtp recognises them by the same word.
    fn is_vendor_mtp(&self, interface: &UsbInterface) -> bool {
        let named = interface.name.as_ref().is_some_and(|name| name.contains("MTP"));
        self.vendor_mtp && interface.class.is_vendors() && named
    }
}

#[cfg(test)]
mod tests;
