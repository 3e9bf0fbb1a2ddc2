//! A machine that says what it is told to.

use super::{Board, Disk, Expiry, Machine};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// What a simulated machine says.
#[derive(Debug, Clone, Default)]
pub struct Says {
    pub board: Board,
    pub disk: Option<Disk>,
    pub watchdog_runs: Option<bool>,
    pub expiries: BTreeMap<PathBuf, Expiry>,
}

/// The simulated side of the door.
#[derive(Debug, Default)]
pub struct SimMachine {
    says: Mutex<Says>,
    asked: Mutex<u32>,
}

impl SimMachine {
    pub fn new(says: Says) -> Self {
        Self { says: Mutex::new(says), asked: Mutex::default() }
    }

    /// Changes what it says.
    pub fn set(&self, says: Says) {
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = says;
    }

    /// How often its board was asked.
    pub fn asked(&self) -> u32 {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn says(&self) -> Says {
        self.says.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Machine for SimMachine {
    fn board(&self) -> Board {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.says().board
    }

    fn disk(&self, _folder: &Path) -> Option<Disk> {
        self.says().disk
    }

    fn watchdog_runs(&self) -> Option<bool> {
        self.says().watchdog_runs
    }

    fn expiry(&self, file: &Path) -> Option<Expiry> {
        self.says().expiries.get(file).copied()
    }
}
