//! What went wrong, in two lines for people or one JSON object for machines.
//!
//! For people: stderr, `bwvdock: ` and what happened, then `  -> ` and what to do. With `--json`:
//! one object on stdout, `{"error", "next", "code", "exit"}`, and nothing on stderr. The exit status
//! is the same.

use super::render;
use crate::api::ClientError;
use serde_json::{Map, Value, json};
use std::process::ExitCode;

/// What the exit status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or everything agrees.
    Fine = 0,
    /// The answer is "no": a check found a difference, a verification failed.
    Differs = 1,
    /// The command line, the configuration or an argument is wrong.
    Usage = 2,
    /// No dock answers.
    Unreachable = 3,
    /// The dock refused: missing rights, or not possible now.
    Refused = 4,
    /// Anything else went wrong.
    Failed = 5,
}

impl Exit {
    /// The word for it, in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Differs => "differs",
            Self::Usage => "usage",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Something a person must be told: what happened, what to do, and the exit status.
#[derive(Debug)]
pub struct Complaint {
    pub what: String,
    pub next: String,
    pub exit: Exit,
    /// What else the JSON object holds.
    pub details: Map<String, Value>,
}

impl Complaint {
    pub fn new(exit: Exit, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), next: next.into(), exit, details: Map::new() }
    }

    /// With one more field in its JSON object.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.details.insert(field.to_owned(), value);
        self
    }

    /// Says it, in the form that was asked for; on a stream of JSON lines in one line.
    pub fn say(self, as_json: bool) -> ExitCode {
        let Self { what, next, exit, details } = self;
        if as_json {
            let mut object = json!({
                "error": what,
                "next": next,
                "code": exit.code(),
                "exit": exit as u8,
            });
            if let Some(object) = object.as_object_mut() {
                object.extend(details);
            }
            render::print_exact(&(object.to_string() + "\n"));
        } else {
            render::print_error(&format!("bwvdock: {what}\n  -> {next}\n"));
        }
        exit.into()
    }
}

impl From<ClientError> for Complaint {
    fn from(error: ClientError) -> Self {
        let what = crate::daemon::chain(&error);
        match error {
            ClientError::Unreachable { .. } => Self::new(
                Exit::Unreachable,
                what,
                "start it (`systemctl start bwvdock`), or name its socket with --socket",
            ),
            ClientError::Forbidden { .. } => Self::new(
                Exit::Refused,
                what,
                "ask an administrator for the rights to its folder, or use sudo",
            ),
            ClientError::Refused(refusal) => Self::new(Exit::Refused, refusal.what, refusal.next),
            ClientError::Broken(_) => {
                Self::new(Exit::Failed, what, "`journalctl -u bwvdock` says why, then ask again")
            }
            ClientError::Garbled(_) => {
                Self::new(Exit::Failed, what, "use the bwvdock that runs as the daemon")
            }
        }
    }
}
