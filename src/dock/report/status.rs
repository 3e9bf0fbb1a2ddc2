//! The dock at a glance, and each bay with its light.

use super::super::{
    Dock, IndexBroken, Records, Stage, View,
    machine::Work,
    report::{
        away::away_words,
        battery,
        concerns::{Concern, concerns},
        light::{Light, Take, files_of, light},
        log_damage, marks,
    },
    state::{Amount, Totals, Weight, class_slot, key},
};
use crate::transfer::{
    estimate::{Queued, estimate},
    window::Windows,
};
use crate::types::{BayName, CameraId, Class, ObjectId, RecordingId, SegmentId, fact::Target};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::ControlFlow};

/// What only the running daemon knows: progress and rates.
#[derive(Debug, Clone, Default)]
pub struct Now {
    /// Bytes read of the segment being copied, by bay.
    pub copied: BTreeMap<BayName, u64>,
    /// Bytes of the parts acknowledged or on their way, by object.
    pub uploaded: BTreeMap<ObjectId, u64>,
    /// Smoothed rates, bytes per second; zero while nothing was measured.
    pub copy_rate: f64,
    pub upload_rate: f64,
    pub spool_used: u64,
    pub spool_max: u64,
    /// How each bay charges; empty until that was looked at.
    pub charge: BTreeMap<BayName, crate::charging::Report>,
}

/// One bay as an officer sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BayReport {
    pub bay: BayName,
    pub light: Light,
    /// One sentence: what is going on, and whether the camera may be taken.
    pub words: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Files and bytes on the camera at its last listing.
    pub files: u64,
    pub bytes: u64,
    /// Files and bytes still to be copied.
    pub to_copy: Amount,
    /// Copied, and not yet safe in the store.
    pub to_store: Amount,
    /// Files that somebody still writes to; they are copied when they hold still.
    #[serde(default)]
    pub growing: u64,
    /// Files to be read again, as something tells that they were touched since they were copied.
    #[serde(default)]
    pub touched: u64,
    /// What is known besides, in words: what was left out, and why. A few; `why` tells all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copying: Option<SegmentId>,
    /// When all evidential footage, and all footage, of this camera will be in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidential_safe_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_safe_at: Option<Timestamp>,
    /// How it charges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<crate::charging::Report>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StageAmount {
    pub stage: Stage,
    pub count: u64,
    pub bytes: u64,
}

/// One amount for each class.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct ClassAmounts {
    pub evidential: Amount,
    pub quarantine: Amount,
    pub unreviewed: Amount,
}

impl From<[Amount; 3]> for ClassAmounts {
    fn from([evidential, quarantine, unreviewed]: [Amount; 3]) -> Self {
        Self { evidential, quarantine, unreviewed }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UploadNow {
    pub object: ObjectId,
    pub class: Class,
    pub bytes: u64,
    pub done: u64,
}

/// The whole dock at a glance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusReport {
    pub dock: crate::types::DockId,
    pub at: Timestamp,
    pub bays: Vec<BayReport>,
    pub recordings: u64,
    pub segments: Vec<StageAmount>,
    pub to_copy: ClassAmounts,
    pub queue: ClassAmounts,
    pub stored: Amount,
    pub receipts: u64,
    /// Stored objects whose receipt or clearing up is not finished (counted up to 1,000).
    pub unfinished: u64,
    /// Recordings whose description is to be sealed, again or at all (counted up to 1,000).
    pub undescribed: u64,
    /// Stored objects that are to be marked at the store, again or at all (counted up to 1,000).
    #[serde(default)]
    pub marks_due: u64,
    /// Stored objects whose marks the store cannot keep: not to be called locked.
    #[serde(default)]
    pub marks_lacking: u64,
    /// The same in words; it is one of the problems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marks_lacking_words: Option<String>,
    pub verified: u64,
    pub matched: u64,
    pub unverified: u64,
    #[serde(default)]
    pub bad_signature: u64,
    pub mismatched: u64,
    pub partial: u64,
    pub unreadable: u64,
    pub gaps: u64,
    /// Gaps that were acknowledged, or filled after all.
    #[serde(default)]
    pub gaps_settled: u64,
    pub parts_acknowledged: u64,
    pub uploads: Vec<UploadNow>,
    pub spool_used: u64,
    pub spool_max: u64,
    /// Smoothed rates, bytes per second.
    pub copy_rate: u64,
    pub upload_rate: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidential_safe_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_safe_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_queued_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// What is wrong, in words, most important first.
    pub problems: Vec<String>,
    pub custody_seq: u64,
    pub custody_head: String,
}

fn copied_at(now: Timestamp, at: &Now, to_copy: u64) -> Option<Timestamp> {
    if to_copy == 0 {
        return Some(now);
    }
    let seconds = (at.copy_rate >= 1.0).then(|| to_copy as f64 / at.copy_rate)?;
    now.checked_add(SignedDuration::from_secs(seconds.min(1e9) as i64 + 1)).ok()
}

/// When evidence, and when everything, is in the store: copying and sending overlap, so the slower
/// of the two tells. Amounts are evidential and all others.
fn safe_at(
    now: Timestamp,
    at: &Now,
    windows: &Windows,
    to_copy: [u64; 2],
    to_store: [u64; 2],
) -> [Option<Timestamp>; 2] {
    let queued = Queued {
        evidential: to_copy[0] + to_store[0],
        quarantine: 0,
        unreviewed: to_copy[1] + to_store[1],
    };
    let rate = (at.upload_rate >= 1.0).then_some(at.upload_rate as u64);
    let sent = estimate(now, queued, rate, windows);
    let later = |a: Option<Timestamp>, b: Option<Timestamp>| Some(a?.max(b?));
    [
        later(copied_at(now, at, to_copy[0]), sent.evidential),
        later(copied_at(now, at, to_copy[0] + to_copy[1]), sent.all()),
    ]
}

/// # Errors
/// [`IndexBroken`].
pub fn status(
    dock: &Dock,
    at: &Now,
    head: (u64, crate::types::Sha256Digest),
    now: Timestamp,
    view: &dyn View,
) -> Result<StatusReport, IndexBroken> {
    let totals: Totals = view.totals()?;
    let bays = bay_reports(dock, at, now, view)?;
    let mut oldest: Option<Timestamp> = None;
    for class in [Class::Evidential, Class::Quarantine, Class::Unreviewed] {
        view.queue(class, &mut |row| {
            oldest = Some(oldest.map_or(row.sealed_at, |o| o.min(row.sealed_at)));
            ControlFlow::Break(())
        })?;
    }
    let mut uploads = Vec::new();
    for (id, class) in dock.uploads() {
        let bytes = view.object(*id)?.map_or(0, |object| object.object.sealed.size);
        let done = at.uploaded.get(id).copied().unwrap_or(0).min(bytes);
        uploads.push(UploadNow { object: *id, class: *class, bytes, done });
    }
    let paused = view.paused(&Target::Dock)?.map(|mark| mark.reason);
    let evidence = class_slot(Class::Evidential);
    let split = |amounts: &[Amount; 3]| {
        let all = amounts.iter().map(|a| a.bytes).sum::<u64>();
        [amounts[evidence].bytes, all - amounts[evidence].bytes]
    };
    let windows = &dock.settings().windows;
    let [evidential_safe_at, all_safe_at] =
        safe_at(now, at, windows, split(&totals.to_copy), split(&totals.queue));
    Ok(StatusReport {
        dock: dock.settings().dock.clone(),
        at: now,
        recordings: totals.recordings,
        segments: Stage::ALL
            .iter()
            .zip(totals.stages)
            .map(|(stage, a)| StageAmount { stage: *stage, count: a.count, bytes: a.bytes })
            .collect(),
        to_copy: totals.to_copy.into(),
        queue: totals.queue.into(),
        stored: totals.stored,
        receipts: totals.receipts,
        unfinished: view.ids(key::UNFINISHED, b"", 1000)?.len() as u64,
        undescribed: view.ids(key::UNDESCRIBED, b"", 1000)?.len() as u64,
        marks_due: view.ids(key::MARKS_DUE, b"", 1000)?.len() as u64,
        marks_lacking: totals.marks_lacking,
        marks_lacking_words: marks::lacking(&totals, view)?,
        verified: totals.verified,
        matched: totals.matched,
        unverified: totals.unverified,
        bad_signature: totals.bad_signature,
        mismatched: totals.mismatched,
        partial: totals.partial,
        unreadable: totals.unreadable,
        gaps: totals.gaps,
        gaps_settled: totals.gaps_settled,
        parts_acknowledged: totals.parts_acknowledged,
        uploads,
        spool_used: at.spool_used,
        spool_max: at.spool_max,
        copy_rate: at.copy_rate as u64,
        upload_rate: at.upload_rate as u64,
        evidential_safe_at,
        all_safe_at,
        oldest_queued_at: oldest,
        problems: {
            let mut problems = problems(dock, &totals, &bays, paused.as_deref(), now);
            problems.extend(clock_problems(dock, view)?);
            problems.extend(marks::problems(dock, &totals, now, view)?);
            let shown: Vec<_> = bays.iter().filter_map(|bay| bay.camera.as_ref()).collect();
            problems.extend(away_words(view, &shown)?);
            problems
        },
        paused,
        bays,
        custody_seq: head.0,
        custody_head: head.1.to_string(),
    })
}

fn problems(
    dock: &Dock,
    totals: &Totals,
    bays: &[BayReport],
    paused: Option<&str>,
    now: Timestamp,
) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(damage) = dock.journal_damage() {
        problems.push(format!(
            "the custody log is damaged: {}; nothing is released: `bwvdock doctor`",
            damage.words
        ));
    }
    if totals.sources_changed > 0 {
        problems.push(format!(
            "{} replaced on a camera after being copied: not erased, copied as new footage",
            files_of(totals.sources_changed)
        ));
    }
    if totals.bad_signature > 0 {
        problems.push(format!(
            "the signature does not fit: {}; somebody or something changed the camera's own \
             statement; preserved in quarantine, kept on the camera: `bwvdock segments --unsound`",
            files_of(totals.bad_signature)
        ));
    }
    let unsound = totals.mismatched + totals.partial + totals.unreadable;
    if unsound > 0 {
        problems.push(format!(
            "failed the check: {}; preserved in quarantine, kept on the camera: \
             `bwvdock segments --unsound`",
            files_of(unsound)
        ));
    }
    if totals.gaps > 0 {
        let known = match totals.gaps.saturating_sub(totals.gaps_settled) {
            0 => "; all are acknowledged or filled".to_owned(),
            open if open == totals.gaps => String::new(),
            open => format!("; {open} of them not acknowledged"),
        };
        problems.push(format!(
            "{} {}: cameras number or list footage that is not here, or not proven{known}: \
             `bwvdock reconcile`",
            totals.gaps,
            if totals.gaps == 1 { "gap" } else { "gaps" },
        ));
    }
    if totals.vanished_unsealed > 0 {
        problems.push(format!(
            "{} files left their camera before they were copied: `bwvdock segments --vanished`",
            totals.vanished_unsealed
        ));
    }
    if totals.second_reads_differing > 0 {
        problems.push(format!(
            "{} second reads gave other bytes than the first: take those cameras out of service",
            totals.second_reads_differing
        ));
    }
    let wait = dock.store_wait().filter(|(until, _)| *until > now);
    if let Some(trouble) = dock.store_trouble() {
        // What stands in the way may have changed since somebody was called for it.
        let again = wait.map_or_else(String::new, |(until, words)| {
            let now = match *words == trouble.words {
                true => String::new(),
                false => format!("; the last attempt ended: {words}"),
            };
            format!("{now}; trying again at {until:.0}")
        });
        problems.push(format!(
            "{}: footage is safe on this dock's disk only, until a person helps ({}){again}",
            trouble.need.words(),
            trouble.words
        ));
    } else if let Some((until, words)) = wait {
        problems
            .push(format!("the store cannot be used now ({words}); trying again at {until:.0}"));
    }
    if let Some(trouble) = dock.finish_trouble() {
        problems.push(format!("stored objects wait for their receipts ({})", trouble.words));
    }
    if let Some(reason) = paused {
        problems.push(format!("the dock is paused ({reason}): `bwvdock resume`"));
    }
    let red = bays.iter().filter(|bay| bay.light == Light::Red);
    problems.extend(red.map(|bay| format!("bay {}: {}", bay.bay, bay.words)));
    problems
}

/// Docked cameras whose clocks are not to be believed.
fn clock_problems(dock: &Dock, view: &dyn View) -> Result<Vec<String>, IndexBroken> {
    let mut problems = Vec::new();
    for (name, bay) in dock.bays() {
        let findings = view.camera(&bay.camera)?.map(|camera| camera.findings).unwrap_or_default();
        let mut of_clock = findings.iter().filter(|finding| finding.weight == Weight::Clock);
        if let Some(first) = of_clock.next() {
            problems.push(format!("bay {name}, camera {}: {}", bay.camera, first.words));
        }
    }
    Ok(problems)
}

/// Every configured bay, in configured order.
///
/// # Errors
/// [`IndexBroken`].
pub fn bay_reports(
    dock: &Dock,
    at: &Now,
    now: Timestamp,
    view: &dyn View,
) -> Result<Vec<BayReport>, IndexBroken> {
    let names = dock.settings().bays.iter();
    names.map(|name| bay_report(dock, name, at, now, view)).collect()
}

fn bay_report(
    dock: &Dock,
    name: &BayName,
    at: &Now,
    now: Timestamp,
    view: &dyn View,
) -> Result<BayReport, IndexBroken> {
    let mut report = BayReport {
        bay: name.clone(),
        light: Light::Off,
        words: "empty".into(),
        camera: None,
        profile: None,
        files: 0,
        bytes: 0,
        to_copy: Amount::default(),
        to_store: Amount::default(),
        growing: 0,
        touched: 0,
        notes: Vec::new(),
        copying: None,
        evidential_safe_at: None,
        all_safe_at: None,
        charge: at.charge.get(name).cloned(),
    };
    if let Some(words) = dock.troubles().get(name) {
        report.light = Light::Red;
        report.words = words.clone();
    }
    if let Some(noted) = dock.empty_cards().get(name) {
        report.notes = few(noted.clone(), name);
        report.words = "empty card: nothing to copy; put a `camera_id` on the bay if it must be \
                        known whose it is"
            .into();
    }
    if let Some((first, camera)) = dock.waits_for(name) {
        report.light = Light::Amber;
        report.words = format!(
            "camera {camera} was in bay {first} before this dock started; waiting for that bay to \
             answer; do not take it yet"
        );
    }
    let Some(bay) = dock.bays().get(name) else { return without_a_camera(report, dock, now, view) };
    report.camera = Some(bay.camera.clone());
    report.profile = Some(bay.profile.clone());
    (report.files, report.bytes) = bay.on_camera;
    (report.growing, report.touched) = (bay.growing.count(), bay.marks.count());
    if let Some(Work::Copy(segment)) = bay.work {
        report.copying = Some(segment);
    }
    report.notes = few(noted(&bay.camera, view)?, name);
    let open = outstanding(&bay.camera, view)?;
    report.to_copy = open.to_copy;
    let copied = at.copied.get(name).copied().unwrap_or(0);
    report.to_copy.bytes = report.to_copy.bytes.saturating_sub(copied);
    report.to_store = open.to_store;
    let part = &open.evidential;
    let to_copy = part.to_copy.bytes.min(report.to_copy.bytes);
    [report.evidential_safe_at, report.all_safe_at] = safe_at(
        now,
        at,
        &dock.settings().windows,
        [to_copy, report.to_copy.bytes - to_copy],
        [part.to_store.bytes, open.to_store.bytes - part.to_store.bytes],
    );
    let held = view.paused(&Target::Camera(bay.camera.clone()))?.is_some()
        || view.paused(&Target::Dock)?.is_some();
    // A bay with trouble stays red, whatever its camera did before.
    if report.light != Light::Red {
        let mut open = concerns(view, &bay.camera, Concern::LIST_MAX)?;
        open.retain(Concern::is_open);
        let mut of_footage = light(bay, &report, &open, held, dock.store_trouble(), now);
        if log_damage::keeps_files(dock, &bay.camera, bay.erase_allowed, now, view)? {
            let to_store = report.to_store.count;
            of_footage = log_damage::instead(of_footage, to_store, report.charge.as_ref());
        }
        (report.light, report.words) = battery::finish(of_footage, report.charge.as_ref());
    }
    Ok(report)
}

/// A bay that is not served: empty, in trouble, or its port is off.
fn without_a_camera(
    mut report: BayReport,
    dock: &Dock,
    now: Timestamp,
    view: &dyn View,
) -> Result<BayReport, IndexBroken> {
    let Some(charge) = report.charge.clone().filter(|charge| charge.dark) else {
        return Ok(report);
    };
    if report.light != Light::Red {
        let (mut open, mut log_keeps) = (Vec::new(), false);
        if let Some(camera) = &charge.resting {
            log_keeps = log_damage::keeps_files(dock, camera, true, now, view)?;
            let amounts = outstanding(camera, view)?;
            (report.to_copy, report.to_store) = (amounts.to_copy, amounts.to_store);
            open = concerns(view, camera, Concern::LIST_MAX)?;
            open.retain(Concern::is_open);
        }
        report.camera = charge.resting.clone();
        (report.light, report.words) = battery::of_dark(&report, &charge, &open);
        if log_keeps
            && report.light != Light::Red
            && report.to_copy.count == 0
            && !charge.owes_footage
        {
            let to_store = report.to_store.count;
            let safe = (report.light, report.words, Take::May);
            (report.light, report.words, _) = log_damage::instead(safe, to_store, Some(&charge));
        }
    }
    Ok(report)
}

/// Notes on one bay of a list.
const NOTES_MAX: usize = 3;

fn few(mut notes: Vec<String>, bay: &BayName) -> Vec<String> {
    let more = notes.len().saturating_sub(NOTES_MAX);
    notes.truncate(NOTES_MAX);
    if more > 0 {
        notes.push(format!("and {more} more: `bwvdock why --bay {bay}`"));
    }
    notes
}

/// What the last listing of a camera noted and needs nobody.
pub(super) fn noted(camera: &CameraId, view: &dyn View) -> Result<Vec<String>, IndexBroken> {
    let findings = view.camera(camera)?.map(|camera| camera.findings).unwrap_or_default();
    let noted = findings.into_iter().filter(|finding| finding.weight == Weight::Noted);
    Ok(noted.map(|finding| finding.words).collect())
}

#[derive(Default)]
pub(super) struct Open {
    pub to_copy: Amount,
    pub to_store: Amount,
    evidential: Box<OpenPart>,
}

#[derive(Default)]
pub(super) struct OpenPart {
    to_copy: Amount,
    to_store: Amount,
}

/// What a camera still has outstanding, from the counts of its recordings.
pub(super) fn outstanding(camera: &CameraId, view: &dyn View) -> Result<Open, IndexBroken> {
    let mut open = Open::default();
    for raw in view.ids(&key::open_recordings(camera), b"", usize::MAX)? {
        let Ok(id) = RecordingId::from_slice(&raw) else { continue };
        let Some(recording) = view.recording(id)? else { continue };
        let [seen, sealed, stored, ..] = recording.files;
        let files = recording.files.iter().sum::<u64>().max(1);
        // Bytes are kept for the recording as a whole; its files are of like size.
        let share = |count: u64| recording.bytes / files * count;
        let add = |amount: &mut Amount, count: u64| {
            amount.count += count;
            amount.bytes += share(count);
        };
        add(&mut open.to_copy, seen);
        let unstored = sealed + stored + recording.gone_unstored;
        add(&mut open.to_store, unstored);
        if recording.recording.class == Class::Evidential {
            add(&mut open.evidential.to_copy, seen);
            add(&mut open.evidential.to_store, unstored);
        }
    }
    Ok(open)
}
