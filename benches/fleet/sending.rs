//! The way to the store, as the daemon's tasks go it: the real machine, the real door.

use crate::{
    agenda::Due,
    station::{Station, at},
};
use bwvdock::{
    custody::{
        chain::Head,
        receipt::{Place, Receipt},
    },
    dock::{
        Event, Records as _,
        event::{MarkEnd, NoReceipt, UploadEnd},
        sending::{Sending, Turn},
    },
    transfer::{Answer, Call, Resume, StoredProof, Upload, marks::MarksWanted},
    types::{
        Class, ObjectId, Sha256Digest,
        fact::{MarksAsked, NewFact, ReceiptRef, SealedObject},
    },
};
use std::sync::Arc;

/// An upload under way.
pub struct Sent {
    pub object: Arc<SealedObject>,
    pub sending: Sending,
}

impl Station {
    pub(crate) fn begin_upload(&mut self, id: ObjectId) {
        let state = self.table.object(id).expect("a table in memory").expect("a known object");
        let acked = self.table.acknowledged(id).expect("a table in memory");
        // As the daemon begins one.
        let resume = Resume {
            upload: state.upload,
            acked: acked.into_iter().collect(),
            attempts: state.attempts,
            abandoned: state.abandoned,
            retry_at: None,
            maybe_begun: true,
        };
        let object = Arc::new(state.object);
        let machine = Upload::new(object.clone(), resume, self.limits, self.seq);
        self.uploads.insert(id, Sent { object, sending: Sending::new(machine) });
        self.drive(id);
    }

    pub(crate) fn drive(&mut self, id: ObjectId) {
        loop {
            let now = at(self.now);
            let Some(sent) = self.uploads.get_mut(&id) else { return };
            match sent.sending.poll(now) {
                Turn::Remember(facts) => {
                    self.commit(facts.into_iter().map(NewFact::from).collect());
                }
                Turn::Do(call @ Call::PutPart { .. }) => self.waiting.push_back((id, call)),
                Turn::Do(call) => {
                    let object = sent.object.clone();
                    let (result, asked) = self.door.perform(self.now, &object, &call);
                    let ready = self.now + asked * self.round_trip;
                    self.later(ready, Due::Answered(id, Box::new((call, result))));
                }
                Turn::Sleep(until) => {
                    let wait = until.duration_since(now).as_millis() as i64;
                    return self.later(self.now + wait.max(1), Due::Wake(id));
                }
                Turn::Idle => return self.send_parts(),
                Turn::End(end) => {
                    self.uploads.remove(&id);
                    self.ended(id, &end);
                    return self.tell(Event::UploadEnded { object: id, end });
                }
            }
        }
    }

    pub(crate) fn ended(&mut self, id: ObjectId, end: &UploadEnd) {
        let (UploadEnd::Stored { .. }, Some(camera)) = (end, self.owner.get(&id)) else { return };
        let state = self.table.object(id).expect("a table in memory").expect("a known object");
        let took = self.now - self.cameras[*camera].arrives;
        self.day.sealed_bytes += state.object.sealed.size;
        self.day.safe_all[*camera] = self.day.safe_all[*camera].max(took);
        if state.object.class == Class::Evidential {
            let safe = &mut self.day.safe_evidence[*camera];
            *safe = took.max(*safe);
        }
    }

    /// Puts parts on the line while connections are free.
    pub(crate) fn send_parts(&mut self) {
        while self.busy < self.connections {
            let Some((id, call)) = self.waiting.pop_front() else { return };
            let Some(sent) = self.uploads.get(&id) else { continue };
            let object = sent.object.clone();
            let Call::PutPart { number, .. } = &call else { continue };
            let bytes = object.table.part_len(*number, object.sealed.size);
            let (result, _) = self.door.perform(self.now, &object, &call);
            self.line.start(self.now, bytes, (id, call, result, bytes));
            self.busy += 1;
        }
    }

    pub(crate) fn through(&mut self) {
        for (id, call, result, bytes) in self.line.finish(self.now) {
            self.door.bucket().tally.moved(self.now, bytes);
            self.later(self.now + self.round_trip, Due::Answered(id, Box::new((call, result))));
        }
    }

    pub(crate) fn mark(&mut self, id: ObjectId, asked: MarksAsked) {
        let state = self.table.object(id).expect("a table in memory").expect("a known object");
        // As the daemon asks for the first time; nobody changes a mark in this day.
        let wanted = MarksWanted {
            asked,
            lock: self.lock,
            retain_until: state.object.retain_until.filter(|_| self.lock),
            hold_is_ours: state.marking.hold_is_ours,
            known_class: None,
        };
        let version = state.stored.as_ref().and_then(|(_, version)| version.clone());
        let (result, requests) = self.door.mark(self.now, &state.object.key, version, &wanted);
        let end = MarkEnd::Seen(result.expect("a store that keeps marks"));
        let ms = requests * self.round_trip;
        self.work(ms as f64, Event::MarkEnded { object: id, asked, end });
    }

    /// One more look, as the daemon takes it, and the signed receipt of what it showed.
    pub(crate) fn write_receipt(&mut self, id: ObjectId) {
        let state = self.table.object(id).expect("a table in memory").expect("a known object");
        let object = Arc::new(state.object);
        let (answer, requests) = self.door.perform(self.now, &object, &Call::Head);
        let proof = match (answer, &state.stored) {
            (Ok(Answer::Head(Some(head))), Some((level, version))) => {
                StoredProof::again(&object, head, *level, version.as_deref())
            }
            _ => None,
        };
        let result = proof.ok_or(NoReceipt::Forgotten("it is gone".into())).map(|proof| {
            let place = Place { endpoint: "store.example:443".into(), bucket: "evidence".into() };
            let head = Head { seq: self.seq, hash: Sha256Digest([0; 32]) };
            let dock = self.dock.settings().dock.clone();
            let receipt = Receipt::new(&dock, &object, &proof, place, head, at(self.now));
            let bytes = receipt.sign(&self.key);
            self.day.receipt_bytes += bytes.len() as u64;
            let sha256 = Sha256Digest::of(&bytes);
            self.receipts.insert(id, bytes);
            ReceiptRef { sha256, level: proof.level() }
        });
        let ms = requests * self.round_trip;
        self.work(ms as f64, Event::ReceiptWritten { object: id, result });
    }

    pub(crate) fn place_receipt(&mut self, id: ObjectId) {
        let state = self.table.object(id).expect("a table in memory").expect("a known object");
        let bytes = self.receipts.remove(&id).unwrap_or_default();
        let key = format!("{}.receipt", state.object.key);
        let (result, requests) = self.door.put_small(self.now, &key, bytes);
        let ms = requests * self.round_trip;
        let result = result.map_err(|error| error.to_string());
        self.work(ms as f64, Event::ReceiptPlaced { object: id, result });
    }
}
