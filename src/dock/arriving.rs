//! Cameras come and go; and which of two that say one serial is served.
//!
//! **The rule**: the bay in which the log knows a camera keeps it. Another camera of that serial is
//! refused, in words, until the first is gone. Over a restart, too: nobody can say in which order bays
//! answer then, so a camera that turns up elsewhere waits until the bay of the log has said what is
//! in it, but not for longer than [`CLAIM_FOR`].

use super::{
    Dock, IndexBroken, Records, View,
    completeness::bounded,
    event::{Arrival, Step},
    growing::Growing,
    machine::Bay,
    marks::Marks,
    releasing::ReleasePass,
};
use crate::types::{BayName, fact::Fact};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How long after a start a bay is waited for in which a camera was before: what is plugged in is
/// enumerated and recognised within a few seconds.
const CLAIM_FOR: SignedDuration = SignedDuration::from_secs(15);

/// What bays have said since the start, and who waits for that.
#[derive(Debug, Default)]
pub(super) struct Claims {
    started: Option<Timestamp>,
    heard: BTreeSet<BayName>,
    /// Cameras that wait, and the bay they wait for.
    waiting: BTreeMap<BayName, (Arrival, BayName)>,
}

impl Claims {
    pub fn start(&mut self, now: Timestamp) {
        *self = Self { started: Some(now), ..Self::default() };
    }

    /// Whether bays may still have to say what is in them.
    fn is_open(&self, now: Timestamp) -> bool {
        self.started.is_some_and(|at| now.duration_since(at).abs() < CLAIM_FOR)
    }
}

impl Dock {
    /// The bay that the camera in this one waits for, and the camera.
    pub fn waits_for(&self, bay: &BayName) -> Option<(&BayName, &crate::types::CameraId)> {
        self.claims.waiting.get(bay).map(|(arrival, first)| (first, &arrival.camera))
    }

    /// The bay that the log knows this camera in, if it may still turn out to be there.
    fn claimed_by(
        &self,
        now: Timestamp,
        arrival: &Arrival,
        view: &dyn View,
    ) -> Result<Option<BayName>, IndexBroken> {
        if !self.claims.is_open(now) {
            return Ok(None);
        }
        let known = view.camera(&arrival.camera)?.filter(|camera| camera.claims_bay);
        Ok(known.map(|camera| camera.last_bay).filter(|first| {
            *first != arrival.bay
                && self.settings.bays.contains(first)
                && !self.claims.heard.contains(first)
        }))
    }

    /// Lets in who waited for a bay that has spoken, or for long enough.
    pub(super) fn poll_claims(
        &mut self,
        now: Timestamp,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let open = self.claims.is_open(now);
        let over = |first: &BayName| !open || self.claims.heard.contains(first);
        let ready = self.claims.waiting.iter().find(|(_, (_, first))| over(first));
        if let Some(bay) = ready.map(|(bay, _)| bay.clone())
            && let Some((arrival, _)) = self.claims.waiting.remove(&bay)
        {
            step.again = true;
            self.handle_arrival(now, arrival, view, step)?;
        }
        Ok(())
    }

    pub(super) fn handle_arrival(
        &mut self,
        now: Timestamp,
        arrival: Arrival,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        self.handle_gone(now, arrival.bay.clone(), view, step)?;
        if let Some(first) = self.claimed_by(now, &arrival, view)? {
            self.claims.waiting.insert(arrival.bay.clone(), (arrival, first));
            return Ok(());
        }
        self.dock_or_refuse(arrival, step);
        Ok(())
    }

    fn dock_or_refuse(&mut self, arrival: Arrival, step: &mut Step) {
        let twin = self.bays.iter().find(|(_, docked)| docked.camera == arrival.camera);
        if let Some((other, _)) = twin {
            let words = format!(
                "a camera calling itself {camera} is in bay {other} too; nothing is read from \
                 this one. Take one of them out, and check both serial numbers",
                camera = arrival.camera
            );
            self.trouble(arrival.bay.clone(), words, step);
            self.twins.insert(arrival.bay.clone(), arrival);
            return;
        }
        let Arrival {
            bay,
            camera,
            profile,
            model,
            clock,
            clock_reading,
            condition,
            again,
            erase_allowed,
        } = arrival;
        step.fact(Fact::CameraDocked {
            bay: bay.clone(),
            camera: camera.clone(),
            profile: profile.clone(),
            model,
            clock,
            clock_reading: Some(clock_reading),
            condition,
            again,
        });
        let docked = Bay {
            camera,
            profile,
            erase_allowed,
            condition: Default::default(),
            work: None,
            listed_at: None,
            on_camera: (0, 0),
            spool_full: false,
            copies_fail: None,
            problem: None,
            settled: false,
            checked: false,
            list_covers_work: false,
            list_began: None,
            list_rest: SignedDuration::ZERO,
            list_due: true,
            list_retry_at: None,
            ingest: None,
            release: ReleasePass::default(),
            last_copy: 0,
            erase_failures: 0,
            store_silent: None,
            fresh: None,
            doubted: BTreeSet::new(),
            yields_since: None,
            listed_before: false,
            growing: Growing::default(),
            marks: Marks::default(),
        };
        self.bays.insert(bay, docked);
    }

    pub(super) fn handle_empty_card(
        &mut self,
        now: Timestamp,
        bay: BayName,
        noted: Vec<String>,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        // A camera that is still reported to be here is not: its departure is told first.
        if self.bays.contains_key(&bay) {
            self.handle_gone(now, bay.clone(), view, step)?;
        }
        self.claims.heard.insert(bay.clone());
        self.troubles.remove(&bay);
        let noted = bounded(noted);
        if self.empty_cards.insert(bay.clone(), noted.clone()).as_ref() != Some(&noted) {
            step.fact(Fact::EmptyCard { bay, noted });
        }
        Ok(())
    }

    pub(super) fn trouble(&mut self, bay: BayName, words: String, step: &mut Step) {
        self.empty_cards.remove(&bay);
        if self.troubles.get(&bay) != Some(&words) {
            step.fact(Fact::BayTrouble { bay: bay.clone(), words: words.clone() });
            self.troubles.insert(bay, words);
        }
    }

    pub(super) fn handle_gone(
        &mut self,
        now: Timestamp,
        bay: BayName,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        self.claims.heard.insert(bay.clone());
        self.claims.waiting.remove(&bay);
        self.troubles.remove(&bay);
        self.empty_cards.remove(&bay);
        self.twins.remove(&bay);
        let Some(docked) = self.bays.remove(&bay) else { return Ok(()) };
        step.fact(Fact::CameraRemoved {
            bay,
            camera: docked.camera.clone(),
            condition: docked.condition,
        });
        let waiting = self.twins.iter().find(|(_, twin)| twin.camera == docked.camera);
        if let Some(twin) = waiting.map(|(name, _)| name.clone())
            && let Some(arrival) = self.twins.remove(&twin)
        {
            self.handle_arrival(now, arrival, view, step)?;
        }
        Ok(())
    }
}
