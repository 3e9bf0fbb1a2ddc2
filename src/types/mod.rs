//! The words everything else is said in: ids, digests, paths, verdicts and facts.
//!
//! Pure data. Nothing here knows a file, a socket or a clock; times are `jiff::Timestamp` values
//! that somebody else read.

mod condition;
mod digest;
pub mod fact;
mod id;
mod listing;
mod mark;
mod path;
mod plain;
mod port;
mod store_need;
mod usb;
mod verdict;

pub use condition::Condition;
pub use digest::{DigestError, Md5Digest, Sha256Digest};
pub use id::{Actor, BayName, CameraId, DockId, IdError, ObjectId, RecordingId, SegmentId};
pub use listing::{FileEntry, Listing};
pub use mark::ChangeMark;
pub use path::{PathError, SourcePath};
pub use plain::{is_hidden, plain, plain_line};
pub use port::{HubPath, PortError, PortPath};
pub use store_need::StoreNeed;
pub use usb::{UsbClass, UsbDevice, UsbId, UsbInterface, UsbTextError};
pub use verdict::{Class, FileKind, ReceiptLevel, Trust, Verdict};
