//! Everything that is told of a dock, gathered once.

use super::{Board, PushVitals};
use crate::{
    api::Api,
    daemon::Stopping,
    dock::{
        IndexBroken, Records as _, View,
        report::{self, BayReport, StatusReport},
        state::Totals,
    },
    spool::Spool as _,
    types::{BayName, Class, ReceiptLevel},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::ControlFlow, path::Path, sync::PoisonError};

/// What a report of a bay does not hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BayVitals {
    /// Devices that came in this bay's port since the daemon started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usb_arrivals: Option<u64>,
    /// Those that had been there a moment before: resets and bad contacts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usb_resets: Option<u64>,
    /// Camera minus dock, as measured when it was docked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
    /// Gaps of this camera's numbering, ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaps: Option<u32>,
}

/// A dock at one moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Vitals {
    pub version: String,
    pub status: StatusReport,
    pub totals: Totals,
    pub bays: BTreeMap<BayName, BayVitals>,
    /// When what waits longest was sealed, by class.
    pub oldest: BTreeMap<Class, Timestamp>,
    pub board: Board,
    /// Of the file system with the dock's state; absent if it cannot be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_free: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_size: Option<u64>,
    pub clock_synchronised: bool,
    pub custody_damaged: bool,
    /// The store as a whole is unwell: since a failure, until it takes an object again.
    pub store_waits: bool,
    /// What the newest receipt proves; none until one was signed since the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_level: Option<ReceiptLevel>,
    /// None while it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_checks_sha256: Option<bool>,
    pub store_clock_offset_ms: i64,
    pub usb_bus_losses: u64,
    /// Absent where nothing is pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<PushVitals>,
}

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum VitalsError {
    #[error(transparent)]
    Stopping(#[from] Stopping),
    #[error(transparent)]
    Index(#[from] IndexBroken),
}

/// What only the core's thread can see.
struct Seen {
    status: StatusReport,
    totals: Totals,
    bays: BTreeMap<BayName, BayVitals>,
    oldest: BTreeMap<Class, Timestamp>,
    store_waits: bool,
}

/// Gathers everything; one look at the core.
///
/// # Errors
/// [`VitalsError`].
pub async fn gather(api: &Api) -> Result<Vitals, VitalsError> {
    let now = api.clock.now();
    let (usage, head) = (api.spool.usage(), api.journal.head());
    let at = api.progress.now(usage.used, usage.limits.bytes_max);
    let look = move |dock: &crate::dock::Dock, view: &crate::journal::JournalView| {
        let status = report::status(dock, &at, (head.seq, head.hash), now, view)?;
        Ok::<_, IndexBroken>(Seen {
            totals: view.totals()?,
            bays: cameras(&status.bays, view)?,
            oldest: oldest(view)?,
            // Between two attempts and during one: an alert asks whether it lasts.
            store_waits: dock.store_wait().is_some(),
            status,
        })
    };
    let mut seen = api.core.look(look).await??;
    let doctor = &api.doctor;
    let usb = doctor.ports.health();
    for bay in &doctor.config.bays {
        if let (Some(port), None) = (bay.source.port(), usb.failure.as_ref()) {
            let counts = usb.counts.get(port).copied().unwrap_or_default();
            let vitals = seen.bays.entry(bay.name.clone()).or_default();
            vitals.usb_arrivals = Some(counts.arrivals.into());
            vitals.usb_resets = Some(counts.again.into());
        }
    }
    let disk = rustix::fs::statvfs(&doctor.config.dock.state_dir).ok();
    let probe = doctor.uploads.probed.get();
    Ok(Vitals {
        version: env!("CARGO_PKG_VERSION").into(),
        status: seen.status,
        totals: seen.totals,
        bays: seen.bays,
        oldest: seen.oldest,
        board: Board::read(Path::new("/sys")),
        disk_free: disk.as_ref().map(|disk| disk.f_bavail * disk.f_frsize),
        disk_size: disk.map(|disk| disk.f_blocks * disk.f_frsize),
        clock_synchronised: api.clock.is_synchronised(),
        custody_damaged: api.journal.damage().is_some(),
        store_waits: seen.store_waits,
        receipt_level: *doctor.uploads.receipt_level.lock().unwrap_or_else(PoisonError::into_inner),
        store_checks_sha256: probe.map(|probe| probe.enforces.sha256),
        store_clock_offset_ms: doctor.uploads.store.clock_offset_ms(),
        usb_bus_losses: usb.bus_losses.into(),
        push: doctor.push.as_ref().map(|push| push.vitals()),
    })
}

/// What the records say of the cameras in the bays.
fn cameras(
    bays: &[BayReport],
    view: &dyn View,
) -> Result<BTreeMap<BayName, BayVitals>, IndexBroken> {
    let mut found = BTreeMap::new();
    for bay in bays {
        let Some(camera) = bay.camera.as_ref().map(|id| view.camera(id)).transpose()?.flatten()
        else {
            continue;
        };
        let vitals = BayVitals {
            clock_offset_ms: camera.clock.map(|clock| clock.camera_minus_dock_ms),
            gaps: Some(camera.gaps),
            ..BayVitals::default()
        };
        found.insert(bay.bay.clone(), vitals);
    }
    Ok(found)
}

fn oldest(view: &dyn View) -> Result<BTreeMap<Class, Timestamp>, IndexBroken> {
    let mut oldest = BTreeMap::new();
    for class in [Class::Evidential, Class::Quarantine, Class::Unreviewed] {
        view.queue(class, &mut |row| {
            oldest.insert(class, row.sealed_at);
            ControlFlow::Break(())
        })?;
    }
    Ok(oldest)
}
