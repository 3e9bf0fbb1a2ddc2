//! The one thread that writes: gathers what waits, writes once, syncs once, folds, answers.

use super::{
    Committed, FoldFn, JournalError,
    append::{self, Appender, Encoded},
    index::{self, Index},
    shared::Shared,
    survey::UNSYNCED_BYTES_MAX,
};
use crate::{
    custody::chain::Head,
    types::{
        DockId,
        fact::{Entry, NewFact},
    },
};
use jiff::Timestamp;
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// How many requests may wait before the next caller waits too.
pub(super) const WAITING_MAX: usize = 1024;
/// No group grows past this before it is written, so that one write stays far below the bound
/// within which a power cut may tear.
const GROUP_BYTES_MAX: usize = 512 << 10;
/// An index this far ahead of its last checkpoint is flushed even while there is work.
const CHECKPOINT_LINES: u64 = 8192;
/// Otherwise it is flushed this long after the last one, when nothing is waiting.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);

pub(super) type Ack = oneshot::Sender<Result<Committed, JournalError>>;

pub(super) enum Request {
    Commit { facts: Vec<NewFact>, at: Timestamp, ack: Ack },
    Close { ack: oneshot::Sender<Result<(), JournalError>> },
}

/// Lines encoded but not yet written, and who waits for them.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    acks: Vec<(Ack, Committed)>,
    must_be_durable: bool,
}

pub(super) struct Committer {
    pub requests: Receiver<Request>,
    pub appender: Appender,
    pub index: Index,
    pub fold: FoldFn,
    pub dock: DockId,
    pub shared: Arc<Shared>,
    pub progress_lag: Duration,
    /// The last line encoded.
    head: Head,
    group: Group,
    unsynced_bytes: u64,
    sync_due: Option<Instant>,
    lines_since_checkpoint: u64,
    last_checkpoint: Instant,
}

impl Committer {
    pub fn new(
        requests: Receiver<Request>,
        appender: Appender,
        index: Index,
        fold: FoldFn,
        dock: DockId,
        shared: Arc<Shared>,
        progress_lag: Duration,
    ) -> Self {
        let head = shared.head();
        Self {
            requests,
            appender,
            index,
            fold,
            dock,
            shared,
            progress_lag,
            head,
            group: Group::default(),
            unsynced_bytes: 0,
            sync_due: None,
            lines_since_checkpoint: 0,
            last_checkpoint: Instant::now(),
        }
    }

    /// Serves until asked to close or until nobody can ask any more.
    pub fn run(mut self) {
        let mut closing = None;
        while closing.is_none() {
            match self.requests.recv_timeout(self.patience()) {
                Ok(first) => closing = self.serve(first),
                Err(RecvTimeoutError::Timeout) => self.idle(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.shared.failure().is_none() {
            let synced = self.sync();
            self.latch_if_failed(synced);
        }
        let Some(ack) = closing else { return };
        let outcome = match self.shared.failure() {
            Some(error) => Err(error),
            None => self.index.close(),
        };
        // Nobody left to hear it is nobody to tell.
        let _ = ack.send(outcome);
    }

    /// How long there is nothing to do unless somebody asks.
    fn patience(&self) -> Duration {
        if self.shared.failure().is_some() {
            return CHECKPOINT_EVERY;
        }
        let idle = CHECKPOINT_EVERY.saturating_sub(self.last_checkpoint.elapsed());
        let lag = self.sync_due.map(|due| due.saturating_duration_since(Instant::now()));
        lag.unwrap_or(Duration::MAX).min(idle).min(CHECKPOINT_EVERY)
    }

    fn idle(&mut self) {
        if self.shared.failure().is_some() {
            return;
        }
        let outcome = if self.sync_is_due() { self.sync() } else { self.checkpoint() };
        self.latch_if_failed(outcome);
    }

    /// Takes everything that waits, so that all of it shares one write and one sync.
    fn serve(&mut self, first: Request) -> Option<oneshot::Sender<Result<(), JournalError>>> {
        let mut next = Some(first);
        let mut closing = None;
        while let Some(request) = next {
            match request {
                Request::Close { ack } => {
                    closing = Some(ack);
                    break;
                }
                Request::Commit { facts, at, ack } => self.take(facts, at, ack),
            }
            let is_full = self.group.bytes.len() >= GROUP_BYTES_MAX;
            next = if is_full { None } else { self.requests.try_recv().ok() };
        }
        let mut outcome = self.settle();
        if outcome.is_ok() && self.lines_since_checkpoint >= CHECKPOINT_LINES {
            outcome = self.checkpoint();
        }
        self.latch_if_failed(outcome);
        closing
    }

    fn take(&mut self, facts: Vec<NewFact>, at: Timestamp, ack: Ack) {
        let taken = match self.shared.failure() {
            Some(error) => Err(error),
            None => append::encode(facts, at, &self.dock, self.head),
        };
        let encoded = match taken {
            Ok(encoded) => encoded,
            // Refused before it touched the log: the log itself goes on.
            Err(error) => return drop(ack.send(Err(error))),
        };
        if let Err(error) = self.make_room(at, encoded.bytes.len()) {
            drop(ack.send(Err(error.clone())));
            return self.latch_if_failed(Err(error));
        }
        let Encoded { bytes, entries, head, must_be_durable } = encoded;
        let group = &mut self.group;
        let committed = Committed { first: self.head.seq + 1, head, is_durable: false };
        self.head = head;
        group.bytes.extend(bytes);
        group.entries.extend(entries);
        group.must_be_durable |= must_be_durable;
        group.acks.push((ack, committed));
    }

    /// Begins the next file if these lines belong there; what came before is settled first.
    fn make_room(&mut self, at: Timestamp, bytes: usize) -> Result<(), JournalError> {
        if bytes == 0 {
            return Ok(());
        }
        let waiting = self.group.bytes.len() as u64;
        let next = self.appender.next_file(at, waiting, bytes as u64);
        let Some(name) = next else { return Ok(()) };
        self.settle()?;
        self.sync()?;
        self.appender.begin(name)
    }

    /// Writes the group, syncs if any of it must be, folds it, and only then answers.
    fn settle(&mut self) -> Result<(), JournalError> {
        let mut group = std::mem::take(&mut self.group);
        if group.acks.is_empty() {
            return Ok(());
        }
        let outcome = self.write(&group);
        self.shared.count_lines(group.entries.len() as u64);
        for (ack, mut committed) in group.acks.drain(..) {
            committed.is_durable = self.sync_due.is_none();
            // A caller that does not wait for the answer needs none.
            let _ = ack.send(outcome.clone().map(|()| committed));
        }
        outcome
    }

    fn write(&mut self, group: &Group) -> Result<(), JournalError> {
        if !group.bytes.is_empty() {
            self.appender.append(&group.bytes)?;
            self.unsynced_bytes += group.bytes.len() as u64;
            self.sync_due.get_or_insert_with(|| Instant::now() + self.progress_lag);
        }
        let is_much = self.unsynced_bytes + GROUP_BYTES_MAX as u64 > UNSYNCED_BYTES_MAX / 2;
        if group.must_be_durable || is_much || self.sync_is_due() {
            self.sync()?;
        }
        self.index.fold(self.fold, &group.entries, self.head)?;
        self.lines_since_checkpoint += group.entries.len() as u64;
        Ok(())
    }

    fn sync_is_due(&self) -> bool {
        self.sync_due.is_some_and(|due| due <= Instant::now())
    }

    /// Puts the log on the device. Never called again after it failed once: the kernel may have
    /// dropped what it could not write, and a second fsync would then falsely succeed.
    fn sync(&mut self) -> Result<(), JournalError> {
        if self.sync_due.is_some() {
            self.appender.sync()?;
            self.shared.count_sync();
        }
        self.sync_due = None;
        self.unsynced_bytes = 0;
        // Every line of a group is encoded before the group is written.
        self.shared.set_head(self.head);
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), JournalError> {
        self.last_checkpoint = Instant::now();
        self.lines_since_checkpoint = 0;
        if self.index.is_dirty() { Ok(self.index.checkpoint()?) } else { Ok(()) }
    }

    /// The first failure is the last thing this journal does.
    fn latch_if_failed(&mut self, outcome: Result<(), JournalError>) {
        let Err(error) = outcome else { return };
        if self.shared.latch(error) {
            // If even this cannot be written, the next open finds an unclean end all the same.
            let _ = index::distrust(&self.shared.index_dir, &self.shared.boot);
        }
        for (ack, _) in std::mem::take(&mut self.group).acks {
            let _ = ack.send(Err(self.shared.failure().unwrap_or(JournalError::Closed)));
        }
    }
}
