//! Commands that need no daemon.

use crate::{
    dock::{bwvdock, run, said},
    mask::capture,
};
use std::{fs, os::unix::fs::PermissionsExt as _};

fn temp() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("bwv-cli-").tempdir_in("/tmp").unwrap()
}

#[test]
fn keys_are_made_once_and_for_their_owner_only() {
    let folder = temp();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (key, identity) = (path("dock.key"), path("identity.txt"));
    let words = run(&["keys", "generate", "dock", "--out", &key]);
    capture("keys-dock.txt", words.ended(0));
    let words = run(&["keys", "generate", "identity", "--out", &identity]);
    capture("keys-identity.txt", words.ended(0));
    for private in [&key, &identity] {
        assert_eq!(fs::metadata(private).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(fs::read_to_string(path("dock.pub.pem")).unwrap().contains("PUBLIC KEY"));
    let before = (fs::read(&key).unwrap(), fs::read(&identity).unwrap());
    run(&["keys", "generate", "dock", "--out", &key]).complained(2, "never overwritten");
    run(&["keys", "generate", "identity", "--out", &identity]).complained(2, "never overwritten");
    assert_eq!(before, (fs::read(&key).unwrap(), fs::read(&identity).unwrap()));
    fs::remove_file(&key).unwrap();
    let public = fs::read(path("dock.pub.pem")).unwrap();
    run(&["keys", "generate", "dock", "--out", &key]).complained(2, "dock.pub.pem exists already");
    assert_eq!(fs::read(path("dock.pub.pem")).unwrap(), public, "of another key, perhaps in use");
    assert!(!folder.path().join("dock.key").exists(), "nothing half-made is left");
    run(&["keys", "generate", "identity", "--out", "/nowhere/x"])
        .complained(5, "cannot be written");
    let json = run(&["--json", "keys", "generate", "identity", "--out", &path("two.txt")]).json();
    assert!(json["recipient"].as_str().unwrap().starts_with("age1"));
}

const GOOD: &str = "[dock]\nid = \"d\"\n[seal]\nrecipients = [\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]\n[store]\nendpoint = \"https://s3.example.org\"\nbucket = \"bwv\"\naccess_key_file = \"/x/a\"\nsecret_key_file = \"/x/s\"\n";

#[test]
fn configurations_are_checked_before_anything_runs() {
    let folder = temp();
    let file = folder.path().join("dock.toml").to_str().unwrap().to_owned();
    let default = run(&["config", "show", "--default"]);
    assert!(default.ended(0).starts_with("# The configuration of bwvdock."));
    fs::write(&file, GOOD).unwrap();
    capture("config-check.txt", run(&["config", "check", &file]).ended(0));
    assert_eq!(run(&["--json", "config", "check", &file]).json()["fine"], true);
    let shown = run(&["config", "show", &file]);
    assert!(shown.ended(0).contains("bytes_max") && !shown.out.contains("secret of"));
    assert_eq!(run(&["config", "show", "--json", &file]).json()["dock"]["id"], "d");

    for (name, text, words) in [
        ("config-empty.txt", String::new(), "dock.id is missing"),
        ("config-typo.txt", GOOD.replace("bucket", "buckett"), "buckett"),
        ("config-syntax.txt", "[dock\n".to_owned(), "line 1"),
        ("config-plain-http.txt", GOOD.replace("https:", "http:"), "http"),
        (
            "config-zone.txt",
            format!(
                "{GOOD}[[transfer.windows]]\ntime_zone = \"Europe/Londinium\"\n\
                 classes = [\"unreviewed\"]\n"
            ),
            "no time zone Europe/Londinium",
        ),
        ("config-recipient.txt", GOOD.replace("age1ql3", "age1zzz"), "recipient"),
    ] {
        fs::write(&file, text).unwrap();
        let check = run(&["config", "check", &file]);
        check.complained(2, words);
        capture(name, &check.err);
        let daemon = run(&["daemon", "--config", &file]);
        assert_eq!(daemon.exit, 2);
        if name != "config-zone.txt" {
            assert_eq!(daemon.err, check.err, "the daemon says the same");
        }
    }
    let missing = run(&["config", "check", "/nowhere.toml"]);
    missing.complained(2, "/nowhere.toml");
    run(&["daemon", "--config", "/nowhere.toml"]).complained(2, "/nowhere.toml");
    run(&["config", "check", folder.path().to_str().unwrap()]).complained(2, "");
}

#[test]
fn daemons_that_cannot_start_say_why() {
    let folder = temp();
    let root = folder.path().to_str().unwrap();
    let file = format!("{root}/dock.toml");
    let (access, secret) = (format!("{root}/a"), format!("{root}/s"));
    let with = |change: &dyn Fn(String) -> String| {
        let text = GOOD.replace("/x/", &format!("{root}/")).replace(
            "id = \"d\"",
            &format!("id = \"d\"\nstate_dir = \"{root}/state\"\n[api]\nsocket = \"{root}/s.sock\""),
        );
        fs::write(&file, change(text)).unwrap();
        said(bwvdock().args(["daemon", "--config", &file]).env("BWVDOCK_LOG", "off"))
    };
    with(&|text| text).complained(2, &access);
    fs::write(&access, "k").unwrap();
    fs::write(&secret, "s").unwrap();
    for path in [&access, &secret] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    with(&|text| text).complained(2, "");
    for path in [&access, &secret] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    with(&|text| text.replace(&format!("{root}/state"), "/proc/nothing")).complained(5, "/proc");
    with(&|text| text.replace(&format!("{root}/s.sock"), "/proc/x/s.sock"))
        .complained(5, "/proc/x");
    let ca = format!("bucket = \"bwv\"\nca_file = \"{root}/no-ca.pem\"");
    with(&|text| text.replace("bucket = \"bwv\"", &ca)).complained(5, "no-ca.pem");
}
