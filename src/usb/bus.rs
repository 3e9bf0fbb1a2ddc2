//! What a bus can tell, and the real one.

use super::Sysfs;
use crate::types::{PortPath, UsbDevice};
use rusb::{Context, Device, Hotplug, HotplugBuilder, Registration, UsbContext as _};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How libusb hears of devices. Pinned in `.cargo/config.toml`; a build with the other backend is
/// found out by [`RusbBus::has_udev_backend`].
pub const BACKEND: &str = "netlink";

/// How often a bus without events is looked at.
const BLIND_EVERY: Duration = Duration::from_millis(500);
/// How long libusb may wait at a time, so that stopping is noticed.
const SLICE: Duration = Duration::from_millis(250);
/// How often libusb is tried again where it would not start.
const START_EVERY: Duration = Duration::from_secs(10);

/// Why the bus cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The kernel of this machine has no USB.
    #[error("this machine has no USB")]
    NoUsb(#[source] io::Error),
    #[error("the kernel's picture of the USB bus cannot be read")]
    Read(#[source] io::Error),
}

/// Why [`Bus::wait`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Something may have changed.
    Event,
    /// Nothing was heard.
    Quiet,
}

/// A USB bus.
pub trait Bus: Send {
    /// Waits until something may have changed, at most `limit`.
    fn wait(&mut self, limit: Duration) -> Trigger;

    /// Everything that is plugged in now, in the order of ports.
    ///
    /// # Errors
    /// [`BusError`]; the picture is whole or it is an error.
    fn devices(&mut self) -> Result<Vec<UsbDevice>, BusError>;
}

/// The machine's own bus: libusb for events, sysfs for the picture.
pub struct RusbBus {
    sysfs: Sysfs,
    listening: Result<Listening, String>,
    tried: Instant,
}

struct Listening {
    context: Context,
    heard: Arc<AtomicBool>,
    // Dropping it ends the listening.
    _registration: Registration<Context>,
}

struct Ear(Arc<AtomicBool>);

impl Hotplug<Context> for Ear {
    fn device_arrived(&mut self, _: Device<Context>) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn device_left(&mut self, _: Device<Context>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl RusbBus {
    /// Never fails: a machine without USB has a bus on which nothing ever happens.
    pub fn open(sysfs: Sysfs) -> Self {
        Self { sysfs, listening: listen(), tried: Instant::now() }
    }

    /// Why no events are heard, in words; changes are still found, by looking again and again.
    pub fn deafness(&self) -> Option<&str> {
        self.listening.as_ref().err().map(String::as_str)
    }

    /// Whether this process carries libudev, which only the other backend of libusb brings in.
    pub fn has_udev_backend() -> bool {
        // Where /proc is not there nothing can be said against it.
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        maps.contains("libudev.so")
    }
}

/// Own context only: the crate's global one panics where libusb cannot start.
fn listen() -> Result<Listening, String> {
    let words = |error: rusb::Error| format!("libusb ({BACKEND}) does not start: {error}");
    let context = Context::new().map_err(words)?;
    let heard = Arc::new(AtomicBool::new(false));
    let registration = HotplugBuilder::new()
        .register(context.clone(), Box::new(Ear(heard.clone())))
        .map_err(words)?;
    Ok(Listening { context, heard, _registration: registration })
}

impl Bus for RusbBus {
    fn wait(&mut self, limit: Duration) -> Trigger {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match &self.listening {
                Ok(listening) => {
                    let slept = listening.context.handle_events(Some(left.min(SLICE)));
                    if listening.heard.swap(false, Ordering::Relaxed) {
                        return Trigger::Event;
                    }
                    if let Err(error) = slept {
                        // Interrupted is no news; anything else would spin.
                        if error != rusb::Error::Interrupted {
                            self.listening = Err(format!("libusb stopped: {error}"));
                            self.tried = Instant::now();
                        }
                    }
                }
                Err(_) => {
                    std::thread::sleep(left.min(BLIND_EVERY));
                    if self.tried.elapsed() >= START_EVERY {
                        self.listening = listen();
                        self.tried = Instant::now();
                    }
                    return Trigger::Event;
                }
            }
            if left.is_zero() {
                return Trigger::Quiet;
            }
        }
    }

    fn devices(&mut self) -> Result<Vec<UsbDevice>, BusError> {
        self.sysfs.devices().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => BusError::NoUsb(error),
            _ => BusError::Read(error),
        })
    }
}

/// The device in a port, to be opened, if it is still the one that was enumerated as `address`.
///
/// # Errors
/// [`rusb::Error::NoDevice`] if it is not; others if libusb cannot start.
pub fn find(port: &PortPath, address: u8) -> rusb::Result<Device<Context>> {
    let fits = |device: &Device<Context>| {
        device.bus_number() == port.bus()
            && device.address() == address
            && device.port_numbers().is_ok_and(|found| found == port.ports())
    };
    Context::new()?.devices()?.iter().find(fits).ok_or(rusb::Error::NoDevice)
}
