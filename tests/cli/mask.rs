//! Captures: what differs from run to run is masked, the rest must be as committed.

use regex::Regex;
use std::{fs, path::PathBuf, sync::LazyLock};

/// What is masked, and with what: of the same width wherever columns must stay in line.
static MASKS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "iiiiiiii-iiii-iiii-iiii-iiiiiiiiiiii"),
        (r"\b[0-9a-f]{64}\b", "<sha256>"),
        (r"\b[0-9a-f]{16}\b", "<head>"),
        (r"\b[0-9a-f]{12}\b", "iiiiiiiiiiii"),
        (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z", "yyyy-mm-dd HH:MM:SSZ"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\dZ", "yyyy-mm-dd HH:MMZ"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:port"),
        (r"/tmp/bwv-cli-\w+", "DIR"),
        (r"age1[0-9a-z]{58}", "age1..."),
        // age puts something random into its header.
        (r"\(\d+ bytes\)", "(N bytes)"),
        (r"test-dock/\d{4}/\d\d/\d\d/", "test-dock/yyyy/mm/dd/"),
        (r"disk: [0-9a-f]{8}\b", "disk: hhhhhhhh"),
        (r"\bline \d+", "line N"),
        (r"attempt \d+", "attempt N"),
        (r"\d+(\.\d+)? ([KM]i)?B/s", "RATE/s"),
        // Descriptions hold times, whose digits come and go.
        (r"(description +BWC-\d+ +)\d[\d.]+ KiB", "${1}N.NN KiB"),
        (r"(objects, )[\d.]+ KiB", "${1}N KiB"),
        (r"(Spool +)[\d.]+ [KM]?i?B", "${1}N KiB"),
        (r"spool: \d+ of", "spool: N of"),
    ]
    .map(|(pattern, mask)| (Regex::new(pattern).unwrap(), mask))
    .into()
});

pub fn masked(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, mask) in MASKS.iter() {
        text = pattern.replace_all(&text, *mask).into_owned();
    }
    text
}

/// Compares with the committed capture, or writes it when BWVDOCK_BLESS is set.
pub fn capture(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cli").join(name);
    let text = masked(text);
    if std::env::var_os("BWVDOCK_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
        return;
    }
    let known = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(known == text, "{name} differs.\n--- committed\n{known}\n--- now\n{text}");
}
