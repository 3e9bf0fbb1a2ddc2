//! (being written)

pub mod chain;
pub mod receipt;
