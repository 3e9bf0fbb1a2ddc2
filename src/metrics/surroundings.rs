//! What the machine says, looked at once a minute at most: sysfs of worn hardware is slow, and
//! nothing of it changes faster than somebody could act.

use crate::{
    config::Config,
    machine::{Board, Disk, Machine},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);

/// A certificate that the dock needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// `client`: the dock's own; `ca`: the authorities it trusts.
    pub what: String,
    pub file: PathBuf,
    /// Absent if the file cannot be read as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The machine at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineVitals {
    /// Of the file system with the dock's state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// Whether a hardware watchdog runs; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchdog_runs: Option<bool>,
    /// Whether the service manager watches the daemon.
    #[serde(default)]
    pub service_watched: bool,
}

/// Keeps what was seen for a minute.
pub struct Surroundings {
    machine: Arc<dyn Machine>,
    state_dir: PathBuf,
    files: Vec<(&'static str, PathBuf)>,
    service_watched: bool,
    kept: Mutex<Option<(Instant, Board, MachineVitals)>>,
}

impl Surroundings {
    pub fn new(machine: Arc<dyn Machine>, config: &Config) -> Self {
        let named = [("client", &config.store.client_cert_file), ("ca", &config.store.ca_file)];
        let files = named.into_iter().filter_map(|(what, file)| Some((what, file.clone()?)));
        Self {
            machine,
            state_dir: config.dock.state_dir.clone(),
            files: files.collect(),
            service_watched: sd_notify::watchdog_enabled().is_some(),
            kept: Mutex::default(),
        }
    }

    /// As seen within the last minute.
    pub fn look(&self) -> (Board, MachineVitals) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, board, vitals)) = &*kept
            && at.elapsed() < EVERY
        {
            return (board.clone(), vitals.clone());
        }
        let (board, vitals) = (self.machine.board(), self.see());
        *kept = Some((Instant::now(), board.clone(), vitals.clone()));
        (board, vitals)
    }

    fn see(&self) -> MachineVitals {
        let certificate = |(what, file): &(&str, PathBuf)| {
            let expiry = self.machine.expiry(file);
            // Of several authorities one may be on its way out; what counts is the last.
            let expires_at =
                expiry.map(|expiry| if *what == "ca" { expiry.last } else { expiry.first });
            Certificate { what: (*what).to_owned(), file: file.clone(), expires_at }
        };
        MachineVitals {
            disk: self.machine.disk(&self.state_dir),
            certificates: self.files.iter().map(certificate).collect(),
            watchdog_runs: self.machine.watchdog_runs(),
            service_watched: self.service_watched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Expiry, Says, SimMachine};

    #[test]
    fn the_machine_is_asked_once_a_minute_and_the_right_end_is_told() {
        let (first, last) =
            ("2027-01-01T00:00:00Z".parse().unwrap(), "2031-01-01T00:00:00Z".parse().unwrap());
        let expiry = Expiry { first, last };
        let (client, ca) = (PathBuf::from("/c.pem"), PathBuf::from("/ca.pem"));
        let machine = Arc::new(SimMachine::new(Says {
            disk: Some(Disk { free_bytes: 7, read_only: true, ..Disk::default() }),
            watchdog_runs: Some(false),
            expiries: [(client.clone(), expiry), (ca.clone(), expiry)].into(),
            ..Says::default()
        }));
        let surroundings = Surroundings {
            machine: machine.clone(),
            state_dir: "/".into(),
            files: vec![("client", client), ("ca", ca), ("ca", "/none.pem".into())],
            service_watched: false,
            kept: Mutex::default(),
        };
        let (_, seen) = surroundings.look();
        let ends: Vec<_> = seen.certificates.iter().map(|c| c.expires_at).collect();
        assert_eq!(ends, [Some(first), Some(last), None]);
        assert!(seen.disk.unwrap().read_only && seen.watchdog_runs == Some(false));
        machine.set(Says::default());
        assert_eq!(surroundings.look().1, seen);
        assert_eq!(machine.asked(), 1);
    }
}
