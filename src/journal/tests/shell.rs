//! The log can be checked without this program: a shell and `sha256sum` are enough.

use super::*;
use std::process::Command;

fn verify(dir: &Path, anchors: &[Head]) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/verify_custody.sh");
    let anchors = anchors.iter().flat_map(|head| [head.seq.to_string(), head.hash.to_string()]);
    let output = Command::new("sh").arg(script).arg(dir).args(anchors).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), words.trim_end().to_owned())
}

/// Twelve lines in several files, with everything in them that might trip a shell.
fn log() -> (Dock, Head) {
    let mut dock = Dock::new();
    dock.options.file_bytes_max = 900;
    let (journal, _) = dock.open();
    for n in 1..=12 {
        let words =
            format!("  {n} $HOME `id` \\ \"quoted\" 'single' %s \t\n* \u{7} déjà \u{1F4F9} ");
        journal.commit_blocking(stopped(&words), at(NOON)).unwrap();
    }
    let head = journal.head();
    journal.close().unwrap();
    assert!(dock.names().len() > 3);
    (dock, head)
}

#[test]
fn a_whole_log_and_its_anchors_agree() {
    let (dock, head) = log();
    let (whole, words) = verify(&dock.options.dir, &[head, anchor(&dock, 5)]);
    assert_eq!((whole, words), (true, format!("whole: line 12, {}", head.hash)));
}

fn anchor(dock: &Dock, seq: u64) -> Head {
    let line = &lines(&dock.options.dir)[usize::try_from(seq).unwrap() - 1];
    Head { seq, hash: crate::types::Sha256Digest::of(line.as_bytes()) }
}

#[test]
fn an_edit_a_removal_and_a_missing_file_are_found() {
    let (dock, _) = log();
    let third = dock.log_files()[2].clone();
    let name = files::name_of(&third);
    let text = fs::read_to_string(&third).unwrap();
    let mut kept = text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(kept.len() >= 2);

    kept[0] = kept[0].replace("quoted", "Quoted");
    fs::write(&third, kept.join("\n") + "\n").unwrap();
    let (whole, words) = verify(&dock.options.dir, &[]);
    assert!(
        !whole && words.starts_with(&format!("{name}:2: does not continue {name}:1")),
        "{words}"
    );

    kept.remove(0);
    fs::write(&third, kept.join("\n") + "\n").unwrap();
    let (whole, words) = verify(&dock.options.dir, &[]);
    assert!(!whole && words.starts_with(&format!("{name}:1: ")), "{words}");

    fs::remove_file(third).unwrap();
    assert!(!verify(&dock.options.dir, &[]).0);
}

#[test]
fn a_truncation_is_found_by_an_anchor_only() {
    let (dock, head) = log();
    dock.edit(|text| text.lines().take(1).map(|line| format!("{line}\n")).collect());
    assert!(verify(&dock.options.dir, &[]).0);
    let (whole, words) = verify(&dock.options.dir, &[head]);
    assert!(!whole && words.ends_with("cut off before line 12"), "{words}");
    let other = Head { seq: 3, ..head };
    let (whole, words) = verify(&dock.options.dir, &[other]);
    assert!(!whole && words.ends_with("not as anchored"), "{words}");
}

#[test]
fn no_log_is_not_a_whole_log() {
    let empty = tempfile::tempdir().unwrap();
    assert!(!verify(empty.path(), &[]).0);
}

#[test]
fn a_pruned_log_is_checked_from_its_snapshot() {
    let dock = Dock::new();
    let (journal, _) = dock.open();
    for time in ["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"] {
        journal.commit_blocking(stopped(time), at(time)).unwrap();
    }
    journal.prune(at("2027-06-01T00:00:00Z")).unwrap();
    assert!(verify(&dock.options.dir, &[journal.head()]).0);
    fs::remove_file(snapshot::Snapshot::newest(&dock.options.dir).unwrap().unwrap().path).unwrap();
    assert!(!verify(&dock.options.dir, &[]).0);
}
