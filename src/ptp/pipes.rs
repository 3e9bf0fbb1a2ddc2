//! What a session needs of USB, as a trait; the real one lies behind the door `usb`.

use std::time::Duration;

/// Why a transfer did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PipeError {
    /// No device any more.
    #[error("the device is gone")]
    Gone,
    /// Nothing moved within the time given.
    #[error("the device did not answer in time")]
    Timeout,
    /// The endpoint is halted, or a control request was refused.
    #[error("the device refused the transfer")]
    Stalled,
    /// Anything else; the device may be gone.
    #[error("the transfer failed")]
    Io,
}

/// The three pipes of the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipe {
    BulkOut,
    BulkIn,
    InterruptIn,
}

/// Class requests (USB still image class 1.0, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassRequest {
    /// Host to device, 6 bytes: code 0x4001 and the transaction.
    Cancel,
    /// Device to host.
    ExtendedEventData,
    /// Host to device, no data.
    DeviceReset,
    /// Device to host: length, code, halted endpoints.
    DeviceStatus,
}

impl ClassRequest {
    /// bRequest.
    pub fn number(self) -> u8 {
        match self {
            Self::Cancel => 0x64,
            Self::ExtendedEventData => 0x65,
            Self::DeviceReset => 0x66,
            Self::DeviceStatus => 0x67,
        }
    }
}

/// What a read moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    pub bytes: usize,
    /// The device ended the transfer with a short packet, an empty one included. Not so when the
    /// buffer was filled, or the time was up with a part moved.
    pub ended: bool,
}

/// One claimed interface: two bulk pipes, an interrupt pipe, class requests.
///
/// Blocking. Every call ends within its `timeout` (and a little that the system takes), whatever the
/// device does. Once a call was [`PipeError::Gone`], all later ones are.
pub trait Pipes {
    /// The bulk endpoints' packet size: 8 to 1024, a power of two.
    fn packet_bytes(&self) -> usize;

    /// Time since these pipes were opened, by a clock that never jumps.
    fn elapsed(&self) -> Duration;

    /// Waits.
    fn pause(&mut self, time: Duration);

    /// Sends one transfer; no bytes are a packet of no bytes.
    ///
    /// # Errors
    /// [`PipeError`]; a transfer that moved only in part is [`PipeError::Timeout`].
    fn bulk_out(&mut self, bytes: &[u8], timeout: Duration) -> Result<(), PipeError>;

    /// Receives at most one transfer; `buffer` is a multiple of the packet size.
    ///
    /// # Errors
    /// [`PipeError`].
    fn bulk_in(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<Moved, PipeError>;

    /// Receives one event.
    ///
    /// # Errors
    /// [`PipeError`]; [`PipeError::Timeout`] if there is none.
    fn interrupt_in(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, PipeError>;

    /// Ends a halt on both sides (USB 2.0 section 9.4.5, CLEAR_FEATURE).
    ///
    /// # Errors
    /// [`PipeError`].
    fn clear_halt(&mut self, pipe: Pipe) -> Result<(), PipeError>;

    /// A class request with data to the device.
    ///
    /// # Errors
    /// [`PipeError`].
    fn class_out(
        &mut self,
        request: ClassRequest,
        bytes: &[u8],
        timeout: Duration,
    ) -> Result<(), PipeError>;

    /// A class request with data from the device.
    ///
    /// # Errors
    /// [`PipeError`].
    fn class_in(
        &mut self,
        request: ClassRequest,
        buffer: &mut [u8],
        timeout: Duration,
    ) -> Result<usize, PipeError>;

    /// Whether the device is still on the bus: a request every device answers by itself, whatever
    /// its software does (GET_STATUS, USB 2.0 section 9.4.5).
    ///
    /// # Errors
    /// [`PipeError::Gone`]; anything else means that it is there.
    fn probe(&mut self, timeout: Duration) -> Result<(), PipeError>;
}
