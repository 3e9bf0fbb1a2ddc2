//! Opening the doors in their order, and what is put right before anything runs.

use super::{
    Core, DaemonError, Doctor, Progress,
    cameras::{Bays, Paused, World},
    core::{Loop, log_damage},
    doors::Doors,
    ports::{Parts, Ports},
    uploads::{Stops, Uploads},
    witnesses,
};
use crate::{
    api::Api,
    clock::{Clock, RealClock, boot_id},
    config::{self, Config, Store as StoreConfig},
    custody::receipt::{DockKey, Place},
    dock::{
        Dock, Event, IdSource, Settings, View, event::Started, fold, spooled, state::ObjectState,
    },
    evidence::{KeyRing, Profile, PublicKey},
    journal::{Journal, JournalOptions},
    release::Policy,
    seal::Recipients,
    spool::{FolderSpool, Found, Limits as SpoolLimits, Spool as _},
    store::{Limiter, S3, S3Options},
    transfer::{
        Backoff, Enforces, Limits,
        window::{Window, Windows},
    },
    trust::{self, Model, ModelMark},
    types::{CameraId, Sha256Digest, fact::Fact},
    usb::{Findings, HubPower, Sysfs},
};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{OnceCell, Semaphore},
};
use zeroize::Zeroizing;

/// Calls to the store, over everything this dock does: the last fence against a storm.
const REQUESTS_PER_SECOND_MAX: u64 = 50;

/// Everything, open.
pub struct Opened {
    pub core: Core,
    pub engine: Loop,
    pub api: Api,
    pub world: Arc<World>,
    pub camera_bays: Arc<Bays>,
    /// To be told the core first.
    pub first: Vec<Event>,
    pub progress: Arc<Progress>,
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DaemonError {
    let path = path.to_owned();
    move |source| DaemonError::Io { doing, path, source }
}

struct RandomIds;

impl IdSource for RandomIds {
    fn next(&mut self, _: Timestamp) -> uuid::Uuid {
        uuid::Uuid::now_v7()
    }
}

/// # Errors
/// [`DaemonError`]: the first thing that cannot be used.
pub fn open(config: Config) -> Result<Opened, DaemonError> {
    let state = config.dock.state_dir.clone();
    fs::create_dir_all(&state).map_err(io_error("make the state folder", &state))?;
    let receipts = state.join("receipts");
    fs::create_dir_all(&receipts).map_err(io_error("make the receipts folder", &receipts))?;
    let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
    let key = dock_key(&config)?;
    let recipients =
        Recipients::parse(&config.seal.recipients).map_err(|error| DaemonError::Settings {
            what: super::chain(&error),
            next: "put age recipients (public keys) under [seal]; `bwvdock keys generate identity`",
        })?;
    let profiles = profiles(&config.cameras.profiles_dir)?;
    let keys = camera_keys(&config.cameras.keys_dir)?;
    let enrolled = keys.1;

    let boot = boot_id().map_err(io_error("read the boot id for", &state))?;
    let options = JournalOptions {
        progress_lag_ms_max: config.journal.progress_lag_ms_max,
        keep_days: config.journal.keep_days,
        witnesses: witnesses::receipt_heads(&receipts, &key)
            .map_err(io_error("list the receipts in", &receipts))?,
        ..JournalOptions::new(
            state.join("journal"),
            state.join("index"),
            config.dock.id.clone(),
            boot.clone(),
        )
    };
    let (journal, report) = Journal::open(options, fold, clock.now())?;
    let journal = Arc::new(journal);
    let limits = SpoolLimits {
        bytes_max: config.spool.bytes_max,
        reserve_bytes: config.spool.reserve_bytes,
    };
    let (spool, found) = FolderSpool::open(&state.join("spool"), limits)?;
    let spool = Arc::new(spool);
    let aside = journal.damage().map(|_| state.join("unclaimed"));
    let spool_folder = state.join("spool");
    let missing = settle_spool(&journal.view(), &spool, &found, (&spool_folder, aside.as_deref()))?;
    let missing = missing.into_iter().map(|state| Event::SpoolMissing {
        object: state.object.id,
        stored: witnesses::stored_by_receipt(&receipts, &key, &state),
    });
    let missing: Vec<Event> = missing.collect();

    let (core, inbox) = Core::channel();
    let progress = Arc::new(Progress::default());
    let store = Arc::new(open_store(&config)?);
    let uploads = Arc::new(Uploads {
        store,
        limits: upload_limits(&config),
        probed: OnceCell::new(),
        md5s: Default::default(),
        probe_prefix: format!("{}{}/", config.store.prefix, config.dock.id),
        place: place(&config.store),
        core: core.clone(),
        clock: clock.clone(),
        spool: spool.clone(),
        journal: journal.clone(),
        progress: progress.clone(),
        connections: Arc::new(Semaphore::new(config.transfer.parts_in_flight)),
        stops: Stops::default(),
        receipts: receipts.clone(),
        key,
        dock: config.dock.id.clone(),
    });
    let ports = Arc::new(ports(&config, &profiles, &keys.0, &core));
    let world = Arc::new(World {
        core: core.clone(),
        clock: clock.clone(),
        profiles,
        keys: keys.0,
        recipients,
        spool: spool.clone(),
        part_bytes: config.store.part_bytes,
        progress: progress.clone(),
        paused: Paused::default(),
        ports: ports.clone(),
        set_clock: match config.cameras.set_clock {
            true => Some(time_zone(&config.cameras.clock_zone, "`clock_zone` under [cameras]")?),
            false => None,
        },
        poll: Duration::from_millis(config.cameras.poll_interval_ms),
        stop: AtomicBool::new(false),
    });
    let mut dock = Dock::new(settings(&config)?, Box::new(RandomIds));
    dock.set_journal_damage(journal.damage().map(log_damage));
    let camera_bays = Arc::new(Bays::default());
    let doors = Doors {
        clock: clock.clone(),
        core: core.clone(),
        runtime: Handle::current(),
        world: world.clone(),
        bays: camera_bays.clone(),
        spool: spool.clone(),
        journal: journal.clone(),
        uploads: uploads.clone(),
        dock: config.dock.id.clone(),
    };
    let started = Started {
        fact: Fact::DockStarted {
            version: env!("CARGO_PKG_VERSION").into(),
            boot,
            clock_synchronised: clock.is_synchronised(),
            config: Sha256Digest::of(config.to_toml().as_bytes()),
        },
        repairs: report.facts().into_iter().map(|new| new.fact).collect(),
    };
    let first = std::iter::once(Event::Started(started)).chain(missing).collect();
    let profile_names = world.profiles.iter().map(|p| p.name().to_owned()).collect();
    let api = Api {
        core: core.clone(),
        clock: clock.clone(),
        journal: journal.clone(),
        spool: spool.clone(),
        progress: progress.clone(),
        receipts,
        groups: (config.api.read_group.clone(), config.api.admin_group.clone()),
        doctor: Arc::new(Doctor {
            config,
            clock,
            journal: journal.clone(),
            spool,
            uploads: uploads.clone(),
            profiles: profile_names,
            enrolled,
            ports,
        }),
    };
    let engine = Loop { dock, journal, doors, inbox };
    Ok(Opened { core, engine, api, world, camera_bays, first, progress })
}

/// The bays that are USB ports, with what is let into them.
fn ports(config: &Config, profiles: &[Profile], keys: &KeyRing, core: &Core) -> Ports {
    let sysfs = Sysfs::default();
    let parts = Parts {
        power: Arc::new(HubPower::new(sysfs.clone())),
        sysfs,
        tell: Arc::new(core.clone()),
        findings: Findings::open(config.dock.state_dir.join("hubs.json")),
        policy: policy(config, profiles, keys),
        elapsed: {
            let started = Instant::now();
            Box::new(move || started.elapsed())
        },
    };
    Ports::new(parts, &config.usb, &config.bays)
}

fn policy(config: &Config, profiles: &[Profile], keys: &KeyRing) -> trust::Policy {
    let usb = &config.usb;
    let model = |how, named_by: &str| Model { how, named_by: named_by.to_owned() };
    let mut models: Vec<_> =
        usb.models.iter().map(|id| model(ModelMark::Id(*id), "`models` under [usb]")).collect();
    for profile in profiles {
        let ids = profile.usb_ids().iter().map(|id| ModelMark::Id(*id));
        let names = profile.product_names().iter().cloned().map(ModelMark::Product);
        models.extend(ids.chain(names).map(|how| model(how, profile.name())));
    }
    let enrolled = || {
        let keys = keys.cameras().map(|camera| camera.as_str().to_owned());
        usb.serials.iter().cloned().chain(keys).collect()
    };
    trust::Policy {
        models,
        unknown_ptp: usb.unknown_models == config::UnknownModels::Ptp,
        vendor_mtp: usb.vendor_mtp,
        tolerated: usb.tolerated_interfaces.clone(),
        serials: usb.only_enrolled.then(enrolled),
    }
}

/// Windows of time with their time zones looked up.
fn windows(config: &Config) -> Result<Windows, DaemonError> {
    let window = |window: &config::Window| {
        let zone = time_zone(&window.time_zone, "`time_zone` under [[transfer.windows]]")?;
        Ok(Window {
            days: window.days.iter().map(|day| weekday(*day)).collect(),
            from: time_of(window.from),
            to: time_of(window.to),
            zone,
            classes: window.classes.clone(),
        })
    };
    config.transfer.windows.iter().map(window).collect::<Result<_, _>>().map(Windows)
}

fn time_zone(name: &str, key: &str) -> Result<TimeZone, DaemonError> {
    TimeZone::get(name).map_err(|_| DaemonError::Settings {
        what: format!("there is no time zone {name}, which {key} names"),
        next: "correct it: names are as in \"Europe/London\"",
    })
}

fn weekday(day: config::Day) -> Weekday {
    match day {
        config::Day::Monday => Weekday::Monday,
        config::Day::Tuesday => Weekday::Tuesday,
        config::Day::Wednesday => Weekday::Wednesday,
        config::Day::Thursday => Weekday::Thursday,
        config::Day::Friday => Weekday::Friday,
        config::Day::Saturday => Weekday::Saturday,
        config::Day::Sunday => Weekday::Sunday,
    }
}

/// 24:00 is 00:00 of the next day, which is what a window that ends there means.
fn time_of(at: config::TimeOfDay) -> Time {
    let minutes = at.minutes() % (24 * 60);
    let (hour, minute) = ((minutes / 60) as i8, (minutes % 60) as i8);
    Time::new(hour, minute, 0, 0).expect("a time of day has less than 24 hours")
}

fn settings(config: &Config) -> Result<Settings, DaemonError> {
    let hours = |hours: u32| SignedDuration::from_hours(hours.into());
    Ok(Settings {
        dock: config.dock.id.clone(),
        bays: config.bays.iter().map(|bay| bay.name.clone()).collect(),
        copies_max: config.cameras.copies_max,
        objects_in_flight: config.transfer.objects_in_flight,
        windows: windows(config)?,
        evidential_head_start: hours(config.transfer.evidential_head_start_hours),
        release: Policy {
            enabled: config.release.enabled,
            level_min: config.release.receipt_level_min,
            age_min: hours(config.release.age_hours_min),
            erase_unverified: config.release.erase_unverified,
            reread: config.release.read_again_before_erase,
        },
        key_prefix: config.store.prefix.clone(),
        lock_for: config.retention.lock.then(|| hours(24 * config.retention.days)),
        copy_retry: (SignedDuration::from_secs(2), SignedDuration::from_mins(10)),
        copy_attempts_max: 5,
    })
}

/// Reads the dock's signing key, or makes it at the first start.
fn dock_key(config: &Config) -> Result<DockKey, DaemonError> {
    let unusable = |what: String| DaemonError::Settings {
        what,
        next: "`bwvdock keys generate dock --out FILE` makes one; name it as key_file under [dock]",
    };
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let path = config.dock.key_file.path(credentials.as_deref());
    if let Some(path) = path.filter(|path| !path.exists()) {
        let key = DockKey::generate().map_err(|error| unusable(super::chain(&error)))?;
        write_key(&path, &key).map_err(io_error("write the dock's key", &path))?;
        tracing::info!("made the dock's signing key; its public half lies beside it");
        return Ok(key);
    }
    let pem = config::read_secret(&config.dock.key_file, credentials.as_deref())?;
    DockKey::from_pem(&pem).map_err(|error| unusable(super::chain(&error)))
}

fn write_key(path: &Path, key: &DockKey) -> io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(key.to_pem().as_bytes())?;
    file.sync_all()?;
    fs::write(path.with_extension("pub.pem"), key.public_pem())
}

/// Shipped profiles, and those of the folder; a profile there replaces a shipped one by its name.
fn profiles(folder: &Path) -> Result<Vec<Profile>, DaemonError> {
    let mut profiles = Vec::new();
    for path in files_in(folder, "toml")? {
        let text = fs::read_to_string(&path).map_err(io_error("read the profile", &path))?;
        let profile = Profile::parse(&text).map_err(|error| DaemonError::Settings {
            what: format!("camera profile {}: {}", path.display(), super::chain(&error)),
            next: "mend the profile; config/cameras/ has commented ones to copy from",
        })?;
        profiles.push(profile);
    }
    for shipped in Profile::shipped() {
        if profiles.iter().all(|profile| profile.name() != shipped.name()) {
            profiles.push(shipped);
        }
    }
    Ok(profiles)
}

fn camera_keys(folder: &Path) -> Result<(KeyRing, usize), DaemonError> {
    let mut keys = Vec::new();
    for path in files_in(folder, "pub")? {
        let unusable = |what: String| DaemonError::Settings {
            what: format!("camera key {}: {what}", path.display()),
            next: "name it CAMERA_ID.pub; its content is an Ed25519 public key (PEM or base64)",
        };
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let camera = CameraId::new(name).map_err(|error| unusable(error.to_string()))?;
        let text = fs::read_to_string(&path).map_err(io_error("read the camera key", &path))?;
        let key = PublicKey::parse(&text).map_err(|error| unusable(super::chain(&error)))?;
        keys.push((camera, key));
    }
    let count = keys.len();
    Ok((keys.into_iter().collect(), count))
}

/// Files with an extension, sorted; a folder that is not there has none.
fn files_in(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, DaemonError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("list", folder)(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_error("list", folder))?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Makes spool and state agree: a file without a fact never counted and goes (its segment is
/// still on the camera), unless lines of the log are missing: then it is kept in the folder
/// `aside`. A fact without its file is reported.
fn settle_spool(
    view: &dyn View,
    spool: &FolderSpool,
    found: &Found,
    (folder, aside): (&Path, Option<&Path>),
) -> Result<Vec<ObjectState>, DaemonError> {
    for entry in &found.objects {
        match (spooled::still_needed(view, entry.object)?, aside) {
            (Some(true), _) => {}
            (None, Some(aside)) => {
                witnesses::set_aside(folder, spool, aside, entry.object)?;
                tracing::error!(object = %entry.object, "kept: the custody log has no line of it");
            }
            (Some(false), _) | (None, None) => {
                spool.remove(entry.object)?;
                tracing::info!(object = %entry.object, "removed from the spool: nothing refers to it");
            }
        }
    }
    for name in &found.foreign {
        tracing::warn!("{name} in the spool is none of the spool's; left alone");
    }
    let there = |object| found.objects.binary_search_by_key(&object, |entry| entry.object).is_ok();
    Ok(spooled::missing(view, there)?)
}

/// The store door as configured; makes no connection yet.
///
/// # Errors
/// A secret or certificate that cannot be read, or settings that fit no store.
pub fn open_store(config: &Config) -> Result<S3, DaemonError> {
    let store = &config.store;
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let secret = |file| config::read_secret(file, credentials.as_deref());
    let pem = |path: &PathBuf| fs::read(path).map_err(io_error("read the certificate", path));
    let access_key = secret(&store.access_key_file)?;
    let options = S3Options {
        region: store.region.clone(),
        path_style: store.path_style,
        ca_pem: store.ca_file.as_ref().map(pem).transpose()?,
        client_pem: match (&store.client_cert_file, &store.client_key_file) {
            (Some(cert), Some(key)) => {
                Some((pem(cert)?, Zeroizing::new(secret(key)?.as_bytes().to_vec())))
            }
            _ => None,
        },
        server_key_pin: store.server_key_pin.clone(),
        connect_timeout: Duration::from_millis(store.connect_timeout_ms),
        bytes_per_second_min: store.bytes_per_second_min,
        ..S3Options::new(
            store.endpoint.clone(),
            &store.bucket,
            access_key.as_str(),
            secret(&store.secret_key_file)?,
        )
    };
    let limiter = Limiter::new(config.transfer.bytes_per_second_max, REQUESTS_PER_SECOND_MAX);
    S3::new(options, limiter).map_err(|error| DaemonError::Settings {
        what: super::chain(&error),
        next: "correct [store] in the configuration",
    })
}

fn place(config: &StoreConfig) -> Place {
    let host = config.endpoint.host_str().unwrap_or_default();
    let endpoint = match config.endpoint.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    Place { endpoint, bucket: config.bucket.clone() }
}

fn upload_limits(config: &Config) -> Limits {
    Limits {
        parts_in_flight: config.transfer.parts_in_flight,
        wanted: config.release.receipt_level_min,
        // Nothing is believed of a store before it was asked: see `probe`.
        enforces: Enforces::default(),
        backoff: Backoff {
            base: Duration::from_secs(config.transfer.retry_seconds_base),
            cap: Duration::from_secs(config.transfer.retry_seconds_max),
        },
    }
}
