//! Walking the release candidates of a docked camera and asking the rule about each.

use super::{
    Dock, IndexBroken, Records, Stage, View,
    event::{Action, EraseResult, Step},
    lacking::{LOOKED_APART, found_before_erase, missed_before_erase},
    machine::Work,
    state::{RecordingState, SegmentState, key},
};
use crate::{
    release::{self, Approval, Decision, Evidence, Obstacle, Sealed},
    types::{
        BayName, ChangeMark, FileKind, RecordingId, SegmentId,
        fact::{Fact, Hashed, Segment},
    },
};
use jiff::{SignedDuration, Timestamp};

/// Candidates looked at in one step, and files erased by one permit batch: small, so that a hold
/// set meanwhile is met soon.
const LOOK_MAX: usize = 64;
const ERASE_MAX: usize = 16;
/// After the store could not be asked, one file asks for all.
const ERASE_IN_SILENCE: usize = 1;
/// Files in doubt that are read once more in one docking.
const DOUBTED_MAX: usize = 1000;
/// Bytes read again in one batch, but for a single larger file.
const REREAD_BYTES_MAX: u64 = 64 << 20;
/// Reading before an erase waits this long for copying in other bays, and then goes on beside it.
const YIELD_MAX: SignedDuration = SignedDuration::from_mins(30);
/// How long after a full pass with nothing to release the next one starts.
const PASS_EVERY: SignedDuration = SignedDuration::from_secs(5);
/// Rest after a pass for each candidate looked at: tens of thousands that stay must not keep the
/// dock busy asking about them again and again.
const REST_EACH: SignedDuration = SignedDuration::from_millis(1);
/// Longest wait after batches of which nothing could be erased.
const ERASE_WAIT_MAX: SignedDuration = SignedDuration::from_mins(10);

/// A walk over a camera's release candidates.
#[derive(Debug, Default)]
pub(super) struct ReleasePass {
    /// Key of the candidate to go on from; none when no pass is under way.
    pub from: Option<Vec<u8>>,
    pub next_at: Option<Timestamp>,
    /// Not before this time, whatever happens.
    pub rest_until: Option<Timestamp>,
    /// Something seen on this walk waits for work that is under way.
    pending: bool,
    /// Something was erased on this walk, which may have freed what was looked at before it.
    erased: bool,
    looked: i32,
}

impl ReleasePass {
    /// Something changed: the next pass starts as soon as the last one was rested from.
    pub fn hasten(&mut self) {
        if self.from.is_none() {
            self.next_at = None;
        }
    }
}

impl Dock {
    pub(super) fn poll_release(
        &mut self,
        now: Timestamp,
        name: &BayName,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let Some(bay) = self.bays.get_mut(name) else { return Ok(()) };
        let waits = |at: Option<Timestamp>| at.is_some_and(|at| now < at);
        if waits(bay.release.next_at) || waits(bay.release.rest_until) {
            return Ok(());
        }
        if self.settings.release.reread && self.must_yield(now, name) {
            return Ok(());
        }
        let Some(bay) = self.bays.get_mut(name) else { return Ok(()) };
        let mut pass = std::mem::take(&mut bay.release);
        let (camera, erase_allowed) = (bay.camera.clone(), bay.erase_allowed);
        let most = if bay.store_silent.is_some() { ERASE_IN_SILENCE } else { ERASE_MAX };
        let prefix = key::candidates(&camera);
        let from = pass.from.take().unwrap_or_else(|| prefix.clone());
        let ids = view.ids(&prefix, &from, LOOK_MAX)?;
        let last_page = ids.len() < LOOK_MAX;
        let (mut permits, mut to_read) = (Vec::new(), 0u64);
        for raw in &ids {
            let Ok(id) = SegmentId::from_slice(raw) else { continue };
            pass.looked = pass.looked.saturating_add(1);
            let mut after = key::candidate(&camera, id);
            after.push(0);
            let Some(state) = view.segment(id)? else { continue };
            if self.bays.get(name).is_some_and(|bay| bay.growing.waits(id)) {
                pass.pending = true;
                pass.from = Some(after);
                continue;
            }
            match self.decide(now, &state, erase_allowed, view)? {
                Decision::Release(approval) => {
                    let bytes = if approval.needs_read() { approval.source().size } else { 0 };
                    to_read = to_read.saturating_add(bytes);
                    if to_read > REREAD_BYTES_MAX && !permits.is_empty() {
                        pass.from = Some(key::candidate(&camera, id));
                        break;
                    }
                    permits.push(*approval);
                }
                Decision::Stay(obstacles) if self.is_in_doubt(name, &state, &obstacles) => {
                    if !permits.is_empty() {
                        pass.from = Some(key::candidate(&camera, id));
                        break;
                    }
                    if let Some(bay) = self.bays.get_mut(name) {
                        bay.doubted.insert(id);
                    }
                    let source = state.segment.source.clone();
                    pass.from = Some(after);
                    self.set_pass(name, pass, false);
                    self.set_work(name, Work::SecondRead(id));
                    step.act(Action::SecondRead { bay: name.clone(), segment: id, source });
                    return Ok(());
                }
                Decision::ReadAgain if permits.is_empty() => {
                    let source = state.segment.source.clone();
                    pass.from = Some(after);
                    self.set_pass(name, pass, false);
                    self.set_work(name, Work::SecondRead(id));
                    step.act(Action::SecondRead { bay: name.clone(), segment: id, source });
                    return Ok(());
                }
                Decision::ReadAgain => {
                    pass.from = Some(key::candidate(&camera, id));
                    break;
                }
                Decision::Stay(obstacles) => pass.pending |= is_pending(&obstacles),
            }
            pass.from = Some(after);
            if permits.len() >= most {
                break;
            }
        }
        let whole = last_page && permits.is_empty();
        step.again |= !whole;
        let settled = whole && !pass.pending && !pass.erased;
        if whole {
            // What was erased may have freed what came before it: that is looked at at once.
            step.again |= pass.erased;
            let pause = if pass.erased { SignedDuration::ZERO } else { PASS_EVERY };
            let rest = REST_EACH.saturating_mul(pass.looked);
            pass = ReleasePass {
                next_at: now.saturating_add(pause).ok(),
                rest_until: now.saturating_add(rest).ok().filter(|_| !pass.erased),
                ..ReleasePass::default()
            };
        }
        self.set_pass(name, pass, settled);
        if settled {
            step.again |= self.list_at_last(name, view)?;
        }
        if !permits.is_empty() {
            self.set_work(name, Work::Erase(permits.len()));
            permits.iter().for_each(|permit| step.fact(releasing(permit)));
            step.act(Action::Erase { bay: name.clone(), approvals: permits });
        }
        Ok(())
    }

    /// When everything else is done, the camera is listed once more before its bay turns green:
    /// something may have come to lie on it since.
    fn list_at_last(&mut self, name: &BayName, view: &dyn View) -> Result<bool, IndexBroken> {
        let Some(bay) = self.bays.get_mut(name).filter(|bay| !bay.checked) else {
            return Ok(false);
        };
        for raw in view.ids(&key::open_recordings(&bay.camera), b"", usize::MAX)? {
            let Ok(id) = RecordingId::from_slice(&raw) else { continue };
            let waits = |r: RecordingState| {
                let unstored = r.at(Stage::Seen) + r.at(Stage::Sealed) + r.at(Stage::Stored);
                unstored + r.gone_unstored > 0
            };
            if view.recording(id)?.is_some_and(waits) {
                return Ok(false);
            }
        }
        bay.list_due = true;
        Ok(true)
    }

    /// Whether clearing this bay waits for copying in others. What waits long goes on beside it.
    pub(super) fn must_yield(&mut self, now: Timestamp, name: &BayName) -> bool {
        let copying = self.bays.values().any(|bay| matches!(bay.work, Some(Work::Copy(_))));
        let Some(bay) = self.bays.get_mut(name) else { return false };
        if !copying {
            bay.yields_since = None;
            return false;
        }
        let since = *bay.yields_since.get_or_insert(now);
        now.duration_since(since).abs() < YIELD_MAX
    }

    /// A copy begins: what other bays read before an erase stops, unless it has waited long.
    pub(super) fn give_way(&self, name: &BayName, step: &mut Step) {
        for (other, bay) in self.bays.iter().filter(|(other, _)| *other != name) {
            if matches!(bay.work, Some(Work::Erase(_))) && bay.yields_since.is_none() {
                step.act(Action::StopErase { bay: other.clone() });
            }
        }
    }

    /// Whether a file whose second read differed is to be read once more, once in a docking.
    fn is_in_doubt(&self, name: &BayName, state: &SegmentState, why: &[Obstacle]) -> bool {
        let Some(bay) = self.bays.get(name) else { return false };
        why.contains(&Obstacle::SecondReadDiffers)
            && !state.replaced
            && bay.doubted.len() < DOUBTED_MAX
            && !bay.doubted.contains(&state.segment.id)
    }

    fn set_pass(&mut self, name: &BayName, pass: ReleasePass, settled: bool) {
        if let Some(bay) = self.bays.get_mut(name) {
            bay.release = pass;
            bay.settled = settled;
        }
    }

    fn set_work(&mut self, name: &BayName, work: Work) {
        if let Some(bay) = self.bays.get_mut(name) {
            bay.work = Some(work);
        }
    }

    /// Gathers the evidence from durable state and asks the rule.
    ///
    /// # Errors
    /// [`IndexBroken`].
    pub fn decide(
        &self,
        now: Timestamp,
        state: &SegmentState,
        bay_allows: bool,
        view: &dyn View,
    ) -> Result<Decision, IndexBroken> {
        let segment = &state.segment;
        let Some(recording) = view.recording(segment.recording)? else {
            return Ok(Decision::Stay(vec![Obstacle::Unclaimed]));
        };
        let sealed = state.sealed.as_ref();
        let object = sealed.map(|s| view.object(s.object)).transpose()?.flatten();
        let receipt = object.as_ref().and_then(|o| o.receipt.as_ref().map(|r| (r, o.object.id)));
        let hold = view.hold_over(segment)?;
        let evidence = Evidence {
            segment,
            sealed: sealed.map(|s| Sealed {
                object: s.object,
                verdict: s.verdict,
                plain: s.plain,
                // Time that the clock only jumped over makes nothing older.
                at: self.elapsed.since(s.at, now),
            }),
            receipt,
            described: sealed.is_some_and(|s| s.seq < recording.described_before),
            second_read: state.second_read.map(|(read, _)| read),
            reread_age: self.reread_age(now, state),
            held: hold.as_ref().map(|mark| mark.reason.as_str()),
            erase_allowed: bay_allows && recording.recording.erase_allowed,
            needed_by_others: match segment.kind {
                FileKind::Manifest => {
                    recording.others_on_camera > 0
                        || recording.gone_unstored > 0
                        || signs_what_is_there(segment, view)?
                }
                FileKind::Sidecar => recording.media_on_camera > 0 || recording.gone_unstored > 0,
                FileKind::Media | FileKind::Orphan => false,
            },
            incomplete: match segment.kind {
                FileKind::Manifest | FileKind::Sidecar => recording.unaccounted > 0,
                FileKind::Media | FileKind::Orphan => false,
            },
            journal_damaged: self.journal_damage.is_some(),
        };
        Ok(release::evaluate(&self.settings.release, &evidence, now))
    }

    /// How long ago a second read in this docking gave what was sealed.
    fn reread_age(&self, now: Timestamp, state: &SegmentState) -> Option<SignedDuration> {
        let segment = &state.segment;
        let bay = self.bays.values().find(|bay| bay.camera == segment.camera)?;
        let (read, at) = bay.fresh?;
        let agrees = state.second_read.is_some_and(|(_, agrees)| agrees);
        (read == segment.id && agrees).then(|| now.duration_since(at))
    }

    pub(super) fn handle_second_read(
        &mut self,
        now: Timestamp,
        bay: &BayName,
        segment: SegmentId,
        result: Result<Hashed, String>,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let docked = self.finish_work(bay, Work::SecondRead(segment));
        match result {
            Err(words) => {
                if let Some(bay) = docked {
                    bay.problem = Some(words);
                    bay.marks.failed(segment, now);
                    bay.release.next_at = now.saturating_add(PASS_EVERY).ok();
                }
            }
            Ok(read) => {
                let mut mark = None;
                if let Some(bay) = docked {
                    mark = bay.marks.was_read(segment, now);
                    bay.problem = None;
                    bay.release.next_at = None;
                    // It is asked about again, now with the second read.
                    bay.release.from = Some(key::candidate(&bay.camera, segment));
                    bay.fresh = Some((segment, now));
                }
                let Some(state) = view.segment(segment)? else { return Ok(()) };
                let Some(sealed) = &state.sealed else { return Ok(()) };
                let agrees = read == sealed.plain;
                let whole = read.size == sealed.plain.size
                    || mark.is_some() && read.size == state.segment.source.size;
                let doubted = matches!(state.second_read, Some((_, false)));
                if let Some(bay) = self.bays.get_mut(bay)
                    && read.size != state.segment.source.size
                {
                    // It grew, perhaps: a listing tells.
                    bay.list_due = true;
                    bay.list_retry_at = None;
                }
                match state.second_read {
                    // Two reads agree on other bytes than were sealed: it is another file.
                    Some((before, false)) if before == read && whole => {
                        self.source_changed(now, segment, (read, mark), view, step)?;
                        if let Some(bay) = self.bays.get_mut(bay) {
                            bay.settled = false;
                        }
                    }
                    // Sometimes right, sometimes not: a camera that reads unreliably stays in doubt.
                    Some((_, false)) if agrees => {}
                    Some(_) | None => {
                        let mark = mark.filter(|_| agrees);
                        step.fact(Fact::SecondRead { segment, read, agrees, mark });
                    }
                }
                // One that differs for the first time is read once more, at once.
                if agrees || doubted {
                    self.marks_done(bay, segment);
                }
            }
        }
        Ok(())
    }

    pub(super) fn handle_erased(
        &mut self,
        now: Timestamp,
        bay: &BayName,
        results: Vec<(SegmentId, EraseResult)>,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let is_current = self.finish_work(bay, Work::Erase(results.len())).is_some();
        let (mut problem, mut silent, mut missed) = (None, None, false);
        let (mut erased, mut gave_way, mut replaced) = (false, false, false);
        for (segment, result) in results {
            match result {
                // Absent right after we were about to erase it: an earlier run did, before a crash.
                result @ (EraseResult::Erased | EraseResult::Absent) => {
                    erased = true;
                    if result == EraseResult::Erased {
                        found_before_erase(segment, view, step)?;
                    }
                    step.fact(Fact::Released { segment });
                }
                EraseResult::Failed(words) => {
                    step.fact(Fact::ReleaseFailed { segment, words: words.clone() });
                    problem = Some(words);
                }
                EraseResult::GaveWay => {
                    let words = "it gave way to other work and is asked about again".into();
                    step.fact(Fact::ReleaseFailed { segment, words });
                    gave_way = true;
                }
                EraseResult::StoreSilent(words) => {
                    step.fact(Fact::ReleaseFailed { segment, words: words.clone() });
                    silent = Some(words);
                }
                EraseResult::StoreLacks(words) => {
                    missed = true;
                    problem = missed_before_erase(now, segment, &words, view, step)?;
                }
                EraseResult::Changed(read) => {
                    replaced = true;
                    self.source_changed(now, segment, (read, None), view, step)?;
                }
                // Stays "releasing"; the next listing of the camera tells which way it went.
                EraseResult::Gone => {}
            }
        }
        if let Some(bay) = self.bays.get_mut(bay) {
            bay.store_silent.clone_from(&silent);
        }
        let docked = if is_current { self.bays.get_mut(bay) } else { None };
        if let Some(bay) = docked {
            bay.settled &= !replaced;
            bay.release.erased |= erased;
            if gave_way {
                // What was passed over is met again by a walk from the start.
                bay.release = ReleasePass::default();
            }
            if erased || problem.is_none() && silent.is_none() {
                bay.erase_failures = 0;
            } else {
                // Every try is two lines of the log: a card that refuses is asked ever more rarely.
                bay.erase_failures = bay.erase_failures.saturating_add(1);
                let wait = PASS_EVERY.saturating_mul(1 << bay.erase_failures.min(8));
                bay.release.next_at = now.saturating_add(wait.min(ERASE_WAIT_MAX)).ok();
            }
            if missed {
                let second = now.saturating_add(LOOKED_APART).ok();
                bay.release.next_at = bay.release.next_at.max(second);
            }
            bay.problem = problem;
        }
        Ok(())
    }

    /// Another file lies where a copied one lay: nothing was erased, and it is footage as any
    /// other, still to be copied.
    fn source_changed(
        &mut self,
        now: Timestamp,
        id: SegmentId,
        (read, mark): (Hashed, Option<ChangeMark>),
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        step.fact(Fact::SourceChanged { segment: id, read });
        let Some(state) = view.segment(id)? else { return Ok(()) };
        let words = Some("another file lies in its place on the camera".into());
        step.fact(Fact::SegmentVanished { segment: id, words, superseded: false });
        let new = SegmentId(self.ids.next(now));
        let mut segment = Segment { id: new, ..state.segment };
        segment.source.mark = mark.or(segment.source.mark);
        step.fact(Fact::SegmentSeen { segment });
        Ok(())
    }
}

/// Whether a file is the signature of a manifest that is still on the camera. A manifest is the
/// last of its recording to go, what is left without it could not be judged; its signature goes
/// after it, without it the manifest is nobody's word.
fn signs_what_is_there(segment: &Segment, view: &dyn View) -> Result<bool, IndexBroken> {
    let Some(signed) = segment.source.path.as_bytes().strip_suffix(b".sig") else {
        return Ok(false);
    };
    let manifest = view.segment_at(&segment.camera, signed)?;
    let state = manifest.map(|id| view.segment(id)).transpose()?.flatten();
    Ok(state.is_some_and(|state| !state.stage.is_gone()))
}

/// Whether the dock's own work is about to change what stands in the way; of a hold or a minimum age
/// it is not.
fn is_pending(obstacles: &[Obstacle]) -> bool {
    let unfinished = |o: &Obstacle| {
        matches!(o, Obstacle::NoReceipt | Obstacle::NotDescribed | Obstacle::NotSealed)
    };
    let still = |o: &Obstacle| matches!(o, Obstacle::NotStillYet { .. });
    obstacles.iter().any(unfinished)
        || obstacles.iter().any(still) && obstacles.iter().all(Obstacle::passes_by_itself)
}

fn releasing(permit: &Approval) -> Fact {
    Fact::Releasing {
        segment: permit.segment(),
        receipt: permit.receipt(),
        why: permit.words().to_owned(),
    }
}
