//! The machine that brings one sealed object into the store, exactly once.
//!
//! ```text
//! Look --there--> (AbortOwn ->) Prove --equal--> Done        any failure: wait, then go on where
//!  | not there      ^     |                                  it is safe to; after a Complete that
//!  v                |     +--doubtful or level too low-->    may have happened: Look
//! Find -> Prune -> Create      ReadBack --equal--> Done
//!  |                |
//!  +-> List -> Send (parts) -> (LookFirst ->) Complete
//! ```
//!
//! `poll` says what is to be done, `handle` takes what came of it. Facts that `poll` hands out in
//! [`Step::Remember`] are committed before `poll` is called again. Two calls never overlap but for
//! parts; nothing else is asked while a part is on its way. Attempts count failures without
//! progress in between; the caller keeps them across restarts by [`Fact::UploadFailed`].
//!
//! The key is never changed here: what is found under it that is not ours ends the upload with
//! [`Why::Unequal`], for people to look at. Sealing the segment again makes a new object with a
//! new key.

mod failures;
mod results;

use super::{Backoff, Call, Enforces, ObjectHead, Random, StoreError, StoredProof, parts::Parts};
use crate::types::{
    ReceiptLevel,
    fact::{Fact, SealedObject},
};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

/// What is the same for all uploads to a store.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Parts of this object on their way at once, at least 1.
    pub parts_in_flight: usize,
    /// Below this the object is read back; a level above [`ReceiptLevel::ReadBack`] asks for no
    /// more than that, since reading back is all a dock can do about it.
    pub wanted: ReceiptLevel,
    pub enforces: Enforces,
    pub backoff: Backoff,
}

/// What the dock remembers of an upload that was begun before.
#[derive(Debug, Clone, Default)]
pub struct Resume {
    pub upload: Option<String>,
    /// ETags by part number, of that upload.
    pub acked: BTreeMap<u32, String>,
    pub attempts: u32,
    /// Uploads of this object given up before, counted since it was sealed.
    pub abandoned: u32,
    pub retry_at: Option<Timestamp>,
    /// The dock was restarted since the object was sealed, or somebody asked for a retry: the
    /// store may know more than the dock does.
    pub maybe_begun: bool,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Commit these, each by its own durability, then poll again.
    Remember(Vec<Fact>),
    /// Perform this and hand the result to [`Upload::handle`]; poll again at once.
    Do(Call),
    /// Nothing before this time.
    Wait(Timestamp),
    /// Calls are on their way.
    Idle,
    /// Parts remain, but none may be sent: see [`Upload::allow_parts`].
    Paused,
    Done(StoredProof),
    /// Only a person can help.
    GiveUp(GiveUp),
}

/// Why an upload ended without being stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Under the object's key the store holds something else. An alarm.
    Unequal,
    /// The spool file is no longer what was sealed; the source has to be read again.
    SpoolDamaged,
    /// The store refuses, or forgets, and asking again does not help.
    Refused,
}

/// The end, in words for people: what happened, then what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveUp {
    pub why: Why,
    pub words: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// Is it there already? `gone`: the store just said that it does not know our upload.
    Look {
        gone: bool,
    },
    Find,
    /// Uploads for our key that are not the one we go on with.
    Prune {
        others: Vec<String>,
    },
    Create,
    List,
    Send,
    /// Something went wrong that a damaged spool file explains: is it still what was sealed?
    CheckSpool {
        doubt: Doubt,
    },
    /// The store ignores If-None-Match: look once more before Complete.
    LookFirst,
    Complete,
    /// The object is there, our upload is left over.
    AbortOwn {
        upload: String,
    },
    Prove,
    ReadBack {
        head: ObjectHead,
    },
    Done(StoredProof),
    GaveUp(GiveUp),
}

/// What makes the spool file doubtful.
#[derive(Debug, Clone, PartialEq)]
enum Doubt {
    /// A part failed like this.
    Part(StoreError),
    /// All parts were taken, and the store found that they are not the object.
    Whole(StoreError),
    /// The store took all of it, and gave something else when it was read back: this.
    ReadBack(ObjectHead),
}

/// From when to when nothing is asked; a clock set back ends it.
#[derive(Debug, Clone, Copy)]
struct Pause {
    from: Timestamp,
    until: Timestamp,
}

/// The upload of one object.
#[derive(Debug)]
pub struct Upload {
    object: Arc<SealedObject>,
    limits: Limits,
    random: Random,
    allowed: usize,
    phase: Phase,
    /// A call that is no part is on its way.
    asked: bool,
    upload: Option<String>,
    /// What the dock remembers, until ListParts was asked.
    remembered: BTreeMap<u32, String>,
    parts: Parts,
    pause: Option<Pause>,
    outbox: Vec<Fact>,
    attempts: u32,
    /// Failures answered without waiting since the last progress.
    at_once: u32,
    refusals: u32,
    bad_digests: u32,
    unseen: u32,
    /// Complete was just refused because the object is there.
    said_there: bool,
    abandoned: u32,
    resent: u64,
}

impl Upload {
    /// Uploads for our key that are aborted at most; the bucket's lifecycle rule ends the rest.
    const PRUNE_MAX: usize = 64;
    /// How often an object that Complete acknowledged may be missing before it is sent again.
    const UNSEEN_MAX: u32 = 3;
    const REFUSALS_MAX: u32 = 5;
    /// Failures in a row, restarts included, after which a refused Complete is laid to the upload.
    const COMPLETE_ATTEMPTS_MAX: u32 = 3;
    /// Failures in a row, restarts included, after which a store that refuses Complete because the
    /// object is there, and does not show it, is for people.
    const CONTRADICTED_ATTEMPTS_MAX: u32 = 5;
    const BAD_DIGESTS_MAX: u32 = 6;
    const ABANDONED_MAX: u32 = 5;

    /// `seed` spreads the waits of docks and objects; any number.
    pub fn new(object: Arc<SealedObject>, resume: Resume, limits: Limits, seed: u64) -> Self {
        let begun = resume.maybe_begun || resume.upload.is_some() || resume.attempts > 0;
        let table = &object.table;
        let parts = object.sealed.size.div_ceil(table.part_size.max(1));
        let phase = if parts == 0 || parts != table.parts.len() as u64 {
            let words = format!(
                "the part table has {} parts for {} bytes of {} each; seal the segment again",
                table.parts.len(),
                object.sealed.size,
                table.part_size
            );
            Phase::GaveUp(GiveUp { why: Why::SpoolDamaged, words })
        } else if begun {
            Phase::Look { gone: false }
        } else {
            Phase::Create
        };
        Self {
            parts: Parts::new(&object),
            object,
            limits,
            // A machine lives for one attempt: the same draw each time would let an unlucky object
            // ask every few seconds for ever.
            random: Random::new(seed.wrapping_add(u64::from(resume.attempts))),
            allowed: limits.parts_in_flight.max(1),
            phase,
            asked: false,
            upload: resume.upload,
            remembered: resume.acked,
            pause: resume.retry_at.map(|until| Pause { from: Timestamp::MIN, until }),
            outbox: Vec::new(),
            attempts: resume.attempts,
            at_once: 0,
            refusals: 0,
            bad_digests: 0,
            unseen: 0,
            said_there: false,
            abandoned: resume.abandoned,
            resent: 0,
        }
    }

    pub fn object(&self) -> &Arc<SealedObject> {
        &self.object
    }

    /// From now on at most this many parts on their way at once; 0 lets the ones on their way
    /// finish and sends no more. This is how evidential footage pre-empts, and how windows close.
    pub fn allow_parts(&mut self, parts: usize) {
        self.allowed = parts;
    }

    /// Forgets the wait after a failure: somebody asked for a retry.
    pub fn retry_now(&mut self) {
        self.pause = None;
    }

    /// Bytes the store acknowledged, of the object's sealed size.
    pub fn acked_bytes(&self) -> u64 {
        self.parts.acked_bytes(&self.object)
    }

    /// Bytes of parts that failed and were or will be sent again.
    pub fn resent_bytes(&self) -> u64 {
        self.resent
    }

    /// Failures since the last progress.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What is to be done at `now`. Poll again after every step but Wait, Idle and Paused.
    pub fn poll(&mut self, now: Timestamp) -> Step {
        if !self.outbox.is_empty() {
            return Step::Remember(std::mem::take(&mut self.outbox));
        }
        match &self.phase {
            Phase::Done(proof) => return Step::Done(proof.clone()),
            Phase::GaveUp(end) if self.parts.in_flight() == 0 => return Step::GiveUp(end.clone()),
            _ if self.asked => return Step::Idle,
            _ => {}
        }
        if let Some(pause) = self.pause {
            if pause.from <= now && now < pause.until {
                let quiet = self.parts.in_flight() == 0;
                return if quiet { Step::Wait(pause.until) } else { Step::Idle };
            }
            self.pause = None;
        }
        if self.phase == Phase::Send
            && let Some(step) = self.poll_parts()
        {
            return step;
        }
        if self.parts.in_flight() > 0 {
            return Step::Idle;
        }
        match self.call() {
            Some(call) => {
                self.asked = true;
                Step::Do(call)
            }
            None => Step::Idle,
        }
    }

    /// The next part, or none when all are acknowledged.
    fn poll_parts(&mut self) -> Option<Step> {
        if self.parts.all_acked() {
            let careful = !self.limits.enforces.if_none_match;
            self.phase = if careful { Phase::LookFirst } else { Phase::Complete };
            return None;
        }
        let Some(upload) = self.upload.clone() else {
            self.phase = Phase::Find;
            return None;
        };
        if self.parts.in_flight() < self.allowed
            && let Some(number) = self.parts.start()
        {
            return Some(Step::Do(Call::PutPart { upload, number }));
        }
        Some(if self.parts.in_flight() > 0 { Step::Idle } else { Step::Paused })
    }

    /// The one call of a phase; none where there is nothing to ask.
    fn call(&self) -> Option<Call> {
        let upload = || self.upload.clone().unwrap_or_default();
        match &self.phase {
            Phase::Look { .. } | Phase::LookFirst | Phase::Prove => Some(Call::Head),
            Phase::Find => Some(Call::FindUploads),
            Phase::Prune { others } => others.last().map(|o| Call::Abort { upload: o.clone() }),
            Phase::Create => Some(Call::Create),
            Phase::List => Some(Call::ListParts { upload: upload() }),
            Phase::CheckSpool { .. } => Some(Call::CheckSpool),
            Phase::Complete => Some(Call::Complete { upload: upload(), etags: self.parts.etags() }),
            Phase::AbortOwn { upload } => Some(Call::Abort { upload: upload.clone() }),
            Phase::ReadBack { .. } => Some(Call::ReadBack),
            Phase::Send | Phase::Done(_) | Phase::GaveUp(_) => None,
        }
    }

    fn give_up(&mut self, why: Why, words: String) {
        self.phase = Phase::GaveUp(GiveUp { why, words });
    }

    fn progress(&mut self) {
        (self.attempts, self.at_once, self.refusals, self.bad_digests) = (0, 0, 0, 0);
    }
}
