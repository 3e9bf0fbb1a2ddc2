//! The world around one dock, and the loop that a daemon would run.

use super::{
    camera::{Camera, Read, path},
    invariants,
};
use crate::{
    dock::{
        Action, Command, Dock, Event, IdSource, MemoryTable, Records, Settings, Stage, Step,
        event::{Arrival, CopyResult, EraseResult, MarkEnd, NoReceipt, Started, UploadEnd},
        fold, report,
        state::{SegmentState, key},
    },
    release::Policy,
    transfer::marks::{Locks, MarkChange, MarksFound, MarksWanted, changes, outcome},
    types::{
        Actor, BayName, DockId, ObjectId, ReceiptLevel, SegmentId, Sha256Digest,
        fact::{
            ClockReading, Entry, Fact, Hashed, MarksAsked, NewFact, Part, PartTable, ReceiptRef,
            Source, VERSION,
        },
    },
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Small, seeded, good enough to shuffle with.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

impl IdSource for Random {
    fn next(&mut self, now: Timestamp) -> uuid::Uuid {
        let random = [Random::next(self).to_be_bytes(), Random::next(self).to_be_bytes()].concat();
        let ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let tail = random[..10].try_into().unwrap();
        uuid::Builder::from_unix_timestamp_millis(ms, &tail).into_uuid()
    }
}

/// How the store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    Up,
    /// Not reachable.
    Down,
    /// Refuses each object by itself.
    Refuses,
}

/// An action given out, and the docking it was given for.
pub struct Pending {
    pub action: Action,
    pub docking: Option<u64>,
}

pub struct World {
    pub now: Timestamp,
    pub table: MemoryTable,
    pub log: Vec<Entry>,
    pub dock: Dock,
    pub cameras: BTreeMap<String, Camera>,
    /// What is in each bay: camera and number of the docking.
    pub bays: BTreeMap<BayName, (String, u64)>,
    pub pending: VecDeque<Pending>,
    /// What each camera held when it was listed last, and how long the log was then.
    pub looks: BTreeMap<String, (usize, Vec<Source>)>,
    /// Actions that nobody performs for now, by name.
    pub withheld: BTreeSet<&'static str>,
    /// Content of sealed objects; `None` once damaged.
    pub spool: BTreeMap<ObjectId, Option<Sha256Digest>>,
    pub stored: BTreeMap<ObjectId, Sha256Digest>,
    /// The marks of stored objects at the store.
    pub marks: BTreeMap<ObjectId, MarksFound>,
    /// Every change of a mark, in order.
    pub mark_changes: Vec<(ObjectId, MarkChange)>,
    /// So many changes get through, then the store is gone.
    pub mark_changes_left: usize,
    /// The sealed objects that each record describes: those known when it was asked for.
    pub covers: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    pub erased: Vec<Sha256Digest>,
    pub store: Store,
    /// What the store needs a person for, if it is down.
    pub store_need: Option<crate::transfer::StoreNeed>,
    pub spool_full: bool,
    /// Larger files never fit into the spool.
    pub spool_bytes: u64,
    pub receipts_fail: bool,
    /// How often a receipt was to be signed or placed.
    pub receipts_asked: u64,
    pub records_fail: bool,
    pub level: ReceiptLevel,
    pub said: Vec<String>,
    /// Off where a world is too large to be counted after every event.
    pub checking: bool,
    /// Lines of the log when the records were last compared.
    pub compared: usize,
    pub steps: u64,
    pub largest_step: usize,
    dockings: u64,
    seed: u64,
}

pub fn bay(name: &str) -> BayName {
    BayName::new(name).unwrap()
}

pub fn settings() -> Settings {
    Settings {
        dock: DockId::new("dock1").unwrap(),
        bays: ["1", "2", "3"].map(bay).into(),
        copies_max: 2,
        windows: crate::transfer::window::Windows::default(),
        objects_in_flight: 2,
        evidential_head_start: SignedDuration::from_mins(30),
        release: Policy {
            enabled: true,
            level_min: ReceiptLevel::ReadBack,
            age_min: SignedDuration::ZERO,
            erase_unverified: true,
            still_min: SignedDuration::ZERO,
            reread: true,
        },
        key_prefix: String::new(),
        lock_for: None,
        copy_retry: (SignedDuration::from_secs(10), SignedDuration::from_mins(10)),
        copy_attempts_max: 3,
    }
}

pub fn name_of(action: &Action) -> &'static str {
    match action {
        Action::List { .. } => "list",
        Action::Copy { .. } => "copy",
        Action::StopCopy { .. } => "stop copy",
        Action::SecondRead { .. } => "second read",
        Action::Erase { .. } => "erase",
        Action::StopErase { .. } => "stop erase",
        Action::AcceptDamage { .. } => "accept damage",
        Action::SealRecord { .. } => "record",
        Action::Discard { .. } => "discard",
        Action::Upload { .. } => "upload",
        Action::StopUpload { .. } => "stop upload",
        Action::Mark { .. } => "mark",
        Action::WriteReceipt { .. } => "receipt",
        Action::PlaceReceipt { .. } => "place",
        Action::FreeSpool { .. } => "free",
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(settings(), 1)
    }

    pub fn with(settings: Settings, seed: u64) -> Self {
        let ids = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut world = Self {
            now: "2026-03-14T23:00:00Z".parse().unwrap(),
            table: MemoryTable::default(),
            log: Vec::new(),
            dock: Dock::new(settings, Box::new(ids)),
            cameras: BTreeMap::new(),
            bays: BTreeMap::new(),
            pending: VecDeque::new(),
            looks: BTreeMap::new(),
            withheld: BTreeSet::new(),
            spool: BTreeMap::new(),
            stored: BTreeMap::new(),
            marks: BTreeMap::new(),
            mark_changes: Vec::new(),
            mark_changes_left: usize::MAX,
            covers: BTreeMap::new(),
            erased: Vec::new(),
            store: Store::Up,
            store_need: None,
            spool_full: false,
            spool_bytes: u64::MAX,
            receipts_fail: false,
            receipts_asked: 0,
            records_fail: false,
            level: ReceiptLevel::Sha256PerPart,
            said: Vec::new(),
            checking: true,
            compared: 0,
            steps: 0,
            largest_step: 0,
            dockings: 0,
            seed,
        };
        world.start();
        world
    }

    pub fn add(&mut self, camera: Camera) -> &mut Self {
        self.cameras.insert(camera.id.to_string(), camera);
        self
    }

    pub fn camera(&mut self, id: &str) -> &mut Camera {
        self.cameras.get_mut(id).unwrap()
    }

    // --- the loop ---

    fn start(&mut self) {
        let fact = Fact::DockStarted {
            version: "0".into(),
            boot: "b".into(),
            clock_synchronised: true,
            config: Sha256Digest([0; 32]),
        };
        self.event(Event::Started(Started { fact, repairs: vec![] }));
    }

    /// Handle, commit, give out, poll until idle, check: the order of the daemon.
    pub fn event(&mut self, event: Event) {
        let step = self.dock.handle(self.now, event, &self.table).unwrap();
        self.carry_out(step);
        for _ in 0.. {
            let step = self.dock.poll(self.now, &self.table).unwrap();
            if step.is_idle() {
                break;
            }
            self.steps += 1;
            self.carry_out(step);
        }
        if self.checking {
            invariants::check(self);
            self.compared = self.log.len();
        }
    }

    fn carry_out(&mut self, step: Step) {
        self.largest_step = self.largest_step.max(step.facts.len());
        for new in step.facts {
            self.commit(new);
        }
        if let Some(reply) = step.reply {
            self.said.push(reply.unwrap_or_else(|refused| format!("refused: {refused}")));
        }
        for action in step.actions {
            self.give_out(action);
        }
    }

    fn commit(&mut self, new: NewFact) {
        let entry = Entry {
            prev: Sha256Digest([0; 32]),
            v: VERSION,
            seq: self.log.len() as u64 + 1,
            at: self.now,
            dock: self.dock.settings().dock.clone(),
            actor: new.actor,
            fact: new.fact,
        };
        fold(&entry, &mut self.table).unwrap();
        self.log.push(entry);
    }

    /// A fact that comes from an upload under way.
    pub fn remember(&mut self, fact: Fact) {
        self.commit(fact.into());
    }

    fn give_out(&mut self, action: Action) {
        let docking = match &action {
            Action::List { bay }
            | Action::Copy { bay, .. }
            | Action::StopCopy { bay }
            | Action::SecondRead { bay, .. }
            | Action::StopErase { bay }
            | Action::Erase { bay, .. } => {
                let docked = self.bays.get(bay);
                Some(docked.unwrap_or_else(|| panic!("work for an empty bay: {action:?}")).1)
            }
            _ => None,
        };
        if let Action::Erase { approvals, .. } = &action {
            approvals.iter().for_each(|permit| invariants::the_law(self, permit));
        }
        if let Action::Upload { object } = &action {
            let twice =
                |p: &Pending| matches!(&p.action, Action::Upload { object: o } if o == object);
            assert!(!self.pending.iter().any(twice), "{object} is sent twice at once");
        }
        if let Action::SealRecord { recording, object } = &action {
            let members = key::members(*recording);
            let ids = self.table.ids(&members, b"", usize::MAX).unwrap().into_iter();
            let states = ids.map(|raw| {
                let id = SegmentId::from_slice(&raw).unwrap();
                self.table.segment(id).unwrap().unwrap()
            });
            let covered = states.filter_map(|state| Some(state.sealed?.object)).collect();
            self.covers.insert(*object, covered);
        }
        self.pending.push_back(Pending { action, docking });
    }

    // --- what happens ---

    /// Performs the oldest action that is not withheld; false when there is none.
    pub fn perform(&mut self) -> bool {
        let free = |p: &Pending| !self.withheld.contains(name_of(&p.action));
        let Some(at) = self.pending.iter().position(free) else { return false };
        self.perform_at(at);
        true
    }

    pub fn perform_at(&mut self, at: usize) {
        let Pending { action, docking } = self.pending.remove(at).unwrap();
        if let Some(event) = self.outcome(action, docking) {
            self.event(event);
        }
    }

    /// Everything that can be done without time passing.
    pub fn run(&mut self) {
        for turn in 0.. {
            if !self.perform() {
                return;
            }
            assert!(self.checking.then_some(turn).is_none_or(|turn| turn < 20_000), "no end");
        }
    }

    /// Time passes in ticks of at most half a minute.
    pub fn pass(&mut self, seconds: i64) {
        let mut left = seconds;
        while left > 0 {
            let step = left.min(30);
            left -= step;
            self.now += SignedDuration::from_secs(step);
            self.event(Event::Tick);
            self.run();
        }
    }

    /// Long enough for every wait of the rules.
    pub fn settle(&mut self) {
        self.run();
        self.pass(1800);
    }

    /// What is still to be answered for this bay is answered before, as a daemon must.
    pub fn dock(&mut self, at: &str, camera: &str) {
        let of_bay = |p: &Pending| match &p.action {
            Action::List { bay }
            | Action::Copy { bay, .. }
            | Action::SecondRead { bay, .. }
            | Action::Erase { bay, .. } => bay.as_str() == at,
            _ => false,
        };
        if self.bays.contains_key(&bay(at)) && self.pending.iter().any(of_bay) {
            self.pull(at);
        }
        while let Some(late) = self.pending.iter().position(of_bay) {
            self.perform_at(late);
        }
        self.dockings += 1;
        self.bays.insert(bay(at), (camera.into(), self.dockings));
        let camera = &self.cameras[camera];
        let arrival = Arrival {
            bay: bay(at),
            camera: camera.id.clone(),
            profile: camera.profile.into(),
            model: None,
            clock: None,
            clock_reading: ClockReading::None,
            condition: Default::default(),
            again: false,
            erase_allowed: camera.erase_allowed,
        };
        self.event(Event::CameraArrived(arrival));
    }

    pub fn pull(&mut self, at: &str) {
        self.bays.remove(&bay(at));
        self.event(Event::CameraGone { bay: bay(at) });
    }

    /// The daemon dies and starts again; `unreported` actions had been done, but not reported.
    pub fn crash(&mut self, unreported: usize) {
        for _ in 0..unreported {
            if let Some(Pending { action, docking }) = self.pending.pop_front() {
                self.outcome(action, docking);
            }
        }
        self.pending.clear();
        self.spool.retain(|object, _| self.table.object(*object).unwrap().is_some());
        self.seed += 7919;
        let ids = Random(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let settings = self.dock.settings().clone();
        let damage = self.dock.journal_damage().cloned();
        self.dock = Dock::new(settings, Box::new(ids));
        self.dock.set_journal_damage(damage);
        self.start();
        for (bay, (camera, _)) in self.bays.clone() {
            self.dock(bay.as_str(), &camera);
        }
    }

    pub fn ask(&mut self, command: Command) -> String {
        self.event(Event::Asked { actor: Actor::new("user:ann").unwrap(), command });
        self.said.last().cloned().unwrap()
    }

    fn docked_camera(&mut self, docking: Option<u64>) -> Option<&mut Camera> {
        let (name, _) = self.bays.values().find(|(_, number)| Some(*number) == docking)?.clone();
        self.cameras.get_mut(&name)
    }

    fn outcome(&mut self, action: Action, docking: Option<u64>) -> Option<Event> {
        Some(match action {
            Action::List { bay } => match self.docked_camera(docking)? {
                camera if camera.refuses_list => {
                    Event::ListFailed { bay, words: "the card does not answer".into() }
                }
                camera => {
                    let (id, listed) = (camera.id.to_string(), camera.list());
                    let files = listed.plan.recordings.iter().flat_map(|r| &r.files);
                    let files = files.map(|file| file.source.clone()).collect();
                    self.looks.insert(id, (self.log.len(), files));
                    Event::Listed { bay, listed }
                }
            },
            Action::Copy { bay, segment, object, source } => {
                let full = self.spool_full;
                let spool_bytes = self.spool_bytes;
                let read = self.docked_camera(docking).map(|camera| camera.read(&source));
                let result = match read {
                    None => CopyResult::Gone,
                    _ if source.size > spool_bytes => {
                        CopyResult::Failed { words: "larger than the whole spool".into() }
                    }
                    _ if full => CopyResult::SpoolFull,
                    Some(Read::Absent) => CopyResult::Failed { words: "no such file".into() },
                    Some(Read::Whole(plain)) => self.seal(object, plain, None),
                    Some(Read::Broken(plain, words)) => self.seal(object, plain, Some(words)),
                };
                Event::Copied { bay, segment, object, result }
            }
            Action::StopCopy { .. } => return None,
            Action::SecondRead { bay, segment, source } => {
                let result = match self.docked_camera(docking).map(|c| c.read(&source)) {
                    Some(Read::Whole(read)) => Ok(read),
                    Some(Read::Broken(_, words)) => Err(words),
                    Some(Read::Absent) | None => Err("the camera is gone".into()),
                };
                Event::SecondRead { bay, segment, result }
            }
            Action::StopErase { bay } => {
                let erase =
                    |p: &Pending| p.docking == docking && matches!(p.action, Action::Erase { .. });
                let at = self.pending.iter().position(erase)?;
                let Pending { action, .. } = self.pending.remove(at)?;
                let Action::Erase { approvals, .. } = action else { return None };
                let results = approvals.iter().map(|a| (a.segment(), EraseResult::GaveWay));
                Event::Erased { bay, results: results.collect() }
            }
            Action::AcceptDamage { .. } => {
                self.dock.set_journal_damage(None);
                return None;
            }
            Action::Erase { bay, approvals } => {
                let results = approvals.iter().map(|a| (a.segment(), self.erase(docking, a)));
                Event::Erased { bay, results: results.collect() }
            }
            Action::SealRecord { recording, object } => {
                let plain = super::camera::hashed(format!("{recording} {object}").as_bytes());
                let result = match (self.records_fail, self.spool_full) {
                    (true, _) => CopyResult::Failed { words: "the disk is ill".into() },
                    (_, true) => CopyResult::SpoolFull,
                    _ => self.seal(object, plain, None),
                };
                Event::RecordSealed { recording, object, result }
            }
            Action::Discard { object } => {
                self.spool.remove(&object);
                return None;
            }
            Action::Upload { object } => Event::UploadEnded { object, end: self.upload(object) },
            Action::StopUpload { object } => {
                let upload =
                    |p: &Pending| matches!(&p.action, Action::Upload { object: o } if *o == object);
                let at = self.pending.iter().position(upload)?;
                self.pending.remove(at);
                Event::UploadEnded { object, end: UploadEnd::Preempted }
            }
            Action::Mark { object, asked } => {
                Event::MarkEnded { object, asked, end: self.mark(object, asked) }
            }
            Action::WriteReceipt { object } => {
                self.receipts_asked += 1;
                let receipt = ReceiptRef { sha256: Sha256Digest([3; 32]), level: self.level };
                let result = match (self.receipts_fail, self.stored.contains_key(&object)) {
                    (true, _) => Err(NoReceipt::Later("the disk is full".into())),
                    (false, true) => Ok(receipt),
                    (false, false) => Err(NoReceipt::Forgotten("the store forgot it".into())),
                };
                Event::ReceiptWritten { object, result }
            }
            Action::PlaceReceipt { object } => {
                self.receipts_asked += 1;
                let failed = (self.store != Store::Up).then(|| "no answer".to_owned());
                Event::ReceiptPlaced { object, result: failed.map_or(Ok(()), Err) }
            }
            Action::FreeSpool { object } => {
                assert!(self.table.object(object).unwrap().unwrap().receipt.is_some());
                self.spool.remove(&object);
                Event::SpoolFreed { object }
            }
        })
    }

    pub fn seal(
        &mut self,
        object: ObjectId,
        plain: Hashed,
        read_failed: Option<String>,
    ) -> CopyResult {
        self.spool.insert(object, Some(plain.sha256));
        let sealed = Hashed { size: plain.size + 200, sha256: Sha256Digest::of(object.as_bytes()) };
        let part = Part::from(sealed.sha256);
        let table = PartTable { part_size: 1 << 30, parts: vec![part] };
        CopyResult::Sealed { plain, sealed, table, read_failed }
    }

    fn mark(&mut self, object: ObjectId, asked: MarksAsked) -> MarkEnd {
        let state = self.table.object(object).unwrap().unwrap();
        assert!(state.stored.is_some(), "a mark on what is not stored");
        let retry_at = self.now + SignedDuration::from_secs(60);
        let attempts = state.marking.attempts + 1;
        let words = "no connection".to_owned();
        let failed = MarkEnd::Failed { attempts, words, retry_at, store_wide: true };
        if self.store != Store::Up {
            return failed;
        }
        let wanted = MarksWanted {
            asked,
            lock: true,
            retain_until: None,
            hold_is_ours: state.marking.hold_is_ours,
            known_class: state.marking.seen.as_ref().and_then(|seen| seen.class),
        };
        let there = || MarksFound { class: None, locks: Some(Ok(Locks::default())) };
        let found = self.marks.entry(object).or_insert_with(there);
        for change in changes(&wanted, found) {
            if self.mark_changes_left == 0 {
                return failed;
            }
            self.mark_changes_left -= 1;
            self.mark_changes.push((object, change.clone()));
            match (change, &mut found.locks) {
                (MarkChange::Class(class), _) => found.class = Some(class.to_string()),
                (MarkChange::Hold(on), Some(Ok(locks))) => locks.legal_hold = on,
                (change, _) => panic!("{change:?} was not asked for"),
            }
        }
        MarkEnd::Seen(outcome(&wanted, found, &[]))
    }

    fn upload(&mut self, object: ObjectId) -> UploadEnd {
        let attempts = self.table.object(object).unwrap().unwrap().attempts + 1;
        let retry_at = self.now + SignedDuration::from_secs(60);
        let failed = |words: &str, store_wide| UploadEnd::Failed {
            attempts,
            words: words.into(),
            retry_at,
            store_wide,
            need: self.store_need,
        };
        match (self.store, self.spool.get(&object).copied().flatten()) {
            (Store::Down, _) => failed("no connection", true),
            (Store::Refuses, _) => failed("refused with 403", false),
            (Store::Up, Some(content)) => {
                self.stored.insert(object, content);
                UploadEnd::Stored { level: self.level, version: None }
            }
            (Store::Up, None) => UploadEnd::SpoolDamaged { words: "another digest".into() },
        }
    }

    fn erase(&mut self, docking: Option<u64>, approval: &crate::release::Approval) -> EraseResult {
        let source = approval.source();
        let (store, holds) = (self.store, self.stored.contains_key(&approval.object()));
        let Some(camera) = self.docked_camera(docking) else { return EraseResult::Gone };
        match camera.still(source) {
            None => EraseResult::Absent,
            Some(false) => EraseResult::Failed("it is another file now".into()),
            Some(true) if camera.refuses_erase => EraseResult::Failed("write protected".into()),
            Some(true) => {
                if approval.needs_read() {
                    let sealed = Read::Whole(approval.plain());
                    match (camera.read(source), camera.read(source)) {
                        (first, _) if first == sealed => {}
                        (Read::Whole(first), Read::Whole(second)) if first == second => {
                            return EraseResult::Changed(first);
                        }
                        _ => return EraseResult::Failed("it reads unreliably".into()),
                    }
                }
                match store {
                    Store::Up => {}
                    Store::Down => return EraseResult::StoreSilent("no connection".into()),
                    Store::Refuses => return EraseResult::StoreSilent("refused with 403".into()),
                }
                if !holds {
                    return EraseResult::StoreLacks("it is gone".into());
                }
                let file = camera.files.remove(&source.path).unwrap();
                let content = Sha256Digest::of(&file.bytes);
                assert!(
                    self.stored.values().any(|stored| *stored == content),
                    "{} was erased and is not in the store",
                    source.path
                );
                self.erased.push(content);
                EraseResult::Erased
            }
        }
    }

    // --- looking ---

    /// What of a camera waits for a person, in words.
    pub fn concerns(&self, camera: &str) -> Vec<String> {
        let camera = &self.cameras[camera].id;
        let all = report::concerns(&self.table, camera, 1000).unwrap();
        all.into_iter().filter(report::Concern::is_open).map(|c| c.words).collect()
    }

    pub fn at(&self, camera: &str, file: &str) -> SegmentState {
        let camera = &self.cameras[camera].id;
        match self.table.segment_at(camera, path(file).as_bytes()).unwrap() {
            Some(id) => self.table.segment(id).unwrap().unwrap(),
            // Released, and out of the index of sources.
            None => {
                let seen = self.log.iter().rev().find_map(|entry| match &entry.fact {
                    Fact::SegmentSeen { segment } => (segment.camera == *camera
                        && segment.source.path == path(file))
                    .then_some(segment.id),
                    _ => None,
                });
                let id = seen.unwrap_or_else(|| panic!("{file} was never seen"));
                self.table.segment(id).unwrap().unwrap()
            }
        }
    }

    pub fn stage(&self, camera: &str, file: &str) -> Stage {
        self.at(camera, file).stage
    }

    pub fn id(&self, camera: &str, file: &str) -> SegmentId {
        self.at(camera, file).segment.id
    }

    pub fn facts(&self, wanted: impl Fn(&Fact) -> bool) -> usize {
        self.log.iter().filter(|entry| wanted(&entry.fact)).count()
    }

    pub fn has_pending(&self, name: &str) -> usize {
        self.pending.iter().filter(|p| name_of(&p.action) == name).count()
    }

    /// The files left on a camera besides its card.
    pub fn left(&self, camera: &str) -> Vec<String> {
        let files = self.cameras[camera].files.keys().map(ToString::to_string);
        files.filter(|path| path != "camera.json").collect()
    }

    /// Of the erases given out: whether a read is asked for.
    pub fn approvals(&self) -> Vec<bool> {
        let erases = self.pending.iter().filter_map(|p| match &p.action {
            Action::Erase { approvals, .. } => Some(approvals),
            _ => None,
        });
        erases.flatten().map(crate::release::Approval::needs_read).collect()
    }

    pub fn bay_report(&self, name: &str) -> crate::dock::report::BayReport {
        let now = crate::dock::report::Now::default();
        let all = crate::dock::report::bay_reports(&self.dock, &now, self.now, &self.table);
        all.unwrap().into_iter().find(|report| report.bay.as_str() == name).unwrap()
    }

    /// Objects that are not in the store.
    pub fn table_queue(&self) -> u64 {
        self.table.totals().unwrap().queue.iter().map(|amount| amount.count).sum()
    }
}
