//! A request body onto disk: streamed, hashed, compared, fsynced; never whole in memory.

use super::{
    errors::{disk, lost, refuse},
    incoming::{Transport, WatchedBody},
    sums::{Claims, Digests, Hasher},
};
use hyper::body::{Body as _, Bytes};
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Result, dto::StreamingBlob};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    pin::Pin,
};
use tokio::sync::mpsc;

/// The most bytes of one Put or one part, S3's own bound.
pub(super) const BODY_BYTES_MAX: u64 = 5 << 30;
/// Pieces between the socket and the disk; a piece is at most the connection's buffer.
const PIECES_MAX: usize = 4;

/// A temporary file that goes away unless it was given a name.
#[derive(Debug)]
pub(super) struct Temporary(PathBuf);

impl Temporary {
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing here; after a failure, `tmp` is emptied at start.
        let _ = fs::remove_file(&self.0);
    }
}

/// A body that came whole and is what its request says, fsynced.
#[derive(Debug)]
pub(super) struct Received {
    pub temporary: Temporary,
    pub digests: Digests,
}

enum Piece {
    Data(Bytes),
    /// The body is complete: fsync and sum up.
    End,
}

/// Receives the body of a request into a new file at `path`.
pub(super) async fn receive<T>(
    request: &mut S3Request<T>,
    body: Option<StreamingBlob>,
    path: PathBuf,
) -> S3Result<Received> {
    let length = declared_length(request)?;
    let mut claims = Claims::of(&request.headers)?;
    let hasher = Hasher::for_claims(&claims);
    let temporary = Temporary::at(path.clone());
    let (send, pieces) = mpsc::channel(PIECES_MAX);
    let writing = tokio::task::spawn_blocking(move || write_down(&path, hasher, pieces));

    let mut body = body.map_or_else(Body::empty, Body::from);
    let mut came = 0;
    let fault = loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        let piece = match frame {
            None if came == length => Piece::End,
            None => break Some(incomplete(came, length)),
            Some(Err(_)) => break Some(why_broken(request)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    came += data.len() as u64;
                    Piece::Data(data)
                }
                Err(_) => continue,
            },
        };
        if came > length {
            break Some(incomplete(came, length));
        }
        let last = matches!(piece, Piece::End);
        // A writer that is gone has its own error to tell.
        if send.send(piece).await.is_err() || last {
            break None;
        }
    };
    drop(send);
    let written = writing.await.map_err(lost)?;
    if let Some(fault) = fault {
        return Err(fault);
    }
    let digests = written.map_err(|error| disk("write an object", temporary.path(), &error))?;
    let digests = digests.ok_or_else(|| incomplete(came, length))?;
    let trailers = request.trailing_headers.take().and_then(|handle| handle.take());
    claims.add_trailers(trailers)?;
    claims.check(&digests)?;
    Ok(Received { temporary, digests })
}

fn declared_length<T>(request: &S3Request<T>) -> S3Result<u64> {
    let header = request.headers.get("content-length").and_then(|value| value.to_str().ok());
    let length = match header {
        Some(text) => text.parse().ok(),
        // RFC 9112, 6.3: a request with neither has no body.
        None => (!request.headers.contains_key("transfer-encoding")).then_some(0),
    };
    let length = length
        .ok_or_else(|| refuse(S3ErrorCode::MissingContentLength, "Content-Length is required"))?;
    if length > BODY_BYTES_MAX {
        return Err(refuse(S3ErrorCode::EntityTooLarge, "at most 5 GiB in one request"));
    }
    Ok(length)
}

fn incomplete(came: u64, length: u64) -> S3Error {
    let words = format!("{length} bytes were announced and {came} came");
    refuse(S3ErrorCode::IncompleteBody, words)
}

/// The stream failed: either the connection did, or the signature's hold on the payload.
fn why_broken<T>(request: &S3Request<T>) -> S3Error {
    let transport = request.extensions.get::<WatchedBody>().map(WatchedBody::transport);
    if transport == Some(Transport::Broken) {
        return refuse(S3ErrorCode::IncompleteBody, "the connection broke in the middle");
    }
    let payload = request.headers.get("x-amz-content-sha256").and_then(|v| v.to_str().ok());
    match payload {
        Some(payload) if payload.starts_with("STREAMING-AWS4") => {
            refuse(S3ErrorCode::SignatureDoesNotMatch, "a chunk is malformed or wrongly signed")
        }
        Some(payload) if payload.starts_with("STREAMING") => {
            refuse(S3ErrorCode::InvalidRequest, "the aws-chunked body is malformed")
        }
        _ => {
            let code = S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into());
            let mut error = refuse(code, "x-amz-content-sha256 is not that of the body");
            error.set_status_code(hyper::StatusCode::BAD_REQUEST);
            error
        }
    }
}

/// Runs on a blocking thread; `None` when the sender gave up before the end.
fn write_down(
    path: &Path,
    mut hasher: Hasher,
    mut pieces: mpsc::Receiver<Piece>,
) -> io::Result<Option<Digests>> {
    let mut file = File::create_new(path)?;
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Data(bytes) => {
                hasher.update(&bytes);
                file.write_all(&bytes)?;
            }
            Piece::End => {
                file.sync_all()?;
                return Ok(Some(hasher.finish()));
            }
        }
    }
    Ok(None)
}
