//! Commands that need no daemon.

use crate::{
    dock::{Said, bwvdock, run, said},
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

/// A folder with all that [`GOOD`] names, as it should be.
fn good(root: &str) -> String {
    for name in ["a", "s"] {
        fs::write(format!("{root}/{name}"), "k").unwrap();
        chmod(&format!("{root}/{name}"), 0o600);
    }
    GOOD.replace("/x/", &format!("{root}/")).replace(
        "id = \"d\"",
        &format!("id = \"d\"\nstate_dir = \"{root}/state\"\n[api]\nsocket = \"{root}/s.sock\""),
    )
}

fn chmod(path: &str, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn daemon(file: &str) -> Said {
    said(bwvdock().args(["daemon", "--config", file]).env("BWVDOCK_LOG", "off"))
}

#[test]
fn configurations_are_checked_before_anything_runs() {
    let folder = temp();
    let root = folder.path().to_str().unwrap();
    let file = format!("{root}/dock.toml");
    let default = run(&["config", "show", "--default"]);
    assert!(default.ended(0).starts_with("# The configuration of bwvdock."));
    let default = run(&["config", "show", "--default", "--json"]).json();
    assert_eq!(default["transfer"]["parts_in_flight"], 3, "{default:#}");
    let good = good(root);
    fs::write(&file, &good).unwrap();
    capture("config-check.txt", run(&["config", "check", &file]).ended(0));
    assert_eq!(run(&["--json", "config", "check", &file]).json()["fine"], true);
    let shown = run(&["config", "show", &file]);
    assert!(shown.ended(0).contains("bytes_max") && !shown.out.contains("secret of"));
    assert_eq!(run(&["config", "show", "--json", &file]).json()["dock"]["id"], "d");

    for (name, text, words) in [
        ("config-empty.txt", String::new(), "dock.id is missing"),
        ("config-typo.txt", good.replace("bucket", "buckett"), "buckett"),
        ("config-syntax.txt", "[dock\n".to_owned(), "line 1"),
        ("config-plain-http.txt", good.replace("https:", "http:"), "http"),
        (
            "config-zone.txt",
            format!(
                "{good}[[transfer.windows]]\ntime_zone = \"Europe/Londinium\"\n\
                 classes = [\"unreviewed\"]\n"
            ),
            "no time zone Europe/Londinium",
        ),
        ("config-recipient.txt", good.replace("age1ql3", "age1zzz"), "recipient"),
    ] {
        fs::write(&file, text).unwrap();
        let check = run(&["config", "check", &file]);
        check.complained(2, words);
        capture(name, &check.err);
        let object = run(&["--json", "config", "check", &file]).failed_in_json(2, "");
        let problems = object["problems"].as_array().unwrap();
        assert!(
            problems.iter().all(|p| p["what"].is_string() && p["next"].is_string()),
            "{object}"
        );
        assert!(!problems.is_empty());
        let daemon = daemon(&file);
        assert_eq!((daemon.exit, daemon.err), (2, check.err), "the daemon says the same");
    }
    let missing = run(&["config", "check", "/nowhere.toml"]);
    missing.complained(2, "/nowhere.toml");
    daemon("/nowhere.toml").complained(2, "/nowhere.toml");
    run(&["config", "check", root]).complained(2, "");
}

/// What only shows in the files a configuration names: found by the check as by the daemon, all at
/// once, and before anything is made.
#[test]
fn whatever_a_start_would_refuse_is_said_at_once_and_nothing_is_made() {
    let folder = temp();
    let root = folder.path().to_str().unwrap();
    let file = format!("{root}/dock.toml");
    let mut text =
        good(root).replace("[store]\n", &format!("[store]\nca_file = \"{root}/ca.pem\"\n"));
    text.push_str(&format!(
        "[cameras]\nprofiles_dir = \"{root}/profiles\"\nkeys_dir = \"{root}/keys\"\n"
    ));
    text =
        text.replace("[seal]\n", &format!("[seal]\nrecipients_file = \"{root}/recipients.txt\"\n"));
    for (name, words) in [
        ("ca.pem", "no certificate"),
        ("recipients.txt", "# nobody\nssh-ed25519 AAAA\n"),
        ("profiles/one.toml", "[match"),
        ("profiles/two.toml", "name = 7"),
        ("keys/BWC-1.pub", "no key"),
        ("keys/B C.pub", "no id"),
        ("blocked", "a file where a folder should be"),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, words).unwrap();
    }
    chmod(&format!("{root}/a"), 0o644);
    chmod(&format!("{root}/s"), 0o604);
    let text = text.replace(&format!("{root}/state"), &format!("{root}/blocked/state"));
    let text = text.replace(&format!("{root}/s.sock"), &format!("{root}/blocked/s.sock"));
    fs::write(&file, text).unwrap();
    let before = fs::read_dir(root).unwrap().count();
    let check = run(&["config", "check", &file]);
    check.complained(2, "problems");
    capture("config-files.txt", &check.err);
    let started = daemon(&file);
    assert_eq!((started.exit, &started.err), (2, &check.err), "the daemon says the same");
    let object = run(&["--json", "daemon", "--config", &file]).failed_in_json(2, "");
    assert_eq!(object["problems"].as_array().unwrap().len(), 9, "{object:#}");
    assert_eq!(fs::read_dir(root).unwrap().count(), before, "nothing was made");
}

#[test]
fn daemons_that_cannot_start_say_why() {
    let folder = temp();
    let root = folder.path().to_str().unwrap();
    let file = format!("{root}/dock.toml");
    let good = good(root);
    let with = |change: &dyn Fn(&str) -> String| {
        fs::write(&file, change(&good)).unwrap();
        let check = run(&["config", "check", &file]);
        let daemon = daemon(&file);
        // Only who runs the daemon has what systemd hands over, and tries what it may.
        if daemon.exit == 2 && !check.out.contains("comes from systemd") {
            assert_eq!((check.exit, &check.err), (2, &daemon.err));
        }
        assert!(!folder.path().join("state").exists(), "nothing was made");
        daemon
    };
    with(&|text| text.replace(&format!("{root}/a"), &format!("{root}/none"))).complained(2, "none");
    chmod(&format!("{root}/a"), 0o644);
    with(&str::to_owned).complained(2, "may be read by everybody");
    chmod(&format!("{root}/a"), 0o600);
    // What the kernel only says when it is tried.
    let root_only = if rustix::process::geteuid().is_root() { 5 } else { 2 };
    with(&|text| text.replace(&format!("{root}/state"), "/proc/nothing"))
        .complained(root_only, "/proc");
    let ca = format!("bucket = \"bwv\"\nca_file = \"{root}/no-ca.pem\"");
    with(&|text| text.replace("bucket = \"bwv\"", &ca)).complained(2, "no-ca.pem");
    let credential = "credential:secret";
    with(&|text| text.replace(&format!("{root}/s\""), &format!("{credential}\"")))
        .complained(2, "systemd handed over no credentials");
    let check = run(&["config", "check", &file]);
    assert!(check.ended(0).contains("credential:secret comes from systemd"), "{check:?}");
    fs::write(format!("{root}/dock.key"), "no key").unwrap();
    chmod(&format!("{root}/dock.key"), 0o600);
    let key = format!("id = \"d\"\nkey_file = \"{root}/dock.key\"");
    with(&|text| text.replace("id = \"d\"", &key)).complained(2, "dock.key");
}
