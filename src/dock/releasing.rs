//! Walking the release candidates of a docked camera and asking the rule about each.

use super::{
    Dock, IndexBroken, Records, View,
    event::{Action, EraseResult, Step},
    machine::{ReleasePass, Work},
    state::{SegmentState, key},
};
use crate::{
    release::{self, Decision, ErasePermit, Evidence, Obstacle, Sealed},
    types::{
        BayName, FileKind, SegmentId,
        fact::{Fact, Hashed},
    },
};
use jiff::{SignedDuration, Timestamp};

/// Candidates looked at in one step, and files erased by one permit batch: small, so that a hold
/// set meanwhile is met soon.
const LOOK_MAX: usize = 64;
const ERASE_MAX: usize = 16;
/// How long after a full pass with nothing to release the next one starts.
const PASS_EVERY: SignedDuration = SignedDuration::from_secs(5);

impl Dock {
    pub(super) fn poll_release(
        &mut self,
        now: Timestamp,
        name: &BayName,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let Some(bay) = self.bays.get(name) else { return Ok(()) };
        if bay.release.next_at.is_some_and(|at| now < at) {
            return Ok(());
        }
        let prefix = key::candidates(&bay.camera);
        let from = bay.release.from.clone().unwrap_or_else(|| prefix.clone());
        let ids = view.ids(&prefix, &from, LOOK_MAX)?;
        let last_page = ids.len() < LOOK_MAX;
        let mut resume = None;
        let mut permits = Vec::new();
        let mut pending = bay.release.pending;
        for raw in &ids {
            let Ok(id) = SegmentId::from_slice(raw) else { continue };
            let mut after = key::candidate(&bay.camera, id);
            after.push(0);
            resume = Some(after);
            let Some(state) = view.segment(id)? else { continue };
            match self.decide(now, &state, bay.erase_allowed, view)? {
                Decision::Release(permit) => permits.push(permit),
                Decision::ReadAgain if permits.is_empty() => {
                    let source = state.segment.source.clone();
                    self.set_pass(name, ReleasePass { from: resume, next_at: None, pending });
                    self.set_work(name, Work::SecondRead(id));
                    step.act(Action::SecondRead { bay: name.clone(), segment: id, source });
                    return Ok(());
                }
                Decision::ReadAgain => {
                    resume = Some(key::candidate(&bay.camera, id));
                    break;
                }
                Decision::Stay(obstacles) => pending |= obstacles.iter().any(is_pending),
            }
            if permits.len() == ERASE_MAX {
                break;
            }
        }
        let whole = last_page && permits.is_empty();
        step.again |= !whole;
        let next_at = if whole { now.saturating_add(PASS_EVERY).ok() } else { None };
        let from = if whole { None } else { resume };
        self.set_pass(name, ReleasePass { from, next_at, pending: pending && !whole });
        if let Some(bay) = self.bays.get_mut(name) {
            bay.settled = whole && !pending;
        }
        if !permits.is_empty() {
            self.set_work(name, Work::Erase(permits.len()));
            permits.iter().for_each(|permit| step.fact(releasing(permit)));
            step.act(Action::Erase { bay: name.clone(), permits });
        }
        Ok(())
    }

    fn set_pass(&mut self, name: &BayName, pass: ReleasePass) {
        if let Some(bay) = self.bays.get_mut(name) {
            bay.release = pass;
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
                at: s.at,
            }),
            receipt,
            described: sealed.is_some_and(|s| s.seq < recording.described_before),
            second_read: state.second_read.map(|(read, _)| read),
            held: hold.as_ref().map(|mark| mark.reason.as_str()),
            erase_allowed: bay_allows && recording.recording.erase_allowed,
            // A manifest is the last of its recording to go: what is left without it could not be
            // judged.
            needed_by_others: segment.kind == FileKind::Manifest && recording.others_on_camera > 0,
            journal_damaged: self.journal_damaged,
        };
        Ok(release::evaluate(&self.settings.release, &evidence, now))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one event")]
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
                    bay.release.next_at = now.saturating_add(PASS_EVERY).ok();
                }
            }
            Ok(read) => {
                if let Some(bay) = docked {
                    bay.problem = None;
                    bay.release = ReleasePass::default();
                }
                let sealed = view.segment(segment)?.and_then(|state| state.sealed);
                if let Some(sealed) = sealed {
                    step.fact(Fact::SecondRead { segment, read, agrees: read == sealed.plain });
                }
            }
        }
        Ok(())
    }

    pub(super) fn handle_erased(
        &mut self,
        bay: &BayName,
        results: Vec<(SegmentId, EraseResult)>,
        step: &mut Step,
    ) {
        let docked = self.finish_work(bay, Work::Erase(results.len()));
        let mut problem = None;
        for (segment, result) in results {
            match result {
                // Absent right after we were about to erase it: an earlier run did, before a crash.
                EraseResult::Erased | EraseResult::Absent => step.fact(Fact::Released { segment }),
                EraseResult::Failed(words) => {
                    step.fact(Fact::ReleaseFailed { segment, words: words.clone() });
                    problem = Some(words);
                }
                // Stays "releasing"; the next listing of the camera tells which way it went.
                EraseResult::Gone => {}
            }
        }
        if let Some(bay) = docked {
            bay.problem = problem;
        }
    }
}

/// What the dock's own work is about to change; a hold or a minimum age is not.
fn is_pending(obstacle: &Obstacle) -> bool {
    matches!(obstacle, Obstacle::NoReceipt | Obstacle::NotDescribed | Obstacle::NotSealed)
}

fn releasing(permit: &ErasePermit) -> Fact {
    Fact::Releasing {
        segment: permit.segment(),
        receipt: permit.receipt(),
        why: permit.words().to_owned(),
    }
}
