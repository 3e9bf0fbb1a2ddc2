//! bwvdock: the docking-station service for body-worn video.
//!
//! The direction of dependencies is shell -> doors -> rules -> words (see ARCHITECTURE.md);
//! `tests/architecture.rs` keeps it so.

// words
pub mod config;
pub mod types;

// rules: no clock, no file, no socket, no thread, no log
pub mod charging;
pub mod custody;
pub mod dock;
pub mod evidence;
pub mod power;
pub mod ptp;
pub mod release;
pub mod seal;
pub mod transfer;
pub mod trust;
pub mod volume;

// doors: a trait, its real side and its simulated side
pub mod camera;
pub mod clock;
pub mod journal;
pub mod machine;
pub mod spool;
pub mod store;
pub mod usb;

// shell
pub mod api;
pub mod cli;
pub mod daemon;
#[cfg(feature = "vault")]
pub mod demo;
pub mod metrics;
#[cfg(feature = "vault")]
pub mod vault;
