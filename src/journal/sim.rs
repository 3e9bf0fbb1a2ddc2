//! The simulated side: a real folder on a disk that fills up, breaks and loses power on demand.

use super::media::{Disk, LogFile, Media};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A disk seen and steered from outside; clones are hands of the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    /// Fail once this many more bytes were appended.
    bytes_left: Option<(u64, io::ErrorKind)>,
    /// Fail once this many more syncs were done.
    syncs_left: Option<(u64, io::ErrorKind)>,
    syncs_held: bool,
    appends: u64,
    syncs: u64,
    /// Per file: bytes written, and bytes of those that were there at the last sync.
    files: BTreeMap<PathBuf, (u64, u64)>,
}

impl SimDisk {
    /// The disk as [`super::Journal::open_on`] takes it.
    pub fn media(&self) -> Box<dyn Media> {
        Box::new(SimMedia(self.clone()))
    }

    /// Lets `bytes` more be appended; the write that passes them is cut short and fails.
    pub fn fail_after_bytes(&self, bytes: u64, kind: io::ErrorKind) {
        self.state().bytes_left = Some((bytes, kind));
    }

    /// Lets `syncs` more succeed; every later one fails.
    pub fn fail_after_syncs(&self, syncs: u64, kind: io::ErrorKind) {
        self.state().syncs_left = Some((syncs, kind));
    }

    /// Makes syncs wait until they are let go.
    pub fn hold_syncs(&self, held: bool) {
        self.state().syncs_held = held;
        self.0.1.notify_all();
    }

    /// How many syncs were completed.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// How many writes were made.
    pub fn appends(&self) -> u64 {
        self.state().appends
    }

    /// Waits until `count` syncs were completed; false if that took more than ten seconds.
    pub fn wait_for_syncs(&self, count: u64) -> bool {
        let waited = self
            .0
            .1
            .wait_timeout_while(self.state(), Duration::from_secs(10), |state| state.syncs < count);
        waited.is_ok_and(|(_, late)| !late.timed_out())
    }

    /// Copies the files to `to` as a power cut now would leave them: what was synced is there,
    /// and of what was not, the share `kept_of_256` (a disk may have written any of it).
    ///
    /// # Errors
    /// Plain I/O errors of copying.
    pub fn power_cut(&self, to: &Path, kept_of_256: u8) -> io::Result<()> {
        let state = self.state();
        for (path, (written, synced)) in &state.files {
            let kept = synced + (written - synced) * u64::from(kept_of_256) / 256;
            let mut bytes = fs::read(path)?;
            bytes.truncate(usize::try_from(kept).map_err(io::Error::other)?);
            fs::write(to.join(path.file_name().unwrap_or_default()), bytes)?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct SimMedia(SimDisk);

struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    below: Box<dyn LogFile>,
}

impl SimMedia {
    fn file(&self, path: &Path, below: Box<dyn LogFile>) -> io::Result<Box<dyn LogFile>> {
        let size = fs::metadata(path)?.len();
        self.0.state().files.insert(path.to_owned(), (size, size));
        Ok(Box::new(SimFile { disk: self.0.clone(), path: path.to_owned(), below }))
    }
}

impl Media for SimMedia {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let below = Disk.create(path)?;
        self.file(path, below)
    }

    fn reopen(&mut self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let below = Disk.reopen(path)?;
        self.file(path, below)
    }
}

impl LogFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let mut fits = bytes.len();
        let mut failure = None;
        if let Some((left, kind)) = &mut state.bytes_left {
            if bytes.len() as u64 > *left {
                fits = usize::try_from(*left).map_err(io::Error::other)?;
                failure = Some(*kind);
            }
            *left -= fits as u64;
        }
        self.below.append(&bytes[..fits])?;
        state.appends += 1;
        let (written, _) = state.files.entry(self.path.clone()).or_default();
        *written += fits as u64;
        failure.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn sync(&mut self) -> io::Result<()> {
        let held = self.disk.0.1.wait_while(self.disk.state(), |state| state.syncs_held);
        let mut state = held.unwrap_or_else(PoisonError::into_inner);
        if let Some((left, kind)) = &mut state.syncs_left {
            if *left == 0 {
                return Err((*kind).into());
            }
            *left -= 1;
        }
        state.syncs += 1;
        let (written, synced) = state.files.entry(self.path.clone()).or_default();
        *synced = *written;
        self.disk.0.1.notify_all();
        Ok(())
    }
}
