//! The access log: one JSON line a request, to show afterwards what came, and when.
//!
//! **Format.** `{"at":RFC3339,"ms":N,"method":"PUT","path":"/bucket/key","part":N,"upload":ID,
//! "status":N,"bytes":N}`. `at` is when the head of the request came and `ms` how long it took from
//! there; `path` stands as it was sent, percent signs included; `part` and `upload` are there where
//! the query names them, and nothing else of the query is, for it may carry a signature. `bytes`
//! of the body came. Without `status` the connection broke before there was an answer.
//!
//! A line is written, in one write, before the answer leaves: whoever has an answer finds its line
//! in the log, whatever becomes of this process.

use super::incoming::WatchedBody;
use hyper::{StatusCode, http::request};
use jiff::Timestamp;
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// An access log, open for appending.
pub(super) struct AccessLog(Mutex<File>);

#[derive(Debug, Serialize)]
struct Line {
    at: Timestamp,
    ms: i64,
    method: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    bytes: u64,
}

impl AccessLog {
    /// Opens the file, or makes it; a line that a crash cut off is ended first.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::options().read(true).append(true).create(true).open(path)?;
        if file.seek(SeekFrom::End(0))? > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(Self(Mutex::new(file)))
    }

    /// Notes that a request began; its line is written when the answer is ready, or given up.
    pub fn begin(self: &Arc<Self>, head: &request::Parts, body: WatchedBody) -> Noted {
        let query = head.uri.query().unwrap_or_default();
        let named = |wanted: &str| {
            url::form_urlencoded::parse(query.as_bytes())
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.into_owned())
        };
        let line = Line {
            at: Timestamp::now(),
            ms: 0,
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            part: named("partNumber").and_then(|number| number.parse().ok()),
            upload: named("uploadId"),
            status: None,
            bytes: 0,
        };
        Noted { log: self.clone(), line, body }
    }

    fn write(&self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line).map_err(io::Error::other)?;
        bytes.push(b'\n');
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&bytes)
    }
}

/// A request under way.
pub(super) struct Noted {
    log: Arc<AccessLog>,
    line: Line,
    body: WatchedBody,
}

impl Noted {
    /// What the answer will be.
    pub fn answered(&mut self, status: StatusCode) {
        self.line.status = Some(status.as_u16());
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.line.bytes = self.body.bytes();
        self.line.ms = Timestamp::now().as_millisecond() - self.line.at.as_millisecond();
        if let Err(error) = self.log.write(&self.line) {
            tracing::warn!(%error, "vault: the access log cannot be written");
        }
    }
}
