//! The sections of a configuration and their defaults.
//!
//! Every number carries its unit in its name, and every bound stands in [`super::sections`]. The
//! defaults here and the text of `config/bwvdock.toml` are tested to be equal.

use super::value::{
    self, Day, LogFormat, LogLevel, SecretFile, StoreKind, TimeOfDay, UnknownModels,
};
use super::{Charging, Metrics, Push};
use crate::types::{BayName, CameraId, Class, DockId, PortPath, ReceiptLevel, UsbClass, UsbId};
use serde::Serialize;
use std::path::PathBuf;
use url::Url;

/// A whole, valid configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    pub dock: Dock,
    pub api: Api,
    pub cameras: Cameras,
    pub usb: Usb,
    pub charging: Charging,
    pub seal: Seal,
    pub spool: Spool,
    pub journal: Journal,
    pub store: Store,
    pub transfer: Transfer,
    pub release: Release,
    pub retention: Retention,
    pub log: Log,
    pub metrics: Metrics,
    pub push: Push,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bays: Vec<Bay>,
}

/// `[dock]`: who this dock is and where it keeps its state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dock {
    pub id: DockId,
    /// Journal, index, spool and receipts lie below it.
    pub state_dir: PathBuf,
    /// The dock's Ed25519 signing key, PKCS#8 PEM; `dock.key` in `state_dir` unless given.
    pub key_file: SecretFile,
}

impl Dock {
    pub(super) const STATE_DIR: &str = "/var/lib/bwvdock";

    /// The defaults for a dock of this name.
    pub fn new(id: DockId) -> Self {
        let state_dir = PathBuf::from(Self::STATE_DIR);
        let key_file = SecretFile::Path(state_dir.join("dock.key"));
        Self { id, state_dir, key_file }
    }
}

/// `[api]`: the local socket and who may speak to it, besides root and the daemon's own user.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Api {
    pub socket: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_group: Option<String>,
}

impl Default for Api {
    fn default() -> Self {
        let socket = PathBuf::from("/run/bwvdock/api.sock");
        Self { socket, read_group: None, admin_group: None }
    }
}

/// What a bay is fed by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BaySource {
    /// A folder, or the mount point of a card or stick. Docked while it exists and can be listed.
    Folder(PathBuf),
    /// A USB port. Docked while a device is in it that this dock takes for a camera.
    Port(PortPath),
}

impl BaySource {
    pub fn port(&self) -> Option<&PortPath> {
        match self {
            Self::Port(port) => Some(port),
            Self::Folder(_) => None,
        }
    }
}

/// `[[bays]]`: one slot of the dock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bay {
    pub name: BayName,
    #[serde(flatten)]
    pub source: BaySource,
    /// Said here because the camera cannot say it; otherwise the profile finds it on the camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_id: Option<CameraId>,
    /// The camera profile to use; otherwise the first whose match rules fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Only for a port: the only models it takes; all that the dock takes if it is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<UsbId>,
    /// Whether what is safe may be erased in this bay; the release rule still has to allow it.
    pub allow_erase: bool,
}

/// `[cameras]`: how cameras are recognised and how many are read at once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cameras {
    /// Further profiles, `*.toml`; the built-in ones need no folder.
    pub profiles_dir: PathBuf,
    /// Public keys of enrolled cameras, `<camera id>.pub`.
    pub keys_dir: PathBuf,
    pub poll_interval_ms: u64,
    /// Bays copying at the same time; the others wait for their turn.
    pub copies_max: usize,
    /// Set a camera's clock after its offset was measured and recorded.
    pub set_clock: bool,
    /// The IANA time zone kept by cameras whose clock says none; only its form is checked here.
    pub clock_zone: String,
}

impl Default for Cameras {
    fn default() -> Self {
        Self {
            profiles_dir: PathBuf::from("/etc/bwvdock/cameras"),
            keys_dir: PathBuf::from("/etc/bwvdock/camera-keys"),
            poll_interval_ms: 500,
            copies_max: 4,
            set_clock: false,
            clock_zone: "UTC".into(),
        }
    }
}

/// `[usb]`: which USB devices are let into bays, and what happens to others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usb {
    /// Besides those that camera profiles name.
    pub models: Vec<UsbId>,
    pub unknown_models: UnknownModels,
    /// Interfaces a named model may have besides those a camera is read by.
    pub tolerated_interfaces: Vec<UsbClass>,
    pub vendor_mtp: bool,
    /// Only cameras whose serial is enrolled: in `serials`, or a key in `cameras.keys_dir`.
    pub only_enrolled: bool,
    pub serials: Vec<String>,
    pub cut_power: bool,
    /// Cycle the port of a camera that does not answer.
    pub revive: bool,
}

impl Default for Usb {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            unknown_models: UnknownModels::Refuse,
            tolerated_interfaces: Vec::new(),
            vendor_mtp: false,
            only_enrolled: false,
            serials: Vec::new(),
            cut_power: true,
            revive: true,
        }
    }
}

/// `[seal]`: the public keys that can open what this dock seals.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Seal {
    /// age recipients (`age1...`), checked; after [`super::load`] those of the file are among them.
    pub recipients: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipients_file: Option<PathBuf>,
}

/// `[spool]`: sealed objects waiting on the dock's disk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spool {
    pub bytes_max: u64,
    /// Bytes of the file system that the spool leaves free.
    pub reserve_bytes: u64,
}

impl Default for Spool {
    fn default() -> Self {
        Self { bytes_max: 32 << 30, reserve_bytes: 2 << 30 }
    }
}

/// `[journal]`: the durable truth and custody log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Journal {
    pub keep_days: u32,
    /// How long a fact of mere progress may wait before it is on disk.
    pub progress_lag_ms_max: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self { keep_days: 365, progress_lag_ms_max: 1000 }
    }
}

/// `[store]`: the evidence store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Store {
    pub kind: StoreKind,
    /// Of a store that is a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// Scheme, host and port only; plain `http` only to a loopback address. Of a folder: `file:`.
    #[serde(serialize_with = "value::as_text", skip_serializing_if = "is_folder")]
    pub endpoint: Url,
    pub region: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bucket: String,
    /// Before every key; empty, or ends with `/`.
    pub prefix: String,
    /// `https://host/bucket/key` rather than `https://bucket.host/key`.
    pub path_style: bool,
    #[serde(skip_serializing_if = "SecretFile::is_none")]
    pub access_key_file: SecretFile,
    #[serde(skip_serializing_if = "SecretFile::is_none")]
    pub secret_key_file: SecretFile,
    /// The only authorities trusted, PEM; without it, those of the operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Both or neither: the certificate (PEM chain) the dock shows, and its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key_file: Option<SecretFile>,
    /// Base64 SHA-256 of the store's public key (SPKI); any other server is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_key_pin: Option<String>,
    pub part_bytes: u64,
    pub connect_timeout_ms: u64,
    /// Slower than this for a whole call and the call is given up and tried again.
    pub bytes_per_second_min: u64,
}

fn is_folder(endpoint: &Url) -> bool {
    endpoint.scheme() == "file"
}

/// What a store must be told; everything else has a default.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreRequired {
    pub endpoint: Url,
    pub bucket: String,
    pub access_key_file: SecretFile,
    pub secret_key_file: SecretFile,
}

impl Store {
    pub(super) const REGION: &str = "us-east-1";
    pub(super) const PART_BYTES: u64 = 16 << 20;
    pub(super) const CONNECT_TIMEOUT_MS: u64 = 10_000;
    pub(super) const BYTES_PER_SECOND_MIN: u64 = 32 << 10;

    /// A store that is this folder; none if the path is not absolute.
    pub fn in_directory(directory: PathBuf) -> Option<Self> {
        let required = StoreRequired {
            endpoint: Url::from_directory_path(&directory).ok()?,
            bucket: String::new(),
            access_key_file: SecretFile::none(),
            secret_key_file: SecretFile::none(),
        };
        let directory = Some(directory);
        Some(Self { kind: StoreKind::Directory, directory, ..Self::new(required) })
    }

    /// The defaults for this store.
    pub fn new(required: StoreRequired) -> Self {
        let StoreRequired { endpoint, bucket, access_key_file, secret_key_file } = required;
        Self {
            kind: StoreKind::S3,
            directory: None,
            endpoint,
            region: Self::REGION.into(),
            bucket,
            prefix: String::new(),
            path_style: true,
            access_key_file,
            secret_key_file,
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            server_key_pin: None,
            part_bytes: Self::PART_BYTES,
            connect_timeout_ms: Self::CONNECT_TIMEOUT_MS,
            bytes_per_second_min: Self::BYTES_PER_SECOND_MIN,
        }
    }
}

/// `[transfer]`: what is sent when, and how fast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transfer {
    pub objects_in_flight: usize,
    /// Over all objects together: the number of connections.
    pub parts_in_flight: usize,
    /// 0 means no limit.
    pub bytes_per_second_max: u64,
    /// Evidential footage goes before other footage that has not waited longer by this much.
    pub evidential_head_start_hours: u32,
    pub retry_seconds_base: u64,
    pub retry_seconds_max: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
}

impl Default for Transfer {
    fn default() -> Self {
        Self {
            objects_in_flight: 2,
            parts_in_flight: 3,
            bytes_per_second_max: 0,
            evidential_head_start_hours: 24,
            retry_seconds_base: 2,
            retry_seconds_max: 300,
            windows: Vec::new(),
        }
    }
}

/// `[[transfer.windows]]`: a class named in any window is sent only inside windows that name it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Window {
    /// The days on which the window opens.
    pub days: Vec<Day>,
    pub from: TimeOfDay,
    /// Never equal to `from`. Before it: the window runs over midnight into the next day.
    pub to: TimeOfDay,
    /// An IANA name, for example `Europe/London`. Only its form is checked here.
    pub time_zone: String,
    pub classes: Vec<Class>,
}

/// `[release]`: when a camera may be emptied of what is safe.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Release {
    pub enabled: bool,
    pub receipt_level_min: ReceiptLevel,
    /// Hours between the receipt and the erasing.
    pub age_hours_min: u32,
    /// Segments without a digest from the camera: erase after a second, equal read.
    pub erase_unverified: bool,
    /// Seconds between the two reads of a file without a digest from the camera.
    pub still_seconds_min: u32,
    pub read_again_before_erase: bool,
}

impl Default for Release {
    fn default() -> Self {
        Self {
            enabled: true,
            receipt_level_min: ReceiptLevel::ReadBack,
            age_hours_min: 0,
            erase_unverified: true,
            still_seconds_min: 30,
            read_again_before_erase: true,
        }
    }
}

/// `[retention]`: the lock asked of the store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retention {
    pub lock: bool,
    /// Days from capture.
    pub days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { lock: false, days: 31 }
    }
}

/// `[log]`: what the daemon says on standard error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}
