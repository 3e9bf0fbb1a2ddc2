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
    threads: [(&'static str, f64, f64); 3],
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
    let threads =
        [of("reading, sealing, reading back", "bay-"), of("sending", "tokio"), of("core", "core")];
    drop(daemon);
    let _ = fs::remove_dir_all(&folder);
    Run { usage, threads }
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
            allow_erase: false,
        });
    }
    fs::write(folder.join("bwvdock.toml"), config.to_toml()).expect("room for a file");
    config.api.socket
}

impl Run {
    /// Where the seconds went: threads as the kernel counts them, and what the digests and ciphers
    /// alone would take one after the other. Overlapping lets the whole be less than their sum.
    pub fn print_breakdown(&self, ground: &Ground, p: &Primitives) {
        let gib = ground.gib();
        println!("\nCPU seconds a GiB of bwvdock      user   system");
        let mut rest = (self.usage.user, self.usage.system);
        for (name, user, system) in self.threads {
            println!("  {name:<31} {:>5.2} {:>8.2}", user / gib, system / gib);
            rest = (rest.0 - user, rest.1 - system);
        }
        println!("  {:<31} {:>5.2} {:>8.2}", "other threads", rest.0 / gib, rest.1 / gib);
        println!("\none core's limit, CPU seconds a GiB of digests and ciphers alone");
        let tls = if ground.https { p.tls } else { 0.0 };
        let steps = [
            ("SHA-256 of the source", p.sha256),
            ("ChaCha20-Poly1305, sealing", p.seal),
            ("SHA-256 of the ciphertext, whole", p.sha256),
            ("SHA-256 of the ciphertext, parts", p.sha256),
            ("ChaCha20-Poly1305, reading back", p.open),
            ("SHA-256 of what was read back", p.sha256),
            ("AES-256-GCM of TLS", tls),
        ];
        for (name, seconds) in steps {
            println!("  {name:<36} {seconds:>5.2}");
        }
        let sum: f64 = steps.iter().map(|(_, seconds)| seconds).sum();
        let all = self.usage.cpu() / gib;
        println!("  {:<36} {sum:>5.2}", "sum, one after the other");
        println!("bwvdock in all {all:.2}: {:.0} % of that", 100.0 * all / sum);
        println!(
            "beyond digests and ciphers (copies, file system, network, the rest): at least {:.2}",
            (all - sum).max(0.0)
        );
    }
}
