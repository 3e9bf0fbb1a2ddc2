//! The CLI's end of the socket.

use super::{Answer, ROWS_MAX, Refusal, Request};
use crate::dock::report::Span;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

/// Why there is no answer, or not the wanted one.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no dock answers at {}", path.display())]
    Unreachable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("you may not open the dock's socket {}", path.display())]
    Forbidden {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the connection to the dock broke off")]
    Broken(#[source] io::Error),
    #[error("{}", .0.what)]
    Refused(Refusal),
    #[error("the dock's answer is not understood: is it of another version?")]
    Garbled(#[source] serde_json::Error),
}

/// A connection for one request.
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// # Errors
    /// [`ClientError::Unreachable`], [`ClientError::Forbidden`].
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let unreachable = |source: io::Error| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::PermissionDenied => ClientError::Forbidden { path, source },
                _ => ClientError::Unreachable { path, source },
            }
        };
        let stream = UnixStream::connect(path).map_err(unreachable)?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(unreachable)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// How long an answer may take, instead of a minute.
    ///
    /// # Errors
    /// [`ClientError::Broken`].
    pub fn be_patient(&mut self, patience: Duration) -> Result<(), ClientError> {
        self.stream.get_ref().set_read_timeout(Some(patience)).map_err(ClientError::Broken)
    }

    /// Asks and waits for the first answer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, ClientError> {
        let mut line = serde_json::to_vec(request).map_err(ClientError::Garbled)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).map_err(ClientError::Broken)?;
        self.next_answer()
    }

    /// The next answer of a `watch`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn next_answer<T: DeserializeOwned>(&mut self) -> Result<T, ClientError> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).map_err(ClientError::Broken)?;
        if read == 0 {
            return Err(ClientError::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        match serde_json::from_str(&line).map_err(ClientError::Garbled)? {
            Answer::Ok(value) => serde_json::from_value(value).map_err(ClientError::Garbled),
            Answer::Error(refusal) => Err(ClientError::Refused(refusal)),
        }
    }
}

/// Asks for the rows of a span, in as many answers as it takes; gives the one answer they would be.
///
/// # Errors
/// [`ClientError`].
pub fn ask_rows(
    path: &Path,
    Span { offset, limit }: Span,
    request: impl Fn(Span) -> Request,
) -> Result<Value, ClientError> {
    let ask = |at: usize| {
        let span = Span { offset: offset + at, limit: (limit - at).min(ROWS_MAX) };
        Client::connect(path)?.ask::<Value>(&request(span))
    };
    let held = |whole: &Value| whole["rows"].as_array().map_or(0, Vec::len);
    let mut whole = ask(0)?;
    while whole["more"].as_u64().unwrap_or(0) > 0 && held(&whole) < limit {
        let mut next = ask(held(&whole))?;
        let Some(rows) = next["rows"].as_array_mut().filter(|rows| !rows.is_empty()) else { break };
        if let Some(all) = whole["rows"].as_array_mut() {
            all.append(rows);
        }
        whole["total"] = next["total"].take();
        whole["more"] = next["more"].take();
    }
    whole["shown"] = json!(held(&whole));
    Ok(whole)
}
