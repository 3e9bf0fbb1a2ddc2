//! Everything a start would refuse, as far as it shows without starting: all of it at once, and
//! before anything is made.
//!
//! `config check` and the daemon ask the same: [`examine`] is the only way to a [`Ready`]
//! configuration, and nothing else can be run. It reads files and asks the kernel for rights; it
//! writes nothing, connects to nothing and takes no lock. Rights are those of whoever asks.

use super::{DaemonError, chain, files, open, pushing};
use crate::{
    config::{self, Config, LoadError, SecretFile},
    seal::Recipients,
    store::{self, SetupError},
};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use serde::Serialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// What systemd makes for the service (`StateDirectory`, `RuntimeDirectory` of bwvdock.service).
const BY_UNIT: [&str; 2] = ["/var/lib/bwvdock", "/run/bwvdock"];

/// One thing that keeps the dock from starting, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub what: String,
    pub next: String,
}

impl Problem {
    fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), next: next.into() }
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        let next = error.next_step();
        Self::new(chain(&error), next)
    }
}

impl From<DaemonError> for Problem {
    fn from(error: DaemonError) -> Self {
        match error {
            DaemonError::Load(error) => error.into(),
            error => {
                let next = error.next_step();
                Self::new(chain(&error), next)
            }
        }
    }
}

/// A configuration with which a daemon can start, as far as can be seen.
#[derive(Debug)]
pub struct Ready {
    config: Config,
    notes: Vec<String>,
}

impl Ready {
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What could not be seen from here.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(super) fn into_config(self) -> Config {
        self.config
    }
}

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looker {
    /// The daemon, which has what systemd hands over.
    Daemon,
    /// Somebody at a prompt, who has not.
    Person,
}

/// Why a configuration is not [`Ready`].
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// It is no configuration: nothing else can be looked at.
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("{} of this dock would keep it from starting", things(.0.len()))]
    Problems(Vec<Problem>),
}

fn things(n: usize) -> String {
    if n == 1 { "one thing".into() } else { format!("{n} things") }
}

/// Reads a configuration and looks at everything it names.
///
/// # Errors
/// [`Unready`]: every problem.
pub fn examine(file: &Path, looker: Looker) -> Result<Ready, Unready> {
    let (config, recipients) = config::load_parts(file)?;
    let mut look = Look { config: &config, looker, problems: Vec::new(), notes: Vec::new() };
    match recipients {
        Some(error) => look.problems.push(error.into()),
        None => look.recipients(),
    }
    look.dock_key();
    look.store();
    look.push();
    look.zones();
    look.cameras();
    look.folders();
    look.socket();
    let Look { problems, notes, .. } = look;
    if problems.is_empty() { Ok(Ready { config, notes }) } else { Err(Unready::Problems(problems)) }
}

struct Look<'c> {
    config: &'c Config,
    looker: Looker,
    problems: Vec<Problem>,
    notes: Vec<String>,
}

impl Look<'_> {
    fn add(&mut self, error: impl Into<DaemonError>) {
        let problem = Problem::from(error.into());
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn recipients(&mut self) {
        if let Err(error) = Recipients::parse(&self.config.seal.recipients) {
            let next = "put age recipients (public keys) under [seal]; `bwvdock keys generate \
                        identity` makes one";
            self.problems.push(Problem::new(chain(&error), next));
        }
    }

    /// The secret, unless it cannot be used or is only there under systemd.
    fn secret(&mut self, file: &SecretFile) -> Option<Zeroizing<String>> {
        match config::read_secret(file, files::credentials().as_deref()) {
            Ok(secret) => Some(secret),
            Err(LoadError::NoCredentials { name }) if self.looker == Looker::Person => {
                let note = format!("credential:{name} comes from systemd and was not looked at");
                self.notes.push(note);
                None
            }
            Err(error) => {
                self.add(error);
                None
            }
        }
    }

    fn dock_key(&mut self) {
        if let Some(path) = files::dock_key_to_make(self.config) {
            let state = &self.config.dock.state_dir;
            let folder = path.parent().unwrap_or(Path::new("/"));
            // The state folder itself is made if need be.
            if folder != state && !folder.is_dir() {
                let what = format!(
                    "the dock's key is to be made in {}, which is no folder",
                    folder.display()
                );
                self.problems.push(Problem::new(what, "make the folder, or name another key_file"));
            } else if folder != state {
                self.writable(folder);
            }
        } else if self.secret(&self.config.dock.key_file).is_some()
            && let Err(error) = files::read_dock_key(self.config)
        {
            self.add(error);
        }
    }

    fn store(&mut self) {
        let store = &self.config.store;
        let before = (self.problems.len(), self.notes.len());
        // A folder has no keys; whether it is there and a store is for the daemon to wait for.
        if store.kind == crate::config::StoreKind::Directory {
            return;
        }
        self.secret(&store.access_key_file);
        self.secret(&store.secret_key_file);
        let key = store.client_key_file.as_ref().and_then(|file| self.secret(file));
        let ca = store.ca_file.as_ref().and_then(|path| self.certificate(path));
        let cert = store.client_cert_file.as_ref().and_then(|path| self.certificate(path));
        if ca.is_some() || store.ca_file.is_none() {
            let file = store.ca_file.as_deref();
            self.setup("ca_file", file, store::check_authorities(ca.as_deref()));
        }
        if let Some((cert, key)) = cert.as_deref().zip(key.as_ref()) {
            let file = store.client_cert_file.as_deref();
            let checked = store::check_client(cert, key.as_bytes());
            self.setup("client_cert_file or client_key_file", file, checked);
        }
        // Only a whole set says more than its pieces.
        if before == (self.problems.len(), self.notes.len())
            && let Err(error) = open::open_store(self.config)
        {
            self.add(error);
        }
    }

    fn setup(&mut self, keys: &str, file: Option<&Path>, checked: Result<(), SetupError>) {
        if let Err(error) = checked {
            let file = file.map_or_else(String::new, |file| format!("{}: ", file.display()));
            let next = format!("correct {keys} under [store]");
            self.problems.push(Problem::new(file + &chain(&error), next));
        }
    }

    fn certificate(&mut self, path: &PathBuf) -> Option<Vec<u8>> {
        let read = fs::read(path).map_err(files::io_error("read the certificate", path));
        read.map_err(|error| self.add(error)).ok()
    }

    /// What pushing figures needs; only a whole set says more than its pieces.
    fn push(&mut self) {
        let push = &self.config.push;
        let before = self.notes.len();
        for file in [&push.secret_file, &push.client_key_file].into_iter().flatten() {
            self.secret(file);
        }
        if before == self.notes.len()
            && let Err(error) = pushing::open(self.config)
        {
            self.add(error);
        }
    }

    fn zones(&mut self) {
        for window in &self.config.transfer.windows {
            if let Err(error) = open::time_zone(&window.time_zone, open::WINDOW_ZONE) {
                self.add(error);
            }
        }
        let cameras = &self.config.cameras;
        if cameras.set_clock
            && let Err(error) = open::time_zone(&cameras.clock_zone, open::CLOCK_ZONE)
        {
            self.add(error);
        }
    }

    fn cameras(&mut self) {
        let cameras = &self.config.cameras;
        let (_, profiles) = files::profiles(&cameras.profiles_dir);
        let (_, keys) = files::camera_keys(&cameras.keys_dir);
        profiles.into_iter().chain(keys).for_each(|error| self.add(error));
    }

    fn folders(&mut self) {
        let state = &self.config.dock.state_dir;
        if self.makeable(state) {
            for name in ["receipts", "journal", "index", "spool"] {
                self.makeable(&state.join(name));
            }
            self.readable_files(&state.join("journal"));
            self.readable_files(&state.join("index"));
        }
    }

    /// What another user left there, such as somebody who ran the daemon once by hand as root.
    fn readable_files(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            if let Err(error) = access(&path, Access::READ_OK) {
                let next = format!(
                    "`chown -R` {} to the daemon's user: something else wrote there",
                    self.config.dock.state_dir.display()
                );
                let what = format!("cannot read {}: {error}", path.display());
                self.problems.push(Problem::new(what, next));
                return;
            }
        }
    }

    fn socket(&mut self) {
        let socket = &self.config.api.socket;
        if socket.is_dir() {
            let what = format!("the socket, {}, is a folder", socket.display());
            self.problems.push(Problem::new(what, "write another `socket` under [api]"));
        }
        if let Some(folder) = socket.parent() {
            self.makeable(folder);
        }
    }

    /// Whether a folder is there and ours, or can be made.
    fn makeable(&mut self, folder: &Path) -> bool {
        let by_unit =
            BY_UNIT.iter().any(|made| folder.starts_with(made) && !Path::new(made).exists());
        if by_unit && self.looker == Looker::Person {
            let note = format!("{} is not there yet: its unit makes it", folder.display());
            self.notes.push(note);
            // And what would lie in it.
            return false;
        }
        let there = folder.ancestors().find(|path| fs::symlink_metadata(path).is_ok());
        there.is_none_or(|there| self.writable(there))
    }

    fn writable(&mut self, folder: &Path) -> bool {
        let words = |error: io::Error| format!("cannot write in {}: {error}", folder.display());
        let what = match fs::metadata(folder) {
            Ok(data) if !data.is_dir() => format!("{} is no folder", folder.display()),
            Ok(_) => match access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
                Ok(()) => return true,
                Err(error) => words(error),
            },
            Err(error) => words(error),
        };
        let next = "give it to the daemon's user, or name another folder";
        let problem = Problem::new(what, next);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        false
    }
}

/// By the rights the process acts with.
fn access(path: &Path, wanted: Access) -> io::Result<()> {
    Ok(accessat(CWD, path, wanted, AtFlags::EACCESS)?)
}
