//! Names that steer a terminal or turn text around reach no screen and no log; JSON has them whole.

use crate::dock::Dock;
use std::{fs, os::unix::fs::symlink};

#[test]
fn a_name_that_turns_text_around_is_written_out_everywhere_but_in_json() {
    let dock = Dock::start();
    let camera = dock.camera("BWC-0001");
    // Reads as "clip-exe.mp4" where the character is obeyed.
    let name = "clip-\u{202e}4pm.exe";
    fs::write(camera.join(name), b"not what it seems").unwrap();
    symlink("R000001/S001.mp4", camera.join("link\u{2066}.mp4")).unwrap();
    dock.insert(&camera, "1");
    dock.wait("bay 1 is green", || dock.light(1) == "green");
    let segments = dock.run(&["segments", "--json"]).rows();
    let odd =
        segments.as_array().unwrap().iter().find(|row| row["path"] == name).expect("JSON is exact");
    let id = odd["id"].as_str().unwrap();
    let reason = "one\nbwvdock: two\u{9b}2J";
    dock.run(&["hold", "--segment", id, "--reason", reason]).ended(0);
    let mut seen = String::new();
    for arguments in [
        &["status"][..],
        &["bays"],
        &["recordings"],
        &["segments"],
        &["why", id],
        &["reconcile"],
        &["release", "--dry-run"],
        &["custody", "show", "--all"],
        &["doctor"],
        &["why", "0000\u{202e}"],
    ] {
        let said = dock.run(arguments);
        for text in [&said.out, &said.err] {
            let hidden = |c: char| c != '\n' && bwvdock::types::is_hidden(c);
            assert!(!text.contains(hidden), "{arguments:?}: {text:?}");
            assert!(!text.lines().any(|line| line.starts_with("bwvdock: two")), "{text}");
        }
        seen.push_str(&said.out);
    }
    assert!(seen.contains("clip-\\u{202e}4pm.exe"), "{seen}");
    assert!(seen.contains("link\\u{2066}.mp4"), "{seen}");
    assert!(seen.contains("one\\nbwvdock: two\\u{9b}2J"), "{seen}");
    let log = fs::read_to_string(dock.path("daemon.log")).unwrap();
    assert!(!log.contains(['\u{202e}', '\u{2066}', '\u{9b}']), "{log}");
}
