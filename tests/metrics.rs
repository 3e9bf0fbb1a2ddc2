//! Figures of a running dock, read as Prometheus reads them.
//!
//! With `promtool` (Debian package `prometheus`) its linter is asked too, and a Prometheus fetches
//! them; without, that is skipped in words, and fails where `BWVDOCK_TESTS=all` asks for it.

#![cfg(feature = "vault")]

mod rig;

use bwvdock::{
    api::Request,
    camera::{Media, SimCamera, SimCameraOptions, SimRecording, SimSegment},
    metrics::Vitals,
    types::CameraId,
};
use rig::{Process, Rig};
use std::{
    borrow::Cow,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const WITHIN: Duration = Duration::from_secs(60);

/// An address nobody has, as far as can be said.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A reply's head and body.
fn get(at: SocketAddr, target: &str, accept: &str) -> (String, String) {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: dock\r\nConnection: close\r\nAccept: {accept}\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// A tool that may be missing.
fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    assert!(found || !rig::all(), "{tool} is missing; it is in the Debian package prometheus");
    if !found {
        eprintln!("skipped: {tool} is not installed");
    }
    found
}

fn clip() -> SimSegment {
    let media = format!("{}/tests/fixtures/media/clip-1.mp4", env!("CARGO_MANIFEST_DIR"));
    SimSegment { media: Media::Clip(Cow::Owned(fs::read(media).unwrap())), seconds: 4 }
}

/// A dock with a camera whose footage is safe, giving out figures.
fn dock() -> (Rig, Process, Process, SocketAddr) {
    let mut rig = Rig::new();
    let vault = rig.start_vault();
    let (folder, at): (PathBuf, _) = (rig.path("cameras/1"), free());
    rig.configure(std::slice::from_ref(&folder), |config| config.metrics.listen = Some(at));
    let camera = CameraId::new("BWC-0001").unwrap();
    let options = SimCameraOptions { camera, model: "Simulated BWC".into(), seed: 7 };
    fs::create_dir(&folder).unwrap();
    let mut camera = SimCamera::make(&folder, options).unwrap();
    let recording = SimRecording {
        officer: Some("PC4711".into()),
        started: "2026-03-01T20:00:00Z".parse().unwrap(),
        evidential: false,
        flags: Vec::new(),
        bookmarks: Vec::new(),
        segments: vec![clip()],
        gnss: false,
        cut_off: false,
    };
    camera.record(&recording).unwrap();
    let key = rig.path("camera-keys/BWC-0001.pub");
    fs::write(key, camera.public_key().to_pem()).unwrap();
    let mut daemon = rig.start_daemon();
    rig.await_ready(&mut daemon);
    rig.await_done(WITHIN);
    (rig, vault, daemon, at)
}

#[test]
fn a_running_dock_gives_out_figures_that_prometheus_takes() {
    let (rig, _vault, _daemon, at) = dock();
    let (head, text) = get(at, "/metrics", "*/*");
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"),
        "{head}"
    );
    for line in [
        "bwvdock_recordings_total 1",
        "bwvdock_bay_light{bay=\"1\",light=\"green\"} 1.0",
        "bwvdock_queue_objects{class=\"evidential\"} 0.0",
        "bwvdock_custody_damaged 0.0",
        "bwvdock_store_checks_sha256 1.0",
        "bwvdock_starts_total 1",
        "bwvdock_unclean_starts_total 0",
        "bwvdock_camera_dockings_total{camera=\"BWC-0001\"} 1",
        "bwvdock_camera_hash_failures_total{camera=\"BWC-0001\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    assert!(!text.contains("PC4711"), "an officer stands in the figures");
    let (head, open) = get(at, "/metrics", "application/openmetrics-text; version=1.0.0");
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(open.ends_with("# EOF\n"), "{open}");
    assert!(get(at, "/", "*/*").0.starts_with("HTTP/1.1 404"));

    let vitals: Vitals = rig.ask(&Request::Health);
    assert_eq!(vitals.totals.recordings, 1);
    assert!(vitals.disk_free.is_some_and(|free| free > 0));
    let words = String::from_utf8(rig.run(&["health"]).stdout).unwrap();
    assert!(words.contains("Custody    line ") && words.contains("checks SHA-256"), "{words}");
    let csv = String::from_utf8(rig.run(&["cameras", "--csv"]).stdout).unwrap();
    assert!(csv.lines().nth(1).unwrap().starts_with("BWC-0001,"), "{csv}");
    assert!(text.contains("bwvdock_store_answered_timestamp_seconds "), "{text}");
    let info = "bwvdock_camera_info{camera=\"BWC-0001\",model=\"Simulated BWC\",firmware=\"";
    assert!(text.contains(info), "{text}");
    assert!(!text.contains("bwvdock_camera_storage_size_bytes"), "a folder has no room of its own");
    assert!(words.contains("Starts     1 start, last "), "{words}");
    assert!(words.contains("Safe       everything known is in the store"), "{words}");
    let one = String::from_utf8(rig.run(&["cameras", "BWC-0001"]).stdout).unwrap();
    assert!(one.contains("Battery     it does not say") && one.contains("docked 1 time"), "{one}");
    let none = rig.run(&["cameras", "BWC-0009"]);
    assert_eq!(none.status.code(), Some(4), "{none:?}");
    println!("{words}\n{one}\n{csv}");
    println!("{}", String::from_utf8(rig.run(&["cameras"]).stdout).unwrap());
    println!("{}", String::from_utf8(rig.run(&["doctor"]).stdout).unwrap());

    if has("promtool") {
        let mut lint = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        lint.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let said = lint.wait_with_output().unwrap();
        let words = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.status.success() && words.is_empty() && said.stdout.is_empty(), "{words}");
    }
}

#[test]
fn a_prometheus_fetches_them() {
    if !has("prometheus") {
        return;
    }
    let (rig, _vault, _daemon, at) = dock();
    let listen = free();
    let config = format!(
        "scrape_configs:\n- job_name: docks\n  scrape_interval: 1s\n  static_configs:\n  \
         - targets: ['{at}']\n"
    );
    fs::write(rig.path("prometheus.yml"), config).unwrap();
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", rig.path("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", rig.path("tsdb").display()))
        .arg(format!("--web.listen-address={listen}"));
    let mut prometheus = Process::start(command, &rig.path("prometheus.log"));
    let end = Instant::now() + WITHIN;
    let query = "/api/v1/query?query=bwvdock_recordings_total";
    loop {
        assert!(prometheus.is_alive(), "{:?}", fs::read_to_string(rig.path("prometheus.log")));
        if TcpStream::connect(listen).is_ok() {
            let (_, body) = get(listen, query, "application/json");
            if body.contains("\"__name__\":\"bwvdock_recordings_total\"") {
                assert!(body.contains(",\"1\"]"), "{body}");
                break;
            }
        }
        assert!(Instant::now() < end, "Prometheus has no figures of the dock");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn an_address_that_is_taken_stops_the_start_in_words() {
    let mut rig = Rig::new();
    let _vault = rig.start_vault();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    rig.configure(&[], |config| config.metrics.listen = Some(at));
    let said = rig.run(&["daemon", "--config", rig.path("bwvdock.toml").to_str().unwrap()]);
    let words = String::from_utf8(said.stderr).unwrap();
    assert!(!said.status.success() && words.contains("figures cannot be given out at"), "{words}");
}
