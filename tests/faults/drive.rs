//! One object's way through the bad network, by the real door and the real upload machine.
//!
//! Work is real, waits are not: the machine is told the time, so a wait of minutes is a number.
//! As in the daemon, a wait that is worth giving the slot away ends the machine; the next one is
//! made from what the facts say.

use crate::proxy::{Proxy, Rule};
use bwvdock::{
    spool::SpoolFile,
    store::{Enforces, Limiter, S3, S3Options, Store as _, perform},
    transfer::{Backoff, GiveUp, Limits, Random, Resume, Step, StoredProof, Upload},
    types::{
        Class, Md5Digest, ObjectId, ReceiptLevel, SegmentId, Sha256Digest,
        fact::{Content, Fact, Hashed, Part, PartTable, SealedObject},
    },
};
use jiff::{SignedDuration, Timestamp};
use md5::{Digest as _, Md5};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};
use zeroize::Zeroizing;

pub const PART: usize = 5 << 20;
/// The patience of the door under test; a dock's own is a minute.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// What a part may take at the slowest rate worth waiting for, besides the patience.
const PART_SECONDS: u64 = 2;
/// As in the daemon: a longer wait gives the slot away.
const WAIT_IN_SLOT: SignedDuration = SignedDuration::from_secs(3);

/// What a store that checks everything was seen to enforce.
pub const ALL: Enforces = Enforces { sha256: true, md5: true, if_none_match: true };

/// Where the real store is.
#[derive(Clone)]
pub struct Place {
    pub endpoint: String,
    pub bucket: &'static str,
    pub access_key: &'static str,
    pub secret_key: &'static str,
}

impl Place {
    pub fn door(&self, endpoint: &str) -> Arc<S3> {
        let secret = Zeroizing::new(self.secret_key.to_owned());
        let mut options =
            S3Options::new(endpoint.parse().unwrap(), self.bucket, self.access_key, secret);
        options.patience = PATIENCE;
        options.bytes_per_second_min = PART as u64 / PART_SECONDS;
        options.connect_timeout = PATIENCE;
        Arc::new(S3::new(options, Limiter::new(0, 0)).unwrap())
    }
}

#[derive(Debug)]
pub enum End {
    Stored(Box<StoredProof>),
    GaveUp(GiveUp),
    /// The time that was given is over; it waits for its next attempt.
    Queued,
}

/// An object, its way, and what was remembered of it.
pub struct Way {
    pub proxy: Proxy,
    through: Arc<S3>,
    /// Past the proxy, to see what is really there.
    pub direct: Arc<S3>,
    pub object: Arc<SealedObject>,
    pub file: SpoolFile,
    pub enforces: Enforces,
    pub facts: Vec<Fact>,
    /// What the clock of the machine says.
    pub now: Timestamp,
    pub began: Timestamp,
}

impl Way {
    /// `bytes` pseudo-random bytes under a key of their own.
    pub fn new(place: &Place, name: &str, bytes: usize) -> Self {
        let proxy = Proxy::start(place.endpoint.trim_start_matches("http://").parse().unwrap());
        let (object, file) = object(name, bytes);
        let now = Timestamp::now();
        Self {
            through: place.door(&proxy.endpoint()),
            direct: place.door(&place.endpoint),
            proxy,
            object: Arc::new(object),
            file,
            enforces: ALL,
            facts: Vec::new(),
            now,
            began: now,
        }
    }

    pub fn break_with(&self, rules: Vec<Rule>) {
        self.proxy.set(rules);
    }

    /// Works until the end, or until `lasting` has passed on the machine's clock.
    pub async fn run(&mut self, lasting: SignedDuration) -> End {
        let until = self.now + lasting;
        loop {
            let mut upload =
                Upload::new(self.object.clone(), self.remembered(), self.limits(), self.seed());
            if let Some(end) = self.one_slot(&mut upload, until).await {
                return end;
            }
        }
    }

    /// What the daemon does while an object has a slot; none when it gave the slot away.
    async fn one_slot(&mut self, upload: &mut Upload, until: Timestamp) -> Option<End> {
        let mut calls = JoinSet::new();
        loop {
            match upload.poll(self.now) {
                Step::Remember(facts) => self.facts.extend(facts),
                Step::Do(call) => {
                    let (store, object, file) =
                        (self.through.clone(), self.object.clone(), self.file.clone());
                    calls.spawn(async move {
                        let result = perform(&*store, &object, &file, &call).await;
                        (call, result)
                    });
                }
                Step::Idle => {
                    let before = Instant::now();
                    let (call, result) = calls.join_next().await.unwrap().unwrap();
                    let took = SignedDuration::try_from(before.elapsed()).unwrap();
                    self.now += took;
                    upload.handle(self.now, call, result);
                }
                Step::Wait(wait_until) => {
                    let wait = wait_until.duration_since(self.now);
                    self.now = wait_until;
                    if self.now >= until {
                        return Some(End::Queued);
                    }
                    if wait > WAIT_IN_SLOT {
                        return None;
                    }
                }
                Step::Paused => panic!("paused by nobody"),
                Step::Done(proof) => return Some(End::Stored(Box::new(proof))),
                Step::GiveUp(end) => return Some(End::GaveUp(end)),
            }
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            parts_in_flight: 2,
            wanted: ReceiptLevel::Md5PerPart,
            enforces: self.enforces,
            backoff: Backoff::default(),
        }
    }

    fn seed(&self) -> u64 {
        self.object.id.0.as_u64_pair().1.wrapping_add(self.facts.len() as u64)
    }

    /// What the dock's state says of an upload, folded from the facts.
    fn remembered(&self) -> Resume {
        let mut resume = Resume { maybe_begun: true, ..Resume::default() };
        for fact in &self.facts {
            match fact {
                Fact::UploadCreated { upload, .. } => resume.upload = Some(upload.clone()),
                Fact::PartAcknowledged { number, etag, .. } => {
                    resume.acked.insert(*number, etag.clone());
                    resume.attempts = 0;
                }
                Fact::UploadAbandoned { .. } => {
                    resume.upload = None;
                    resume.acked.clear();
                    resume.abandoned += 1;
                }
                Fact::UploadFailed { attempts, .. } => resume.attempts = *attempts,
                other => panic!("an upload does not say {other:?}"),
            }
        }
        resume
    }

    /// The words of every failure, in order.
    pub fn words(&self) -> Vec<String> {
        let failed = self.facts.iter().filter_map(|fact| match fact {
            Fact::UploadFailed { words, .. } | Fact::UploadAbandoned { words, .. } => Some(words),
            _ => None,
        });
        failed.cloned().collect()
    }

    pub fn failures(&self) -> usize {
        self.facts.iter().filter(|fact| matches!(fact, Fact::UploadFailed { .. })).count()
    }

    /// The store holds the object, byte for byte, and no upload of it is left open but for those it
    /// disowned itself.
    pub async fn is_there_once(&self, disowned: usize) {
        let sealed = self.object.sealed;
        let found = self.direct.read_back(&self.object.key, sealed.size).await.unwrap();
        assert_eq!(found, (sealed.size, sealed.sha256), "the store holds something else");
        let open = self.direct.open_uploads(&self.object.key).await.unwrap();
        assert_eq!(open.len(), disowned, "uploads were left open: {open:?}");
    }

    /// The store holds nothing under the key.
    pub async fn is_not_there(&self) {
        assert_eq!(self.direct.head(&self.object.key).await.unwrap(), None);
    }
}

fn object(name: &str, size: usize) -> (SealedObject, SpoolFile) {
    let mut random = Random::new(size as u64);
    let bytes: Vec<u8> = (0..size.div_ceil(8)).flat_map(|_| random.bits().to_le_bytes()).collect();
    let bytes = bytes[..size].to_vec();
    let part = |b: &[u8]| Part {
        sha256: Sha256Digest::of(b),
        md5: Some(Md5Digest(Md5::digest(b).into())),
    };
    let hashed = Hashed { size: size as u64, sha256: Sha256Digest::of(&bytes) };
    let object = SealedObject {
        id: ObjectId(uuid::Uuid::now_v7()),
        content: Content::Segment(SegmentId(uuid::Uuid::now_v7())),
        plain: hashed,
        sealed: hashed,
        table: PartTable { part_size: PART as u64, parts: bytes.chunks(PART).map(part).collect() },
        key: format!("force/dock-1/{name}.age"),
        class: Class::Unreviewed,
        retain_until: None,
    };
    (object, SpoolFile::from_bytes(bytes))
}
