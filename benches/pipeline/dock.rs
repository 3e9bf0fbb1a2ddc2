//! The real daemon, from its start until everything is stored and receipted.

use crate::{
    Ground,
    machine::{Usage, Watched},
    primitives::Primitives,
    weed::{ACCESS_KEY, BUCKET, SECRET_KEY, Weed},
};
use bwvdock::{
    api::{Client, Request},
    config::{Bay, BaySource, Config, SecretFile, Store, StoreRequired},
    dock::{Stage, report::StatusReport},
    seal::Identity,
    types::{BayName, DockId},
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const STUCK: Duration = Duration::from_secs(300);

/// How a run went.
pub struct Run {
    pub usage: Usage,
    /// By name: user and system seconds.
    threads: [(&'static str, f64, f64); 2],
    copies: Copies,
}

/// CPU seconds of the copies, as their threads counted them.
#[derive(Debug, Default, Clone, Copy)]
struct Copies {
    read: f64,
    seal: f64,
    write: f64,
    prove: f64,
}

impl Copies {
    fn sum(self) -> f64 {
        self.read + self.seal + self.write + self.prove
    }

    /// From the daemon's log, one line a copy.
    fn of(log: &str) -> Self {
        let mut copies = Self::default();
        for line in log.lines().filter(|line| line.contains("CPU time of a copy")) {
            let seconds = |name: &str| {
                let value = line.split_whitespace().find_map(|word| word.strip_prefix(name));
                value.and_then(|text| text.parse::<f64>().ok()).expect("a number") / 1e6
            };
            copies.read += seconds("read_us=");
            copies.seal += seconds("seal_us=");
            copies.write += seconds("write_us=");
            copies.prove += seconds("prove_us=");
        }
        copies
    }
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn run(ground: &Ground, weed: &Weed, program: &Path) -> Run {
    let folder = ground.path("dock");
    fs::create_dir_all(&folder).expect("a new folder");
    let socket = configure(ground, weed, &folder);
    let log = File::create(folder.join("daemon.log")).expect("a new file");
    let child = Command::new(program)
        .env("BWVDOCK_LOG", "warn,bwvdock::daemon::copy=debug")
        // As systemd/bwvdock.service starts it.
        .env("MALLOC_ARENA_MAX", "2")
        .args(["daemon", "--die-with-parent", "--config"])
        .arg(folder.join("bwvdock.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    let daemon = Daemon(child.expect("the daemon starts"));
    let mut watched = Watched::new(daemon.0.id());
    let mut moved = (Instant::now(), 0);
    loop {
        thread::sleep(Duration::from_millis(250));
        watched.sample();
        let status = Client::connect(&socket).and_then(|mut client| client.ask(&Request::Status));
        let Ok(status) = status else {
            assert!(moved.0.elapsed() < STUCK, "no daemon: {}", last_words(&folder));
            continue;
        };
        let status: StatusReport = status;
        if is_done(&status, ground.files) {
            break;
        }
        if moved.1 != status.custody_seq {
            moved = (Instant::now(), status.custody_seq);
        }
        assert!(moved.0.elapsed() < STUCK, "stuck: {status:#?} {}", last_words(&folder));
    }
    let usage = watched.usage();
    let of = |name, prefix| {
        let (user, system) = watched.of_threads(prefix);
        (name, user, system)
    };
    let threads = [of("sending", "tokio"), of("core", "core")];
    let log = fs::read_to_string(folder.join("daemon.log")).expect("the daemon's log");
    let copies = Copies::of(&log);
    drop(daemon);
    let _ = fs::remove_dir_all(&folder);
    Run { usage, threads, copies }
}

fn last_words(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("daemon.log")).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

fn is_done(status: &StatusReport, files: u64) -> bool {
    let queue = &status.queue;
    let receipted = status.segments.iter().filter(|amount| amount.stage == Stage::Receipted);
    receipted.map(|amount| amount.count).sum::<u64>() >= files
        && queue.evidential.count + queue.quarantine.count + queue.unreviewed.count == 0
        && status.uploads.is_empty()
        && status.unfinished == 0
        && status.undescribed == 0
}

fn configure(ground: &Ground, weed: &Weed, folder: &Path) -> PathBuf {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("room for a file");
        // The daemon refuses secrets that others can read.
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, private).expect("our own file");
        SecretFile::Path(path)
    };
    let mut store = Store::new(StoreRequired {
        endpoint: weed.endpoint.parse().expect("an address"),
        bucket: BUCKET.into(),
        access_key_file: write("access", ACCESS_KEY),
        secret_key_file: write("secret", SECRET_KEY),
    });
    store.ca_file = ground.https.then(|| ground.path("ca.pem"));
    let recipient = Identity::generate().public().to_owned();
    let dock = DockId::new("bench-dock").expect("a plain name");
    let mut config = Config::new(dock, vec![recipient], store);
    config.dock.state_dir = folder.join("state");
    config.dock.key_file = SecretFile::Path(folder.join("state/dock.key"));
    // A socket's path may only have some hundred bytes.
    config.api.socket = std::env::temp_dir().join(format!("bwv-{}.sock", std::process::id()));
    config.cameras.profiles_dir = folder.join("profiles");
    config.cameras.keys_dir = ground.path("camera-keys");
    config.cameras.copies_max = ground.cameras.len().clamp(1, 16);
    config.spool.reserve_bytes = 256 << 20;
    config.transfer.parts_in_flight = ground.parts_in_flight;
    // The footage stays, for those who come after.
    config.release.enabled = false;
    for (number, camera) in (1..).zip(&ground.cameras) {
        config.bays.push(Bay {
            name: BayName::new(number.to_string()).expect("a plain name"),
            source: BaySource::Folder(camera.clone()),
            camera_id: None,
            profile: None,
            models: Vec::new(),
            allow_erase: false,
        });
    }
    fs::write(folder.join("bwvdock.toml"), config.to_toml()).expect("room for a file");
    config.api.socket
}

impl Run {
    /// Where the seconds went, beside what the same steps take on one core with no disk and no
    /// network.
    pub fn print_breakdown(&self, ground: &Ground, p: &Primitives) {
        let gib = ground.gib();
        let [(_, send_user, send_system), (_, core_user, core_system)] = self.threads;
        let core = core_user + core_system;
        let rest = self.usage.cpu() - self.copies.sum() - send_user - send_system - core;
        let tls = if ground.https { p.tls } else { 0.0 };
        println!("\n{:<46} {:>9} {:>11}", "CPU seconds a GiB", "bwvdock", "one core");
        let row = |name: &str, used: f64, limit: Option<f64>| {
            let limit = limit.map_or(String::new(), |limit| format!("{limit:.2}"));
            println!("{name:<46} {:>9.2} {limit:>11}", used / gib);
        };
        row("read the source (kernel)", self.copies.read, None);
        row("hash it, seal it, hash the parts", self.copies.seal, Some(p.sealer));
        row("write to the spool (kernel)", self.copies.write, None);
        row("fsync, read back, hash, open, hash", self.copies.prove, Some(p.opener));
        row("send: TLS, HTTP, copies", send_user, Some(tls));
        row("send: kernel, reading the spool included", send_system, None);
        row("core: journal, decisions", core, None);
        row("the rest: start, listing, threads that ended", rest, None);
        let limit = p.sealer + p.opener + tls;
        row("all", self.usage.cpu(), Some(limit));
        println!(
            "\none core, alone: SHA-256 {:.2}; ChaCha20-Poly1305 {:.2} to seal, {:.2} to open; \
             AES-256-GCM {:.2}",
            p.sha256, p.seal, p.open, p.tls
        );
    }
}
