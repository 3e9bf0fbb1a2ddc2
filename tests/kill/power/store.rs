//! The power of the *store* fails, moments after it acknowledged everything: SeaweedFS answers
//! before it flushes. What it then lacks only the camera has, if it was told to wait.

use super::{Left, Mounted, ext4, inside};
use crate::{
    both::Store,
    dice::Dice,
    footage::Footage,
    ledger::Ledger,
    outside::Outside,
    rig::{Rig, finish},
};
use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

const MIB: u64 = 1 << 20;
const TEST: &str =
    "power::store::what_a_store_forgets_in_a_power_cut_is_still_on_a_camera_told_to_wait";

#[test]
fn what_a_store_forgets_in_a_power_cut_is_still_on_a_camera_told_to_wait() {
    if !inside(TEST) {
        return;
    }
    let rig = Rig::new();
    fs::create_dir(rig.path("weed")).unwrap();
    let mounted = Mounted::mount(ext4(&rig.path("."), 512), &rig.path("weed"), "");
    let mut store = Store::new("weed", &rig);
    // A store that stands since long; what is told below came after this.
    let synced = Command::new("sync").arg("-f").arg(rig.path("weed")).output().unwrap();
    finish("sync", &synced);
    let footage = Footage::make(&rig, 1, MIB, 5);
    rig.configure_for(&store.endpoint(), &footage.folders(), |config| {
        config.release.age_hours_min = 1;
        config.spool.bytes_max = 64 * MIB;
    });
    let mut daemon = rig.start_daemon();
    rig.await_ready(&mut daemon);
    // Nothing is erased within the hour, so the bay never turns green: wait for the last receipt.
    let end = Instant::now() + Duration::from_secs(120);
    let mut ledger = Ledger::new(rig.journal());
    while ledger.segments.is_empty()
        || !ledger.objects.values().all(|trail| trail.placed)
        || ledger.of_segments().count() < footage.originals.len()
    {
        assert!(Instant::now() < end, "not done; {}", rig.last_words());
        std::thread::sleep(Duration::from_millis(20));
        ledger.catch_up();
    }
    mounted.disk.await_failure(Duration::ZERO);
    let frozen = mounted.disk.freeze();
    store.send_kill();
    mounted.disk.off();
    store.await_end();
    assert!(daemon.stop(), "{}", rig.last_words());
    mounted.unmount();
    let image = frozen.found(Left::Nothing, &mut Dice::new(1));
    let mounted = Mounted::mount(image, &rig.path("weed"), "");
    store.start();
    let held = match store.listed() {
        Ok(keys) => keys,
        Err(words) => {
            eprintln!("the store gives no listing any more: {words}");
            Vec::new()
        }
    };
    let there = |key: &str| held.iter().any(|held| held == key);
    let lost = ledger.objects.values().filter(|trail| !there(&trail.object.key)).count();
    eprintln!(
        "of {} objects that the store had acknowledged, {lost} are gone",
        ledger.objects.len()
    );
    for place in footage.originals.keys() {
        assert!(footage.holds(place), "{place:?} was erased within the hour");
    }
    Outside::default().check(&rig, &footage, &mut Ledger::new(rig.journal()));
    let journal = rig.journal();
    finish("verify", &rig.run(&["custody", "verify", journal.to_str().unwrap()]));
    drop(store);
    mounted.unmount();
}
