use super::*;
use crate::types::{Class, ReceiptLevel};
use proptest::prelude::*;
use std::{collections::BTreeSet, path::Path};

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

#[test]
fn every_section_refuses_an_unknown_key() {
    for section in
        ["dock", "api", "cameras", "seal", "spool", "journal", "store", "transfer", "release"]
            .into_iter()
            .chain(["retention", "log", "[bays]", "[transfer.windows]"])
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
fn bays_that_would_take_the_same_footage_twice_are_refused() {
    let two = |second: &str| {
        problems(&format!(
            "[[bays]]\nname = \"1\"\nfolder = \"/m/a\"\ncamera_id = \"C\"\n[[bays]]\n{second}"
        ))
    };
    for (second, expected) in [
        ("name = \"1\"\nfolder = \"/m/b\"", "line 15: bays.name is \"1\" twice"),
        ("name = \"2\"\nfolder = \"/m/a\"", "line 16: bays.folder lies in, or holds, the folder"),
        ("name = \"2\"\nfolder = \"/m/a/DCIM\"", "lies in, or holds, the folder of bay 1"),
        ("name = \"2\"\nfolder = \"/m\"", "lies in, or holds, the folder of bay 1"),
        ("name = \"2\"\nfolder = \"/m/b\"\ncamera_id = \"C\"", "is also in bay 1"),
        ("name = \"2\"\nfolder = \"/var/lib\"", "lies in, or holds, the dock's state_dir"),
        ("name = \"2\"", "bays.folder is missing"),
        ("folder = \"/m/b\"", "bays.name is missing"),
        ("name = \"../2\"\nfolder = \"/m/b\"", "bays.name"),
    ] {
        let words = two(second);
        assert!(words.contains(expected), "{second}: {words}");
    }
    let row = |n: usize| format!("[[bays]]\nname = \"{n}\"\nfolder = \"/m/{n}\"\n");
    let rows: String = (0..65).map(row).collect();
    assert!(problems(&rows).contains("bays is there 65 times; at most 64"));
    let beside = format!("{}{}{}", minimal(), row(1), row(10));
    assert_eq!(Config::parse(&beside).unwrap().bays.len(), 2, "/m/10 does not lie in /m/1");
}

#[test]
fn a_private_key_in_the_configuration_is_refused_and_not_repeated() {
    let secret = "AGE-SECRET-KEY-1QQPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGP";
    let text = minimal().replace(KEY, secret);
    let words = Config::parse(&text).unwrap_err().to_string();
    assert!(words.contains("PRIVATE key, which must never lie on a dock"), "{words}");
    assert!(!words.contains("QQPQ"), "{words}");
    for (from, to, expected) in [
        (format!("[\"{KEY}\"]"), "[]".into(), "seal.recipients is missing"),
        (format!("[\"{KEY}\"]"), format!("[\"{KEY}\", \"{KEY}\"]"), "names a key twice"),
        (format!("[\"{KEY}\"]"), "[1]".into(), "is a whole number"),
        (KEY.into(), "age1nonsense".into(), "is no age public key"),
    ] {
        let words = Config::parse(&minimal().replace(&from, &to)).unwrap_err().to_string();
        assert!(words.contains(expected), "{words}");
    }
}

#[test]
fn the_store_is_checked_as_far_as_words_go() {
    for (from, to, expected) in [
        ("https://s3.example.org", "http://s3.example.org", "is plain http"),
        ("https://s3.example.org", "http://127.0.0.1.example.org", "is plain http"),
        ("https://s3.example.org", "https://u:hunter2@s3.example.org", "carries a user name"),
        ("https://s3.example.org", "https://s3.example.org/evidence", "has a path"),
        ("https://s3.example.org", "ftp://s3.example.org", "is no https address"),
        ("https://s3.example.org", "s3.example.org", "store.endpoint"),
        ("\"evidence\"", "\"Evidence\"", "cannot be a bucket"),
        ("\"evidence\"", "\"e\"", "cannot be a bucket"),
        ("\"evidence\"", "\"a/b/c\"", "cannot be a bucket"),
        ("credential:a", "AKIAHUNTER2", "neither an absolute path nor credential:NAME"),
        ("credential:a", "credential:../a", "names a credential with other characters"),
    ] {
        let words = Config::parse(&minimal().replace(from, to)).expect_err(to).to_string();
        assert!(words.contains(expected), "{to}: {words}");
        assert!(!words.to_lowercase().contains("hunter2"), "repeats a secret: {words}");
    }
    for (line, expected) in [
        ("client_cert_file = \"/c\"", "client_cert_file is there without client_key_file"),
        ("client_key_file = \"/c\"", "client_key_file is there without client_cert_file"),
        ("part_bytes = 5242879", "is 5242879, which is too small"),
        ("server_key_pin = \"sha256//abc\"", "is no base64 of a SHA-256"),
        ("prefix = \"force\"", "prefix is \"force\""),
        ("prefix = \"/force/\"", "prefix is \"/force/\""),
        ("prefix = \"a/../b/\"", "prefix is"),
        ("region = \"EU west\"", "region is"),
        ("kind = \"azure\"", "is \"azure\"; write \"s3\""),
    ] {
        let words = problems(line);
        assert!(words.contains(expected), "{line}: {words}");
    }
    for good in ["http://127.0.0.1:8333", "http://[::1]:8333", "http://localhost:1"] {
        let text = minimal().replace("https://s3.example.org", good);
        assert!(Config::parse(&text).is_ok(), "{good}");
    }
}

#[test]
fn the_store_section_can_be_read_alone() {
    let text = minimal();
    let alone = &text[text.find("[store]").unwrap()..];
    assert_eq!(Config::parse_store(alone).unwrap(), defaults().store);
    assert!(Config::parse_store("[dock]\nid = \"x\"").unwrap_err().0.len() == 4);
    assert!(Config::parse_store(&format!("{alone}regio = \"x\"")).is_err());
}

#[test]
fn windows_are_read_and_checked() {
    let text = format!(
        "{}[[transfer.windows]]\ndays = [\"sat\", \"fri\"]\nfrom = \"22:00\"\nto = \"06:30\"\n\
         time_zone = \"Europe/London\"\nclasses = [\"unreviewed\"]\n\
         [[transfer.windows]]\nclasses = [\"quarantine\"]\n",
        minimal()
    );
    let windows = Config::parse(&text).unwrap().transfer.windows;
    assert_eq!(windows[0].days, [Day::Friday, Day::Saturday]);
    assert_eq!((windows[0].from.minutes(), windows[0].to.minutes()), (1320, 390));
    assert_eq!((windows[1].from, windows[1].to), (TimeOfDay::START, TimeOfDay::END));
    assert_eq!((windows[1].days.len(), windows[1].time_zone.as_str()), (7, "UTC"));
    assert_eq!(windows[1].classes, [Class::Quarantine]);
    for (line, expected) in [
        ("from = \"25:00\"", "is no time of day"),
        ("from = \"7:00\"", "is no time of day"),
        ("from = \"+7:00\"", "is no time of day"),
        ("to = \"24:01\"", "is no time of day"),
        ("from = \"08:00\"\nto = \"08:00\"", "is equal to from"),
        ("from = 07:00:00", "is a date or time; write a text"),
        ("days = [\"friday\"]", "is \"friday\"; write \"mon\" or"),
        ("days = []", "days is empty"),
        ("time_zone = \"../../etc/passwd\"", "write an IANA name"),
        ("time_zone = \"\"", "write an IANA name"),
    ] {
        let words = problems(&format!("[[transfer.windows]]\nclasses = [\"unreviewed\"]\n{line}"));
        assert!(words.contains(expected), "{line}: {words}");
    }
    assert!(problems("[[transfer.windows]]\n").contains("transfer.windows.classes is missing"));
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

#[test]
fn a_configuration_is_loaded_with_its_recipients_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, list) = (folder.path().join("bwvdock.toml"), folder.path().join("recipients.txt"));
    let other = age::x25519::Identity::generate().to_public().to_string();
    let by_file = format!("recipients_file = {:?}\n[store]", list);
    std::fs::write(&path, minimal().replace("[store]", &by_file)).unwrap();
    assert!(matches!(load(&path), Err(LoadError::Read { path, .. }) if path == list));
    std::fs::write(&list, format!("# both\n{KEY}\n{other}\n")).unwrap();
    assert_eq!(load(&path).unwrap().seal.recipients, [KEY.to_owned(), other]);
    std::fs::write(&list, "AGE-SECRET-KEY-1QQ\n").unwrap();
    assert!(matches!(load(&path), Err(LoadError::Recipients { line: 1, .. })));

    let recipients = format!("recipients = [\"{KEY}\"]");
    std::fs::write(&path, minimal().replace(&recipients, "").replace("[store]", &by_file)).unwrap();
    std::fs::write(&list, "# nobody\n").unwrap();
    assert!(matches!(load(&path), Err(LoadError::NoRecipient { .. })));
}

#[test]
fn a_secret_is_read_only_from_a_file_others_cannot_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, " hunter2\n").unwrap();
    let mode =
        |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let secret: SecretFile = "credential:key".parse().unwrap();
    assert!(
        matches!(read_secret(&secret, None), Err(LoadError::NoCredentials { name }) if name == "key")
    );
    assert!(matches!(read_secret(&secret, Some(folder.path())), Err(LoadError::Exposed { .. })));
    mode(0o640);
    assert_eq!(read_secret(&secret, Some(folder.path())).unwrap().as_str(), "hunter2");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = Config::parse(&text);
    }

    #[test]
    fn no_value_anywhere_makes_the_parser_panic(
        line in 0..12usize,
        value in "(-?[0-9]{1,30}|\"[ -~]{0,20}\"|\\[[0-9\", ]{0,9}\\]|\\{a=1\\}|1e9|07:00:00|true)",
    ) {
        let text = uncommented(DEFAULT_TOML);
        let keys: Vec<&str> = text.lines().filter(|l| l.contains(" = ")).collect();
        let old = keys[line * 3 % keys.len()];
        let name = old.split(" = ").next().unwrap_or_default();
        let _ = Config::parse(&text.replacen(old, &format!("{name} = {value}"), 1));
    }
}
