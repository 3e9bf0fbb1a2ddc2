//! A session: one transaction after the other, each with its limits (PIMA 15740:2000 clause 9; USB
//! still image class 1.0, sections 5.2 and 7; MTP 1.1 section 4).
//!
//! A transaction is a command, perhaps a data phase, and a response. One whose data is being taken
//! bit by bit stays open between calls; whatever is asked next ends it first.

mod data;
mod operations;
mod recover;
mod wire;

pub use data::Received;
pub use operations::Root;

use self::{data::DataIn, wire::Inbox};
use super::{
    DeviceInfo, Operation, Pipes, PtpError, Quirks, Response, ResponseCode, TransactionId,
};
use std::time::Duration;

/// How patient a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one transfer to begin: a command to be taken, an answer to come.
    pub quiet: Duration,
    /// For the answer to an operation that may take long inside the camera (DeleteObject,
    /// listing a large folder).
    pub slow: Duration,
    /// Data that arrives slower than this, in bytes a second and after `slow`, is given up.
    pub rate_min: u64,
    /// For control requests.
    pub control: Duration,
    /// Most bytes of a file asked for in one transaction.
    pub ask_bytes: u32,
    /// How often a camera that says it is busy is asked again, after 100 ms, 200 ms, 400 ms …
    pub busy_retries: u32,
    /// How often a session that lost order may be brought back without a success in between.
    pub recoveries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            quiet: Duration::from_secs(5),
            slow: Duration::from_secs(20),
            rate_min: 64 * 1024,
            control: Duration::from_secs(1),
            ask_bytes: 16 * 1024 * 1024,
            busy_retries: 5,
            recoveries: 4,
        }
    }
}

/// Where the conversation stands.
#[derive(Debug)]
enum State {
    Closed,
    Open,
    /// Data of a transaction is being taken.
    Reading(DataIn),
    /// Order could not be restored.
    Wedged,
    Gone,
}

/// A conversation with one camera.
pub struct Session<P> {
    pipes: P,
    limits: Limits,
    quirks: Quirks,
    state: State,
    inbox: Inbox,
    transaction: TransactionId,
    /// Counts openings: handles from an earlier one may mean something else now.
    epoch: u64,
    /// Recoveries since the last operation that succeeded.
    recoveries: u32,
}

/// There is one session on each interface, and its number is ours to choose.
const SESSION_ID: u32 = 1;
/// Before the first question to a camera that says it is busy is repeated.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

impl<P: Pipes> Session<P> {
    /// Nothing is said to the camera yet.
    pub fn new(pipes: P, limits: Limits) -> Self {
        Self {
            pipes,
            limits,
            quirks: Quirks::default(),
            state: State::Closed,
            inbox: Inbox::default(),
            transaction: TransactionId::NONE,
            epoch: 0,
            recoveries: 0,
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What this model needs; see [`crate::ptp::quirks`].
    pub fn set_quirks(&mut self, quirks: Quirks) {
        self.quirks = quirks;
    }

    /// Which opening of the session this is.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Time by the pipes' clock.
    pub fn elapsed(&self) -> Duration {
        self.pipes.elapsed()
    }

    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open | State::Reading(_))
    }

    /// Whether order could not be restored and will not be tried again: only a power cycle helps.
    pub fn is_wedged(&self) -> bool {
        matches!(self.state, State::Wedged) && self.recoveries >= self.limits.recoveries
    }

    /// Gives the pipes back, as they are.
    pub fn into_pipes(self) -> P {
        self.pipes
    }

    /// Opens the session (MTP 1.1 appendix D.2.2). One that is open already, left behind by a
    /// program that died, is closed first, so that nothing of it is inherited; if the camera will
    /// not close it, it is gone on with.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn open(&mut self) -> Result<(), PtpError> {
        self.settle()?;
        if self.is_open() {
            return Ok(());
        }
        match self.open_once() {
            Err(error) if error.is_passing() => self.open_once()?,
            result => result?,
        }
        Ok(())
    }

    fn open_once(&mut self) -> Result<(), PtpError> {
        let open = |session: &mut Self| {
            session.exchange(Operation::OPEN_SESSION, TransactionId::NONE, &[SESSION_ID], None)
        };
        let mut response = open(self)?;
        if response.code == ResponseCode::SESSION_ALREADY_OPEN {
            let close = TransactionId::NONE.next();
            let closed = self.exchange(Operation::CLOSE_SESSION, close, &[], None)?;
            if closed.code == ResponseCode::OK {
                response = open(self)?;
            }
        }
        match response.code {
            ResponseCode::OK | ResponseCode::SESSION_ALREADY_OPEN => {
                self.state = State::Open;
                self.transaction = TransactionId::NONE;
                self.epoch += 1;
                Ok(())
            }
            code => Err(PtpError::Refused { operation: Operation::OPEN_SESSION, code }),
        }
    }

    /// Closes the session, if there is one; a camera that does not want to is left alone.
    pub fn close(&mut self) {
        if self.settle().is_ok() && self.is_open() {
            let next = self.transaction.next();
            // Nobody could do anything about a failure, and the next opening copes with it.
            let _ = self.exchange(Operation::CLOSE_SESSION, next, &[], None);
            if !matches!(self.state, State::Gone | State::Wedged) {
                self.state = State::Closed;
            }
        }
    }

    /// Who the camera says it is (MTP 1.1 appendix D.2.1). Allowed outside of a session; a camera
    /// that answers "no session is open" (umtp-responder does) is asked again inside of one.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn device_info(&mut self) -> Result<DeviceInfo, PtpError> {
        match self.dataset(Operation::GET_DEVICE_INFO, &[], DeviceInfo::decode) {
            Err(PtpError::Gone) => Err(PtpError::Gone),
            Err(_) if !self.is_open() => {
                self.open()?;
                self.dataset(Operation::GET_DEVICE_INFO, &[], DeviceInfo::decode)
            }
            result => result,
        }
    }

    /// The number for the next transaction.
    fn next_transaction(&mut self) -> TransactionId {
        if self.is_open() {
            self.transaction = self.transaction.next();
            self.transaction
        } else {
            TransactionId::NONE
        }
    }

    /// An operation without data from the camera, patient with a busy one, and begun anew in a new
    /// session if the camera lost the old one.
    fn perform(
        &mut self,
        operation: Operation,
        parameters: &[u32],
        data: Option<&[u8]>,
    ) -> Result<Response, PtpError> {
        self.patiently(operation, |session| {
            session.settle()?;
            let transaction = session.next_transaction();
            session.exchange(operation, transaction, parameters, data)
        })
    }

    /// Repeats what the camera was too busy for, or had no session for; other codes than "done"
    /// become errors.
    fn patiently(
        &mut self,
        operation: Operation,
        mut attempt: impl FnMut(&mut Self) -> Result<Response, PtpError>,
    ) -> Result<Response, PtpError> {
        let mut busy = 0;
        let mut reopened = false;
        loop {
            let response = attempt(self)?;
            match response.code {
                ResponseCode::OK => {
                    self.recoveries = 0;
                    return Ok(response);
                }
                ResponseCode::DEVICE_BUSY if busy < self.limits.busy_retries => {
                    self.pipes.pause(BUSY_PAUSE.saturating_mul(1 << busy.min(6)));
                    busy += 1;
                }
                ResponseCode::SESSION_NOT_OPEN if self.is_open() && !reopened => {
                    self.state = State::Closed;
                    self.open()?;
                    reopened = true;
                }
                code => return Err(PtpError::Refused { operation, code }),
            }
        }
    }
}

#[cfg(test)]
mod tests;
