//! Torn ends, which are cut off, and damage anywhere else, which is named and never repaired.

use super::*;
use offline::{Anchored, verify};

#[test]
fn a_last_line_torn_at_any_byte_is_cut_off_and_kept() {
    let whole = Dock::with_lines(3);
    let path = whole.log_files().pop().unwrap();
    let bytes = fs::read(&path).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    // The index is left out so that one open is cheap; it was never closed with these bytes.
    for cut in last + 1..bytes.len() {
        let dock = Dock::new();
        fs::create_dir_all(&dock.options.dir).unwrap();
        let torn = dock.options.dir.join(files::name_of(&path));
        fs::write(&torn, &bytes[..cut]).unwrap();
        let survey = survey::Survey::take(&dock.options.dir, &[]).unwrap();
        assert_eq!((survey.head.seq, survey.damage()), (2, None), "cut at {cut}");
        let torn = survey.torn.unwrap();
        assert_eq!((torn.at, torn.bytes), (last as u64, (cut - last) as u64));
        if cut % 40 != 0 && cut + 1 != bytes.len() {
            continue;
        }
        let (journal, report) = dock.open();
        let cut_off = report.cut.clone().unwrap();
        assert_eq!(cut_off.bytes, (cut - last) as u64);
        assert_eq!(fs::read(dock.options.dir.join(&cut_off.kept_as)).unwrap(), bytes[last..cut]);
        assert!(matches!(&report.facts()[0].fact, Fact::LogRepaired { .. }));
        let next = journal.commit_blocking(report.facts(), at(NOON)).unwrap();
        assert_eq!(next.first, 3);
        assert!(verify(&dock.options.dir, &[next.head]).unwrap().is_whole());
    }
}

#[test]
fn a_hole_left_in_the_last_write_is_a_torn_end_but_a_hole_long_before_it_is_not() {
    let dock = Dock::with_lines(6);
    let path = dock.log_files().pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let feeds: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
    bytes[feeds[2] + 1..feeds[3] - 20].fill(0);
    fs::write(&path, &bytes).unwrap();
    // What leaves a hole, a power cut, also leaves an index that is not believed.
    fs::remove_dir_all(&dock.options.index_dir).unwrap();
    let (journal, report) = dock.open();
    assert_eq!((report.head.seq, report.damage), (3, None));
    assert_eq!(report.cut.unwrap().bytes, (bytes.len() - feeds[2] - 1) as u64);
    assert_eq!(state(&journal).0.len(), 3);
    drop(journal);

    let dock = Dock::new();
    let (journal, _) = dock.open();
    for _ in 0..5 {
        journal.commit_blocking(stopped(&"x".repeat(600_000)), at(NOON)).unwrap();
    }
    journal.close().unwrap();
    let path = dock.log_files().pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..120].fill(0);
    fs::write(&path, &bytes).unwrap();
    let (_, report) = dock.open();
    assert_eq!(report.cut, None);
    assert_eq!(report.damage.unwrap().line, 1);
}

/// What is done to a log of 8 lines, the first bad line that must be named, and the numbers.
type Harm = (&'static str, fn(&mut Vec<String>), u64, (u64, u64));

const HARMS: [Harm; 7] = [
    ("edit", |lines| lines[3] = lines[3].replace("reason", "season"), 4, (4, 5)),
    ("edit of prev", |lines| lines[3] = other_prev(&lines[3]), 4, (4, 4)),
    ("edit and new prev", |lines| rewrite_third(lines), 4, (4, 5)),
    ("removal", |lines| drop(lines.drain(3..5)), 4, (4, 6)),
    ("swap", |lines| lines.swap(3, 4), 4, (4, 5)),
    ("garble", |lines| lines[3] = "{\"prev\"".into(), 4, (4, 4)),
    ("twice", |lines| lines.insert(3, lines[2].clone()), 4, (4, 4)),
];

fn other_prev(line: &str) -> String {
    let (claim, rest) = line.split_at(r#"{"prev":""#.len());
    format!("{claim}{}{}", "0".repeat(64), &rest[64..])
}

/// Changes a line and makes the next one agree: then that one is found changed.
fn rewrite_third(lines: &mut [String]) {
    use crate::types::Sha256Digest;
    let old = Sha256Digest::of(lines[2].as_bytes()).to_string();
    lines[2] = lines[2].replace("reason", "season");
    let new = Sha256Digest::of(lines[2].as_bytes()).to_string();
    lines[3] = lines[3].replace(&old, &new);
}

fn harmed(change: fn(&mut Vec<String>)) -> Dock {
    let dock = Dock::with_lines(8);
    dock.edit(|text| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        lines.join("\n") + "\n"
    });
    dock
}

#[test]
fn the_first_bad_line_is_named_whatever_was_done() {
    for (name, change, line, seqs) in HARMS {
        let dock = harmed(change);
        let damage = verify(&dock.options.dir, &[]).unwrap().damage.expect(name);
        assert_eq!(damage.line, line, "{name}: {damage}");
        assert_eq!((damage.first_seq, damage.last_seq), seqs, "{name}: {damage}");
        assert!(damage.to_string().starts_with("custody-2026-03-01-001.jsonl:4: "), "{damage}");
    }
}

#[test]
fn damage_is_not_repaired_and_the_log_goes_on_behind_it() {
    for (name, change, line, _) in HARMS {
        let dock = harmed(change);
        let before = fs::read(dock.log_files().pop().unwrap()).unwrap();
        let (journal, report) = dock.open();
        assert_eq!(report.damage.as_ref().map(|d| d.line), Some(line), "{name}");
        assert_eq!(report.cut, None, "{name}");
        assert_eq!(journal.view().damage(), report.damage, "{name}");
        let next = journal.commit_blocking(stopped("behind"), at(NOON)).unwrap();
        assert_eq!(next.first, report.head.seq + 1, "{name}");
        let after = fs::read(dock.log_files().pop().unwrap()).unwrap();
        assert_eq!(after[..before.len()], before[..], "{name}");
        let verified = verify(&dock.options.dir, &[]).unwrap();
        assert_eq!(verified.damage, report.damage, "{name}: nothing new is bad");
    }
}

/// What is wrong in one place is accepted once, and then stops nothing, at the next start either.
fn one_acceptance_is_enough(dock: &Dock, name: &str) {
    let (journal, report) = dock.open();
    let damage = report.damage.unwrap_or_else(|| panic!("{name}: nothing is found"));
    let by: Actor = "user:ann".parse().unwrap();
    let left = journal.accept(damage.first_seq, by, at(NOON), "a bad disk".into()).unwrap();
    assert_eq!((left, journal.damage()), (None, None), "{name}: after {damage}");
    journal.close().unwrap();
    let (journal, report) = dock.open();
    assert_eq!((report.damage, report.damage_is_news), (None, false), "{name}: after {damage}");
    journal.close().unwrap();
}

#[test]
fn one_damaged_line_is_accepted_once() {
    for (name, change, _, _) in HARMS.into_iter().filter(|(name, ..)| *name != "swap") {
        one_acceptance_is_enough(&harmed(change), name);
    }
    let last: fn(&mut Vec<String>) = |lines| lines[7] = "{\"prev\"".into();
    one_acceptance_is_enough(&harmed(last), "garbled, and nothing behind it");
    // But not two of them.
    let dock = harmed(|lines| (3..5).for_each(|n| lines[n] = "no line".into()));
    let (journal, report) = dock.open();
    let by: Actor = "user:ann".parse().unwrap();
    let first = report.damage.unwrap().first_seq;
    let next = journal.accept(first, by, at(NOON), "a bad disk".into()).unwrap().unwrap();
    assert_eq!((first, next.first_seq, next.line), (4, 5, 5));
}

#[test]
fn damage_stays_known_in_older_files_until_the_log_is_whole_again() {
    let dock = Dock::with_lines(8);
    let path = dock.log_files().pop().unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.replace("reason 3", "season 3")).unwrap();
    let (journal, first) = dock.open();
    assert_eq!(first.damage.as_ref().map(|damage| damage.line), Some(3));
    journal.commit_blocking(stopped("x"), at("2026-03-02T12:00:00Z")).unwrap();
    journal.close().unwrap();
    for _ in 0..2 {
        let (journal, again) = dock.open();
        assert_eq!(again.damage, first.damage, "though it is no longer in the newest file");
        journal.close().unwrap();
    }
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    fs::write(&path, whole).unwrap();
    let (_, healed) = dock.open();
    assert_eq!(healed.damage, None);
    assert!(!dock.options.dir.join("damage.json").exists());
}

#[test]
fn damage_within_an_older_file_is_found_by_whatever_reads_it_and_known_from_then_on() {
    let dock = Dock::with_lines(8);
    let (journal, _) = dock.open();
    journal.commit_blocking(stopped("x"), at("2026-03-02T12:00:00Z")).unwrap();
    journal.close().unwrap();
    let older = dock.log_files().remove(0);
    let text = fs::read_to_string(&older).unwrap();
    fs::write(&older, text.replace("reason 3", "season 3")).unwrap();
    let (journal, report) = dock.open();
    assert_eq!(report.damage, None, "open reads only the ends of older files");
    journal.close().unwrap();
    let found = verify(&dock.options.dir, &[]).unwrap().damage;
    assert_eq!(found.as_ref().map(|damage| damage.line), Some(3));
    fs::remove_dir_all(&dock.options.index_dir).unwrap();
    for _ in 0..2 {
        let (journal, report) = dock.open();
        assert_eq!((&report.damage, &journal.damage()), (&found, &found));
        journal.close().unwrap();
    }
}

#[test]
fn files_that_do_not_fit_together_are_found_at_open() {
    type Change = fn(&[PathBuf]);
    let changes: [(&str, Change); 5] = [
        ("first missing", |files| fs::remove_file(&files[0]).unwrap()),
        ("middle missing", |files| fs::remove_file(&files[2]).unwrap()),
        ("middle cut", |files| {
            let text = fs::read_to_string(&files[2]).unwrap();
            fs::write(&files[2], &text[..text.len() - 30]).unwrap();
        }),
        ("middle emptied", |files| fs::write(&files[2], "").unwrap()),
        ("last line of an older file edited", |files| {
            let text = fs::read_to_string(&files[2]).unwrap();
            let at = text.rfind("reason").unwrap();
            fs::write(&files[2], [&text[..at], "s", &text[at + 1..]].concat()).unwrap();
        }),
    ];
    for (name, change) in changes {
        let mut dock = Dock::new();
        dock.options.file_bytes_max = 700;
        let (journal, _) = dock.open();
        for n in 0..14 {
            journal.commit_blocking(stopped(&format!("reason {n}")), at(NOON)).unwrap();
        }
        journal.close().unwrap();
        assert!(dock.names().len() > 4);
        change(&dock.log_files());
        assert!(!verify(&dock.options.dir, &[]).unwrap().is_whole(), "{name}");
        let (journal, report) = dock.open();
        assert!(report.damage.is_some(), "{name}");
        assert_eq!(journal.commit_blocking(stopped("on"), at(NOON)).unwrap().first, 15, "{name}");
        journal.close().unwrap();
        one_acceptance_is_enough(&dock, name);
    }
}

#[test]
fn anchors_tell_a_truncated_or_rewritten_log_from_a_whole_one() {
    let dock = Dock::with_lines(8);
    let head = |seq| {
        let line = &lines(&dock.options.dir)[seq as usize - 1];
        Head { seq, hash: crate::types::Sha256Digest::of(line.as_bytes()) }
    };
    let anchors = [head(8), head(2), head(5)];
    let compared = |anchors: &[Head]| {
        let report = verify(&dock.options.dir, anchors).unwrap();
        assert_eq!(report.damage, None);
        (report.is_whole(), report.anchors.into_iter().map(|(_, at)| at).collect::<Vec<_>>())
    };
    assert_eq!(compared(&anchors), (true, vec![Anchored::Agrees; 3]));
    let other = Head { hash: head(2).hash, ..head(3) };
    assert_eq!(compared(&[other]), (false, vec![Anchored::Differs]));
    dock.edit(|text| text.lines().take(6).map(|line| format!("{line}\n")).collect());
    let expected = vec![Anchored::BeyondEnd, Anchored::Agrees, Anchored::Agrees];
    assert_eq!(compared(&anchors), (false, expected));

    // A forger who writes the whole chain anew is caught by any anchor behind the change.
    let forged = Dock::new();
    let (journal, _) = forged.open();
    for n in 1..=8 {
        let words = if n == 4 { "forged".into() } else { format!("reason {n}") };
        journal.commit_blocking(stopped(&words), at(NOON)).unwrap();
    }
    let report = verify(&forged.options.dir, &anchors).unwrap();
    let found: Vec<_> = report.anchors.iter().map(|(_, at)| *at).collect();
    assert_eq!(found, [Anchored::Differs, Anchored::Agrees, Anchored::Differs]);
}

#[test]
fn a_log_of_a_newer_program_is_not_touched() {
    let dock = Dock::with_lines(2);
    dock.edit(|text| text + "{\"v\":2,\"fact\":{\"type\":\"unheard_of\"}}\n");
    assert!(matches!(dock.try_open(), Err(JournalError::Newer { v: 2, .. })));
    assert!(matches!(verify(&dock.options.dir, &[]), Err(JournalError::Newer { .. })));
}
