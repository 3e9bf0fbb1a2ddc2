//! The clock door: what time it is, and whether the dock's clock deserves belief.
//!
//! Real side: [`RealClock`]. Simulated side: [`SimClock`], which stands still until it is set.

mod real;
mod sim;

pub use real::{RealClock, boot_id};
pub use sim::SimClock;

use jiff::Timestamp;

/// Reads the dock's clock.
pub trait Clock: Send + Sync {
    /// UTC now.
    fn now(&self) -> Timestamp;
    /// Whether the kernel's clock is synchronised (adjtimex(2): not `STA_UNSYNC`).
    fn is_synchronised(&self) -> bool;
}
