//! sled as the index of the log: fast to ask, never believed further than the log goes.
//!
//! `<index_dir>/sled` is the database: one tree, keys as the fold makes them, and `m/applied`, the
//! place in the chain of the last line folded and the version of the fold, written in the same
//! batch as what it led to.
//! `<index_dir>/run.json` tells how the last run ended. sled 0.34.7 does not survive a power cut
//! (its flush never calls fsync), so after an unclean end under another kernel boot id the
//! database is not opened at all but made again from the log. Pinned: we sync sled's own files.

use super::{FoldFn, JournalError, files, overlay::Overlay};
use crate::{
    custody::chain::Head,
    dock::{FOLD_VERSION, IndexBroken},
    types::{DockId, Sha256Digest, fact::Entry},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

/// Keys below `m/` are the journal's own; the fold must not write there.
pub(super) const APPLIED: &[u8] = b"m/applied";

/// The open index; only the committer writes to it.
pub(super) struct Index {
    db: sled::Db,
    dir: PathBuf,
    boot: String,
    dock: DockId,
    data: File,
    dirty: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Run {
    boot: String,
    state: RunState,
    /// Whose log it follows; not said before this was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dock: Option<DockId>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RunState {
    Running,
    Clean,
    Distrusted,
}

/// Runs something of sled, whose broken files may make it panic, and turns that into an error.
pub(super) fn guarded<T>(
    doing: &str,
    work: impl FnOnce() -> Result<T, sled::Error>,
) -> Result<T, IndexBroken> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(IndexBroken(format!("{doing}: {error}"))),
        Err(_) => Err(IndexBroken(format!("{doing}: it panicked"))),
    }
}

impl Index {
    /// Opens the database left by the last run, if that run gives reason to trust it.
    ///
    /// # Errors
    /// [`IndexBroken`] says why it is not to be used; it should be set aside.
    pub fn open_left(
        dir: &Path,
        boot: &str,
        dock: &DockId,
        cache_bytes: u64,
    ) -> Result<Self, IndexBroken> {
        let untrusted = |words: &str| Err(IndexBroken(words.into()));
        if !dir.join("sled").is_dir() {
            return untrusted("it was missing");
        }
        let Ok(run) = fs::read(run_path(dir)) else {
            return untrusted("there is no record of how it was last used");
        };
        match serde_json::from_slice(&run) {
            Ok(Run { dock: Some(other), .. }) if other != *dock => {
                return untrusted("it belongs to another dock");
            }
            Ok(Run { state: RunState::Clean, .. }) => {}
            Ok(Run { state: RunState::Running, boot: last, .. }) if last == boot => {}
            Ok(Run { state: RunState::Running, .. }) => {
                return untrusted("the machine went down while it was in use");
            }
            Ok(Run { state: RunState::Distrusted, .. }) => return untrusted("it failed in use"),
            Err(_) => return untrusted("the record of how it was last used is damaged"),
        }
        Self::open(dir, boot, dock, cache_bytes)
    }

    /// Makes an empty index; `dir` must not exist.
    pub fn create(
        dir: &Path,
        boot: &str,
        dock: &DockId,
        cache_bytes: u64,
    ) -> Result<Self, JournalError> {
        fs::create_dir_all(dir).map_err(|source| JournalError::io("make", dir, source))?;
        Ok(Self::open(dir, boot, dock, cache_bytes)?)
    }

    fn open(dir: &Path, boot: &str, dock: &DockId, cache_bytes: u64) -> Result<Self, IndexBroken> {
        let broken = |error: &dyn std::fmt::Display| IndexBroken(format!("opening: {error}"));
        let path = dir.join("sled");
        write_run(dir, boot, Some(dock), RunState::Running).map_err(|error| broken(&error))?;
        let db = guarded("opening", || {
            let config = sled::Config::new().path(&path).cache_capacity(cache_bytes);
            config.flush_every_ms(None).open()
        })?;
        let data = File::open(path.join("db")).map_err(|error| broken(&error))?;
        let (dir, boot, dock) = (dir.to_owned(), boot.to_owned(), dock.clone());
        Ok(Self { db, dir, boot, dock, data, dirty: false })
    }

    pub fn tree(&self) -> sled::Tree {
        (*self.db).clone()
    }

    /// Up to which line the index was folded; none if it is empty.
    ///
    /// # Errors
    /// [`IndexBroken`], also when another version of the fold made it.
    pub fn applied(&self) -> Result<Option<Head>, IndexBroken> {
        let Some(value) = guarded("reading", || self.db.get(APPLIED))? else { return Ok(None) };
        let (seq, rest) = value.split_at_checked(8).unwrap_or((&[], &[]));
        let (hash, version) = rest.split_at_checked(32).unwrap_or((&[], &[]));
        match (seq.try_into(), hash.try_into()) {
            (Ok(_), Ok::<[u8; 32], _>(_)) if version != FOLD_VERSION.to_be_bytes() => {
                Err(IndexBroken("another version of this program made it".into()))
            }
            (Ok(seq), Ok(hash)) => {
                Ok(Some(Head { seq: u64::from_be_bytes(seq), hash: Sha256Digest(hash) }))
            }
            _ => Err(IndexBroken("its record of the last line is damaged".into())),
        }
    }

    /// Folds lines and makes the outcome visible at once, together with `head`, the last of them.
    pub fn fold(&mut self, fold: FoldFn, lines: &[Entry], head: Head) -> Result<(), IndexBroken> {
        let mut overlay = Overlay::new(self.tree());
        for line in lines {
            fold_guarded(fold, line, &mut overlay)?;
        }
        self.apply(overlay, Some(head))
    }

    /// Writes what an overlay collected, together with `head`, if it is the state after a line.
    pub fn apply(&mut self, overlay: Overlay, head: Option<Head>) -> Result<(), IndexBroken> {
        let mut batch = overlay.into_batch();
        if let Some(head) = head {
            let mut applied = head.seq.to_be_bytes().to_vec();
            applied.extend(head.hash.0);
            applied.extend(FOLD_VERSION.to_be_bytes());
            batch.insert(APPLIED, applied);
        }
        self.dirty = true;
        guarded("writing", || self.db.apply_batch(batch))
    }

    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Puts everything applied on the device, as far as sled's own flush does not.
    pub fn checkpoint(&mut self) -> Result<(), IndexBroken> {
        guarded("flushing", || self.db.flush())?;
        self.data.sync_data().map_err(|error| IndexBroken(format!("flushing: {error}")))?;
        self.dirty = false;
        Ok(())
    }

    /// Closes so that the next open may trust it, power cut or not.
    pub fn close(mut self) -> Result<(), JournalError> {
        self.checkpoint()?;
        let Self { db, dir, boot, dock, data, .. } = self;
        drop((db, data));
        sync_tree(&dir).map_err(|source| JournalError::io("sync", &dir, source))?;
        write_run(&dir, &boot, Some(&dock), RunState::Clean)
    }
}

/// A fold that panics is a broken invariant; it must not take the committer's callers with it.
pub(super) fn fold_guarded(
    fold: FoldFn,
    line: &Entry,
    overlay: &mut Overlay,
) -> Result<(), IndexBroken> {
    catch_unwind(AssertUnwindSafe(|| fold(line, overlay)))
        .unwrap_or_else(|_| Err(IndexBroken(format!("folding line {} panicked", line.seq))))
}

/// Makes sure the next open does not use the index as it is.
pub(super) fn distrust(dir: &Path, boot: &str) -> Result<(), JournalError> {
    write_run(dir, boot, None, RunState::Distrusted)
}

fn run_path(dir: &Path) -> PathBuf {
    dir.join("run.json")
}

fn write_run(
    dir: &Path,
    boot: &str,
    dock: Option<&DockId>,
    state: RunState,
) -> Result<(), JournalError> {
    let run = Run { boot: boot.to_owned(), state, dock: dock.cloned() };
    files::write_whole(&run_path(dir), &serde_json::to_vec(&run).expect("text only"))
}

fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(path)?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
}
