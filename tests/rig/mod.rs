//! A dock on trial: the real vault and the real daemon as processes, on a folder of their own.
//!
//! For tests that treat the program as its users and its accidents do: from outside, through the
//! binary, the socket and the files.

#![allow(dead_code, unused_imports, reason = "each test that shares this uses a part of it")]

mod process;

pub use process::{Process, finish};

use bwvdock::{
    api::{Client, ClientError, Request},
    config::{Bay, BaySource, Config, SecretFile, Store, StoreRequired},
    dock::{
        Stage,
        report::{Light, StatusReport},
    },
    seal::Identity,
    types::{BayName, DockId},
    vault::ThrowawayCa,
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub const BUCKET: &str = "evidence";
pub const DOCK: &str = "test-dock";
pub const ACCESS_KEY: &str = "rig";
pub const SECRET_KEY: &str = "a secret of the tests";
/// How long a process may take to be ready; a busy machine is no failure.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// The binary under test.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_bwvdock")
}

/// Whether tests that take long, or need more than Rust, are asked for.
pub fn all() -> bool {
    std::env::var("BWVDOCK_TESTS").is_ok_and(|tier| tier == "all")
}

/// The folder, its keys, and how to start what works in it.
pub struct Rig {
    folder: TempDir,
    /// Where the vault listens, from its first start on.
    address: Option<String>,
    recipient: String,
}

impl Rig {
    /// Makes folders, keys and certificates; nothing runs yet.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("bwv-").tempdir().unwrap();
        let mut rig = Self { folder, address: None, recipient: String::new() };
        let long = rig.socket().as_os_str().len();
        assert!(long < 100, "TMPDIR is too long for a Unix socket in it ({long} bytes)");
        for name in ["tls", "cameras", "camera-keys", "profiles", "state", "store"] {
            fs::create_dir(rig.path(name)).unwrap();
        }
        let identity = Identity::generate();
        write_private(&rig.path("identity.txt"), &identity.file_text(Timestamp::now()));
        rig.recipient = identity.public().to_owned();
        write_private(&rig.path("store.access"), ACCESS_KEY);
        write_private(&rig.path("store.secret"), SECRET_KEY);
        let ca = ThrowawayCa::new("bwvdock tests").unwrap();
        let server = ca.server(&["127.0.0.1", "localhost"]).unwrap();
        write_private(&rig.path("tls/server.key"), &server.key_pem);
        fs::write(rig.path("tls/server.pem"), server.cert_pem).unwrap();
        fs::write(rig.path("tls/ca.pem"), ca.cert_pem()).unwrap();
        rig
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn socket(&self) -> PathBuf {
        self.path("api.sock")
    }

    pub fn journal(&self) -> PathBuf {
        self.path("state/journal")
    }

    pub fn receipts(&self) -> PathBuf {
        self.path("state/receipts")
    }

    /// Where the vault keeps whole objects, by their keys.
    pub fn objects(&self) -> PathBuf {
        self.path("store").join(BUCKET).join("objects")
    }

    pub fn access_log(&self) -> PathBuf {
        self.path("access.jsonl")
    }

    /// Leaves the folder where it is, for somebody to look at.
    pub fn keep(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }

    /// Starts the vault over TLS; again at the same address if it ran before.
    pub fn start_vault(&mut self) -> Process {
        self.vault(&[("--cert-file", "tls/server.pem"), ("--key-file", "tls/server.key")])
    }

    /// Starts the vault without TLS, for who wants to see what is said.
    pub fn start_plain_vault(&mut self) -> Process {
        self.vault(&[])
    }

    /// Where the plain vault is.
    pub fn plain_endpoint(&self) -> String {
        format!("http://{}", self.address.as_ref().expect("the vault is started first"))
    }

    fn vault(&mut self, tls: &[(&str, &str)]) -> Process {
        let listen = self.address.clone().unwrap_or_else(|| "127.0.0.1:0".into());
        let mut command = Command::new(binary());
        command.args(["vault", "--die-with-parent", "--bucket", BUCKET, "--listen", &listen]);
        for (flag, file) in [
            ("--root", "store"),
            ("--access-key-file", "store.access"),
            ("--secret-key-file", "store.secret"),
            ("--access-log", "access.jsonl"),
        ]
        .iter()
        .chain(tls)
        {
            command.arg(flag).arg(self.path(file));
        }
        let mut vault = Process::start(command, &self.path("vault.log"));
        let line = vault.first_line();
        let address = line.strip_prefix("listening ").and_then(|url| url.split("//").nth(1));
        let address = address.unwrap_or_else(|| panic!("the vault did not start: {line:?}"));
        self.address = Some(address.to_owned());
        vault
    }

    /// Writes the configuration for the vault: a bay for each camera folder, then what `tune`
    /// changes.
    pub fn configure(&self, cameras: &[PathBuf], tune: impl FnOnce(&mut Config)) {
        let address = self.address.as_ref().expect("the vault is started first");
        self.configure_for(&format!("https://{address}"), cameras, tune);
    }

    /// The same for any S3 store.
    pub fn configure_for(
        &self,
        endpoint: &str,
        cameras: &[PathBuf],
        tune: impl FnOnce(&mut Config),
    ) {
        let secret = |name: &str| SecretFile::Path(self.path(name));
        let mut store = Store::new(StoreRequired {
            endpoint: endpoint.parse().unwrap(),
            bucket: BUCKET.into(),
            access_key_file: secret("store.access"),
            secret_key_file: secret("store.secret"),
        });
        store.ca_file = endpoint.starts_with("https:").then(|| self.path("tls/ca.pem"));
        self.configure_store(store, cameras, tune);
    }

    /// The same for a store of any kind.
    pub fn configure_store(
        &self,
        store: Store,
        cameras: &[PathBuf],
        tune: impl FnOnce(&mut Config),
    ) {
        let secret = |name: &str| SecretFile::Path(self.path(name));
        let dock = DockId::new(DOCK).unwrap();
        let mut config = Config::new(dock, vec![self.recipient.clone()], store);
        config.dock.state_dir = self.path("state");
        config.dock.key_file = secret("state/dock.key");
        config.api.socket = self.socket();
        config.cameras.profiles_dir = self.path("profiles");
        config.cameras.keys_dir = self.path("camera-keys");
        config.cameras.poll_interval_ms = 100;
        config.release.still_seconds_min = 0;
        config.spool.reserve_bytes = 64 << 20;
        config.bays = (1..).zip(cameras).map(|(number, folder)| bay(number, folder)).collect();
        tune(&mut config);
        let text = config.to_toml();
        Config::parse(&text).unwrap_or_else(|error| panic!("the configuration: {error}"));
        fs::write(self.path("bwvdock.toml"), text).unwrap();
    }

    /// Starts the daemon and does not wait for it.
    pub fn start_daemon(&self) -> Process {
        let mut command = Command::new(binary());
        command.args(["daemon", "--die-with-parent", "--config"]).arg(self.path("bwvdock.toml"));
        Process::start(command, &self.path("daemon.log"))
    }

    /// Waits until the daemon answers.
    pub fn await_ready(&self, daemon: &mut Process) {
        let end = Instant::now() + READY_WITHIN;
        loop {
            match Client::connect(&self.socket()) {
                Ok(_) => return,
                Err(ClientError::Unreachable { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            assert!(daemon.is_alive(), "the daemon ended; {}", self.last_words());
            assert!(Instant::now() < end, "the daemon is not ready; {}", self.last_words());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Asks the daemon.
    pub fn ask<T: DeserializeOwned>(&self, request: &Request) -> T {
        let answer = Client::connect(&self.socket()).and_then(|mut client| client.ask(request));
        answer.unwrap_or_else(|error| panic!("{request:?}: {error}; {}", self.last_words()))
    }

    /// Waits until nothing is left to do.
    pub fn await_done(&self, within: Duration) {
        let end = Instant::now() + within;
        loop {
            let status: StatusReport = self.ask(&Request::Status);
            if is_done(&status) {
                return;
            }
            assert!(Instant::now() < end, "not done: {status:#?}; {}", self.last_words());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs a command of the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(binary()).arg("--socket").arg(self.socket()).args(arguments).output().unwrap()
    }

    /// The ends of the logs, for a panic's words.
    pub fn last_words(&self) -> String {
        let end_of = |name: &str| {
            let text = fs::read_to_string(self.path(name)).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            format!("{name}:\n{}\n", lines[lines.len().saturating_sub(12)..].join("\n"))
        };
        end_of("vault.log") + &end_of("daemon.log")
    }
}

/// Whether everything on the cameras is stored, receipted and, where it may be, erased.
pub fn is_done(status: &StatusReport) -> bool {
    let queue = &status.queue;
    let queued = queue.evidential.count + queue.quarantine.count + queue.unreviewed.count;
    let under_way = status.segments.iter().filter(|amount| {
        matches!(amount.stage, Stage::Seen | Stage::Sealed | Stage::Stored | Stage::Releasing)
    });
    status.bays.iter().all(|bay| bay.light == Light::Green)
        && queued == 0
        && under_way.map(|amount| amount.count).sum::<u64>() == 0
        && status.uploads.is_empty()
        && status.unfinished == 0
        && status.undescribed == 0
}

fn bay(number: usize, folder: &Path) -> Bay {
    Bay {
        name: BayName::new(number.to_string()).unwrap(),
        source: BaySource::Folder(folder.to_owned()),
        camera_id: None,
        profile: None,
        models: Vec::new(),
        allow_erase: true,
    }
}

fn write_private(path: &Path, text: &str) {
    let options = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    options.unwrap().write_all(text.as_bytes()).unwrap();
}
