//! The folder a demo works in: keys, certificates, cameras, configuration.

use super::{
    DemoArgs,
    docked::{self, DemoCamera},
    failed,
    foreign::{self, Foreign},
    usage,
};
use crate::{
    camera::{Media, SimCamera, SimCameraOptions, SimRecording, SimSegment},
    cli::Complaint,
    config::{Bay, BaySource, Config, SecretFile, Store, StoreRequired},
    daemon::chain,
    dock::{
        Stage,
        report::{Light, StatusReport},
    },
    seal::Identity,
    types::{BayName, CameraId, DockId, fact::Bookmark},
    vault::ThrowawayCa,
};
use jiff::{SignedDuration, Timestamp};
use ring::rand::SystemRandom;
use std::{
    borrow::Cow,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Component, Path, PathBuf},
};

const CLIPS: [&[u8]; 6] = [
    include_bytes!("../../tests/fixtures/media/clip-1.mp4"),
    include_bytes!("../../tests/fixtures/media/clip-2.mp4"),
    include_bytes!("../../tests/fixtures/media/clip-3.mp4"),
    include_bytes!("../../tests/fixtures/media/clip-4.mp4"),
    include_bytes!("../../tests/fixtures/media/clip-5.mp4"),
    include_bytes!("../../tests/fixtures/media/clip-6.mp4"),
];

/// A camera, its officer, and recordings: minutes ago, evidential, clips.
type Shift = (&'static str, &'static str, &'static [(i64, bool, &'static [usize])]);

/// The folder, and what is in it.
pub struct Workspace {
    root: PathBuf,
    socket: PathBuf,
    kept: bool,
    pub recipient: String,
    pub cameras: Vec<DemoCamera>,
    /// The store of `--store`, where one was named.
    foreign: Option<Foreign>,
    /// What must be said of objects that nobody can open when this is gone.
    pub nobody_opens: Option<String>,
}

fn io<T>(result: std::io::Result<T>, path: &Path) -> Result<T, Complaint> {
    result.map_err(|error| failed(format!("{}: {error}", path.display())))
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Complaint> {
    let options = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    io(options.and_then(|mut file| file.write_all(bytes)), path)
}

impl Workspace {
    /// Makes everything but the configuration, which needs the store's address.
    pub fn make(args: &DemoArgs) -> Result<Self, Complaint> {
        // What is wrong with the command line is said before anything is made.
        let foreign = args.store.as_deref().map(Foreign::read).transpose()?;
        foreign::check_release(args, foreign.as_ref())?;
        let cameras = docked::docked(args)?;
        let root = match &args.keep {
            Some(keep) => new_folder(keep, &cameras)?,
            None => {
                let name = format!("bwvdock-demo-{}", uuid::Uuid::now_v7());
                new_folder(&std::env::temp_dir().join(name), &cameras)?
            }
        };
        // A socket's path may only have some hundred bytes: a deep --keep must not matter.
        let short = std::env::temp_dir().join(format!("bwvdock-{}.sock", std::process::id()));
        let inside = root.join("api.sock");
        let socket = if inside.as_os_str().len() < 100 { inside } else { short };
        let mut work = Self {
            root,
            socket,
            kept: args.keep.is_some(),
            recipient: String::new(),
            cameras,
            nobody_opens: foreign::nobody_opens(args, foreign.as_ref()),
            foreign,
        };
        work.make_keys()?;
        if args.cameras.is_empty() {
            work.make_cameras()?;
        } else if work.cameras.iter().any(|camera| camera.profile.is_some()) {
            let (name, text) = docked::ANY_FOLDER;
            let path = work.path("profiles").join(name).with_extension("toml");
            io(fs::write(&path, text), &path)?;
        }
        Ok(work)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn is_kept(&self) -> bool {
        self.kept
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    fn make_keys(&mut self) -> Result<(), Complaint> {
        let identity = Identity::generate();
        let text = identity.file_text(Timestamp::now());
        write_private(&self.path("identity.txt"), text.as_bytes())?;
        self.recipient = identity.public().to_owned();
        write_private(&self.path("store.access"), b"demo")?;
        let secret: ring::rand::Random<[u8; 20]> = ring::rand::generate(&SystemRandom::new())
            .map_err(|_| failed("the system gives no random bytes"))?;
        write_private(&self.path("store.secret"), hex::encode(secret.expose()).as_bytes())?;
        for folder in ["tls", "camera-keys", "profiles", "state"] {
            io(fs::create_dir_all(self.path(folder)), &self.path(folder))?;
        }
        let tls = |error: crate::vault::VaultError| failed(chain(&error));
        let ca = ThrowawayCa::new("bwvdock demo").map_err(tls)?;
        let server = ca.server(&["127.0.0.1", "localhost"]).map_err(tls)?;
        write_private(&self.path("tls/server.key"), server.key_pem.as_bytes())?;
        io(fs::write(self.path("tls/server.pem"), server.cert_pem), &self.path("tls/server.pem"))?;
        io(fs::write(self.path("tls/ca.pem"), ca.cert_pem()), &self.path("tls/ca.pem"))
    }

    /// Two cameras after a shift: split recordings, evidence among them, bookmarks, GNSS tracks.
    fn make_cameras(&mut self) -> Result<(), Complaint> {
        let now = Timestamp::now();
        let ago =
            |minutes: i64| now.saturating_sub(SignedDuration::from_mins(minutes)).unwrap_or(now);
        let shifts: [Shift; 2] = [
            ("BWC-0001", "PC4711", &[(410, false, &[0, 1]), (225, true, &[2, 3, 4])]),
            ("BWC-0002", "PC2048", &[(390, false, &[5]), (180, false, &[1, 2]), (35, true, &[3])]),
        ];
        for (seed, (name, officer, recordings)) in shifts.into_iter().enumerate() {
            let id = CameraId::new(name).map_err(|error| failed(error.to_string()))?;
            let folder = self.path("cameras").join(name);
            io(fs::create_dir_all(&folder), &folder)?;
            let options = SimCameraOptions {
                camera: id,
                model: "Simulated BWC".into(),
                seed: seed as u64 + 1,
            };
            let camera = |error: crate::camera::CameraError| failed(chain(&error));
            let mut sim = SimCamera::make(&folder, options).map_err(camera)?;
            for (minutes, evidential, clips) in recordings {
                let started = ago(*minutes);
                let marks = started.saturating_add(SignedDuration::from_secs(2)).unwrap_or(started);
                let label = "officer pressed the marker".to_owned();
                let recording = SimRecording {
                    officer: Some(officer.into()),
                    started,
                    evidential: *evidential,
                    flags: if *evidential { vec!["use-of-force".into()] } else { Vec::new() },
                    bookmarks: if *evidential {
                        vec![Bookmark { at: marks, label }]
                    } else {
                        Vec::new()
                    },
                    segments: clips
                        .iter()
                        .map(|clip| SimSegment {
                            media: Media::Clip(Cow::Borrowed(CLIPS[*clip])),
                            seconds: 4,
                        })
                        .collect(),
                    gnss: true,
                    cut_off: false,
                };
                sim.record(&recording).map_err(camera)?;
            }
            let key = self.path("camera-keys").join(format!("{name}.pub"));
            io(fs::write(&key, sim.public_key().to_pem()), &key)?;
            self.cameras.push(DemoCamera::known(folder, true));
        }
        Ok(())
    }

    pub fn write_config(&self, args: &DemoArgs, endpoint: Option<&str>) -> Result<(), Complaint> {
        let mut recipients = vec![self.recipient.clone()];
        recipients.extend(self.foreign.iter().flat_map(|foreign| foreign.recipients.clone()));
        let store = match (&self.foreign, endpoint) {
            (Some(foreign), _) => foreign.store.clone(),
            (None, Some(endpoint)) => self.embedded_store(endpoint)?,
            (None, None) => return Err(failed("there is no store")),
        };
        let dock = DockId::new("demo-dock").map_err(|error| failed(error.to_string()))?;
        let mut config = Config::new(dock, recipients, store);
        config.dock.state_dir = self.path("state");
        config.dock.key_file = SecretFile::Path(self.path("state/dock.key"));
        config.api.socket = self.socket.clone();
        config.cameras.profiles_dir = self.path("profiles");
        config.cameras.keys_dir = self.path("camera-keys");
        config.cameras.poll_interval_ms = 100;
        // Simulated cameras were written to the end before they are docked.
        if args.cameras.is_empty() {
            config.release.still_seconds_min = 0;
        }
        // A laptop's disk is not a dock's: what does not fit waits, which is worth seeing too.
        config.spool.bytes_max = 16 << 30;
        config.spool.reserve_bytes = 256 << 20;
        for (number, camera) in self.cameras.iter().enumerate() {
            let name = BayName::new((number + 1).to_string());
            config.bays.push(Bay {
                name: name.map_err(|error| failed(error.to_string()))?,
                source: BaySource::Folder(camera.folder.clone()),
                camera_id: camera.id.clone(),
                profile: camera.profile.map(str::to_owned),
                models: Vec::new(),
                allow_erase: camera.erase,
            });
        }
        let text = config.to_toml();
        // What the demo writes must be what the daemon accepts, or the demo shows nothing.
        Config::parse(&text).map_err(|error| failed(format!("the configuration: {error}")))?;
        io(fs::write(self.path("bwvdock.toml"), text), &self.path("bwvdock.toml"))
    }

    fn embedded_store(&self, endpoint: &str) -> Result<Store, Complaint> {
        let endpoint = endpoint.parse().map_err(|error| failed(format!("{endpoint}: {error}")))?;
        let mut store = Store::new(StoreRequired {
            endpoint,
            bucket: "evidence".into(),
            access_key_file: SecretFile::Path(self.path("store.access")),
            secret_key_file: SecretFile::Path(self.path("store.secret")),
        });
        store.ca_file = Some(self.path("tls/ca.pem"));
        Ok(store)
    }

    /// Whether every bay has nothing left to do and everything sealed is stored and receipted.
    pub fn is_done(&self, status: &StatusReport) -> bool {
        is_done(status, false)
    }

    /// Everything is done but for files that somebody still writes to.
    pub fn is_only_written_to(&self, status: &StatusReport) -> bool {
        is_done(status, true)
    }

    /// The last lines of the logs, for when something went wrong.
    pub fn show_log(&self) {
        for name in ["vault.log", "daemon.log"] {
            let text = fs::read_to_string(self.path(name)).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            for line in &lines[lines.len().saturating_sub(15)..] {
                eprintln!("{name}: {line}");
            }
        }
    }

    /// The docked folder of a camera, by the bay it is in.
    pub fn camera_of(&self, status: &StatusReport, id: &CameraId) -> Option<&DemoCamera> {
        let at = status.bays.iter().position(|bay| bay.camera.as_ref() == Some(id))?;
        self.cameras.get(at)
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // A socket inside a kept workspace would only look alive; what cannot be removed is only
        // a folder left in the system's temporary folder.
        let _ = fs::remove_file(&self.socket);
        if !self.kept {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// Makes the workspace's folder, which must not lie where it would be docked as footage.
fn new_folder(path: &Path, cameras: &[DemoCamera]) -> Result<PathBuf, Complaint> {
    let Some(place) = will_be(path) else {
        let what = format!("{} goes through a folder that is not there", path.display());
        return Err(usage(what, "name the folder without `..`"));
    };
    if let Some(camera) = cameras.iter().find(|camera| place.starts_with(&camera.folder)) {
        let (path, folder) = (path.display(), camera.folder.display());
        let what = format!(
            "{path} lies in {folder}, which is docked as a camera: what the demo writes there \
             would be taken for footage"
        );
        return Err(usage(what, "name a folder outside of every --camera folder"));
    }
    let taken = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    if taken {
        let what = format!("{} is not empty", path.display());
        return Err(usage(what, "name a new folder: nothing of an earlier demo is overwritten"));
    }
    let made = fs::create_dir_all(path).and_then(|()| path.canonicalize());
    made.map_err(|error| {
        let what = format!("{} cannot be made: {error}", path.display());
        usage(what, "name a folder in a place that is yours")
    })
}

/// Where a path leads that may not exist yet: its nearest folder that does, and the rest. Nothing if
/// the rest goes up again, which would lead out of folders that only making them makes real.
fn will_be(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = absolute.ancestors().find_map(|at| Some((at, at.canonicalize().ok()?)));
    match found.map(|(at, real)| (absolute.strip_prefix(at), real)) {
        // Joined with nothing, a path would end in a slash.
        Some((Ok(rest), real)) if rest.as_os_str().is_empty() => Some(real),
        Some((Ok(rest), _)) if rest.components().any(|part| part == Component::ParentDir) => None,
        Some((Ok(rest), real)) => Some(real.join(rest)),
        Some((Err(_), _)) | None => Some(absolute),
    }
}

/// Whether nothing is left to do; or, where that is `tolerated`, nothing but to wait for files that
/// somebody still writes to.
fn is_done(status: &StatusReport, tolerated: bool) -> bool {
    let settled = |bay: &crate::dock::report::BayReport| match bay.light {
        Light::Green => true,
        // Something failed its check and stays: that is an end too, and a loud one.
        Light::Red => bay.camera.is_none() || bay.to_copy.count + bay.to_store.count == 0,
        Light::Amber => tolerated && bay.growing > 0 && bay.copying.is_none(),
        Light::Off => false,
    };
    let growing = if tolerated { status.bays.iter().map(|bay| bay.growing).sum() } else { 0 };
    let sum = |a: &crate::dock::report::ClassAmounts| {
        a.evidential.count + a.quarantine.count + a.unreviewed.count
    };
    let at = |stage| status.segments.iter().find(|amount| amount.stage == stage);
    status.bays.iter().all(settled)
        && sum(&status.queue) == 0
        && sum(&status.to_copy) <= growing
        && at(Stage::Releasing).is_none_or(|amount| amount.count == 0)
        && status.uploads.is_empty()
        && status.unfinished == 0
        && status.undescribed == 0
}
