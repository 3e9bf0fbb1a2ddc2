//! A dock with 100,000 queued segments: how long from start to ready, and how long `status` takes.
//!
//! `cargo bench --bench queue [-- COUNT]`. The journal is made by the journal itself, the spool holds
//! a real (tiny) file for every object, the store does not answer, and what is measured is the real
//! daemon, asked through its socket.

use bwvdock::{
    api::{Client, Request},
    config::{Config, SecretFile, Store, StoreRequired},
    dock::{fold, report::StatusReport},
    journal::{Journal, JournalOptions},
    seal::Identity,
    types::{
        BayName, CameraId, Class, DockId, FileKind, ObjectId, RecordingId, SegmentId, Sha256Digest,
        SourcePath, Trust, Verdict,
        fact::{
            Content, Fact, Hashed, NewFact, Part, PartTable, Recording, SealedObject, Segment,
            Source,
        },
    },
};
use jiff::Timestamp;
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use uuid::Uuid;

const SEGMENTS_OF_A_RECORDING: usize = 100;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let count = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let state = folder.path().join("state");
    let began = Instant::now();
    let some = fill(&state, count);
    println!("made a journal and a spool with {count} queued segments in {:.1?}", began.elapsed());
    let config = configure(folder.path(), &state);
    for run in ["after a clean end", "after a kill -9"] {
        measure(&config, folder.path(), count, some, run);
    }
}

/// Commits what a dock would have committed; returns the id of one segment.
fn fill(state: &Path, count: usize) -> Uuid {
    let spool = state.join("spool");
    fs::create_dir_all(&spool).expect("a spool folder");
    let boot = bwvdock::clock::boot_id().expect("a boot id");
    let (dock, camera) = (DockId::new("bench").unwrap(), CameraId::new("BWC-0001").unwrap());
    let options = JournalOptions::new(state.join("journal"), state.join("index"), dock, boot);
    let (journal, _) = Journal::open(options, fold, Timestamp::now()).expect("a journal");
    let docked = Fact::CameraDocked {
        bay: BayName::new("1").unwrap(),
        camera: camera.clone(),
        profile: "generic-dcim".into(),
        model: None,
        clock: None,
        clock_reading: None,
        condition: Default::default(),
        again: false,
    };
    let mut facts: Vec<NewFact> = vec![docked.into()];
    let mut recording = RecordingId(Uuid::now_v7());
    let mut last = Uuid::nil();
    for number in 0..count {
        if number % SEGMENTS_OF_A_RECORDING == 0 {
            recording = RecordingId(Uuid::now_v7());
            facts.push(seen(recording, &camera, number).into());
        }
        let segment = segment(recording, &camera, number);
        last = segment.id.0;
        let object = object(segment.id);
        fs::write(spool.join(format!("{}.age", object.id)), b"x").expect("a spool file");
        facts.push(Fact::SegmentSeen { segment: segment.clone() }.into());
        let (segment, verdict) = (segment.id, Verdict::Unverified);
        facts.push(Fact::Sealed { segment, verdict, object }.into());
        if facts.len() > 2000 {
            journal.commit_blocking(std::mem::take(&mut facts), Timestamp::now()).expect("commit");
        }
    }
    journal.commit_blocking(facts, Timestamp::now()).expect("commit");
    journal.close().expect("a clean end");
    last
}

fn seen(id: RecordingId, camera: &CameraId, number: usize) -> Fact {
    let evidential = number.is_multiple_of(20 * SEGMENTS_OF_A_RECORDING);
    let recording = Recording {
        id,
        camera: camera.clone(),
        name: format!("R{number:06}"),
        officer: Some("PC4711".into()),
        started: Some(Timestamp::now()),
        stopped: None,
        class: if evidential { Class::Evidential } else { Class::Unreviewed },
        flags: Vec::new(),
        bookmarks: Vec::new(),
        segments_expected: Some(SEGMENTS_OF_A_RECORDING as u32),
        manifest: None,
        profile: "generic-dcim".into(),
        erase_allowed: false,
    };
    Fact::RecordingSeen { recording }
}

fn segment(recording: RecordingId, camera: &CameraId, number: usize) -> Segment {
    let path = format!("DCIM/{:03}MEDIA/CLIP{number:06}.MP4", number / 1000);
    Segment {
        id: SegmentId(Uuid::now_v7()),
        recording,
        camera: camera.clone(),
        kind: FileKind::Media,
        index: (number % SEGMENTS_OF_A_RECORDING) as u32 + 1,
        source: Source {
            path: SourcePath::new(path).expect("a plain path"),
            size: 300 << 20,
            modified_ms: Some(1_700_000_000_000),
            expected: None,
            mark: None,
        },
        trust: Trust::None,
        partial: false,
        started: None,
        ended: None,
    }
}

/// An object of one byte, which is what lies in the spool for it.
fn object(segment: SegmentId) -> SealedObject {
    let id = ObjectId(Uuid::now_v7());
    let hashed = Hashed { size: 1, sha256: Sha256Digest::of(b"x") };
    let part = Part::from(hashed.sha256);
    SealedObject {
        id,
        content: Content::Segment(segment),
        plain: Hashed { size: 300 << 20, ..hashed },
        sealed: hashed,
        table: PartTable { part_size: 16 << 20, parts: vec![part] },
        key: format!("bench/2026/11/24/{id}.age"),
        class: Class::Unreviewed,
        retain_until: None,
    }
}

fn configure(folder: &Path, state: &Path) -> std::path::PathBuf {
    let secret = folder.join("secret");
    fs::write(&secret, "secret").expect("a secret");
    let mut modes = fs::metadata(&secret).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut modes, 0o600);
    fs::set_permissions(&secret, modes).unwrap();
    let store = Store::new(StoreRequired {
        // Nothing listens there: the queue stays as it is.
        endpoint: "http://127.0.0.1:9".parse().expect("a URL"),
        bucket: "evidence".into(),
        access_key_file: SecretFile::Path(secret.clone()),
        secret_key_file: SecretFile::Path(secret),
    });
    let recipient = Identity::generate().public().to_owned();
    let mut config = Config::new(DockId::new("bench").unwrap(), vec![recipient], store);
    config.dock.state_dir = state.to_owned();
    config.dock.key_file = SecretFile::Path(state.join("dock.key"));
    config.api.socket = folder.join("api.sock");
    config.cameras.profiles_dir = folder.join("none");
    config.cameras.keys_dir = folder.join("none");
    let file = folder.join("bwvdock.toml");
    fs::write(&file, config.to_toml()).expect("a configuration");
    file
}

fn measure(config: &Path, folder: &Path, count: usize, segment: Uuid, run: &str) {
    let socket = folder.join("api.sock");
    let _ = fs::remove_file(&socket);
    let began = Instant::now();
    let child = Command::new(env!("CARGO_BIN_EXE_bwvdock"))
        .args(["daemon", "--die-with-parent", "--config"])
        .arg(config)
        .stderr(Stdio::null())
        .spawn();
    let daemon = Running(child.expect("the daemon"));
    let status: StatusReport = loop {
        let asked = Client::connect(&socket).and_then(|mut client| client.ask(&Request::Status));
        match asked {
            Ok(status) => break status,
            Err(error) if began.elapsed() > Duration::from_secs(60) => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let ready = began.elapsed();
    let queued = status.queue.evidential.count + status.queue.unreviewed.count;
    // The daemon may have added descriptions of recordings by now.
    assert!(queued >= count as u64, "the queue is what was made");
    let ask = |request: &Request| {
        let mut times: Vec<Duration> = (0..50)
            .map(|_| {
                let began = Instant::now();
                let _: serde_json::Value =
                    Client::connect(&socket).and_then(|mut c| c.ask(request)).expect("an answer");
                began.elapsed()
            })
            .collect();
        times.sort();
        (times[25], times[49])
    };
    println!("{run}: start to first answer {ready:.2?} (bound 2 s)");
    for (name, request) in [
        ("status", Request::Status),
        ("queue --limit 50", Request::Queue { limit: 50, offset: 0 }),
        ("why SEGMENT", Request::Why { id: segment }),
    ] {
        let (median, worst) = ask(&request);
        println!("  {name:<18} median {median:.2?}, worst of 50 {worst:.2?}");
    }
    let peak = fs::read_to_string(format!("/proc/{}/status", daemon.0.id())).unwrap_or_default();
    let peak = peak.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    println!("  {}", peak.split_whitespace().collect::<Vec<_>>().join(" "));
}
