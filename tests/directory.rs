//! A site without S3: the real daemon stores into a folder, is killed in the middle, finds the
//! folder unmounted, and everything arrives once.

#![cfg(feature = "vault")]

mod rig;

use bwvdock::{
    api::Request,
    camera::{Media, SimCamera, SimCameraOptions, SimRecording, SimSegment},
    config::Store,
    custody::receipt::Receipt,
    dock::report::{Page, RecordingRow, StatusReport},
    types::{CameraId, Class, ReceiptLevel, Sha256Digest},
};
use jiff::{SignedDuration, Timestamp};
use rig::{Rig, finish};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(240);

fn camera(rig: &Rig) -> PathBuf {
    let id = CameraId::new("BWC-0001").unwrap();
    let options = SimCameraOptions { camera: id.clone(), model: "Simulated BWC".into(), seed: 1 };
    let mut camera = SimCamera::make(&rig.path("cameras").join(id.as_str()), options).unwrap();
    fs::write(rig.path("camera-keys/BWC-0001.pub"), camera.public_key().to_pem()).unwrap();
    let started = Timestamp::now() - SignedDuration::from_hours(3);
    let segment = |bytes| SimSegment { media: Media::Noise { bytes }, seconds: 60 };
    let recording = SimRecording {
        officer: Some("PC4711".into()),
        started,
        evidential: false,
        flags: Vec::new(),
        bookmarks: Vec::new(),
        segments: vec![segment(12 << 20), segment(300 << 10)],
        gnss: false,
        cut_off: false,
    };
    camera.record(&recording).unwrap();
    camera.root().to_owned()
}

fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "age") {
                found.push(path);
            }
        }
    }
    found
}

/// Waits for something the daemon says, with a limit.
fn until(rig: &Rig, what: &str, mut is_so: impl FnMut(&StatusReport) -> bool) {
    let end = Instant::now() + LIMIT;
    loop {
        let status: StatusReport = rig.ask(&Request::Status);
        if is_so(&status) {
            return;
        }
        assert!(Instant::now() < end, "not {what}: {status:#?}; {}", rig.last_words());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_shift_goes_into_a_folder_through_a_kill_and_a_mount_that_is_gone() {
    let rig = Rig::new();
    let folder = rig.path("nas");
    fs::create_dir(&folder).unwrap();
    let camera = camera(&rig);
    let store = Store::in_directory(folder.clone()).unwrap();
    rig.configure_store(store, std::slice::from_ref(&camera), |config| {
        config.store.part_bytes = 5 << 20;
        config.retention.lock = true;
        // Slow enough to be killed in the middle.
        config.transfer.bytes_per_second_max = 4 << 20;
        (config.transfer.retry_seconds_base, config.transfer.retry_seconds_max) = (1, 2);
    });
    let config = rig.path("bwvdock.toml");
    let config = config.to_str().unwrap();

    // Not mounted: words, and nothing is written there.
    let mut daemon = rig.start_daemon();
    rig.await_ready(&mut daemon);
    until(&rig, "told that it is not mounted", |status| {
        status.problems.iter().any(|words| words.contains("not mounted"))
    });
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    let probe = rig.run(&["store", "probe", "--config", config]);
    assert_eq!(probe.status.code(), Some(5), "{}", String::from_utf8_lossy(&probe.stdout));
    assert!(String::from_utf8_lossy(&probe.stderr).contains("not mounted"));

    let setup = rig.run(&["store", "setup", "--config", config]);
    assert!(finish("setup", &setup).contains("is a store now"));
    until(&rig, "in the middle of an object", |status| status.parts_acknowledged > 0);
    assert!(daemon.kill_9());
    let mut daemon = rig.start_daemon();
    rig.await_ready(&mut daemon);
    rig.await_done(LIMIT);

    // Everything is there once, as its receipt says, and nothing is on the camera any more.
    let found = objects(&folder);
    let status: StatusReport = rig.ask(&Request::Status);
    assert_eq!(found.len() as u64, status.stored.count);
    for object in &found {
        let bytes = fs::read(object).unwrap();
        let receipt = object.with_extension("age.receipt");
        let receipt = Receipt::verify(&fs::read(receipt).unwrap(), None).unwrap();
        assert_eq!(receipt.sealed.sha256, Sha256Digest::of(&bytes));
        assert_eq!((receipt.level, receipt.lock.mode), (ReceiptLevel::ReadBack, None));
    }
    assert_eq!(fs::read_dir(folder.join(".bwvdock-uploads")).unwrap().count(), 0);
    let left = objects_named(&camera, "mp4");
    assert_eq!(left, 0, "files left on the camera");

    // Evidence marked later is noted beside the object.
    let page: Page<RecordingRow> = rig.ask(&Request::Recordings {
        filter: bwvdock::dock::report::Filter { limit: 10, ..Default::default() },
    });
    let recording = page.rows.iter().find(|row| row.files > 1).unwrap().id;
    let words: String =
        rig.ask(&Request::Reclass { recording, class: Class::Evidential, reason: "case 7".into() });
    assert!(words.contains("evidential now"));
    until(&rig, "marked", |status| status.marks_due == 0 && status.undescribed == 0);
    let marks = objects(&folder)
        .iter()
        .filter(|object| {
            let text = fs::read_to_string(object.with_extension("age.marks")).unwrap();
            text.contains("\"class\": \"evidential\"") && text.contains("\"legal_hold\": true")
        })
        .count();
    assert!(marks >= 3, "{marks} objects are marked");
    assert!(daemon.stop(), "{}", rig.last_words());
}

/// The store is emptied behind the dock's back, after every receipt was given: the camera is the only
/// place that still has the footage.
#[test]
fn a_store_emptied_after_its_receipts_gets_no_camera_erased_until_it_has_everything_again() {
    let rig = Rig::new();
    let folder = rig.path("nas");
    fs::create_dir(&folder).unwrap();
    let camera = camera(&rig);
    let store = Store::in_directory(folder.clone()).unwrap();
    rig.configure_store(store, std::slice::from_ref(&camera), |_| ());
    let config = rig.path("bwvdock.toml");
    finish("setup", &rig.run(&["store", "setup", "--config", config.to_str().unwrap()]));
    let mut daemon = rig.start_daemon();
    rig.await_ready(&mut daemon);
    finish("hold", &rig.run(&["hold", "--all", "--reason", "case 7"]));
    until(&rig, "stored", |status| status.receipts >= 3 && status.unfinished == 0);
    let before = objects_named(&camera, "mp4");
    assert_eq!(before, 2, "nothing is erased under a hold");

    let aside = rig.path("aside");
    fs::create_dir(&aside).unwrap();
    for (number, object) in objects(&folder).iter().enumerate() {
        fs::rename(object, aside.join(number.to_string())).unwrap();
    }
    finish("unhold", &rig.run(&["unhold", "--all", "--reason", "closed"]));
    until(&rig, "red", |status| {
        status.bays.iter().any(|bay| bay.words.contains("no longer has what it acknowledged"))
    });
    assert_eq!(objects_named(&camera, "mp4"), before, "what only the camera has is erased");
    let doctor = rig.run(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(said.contains("that it acknowledged last"), "{said}");
    assert_eq!(doctor.status.code(), Some(1));

    if rig::all() {
        // Missed twice, a minute apart, it is read and sent again, and only then erased.
        until(&rig, "erased", |_| objects_named(&camera, "mp4") == 0);
        assert!(objects(&folder).len() >= 3);
        let reconciled = rig.run(&["reconcile"]);
        let said = String::from_utf8_lossy(&reconciled.stdout);
        assert!(said.contains("lost it after its receipt"), "{said}");
        assert_eq!(reconciled.status.code(), Some(1));

        // Emptied again, with nothing left to erase: the look at a start finds that.
        objects(&folder).iter().for_each(|object| fs::remove_file(object).unwrap());
        assert!(daemon.stop(), "{}", rig.last_words());
        daemon = rig.start_daemon();
        rig.await_ready(&mut daemon);
        until(&rig, "told of what is beyond the camera", |_| {
            let reconciled = rig.run(&["reconcile"]);
            String::from_utf8_lossy(&reconciled.stdout).contains("store's backups")
        });
    }
    assert!(daemon.stop(), "{}", rig.last_words());
}

fn objects_named(folder: &Path, extension: &str) -> usize {
    let mut folders = vec![folder.to_owned()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                count += 1;
            }
        }
    }
    count
}
