//! The dock's rules in a small world of memory: cameras, spool, store and journal are maps.
//!
//! [`world::World`] keeps the order that [`super::machine`] asks for and checks
//! [`invariants`] after every event.

mod arrivals;
mod calls;
mod camera;
mod changing;
mod clocks;
mod concerns;
mod gone;
mod history;
mod invariants;
mod lacking;
mod life;
mod many;
mod marks;
mod reports;
mod rereads;
mod sending;
mod store;
mod trouble;
mod walk;
mod world;
