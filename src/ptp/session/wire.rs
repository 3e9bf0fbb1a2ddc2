//! Containers in and out of the pipes.

use super::{Session, State};
use crate::ptp::{
    Kind, Malformed, Moved, Operation, PipeError, Pipes, PtpError, Response, ResponseCode,
    TRANSFER_BYTES, TransactionId,
    container::{HEADER_BYTES, Header, command, container},
};
use std::time::Duration;

/// Empty transfers that are forgiven before a container: a camera ends a data phase of whole packets
/// with one, and some send one more.
const EMPTY_MAX: u32 = 4;
/// Containers of earlier transactions that are passed over before the answer.
const STALE_MAX: u32 = 4;

/// What was received and not looked at yet; [`TRANSFER_BYTES`] at most, and nothing before the first
/// read.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether the last read ended its transfer.
    pub ended: bool,
}

impl Inbox {
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub fn len(&self) -> usize {
        self.end - self.start
    }

    pub fn consume(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
    }

    pub fn clear(&mut self) {
        (self.start, self.end, self.ended) = (0, 0, false);
    }

    /// Room for `bytes`, rounded up to whole packets; what was left is dropped.
    fn room(&mut self, bytes: usize, packet: usize) -> &mut [u8] {
        if self.buffer.is_empty() {
            self.buffer = vec![0; TRANSFER_BYTES];
        }
        self.clear();
        let most = TRANSFER_BYTES / packet * packet;
        let bytes = bytes.max(1).div_ceil(packet).saturating_mul(packet).min(most);
        &mut self.buffer[..bytes]
    }
}

/// How a transfer failed, before it is known what that means for the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Pipe(PipeError),
    Nonsense(Malformed),
}

impl From<PipeError> for Fault {
    fn from(error: PipeError) -> Self {
        Self::Pipe(error)
    }
}

impl From<Malformed> for Fault {
    fn from(what: Malformed) -> Self {
        Self::Nonsense(what)
    }
}

impl<P: Pipes> Session<P> {
    /// The packet size, within what USB allows, whatever a descriptor says.
    pub(super) fn packet(&self) -> usize {
        self.pipes.packet_bytes().clamp(8, 1024)
    }

    /// How long the answer to an operation may take to begin.
    pub(super) fn patience(&self, operation: Operation) -> Duration {
        match operation {
            Operation::GET_OBJECT_HANDLES
            | Operation::DELETE_OBJECT
            | Operation::OPEN_SESSION
            | Operation::GET_OBJECT => self.limits.slow,
            _ => self.limits.quiet,
        }
    }

    /// A whole transaction without data from the camera. Any response code is `Ok`.
    pub(super) fn exchange(
        &mut self,
        operation: Operation,
        transaction: TransactionId,
        parameters: &[u32],
        data: Option<&[u8]>,
    ) -> Result<Response, PtpError> {
        let result = self.try_exchange(operation, transaction, parameters, data);
        result.map_err(|fault| self.mend(operation, transaction, fault))
    }

    fn try_exchange(
        &mut self,
        operation: Operation,
        transaction: TransactionId,
        parameters: &[u32],
        data: Option<&[u8]>,
    ) -> Result<Response, Fault> {
        self.send_command(operation, transaction, parameters)?;
        if let Some(data) = data {
            self.send(&container(Kind::Data, operation.0, transaction, data))?;
        }
        let header = self.next_header(operation, transaction, self.packet())?;
        match header.kind {
            Kind::Response => self.take_response(&header),
            Kind::Command | Kind::Data | Kind::Event => Err(Malformed::Unexpected.into()),
        }
    }

    pub(super) fn send_command(
        &mut self,
        operation: Operation,
        transaction: TransactionId,
        parameters: &[u32],
    ) -> Result<(), Fault> {
        // What lies here from before answers nothing that is asked now.
        self.inbox.clear();
        self.send(&command(operation, transaction, parameters))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.pipes.bulk_out(bytes, self.limits.quiet)?;
        if bytes.len().is_multiple_of(self.packet()) {
            self.pipes.bulk_out(&[], self.limits.quiet)?;
        }
        Ok(())
    }

    /// One read into the empty inbox, of `wanted` bytes at most (rounded up to packets).
    pub(super) fn fill(&mut self, wanted: usize, timeout: Duration) -> Result<Moved, Fault> {
        let packet = self.packet();
        let room = self.inbox.room(wanted, packet);
        let length = room.len();
        let moved = self.pipes.bulk_in(room, timeout)?;
        self.inbox.end = moved.bytes.min(length);
        self.inbox.ended = moved.ended;
        Ok(moved)
    }

    /// The header of the container that is due: data or a response of this transaction. A read for
    /// it asks for `wanted` bytes.
    pub(super) fn next_header(
        &mut self,
        operation: Operation,
        transaction: TransactionId,
        wanted: usize,
    ) -> Result<Header, Fault> {
        let (mut empty, mut stale) = (0, 0);
        loop {
            if self.inbox.len() == 0 {
                let moved = self.fill(wanted, self.patience(operation))?;
                if moved.bytes == 0 {
                    empty += 1;
                    if empty > EMPTY_MAX {
                        return Err(Malformed::NoData.into());
                    }
                    continue;
                }
            }
            let header = Header::decode(self.inbox.bytes())?;
            let due = match header.kind {
                Kind::Data => header.code == operation.0,
                Kind::Response => true,
                Kind::Command | Kind::Event => false,
            };
            if due && header.transaction == transaction {
                return Ok(header);
            }
            // The end of something that was given up earlier, if all of it is here.
            let whole = header.length as usize;
            let earlier = header.transaction.0 < transaction.0;
            stale += 1;
            if !earlier || stale > STALE_MAX || whole > self.inbox.len() {
                return Err(Malformed::Unexpected.into());
            }
            self.inbox.consume(whole);
        }
    }

    /// The response whose header is next in the inbox; it must lie there whole.
    pub(super) fn take_response(&mut self, header: &Header) -> Result<Response, Fault> {
        let whole = header.length as usize;
        let bytes = self.inbox.bytes().get(HEADER_BYTES..whole);
        let bytes = bytes.ok_or(Malformed::Truncated("a response"))?;
        let response = Response::new(ResponseCode(header.code), bytes);
        self.inbox.consume(whole);
        Ok(response)
    }

    /// Marks the camera as gone for good.
    pub(super) fn lost(&mut self) -> PtpError {
        self.state = State::Gone;
        self.inbox.clear();
        PtpError::Gone
    }
}
