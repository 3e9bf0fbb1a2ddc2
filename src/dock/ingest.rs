//! From a camera's listing to facts: what is new, what is back, what is missing.
//!
//! A plan may name tens of thousands of files, so it is worked off in bounded steps.

use super::{
    Dock, IndexBroken, Records, Stage, View,
    completeness::{findings_fact, gap_facts, missing_fact},
    event::{Listed, Step},
    machine::{Bay, Work},
    releasing::ReleasePass,
    state::{RecordingState, SegmentState, key},
};
use crate::{
    evidence::{PlannedFile, PlannedRecording},
    types::{
        BayName, CameraId, RecordingId, SegmentId, SourcePath,
        fact::{Fact, Gap, Recording, Source},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::{collections::HashSet, ops::ControlFlow, vec};

/// Files worked off in one step; bounds memory and the size of one commit.
const STEP_FILES: usize = 256;
/// A docked camera is looked at again this long after its last listing, at the latest.
const LIST_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// One with nothing left to do is looked at again this soon: somebody may still write to it.
/// Listing only reads, so a card does not wear by it.
const LIST_SETTLED: SignedDuration = SignedDuration::from_secs(15);
/// Rest after a listing for what it cost: 20 times its duration, and this much for each file, so
/// that looking takes a few percent of the time of camera and dock at most.
const LIST_REST: i32 = 20;
const LIST_REST_EACH: SignedDuration = SignedDuration::from_millis(5);
const LIST_RETRY: SignedDuration = SignedDuration::from_secs(10);

/// The rest of a plan.
#[derive(Debug)]
pub(super) struct Ingest {
    recordings: vec::IntoIter<PlannedRecording>,
    current: Option<Current>,
    listed: HashSet<SourcePath>,
    /// What the camera's own lists name and the listing lacks: their rows stay in the index.
    named: HashSet<SourcePath>,
    /// Where the search for vanished files goes on; none before it began.
    vanished_from: Option<Vec<u8>>,
    files: u64,
    bytes: u64,
    new_files: u64,
    /// The log must say that the camera was listed.
    tell: bool,
}

/// The rest of one recording of a plan.
#[derive(Debug)]
struct Current {
    recording: RecordingId,
    missing: vec::IntoIter<(u32, SourcePath)>,
    files: vec::IntoIter<PlannedFile>,
    /// What was taken of this recording before, made when first asked for.
    taken: Option<HashSet<SourcePath>>,
}

impl Dock {
    pub(super) fn handle_listed(
        &mut self,
        now: Timestamp,
        name: &BayName,
        listed: Listed,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let Listed { plan, files, bytes } = listed;
        // A late answer may be of the camera that was in this bay before.
        if self.bays.get(name).is_none_or(|bay| bay.camera != plan.camera) {
            return Ok(());
        }
        let Some(bay) = self.finish_work(name, Work::List) else { return Ok(()) };
        let took = bay.list_began.map_or(SignedDuration::ZERO, |at| now.duration_since(at).abs());
        let each = LIST_REST_EACH.saturating_mul(i32::try_from(files).unwrap_or(i32::MAX));
        let rest = took.min(LIST_EVERY).saturating_mul(LIST_REST).max(each);
        bay.list_rest = rest.clamp(LIST_SETTLED, LIST_EVERY);
        // The one that proves that nothing came meanwhile is told, and what is news.
        let tell = bay.listed_at.is_none()
            || bay.on_camera != (files, bytes)
            || (bay.list_covers_work && !bay.checked);
        bay.checked = bay.list_covers_work;
        bay.listed_before = bay.listed_at.is_some();
        bay.marks.begin(now);
        bay.listed_at = Some(now);
        bay.on_camera = (files, bytes);
        bay.settled = false;
        bay.release = ReleasePass::default();
        bay.problem = None;
        let camera = bay.camera.clone();
        findings_fact(&camera, &plan, view, step)?;
        gap_facts(&camera, &plan, view, step)?;
        let listed = plan
            .recordings
            .iter()
            .flat_map(|recording| recording.files.iter().map(|file| file.source.path.clone()))
            .collect();
        let Some(bay) = self.bays.get_mut(name) else { return Ok(()) };
        bay.growing.keep(&listed);
        bay.ingest = Some(Ingest {
            recordings: plan.recordings.into_iter(),
            current: None,
            listed,
            named: plan.absent.into_iter().collect(),
            vanished_from: None,
            files,
            bytes,
            new_files: 0,
            tell,
        });
        Ok(())
    }

    pub(super) fn handle_list_failed(
        &mut self,
        now: Timestamp,
        name: &BayName,
        words: String,
        step: &mut Step,
    ) {
        let Some(bay) = self.finish_work(name, Work::List) else { return };
        bay.list_due = true;
        bay.list_retry_at = now.saturating_add(LIST_RETRY).ok();
        if bay.problem.as_ref() != Some(&words) {
            step.fact(Fact::BayTrouble { bay: name.clone(), words: words.clone() });
            bay.problem = Some(words);
        }
    }

    /// Works off a piece of the plan, and says whether there was one; also decides when to look
    /// at the camera again.
    pub(super) fn poll_ingest(
        &mut self,
        now: Timestamp,
        name: &BayName,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<bool, IndexBroken> {
        let Some(bay) = self.bays.get_mut(name) else { return Ok(false) };
        let Some(mut ingest) = bay.ingest.take() else {
            let soon = bay.settled || bay.growing.count() > 0;
            let every = if soon { bay.list_rest } else { LIST_EVERY };
            let due = bay.listed_at.is_some_and(|at| now.duration_since(at).abs() >= every);
            // One that is under way is not asked for a second time.
            bay.list_due |= due && bay.work != Some(Work::List);
            return Ok(false);
        };
        let (camera, profile) = (bay.camera.clone(), bay.profile.clone());
        let mut budget = STEP_FILES;
        while budget > 0 {
            match &mut ingest.current {
                None => match ingest.recordings.next() {
                    Some(planned) => {
                        budget -= 1;
                        let recording =
                            self.recording_facts(now, &camera, &profile, &planned, view, step)?;
                        let (missing, files) =
                            (planned.missing.into_iter(), planned.files.into_iter());
                        ingest.current = Some(Current { recording, missing, files, taken: None });
                    }
                    None => break,
                },
                Some(Current { recording, missing, files, taken }) => {
                    let (camera, recording) = (&camera, *recording);
                    if let Some((index, path)) = missing.next() {
                        budget -= 1;
                        let gap = Gap::Segment { recording, index, path };
                        missing_fact(camera, gap, taken, view, step)?;
                    } else if let Some(file) = files.next() {
                        budget -= 1;
                        ingest.new_files +=
                            self.file_facts(now, name, recording, file, view, step)?;
                    } else {
                        ingest.current = None;
                    }
                }
            }
        }
        if budget > 0 && !vanished_facts(&camera, &mut ingest, view, step)? {
            // Poll again in any case: what follows from the listing is decided after it.
            step.again = true;
            if ingest.tell || ingest.new_files > 0 {
                step.fact(Fact::CameraListed {
                    camera,
                    files: ingest.files,
                    bytes: ingest.bytes,
                    new_files: ingest.new_files,
                });
            }
            return Ok(true);
        }
        // Facts of this step must be folded before the next: hand the rest back.
        step.again = true;
        if let Some(bay) = self.bays.get_mut(name) {
            bay.ingest = Some(ingest);
        }
        Ok(true)
    }

    fn recording_facts(
        &mut self,
        now: Timestamp,
        camera: &CameraId,
        profile: &str,
        planned: &PlannedRecording,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<RecordingId, IndexBroken> {
        let known = view.recording_named(camera, &planned.name)?;
        let state = known.map(|id| view.recording(id)).transpose()?.flatten();
        let id = known.unwrap_or_else(|| RecordingId(self.ids.next(now)));
        let recording = described(id, camera, profile, planned, state.as_ref());
        if state.as_ref().is_none_or(|state| state.recording != recording) {
            self.recording_changed(id);
            step.fact(Fact::RecordingSeen { recording });
        }
        Ok(id)
    }

    /// Facts about one listed file; 1 if it is new.
    fn file_facts(
        &mut self,
        now: Timestamp,
        name: &BayName,
        recording: RecordingId,
        file: PlannedFile,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<u64, IndexBroken> {
        let Some(bay) = self.bays.get_mut(name) else { return Ok(0) };
        let known = view.segment_at(&bay.camera, file.source.path.as_bytes())?;
        if let Some(state) = known.map(|id| view.segment(id)).transpose()?.flatten() {
            let same = state.segment.source.is_same(&file.source);
            if !must_be_told(now, bay, &state, &file, same) {
                return Ok(0);
            }
            match state.stage {
                Stage::Released => {}
                Stage::Vanished if same => {
                    step.fact(Fact::SegmentSeen { segment: state.segment });
                    return Ok(0);
                }
                // An erase that a crash or a pulled camera cut short: it is here, so ask again.
                Stage::Releasing if same => {
                    let words = "the erase was cut short; the file is still there".into();
                    step.fact(Fact::ReleaseFailed { segment: state.segment.id, words });
                    return Ok(0);
                }
                _ if same => return Ok(0),
                Stage::Vanished => {}
                Stage::Seen
                | Stage::Sealed
                | Stage::Stored
                | Stage::Receipted
                | Stage::Releasing => step.fact(replaced(&state, &file)),
            }
        }
        let id = SegmentId(self.ids.next(now));
        let segment = file.to_fact(id, recording, &bay.camera);
        step.fact(Fact::SegmentSeen { segment });
        Ok(1)
    }
}

/// Another file is listed where a known one was.
fn replaced(state: &SegmentState, file: &PlannedFile) -> Fact {
    let (known, listed) = (&state.segment.source, &file.source);
    let (words, superseded) = if listed.size > known.size {
        let words = format!(
            "still being written by the camera: it grew from {} to {} bytes since it was listed; it \
             is read as it is now",
            known.size, listed.size
        );
        (words, true)
    } else if (listed.size, listed.modified_ms) == (known.size, known.modified_ms) {
        ("the camera's own lists say something else of its bytes now".to_owned(), true)
    } else {
        let words = format!(
            "another file of {} bytes lies under its name now; this one had {}",
            listed.size, known.size
        );
        (words, false)
    };
    Fact::SegmentVanished { segment: state.segment.id, words: Some(words), superseded }
}

/// Whether facts follow from how a known file is listed now. One that still grows waits, and is as
/// it was until then; one with another mark is read again.
fn must_be_told(
    now: Timestamp,
    bay: &mut Bay,
    state: &SegmentState,
    file: &PlannedFile,
    same: bool,
) -> bool {
    let (known, listed) = (&state.segment, &file.source);
    if same {
        bay.growing.is_known(&listed.path);
        if let Some(mark) = listed.mark
            && known.source.mark != Some(mark)
            && state.sealed.is_some()
            && state.stage != Stage::Released
        {
            bay.marks.changed(known.id, mark);
        }
        return true;
    }
    let looks = |source: &Source| (source.size, source.modified_ms);
    let changed = looks(&known.source) != looks(listed) && !state.stage.is_gone();
    !(bay.listed_before && changed && bay.growing.must_wait(now, known.id, listed))
}

/// The recording as it stands now. Its class may have been raised by a person: a listing never
/// lowers it.
fn described(
    id: RecordingId,
    camera: &CameraId,
    profile: &str,
    planned: &PlannedRecording,
    state: Option<&RecordingState>,
) -> Recording {
    let fresh = planned.to_fact(id, camera, profile);
    match state {
        None => fresh,
        Some(state) => Recording { class: state.recording.class.min(fresh.class), ..fresh },
    }
}

/// Known files that the listing no longer has. True while there is more to look at.
fn vanished_facts(
    camera: &CameraId,
    ingest: &mut Ingest,
    view: &dyn View,
    step: &mut Step,
) -> Result<bool, IndexBroken> {
    let prefix = key::sources(camera);
    let from = ingest.vanished_from.clone().unwrap_or_else(|| prefix.clone());
    let (mut gone, mut last, mut looked) = (Vec::new(), None, 0);
    let mut absent = Vec::new();
    view.scan(&prefix, &from, &mut |key, value| {
        looked += 1;
        let path = SourcePath::new(&key[prefix.len()..]).ok();
        if path.as_ref().is_none_or(|path| !ingest.listed.contains(path)) {
            let named = path.is_some_and(|path| ingest.named.contains(&path));
            gone.extend(SegmentId::from_slice(value).map(|id| (id, named)));
        }
        last = Some(key.to_vec());
        if looked < STEP_FILES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    for (id, named) in gone {
        let Some(state) = view.segment(id)? else { continue };
        match state.stage {
            // While a list on the camera names it, it must be known that it was taken.
            Stage::Released if named => {}
            Stage::Released => absent.push(id),
            Stage::Vanished => {}
            // The erase had worked; only its report was lost.
            Stage::Releasing => step.fact(Fact::Released { segment: id }),
            Stage::Seen | Stage::Sealed | Stage::Stored | Stage::Receipted => {
                step.fact(Fact::SegmentVanished { segment: id, words: None, superseded: false });
            }
        }
    }
    if !absent.is_empty() {
        step.fact(Fact::AbsenceConfirmed { camera: camera.clone(), segments: absent });
    }
    ingest.vanished_from = last.map(|mut key| {
        key.push(0);
        key
    });
    Ok(looked == STEP_FILES)
}
