//! What people at the CLI ask for, as rules.

use super::{
    Dock, IndexBroken, Records, View,
    acknowledging::acknowledge,
    event::{Action, Command, Step},
    machine::Work,
    releasing::ReleasePass,
    state::key,
};
use crate::types::{
    Actor, Class,
    fact::{Fact, NewFact, Target},
};
use jiff::Timestamp;

impl Dock {
    pub(super) fn handle_asked(
        &mut self,
        now: Timestamp,
        actor: Actor,
        command: Command,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<(), IndexBroken> {
        let reply = match command {
            Command::Release => {
                for bay in self.bays.values_mut() {
                    bay.list_due = true;
                    bay.list_retry_at = None;
                    bay.settled = false;
                    bay.erase_failures = 0;
                    bay.release = ReleasePass::default();
                    bay.doubted.clear();
                }
                Ok("looking at every docked camera again; releasing what the rule allows".into())
            }
            Command::Acknowledge { camera, only, reason } => {
                acknowledge(actor, camera, only, reason, view, step)?
            }
            Command::Reclass { recording, class, reason } => match view.recording(recording)? {
                None => Err(unknown(&Target::Recording(recording))),
                Some(_) if class == Class::Quarantine => {
                    Err("quarantine is what checks decide, not people; nothing was changed".into())
                }
                Some(_) => {
                    self.recording_changed(recording);
                    self.remember(actor, Fact::Reclassed { recording, class, reason }, step);
                    Ok(format!("recording {recording} is {class} now; the store is told next"))
                }
            },
            Command::Pause { target, reason } => match target {
                Target::Dock | Target::Camera(_) if self.exists(&target, view)? => {
                    let words = format!("paused: {}", describe(&target));
                    self.stop_erasing(step);
                    self.remember(actor, Fact::Paused { target, reason }, step);
                    Ok(words)
                }
                Target::Recording(_) | Target::Segment(_) => {
                    Err("only the dock or a camera can be paused; use `hold` to keep footage"
                        .into())
                }
                Target::Dock | Target::Camera(_) => Err(unknown(&target)),
            },
            Command::Resume { target, reason } => match view.paused(&target)? {
                None => Err(format!("{} is not paused; nothing was changed", describe(&target))),
                Some(_) => {
                    let words = format!("resumed: {}", describe(&target));
                    self.remember(actor, Fact::Resumed { target, reason }, step);
                    Ok(words)
                }
            },
            Command::Retry { target, reason } => {
                if self.exists(&target, view)? {
                    self.store_wait = self.store_wait.take().map(|(_, words)| (now, words));
                    self.mark_now(now);
                    self.finish_now(now);
                    self.bays.values_mut().for_each(|bay| bay.doubted.clear());
                    let words = format!(
                        "trying again now: {}; what failed its check and nobody has acknowledged is \
                         read again",
                        describe(&target)
                    );
                    self.remember(actor, Fact::RetryAsked { target, reason }, step);
                    Ok(words)
                } else {
                    Err(unknown(&target))
                }
            }
            Command::Hold { target, reason } => {
                if self.exists(&target, view)? {
                    let words = format!("held: {}{}", describe(&target), self.erasing());
                    self.stop_erasing(step);
                    self.remember(actor, Fact::Held { target, reason }, step);
                    Ok(words)
                } else {
                    Err(unknown(&target))
                }
            }
            Command::AcceptDamage { first_seq, reason } => match &self.journal_damage {
                Some(damage) if damage.first_seq == first_seq => {
                    let last_seq = damage.last_seq;
                    // Whether there is more is known when the log has been looked at again.
                    let words = format!("accepted: {}; it stays in the log", damage.words);
                    let by = actor.clone();
                    let fact = Fact::DamageAccepted { first_seq, last_seq, reason: reason.clone() };
                    self.remember(actor, fact, step);
                    step.act(Action::AcceptDamage { first_seq, by, reason });
                    Ok(words)
                }
                Some(damage) => Err(format!(
                    "the damage begins at line {}, not at {first_seq}; nothing was accepted",
                    damage.first_seq
                )),
                None => Err("the custody log has no damage to accept; nothing was changed".into()),
            },
            Command::Unhold { target, reason } => match view.held(&target)? {
                None => Err(format!("{} is not held; nothing was changed", describe(&target))),
                Some(_) => {
                    let words = format!("no longer held: {}", describe(&target));
                    self.remember(actor, Fact::Unheld { target, reason }, step);
                    Ok(words)
                }
            },
        };
        step.reply = Some(reply);
        Ok(())
    }

    fn remember(&self, actor: Actor, fact: Fact, step: &mut Step) {
        step.facts.push(NewFact { actor, fact });
    }

    /// Whatever is being read before it is erased is asked about again.
    fn stop_erasing(&self, step: &mut Step) {
        for (bay, docked) in &self.bays {
            if let Some(Work::Erase(_)) = docked.work {
                step.act(Action::StopErase { bay: bay.clone() });
            }
        }
    }

    /// A hold cannot call back an erase that is already under way, and says so.
    fn erasing(&self) -> String {
        let files: usize = self
            .bays
            .values()
            .map(|bay| if let Some(Work::Erase(files)) = bay.work { files } else { 0 })
            .sum();
        match files {
            0 => String::new(),
            n => format!(" ({n} files were already being released; see `bwvdock custody show`)"),
        }
    }

    fn exists(&self, target: &Target, view: &dyn View) -> Result<bool, IndexBroken> {
        Ok(match target {
            Target::Dock => true,
            Target::Camera(id) => view.camera(id)?.is_some(),
            Target::Recording(id) => view.recording(*id)?.is_some(),
            Target::Segment(id) => view.get(&key::segment(*id))?.is_some(),
        })
    }
}

/// A target as people say it.
pub fn describe(target: &Target) -> String {
    match target {
        Target::Dock => "this dock".into(),
        Target::Camera(id) => format!("camera {id}"),
        Target::Recording(id) => format!("recording {id}"),
        Target::Segment(id) => format!("segment {id}"),
    }
}

fn unknown(target: &Target) -> String {
    format!("this dock knows no {}; nothing was changed", describe(target))
}
