//! How sealed objects get to the store: what to ask, when, and what counts as proof.
//!
//! Pure. [`Upload`] is the machine of one object: it is polled for a [`Step`], the shell performs
//! it and hands the result back. Everything else here decides when: [`order`] (which object is
//! next), [`window`] (whether it may go now), [`backoff`] (how long to wait after a failure),
//! [`rate`] (how fast), [`estimate`] (when all of it will be safe). [`marks`] says how the class of
//! an object is established at the store, and changed there.
//!
//! Invariants, tested against a simulated store with random faults:
//! - an object is called stored only after a HEAD that came after the last change we made, and
//!   whose size, digest and metadata are those of the sealed object (else it is read back);
//! - an object that is there and is not ours is never overwritten and never called stored;
//! - nothing is sent again that the store provably has, and nothing is assumed on doubt.

mod answer;
pub mod backoff;
pub mod estimate;
pub mod marks;
pub mod order;
mod parts;
mod proof;
pub mod rate;
mod upload;
pub mod window;

pub use crate::types::StoreNeed;
pub use answer::{
    Answer, Call, Distrust, Enforces, Fault, ListedPart, ObjectHead, OpenUpload, PartAck,
    StoreError,
};
pub use backoff::{Backoff, Random};
pub use proof::{StoredProof, md5_composite};
pub use upload::{GiveUp, Limits, Resume, Step, Upload, Why};
