//! The upload machine against the simulated store.

mod named;
mod random;

use super::{
    Enforces, SimStore, perform,
    sim::{Rule, Trouble},
};
use crate::{
    spool::SpoolFile,
    transfer::{Backoff, Call, GiveUp, Limits, Random, Resume, Step, StoredProof, Upload},
    types::{
        Class, Md5Digest, ObjectId, ReceiptLevel, SegmentId, Sha256Digest,
        fact::{Content, Fact, Hashed, Part, PartTable, SealedObject},
    },
};
use jiff::{SignedDuration, Timestamp};
use md5::{Digest as _, Md5};
use std::sync::Arc;

const PART: usize = 10;
const ALL: Enforces = Enforces { sha256: true, md5: true, if_none_match: true };
const NOTHING: Enforces = Enforces { sha256: false, md5: false, if_none_match: false };

/// A sealed object whose bytes are these.
pub(in crate::store) fn object(bytes: &[u8]) -> Arc<SealedObject> {
    let part = |b: &[u8]| Part {
        sha256: Sha256Digest::of(b),
        md5: Some(Md5Digest(Md5::digest(b).into())),
    };
    let hashed = Hashed { size: bytes.len() as u64, sha256: Sha256Digest::of(bytes) };
    Arc::new(SealedObject {
        id: ObjectId(uuid::Uuid::from_u128(7)),
        content: Content::Segment(SegmentId(uuid::Uuid::from_u128(8))),
        plain: hashed,
        sealed: hashed,
        table: PartTable { part_size: PART as u64, parts: bytes.chunks(PART).map(part).collect() },
        key: "force/dock/object.age".into(),
        class: Class::Unreviewed,
        retain_until: None,
    })
}

fn body(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n * 7 + n / 11) as u8).collect()
}

#[derive(Debug)]
enum End {
    Done(Box<StoredProof>),
    GaveUp(GiveUp),
}

/// A dock with one object, its durable facts, and a store.
struct World {
    store: SimStore,
    object: Arc<SealedObject>,
    bytes: Vec<u8>,
    file: SpoolFile,
    limits: Limits,
    now: Timestamp,
    random: Random,
    durable: Vec<Fact>,
    /// Progress that may not have reached the disk yet.
    lagging: Vec<Fact>,
    in_flight: Vec<Call>,
    most_in_flight: usize,
    waited: Vec<SignedDuration>,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new(size: usize, enforces: Enforces, script: Vec<Rule>, seed: u64) -> Self {
        let bytes = body(size);
        Self {
            store: SimStore::new(enforces, script),
            object: object(&bytes),
            file: SpoolFile::from_bytes(bytes.clone()),
            bytes,
            limits: Limits {
                parts_in_flight: 3,
                wanted: ReceiptLevel::ReadBack,
                enforces,
                backoff: Backoff::default(),
            },
            now: "2026-01-05T12:00:00Z".parse().unwrap(),
            random: Random::new(seed),
            durable: Vec::new(),
            lagging: Vec::new(),
            in_flight: Vec::new(),
            most_in_flight: 0,
            waited: Vec::new(),
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
        }
    }

    fn upload(&self, resume: Resume) -> Upload {
        Upload::new(self.object.clone(), resume, self.limits, 5)
    }

    /// One poll and what follows from it; the end, if it is one.
    fn step(&mut self, upload: &mut Upload) -> Option<End> {
        match upload.poll(self.now) {
            Step::Remember(facts) => {
                for fact in facts {
                    self.lagging.push(fact);
                    if self.lagging.last().unwrap().must_be_durable() {
                        self.durable.append(&mut self.lagging);
                    }
                }
            }
            Step::Do(call) => {
                self.in_flight.push(call);
                self.most_in_flight = self.most_in_flight.max(self.in_flight.len());
            }
            Step::Wait(until) => {
                assert!(until > self.now && self.in_flight.is_empty());
                self.waited.push(until.duration_since(self.now));
                self.now = until;
            }
            Step::Idle => {
                assert!(!self.in_flight.is_empty(), "idle with nothing on its way");
                let which = self.random.bits() as usize % self.in_flight.len();
                let call = self.in_flight.swap_remove(which);
                let result = self.perform(&call);
                upload.handle(self.now, call, result);
            }
            Step::Paused => panic!("paused by nobody"),
            Step::Done(proof) => return Some(End::Done(Box::new(proof))),
            Step::GiveUp(end) => return Some(End::GaveUp(end)),
        }
        None
    }

    fn perform(&self, call: &Call) -> Result<crate::transfer::Answer, super::StoreError> {
        self.runtime.block_on(perform(&self.store, &self.object, &self.file, call))
    }

    fn finish(&mut self, upload: &mut Upload) -> End {
        for _ in 0..20_000 {
            if let Some(end) = self.step(upload) {
                return end;
            }
        }
        panic!("no end after 20000 steps; phase {upload:?}");
    }

    fn run(&mut self) -> End {
        let mut upload = self.upload(Resume::default());
        self.finish(&mut upload)
    }

    /// The process dies: calls on their way may or may not happen, progress may be lost.
    fn crash(&mut self) -> Upload {
        for call in std::mem::take(&mut self.in_flight) {
            if self.random.bits().is_multiple_of(2) {
                let _ = self.perform(&call);
            }
        }
        if self.random.bits().is_multiple_of(2) {
            self.durable.append(&mut self.lagging);
        }
        self.lagging.clear();
        let resume = self.remembered();
        self.upload(resume)
    }

    /// What the durable facts say.
    fn remembered(&self) -> Resume {
        let mut resume = Resume { maybe_begun: true, ..Resume::default() };
        for fact in &self.durable {
            match fact {
                Fact::UploadCreated { upload, .. } => {
                    resume.upload = Some(upload.clone());
                    resume.acked.clear();
                }
                Fact::PartAcknowledged { number, etag, .. } => {
                    resume.acked.insert(*number, etag.clone());
                    (resume.attempts, resume.retry_at) = (0, None);
                }
                Fact::UploadAbandoned { .. } => {
                    resume.upload = None;
                    resume.acked.clear();
                }
                Fact::UploadFailed { attempts, retry_at, .. } => {
                    (resume.attempts, resume.retry_at) = (*attempts, Some(*retry_at));
                }
                other => panic!("not a fact of an upload: {other:?}"),
            }
        }
        resume
    }

    /// It is stored, once, and is what was sealed.
    fn assert_stored(&self, end: &End) -> StoredProof {
        let End::Done(proof) = end else { panic!("{end:?}") };
        let versions = self.store.versions(&self.object.key);
        assert_eq!(versions.len(), 1);
        assert_eq!(versions[0].bytes, self.bytes);
        assert_eq!(proof.head(), &versions[0].head);
        (**proof).clone()
    }
}

fn rule(kind: super::sim::Kind, nth: u32, trouble: Trouble) -> Rule {
    Rule { kind, nth, trouble }
}
