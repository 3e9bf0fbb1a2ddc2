//! The USB bus, through libusb.

mod pipes;

pub use pipes::{OpenError, RusbPipes};
