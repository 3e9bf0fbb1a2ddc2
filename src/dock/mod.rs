//! The dock's rules: facts folded into state, events turned into facts and actions.
//!
//! Pure: no clock, file, socket, thread or log. `fold` is the only writer of the folded state and
//! runs after a fact is durable, so whatever a rule reads here is on disk. See
//! [`machine`] for the order that the caller keeps.

mod acknowledging;
mod arriving;
pub mod clearing;
mod completeness;
mod copying;
mod elapsed;
pub mod event;
mod finishing;
mod fold;
mod growing;
pub mod history;
mod ingest;
mod lacking;
pub mod machine;
mod marking;
mod marks;
mod people;
mod recording;
mod releasing;
pub mod report;
pub mod sending;
pub mod spooled;
pub mod state;
mod table;
mod uploading;

pub use event::{Action, Command, Event, Step};
pub use finishing::FinishTrouble;
pub use fold::{FOLD_VERSION, fold};
pub use machine::{Dock, IdSource, LogDamage, Settings};
pub use people::describe;
pub use state::{Records, Stage};
pub use table::{IndexBroken, MemoryTable, Table, View, Visit};
pub use uploading::StoreTrouble;

#[cfg(test)]
mod tests;
