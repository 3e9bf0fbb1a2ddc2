//! Disks that fill up, break and lose power.

use super::*;
use std::io::ErrorKind;

#[test]
fn a_full_or_broken_disk_latches_with_the_same_words() {
    for (bytes, kind) in
        [(0, ErrorKind::StorageFull), (100, ErrorKind::StorageFull), (5, ErrorKind::Other)]
    {
        let dock = Dock::new();
        let (journal, _) = dock.open();
        let kept = journal.commit_blocking(stopped("kept"), at(NOON)).unwrap();
        dock.disk.fail_after_bytes(bytes, kind);
        let first = journal.commit_blocking(stopped("lost"), at(NOON)).unwrap_err();
        assert!(matches!(&first, JournalError::Io { source, .. } if source.kind() == kind));
        // There is room again; the journal does not believe it.
        dock.disk.fail_after_bytes(1 << 20, kind);
        for facts in [stopped("later"), listed(1), vec![]] {
            let later = journal.commit_blocking(facts, at(NOON)).unwrap_err();
            assert_eq!(later.to_string(), first.to_string());
        }
        assert_eq!(journal.failure().unwrap().to_string(), first.to_string());
        assert_eq!(journal.head(), kept.head);
        assert_eq!(state(&journal).0.len(), 1, "nothing lost may have a visible consequence");
        assert_eq!(journal.close().unwrap_err().to_string(), first.to_string());

        let (journal, report) = dock.open();
        assert_eq!(report.cut.as_ref().map_or(0, |cut| cut.bytes), bytes);
        assert_eq!((report.head, report.damage), (kept.head, None));
        assert!(report.rebuilt.is_some(), "an index that saw a failure is not trusted");
        assert_eq!(state(&journal), folded_from_log(&dock.options.dir));
    }
}

#[test]
fn a_failed_sync_is_never_tried_again() {
    let dock = Dock::new();
    let (journal, _) = dock.open();
    journal.commit_blocking(listed(1), at(NOON)).unwrap();
    let syncs = dock.disk.syncs();
    dock.disk.fail_after_syncs(0, ErrorKind::Other);
    let first = journal.commit_blocking(stopped("lost"), at(NOON)).unwrap_err();
    dock.disk.fail_after_syncs(99, ErrorKind::Other);
    let later = journal.commit_blocking(stopped("later"), at(NOON)).unwrap_err();
    assert_eq!(later.to_string(), first.to_string());
    assert!(journal.close().is_err());
    assert_eq!(dock.disk.syncs(), syncs);
}

#[test]
fn everybody_in_a_failed_group_is_told() {
    let dock = Dock::new();
    let (journal, _) = dock.open();
    dock.disk.hold_syncs(true);
    dock.disk.fail_after_syncs(0, ErrorKind::Other);
    let waiting: Vec<_> = (0..50).map(|_| journal.commit(stopped("x"), at(NOON))).collect();
    dock.disk.hold_syncs(false);
    assert!(waiting.into_iter().all(|commit| commit.wait().is_err()));
}

#[test]
fn a_failure_of_the_lagging_sync_stops_the_journal_too() {
    let mut dock = Dock::new();
    dock.options.progress_lag_ms_max = 0;
    let (journal, _) = dock.open();
    dock.disk.hold_syncs(true);
    dock.disk.fail_after_syncs(0, ErrorKind::Other);
    let progress = journal.commit(listed(1), at(NOON));
    let next = journal.commit(stopped("next"), at(NOON));
    dock.disk.hold_syncs(false);
    // The first may have been answered before the sync fell due; the next never is.
    let _ = progress.wait();
    assert!(next.wait().is_err());
}

#[test]
fn a_panicking_fold_stops_the_journal_and_not_the_process() {
    fn panicking(entry: &Entry, _: &mut dyn Table) -> Result<(), IndexBroken> {
        assert!(entry.seq < 2, "a fold that cannot cope");
        Ok(())
    }
    let dock = Dock::new();
    let open = || Journal::open(dock.options.clone(), panicking, at(NOON));
    let (journal, _) = open().unwrap();
    journal.commit_blocking(stopped("one"), at(NOON)).unwrap();
    let failed = journal.commit_blocking(stopped("two"), at(NOON));
    assert!(matches!(failed, Err(JournalError::Index(_))));
    assert!(matches!(journal.commit_blocking(vec![], at(NOON)), Err(JournalError::Index(_))));
    drop(journal);
    assert!(matches!(open(), Err(JournalError::Index(_))), "it cannot be rebuilt either");
    assert_eq!(lines(&dock.options.dir).len(), 2, "the log is untouched by that");
}

#[test]
fn after_a_power_cut_the_log_holds_every_durable_line_that_was_answered() {
    for seed in 0..24u64 {
        let mut dock = Dock::new();
        dock.options.file_bytes_max = 2000;
        let (journal, _) = dock.open();
        let mut answered = Vec::new();
        for n in 0..(5 + seed) {
            // A fixed pattern of durable and lagging commits that differs from seed to seed.
            let durable = (n * 7 + seed) % 3 == 0;
            let facts = if durable { stopped(&format!("{n}")) } else { listed(n) };
            let committed = journal.commit_blocking(facts, at(NOON)).unwrap();
            assert_eq!(committed.is_durable, durable);
            if durable {
                answered.push(committed.head);
            }
        }
        let mut after = Dock::new();
        fs::create_dir_all(&after.options.dir).unwrap();
        after.options.boot = "boot-2".into();
        let kept = u8::try_from(seed * 10).unwrap();
        dock.disk.power_cut(&after.options.dir, kept).unwrap();
        let head = journal.head();

        let (journal, report) = after.open();
        assert_eq!(report.damage, None, "seed {seed}");
        assert!(report.head.seq >= head.seq, "seed {seed}");
        let verified = offline::verify(&after.options.dir, &answered).unwrap();
        assert!(verified.is_whole(), "seed {seed}: {verified:?}");
        assert_eq!(verified.anchors.len(), answered.len());
        assert_eq!(state(&journal), folded_from_log(&after.options.dir));
    }
}

#[test]
fn a_crash_between_two_files_is_no_damage() {
    let dock = Dock::with_lines(3);
    // A new file was begun, nothing was written to it, and the old one is still writable.
    fs::write(dock.options.dir.join("custody-2026-03-02-001.jsonl"), "").unwrap();
    let (journal, report) = dock.open();
    assert_eq!((report.head.seq, report.damage, report.cut), (3, None, None));
    let next = journal.commit_blocking(stopped("next"), at("2026-03-02T01:00:00Z")).unwrap();
    assert_eq!((next.head.seq, dock.names().len()), (4, 2));
    assert!(offline::verify(&dock.options.dir, &[next.head]).unwrap().is_whole());
}

#[test]
fn nothing_is_made_of_lines_that_may_not_be_on_the_disk() {
    let dock = Dock::with_lines(3);
    fs::remove_dir_all(&dock.options.index_dir).unwrap();
    // The log can be read, and the disk below it takes nothing any more.
    dock.disk.fail_after_syncs(0, ErrorKind::Other);
    let error = dock.try_open().unwrap_err().to_string();
    assert!(error.contains("cannot sync"), "{error}");
    assert!(!dock.options.index_dir.exists(), "an index of lines that may yet be lost");
    dock.disk.fail_after_syncs(99, ErrorKind::Other);
    let (journal, report) = dock.open();
    assert_eq!((report.head.seq, report.damage), (3, None));
    assert_eq!(state(&journal), folded_from_log(&dock.options.dir));
}
