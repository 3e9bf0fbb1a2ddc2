//! One dock's day: the real rules, the real upload machine and the real door to the store, in
//! virtual time. Simulated are the cameras (their reading takes its time), the line and the bucket.

use crate::{
    footage::{Camera, digest},
    line::Line,
    options::Options,
    store::Door,
};
use bwvdock::{
    custody::{
        chain::Head,
        receipt::{DockKey, Place, Receipt},
    },
    dock::{
        Action, Dock, Event, IdSource, MemoryTable, Records as _, Settings, Step,
        clearing::{Clearing, clear},
        event::{Arrival, CopyResult, EraseResult, NoReceipt, Started, UploadEnd},
        fold,
        sending::{Sending, Turn},
        state::key,
    },
    release::{Approval, ErasePermit},
    seal,
    transfer::{
        Answer, Call, Enforces, Limits, Random, Resume, StoreError, StoredProof, Upload,
        marks::MarksWanted,
    },
    types::{
        BayName, Class, DockId, ObjectId, RecordingId, Sha256Digest,
        fact::{
            ClockReading, Entry, Fact, Hashed, NewFact, Part, PartTable, ReceiptRef, SealedObject,
            Source, VERSION,
        },
    },
};
use jiff::Timestamp;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    sync::Arc,
};

/// Midnight of the simulated day, as a camera or a log would write it.
pub const MIDNIGHT: &str = "2026-03-02T00:00:00Z";
const MINUTE: i64 = 60_000;
/// A dock that has not sent everything by then never will.
const LATEST: i64 = 72 * 60 * MINUTE;

pub fn at(ms: i64) -> Timestamp {
    let midnight: Timestamp = MIDNIGHT.parse().expect("a time");
    Timestamp::from_millisecond(midnight.as_millisecond() + ms).expect("a time in the middle")
}

/// Ids that are the same in every run.
struct Ids(Random);

impl IdSource for Ids {
    fn next(&mut self, now: Timestamp) -> uuid::Uuid {
        let ms = now.as_millisecond() as u64;
        let random = (u128::from(self.0.bits()) << 64) | u128::from(self.0.bits());
        let bytes = random.to_be_bytes();
        uuid::Builder::from_unix_timestamp_millis(ms, bytes[..10].try_into().expect("ten"))
            .into_uuid()
    }
}

enum Due {
    Arrive(usize),
    /// Tell the dock.
    Tell(Box<Event>),
    /// A call of an upload is answered.
    Answered(ObjectId, Box<(Call, Result<Answer, StoreError>)>),
    Wake(ObjectId),
    Erase(BayName),
    Tick,
}

struct Later {
    at: i64,
    order: u64,
    due: Due,
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Later {}
impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Later {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

struct Sent {
    object: Arc<SealedObject>,
    sending: Sending,
}

#[derive(Default)]
struct Erasing {
    left: VecDeque<Approval>,
    results: Vec<(bwvdock::types::SegmentId, EraseResult)>,
    stop: bool,
}

/// What a day came to.
#[derive(Default)]
pub struct Day {
    pub mbit: u32,
    pub cameras: u64,
    pub files: u64,
    pub recordings: u64,
    pub objects: u64,
    pub sealed_bytes: u64,
    pub receipt_bytes: u64,
    pub facts: u64,
    pub facts_created: u64,
    pub facts_parts: u64,
    pub facts_stored: u64,
    pub facts_marked: u64,
    pub facts_receipted: u64,
    pub facts_placed: u64,
    pub spool_peak: u64,
    /// By camera: when its last evidence, and its last file, was safe; milliseconds after docking.
    pub safe_evidence: Vec<i64>,
    pub safe_all: Vec<i64>,
    /// Everything was in the store before the same cameras came again.
    pub in_a_day: bool,
    pub series: Vec<u64>,
    /// Of these, how many name a camera: another bay, and they are new ones.
    pub series_of_cameras: u64,
    pub exposition_bytes: Vec<u64>,
    /// Exposition, scraped over the day, if it was asked for.
    pub scrapes: String,
    /// The longest exposition of the day, in the older text format.
    pub exposition: String,
}

/// Called with the dock at each minute.
pub type Scrape<'a> = dyn FnMut(&Station, i64) + 'a;

pub struct Station {
    pub dock: Dock,
    pub table: MemoryTable,
    pub cameras: Vec<Camera>,
    pub now: i64,
    pub spool: u64,
    pub day: Day,
    seq: u64,
    door: Arc<Door>,
    limits: Limits,
    connections: usize,
    /// Connections with a part that is on its way or not answered yet.
    busy: usize,
    lock: bool,
    camera_bytes_per_ms: f64,
    round_trip: i64,
    part_bytes: u64,
    line: Line<(ObjectId, Call, Result<Answer, StoreError>, u64)>,
    waiting: VecDeque<(ObjectId, Call)>,
    uploads: BTreeMap<ObjectId, Sent>,
    erasing: BTreeMap<BayName, Erasing>,
    receipts: BTreeMap<ObjectId, Vec<u8>>,
    owner: BTreeMap<ObjectId, usize>,
    key: DockKey,
    heap: BinaryHeap<Reverse<Later>>,
    order: u64,
    arrivals: usize,
    dockings: BTreeMap<BayName, usize>,
    in_the_air: usize,
}

impl Station {
    pub fn new(number: u32, options: &Options, mbit: u32, door: Arc<Door>) -> Self {
        let seed = options.seed.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(number));
        let mut random = Random::new(seed);
        let first =
            (u64::from(number) * u64::from(options.cameras) / u64::from(options.docks)) as u32;
        let next =
            (u64::from(number + 1) * u64::from(options.cameras) / u64::from(options.docks)) as u32;
        let cameras: Vec<_> = (first..next).map(|n| Camera::new(n, options, &mut random)).collect();
        let settings = settings(number, cameras.len(), options.lock);
        let config = crate::store::config();
        let limits = Limits {
            parts_in_flight: config.transfer.parts_in_flight,
            wanted: config.release.receipt_level_min,
            enforces: Enforces { sha256: true, md5: true, if_none_match: true },
            backoff: Default::default(),
        };
        let day = Day {
            mbit,
            cameras: cameras.len() as u64,
            files: cameras.iter().map(|camera| camera.files().count() as u64).sum(),
            recordings: cameras.iter().map(|camera| camera.recordings() as u64).sum(),
            ..Day::default()
        };
        let mut station = Self {
            dock: Dock::new(settings, Box::new(Ids(Random::new(random.bits())))),
            table: MemoryTable::default(),
            now: 0,
            spool: 0,
            day,
            seq: 0,
            door,
            limits,
            connections: config.transfer.parts_in_flight,
            busy: 0,
            lock: options.lock,
            camera_bytes_per_ms: options.camera_mb_s * 1e3,
            round_trip: options.round_trip_ms,
            part_bytes: config.store.part_bytes,
            line: Line::new(f64::from(mbit) * 1e6 * options.goodput),
            waiting: VecDeque::new(),
            uploads: BTreeMap::new(),
            erasing: BTreeMap::new(),
            receipts: BTreeMap::new(),
            owner: BTreeMap::new(),
            key: DockKey::generate().expect("random bytes"),
            heap: BinaryHeap::new(),
            order: 0,
            arrivals: cameras.len(),
            dockings: BTreeMap::new(),
            in_the_air: 0,
            cameras,
        };
        station.day.safe_evidence = vec![0; station.cameras.len()];
        station.day.safe_all = vec![0; station.cameras.len()];
        station
    }

    /// Runs until everything is in the store with its receipt.
    pub fn run(&mut self, scrape: &mut Scrape<'_>) {
        let fact = Fact::DockStarted {
            version: env!("CARGO_PKG_VERSION").into(),
            boot: "simulated".into(),
            clock_synchronised: true,
            config: Sha256Digest::of(b"simulated"),
        };
        self.tell(Event::Started(Started { fact, repairs: Vec::new() }));
        for camera in 0..self.cameras.len() {
            self.later(self.cameras[camera].arrives, Due::Arrive(camera));
        }
        self.later(0, Due::Tick);
        let mut settled = None;
        while settled.is_none() || self.now < 24 * 60 * MINUTE {
            let line = self.line.next().unwrap_or(i64::MAX);
            let next = self.heap.peek().map_or(i64::MAX, |Reverse(later)| later.at);
            if line.min(next) > LATEST {
                break;
            }
            if line <= next {
                self.now = line;
                self.through();
            } else if let Some(Reverse(later)) = self.heap.pop() {
                self.now = later.at;
                let tick = matches!(later.due, Due::Tick);
                self.happen(later.due);
                if tick {
                    scrape(self, self.now);
                    settled = settled.or_else(|| self.is_settled().then_some(self.now));
                    self.later(self.now + MINUTE, Due::Tick);
                }
            }
        }
        self.day.in_a_day =
            self.day.safe_all.iter().all(|took| *took < 24 * 60 * MINUTE) && settled.is_some();
        self.day.objects = self.day.facts_stored;
    }

    /// Nothing of what has been docked needs the store any more, and all have been docked.
    fn is_settled(&self) -> bool {
        let none = |prefix| self.table.ids(prefix, b"", 1).is_ok_and(|ids| ids.is_empty());
        let totals = self.table.totals().expect("a table in memory");
        let open: u64 = totals.to_copy.iter().chain(&totals.queue).map(|a| a.count).sum();
        self.arrivals == 0
            && self.in_the_air == 0
            && open == 0
            && self.uploads.is_empty()
            && self.line.is_idle()
            && none(key::UNFINISHED)
            && none(key::UNDESCRIBED)
    }

    fn later(&mut self, at: i64, due: Due) {
        self.order += 1;
        self.heap.push(Reverse(Later { at, order: self.order, due }));
    }

    /// Work that ends with this event.
    fn work(&mut self, ms: f64, event: Event) {
        self.in_the_air += 1;
        self.later(self.now + ms.ceil() as i64, Due::Tell(Box::new(event)));
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Arrive(camera) => self.arrive(camera),
            Due::Tell(event) => {
                self.in_the_air -= 1;
                self.tell(*event);
            }
            Due::Answered(object, answer) => {
                let (call, result) = *answer;
                if matches!(call, Call::PutPart { .. }) {
                    self.busy -= 1;
                }
                let now = at(self.now);
                if let Some(sent) = self.uploads.get_mut(&object) {
                    sent.sending.handle(now, call, result);
                }
                self.drive(object);
                self.send_parts();
            }
            Due::Wake(object) => self.drive(object),
            Due::Erase(bay) => self.erase_on(bay),
            Due::Tick => self.tell(Event::Tick),
        }
    }

    fn arrive(&mut self, number: usize) {
        let bay = bay(number);
        self.arrivals -= 1;
        self.dockings.insert(bay.clone(), number);
        let camera = &self.cameras[number];
        let arrival = Arrival {
            bay,
            camera: camera.id.clone(),
            profile: camera.profile().into(),
            model: None,
            clock: None,
            clock_reading: ClockReading::None,
            erase_allowed: true,
        };
        self.tell(Event::CameraArrived(arrival));
    }

    // --- the loop of the daemon's core ---

    fn tell(&mut self, event: Event) {
        let step = self.dock.handle(at(self.now), event, &self.table).expect("a table in memory");
        self.carry_out(step);
        loop {
            let step = self.dock.poll(at(self.now), &self.table).expect("a table in memory");
            if step.is_idle() {
                return;
            }
            self.carry_out(step);
        }
    }

    fn carry_out(&mut self, step: Step) {
        self.commit(step.facts);
        for action in step.actions {
            self.act(action);
        }
    }

    fn commit(&mut self, facts: Vec<NewFact>) {
        for NewFact { actor, fact } in facts {
            self.seq += 1;
            let day = &mut self.day;
            day.facts += 1;
            match &fact {
                Fact::UploadCreated { .. } => day.facts_created += 1,
                Fact::PartAcknowledged { .. } => day.facts_parts += 1,
                Fact::Stored { .. } => day.facts_stored += 1,
                Fact::Marked { .. } => day.facts_marked += 1,
                Fact::Receipted { .. } => day.facts_receipted += 1,
                Fact::ReceiptPlaced { .. } => day.facts_placed += 1,
                _ => {}
            }
            let dock = self.dock.settings().dock.clone();
            let prev = Sha256Digest([0; 32]);
            let entry =
                Entry { prev, v: VERSION, seq: self.seq, at: at(self.now), dock, actor, fact };
            fold(&entry, &mut self.table).expect("a table in memory");
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::List { bay } => {
                let listed = self.camera_in(&bay).list();
                self.work(2000.0, Event::Listed { bay, listed });
            }
            Action::Copy { bay, segment, object, source } => {
                let (plain, sealed, table) = self.seal(&bay, &source);
                self.spool += sealed.size;
                self.day.spool_peak = self.day.spool_peak.max(self.spool);
                self.owner.insert(object, self.dockings[&bay]);
                let result = CopyResult::Sealed { plain, sealed, table, read_failed: None };
                let ms = self.reading_ms(plain.size);
                self.work(ms, Event::Copied { bay, segment, object, result });
            }
            Action::SecondRead { bay, segment, source } => {
                let plain = plain(self.camera_in(&bay), &source);
                let ms = self.reading_ms(plain.size);
                self.work(ms, Event::SecondRead { bay, segment, result: Ok(plain) });
            }
            Action::Erase { bay, approvals } => {
                let erasing = Erasing { left: approvals.into(), ..Erasing::default() };
                self.erasing.insert(bay.clone(), erasing);
                self.erase_next(bay);
            }
            Action::StopErase { bay } => {
                if let Some(erasing) = self.erasing.get_mut(&bay) {
                    erasing.stop = true;
                }
            }
            Action::SealRecord { recording, object } => self.seal_record(recording, object),
            Action::Upload { object } => self.begin_upload(object),
            Action::StopUpload { object } => {
                if let Some(sent) = self.uploads.get_mut(&object) {
                    sent.sending.stop();
                    self.later(self.now, Due::Wake(object));
                }
            }
            Action::Mark { object, asked } => self.mark(object, asked),
            Action::WriteReceipt { object } => self.write_receipt(object),
            Action::PlaceReceipt { object } => self.place_receipt(object),
            Action::FreeSpool { object } => {
                let state = self.table.object(object).expect("a table in memory");
                self.spool -= state.map_or(0, |state| state.object.sealed.size);
                self.work(1.0, Event::SpoolFreed { object });
            }
            // A copy is not broken off here; the dock hears when it ends.
            Action::StopCopy { .. } | Action::Discard { .. } | Action::AcceptDamage { .. } => {}
        }
    }

    // --- cameras ---

    fn camera_in(&self, bay: &BayName) -> &Camera {
        &self.cameras[self.dockings[bay]]
    }

    fn reading_ms(&self, bytes: u64) -> f64 {
        200.0 + bytes as f64 / self.camera_bytes_per_ms
    }

    fn seal(&self, bay: &BayName, source: &Source) -> (Hashed, Hashed, PartTable) {
        let plain = plain(self.camera_in(bay), source);
        let (sealed, table) = sealed(plain, self.part_bytes);
        (plain, sealed, table)
    }

    fn seal_record(&mut self, recording: RecordingId, object: ObjectId) {
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

    fn erase_next(&mut self, bay: BayName) {
        let Some(next) = self.erasing.get(&bay).and_then(|erasing| erasing.left.front()) else {
            return;
        };
        let ms = if next.needs_read() { self.reading_ms(next.source().size) } else { 100.0 };
        self.later(self.now + ms as i64, Due::Erase(bay));
    }

    fn erase_on(&mut self, bay: BayName) {
        let number = self.dockings[&bay];
        let Some(erasing) = self.erasing.get_mut(&bay) else { return };
        while let Some(approval) = erasing.left.pop_front() {
            let segment = approval.segment();
            if erasing.stop {
                erasing.results.push((segment, EraseResult::GaveWay));
                continue;
            }
            let camera = &mut self.cameras[number];
            erasing.results.push((segment, clear(&mut AtCamera(camera), approval)));
            break;
        }
        if !erasing.left.is_empty() {
            return self.erase_next(bay);
        }
        let results = std::mem::take(&mut erasing.results);
        self.erasing.remove(&bay);
        self.tell(Event::Erased { bay, results });
    }

    // --- the store ---

    fn begin_upload(&mut self, id: ObjectId) {
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
        let machine = Upload::new(object.clone(), resume, self.limits, self.order);
        self.uploads.insert(id, Sent { object, sending: Sending::new(machine) });
        self.drive(id);
    }

    fn drive(&mut self, id: ObjectId) {
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

    fn ended(&mut self, id: ObjectId, end: &UploadEnd) {
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
    fn send_parts(&mut self) {
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

    fn through(&mut self) {
        for (id, call, result, bytes) in self.line.finish(self.now) {
            self.door.bucket().tally.moved(self.now, bytes);
            self.later(self.now + self.round_trip, Due::Answered(id, Box::new((call, result))));
        }
    }

    fn mark(&mut self, id: ObjectId, asked: bwvdock::types::fact::MarksAsked) {
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
        let end = bwvdock::dock::event::MarkEnd::Seen(result.expect("a store that keeps marks"));
        let ms = requests * self.round_trip;
        self.work(ms as f64, Event::MarkEnded { object: id, asked, end });
    }

    /// One more look, as the daemon takes it, and the signed receipt of what it showed.
    fn write_receipt(&mut self, id: ObjectId) {
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

    fn place_receipt(&mut self, id: ObjectId) {
        let state = self.table.object(id).expect("a table in memory").expect("a known object");
        let bytes = self.receipts.remove(&id).unwrap_or_default();
        let key = format!("{}.receipt", state.object.key);
        let (result, requests) = self.door.put_small(self.now, &key, bytes);
        let ms = requests * self.round_trip;
        let result = result.map_err(|error| error.to_string());
        self.work(ms as f64, Event::ReceiptPlaced { object: id, result });
    }
}

/// A docked camera, as the rule of erasing uses it.
struct AtCamera<'a>(&'a mut Camera);

impl Clearing for AtCamera<'_> {
    fn read(&mut self, approval: &Approval) -> Result<Hashed, EraseResult> {
        Ok(plain(self.0, approval.source()))
    }

    fn erase(&mut self, permit: &ErasePermit) -> EraseResult {
        match self.0.erased.insert(permit.source().path.clone()) {
            true => EraseResult::Erased,
            false => EraseResult::Absent,
        }
    }
}

fn plain(camera: &Camera, source: &Source) -> Hashed {
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

pub fn bay(number: usize) -> BayName {
    BayName::new((number + 1).to_string()).expect("a good name")
}

/// What a dock has that says nothing but its name, its bays and its store.
fn settings(number: u32, bays: usize, lock: bool) -> Settings {
    let config = crate::store::config();
    let hours = |hours: u32| jiff::SignedDuration::from_hours(hours.into());
    Settings {
        dock: DockId::new(format!("dock-{number:03}")).expect("a good name"),
        bays: (0..bays).map(bay).collect(),
        copies_max: config.cameras.copies_max,
        objects_in_flight: config.transfer.objects_in_flight,
        windows: Default::default(),
        evidential_head_start: hours(config.transfer.evidential_head_start_hours),
        release: bwvdock::release::Policy {
            enabled: config.release.enabled,
            level_min: config.release.receipt_level_min,
            age_min: hours(config.release.age_hours_min),
            erase_unverified: config.release.erase_unverified,
            still_min: jiff::SignedDuration::from_secs(config.release.still_seconds_min.into()),
            reread: config.release.read_again_before_erase,
        },
        key_prefix: format!("force/dock-{number:03}/"),
        lock_for: lock.then(|| hours(24 * config.retention.days)),
        copy_retry: (jiff::SignedDuration::from_secs(2), jiff::SignedDuration::from_mins(10)),
        copy_attempts_max: 5,
    }
}
