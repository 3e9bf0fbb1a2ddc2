//! Rules for the way to the store: what goes next, what gives way.

use super::{
    Dock, IndexBroken, Records, View,
    elapsed::is_due,
    event::{Action, Step, UploadEnd},
    state::QueueRow,
};
use crate::{
    transfer::StoreNeed,
    types::{
        Class, ObjectId,
        fact::{Fact, Target},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::ops::ControlFlow;

/// Rows of one class looked at for one decision; beyond it the rest waits its turn.
const LOOK_MAX: usize = 4096;

/// The store waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreTrouble {
    pub need: StoreNeed,
    /// How the last call ended.
    pub words: String,
    /// Parts that the store had acknowledged by then.
    parts: u64,
}

impl Dock {
    pub(super) fn handle_upload_ended(
        &mut self,
        object: ObjectId,
        end: UploadEnd,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        self.uploads.remove(&object);
        self.stopping.remove(&object);
        match end {
            UploadEnd::Preempted => {}
            UploadEnd::Stored { level, version } => {
                self.store_wait = None;
                self.store_need = None;
                step.fact(Fact::Stored { object, level, version });
                step.fact(Fact::MarksDue { object });
            }
            UploadEnd::Failed { attempts, words, retry_at, store_wide, need } => {
                if let Some(need) = need {
                    let parts = view.totals()?.parts_acknowledged;
                    self.store_need = Some(StoreTrouble { need, words: words.clone(), parts });
                }
                if store_wide {
                    self.store_wait = Some((retry_at, words.clone()));
                }
                step.fact(Fact::UploadFailed { object, attempts, words, retry_at, need });
            }
            UploadEnd::SpoolDamaged { words } => {
                step.fact(Fact::SpoolDamaged { object, words });
                step.act(Action::Discard { object });
            }
        }
        Ok(())
    }

    /// What the log knows of a store that waits for a person holds after a restart too; and as
    /// somebody may have mended it meanwhile, one object asks at once.
    pub(super) fn recall_store_need(&mut self, view: &dyn View) -> Result<(), IndexBroken> {
        let totals = view.totals()?;
        let parts = totals.parts_acknowledged;
        self.store_need =
            totals.store_need.map(|(need, words)| StoreTrouble { need, words, parts });
        self.ask_store_at_once = self.store_need.is_some();
        Ok(())
    }

    /// What of the store only a person can mend.
    pub fn store_trouble(&self) -> Option<&StoreTrouble> {
        self.store_need.as_ref()
    }

    /// A store that takes parts again has nothing against this dock; whether it has room shows
    /// only when an object is whole.
    fn notice_progress(&mut self, view: &dyn View) -> Result<(), IndexBroken> {
        let trouble = self.store_need.as_ref().filter(|trouble| trouble.need != StoreNeed::Room);
        if let Some(trouble) = trouble
            && view.totals()?.parts_acknowledged > trouble.parts
        {
            self.store_need = None;
        }
        Ok(())
    }

    pub(super) fn poll_uploads(
        &mut self,
        now: Timestamp,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        self.notice_progress(view)?;
        if view.paused(&Target::Dock)?.is_some() {
            let running: Vec<_> = self.uploads.keys().copied().collect();
            running.into_iter().for_each(|object| self.stop_upload(object, step));
            return Ok(());
        }
        let closed = |class: &Class| !self.settings.windows.is_open(now, *class);
        let late: Vec<_> =
            self.uploads.iter().filter(|(_, class)| closed(class)).map(|(id, _)| *id).collect();
        late.into_iter().for_each(|object| self.stop_upload(object, step));
        if self.store_wait.as_ref().is_some_and(|(until, _)| now < *until) {
            return Ok(());
        }
        // After trouble with the store one object asks first, so that a store coming back is not
        // met by everything at once; success clears the wait.
        let careful = self.store_wait.is_some() || self.store_need.is_some();
        let slots = if careful { 1 } else { self.settings.objects_in_flight };
        while self.uploads.len() < slots {
            let Some(row) = self.next_upload(now, view)? else { return Ok(()) };
            self.ask_store_at_once = false;
            self.uploads.insert(row.object, row.class);
            step.act(Action::Upload { object: row.object });
        }
        self.preempt(now, view, step)
    }

    fn stop_upload(&mut self, object: ObjectId, step: &mut Step) {
        if self.stopping.insert(object) {
            step.act(Action::StopUpload { object });
        }
    }

    /// Evidence waiting while every slot carries unreviewed footage: one slot is freed between
    /// parts; what it carried resumes later from the parts already acknowledged.
    fn preempt(
        &mut self,
        now: Timestamp,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let urgent = |class: &Class| *class == Class::Evidential;
        let full = self.uploads.len() >= self.settings.objects_in_flight;
        if !full || self.uploads.values().any(urgent) || !self.stopping.is_empty() {
            return Ok(());
        }
        let Some(next) = self.next_upload(now, view)?.filter(|next| urgent(&next.class)) else {
            return Ok(());
        };
        // The youngest gives way, and only to what is due before it: what has waited for its
        // head start would be the next to go anyway, and be stopped again.
        let mut youngest = None;
        for (id, class) in &self.uploads {
            let Some(state) = view.object(*id)? else { continue };
            youngest = youngest.max(Some((self.due(*class, state.sealed_at), *id)));
        }
        if let Some((due, object)) = youngest
            && self.due(next.class, next.sealed_at) < due
        {
            self.stop_upload(object, step);
        }
        Ok(())
    }

    /// The time by which the queue is ordered: evidence and quarantine count as older.
    fn due(&self, class: Class, sealed_at: Timestamp) -> Timestamp {
        let head_start = match class {
            Class::Evidential => self.settings.evidential_head_start,
            Class::Quarantine => self.settings.evidential_head_start / 2,
            Class::Unreviewed => SignedDuration::ZERO,
        };
        sealed_at.saturating_sub(head_start).unwrap_or(sealed_at)
    }

    /// The next object by age, evidence and quarantine counted older by the head start. Ageing is
    /// thus built in: unreviewed footage waits at most that much longer.
    fn next_upload(
        &self,
        now: Timestamp,
        view: &dyn View,
    ) -> Result<Option<QueueRow>, IndexBroken> {
        let mut best: Option<(Timestamp, QueueRow)> = None;
        for class in [Class::Evidential, Class::Quarantine, Class::Unreviewed] {
            if !self.settings.windows.is_open(now, class) {
                continue;
            }
            let Some(row) = self.first_eligible(now, class, view)? else { continue };
            let due = self.due(class, row.sealed_at);
            if best.as_ref().is_none_or(|(other, _)| due < *other) {
                best = Some((due, row));
            }
        }
        Ok(best.map(|(_, row)| row))
    }

    fn first_eligible(
        &self,
        now: Timestamp,
        class: Class,
        view: &dyn View,
    ) -> Result<Option<QueueRow>, IndexBroken> {
        let (mut found, mut looked) = (None, 0);
        view.queue(class, &mut |row| {
            looked += 1;
            let due = self.ask_store_at_once || is_due(row.not_before, now);
            if due && !self.uploads.contains_key(&row.object) {
                found = Some(row);
                return ControlFlow::Break(());
            }
            if looked < LOOK_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(found)
    }
}
