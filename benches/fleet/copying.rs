//! What is done at the cameras: reading takes its time, and gives what was recorded.

use crate::{
    agenda::Due,
    footage::{Camera, digest},
    station::Station,
    store::Door,
};
use bwvdock::{
    dock::{
        Event, Records as _,
        clearing::{Clearing, clear},
        event::{CopyResult, EraseResult},
        state::{ObjectState, key},
    },
    release::{Approval, ErasePermit},
    seal,
    transfer::{Answer, Call, Random, StoredProof},
    types::{
        BayName, ObjectId, RecordingId, SegmentId, Sha256Digest,
        fact::{Hashed, Part, PartTable, Source},
    },
};
use std::{collections::VecDeque, sync::Arc};

/// An order to erase under way.
#[derive(Default)]
pub struct Erasing {
    pub left: VecDeque<Approval>,
    pub results: Vec<(SegmentId, EraseResult)>,
    pub stop: bool,
}

impl Station {
    pub(crate) fn camera_in(&self, bay: &BayName) -> &Camera {
        &self.cameras[self.dockings[bay]]
    }

    pub(crate) fn reading_ms(&self, bytes: u64) -> f64 {
        200.0 + bytes as f64 / self.camera_bytes_per_ms
    }

    pub(crate) fn seal(&self, bay: &BayName, source: &Source) -> (Hashed, Hashed, PartTable) {
        let plain = plain(self.camera_in(bay), source);
        let (sealed, table) = sealed(plain, self.part_bytes);
        (plain, sealed, table)
    }

    pub(crate) fn seal_record(&mut self, recording: RecordingId, object: ObjectId) {
        let members = self.table.ids(&key::members(recording), b"", usize::MAX);
        let files = members.expect("a table in memory");
        // A line for its head and one for each file, as long as they mostly are.
        let size = 900 + 650 * files.len() as u64;
        let plain = Hashed { size, sha256: Sha256Digest::of(object.as_bytes()) };
        let (sealed, table) = sealed(plain, self.part_bytes);
        self.spool += sealed.size;
        let result = CopyResult::Sealed { plain, sealed, table, read_failed: None };
        self.work(50.0, Event::RecordSealed { recording, object, result });
    }

    pub(crate) fn erase_next(&mut self, bay: BayName) {
        let Some(next) = self.erasing.get(&bay).and_then(|erasing| erasing.left.front()) else {
            return;
        };
        let ms = if next.needs_read() { self.reading_ms(next.source().size) } else { 100.0 };
        self.later(self.now + ms as i64, Due::Erase(bay));
    }

    pub(crate) fn erase_on(&mut self, bay: BayName) {
        let number = self.dockings[&bay];
        let Some(erasing) = self.erasing.get_mut(&bay) else { return };
        while let Some(approval) = erasing.left.pop_front() {
            let segment = approval.segment();
            if erasing.stop {
                erasing.results.push((segment, EraseResult::GaveWay));
                continue;
            }
            let state = self.table.object(approval.object()).expect("a table in memory");
            let (door, now, camera) = (&*self.door, self.now, &mut self.cameras[number]);
            let mut place = AtCamera { camera, door, now, state };
            erasing.results.push((segment, clear(&mut place, approval)));
            break;
        }
        if !erasing.left.is_empty() {
            return self.erase_next(bay);
        }
        let results = std::mem::take(&mut erasing.results);
        self.erasing.remove(&bay);
        self.tell(Event::Erased { bay, results });
    }
}

/// A docked camera and the store, as the rule of erasing uses them.
struct AtCamera<'a> {
    camera: &'a mut Camera,
    door: &'a Door,
    now: i64,
    state: Option<ObjectState>,
}

impl Clearing for AtCamera<'_> {
    fn read(&mut self, approval: &Approval) -> Result<Hashed, EraseResult> {
        Ok(plain(self.camera, approval.source()))
    }

    fn ask_store(&mut self, _: &Approval) -> Result<StoredProof, EraseResult> {
        let lacks = || EraseResult::StoreLacks("it is gone".into());
        let state = self.state.take().ok_or_else(lacks)?;
        let object = Arc::new(state.object);
        let answer = self.door.perform(self.now, &object, &Call::Head).0;
        match (answer, state.stored) {
            (Ok(Answer::Head(Some(head))), Some((level, version))) => {
                StoredProof::again(&object, head, level, version.as_deref()).ok_or_else(lacks)
            }
            _ => Err(lacks()),
        }
    }

    fn erase(&mut self, permit: &ErasePermit) -> EraseResult {
        match self.camera.erased.insert(permit.source().path.clone()) {
            true => EraseResult::Erased,
            false => EraseResult::Absent,
        }
    }
}

pub fn plain(camera: &Camera, source: &Source) -> Hashed {
    Hashed { size: source.size, sha256: digest(&camera.id, &source.path) }
}

/// What sealing would give: the true sizes, with digests of nothing.
fn sealed(plain: Hashed, part_bytes: u64) -> (Hashed, PartTable) {
    // An age header for two recipients, the nonce, and a tag for each chunk.
    let chunks = plain.size.div_ceil(seal::CHUNK as u64).max(1);
    let size = plain.size + chunks * seal::TAG as u64 + 296 + 16;
    let part_size = seal::part_size(plain.size, part_bytes);
    let mut random =
        Random::new(u64::from_be_bytes(plain.sha256.0[..8].try_into().expect("eight")));
    let parts = (0..size.div_ceil(part_size)).map(|_| {
        let mut sha256 = [0; 32];
        sha256.chunks_mut(8).for_each(|piece| piece.copy_from_slice(&random.bits().to_be_bytes()));
        Part::from(Sha256Digest(sha256))
    });
    let table = PartTable { part_size, parts: parts.collect() };
    (Hashed { size, sha256: Sha256Digest::of(&plain.sha256.0) }, table)
}
