//! What figures cost: a scrape of a dock with 40 cameras, and a dock with 8 cameras that has nothing
//! to do.
//!
//! `cargo bench --bench metrics [-- SECONDS]`. The real daemon and the real vault; cameras are folders
//! with signed footage, all of it stored and erased before anything is measured, so that they are
//! docked, green and idle. Time is what a reader on loopback waits for the whole answer; CPU is what
//! the kernel counts for the daemon, all threads.

#[path = "../tests/rig/mod.rs"]
mod rig;

use bwvdock::{
    camera::{Media, SimCamera, SimCameraOptions, SimRecording, SimSegment},
    types::CameraId,
};
use rig::{Process, Rig};
use std::{
    borrow::Cow,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

const WITHIN: Duration = Duration::from_secs(300);
const SCRAPES: usize = 200;

fn main() {
    let seconds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(60);
    scrapes(40);
    idle(8, Duration::from_secs(seconds));
}

/// A dock whose cameras are all empty and green.
struct Dock {
    rig: Rig,
    _vault: Process,
    daemon: Process,
    at: SocketAddr,
}

fn dock(cameras: usize) -> Dock {
    let mut rig = Rig::new();
    let vault = rig.start_vault();
    // Nobody has it, as far as can be said.
    let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folders: Vec<PathBuf> = (1..=cameras).map(|n| rig.path(&format!("cameras/{n}"))).collect();
    rig.configure(&folders, |config| {
        config.metrics.listen = Some(at);
        // As it is shipped; the rig hurries.
        config.cameras.poll_interval_ms = 500;
    });
    for (n, folder) in folders.iter().enumerate() {
        fs::create_dir(folder).unwrap();
        record(&rig, n, folder);
    }
    let mut daemon = rig.start_daemon();
    rig.await_ready(&mut daemon);
    rig.await_done(WITHIN);
    Dock { rig, _vault: vault, daemon, at }
}

fn record(rig: &Rig, n: usize, folder: &std::path::Path) {
    let id = format!("BWC-{n:04}");
    let camera = CameraId::new(&id).unwrap();
    let options = SimCameraOptions { camera, model: "Simulated BWC".into(), seed: n as u64 };
    let mut camera = SimCamera::make(folder, options).unwrap();
    let media = format!("{}/tests/fixtures/media/clip-1.mp4", env!("CARGO_MANIFEST_DIR"));
    let media = Media::Clip(Cow::Owned(fs::read(media).unwrap()));
    let recording = SimRecording {
        officer: Some("PC4711".into()),
        started: "2026-03-01T20:00:00Z".parse().unwrap(),
        evidential: false,
        flags: Vec::new(),
        bookmarks: Vec::new(),
        segments: vec![SimSegment { media, seconds: 4 }],
        gnss: false,
        cut_off: false,
    };
    camera.record(&recording).unwrap();
    let key = rig.path(&format!("camera-keys/{id}.pub"));
    fs::write(key, camera.public_key().to_pem()).unwrap();
}

fn scrape(at: SocketAddr) -> (Duration, String) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(at).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: dock\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    (began.elapsed(), text.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn scrapes(cameras: usize) {
    let dock = dock(cameras);
    let before = dock.cpu();
    let (mut times, mut text) = (Vec::new(), String::new());
    for _ in 0..SCRAPES {
        let (took, told) = scrape(dock.at);
        times.push(took);
        text = told;
        thread::sleep(Duration::from_millis(10));
    }
    let cpu = (dock.cpu() - before) / SCRAPES as f64;
    times.sort();
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    let ms = |took: Duration| took.as_secs_f64() * 1000.0;
    println!(
        "{cameras} cameras: {series} series, {:.1} KiB; a scrape takes {:.2} ms (median), {:.2} ms \
         (95 of 100), {:.2} ms (worst of {SCRAPES}), at most {:.2} ms of CPU",
        text.len() as f64 / 1024.0,
        ms(times[SCRAPES / 2]),
        ms(times[SCRAPES * 95 / 100]),
        ms(times[SCRAPES - 1]),
        cpu * 1000.0
    );
}

fn idle(cameras: usize, span: Duration) {
    let dock = dock(cameras);
    // What comes after the last receipt.
    thread::sleep(Duration::from_secs(10));
    for (every, words) in [(None, "nobody asks"), (Some(15), "scraped every 15 s")] {
        let (began, before) = (Instant::now(), dock.cpu());
        while began.elapsed() < span {
            if every.is_some() {
                scrape(dock.at);
            }
            let next = Duration::from_secs(every.unwrap_or(span.as_secs()));
            thread::sleep(next.min(span.saturating_sub(began.elapsed())));
        }
        let used = dock.cpu() - before;
        let share = 100.0 * used / began.elapsed().as_secs_f64();
        println!(
            "{cameras} cameras docked and idle, {words}: {used:.2} s of CPU in {:.0} s, {share:.2} % \
             of one core; {} KiB resident",
            began.elapsed().as_secs_f64(),
            dock.resident_kib()
        );
    }
    assert!(rig::is_done(&dock.rig.ask(&bwvdock::api::Request::Status)), "it was not idle");
}

impl Dock {
    /// CPU seconds of the daemon so far: fields 14 and 15 of proc(5), "/proc/pid/stat", in ticks of
    /// 10 ms.
    fn cpu(&self) -> f64 {
        let pid = self.daemon.pid().as_raw_nonzero();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let (_, after_name) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = after_name.split(' ').collect();
        let ticks: f64 = fields[11..13].iter().map(|n| n.parse::<f64>().unwrap()).sum();
        ticks / 100.0
    }

    fn resident_kib(&self) -> u64 {
        let pid = self.daemon.pid().as_raw_nonzero();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}
