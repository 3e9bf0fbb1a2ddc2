//! The custody log as somebody reads it who has nothing but the files.

use crate::footage::Place;
use bwvdock::{
    custody::chain::{Head, Verifier},
    types::{
        ObjectId, SegmentId,
        fact::{Content, Entry, Fact, ReceiptRef, SealedObject},
    },
};
use jiff::Timestamp;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::PathBuf,
};

/// What the log says of one sealed object; numbers are those of lines.
#[derive(Debug)]
pub struct ObjectTrail {
    pub object: SealedObject,
    pub sealed: u64,
    pub stored: Vec<u64>,
    pub receipted: Vec<(u64, ReceiptRef)>,
    pub placed: bool,
    /// When the acknowledgement of a part was remembered.
    pub acknowledged: BTreeMap<u32, Timestamp>,
    pub abandoned: u64,
}

/// What the log says of one file of a camera.
#[derive(Debug)]
pub struct SegmentTrail {
    pub id: SegmentId,
    pub objects: Vec<ObjectId>,
    pub releasing: Vec<u64>,
    pub released: u64,
}

pub struct Ledger {
    folder: PathBuf,
    /// How far each file was read: whole lines only.
    read: BTreeMap<String, u64>,
    chain: Verifier,
    pub segments: BTreeMap<Place, SegmentTrail>,
    pub objects: BTreeMap<ObjectId, ObjectTrail>,
    places: BTreeMap<SegmentId, Place>,
    /// How often each kind of fact stands in the log.
    pub kinds: BTreeMap<String, u64>,
    /// The kind of the last line.
    pub last: String,
    pub lines: u64,
}

impl Ledger {
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            read: BTreeMap::new(),
            chain: Verifier::new(Head::GENESIS),
            segments: BTreeMap::new(),
            objects: BTreeMap::new(),
            places: BTreeMap::new(),
            kinds: BTreeMap::new(),
            last: String::new(),
            lines: 0,
        }
    }

    /// Reads what was appended since; every whole line must continue the chain. What was read
    /// before is not looked at again: it is `custody verify` that reads everything every time.
    pub fn catch_up(&mut self) {
        for name in self.files() {
            let from = self.read.get(&name).copied().unwrap_or(0);
            let mut file = File::open(self.folder.join(&name)).unwrap();
            file.seek(SeekFrom::Start(from)).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            for line in bytes[..whole].split_inclusive(|byte| *byte == b'\n') {
                let entry = self.chain.feed(&line[..line.len() - 1]);
                self.take(entry.unwrap_or_else(|bad| panic!("{name}: {bad:?}")));
            }
            self.read.insert(name, from + whole as u64);
        }
    }

    fn files(&self) -> Vec<String> {
        // A daemon killed in its first moments has none yet.
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut logs: Vec<_> =
            names.filter(|name| name.starts_with("custody-") && name.ends_with(".jsonl")).collect();
        logs.sort();
        logs
    }

    fn take(&mut self, entry: Entry) {
        self.lines += 1;
        let kind = serde_json::to_value(&entry.fact).unwrap();
        let Value::String(kind) = &kind["type"] else { panic!("a fact has a type") };
        *self.kinds.entry(kind.clone()).or_default() += 1;
        self.last.clone_from(kind);
        let seq = entry.seq;
        match entry.fact {
            Fact::SegmentSeen { segment } => {
                let place = (segment.camera, segment.source.path);
                let known = self.segments.entry(place.clone()).or_insert_with(|| SegmentTrail {
                    id: segment.id,
                    objects: Vec::new(),
                    releasing: Vec::new(),
                    released: 0,
                });
                assert_eq!(known.id, segment.id, "{place:?} was taken in twice");
                self.places.insert(segment.id, place);
            }
            Fact::Sealed { object, segment, verdict } => {
                assert!(verdict.is_sound(), "line {seq}: {segment} is {verdict:?}");
                self.segment(segment).objects.push(object.id);
                self.sealed(seq, object);
            }
            Fact::RecordSealed { object, .. } => self.sealed(seq, object),
            Fact::PartAcknowledged { object, number, .. } => {
                self.object(object).acknowledged.entry(number).or_insert(entry.at);
            }
            Fact::UploadAbandoned { object, .. } => self.object(object).abandoned += 1,
            Fact::Stored { object, .. } => self.object(object).stored.push(seq),
            Fact::StoreForgot { object, .. } => self.object(object).stored.clear(),
            Fact::Receipted { object, receipt } => {
                self.object(object).receipted.push((seq, receipt));
            }
            Fact::ReceiptPlaced { object } => self.object(object).placed = true,
            Fact::Releasing { segment, .. } => self.segment(segment).releasing.push(seq),
            Fact::Released { segment } => self.segment(segment).released += 1,
            Fact::SpoolDamaged { object, words } => panic!("line {seq}: {object}: {words}"),
            Fact::SegmentVanished { segment, .. } => panic!("line {seq}: {segment} vanished"),
            _ => {}
        }
    }

    fn sealed(&mut self, sealed: u64, object: SealedObject) {
        let trail = ObjectTrail {
            sealed,
            stored: Vec::new(),
            receipted: Vec::new(),
            placed: false,
            acknowledged: BTreeMap::new(),
            abandoned: 0,
            object,
        };
        let before = self.objects.insert(trail.object.id, trail);
        assert!(before.is_none(), "line {sealed}: an object is sealed once");
    }

    fn object(&mut self, id: ObjectId) -> &mut ObjectTrail {
        self.objects.get_mut(&id).unwrap_or_else(|| panic!("{id} was never sealed"))
    }

    fn segment(&mut self, id: SegmentId) -> &mut SegmentTrail {
        let place = self.places.get(&id).unwrap_or_else(|| panic!("{id} was never seen"));
        self.segments.get_mut(place).expect("places are of segments")
    }

    /// The objects of segments, without the records that describe recordings.
    pub fn of_segments(&self) -> impl Iterator<Item = &ObjectTrail> {
        self.objects.values().filter(|t| matches!(t.object.content, Content::Segment(_)))
    }
}
