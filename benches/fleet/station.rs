//! One dock's day: the real rules, the real upload machine and the real door to the store, in
//! virtual time. Simulated are the cameras (their reading takes its time), the line and the bucket.

use crate::{
    agenda::{Agenda, Due},
    copying::Erasing,
    day::Day,
    footage::Camera,
    line::Line,
    options::Options,
    sending::Sent,
    store::Door,
};
use bwvdock::{
    custody::receipt::DockKey,
    dock::{
        Action, Dock, Event, IdSource, MemoryTable, Records as _, Settings, Stage, Step,
        event::{Arrival, CopyResult, Started},
        fold,
        state::key,
    },
    transfer::{Answer, Call, Enforces, Limits, Random, StoreError},
    types::{
        BayName, Condition, DockId, ObjectId, Sha256Digest,
        fact::{ClockReading, Entry, Fact, NewFact, VERSION},
    },
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
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

/// Called with the dock at each minute.
pub type Scrape<'a> = dyn FnMut(&Station, i64) + 'a;

pub struct Station {
    pub dock: Dock,
    pub table: MemoryTable,
    pub cameras: Vec<Camera>,
    pub now: i64,
    pub spool: u64,
    pub day: Day,
    pub(crate) seq: u64,
    pub(crate) door: Arc<Door>,
    pub(crate) limits: Limits,
    pub(crate) connections: usize,
    /// Connections with a part that is on its way or not answered yet.
    pub(crate) busy: usize,
    pub(crate) lock: bool,
    pub(crate) camera_bytes_per_ms: f64,
    pub(crate) round_trip: i64,
    pub(crate) part_bytes: u64,
    pub(crate) line: Line<(ObjectId, Call, Result<Answer, StoreError>, u64)>,
    pub(crate) waiting: VecDeque<(ObjectId, Call)>,
    pub(crate) uploads: BTreeMap<ObjectId, Sent>,
    pub(crate) erasing: BTreeMap<BayName, Erasing>,
    pub(crate) receipts: BTreeMap<ObjectId, Vec<u8>>,
    pub(crate) owner: BTreeMap<ObjectId, usize>,
    pub(crate) key: DockKey,
    pub(crate) agenda: Agenda,
    pub(crate) arrivals: usize,
    pub(crate) dockings: BTreeMap<BayName, usize>,
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
            agenda: Agenda::default(),
            arrivals: cameras.len(),
            dockings: BTreeMap::new(),
            cameras,
        };
        station.day.safe_evidence = vec![0; station.cameras.len()];
        station.day.safe_all = vec![0; station.cameras.len()];
        station
    }

    /// Runs until nothing is left to be done.
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
            let next = self.agenda.next().unwrap_or(i64::MAX);
            if line.min(next) > LATEST {
                break;
            }
            if line <= next {
                self.now = line;
                self.through();
            } else if let Some((at, due)) = self.agenda.pop() {
                self.now = at;
                let tick = matches!(due, Due::Tick);
                self.happen(due);
                if tick {
                    scrape(self, self.now);
                    settled = settled.or_else(|| self.is_settled().then_some(self.now));
                    self.later(self.now + MINUTE, Due::Tick);
                }
            }
        }
        self.day.objects = self.day.facts_stored;
    }

    /// Everything is in the store and erased from its camera, and all cameras have been docked.
    fn is_settled(&self) -> bool {
        let none = |prefix| self.table.ids(prefix, b"", 1).is_ok_and(|ids| ids.is_empty());
        let totals = self.table.totals().expect("a table in memory");
        let open: u64 = totals.to_copy.iter().chain(&totals.queue).map(|a| a.count).sum();
        let left: u64 = Stage::ALL
            .iter()
            .zip(&totals.stages)
            .filter(|(stage, _)| !stage.is_gone())
            .map(|(_, amount)| amount.count)
            .sum();
        self.arrivals == 0
            && left == 0
            && open == 0
            && self.uploads.is_empty()
            && self.line.is_idle()
            && none(key::UNFINISHED)
            && none(key::UNDESCRIBED)
    }

    pub(crate) fn later(&mut self, at: i64, due: Due) {
        self.agenda.add(at, due);
    }

    /// Work that ends with this event.
    pub(crate) fn work(&mut self, ms: f64, event: Event) {
        self.later(self.now + ms.ceil() as i64, Due::Tell(Box::new(event)));
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Arrive(camera) => self.arrive(camera),
            Due::Tell(event) => self.tell(*event),
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
            condition: Condition::default(),
            again: false,
            erase_allowed: true,
        };
        self.tell(Event::CameraArrived(arrival));
    }

    // --- the loop of the daemon's core ---

    pub(crate) fn tell(&mut self, event: Event) {
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

    pub(crate) fn commit(&mut self, facts: Vec<NewFact>) {
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
                let plain = crate::copying::plain(self.camera_in(&bay), &source);
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
        key_prefix: "force/".into(),
        lock_for: lock.then(|| hours(24 * config.retention.days)),
        copy_retry: (jiff::SignedDuration::from_secs(2), jiff::SignedDuration::from_mins(10)),
        copy_attempts_max: 5,
    }
}
