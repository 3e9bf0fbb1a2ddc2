//! The index is made again whenever there is a reason not to believe it.

use super::*;

/// Opens, checks that the index was made again for these words, and that it says what the log says.
fn expect_rebuilt(dock: &Dock, words: &str) {
    let (journal, report) = dock.open();
    let rebuilt = report.rebuilt.clone().expect(words);
    assert!(rebuilt.contains(words), "{rebuilt:?} is not about {words:?}");
    assert_eq!(report.damage, None);
    assert!(matches!(&report.facts()[..], [NewFact { fact: Fact::IndexRebuilt { .. }, .. }]));
    assert_eq!(state(&journal), folded_from_log(&dock.options.dir));
    assert!(!state(&journal).0.is_empty());
    journal.commit_blocking(report.facts(), at(NOON)).unwrap();
    journal.close().unwrap();
    let (journal, report) = dock.open();
    assert_eq!(report.rebuilt, None, "once is enough");
    journal.close().unwrap();
}

fn run_json(dock: &Dock) -> PathBuf {
    dock.options.index_dir.join("run.json")
}

#[test]
fn missing() {
    let dock = Dock::with_lines(9);
    fs::remove_dir_all(&dock.options.index_dir).unwrap();
    expect_rebuilt(&dock, "missing");
    assert_eq!(dock.set_aside().len(), 0);
}

#[test]
fn made_by_another_version_of_the_fold() {
    use super::super::index::APPLIED;
    let dock = Dock::with_lines(9);
    for other in [&u32::MAX.to_be_bytes()[..], b""] {
        let db = sled::open(dock.options.index_dir.join("sled")).unwrap();
        let applied = db.get(APPLIED).unwrap().unwrap();
        // The first version did not say which it was.
        db.insert(APPLIED, [&applied[..40], other].concat()).unwrap();
        db.flush().unwrap();
        drop(db);
        expect_rebuilt(&dock, "another version");
    }
}

#[test]
fn emptied() {
    let dock = Dock::with_lines(9);
    fs::remove_dir_all(dock.options.index_dir.join("sled")).unwrap();
    fs::create_dir(dock.options.index_dir.join("sled")).unwrap();
    expect_rebuilt(&dock, "empty");
    assert_eq!(dock.set_aside().len(), 1);
}

#[test]
fn without_a_record_of_its_last_run() {
    let dock = Dock::with_lines(9);
    fs::remove_file(run_json(&dock)).unwrap();
    expect_rebuilt(&dock, "no record");
    fs::write(run_json(&dock), "{").unwrap();
    expect_rebuilt(&dock, "is damaged");
}

#[test]
fn left_open_by_a_power_cut_but_not_by_a_crash() {
    let mut dock = Dock::with_lines(9);
    drop(dock.open());
    assert_eq!(dock.open().1.rebuilt, None, "the same boot: only the program went down");
    dock.options.boot = "boot-2".into();
    expect_rebuilt(&dock, "machine went down");
    dock.options.boot = "boot-3".into();
    assert_eq!(dock.open().1.rebuilt, None, "a clean close outlives a power cut");
}

#[test]
fn corrupted_at_its_head() {
    let dock = Dock::with_lines(9);
    let path = dock.options.index_dir.join("sled/db");
    let mut bytes = fs::read(&path).unwrap();
    let head = bytes.len().min(4096);
    bytes[..head].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    // Depending on what is hit sled fails, panics or comes up empty: all the same to us.
    let (journal, report) = dock.open();
    assert!(report.rebuilt.is_some());
    assert_eq!(state(&journal), folded_from_log(&dock.options.dir));
    assert_eq!(dock.set_aside().len(), 1);
}

#[test]
fn corrupted_anywhere_it_is_either_right_or_made_again() {
    for seed in 0..12usize {
        let dock = Dock::with_lines(30);
        let path = dock.options.index_dir.join("sled/db");
        let mut bytes = fs::read(&path).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        let from = used * seed / 12;
        for byte in &mut bytes[from..(from + 64).min(used)] {
            *byte ^= 0x55;
        }
        fs::write(&path, bytes).unwrap();
        let expected = folded_from_log(&dock.options.dir);
        let (journal, _) = dock.open();
        let mut seen = MemoryTable::default();
        let scanned = journal.view().scan(b"", b"", &mut |key, value| {
            seen.put(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        });
        if scanned.is_ok() {
            seen.remove(index::APPLIED);
            assert_eq!(seen, expected, "seed {seed}");
            continue;
        }
        // Only found out in use: the journal stops, and the next open makes it again.
        assert!(journal.failure().is_some(), "seed {seed}");
        assert!(journal.commit_blocking(stopped("x"), at(NOON)).is_err());
        drop(journal);
        expect_rebuilt(&dock, "failed in use");
    }
}

#[test]
fn of_another_dock() {
    for theirs in [4, 9, 12] {
        let dock = Dock::with_lines(9);
        let mut other = Dock::new();
        other.options.dock = "dock-2".parse().unwrap();
        let (journal, _) = other.open();
        for n in 0..theirs {
            journal.commit_blocking(stopped(&format!("elsewhere {n}")), at(NOON)).unwrap();
        }
        journal.close().unwrap();
        fs::remove_dir_all(&dock.options.index_dir).unwrap();
        fs::rename(&other.options.index_dir, &dock.options.index_dir).unwrap();
        expect_rebuilt(&dock, "another dock");
    }
}

#[test]
fn an_older_copy_of_the_index_is_caught_up_and_not_made_again() {
    let mut dock = Dock::new();
    dock.options.file_bytes_max = 700;
    for seen in [0u64, 1, 5, 6, 13] {
        let (journal, _) = dock.open();
        let copied = dock.home.path().join("copy");
        let so_far = journal.head().seq;
        for n in so_far..seen {
            journal.commit_blocking(stopped(&format!("{n}")), at(NOON)).unwrap();
        }
        journal.close().unwrap();
        copy_dir(&dock.options.index_dir, &copied);
        let (journal, _) = dock.open();
        for n in 0..3 {
            journal.commit_blocking(stopped(&format!("more {n}")), at(NOON)).unwrap();
            journal.commit_blocking(listed(seen + n), at(NOON)).unwrap();
        }
        journal.close().unwrap();
        fs::remove_dir_all(&dock.options.index_dir).unwrap();
        fs::rename(&copied, &dock.options.index_dir).unwrap();
        let (journal, report) = dock.open();
        assert_eq!((report.rebuilt, report.lines_folded), (None, 6));
        assert_eq!(state(&journal), folded_from_log(&dock.options.dir));
        journal.close().unwrap();
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_dir(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

#[test]
fn three_sets_of_damaged_files_are_kept_and_no_more() {
    let dock = Dock::with_lines(2);
    let mut seen = Vec::new();
    for _ in 0..5 {
        fs::remove_file(run_json(&dock)).unwrap();
        drop(dock.open());
        seen.push(dock.set_aside().len());
    }
    assert_eq!(seen, [1, 2, 3, 3, 3]);
}
