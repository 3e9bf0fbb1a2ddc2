//! Data phases from the camera: taken bit by bit, with a limit on bytes and on time.

use super::{Session, State, wire::Fault};
use crate::ptp::{
    DATASET_BYTES_MAX, Kind, Malformed, Operation, PipeError, Pipes, PtpError, Response,
    TRANSFER_BYTES, TransactionId,
    container::{HEADER_BYTES, Header, SHORT_BYTES_MAX},
};
use std::time::Duration;

/// Empty transfers that are forgiven inside of a data phase whose length is known.
const EMPTY_MAX: u32 = 4;
/// What is asked for first when a dataset is to come.
const DATASET_FIRST: usize = 4096;
/// A first buffer for a dataset; it grows with what arrives.
const DATASET_ROOM: usize = 512;

/// How much is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Bytes(u64),
    /// The header said 0xFFFFFFFF; the first short packet is the end.
    UntilShort,
    /// The next thing is the response.
    Nothing,
}

/// An open transaction whose data is being taken.
#[derive(Debug)]
pub(super) struct DataIn {
    pub operation: Operation,
    pub transaction: TransactionId,
    left: Left,
    received: u64,
    /// Time spent waiting for the camera; the taker's own time does not count against it.
    waited: Duration,
    empty: u32,
    /// The response, if it came where data was expected.
    early: Option<Response>,
}

impl DataIn {
    /// Bytes still to come, if that is known.
    pub fn remaining(&self) -> Option<u64> {
        match self.left {
            Left::Bytes(left) => Some(left),
            Left::UntilShort => None,
            Left::Nothing => Some(0),
        }
    }
}

/// One bite of a data phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes, at least one.
    Bytes(usize),
    /// The data has ended; `bytes` came in all.
    End { response: Response, bytes: u64 },
}

impl<P: Pipes> Session<P> {
    /// Begins an operation that sends data; `expected` bytes of it are asked for in one go.
    ///
    /// Returns how many bytes the camera announces: `None` if it does not say.
    ///
    /// # Errors
    /// [`PtpError`].
    pub(super) fn begin(
        &mut self,
        operation: Operation,
        parameters: &[u32],
        expected: usize,
    ) -> Result<Option<u64>, PtpError> {
        self.settle()?;
        let transaction = self.next_transaction();
        let began = self.pipes.elapsed();
        let begun = self.send_command(operation, transaction, parameters).and_then(|()| {
            let wanted = expected.saturating_add(HEADER_BYTES);
            let header = self.next_header(operation, transaction, wanted)?;
            self.data_of(&header)
        });
        let (left, early) = match begun {
            Ok(found) => found,
            Err(fault) => return Err(self.mend(operation, transaction, fault)),
        };
        let waited = self.pipes.elapsed().saturating_sub(began);
        let empty = 0;
        let received = 0;
        self.state =
            State::Reading(DataIn { operation, transaction, left, received, waited, empty, early });
        Ok(match left {
            Left::Bytes(bytes) => Some(bytes),
            Left::UntilShort => None,
            Left::Nothing => Some(0),
        })
    }

    /// What the first container says: data to come, or the response already.
    fn data_of(&mut self, header: &Header) -> Result<(Left, Option<Response>), Fault> {
        match header.kind {
            Kind::Data => {
                self.inbox.consume(HEADER_BYTES);
                let left = header.payload_bytes().map_or(Left::UntilShort, Left::Bytes);
                // A header in a transfer of its own is not the end of what it announces.
                self.inbox.ended &= self.inbox.len() > 0;
                Ok((if left == Left::Bytes(0) { Left::Nothing } else { left }, None))
            }
            Kind::Response => Ok((Left::Nothing, Some(self.take_response(header)?))),
            Kind::Command | Kind::Event => Err(Malformed::Unexpected.into()),
        }
    }

    /// The open data transaction, if it is still this one.
    pub(super) fn is_reading(&self, transaction: TransactionId) -> bool {
        matches!(&self.state, State::Reading(data) if data.transaction == transaction)
    }

    /// The next bytes of the data that was begun, or its end. A broken transaction is over: the
    /// session is in order again and the error says what happened.
    ///
    /// # Errors
    /// [`PtpError`].
    pub(super) fn pull(&mut self, buffer: &mut [u8]) -> Result<Received, PtpError> {
        let State::Reading(mut data) = std::mem::replace(&mut self.state, State::Open) else {
            // Only reached if a caller pulls without having begun.
            return Err(PtpError::Wedged);
        };
        match self.try_pull(&mut data, buffer) {
            Ok(Received::Bytes(bytes)) => {
                self.state = State::Reading(data);
                Ok(Received::Bytes(bytes))
            }
            Ok(end) => {
                if data.transaction == TransactionId::NONE {
                    self.state = State::Closed;
                }
                Ok(end)
            }
            Err(fault) => {
                if data.transaction == TransactionId::NONE {
                    self.state = State::Closed;
                }
                Err(self.mend(data.operation, data.transaction, fault))
            }
        }
    }

    fn try_pull(&mut self, data: &mut DataIn, buffer: &mut [u8]) -> Result<Received, Fault> {
        loop {
            if self.inbox.len() > 0 && data.left != Left::Nothing {
                return Ok(Received::Bytes(self.hand_over(data, buffer)));
            }
            let wanted = match data.left {
                Left::Nothing => return self.end(data),
                // A transfer that ended while its end was still unknown was the last one.
                Left::UntilShort if self.inbox.ended => {
                    data.left = Left::Nothing;
                    self.inbox.clear();
                    continue;
                }
                Left::UntilShort => TRANSFER_BYTES,
                Left::Bytes(left) => usize::try_from(left).unwrap_or(usize::MAX),
            };
            self.more(data, wanted)?;
        }
    }

    /// Copies from the inbox what belongs to the data.
    fn hand_over(&mut self, data: &mut DataIn, buffer: &mut [u8]) -> usize {
        let most = match data.left {
            Left::Bytes(left) => usize::try_from(left).unwrap_or(usize::MAX),
            Left::UntilShort => usize::MAX,
            Left::Nothing => 0,
        };
        let bytes = self.inbox.len().min(buffer.len()).min(most);
        buffer[..bytes].copy_from_slice(&self.inbox.bytes()[..bytes]);
        self.inbox.consume(bytes);
        data.received += bytes as u64;
        if let Left::Bytes(left) = &mut data.left {
            *left -= bytes as u64;
            if *left == 0 {
                data.left = Left::Nothing;
            }
        }
        bytes
    }

    /// One more read, judged: is it data, or a response where data was due?
    fn more(&mut self, data: &mut DataIn, wanted: usize) -> Result<(), Fault> {
        let allowed = Duration::from_secs(data.received / self.limits.rate_min.max(1));
        if data.waited > self.limits.slow + allowed {
            return Err(PipeError::Timeout.into());
        }
        let began = self.pipes.elapsed();
        let moved = self.fill(wanted, self.limits.quiet)?;
        data.waited += self.pipes.elapsed().saturating_sub(began);
        if moved.bytes == 0 && matches!(data.left, Left::Bytes(_)) {
            data.empty += 1;
            if data.empty > EMPTY_MAX {
                return Err(Malformed::Truncated("the data").into());
            }
        }
        // A camera that sends less than it announced goes on with the response. Data that looks
        // exactly like that is refused too, which costs another read and never a wrong byte.
        let short = moved.ended && (HEADER_BYTES..=SHORT_BYTES_MAX).contains(&moved.bytes);
        let response = Header::decode(self.inbox.bytes()).is_ok_and(|header| {
            short
                && header.kind == Kind::Response
                && header.transaction == data.transaction
                && header.length as usize == moved.bytes
        });
        match data.left {
            Left::Bytes(left) if response && left != moved.bytes as u64 => {
                self.inbox.clear();
                Err(Malformed::Truncated("the data").into())
            }
            // A header of its own, and no data after it.
            Left::UntilShort if response && data.received == 0 => {
                data.left = Left::Nothing;
                Ok(())
            }
            Left::Bytes(_) | Left::UntilShort | Left::Nothing => Ok(()),
        }
    }

    fn end(&mut self, data: &mut DataIn) -> Result<Received, Fault> {
        let bytes = data.received;
        if let Some(response) = data.early.take() {
            return Ok(Received::End { response, bytes });
        }
        let header = self.next_header(data.operation, data.transaction, self.packet())?;
        match header.kind {
            Kind::Response => {
                let response = self.take_response(&header)?;
                Ok(Received::End { response, bytes })
            }
            Kind::Command | Kind::Data | Kind::Event => Err(Malformed::Unexpected.into()),
        }
    }

    /// A whole data phase, of `bytes_max` at most, with the response.
    pub(super) fn collect(
        &mut self,
        operation: Operation,
        parameters: &[u32],
        bytes_max: usize,
    ) -> Result<(Response, Vec<u8>), PtpError> {
        let mut bytes = Vec::new();
        let response = self.patiently(operation, |session| {
            bytes = Vec::new();
            let announced = session.begin(operation, parameters, DATASET_FIRST)?;
            if announced.is_some_and(|announced| announced > bytes_max as u64) {
                session.abandon()?;
                return Err(PtpError::TooLarge { operation, bytes_max });
            }
            loop {
                let at = bytes.len();
                let room = at.clamp(DATASET_ROOM, DATASET_BYTES_MAX);
                // One byte more than allowed, to see whether there is more.
                bytes.resize(at.saturating_add(room).min(bytes_max + 1), 0);
                match session.pull(&mut bytes[at..])? {
                    Received::Bytes(n) if at + n > bytes_max => {
                        session.abandon()?;
                        return Err(PtpError::TooLarge { operation, bytes_max });
                    }
                    Received::Bytes(n) => bytes.truncate(at + n),
                    Received::End { response, .. } => {
                        bytes.truncate(at);
                        return Ok(response);
                    }
                }
            }
        })?;
        Ok((response, bytes))
    }

    /// A dataset, read and understood; asked for once more if it did not arrive well.
    pub(super) fn dataset<T>(
        &mut self,
        operation: Operation,
        parameters: &[u32],
        decode: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, PtpError> {
        let mut again = true;
        loop {
            let collected = self.collect(operation, parameters, DATASET_BYTES_MAX);
            let decoded = collected.and_then(|(_, bytes)| {
                let missing = if bytes.is_empty() { Err(Malformed::NoData) } else { Ok(()) };
                let decoded = missing.and_then(|()| decode(&bytes));
                decoded.map_err(|what| PtpError::Malformed { operation, what })
            });
            match decoded {
                Err(error) if error.is_passing() && again => again = false,
                decoded => return decoded,
            }
        }
    }
}
