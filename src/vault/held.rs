//! Whether the file of an object is still what was acknowledged.
//!
//! Every Head and Get looks at the file itself, never at the metadata alone. Size and times are
//! compared with those at completion; where only the times differ (a backup was put back, or
//! somebody wrote there), the bytes decide: read once, they are either noted anew or known as
//! altered. Metadata of before these times were kept is compared by size only.

use super::{
    bucket::Bucket,
    errors::{busy, disk, lost, refuse},
    meta::ObjectMeta,
};
use ring::digest::{Context, SHA256};
use rustix::fs::{Mode, OFlags};
use s3s::{S3Error, S3ErrorCode, S3Result};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::Arc,
};

/// The times of a data file: seconds since 1970 and nanoseconds, as the file system gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileTimes {
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileTimes {
    pub fn of(stat: &Metadata) -> Self {
        Self {
            modified: (stat.mtime(), stat.mtime_nsec()),
            changed: (stat.ctime(), stat.ctime_nsec()),
        }
    }
}

/// What lies where an object should.
#[derive(Debug)]
pub(super) enum Held {
    /// What was acknowledged, open.
    Intact(File),
    Missing,
    /// Something else: never said to be the object.
    Altered,
}

/// The open data file of an object that stands as it was acknowledged.
pub(super) async fn intact(bucket: &Arc<Bucket>, meta: &ObjectMeta) -> S3Result<File> {
    let path = bucket.object_file(&meta.key)?;
    let (looking, meta) = (bucket.clone(), meta.clone());
    let found = tokio::task::spawn_blocking(move || match looking.looks(&meta)? {
        Some(held) => Ok(Some(held)),
        None => match looking.reserve(&meta.key) {
            Some(_held) => looking.held(&meta.key).map(Some),
            None => Ok(None),
        },
    });
    let found: io::Result<Option<Held>> = found.await.map_err(lost)?;
    match found.map_err(|error| disk("look at an object", &path, &error))? {
        Some(Held::Intact(file)) => Ok(file),
        Some(Held::Missing) => {
            tracing::error!(?path, "vault: the file of an acknowledged object is missing");
            let words = "the object's file is gone from the store's disk";
            Err(refuse(S3ErrorCode::NoSuchKey, words))
        }
        Some(Held::Altered) => {
            tracing::error!(?path, "vault: the file of an acknowledged object was altered");
            Err(altered())
        }
        None => Err(busy()),
    }
}

/// Not found, as far as a status can say: what was acknowledged is not here any more.
fn altered() -> S3Error {
    let words = "the object's file on the store's disk is no longer what was acknowledged";
    let mut error = refuse(S3ErrorCode::Custom("ObjectAltered".into()), words);
    error.set_status_code(hyper::StatusCode::NOT_FOUND);
    error
}

impl Bucket {
    /// What lies under a key that the caller holds reserved, whatever reading it takes.
    pub fn held(&self, key: &str) -> io::Result<Held> {
        // Read under the reservation: somebody may have noted other times meanwhile.
        let Some(mut meta) = self.object(key)? else { return Ok(Held::Missing) };
        if let Some(held) = self.looks(&meta)? {
            return Ok(held);
        }
        let path = self.object_file(key).map_err(|_| io::ErrorKind::InvalidInput)?;
        let file = open(&path)?;
        let before = FileTimes::of(&file.metadata()?);
        let same = sha256(&file)? == meta.sha256.0;
        if FileTimes::of(&file.metadata()?) != before {
            return Err(io::Error::other("an object's file is being written to"));
        }
        if !same {
            self.note_altered(key, before);
            return Ok(Held::Altered);
        }
        tracing::warn!(?path, "vault: an object's file has other times and the same bytes");
        meta.file = Some(before);
        self.rewrite(&meta)?;
        open(&path).map(Held::Intact)
    }

    /// What a look without reading tells; `None` where only the bytes can.
    fn looks(&self, meta: &ObjectMeta) -> io::Result<Option<Held>> {
        let path = self.object_file(&meta.key).map_err(|_| io::ErrorKind::InvalidInput)?;
        let file = match open(&path) {
            Ok(file) => file,
            Err(error) if is_absence(&error) => {
                self.must_be_there()?;
                return Ok(Some(Held::Missing));
            }
            Err(error) => return Err(error),
        };
        let stat = file.metadata()?;
        let times = FileTimes::of(&stat);
        Ok(if !stat.is_file() || stat.len() != meta.size {
            Some(Held::Altered)
        } else if meta.file.is_none_or(|noted| noted == times) {
            Some(Held::Intact(file))
        } else {
            self.is_known_altered(&meta.key, times).then_some(Held::Altered)
        })
    }
}

/// No file of that name, or a name above it that is no folder any more.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Never waits, as it would for the other end of a pipe.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

fn sha256(mut file: &File) -> io::Result<[u8; 32]> {
    let (mut hash, mut buffer) = (Context::new(&SHA256), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            length => hash.update(&buffer[..length]),
        }
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.finish().as_ref());
    Ok(digest)
}
