//! Objects on their way, and the store's calls.

use super::{
    Directory,
    disk::{Root, UPLOADS},
    marks::{self, Record},
    words::{Trouble, io},
};
use crate::{
    spool::SpoolFile,
    store::{Answer, Fault, ListedPart, ObjectHead, OpenUpload, PartAck, Store, StoreError},
    transfer::marks::{MarkChange, MarksFound},
    types::{Sha256Digest, fact::SealedObject},
};
use jiff::Timestamp;
use ring::digest::{Context, SHA256};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, io::Write as _, os::unix::fs::FileExt as _};
use tokio::{runtime::Handle, time::sleep};

/// Uploads of a folder that are looked at.
const UPLOADS_MAX: usize = 10_000;

/// `upload`: whose bytes these are.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    pub key: String,
    pub begun: Timestamp,
}

fn folder(upload: &str) -> String {
    format!("{UPLOADS}/{upload}")
}

/// Only ids that were made here become a path.
fn checked(upload: &str) -> Result<String, Trouble> {
    let plain = upload.len() == 32 && upload.bytes().all(|b| b.is_ascii_hexdigit());
    match plain {
        true => Ok(folder(upload)),
        false => Err(Trouble::new(Fault::Missing, format!("there is no upload {upload:?}"))),
    }
}

impl Store for Directory {
    async fn create(&self, object: &SealedObject) -> Answer<String> {
        let key = object.key.clone();
        self.work("create", 0, move |root| {
            let upload = uuid::Uuid::now_v7().simple().to_string();
            let at = folder(&upload);
            root.make_folder(UPLOADS)?;
            root.make_folder(&at)?;
            let begun = serde_json::to_vec(&Begun { key, begun: Timestamp::now() })
                .map_err(|error| Trouble::new(Fault::Server, error.to_string()))?;
            root.replace(&format!("{at}/upload"), &begun)?;
            for name in ["data", "parts"] {
                root.file(&format!("{at}/{name}"), OFlags::WRONLY | OFlags::CREATE)?;
            }
            root.sync_folder_of(&format!("{at}/data"))?;
            Ok(upload)
        })
        .await
    }

    async fn open_uploads(&self, key: &str) -> Answer<Vec<OpenUpload>> {
        let key = key.to_owned();
        self.work("list uploads", 0, move |root| {
            let mut found = Vec::new();
            for (id, begun) in all(root)? {
                if begun.key == key {
                    found.push(OpenUpload { id, initiated: Some(begun.begun) });
                }
            }
            found.sort_by_key(|upload| std::cmp::Reverse(upload.initiated));
            Ok(found)
        })
        .await
    }

    async fn parts(&self, _: &str, upload: &str) -> Answer<Vec<ListedPart>> {
        let upload = upload.to_owned();
        self.work("list parts", 0, move |root| {
            let parts = recorded(root, &checked(&upload)?)?.into_iter();
            let row = |(number, (size, sha256)): (u32, (u64, Sha256Digest))| ListedPart {
                number,
                etag: sha256.to_string(),
                size,
            };
            Ok(parts.map(row).collect())
        })
        .await
    }

    async fn put_part(
        &self,
        object: &SealedObject,
        upload: &str,
        number: u32,
        file: &SpoolFile,
    ) -> Answer<PartAck> {
        let part = (number as usize).checked_sub(1).and_then(|n| object.table.parts.get(n));
        let Some(part) = part.copied() else {
            let words = format!("there is no part {number}");
            return Err(StoreError { call: "write a part", fault: Fault::Spool, words });
        };
        let offset = object.table.part_size * u64::from(number - 1);
        let length = object.table.part_len(number, object.sealed.size);
        let (upload, file, limiter) = (upload.to_owned(), file.clone(), self.limiter.clone());
        let runtime = Handle::current();
        self.work("write a part", length, move |root| {
            let at = checked(&upload)?;
            let data = root.file(&format!("{at}/data"), OFlags::WRONLY)?;
            let (mut hash, mut place) = (Context::new(&SHA256), offset);
            for piece in file.pieces(offset, length) {
                let spool = |error: std::io::Error| Trouble::new(Fault::Spool, error.to_string());
                let piece = piece.map_err(spool)?;
                let wait = limiter.reserve_bytes(piece.len() as u64);
                if !wait.is_zero() {
                    runtime.block_on(sleep(wait));
                }
                hash.update(&piece);
                data.write_all_at(&piece, place).map_err(io("write", &at))?;
                place += piece.len() as u64;
            }
            data.sync_data().map_err(io("flush", &at))?;
            if hash.finish().as_ref() != part.sha256.0 {
                let words = "the spool gave other bytes than were sealed";
                return Err(Trouble::new(Fault::BadDigest, words));
            }
            let mut parts = root.file(&format!("{at}/parts"), OFlags::WRONLY | OFlags::APPEND)?;
            let line = format!("{number} {length} {}\n", part.sha256);
            parts.write_all(line.as_bytes()).map_err(io("write", &at))?;
            parts.sync_data().map_err(io("flush", &at))?;
            Ok(PartAck { etag: part.sha256.to_string(), sha256_echoed: false, etag_is_md5: false })
        })
        .await
    }

    async fn complete(&self, object: &SealedObject, upload: &str, _: &[String]) -> Answer<()> {
        let (object, upload) = (object.clone(), upload.to_owned());
        self.work("complete", object.sealed.size, move |root| {
            let at = checked(&upload)?;
            let data = format!("{at}/data");
            if root.has(&object.key)? {
                return Err(Trouble::new(Fault::Exists, format!("{} is there", object.key)));
            }
            let wanted = (object.sealed.size, object.sealed.sha256);
            if root.read_back(&data)? != wanted {
                let words = "what was written reads back as something else; it is written anew";
                discard(root, &at)?;
                return Err(Trouble::new(Fault::BadDigest, words));
            }
            let mut record = Record::new(&object);
            record.write(root, &object.key)?;
            root.place(&data, &object.key)?;
            // Asked for last: a NAS may settle a file's time only when all of it is there. A crash
            // before it is noted leaves a record that says the size only, until it is read back.
            record.modified = root.look(&object.key)?.map(|looks| looks.modified);
            record.write(root, &object.key)?;
            discard(root, &at)
        })
        .await
    }

    async fn abort(&self, _: &str, upload: &str) -> Answer<()> {
        let upload = upload.to_owned();
        self.work("abort", 0, move |root| discard(root, &checked(&upload)?)).await
    }

    async fn head(&self, key: &str) -> Answer<Option<ObjectHead>> {
        let key = key.to_owned();
        self.work("look", 0, move |root| {
            let Some(looks) = root.look(&key)? else { return Ok(None) };
            let record = Record::read(root, &key)?;
            let written_to = record
                .as_ref()
                .is_some_and(|record| record.modified.is_some_and(|then| then != looks.modified));
            // What was written to since is not said to be what the record tells: no SHA-256 is
            // equal to this. Reading it back, if anybody does, decides.
            let sha256 = match written_to {
                true => Some("written to after it was stored".to_owned()),
                false => record.map(|record| record.sha256.to_string()),
            };
            // A folder has no version and no ETag of its own; nothing follows from this one.
            let etag = sha256.clone().unwrap_or_else(|| "none".into());
            let size = looks.size;
            Ok(Some(ObjectHead { size, etag, meta_sha256: sha256, ..ObjectHead::default() }))
        })
        .await
    }

    async fn read_back(&self, key: &str, size: u64) -> Answer<(u64, Sha256Digest)> {
        let key = key.to_owned();
        self.work("read back", size, move |root| {
            let before = root.look(&key)?;
            let found = root.read_back(&key)?;
            marks::seen(root, &key, found, before)?;
            Ok(found)
        })
        .await
    }

    async fn put_small(&self, key: &str, bytes: Vec<u8>, _: &'static str) -> Answer<()> {
        let key = key.to_owned();
        self.work("put", bytes.len() as u64, move |root| root.put(&key, &bytes)).await
    }

    async fn marks(&self, key: &str, _: Option<&str>, with_locks: bool) -> Answer<MarksFound> {
        let key = key.to_owned();
        let found = self.work("read marks", 0, move |root| marks::found(root, &key)).await?;
        Ok(MarksFound { locks: found.locks.filter(|_| with_locks), ..found })
    }

    async fn mark(&self, key: &str, _: Option<&str>, change: &MarkChange) -> Answer<()> {
        let (key, change) = (key.to_owned(), change.clone());
        self.work("note marks", 0, move |root| marks::change(root, &key, &change)).await
    }
}

/// The parts whose lines are whole; of one that was written twice, the last.
fn recorded(root: &Root, at: &str) -> Result<BTreeMap<u32, (u64, Sha256Digest)>, Trouble> {
    let text = root.read(&format!("{at}/parts"))?;
    let text = String::from_utf8_lossy(&text);
    let line = |line: &str| {
        let mut words = line.strip_suffix('\n')?.split(' ');
        let number = words.next()?.parse().ok()?;
        let size = words.next()?.parse().ok()?;
        Some((number, (size, words.next()?.parse().ok()?)))
    };
    Ok(text.split_inclusive('\n').filter_map(line).collect())
}

/// All uploads that say whose they are.
pub(super) fn all(root: &Root) -> Result<Vec<(String, Begun)>, Trouble> {
    let mut found = Vec::new();
    for id in root.names(UPLOADS, UPLOADS_MAX)? {
        let begun = match root.read(&format!("{}/upload", folder(&id))) {
            Ok(bytes) => serde_json::from_slice::<Begun>(&bytes).ok(),
            // Temporary files, and uploads that were begun and cut off.
            Err(_) => None,
        };
        found.extend(begun.map(|begun| (id, begun)));
    }
    Ok(found)
}

/// Removes an upload: what says whose it is comes last, so that a crash leaves it to be found.
pub(super) fn discard(root: &Root, at: &str) -> Result<(), Trouble> {
    for name in ["data", "parts", "upload"] {
        match root.remove(&format!("{at}/{name}")) {
            Ok(()) => {}
            Err(trouble) if trouble.fault == Fault::Missing => {}
            Err(trouble) => return Err(trouble),
        }
    }
    root.remove_folder(at)
}
