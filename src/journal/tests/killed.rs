//! A real process, killed with SIGKILL again and again in the middle of its work.

use super::*;
use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

const HOME: &str = "BWVDOCK_TEST_JOURNAL_HOME";

fn options_in(home: &Path) -> JournalOptions {
    let (dir, index_dir) = (home.join("log"), home.join("index"));
    let mut options =
        JournalOptions::new(dir, index_dir, "dock-1".parse().unwrap(), "boot-1".into());
    options.file_bytes_max = 20_000;
    options
}

/// The process to be killed: commits without end, and prints every line that was answered.
#[test]
#[ignore = "the other half of `nothing_answered_is_lost_however_often_it_is_killed`"]
fn victim() {
    let Ok(home) = std::env::var(HOME) else { return };
    let (journal, _) = Journal::open(options_in(home.as_ref()), fold, at(NOON)).unwrap();
    let mut out = std::io::stderr();
    let mut waiting = VecDeque::new();
    for n in 0u64.. {
        let facts = if n % 3 == 0 { listed(n) } else { stopped(&format!("{n}")) };
        waiting.push_back(journal.commit(facts, at(NOON)));
        if waiting.len() > 8 {
            let Head { seq, hash } = waiting.pop_front().unwrap().wait().unwrap().head;
            writeln!(out, "answered {seq} {hash}").unwrap();
        }
    }
}

#[test]
fn nothing_answered_is_lost_however_often_it_is_killed() {
    let home = tempfile::tempdir().unwrap();
    let mut answered: Vec<Head> = Vec::new();
    for round in 0..12usize {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "journal::tests::killed::victim", "--ignored", "--nocapture"])
            .env(HOME, home.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stderr.take().unwrap()).lines().map(Result::unwrap);
        // Killed after a different number of answers each time; what it printed until then counts.
        let before = answered.len();
        while answered.len() < before + 1 + 37 * round {
            answered.extend(head_in(&lines.next().expect("it goes on until it is killed")));
        }
        victim.kill().unwrap();
        answered.extend(lines.filter_map(|line| head_in(&line)));
        victim.wait().unwrap();

        let options = options_in(home.path());
        let verified = offline::verify(&options.dir, &answered).unwrap();
        assert!(verified.is_whole(), "round {round}: {:?}", verified.damage);
        if round % 3 == 2 {
            let (journal, report) = Journal::open(options.clone(), fold, at(NOON)).unwrap();
            assert_eq!((report.rebuilt, report.damage), (None, None), "round {round}");
            assert_eq!(state(&journal), folded_from_log(&options.dir));
        }
    }
    assert!(answered.windows(2).all(|pair| pair[0].seq < pair[1].seq));
}

/// What one printed line says was answered; a line cut short by the kill says nothing.
fn head_in(line: &str) -> Option<Head> {
    let (seq, hash) = line.strip_prefix("answered ")?.split_once(' ')?;
    Some(Head { seq: seq.parse().ok()?, hash: hash.parse().ok()? })
}
