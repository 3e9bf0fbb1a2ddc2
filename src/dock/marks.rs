//! Files whose change mark is another one: read again, in case another file lies in their place.
//!
//! Size and time of a file are easily put back, and a camera that is never erased is not read again
//! for an erase. A changed mark costs one read and never alarms by itself: only other bytes do.

use super::{
    Dock, IndexBroken, Records, View,
    event::{Action, Step},
    machine::Work,
};
use crate::types::{BayName, ChangeMark, SegmentId};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Files that wait to be read again; what is beyond comes at the next listing.
const WAITING_MAX: usize = 1024;
/// Files remembered as read; beyond it none is read again for its mark before they are forgotten.
const READ_MAX: usize = 50_000;
/// A file is read again for its mark once in this time: some file systems make up their marks
/// whenever their cache has forgotten a file.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// How long after a read that failed the next one comes.
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// The marks of one docked camera.
#[derive(Debug, Default)]
pub(super) struct Marks {
    waiting: BTreeMap<SegmentId, Waiting>,
    read: BTreeMap<SegmentId, Timestamp>,
    /// There are more than may wait.
    more: bool,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    mark: ChangeMark,
    not_before: Option<Timestamp>,
}

impl Marks {
    /// A listing begins: it says anew which marks have changed.
    pub fn begin(&mut self, now: Timestamp) {
        self.waiting.clear();
        self.more = false;
        self.read.retain(|_, at| now.duration_since(*at).abs() < AGAIN_AFTER);
    }

    /// The listed mark of a file is not the one it was copied or read with.
    pub fn changed(&mut self, segment: SegmentId, mark: ChangeMark) {
        if self.waiting.len() >= WAITING_MAX || self.read.len() >= READ_MAX {
            self.more = true;
            return;
        }
        let read = self.read.get(&segment);
        let not_before = read.and_then(|at| at.checked_add(AGAIN_AFTER).ok());
        self.waiting.insert(segment, Waiting { mark, not_before });
    }

    /// Files still to be read again; at least these.
    pub fn count(&self) -> u64 {
        self.waiting.len() as u64 + u64::from(self.more)
    }

    /// The next file that may be read now.
    fn next(&self, now: Timestamp) -> Option<SegmentId> {
        let due = |waiting: &Waiting| waiting.not_before.is_none_or(|at| at <= now);
        self.waiting.iter().find(|(_, waiting)| due(waiting)).map(|(id, _)| *id)
    }

    /// The mark of a file that was read just now, if it was to be read for its mark.
    pub fn was_read(&mut self, segment: SegmentId, now: Timestamp) -> Option<ChangeMark> {
        let waiting = self.waiting.get(&segment)?;
        self.read.insert(segment, now);
        Some(waiting.mark)
    }

    pub fn done(&mut self, segment: SegmentId) {
        self.waiting.remove(&segment);
    }

    pub fn failed(&mut self, segment: SegmentId, now: Timestamp) {
        if let Some(waiting) = self.waiting.get_mut(&segment) {
            waiting.not_before = now.checked_add(RETRY_AFTER).ok();
        }
    }
}

impl Dock {
    /// Reads a file again whose mark has changed, when the bay has nothing else to do.
    pub(super) fn poll_marks(
        &mut self,
        now: Timestamp,
        name: &BayName,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let idle = |bay: &super::machine::Bay| bay.work.is_none() && !bay.list_due;
        let bay = self.bays.get(name).filter(|bay| idle(bay));
        let Some(id) = bay.and_then(|bay| bay.marks.next(now)) else { return Ok(()) };
        if self.must_yield(now, name) {
            return Ok(());
        }
        let state = view.segment(id)?.filter(|s| s.sealed.is_some() && !s.stage.is_gone());
        let Some(bay) = self.bays.get_mut(name) else { return Ok(()) };
        match state {
            // Released, or to be copied anew, since it was listed.
            None => {
                bay.marks.done(id);
                step.again = true;
            }
            Some(state) => {
                bay.work = Some(Work::SecondRead(id));
                let source = state.segment.source;
                step.act(Action::SecondRead { bay: name.clone(), segment: id, source });
            }
        }
        Ok(())
    }

    /// A file was read for its mark. When all that could wait was, a listing names what is left.
    pub(super) fn marks_done(&mut self, name: &BayName, segment: SegmentId) {
        if let Some(bay) = self.bays.get_mut(name) {
            bay.marks.done(segment);
            let rest = bay.marks.more && bay.marks.waiting.is_empty();
            bay.list_due |= rest && bay.marks.read.len() < READ_MAX;
        }
    }
}
