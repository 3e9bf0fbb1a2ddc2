//! The store of a site without S3: a folder, on a disk of its own or on a mounted NAS.
//!
//! **Layout**, below the folder that `[store] directory` names:
//!
//! | Path | What |
//! |---|---|
//! | `.bwvdock-store` | written by `store setup`: this is a store, and not the empty mount point of one |
//! | `KEY` | a sealed object, whole; it appears under its name at once or not at all |
//! | `KEY.marks` | JSON: size, SHA-256, time of the file, class, retention, hold; retention and hold are only noted |
//! | `.bwvdock-uploads/UPLOAD/data` | an object on its way |
//! | `.bwvdock-uploads/UPLOAD/parts` | a line for each of its parts that is on the disk |
//! | `.bwvdock-uploads/UPLOAD/upload` | whose it is |
//!
//! It speaks to the same upload machine as S3 does. A part counts when its bytes, then its line in
//! `parts`, are fsynced: after a crash nothing is sent twice. Complete reads the whole file back,
//! past the cache, and only then gives it its name, without ever replacing one. Everything happens
//! below a handle of the folder in which the marker was seen just now: should the mount go away in
//! between, nothing lands on the disk below it.
//!
//! Nothing here is locked: whoever may write to the folder may delete.

mod disk;
mod marks;
mod setup;
#[cfg(test)]
mod tests;
mod uploads;
mod words;

pub use setup::{DirectoryReport, FolderSetup};

use super::{Answer, Enforces, Fault, Limiter, Probe, StoreError};
use disk::Root;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};

/// A store in a folder.
pub struct Directory {
    folder: PathBuf,
    limiter: Limiter,
    bytes_per_second_min: u64,
    patience: Duration,
    /// Work on the disk at the same time. Work that hangs, as it does on a NAS that is gone, keeps
    /// its place: no more than this many threads ever wait for it.
    places: Arc<Semaphore>,
}

/// See [`Directory::places`].
const PLACES: usize = 8;

impl Directory {
    /// Looks at nothing yet.
    pub fn new(folder: PathBuf, limiter: Limiter, bytes_per_second_min: u64) -> Self {
        Self {
            folder,
            limiter,
            bytes_per_second_min: bytes_per_second_min.max(1),
            patience: super::S3Options::PATIENCE,
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Whether this is a store, and gives no name twice. What it checks of the bytes is always the
    /// same: nothing by itself, so that every object is read back.
    ///
    /// # Errors
    /// In words what is wrong with the folder.
    pub async fn probe(&self, prefix: &str) -> Answer<Probe> {
        let key = format!("{prefix}bwvdock-probe");
        let enforces = Enforces { sha256: false, md5: false, if_none_match: true };
        self.work("probe", 0, move |root| {
            root.put(&key, b"bwvdock looks whether this folder can be written\n")?;
            // There already, it must stay; a file system that replaced it would be found out here.
            root.put(&key, b"replaced")?;
            if root.read(&key)?.starts_with(b"replaced") {
                return Err(words::replaces(&key));
            }
            Ok(())
        })
        .await?;
        Ok(Probe { signature: true, wants_md5: false, enforces })
    }

    /// Works on the disk away from the network's threads, no longer than is reasonable for so many
    /// bytes.
    async fn work<T: Send + 'static>(
        &self,
        call: &'static str,
        bytes: u64,
        work: impl FnOnce(&Root) -> Result<T, words::Trouble> + Send + 'static,
    ) -> Answer<T> {
        let patience = self.patience + Duration::from_secs(bytes / self.bytes_per_second_min);
        let slow = |words: &str| StoreError { call, fault: Fault::Network, words: words.into() };
        let place = timeout(patience, self.places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(slow("the folder does not answer: earlier work on it still hangs"));
        };
        let folder = self.folder.clone();
        let working = tokio::task::spawn_blocking(move || {
            let _place = place;
            Root::open(&folder).and_then(|root| work(&root))
        });
        match timeout(patience, working).await {
            Err(_) => Err(slow("the folder does not answer: is its disk or NAS there?")),
            Ok(Err(_)) => Err(slow("the work on the folder ended oddly")),
            Ok(Ok(done)) => done.map_err(|trouble| trouble.into_error(call)),
        }
    }
}
