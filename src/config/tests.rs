mod files;
mod manual;
mod push;
mod sections;

use super::*;
use crate::types::ReceiptLevel;
use std::path::Path;

const KEY: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

/// The least there can be.
fn minimal() -> String {
    format!(
        "[dock]\nid = \"dock-1\"\n[seal]\nrecipients = [\"{KEY}\"]\n[store]\n\
         endpoint = \"https://s3.example.org\"\nbucket = \"evidence\"\n\
         access_key_file = \"credential:a\"\nsecret_key_file = \"/etc/bwvdock/s\"\n"
    )
}

/// The problems of the minimal configuration with more lines, as text.
fn problems(more: &str) -> String {
    Config::parse(&format!("{}{more}\n", minimal())).expect_err(more).to_string()
}

fn defaults() -> Config {
    Config::parse(&minimal()).unwrap()
}

#[test]
fn every_section_refuses_an_unknown_key() {
    for section in
        ["dock", "api", "cameras", "seal", "spool", "journal", "store", "transfer", "release"]
            .into_iter()
            .chain(["usb", "retention", "log", "metrics", "charging"])
            .chain(["[bays]", "[transfer.windows]", "[charging.shifts]"])
    {
        let head = format!("[{section}]\n");
        let more = if minimal().contains(&head) { head.clone() } else { String::new() };
        let text = match more.is_empty() {
            true => format!("{}{head}zzzzzz = 1\n", minimal()),
            false => minimal().replace(&head, &format!("{head}zzzzzz = 1\n")),
        };
        let words = Config::parse(&text).expect_err(section).to_string();
        assert!(words.contains("zzzzzz is no key that bwvdock knows"), "{section}: {words}");
    }
    assert!(problems("[zzzzzz]\n").contains("zzzzzz is no key"));
}

#[test]
fn a_key_cannot_forge_a_line_of_the_report() {
    let words = problems("[log]\n\"a\\nline 1: dock.id\\u001b[2J\" = 1");
    assert!(words.contains(r"log.a\nline 1: dock.id\u{1b}[2J is no key"), "{words}");
}

#[test]
fn a_misspelt_key_gets_a_suggestion() {
    for (text, hint) in [
        ("[release]\nerase_unverifed = false", "did you mean `erase_unverified`?"),
        ("[relase]\nenabled = false", "did you mean `release`?"),
        ("[transfer]\nEvidential_Head_Start = 1", "did you mean `evidential_head_start_hours`?"),
        ("[transfer]\nbucket = \"x\"", "it belongs in [store]"),
        ("[log]\nqqq = 1", "`bwvdock config show --default` lists every key"),
    ] {
        let words = problems(text);
        assert!(words.contains(hint), "{words}");
    }
}

#[test]
fn all_problems_come_at_once_each_with_its_line() {
    let text = "[dock]\nid = \"a b\"\n\n[cameras]\ncopies_max = 99\npoll_interval_ms = \"fast\"\n\
                [log]\nlevel = \"loud\"\ncolour = true\n";
    let errors = Config::parse(text).unwrap_err().0;
    let found: Vec<_> = errors.iter().map(|e| (e.line, e.key.as_str())).collect();
    let with_lines = [
        (Some(2), "dock.id"),
        (Some(5), "cameras.copies_max"),
        (Some(6), "cameras.poll_interval_ms"),
        (Some(8), "log.level"),
        (Some(9), "log.colour"),
    ];
    assert_eq!(found[..5], with_lines);
    assert_eq!(found.len(), 5 + 5, "and the five that are missing: {errors:?}");
    assert!(errors.iter().all(|e| !e.words.is_empty() && !e.remedy.is_empty()));
}

#[test]
fn broken_toml_is_named_with_its_line() {
    let words = problems("[log]\nlevel = \"info");
    assert!(words.contains("line 11: "), "{words}");
    assert!(Config::parse("a = 1\na = 2\n").unwrap_err().to_string().contains("line 2"));
}

#[test]
fn wrong_values_are_refused_in_words() {
    for (text, expected) in [
        ("[cameras]\ncopies_max = 0", "copies_max is 0, which is too small; write a whole number"),
        ("[cameras]\ncopies_max = -1", "is -1, which is too small"),
        ("[spool]\nbytes_max = 99999999999999999999999", "which is too large"),
        ("[spool]\nbytes_max = 1.5e9", "is a number with a fraction"),
        ("[spool]\nbytes_max = \"1 GiB\"", "is a text; write a whole number from"),
        ("[journal]\nkeep_days = 7", "keep_days is 7, which is too small"),
        ("[release]\nenabled = \"true\"", "is a text; write true or false, without quotes"),
        (
            "[release]\nreceipt_level_min = \"size_only\"",
            "is \"size_only\"; write \"md5_per_part\"",
        ),
        ("[api]\nsocket = \"api.sock\"", "is no absolute path"),
        ("[api]\nread_group = \"a:b\"", "write the name of a group"),
        ("[log]\nlevel = [\"info\"]", "is a list; write a text"),
        ("log = 1", "store.log is no key"),
        (
            "[transfer]\nretry_seconds_base = 60\nretry_seconds_max = 5",
            "less than retry_seconds_base",
        ),
        ("[transfer]\nbytes_per_second_max = 100", "too slow to ever send a part"),
        ("[[api]]\n", "api is a list; write a section, [api]"),
        ("[bays]\nname = \"1\"", "is a section; write double brackets, [[bays]]"),
    ] {
        let words = problems(text);
        assert!(words.contains(expected), "{text}: {words}");
    }
    let long = format!("[api]\nsocket = \"/{}\"", "x".repeat(107));
    assert!(problems(&long).contains("longer than the 107 bytes"));
}

#[test]
fn the_key_file_follows_the_state_dir() {
    let text = minimal().replace("[seal]", "state_dir = \"/srv/dock\"\n[seal]");
    let dock = Config::parse(&text).unwrap().dock;
    assert_eq!(dock.key_file.path(None).unwrap(), Path::new("/srv/dock/dock.key"));
}

#[test]
fn warnings_name_what_somebody_may_regret() {
    let mut config = defaults();
    config.bays =
        Config::parse(&format!("{}[[bays]]\nname=\"1\"\nfolder=\"/m\"", minimal())).unwrap().bays;
    config.seal.recipients.push("another".into());
    assert_eq!(config.warnings(), [""; 0]);
    config.seal.recipients.pop();
    config.bays.clear();
    config.journal.keep_days = 90;
    config.release.receipt_level_min = ReceiptLevel::Md5PerPart;
    let words = config.warnings();
    for key in ["bays", "seal.recipients", "journal.keep_days", "release.receipt_level_min"] {
        assert!(words.iter().any(|line| line.starts_with(key)), "{key}: {words:?}");
    }
    assert_eq!(words.len(), 4);
}
