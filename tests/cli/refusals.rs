//! What a person may get wrong, and what they are told.

use crate::{
    dock::{Dock, run, said},
    mask::capture,
};
use std::{fs, process::Command};

#[test]
fn without_a_dock_every_question_ends_with_3() {
    let socket = ["--socket", "/nowhere/api.sock"];
    for verb in [
        &["status"][..],
        &["bays"],
        &["recordings"],
        &["segments"],
        &["queue"],
        &["why", "0123456789ab"],
        &["watch"],
        &["pause"],
        &["resume"],
        &["retry"],
        &["hold", "--all", "--reason", "x"],
        &["unhold", "--all", "--reason", "x"],
        &["custody", "accept", "7", "--reason", "x"],
        &["flag", "0123456789ab", "--reason", "x"],
        &["release"],
        &["release", "--dry-run"],
        &["reconcile"],
        &["custody", "show"],
        &["receipt", "show", "0123456789ab"],
        &["doctor"],
    ] {
        let what = "no dock answers at /nowhere/api.sock";
        run(&[&socket, verb].concat()).complained(3, what);
        let object = run(&[&socket[..], &["--json"], verb].concat()).failed_in_json(3, what);
        assert_eq!(object["code"], "unreachable");
    }
    capture("no-dock.txt", &run(&[&socket[..], &["status"]].concat()).err);
}

#[test]
fn wrong_words_are_wrong_usage() {
    let mut said = String::new();
    for arguments in [
        &["stat"][..],
        &[],
        &["custody"],
        &["custody", "shw"],
        &["why"],
        &["why", "0123456789ab", "--bay", "1"],
        &["why", "--bay", "1", "--camera", "C1"],
        &["hold"],
        &["hold", "--all", "--reason", ""],
        &["segments", "--limitt", "3"],
        &["segments", "--stage", "lost"],
        &["segments", "--camera", "../x"],
        &["pause", "--camera", "a", "--segment", "0123456789ab"],
        &["flag", "0123456789ab", "--class", "quarantine", "--reason", "x"],
        &["queue", "--limit", "many"],
        &["queue", "--limit", "3", "--all"],
        &["queue", "--limit", "3", "--limit", "4"],
        &["release", "--limit", "3"],
        &["receipt", "show", "x"],
        &["keys", "generate", "dock"],
        &["store", "probe", "gpj.\u{202e}exe"],
    ] {
        let no = run(arguments);
        no.complained(2, "");
        assert_eq!(no.err.lines().count(), 2, "{no:?}");
        said.push_str(&format!("$ bwvdock {}\n{}", arguments.join(" ").escape_debug(), no.err));
        let object = run(&[&["--json"], arguments].concat()).failed_in_json(2, "");
        assert_eq!(object["code"], "usage");
    }
    capture("usage.txt", &said);
    for every in ["0", "-1", "nan", "1000"] {
        run(&["watch", &format!("--every={every}")]).complained(2, "--every");
    }
    assert!(run(&["--version"]).ended(0).starts_with("bwvdock "));
    capture("help.txt", run(&["--help"]).ended(0));
}

#[test]
fn a_dock_says_no_in_two_lines() {
    let dock = Dock::start();
    let unknown = "01234567-89ab-7def-8123-456789abcdef";
    dock.run(&["why", unknown]).complained(4, "knows nothing by the id");
    dock.run(&["why", "456789abcdef"]).complained(4, "whose id ends in 456789abcdef");
    dock.run(&["receipt", "show", unknown]).complained(4, "there is no receipt");
    dock.run(&["segments", "--recording", "abcdef"]).complained(4, "no recording");
    let mut said_no = String::new();
    for arguments in [
        &["hold", "--segment", unknown, "--reason", "x"][..],
        &["hold", "--recording", unknown, "--reason", "x"],
        &["hold", "--camera", "BWC-9999", "--reason", "x"],
        &["hold", "--reason", "x"],
        &["unhold", "--reason", "x"],
        &["unhold", "--segment", unknown, "--reason", "x"],
        &["unhold", "--all", "--reason", "x"],
        &["custody", "accept", "7", "--reason", "x"],
        &["resume"],
        &["resume", "--camera", "BWC-9999"],
        &["pause", "--recording", unknown],
        &["retry", "--segment", unknown],
        &["retry", "--camera", "BWC-9999"],
        &["flag", unknown, "--reason", "x"],
        &["hold", "--reason", ""],
        &["reconcile", "--camera", "BWC-9999"],
    ] {
        let no = dock.run(arguments);
        said_no.push_str(&format!(
            "$ bwvdock {}\n{}{}[{}]\n",
            arguments.join(" "),
            no.out,
            no.err,
            no.exit
        ));
    }
    capture("refused.txt", &said_no);
    a_stranger_may_do_nothing(&dock);
}

/// Needs root, to become somebody else.
fn a_stranger_may_do_nothing(dock: &Dock) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // The binary may lie in a folder that is closed to others.
    let program = dock.path("program");
    // Copied by another process: a file this one has open for writing cannot be run meanwhile.
    let mut copy = Command::new("cp");
    let copied = copy.arg(env!("CARGO_BIN_EXE_bwvdock")).arg(&program).status().unwrap();
    assert!(copied.success());
    let stranger = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&program);
        said(command.arg("--socket").arg(dock.path("api.sock")).args(arguments))
    };
    let look = stranger(&["status"]);
    look.complained(4, "may not");
    capture("stranger.txt", &look.err);
    for arguments in [&["pause"][..], &["release"], &["why", "0123456789ab"], &["watch"]] {
        stranger(arguments).complained(4, "may not");
    }
    let closed = dock.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&program);
    said(command.arg("--socket").arg(closed.join("s")).arg("status")).complained(4, "may not");
}
