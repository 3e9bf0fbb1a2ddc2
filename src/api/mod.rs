//! The local API: one JSON line asks, one JSON line answers, over a Unix socket.
//!
//! **Protocol, version 1.** The client writes one [`Request`] and a line feed; the server writes
//! one [`Answer`] and a line feed, or for `watch` one a period until the client hangs up. A
//! request is at most [`REQUEST_BYTES_MAX`] long; at most [`CLIENTS_MAX`] clients are served.
//!
//! Who asks is what the kernel says of the peer (`SO_PEERCRED`): root and the daemon's own user
//! may do everything; members of `admin_group` too; members of `read_group` may look.

mod client;
mod peer;
mod server;

pub use client::{Client, ClientError, ask_rows};
pub use peer::Rights;
pub use server::{Api, serve};

use crate::{
    dock::report::Filter,
    types::{BayName, CameraId, Class, ObjectId, RecordingId, fact::Target},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The longest request, bytes.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Clients served at the same time; the next one waits.
pub const CLIENTS_MAX: usize = 16;
/// The most rows one answer holds; a [`crate::dock::report::Page`] says how many more there are.
pub const ROWS_MAX: usize = 10_000;

/// What can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    Status,
    Bays,
    /// Everything that is told of the dock's health.
    Health,
    /// The cameras this dock ever knew.
    Cameras,
    /// One of them with its past dockings; the answer is null if this dock never knew it.
    Camera {
        camera: CameraId,
    },
    Recordings {
        filter: Filter,
    },
    Segments {
        filter: Filter,
    },
    Queue {
        #[serde(default)]
        offset: usize,
        limit: usize,
    },
    Why {
        id: Uuid,
    },
    /// Why the light of a bay is what it is.
    WhyBay {
        bay: BayName,
    },
    /// How a camera stands, and why.
    WhyCamera {
        camera: CameraId,
    },
    /// As the two before, by a name; the answer is null when neither has it.
    WhyNamed {
        name: String,
    },
    /// Ids that end in these hexadecimal digits.
    Find {
        digits: String,
    },
    Reconcile {
        camera: Option<CameraId>,
    },
    /// What the release rule would do, with nothing done.
    DryRun {
        #[serde(default)]
        offset: usize,
        limit: usize,
    },
    /// Lines of the custody log, as they stand on disk: from this one, or else the last.
    Custody {
        #[serde(default)]
        from: Option<u64>,
        limit: u64,
    },
    Receipt {
        object: ObjectId,
    },
    /// What is wrong with the dock and its surroundings.
    Doctor,
    /// A status a period, until the client hangs up.
    Watch {
        every_ms: u64,
    },
    Pause {
        target: Target,
        reason: String,
    },
    Resume {
        target: Target,
        #[serde(default)]
        reason: Option<String>,
    },
    Retry {
        target: Target,
        #[serde(default)]
        reason: Option<String>,
    },
    Hold {
        target: Target,
        reason: String,
    },
    Unhold {
        target: Target,
        reason: String,
    },
    /// A person knows of what is wrong with a camera, and why.
    Acknowledge {
        camera: CameraId,
        /// Only what has this in its words.
        #[serde(default)]
        only: Option<String>,
        reason: String,
    },
    Reclass {
        recording: RecordingId,
        class: Class,
        reason: String,
    },
    /// Go on with the damage of the custody log that begins at this line.
    AcceptDamage {
        first_seq: u64,
        reason: String,
    },
    /// Look at the docked cameras again and release what the rule allows.
    Release,
}

impl Request {
    /// Whether it changes anything.
    pub fn is_command(&self) -> bool {
        match self {
            Self::Status
            | Self::Bays
            | Self::Health
            | Self::Cameras
            | Self::Camera { .. }
            | Self::Recordings { .. }
            | Self::Segments { .. }
            | Self::Queue { .. }
            | Self::Why { .. }
            | Self::WhyBay { .. }
            | Self::WhyCamera { .. }
            | Self::WhyNamed { .. }
            | Self::Find { .. }
            | Self::Reconcile { .. }
            | Self::DryRun { .. }
            | Self::Custody { .. }
            | Self::Receipt { .. }
            | Self::Doctor
            | Self::Watch { .. } => false,
            Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Retry { .. }
            | Self::Hold { .. }
            | Self::Unhold { .. }
            | Self::Acknowledge { .. }
            | Self::Reclass { .. }
            | Self::AcceptDamage { .. }
            | Self::Release => true,
        }
    }
}

/// What comes back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Ok(Value),
    Error(Refusal),
}

/// Why not, in two sentences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What happened.
    pub what: String,
    /// What to do next.
    pub next: String,
}

impl Refusal {
    pub fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), next: next.into() }
    }
}
