//! The simulated store: S3 multipart semantics in memory, with scripted faults. Deterministic.
//!
//! A script says what goes wrong at which call; nothing goes wrong otherwise. What a store
//! verifies is a setting, since real ones differ.

use super::{Enforces, Fault, ListedPart, ObjectHead, OpenUpload, PartAck, Store, StoreError};
use crate::{
    spool::SpoolFile,
    transfer::marks::{Locks, MarkChange, MarksFound},
    types::{
        Md5Digest, Sha256Digest,
        fact::{Part, PartTable, SealedObject},
    },
};
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The calls a fault can strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Create,
    OpenUploads,
    Parts,
    PutPart,
    Complete,
    Abort,
    Head,
    ReadBack,
    PutSmall,
    Marks,
    Mark,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The request never arrives.
    DropBefore,
    /// The request takes effect; the answer is lost.
    DropAfter,
    /// The store says this and does nothing.
    Say(Fault),
    /// PutPart: the answer carries an ETag that is not the one kept.
    WrongEtag,
    /// PutPart: a bit of the body turns over on the way.
    FlipBit,
    /// Every upload of the key is gone before the call (a lifecycle rule, another dock's abort).
    ForgetUploads,
    /// Every upload of the key has lost its lowest part before the call.
    ForgetPart,
    /// Parts: each row twice, and one more with another ETag.
    DoubledRows,
    /// Head and listings: the answer of a time before anything was there.
    Stale,
}

/// Strikes the `nth` call of a kind, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub kind: Kind,
    pub nth: u32,
    pub trouble: Trouble,
}

/// What is kept of one version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub bytes: Vec<u8>,
    pub head: ObjectHead,
    /// `class=...`, as given at Create.
    pub tagging: String,
}

/// A store in memory. Clones are the same store.
#[derive(Clone)]
pub struct SimStore {
    state: Arc<Mutex<State>>,
    enforces: Enforces,
}

#[derive(Default)]
struct State {
    script: Vec<Rule>,
    calls: BTreeMap<Kind, u32>,
    uploads: BTreeMap<String, Open>,
    objects: BTreeMap<String, Vec<Kept>>,
    numbers: u32,
}

struct Open {
    key: String,
    head: ObjectHead,
    tagging: String,
    initiated: Timestamp,
    parts: BTreeMap<u32, Vec<u8>>,
}

type Answer<T> = Result<T, StoreError>;

impl SimStore {
    /// A store that verifies what `enforces` says, with nothing in it.
    pub fn new(enforces: Enforces, script: Vec<Rule>) -> Self {
        let state = State { script, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), enforces }
    }

    /// All versions of an object, oldest first.
    pub fn versions(&self, key: &str) -> Vec<Kept> {
        self.lock().objects.get(key).cloned().unwrap_or_default()
    }

    /// Puts an object there as somebody else would.
    pub fn plant(&self, key: &str, bytes: &[u8], head: ObjectHead) {
        let kept = Kept { bytes: bytes.to_vec(), head, tagging: String::new() };
        self.lock().objects.entry(key.to_owned()).or_default().push(kept);
    }

    /// How many uploads are open.
    pub fn open(&self) -> usize {
        self.lock().uploads.len()
    }

    /// How often a call was made.
    pub fn calls(&self, kind: Kind) -> u32 {
        self.lock().calls.get(&kind).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and lets its trouble happen; `act` sees a trouble that changes the answer.
    fn call<T>(
        &self,
        (kind, call): (Kind, &'static str),
        key: &str,
        act: impl FnOnce(&mut State, Option<Trouble>) -> Result<T, Fault>,
    ) -> Answer<T> {
        let mut state = self.lock();
        let count = state.calls.entry(kind).or_default();
        *count += 1;
        let nth = *count;
        let struck = state.script.iter().find(|rule| rule.kind == kind && rule.nth == nth);
        let trouble = struck.map(|rule| rule.trouble);
        let failed = |fault| StoreError { call, fault, words: "as the script says".into() };
        match trouble {
            Some(Trouble::DropBefore) => return Err(failed(Fault::Network)),
            Some(Trouble::Say(fault)) => return Err(failed(fault)),
            Some(Trouble::ForgetUploads) => state.uploads.retain(|_, open| open.key != key),
            Some(Trouble::ForgetPart) => {
                for open in state.uploads.values_mut().filter(|open| open.key == key) {
                    open.parts.pop_first();
                }
            }
            Some(
                Trouble::DropAfter
                | Trouble::WrongEtag
                | Trouble::FlipBit
                | Trouble::DoubledRows
                | Trouble::Stale,
            )
            | None => {}
        }
        let answer = act(&mut state, trouble).map_err(failed);
        if trouble == Some(Trouble::DropAfter) {
            return Err(failed(Fault::Network));
        }
        answer
    }
}

impl Store for SimStore {
    async fn create(&self, object: &SealedObject) -> Answer<String> {
        self.call((Kind::Create, "CreateMultipartUpload"), &object.key, |state, _| {
            state.numbers += 1;
            let id = format!("upload-{}", state.numbers);
            let head = ObjectHead {
                meta_sha256: Some(object.sealed.sha256.to_string()),
                lock_mode: object.retain_until.map(|_| "GOVERNANCE".into()),
                retain_until: object.retain_until,
                ..ObjectHead::default()
            };
            let open = Open {
                key: object.key.clone(),
                head,
                tagging: format!("class={}", object.class),
                initiated: Timestamp::from_second(state.numbers.into()).unwrap_or_default(),
                parts: BTreeMap::new(),
            };
            state.uploads.insert(id.clone(), open);
            Ok(id)
        })
    }

    async fn open_uploads(&self, key: &str) -> Answer<Vec<OpenUpload>> {
        self.call((Kind::OpenUploads, "ListMultipartUploads"), key, |state, trouble| {
            let stale = trouble == Some(Trouble::Stale);
            let mine = state.uploads.iter().filter(|(_, open)| open.key == key && !stale);
            let row = |(id, open): (&String, &Open)| OpenUpload {
                id: id.clone(),
                initiated: Some(open.initiated),
            };
            Ok(mine.map(row).collect())
        })
    }

    async fn parts(&self, key: &str, upload: &str) -> Answer<Vec<ListedPart>> {
        self.call((Kind::Parts, "ListParts"), key, |state, trouble| {
            let open = state.uploads.get(upload).ok_or(Fault::Missing)?;
            let row = |(number, bytes): (&u32, &Vec<u8>)| ListedPart {
                number: *number,
                etag: md5_of(bytes).to_string(),
                size: bytes.len() as u64,
            };
            let mut rows: Vec<_> = open.parts.iter().map(row).collect();
            if trouble == Some(Trouble::Stale) {
                rows.clear();
            }
            if trouble == Some(Trouble::DoubledRows) {
                rows.extend(rows.clone());
                if let Some(first) = rows.first().cloned() {
                    rows.push(ListedPart { etag: "0".repeat(32), ..first });
                }
            }
            Ok(rows)
        })
    }

    async fn put_part(
        &self,
        object: &SealedObject,
        upload: &str,
        number: u32,
        file: &SpoolFile,
    ) -> Answer<PartAck> {
        let says = object.table.parts[number as usize - 1];
        let length = object.table.part_len(number, object.sealed.size) as usize;
        let mut bytes = vec![0; length];
        let offset = object.table.part_size * u64::from(number - 1);
        let read = file.read_at(&mut bytes, offset);
        if !matches!(read, Ok(n) if n == length) {
            let words = "the spool file cannot be read".into();
            return Err(StoreError { call: "UploadPart", fault: Fault::Spool, words });
        }
        self.call((Kind::PutPart, "UploadPart"), &object.key, |state, trouble| {
            if trouble == Some(Trouble::FlipBit) {
                bytes[length / 2] ^= 4;
            }
            let open = state.uploads.get_mut(upload).ok_or(Fault::Missing)?;
            let got = (Sha256Digest::of(&bytes), md5_of(&bytes));
            if self.enforces.sha256 && got.0 != says.sha256
                || self.enforces.md5 && says.md5.is_some_and(|md5| md5 != got.1)
            {
                return Err(Fault::BadDigest);
            }
            open.parts.insert(number, bytes);
            let mut etag = got.1.to_string();
            if trouble == Some(Trouble::WrongEtag) {
                etag = "f".repeat(32);
            }
            let etag_is_md5 = says.md5.is_some_and(|md5| etag == md5.to_string());
            Ok(PartAck { etag, sha256_echoed: self.enforces.sha256, etag_is_md5 })
        })
    }

    async fn complete(&self, object: &SealedObject, upload: &str, etags: &[String]) -> Answer<()> {
        self.call((Kind::Complete, "CompleteMultipartUpload"), &object.key, |state, _| {
            let open = state.uploads.get(upload).ok_or(Fault::Missing)?;
            let kept: Vec<_> = open.parts.values().map(|bytes| md5_of(bytes).to_string()).collect();
            let whole = open.parts.keys().copied().eq(1..=etags.len() as u32);
            if !whole || kept != etags {
                return Err(Fault::Refused);
            }
            if self.enforces.if_none_match && state.objects.contains_key(&object.key) {
                return Err(Fault::Exists);
            }
            let parts = open.parts.values();
            let part = |b: &Vec<u8>| Part::from(Sha256Digest::of(b));
            let table = PartTable { part_size: 1, parts: parts.clone().map(part).collect() };
            if self.enforces.sha256 && table.composite_sha256() != object.table.composite_sha256() {
                return Err(Fault::BadDigest);
            }
            let mut md5s = Md5::new();
            parts.clone().for_each(|bytes| md5s.update(md5_of(bytes).0));
            let bytes: Vec<u8> = parts.flatten().copied().collect();
            let etag = format!("{}-{}", Md5Digest(md5s.finalize().into()), table.parts.len());
            let open = state.uploads.remove(upload).ok_or(Fault::Missing)?;
            state.numbers += 1;
            let head = ObjectHead {
                size: bytes.len() as u64,
                etag,
                version: Some(format!("version-{}", state.numbers)),
                composite_sha256: self.enforces.sha256.then(|| table.composite_sha256()),
                ..open.head
            };
            let kept = Kept { bytes, head, tagging: open.tagging };
            state.objects.entry(object.key.clone()).or_default().push(kept);
            Ok(())
        })
    }

    async fn abort(&self, key: &str, upload: &str) -> Answer<()> {
        self.call((Kind::Abort, "AbortMultipartUpload"), key, |state, _| {
            state.uploads.remove(upload);
            Ok(())
        })
    }

    async fn head(&self, key: &str) -> Answer<Option<ObjectHead>> {
        self.call((Kind::Head, "HeadObject"), key, |state, trouble| {
            let newest = state.objects.get(key).and_then(|versions| versions.last());
            let stale = trouble == Some(Trouble::Stale);
            Ok(newest.filter(|_| !stale).map(|kept| kept.head.clone()))
        })
    }

    async fn read_back(&self, key: &str, _: u64) -> Answer<(u64, Sha256Digest)> {
        self.call((Kind::ReadBack, "GetObject"), key, |state, _| {
            let newest = state.objects.get(key).and_then(|versions| versions.last());
            let bytes = &newest.ok_or(Fault::Missing)?.bytes;
            Ok((bytes.len() as u64, Sha256Digest::of(bytes)))
        })
    }

    async fn put_small(&self, key: &str, bytes: Vec<u8>, content_type: &'static str) -> Answer<()> {
        self.call((Kind::PutSmall, "PutObject"), key, |state, _| {
            let versions = state.objects.entry(key.to_owned()).or_default();
            if versions.is_empty() {
                let head = ObjectHead { size: bytes.len() as u64, ..ObjectHead::default() };
                versions.push(Kept { bytes, head, tagging: content_type.into() });
            }
            Ok(())
        })
    }

    async fn marks(
        &self,
        key: &str,
        version: Option<&str>,
        with_locks: bool,
    ) -> Answer<MarksFound> {
        self.call((Kind::Marks, "GetObjectTagging"), key, |state, _| {
            let kept = state.version(key, version).ok_or(Fault::Missing)?;
            let locks = Locks {
                mode: kept.head.lock_mode.clone(),
                retain_until: kept.head.retain_until,
                legal_hold: kept.head.legal_hold == Some(true),
                noted_only: false,
            };
            let class = kept.tagging.strip_prefix("class=").map(str::to_owned);
            Ok(MarksFound { class, locks: with_locks.then_some(Ok(locks)) })
        })
    }

    async fn mark(&self, key: &str, version: Option<&str>, change: &MarkChange) -> Answer<()> {
        self.call((Kind::Mark, "PutObjectTagging"), key, |state, _| {
            let kept = state.version(key, version).ok_or(Fault::Missing)?;
            match change {
                MarkChange::Class(class) => kept.tagging = format!("class={class}"),
                MarkChange::Hold(on) => kept.head.legal_hold = Some(*on),
                MarkChange::Retain { until, .. } if kept.head.retain_until > Some(*until) => {
                    return Err(Fault::Denied);
                }
                MarkChange::Retain { mode, until } => {
                    kept.head.lock_mode = Some(mode.clone());
                    kept.head.retain_until = Some(*until);
                }
            }
            Ok(())
        })
    }
}

impl State {
    /// The named version of an object, or the newest.
    fn version(&mut self, key: &str, version: Option<&str>) -> Option<&mut Kept> {
        let mut versions = self.objects.get_mut(key)?.iter_mut().rev();
        versions.find(|kept| version.is_none() || kept.head.version.as_deref() == version)
    }
}

fn md5_of(bytes: &[u8]) -> Md5Digest {
    Md5Digest(Md5::digest(bytes).into())
}
