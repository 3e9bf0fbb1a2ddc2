//! Lines taken from the end of the log: what proves it, what goes on, and what ends it.

use super::*;
use crate::types::Sha256Digest;
use offline::verify;

fn head(dock: &Dock, seq: u64) -> Head {
    let line = &lines(&dock.options.dir)[usize::try_from(seq).unwrap() - 1];
    Head { seq, hash: Sha256Digest::of(line.as_bytes()) }
}

fn cut_to(dock: &Dock, kept: usize) {
    dock.edit(|text| text.lines().take(kept).map(|line| format!("{line}\n")).collect());
}

fn witness(head: Head) -> Proved {
    Proved { head, by: "the receipt of object 1".into() }
}

fn proved(journal: &Journal) -> Option<Head> {
    journal.damage().and_then(|damage| damage.proved).map(|proved| proved.head)
}

/// Opens, commits what open has to say, adds a line, closes.
fn live(dock: &Dock, words: &str) -> OpenReport {
    let (journal, report) = dock.open();
    journal.commit_blocking(report.facts(), at(NOON)).unwrap();
    journal.commit_blocking(stopped(words), at(NOON)).unwrap();
    journal.close().unwrap();
    report
}

fn put_back(path: &Path, bytes: &[u8]) {
    if path.exists() {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_cut_end_is_proved_by_the_index_which_keeps_what_the_lines_said() {
    let dock = Dock::with_lines(9);
    let (path, ninth) = (dock.log_files().pop().unwrap(), head(&dock, 9));
    let whole = fs::read(&path).unwrap();
    let before = state(&dock.open().0);
    cut_to(&dock, 7);
    let (journal, report) = dock.open();
    assert_eq!((&report.rebuilt, report.head), (&None, ninth));
    let damage = report.damage.clone().unwrap();
    assert_eq!((damage.first_seq, damage.last_seq), (8, 9), "{damage}");
    assert!(damage.to_string().contains("had seen line 9"), "{damage}");
    assert_eq!((journal.damage(), proved(&journal)), (Some(damage), Some(ninth)));
    assert_eq!(state(&journal), before, "nothing is forgotten");
    let said = |fact: &Fact| {
        matches!(fact, Fact::LogDamaged { first_seq: 8, last_seq: 9, proved_hash, .. }
            if *proved_hash == Some(ninth.hash))
    };
    assert!(report.facts().iter().any(|new| said(&new.fact)));
    let next = journal.commit_blocking(report.facts(), at(NOON)).unwrap();
    assert_eq!(next.first, 10, "the missing lines keep their numbers");
    journal.close().unwrap();

    // Remembered, whatever becomes of the index; and said once.
    for gone in [false, true, false] {
        if gone {
            fs::remove_dir_all(&dock.options.index_dir).unwrap();
        }
        let (journal, report) = dock.open();
        assert_eq!(proved(&journal), Some(ninth));
        assert!(!report.facts().iter().any(|new| said(&new.fact)));
        assert_eq!(state(&journal), before, "the rescue brings it back");
        assert!(matches!(journal.prune(at("2030-01-01T00:00:00Z")), Ok(Pruned::Refused(_))));
        journal.close().unwrap();
    }
    assert!(!verify(&dock.options.dir, &[]).unwrap().is_whole());

    put_back(&path, &whole);
    let (journal, report) = dock.open();
    assert_eq!((report.damage, journal.damage()), (None, None), "the lines are back in place");
    assert!(verify(&dock.options.dir, &[ninth]).unwrap().is_whole());
    assert_eq!(state(&journal), before);
}

#[test]
fn removed_files_are_proved_and_fit_again_when_they_are_put_back() {
    for (kept, index) in [(0, true), (0, false), (2, true), (2, false)] {
        let mut dock = Dock::new();
        dock.options.file_bytes_max = 700;
        for n in 0..14 {
            live(&dock, &format!("reason {n}"));
        }
        let (files, last) = (dock.log_files(), head(&dock, 14));
        let removed: Vec<_> =
            files[kept..].iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        removed.iter().for_each(|(path, _)| fs::remove_file(path).unwrap());
        if !index {
            fs::remove_dir_all(&dock.options.index_dir).unwrap();
            dock.options.witnesses = vec![witness(head_of(&removed, 3)), witness(last)];
        }
        let report = live(&dock, "after");
        let damage = report.damage.unwrap();
        assert_eq!(damage.last_seq, 14, "kept {kept}, index {index}: {damage}");
        assert_eq!(report.head, last);
        live(&dock, "again");
        assert!(dock.names().iter().any(|name| name.contains("-500.jsonl")), "{:?}", dock.names());
        removed.iter().for_each(|(path, bytes)| put_back(path, bytes));
        let (journal, report) = dock.open();
        assert_eq!((report.damage, journal.damage()), (None, None));
        assert!(verify(&dock.options.dir, &[last]).unwrap().is_whole());
        drop(journal);
    }
}

/// The head at a line of files that are no longer there.
fn head_of(removed: &[(PathBuf, Vec<u8>)], back: usize) -> Head {
    let all: Vec<u8> = removed.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let text = String::from_utf8(all).unwrap();
    let line = text.lines().rev().nth(back).unwrap();
    let entry = crate::custody::chain::decode(line.as_bytes()).unwrap();
    Head { seq: entry.seq, hash: Sha256Digest::of(line.as_bytes()) }
}

#[test]
fn the_witness_that_saw_most_of_a_cut_speaks_for_it() {
    let mut dock = Dock::with_lines(9);
    let ninth = head(&dock, 9);
    dock.options.witnesses = vec![witness(head(&dock, 8)), witness(head(&dock, 5))];
    cut_to(&dock, 6);
    let report = live(&dock, "after");
    let damage = report.damage.unwrap();
    assert_eq!((damage.first_seq, damage.last_seq, report.head), (7, 9, ninth), "{damage}");
    let (journal, report) = dock.open();
    assert_eq!((journal.damage(), report.damage_is_news), (Some(damage), false));
    let by: Actor = "user:ann".parse().unwrap();
    assert_eq!(journal.accept(7, by, at(NOON), "looked at".into()).unwrap(), None);
}

#[test]
fn receipts_prove_a_cut_end_when_the_index_went_with_it() {
    let mut dock = Dock::with_lines(9);
    let (eighth, fifth) = (head(&dock, 8), head(&dock, 5));
    cut_to(&dock, 6);
    fs::remove_dir_all(&dock.options.index_dir).unwrap();
    dock.options.witnesses = vec![witness(fifth), witness(eighth)];
    let report = live(&dock, "after");
    let damage = report.damage.unwrap();
    assert_eq!((damage.first_seq, damage.last_seq, report.head), (7, 8, eighth), "{damage}");
    assert!(damage.to_string().contains("the receipt of object 1"), "{damage}");
    // The receipts may be gone too: it is known from then on.
    dock.options.witnesses.clear();
    assert_eq!(proved(&dock.open().0), Some(eighth));
}

#[test]
fn another_line_than_the_proved_one_is_damage_though_the_chain_is_whole() {
    for by_index in [true, false] {
        let mut dock = Dock::with_lines(9);
        let fifth = head(&dock, 5);
        let other = Dock::new();
        for n in 0..12 {
            live(&other, &format!("another {n}"));
        }
        let path = dock.log_files().pop().unwrap();
        put_back(&path, &fs::read(other.log_files().pop().unwrap()).unwrap());
        if !by_index {
            fs::remove_dir_all(&dock.options.index_dir).unwrap();
            dock.options.witnesses = vec![witness(fifth)];
        }
        let report = live(&dock, "after");
        let seq = if by_index { 9 } else { 5 };
        assert_eq!(report.damage.as_ref().unwrap().last_seq, seq);
        assert_eq!(report.head.seq, 12, "the log goes on behind its own last line");
        dock.options.witnesses.clear();
        let (journal, report) = dock.open();
        assert_eq!(journal.damage().unwrap().last_seq, seq);
        assert!(!report.damage_is_news);
    }
}

#[test]
fn accepted_damage_stops_nothing_stays_named_and_hides_no_other() {
    let dock = Dock::with_lines(9);
    cut_to(&dock, 7);
    live(&dock, "after");
    let (journal, _) = dock.open();
    let accept = |journal: &Journal, seq| {
        let by: Actor = "user:ann".parse().unwrap();
        journal.accept(seq, by, at(NOON), "the disk was replaced".into()).unwrap()
    };
    assert!(accept(&journal, 7).is_some(), "another line is not this damage");
    assert!(journal.damage().is_some());
    assert_eq!(accept(&journal, 8), None);
    assert_eq!(journal.damage(), None);
    journal.close().unwrap();
    for _ in 0..2 {
        let report = live(&dock, "goes on");
        assert_eq!((report.damage, report.damage_is_news), (None, false));
    }
    let found = verify(&dock.options.dir, &[]).unwrap();
    assert!(!found.is_whole(), "for everybody else the lines are missing as before");
    assert_eq!(found.accepted[0].reason, "the disk was replaced");
    let (journal, _) = dock.open();
    assert!(matches!(journal.prune(at("2030-01-01T00:00:00Z")), Ok(Pruned::Refused(_))));
    journal.close().unwrap();

    // A later harm is a damage of its own, and so is a second cut.
    cut_to(&dock, 2);
    let report = live(&dock, "after the second cut");
    assert!(report.damage_is_news);
    let second = report.damage.unwrap();
    assert_eq!(accept(&dock.open().0, second.first_seq), None);
    dock.edit(|text| text.replacen("after the second", "before the second", 1));
    let report = live(&dock, "x");
    assert!(report.damage_is_news && report.damage.is_some());
}

#[test]
fn nothing_is_proved_by_an_index_that_a_power_cut_left_or_by_a_first_start() {
    let mut dock = Dock::with_lines(9);
    drop(dock.open());
    cut_to(&dock, 8);
    dock.options.boot = "boot-2".into();
    let (_, report) = dock.open();
    assert_eq!((report.damage, report.head.seq), (None, 8));
    assert!(report.rebuilt.is_some());
    let (_, report) = Dock::new().open();
    assert_eq!((report.damage, report.head), (None, Head::GENESIS));
    assert_eq!(report.rebuilt, None);
}
