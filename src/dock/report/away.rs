//! Cameras that are in no bay and still have matters that nobody has acknowledged.

use crate::{
    dock::{
        IndexBroken, View,
        state::{CameraState, FileMatter, GapState, Weight, key},
    },
    types::CameraId,
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, ops::ControlFlow};

/// Cameras named one by one; the rest is counted.
const NAMED_MAX: usize = 8;

/// How many matters of each camera that is not docked wait for a person. One pass over what is on
/// record of matters and cameras.
///
/// # Errors
/// [`IndexBroken`].
fn open_away(view: &dyn View) -> Result<BTreeMap<CameraId, u64>, IndexBroken> {
    let mut open = BTreeMap::new();
    each(view, key::CAMERAS, &mut |_, camera: CameraState| {
        let graves = camera.findings.iter().filter(|finding| finding.weight == Weight::Grave);
        let found = graves.filter(|finding| finding.acknowledged.is_none()).count() as u64;
        if !camera.docked {
            open.insert(camera.id, found);
        }
    })?;
    let mut count = |camera: Option<CameraId>, is_open: bool| {
        if let Some(count) = camera.filter(|_| is_open).and_then(|camera| open.get_mut(&camera)) {
            *count += 1;
        }
    };
    each(view, key::MATTERS, &mut |row, matter: FileMatter| {
        count(camera_of(row, key::MATTERS), matter.acknowledged.is_none());
    })?;
    each(view, key::GAPS, &mut |row, gap: GapState| {
        count(camera_of(row, key::GAPS), gap.is_open());
    })?;
    open.retain(|_, count| *count > 0);
    Ok(open)
}

/// The cameras in words, besides those of `shown` (their bays tell of them); none if there is none.
///
/// # Errors
/// [`IndexBroken`].
pub fn away_words(view: &dyn View, shown: &[&CameraId]) -> Result<Option<String>, IndexBroken> {
    let mut open = open_away(view)?;
    open.retain(|camera, _| !shown.contains(&camera));
    let Some(first) = open.keys().next() else { return Ok(None) };
    let named: Vec<_> =
        open.iter().take(NAMED_MAX).map(|(camera, count)| format!("{camera} ({count})")).collect();
    let more = match open.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Ok(Some(format!(
        "not docked, and with matters that nobody has acknowledged: {}{more}: `bwvdock reconcile` \
         has them all, `bwvdock why --camera {first}` those of one",
        named.join(", ")
    )))
}

/// The camera in a key of matters or gaps.
fn camera_of(row: &[u8], prefix: &[u8]) -> Option<CameraId> {
    let id = row[prefix.len()..].split(|byte| *byte == b'/').next()?;
    CameraId::new(std::str::from_utf8(id).ok()?).ok()
}

fn each<T: DeserializeOwned>(
    view: &dyn View,
    prefix: &[u8],
    visit: &mut dyn FnMut(&[u8], T),
) -> Result<(), IndexBroken> {
    let mut broken = None;
    view.scan(prefix, b"", &mut |row, value| match serde_json::from_slice(value) {
        Ok(record) => {
            visit(row, record);
            ControlFlow::Continue(())
        }
        Err(error) => {
            broken = Some(IndexBroken(error.to_string()));
            ControlFlow::Break(())
        }
    })?;
    broken.map_or(Ok(()), Err)
}
