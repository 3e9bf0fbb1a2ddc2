//! The world of one seed, and the loop that the daemon's core runs.

use crate::{
    alone::Alone,
    camera::{Camera, Kind},
    dice::Dice,
    disk::Disk,
    invariants::{self, Violation},
    mutants::Mutant,
    store::Store,
    tally::{Tally, count, name_of},
    task::Task,
    truth::Truth,
};
use bwvdock::{
    custody::{
        chain::{self, Head},
        receipt::DockKey,
    },
    dock::{Action, Command, Dock, Event, MemoryTable, Settings, Step, event::Arrival, fold},
    release::Policy,
    transfer::{Backoff, Enforces, Limits},
    types::{
        Actor, BayName, DockId, ReceiptLevel,
        fact::{ClockReading, Entry, NewFact, VERSION},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Arguments,
};

/// What is in a bay: a camera and the number of the docking.
#[derive(Debug, Clone, Copy)]
pub struct Docking {
    pub camera: usize,
    pub number: u64,
    /// Another camera that says the same serial.
    pub twin: bool,
}

/// How often what goes wrong, in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chances {
    /// A call to the store.
    pub call: usize,
    /// The daemon or the power, at each durable point.
    pub crash: usize,
    /// Anything else, at each turn.
    pub world: usize,
    /// Somebody at the CLI, at each turn.
    pub people: usize,
}

pub struct World {
    pub dice: Dice,
    /// The true time; the dock's clock is off by `skew`.
    pub now: Timestamp,
    pub began: Timestamp,
    pub skew: SignedDuration,
    pub dock: Dock,
    pub table: MemoryTable,
    pub head: Head,
    pub disk: Disk,
    pub store: Store,
    /// All calls fail like this, until then.
    pub outage: Option<(crate::store::Trouble, Timestamp)>,
    pub cameras: Vec<Camera>,
    pub bays: BTreeMap<BayName, Docking>,
    pub tasks: Vec<Task>,
    pub paused: Vec<crate::task::Copying>,
    pub dockings: u64,
    /// The daemon is dead: true if the power went too.
    pub dead: Option<bool>,
    pub chances: Chances,
    pub truth: Truth,
    pub tally: Tally,
    pub mutant: Option<Mutant>,
    /// Only this goes wrong.
    pub alone: Option<Alone>,
    pub key: DockKey,
    /// Damage of the log that people went on with, by its first line.
    pub accepted: BTreeSet<u64>,
    /// What was said about everything, where somebody wants to read it.
    pub story: Option<Vec<String>>,
    pub violation: Option<Violation>,
    pub limits: Limits,
    /// What the force wants a file without a digest to hold still for.
    pub still_min: SignedDuration,
    pub replies: Vec<Result<String, String>>,
}

pub fn bay(number: usize) -> BayName {
    BayName::new(format!("{}", number + 1)).expect("a good name")
}

/// The dock's key, the same in every run.
fn dock_key() -> DockKey {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut der = hex::decode("302e020100300506032b657004220420").expect("hex");
    der.extend([7; 32]);
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der)
    );
    DockKey::from_pem(&pem).expect("an Ed25519 key")
}

fn settings(bays: usize, dice: &mut Dice) -> Settings {
    Settings {
        dock: DockId::new("dock1").expect("a good name"),
        bays: (0..bays).map(bay).collect(),
        copies_max: dice.between(1, 2),
        windows: Default::default(),
        objects_in_flight: dice.between(1, 3),
        evidential_head_start: SignedDuration::from_mins(30),
        release: Policy {
            enabled: true,
            level_min: ReceiptLevel::ReadBack,
            age_min: if dice.permille(300) {
                SignedDuration::from_mins(dice.between(1, 20) as i64)
            } else {
                SignedDuration::ZERO
            },
            erase_unverified: true,
            still_min: dice.pick(&[SignedDuration::ZERO, SignedDuration::from_secs(30)]),
            reread: dice.permille(700),
        },
        key_prefix: String::new(),
        lock_for: None,
        copy_retry: (SignedDuration::from_secs(2), SignedDuration::from_mins(10)),
        copy_attempts_max: 5,
    }
}

impl World {
    pub fn new(seed: u64, mutant: Option<Mutant>, tell: bool) -> Self {
        let mut dice = Dice::new(seed);
        let count = dice.between(1, 3);
        let kinds = [Kind::Signed, Kind::Signed, Kind::Bare, Kind::Bare, Kind::Listed];
        let cameras = (0..count).map(|n| Camera::new(n, dice.pick(&kinds))).collect();
        let now: Timestamp = "2026-03-14T23:00:00Z".parse().expect("a time");
        // Most check everything; some only MD5; the oldest check nothing.
        let enforces = match dice.below(6) {
            0 => Enforces { sha256: false, md5: true, if_none_match: false },
            1 => Enforces::default(),
            _ => Enforces { sha256: true, md5: true, if_none_match: true },
        };
        let mut settings = settings(count, &mut dice);
        let still_min = settings.release.still_min;
        if mutant == Some(Mutant::StillTimeIgnored) {
            settings.release.still_min = SignedDuration::ZERO;
        }
        let ids = Dice::new(dice.bits());
        Self {
            now,
            began: now,
            skew: SignedDuration::ZERO,
            dock: Dock::new(settings, Box::new(ids)),
            table: MemoryTable::default(),
            head: Head::GENESIS,
            disk: Disk::default(),
            store: Store { enforces, ..Store::default() },
            outage: None,
            cameras,
            bays: BTreeMap::new(),
            tasks: Vec::new(),
            paused: Vec::new(),
            dockings: 0,
            dead: None,
            chances: Chances {
                call: dice.pick(&[0, 60, 200, 400]),
                crash: dice.pick(&[0, 4, 15, 40]),
                world: dice.pick(&[20, 60, 150]),
                people: dice.pick(&[0, 20, 60]),
            },
            truth: Truth::default(),
            tally: Tally { shifts: 1, ..Tally::default() },
            mutant,
            alone: None,
            key: dock_key(),
            accepted: BTreeSet::new(),
            story: tell.then(Vec::new),
            violation: None,
            limits: Limits {
                parts_in_flight: dice.between(1, 3),
                wanted: ReceiptLevel::ReadBack,
                enforces,
                backoff: Backoff::default(),
            },
            still_min,
            replies: Vec::new(),
            dice,
        }
    }

    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// What the dock's clock says.
    pub fn clock(&self) -> Timestamp {
        self.now.saturating_add(self.skew).unwrap_or(self.now)
    }

    pub fn tell(&mut self, words: Arguments<'_>) {
        if let Some(story) = &mut self.story {
            let seconds = self.now.duration_since(self.began).as_secs_f64();
            story.push(format!("{seconds:>12.3} {words}"));
        }
    }

    pub fn violate(&mut self, name: &'static str, words: String) {
        self.tell(format_args!("VIOLATED {name}: {words}"));
        self.violation.get_or_insert(Violation { name, words });
    }

    /// Whether anything can still happen before a restart.
    pub fn stands(&self) -> bool {
        self.dead.is_none() && self.violation.is_none()
    }

    /// A durable point: here the daemon may die, or the power go.
    pub fn durable_point(&mut self) {
        if self.dead.is_none() && self.dice.permille(self.chances.crash) {
            self.die();
        }
    }

    pub fn die(&mut self) {
        let power = match self.alone {
            Some(Alone::Kill) => false,
            Some(Alone::PowerCut | Alone::Boot1970) => true,
            None | Some(Alone::World(_) | Alone::Call(_)) => self.dice.permille(500),
        };
        self.tell(format_args!(
            "{}",
            if power { "the power goes" } else { "the daemon is killed" }
        ));
        self.dead = Some(power);
    }

    /// Lets only this go wrong, and often.
    pub fn only(&mut self, alone: Alone) {
        use crate::faults::Fault;
        self.alone = Some(alone);
        self.chances = Chances { call: 0, crash: 0, world: 200, people: 0 };
        match alone {
            Alone::World(Fault::LateArrival) => self.chances.call = 200,
            // Rot in the log shows at a start.
            Alone::World(Fault::JournalRot) => self.chances.crash = 15,
            Alone::World(_) => {}
            Alone::Call(_) => self.chances.call = 300,
            Alone::Kill | Alone::PowerCut | Alone::Boot1970 => self.chances.crash = 40,
        }
    }

    // --- the loop ---

    /// Handle, commit, perform, then poll until idle: the order of the daemon.
    pub fn event(&mut self, event: Event) {
        if !self.stands() {
            return;
        }
        self.tally.events += 1;
        if self.story.is_some() {
            self.tell(format_args!("event {event:?}"));
        }
        let step = self.dock.handle(self.clock(), event, &self.table).expect("a table in memory");
        self.carry_out(step);
        self.give_out();
        invariants::after_event(self);
    }

    /// Facts of an upload under way.
    pub fn remember(&mut self, facts: Vec<bwvdock::types::fact::Fact>) {
        let facts = facts.into_iter().map(NewFact::from).collect();
        self.carry_out(Step { facts, ..Step::default() });
        self.give_out();
        invariants::after_event(self);
    }

    fn give_out(&mut self) {
        for turn in 0.. {
            if !self.stands() {
                return;
            }
            if turn > 2_000 {
                return self.violate("bounds: work", "polling has no end".into());
            }
            let step = self.dock.poll(self.clock(), &self.table).expect("a table in memory");
            if step.is_idle() {
                return;
            }
            self.carry_out(step);
        }
    }

    fn carry_out(&mut self, step: Step) {
        let Step { facts, actions, reply, .. } = step;
        if facts.len() > 1024 || actions.len() > 64 {
            let words = format!("{} facts and {} actions at once", facts.len(), actions.len());
            self.violate("bounds: work", words);
        }
        self.replies.extend(reply);
        if self.is(Mutant::ActionsBeforeFacts) {
            self.act(actions);
            self.erase_at_once();
            self.commit(facts);
            return;
        }
        if !facts.is_empty() {
            self.durable_point();
            self.commit(facts);
            self.durable_point();
        }
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            if !self.stands() {
                return;
            }
            self.tell(format_args!("action {}", name_of(&action)));
            self.begin(action);
        }
    }

    /// Mutant: an erase does not wait for the line that allows it.
    fn erase_at_once(&mut self) {
        let erase = |task: &Task| matches!(task.work, crate::task::Work::Erase { .. });
        if let Some(at) = self.tasks.iter().position(erase) {
            self.step(at);
        }
    }

    fn commit(&mut self, facts: Vec<NewFact>) {
        if !self.stands() || facts.is_empty() {
            return;
        }
        let mut entries = Vec::new();
        let durable = facts.iter().any(|new| new.fact.must_be_durable());
        for mut new in facts {
            self.bend(&mut new);
            let prev = match self.is(Mutant::ChainBroken) && self.dice.permille(50) {
                true => bwvdock::types::Sha256Digest([1; 32]),
                false => self.head.hash,
            };
            let dock = self.dock.settings().dock.clone();
            let (seq, at) = (self.head.seq + 1, self.clock());
            let entry = Entry { prev, v: VERSION, seq, at, dock, actor: new.actor, fact: new.fact };
            let mut line = chain::encode(&entry);
            self.head = Head { seq, hash: bwvdock::types::Sha256Digest::of(&line) };
            line.push(b'\n');
            let torn = self.chances.crash > 0 && self.dice.permille(self.chances.crash / 4);
            if !self.disk.append(&line, &mut self.dice, torn) {
                self.tally.fault("disk: torn record");
                return self.die();
            }
            entries.push((entry, line.len()));
        }
        let lag = self.disk.log.len() - self.disk.log_synced;
        if (durable || lag > 4096) && !self.is(Mutant::EraseBeforeTheFactIsFlushed) {
            self.durable_point();
            if !self.stands() {
                return;
            }
            if !self.disk.sync() {
                self.tally.fault("disk: EIO at fsync");
                self.tell(format_args!("fsync of the log failed"));
                return self.die();
            }
        }
        let mut end = self.disk.log.len() - entries.iter().map(|(_, n)| n).sum::<usize>();
        for (entry, bytes) in entries {
            end += bytes;
            self.learn(&entry, end);
        }
    }

    /// A line is in the log: the index folds it, and the truth is kept beside it.
    fn learn(&mut self, entry: &Entry, end: usize) {
        let name = name_of(&entry.fact);
        if self.story.is_some() {
            self.tell(format_args!("fact {} {:?}", entry.seq, entry.fact));
        }
        count(&mut self.tally.facts, &name);
        if !self.mutant.is_some_and(|mutant| mutant.drops(&entry.fact)) {
            fold(entry, &mut self.table).expect("a table in memory");
        }
        invariants::at_fact(self, entry, end);
    }

    /// Mutants that lie to the log.
    fn bend(&mut self, new: &mut NewFact) {
        use bwvdock::types::{Class, fact::Fact};
        if let Fact::Sealed { verdict, object, .. } = &mut new.fact
            && self.is(Mutant::QuarantineForgotten)
            && !verdict.is_sound()
        {
            object.class = Class::Unreviewed;
        }
        if let Fact::UploadFailed { retry_at, .. } = &mut new.fact
            && self.is(Mutant::FailuresForgotten)
        {
            *retry_at = Timestamp::MAX;
        }
    }

    // --- cameras come and go ---

    pub fn insert(&mut self, at: &BayName, camera: usize, twin: bool) {
        // Every order to a camera is answered before the next arrival in its bay is reported.
        self.pull(at);
        self.finish_bay(at);
        self.dockings += 1;
        self.bays.insert(at.clone(), Docking { camera, number: self.dockings, twin });
        self.arrive(at, camera);
    }

    fn arrive(&mut self, at: &BayName, camera: usize) {
        let camera = &self.cameras[camera];
        let arrival = Arrival {
            bay: at.clone(),
            camera: camera.id.clone(),
            profile: camera.profile().name().to_owned(),
            model: None,
            clock: None,
            clock_reading: ClockReading::None,
            condition: Default::default(),
            again: false,
            erase_allowed: true,
        };
        self.event(Event::CameraArrived(arrival));
    }

    pub fn pull(&mut self, at: &BayName) {
        if self.bays.remove(at).is_some() {
            self.event(Event::CameraGone { bay: at.clone() });
        }
    }

    /// At a start every camera that is docked is reported again.
    pub fn report_docked(&mut self) {
        for (at, docking) in self.bays.clone() {
            self.dockings += 1;
            let number = self.dockings;
            self.bays.insert(at.clone(), Docking { number, ..docking });
            self.arrive(&at, docking.camera);
        }
    }

    pub fn ask(&mut self, command: Command) -> Result<String, String> {
        count(&mut self.tally.commands, &name_of(&command));
        self.replies.clear();
        let actor = Actor::new("user:ann").expect("a good name");
        self.event(Event::Asked { actor, command });
        self.replies.pop().unwrap_or_else(|| Err("no answer".into()))
    }

    // --- time ---

    /// Cameras write on, whoever looks.
    pub fn cameras_write(&mut self) {
        for number in 0..self.cameras.len() {
            let grown = self.cameras[number].write_on(&mut self.dice, self.now);
            for _ in &grown {
                self.tally.fault("camera: writes on");
            }
            self.truth.grown.extend(grown);
        }
    }

    pub fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        self.cameras_write();
        self.event(Event::Tick);
    }
}
