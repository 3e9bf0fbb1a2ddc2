//! PTP and MTP: how still cameras, telephones and body-worn cameras talk over USB.
//!
//! Sources, named at each structure: **PIMA 15740:2000** (PTP, the free text of ISO 15740), the
//! **USB Still Image Capture Device Definition 1.0** (how PTP travels over USB), **MTP 1.1** (what
//! PTP grew into), and Android's extension for 64-bit offsets.
//!
//! The room is pure: [`Session`] speaks through [`Pipes`], which is the only thing that moves
//! bytes, waits, or knows how much time has passed. [`SimResponder`] is a camera in memory behind the
//! same trait.
//!
//! **A camera is a stranger.** Everything it sends is judged:
//! - Memory: a session keeps one buffer of [`TRANSFER_BYTES`]; a dataset is never longer than
//!   [`DATASET_BYTES_MAX`], a list of handles never longer than [`HANDLES_MAX`] entries, and grows
//!   with what has arrived, not with what a length field claims. Objects are streamed.
//! - Time: every operation ends within what its [`Limits`] say, also if bytes drip in one by one.
//! - Order: a container of another kind or transaction than the one that is due is never taken for
//!   an answer. After nonsense, a stall or silence the session is brought back to order: cancel,
//!   drain, then device reset and a new session; then it says [`PtpError::Wedged`].
//!
//! What a particular model needs is data, in [`quirks`]; what can be found out by asking is asked.

mod bytes;
mod codes;
mod container;
mod datasets;
mod datetime;
mod error;
mod event;
mod ids;
mod pipes;
pub mod quirks;
mod session;
pub mod sim;
mod text;
mod value;

pub use codes::{DeviceProp, ObjectFormat, ObjectProp, Operation, ResponseCode};
pub use container::{Header, Kind, Response};
pub use datasets::{
    Access, DeviceInfo, Handles, ObjectInfo, ShortSize, StorageInfo, decode_storages,
};
pub use datetime::CameraTime;
pub use error::{Malformed, PtpError};
pub use event::Event;
pub use ids::{ObjectHandle, StorageId, TransactionId};
pub use pipes::{ClassRequest, Moved, Pipe, PipeError, Pipes};
pub use quirks::Quirks;
pub use session::{Limits, Received, Root, Session};
pub use sim::{SimPipes, SimResponder};
pub use text::Text;
pub use value::{
    Form, PropDesc, Value, battery_percent, battery_percent_of_value, decode_object_size,
};

/// Bytes asked of the bulk pipe at once, and the size of the only buffer a session keeps.
pub const TRANSFER_BYTES: usize = 256 * 1024;

/// The longest dataset, lists of handles apart. The longest sensible one is DeviceInfo: under 4 KiB.
pub const DATASET_BYTES_MAX: usize = 64 * 1024;

/// The most objects in one folder.
pub const HANDLES_MAX: usize = 200_000;
