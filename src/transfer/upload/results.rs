//! What came of a call, and where the upload goes from there.

use super::{Phase, Upload, Why};
use crate::{
    transfer::{
        Answer, Call, Fault, ListedPart, ObjectHead, OpenUpload, PartAck, StoreError, StoredProof,
        parts::Parts,
        proof::{self, Likeness},
    },
    types::{ReceiptLevel, Sha256Digest, fact::Fact},
};
use jiff::Timestamp;

impl Upload {
    /// Takes the result of a call that [`Upload::poll`] handed out.
    pub fn handle(&mut self, now: Timestamp, call: Call, result: Result<Answer, StoreError>) {
        if let Call::PutPart { number, .. } = call {
            match result {
                Ok(Answer::Part(ack)) => self.handle_part(number, ack),
                Ok(_) => self.handle_part_failure(now, number, &confused("UploadPart")),
                Err(error) => self.handle_part_failure(now, number, &error),
            }
            return;
        }
        if !self.asked || self.call().as_ref() != Some(&call) {
            return;
        }
        self.asked = false;
        match result {
            Ok(answer) => self.handle_answer(now, answer),
            Err(error) => self.handle_failure(now, &error),
        }
    }

    fn handle_part(&mut self, number: u32, ack: PartAck) {
        let etag = ack.etag.trim_matches('"').to_owned();
        if self.parts.home(number, Some(etag.clone())) {
            self.progress();
            self.outbox.push(Fact::PartAcknowledged { object: self.object.id, number, etag });
        }
    }

    fn handle_answer(&mut self, now: Timestamp, answer: Answer) {
        // Every arm but the last says what is next; looking is where most of them go.
        match (std::mem::replace(&mut self.phase, Phase::Prove), answer) {
            (Phase::Look { gone }, Answer::Head(None)) => self.not_there(now, gone),
            (Phase::LookFirst, Answer::Head(None)) => self.phase = Phase::Complete,
            (Phase::Look { .. } | Phase::LookFirst, Answer::Head(Some(head))) => self.there(head),
            (Phase::Prove, Answer::Head(None)) => {
                // It was there, or Complete said so. Perhaps an old answer: look again later.
                self.unseen += 1;
                if self.unseen > Self::UNSEEN_MAX {
                    self.phase = Phase::Look { gone: false };
                }
                let words = "the store does not show the object it acknowledged".into();
                self.fail(now, &StoreError { call: "HeadObject", fault: Fault::Server, words });
            }
            (Phase::Prove, Answer::Head(Some(head))) => self.judge(head),
            (Phase::Find, Answer::Uploads(found)) => self.adopt(found),
            (Phase::Prune { mut others }, Answer::Aborted) => {
                others.pop();
                self.prune(others);
            }
            (Phase::Create, Answer::Created(upload)) => {
                self.parts = Parts::new(&self.object);
                self.remembered.clear();
                self.begin(upload);
                self.phase = Phase::Send;
            }
            (Phase::List, Answer::Parts(rows)) => self.merge(&rows),
            (Phase::CheckSpool { after }, Answer::Spool { intact: true }) => {
                self.phase = Phase::Send;
                self.blame_the_way(now, &after);
            }
            (Phase::CheckSpool { .. }, Answer::Spool { intact: false }) => self.give_up(
                Why::SpoolDamaged,
                "the sealed object on the dock's disk is no longer what was sealed; leave the \
                 camera docked: its segment is read and sealed again"
                    .into(),
            ),
            (Phase::Complete, Answer::Completed) | (Phase::AbortOwn { .. }, Answer::Aborted) => {
                self.upload = None
            }
            (Phase::ReadBack { head }, Answer::ReadBack { size, sha256 }) => {
                self.read_back(head, size, sha256);
            }
            (phase, _) => {
                self.phase = phase;
                self.fail(now, &confused("any call"));
            }
        }
    }

    /// HEAD found nothing under our key.
    fn not_there(&mut self, now: Timestamp, gone: bool) {
        let said_there = std::mem::take(&mut self.said_there);
        if said_there && self.attempts >= Self::CONTRADICTED_ATTEMPTS_MAX {
            let words = "the store refuses to complete the upload because the object is there \
                         already, and does not show it: have the store examined";
            self.give_up(Why::Refused, words.into());
        } else if gone {
            self.abandon(now, "the store no longer knows the upload".into());
        } else if self.upload.is_some() {
            self.phase = Phase::List;
        } else {
            self.phase = Phase::Find;
        }
    }

    /// HEAD found something before we completed anything. An upload of ours that may be left over
    /// is ended first, so that the proof comes from a look after our last change.
    fn there(&mut self, head: ObjectHead) {
        self.said_there = false;
        match (proof::likeness(&self.object, &head), self.upload.clone()) {
            (Likeness::Unequal, _) => self.alarm(&head),
            (_, Some(upload)) => self.phase = Phase::AbortOwn { upload },
            (_, None) => self.judge(head),
        }
    }

    fn judge(&mut self, head: ObjectHead) {
        let level = proof::level(&self.object, &head, self.limits.enforces);
        self.phase = match proof::likeness(&self.object, &head) {
            Likeness::Unequal => return self.alarm(&head),
            Likeness::Equal if level >= self.limits.wanted.min(ReceiptLevel::ReadBack) => {
                Phase::Done(StoredProof::new(self.object.id, head, level))
            }
            Likeness::Equal | Likeness::Doubtful => Phase::ReadBack { head },
        };
    }

    fn read_back(&mut self, head: ObjectHead, size: u64, sha256: Sha256Digest) {
        if (size, sha256) == (self.object.sealed.size, self.object.sealed.sha256) {
            let level = proof::level(&self.object, &head, self.limits.enforces);
            let level = level.max(ReceiptLevel::ReadBack);
            self.phase = Phase::Done(StoredProof::new(self.object.id, head, level));
        } else {
            self.alarm(&ObjectHead { size, meta_sha256: Some(sha256.to_string()), ..head });
        }
    }

    fn alarm(&mut self, found: &ObjectHead) {
        let words = format!(
            "the store holds something else under {}: {} bytes, SHA-256 {}, ours is {} bytes, \
             {}; it was not overwritten: have the store examined, then seal the segment again",
            self.object.key,
            found.size,
            found.meta_sha256.as_deref().unwrap_or("unknown"),
            self.object.sealed.size,
            self.object.sealed.sha256
        );
        self.give_up(Why::Unequal, words);
    }

    fn adopt(&mut self, mut found: Vec<OpenUpload>) {
        found.sort_by_key(|upload| std::cmp::Reverse(upload.initiated));
        let mut ids = found.into_iter().map(|upload| upload.id);
        match ids.next() {
            Some(newest) => {
                self.begin(newest);
                self.prune(ids.take(Self::PRUNE_MAX).collect());
            }
            None => self.phase = Phase::Create,
        }
    }

    pub(super) fn prune(&mut self, others: Vec<String>) {
        self.phase = if others.is_empty() { Phase::List } else { Phase::Prune { others } };
    }

    fn begin(&mut self, upload: String) {
        self.outbox.push(Fact::UploadCreated { object: self.object.id, upload: upload.clone() });
        self.upload = Some(upload);
    }

    pub(super) fn merge(&mut self, rows: &[ListedPart]) {
        let mut remembered = std::mem::take(&mut self.remembered);
        let parts = std::mem::take(&mut self.parts);
        remembered.extend(parts.into_acked());
        self.parts = Parts::merge(&self.object, &remembered, rows);
        self.phase = Phase::Send;
    }
}

/// An answer that fits no question: a bug on either side, treated like a stranger's answer.
pub(super) fn confused(call: &'static str) -> StoreError {
    StoreError { call, fault: Fault::NotTheStore, words: "the answer fits no question".into() }
}
