//! The caller's end of a commit.

use super::{
    JournalError,
    committer::{Request, WAITING_MAX},
};
use crate::{custody::chain::Head, types::fact::NewFact};
use jiff::Timestamp;
use std::{
    pin::Pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    task::{Context, Poll},
};
use tokio::sync::oneshot;

/// Facts that are in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The number of the first line; one more than `head.seq` if there were no facts.
    pub first: u64,
    /// The last line.
    pub head: Head,
    /// Whether the lines are on the device already. Always, if any fact had to be.
    pub is_durable: bool,
}

/// The answer to a commit, when it comes.
#[derive(Debug)]
#[must_use = "a consequence may be shown only after the answer"]
pub struct Commit(oneshot::Receiver<Result<Committed, JournalError>>);

impl Commit {
    /// Waits for the answer. Not from async code.
    ///
    /// # Errors
    /// The failure that stopped the journal, [`JournalError::TooLong`] or [`JournalError::Closed`].
    pub fn wait(self) -> Result<Committed, JournalError> {
        self.0.blocking_recv().unwrap_or(Err(JournalError::Closed))
    }
}

impl Future for Commit {
    type Output = Result<Committed, JournalError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or(Err(JournalError::Closed)))
    }
}

/// The bounded queue to the committer.
#[derive(Debug)]
pub(super) struct Requests(Mutex<Option<SyncSender<Request>>>);

impl Requests {
    pub fn channel() -> (Self, Receiver<Request>) {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        (Self(Mutex::new(Some(sender))), receiver)
    }

    pub fn commit(&self, facts: Vec<NewFact>, at: Timestamp) -> Commit {
        let (ack, answer) = oneshot::channel();
        self.send(Request::Commit { facts, at, ack });
        Commit(answer)
    }

    pub fn close(&self) -> Result<(), JournalError> {
        let (ack, answer) = oneshot::channel();
        self.send(Request::Close { ack });
        self.hang_up();
        answer.blocking_recv().unwrap_or(Err(JournalError::Closed))
    }

    pub fn hang_up(&self) {
        drop(lock(&self.0).take());
    }

    /// A request nobody takes is dropped with its answer, which its caller sees as closed.
    fn send(&self, request: Request) {
        // Sent outside the lock: a full queue must not keep `hang_up` waiting.
        let sender = lock(&self.0).clone();
        if let Some(sender) = sender {
            let _ = sender.send(request);
        }
    }
}

pub(super) fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    // Options taken or put whole are never half changed.
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
