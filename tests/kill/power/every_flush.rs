//! One shift, and the power fails at each of its flushes: every trial goes on from what the disk
//! truly held there, with the store and the cameras as they were in that moment.
//!
//! The moment is the last one before a flush is done: whatever the flush before it allowed has
//! happened to store and cameras, and nothing written since is safe.

use super::{
    BootId, Frozen, Left, Mounted, ext4, inside,
    rounds::{configure, finish_all, number},
};
use crate::{
    dice::Dice,
    ending,
    footage::Footage,
    ledger::Ledger,
    outside::Outside,
    rig::{Process, Rig, finish},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

const TEST: &str = "power::every_flush::power_cut_at_every_flush_of_a_shift";
/// What is outside the dock, and must be as it was in the moment of the cut.
const AROUND: [&str; 2] = ["cameras", "store"];

/// The world at one flush.
struct Snapshot {
    flush: u64,
    disk: Frozen,
    around: PathBuf,
}

/// The boot in which the shift was.
const SHIFT: u64 = 0;

/// What is done to the index alone, beside the power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    None,
    Gone,
    /// The second half of its file is missing.
    Torn,
    /// Bits in the middle of its file turned over.
    Flipped,
}

impl Harm {
    fn come_over(self, index: &Path, dice: &mut Dice) {
        let file = index.join("sled/db");
        let Ok(mut bytes) = fs::read(&file) else { return };
        match self {
            Self::None => return,
            Self::Gone => return fs::remove_dir_all(index).unwrap(),
            Self::Torn => bytes.truncate(bytes.len() / 2),
            Self::Flipped => {
                for _ in 0..8.min(bytes.len()) {
                    let at = dice.between(0, bytes.len() as u64) as usize;
                    bytes[at] ^= 0x55;
                }
            }
        }
        fs::write(file, bytes).unwrap();
    }
}

/// Every `BWVDOCK_POWER_EVERY`th flush is tried, each in every way if that is 1.
#[test]
fn power_cut_at_every_flush_of_a_shift() {
    if !inside(TEST) {
        return;
    }
    let (every, seed) = (number("BWVDOCK_POWER_EVERY", 8), number("BWVDOCK_KILL_SEED", 1));
    eprintln!("BWVDOCK_KILL_SEED={seed} BWVDOCK_POWER_EVERY={every}");
    let began = Instant::now();
    let mut dice = Dice::new(seed);
    let mut rig = Rig::new();
    let vault = rig.start_vault();
    let footage = Footage::make(&rig, 1, 0, dice.draw());
    configure(&rig, &footage);
    let boots = BootId::new(&rig.path("."));
    boots.reboot(SHIFT);
    let snapshots = shift(&rig, vault, &footage);
    eprintln!("shift {:.1?}", began.elapsed());
    let ways = [Left::Nothing, Left::Any, Left::Everything];
    let mut trials = 0;
    for snapshot in snapshots.iter().skip(dice.between(0, every) as usize).step_by(every as usize) {
        let tried: &[Left] = if every == 1 { &ways } else { &[dice.pick(&ways)] };
        for left in tried {
            trials += 1;
            let harm = dice.pick(&[Harm::None, Harm::None, Harm::Gone, Harm::Torn, Harm::Flipped]);
            // A harmed index must not be saved by being left unopened, as after a reboot it is.
            boots.reboot(if harm == Harm::None { trials } else { SHIFT });
            trial(&mut rig, &footage, snapshot, (*left, harm), &mut dice);
        }
    }
    eprintln!(
        "{} flushes in one shift of {} files; {trials} trials in {:.1?}",
        snapshots.len(),
        footage.originals.len(),
        began.elapsed()
    );
    assert!(snapshots.len() > 20 && trials > 2, "{} flushes, {trials} trials", snapshots.len());
}

/// A shift that nothing disturbs, from a disk without anything to the end of the daemon; with what
/// there was at each flush.
fn shift(rig: &Rig, mut vault: Process, footage: &Footage) -> Vec<Snapshot> {
    let mounted = Mounted::mount(ext4(&rig.path("."), 160), &rig.path("state"), "");
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (folder, kept, store) = (rig.path("."), Arc::clone(&taken), vault.pid());
    let frozen_with_them = move |flush, disk| {
        let around = folder.join(format!("at-{flush}"));
        // It must not change what is being copied; cameras change only by what was flushed.
        stop(store);
        copy_around(&folder, &around);
        kill_process(store, Signal::CONT).unwrap();
        kept.lock().unwrap().push(Snapshot { flush, disk, around });
    };
    mounted.disk.watch(Box::new(frozen_with_them));
    finish_all(rig, footage, &mut Outside::default());
    mounted.disk.unwatch();
    assert!(vault.stop(), "the store did not end well");
    mounted.unmount();
    Arc::try_unwrap(taken)
        .map(|taken| taken.into_inner().unwrap())
        .unwrap_or_else(|taken| std::mem::take(&mut *taken.lock().unwrap()))
}

/// SIGSTOP, and waits until no thread runs: what one has begun in the kernel, it ends first.
fn stop(process: Pid) {
    kill_process(process, Signal::STOP).unwrap();
    let tasks = format!("/proc/{}/task", process.as_raw_nonzero());
    let stopped = |task: io::Result<fs::DirEntry>| {
        // A thread that is gone since does not run either.
        fs::read_to_string(task.unwrap().path().join("stat"))
            .map_or(true, |stat| stat.rsplit(") ").next().unwrap().starts_with('T'))
    };
    let end = Instant::now() + Duration::from_secs(30);
    while !fs::read_dir(&tasks).unwrap().all(stopped) {
        assert!(Instant::now() < end, "the store does not stop");
        thread::yield_now();
    }
}

/// The daemon goes on meanwhile, and may erase from a camera: then it is copied once more.
fn copy_around(from: &Path, to: &Path) {
    for last in [false, false, true] {
        fs::create_dir_all(to).unwrap();
        let mut copy = Command::new("cp");
        copy.arg("-a").args(AROUND.map(|name| from.join(name))).arg(to);
        let output = copy.output().unwrap();
        if last || output.status.success() {
            finish("cp", &output);
            return;
        }
        for name in AROUND {
            // It may not have come so far.
            let _ = fs::remove_dir_all(to.join(name));
        }
    }
}

/// The power failed there, and came back.
fn trial(
    rig: &mut Rig,
    footage: &Footage,
    snapshot: &Snapshot,
    (left, harm): (Left, Harm),
    dice: &mut Dice,
) {
    eprintln!(
        "flush {}, {left:?} of {} writes, index {harm:?}",
        snapshot.flush,
        snapshot.disk.unflushed()
    );
    for name in AROUND {
        fs::remove_dir_all(rig.path(name)).unwrap();
    }
    copy_around(&snapshot.around, &rig.path("."));
    let mut vault = rig.start_vault();
    let mounted = Mounted::mount(snapshot.disk.found(left, dice), &rig.path("state"), "");
    harm.come_over(&rig.path("state/index"), dice);
    let mut outside = Outside::default();
    outside.check(rig, footage, &mut Ledger::new(rig.journal()));
    let ledger = finish_all(rig, footage, &mut outside);
    assert!(vault.stop(), "the store did not end well");
    ending::every_segment_once(rig, footage, &ledger);
    ending::nothing_left_over(rig, &ledger);
    ending::receipts_hold(rig, &ledger);
    mounted.unmount();
}
