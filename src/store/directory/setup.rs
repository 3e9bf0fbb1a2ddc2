//! `store setup` of a folder: the marker, a try of everything that storing needs, and what nobody
//! finished cleared away.

use super::{
    Directory,
    disk::{MARKER, Root, UPLOADS},
    uploads::{all, discard},
    words::{Trouble, replaces},
};
use crate::store::{Answer, Fault};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::{os::unix::fs::MetadataExt as _, path::Path};

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct FolderSetup {
    pub dry_run: bool,
    /// Days after which an upload that nobody finished is cleared away.
    pub stale_upload_days: u64,
    pub now: Timestamp,
}

/// What was found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DirectoryReport {
    /// The folder is a store already.
    pub was_a_store: bool,
    pub is_a_store: bool,
    /// Of its file system.
    pub free_bytes: u64,
    pub stale_uploads: usize,
    pub notes: Vec<String>,
    pub problems: Vec<String>,
}

impl Directory {
    /// # Errors
    /// In words what is wrong with the folder.
    pub async fn set_up(&self, how: FolderSetup) -> Answer<DirectoryReport> {
        let folder = self.folder().to_owned();
        // The marker is what this makes: it is not asked for.
        let place = tokio::task::spawn_blocking(move || set_up(&folder, how));
        let done = match tokio::time::timeout(self.patience, place).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) | Err(_) => Err(Trouble::new(Fault::Network, "the folder does not answer")),
        };
        done.map_err(|trouble| trouble.into_error("setup"))
    }
}

fn set_up(folder: &Path, how: FolderSetup) -> Result<DirectoryReport, Trouble> {
    let root = Root::open_any(folder)?;
    let mut report = DirectoryReport { was_a_store: root.has(MARKER)?, ..Default::default() };
    report.is_a_store = report.was_a_store;
    report.notes.push(
        "whoever may write to this folder may delete there: retention and legal holds are noted \
         beside each object, and nothing enforces them; nothing here is locked"
            .into(),
    );
    if let Ok(stat) = rustix::fs::statvfs(folder) {
        report.free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
    }
    if !report.was_a_store {
        let device = |path: &Path| path.metadata().ok().map(|meta| meta.dev());
        if device(folder) == device(Path::new("/")) {
            report.notes.push(
                "the folder lies on the same file system as /: if a disk or a NAS is meant to be \
                 mounted there, it is not; unmounted, remove .bwvdock-store from the folder below"
                    .into(),
            );
        }
        let others = root.names(".", 10)?;
        if !others.is_empty() {
            let words = format!("the folder is not empty ({}): left as it is", others.join(", "));
            report.notes.push(words);
        }
    }
    if how.dry_run {
        if !report.was_a_store {
            report.problems.push("the folder is no store yet".into());
        }
        return Ok(report);
    }
    try_out(&root)?;
    if !report.was_a_store {
        let id = uuid::Uuid::now_v7();
        let marker = format!("{{\"format\":\"bwvdock-store\",\"version\":1,\"id\":\"{id}\"}}\n");
        root.put(MARKER, marker.as_bytes())?;
    }
    // Read back, as everything.
    report.is_a_store = Root::open(folder).is_ok();
    if !report.is_a_store {
        report.problems.push("the marker that was written is not there when read back".into());
    }
    report.stale_uploads = clear_stale(&root, how)?;
    Ok(report)
}

/// Everything that storing does, with a file that goes again.
fn try_out(root: &Root) -> Result<(), Trouble> {
    let name = format!("{UPLOADS}/try-{}", uuid::Uuid::now_v7().simple());
    let first = root.temporary(b"one")?;
    root.place(&first, &name)?;
    let second = root.temporary(b"two")?;
    let refused =
        matches!(root.place(&second, &name), Err(trouble) if trouble.fault == Fault::Exists);
    let kept = root.read_back(&name)? == (3, crate::types::Sha256Digest::of(b"one"));
    root.remove(&second)?;
    root.remove(&name)?;
    if refused && kept { Ok(()) } else { Err(replaces(&name)) }
}

fn clear_stale(root: &Root, how: FolderSetup) -> Result<usize, Trouble> {
    let days = i64::try_from(how.stale_upload_days).unwrap_or(i64::MAX / 24);
    let stale = SignedDuration::from_hours(days.saturating_mul(24));
    let mut cleared = 0;
    for (id, begun) in all(root)? {
        if how.now.duration_since(begun.begun) > stale {
            discard(root, &format!("{UPLOADS}/{id}"))?;
            cleared += 1;
        }
    }
    Ok(cleared)
}
