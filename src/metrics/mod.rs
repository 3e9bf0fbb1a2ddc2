//! Figures for people's tools: gathered when somebody asks, told as `bwvdock health` and in the
//! text formats of Prometheus.
//!
//! Invariants:
//! - What is not known is left out, never told as zero.
//! - Label sets are bounded: bays, the cameras docked in them, classes, verdicts, sensors. Nothing
//!   per recording or segment, and no officer anywhere.
//! - A scrape changes nothing and costs one look at the core.
//!
//! **Format.** OpenMetrics 1.0 where the reader asks for it (`Accept`), else the older text format
//! 0.0.4. Names end in their unit, counters in `_total`.

mod board;
mod http;
pub mod push;
mod sheet;
mod text;
mod vitals;

pub use board::{Board, Sensor};
pub use http::{bind, serve};
pub use push::{Push, PushVitals};
pub use text::{Format, exposition};
pub use vitals::{BayVitals, Vitals, VitalsError, gather};

#[cfg(test)]
mod tests;
