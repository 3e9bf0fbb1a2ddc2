//! What goes wrong on demand.

use crate::ptp::Operation;

/// A trouble that strikes an operation, `times` times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimFault {
    /// `None` is every operation.
    pub operation: Option<Operation>,
    pub times: u32,
    pub trouble: Trouble,
}

impl SimFault {
    pub fn once(operation: Operation, trouble: Trouble) -> Self {
        Self { operation: Some(operation), times: 1, trouble }
    }

    pub fn always(operation: Operation, trouble: Trouble) -> Self {
        Self { operation: Some(operation), times: u32::MAX, trouble }
    }
}

/// Ways to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// No answer at all.
    Silence,
    /// The pipe halts after so many bytes of the answer.
    StallAfter(u64),
    /// Silence after so many bytes of the answer.
    SilenceAfter(u64),
    /// The cable comes out after so many bytes of the answer.
    VanishAfter(u64),
    /// So many bytes of the data, then an honest-looking end.
    Truncate(u64),
    /// This code instead of an answer.
    Refuse(u16),
    /// The answer carries another transaction's number.
    WrongTransaction,
    /// The answer of the transaction before comes first, whole.
    StaleFirst,
    /// The response before the data.
    OutOfOrder,
    /// These bytes instead of an answer.
    Garbage(Vec<u8>),
    /// Data that claims to be this long, and never ends.
    Endless { claimed: u32 },
    /// The response claims another count of bytes than were sent.
    WrongCount,
    /// The operation is carried out, and nothing is said of it.
    DoneInSilence,
    /// The data arrives one byte a transfer, so many milliseconds apart.
    Drip { pause_ms: u64 },
    /// One bit of the data is wrong.
    FlipBit(u64),
}
