//! The service: opens the doors, joins them to the rules, and keeps going.

mod attach;
mod cameras;
mod charging;
mod condition;
pub mod copy;
mod core;
mod dock_key;
mod doctor;
mod doors;
mod erasing;
mod files;
mod log;
mod marking;
mod open;
mod patrol;
mod ports;
mod preflight;
mod progress;
mod pushing;
mod records;
mod still;
mod uploads;
mod witnesses;

pub use cameras::chain;
pub use core::{Core, Stopping};
pub use doctor::{Doctor, Finding};
pub use open::{open_directory, open_store};
pub use preflight::{Looker, Problem, Ready, Unready, examine};
pub use progress::Progress;

use crate::{
    api,
    clock::Clock,
    config::{Config, LoadError},
    dock::IndexBroken,
    journal::{Journal, JournalError, Pruned},
    metrics,
    spool::SpoolError,
    usb::RusbBus,
};
use open::Opened;
use std::{
    io,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// Why the daemon does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("the custody log failed")]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Index(#[from] IndexBroken),
    #[error("the spool failed")]
    Spool(#[from] SpoolError),
    #[error("a file of the configuration cannot be used")]
    Load(#[from] LoadError),
    #[error("{what}")]
    Settings { what: String, next: &'static str },
    #[error("cannot {doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the core thread ended by a panic")]
    Panicked,
}

impl DaemonError {
    /// What to do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Journal(JournalError::InUse(_)) => {
                "another bwvdock runs with this state_dir: stop it, or name another folder"
            }
            Self::Journal(_) => {
                "look at the disk (space, errors in `dmesg`); cameras keep everything meanwhile"
            }
            Self::Index(_) => "start it again: the index is made anew from the custody log",
            Self::Spool(_) => "look at the disk and the rights of state_dir",
            Self::Load(_) => "mend the file, then `bwvdock config check`",
            Self::Settings { next, .. } => next,
            Self::Io { .. } => "check the path and its rights",
            Self::Panicked => "report this with the log; it is safe to start again",
        }
    }
}

/// How long a stop waits for cameras at work. One that does not answer may take a minute to give
/// up; it is left as by a crash, which every step survives: nobody hears its thread any more.
const CAMERAS_LEFT_AFTER: Duration = Duration::from_secs(5);

/// Runs the service until SIGTERM or SIGINT, or until the journal fails.
///
/// # Errors
/// [`DaemonError`].
pub fn run(ready: Ready) -> Result<(), DaemonError> {
    let config = ready.into_config();
    log::to_stderr(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .thread_stack_size(512 * 1024)
        .enable_all()
        .build()
        .map_err(|source| DaemonError::Io {
            doing: "start the network threads for",
            path: config.dock.state_dir.clone(),
            source,
        })?;
    let result = runtime.block_on(serve(config));
    // A blocking thread may sit in a hung disk; the evidence is safe without it.
    runtime.shutdown_timeout(Duration::from_secs(5));
    result
}

async fn serve(config: Config) -> Result<(), DaemonError> {
    let socket = config.api.socket.clone();
    let listener = figures_at(&config).await?;
    let bays = config.bays.clone();
    let Opened { core, engine, api, world, camera_bays, first, progress, mut charger } =
        open::open(config)?;
    let (journal, clock) = (api.journal.clone(), api.clock.clone());
    let (ended, core_end) = oneshot::channel();
    let thread = std::thread::Builder::new().name("core".into()).spawn(move || {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| engine.run()));
        // Nobody waits for it any more when the daemon itself is gone.
        let _ = ended.send(result.unwrap_or(Err(DaemonError::Panicked)));
    });
    let thread = thread.map_err(|source| DaemonError::Io {
        doing: "start the core thread for",
        path: socket.clone(),
        source,
    })?;
    for event in first {
        if core.send(event).await.is_err() {
            break;
        }
    }
    let watcher = {
        let world = world.clone();
        std::thread::spawn(move || camera_bays.watch(&world, &bays))
    };
    let usb_watcher = {
        let world = world.clone();
        std::thread::spawn(move || {
            let bus = RusbBus::open(world.ports.sysfs().clone());
            world.ports.watch(bus, |bus| bus.deafness().map(str::to_owned), &world.stop);
        })
    };
    let mut figures: Vec<_> = listener
        .map(|listener| tokio::spawn(metrics::serve(listener, api.clone())))
        .into_iter()
        .collect();
    figures.extend(pushing::start(&api));
    let charger = {
        let world = world.clone();
        std::thread::spawn(move || charger.run(&world))
    };
    let socket_for_errors = socket.clone();
    let listener = tokio::spawn(async move { api::serve(&socket, api).await });
    let ticker = tokio::spawn(tick(core.clone(), progress));
    let pruner = tokio::spawn(prune_daily(journal.clone(), clock.clone()));
    let uploads = world.store.uploads.clone();
    let patrol = tokio::spawn(patrol::patrol(uploads, core.clone(), clock));
    let result = wait_for_end(&core, core_end, listener, socket_for_errors).await;
    world.stop.store(true, Ordering::Relaxed);
    world.ports.stir();
    ticker.abort();
    pruner.abort();
    patrol.abort();
    figures.iter().for_each(tokio::task::JoinHandle::abort);
    drop(core);
    let closed = tokio::task::spawn_blocking(move || {
        // Threads that panicked were reported when they did.
        let _ = thread.join();
        let until = std::time::Instant::now() + CAMERAS_LEFT_AFTER;
        while !watcher.is_finished() && std::time::Instant::now() < until {
            // A copy may have begun just now: ask until all have heard.
            world.progress.stop_all();
            std::thread::sleep(Duration::from_millis(20));
        }
        // Before the watch of the bus ends: ports that rest are switched on.
        let _ = charger.join();
        if watcher.is_finished() {
            let _ = watcher.join();
        } else {
            tracing::warn!("a camera does not answer; the daemon ends without waiting for it");
        }
        let _ = usb_watcher.join();
        journal.close()
    })
    .await;
    match (result, closed) {
        (Ok(()), Ok(Err(error))) => Err(error.into()),
        (result, _) => result,
    }
}

/// The address at which figures are given out, taken before anything is opened.
async fn figures_at(config: &Config) -> Result<Option<tokio::net::TcpListener>, DaemonError> {
    let Some(listen) = config.metrics.listen else { return Ok(None) };
    match metrics::bind(listen).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => Err(DaemonError::Settings {
            what: format!("figures cannot be given out at {listen}: {error}"),
            next: "write another address as `listen` under [metrics], or end what has it",
        }),
    }
}

/// Folds what is older than the retention of the log into a snapshot, once a day, and only while
/// the clock deserves belief.
async fn prune_daily(journal: Arc<Journal>, clock: Arc<dyn Clock>) {
    const FIRST: Duration = Duration::from_secs(600);
    const EVERY: Duration = Duration::from_secs(24 * 3600);
    let mut wait = FIRST;
    loop {
        tokio::time::sleep(wait).await;
        wait = EVERY;
        if !clock.is_synchronised() {
            continue;
        }
        let (journal, now) = (journal.clone(), clock.now());
        match tokio::task::spawn_blocking(move || journal.prune(now)).await {
            Ok(Ok(Pruned::Nothing)) => {}
            Ok(Ok(pruned)) => tracing::info!("custody log: {pruned:?}"),
            Ok(Err(error)) => tracing::error!("custody log not pruned: {}", chain(&error)),
            Err(error) => tracing::error!("custody log not pruned: {error}"),
        }
    }
}

async fn tick(core: Core, progress: Arc<Progress>) {
    const EVERY: Duration = Duration::from_secs(1);
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = std::time::Instant::now();
    let watchdog = sd_notify::watchdog_enabled().is_some();
    loop {
        interval.tick().await;
        let now = std::time::Instant::now();
        progress.sample(now - last);
        last = now;
        core.tick();
        // The watchdog is fed only while the core really answers.
        if watchdog && core.look(|_, _| ()).await.is_ok() {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        }
    }
}

async fn wait_for_end(
    core: &Core,
    mut core_end: oneshot::Receiver<Result<(), DaemonError>>,
    mut listener: tokio::task::JoinHandle<io::Result<()>>,
    socket: PathBuf,
) -> Result<(), DaemonError> {
    let signals = |kind| {
        signal(kind).map_err(|source| DaemonError::Io {
            doing: "listen for signals for",
            path: socket.clone(),
            source,
        })
    };
    let (mut term, mut int) =
        (signals(SignalKind::terminate())?, signals(SignalKind::interrupt())?);
    // Not under systemd is fine too.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!("ready");
    let why = tokio::select! {
        end = &mut core_end => return end.unwrap_or(Err(DaemonError::Panicked)),
        end = &mut listener => {
            let source = match end {
                Ok(Err(error)) => error,
                Ok(Ok(())) | Err(_) => io::ErrorKind::Other.into(),
            };
            let error = DaemonError::Io { doing: "serve the local API at", path: socket, source };
            let _ = core.stop("the local API failed".into()).await;
            let _ = core_end.await;
            return Err(error);
        }
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    };
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    tracing::info!("stopping on {why}");
    let _ = core.stop(format!("{why} received")).await;
    listener.abort();
    core_end.await.unwrap_or(Err(DaemonError::Panicked))
}
