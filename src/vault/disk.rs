//! Durable files: temporary, fsynced, renamed, folder fsynced. And the set of buckets.

use super::{VaultError, bucket::Bucket, meta::BucketMeta};
use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with, syncfs};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

/// Most buckets of one vault.
const BUCKETS_MAX: usize = 100;

/// All buckets of a vault. Locked against a second process for as long as it lives.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    buckets: RwLock<BTreeMap<String, Arc<Bucket>>>,
    _lock: File,
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> VaultError {
    let path = path.to_owned();
    move |source| VaultError::Disk { doing, path, source }
}

impl Disk {
    /// Opens or makes the store: cleans what a crash left, reads every object's metadata.
    pub fn open(root: &Path, wanted: &[String]) -> Result<Self, VaultError> {
        make_folders(root).map_err(failed("make the folder", root))?;
        let lock = File::create(root.join(".lock")).map_err(failed("lock", root))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| VaultError::InUse(root.to_owned()))?;
        // What a killed process wrote is seen from here on, so it must be as durable as it looks.
        syncfs(&lock).map_err(|errno| failed("flush", root)(errno.into()))?;
        let mut buckets = BTreeMap::new();
        for entry in fs::read_dir(root).map_err(failed("list", root))? {
            let path = entry.map_err(failed("list", root))?.path();
            if path.join("bucket.json").is_file() {
                let bucket = Bucket::open(&path).map_err(failed("open the bucket", &path))?;
                buckets.insert(bucket.name().to_owned(), Arc::new(bucket));
            }
        }
        let disk = Self { root: root.to_owned(), buckets: RwLock::new(buckets), _lock: lock };
        for name in wanted {
            if !s3s::path::check_bucket_name(name) {
                return Err(VaultError::BucketName(name.clone()));
            }
            disk.make_bucket(name).map_err(failed("make the bucket", &root.join(name)))?;
        }
        Ok(disk)
    }

    pub fn bucket(&self, name: &str) -> Option<Arc<Bucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub fn all(&self) -> Vec<Arc<Bucket>> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.values().cloned().collect()
    }

    /// Whether no further bucket may be made.
    pub fn has_enough_buckets(&self) -> bool {
        self.all().len() >= BUCKETS_MAX
    }

    /// Makes a bucket; one that exists is left as it is. The name has been checked.
    pub fn make_bucket(&self, name: &str) -> io::Result<()> {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        if buckets.contains_key(name) {
            return Ok(());
        }
        let path = self.root.join(name);
        make_folders(&path)?;
        let meta = BucketMeta {
            v: super::meta::VERSION,
            name: name.to_owned(),
            created: jiff::Timestamp::now(),
        };
        write_json(&path, &path.join("bucket.json"), &meta)?;
        buckets.insert(name.to_owned(), Arc::new(Bucket::open(&path)?));
        Ok(())
    }
}

/// fsyncs a folder, so that names made in it stay.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a folder and its parents, durably.
///
/// One at a time: who finds a folder there must not go on before its maker has fsynced it.
pub(super) fn make_folders(path: &Path) -> io::Result<()> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    make_missing(path)
}

fn make_missing(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make_missing(parent)?;
    }
    fs::create_dir(path)?;
    sync_folder(parent.unwrap_or(Path::new(".")))
}

/// Gives a complete, fsynced temporary file its name; never replaces anything.
pub(super) fn place(temporary: &Path, path: &Path) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make_folders(folder)?;
    match renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        // File systems without it (vfat, some network ones): the caller holds the key reserved.
        Err(rustix::io::Errno::INVAL) if !path.exists() => fs::rename(temporary, path)?,
        Err(error) => return Err(error.into()),
    }
    sync_folder(folder)
}

/// Writes a record durably, replacing an older one at once or not at all.
pub(super) fn write_json<T: Serialize>(
    temporaries: &Path,
    path: &Path,
    record: &T,
) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make_folders(folder)?;
    let temporary = temporaries.join(format!("{}.tmp", super::meta::fresh_id()));
    let written = (|| {
        let mut file = File::create_new(&temporary)?;
        let mut bytes = serde_json::to_vec_pretty(record).map_err(io::Error::other)?;
        bytes.push(b'\n');
        io::Write::write_all(&mut file, &bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(folder)
}

/// Reads a record back.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<T> {
    serde_json::from_slice(&fs::read(path)?).map_err(io::Error::from)
}
