//! The three pipes of a camera's PTP interface, over libusb.
//!
//! Blocking, one transfer at a time. What libusb calls "no device", and every failure after which
//! the device does not answer for itself any more, is [`PipeError::Gone`], and stays it.

use crate::ptp::{ClassRequest, Moved, Pipe, PipeError, Pipes, TRANSFER_BYTES};
use rusb::{Device, DeviceHandle, Direction, Error, TransferType, UsbContext};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Class, subclass and protocol of PTP (USB still image class 1.0, section 4.2).
const STILL_IMAGE: (u8, u8, u8) = (0x06, 0x01, 0x01);
/// Vendor-specific, under which many cameras and telephones offer MTP.
const VENDOR: u8 = 0xFF;
/// To an interface, class-specific: to the device, and from it (USB 2.0 section 9.3).
const TO_INTERFACE: u8 = 0x21;
const FROM_INTERFACE: u8 = 0xA1;
/// GET_STATUS of the device (USB 2.0 section 9.4.5).
const FROM_DEVICE: u8 = 0x80;
const GET_STATUS: u8 = 0;

/// Why no pipes could be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the device has no interface that speaks PTP or MTP")]
    NotACamera,
    #[error("the device is gone")]
    Gone,
    /// Permissions, or another program holds it.
    #[error("cannot {doing} the camera's USB interface")]
    Refused {
        doing: &'static str,
        #[source]
        source: Error,
    },
}

/// Where the interface and its endpoints are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    configuration: u8,
    interface: u8,
    setting: u8,
    bulk_in: u8,
    bulk_out: u8,
    interrupt_in: u8,
    packet_bytes: u16,
}

/// A claimed interface; released when it is dropped.
#[derive(Debug)]
pub struct RusbPipes<C: UsbContext> {
    handle: DeviceHandle<C>,
    place: Place,
    opened: Instant,
    gone: bool,
}

impl<C: UsbContext> RusbPipes<C> {
    /// Finds the interface, takes it from the kernel where a driver has it, and claims it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(device: &Device<C>) -> Result<Self, OpenError> {
        let place = find(device)?.ok_or(OpenError::NotACamera)?;
        let refused = |doing| {
            move |source| match source {
                Error::NoDevice | Error::NotFound => OpenError::Gone,
                source => OpenError::Refused { doing, source },
            }
        };
        let handle = device.open().map_err(refused("open"))?;
        // Setting it again would reset the device; most have one only.
        if handle.active_configuration().map_err(refused("look at"))? != place.configuration {
            handle.set_active_configuration(place.configuration).map_err(refused("configure"))?;
        }
        // A system that cannot tell is one that has no driver on it; claiming will show.
        if handle.kernel_driver_active(place.interface).unwrap_or(false) {
            let detached = handle.detach_kernel_driver(place.interface);
            detached.map_err(refused("take the kernel's driver off"))?;
        }
        handle.claim_interface(place.interface).map_err(refused("claim"))?;
        if place.setting != 0 {
            handle
                .set_alternate_setting(place.interface, place.setting)
                .map_err(refused("set up"))?;
        }
        Ok(Self { handle, place, opened: Instant::now(), gone: false })
    }

    fn check(&self) -> Result<(), PipeError> {
        if self.gone { Err(PipeError::Gone) } else { Ok(()) }
    }

    /// What a failure means.
    fn judge(&mut self, error: Error) -> PipeError {
        match error {
            Error::Timeout => PipeError::Timeout,
            Error::Pipe => PipeError::Stalled,
            Error::NoDevice | Error::NotFound => {
                self.gone = true;
                PipeError::Gone
            }
            Error::Io
            | Error::InvalidParam
            | Error::Access
            | Error::Busy
            | Error::Overflow
            | Error::Interrupted
            | Error::NoMem
            | Error::NotSupported
            | Error::BadDescriptor
            | Error::Other => PipeError::Io,
        }
    }
}

/// The interface with three endpoints: still image before vendor-specific, active configuration
/// before others.
fn find<C: UsbContext>(device: &Device<C>) -> Result<Option<Place>, OpenError> {
    let active = device.active_config_descriptor().ok();
    let first = device.config_descriptor(0);
    let config = match (active, first) {
        (Some(active), _) => active,
        (None, Ok(first)) => first,
        (None, Err(Error::NoDevice | Error::NotFound)) => return Err(OpenError::Gone),
        (None, Err(source)) => return Err(OpenError::Refused { doing: "look at", source }),
    };
    let settings = || config.interfaces().flat_map(|interface| interface.descriptors());
    let class =
        |d: &rusb::InterfaceDescriptor<'_>| (d.class_code(), d.sub_class_code(), d.protocol_code());
    let still = settings().filter(|d| class(d) == STILL_IMAGE);
    let vendor = settings().filter(|d| d.class_code() == VENDOR);
    Ok(still.chain(vendor).find_map(|descriptor| place(config.number(), &descriptor)))
}

fn place(configuration: u8, descriptor: &rusb::InterfaceDescriptor<'_>) -> Option<Place> {
    let endpoint = |kind, direction| {
        let fits = |e: &rusb::EndpointDescriptor<'_>| {
            e.transfer_type() == kind && e.direction() == direction
        };
        let mut all = descriptor.endpoint_descriptors().filter(fits);
        // A second pipe of a kind is no PTP interface.
        let first = all.next().map(|e| (e.address(), e.max_packet_size()));
        first.filter(|_| all.next().is_none())
    };
    let (bulk_in, packet) = endpoint(TransferType::Bulk, Direction::In)?;
    let (bulk_out, _) = endpoint(TransferType::Bulk, Direction::Out)?;
    let (interrupt_in, _) = endpoint(TransferType::Interrupt, Direction::In)?;
    let packet_bytes = packet & 0x07FF;
    packet_bytes.is_power_of_two().then_some(Place {
        configuration,
        interface: descriptor.interface_number(),
        setting: descriptor.setting_number(),
        bulk_in,
        bulk_out,
        interrupt_in,
        packet_bytes,
    })
}

impl<C: UsbContext> Pipes for RusbPipes<C> {
    fn packet_bytes(&self) -> usize {
        usize::from(self.place.packet_bytes)
    }

    fn elapsed(&self) -> Duration {
        self.opened.elapsed()
    }

    fn pause(&mut self, time: Duration) {
        thread::sleep(time);
    }

    fn bulk_out(&mut self, bytes: &[u8], timeout: Duration) -> Result<(), PipeError> {
        self.check()?;
        match self.handle.write_bulk(self.place.bulk_out, bytes, whole(timeout)) {
            Ok(moved) if moved == bytes.len() => Ok(()),
            Ok(_) => Err(PipeError::Timeout),
            Err(error) => Err(self.judge(error)),
        }
    }

    fn bulk_in(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<Moved, PipeError> {
        self.check()?;
        let most = buffer.len().min(TRANSFER_BYTES);
        let began = Instant::now();
        let moved = self.handle.read_bulk(self.place.bulk_in, &mut buffer[..most], whole(timeout));
        let bytes = moved.map_err(|error| self.judge(error))?;
        // libusb gives a part without an error when the time is up.
        Ok(Moved { bytes, ended: bytes < most && began.elapsed() < timeout })
    }

    fn interrupt_in(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, PipeError> {
        self.check()?;
        let moved = self.handle.read_interrupt(self.place.interrupt_in, buffer, whole(timeout));
        moved.map_err(|error| self.judge(error))
    }

    fn clear_halt(&mut self, pipe: Pipe) -> Result<(), PipeError> {
        self.check()?;
        let endpoint = match pipe {
            Pipe::BulkOut => self.place.bulk_out,
            Pipe::BulkIn => self.place.bulk_in,
            Pipe::InterruptIn => self.place.interrupt_in,
        };
        match self.handle.clear_halt(endpoint) {
            Ok(()) => Ok(()),
            // Here it is the endpoint that was not found.
            Err(Error::NotFound) => Err(PipeError::Io),
            Err(error) => Err(self.judge(error)),
        }
    }

    fn class_out(
        &mut self,
        request: ClassRequest,
        bytes: &[u8],
        timeout: Duration,
    ) -> Result<(), PipeError> {
        self.check()?;
        let interface = u16::from(self.place.interface);
        let (kind, request) = (TO_INTERFACE, request.number());
        let moved = self.handle.write_control(kind, request, 0, interface, bytes, whole(timeout));
        moved.map(drop).map_err(|error| self.judge(error))
    }

    fn class_in(
        &mut self,
        request: ClassRequest,
        buffer: &mut [u8],
        timeout: Duration,
    ) -> Result<usize, PipeError> {
        self.check()?;
        let interface = u16::from(self.place.interface);
        let (kind, request) = (FROM_INTERFACE, request.number());
        let moved = self.handle.read_control(kind, request, 0, interface, buffer, whole(timeout));
        moved.map_err(|error| self.judge(error))
    }

    fn probe(&mut self, timeout: Duration) -> Result<(), PipeError> {
        self.check()?;
        let mut status = [0; 2];
        let read =
            self.handle.read_control(FROM_DEVICE, GET_STATUS, 0, 0, &mut status, whole(timeout));
        match read.map(drop).map_err(|error| self.judge(error)) {
            // Every device answers this; one that fails at it is being pulled, or just was. The
            // system knows better a moment later.
            Err(PipeError::Io) => {
                self.pause(Duration::from_millis(50));
                let again = self.handle.read_control(
                    FROM_DEVICE,
                    GET_STATUS,
                    0,
                    0,
                    &mut status,
                    whole(timeout),
                );
                again.map(drop).map_err(|error| self.judge(error))
            }
            answer => answer,
        }
    }
}

impl<C: UsbContext> Drop for RusbPipes<C> {
    fn drop(&mut self) {
        // Nothing more can be done about a failure; closing the handle releases it as well.
        let _ = self.handle.release_interface(self.place.interface);
    }
}

/// libusb counts whole milliseconds and takes none for "for ever".
fn whole(timeout: Duration) -> Duration {
    timeout.max(Duration::from_millis(1))
}
