//! The command line as people and scripts meet it: the real binary, daemon and store.
//!
//! Screens are compared with the captures in `tests/fixtures/cli/`, which are there to be read.
//! After changing a screen on purpose: `BWVDOCK_BLESS=1 cargo test --test cli`, then review them.

#![cfg(feature = "vault")]

mod concerns;
mod damage;
mod dock;
mod gone;
mod hidden;
mod journey;
mod local;
mod mask;
mod refusals;
mod terminal;
