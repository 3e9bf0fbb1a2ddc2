//! (being written)

pub mod receipt;
pub mod sign;
