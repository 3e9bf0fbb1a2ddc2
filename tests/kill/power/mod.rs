//! The power fails: the dock's state lies on a real ext4 above a disk that forgets what was not
//! flushed, at a random moment or at every flush there is. The store and the cameras are outside
//! and stay as they were at that moment. And what comes of full, read-only and broken disks.

mod disk;
mod every_flush;
mod fuse;
mod mounted;
mod rounds;
mod store;
mod trouble;

pub use disk::{Frozen, Left};
pub use mounted::{BootId, Mounted, ext4, inside};
