//! The folder as a store, driven by the upload machine, on a real file system.

use super::*;
use crate::{
    spool::SpoolFile,
    store::{Store as _, establish, perform, tests::object},
    transfer::{
        Backoff, Call, Limits, Resume, Step, StoredProof, Upload, Why,
        marks::{MarkChange, MarksWanted},
    },
    types::{
        Class, ReceiptLevel,
        fact::{Fact, MarksAsked, SealedObject},
    },
};
use jiff::{SignedDuration, Timestamp};
use rustix::io::Errno;
use std::{fs, path::Path};
use tempfile::TempDir;

const BYTES: &[u8] = b"sealed bytes of an object in four parts";
const ENFORCES: Enforces = Enforces { sha256: false, md5: false, if_none_match: true };

fn door(folder: &Path) -> Directory {
    Directory::new(folder.to_owned(), Limiter::new(0, 0), 1024)
}

fn setup(dry_run: bool) -> FolderSetup {
    FolderSetup { dry_run, stale_upload_days: 14, now: Timestamp::now() }
}

async fn store() -> (TempDir, Directory) {
    let folder = tempfile::tempdir().unwrap();
    let store = door(folder.path());
    assert!(store.set_up(setup(false)).await.unwrap().is_a_store);
    (folder, store)
}

/// What a crash leaves of an upload: its durable facts.
#[derive(Default)]
struct Remembered {
    facts: Vec<Fact>,
    calls: Vec<Call>,
}

impl Remembered {
    fn resume(&self) -> Resume {
        let upload = self.facts.iter().rev().find_map(|fact| match fact {
            Fact::UploadCreated { upload, .. } => Some(upload.clone()),
            _ => None,
        });
        // Acknowledgements may lag: none of them is remembered.
        Resume { upload, maybe_begun: true, ..Resume::default() }
    }

    fn parts_sent(&self) -> usize {
        self.calls.iter().filter(|call| matches!(call, Call::PutPart { .. })).count()
    }
}

/// Runs the machine until it ends, or until so many calls were made.
async fn run(
    store: &Directory,
    object: &Arc<SealedObject>,
    calls: usize,
    log: &mut Remembered,
) -> Option<Result<StoredProof, (Why, String)>> {
    let file = SpoolFile::from_bytes(BYTES.to_vec());
    let limits = Limits {
        parts_in_flight: 1,
        wanted: ReceiptLevel::ReadBack,
        enforces: ENFORCES,
        backoff: Backoff::default(),
    };
    let mut upload = Upload::new(object.clone(), log.resume(), limits, 1);
    let mut now = Timestamp::now();
    let mut made = 0;
    loop {
        match upload.poll(now) {
            Step::Remember(facts) => log.facts.extend(facts),
            Step::Do(_) if made == calls => return None,
            Step::Do(call) => {
                made += 1;
                log.calls.push(call.clone());
                let result = perform(store, object, &file, &call).await;
                upload.handle(now, call, result);
            }
            Step::Wait(until) => now = until,
            Step::Idle | Step::Paused => panic!("nothing is on its way"),
            Step::Done(proof) => return Some(Ok(proof)),
            Step::GiveUp(end) => return Some(Err((end.why, end.words))),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_lands_whole_read_back_and_with_its_record() {
    let (folder, store) = store().await;
    let object = object(BYTES);
    let mut log = Remembered::default();
    let proof = run(&store, &object, usize::MAX, &mut log).await.unwrap().unwrap();
    assert_eq!((proof.level(), log.parts_sent()), (ReceiptLevel::ReadBack, 4));
    assert!(log.calls.contains(&Call::ReadBack));
    assert_eq!(fs::read(folder.path().join(&object.key)).unwrap(), BYTES);
    assert!(proof.head().lock_mode.is_none(), "a folder locks nothing");
    // Nothing is left of the way.
    assert_eq!(fs::read_dir(folder.path().join(".bwvdock-uploads")).unwrap().count(), 0);
    assert_eq!(store.open_uploads(&object.key).await.unwrap(), []);
    let record = fs::read_to_string(folder.path().join(format!("{}.marks", object.key))).unwrap();
    assert!(record.contains("enforces neither") && record.contains("\"unreviewed\""), "{record}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_at_any_call_nothing_is_sent_twice_and_one_object_is_there() {
    // Look, find, create, four parts, complete, look, read back.
    for cut in 0..11 {
        let (folder, store) = store().await;
        let object = object(BYTES);
        let mut log = Remembered::default();
        let first = run(&store, &object, cut, &mut log).await;
        let again = door(folder.path());
        let proof = match first {
            Some(end) => end.unwrap(),
            None => run(&again, &object, usize::MAX, &mut log).await.unwrap().unwrap(),
        };
        assert_eq!((proof.level(), log.parts_sent()), (ReceiptLevel::ReadBack, 4), "{cut}");
        assert_eq!(fs::read(folder.path().join(&object.key)).unwrap(), BYTES);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_cut_off_in_the_middle_is_not_believed() {
    let (folder, store) = store().await;
    let object = object(BYTES);
    let mut log = Remembered::default();
    assert!(run(&store, &object, 5, &mut log).await.is_none());
    // The power went while the line of the second part was written.
    let upload = log.resume().upload.unwrap();
    let parts = folder.path().join(".bwvdock-uploads").join(upload).join("parts");
    let text = fs::read_to_string(&parts).unwrap();
    assert_eq!(text.lines().count(), 2);
    fs::write(&parts, &text[..text.len() - 1]).unwrap();
    run(&store, &object, usize::MAX, &mut log).await.unwrap().unwrap();
    assert_eq!(log.parts_sent(), 5);
    assert_eq!(fs::read(folder.path().join(&object.key)).unwrap(), BYTES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rot_on_the_way_is_found_before_the_object_has_its_name() {
    let (folder, store) = store().await;
    let object = object(BYTES);
    let mut log = Remembered::default();
    assert!(run(&store, &object, 7, &mut log).await.is_none());
    let upload = log.resume().upload.unwrap();
    let data = folder.path().join(".bwvdock-uploads").join(upload).join("data");
    let mut bytes = fs::read(&data).unwrap();
    assert_eq!(bytes, BYTES, "all parts are there");
    bytes[20] ^= 1;
    fs::write(&data, bytes).unwrap();
    run(&store, &object, usize::MAX, &mut log).await.unwrap().unwrap();
    assert_eq!(log.parts_sent(), 8, "all of it was written anew");
    assert_eq!(fs::read(folder.path().join(&object.key)).unwrap(), BYTES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_file_under_the_name_is_never_replaced() {
    let (folder, store) = store().await;
    let object = object(BYTES);
    let path = folder.path().join(&object.key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, vec![7; BYTES.len()]).unwrap();
    let mut log = Remembered::default();
    let end = run(&store, &object, usize::MAX, &mut log).await.unwrap();
    assert!(matches!(end, Err((Why::Unequal, _))), "{end:?}");
    assert_eq!(fs::read(&path).unwrap(), vec![7; BYTES.len()]);
    // Nor by the last step alone.
    let upload = store.create(&object).await.unwrap();
    let error = store.complete(&object, &upload, &[]).await.unwrap_err();
    assert_eq!(error.fault, Fault::Exists);
    store.put_small("receipt", b"one".to_vec(), "").await.unwrap();
    store.put_small("receipt", b"two".to_vec(), "").await.unwrap();
    assert_eq!(fs::read(folder.path().join("receipt")).unwrap(), b"one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_written_over_with_as_many_bytes_is_not_said_to_be_held() {
    let (folder, store) = store().await;
    let object = object(BYTES);
    run(&store, &object, usize::MAX, &mut Remembered::default()).await.unwrap().unwrap();
    let path = folder.path().join(&object.key);
    let again = async || {
        let head = store.head(&object.key).await.unwrap().unwrap();
        StoredProof::again(&object, head, ReceiptLevel::ReadBack, None)
    };
    assert!(again().await.is_some());
    let write = |bytes: &[u8], seconds| {
        fs::write(&path, bytes).unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(seconds);
        fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    };
    write(&vec![7; BYTES.len()], 1);
    assert!(again().await.is_none());
    store.read_back(&object.key, object.sealed.size).await.unwrap();
    assert!(again().await.is_none(), "reading junk makes it no better");
    // The right bytes with another time: only once they were read.
    write(BYTES, 2);
    assert!(again().await.is_none());
    store.read_back(&object.key, object.sealed.size).await.unwrap();
    assert!(again().await.is_some());
    // A record of before the time was kept tells the size only.
    let marks = folder.path().join(format!("{}.marks", object.key));
    let text = fs::read_to_string(&marks).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(record.as_object_mut().unwrap().remove("modified").is_some());
    fs::write(&marks, record.to_string()).unwrap();
    write(&vec![7; BYTES.len()], 3);
    assert!(again().await.is_some());
    fs::write(&path, b"short").unwrap();
    assert!(again().await.is_none());
    fs::remove_file(&path).unwrap();
    assert_eq!(store.head(&object.key).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_mount_point_is_not_filled() {
    let folder = tempfile::tempdir().unwrap();
    let store = door(folder.path());
    let error = store.create(&object(BYTES)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Network, "it passes when the mount is there");
    assert!(error.words.contains("not mounted") && error.words.contains("store setup"));
    let gone = door(&folder.path().join("gone"));
    assert!(gone.probe("dock/").await.unwrap_err().words.contains("not mounted"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
    assert_eq!(store.set_up(setup(true)).await.unwrap().problems.len(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nor by a dry run");
    let report = store.set_up(setup(false)).await.unwrap();
    assert!(!report.was_a_store && report.is_a_store && report.problems.is_empty());
    assert!(store.set_up(setup(false)).await.unwrap().was_a_store);
    assert!(store.probe("dock/").await.unwrap().signature);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_are_noted_and_never_called_locked() {
    let (_folder, store) = store().await;
    let object = object(BYTES);
    run(&store, &object, usize::MAX, &mut Remembered::default()).await.unwrap().unwrap();
    let until = Timestamp::now() + SignedDuration::from_hours(24);
    let mut wanted = MarksWanted {
        asked: MarksAsked { class: Class::Evidential, evidence: true },
        lock: true,
        retain_until: Some(until),
        hold_is_ours: true,
        known_class: Some(Class::Unreviewed),
    };
    let seen = establish(&store, &object.key, None, &wanted, 0).await.unwrap();
    assert!(seen.noted_only && seen.legal_hold && seen.lacks.is_none(), "{seen:?}");
    assert_eq!((seen.class, seen.retain_until), (Some(Class::Evidential), Some(until)));
    // A retention is never made shorter.
    let mode = "GOVERNANCE".to_owned();
    let shorter = MarkChange::Retain { mode, until: Timestamp::UNIX_EPOCH };
    store.mark(&object.key, None, &shorter).await.unwrap();
    wanted.asked = MarksAsked { class: Class::Unreviewed, evidence: false };
    wanted.known_class = seen.class;
    let seen = establish(&store, &object.key, None, &wanted, 0).await.unwrap();
    assert_eq!((seen.class, seen.legal_hold), (Some(Class::Unreviewed), false));
    assert_eq!(seen.retain_until, Some(until));
    let nothing = establish(&store, "not/there", None, &wanted, 0).await.unwrap();
    assert!(nothing.lacks.unwrap().contains("no longer has this object"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_nobody_finished_are_cleared_away_when_they_are_old() {
    let (_folder, store) = store().await;
    let object = object(BYTES);
    store.create(&object).await.unwrap();
    assert_eq!(store.set_up(setup(false)).await.unwrap().stale_uploads, 0);
    let later = Timestamp::now() + SignedDuration::from_hours(24 * 15);
    let report = store.set_up(FolderSetup { now: later, ..setup(false) }).await.unwrap();
    assert_eq!(report.stale_uploads, 1);
    assert_eq!(store.open_uploads(&object.key).await.unwrap(), []);
}

#[test]
fn what_the_file_system_says_is_said_in_words() {
    for (errno, fault, part) in [
        (Errno::NOSPC, Fault::Full, "no space"),
        (Errno::DQUOT, Fault::Full, "quota"),
        (Errno::ROFS, Fault::Unwritable, "read-only"),
        (Errno::IO, Fault::Unwritable, "dmesg"),
        (Errno::STALE, Fault::Network, "mount it again"),
        (Errno::ACCESS, Fault::Unwritable, "right to write"),
        (Errno::NOENT, Fault::Missing, "not there"),
        (Errno::EXIST, Fault::Exists, "already"),
        (Errno::HOSTDOWN, Fault::Network, "does not answer"),
    ] {
        let trouble = words::while_("write", "a/b")(errno);
        assert_eq!(trouble.fault, fault);
        assert!(trouble.words.contains("a/b") && trouble.words.contains(part), "{trouble:?}");
        let error = words::io("write", "a/b")(std::io::Error::from(errno));
        assert_eq!(error, trouble);
    }
}
