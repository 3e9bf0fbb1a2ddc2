//! The shipped file, the structure and the defaults are one and the same.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// `#key = value` and `#[[section]]` lines of the manual, with their comment sign taken away.
fn uncommented(text: &str) -> String {
    let is_key = |line: &str| match line.strip_prefix('#') {
        Some(rest) => rest.starts_with("[[") || rest.starts_with(|c: char| c.is_ascii_lowercase()),
        None => false,
    };
    text.lines().map(|l| if is_key(l) { &l[1..] } else { l }).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_manual_as_shipped_lacks_exactly_what_it_calls_required() {
    let errors = Config::parse(DEFAULT_TOML).unwrap_err().0;
    let missing: BTreeSet<&str> = errors.iter().map(|error| error.key.as_str()).collect();
    let required = [
        "dock.id",
        "seal.recipients",
        "store.access_key_file",
        "store.bucket",
        "store.endpoint",
        "store.secret_key_file",
    ];
    assert_eq!(missing, BTreeSet::from(required));
    assert!(errors.iter().all(|error| error.words == "is missing"), "{errors:?}");
    // Each is marked in the comment above it.
    let lines: Vec<&str> = DEFAULT_TOML.lines().collect();
    for key in required.map(|full| full.split_once('.').unwrap().1) {
        let at = lines.iter().position(|l| l.starts_with(&format!("#{key} = "))).unwrap();
        let comment = lines[..at].iter().rev().take_while(|line| line.starts_with('#'));
        assert!(comment.clone().any(|line| line.starts_with("# REQUIRED")), "{key}");
    }
}

#[test]
fn the_manual_is_equal_to_the_defaults() {
    let mut filled = DEFAULT_TOML.replace("#id = \"station-7-dock-2\"", "id = \"dock-1\"");
    for (section, lines) in [
        ("seal", format!("recipients = [\"{KEY}\"]")),
        (
            "store",
            "endpoint = \"https://s3.example.org\"\nbucket = \"evidence\"\naccess_key_file = \
             \"credential:a\"\nsecret_key_file = \"/etc/bwvdock/s\""
                .to_owned(),
        ),
    ] {
        let head = format!("\n[{section}]\n");
        assert!(filled.contains(&head));
        filled = filled.replace(&head, &format!("{head}{lines}\n"));
    }
    let store = StoreRequired {
        endpoint: "https://s3.example.org".parse().unwrap(),
        bucket: "evidence".into(),
        access_key_file: "credential:a".parse().unwrap(),
        secret_key_file: "/etc/bwvdock/s".parse().unwrap(),
    };
    let new = Config::new("dock-1".parse().unwrap(), vec![KEY.into()], Store::new(store));
    assert_eq!(Config::parse(&filled).unwrap(), new, "the manual's values are the defaults");
    assert_eq!(defaults(), new, "what is not written is the default");
}

#[test]
fn the_manual_holds_every_key_there_is_and_no_other() {
    let text =
        uncommented(DEFAULT_TOML).replace("[\"age1...\", \"age1...\"]", &format!("[\"{KEY}\"]"));
    Config::parse(&text).expect("every example in the manual is valid");

    let report = Report::new(&text);
    with_document(&report, &text, whole).unwrap();
    let document: toml::Table = text.parse().unwrap();
    let mut written = BTreeSet::new();
    collect_keys("", &document, &mut written);
    assert_eq!(written, report.known());
}

fn collect_keys(prefix: &str, table: &toml::Table, keys: &mut BTreeSet<String>) {
    for (key, value) in table {
        let full = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => collect_keys(&full, inner, keys),
            toml::Value::Array(rows) => {
                let tables = rows.iter().filter_map(toml::Value::as_table);
                tables.for_each(|inner| collect_keys(&full, inner, keys));
            }
            _ => {}
        }
        keys.insert(full);
    }
}

#[test]
fn what_is_shown_parses_to_the_same() {
    let text =
        uncommented(DEFAULT_TOML).replace("[\"age1...\", \"age1...\"]", &format!("[\"{KEY}\"]"));
    for config in [defaults(), Config::parse(&text).unwrap()] {
        assert_eq!(Config::parse(&config.to_toml()), Ok(config));
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = Config::parse(&text);
    }

    #[test]
    fn no_value_anywhere_makes_the_parser_panic(
        line in 0..64usize,
        value in "(-?[0-9]{1,30}|\"[ -~]{0,20}\"|\\[[0-9\", ]{0,9}\\]|\\{a=1\\}|1e9|07:00:00|true)",
    ) {
        let text = uncommented(DEFAULT_TOML);
        let keys: Vec<&str> = text.lines().filter(|l| l.contains(" = ")).collect();
        let old = keys[line % keys.len()];
        let name = old.split(" = ").next().unwrap_or_default();
        let _ = Config::parse(&text.replacen(old, &format!("{name} = {value}"), 1));
        let _ = Config::parse(&text.replacen(old, "", 1));
    }
}
