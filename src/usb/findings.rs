//! What trials of hub switches showed, remembered across restarts.
//!
//! **Format**, version 1: one JSON object in a file, `{"v":1,"hubs":{"1-1 2109:2817":{...}}}`; a
//! hub is known by its place and its numbers. The file is a memory, not a truth: if it cannot be
//! read, hubs are tried again.

use crate::{
    power::Finding,
    types::{HubPath, UsbId},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::PathBuf,
};

const VERSION: u32 = 1;
/// More hubs than a dock can have.
const HUBS_MAX: usize = 512;

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    hubs: BTreeMap<String, Finding>,
}

/// Findings by hub.
#[derive(Debug, Default)]
pub struct Findings {
    file: Option<PathBuf>,
    hubs: BTreeMap<String, Finding>,
}

impl Findings {
    /// Reads what was found before, if it can be read.
    pub fn open(file: PathBuf) -> Self {
        let wire =
            fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Wire>(&bytes).ok());
        let hubs = wire.filter(|wire| wire.v == VERSION).map(|wire| wire.hubs).unwrap_or_default();
        Self { file: Some(file), hubs }
    }

    pub fn of(&self, hub: &HubPath, id: Option<UsbId>) -> Option<Finding> {
        self.hubs.get(&key(hub, id)?).copied()
    }

    /// Remembers; a hub whose numbers are not known is forgotten with the process.
    ///
    /// # Errors
    /// The file was not written; the finding counts until the process ends.
    pub fn remember(
        &mut self,
        hub: &HubPath,
        id: Option<UsbId>,
        finding: Finding,
    ) -> io::Result<()> {
        let Some(key) = key(hub, id) else { return Ok(()) };
        if self.hubs.len() >= HUBS_MAX || self.hubs.insert(key, finding) == Some(finding) {
            return Ok(());
        }
        let Some(file) = &self.file else { return Ok(()) };
        let wire = Wire { v: VERSION, hubs: self.hubs.clone() };
        let text = serde_json::to_vec_pretty(&wire).map_err(io::Error::other)?;
        let new = file.with_extension("new");
        let mut out = File::create(&new)?;
        out.write_all(&text)?;
        out.sync_all()?;
        fs::rename(&new, file)?;
        file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

fn key(hub: &HubPath, id: Option<UsbId>) -> Option<String> {
    id.map(|id| format!("{hub} {id}"))
}
