//! What can go wrong, in the words a person gets to see.

use super::{Operation, ResponseCode};

/// Bytes from the camera that are not what the standard says; never more than a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("a dataset ends in the middle of {0}")]
    Truncated(&'static str),
    #[error("a list of {count} entries does not fit into {bytes} bytes")]
    Array { count: u32, bytes: usize },
    #[error("a container of {0} bytes")]
    Length(u32),
    #[error("a container of the unknown type {0}")]
    Type(u16),
    #[error("a container of another kind or transaction than the one expected")]
    Unexpected,
    #[error("a data type 0x{0:04X} this dock does not know")]
    DataType(u16),
    #[error("an empty answer where data was promised")]
    NoData,
    #[error("{sent} bytes, and a claim of {claimed}")]
    Count { sent: u64, claimed: u64 },
}

/// Why an operation did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PtpError {
    /// Pulled or powered off; nothing more can be done with this session.
    #[error("the camera is gone")]
    Gone,
    /// The session was brought back to order; the operation may or may not have taken place.
    #[error("the camera did not finish {operation} in time")]
    Timeout { operation: Operation },
    /// The camera understood and said no.
    #[error("the camera refused {operation}: {code}")]
    Refused { operation: Operation, code: ResponseCode },
    /// A stall or a transfer error; the session was brought back to order.
    #[error("the camera broke {operation} off")]
    BrokenOff { operation: Operation },
    /// Nonsense; the session was brought back to order.
    #[error("the camera's answer to {operation} makes no sense: {what}")]
    Malformed { operation: Operation, what: Malformed },
    /// More than the bound of this dataset; nothing of it was kept.
    #[error("the camera's answer to {operation} is longer than {bytes_max} bytes")]
    TooLarge { operation: Operation, bytes_max: usize },
    /// It does not come back to order; a power cycle of its port is next.
    #[error("the camera no longer follows the protocol, even after a reset")]
    Wedged,
}

impl PtpError {
    /// The response code, if the camera gave one.
    pub fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Gone
            | Self::Timeout { .. }
            | Self::BrokenOff { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Wedged => None,
        }
    }

    /// Whether the same question may be asked again: something went wrong on the way, and the
    /// session is in order again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::BrokenOff { .. } | Self::Malformed { .. } => true,
            Self::Gone | Self::Refused { .. } | Self::TooLarge { .. } | Self::Wedged => false,
        }
    }
}
