//! Who is believed when two cameras go by one id.
//!
//! The one that is docked; and just after a start, when nobody is docked yet and bays answer in any
//! order, the one in the bay where the log had that id last. An arrival anywhere else waits for it,
//! at most [`HELD_FOR`]: a restart changes nothing about whose footage is read.

use super::{
    Dock, IndexBroken, Records, View,
    event::{Arrival, Step},
};
use jiff::{SignedDuration, Timestamp};

/// How long after a start a camera known from another bay waits for that bay: cameras that are
/// plugged in are enumerated and recognised within a few seconds.
const HELD_FOR: SignedDuration = SignedDuration::from_secs(15);

/// An arrival that waits, and until when.
pub(super) type Held = (Arrival, Timestamp);

impl Dock {
    pub(super) fn handle_arrival(
        &mut self,
        now: Timestamp,
        arrival: Arrival,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        if let Some(until) = self.waits_until(now, &arrival, view)? {
            let bay = arrival.bay.clone();
            self.handle_gone(bay.clone(), step);
            self.held.insert(bay, (arrival, until));
            return Ok(());
        }
        let id = arrival.camera.clone();
        self.let_in(arrival, step);
        // Whoever waited for this one is its twin.
        self.let_in_held(step, |(held, _)| held.camera == id);
        Ok(())
    }

    /// Lets in those whose wait is over.
    pub(super) fn poll_held(&mut self, now: Timestamp, step: &mut Step) {
        self.let_in_held(step, |(_, until)| *until <= now);
    }

    fn let_in_held(&mut self, step: &mut Step, which: impl Fn(&Held) -> bool) {
        let over = self.held.extract_if(.., |_, held| which(held));
        for (_, (arrival, _)) in over.collect::<Vec<_>>() {
            self.let_in(arrival, step);
        }
    }

    fn waits_until(
        &self,
        now: Timestamp,
        arrival: &Arrival,
        view: &dyn View,
    ) -> Result<Option<Timestamp>, IndexBroken> {
        let Some(started) = self.started_at else { return Ok(None) };
        let until = started.checked_add(HELD_FOR).ok().filter(|until| now < *until);
        let Some(known) = view.camera(&arrival.camera)? else { return Ok(None) };
        let is_home = known.last_bay == arrival.bay
            || known.last_docked >= started
            || !self.settings.bays.contains(&known.last_bay);
        Ok(until.filter(|_| !is_home))
    }
}
