//! The real daemon behind the bad network: from camera to receipt, and nothing erased early.

use crate::{
    ending,
    footage::Footage,
    http::{error, error_with, says},
    ledger::Ledger,
    outside::Outside,
    proxy::{Fault, Op, Proxy, Rule},
    rig::{self, Process, Rig},
    wire::{Cable, Wire},
};
use bwvdock::{
    api::Request,
    config::Config,
    dock::{
        Stage,
        report::{BayReport, Light, StatusReport},
    },
    types::{ObjectId, fact::Fact, fact::Target},
};
use std::{
    fs,
    time::{Duration, Instant},
};

const MIB: u64 = 1 << 20;
const WITHIN: Duration = Duration::from_secs(180);
/// Bytes of segments with several parts, where those matter.
const LARGE: u64 = 12 * MIB;

/// A dock, its store, and the network between them.
struct Scene {
    began: Instant,
    rig: Rig,
    vault: Process,
    footage: Footage,
    ledger: Ledger,
    outside: Outside,
}

impl Scene {
    /// A plain store behind the proxy; a daemon whose waits are up to `retry_seconds`, first and
    /// longest.
    fn plain(large: u64, retry_seconds: (u64, u64)) -> (Self, Proxy) {
        let mut rig = Rig::new();
        let vault = rig.start_plain_vault();
        let upstream = rig.plain_endpoint().trim_start_matches("http://").parse().unwrap();
        let proxy = Proxy::start(upstream);
        let endpoint = proxy.endpoint();
        let scene = Self::set(rig, vault, large, |config| {
            config.store.endpoint = endpoint.parse().unwrap();
            config.store.ca_file = None;
            config.transfer.retry_seconds_base = retry_seconds.0;
            config.transfer.retry_seconds_max = retry_seconds.1;
        });
        (scene, proxy)
    }

    fn set(rig: Rig, vault: Process, large: u64, tune: impl FnOnce(&mut Config)) -> Self {
        let footage = Footage::make(&rig, 2, large, 11);
        rig.configure(&footage.folders(), |config| {
            config.store.part_bytes = 5 * MIB;
            tune(config);
        });
        let ledger = Ledger::new(rig.journal());
        let began = Instant::now();
        Self { began, rig, vault, footage, ledger, outside: Outside::default() }
    }

    fn start(&self) -> Process {
        let mut daemon = self.rig.start_daemon();
        self.rig.await_ready(&mut daemon);
        daemon
    }

    fn status(&self) -> StatusReport {
        self.rig.ask(&Request::Status)
    }

    /// Waits for the thing itself, with a limit.
    fn until(&self, what: &str, mut holds: impl FnMut(&StatusReport) -> bool) -> StatusReport {
        let end = Instant::now() + WITHIN;
        loop {
            let status = self.status();
            if holds(&status) {
                return status;
            }
            let words = self.rig.last_words();
            assert!(Instant::now() < end, "never {what}: {status:#?}; {words}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Everything is copied; the store is what it waits for.
    fn until_copied(&self) -> StatusReport {
        self.until("copied", |status| {
            let seen = status.segments.iter().filter(|amount| amount.stage == Stage::Seen);
            status.recordings > 0 && seen.map(|amount| amount.count).sum::<u64>() == 0
        })
    }

    fn problem(&self, words: &str) {
        let has = |status: &StatusReport| status.problems.iter().any(|p| p.contains(words));
        self.until(words, has);
    }

    fn nothing_is_erased(&self) {
        let gone: Vec<_> =
            self.footage.originals.keys().filter(|place| !self.footage.holds(place)).collect();
        assert!(gone.is_empty(), "erased early: {gone:?}");
    }

    fn retry(&self) {
        let retry = Request::Retry { target: Target::Dock, reason: None };
        let _: serde_json::Value = self.rig.ask(&retry);
    }

    /// Everything gets through, once, and every word of it is proved from outside.
    fn ends_well(mut self, mut daemon: Process) {
        self.rig.await_done(WITHIN);
        assert!(daemon.stop(), "the daemon did not end well; {}", self.rig.last_words());
        assert!(self.vault.stop(), "the store did not end well");
        self.outside.check(&self.rig, &self.footage, &mut self.ledger);
        ending::every_segment_once(&self.rig, &self.footage, &self.ledger);
        ending::nothing_left_over(&self.rig, &self.ledger);
        ending::receipts_hold(&self.rig, &self.ledger);
        eprintln!("ends well after {:.1?}", self.began.elapsed());
    }

    /// Failed attempts of each object in the log, in order.
    fn attempts(&self) -> Vec<(ObjectId, u32)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.rig.journal()).unwrap() {
            let path = entry.unwrap().path();
            let log = path.extension().is_some_and(|extension| extension == "jsonl");
            let text = if log { fs::read_to_string(&path).unwrap() } else { String::new() };
            for line in text.lines() {
                let entry: bwvdock::types::fact::Entry = serde_json::from_str(line).unwrap();
                if let Fact::UploadFailed { object, attempts, .. } = entry.fact {
                    found.push((object, attempts));
                }
            }
        }
        found
    }
}

fn rule(op: Op, skip: u32, fault: Fault) -> Rule {
    Rule { op: Some(op), key_end: ".age", shown: false, skip, times: 1, fault }
}

fn always(op: Option<Op>, key_end: &'static str, fault: Fault) -> Rule {
    Rule { op, key_end, shown: false, skip: 0, times: u32::MAX, fault }
}

/// All of it, one after the other, while one shift is brought in.
#[test]
fn daemon_brings_a_shift_through_every_fault() {
    let (scene, proxy) = Scene::plain(LARGE, (1, 1));
    let portal = says("200 OK", "content-type: text/html\r\n", "<!DOCTYPE html><html></html>");
    let error_in_200 = says("200 OK", "", "<Error><Code>InternalError</Code></Error>");
    proxy.set(vec![
        rule(Op::Create, 0, Fault::CutAnswer(0)),
        rule(Op::Create, 1, Fault::Answer(portal)),
        rule(Op::Create, 1, Fault::Answer(error("503 Slow Down", "SlowDown"))),
        rule(Op::UploadPart, 0, Fault::CutRequest(100_000)),
        rule(Op::UploadPart, 1, Fault::CutAnswer(0)),
        rule(Op::UploadPart, 1, Fault::FlipBit(77)),
        rule(Op::UploadPart, 1, Fault::ResetRequest(70_000)),
        rule(Op::UploadPart, 1, Fault::Answer(says("302 Found", "location: http://x/\r\n", ""))),
        rule(Op::UploadPart, 1, Fault::Answer(says("200 OK", "etag: \"0abc\"\r\n", ""))),
        rule(Op::Complete, 0, Fault::CutAnswer(0)),
        rule(Op::Complete, 1, Fault::AnswerAfter(error_in_200.clone())),
        rule(Op::Complete, 1, Fault::Answer(error_in_200)),
        rule(Op::Complete, 1, Fault::Answer(error("409 Conflict", "OperationAborted"))),
        rule(Op::Complete, 1, Fault::Answer(error("412 No", "PreconditionFailed"))),
        rule(Op::Complete, 1, Fault::CutRequest(0)),
        rule(Op::Head, 2, Fault::ResetAnswer(0)),
        rule(Op::Head, 5, Fault::Answer(error("500 Oh", "InternalError"))),
        rule(Op::ListParts, 0, Fault::CutAnswer(300)),
        rule(Op::ListUploads, 0, Fault::Answer(error("502 Bad Gateway", ""))),
        Rule { key_end: ".receipt", ..rule(Op::Put, 0, Fault::CutAnswer(0)) },
    ]);
    let daemon = scene.start();
    scene.until("struck", |_| proxy.struck() >= 15);
    scene.ends_well(daemon);
    eprintln!("{} of {} requests struck", proxy.struck(), proxy.seen().len());
}

/// An outage: nothing lost, nothing erased, no storm, attempts counted on over a kill -9.
#[test]
fn daemon_waits_out_a_captive_portal_and_a_kill() {
    let (scene, proxy) = Scene::plain(0, (2, 8));
    let portal =
        says("200 OK", "content-type: text/html\r\netag: \"x\"\r\n", "<html>log in</html>");
    proxy.set(vec![always(None, "", Fault::Answer(portal))]);
    let mut daemon = scene.start();
    let began = Instant::now();
    scene.until_copied();
    scene.problem("answered 200 OK with a web page");
    scene.until("asked", |_| scene.attempts().len() >= 4);
    assert!(daemon.kill_9());
    let before = scene.attempts();
    let mut daemon = scene.start();
    scene.until("asked again", |_| scene.attempts().len() >= before.len() + 3);
    // At the start every object is asked for at once; afterwards one at a time, ever later.
    let (asked, seconds) = (proxy.seen().len(), began.elapsed().as_secs() as usize);
    assert!(asked <= 2 * 8 + 2 * seconds, "a storm: {asked} requests in {seconds} s");
    for object in before.iter().map(|(object, _)| object) {
        let of = |(o, attempts): &(ObjectId, u32)| (o == object).then_some(*attempts);
        let counted: Vec<u32> = scene.attempts().iter().filter_map(of).collect();
        assert!(counted.is_sorted_by(|a, b| a < b), "attempts begin anew: {counted:?}");
    }
    scene.nothing_is_erased();
    assert!(daemon.is_alive());
    proxy.heal();
    scene.retry();
    scene.ends_well(daemon);
}

/// The store names its time; nobody asks before.
#[test]
fn daemon_honours_retry_after() {
    let (scene, proxy) = Scene::plain(0, (1, 1));
    let busy = error_with("503 Slow Down", "SlowDown", "retry-after: 6\r\n");
    proxy.set(vec![rule(Op::Create, 0, Fault::Answer(busy))]);
    let daemon = scene.start();
    scene.until("struck", |_| proxy.struck() == 1);
    let struck = proxy.seen().iter().find(|seen| seen.struck).unwrap().at;
    scene.until("asked again", |_| {
        let later = |seen: &crate::proxy::Seen| {
            seen.op == Op::Create && seen.key.ends_with(".age") && seen.at > struck
        };
        proxy.seen().iter().filter(|seen| later(seen)).count() >= 4
    });
    // What was on its way already may still arrive.
    let creates: Vec<Duration> = proxy
        .seen()
        .iter()
        .filter(|seen| seen.op == Op::Create && seen.at > struck)
        .map(|seen| seen.at - struck)
        .filter(|after| *after > Duration::from_millis(1500))
        .collect();
    assert!(creates.iter().all(|after| *after >= Duration::from_secs(6)), "{creates:?}");
    scene.ends_well(daemon);
}

/// A full store and wrong credentials need people: words, and hardly a request.
#[test]
fn daemon_calls_people_to_a_full_store_and_to_wrong_credentials() {
    for (status, code, words, called) in [
        (
            "507 Insufficient Storage",
            "InsufficientStorage",
            "ask its administrator for space",
            "the store is full",
        ),
        ("403 Forbidden", "AccessDenied", "check the credentials", "the store refuses this dock"),
    ] {
        let (scene, proxy) = Scene::plain(0, (2, 300));
        proxy.set(vec![always(Some(Op::Create), ".age", Fault::Answer(error(status, code)))]);
        let mut daemon = scene.start();
        scene.until_copied();
        scene.problem(called);
        let red = |status: &StatusReport| {
            let of_store = |bay: &BayReport| bay.light == Light::Red && bay.words.contains(called);
            status.bays.iter().any(of_store)
        };
        let status = scene.until("a red bay", red);
        let bay = status.bays.iter().find(|bay| bay.words.contains(called)).unwrap();
        assert!(bay.words.contains("copied; may be taken"), "{}", bay.words);
        let doctor = scene.rig.run(&["doctor"]);
        let said = String::from_utf8(doctor.stdout).unwrap();
        assert!(doctor.status.code() == Some(1) && said.contains(called), "{said}");
        let queue: serde_json::Value =
            serde_json::from_slice(&scene.rig.run(&["--json", "queue"]).stdout).unwrap();
        assert!(queue.to_string().contains(words), "{queue:#}");
        // `retry_seconds_max` says "never more than"; and nobody asks in vain all the time.
        let waits =
            queue["rows"].as_array().unwrap().iter().filter_map(|row| row["retry_at"].as_str());
        let waits: Vec<_> = waits
            .map(|at| {
                let at: jiff::Timestamp = at.parse().unwrap();
                at.duration_since(jiff::Timestamp::now()).as_secs()
            })
            .collect();
        assert!(!waits.is_empty() && waits.iter().all(|s| (100..=300).contains(s)), "{waits:?}");
        scene.nothing_is_erased();
        let creates = proxy.seen().iter().filter(|s| s.op == Op::Create && s.struck).count();
        assert!(creates <= 4, "{creates} attempts where only people can help");
        // A start knows it from the log, and asks once, in case that somebody mended it.
        assert!(daemon.kill_9());
        let daemon = scene.start();
        scene.until("a red bay after a restart", red);
        let asked = proxy.seen().iter().filter(|s| s.op == Op::Create && s.struck).count();
        assert!(asked <= creates + 2, "{asked} attempts, {creates} of them before the restart");
        scene.nothing_is_erased();
        proxy.heal();
        scene.retry();
        scene.ends_well(daemon);
    }
}

/// A store that takes a wrong signature gets nothing: no object, no receipt, no word believed.
#[test]
fn daemon_and_probe_refuse_a_store_that_takes_wrong_signatures() {
    for fault in [
        // The stranger's HEAD is the first of this key, and the stranger's PUT the first of it.
        rule_of_probe(Op::Head, says("404 Not Found", "", "")),
        rule_of_probe(Op::Put, says("200 OK", "etag: \"x\"\r\n", "")),
    ] {
        let (scene, proxy) = Scene::plain(0, (2, 300));
        proxy.set(vec![fault.clone()]);
        let mut daemon = scene.start();
        scene.until_copied();
        scene.problem("wrong signature");
        let sent = proxy.seen().iter().filter(|seen| seen.key.contains(".age")).count();
        assert_eq!(sent, 0, "{:?}", proxy.seen());
        scene.nothing_is_erased();
        let doctor = scene.rig.run(&["doctor"]);
        let said = String::from_utf8(doctor.stdout).unwrap();
        assert!(doctor.status.code() == Some(1) && said.contains("wrong signature"), "{said}");

        // As for a new look: each run of the probe asks from the beginning.
        proxy.set(vec![Rule { times: 1, ..fault }]);
        let config = scene.rig.path("bwvdock.toml");
        let probe = scene.rig.run(&["store", "probe", "--config", config.to_str().unwrap()]);
        let said = String::from_utf8(probe.stdout).unwrap();
        assert_eq!(probe.status.code(), Some(1), "{said}");
        assert!(said.contains("TAKEN") && said.contains("REFUSED: it takes"), "{said}");

        assert!(daemon.stop());
        proxy.heal();
        let daemon = scene.start();
        scene.retry();
        scene.ends_well(daemon);
    }
}

fn rule_of_probe(op: Op, says: Vec<u8>) -> Rule {
    Rule {
        op: Some(op),
        key_end: "bwvdock-probe",
        shown: false,
        skip: 0,
        times: 1,
        fault: Fault::Answer(says),
    }
}

/// The store acknowledged, proved, and forgot: no receipt is signed, and nothing is erased.
#[test]
fn daemon_erases_nothing_when_the_store_forgets_what_it_proved() {
    let (scene, proxy) = Scene::plain(0, (1, 1));
    // An upload ends with the look that proves; the one after that is the receipt's.
    let gone = Fault::Answer(b"HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n".to_vec());
    proxy.set(vec![Rule { shown: true, ..always(Some(Op::Head), ".age", gone) }]);
    let daemon = scene.start();
    scene.until_copied();
    scene.problem("no longer has the object it acknowledged");
    assert_eq!(scene.status().receipts, 0);
    scene.nothing_is_erased();
    // It goes back to the queue, for a while; one object asks at a time.
    let (began, before) = (Instant::now(), proxy.struck());
    scene.until("asked again", |_| proxy.struck() > before);
    let (more, seconds) = (proxy.struck() - before, began.elapsed().as_secs() as usize);
    assert!(more <= 2 + seconds / 5, "a storm: {more} in {seconds} s");
    proxy.heal();
    scene.retry();
    scene.ends_well(daemon);
}

/// The same store over TLS, and cables that break at any byte of it.
#[test]
fn daemon_gets_through_cables_that_break_inside_tls() {
    let mut rig = Rig::new();
    let vault = rig.start_vault();
    let wire = Wire::start(rig.plain_endpoint().trim_start_matches("http://").parse().unwrap());
    let address = wire.address;
    let scene = Scene::set(rig, vault, LARGE, |config| {
        config.store.endpoint = format!("https://{address}").parse().unwrap();
        config.transfer.retry_seconds_base = 1;
        config.transfer.retry_seconds_max = 1;
    });
    // In the handshake, in the first requests, in the middle of parts.
    wire.plan([0, 1, 100, 300].map(Cable::CutUp));
    wire.plan([0, 5, 700, 1500].map(Cable::CutDown));
    wire.plan([5_000, 70_000, 1 << 20, 4 << 20].map(Cable::CutUp));
    wire.plan([2_500, 4_000, 6_000].map(Cable::CutDown));
    let daemon = scene.start();
    scene.until("broken", |_| wire.broken() >= 15);
    scene.ends_well(daemon);
}

/// Half-open inside TLS, for as long as the patience of a dock: only where there is time.
#[test]
fn daemon_gives_a_half_open_connection_up() {
    if !rig::all() {
        eprintln!("skipped: takes more than a minute");
        return;
    }
    let mut rig = Rig::new();
    let vault = rig.start_vault();
    let wire = Wire::start(rig.plain_endpoint().trim_start_matches("http://").parse().unwrap());
    let address = wire.address;
    let scene = Scene::set(rig, vault, LARGE, |config| {
        config.store.endpoint = format!("https://{address}").parse().unwrap();
        config.store.bytes_per_second_min = 1 << 20;
        config.transfer.retry_seconds_base = 1;
        config.transfer.retry_seconds_max = 1;
    });
    wire.plan([Cable::StallDown(2_000), Cable::StallDown(0)]);
    let daemon = scene.start();
    scene.ends_well(daemon);
}
