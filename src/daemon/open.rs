//! Opening the doors in their order, and what is put right before anything runs.

use super::{
    Core, DaemonError, Doctor, Progress,
    cameras::{Bays, Paused, World},
    charging::{Batteries, Charger},
    core::{Loop, log_damage},
    dock_key::sync_folder,
    doors::Doors,
    files::{self, io_error},
    ports::{Parts, Ports},
    pushing,
    uploads::{Asking, Stops, Uploads},
    witnesses,
};
use crate::{
    api::Api,
    charging,
    clock::{Clock, RealClock, boot_id},
    config::{self, Config, Store as StoreConfig, StoreKind},
    custody::receipt::Place,
    dock::{
        Dock, Event, IdSource, Settings, View, event::Started, fold, spooled, state::ObjectState,
    },
    evidence::{KeyRing, Profile},
    journal::{Journal, JournalOptions},
    release::Policy,
    seal::Recipients,
    spool::{FolderSpool, Found, Limits as SpoolLimits, Spool as _},
    store::{AnyStore, Directory, Limiter, S3, S3Options},
    transfer::{
        Backoff, Enforces, Limits,
        window::{Window, Windows},
    },
    trust::{self, Model, ModelMark},
    types::{Sha256Digest, fact::Fact},
    usb::{Findings, HubPower, Sysfs},
};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{OnceCell, Semaphore},
};
use zeroize::Zeroizing;

/// Where time zones are written.
pub(super) const WINDOW_ZONE: &str = "`time_zone` under [[transfer.windows]]";
pub(super) const CLOCK_ZONE: &str = "`clock_zone` under [cameras]";

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
    pub charger: Charger,
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
    if !state.is_dir() {
        fs::create_dir_all(&state)
            .and_then(|()| sync_folder(&state))
            .map_err(io_error("make the state folder", &state))?;
    }
    let receipts = state.join("receipts");
    fs::create_dir_all(&receipts).map_err(io_error("make the receipts folder", &receipts))?;
    // What is fsynced into a folder is worth nothing if the folder itself goes with the power. An
    // earlier start may have been killed just before this.
    sync_folder(&receipts).map_err(io_error("sync", &state))?;
    let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
    let key = files::dock_key(&config)?;
    let recipients =
        Recipients::parse(&config.seal.recipients).map_err(|error| DaemonError::Settings {
            what: super::chain(&error),
            next: "put age recipients (public keys) under [seal]; `bwvdock keys generate identity`",
        })?;
    let profiles = files::whole(files::profiles(&config.cameras.profiles_dir))?;
    let keys = files::whole(files::camera_keys(&config.cameras.keys_dir))?;
    let enrolled = keys.len();
    let keys: KeyRing = keys.into_iter().collect();

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

    let push = pushing::open(&config)?;
    let (core, inbox) = Core::channel();
    let progress = Arc::new(Progress::default());
    let store = Arc::new(open_any_store(&config)?);
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
        lock_for: lock_for(&config),
        receipt_level: Default::default(),
    });
    let ports = Arc::new(ports(&config, &profiles, &keys, &core));
    let world = Arc::new(World {
        core: core.clone(),
        clock: clock.clone(),
        profiles,
        keys,
        recipients,
        spool: spool.clone(),
        part_bytes: config.store.part_bytes,
        progress: progress.clone(),
        paused: Paused::default(),
        ports: ports.clone(),
        batteries: {
            let (every, started) = (config.charging.battery_poll_seconds, Instant::now());
            Batteries::new(Duration::from_secs(every), Box::new(move || started.elapsed()))
        },
        store: Asking { runtime: Handle::current(), uploads: uploads.clone() },
        set_clock: match config.cameras.set_clock {
            true => Some(time_zone(&config.cameras.clock_zone, CLOCK_ZONE)?),
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
    let charger = Charger::new(charging_settings(&config)?, &config);
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
            push,
        }),
    };
    let engine = Loop { dock, journal, doors, inbox };
    Ok(Opened { core, engine, api, world, camera_bays, first, progress, charger })
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
        let zone = time_zone(&window.time_zone, WINDOW_ZONE)?;
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

/// The charging policy with its time zones looked up.
pub fn charging_settings(config: &Config) -> Result<charging::Settings, DaemonError> {
    let c = &config.charging;
    let shift = |shift: &config::ChargingShift| {
        Ok(charging::Shift {
            days: shift.days.iter().map(|day| weekday(*day)).collect(),
            start: time_of(shift.start),
            zone: time_zone(&shift.time_zone, "`time_zone` under [[charging.shifts]]")?,
        })
    };
    let shifts = c.shifts.iter().map(shift).collect::<Result<_, DaemonError>>()?;
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let limit = |milliamps: u32| (milliamps > 0).then_some(milliamps);
    Ok(charging::Settings {
        gate_percent: c.gate_percent,
        full_percent: c.full_percent,
        battery_required: c.battery_required,
        full_charge: minutes(c.full_charge_minutes),
        slowest_charge: minutes(60 * c.slowest_charge_hours),
        hold: (c.rest_percent > 0).then(|| charging::Hold {
            percent: c.rest_percent,
            idle: minutes(60 * c.rest_idle_hours),
        }),
        port_milliamps: c.port_milliamps,
        hub_milliamps_max: limit(c.hub_milliamps_max),
        station_milliamps_max: limit(c.station_milliamps_max),
        order: match c.order {
            config::ChargeOrder::NextShift => charging::Order::NextShift,
            config::ChargeOrder::Fair => charging::Order::Fair,
        },
        stagger: Duration::from_secs(c.stagger_seconds),
        dwell: minutes(c.dwell_minutes),
        coldest_celsius: c.celsius_min as i16,
        hottest_celsius: c.celsius_max as i16,
        stops: c.stop_on_anomaly,
        shifts: charging::Shifts(shifts),
    })
}

pub(super) fn time_zone(name: &str, key: &str) -> Result<TimeZone, DaemonError> {
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
            still_min: SignedDuration::from_secs(config.release.still_seconds_min.into()),
            reread: config.release.read_again_before_erase,
        },
        key_prefix: config.store.prefix.clone(),
        lock_for: lock_for(config),
        copy_retry: (SignedDuration::from_secs(2), SignedDuration::from_mins(10)),
        copy_attempts_max: 5,
    })
}

fn lock_for(config: &Config) -> Option<SignedDuration> {
    let days = config.retention.days;
    config.retention.lock.then(|| SignedDuration::from_hours(24 * i64::from(days)))
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

/// The store door as configured, whichever it is; looks at nothing yet.
///
/// # Errors
/// As [`open_store`].
fn open_any_store(config: &Config) -> Result<AnyStore, DaemonError> {
    Ok(match config.store.kind {
        StoreKind::S3 => AnyStore::S3(Box::new(open_store(config)?)),
        StoreKind::Directory => AnyStore::Directory(Box::new(open_directory(config))),
    })
}

/// The folder of a store that is one.
pub fn open_directory(config: &Config) -> Directory {
    let limiter = Limiter::new(config.transfer.bytes_per_second_max, 0);
    let folder = config.store.directory.clone().unwrap_or_default();
    Directory::new(folder, limiter, config.store.bytes_per_second_min)
}

/// The S3 door as configured; makes no connection yet.
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
    if let (StoreKind::Directory, Some(folder)) = (config.kind, &config.directory) {
        return Place { endpoint: "directory".into(), bucket: folder.display().to_string() };
    }
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
