//! The bay light, and the words beside it.

use super::{
    concerns::{Concern, ConcernKind},
    status::BayReport,
};
use crate::dock::{
    StoreTrouble,
    machine::{Bay, Work},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The bay light. Green means one thing only: everything safe and nothing left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    Off,
    Amber,
    Green,
    Red,
}

impl Light {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Amber => "amber",
            Self::Green => "green",
            Self::Red => "red",
        }
    }
}

/// `1 file`, `2 files`.
pub(super) fn files_of(n: u64) -> String {
    format!("{n} {}", if n == 1 { "file" } else { "files" })
}

/// Copies that fail for longer than this, without one that works, need a person.
const COPIES_FAIL_MAX: SignedDuration = SignedDuration::from_mins(10);

/// Whether a camera may be taken, as far as its footage goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    /// The words say why not, or that a person is needed.
    No,
    May,
    Now,
}

/// The light for a bay whose camera is being served, its words, and what they mean for whoever
/// wants to take it: [`super::battery::finish`] says that, as a battery may be missing too.
pub(super) fn light(
    bay: &Bay,
    report: &BayReport,
    open: &[Concern],
    paused: bool,
    store: Option<&StoreTrouble>,
    now: Timestamp,
) -> (Light, String, Take) {
    if let Some(words) = &bay.problem {
        return (Light::Red, words.clone(), Take::No);
    }
    if bay.listed_at.is_none() || bay.ingest.is_some() {
        return (Light::Amber, "looking at the camera; do not take it yet".into(), Take::No);
    }
    if report.growing > 0 && !matches!(bay.work, Some(Work::Copy(_))) {
        let files = files_of(report.growing);
        let words = match paused {
            true => {
                format!("paused, and still being written by the camera: {files}; do not take it")
            }
            false => format!(
                "still being written by the camera: {files}, copied when unchanged for a while; \
                 do not take it yet"
            ),
        };
        return (Light::Amber, words, Take::No);
    }
    if report.to_copy.count > 0 {
        let files = files_of(report.to_copy.count);
        if let Some(words) = copies_fail(bay, now).filter(|_| !paused) {
            let words = format!(
                "nothing can be copied: {words}; leave the camera here and tell whoever runs this \
                 dock; {files} on the camera only"
            );
            return (Light::Red, words, Take::No);
        }
        let words = match (paused, bay.spool_full) {
            (true, _) => format!("paused with {files} still to copy; do not take it"),
            (false, true) => format!("waiting for room on the dock's disk; {files} to copy"),
            (false, false) => format!("copying, {files} to go; do not take it yet"),
        };
        return (Light::Amber, words, Take::No);
    }
    if let Some(words) = needs_a_person(open, report.to_store.count) {
        return (Light::Red, words, Take::No);
    }
    if report.to_store.count > 0 {
        let files = files_of(report.to_store.count);
        // Nothing the officer could do, and it does not pass by itself.
        if let Some(trouble) = store {
            let lacks = report.charge.as_ref().and_then(|charge| charge.lacks.as_ref());
            let may = lacks.map(|lacks| format!("not fit for a shift: {lacks}"));
            let words = format!(
                "copied; {}; but {}: tell whoever runs this dock; {files} safe on its disk only",
                may.unwrap_or_else(|| "may be taken".into()),
                trouble.need.words()
            );
            return (Light::Red, words, Take::No);
        }
        return (Light::Amber, format!("copied; {files} on the way to the store"), Take::May);
    }
    if bay.settled && bay.marks.count() > 0 {
        let files = files_of(bay.marks.count());
        let words =
            format!("everything is safe; {files} to be read again, in case of being replaced");
        return (Light::Amber, words, Take::May);
    }
    if !bay.settled
        && let Some(words) = &bay.store_silent
    {
        let words = format!("everything is safe; clearing waits for the store: {words}");
        return (Light::Amber, words, Take::May);
    }
    let (light, words, take) = match bay.work {
        Some(Work::Erase(_) | Work::SecondRead(_)) if bay.marks.count() == 0 => {
            (Light::Amber, "everything is safe; clearing the camera", Take::No)
        }
        _ if !bay.settled && paused => {
            (Light::Amber, "everything is safe; paused before clearing", Take::May)
        }
        _ if !bay.settled => (Light::Amber, "everything is safe; clearing the camera", Take::No),
        _ if !bay.checked => {
            (Light::Amber, "everything is safe; looking at the camera once more", Take::No)
        }
        _ => (Light::Green, "everything is safe", Take::Now),
    };
    (light, words.into(), take)
}

/// How the copies from a bay fail, if they have for long; a camera that just now is read may be over
/// it.
fn copies_fail(bay: &Bay, now: Timestamp) -> Option<&str> {
    let (since, words) = bay.copies_fail.as_ref()?;
    let long = now.duration_since(*since).abs() >= COPIES_FAIL_MAX;
    (long && !matches!(bay.work, Some(Work::Copy(_)))).then_some(words.as_str())
}

/// What a red bay says once all that can be copied is: what is wrong, and what to do.
pub(super) fn needs_a_person(open: &[Concern], to_store: u64) -> Option<String> {
    let first = open.first()?;
    let alike = open.iter().filter(|concern| concern.kind == first.kind).count();
    let on_the_way = match to_store {
        0 => String::new(),
        n => format!("; {} on the way to the store", files_of(n)),
    };
    // The camera is as it should be.
    if first.kind == ConcernKind::StoreMissed {
        return Some(format!(
            "tell whoever runs this dock: the store lacks {} that it had acknowledged, and is \
             asked once more{on_the_way}",
            files_of(alike as u64)
        ));
    }
    if first.kind == ConcernKind::StoreLost {
        return Some(format!(
            "tell whoever runs this dock: the store lost {} that it had acknowledged, see \
             `bwvdock reconcile`{on_the_way}",
            files_of(alike as u64)
        ));
    }
    let (what, others) = match (first.kind, alike) {
        (ConcernKind::BadSignature, n) => {
            (format!("the signature does not fit: {}", files_of(n as u64)), open.len() - n)
        }
        (ConcernKind::Unsound, 1) => {
            ("1 file failed its check and stays".to_owned(), open.len() - 1)
        }
        (ConcernKind::Unsound, n) => {
            (format!("{n} files failed their check and stay"), open.len() - n)
        }
        (
            ConcernKind::ReadsDiffer
            | ConcernKind::Replaced
            | ConcernKind::Finding
            | ConcernKind::Gap
            | ConcernKind::Lost
            | ConcernKind::StoreMissed
            | ConcernKind::StoreLost,
            _,
        ) => (first.words.clone(), open.len() - 1),
    };
    let more = match others {
        0 => String::new(),
        n => format!("; and {n} more, see `bwvdock reconcile`"),
    };
    Some(format!("take the camera to the evidence unit: {what}{more}{on_the_way}"))
}
