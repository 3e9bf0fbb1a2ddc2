//! What needs a person, from the card to the screens: red, named, acknowledged, green.

use crate::{dock::Dock, mask::capture};
use std::{fs, os::unix::fs::symlink, path::Path};

/// Folders within folders, more than are looked into: even the superuser cannot list them all.
fn too_deep(camera: &Path) {
    let deep = (0..40).fold(camera.join("DCIM"), |at, _| at.join("d"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("x.mp4"), b"x").unwrap();
}

#[test]
fn a_camera_that_could_not_be_read_whole_is_red_until_somebody_knows_of_it() {
    let dock = Dock::start();
    let camera = dock.camera("BWC-0001");
    too_deep(&camera);
    symlink("R000001/S001.mp4", camera.join("link.mp4")).unwrap();
    dock.insert(&camera, "1");
    dock.wait("bay 1 is red, and looked at for good", || {
        let bay = &dock.run(&["bays", "--json"]).json()[0];
        bay["light"] == "red" && bay["files"] == 1
    });
    capture("bays-unread.txt", dock.run(&["bays"]).ended(0));
    capture("reconcile-unread.txt", dock.run(&["reconcile"]).ended(1));
    let doctor = dock.run(&["doctor"]).out;
    assert!(doctor.contains("!!  bay 1: ") && !doctor.contains("ok  bay 1"), "{doctor}");
    let none = dock.run(&["acknowledge", "--camera", "BWC-0001", "--reason", "x", "--only", "y"]);
    none.complained(4, "nothing of camera BWC-0001 waits to be acknowledged");
    let known = dock.run(&[
        "acknowledge",
        "--camera",
        "BWC-0001",
        "--reason",
        "a test pattern of the maker, no footage",
    ]);
    capture("acknowledge.txt", known.ended(0));
    dock.wait("bay 1 is green", || dock.light(1) == "green");
    capture("reconcile-explained.txt", dock.run(&["reconcile"]).ended(0));
    let log = dock.run(&["custody", "show", "--limit", "2000"]).out;
    for words in [
        "\"noted\":[\"link.mp4: a link; links are not followed\"]",
        "the folder lies too deep",
        "\"clock_reading\":\"none\"",
        "acknowledged  {",
        "a test pattern of the maker",
    ] {
        assert!(log.contains(words), "{words} is not in the log:\n{log}");
    }
    // Green is no promise about what comes to lie on the card afterwards: that is looked for.
    fs::write(dock.path("bays/1/late.bin"), b"late").unwrap();
    dock.wait("what came late is found", || dock.run(&["segments"]).out.contains("late.bin"));
}

#[test]
fn a_card_with_nothing_on_it_is_calm_and_a_changed_signature_is_loud() {
    let dock = Dock::start();
    let empty = dock.path("aside/emptied");
    fs::create_dir_all(empty.join("PC4711_BWC-0009_20260301T200000Z")).unwrap();
    dock.insert(&empty, "1");
    let camera = dock.camera("BWC-0002");
    let signature = camera.join("R000001/manifest.json.sig");
    let mut bytes = fs::read(&signature).unwrap();
    bytes[3] ^= 1;
    fs::write(&signature, bytes).unwrap();
    dock.insert(&camera, "2");
    dock.wait("the bays are looked at for good", || {
        let bays = dock.run(&["bays", "--json"]).json();
        let empty = bays[0]["words"].as_str().unwrap_or_default().starts_with("empty card");
        empty && bays[1]["light"] == "red" && bays[1]["files"] == 4
    });
    dock.wait("everything is stored", || {
        dock.run(&["queue", "--json"]).rows() == serde_json::Value::Array(Vec::new())
    });
    capture("bays-signature.txt", dock.run(&["bays"]).ended(0));
    capture("reconcile-signature.txt", dock.run(&["reconcile"]).ended(1));
    capture("segments-signature.txt", dock.run(&["segments", "--unsound"]).ended(0));
    let status = dock.run(&["status"]).out;
    assert!(status.contains("with a signature that does not fit"), "{status}");
    assert!(status.contains("! the signature does not fit"), "{status}");
    // As soon as there is something on the card, it is no empty card any more.
    let stray = dock.path("bays/1/stray.bin");
    fs::write(stray, b"whose is it?").unwrap();
    dock.wait("bay 1 is red", || dock.light(1) == "red");
}
