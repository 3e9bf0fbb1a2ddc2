//! One shift: footage is made and docked while things go wrong; then everything is healed, and all
//! of it must come to rest, safe.

use crate::{
    alone::Alone,
    invariants::Violation,
    mutants::Mutant,
    recover,
    tally::{Tally, count},
    task::Work,
    world::{Chances, World, bay},
};
use bwvdock::{
    dock::{
        Command, Records, Stage,
        report::{self, Light},
        state::{ObjectState, SegmentState, key},
    },
    release::Decision,
    types::fact::Target,
};
use jiff::SignedDuration;

/// Turns of a shift in which things go wrong: as many as an unoptimised build has time for.
pub const TURNS: usize = 60;
/// How long the dock has for everything once the world is whole again.
const HEALED_MINUTES: i64 = 6 * 60;

pub struct Outcome {
    pub tally: Tally,
    pub violation: Option<Violation>,
    pub story: Option<Vec<String>>,
}

/// Runs the shift of a seed to its end or to the first thing that must not be.
pub fn run(seed: u64, turns: usize, mutant: Option<Mutant>, tell: bool) -> Outcome {
    live(World::new(seed, mutant, tell), turns)
}

/// A shift in which one thing alone goes wrong.
pub fn alone(seed: u64, alone: Alone) -> Outcome {
    let mut world = World::new(seed, None, false);
    world.only(alone);
    live(world, TURNS)
}

fn live(mut world: World, turns: usize) -> Outcome {
    world.start();
    for number in 0..world.cameras.len() {
        for _ in 0..world.dice.between(0, 2) {
            world.cameras[number].record(&mut world.dice, false);
        }
        if world.dice.permille(800) {
            world.insert(&bay(number), number, false);
        }
    }
    for _ in 0..turns {
        if world.violation.is_some() {
            break;
        }
        world.turn();
    }
    world.heal();
    world.tally.simulated_seconds = world.now.duration_since(world.began).as_secs();
    Outcome { tally: world.tally, violation: world.violation, story: world.story }
}

impl World {
    fn turn(&mut self) {
        if self.dead.is_some() {
            self.start();
            return;
        }
        if self.dice.permille(self.chances.world) {
            self.something_goes_wrong();
        }
        if self.mutant.is_some() && self.dice.permille(100) {
            self.what_a_mutant_needs();
        }
        if self.dice.permille(self.chances.people) {
            self.somebody_asks();
        }
        self.work();
    }

    /// A step of something under way, or time.
    fn work(&mut self) {
        if !self.stands() {
            return;
        }
        self.now += SignedDuration::from_millis(self.dice.between(5, 400) as i64);
        self.cameras_write();
        let ready: Vec<usize> = (0..self.tasks.len()).filter(|at| self.is_ready(*at)).collect();
        if ready.is_empty() || self.dice.permille(100) {
            let seconds = self.dice.pick(&[1, 1, 5, 20, 50]);
            self.pass(seconds);
        } else {
            let at = ready[self.dice.below(ready.len())];
            self.step(at);
        }
    }

    fn is_ready(&self, at: usize) -> bool {
        match &self.tasks[at].work {
            Work::Upload(upload) => upload.sleeps_until.is_none_or(|until| self.now >= until),
            Work::List
            | Work::Copy(_)
            | Work::SecondRead { .. }
            | Work::Erase { .. }
            | Work::SealRecord { .. }
            | Work::WriteReceipt { .. }
            | Work::PlaceReceipt { .. }
            | Work::Mark { .. }
            | Work::FreeSpool { .. } => true,
        }
    }

    /// Nothing goes wrong by chance.
    pub fn quiet(&mut self) {
        self.chances = Chances::default();
    }

    /// Everything works again, and people put right what people must.
    pub fn heal(&mut self) {
        if self.violation.is_some() {
            return;
        }
        self.tell(format_args!("healed"));
        self.chances = Chances::default();
        self.outage = None;
        self.skew = SignedDuration::ZERO;
        (self.disk.full, self.disk.failing, self.disk.sync_fails) = (false, false, false);
        while !self.store.late.is_empty() {
            let at = self.dice.below(self.store.late.len());
            self.store.arrive(at, self.now);
        }
        for camera in &mut self.cameras {
            (camera.flips, camera.hiccups, camera.shorts) = (0, 0, 0);
            (camera.refuses_list, camera.refuses_erase) = (false, false);
        }
        if self.dead.is_some() {
            self.start();
        }
        let taken: Vec<_> = self.bays.keys().cloned().collect();
        taken.iter().for_each(|at| self.pull(at));
        for number in 0..self.cameras.len() {
            self.insert(&bay(number), number, false);
        }
        self.people_put_right();
        let mut rested = 0;
        let end = self.now + SignedDuration::from_mins(HEALED_MINUTES);
        while self.now < end && self.violation.is_none() && rested < 2 {
            self.run_all();
            rested = if self.rests() { rested + 1 } else { 0 };
            self.pass(20);
        }
        if self.violation.is_none() {
            self.at_the_end(rested == 2);
        }
    }

    fn people_put_right(&mut self) {
        let reason = || "put right".to_owned();
        while let Some(damage) = self.dock.journal_damage().cloned() {
            let accept = Command::AcceptDamage { first_seq: damage.first_seq, reason: reason() };
            if self.ask(accept).is_err() || !self.stands() {
                break;
            }
        }
        for (prefix, held) in [(key::HOLDS, true), (key::PAUSES, false)] {
            for target in self.targets_under(prefix) {
                let command = match held {
                    true => Command::Unhold { target, reason: reason() },
                    false => Command::Resume { target, reason: None },
                };
                let _ = self.ask(command);
            }
        }
        let _ = self.ask(Command::Retry { target: Target::Dock, reason: None });
        let _ = self.ask(Command::Release);
    }

    /// Everything that is held or paused.
    fn targets_under(&self, prefix: &[u8]) -> Vec<Target> {
        let segments = self.truth.segments.values().flat_map(|segment| {
            [
                Target::Segment(segment.id),
                Target::Recording(segment.recording),
                Target::Camera(segment.camera.clone()),
            ]
        });
        let mut all: Vec<Target> = vec![Target::Dock];
        all.extend(self.cameras.iter().map(|camera| Target::Camera(camera.id.clone())));
        for target in segments {
            if !all.contains(&target) {
                all.push(target);
            }
        }
        all.retain(|target| {
            let mark = match prefix == key::HOLDS {
                true => self.table.held(target),
                false => self.table.paused(target),
            };
            mark.expect("a table in memory").is_some()
        });
        all
    }

    pub fn run_all(&mut self) {
        for _ in 0..20_000 {
            let Some(at) = (0..self.tasks.len()).find(|at| self.is_ready(*at)) else { return };
            if !self.stands() {
                return;
            }
            self.now += SignedDuration::from_millis(20);
            self.cameras_write();
            self.step(at);
        }
        self.violate("liveness: comes to rest", "work without end".into());
    }

    fn lights(&self) -> Vec<report::BayReport> {
        let now = report::Now::default();
        report::bay_reports(&self.dock, &now, self.clock(), &self.table).expect("in memory")
    }

    /// Nothing is left to do, as far as the dock says.
    fn rests(&self) -> bool {
        let totals = self.table.totals().expect("a table in memory");
        let quiet = |light: Light| matches!(light, Light::Green | Light::Red);
        self.tasks.is_empty()
            && totals.queue.iter().all(|amount| amount.count == 0)
            // A bay may be red for one file while another waits to be copied.
            && totals.to_copy.iter().all(|amount| amount.count == 0)
            && self.cameras.iter().all(|camera| camera.written.is_empty())
            && self.table.ids(key::UNFINISHED, b"", 1).expect("a table in memory").is_empty()
            && self.lights().iter().all(|bay| quiet(bay.light))
    }

    /// What must be true of a healed dock.
    fn at_the_end(&mut self, rested: bool) {
        let segments: Vec<SegmentState> =
            self.table.list(b"s/", b"", usize::MAX).expect("a table in memory");
        let objects: Vec<ObjectState> =
            self.table.list(b"o/", b"", usize::MAX).expect("a table in memory");
        for state in &segments {
            count(&mut self.tally.stages, state.stage.as_str());
            if let Ok(Decision::Stay(why)) =
                self.dock.decide(self.clock(), state, true, &self.table)
                && !state.stage.is_gone()
            {
                why.iter()
                    .for_each(|o| count(&mut self.tally.obstacles, &crate::tally::name_of(o)));
            }
        }
        self.everything_is_stored(&segments, &objects);
        if !rested && !self.truth.sealed_line_rotted {
            let lights = self.lights();
            let lights: Vec<_> = lights.iter().map(|bay| (bay.light, &bay.words)).collect();
            let words = format!("{lights:?}; trouble {:?}", self.dock.finish_trouble());
            self.violate("liveness: comes to rest", words);
        }
        self.reconciles();
        self.log_is_whole();
    }

    fn everything_is_stored(&mut self, segments: &[SegmentState], objects: &[ObjectState]) {
        for state in objects.iter().filter(|state| !state.lost) {
            let (id, words) = (state.object.id, state.trouble.clone());
            let there = self.holds(&state.object).is_some();
            // The receipt was given, and later the store lost it: no look will show it.
            let lost_later =
                self.truth.rolled_back.contains(&id) && self.truth.looked.contains(&id);
            // What its line said was destroyed.
            if !there && !lost_later && !self.truth.excused.contains(&id) {
                let words = format!("{id} is not at the store: {words:?}");
                self.violate("liveness: stored or quarantined", words);
            }
        }
        for state in segments {
            let on_camera = self.cameras.iter().find(|c| c.id == state.segment.camera);
            let on_camera = on_camera
                .is_some_and(|camera| camera.files.contains_key(&state.segment.source.path));
            let waits = matches!(state.stage, Stage::Seen | Stage::Sealed | Stage::Stored);
            let sealed = state.sealed.as_ref();
            let destroyed = sealed.is_some_and(|s| self.truth.excused.contains(&s.object));
            if waits && on_camera && !destroyed {
                let words = format!(
                    "{} is {}: {:?}",
                    state.segment.source.path,
                    state.stage.as_str(),
                    state.trouble
                );
                self.violate("liveness: stored or quarantined", words);
            }
        }
    }

    fn reconciles(&mut self) {
        let balances = report::reconcile(&self.table, None).expect("a table in memory");
        for balance in balances {
            let camera = self.cameras.iter().find(|c| c.id.as_str() == balance.camera);
            let harmed = camera.is_some_and(|camera| camera.harmed);
            let explained = harmed || !self.truth.rotten.is_empty();
            if balance.outstanding > 0 && !self.truth.sealed_line_rotted {
                self.violate("reconcile: nothing outstanding", format!("{balance:?}"));
            } else if !balance.clean && !explained {
                self.violate("reconcile: nothing unexplained", format!("{balance:?}"));
            } else if !balance.clean && balance.concerns.is_empty() {
                self.violate("reconcile: in words", format!("{balance:?}"));
            }
        }
    }

    /// What is damaged is what rotted, and all of it: an edited line shows in the one behind it.
    fn log_is_whole(&mut self) {
        let found = recover::read(&self.disk.log);
        let covers = |(first, last): &(u64, u64), seq: &u64| (*first - 1..=*last).contains(seq);
        let unexplained = !found.damage.is_empty() && self.truth.rotten.is_empty();
        let unnoticed =
            self.truth.rotten.iter().any(|seq| !found.damage.iter().any(|span| covers(span, seq)));
        if unexplained || unnoticed || found.torn > 0 {
            let words = format!("{:?}, and {:?} rotted", found.damage, self.truth.rotten);
            self.violate("custody chain", words);
        }
    }
}
