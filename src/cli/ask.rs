//! Commands that ask the running daemon.

use super::{
    Complaint, Exit, Outcome, Selection, WhyOf, balance, cameras, custody::Wanted, dry_run,
    id::GivenId, lists, lists::Rows, render, screens, watch,
};
use crate::{
    api::{Client, ClientError, Request},
    daemon::Finding,
    dock::report::{
        BayReport, CameraBalance, CameraRow, DryRun, Explanation, Filter, Kind, ObjectRow, Page,
        RecordingRow, SegmentRow, Span, StatusReport,
    },
    types::{CameraId, Class, ObjectId, RecordingId, fact::Entry, fact::Target},
};
use serde_json::Value;
use std::path::PathBuf;

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

    /// Whether JSON is wanted instead of words.
    pub fn wants_json(&self) -> bool {
        self.json
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
        let typed: T = serde_json::from_value(render::one_line(value.clone()))
            .map_err(|error| Complaint::from(ClientError::Garbled(error)))?;
        match self.json {
            true => render::print_json(&value),
            false => render::print(&words(&typed)),
        }
        Ok(typed)
    }

    pub fn status(&self) -> Outcome {
        self.show(&Request::Status, |status: &StatusReport| screens::status(status))?;
        Ok(Exit::Fine)
    }

    pub fn bays(&self) -> Outcome {
        self.show(&Request::Bays, |bays: &Vec<BayReport>| {
            screens::bays(bays, jiff::Timestamp::now())
        })?;
        Ok(Exit::Fine)
    }

    pub fn health(&self) -> Outcome {
        self.show(&Request::Health, super::health::health)?;
        Ok(Exit::Fine)
    }

    pub fn cameras(&self, csv: bool) -> Outcome {
        if csv {
            // For machines: as it is, whatever the terminal.
            let rows: Vec<CameraRow> = self.ask(&Request::Cameras)?;
            render::print_exact(&cameras::csv(&rows));
            return Ok(Exit::Fine);
        }
        let now = jiff::Timestamp::now();
        self.show(&Request::Cameras, |rows: &Vec<CameraRow>| cameras::list(rows, now))?;
        Ok(Exit::Fine)
    }

    pub fn camera(&self, camera: CameraId) -> Outcome {
        let known: Option<CameraRow> = self.ask(&Request::Camera { camera: camera.clone() })?;
        let Some(row) = known else {
            return Err(Complaint::new(
                Exit::Refused,
                format!("no camera {camera} was ever docked here"),
                "`bwvdock cameras` lists those that were",
            ));
        };
        match self.json {
            true => render::print_json(&serde_json::to_value(&row).unwrap_or_default()),
            false => render::print(&cameras::one(&row, jiff::Timestamp::now())),
        }
        Ok(Exit::Fine)
    }

    pub fn watch(&self, every: f64) -> Outcome {
        watch::watch(&self.socket, every, self.json)
    }

    /// Asks for the rows of a list and prints them.
    fn list<T: serde::de::DeserializeOwned>(
        &self,
        rows: &Rows,
        request: impl Fn(Span) -> Request,
        words: impl FnOnce(&T) -> String,
    ) -> Outcome {
        let value = lists::ask(self, rows, request)?;
        lists::show(self, &value, words)?;
        Ok(Exit::Fine)
    }

    pub fn recordings(&self, selection: Selection) -> Outcome {
        let (filter, rows) = self.filter(selection)?;
        let request = |span| Request::Recordings { filter: within(&filter, span) };
        self.list(&rows, request, |page: &Page<RecordingRow>| screens::recordings(page))
    }

    pub fn segments(&self, selection: Selection) -> Outcome {
        let (filter, rows) = self.filter(selection)?;
        let request = |span| Request::Segments { filter: within(&filter, span) };
        self.list(&rows, request, |page: &Page<SegmentRow>| screens::segments(page))
    }

    pub fn queue(&self, rows: &Rows) -> Outcome {
        let request = |Span { offset, limit }| Request::Queue { offset, limit };
        self.list(rows, request, |page: &Page<ObjectRow>| screens::queue(page))
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
            balance::reconcile(rows)
        })?;
        let clean = balances.iter().all(|balance| balance.clean);
        Ok(if clean { Exit::Fine } else { Exit::Differs })
    }

    pub fn dry_run(&self, rows: &Rows) -> Outcome {
        let request = |Span { offset, limit }| Request::DryRun { offset, limit };
        self.list(rows, request, |run: &DryRun| dry_run::dry_run(run))
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
        render::print_exact(&text);
        Ok(Exit::Fine)
    }

    pub fn custody_show(&self, wanted: Wanted) -> Outcome {
        let value = wanted.ask(self)?;
        lists::show(self, &value, |page: &Page<Entry>| screens::custody(page))?;
        Ok(Exit::Fine)
    }

    fn command(&self, request: &Request) -> Outcome {
        let words: String = self.ask(request)?;
        match self.json {
            false => render::print(&words),
            true => render::print_json(&done(request, words)),
        }
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

    fn filter(&self, selection: Selection) -> Result<(Filter, Rows), Complaint> {
        let vanished = selection.vanished.then_some(crate::dock::Stage::Vanished);
        let filter = Filter {
            camera: selection.camera,
            recording: selection.recording.map(|id| self.recording(&id)).transpose()?,
            stage: selection.stage.or(vanished),
            unsound: selection.unsound,
            offset: 0,
            limit: 0,
        };
        Ok((filter, selection.rows))
    }
}

/// An act for machines: `act` names it, `words` say what was done, and what it was asked about has
/// the fields of the request.
fn done(request: &Request, words: String) -> Value {
    let asked = serde_json::to_value(request).unwrap_or_default();
    let mut answer = serde_json::Map::new();
    if let Value::Object(fields) = asked {
        let named = fields.into_iter().filter(|(_, value)| !value.is_null());
        answer.extend(named.map(|(name, value)| match name.as_str() {
            "ask" => ("act".to_owned(), value),
            _ => (name, value),
        }));
    }
    answer.insert("words".into(), words.into());
    Value::Object(answer)
}

fn within(filter: &Filter, Span { offset, limit }: Span) -> Filter {
    Filter { offset, limit, ..filter.clone() }
}
