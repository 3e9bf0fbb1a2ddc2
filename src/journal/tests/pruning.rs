//! Letting old files go changes nothing anybody can ask, and nothing goes before its time.

use super::*;

/// One line a day for `days` days from 2026-01-01, a progress line every third day.
fn years(days: u32) -> (Dock, Journal) {
    let dock = Dock::new();
    let (journal, _) = dock.open();
    for day in 0..days {
        let at = day_at(day);
        journal.commit_blocking(stopped(&format!("day {day}")), at).unwrap();
        if day % 3 == 0 {
            journal.commit_blocking(listed(u64::from(day)), at).unwrap();
        }
    }
    (dock, journal)
}

fn day_at(day: u32) -> Timestamp {
    at("2026-01-01T06:00:00Z") + jiff::SignedDuration::from_hours(24 * i64::from(day))
}

#[test]
fn what_is_pruned_is_still_known_after_a_rebuild_and_the_rest_still_verifies() {
    let (mut dock, journal) = years(20);
    let everything = folded_from_log(&dock.options.dir);
    let head = journal.head();
    // Twice, so that the second snapshot stands on the first.
    for (now, files) in [(day_at(365 + 8), 7), (day_at(365 + 13), 5)] {
        let Pruned::Done { through, files: removed } = journal.prune(now).unwrap() else {
            panic!("there is something to prune")
        };
        assert_eq!(removed, files);
        let report = offline::verify(&dock.options.dir, &[through, head]).unwrap();
        assert!(report.is_whole(), "{report:?}");
        assert_eq!(report.start, through);
    }
    assert_eq!(dock.names()[0], "custody-2026-01-13-001.jsonl");
    assert_eq!(journal.prune(day_at(365 + 13)).unwrap(), Pruned::Nothing);
    assert_eq!(state(&journal), everything);
    let snapshots = snapshot::Snapshot::list(&dock.options.dir).unwrap();
    assert_eq!(snapshots.len(), 1, "the snapshot before is of no more use");
    journal.close().unwrap();

    let (reopened, report) = dock.open();
    assert_eq!((report.damage, report.rebuilt), (None, None));
    drop(reopened);
    dock.options.boot = "boot-2".into();
    let (rebuilt, report) = dock.open();
    assert!(report.rebuilt.is_some());
    assert_eq!((report.damage, state(&rebuilt)), (None, everything));
    let last = lines(&dock.options.dir).pop().unwrap();
    assert!(last.contains("\"type\":\"log_pruned\""), "{last}");
}

#[test]
fn nothing_goes_before_its_time() {
    let (dock, journal) = years(4);
    let names = dock.names();
    assert_eq!(journal.prune(day_at(364)).unwrap(), Pruned::Nothing);
    assert_eq!(journal.prune(Timestamp::MIN).unwrap(), Pruned::Nothing);
    assert_eq!(dock.names(), names);
    // However late it is, the newest file stays: the chain goes on from it.
    let Pruned::Done { files, .. } = journal.prune(day_at(9999)).unwrap() else {
        panic!("three files are old enough")
    };
    // The line about the pruning is itself a line of a new day.
    assert_eq!((files, dock.names().len()), (3, 2));
}

#[test]
fn lines_written_under_a_clock_far_behind_are_not_taken_for_old_ones() {
    let dock = Dock::new();
    let (journal, _) = dock.open();
    journal.commit_blocking(stopped("no battery"), at("1970-01-01T00:00:09Z")).unwrap();
    journal.commit_blocking(stopped("clock set"), at(NOON)).unwrap();
    assert_eq!(journal.prune(at("2026-03-02T12:00:00Z")).unwrap(), Pruned::Nothing);
    assert_eq!(dock.names().len(), 2);
}

#[test]
fn a_damaged_log_is_not_pruned() {
    let (dock, journal) = years(9);
    let path = &dock.log_files()[2];
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, text.replace("day 2", "day 7")).unwrap();
    let names = dock.names();
    let Pruned::Refused(damage) = journal.prune(day_at(500)).unwrap() else {
        panic!("the damage is in a file to be pruned")
    };
    assert_eq!(damage.file, "custody-2026-01-03-001.jsonl");
    assert_eq!(journal.view().damage(), Some(damage.clone()), "known from here on");
    assert_eq!(dock.names(), names);
    assert_eq!(snapshot::Snapshot::list(&dock.options.dir).unwrap(), []);
    assert_eq!(journal.prune(day_at(500)).unwrap(), Pruned::Refused(damage));
}

#[test]
fn a_gap_between_what_was_pruned_and_what_is_left_is_damage() {
    let (dock, journal) = years(9);
    let everything = state(&journal);
    let second = dock.log_files()[1].clone();
    let bytes = fs::read(&second).unwrap();
    assert!(matches!(journal.prune(day_at(365 + 4)).unwrap(), Pruned::Done { files: 3, .. }));
    journal.close().unwrap();
    // The second file is back and the third is not: files are removed oldest first.
    fs::write(&second, bytes).unwrap();
    let (journal, report) = dock.open();
    assert!(report.damage.is_some());
    journal.close().unwrap();
    fs::remove_file(second).unwrap();
    let (journal, report) = dock.open();
    assert_eq!((report.damage, state(&journal)), (None, everything));
}

#[test]
fn what_an_interrupted_removal_leaves_is_no_damage() {
    let (dock, journal) = years(9);
    let everything = state(&journal);
    let kept: Vec<_> =
        dock.log_files()[1..3].iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert!(matches!(journal.prune(day_at(365 + 4)).unwrap(), Pruned::Done { files: 3, .. }));
    journal.close().unwrap();
    for (path, bytes) in &kept {
        fs::write(path, bytes).unwrap();
    }
    fs::remove_dir_all(&dock.options.index_dir).unwrap();
    assert!(offline::verify(&dock.options.dir, &[]).unwrap().is_whole());
    let (journal, report) = dock.open();
    assert_eq!((report.damage, state(&journal)), (None, everything));
    assert!(matches!(journal.prune(day_at(365 + 4)).unwrap(), Pruned::Done { files: 2, .. }));
    assert_eq!(dock.names()[0], "custody-2026-01-04-001.jsonl");
    assert!(offline::verify(&dock.options.dir, &[]).unwrap().is_whole());
}

#[test]
fn a_damaged_snapshot_is_damage_and_not_an_end() {
    let (dock, journal) = years(9);
    journal.prune(day_at(365 + 4)).unwrap();
    journal.close().unwrap();
    let snapshot = snapshot::Snapshot::newest(&dock.options.dir).unwrap().unwrap();
    let text = fs::read_to_string(&snapshot.path).unwrap();
    let changed = text.replacen("\n", "\nAA", 1);
    fs::write(&snapshot.path, changed).unwrap();
    assert_eq!(dock.open().1.damage, None, "nobody had to read it");
    fs::remove_dir_all(&dock.options.index_dir).unwrap();
    let (journal, report) = dock.open();
    assert!(report.damage.unwrap().file.starts_with("snapshot-"));
    journal.commit_blocking(stopped("on"), at(NOON)).unwrap();
}
