//! `damage.json`: what is known of a damaged log beyond what the log itself can show.
//!
//! `{"open":DAMAGE,"lost":[DAMAGE...],"accepted":[...]}`. `open` is the first damage that nobody
//! has accepted; while it is there every open reads every line. `lost` are damages that something
//! outside the log proves; each stays until the log has the proved line again, or until a person
//! has accepted it. `accepted` says what people have looked at and go on with. Programs before
//! this format wrote the open damage alone.

use super::{Damage, JournalError, files};
use crate::types::Actor;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Proved damages kept; there is one for each time the log was cut.
const LOST_MAX: usize = 16;

/// Damage that a person has looked at and goes on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub damage: Damage,
    pub by: Actor,
    pub at: Timestamp,
    pub reason: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Damage>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Damage>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Accepted>,
    /// There is a note that cannot be read: reason enough to look at every line.
    #[serde(skip)]
    unreadable: bool,
}

impl Note {
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("damage.json")
    }

    pub fn read(dir: &Path) -> Result<Self, JournalError> {
        let path = Self::path(dir);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(JournalError::io("read", &path, source)),
        };
        if let Ok(old) = serde_json::from_slice::<Damage>(&bytes) {
            return Ok(Self { open: Some(old), ..Self::default() });
        }
        let unreadable = Self { unreadable: true, ..Self::default() };
        Ok(serde_json::from_slice(&bytes).unwrap_or(unreadable))
    }

    /// Writes the note, or removes it when it says nothing.
    pub fn keep(&self, dir: &Path) -> Result<(), JournalError> {
        let path = Self::path(dir);
        if *self != Self::default() {
            let bytes = serde_json::to_vec_pretty(self).expect("plain text and numbers");
            return files::write_whole(&path, &bytes);
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(JournalError::io("remove", &path, source)),
            Ok(()) => files::sync_dir(dir),
        }
    }

    /// Whether every line must be looked at.
    pub fn is_open(&self) -> bool {
        self.unreadable || self.open.is_some()
    }

    /// After a look at the log: the damage that stands, if any.
    pub fn settle(&mut self, open: Option<Damage>) {
        self.open = open;
        self.unreadable = false;
    }

    pub fn is_accepted(&self, damage: &Damage) -> bool {
        self.accepted.iter().any(|accepted| damage.is_within(&accepted.damage))
    }

    /// Keeps a proved damage that is none of those known already.
    pub fn add_lost(&mut self, damage: &Damage) {
        let known = self.lost.iter().any(|known| damage.is_within(known));
        if known || self.is_accepted(damage) {
            return;
        }
        // A witness that saw more of the same cut takes the place of one that saw less.
        self.lost.retain(|known| !known.is_within(damage));
        if self.lost.len() < LOST_MAX {
            self.lost.push(damage.clone());
        }
    }

    /// The line furthest on that anything known proves.
    pub fn furthest(&self) -> Option<&Damage> {
        let all = self.lost.iter().chain(self.accepted.iter().map(|accepted| &accepted.damage));
        all.filter(|d| d.proved.is_some()).max_by_key(|d| d.last_seq)
    }
}
