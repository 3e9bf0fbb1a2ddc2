//! What holds while nothing goes wrong: chain, groups, lag, days.

use super::*;
use crate::custody::chain::Verifier;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_commit_is_a_chain_of_lines_and_a_folded_state() {
    let dock = Dock::new();
    let (journal, report) = dock.open();
    assert_eq!(
        report,
        OpenReport {
            head: Head::GENESIS,
            lines_folded: 0,
            cut: None,
            rebuilt: None,
            damage: None,
            damage_is_news: false
        }
    );
    let first = journal.commit_blocking(stopped("one"), at(NOON)).unwrap();
    let facts = [stopped("two"), listed(1), stopped("three")].concat();
    let second = journal.commit_blocking(facts, at(NOON)).unwrap();
    assert_eq!((first.first, first.head.seq), (1, 1));
    assert_eq!((second.first, second.head.seq, second.is_durable), (2, 4, true));
    assert_eq!(journal.head(), second.head);
    let empty = journal.commit_blocking(vec![], at(NOON)).unwrap();
    assert_eq!((empty.first, empty.head), (5, second.head));

    let mut verifier = Verifier::new(Head::GENESIS);
    for line in lines(&dock.options.dir) {
        verifier.feed(line.as_bytes()).unwrap();
    }
    assert_eq!(verifier.head(), second.head);
    assert_eq!(state(&journal), folded_from_log(&dock.options.dir));
    assert_eq!(state(&journal).0.len(), 3);
    journal.close().unwrap();
}

#[test]
fn a_clean_close_needs_nothing_done_at_open_and_a_crash_only_catching_up() {
    let dock = Dock::new();
    for (n, clean) in [(1u64, true), (2, false), (3, true)] {
        let (journal, report) = dock.open();
        assert_eq!((report.head.seq, report.rebuilt, report.damage), (n - 1, None, None));
        journal.commit_blocking(stopped("x"), at(NOON)).unwrap();
        assert_eq!(state(&journal), folded_from_log(&dock.options.dir));
        if clean {
            journal.close().unwrap();
        }
    }
}

#[test]
fn only_one_journal_writes_a_log() {
    let dock = Dock::with_lines(1);
    let (journal, _) = dock.open();
    assert!(matches!(dock.try_open(), Err(JournalError::InUse(_))));
    let view = journal.view();
    drop(journal);
    // A view keeps the index open: it must not be taken for a damaged one and set aside.
    assert!(matches!(dock.try_open(), Err(JournalError::InUse(_))));
    drop(view);
    assert_eq!(dock.open().1.rebuilt, None);
}

#[test]
fn what_waits_while_the_disk_is_busy_shares_one_sync() {
    let dock = Dock::new();
    let (journal, _) = dock.open();
    dock.disk.hold_syncs(true);
    let waiting: Vec<_> = (0..200).map(|_| journal.commit(stopped("x"), at(NOON))).collect();
    dock.disk.hold_syncs(false);
    let seqs: Vec<_> = waiting.into_iter().map(|commit| commit.wait().unwrap().first).collect();
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>(), "in the order of the calls");
    assert!(dock.disk.syncs() < 100, "{} syncs for 200 commits", dock.disk.syncs());
    assert_eq!(journal.counts(), (200, dock.disk.syncs()));
}

#[test]
fn a_commit_can_be_awaited() {
    let dock = Dock::new();
    let (journal, _) = dock.open();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let committed = runtime.block_on(journal.commit(stopped("x"), at(NOON))).unwrap();
    assert_eq!(committed.head, journal.head());
}

#[test]
fn progress_is_answered_before_its_sync_which_follows_within_the_lag() {
    let mut dock = Dock::new();
    let (journal, _) = dock.open();
    let durable = journal.commit_blocking(stopped("x"), at(NOON)).unwrap();
    let syncs = dock.disk.syncs();
    let lagging = journal.commit_blocking(listed(7), at(NOON)).unwrap();
    assert_eq!((lagging.is_durable, dock.disk.syncs()), (false, syncs));
    assert_eq!(journal.head(), durable.head, "no receipt may name a line that can be lost");
    let both = journal.commit_blocking(stopped("y"), at(NOON)).unwrap();
    assert_eq!((both.is_durable, dock.disk.syncs(), journal.head().seq), (true, syncs + 1, 3));
    journal.close().unwrap();

    dock.options.progress_lag_ms_max = 20;
    let (journal, _) = dock.open();
    let syncs = dock.disk.syncs();
    journal.commit_blocking(listed(8), at(NOON)).unwrap();
    assert!(dock.disk.wait_for_syncs(syncs + 1), "nobody had to ask for it");
}

#[test]
fn closing_syncs_progress() {
    let dock = Dock::new();
    let (journal, _) = dock.open();
    journal.commit_blocking(listed(7), at(NOON)).unwrap();
    let syncs = dock.disk.syncs();
    journal.close().unwrap();
    assert_eq!(dock.disk.syncs(), syncs + 1);
    assert!(matches!(journal.commit_blocking(listed(8), at(NOON)), Err(JournalError::Closed)));
}

#[test]
fn a_new_day_begins_a_new_file_that_carries_on_the_chain() {
    let dock = Dock::new();
    let (journal, _) = dock.open();
    for time in ["2026-03-01T23:59:59Z", "2026-03-02T00:00:00Z", "2026-03-02T08:00:00Z"] {
        journal.commit_blocking(stopped(time), at(time)).unwrap();
    }
    // The clock falls back, then jumps on.
    for time in ["1970-01-01T00:00:05Z", "2026-03-01T00:00:00Z", "2026-03-05T00:00:00Z"] {
        journal.commit_blocking(stopped(time), at(time)).unwrap();
    }
    let days = ["2026-03-01", "2026-03-02", "2026-03-05"];
    assert_eq!(dock.names(), days.map(|day| format!("custody-{day}-001.jsonl")));
    let modes = dock
        .log_files()
        .iter()
        .map(|p| fs::metadata(p).unwrap().permissions().mode())
        .collect::<Vec<_>>();
    assert_eq!(modes.iter().map(|mode| mode & 0o777).collect::<Vec<_>>()[..2], [0o440, 0o440]);
    assert_ne!(modes[2] & 0o200, 0);
    let report = offline::verify(&dock.options.dir, &[journal.head()]).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.files, report.lines, report.head), (3, 6, journal.head()));
    journal.close().unwrap();
    let (_, reopened) = dock.open();
    assert_eq!((reopened.head, reopened.damage), (report.head, None));
}

#[test]
fn a_file_does_not_grow_past_its_bound() {
    let mut dock = Dock::new();
    dock.options.file_bytes_max = 1000;
    let (journal, _) = dock.open();
    let waiting: Vec<_> = (0..30).map(|_| journal.commit(stopped("x"), at(NOON))).collect();
    assert!(waiting.into_iter().all(|commit| commit.wait().is_ok()));
    journal.close().unwrap();
    assert!(dock.names().len() > 5);
    for path in dock.log_files() {
        assert!((1..=1000).contains(&fs::metadata(path).unwrap().len()));
    }
    assert!(offline::verify(&dock.options.dir, &[]).unwrap().is_whole());
    let (journal, report) = dock.open();
    assert_eq!((report.head.seq, report.damage), (30, None));
    assert_eq!(state(&journal), folded_from_log(&dock.options.dir));
}

#[test]
fn a_fact_too_long_for_a_line_is_refused_alone() {
    let dock = Dock::new();
    let (journal, _) = dock.open();
    let long = journal.commit_blocking(stopped(&"x".repeat(LINE_BYTES_MAX)), at(NOON));
    assert!(matches!(long, Err(JournalError::TooLong { .. })));
    assert_eq!(journal.commit_blocking(stopped("short"), at(NOON)).unwrap().first, 1);
}

#[test]
fn reading_starts_anywhere_and_stops_when_told() {
    let mut dock = Dock::new();
    dock.options.file_bytes_max = 700;
    let (journal, _) = dock.open();
    for n in 1..=20 {
        journal.commit_blocking(stopped(&format!("reason {n}")), at(NOON)).unwrap();
    }
    for (from, limit, expected) in
        [(1, 2, 1..3), (7, 5, 7..12), (19, 99, 19..21), (21, 9, 0..0), (1, 0, 0..0)]
    {
        let mut seen = Vec::new();
        let visit = &mut |line: Line<'_>| {
            seen.push(line.entry.unwrap().seq);
            ControlFlow::Continue(())
        };
        journal.read(from, limit, visit).unwrap();
        assert_eq!(seen, expected.collect::<Vec<_>>(), "from {from}");
    }
}

#[test]
fn a_custody_log_kept_for_less_than_a_year_is_refused() {
    let mut dock = Dock::new();
    dock.options.keep_days = 364;
    assert!(matches!(dock.try_open(), Err(JournalError::Options(_))));
}
