//! What the committer, the journal's handle and its views know in common.

use super::{Damage, JournalError, index};
use crate::{custody::chain::Head, dock::IndexBroken};
use std::{
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

#[derive(Debug)]
pub(super) struct Shared {
    pub index_dir: PathBuf,
    pub boot: String,
    /// Only durable lines: this goes into receipts.
    head: Mutex<Head>,
    failure: OnceLock<JournalError>,
    damage: Mutex<Option<Damage>>,
    lines: AtomicU64,
    syncs: AtomicU64,
}

impl Shared {
    pub fn new(index_dir: PathBuf, boot: String, head: Head, damage: Option<Damage>) -> Self {
        Self {
            index_dir,
            boot,
            head: head.into(),
            failure: OnceLock::new(),
            damage: damage.into(),
            lines: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        }
    }

    pub fn head(&self) -> Head {
        *lock(&self.head)
    }

    pub fn set_head(&self, head: Head) {
        *lock(&self.head) = head;
    }

    pub fn failure(&self) -> Option<JournalError> {
        self.failure.get().cloned()
    }

    /// Keeps the first failure; true if this was it.
    pub fn latch(&self, error: JournalError) -> bool {
        self.failure.set(error).is_ok()
    }

    pub fn damage(&self) -> Option<Damage> {
        lock(&self.damage).clone()
    }

    pub fn set_damage(&self, damage: Option<Damage>) {
        *lock(&self.damage) = damage;
    }

    /// An index that failed a reader must not be opened again; the journal stops.
    pub fn index_failed(&self, error: IndexBroken) -> IndexBroken {
        if self.latch(JournalError::Index(error.clone())) {
            let _ = index::distrust(&self.index_dir, &self.boot);
        }
        error
    }

    pub fn count_lines(&self, lines: u64) {
        self.lines.fetch_add(lines, Ordering::Relaxed);
    }

    pub fn count_sync(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    /// Lines and syncs since open.
    pub fn counts(&self) -> (u64, u64) {
        (self.lines.load(Ordering::Relaxed), self.syncs.load(Ordering::Relaxed))
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    // Plain values replaced whole are never half written.
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
