//! The store: S3 multipart in memory, with its memory, its lies and its backup.

use crate::tally::Tally;
use bwvdock::{
    transfer::{
        Answer, Call, Enforces, Fault, ListedPart, ObjectHead, OpenUpload, PartAck, StoreError,
    },
    types::{
        Md5Digest, Sha256Digest,
        fact::{Part, PartTable, SealedObject},
    },
};
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub struct Version {
    pub bytes: Vec<u8>,
    pub head: ObjectHead,
}

#[derive(Debug, Clone)]
struct Open {
    key: String,
    meta: String,
    parts: BTreeMap<u32, Vec<u8>>,
    initiated: Timestamp,
}

#[derive(Debug, Clone, Default)]
pub struct Kept {
    pub objects: BTreeMap<String, Vec<Version>>,
    uploads: BTreeMap<String, Open>,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    Drop,
    Reset,
    LostAcknowledgement,
    /// Nothing is answered; the request takes effect much later.
    HalfOpen,
    Server5xx,
    Unauthorised401,
    Forbidden403,
    Skewed403,
    NoSuchUpload404,
    Conflict409,
    Exists412,
    SlowDown503,
    SlowDown503NamesItsTime,
    Full507,
    ErrorInside200,
    ErrorInside200ThoughDone,
    AcknowledgedAndNotDone,
    CaptivePortal,
    Untrusted,
    ForgottenPart,
    ListingDoubledAndUnsorted,
    WrongEtag,
    FlippedBit,
    StaleAnswer,
}

impl Trouble {
    pub const ALL: [Self; 24] = [
        Self::Drop,
        Self::Reset,
        Self::LostAcknowledgement,
        Self::HalfOpen,
        Self::Server5xx,
        Self::Unauthorised401,
        Self::Forbidden403,
        Self::Skewed403,
        Self::NoSuchUpload404,
        Self::Conflict409,
        Self::Exists412,
        Self::SlowDown503,
        Self::SlowDown503NamesItsTime,
        Self::Full507,
        Self::ErrorInside200,
        Self::ErrorInside200ThoughDone,
        Self::AcknowledgedAndNotDone,
        Self::CaptivePortal,
        Self::Untrusted,
        Self::ForgottenPart,
        Self::ListingDoubledAndUnsorted,
        Self::WrongEtag,
        Self::FlippedBit,
        Self::StaleAnswer,
    ];

    /// What the door makes of an answer that only says so and does nothing.
    fn said(self) -> Option<Fault> {
        Some(match self {
            Self::Drop | Self::Reset | Self::HalfOpen => Fault::Network,
            Self::Server5xx | Self::ErrorInside200 => Fault::Server,
            Self::Unauthorised401 | Self::Forbidden403 => Fault::Denied,
            Self::Skewed403 => Fault::Skewed,
            Self::NoSuchUpload404 => Fault::Missing,
            Self::Conflict409 => Fault::Conflict,
            Self::Exists412 => Fault::Exists,
            Self::SlowDown503 => Fault::Busy { retry_after: None },
            Self::SlowDown503NamesItsTime => {
                Fault::Busy { retry_after: Some(std::time::Duration::from_secs(90)) }
            }
            Self::Full507 => Fault::Full,
            Self::CaptivePortal => Fault::NotTheStore,
            Self::Untrusted => Fault::Untrusted { why: bwvdock::transfer::Distrust::UnknownIssuer },
            Self::LostAcknowledgement
            | Self::ErrorInside200ThoughDone
            | Self::AcknowledgedAndNotDone
            | Self::ForgottenPart
            | Self::ListingDoubledAndUnsorted
            | Self::WrongEtag
            | Self::FlippedBit
            | Self::StaleAnswer => return None,
        })
    }
}

/// A call of which only this is known: it may still take effect.
#[derive(Debug, Clone)]
pub struct Late {
    pub object: SealedObject,
    pub call: Call,
    pub body: Vec<u8>,
}

#[derive(Debug, Default)]
pub struct Store {
    pub kept: Kept,
    /// Grows with every change. Names of uploads and versions are made of it: a restore of a backup
    /// gives no name a second time.
    pub changes: u32,
    pub enforces: Enforces,
    pub late: Vec<Late>,
    /// Yesterday's.
    pub backup: Kept,
}

pub fn error(fault: Fault) -> StoreError {
    StoreError { call: "simulated", fault, words: "as the world says".into() }
}

fn md5_of(bytes: &[u8]) -> Md5Digest {
    Md5Digest(Md5::digest(bytes).into())
}

impl Store {
    pub fn newest(&self, key: &str) -> Option<&Version> {
        self.kept.objects.get(key).and_then(|versions| versions.last())
    }

    /// Performs a call as the network and the store make it happen; `body` is what the spool has.
    pub fn perform(
        &mut self,
        object: &SealedObject,
        call: &Call,
        body: &[u8],
        trouble: Option<Trouble>,
        now: Timestamp,
        tally: &mut Tally,
    ) -> Result<Answer, StoreError> {
        tally.requests += 1;
        let Some(trouble) = trouble else { return self.act(object, call, body, None, now) };
        tally.fault(&format!("store: {trouble:?}"));
        if trouble == Trouble::HalfOpen && self.late.len() < 16 {
            let late = Late { object: object.clone(), call: call.clone(), body: body.to_vec() };
            self.late.push(late);
        }
        if let Some(fault) = trouble.said() {
            return Err(error(fault));
        }
        match trouble {
            Trouble::LostAcknowledgement => {
                // What came of it nobody hears.
                let _ = self.act(object, call, body, None, now);
                Err(error(Fault::Network))
            }
            Trouble::ErrorInside200ThoughDone => {
                let _ = self.act(object, call, body, None, now);
                Err(error(Fault::Server))
            }
            Trouble::AcknowledgedAndNotDone => match call {
                Call::Complete { .. } => Ok(Answer::Completed),
                Call::Abort { .. } => Ok(Answer::Aborted),
                _ => self.act(object, call, body, None, now),
            },
            Trouble::ForgottenPart => {
                for open in self.kept.uploads.values_mut().filter(|o| o.key == object.key) {
                    open.parts.pop_first();
                }
                self.act(object, call, body, None, now)
            }
            _ => self.act(object, call, body, Some(trouble), now),
        }
    }

    /// A request that was on its way for long arrives after all.
    pub fn arrive(&mut self, at: usize, now: Timestamp) -> Late {
        let late = self.late.remove(at);
        let _ = self.act(&late.object, &late.call, &late.body, None, now);
        late
    }

    fn act(
        &mut self,
        object: &SealedObject,
        call: &Call,
        body: &[u8],
        trouble: Option<Trouble>,
        now: Timestamp,
    ) -> Result<Answer, StoreError> {
        let stale = trouble == Some(Trouble::StaleAnswer);
        let missing = || error(Fault::Missing);
        Ok(match call {
            Call::Head => {
                let newest = self.newest(&object.key).filter(|_| !stale);
                Answer::Head(newest.map(|version| version.head.clone()))
            }
            Call::FindUploads => {
                let mine = self.kept.uploads.iter().filter(|(_, o)| o.key == object.key && !stale);
                let row = |(id, open): (&String, &Open)| OpenUpload {
                    id: id.clone(),
                    initiated: Some(open.initiated),
                };
                Answer::Uploads(mine.map(row).collect())
            }
            Call::Create => {
                self.changes += 1;
                let id = format!("u{}", self.changes);
                let open = Open {
                    key: object.key.clone(),
                    meta: object.sealed.sha256.to_string(),
                    parts: BTreeMap::new(),
                    initiated: now,
                };
                self.kept.uploads.insert(id.clone(), open);
                Answer::Created(id)
            }
            Call::ListParts { upload } => {
                let open = self.kept.uploads.get(upload).ok_or_else(missing)?;
                Answer::Parts(rows(open, trouble))
            }
            Call::PutPart { upload, number } => {
                self.put_part(object, upload, *number, body, trouble)?
            }
            Call::Complete { upload, etags } => self.complete(object, upload, etags)?,
            Call::Abort { upload } => {
                self.kept.uploads.remove(upload);
                Answer::Aborted
            }
            Call::ReadBack => {
                let bytes = &self.newest(&object.key).ok_or_else(missing)?.bytes;
                Answer::ReadBack { size: bytes.len() as u64, sha256: Sha256Digest::of(bytes) }
            }
            Call::CheckSpool => {
                Answer::Spool { intact: Sha256Digest::of(body) == object.sealed.sha256 }
            }
        })
    }

    fn put_part(
        &mut self,
        object: &SealedObject,
        upload: &str,
        number: u32,
        body: &[u8],
        trouble: Option<Trouble>,
    ) -> Result<Answer, StoreError> {
        let says = object.table.parts[number as usize - 1];
        let from = (object.table.part_size * u64::from(number - 1)) as usize;
        let to = from + object.table.part_len(number, object.sealed.size) as usize;
        let mut bytes = body.get(from..to).ok_or_else(|| error(Fault::Spool))?.to_vec();
        if trouble == Some(Trouble::FlippedBit) {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
        }
        let enforces = self.enforces;
        let missing = || error(Fault::Missing);
        let open = self.kept.uploads.get_mut(upload).ok_or_else(missing)?;
        let wrong = enforces.sha256 && Sha256Digest::of(&bytes) != says.sha256
            || enforces.md5 && says.md5.is_some_and(|md5| md5 != md5_of(&bytes));
        if wrong {
            return Err(error(Fault::BadDigest));
        }
        let mut etag = md5_of(&bytes).to_string();
        open.parts.insert(number, bytes);
        if trouble == Some(Trouble::WrongEtag) {
            etag = "f".repeat(32);
        }
        let etag_is_md5 = says.md5.is_some_and(|md5| etag == md5.to_string());
        Ok(Answer::Part(PartAck { etag, sha256_echoed: enforces.sha256, etag_is_md5 }))
    }

    fn complete(
        &mut self,
        object: &SealedObject,
        upload: &str,
        etags: &[String],
    ) -> Result<Answer, StoreError> {
        let missing = || error(Fault::Missing);
        let open = self.kept.uploads.get(upload).ok_or_else(missing)?;
        let kept: Vec<_> = open.parts.values().map(|bytes| md5_of(bytes).to_string()).collect();
        if !open.parts.keys().copied().eq(1..=etags.len() as u32) || kept != etags {
            return Err(error(Fault::Refused));
        }
        if self.enforces.if_none_match && self.kept.objects.contains_key(&object.key) {
            return Err(error(Fault::Exists));
        }
        self.assemble(upload, object);
        Ok(Answer::Completed)
    }

    /// Makes an object of the parts that are there.
    pub fn assemble(&mut self, upload: &str, object: &SealedObject) {
        let Some(open) = self.kept.uploads.remove(upload) else { return };
        let part = |bytes: &Vec<u8>| Part::from(Sha256Digest::of(bytes));
        let table = PartTable { part_size: 1, parts: open.parts.values().map(part).collect() };
        let mut md5s = Md5::new();
        open.parts.values().for_each(|bytes| md5s.update(md5_of(bytes).0));
        let bytes: Vec<u8> = open.parts.values().flatten().copied().collect();
        self.changes += 1;
        let head = ObjectHead {
            size: bytes.len() as u64,
            etag: format!("{}-{}", Md5Digest(md5s.finalize().into()), table.parts.len()),
            version: Some(format!("v{}", self.changes)),
            composite_sha256: self.enforces.sha256.then(|| table.composite_sha256()),
            meta_sha256: Some(open.meta),
            ..ObjectHead::default()
        };
        self.kept.objects.entry(object.key.clone()).or_default().push(Version { bytes, head });
    }
}

fn rows(open: &Open, trouble: Option<Trouble>) -> Vec<ListedPart> {
    let row = |(number, bytes): (&u32, &Vec<u8>)| ListedPart {
        number: *number,
        etag: md5_of(bytes).to_string(),
        size: bytes.len() as u64,
    };
    let mut rows: Vec<_> = open.parts.iter().map(row).collect();
    match trouble {
        Some(Trouble::StaleAnswer) => rows.clear(),
        Some(Trouble::ListingDoubledAndUnsorted) => {
            rows.extend(rows.clone());
            rows.reverse();
            if let Some(first) = rows.first().cloned() {
                rows.push(ListedPart { etag: "0".repeat(32), ..first });
            }
        }
        _ => {}
    }
    rows
}
