//! One dock from its first hour on, and every screen on the way.

use crate::{
    dock::{Dock, Said, run},
    mask::capture,
};
use serde_json::Value;
use std::{fs, io::BufRead as _, process::Stdio};

/// Checks the screen against its capture, and that `--json` says something of the same length.
fn screen(dock: &Dock, name: &str, arguments: &[&str], exit: i32) -> Value {
    let words = dock.run(arguments);
    capture(name, words.ended(exit));
    assert_eq!(words.err, "", "{name}");
    let wide = words.out.lines().filter(|line| line.chars().count() > 120);
    // The last column may run on; only sentences with ids in them may be longer still.
    wide.for_each(|line| {
        assert!(line.starts_with("! ") || line.contains("->") || line.contains("  - "), "{line}")
    });
    let json = dock.run(&[&["--json"], arguments].concat());
    json.ended(exit);
    json.json()
}

fn ids(rows: &Value, field: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap().iter();
    rows.filter_map(|row| row[field].as_str()).map(str::to_owned).collect()
}

fn end(id: &str) -> &str {
    &id[id.len() - 12..]
}

fn fine(said: Said) -> Said {
    assert_eq!(said.exit, 0, "{said:?}");
    said
}

#[test]
fn every_screen_of_a_day() {
    let mut dock = Dock::start();
    an_empty_dock(&dock);
    a_camera_that_is_all_right(&dock);
    a_store_that_is_away(&mut dock);
    a_camera_with_a_bad_file(&dock);
    people_interfere(&dock);
    receipts(&dock);
    custody(&mut dock);
}

fn an_empty_dock(dock: &Dock) {
    screen(dock, "status-empty.txt", &["status"], 0);
    screen(dock, "bays-empty.txt", &["bays"], 0);
    for (name, verb) in [
        ("recordings-empty.txt", "recordings"),
        ("segments-empty.txt", "segments"),
        ("queue-empty.txt", "queue"),
    ] {
        let page = screen(dock, name, &[verb], 0);
        assert_eq!((&page["rows"], &page["total"]), (&Value::Array(Vec::new()), &0.into()));
    }
    assert_eq!(screen(dock, "reconcile-empty.txt", &["reconcile"], 0), Value::Array(Vec::new()));
    let run = screen(dock, "release-dry-run-empty.txt", &["release", "--dry-run"], 0);
    assert_eq!(run["rows"], Value::Array(Vec::new()));
}

fn a_camera_that_is_all_right(dock: &Dock) {
    dock.insert(&dock.camera("BWC-0001"), "1");
    dock.wait("bay 1 is green", || dock.light(1) == "green");
    let status = screen(dock, "status.txt", &["status"], 0);
    assert_eq!(status["problems"], Value::Array(Vec::new()));
    screen(dock, "bays.txt", &["bays"], 0);
    let recordings = screen(dock, "recordings.txt", &["recordings"], 0)["rows"].take();
    assert_eq!(recordings.as_array().unwrap().len(), 2);
    let segments = screen(dock, "segments.txt", &["segments"], 0)["rows"].take();
    let balance = screen(dock, "reconcile.txt", &["reconcile"], 0);
    assert_eq!((&balance[0]["clean"], &balance[0]["outstanding"]), (&true.into(), &0.into()));
    let first = &ids(&segments, "id")[0];
    screen(dock, "why-released.txt", &["why", end(first)], 0);
    screen(dock, "why-recording.txt", &["why", &ids(&recordings, "id")[1]], 0);
    let object = &ids(&segments, "object")[0];
    screen(dock, "why-object.txt", &["why", end(object)], 0);
    // Lists can be narrowed.
    let narrowed = |arguments: &[&str]| dock.run(arguments).rows().as_array().unwrap().len();
    assert_eq!(
        narrowed(&["segments", "--json", "--stage", "released"]),
        segments.as_array().unwrap().len()
    );
    assert_eq!(narrowed(&["segments", "--json", "--stage", "seen"]), 0);
    assert_eq!(
        narrowed(&["segments", "--json", "--camera", "BWC-0001"]),
        segments.as_array().unwrap().len()
    );
    // No rows of a camera that is not known are no account of it.
    for list in ["recordings", "segments"] {
        let nobody = dock.run(&[list, "--camera", "BWC-0002"]);
        nobody.complained(4, "camera BWC-0002 was never docked here");
    }
    what_is_left_out_is_said(dock, segments.as_array().unwrap());
    let incident = ids(&recordings, "id").remove(1);
    let of_one = narrowed(&["segments", "--json", "--recording", end(&incident)]);
    assert!(of_one > 0 && of_one < segments.as_array().unwrap().len());
}

/// A list that is cut says so, on screen and in JSON, and can be gone through whole.
fn what_is_left_out_is_said(dock: &Dock, all: &[Value]) {
    let total = all.len();
    capture("segments-cut.txt", dock.run(&["segments", "--limit", "2"]).ended(0));
    let page = dock.run(&["segments", "--json", "--limit", "2"]).json();
    assert_eq!((&page["shown"], &page["total"]), (&2.into(), &total.into()));
    assert_eq!(page["more"], total - 2);
    let last =
        dock.run(&["segments", "--json", "--limit", "2", "--offset", &(total - 1).to_string()]);
    assert_eq!(last.rows(), Value::Array(vec![all[total - 1].clone()]));
    assert_eq!(dock.run(&["segments", "--json", "--all"]).rows(), Value::Array(all.to_vec()));
    let none = dock.run(&["segments", "--offset", "1000"]);
    assert_eq!(
        none.ended(0),
        format!("none of {total} shown; --limit N, --offset N or --all shows more.\n")
    );
    let one = dock.run(&["recordings", "--limit", "1"]);
    assert!(one.ended(0).contains("\n1 of 2 shown; "), "{one:?}");
    let log = dock.run(&["custody", "show", "--limit", "3", "--json"]).json();
    assert_eq!((&log["shown"], &log["more"]), (&3.into(), &0.into()), "the last lines");
    assert_eq!(log["rows"][2]["seq"], log["total"]);
    let log = dock.run(&["custody", "show", "--from", "2", "--limit", "1"]);
    assert!(log.ended(0).contains("\nnumber 2 of "), "{log:?}");
    let whole = dock.run(&["custody", "show", "--all", "--json"]).rows();
    assert_eq!(whole[0]["seq"], 1);
}

/// Sealed, and waiting: what somebody sees who asks why.
fn a_store_that_is_away(dock: &mut Dock) {
    dock.stop_vault();
    let camera = dock.camera("BWC-0002");
    dock.insert(&camera, "2");
    let waits = || {
        let status = dock.run(&["status", "--json"]).json();
        let rows = dock.run(&["queue", "--json"]).rows();
        status["to_copy"]["unreviewed"]["count"] == 0
            && status["to_copy"]["evidential"]["count"] == 0
            && status["undescribed"] == 0
            && status["problems"].to_string().contains("cannot be used")
            && rows != Value::Array(Vec::new())
    };
    dock.wait("everything is copied and nothing can be sent", waits);
    let status = dock.run(&["status"]);
    assert!(status.ended(0).contains("! the store cannot be used now"), "{status:?}");
    screen(dock, "bays-waiting.txt", &["bays"], 0);
    let rows = dock.run(&["queue", "--json"]).rows();
    let classes = ids(&rows, "class");
    let mut sorted = classes.clone();
    sorted.sort_by_key(|class| class != "evidential");
    assert_eq!(classes, sorted, "evidential footage goes first");
    let words = fine(dock.run(&["queue"])).out;
    assert_eq!(words.lines().count(), classes.len() + 1);
    let first = fine(dock.run(&["queue", "--limit", "1"])).out;
    assert!(first.contains(&format!("\n1 of {} shown; ", classes.len())), "{first}");
    assert_eq!(first.lines().count(), 4);
    let why = dock.run(&["why", &ids(&rows, "id")[0]]);
    assert!(why.ended(0).contains("the store"), "{why:?}");
    let balance = dock.run(&["reconcile"]);
    assert!(balance.ended(1).contains("differs"), "{balance:?}");
    let doctor = screen_of_doctor(dock);
    assert!(doctor.contains("!!  store"), "{doctor}");
    dock.start_vault();
    fine(dock.run(&["retry"]));
    dock.wait("bay 2 is green", || dock.light(2) == "green");
}

fn screen_of_doctor(dock: &Dock) -> String {
    let words = dock.run(&["doctor"]);
    // The clock of a test machine may or may not be synchronised.
    let json = dock.run(&["doctor", "--json"]).json();
    let well = json.as_array().unwrap().iter().all(|finding| finding["fine"] == true);
    assert_eq!(words.exit, i32::from(!well), "{words:?}");
    words.out
}

fn a_camera_with_a_bad_file(dock: &Dock) {
    let camera = dock.camera("BWC-0003");
    let bad = camera.join("R000002/S002.mp4");
    let mut bytes = fs::read(&bad).unwrap();
    bytes[1000] ^= 1;
    fs::write(&bad, &bytes).unwrap();
    dock.insert(&camera, "3");
    dock.wait("bay 3 is red", || dock.light(3) == "red");
    dock.wait("all of it is stored, and the camera was looked at once more", || {
        let bay = &dock.run(&["bays", "--json"]).json()[2];
        dock.run(&["queue", "--json"]).rows() == Value::Array(vec![]) && bay["files"] == 4
    });
    let status = screen(dock, "status-quarantine.txt", &["status"], 0);
    assert_eq!(status["mismatched"], 1);
    screen(dock, "bays-quarantine.txt", &["bays"], 0);
    let unsound =
        screen(dock, "segments-unsound.txt", &["segments", "--unsound"], 0)["rows"].take();
    let id = &ids(&unsound, "id")[0];
    screen(dock, "why-mismatched.txt", &["why", end(id)], 0);
    screen(dock, "recordings-unsound.txt", &["recordings", "--unsound"], 0);
    screen(dock, "reconcile-quarantine.txt", &["reconcile"], 1);
    screen(dock, "reconcile-one.txt", &["reconcile", "--camera", "BWC-0001"], 0);
    let rule = screen(dock, "release-dry-run.txt", &["release", "--dry-run"], 0);
    assert!(rule["rows"].as_array().unwrap().iter().any(|row| row["release"] == false));
    assert_eq!(fs::read(dock.path("bays/3/R000002/S002.mp4")).unwrap(), bytes);
    let doctor = screen_of_doctor(dock);
    assert!(doctor.contains("ok  store") && doctor.contains("!!  bay 3"), "{doctor}");
    let bay = screen(dock, "why-bay.txt", &["why", "--bay", "3"], 0);
    for name in [&["why", "3"][..], &["why", "BWC-0003"], &["why", "--camera", "BWC-0003"]] {
        let named = dock.run(&[name, &["--json"]].concat()).json();
        assert_eq!(named["subject"], bay["subject"], "{name:?}");
    }
    dock.run(&["why", "nobody"]).complained(4, "no bay and no camera \"nobody\"");
    dock.run(&["why", "--bay", "9"]).complained(4, "this dock has no bay 9");
    let config = dock.path("dock.toml");
    let probe = ["store", "probe", "--config", config.to_str().unwrap()];
    let json = screen(dock, "store-probe.txt", &probe, 0);
    assert_eq!(json["receipt_level"], "sha256_per_part", "{json:#}");
    assert_eq!((&json["good"], &json["checks"]["signature"]), (&true.into(), &true.into()));
    run(&["store", "probe", "--config", "/nowhere.toml"]).complained(2, "/nowhere.toml");
}

fn people_interfere(dock: &Dock) {
    let segments = dock.run(&["segments", "--unsound", "--json"]).rows();
    let segment = ids(&segments, "id").remove(0);
    let recording = ids(&segments, "recording").remove(0);
    let mut said = String::new();
    for arguments in [
        &["pause", "--reason", "moving the dock"][..],
        &["resume"],
        &["pause", "--camera", "BWC-0003", "--reason", "broken plug"],
        &["resume", "--camera", "BWC-0003", "--reason", "it is back"],
        &["hold", "--recording", end(&recording), "--reason", "complaint 17"],
        &["unhold", "--recording", &recording, "--reason", "settled"],
        &["hold", "--segment", end(&segment), "--reason", "looks odd"],
        &["unhold", "--segment", end(&segment), "--reason", "looked at"],
        &["flag", end(&recording), "--reason", "asked for by CID"],
        &["flag", end(&recording), "--class", "unreviewed", "--reason", "a mistake"],
        &["acknowledge", "--camera", "BWC-0003", "--reason", "the card is at the laboratory"],
        &["retry", "--camera", "BWC-0003", "--reason", "new cable"],
        &["release"],
    ] {
        let words = fine(dock.run(arguments)).out;
        let line: Vec<_> = arguments
            .iter()
            .map(|a| if a.contains(' ') { format!("'{a}'") } else { (*a).into() })
            .collect();
        said.push_str(&format!("$ bwvdock {}\n{words}", line.join(" ")));
    }
    capture("commands.txt", &said);
    let act = dock.run(&["pause", "--json"]).json();
    let expected = serde_json::json!({
        "act": "pause", "target": "dock", "reason": "no reason given", "words": act["words"]
    });
    assert_eq!(act, expected);
    assert!(act["words"].as_str().is_some_and(|words| words.contains("paused")), "{act}");
    let status = fine(dock.run(&["status"])).out;
    assert!(status.contains("! the dock is paused (no reason given)"), "{status}");
    fine(dock.run(&["resume"]));
    // A watch goes on until its reader has enough.
    let mut watch = crate::dock::bwvdock();
    watch.arg("--socket").arg(dock.path("api.sock")).args(["watch", "--json", "--every", "0.05"]);
    let mut watch = crate::dock::Process(watch.stdout(Stdio::piped()).spawn().unwrap());
    let lines = std::io::BufReader::new(watch.0.stdout.take().unwrap()).lines();
    for line in lines.take(3) {
        let status: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(status["dock"], "test-dock");
    }
    assert_eq!(watch.0.wait().unwrap().code(), Some(0), "a closed pipe is a good end");
}

fn receipts(dock: &Dock) {
    let segments = dock.run(&["segments", "--json"]).rows();
    let objects = ids(&segments, "object");
    let text = fine(dock.run(&["receipt", "show", end(&objects[0])])).out;
    assert_eq!(text.lines().count(), 2, "{text}");
    let (good, key) = (dock.text_path("good.receipt"), dock.text_path("state/dock.pub.pem"));
    fs::write(&good, &text).unwrap();
    let value: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let object = dock.path("store/evidence/objects").join(value["key"].as_str().unwrap());
    let object = object.to_str().unwrap();
    capture("receipt-verify.txt", run(&["receipt", "verify", &good]).ended(0));
    let all = run(&["receipt", "verify", &good, "--key", &key, "--object", object]);
    capture("receipt-verify-all.txt", all.ended(0));
    let json = run(&["--json", "receipt", "verify", &good, "--key", &key]).json();
    assert_eq!((&json["holds"], &json["key_trusted"]), (&true.into(), &true.into()));

    let bad = dock.text_path("bad.receipt");
    fs::write(&bad, text.replacen("test-dock", "best-dock", 1)).unwrap();
    run(&["receipt", "verify", &bad]).complained(1, "signature does not fit");
    fs::write(&bad, "not a receipt").unwrap();
    run(&["receipt", "verify", &bad]).complained(1, "not two lines");
    let other = dock.text_path("other.key");
    fine(run(&["keys", "generate", "dock", "--out", &other]));
    let other = dock.text_path("other.pub.pem");
    run(&["receipt", "verify", &good, "--key", &other]).complained(1, "another key");
    run(&["receipt", "verify", &good, "--key", &good]).complained(1, "key cannot be used");
    run(&["receipt", "verify", &good, "--object", &key]).complained(1, "not the object");
    run(&["receipt", "verify", "/nowhere"]).complained(2, "/nowhere cannot be read");
    run(&["receipt", "verify", &good, "--object", "/nowhere"]).complained(2, "/nowhere");
}

fn custody(dock: &mut Dock) {
    let lines = fine(dock.run(&["custody", "show", "--from", "1", "--limit", "3"])).out;
    assert!(lines.starts_with("     1  ") && lines.contains("dock started"), "{lines}");
    assert!(lines.contains("camera docked") && lines.lines().count() == 5, "{lines}");
    let last = dock.run(&["custody", "show", "--limit", "2", "--json"]).rows();
    assert_eq!(last.as_array().unwrap().len(), 2);
    let none = dock.run(&["custody", "show", "--from", "999999"]);
    assert!(none.ended(0).starts_with("The log has no such line; its last is"), "{none:?}");
    let by_people = fine(dock.run(&["custody", "show", "--limit", "2000"])).out;
    assert!(by_people.contains("complaint 17"), "{by_people}");

    dock.stop_daemon();
    let journal = dock.text_path("state/journal");
    let receipt = fs::read_dir(dock.path("state/receipts")).unwrap();
    let receipts: Vec<_> =
        receipt.map(|entry| entry.unwrap().path().to_str().unwrap().to_owned()).collect();
    let mut arguments = vec!["custody", "verify", &journal, "--receipt"];
    arguments.extend(receipts.iter().map(String::as_str));
    let whole = run(&arguments);
    assert!(whole.ended(0).starts_with("whole: "), "{whole:?}");
    arguments.insert(0, "--json");
    assert_eq!(run(&arguments).json()["whole"], true);

    let copy = dock.text_path("copy");
    let file = fs::read_dir(&journal).unwrap().map(|e| e.unwrap().path());
    let file = file.into_iter().find(|p| p.extension().is_some_and(|e| e == "jsonl")).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::create_dir(&copy).unwrap();
    let copied = format!("{copy}/{}", file.file_name().unwrap().to_str().unwrap());
    fs::write(&copied, text.replacen("BWC-0001", "BWC-0009", 1)).unwrap();
    let edited = run(&["custody", "verify", &copy]);
    assert!(edited.ended(1).contains(":2: "), "the edited line is named: {edited:?}");
    let shown = run(&["custody", "show", "--dir", &copy]);
    assert_eq!((shown.exit, shown.out.lines().count()), (1, 2), "up to the bad line: {shown:?}");
    let shown = run(&["--json", "custody", "show", "--dir", &copy]).failed_in_json(1, ":3: ");
    assert_eq!(shown["lines"]["rows"][0]["seq"], 1, "{shown:#}");
    let cut: Vec<_> = text.lines().take(4).collect();
    fs::write(&copied, cut.join("\n") + "\n").unwrap();
    assert!(
        run(&["custody", "verify", &copy]).ended(0).starts_with("whole"),
        "alone it seems whole"
    );
    let against = run(&["custody", "verify", &copy, "--receipt", &receipts[0]]);
    assert!(against.ended(1).contains("its end was cut off"), "{against:?}");
    let bad = dock.text_path("bad.receipt");
    run(&["custody", "verify", &journal, "--receipt", &bad]).complained(2, "no receipt");
    run(&["custody", "verify", "/nowhere"]).complained(2, "/nowhere");
    run(&["custody", "verify", &dock.text_path("tls")]).complained(2, "custody-*.jsonl");
    run(&["custody", "show", "--dir", "/nowhere"]).complained(2, "/nowhere");
}
