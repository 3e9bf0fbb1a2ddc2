//! How fast, and in how much memory. Not run by default; prints figures:
//! `cargo test --release --lib journal::tests::speed -- --ignored --nocapture`

use super::*;
use crate::types::{ObjectId, SegmentId};
use std::time::Instant;

const SEGMENTS: u64 = 100_000;
/// What a segment leaves in the log here: seen by upload, four parts, receipt.
const FACTS_A_SEGMENT: u64 = 6;

/// About what a real fold does: a record, an index entry, and reading the record back.
fn busy_fold(entry: &Entry, table: &mut dyn Table) -> Result<(), IndexBroken> {
    let (key, words) = match &entry.fact {
        Fact::UploadCreated { object, upload } => (object, upload),
        Fact::PartAcknowledged { object, etag, .. } => (object, etag),
        Fact::ReceiptPlaced { object } => {
            table.remove(&[b"q/", &object.as_bytes()[..]].concat());
            return Ok(());
        }
        _ => return Ok(()),
    };
    let record = [b"o/", &key.as_bytes()[..]].concat();
    let mut value = table.get(&record)?.unwrap_or_else(|| vec![b'x'; 300]);
    value.truncate(300);
    value.extend(words.as_bytes());
    table.put(record, value);
    table.put([b"q/", &key.as_bytes()[..]].concat(), vec![1]);
    Ok(())
}

fn facts(segment: u64) -> Vec<NewFact> {
    let object = ObjectId(uuid::Uuid::from_u128(u128::from(segment) << 64 | 0x7000));
    let upload = format!("VXBsb2FkIElEIGZvciBlbHZpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA{segment}");
    let part = |number| {
        let etag = "\"9b2cf535f27731c974343645a3985328\"".into();
        Fact::PartAcknowledged { object, number, etag }
    };
    let released = Fact::Released { segment: SegmentId(object.0) };
    [Fact::UploadCreated { object, upload }, part(1), part(2), part(3), part(4), released]
        .map(NewFact::from)
        .to_vec()
}

fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
#[ignore = "measures; asserts nothing a busy machine could not break"]
fn figures() {
    let dock = Dock::new();
    let open = || Journal::open(dock.options.clone(), busy_fold, at(NOON)).unwrap();
    let lines = SEGMENTS * FACTS_A_SEGMENT;
    let rate = |from: Instant| lines as f64 / from.elapsed().as_secs_f64();

    let (journal, _) = open();
    let start = Instant::now();
    for segment in 0..SEGMENTS {
        drop(journal.commit(facts(segment), at(NOON)));
    }
    journal.commit_blocking(stopped("end"), at(NOON)).unwrap();
    let (_, syncs) = journal.counts();
    println!("commit: {lines} lines, {:.0} a second, {syncs} syncs", rate(start));
    let start = Instant::now();
    for n in 0..200 {
        journal.commit_blocking(stopped(&n.to_string()), at(NOON)).unwrap();
    }
    println!("one commit at a time: {:.2} ms", start.elapsed().as_secs_f64() * 5.0);
    journal.close().unwrap();
    println!("peak so far: {} MiB", peak_mib());

    let start = Instant::now();
    let (journal, _) = open();
    println!("open after a clean close: {:.3} s", start.elapsed().as_secs_f64());
    journal.close().unwrap();

    let start = Instant::now();
    offline::verify(&dock.options.dir, &[]).unwrap();
    println!("verify: {:.0} lines a second", rate(start));

    fs::remove_dir_all(&dock.options.index_dir).unwrap();
    let start = Instant::now();
    let (journal, report) = open();
    assert!(report.lines_folded > lines);
    println!("rebuild: {:.0} lines a second", rate(start));
    journal.close().unwrap();
    println!("peak: {} MiB", peak_mib());
}
