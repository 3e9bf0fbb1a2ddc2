//! The power fails again and again at random moments, in one long life of a dock.

use super::{BootId, Left, Mounted, ext4, inside};
use crate::{
    dice::Dice,
    ending,
    footage::Footage,
    ledger::Ledger,
    moment::Moment,
    outside::Outside,
    rig::{Rig, finish},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const MIB: u64 = 1 << 20;
const TEST: &str = "power::rounds::power_cut_again_and_again_nothing_is_lost";

/// `BWVDOCK_POWER_ROUNDS` and `BWVDOCK_KILL_SEED` set how often and where.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn power_cut_again_and_again_nothing_is_lost() {
    if !inside(TEST) {
        return;
    }
    let rounds = number("BWVDOCK_POWER_ROUNDS", 24);
    let seed = number("BWVDOCK_KILL_SEED", 1);
    eprintln!("BWVDOCK_KILL_SEED={seed} BWVDOCK_POWER_ROUNDS={rounds}");
    let began = Instant::now();
    let mut dice = Dice::new(seed);
    let mut rig = Rig::new();
    let mut vault = rig.start_vault();
    let mut footage = Footage::make(&rig, 3, 24 * MIB, dice.draw());
    configure(&rig, &footage);
    let boots = BootId::new(&rig.path("."));
    let mut image = ext4(&rig.path("."), 256);
    let mut outside = Outside::default();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut lost = 0;
    for round in 0..rounds {
        footage.refill(24);
        let mounted = Mounted::mount(image, &rig.path("state"), "errors=remount-ro");
        outside.check(&rig, &footage, &mut Ledger::new(rig.journal()));
        boots.reboot(round);
        let mut daemon = rig.start_daemon();
        let moment = Moment::draw(&mut dice);
        moment.wait(&rig, || rig.await_ready(&mut daemon));
        mounted.disk.fail_after(dice.between(0, 4));
        mounted.disk.await_failure(Duration::from_millis(150));
        assert!(daemon.is_alive(), "round {round}: the daemon ended; {}", rig.last_words());
        let frozen = mounted.disk.freeze();
        daemon.send_kill();
        mounted.disk.off();
        daemon.kill_9();
        let left = dice.pick(&[Left::Nothing, Left::Any, Left::Any, Left::Everything]);
        image = frozen.found(left, &mut dice);
        mounted.unmount();
        *seen.entry(moment.name()).or_default() += 1;
        lost += frozen.unflushed();
    }
    let mounted = Mounted::mount(image, &rig.path("state"), "errors=remount-ro");
    boots.reboot(rounds);
    let mut ledger = finish_all(&rig, &footage, &mut outside);
    assert!(vault.stop(), "the store did not end well");
    ledger.catch_up();
    ending::every_segment_once(&rig, &footage, &ledger);
    ending::nothing_left_over(&rig, &ledger);
    ending::receipts_hold(&rig, &ledger);
    ending::strangers_agree(&rig, &ledger);
    let erased = outside.erased();
    eprintln!(
        "{rounds} power cuts, {lost} unflushed writes at risk, {} files, {} lines; {:?}; {seen:?}; {:?}",
        footage.originals.len(),
        ledger.lines,
        ledger.kinds,
        began.elapsed()
    );
    assert!(erased > 0 && lost > 0, "{erased} erased, {lost} writes lost");
    mounted.unmount();
}

pub fn configure(rig: &Rig, footage: &Footage) {
    rig.configure(&footage.folders(), |config| {
        config.store.part_bytes = 5 * MIB;
        config.transfer.parts_in_flight = 3;
        config.transfer.bytes_per_second_max = 12 * MIB;
        config.transfer.retry_seconds_base = 1;
        config.transfer.retry_seconds_max = 1;
        config.spool.bytes_max = 64 * MIB;
    });
}

/// A daemon that nobody disturbs brings everything to its end.
pub fn finish_all(rig: &Rig, footage: &Footage, outside: &mut Outside) -> Ledger {
    let mut daemon = rig.start_daemon();
    rig.await_ready(&mut daemon);
    rig.await_done(Duration::from_secs(180));
    let said = finish("reconcile", &rig.run(&["reconcile"]));
    assert!(daemon.stop(), "the daemon did not end well: {said}; {}", rig.last_words());
    let mut ledger = Ledger::new(rig.journal());
    outside.check(rig, footage, &mut ledger);
    ledger
}
