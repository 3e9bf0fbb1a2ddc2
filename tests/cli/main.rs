//! The command line as people and scripts meet it: the real binary, daemon and store.
//!
//! Screens are compared with the captures in `tests/fixtures/cli/`, which are there to be read.
//! After changing a screen on purpose: `BWVDOCK_BLESS=1 cargo test --test cli`, then review them.

mod concerns;
mod damage;
mod dock;
mod hidden;
mod journey;
mod local;
mod mask;
mod refusals;
mod terminal;
