//! One part of a spool file as a request body: read ahead by two pieces, paced by the limiter.

use crate::{spool::SpoolFile, store::Limiter};
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
    sync::mpsc,
    time::{Sleep, sleep},
};

/// Bytes that are read and handed to the connection at once.
const PIECE: usize = 64 * 1024;
const READ_AHEAD: usize = 2;

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

/// `length` bytes from `offset` on.
pub(super) struct PartBody {
    pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
    waiting: Option<(Pin<Box<Sleep>>, Vec<u8>)>,
    limiter: Limiter,
    account: Arc<Account>,
}

impl PartBody {
    /// Begins to read on a blocking thread, which ends when the body is dropped.
    pub(super) fn new(
        file: &SpoolFile,
        offset: u64,
        length: u64,
        limiter: Limiter,
    ) -> (Self, Arc<Account>) {
        let (sender, pieces) = mpsc::channel(READ_AHEAD);
        let account = Arc::new(Account::default());
        let (file, kept) = (file.clone(), account.clone());
        tokio::task::spawn_blocking(move || {
            let mut reader = file.reader(offset, length);
            while let Some(piece) = reader.next(PIECE).transpose() {
                if let Err(error) = &piece {
                    // The first error is the one to tell; a second one cannot come.
                    let _ = account.spool_error.set(error.to_string());
                }
                let failed = piece.is_err();
                if sender.blocking_send(piece).is_err() || failed {
                    return;
                }
            }
        });
        (Self { pieces, waiting: None, limiter, account: kept.clone() }, kept)
    }
}

impl Stream for PartBody {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.waiting.is_none() {
            let piece = match ready!(self.pieces.poll_recv(cx)) {
                Some(Ok(piece)) => piece,
                other => return Poll::Ready(other),
            };
            let wait = self.limiter.reserve_bytes(piece.len() as u64);
            if wait.is_zero() {
                return Poll::Ready(Some(Ok(piece)));
            }
            self.account.held_back_ms.fetch_add(wait.as_millis() as u64, Ordering::Relaxed);
            self.waiting = Some((Box::pin(sleep(wait)), piece));
        }
        if let Some((sleep, _)) = &mut self.waiting {
            ready!(sleep.as_mut().poll(cx));
        }
        Poll::Ready(self.waiting.take().map(|(_, piece)| Ok(piece)))
    }
}
