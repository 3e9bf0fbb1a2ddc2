//! The journal: one durable truth, which is also the custody log, and sled as its index.
//!
//! **The log.** `<dir>/custody-YYYY-MM-DD-NNN.jsonl` hold the lines specified in
//! [`crate::types::fact`], each carrying the SHA-256 of the one before, across files too. A new
//! file begins with the first commit of a new day (UTC) or above a size; a finished file is made
//! read-only and never written again. Names never run backwards, whatever the clock does, so the
//! order of names is the order of lines. Beside them: `lock` (one writer at a time),
//! `snapshot-<seq>.jsonl` and `rescue-<seq>.jsonl` (see `snapshot`), `damage.json` (see `note`),
//! `*.torn-N` (bytes cut off at open, kept).
//!
//! **Committing.** One thread writes. All requests that wait when the disk is free go out in one
//! write and one fdatasync; then they are folded into the index, then answered. So whatever a
//! [`JournalView`] shows is on disk, except progress facts ([`Fact::must_be_durable`] is false),
//! which are synced within `progress_lag_ms_max`. [`Journal::head`] is always a durable line.
//!
//! **Failing.** The first error of a write or a sync is final: every later commit is refused with
//! the same words and the daemon stops. An fsync is never tried again. A full disk is such an
//! error too: keep the log on a filesystem with a margin nobody else may use (the spool's reserve
//! is that margin where they share one).
//!
//! **Opening.** First the newest file is synced and dropped from the kernel's cache, which after a
//! failed sync may show what the device never got: what is read is what is there. Unfinished bytes at the end of the newest file are cut off, kept beside it and
//! reported. A bad line anywhere else is never repaired: it is reported as [`Damage`], remembered,
//! and the log goes on behind it. Open reads the newest file whole and of each older one the first
//! and last line; [`offline::verify`] reads everything. The index is caught up from the log, or
//! set aside and made again when it is missing, stale, damaged or left by a power cut.
//!
//! **Lines taken from the end** do not show in the chain. They show when something outside the log
//! proves a later line: the index (unless it is to be made again), or the heads in receipts
//! ([`JournalOptions::witnesses`]). That is damage as any other. The log then goes on behind the
//! *proved* line, in a file of its own, so that the missing lines keep their numbers: put back,
//! they fit, and the damage is over. An index that is ahead is believed, as it alone remembers
//! what those lines said. Damage stays until the log is whole again or until [`Journal::accept`].
//!
//! Real side: [`Disk`]. Simulated side: [`sim::SimDisk`], a disk that fails on demand.
//!
//! [`Fact::must_be_durable`]: crate::types::fact::Fact::must_be_durable

mod append;
mod commit;
mod committer;
mod damage;
mod error;
mod files;
mod index;
mod lines;
mod media;
mod note;
pub mod offline;
mod open;
mod overlay;
mod prune;
mod read;
mod recover;
mod shared;
pub mod sim;
mod snapshot;
mod survey;
#[cfg(test)]
mod tests;
mod view;

pub use commit::{Commit, Committed};
pub use damage::{Damage, Proved};
pub use error::JournalError;
pub use files::LINE_BYTES_MAX;
pub use media::{Disk, LogFile, Media};
pub use note::Accepted;
pub use open::{Cut, JournalOptions, OpenReport};
pub use prune::Pruned;
pub use read::Line;
pub use view::JournalView;

use crate::types::Actor;
use crate::{
    custody::chain::Head,
    dock::{IndexBroken, Table},
    types::fact::{Entry, NewFact},
};
use commit::Requests;
use jiff::Timestamp;
use shared::Shared;
use std::{ops::ControlFlow, sync::Arc, sync::Mutex, thread::JoinHandle};

/// How a line changes the folded state. Must depend on the line and the table alone, and must not
/// touch keys that begin with `m/`.
pub type FoldFn = fn(&Entry, &mut dyn Table) -> Result<(), IndexBroken>;

/// The open journal. Dropping it ends the writing but leaves the index marked as in use, as a
/// crash would; [`Journal::close`] is the clean end.
#[derive(Debug)]
pub struct Journal {
    options: JournalOptions,
    fold: FoldFn,
    shared: Arc<Shared>,
    view: Mutex<Option<JournalView>>,
    requests: Requests,
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Opens the journal on the dock's disk. Blocks for as long as reading the newest log file,
    /// or rebuilding the index, takes.
    ///
    /// # Errors
    /// I/O errors, another process holding the log, a log of a newer program, bad options.
    pub fn open(
        options: JournalOptions,
        fold: FoldFn,
        now: Timestamp,
    ) -> Result<(Self, OpenReport), JournalError> {
        open::open(options, fold, now, Box::new(Disk))
    }

    /// As [`Journal::open`], on any media.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_on(
        media: Box<dyn Media>,
        options: JournalOptions,
        fold: FoldFn,
        now: Timestamp,
    ) -> Result<(Self, OpenReport), JournalError> {
        open::open(options, fold, now, media)
    }

    /// Hands facts to the committer, in the order of the calls; await the answer, or drop it if
    /// nothing depends on it. Waits for room while 1024 requests are waiting.
    pub fn commit(&self, facts: Vec<NewFact>, at: Timestamp) -> Commit {
        self.requests.commit(facts, at)
    }

    /// Commits and waits. Not from async code.
    ///
    /// # Errors
    /// As [`Commit`].
    pub fn commit_blocking(
        &self,
        facts: Vec<NewFact>,
        at: Timestamp,
    ) -> Result<Committed, JournalError> {
        self.commit(facts, at).wait()
    }

    /// The folded state.
    ///
    /// # Panics
    /// After `close`, when there is no state to view any more.
    pub fn view(&self) -> JournalView {
        commit::lock(&self.view).clone().expect("nobody views a journal after closing it")
    }

    /// The last durable line: what a receipt may be anchored to.
    pub fn head(&self) -> Head {
        self.shared.head()
    }

    /// Why the journal stopped, if it did: the daemon must stop too.
    pub fn failure(&self) -> Option<JournalError> {
        self.shared.failure()
    }

    /// The first bad line of the log, if there is one.
    pub fn damage(&self) -> Option<Damage> {
        self.shared.damage()
    }

    /// A person has looked at the damage that begins at line `first_seq` and goes on with it: it
    /// stays in the log and in `damage.json`, and stops nothing any more. Returns the next damage,
    /// if there is one. Reads the whole log, so it blocks.
    ///
    /// # Errors
    /// I/O errors; nothing is accepted then.
    pub fn accept(
        &self,
        first_seq: u64,
        by: Actor,
        at: Timestamp,
        reason: String,
    ) -> Result<Option<Damage>, JournalError> {
        let dir = &self.options.dir;
        let mut note = note::Note::read(dir)?;
        let Some(damage) = note.open.clone().filter(|open| open.first_seq == first_seq) else {
            return Ok(self.damage());
        };
        note.lost.retain(|lost| !lost.is_within(&damage));
        note.accepted.push(Accepted { damage, by, at, reason });
        survey::look(dir, &mut note, &self.options.witnesses)?;
        note.keep(dir)?;
        self.shared.set_damage(note.open.clone());
        Ok(note.open)
    }

    /// Damage that people have accepted, oldest acceptance first: it is in the log all the same.
    /// Reads a small file, so it blocks.
    ///
    /// # Errors
    /// Plain I/O errors.
    pub fn accepted(&self) -> Result<Vec<Accepted>, JournalError> {
        Ok(note::Note::read(&self.options.dir)?.accepted)
    }

    /// Lines and syncs since open, for the metrics.
    pub fn counts(&self) -> (u64, u64) {
        self.shared.counts()
    }

    /// Hands the lines from number `from_seq` on to `visit`, at most `limit`. Reads files, so it
    /// blocks.
    ///
    /// # Errors
    /// Plain I/O errors.
    pub fn read(
        &self,
        from_seq: u64,
        limit: u64,
        visit: &mut dyn FnMut(Line<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        read::read(&self.options.dir, from_seq, limit, visit)
    }

    /// Folds log files older than `keep_days` into a snapshot and removes them. Call it only
    /// while the clock is synchronised: age is judged by `now`. Blocks.
    ///
    /// # Errors
    /// I/O errors; nothing is removed then that the snapshot does not hold.
    pub fn prune(&self, now: Timestamp) -> Result<Pruned, JournalError> {
        prune::prune(self, now)
    }

    /// Syncs the log, closes the index so that even a power cut leaves it good, and ends the
    /// thread. Blocks. Views must be gone before the same index is opened again.
    ///
    /// # Errors
    /// The failure that stopped the journal, or one met while closing.
    pub fn close(&self) -> Result<(), JournalError> {
        drop(commit::lock(&self.view).take());
        let closed = self.requests.close();
        self.join();
        closed
    }

    fn join(&self) {
        if let Some(committer) = commit::lock(&self.committer).take() {
            // A panic there was answered to its callers as a closed journal.
            let _ = committer.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.requests.hang_up();
        self.join();
    }
}
