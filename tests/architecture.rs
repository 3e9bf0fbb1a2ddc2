//! Keeps the direction of dependencies: shell -> doors -> rules -> words.
//!
//! Reads the sources as text, finds every path (`a::b::c`, `use a::{b, c::d}`) in code that is not
//! a test, and complains with file and line. What it looks for, and what it overlooks on purpose,
//! stands in [`LAYERS`], [`IMPURE`] and `architecture/source.rs`.

#[path = "architecture/source.rs"]
mod source;

use source::{Path, Source};
use std::{collections::BTreeMap, fs};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Words,
    Rules,
    Doors,
    Shell,
}
use Layer::{Doors, Rules, Shell, Words};

/// Every room there is. A new one has to be put here and into ARCHITECTURE.md.
const LAYERS: &[(Layer, &[&str])] = &[
    (Words, &["types", "config"]),
    (
        Rules,
        &[
            "dock", "evidence", "ptp", "seal", "transfer", "release", "custody", "trust", "power",
            "charging", "volume",
        ],
    ),
    (Doors, &["camera", "journal", "spool", "store", "clock", "usb", "machine"]),
    (Shell, &["daemon", "api", "cli", "demo", "vault", "metrics"]),
];

/// The one thing a door may have from another: a finished spool file is what the store sends.
const BETWEEN_DOORS: &[(&str, &[&str])] = &[("store", &["crate", "spool", "SpoolFile"])];

/// What rules and words must not touch, and what to do instead.
const IMPURE: &[(&[&str], &str)] = &[
    (&["std", "fs"], "files belong to a door"),
    (&["std", "net"], "sockets belong to a door"),
    (&["std", "os", "unix", "net"], "sockets belong to a door"),
    (&["std", "thread"], "threads belong to the shell"),
    (&["std", "process"], "processes belong to the shell"),
    (&["std", "env"], "the environment belongs to the shell"),
    (&["std", "io", "stdin"], "the terminal belongs to the shell"),
    (&["std", "io", "stdout"], "the terminal belongs to the shell"),
    (&["std", "io", "stderr"], "the terminal belongs to the shell"),
    (&["std", "time", "SystemTime"], "take the time as a value"),
    (&["std", "time", "Instant"], "take the time as a value"),
    (&["std", "time", "*"], "name what is meant; clocks are not allowed"),
    (&["tokio"], "waiting belongs to doors and the shell"),
    (&["tracing"], "rules return facts; the shell writes logs"),
    (&["reqwest"], "the network belongs to the store"),
    (&["rustix"], "system calls belong to doors"),
    (&["sled"], "the index belongs to the journal"),
    (&["rusb"], "the bus belongs to the usb door"),
];

/// Calls that read a clock, by the last two names of their path.
const CLOCKS: &[[&str; 2]] = &[
    ["Timestamp", "now"],
    ["Zoned", "now"],
    ["SystemTime", "now"],
    ["Instant", "now"],
    ["Uuid", "now_v7"],
    ["Uuid", "now_v1"],
];

/// The one file of the words that does I/O; it is thin, and nothing else in `config` does.
const MAY_READ_FILES: &[&str] = &["src/config/load.rs"];

fn layer_of(room: &str) -> Option<Layer> {
    LAYERS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(layer, _)| *layer)
}

/// The complaint about one path in one room, if there is one.
fn judge(file: &str, room: &str, path: &Path) -> Option<String> {
    let layer = layer_of(room)?;
    let used: Vec<&str> = path.segments.iter().map(String::as_str).collect();
    let at = format!("{file}:{}: {room} ({layer:?}) uses `{}`", path.line, used.join("::"));
    if let Some(other) = used.get(1).filter(|_| used[0] == "crate")
        && let Some(target) = layer_of(other)
        && *other != room
    {
        let excepted =
            BETWEEN_DOORS.iter().any(|(who, what)| *who == room && used.starts_with(what));
        if layer == Doors && target == Doors && !excepted {
            return Some(format!("{at}: doors never know each other; let the daemon connect them"));
        }
        if target > layer {
            return Some(format!(
                "{at} ({target:?}): the direction is shell -> doors -> rules -> words"
            ));
        }
    }
    if layer > Rules || MAY_READ_FILES.contains(&file) {
        return None;
    }
    let impure = IMPURE.iter().find(|(prefix, _)| used.starts_with(prefix));
    if let Some((_, words)) = impure {
        return Some(format!("{at}: {words}"));
    }
    let clock = CLOCKS.iter().any(|names| used.ends_with(names));
    clock.then(|| format!("{at}: take the time as a value"))
}

/// All sources below `src`, by their path from the root of the repository.
fn sources() -> BTreeMap<String, Source> {
    let mut found = BTreeMap::new();
    let mut folders = vec!["src".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("tests run in the root of the package") {
            let path = format!("{folder}/{}", entry.unwrap().file_name().into_string().unwrap());
            if fs::metadata(&path).unwrap().is_dir() {
                folders.push(path);
            } else if path.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path, Source::new(&text));
            }
        }
    }
    found
}

/// `src/seal/pass.rs` -> `seal`; none for `src/main.rs` and `src/lib.rs`.
fn room_of(file: &str) -> Option<&str> {
    let room = file.strip_prefix("src/")?.split('/').next()?.trim_end_matches(".rs");
    (room != "main" && room != "lib").then_some(room)
}

/// Files that are only compiled for tests: `tests.rs`, and what a `#[cfg(test)] mod x;` names.
fn is_test_file(file: &str, sources: &BTreeMap<String, Source>) -> bool {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let module = name.trim_end_matches(".rs");
    let parents = [format!("{folder}/mod.rs"), format!("{folder}.rs")];
    file.contains("/tests/")
        || module == "tests"
        || parents.iter().any(|p| sources.get(p).is_some_and(|s| s.test_modules.contains(module)))
}

fn report(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn dependencies_point_one_way_and_rules_are_pure() {
    let sources = sources();
    let mut complaints = Vec::new();
    for (file, source) in sources.iter().filter(|(file, _)| !is_test_file(file, &sources)) {
        if let Some(room) = room_of(file) {
            let depth = file.matches('/').count() - usize::from(file.ends_with("/mod.rs"));
            let paths = source.paths(depth);
            complaints.extend(paths.iter().filter_map(|path| judge(file, room, path)));
        }
    }
    report(complaints);
}

#[test]
fn nothing_is_left_to_be_done() {
    let mut complaints = Vec::new();
    for (file, source) in sources() {
        for (line, word) in source.unfinished() {
            complaints.push(format!("{file}:{line}: `{word}` is not something to ship"));
        }
    }
    report(complaints);
}

#[test]
fn every_room_has_a_layer_and_a_place_on_the_map() {
    let map = fs::read_to_string("ARCHITECTURE.md").expect("ARCHITECTURE.md is in the root");
    let sources = sources();
    let mut complaints = Vec::new();
    for room in sources.keys().filter_map(|file| room_of(file)) {
        if layer_of(room).is_none() {
            complaints.push(format!("src/{room}: in no layer; put it into tests/architecture.rs"));
        }
        if !map.contains(&format!("`{room}`")) {
            complaints.push(format!("ARCHITECTURE.md: the map lacks the room `{room}`"));
        }
    }
    for room in LAYERS.iter().flat_map(|(_, rooms)| *rooms) {
        if !sources.keys().any(|file| room_of(file) == Some(room)) {
            complaints.push(format!("tests/architecture.rs: there is no room `{room}` any more"));
        }
    }
    complaints.sort();
    complaints.dedup();
    report(complaints);
}

/// The complaints about one made-up file.
fn complaints(file: &str, text: &str) -> Vec<String> {
    let room = room_of(file).unwrap();
    let depth = file.matches('/').count() - usize::from(file.ends_with("/mod.rs"));
    Source::new(text).paths(depth).iter().filter_map(|path| judge(file, room, path)).collect()
}

#[test]
fn a_wrong_direction_is_found_however_it_is_written() {
    for (file, text, expected) in [
        (
            "src/seal/mod.rs",
            "\nuse crate::spool::SpoolFile;",
            "src/seal/mod.rs:2: seal (Rules) uses",
        ),
        ("src/seal/mod.rs", "use crate::{\n types::A,\n store::{B},\n};", "mod.rs:3: "),
        ("src/seal/mod.rs", "fn f() { crate::daemon::run() }", "(Shell)"),
        ("src/seal/mod.rs", "use super::store;", "`crate::store`"),
        ("src/seal/a.rs", "use super::super::store::S3;", "`crate::store::S3`"),
        ("src/types/id.rs", "use crate::dock::View;", "(Rules)"),
        ("src/spool/mod.rs", "use crate::journal::Journal;", "doors never know each other"),
        ("src/store/s3.rs", "use crate::spool::Spool;", "doors never know each other"),
        ("src/camera/sim.rs", "use crate::api::Server;", "(Shell)"),
        ("src/dock/mod.rs", "use std::{collections::BTreeMap, fs};", "files belong to a door"),
        ("src/dock/mod.rs", "let x = std :: fs :: read(p);", "files belong to a door"),
        ("src/dock/mod.rs", "use std::time::{Duration, Instant};", "take the time as a value"),
        ("src/dock/mod.rs", "let now = jiff::Timestamp::now();", "take the time as a value"),
        ("src/dock/mod.rs", "let now = Timestamp::now();", "take the time as a value"),
        ("src/dock/mod.rs", "tracing::info!(\"x\");", "the shell writes logs"),
        ("src/config/model.rs", "use std::fs::File;", "files belong to a door"),
        ("src/dock/mod.rs", "#[cfg(not(test))]\nuse std::fs;", "mod.rs:2: "),
        ("src/dock/mod.rs", "#[cfg(test)]\nmod t { const B: char = '{'; }\nuse std::fs;", ":3: "),
    ] {
        let found = complaints(file, text);
        assert!(found.len() == 1 && found[0].contains(expected), "{text}: {found:?}");
    }
}

#[test]
fn what_is_allowed_or_only_talked_about_is_let_through() {
    for (file, text) in [
        ("src/store/s3.rs", "use crate::{spool::SpoolFile, transfer::Plan, types::ObjectId};"),
        ("src/camera/mod.rs", "use crate::release::ErasePermit;"),
        ("src/daemon/mod.rs", "use crate::{spool::Spool, store::Store}; use std::fs;"),
        (
            "src/seal/mod.rs",
            "//! See [`crate::spool`] and std::fs.\n/* crate::store */ use std::io;",
        ),
        (
            "src/seal/mod.rs",
            "const A: &str = \"crate::store std::fs\"; const B: &str = r#\"std::fs\"#;",
        ),
        ("src/seal/mod.rs", "fn a<'a>(x: &'a str) {}\n#[cfg(test)]\nmod tests {\n use std::fs; }"),
        ("src/seal/mod.rs", "#[cfg(test)]\nuse std::fs::File;\nuse std::time::Duration;"),
        ("src/seal/a.rs", "use super::store;"),
        ("src/config/load.rs", "use std::fs::File;"),
        ("src/evidence/mod.rs", "use crate::evidence::store::X; use self::spool::Y;"),
    ] {
        assert_eq!(complaints(file, text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn unfinished_work_is_found() {
    let text =
        "// TODO: later\nfn f() { todo!() }\n// FIXME\nfn g() { unimplemented!() }\nlet todos = 1;";
    let found: Vec<usize> = Source::new(text).unfinished().iter().map(|(line, _)| *line).collect();
    assert_eq!(found, [1, 2, 3, 4]);
}
