//! The checks from outside can fail: each meets what it is there for.

use crate::{footage::Footage, ledger::Ledger, outside::Outside, rig::Rig};
use std::fs;

fn trial() -> (Rig, Footage) {
    let rig = Rig::new();
    let footage = Footage::make(&rig, 1, 0, 7);
    (rig, footage)
}

fn check(rig: &Rig, footage: &Footage) {
    Outside::default().check(rig, footage, &mut Ledger::new(rig.journal()));
}

#[test]
fn nothing_done_yet_is_fine() {
    let (rig, footage) = trial();
    check(&rig, &footage);
}

#[test]
#[should_panic(expected = "is gone and was never seen")]
fn a_file_that_vanished_without_a_word_is_found() {
    let (rig, footage) = trial();
    fs::remove_file(footage.folders()[0].join("R000001/S001.mp4")).unwrap();
    check(&rig, &footage);
}

#[test]
#[should_panic(expected = "the log knows nothing of test-dock/stray.age")]
fn an_object_that_no_fact_explains_is_found() {
    let (rig, footage) = trial();
    fs::create_dir_all(rig.objects().join("test-dock")).unwrap();
    fs::write(rig.objects().join("test-dock/stray.age"), "sealed by nobody").unwrap();
    check(&rig, &footage);
}

/// The end of a real run: what a daemon did that was never killed, then altered by hand.
#[test]
#[should_panic(expected = "opens to other bytes")]
fn an_object_that_is_not_what_was_recorded_is_found() {
    let mut rig = Rig::new();
    let mut vault = rig.start_vault();
    let footage = Footage::make(&rig, 1, 0, 7);
    rig.configure(&footage.folders(), |_| {});
    let mut daemon = rig.start_daemon();
    rig.await_ready(&mut daemon);
    rig.await_done(std::time::Duration::from_secs(60));
    assert!(daemon.stop() && vault.stop());
    let mut ledger = Ledger::new(rig.journal());
    Outside::default().check(&rig, &footage, &mut ledger);
    // Another segment's object under this one's key.
    let mut objects = ledger.of_segments().map(|trail| rig.objects().join(&trail.object.key));
    let (one, other) = (objects.next().unwrap(), objects.next().unwrap());
    fs::copy(other, one).unwrap();
    check(&rig, &footage);
}
