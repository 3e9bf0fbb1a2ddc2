//! A custody log whose end was cut off, on a real dock: killed, cut, started again.

use crate::dock::Dock;
use std::{fs, path::PathBuf};

fn logs(dock: &Dock) -> Vec<PathBuf> {
    let entries = fs::read_dir(dock.path("state/journal")).unwrap();
    let mut logs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("custody-"));
    logs.sort();
    logs
}

/// Cuts the newest file at the end of a line, and gives what it was.
fn cut(dock: &Dock, keep_of_4: usize) -> (PathBuf, String) {
    let path = logs(dock).pop().unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    let kept = &lines[..lines.len() * keep_of_4 / 4];
    fs::write(&path, kept.join("\n") + "\n").unwrap();
    (path, whole)
}

fn settled(dock: &Dock, receipts: u64) -> bool {
    let status = dock.run(&["status", "--json"]).json();
    status["receipts"].as_u64().unwrap() >= receipts && status["unfinished"] == 0
}

fn status(dock: &Dock) -> serde_json::Value {
    dock.run(&["status", "--json"]).json()
}

#[test]
fn a_cut_off_end_stops_releasing_until_it_is_back_or_accepted_and_nothing_is_stored_twice() {
    let mut dock = Dock::start();
    dock.run(&["hold", "--all", "--reason", "inspection"]).ended(0);
    dock.insert(&dock.camera("BWC-0001"), "1");
    dock.wait("everything is stored", || settled(&dock, 9) && dock.light(1) == "green");
    let stored = status(&dock)["stored"]["count"].clone();
    dock.stop_daemon();
    let (path, whole) = cut(&dock, 3);
    dock.start_daemon();
    let said = dock.run(&["doctor"]).ended(1).to_owned();
    assert!(said.contains("!!  custody log: damaged") && said.contains("the index"), "{said}");
    let problems = status(&dock)["problems"].to_string();
    assert!(problems.contains("the custody log is damaged"), "{problems}");
    dock.run(&["custody", "show", "--limit", "400"]).ended(0);
    let line = fs::read_to_string(logs(&dock).pop().unwrap()).unwrap();
    assert!(line.contains("\"type\":\"log_damaged\""), "{line}");
    dock.run(&["custody", "verify", &dock.text_path("state/journal")]).ended(1);
    // Copying and storing go on; nothing is released, though nothing is held any more.
    dock.run(&["unhold", "--all", "--reason", "over"]).ended(0);
    dock.insert(&dock.camera("BWC-0002"), "2");
    dock.wait("the second camera is safe", || settled(&dock, 18) && dock.light(2) != "amber");
    assert!(dock.path("bays/1/R000001/S001.mp4").exists());
    assert!(dock.path("bays/2/R000001/S001.mp4").exists());
    dock.wait("both bays call a person", || dock.light(1) == "red" && dock.light(2) == "red");
    let why = dock.run(&["why", "--bay", "2"]).ended(0).to_owned();
    assert!(why.contains("everything is safe; may be taken; but its files stay"), "{why}");
    assert!(why.contains("`bwvdock custody accept "), "{why}");
    let facts = fs::read_to_string(logs(&dock).pop().unwrap()).unwrap();
    assert!(!facts.contains("\"type\":\"releasing\""), "{facts}");
    let now = status(&dock)["stored"]["count"].as_u64().unwrap();
    assert!(now <= 2 * stored.as_u64().unwrap() + 1, "stored twice: {now} after {stored}");

    // The lines are put back: the damage is over.
    dock.stop_daemon();
    let added = fs::read_to_string(logs(&dock).pop().unwrap()).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let cut_off = fs::read_to_string(&path).unwrap();
    // A kill may have come before the index saw the last line: that one nobody could prove.
    let entry: serde_json::Value = serde_json::from_str(added.lines().next().unwrap()).unwrap();
    let proved = entry["seq"].as_u64().unwrap() as usize - 1;
    let back: String = whole.lines().take(proved).map(|line| format!("{line}\n")).collect();
    fs::write(&path, back).unwrap();
    dock.run_offline_verify(0);
    // And taken again: a person says that they are lost.
    fs::write(&path, &cut_off).unwrap();
    assert!(added.contains("\"type\":\"log_damaged\""));
    dock.start_daemon();
    let first = cut_off.lines().count() + 1;
    let wrong = (first + 1).to_string();
    dock.run(&["custody", "accept", &wrong, "--reason", "x"]).complained(4, "begins at line");
    let right = first.to_string();
    let accepted = dock.run(&["custody", "accept", &right, "--reason", "disk replaced"]);
    assert!(accepted.ended(0).contains("it stays in the log; releasing goes on"), "{accepted:?}");
    let doctor = dock.run(&["doctor"]);
    let told = format!("!   custody log: damaged at lines {first} to ");
    assert!(doctor.out.contains(&told) && doctor.out.contains("disk replaced"), "{doctor:?}");
    dock.wait("the cameras are cleared", || {
        !dock.path("bays/1/R000001/S001.mp4").exists()
            && !dock.path("bays/2/R000001/S001.mp4").exists()
    });
    let verify = dock.run(&["custody", "verify", &dock.text_path("state/journal")]);
    assert!(verify.ended(1).contains("was accepted by"), "{verify:?}");
}

#[test]
fn receipts_prove_what_is_missing_when_the_index_is_gone_too() {
    let mut dock = Dock::start();
    dock.run(&["hold", "--all", "--reason", "inspection"]).ended(0);
    dock.insert(&dock.camera("BWC-0001"), "1");
    dock.wait("everything is stored", || settled(&dock, 9) && dock.light(1) == "green");
    dock.stop_daemon();
    cut(&dock, 1);
    fs::remove_dir_all(dock.path("state/index")).unwrap();
    dock.start_daemon();
    let said = dock.run(&["doctor"]).ended(1).to_owned();
    assert!(said.contains("the receipt of object"), "{said}");
    dock.stop_daemon();
    dock.start_daemon();
    assert!(status(&dock)["problems"].to_string().contains("the custody log is damaged"));
}
