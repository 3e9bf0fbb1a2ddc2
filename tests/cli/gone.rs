//! Folders that are emptied, or filled with another camera's files, under the dock's hands.

use crate::dock::Dock;
use std::{fs, path::Path};

fn clips(folder: &Path, camera: &str, bytes: usize) {
    let clips = folder.join(format!("PC4711_{camera}_20260301T200000Z"));
    fs::create_dir_all(&clips).unwrap();
    for n in 1..=3_u8 {
        fs::write(clips.join(format!("clip_00{n}.mp4")), vec![n; bytes]).unwrap();
    }
}

fn empty(folder: &Path, into: &Path) {
    fs::create_dir_all(into).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), into.join(entry.file_name())).unwrap();
    }
}

fn balance(dock: &Dock, camera: &str) -> serde_json::Value {
    let all = dock.run(&["reconcile", "--json"]).json();
    let of = |row: &&serde_json::Value| row["camera"] == camera;
    all.as_array().unwrap().iter().find(of).cloned().unwrap_or_default()
}

#[test]
fn a_file_that_is_being_read_when_its_folder_is_emptied_is_kept_and_only_the_others_are_lost() {
    let dock = Dock::start();
    let card = dock.path("aside/card");
    clips(&card, "BWC-0042", 48 << 20);
    dock.insert(&card, "1");
    dock.wait("a file is being read", || {
        dock.run(&["bays", "--json"]).json()[0]["copying"].is_string()
    });
    let clips = dock.path("bays/1/PC4711_BWC-0042_20260301T200000Z");
    fs::remove_dir_all(&clips).unwrap();
    dock.wait("what was read is safe, and the rest is told", || {
        let now = balance(&dock, "BWC-0042");
        now["outstanding"] == 0 && now["lost_sight_of"].as_u64() > Some(0)
    });
    let now = balance(&dock, "BWC-0042");
    let (stored, lost) = (now["gone_stored"].as_u64(), now["lost_sight_of"].as_u64());
    assert!(stored >= Some(1) && stored.zip(lost).is_some_and(|(s, l)| s + l == 3), "{now:#}");
    let said = dock.run(&["reconcile"]).ended(1).to_owned();
    assert!(said.contains("gone from the camera by another hand, safe in the store: "), "{said}");
    assert!(said.contains("never copied, and gone from the camera"), "{said}");
    let segments = dock.run(&["segments", "--vanished"]).ended(0).to_owned();
    assert!(segments.contains("gone, stored") && segments.contains("lost"), "{segments}");
    assert_eq!(dock.light(1), "red");
}

#[test]
fn a_camera_put_into_the_folder_of_another_between_two_looks_is_seen_as_itself() {
    let dock = Dock::start();
    dock.run(&["pause", "--reason", "a test"]).ended(0);
    dock.insert(&dock.camera("BWC-0001"), "1");
    dock.wait("the first is listed", || balance(&dock, "BWC-0001")["not_copied"] == 7);
    // The same folder all the time.
    empty(&dock.path("bays/1"), &dock.path("aside/taken"));
    empty(&dock.camera("BWC-0002"), &dock.path("bays/1"));
    dock.run(&["resume"]).ended(0);
    dock.wait("the second is safe", || {
        let now = balance(&dock, "BWC-0002");
        now["seen"] == 7 && now["clean"] == true && now["docked"] == true
    });
    let first = balance(&dock, "BWC-0001");
    assert_eq!((&first["seen"], &first["not_copied"]), (&7.into(), &7.into()), "{first:#}");
    assert_eq!((&first["docked"], &first["lost_sight_of"]), (&false.into(), &0.into()));
    assert_eq!(dock.run(&["segments", "--unsound", "--json"]).rows(), serde_json::json!([]));
    dock.insert(&dock.path("aside/taken"), "2");
    dock.wait("the first is safe too", || dock.light(2) == "green");
    dock.run(&["reconcile"]).ended(0);
}
