//! Containers: how everything travels over USB.
//!
//! USB still image class 1.0, section 7.1 (container structure; also PIMA 15740:2000 annex D): a
//! header of 12 bytes, `length u32, type u16, code u16, transaction u32`, then up to five 32-bit
//! parameters (command, response, event) or the data. A data container whose length does not fit
//! says 0xFFFFFFFF; it ends with the first short packet (MTP 1.1 appendix H, and every maker since).

use super::{Malformed, Operation, ResponseCode, TransactionId, bytes::Cursor};

pub const HEADER_BYTES: usize = 12;
pub const PARAMETERS_MAX: usize = 5;
/// The longest command, response or event.
pub const SHORT_BYTES_MAX: usize = HEADER_BYTES + 4 * PARAMETERS_MAX;
/// "Longer than I can say."
pub const LENGTH_UNKNOWN: u32 = u32::MAX;

/// What a container carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Command,
    Data,
    Response,
    Event,
}

impl Kind {
    pub fn number(self) -> u16 {
        match self {
            Self::Command => 1,
            Self::Data => 2,
            Self::Response => 3,
            Self::Event => 4,
        }
    }

    fn from_number(number: u16) -> Result<Self, Malformed> {
        match number {
            1 => Ok(Self::Command),
            2 => Ok(Self::Data),
            3 => Ok(Self::Response),
            4 => Ok(Self::Event),
            other => Err(Malformed::Type(other)),
        }
    }
}

/// The first twelve bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the whole container, this header included, or [`LENGTH_UNKNOWN`].
    pub length: u32,
    pub kind: Kind,
    pub code: u16,
    pub transaction: TransactionId,
}

impl Header {
    /// Reads a header; its length is possible for its kind, nothing else is judged.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        let length = cursor.u32("a container's length")?;
        let kind = Kind::from_number(cursor.u16("a container's type")?)?;
        let code = cursor.u16("a container's code")?;
        let transaction = TransactionId(cursor.u32("a container's transaction")?);
        let longest = match kind {
            Kind::Data => u32::MAX,
            Kind::Command | Kind::Response | Kind::Event => SHORT_BYTES_MAX as u32,
        };
        if length < HEADER_BYTES as u32 || length > longest {
            return Err(Malformed::Length(length));
        }
        Ok(Self { length, kind, code, transaction })
    }

    /// Bytes after the header; `None` if only the end of the transfer tells.
    pub fn payload_bytes(&self) -> Option<u64> {
        (self.length != LENGTH_UNKNOWN).then(|| u64::from(self.length) - HEADER_BYTES as u64)
    }

    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..6].copy_from_slice(&self.kind.number().to_le_bytes());
        bytes[6..8].copy_from_slice(&self.code.to_le_bytes());
        bytes[8..].copy_from_slice(&self.transaction.0.to_le_bytes());
        bytes
    }
}

/// A container with its payload, ready to be sent.
pub fn container(kind: Kind, code: u16, transaction: TransactionId, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER_BYTES + payload.len()).unwrap_or(LENGTH_UNKNOWN);
    let header = Header { length, kind, code, transaction };
    [&header.encode()[..], payload].concat()
}

/// A command with its parameters; more than five are cut off, which no caller does.
pub fn command(operation: Operation, transaction: TransactionId, parameters: &[u32]) -> Vec<u8> {
    let payload: Vec<u8> =
        parameters.iter().take(PARAMETERS_MAX).flat_map(|p| p.to_le_bytes()).collect();
    container(Kind::Command, operation.0, transaction, &payload)
}

/// The parameters of a command, response or event; a half one at the end is dropped.
pub fn parameters(payload: &[u8]) -> ([u32; PARAMETERS_MAX], usize) {
    let (entries, _) = payload.as_chunks();
    let mut values = [0; PARAMETERS_MAX];
    let mut count = 0;
    for (value, entry) in values.iter_mut().zip(entries) {
        *value = u32::from_le_bytes(*entry);
        count += 1;
    }
    (values, count)
}

/// The end of a transaction (PIMA 15740:2000 clause 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    pub code: ResponseCode,
    values: [u32; PARAMETERS_MAX],
    count: usize,
}

impl Response {
    pub fn new(code: ResponseCode, payload: &[u8]) -> Self {
        let (values, count) = parameters(payload);
        Self { code, values, count }
    }

    /// A parameter, counted from 0; `None` where the camera sent fewer.
    pub fn parameter(&self, index: usize) -> Option<u32> {
        self.values[..self.count].get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// OpenSession(1) byte by byte, after the table of section 7.1 of the class definition.
    const OPEN_SESSION: [u8; 16] = [
        0x10, 0, 0, 0, // 16 bytes
        1, 0, // command
        0x02, 0x10, // OpenSession
        0, 0, 0, 0, // transaction 0
        1, 0, 0, 0, // session 1
    ];

    #[test]
    fn a_command_as_the_standard_lays_it_out() {
        assert_eq!(command(Operation::OPEN_SESSION, TransactionId::NONE, &[1]), OPEN_SESSION);
        let header = Header::decode(&OPEN_SESSION).unwrap();
        assert_eq!((header.kind, header.payload_bytes()), (Kind::Command, Some(4)));
    }

    #[test]
    fn a_response_as_the_standard_lays_it_out() {
        let bytes = [16, 0, 0, 0, 3, 0, 0x01, 0x20, 7, 0, 0, 0, 0x78, 0x56, 0x34, 0x12];
        let header = Header::decode(&bytes).unwrap();
        let response = Response::new(ResponseCode(header.code), &bytes[HEADER_BYTES..]);
        assert_eq!((header.kind, header.transaction), (Kind::Response, TransactionId(7)));
        assert_eq!(response.code, ResponseCode::OK);
        assert_eq!((response.parameter(0), response.parameter(1)), (Some(0x1234_5678), None));
    }

    #[test]
    fn impossible_headers_are_refused_by_name() {
        let header = |length: u32, kind: u16| {
            let mut bytes = [0; HEADER_BYTES];
            bytes[..4].copy_from_slice(&length.to_le_bytes());
            bytes[4..6].copy_from_slice(&kind.to_le_bytes());
            Header::decode(&bytes)
        };
        assert_eq!(header(11, 2), Err(Malformed::Length(11)));
        assert_eq!(header(0, 3), Err(Malformed::Length(0)));
        assert_eq!(header(33, 3), Err(Malformed::Length(33)));
        assert_eq!(header(u32::MAX, 4), Err(Malformed::Length(u32::MAX)));
        assert_eq!(header(12, 0), Err(Malformed::Type(0)));
        assert_eq!(header(12, 5), Err(Malformed::Type(5)));
        assert_eq!(header(u32::MAX, 2).unwrap().payload_bytes(), None);
        assert_eq!(Header::decode(&[12, 0, 0]), Err(Malformed::Truncated("a container's length")));
    }

    proptest! {
        #[test]
        fn any_header_is_refused_or_written_back_equal(bytes: [u8; HEADER_BYTES]) {
            if let Ok(header) = Header::decode(&bytes) {
                prop_assert_eq!(header.encode(), bytes);
            }
        }

        #[test]
        fn parameters_are_five_at_most(payload: Vec<u8>) {
            let response = Response::new(ResponseCode::OK, &payload);
            prop_assert_eq!(response.count, (payload.len() / 4).min(PARAMETERS_MAX));
            prop_assert_eq!(response.parameter(5), None);
        }
    }
}
