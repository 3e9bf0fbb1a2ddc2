//! One part of a spool file as a request body: read ahead by one piece, paced by the limiter.
//!
//! A body holds no thread while it waits: each piece is read by a short job of its own, so many
//! parts on a slow road leave the threads to others. It is handed to the connection as it was
//! read, without another copy.

use crate::{spool::SpoolFile, store::Limiter};
use bytes::Bytes;
use futures_core::Stream;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{Sleep, sleep},
};

/// Bytes that the limiter lets go, and that are handed to the connection, at once.
const MORSEL: usize = 64 * 1024;

/// What happened to a body, for whoever waits for the call.
#[derive(Debug, Default)]
pub(super) struct Account {
    held_back_ms: AtomicU64,
    spool_error: OnceLock<String>,
}

impl Account {
    /// How long the bandwidth limit held the body back so far: no fault of the store's.
    pub(super) fn held_back(&self) -> Duration {
        Duration::from_millis(self.held_back_ms.load(Ordering::Relaxed))
    }

    /// Why the spool file could not be read, if it could not.
    pub(super) fn spool_error(&self) -> Option<&str> {
        self.spool_error.get().map(String::as_str)
    }
}

type Pieces = Box<dyn Iterator<Item = io::Result<Bytes>> + Send>;
type Reading = JoinHandle<(Pieces, Option<io::Result<Bytes>>)>;

/// `length` bytes from `offset` on.
pub(super) struct PartBody {
    /// None after the end, or after an error.
    reading: Option<Reading>,
    /// What is read and not handed on yet.
    rest: Bytes,
    waiting: Option<(Pin<Box<Sleep>>, Bytes)>,
    limiter: Limiter,
    account: Arc<Account>,
}

impl PartBody {
    /// Begins to read.
    pub(super) fn new(
        file: &SpoolFile,
        offset: u64,
        length: u64,
        limiter: Limiter,
    ) -> (Self, Arc<Account>) {
        let account = Arc::new(Account::default());
        let reading = Some(read(file.pieces(offset, length)));
        let kept = account.clone();
        (Self { reading, rest: Bytes::new(), waiting: None, limiter, account }, kept)
    }

    /// The next piece; the one after it is being read already.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let read_now = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let result = match read_now {
            Ok((pieces, Some(Ok(piece)))) => {
                self.reading = Some(read(pieces));
                return Poll::Ready(Some(Ok(piece)));
            }
            Ok((_, None)) => return Poll::Ready(None),
            Ok((_, Some(Err(error)))) => error,
            Err(error) => io::Error::other(error),
        };
        // The first error is the one to tell; a second one cannot come.
        let _ = self.account.spool_error.set(result.to_string());
        Poll::Ready(Some(Err(result)))
    }
}

fn read(mut pieces: Pieces) -> Reading {
    tokio::task::spawn_blocking(move || {
        let piece = pieces.next();
        (pieces, piece)
    })
}

impl Stream for PartBody {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.waiting.is_none() {
            if self.rest.is_empty() {
                match ready!(self.poll_piece(cx)) {
                    Some(Ok(piece)) => self.rest = piece,
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => return Poll::Ready(None),
                }
            }
            let size = self.rest.len().min(MORSEL);
            let morsel = self.rest.split_to(size);
            let wait = self.limiter.reserve_bytes(size as u64);
            if wait.is_zero() {
                return Poll::Ready(Some(Ok(morsel)));
            }
            self.account.held_back_ms.fetch_add(wait.as_millis() as u64, Ordering::Relaxed);
            self.waiting = Some((Box::pin(sleep(wait)), morsel));
        }
        if let Some((sleep, _)) = &mut self.waiting {
            ready!(sleep.as_mut().poll(cx));
        }
        Poll::Ready(self.waiting.take().map(|(_, morsel)| Ok(morsel)))
    }
}
