//! What single sections refuse.

use super::*;
use crate::types::Class;

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
        ("name = \"2\"\nfolder = \"/m/b\"\nport = \"1-1\"", "bays.port is there beside folder"),
        ("name = \"2\"\nport = \"usb1\"", "names no USB port; one looks like 1-1.3"),
        ("name = \"2\"\nfolder = \"/m/b\"\nmodels = [\"1d6b:0104\"]", "goes with a port"),
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
fn a_port_belongs_to_one_bay() {
    let two = |one: &str, two: &str| {
        let row = |name, port| format!("[[bays]]\nname = \"{name}\"\nport = \"{port}\"\n");
        format!("{}{}", row("1", one), row("2", two))
    };
    for (other, expected) in [
        ("1-1.3", "bays.port is 1-1.3, as in bay 1"),
        ("1-1.3.1", "lies behind, or before, the port of bay 1"),
        ("1-1", "lies behind, or before, the port of bay 1"),
    ] {
        let words = problems(&two("1-1.3", other));
        assert!(words.contains(expected), "{other}: {words}");
    }
    let config = Config::parse(&format!("{}{}", minimal(), two("1-1.3", "2-1.3"))).unwrap();
    assert_eq!(config.bays[1].source.port().unwrap().to_string(), "2-1.3");
}

#[test]
fn trust_is_only_given_in_words_that_mean_something() {
    for (line, expected) in [
        ("models = [\"1d6b\"]", "is no vendor and product number"),
        ("models = [\"1d6b:0104\", \"1D6B:0104\"]", "names 1D6B:0104 twice"),
        ("tolerated_interfaces = [\"ff\"]", "is no class; one looks like 06/01/01"),
        ("tolerated_interfaces = [\"09/00/00\"]", "names hubs"),
        ("unknown_models = \"all\"", "write \"refuse\" or \"ptp\""),
        ("serials = [\"\"]", "has an empty one"),
    ] {
        let words = problems(&format!("[usb]\n{line}"));
        assert!(words.contains(expected), "{line}: {words}");
    }
    assert_eq!(defaults().usb, crate::config::Usb::default());
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
    let nobody = Seal { recipients: Vec::new(), recipients_file: None };
    assert_eq!(Config::parse_store(alone).unwrap(), (defaults().store, nobody));
    assert_eq!(Config::parse_store(&text).unwrap().1, defaults().seal);
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
fn charging_is_checked_for_what_belongs_together() {
    for (lines, expected) in [
        ("gate_percent = 96", "is 96, more than full_percent"),
        ("slowest_charge_hours = 5", "leaves an ordinary charge too little time"),
        ("full_charge_minutes = 420\nrest_idle_hours = 13", "too short for charging up again"),
        ("hub_milliamps_max = 899", "is 899, less than one port"),
        ("station_milliamps_max = 1", "is 1, less than one port"),
        ("order = \"greedy\"", "write \"next_shift\" or \"fair\""),
        ("dwell_minutes = 1", "is 1, which is too small"),
        ("[[charging.shifts]]\ndays = [\"mon\"]", "charging.shifts.start is missing"),
        ("[[charging.shifts]]\nstart = \"24:00\"", "write 00:00 of the day after"),
        ("[[charging.shifts]]\nstart = \"6:30\"", "is no time of day"),
    ] {
        let words = problems(&format!("[charging]\n{lines}"));
        assert!(words.contains(expected), "{lines}: {words}");
    }
    let text = format!("{}[[charging.shifts]]\nstart = \"06:30\"\n", minimal());
    let shifts = Config::parse(&text).unwrap().charging.shifts;
    assert_eq!((shifts[0].days.len(), shifts[0].time_zone.as_str()), (7, "UTC"));
}

#[test]
fn metrics_are_given_out_only_where_somebody_said() {
    assert_eq!(defaults().metrics.listen, None);
    let with =
        |address: &str| Config::parse(&format!("{}[metrics]\nlisten = \"{address}\"\n", minimal()));
    assert!(with("localhost").unwrap_err().to_string().contains("write an address and a port"));
    let warned = |address: &str| {
        with(address).unwrap().warnings().iter().any(|words| words.contains("metrics.listen"))
    };
    assert_eq!(
        (warned("127.0.0.1:9947"), warned("[::1]:1"), warned("0.0.0.0:9947")),
        (false, false, true)
    );
}
