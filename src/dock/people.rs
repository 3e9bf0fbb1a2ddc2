//! What people at the CLI ask for, as rules.

use super::{
    Dock, IndexBroken, Records, View,
    acknowledging::acknowledge,
    event::{Command, Step},
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
                    Ok(format!("recording {recording} is {class} now"))
                }
            },
            Command::Pause { target, reason } => match target {
                Target::Dock | Target::Camera(_) if self.exists(&target, view)? => {
                    let words = format!("paused: {}", describe(&target));
                    self.remember(actor, Fact::Paused { target, reason }, step);
                    Ok(words)
                }
                Target::Recording(_) | Target::Segment(_) => {
                    Err("only the dock or a camera can be paused; use `hold` to keep footage"
                        .into())
                }
                Target::Dock | Target::Camera(_) => Err(unknown(&target)),
            },
            Command::Resume { target } => match view.paused(&target)? {
                None => Err(format!("{} is not paused; nothing was changed", describe(&target))),
                Some(_) => {
                    let words = format!("resumed: {}", describe(&target));
                    self.remember(actor, Fact::Resumed { target }, step);
                    Ok(words)
                }
            },
            Command::Retry { target } => {
                if self.exists(&target, view)? {
                    self.store_wait = self.store_wait.take().map(|(_, words)| (now, words));
                    self.finishing.retain(|_, retry_at| retry_at.is_none());
                    let words = format!("trying again now: {}", describe(&target));
                    self.remember(actor, Fact::RetryAsked { target }, step);
                    Ok(words)
                } else {
                    Err(unknown(&target))
                }
            }
            Command::Hold { target, reason } => {
                if self.exists(&target, view)? {
                    let words = format!("held: {}{}", describe(&target), self.erasing());
                    self.remember(actor, Fact::Held { target, reason }, step);
                    Ok(words)
                } else {
                    Err(unknown(&target))
                }
            }
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
