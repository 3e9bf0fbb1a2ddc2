//! Why a device is refused, in words for the screen and the custody log.

use super::Kind;
use crate::types::{UsbClass, UsbId};
use std::fmt;

/// Why a device is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A hub in a bay would put unknown devices behind one port.
    Hub,
    /// It shows no interface at all.
    Silent,
    /// An interface that no camera, or not this named model, should have.
    Interface { class: UsbClass, named: bool },
    /// Only tolerated interfaces and none to read from.
    NoCamera,
    /// It looks like a camera, but nobody named its model.
    UnknownModel { id: UsbId, kind: Kind },
    /// The bay is for other models.
    OtherBay { id: UsbId },
    /// Its serial is not among those this dock takes.
    NotEnrolled { serial: Option<String> },
}

impl Refusal {
    /// What a person at the dock is to do.
    pub fn next_step(&self) -> String {
        match self {
            Self::Hub => "take it out; a bay takes one camera and no hub".into(),
            Self::Silent => {
                "take it out; if it is a camera, try it again and have it checked".into()
            }
            Self::Interface { named: false, .. } | Self::NoCamera => {
                "take it out and report it".into()
            }
            Self::Interface { class, named: true } => format!(
                "take it out and report it; if this model is meant to have that interface, add \
                 \"{class}\" to `tolerated_interfaces` under [usb]"
            ),
            Self::UnknownModel { id, .. } => format!(
                "take it out, its footage stays on it; to let this model in add \"{id}\" to \
                 `models` under [usb]"
            ),
            Self::OtherBay { .. } => "put it into a bay for its model".into(),
            Self::NotEnrolled { .. } => {
                "take it out, its footage stays on it; enrol it first (`serials` under [usb], or \
                 its public key in `keys_dir`)"
                    .into()
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub => f.write_str("it is a hub"),
            Self::Silent => f.write_str("it shows no interface, so nobody can say what it is"),
            Self::Interface { class, named: true } => {
                write!(f, "its model is known, but it is {} ({class}) too", class.words())
            }
            Self::Interface { class, named: false } => {
                write!(f, "it is {} ({class}), which is no camera", class.words())
            }
            Self::NoCamera => f.write_str("it has no interface a camera is read by"),
            Self::UnknownModel { kind: Kind::Storage, id } => {
                write!(f, "it is mass storage of a model ({id}) that nobody named as a camera")
            }
            Self::UnknownModel { id, .. } => {
                write!(f, "it is a camera of a model ({id}) that nobody named")
            }
            Self::OtherBay { id } => write!(f, "this bay is not for cameras of model {id}"),
            Self::NotEnrolled { serial: Some(serial) } => {
                write!(f, "its serial {serial} is not enrolled at this dock")
            }
            Self::NotEnrolled { serial: None } => {
                f.write_str("it has no serial, and only enrolled serials are let in")
            }
        }
    }
}
