//! The way to the store: the real upload machine in front of the simulated store, and receipts.

use crate::{
    mutants::Mutant,
    store::{Trouble, error},
    tally::{count, name_of},
    task::{Task, Work},
    world::World,
};
use bwvdock::{
    custody::receipt::{Place, Receipt},
    dock::{
        Event, Records,
        event::{EraseResult, MarkEnd, NoReceipt, UploadEnd},
        sending::{Sending, Turn},
    },
    transfer::{self, Answer, Call, ListedPart, ObjectHead, Resume, StoreError, StoredProof},
    types::{
        ObjectId, Sha256Digest,
        fact::{MarksAsked, MarksSeen, ReceiptRef, SealedObject},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// When marks are asked for again after a failure.
const MARK_AGAIN: SignedDuration = SignedDuration::from_secs(60);

pub struct Upload {
    pub object: Arc<SealedObject>,
    sending: Sending,
    calls: Vec<Call>,
    /// In true time: waiting does not follow the dock's clock.
    pub sleeps_until: Option<Timestamp>,
    /// For mutants: what the store was sent.
    sent: Vec<(u32, String)>,
}

fn seed_of(object: ObjectId) -> u64 {
    let bytes = object.as_bytes();
    u64::from_be_bytes(bytes[8..].try_into().expect("eight bytes"))
}

impl World {
    pub fn begin_upload(&mut self, object: ObjectId) {
        let state = self.table.object(object).expect("a table in memory");
        let Some(state) = state else { return };
        let acked = self.table.acknowledged(object).expect("a table in memory");
        let mut sealed = state.object;
        if self.is(Mutant::AnotherKeyEachTime) {
            sealed.key = format!("{}-{}", sealed.key, self.tally.requests);
        }
        let resume = Resume {
            upload: state.upload,
            acked: acked.into_iter().collect(),
            attempts: state.attempts,
            abandoned: state.abandoned,
            retry_at: None,
            maybe_begun: !self.is(Mutant::AnotherKeyEachTime),
        };
        let object = Arc::new(sealed);
        let machine =
            transfer::Upload::new(object.clone(), resume, self.limits, seed_of(object.id));
        let upload = Upload {
            object,
            sending: Sending::new(machine),
            calls: Vec::new(),
            sleeps_until: None,
            sent: Vec::new(),
        };
        self.tasks.push(Task { bay: None, work: Work::Upload(Box::new(upload)), stop: false });
    }

    pub fn stop_upload(&mut self, object: ObjectId) {
        for task in &mut self.tasks {
            if let Work::Upload(upload) = &mut task.work
                && upload.object.id == object
            {
                upload.sleeps_until = None;
                upload.sending.stop();
            }
        }
    }

    pub fn step_upload(&mut self, task: &mut Task) -> Option<Event> {
        let Work::Upload(upload) = &mut task.work else { return None };
        let object = upload.object.clone();
        let ended = |end| Some(Event::UploadEnded { object: object.id, end });
        let file = self.disk.spool.get(&object.id).cloned();
        // As the daemon does before anything is asked of the store.
        let Some(file) = file.filter(|file| file.len() as u64 == object.sealed.size) else {
            return ended(UploadEnd::SpoolDamaged { words: "its spool file is gone".into() });
        };
        // For a store that does not check SHA-256 the daemon reads the spool file for its MD5s, and
        // meets what rotted.
        let begins = upload.calls.is_empty() && upload.sent.is_empty();
        if begins && !self.store.enforces.sha256 && !is_sealed(&object, &file) {
            return ended(UploadEnd::SpoolDamaged { words: "it has another digest".into() });
        }
        upload.sleeps_until = None;
        match upload.sending.poll(self.clock()) {
            Turn::Remember(facts) => self.remember(facts),
            Turn::Do(call) => upload.calls.push(call),
            Turn::Sleep(until) => {
                let wait = until.duration_since(self.clock());
                upload.sleeps_until = self.now.checked_add(wait).ok();
            }
            Turn::Idle => {
                let at = self.dice.below(upload.calls.len());
                if upload.calls.is_empty() {
                    return ended(upload.sending.broke_off(self.clock()));
                }
                let call = upload.calls.swap_remove(at);
                let result = self.call(&object, &call, &file, &mut upload.sent);
                upload.sending.handle(self.clock(), call, result);
            }
            Turn::End(end) => return ended(end),
        }
        None
    }

    /// A call to the store, with what the network and the store make of it.
    fn call(
        &mut self,
        object: &SealedObject,
        call: &Call,
        file: &[u8],
        sent: &mut Vec<(u32, String)>,
    ) -> Result<Answer, StoreError> {
        count(&mut self.tally.calls, &name_of(call));
        if !matches!(call, Call::CheckSpool) {
            crate::invariants::at_request(self, object.id);
        }
        let trouble = self.trouble();
        // Reading one's own disk is no call to anybody.
        let trouble = trouble.filter(|_| !matches!(call, Call::CheckSpool));
        let lenient = self.is(Mutant::ResumedWithAForgottenPart);
        if lenient && matches!(call, Call::Complete { .. }) {
            let Call::Complete { upload, .. } = call else { return Err(error_of()) };
            self.store.assemble(upload, object);
            return Ok(Answer::Completed);
        }
        let result = self.store.perform(object, call, file, trouble, self.now, &mut self.tally);
        if let (Call::PutPart { number, .. }, Ok(Answer::Part(ack))) = (call, &result) {
            sent.push((*number, ack.etag.clone()));
        }
        let believed = self.is(Mutant::ErrorInside200Believed);
        if believed && matches!(call, Call::Complete { .. }) && result.is_err() {
            sent.resize(object.table.parts.len(), (0, String::new()));
        }
        let result = self.lie(object, call, result, sent);
        if self.story.is_some() {
            self.tell(format_args!("store {} {call:?} {trouble:?} -> {result:?}", object.id));
        }
        result
    }

    /// Mutants of the store's door.
    fn lie(
        &mut self,
        object: &SealedObject,
        call: &Call,
        result: Result<Answer, StoreError>,
        sent: &[(u32, String)],
    ) -> Result<Answer, StoreError> {
        let head = || ObjectHead {
            size: object.sealed.size,
            etag: transfer::md5_composite(&object.table).unwrap_or_default(),
            composite_sha256: Some(object.table.composite_sha256()),
            meta_sha256: Some(object.sealed.sha256.to_string()),
            ..ObjectHead::default()
        };
        let whole = sent.len() >= object.table.parts.len();
        match (self.mutant, call, &result) {
            (Some(Mutant::ErrorInside200Believed), Call::Complete { .. }, Err(_)) => {
                Ok(Answer::Completed)
            }
            (Some(Mutant::ErrorInside200Believed), Call::Head, Ok(Answer::Head(None))) if whole => {
                Ok(Answer::Head(Some(head())))
            }
            (Some(Mutant::ResumedWithAForgottenPart), Call::ListParts { .. }, Ok(_)) => {
                let parts = (1..=object.table.parts.len() as u32).map(|number| ListedPart {
                    number,
                    etag: object.table.parts[number as usize - 1]
                        .md5
                        .map_or_else(|| "f".repeat(32), |md5| md5.to_string()),
                    size: object.table.part_len(number, object.sealed.size),
                });
                Ok(Answer::Parts(parts.collect()))
            }
            (Some(Mutant::ResumedWithAForgottenPart), Call::Head, Ok(Answer::Head(Some(_)))) => {
                Ok(Answer::Head(Some(head())))
            }
            (Some(Mutant::ResumedWithAForgottenPart), Call::ReadBack, Ok(_)) => {
                let (size, sha256) = (object.sealed.size, object.sealed.sha256);
                Ok(Answer::ReadBack { size, sha256 })
            }
            _ => result,
        }
    }

    fn trouble(&mut self) -> Option<Trouble> {
        if let Some((trouble, until)) = self.outage {
            if self.now < until {
                return Some(trouble);
            }
            self.outage = None;
        }
        let struck = self.dice.permille(self.chances.call);
        let trouble = self.dice.pick(&Trouble::ALL);
        // A store that checks nothing at all keeps whatever arrives: that is for people, see the
        // README on `bwvdock store probe`, and no dock can repair it.
        let mended = trouble == Trouble::FlippedBit && !self.checks_parts();
        (struck && !mended).then_some(trouble)
    }

    pub fn checks_parts(&self) -> bool {
        self.store.enforces.sha256 || self.store.enforces.md5
    }

    /// Looks at the stored object once more, signs what the store says, and keeps it on disk.
    pub fn write_receipt(&mut self, object: ObjectId) -> Event {
        let result = self.receipt(object);
        self.tell(format_args!("receipt for {object}: {result:?}"));
        Event::ReceiptWritten { object, result }
    }

    fn receipt(&mut self, id: ObjectId) -> Result<ReceiptRef, NoReceipt> {
        let later = |words: &str| NoReceipt::Later(words.to_owned());
        let state = self.table.object(id).expect("a table in memory").ok_or(later("unknown"))?;
        let object = &state.object;
        let (level, version) = state.stored.clone().ok_or(later("not stored"))?;
        let answer = self.call(object, &Call::Head, &[], &mut Vec::new());
        let Answer::Head(head) = answer.map_err(|error| later(&error.to_string()))? else {
            return Err(later("confused"));
        };
        let head = match self.is(Mutant::ErasedAfterTheStoreLostIt) {
            true => Some(as_if_it_were_there(object, version.clone())),
            false => {
                if self.holds(object).is_some() {
                    self.truth.looked.insert(id);
                }
                head
            }
        };
        let head = head.ok_or_else(|| NoReceipt::Forgotten("the store forgot it".into()))?;
        let proof = StoredProof::again(object, head, level, version.as_deref())
            .ok_or(later("the store now has something else under the object's key"))?;
        self.sign(object, &proof).map_err(later)
    }

    /// What the daemon asks right before an erase.
    pub fn look_before_erase(&mut self, id: ObjectId) -> Result<StoredProof, EraseResult> {
        let silent = |words: &str| EraseResult::StoreSilent(words.to_owned());
        let lacks = |words: &str| EraseResult::StoreLacks(words.to_owned());
        let state = self.table.object(id).expect("a table in memory").ok_or(silent("unknown"))?;
        let object = &state.object;
        let (level, version) = state.stored.clone().ok_or(lacks("not stored"))?;
        let head = match self.is(Mutant::ErasedAfterTheStoreLostIt) {
            true => Some(as_if_it_were_there(object, version.clone())),
            false => match self.call(object, &Call::Head, &[], &mut Vec::new()) {
                Ok(Answer::Head(head)) => head,
                Ok(_) => return Err(silent("confused")),
                Err(error) => return Err(silent(&error.to_string())),
            },
        };
        let head = head.ok_or(lacks("the store no longer has it"))?;
        StoredProof::again(object, head, level, version.as_deref())
            .ok_or(lacks("the store now has something else"))
    }

    fn sign(
        &mut self,
        object: &SealedObject,
        proof: &StoredProof,
    ) -> Result<ReceiptRef, &'static str> {
        if self.disk.full || self.disk.failing {
            return Err("the receipt cannot be written");
        }
        let mut named = object.clone();
        if self.is(Mutant::ReceiptOfAnotherObject) {
            let other = self.truth.objects.values().find(|other| other.id != object.id);
            named = other.cloned().unwrap_or(named);
        }
        let dock = self.dock.settings().dock.clone();
        let place = Place { endpoint: "store:443".into(), bucket: "evidence".into() };
        let receipt = Receipt::new(&dock, &named, proof, place, self.durable_head(), self.clock());
        let bytes = receipt.sign(&self.key);
        let reference = ReceiptRef { sha256: Sha256Digest::of(&bytes), level: proof.level() };
        self.durable_point();
        if !self.stands() {
            return Err("killed");
        }
        self.disk.receipts.insert(object.id, bytes);
        Ok(reference)
    }

    pub fn place_receipt(&mut self, object: ObjectId) -> Event {
        let struck = self.trouble();
        self.tally.requests += 1;
        let failed = struck.map(|trouble| format!("{trouble:?}"));
        Event::ReceiptPlaced { object, result: failed.map_or(Ok(()), Err) }
    }

    /// The marks of its class: what a store keeps of them is told apart in the tests of marks.
    pub fn mark(&mut self, object: ObjectId, asked: MarksAsked) -> Event {
        let struck = self.trouble();
        self.tally.requests += 1;
        let state = self.table.object(object).expect("a table in memory");
        let attempts = state.map_or(0, |state| state.marking.attempts).saturating_add(1);
        let end = match struck {
            Some(trouble) => MarkEnd::Failed {
                attempts,
                words: format!("{trouble:?}"),
                retry_at: self.clock().saturating_add(MARK_AGAIN).expect("a time in the middle"),
                store_wide: true,
            },
            None => MarkEnd::Seen(MarksSeen { class: Some(asked.class), ..MarksSeen::default() }),
        };
        Event::MarkEnded { object, asked, end }
    }

    /// What the store really keeps under this object's key, opened, if it is that very object.
    pub fn holds(&self, object: &SealedObject) -> Option<Vec<u8>> {
        let kept = self.store.newest(&object.key)?;
        (Sha256Digest::of(&kept.bytes) == object.sealed.sha256)
            .then(|| crate::sealing::open(&kept.bytes))?
    }
}

fn is_sealed(object: &SealedObject, file: &[u8]) -> bool {
    Sha256Digest::of(file) == object.sealed.sha256
}

fn error_of() -> StoreError {
    error(transfer::Fault::NotTheStore)
}

fn as_if_it_were_there(object: &SealedObject, version: Option<String>) -> ObjectHead {
    ObjectHead {
        size: object.sealed.size,
        version,
        meta_sha256: Some(object.sealed.sha256.to_string()),
        ..ObjectHead::default()
    }
}
