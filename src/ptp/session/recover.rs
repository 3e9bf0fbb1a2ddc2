//! Back to order: after silence, a stall, nonsense, or data nobody wants any more.
//!
//! USB still image class 1.0, sections 5.2.1 (cancel), 5.2.3 (device reset), 5.2.4 (device status)
//! and 7.2 (recovery): the steps get stronger, each is bounded, and after the last one the session
//! says that it is wedged. **Cancelling is not free**: some telephones hang on it, so data that ends
//! soon is read to its end instead.

use super::{Session, State, wire::Fault};
use crate::ptp::{
    ClassRequest, Malformed, Operation, Pipe, PipeError, Pipes, PtpError, Received, ResponseCode,
    TRANSFER_BYTES, TransactionId, bytes::Cursor, quirks::Need,
};
use std::time::Duration;

/// Unwanted data that is read to its end rather than cancelled.
const DRAIN_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// How much is thrown away after a cancel before the camera is reset.
const FLUSH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long the bulk pipe must be silent to count as empty.
const SILENCE: Duration = Duration::from_millis(300);
/// How long a cancelled camera may go on sending.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(5);
/// How often its status is asked for after a cancel, and how long apart.
const STATUS_POLLS: u32 = 20;
const STATUS_PAUSE: Duration = Duration::from_millis(50);

impl<P: Pipes> Session<P> {
    /// Before anything new: ends an open transaction, and says what state the session is in.
    pub(super) fn settle(&mut self) -> Result<(), PtpError> {
        match &self.state {
            State::Closed | State::Open => Ok(()),
            State::Reading(_) => self.abandon(),
            State::Gone => Err(PtpError::Gone),
            State::Wedged if self.recoveries < self.limits.recoveries => {
                let order = self.reset();
                self.state = State::Closed;
                self.conclude(order)
            }
            State::Wedged => Err(PtpError::Wedged),
        }
    }

    /// Ends an open transaction whose data nobody wants any more.
    pub(super) fn abandon(&mut self) -> Result<(), PtpError> {
        let State::Reading(data) = &self.state else { return Ok(()) };
        let (operation, transaction) = (data.operation, data.transaction);
        if data.remaining().is_some_and(|left| left <= DRAIN_BYTES_MAX) {
            let mut nowhere = vec![0; 16 * 1024];
            loop {
                match self.pull(&mut nowhere) {
                    Ok(Received::Bytes(_)) => {}
                    Ok(Received::End { .. }) => return Ok(()),
                    Err(PtpError::Gone) => return Err(PtpError::Gone),
                    Err(PtpError::Wedged) => return Err(PtpError::Wedged),
                    // The session was mended on the way; what was lost nobody wanted.
                    Err(_) => return Ok(()),
                }
            }
        }
        self.leave_reading(transaction);
        self.restore(operation, transaction)
    }

    fn leave_reading(&mut self, transaction: TransactionId) {
        let outside = transaction == TransactionId::NONE;
        self.state = if outside { State::Closed } else { State::Open };
    }

    /// Brings the session back to order after a fault, and says what the fault means.
    pub(super) fn mend(
        &mut self,
        operation: Operation,
        transaction: TransactionId,
        fault: Fault,
    ) -> PtpError {
        let error = match fault {
            Fault::Pipe(PipeError::Gone) => return self.lost(),
            Fault::Pipe(PipeError::Timeout) => PtpError::Timeout { operation },
            Fault::Nonsense(what) => PtpError::Malformed { operation, what },
            Fault::Pipe(PipeError::Io) => PtpError::BrokenOff { operation },
            Fault::Pipe(PipeError::Stalled) => match self.stalled() {
                Ok(Some(code)) => return PtpError::Refused { operation, code },
                Ok(None) => PtpError::BrokenOff { operation },
                Err(PipeError::Gone) => return self.lost(),
                Err(_) => PtpError::BrokenOff { operation },
            },
        };
        // An unplugged device shows as any kind of failure first.
        if self.pipes.probe(self.limits.control) == Err(PipeError::Gone) {
            return self.lost();
        }
        match self.restore(operation, transaction) {
            Ok(()) => error,
            Err(worse) => worse,
        }
    }

    /// The camera halted a pipe, by which it ends a transaction itself. Its reason, if it gives one
    /// and is ready again.
    fn stalled(&mut self) -> Result<Option<ResponseCode>, PipeError> {
        self.inbox.clear();
        let mut reason = None;
        for _ in 0..STATUS_POLLS {
            match self.status() {
                Ok(ResponseCode::OK) => return Ok(reason),
                Ok(ResponseCode::DEVICE_BUSY) => {}
                Ok(code) => {
                    reason = Some(code);
                    self.unhalt()?;
                }
                Err(PipeError::Gone) => return Err(PipeError::Gone),
                Err(_) => {
                    self.unhalt()?;
                    return Ok(None);
                }
            }
            self.pipes.pause(STATUS_PAUSE);
        }
        Err(PipeError::Timeout)
    }

    fn unhalt(&mut self) -> Result<(), PipeError> {
        for pipe in [Pipe::BulkIn, Pipe::BulkOut] {
            match self.pipes.clear_halt(pipe) {
                Err(PipeError::Gone) => return Err(PipeError::Gone),
                // Not halted, or no answer: the next step will tell.
                Ok(()) | Err(PipeError::Timeout | PipeError::Stalled | PipeError::Io) => {}
            }
        }
        Ok(())
    }

    /// GetDeviceStatus: length, code, then the halted endpoints, which are all cleared anyway.
    fn status(&mut self) -> Result<ResponseCode, PipeError> {
        let mut bytes = [0; 32];
        let request = ClassRequest::DeviceStatus;
        let moved = self.pipes.class_in(request, &mut bytes, self.limits.control)?;
        let mut at = Cursor::new(&bytes[..moved.min(bytes.len())]);
        let code = at.u16("the length").and_then(|_| at.u16("the code"));
        code.map(ResponseCode).map_err(|_: Malformed| PipeError::Io)
    }

    /// Cancels, flushes, and if that does not help resets and opens anew.
    fn restore(
        &mut self,
        operation: Operation,
        transaction: TransactionId,
    ) -> Result<(), PtpError> {
        self.recoveries += 1;
        if self.recoveries > self.limits.recoveries {
            self.state = State::Wedged;
            return Err(PtpError::Wedged);
        }
        let cancelled =
            if self.quirks.need(Need::NoCancel) { Ok(false) } else { self.cancel(transaction) };
        let order = match cancelled {
            // OpenSession has no transaction that could be cancelled for sure.
            Ok(true) if operation != Operation::OPEN_SESSION => return Ok(()),
            Ok(_) => self.reset(),
            Err(error) => Err(error),
        };
        self.conclude(order)
    }

    /// After a reset the session is a new one.
    fn conclude(&mut self, order: Result<(), PipeError>) -> Result<(), PtpError> {
        match order {
            Ok(()) if self.is_open() => {
                self.state = State::Closed;
                match self.open_once() {
                    Err(PtpError::Refused { .. }) => {
                        self.state = State::Wedged;
                        Err(PtpError::Wedged)
                    }
                    result => result,
                }
            }
            Ok(()) => Ok(()),
            Err(PipeError::Gone) => Err(self.lost()),
            Err(PipeError::Timeout | PipeError::Stalled | PipeError::Io) => {
                self.state = State::Wedged;
                Err(PtpError::Wedged)
            }
        }
    }

    /// Cancels one transaction; whether the camera says that it is ready again.
    fn cancel(&mut self, transaction: TransactionId) -> Result<bool, PipeError> {
        let mut request = [0x01, 0x40, 0, 0, 0, 0];
        request[2..].copy_from_slice(&transaction.0.to_le_bytes());
        let sent = self.pipes.class_out(ClassRequest::Cancel, &request, self.limits.control);
        let understood = match sent {
            Err(PipeError::Gone) => return Err(PipeError::Gone),
            sent => sent.is_ok(),
        };
        if !self.flush()? {
            return Ok(false);
        }
        for _ in 0..STATUS_POLLS {
            match self.status() {
                Ok(ResponseCode::OK) => return Ok(understood),
                Ok(ResponseCode::DEVICE_BUSY) => {}
                Ok(_) => self.unhalt()?,
                Err(PipeError::Gone) => return Err(PipeError::Gone),
                // A camera without this request: a silent pipe has to do.
                Err(_) => return Ok(understood),
            }
            self.pipes.pause(STATUS_PAUSE);
        }
        Ok(false)
    }

    /// Reads and drops what still comes, until there is silence; false if it does not end.
    fn flush(&mut self) -> Result<bool, PipeError> {
        let began = self.pipes.elapsed();
        let mut dropped = 0;
        while dropped < FLUSH_BYTES_MAX
            && self.pipes.elapsed().saturating_sub(began) < FLUSH_TIME_MAX
        {
            match self.fill(TRANSFER_BYTES, SILENCE) {
                // An empty packet moves nothing, and must not make this endless.
                Ok(moved) => dropped += moved.bytes.max(1024),
                Err(Fault::Pipe(PipeError::Timeout)) => {
                    self.inbox.clear();
                    return Ok(true);
                }
                Err(Fault::Pipe(PipeError::Gone)) => return Err(PipeError::Gone),
                Err(Fault::Pipe(PipeError::Stalled)) => {
                    self.unhalt()?;
                    dropped += 64 * 1024;
                }
                Err(Fault::Pipe(PipeError::Io) | Fault::Nonsense(_)) => return Ok(false),
            }
        }
        self.inbox.clear();
        Ok(false)
    }

    /// DeviceReset: the camera forgets its session and what it was doing.
    fn reset(&mut self) -> Result<(), PipeError> {
        if matches!(self.state, State::Wedged) {
            self.recoveries += 1;
        }
        match self.pipes.class_out(ClassRequest::DeviceReset, &[], self.limits.control) {
            Err(PipeError::Gone) => return Err(PipeError::Gone),
            // A camera without this request is given the rest of the cure all the same.
            Ok(()) | Err(PipeError::Timeout | PipeError::Stalled | PipeError::Io) => {}
        }
        self.unhalt()?;
        if self.flush()? { Ok(()) } else { Err(PipeError::Timeout) }
    }
}
