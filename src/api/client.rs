//! The CLI's end of the socket.

use super::{Answer, Refusal, Request};
use serde::de::DeserializeOwned;
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
