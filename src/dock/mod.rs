//! The dock's rules: facts folded into state, events turned into facts and actions.
//!
//! Pure: no clock, file, socket, thread or log. `fold` is the only writer of the folded state and
//! runs after a fact is durable, so whatever a rule reads here is on disk.

mod fold;
pub mod state;
mod table;

pub use fold::fold;
pub use state::{Records, Stage};
pub use table::{IndexBroken, MemoryTable, Table, View};
