//! One bucket: where its files lie, its index of objects, and what is being written just now.

use super::{
    disk::{make_folders, place, read_json, write_json},
    held::FileTimes,
    meta::{BucketMeta, ObjectMeta, Row, fresh_id},
    names::{KeyError, key_path, meta_path},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// One bucket on disk.
#[derive(Debug)]
pub(super) struct Bucket {
    folder: PathBuf,
    meta: BucketMeta,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<String, Row>,
    /// Keys being committed and uploads being completed or aborted.
    busy: HashSet<String>,
    /// Keys whose file was read and is something else, with the times it then had.
    altered: HashMap<String, FileTimes>,
}

/// The right to commit one key, or to finish one upload, until dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    bucket: Arc<Bucket>,
    name: String,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.bucket.state().busy.remove(&self.name);
    }
}

impl Bucket {
    /// Opens a bucket, moves aside what a crash left, and reads its index.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let meta: BucketMeta = read_json(&folder.join("bucket.json"))?;
        let temporary = folder.join("tmp");
        match fs::remove_dir_all(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for name in ["objects", "meta", "uploads", "tmp"] {
            make_folders(&folder.join(name))?;
        }
        let bucket = Self { folder: folder.to_owned(), meta, state: Mutex::default() };
        bucket.read_index()?;
        bucket.set_unclaimed_aside()?;
        bucket.drop_finished_uploads()?;
        Ok(bucket)
    }

    pub fn name(&self) -> &str {
        &self.meta.name
    }

    pub fn meta(&self) -> &BucketMeta {
        &self.meta
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn fresh_temporary(&self) -> PathBuf {
        self.folder.join("tmp").join(fresh_id())
    }

    pub fn object_file(&self, key: &str) -> Result<PathBuf, KeyError> {
        Ok(self.folder.join("objects").join(key_path(key)?))
    }

    fn meta_file(&self, key: &str) -> Result<PathBuf, KeyError> {
        Ok(self.folder.join("meta").join(meta_path(key)?))
    }

    pub fn uploads_folder(&self) -> PathBuf {
        self.folder.join("uploads")
    }

    pub fn temporaries(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    pub fn has(&self, key: &str) -> bool {
        self.state().rows.contains_key(key)
    }

    /// The metadata of a stored object; `None` if there is none, or none any more.
    pub fn object(&self, key: &str) -> io::Result<Option<ObjectMeta>> {
        if !self.has(key) {
            return Ok(None);
        }
        let path = self.meta_file(key).map_err(|_| io::ErrorKind::InvalidInput)?;
        match read_json(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.must_be_there()?;
                tracing::error!(?path, "vault: the metadata of an acknowledged object is gone");
                self.state().rows.remove(key);
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// A disk that is not mounted any more says nothing about its objects.
    pub fn must_be_there(&self) -> io::Result<()> {
        match self.folder.join("bucket.json").try_exists()? {
            true => Ok(()),
            false => Err(io::Error::other("the bucket's folder is gone: is its disk mounted?")),
        }
    }

    pub fn note_altered(&self, key: &str, times: FileTimes) {
        self.state().altered.insert(key.to_owned(), times);
    }

    pub fn is_known_altered(&self, key: &str, times: FileTimes) -> bool {
        self.state().altered.get(key) == Some(&times)
    }

    /// Reserves a name (a key or an upload id); `None` while somebody else holds it.
    pub fn reserve(self: &Arc<Self>, name: &str) -> Option<Reservation> {
        let name = name.to_owned();
        let fresh = self.state().busy.insert(name.clone());
        fresh.then(|| Reservation { bucket: self.clone(), name })
    }

    /// Makes a complete, fsynced temporary file the object `meta` describes.
    ///
    /// The caller holds the key reserved and has seen that it is free. Returns the metadata with
    /// the times of the file.
    pub fn commit(&self, temporary: &Path, mut meta: ObjectMeta) -> io::Result<ObjectMeta> {
        let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let path = self.object_file(&meta.key).map_err(invalid)?;
        let meta_file = self.meta_file(&meta.key).map_err(invalid)?;
        place(temporary, &path)?;
        let recorded = fs::metadata(&path).and_then(|stat| {
            meta.file = Some(FileTimes::of(&stat));
            write_json(&self.temporaries(), &meta_file, &meta)
        });
        if let Err(error) = recorded {
            // Not acknowledged: make room for a retry, as a restart would.
            let _ = self.set_aside(&path);
            return Err(error);
        }
        self.state().rows.insert(meta.key.clone(), Row::from(&meta));
        Ok(meta)
    }

    /// Replaces the metadata of a stored object: tags, and times seen anew, are all that may change.
    pub fn rewrite(&self, meta: &ObjectMeta) -> io::Result<()> {
        let path = self.meta_file(&meta.key).map_err(|_| io::ErrorKind::InvalidInput)?;
        write_json(&self.temporaries(), &path, meta)
    }

    /// Runs `look` over the rows from `start` (inclusive) on, until it returns false.
    pub fn scan(&self, start: &str, mut look: impl FnMut(&str, &Row) -> bool) {
        for (key, row) in self.state().rows.range(start.to_owned()..) {
            if !look(key, row) {
                break;
            }
        }
    }

    fn read_index(&self) -> io::Result<()> {
        let mut rows = BTreeMap::new();
        for path in files_below(&self.folder.join("meta"))? {
            // Damage to one record must not hide the others, nor pass in silence.
            match read_json::<ObjectMeta>(&path) {
                Ok(meta) if self.meta_file(&meta.key).ok().as_ref() == Some(&path) => {
                    if !self.object_file(&meta.key).is_ok_and(|file| file.is_file()) {
                        tracing::error!(key = meta.key, "vault: an object's file is missing");
                    }
                    rows.insert(meta.key.clone(), Row::from(&meta));
                }
                Ok(_) => tracing::error!(?path, "vault: metadata in the wrong place"),
                Err(error) => tracing::error!(?path, %error, "vault: metadata cannot be read"),
            }
        }
        self.state().rows = rows;
        Ok(())
    }

    /// Object files without metadata were never acknowledged; they are kept, but out of the way.
    fn set_unclaimed_aside(&self) -> io::Result<()> {
        let objects = self.folder.join("objects");
        let claimed: HashSet<PathBuf> =
            self.state().rows.keys().filter_map(|key| self.object_file(key).ok()).collect();
        for path in files_below(&objects)? {
            let relative = path.strip_prefix(&objects).unwrap_or(&path);
            let mut meta = self.folder.join("meta").join(relative).into_os_string();
            meta.push("%.json");
            // With a damaged record beside it, it is evidence in trouble, not a leftover.
            if !claimed.contains(&path) && !Path::new(&meta).exists() {
                tracing::warn!(?path, "vault: set aside a file no upload was acknowledged for");
                self.set_aside(&path)?;
            }
        }
        Ok(())
    }

    fn set_aside(&self, path: &Path) -> io::Result<()> {
        place(path, &self.folder.join("unclaimed").join(fresh_id()))
    }

    /// A crash between commit and clean-up leaves uploads that are objects already.
    fn drop_finished_uploads(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.uploads_folder())? {
            let path = entry?.path();
            let Ok(upload) = read_json::<super::meta::UploadMeta>(&path.join("upload.json")) else {
                // Create was not acknowledged, or the clean-up was under way.
                fs::rename(&path, self.fresh_temporary())?;
                continue;
            };
            let object = self.object(&upload.key)?;
            if object.is_some_and(|object| object.upload_id.as_ref() == Some(&upload.id)) {
                fs::rename(&path, self.fresh_temporary())?;
            }
        }
        Ok(())
    }
}

/// All regular files below a folder; the order is of no concern.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}
