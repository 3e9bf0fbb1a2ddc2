//! The dock's rules in a world of cameras, officers, networks, stores, disks and clocks that go wrong.
//!
//! One seed makes one shift, and the same seed makes it again. The rules (`dock`, `transfer`,
//! `release`, `evidence`, `custody`, the fold and the encoding of facts) are the daemon's own; the
//! world around them is in these files, and what must hold after every event has a name.
//!
//! - `SIM_SEED=N cargo test --test simulation replay -- --nocapture` runs one shift again and writes
//!   its story to `target/simulation/seed-N.log`;
//! - `cargo test --release --test simulation -- --ignored --nocapture` runs 100,000 shifts
//!   (`SIM_SHIFTS` of them, from `SIM_SEED` on) and prints what they met.

mod alone;
mod camera;
mod dice;
mod disk;
mod faults;
mod invariants;
mod law;
mod mutants;
mod recover;
mod sealing;
mod sending;
mod shift;
mod store;
mod storm;
mod tally;
mod task;
mod truth;
mod world;

use mutants::Mutant;
use std::{fs, sync::Mutex, sync::atomic::AtomicU64, sync::atomic::Ordering, thread};
use tally::Tally;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Shifts of the quick run: what an unoptimised build gets through in about half a minute.
const SHIFTS: u64 = 500;

/// Turns of each of the many shifts that an optimised build runs.
const LONG: usize = 240;

/// Turns of each shift.
fn turns() -> usize {
    setting("SIM_TURNS").map_or(shift::TURNS, |turns| turns as usize)
}

/// Writes what happened, for people to read.
fn write_story(seed: u64, outcome: &shift::Outcome) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/simulation");
    fs::create_dir_all(folder).expect("the target folder can be written");
    let path = format!("{folder}/seed-{seed}.log");
    let story = outcome.story.as_deref().unwrap_or_default().join("\n");
    fs::write(&path, story + "\n").expect("the target folder can be written");
    path
}

/// Runs it again with its story, and fails.
fn tell_and_fail(seed: u64, turns: usize) -> ! {
    let outcome = shift::run(seed, turns, None, true);
    let path = write_story(seed, &outcome);
    let violation = outcome.violation.expect("the same seed makes the same shift");
    panic!(
        "{}: {}\nreplay: SIM_SEED={seed} SIM_TURNS={turns} cargo test --test simulation replay\n\
         story:  {path}",
        violation.name, violation.words
    );
}

/// Runs shifts on every core and adds up what they met.
fn run(first: u64, shifts: u64, turns: usize) -> Tally {
    let next = AtomicU64::new(first);
    let whole = Mutex::new((Tally::default(), Vec::new()));
    let threads = thread::available_parallelism().map_or(1, |n| n.get());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Tally::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + shifts {
                        break;
                    }
                    let outcome = shift::run(seed, turns, None, false);
                    mine.add(outcome.tally);
                    if outcome.violation.is_some() {
                        whole.lock().expect("nobody panics").1.push(seed);
                        next.store(first + shifts, Ordering::Relaxed);
                    }
                }
                whole.lock().expect("nobody panics").0.add(mine);
            });
        }
    });
    let (tally, mut bad) = whole.into_inner().expect("nobody panics");
    bad.sort_unstable();
    if let Some(seed) = bad.first() {
        tell_and_fail(*seed, turns);
    }
    tally
}

#[test]
fn many_shifts_lose_nothing() {
    let shifts = setting("SIM_SHIFTS").unwrap_or(SHIFTS);
    let tally = run(setting("SIM_SEED").unwrap_or(1), shifts, turns());
    println!("{tally}");
}

#[test]
#[ignore = "takes minutes; run it in release"]
fn a_hundred_thousand_shifts_lose_nothing() {
    let shifts = setting("SIM_SHIFTS").unwrap_or(100_000);
    let turns = setting("SIM_TURNS").map_or(LONG, |turns| turns as usize);
    let tally = run(setting("SIM_SEED").unwrap_or(1), shifts, turns);
    println!("{tally}");
}

#[test]
#[ignore = "for looking: all that is violated, with a seed for each"]
fn survey() {
    let first = setting("SIM_SEED").unwrap_or(1);
    let mut found = std::collections::BTreeMap::<&str, (u64, u64, String)>::new();
    for seed in first..first + setting("SIM_SHIFTS").unwrap_or(500) {
        if let Some(violation) = shift::run(seed, turns(), None, false).violation {
            let row = found.entry(violation.name).or_insert((0, seed, violation.words));
            row.0 += 1;
        }
    }
    println!("{found:#?}");
}

#[test]
fn replay() {
    let Some(seed) = setting("SIM_SEED") else { return };
    let outcome = shift::run(seed, turns(), None, true);
    println!("{}", write_story(seed, &outcome));
    if outcome.violation.is_some() {
        tell_and_fail(seed, turns());
    }
}

#[test]
fn the_same_seed_makes_the_same_shift() {
    for seed in 1..6 {
        let again = || shift::run(seed, turns(), None, true).story;
        assert_eq!(again(), again(), "seed {seed}");
    }
}

/// Shifts that a planted law-breaker gets, at most.
const MUTANT_SHIFTS: u64 = 120;

#[test]
fn every_planted_law_breaker_is_caught_by_name() {
    let next = AtomicU64::new(0);
    let missed = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, |n| n.get());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((mutant, names)) =
                    Mutant::ALL.get(next.fetch_add(1, Ordering::Relaxed) as usize)
                {
                    let run = |seed| shift::run(seed, turns(), Some(*mutant), false).violation;
                    let caught = (1..MUTANT_SHIFTS).find_map(run);
                    println!("{mutant:?}: {caught:?}");
                    if !caught.as_ref().is_some_and(|c| names.contains(&c.name)) {
                        missed.lock().expect("nobody panics").push((mutant, caught));
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().expect("nobody panics");
    assert!(missed.is_empty(), "{missed:#?}");
}
