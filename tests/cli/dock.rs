//! A dock with a store, as processes, on a folder of their own; and cameras to put into it.

use bwvdock::{
    camera::{Media, SimCamera, SimCameraOptions, SimRecording, SimSegment},
    seal::Identity,
    types::{CameraId, fact::Bookmark},
    vault::ThrowawayCa,
};
use jiff::{SignedDuration, Timestamp};
use std::{
    borrow::Cow,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The cameras and who wore them.
const CAMERAS: [(&str, &str); 3] =
    [("BWC-0001", "PC4711"), ("BWC-0002", "PC2048"), ("BWC-0003", "PC1001")];
const WITHIN: Duration = Duration::from_secs(40);

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Said {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The rows of a list, none of them left out.
    pub fn rows(&self) -> serde_json::Value {
        let mut page = self.json();
        assert_eq!(page["more"], 0, "{self:?}");
        page["rows"].take()
    }

    /// It failed in one JSON object on stdout, and said nothing else.
    pub fn failed_in_json(&self, exit: i32, what: &str) -> serde_json::Value {
        assert_eq!((self.exit, self.err.as_str()), (exit, ""), "{self:?}");
        let object = self.json();
        assert_eq!(object["exit"], exit, "{self:?}");
        let words = |field: &str| object[field].as_str().is_some_and(|text| !text.is_empty());
        assert!(words("error") && words("next") && words("code"), "{self:?}");
        assert!(object["error"].as_str().unwrap().contains(what), "no {what:?} in {self:?}");
        object
    }

    /// The words, if it ended like this.
    pub fn ended(&self, exit: i32) -> &str {
        assert_eq!(self.exit, exit, "{self:?}");
        &self.out
    }

    /// It refused: nothing on stdout; what happened, then what to do.
    pub fn complained(&self, exit: i32, what: &str) {
        assert_eq!((self.exit, self.out.as_str()), (exit, ""), "{self:?}");
        let lines: Vec<_> = self.err.lines().collect();
        let [first, .., last] = lines.as_slice() else { panic!("{self:?}") };
        assert!(first.starts_with("bwvdock: ") && last.starts_with("  -> "), "{self:?}");
        assert!(self.err.contains(what), "no {what:?} in {self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}

pub fn said(command: &mut Command) -> Said {
    let output = command.stdin(Stdio::null()).env("TZ", "UTC").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said {
        exit: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

pub fn bwvdock() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bwvdock"))
}

/// Runs it to its end.
pub fn run(arguments: &[&str]) -> Said {
    said(bwvdock().args(arguments))
}

pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already, which is all that is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Dock {
    folder: TempDir,
    address: String,
    vault: Option<Process>,
    daemon: Option<Process>,
}

fn clip(number: u8) -> SimSegment {
    let path = format!("{}/tests/fixtures/media/clip-{number}.mp4", env!("CARGO_MANIFEST_DIR"));
    SimSegment { media: Media::Clip(Cow::Owned(fs::read(path).unwrap())), seconds: 4 }
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

impl Dock {
    /// A store, a daemon, three empty bays.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("bwv-cli-").tempdir_in("/tmp").unwrap();
        // Other users must reach the socket to be refused by the daemon and not by the folder.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let mut dock = Self { folder, address: "127.0.0.1:0".into(), vault: None, daemon: None };
        for name in ["tls", "aside", "keys", "profiles", "store", "bays"] {
            fs::create_dir(dock.path(name)).unwrap();
        }
        let identity = Identity::generate();
        private(&dock.path("identity.txt"), &identity.file_text(Timestamp::now()));
        private(&dock.path("access"), "tests");
        private(&dock.path("secret"), "a secret of the tests");
        let ca = ThrowawayCa::new("bwvdock tests").unwrap();
        let server = ca.server(&["127.0.0.1"]).unwrap();
        private(&dock.path("tls/server.key"), &server.key_pem);
        fs::write(dock.path("tls/server.pem"), server.cert_pem).unwrap();
        fs::write(dock.path("tls/ca.pem"), ca.cert_pem()).unwrap();
        dock.start_vault();
        dock.write_config(identity.public());
        // Keys of cameras are read at the daemon's start.
        for (seed, (name, officer)) in CAMERAS.into_iter().enumerate() {
            dock.make_camera(name, officer, seed as u64 + 1);
        }
        dock.start_daemon();
        dock
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text_path(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn start_vault(&mut self) {
        let mut command = bwvdock();
        command.args(["vault", "--die-with-parent", "--listen", &self.address]);
        for (flag, name) in [
            ("--root", "store"),
            ("--access-key-file", "access"),
            ("--secret-key-file", "secret"),
            ("--cert-file", "tls/server.pem"),
            ("--key-file", "tls/server.key"),
        ] {
            command.arg(flag).arg(self.path(name));
        }
        let mut vault = Process(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(vault.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.address = line.trim().strip_prefix("listening https://").unwrap().to_owned();
        self.vault = Some(vault);
    }

    pub fn stop_vault(&mut self) {
        self.vault = None;
    }

    pub fn stop_daemon(&mut self) {
        self.daemon = None;
    }

    fn write_config(&self, recipient: &str) {
        let root = self.folder.path().display();
        let bays: String = (1..=3)
            .map(|n| format!("[[bays]]\nname = \"{n}\"\nfolder = \"{root}/bays/{n}\"\n"))
            .collect();
        let address = &self.address;
        let text = format!(
            "[dock]\nid = \"test-dock\"\nstate_dir = \"{root}/state\"\n\
             [api]\nsocket = \"{root}/api.sock\"\n\
             [cameras]\nprofiles_dir = \"{root}/profiles\"\nkeys_dir = \"{root}/keys\"\n\
             poll_interval_ms = 100\n\
             [release]\nstill_seconds_min = 0\n\
             [seal]\nrecipients = [\"{recipient}\"]\n\
             [spool]\nbytes_max = 4294967296\nreserve_bytes = 67108864\n\
             [store]\nendpoint = \"https://{address}\"\nbucket = \"evidence\"\n\
             access_key_file = \"{root}/access\"\nsecret_key_file = \"{root}/secret\"\n\
             ca_file = \"{root}/tls/ca.pem\"\n\
             [transfer]\nretry_seconds_base = 300\nretry_seconds_max = 300\n{bays}"
        );
        fs::write(self.path("dock.toml"), text).unwrap();
    }

    pub fn start_daemon(&mut self) {
        let log = fs::File::create(self.path("daemon.log")).unwrap();
        let mut command = bwvdock();
        command.args(["daemon", "--die-with-parent", "--config"]).arg(self.path("dock.toml"));
        self.daemon = Some(Process(command.stderr(log).spawn().unwrap()));
        self.wait("the daemon answers", || self.run(&["status"]).exit == 0);
    }

    /// Polls, since only the daemon knows when it is ready.
    pub fn wait(&self, what: &str, ready: impl Fn() -> bool) {
        let end = Instant::now() + WITHIN;
        while !ready() {
            let log = || fs::read_to_string(self.path("daemon.log")).unwrap_or_default();
            assert!(Instant::now() < end, "{what}: not within {WITHIN:?}\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Checks the log of a dock that is not running.
    pub fn run_offline_verify(&self, exit: i32) {
        run(&["custody", "verify", &self.text_path("state/journal")]).ended(exit);
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        said(bwvdock().arg("--socket").arg(self.path("api.sock")).args(arguments))
    }

    /// A simulated camera with an ordinary recording and one of an incident, not docked yet.
    fn make_camera(&self, name: &str, officer: &str, seed: u64) {
        let folder = self.camera(name);
        fs::create_dir(&folder).unwrap();
        let id = CameraId::new(name).unwrap();
        let options = SimCameraOptions { camera: id, model: "Simulated BWC".into(), seed };
        let mut camera = SimCamera::make(&folder, options).unwrap();
        let start: Timestamp = "2026-03-01T20:00:00Z".parse().unwrap();
        for (evidential, clips) in [(false, &[1][..]), (true, &[2, 3][..])] {
            let hours = SignedDuration::from_hours(if evidential { 2 } else { 0 });
            let started = start.checked_add(hours).unwrap();
            let mark = Bookmark { at: started, label: "marker pressed".into() };
            let recording = SimRecording {
                officer: Some(officer.into()),
                started,
                evidential,
                flags: Vec::new(),
                bookmarks: if evidential { vec![mark] } else { Vec::new() },
                segments: clips.iter().map(|n| clip(*n)).collect(),
                gnss: false,
                cut_off: false,
            };
            camera.record(&recording).unwrap();
        }
        let key = self.path("keys").join(format!("{name}.pub"));
        fs::write(key, camera.public_key().to_pem()).unwrap();
    }

    /// Where a camera lies that is in no bay.
    pub fn camera(&self, name: &str) -> PathBuf {
        self.path("aside").join(name)
    }

    /// Puts a camera into a bay.
    pub fn insert(&self, camera: &Path, bay: &str) {
        fs::rename(camera, self.path("bays").join(bay)).unwrap();
    }

    pub fn light(&self, bay: usize) -> String {
        let bays = self.run(&["bays", "--json"]).json();
        bays[bay - 1]["light"].as_str().unwrap().to_owned()
    }
}
