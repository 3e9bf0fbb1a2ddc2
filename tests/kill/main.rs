//! kill -9, again and again, in the middle of everything; and what may never have happened.
//!
//! A real daemon moves footage from simulated cameras into a real vault, over TLS, and is killed
//! at pseudo-random moments. After every kill the files are examined from outside; in the end
//! everything must have got through, once. `cargo test` kills a few times; with
//! `BWVDOCK_TESTS=all` a hundred. `BWVDOCK_KILL_SEED` and `BWVDOCK_KILL_ROUNDS` set both, and
//! `BWVDOCK_KILL_KEEP=1` leaves the folder: the seed decides what is recorded and which moments
//! are drawn, the machine decides what was going on in them.
//!
//! `both` kills the dock together with stores of others; `power` lets the power fail, and disks
//! become full, read-only or broken, on real file systems.

#![cfg(feature = "vault")]

mod both;
mod dice;
mod ending;
mod footage;
mod ledger;
mod moment;
mod outside;
mod power;
#[path = "../rig/mod.rs"]
mod rig;
mod sends;
mod sharp;

use bwvdock::api::Request;
use bwvdock::dock::report::StatusReport;
use dice::Dice;
use footage::Footage;
use jiff::Timestamp;
use ledger::Ledger;
use moment::Moment;
use outside::Outside;
use rig::{Process, Rig, finish};
use sends::Lives;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const PARTS_IN_FLIGHT: usize = 3;
const MIB: u64 = 1 << 20;

/// How much is done.
struct Plan {
    seed: u64,
    rounds: u64,
    /// Bytes of segments with several parts, in all.
    large: u64,
    /// The cameras together are given more when they hold fewer files.
    files_min: usize,
    all: bool,
}

impl Plan {
    fn read() -> Self {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
        let all = std::env::var_os("BWVDOCK_TESTS").is_some_and(|tier| tier == "all");
        let (rounds, large, files_min) = if all { (100, 500, 40) } else { (8, 24, 16) };
        Self {
            seed: number("BWVDOCK_KILL_SEED").unwrap_or(1),
            rounds: number("BWVDOCK_KILL_ROUNDS").unwrap_or(rounds),
            large: large * MIB,
            files_min,
            all,
        }
    }
}

/// Everything under way, and what was counted.
struct Trial {
    rig: Rig,
    dice: Dice,
    footage: Footage,
    ledger: Ledger,
    outside: Outside,
    lives: Lives,
    vault: Process,
    /// Kills by the moment that was drawn, and by the last line of the log they left.
    moments: BTreeMap<String, u64>,
    lasts: BTreeMap<String, u64>,
    starts: Vec<Duration>,
}

impl Trial {
    fn begin(plan: &Plan) -> Self {
        let mut rig = Rig::new();
        if std::env::var_os("BWVDOCK_KILL_KEEP").is_some() {
            eprintln!("kept: {}", rig.keep().display());
        }
        let vault = rig.start_vault();
        let mut dice = Dice::new(plan.seed);
        let footage = Footage::make(&rig, 3, plan.large, dice.draw());
        rig.configure(&footage.folders(), |config| {
            config.store.part_bytes = 5 * MIB;
            config.transfer.parts_in_flight = PARTS_IN_FLIGHT;
            config.transfer.bytes_per_second_max = 12 * MIB;
            config.transfer.retry_seconds_base = 1;
            config.transfer.retry_seconds_max = 1;
            // The least there may be: large segments fill it, and copying waits.
            config.spool.bytes_max = 64 * MIB;
        });
        let ledger = Ledger::new(rig.journal());
        Self {
            dice,
            footage,
            ledger,
            vault,
            rig,
            outside: Outside::default(),
            lives: Lives::default(),
            moments: BTreeMap::new(),
            lasts: BTreeMap::new(),
            starts: Vec::new(),
        }
    }

    fn start(&mut self) -> Process {
        self.lives.starts.push(Timestamp::now());
        self.rig.start_daemon()
    }

    /// One life of a daemon.
    fn round(&mut self, round: u64, files_min: usize) {
        self.footage.refill(files_min);
        let started = Instant::now();
        let mut daemon = self.start();
        if round % 12 == 4 {
            self.kill_store(&mut daemon);
        }
        let moment = Moment::draw(&mut self.dice);
        let mut ready = None;
        let came = moment.wait(&self.rig, || {
            self.rig.await_ready(&mut daemon);
            ready = Some(started.elapsed());
        });
        let alive = daemon.kill_9();
        assert!(alive, "round {round}: the daemon had ended; {}", self.rig.last_words());
        let both = round % 12 == 7;
        if both {
            assert!(self.vault.kill_9(), "round {round}: the store had ended");
            self.lives.store_kills.push(Timestamp::now());
        }
        self.starts.extend(ready);
        self.outside.check(&self.rig, &self.footage, &mut self.ledger);
        if both {
            self.vault = self.rig.start_vault();
        }
        let name = if came { moment.name() } else { "nothing came in time".into() };
        *self.moments.entry(name).or_default() += 1;
        *self.lasts.entry(self.ledger.last.clone()).or_default() += 1;
    }

    /// The store dies under a daemon that lives, and comes back.
    fn kill_store(&mut self, daemon: &mut Process) {
        self.rig.await_ready(daemon);
        Moment::Answer(moment::Request::Part, Duration::ZERO).wait(&self.rig, || {});
        assert!(self.vault.kill_9(), "the store had ended");
        self.lives.store_kills.push(Timestamp::now());
        self.vault = self.rig.start_vault();
    }

    /// Lets everything get through, and ends daemon and store properly.
    fn finish(&mut self) -> StatusReport {
        let mut daemon = self.start();
        self.rig.await_ready(&mut daemon);
        self.rig.await_done(Duration::from_secs(180));
        let said = finish("reconcile", &self.rig.run(&["reconcile"]));
        let status = self.rig.ask(&Request::Status);
        assert!(daemon.stop(), "the daemon did not end well: {said}; {}", self.rig.last_words());
        assert!(self.vault.stop(), "the store did not end well");
        self.outside.check(&self.rig, &self.footage, &mut self.ledger);
        status
    }

    fn report(
        &self,
        rounds: u64,
        status: &StatusReport,
        sends: &sends::Sends,
        (erased, took): (usize, Duration),
    ) {
        let mut starts = self.starts.clone();
        starts.sort();
        let at = |part: usize| starts.get(starts.len() * part / 100).copied().unwrap_or_default();
        eprintln!(
            "{rounds} kills of the daemon, {} of the store, {took:.1?}",
            self.lives.store_kills.len()
        );
        eprintln!("ready after {:?} (median), {:?} (90 %)", at(50), at(90));
        eprintln!(
            "{} files, {} objects, {} lines, {} receipts, {} erased while being killed",
            self.footage.originals.len(),
            self.ledger.objects.len(),
            self.ledger.lines,
            status.receipts,
            erased
        );
        eprintln!("parts: {sends:?}");
        eprintln!("drawn: {:?}", self.moments);
        eprintln!("last line at the kill: {:?}", self.lasts);
        eprintln!("facts: {:?}", self.ledger.kinds);
    }
}

#[test]
fn killed_again_and_again_everything_is_stored_once_and_nothing_is_erased_early() {
    let plan = Plan::read();
    eprintln!("BWVDOCK_KILL_SEED={} BWVDOCK_KILL_ROUNDS={}", plan.seed, plan.rounds);
    let began = Instant::now();
    let mut trial = Trial::begin(&plan);
    let mut rounds = 0;
    // Something must have been erased while it was killed, or nothing was shown: a busy machine
    // may need more rounds for that.
    while rounds < plan.rounds || trial.outside.erased() == 0 && rounds < 4 * plan.rounds {
        trial.round(rounds, plan.files_min);
        rounds += 1;
    }
    let erased = trial.outside.erased();
    let status = trial.finish();
    let (rig, ledger) = (&trial.rig, &trial.ledger);
    let lines = sends::read(&rig.access_log());
    let sends = sends::check(&lines, ledger, &trial.lives, PARTS_IN_FLIGHT as u64);
    trial.report(rounds, &status, &sends, (erased, began.elapsed()));
    ending::every_segment_once(rig, &trial.footage, ledger);
    let probes = ending::nothing_left_over(rig, ledger);
    eprintln!("{probes} uploads of the store's probe were left open");
    assert!(probes as u64 <= rounds, "more than one for each kill");
    ending::receipts_hold(rig, ledger);
    if plan.all {
        ending::strangers_agree(rig, ledger);
    }
    assert!(erased > 0 && sends.parts > 0, "{erased} erased, {sends:?}");
    eprintln!("all of it in {:.1?}", began.elapsed());
}
