//! Commands that ask the running daemon.

use super::{Complaint, Exit, Outcome, Selection, WhyOf, id::GivenId, render, screens};
use crate::{
    api::{Client, Request},
    daemon::Finding,
    dock::report::{
        BayReport, CameraBalance, DryRun, Explanation, Filter, Kind, ObjectRow, RecordingRow,
        SegmentRow, StatusReport,
    },
    types::{CameraId, Class, ObjectId, RecordingId, fact::Target},
};
use serde_json::Value;
use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
};

const SOCKET: &str = "/run/bwvdock/api.sock";
const CONFIG: &str = "/etc/bwvdock/bwvdock.toml";

/// Asks, and prints the answer as words or as JSON.
pub struct Asker {
    socket: PathBuf,
    json: bool,
}

impl Asker {
    pub fn new(socket: Option<PathBuf>, json: bool) -> Self {
        // The configuration is only read when it is needed, and need not be readable by everybody.
        let configured = || {
            let config = crate::config::load(CONFIG.as_ref()).ok()?;
            Some(config.api.socket)
        };
        let socket = socket.or_else(configured).unwrap_or_else(|| SOCKET.into());
        Self { socket, json }
    }

    /// Where the daemon is asked.
    pub fn socket(&self) -> &std::path::Path {
        &self.socket
    }

    /// Asks for something that is not printed.
    ///
    /// # Errors
    /// A [`Complaint`].
    pub fn ask<T: serde::de::DeserializeOwned>(&self, request: &Request) -> Result<T, Complaint> {
        Ok(Client::connect(&self.socket)?.ask(request)?)
    }

    /// The whole id of a recording.
    ///
    /// # Errors
    /// A [`Complaint`].
    pub fn recording(&self, id: &GivenId) -> Result<RecordingId, Complaint> {
        id.resolve(self, &[Kind::Recording]).map(RecordingId)
    }

    fn value(&self, request: &Request) -> Result<Value, Complaint> {
        self.ask(request)
    }

    /// Asks, prints JSON if that is wanted, or else what `words` makes of the answer.
    fn show<T: serde::de::DeserializeOwned>(
        &self,
        request: &Request,
        words: impl FnOnce(&T) -> String,
    ) -> Result<T, Complaint> {
        let value = self.value(request)?;
        let typed: T = serde_json::from_value(value.clone())
            .map_err(|error| Complaint::from(crate::api::ClientError::Garbled(error)))?;
        let text = if self.json { render::json(&value) } else { words(&typed) };
        render::print(&text);
        Ok(typed)
    }

    pub fn status(&self) -> Outcome {
        self.show(&Request::Status, |status: &StatusReport| screens::status(status))?;
        Ok(Exit::Fine)
    }

    pub fn bays(&self) -> Outcome {
        self.show(&Request::Bays, |bays: &Vec<BayReport>| screens::bays(bays))?;
        Ok(Exit::Fine)
    }

    pub fn watch(&self, every: f64) -> Outcome {
        if !(0.05..=60.0).contains(&every) {
            let what = format!("--every {every} is not possible");
            return Err(Complaint::new(Exit::Usage, what, "give 0.05 to 60 seconds"));
        }
        let mut client = Client::connect(&self.socket)?;
        let every_ms = (every * 1000.0) as u64;
        let mut value: Value = client.ask(&Request::Watch { every_ms })?;
        let clear = std::io::stdout().is_terminal() && !self.json;
        loop {
            let text = if self.json {
                value.to_string() + "\n"
            } else {
                match serde_json::from_value::<StatusReport>(value) {
                    Ok(status) => screens::status(&status),
                    Err(error) => return Err(crate::api::ClientError::Garbled(error).into()),
                }
            };
            let mut out = std::io::stdout().lock();
            let start = if clear { "\x1b[H\x1b[J" } else { "" };
            // A closed pipe is how a watch in a script ends.
            if write!(out, "{start}{text}").and_then(|()| out.flush()).is_err() {
                return Ok(Exit::Fine);
            }
            value = client.next_answer()?;
        }
    }

    pub fn recordings(&self, selection: Selection) -> Outcome {
        let request = Request::Recordings { filter: self.filter(selection)? };
        self.show(&request, |rows: &Vec<RecordingRow>| screens::recordings(rows))?;
        Ok(Exit::Fine)
    }

    pub fn segments(&self, selection: Selection) -> Outcome {
        let request = Request::Segments { filter: self.filter(selection)? };
        self.show(&request, |rows: &Vec<SegmentRow>| screens::segments(rows))?;
        Ok(Exit::Fine)
    }

    pub fn queue(&self, limit: usize) -> Outcome {
        self.show(&Request::Queue { limit }, |rows: &Vec<ObjectRow>| screens::queue(rows))?;
        Ok(Exit::Fine)
    }

    pub fn why(&self, of: WhyOf) -> Outcome {
        let request = match of {
            WhyOf { bay: Some(bay), .. } => Request::WhyBay { bay },
            WhyOf { camera: Some(camera), .. } => Request::WhyCamera { camera },
            WhyOf { what, .. } => return self.why_of(&what.unwrap_or_default()),
        };
        self.show(&request, |answer: &Explanation| screens::why(answer))?;
        Ok(Exit::Fine)
    }

    /// A plain word: the name of a bay or a camera before the end of an id.
    fn why_of(&self, what: &str) -> Outcome {
        let request = Request::WhyNamed { name: what.to_owned() };
        if self.ask::<Option<Explanation>>(&request)?.is_some() {
            self.show(&request, |answer: &Explanation| screens::why(answer))?;
            return Ok(Exit::Fine);
        }
        let id: GivenId = what.parse().map_err(|words: String| {
            let what = format!("this dock knows no bay and no camera {what:?}, and {words}");
            Complaint::new(Exit::Refused, what, "`bwvdock bays` and `reconcile` list the names")
        })?;
        let id = id.resolve(self, &[Kind::Recording, Kind::Segment, Kind::Object])?;
        self.show(&Request::Why { id }, |answer: &Explanation| screens::why(answer))?;
        Ok(Exit::Fine)
    }

    pub fn reconcile(&self, camera: Option<CameraId>) -> Outcome {
        let balances = self.show(&Request::Reconcile { camera }, |rows: &Vec<CameraBalance>| {
            screens::reconcile(rows)
        })?;
        let clean = balances.iter().all(|balance| balance.clean);
        Ok(if clean { Exit::Fine } else { Exit::Differs })
    }

    pub fn dry_run(&self, limit: usize) -> Outcome {
        self.show(&Request::DryRun { limit }, |run: &DryRun| screens::dry_run(run))?;
        Ok(Exit::Fine)
    }

    pub fn doctor(&self) -> Outcome {
        let findings =
            self.show(&Request::Doctor, |found: &Vec<Finding>| screens::doctor(found))?;
        let well = findings.iter().all(|finding| finding.fine);
        Ok(if well { Exit::Fine } else { Exit::Differs })
    }

    pub fn receipt(&self, object: &GivenId) -> Outcome {
        let object = ObjectId(object.resolve(self, &[Kind::Object])?);
        let text: String = self.ask(&Request::Receipt { object })?;
        // The receipt is JSON already, and its exact bytes are what is signed.
        render::print(&text);
        Ok(Exit::Fine)
    }

    pub fn custody_show(&self, from: Option<u64>, limit: u64) -> Outcome {
        let from = match from {
            Some(from) => from,
            None => {
                let status: StatusReport = self.ask(&Request::Status)?;
                (status.custody_seq + 1).saturating_sub(limit).max(1)
            }
        };
        let request = Request::Custody { from, limit };
        self.show(&request, |lines: &Vec<crate::types::fact::Entry>| screens::custody(lines))?;
        Ok(Exit::Fine)
    }

    fn command(&self, request: &Request) -> Outcome {
        let words = self.value(request)?;
        let text = match (&words, self.json) {
            (Value::String(words), false) => format!("{words}\n"),
            (words, _) => render::json(words),
        };
        render::print(&text);
        Ok(Exit::Fine)
    }

    pub fn pause(&self, target: Target, reason: String) -> Outcome {
        self.command(&Request::Pause { target, reason })
    }
    pub fn resume(&self, target: Target, reason: Option<String>) -> Outcome {
        self.command(&Request::Resume { target, reason })
    }
    pub fn retry(&self, target: Target, reason: Option<String>) -> Outcome {
        self.command(&Request::Retry { target, reason })
    }
    pub fn hold(&self, target: Target, reason: String) -> Outcome {
        self.command(&Request::Hold { target, reason })
    }
    pub fn unhold(&self, target: Target, reason: String) -> Outcome {
        self.command(&Request::Unhold { target, reason })
    }
    pub fn acknowledge(&self, camera: CameraId, only: Option<String>, reason: String) -> Outcome {
        self.command(&Request::Acknowledge { camera, only, reason })
    }
    pub fn flag(&self, recording: RecordingId, class: Class, reason: String) -> Outcome {
        self.command(&Request::Reclass { recording, class, reason })
    }
    pub fn accept_damage(&self, first_seq: u64, reason: String) -> Outcome {
        self.command(&Request::AcceptDamage { first_seq, reason })
    }
    pub fn release(&self) -> Outcome {
        self.command(&Request::Release)
    }

    fn filter(&self, selection: Selection) -> Result<Filter, Complaint> {
        let vanished = selection.vanished.then_some(crate::dock::Stage::Vanished);
        Ok(Filter {
            camera: selection.camera,
            recording: selection.recording.map(|id| self.recording(&id)).transpose()?,
            stage: selection.stage.or(vanished),
            unsound: selection.unsound,
            limit: selection.limit,
        })
    }
}
