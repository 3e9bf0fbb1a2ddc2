//! One object's way to a store that never does what it should, over hours and restarts.

use crate::{
    dock::{
        event::UploadEnd,
        sending::{Sending, Turn},
    },
    transfer::{
        Answer, Backoff, Call, Enforces, Fault, Limits, ListedPart, PartAck, Resume, StoreError,
        Upload,
    },
    types::{
        Class, Md5Digest, ObjectId, ReceiptLevel, RecordingId, Sha256Digest,
        fact::{Content, Hashed, Part, PartTable, SealedObject},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

fn object() -> Arc<SealedObject> {
    let part = |n| Part { sha256: Sha256Digest([n; 32]), md5: Some(Md5Digest([n; 16])) };
    let hashed = Hashed { size: 15, sha256: Sha256Digest([9; 32]) };
    Arc::new(SealedObject {
        id: ObjectId(uuid::Uuid::nil()),
        content: Content::Record(RecordingId(uuid::Uuid::nil())),
        plain: hashed,
        sealed: hashed,
        table: PartTable { part_size: 8, parts: vec![part(1), part(2)] },
        key: "k".into(),
        class: Class::Evidential,
        retain_until: None,
    })
}

const LIMITS: Limits = Limits {
    parts_in_flight: 2,
    wanted: ReceiptLevel::ReadBack,
    enforces: Enforces { sha256: true, md5: true, if_none_match: true },
    backoff: Backoff {
        base: std::time::Duration::from_secs(2),
        cap: std::time::Duration::from_secs(300),
    },
};

/// What the store says: everything works, but for Complete.
fn answer(call: &Call, complete: Fault) -> Result<Answer, StoreError> {
    let etag = |n: u32| Md5Digest([n as u8; 16]).to_string();
    let row = |number: u32| ListedPart {
        number,
        etag: etag(number),
        size: if number == 1 { 8 } else { 7 },
    };
    Ok(match call {
        Call::Head => Answer::Head(None),
        Call::FindUploads => Answer::Uploads(Vec::new()),
        Call::Create => Answer::Created("u".into()),
        Call::ListParts { .. } => Answer::Parts(vec![row(1), row(2)]),
        Call::PutPart { number, .. } => {
            Answer::Part(PartAck { etag: etag(*number), sha256_echoed: true, etag_is_md5: true })
        }
        Call::Complete { .. } => {
            return Err(StoreError { call: "Complete", fault: complete, words: "412".into() });
        }
        Call::Abort { .. } => Answer::Aborted,
        Call::ReadBack => Answer::ReadBack { size: 0, sha256: Sha256Digest([0; 32]) },
        Call::CheckSpool => Answer::Spool { intact: true },
    })
}

type Answers<'a> = &'a dyn Fn(&Call) -> Result<Answer, StoreError>;

/// Sends for hours, as the dock does: a new machine after every wait, with what was remembered.
/// Gives the requests of each hour and the last words.
fn send_for(hours: i64, mut seed_of: impl FnMut() -> u64, answer: Answers) -> (Vec<usize>, String) {
    let began: Timestamp = "2026-03-14T23:00:00Z".parse().unwrap();
    let end = began + SignedDuration::from_hours(hours);
    let (mut now, mut said) = (began, String::new());
    let mut asked = vec![0; hours as usize];
    let mut resume = Resume { maybe_begun: true, ..Resume::default() };
    while now < end {
        let upload = Upload::new(object(), resume.clone(), LIMITS, seed_of());
        let mut sending = Sending::new(upload);
        loop {
            match sending.poll(now) {
                Turn::Remember(facts) => {
                    for fact in facts {
                        if let crate::types::fact::Fact::UploadCreated { upload, .. } = fact {
                            resume.upload = Some(upload);
                        }
                    }
                }
                Turn::Do(call) => {
                    now += SignedDuration::from_millis(50);
                    if let Some(hour) =
                        asked.get_mut((now.duration_since(began).as_hours()) as usize)
                    {
                        *hour += 1;
                    }
                    let result = answer(&call);
                    sending.handle(now, call, result);
                }
                Turn::Sleep(until) => now = until,
                Turn::Idle => unreachable!("every call is answered at once"),
                Turn::End(UploadEnd::Failed { attempts, words, retry_at, .. }) => {
                    (resume.attempts, said, now) = (attempts, words, retry_at);
                    break;
                }
                Turn::End(end) => panic!("{end:?}"),
            }
        }
    }
    (asked, said)
}

#[test]
fn a_store_that_says_412_for_ever_is_asked_a_few_times_an_hour_and_a_person_is_called() {
    for fault in [Fault::Exists, Fault::Conflict] {
        let (asked, said) = send_for(24, || 7, &|call| answer(call, fault));
        assert!(said.contains("have the store examined"), "{said}");
        assert!(asked[0] < 60, "{asked:?}");
        assert!(asked[2..].iter().all(|hour| *hour <= 10), "{asked:?}");
    }
}

#[test]
fn every_attempt_draws_its_wait_anew() {
    let down = |_: &Call| {
        Err(StoreError { call: "any", fault: Fault::Network, words: "no connection".into() })
    };
    for seed in 0..500 {
        let (asked, _) = send_for(3, || seed, &down);
        assert!(asked.iter().all(|hour| *hour <= 80), "seed {seed}: {asked:?}");
    }
}
