//! The core loop: event, facts durable, actions; the one place where everything meets.
//!
//! A thread of its own, so that reading the index and waiting for the disk hold up no network.
//! Whatever arrives while the disk is busy is taken in together: group commit from the outside in.

use super::{DaemonError, doors::Doors};
use crate::{
    dock::{Action, Command, Dock, Event, LogDamage, Step, View},
    journal::{Damage, Journal, JournalView},
    types::{
        Actor,
        fact::{Fact, NewFact},
    },
};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Events taken in before one commit.
const BATCH_MAX: usize = 64;
/// Messages that may wait for the core; senders wait beyond it.
const QUEUE_MAX: usize = 256;

type Reply = Result<String, String>;
type Look = Box<dyn FnOnce(&Dock, &JournalView) + Send>;

/// What reaches the core.
pub enum Message {
    Event(Box<Event>),
    /// Facts of an upload under way; it goes on when they are durable.
    Remember {
        facts: Vec<Fact>,
        durable: oneshot::Sender<()>,
    },
    Ask {
        actor: Actor,
        command: Command,
        reply: oneshot::Sender<Reply>,
    },
    /// A look at what only the core knows.
    Look(Look),
    Stop {
        why: String,
    },
}

/// The core is gone: the daemon is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the daemon is stopping")]
pub struct Stopping;

/// How everybody else speaks to the core.
#[derive(Clone)]
pub struct Core(mpsc::Sender<Message>);

impl Core {
    pub fn channel() -> (Self, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        (Self(sender), receiver)
    }

    /// From threads.
    ///
    /// # Errors
    /// [`Stopping`].
    pub fn report(&self, event: Event) -> Result<(), Stopping> {
        self.0.blocking_send(Message::Event(Box::new(event))).map_err(|_| Stopping)
    }

    /// From tasks.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn send(&self, event: Event) -> Result<(), Stopping> {
        self.0.send(Message::Event(Box::new(event))).await.map_err(|_| Stopping)
    }

    /// Returns when the facts are on disk.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn remember(&self, facts: Vec<Fact>) -> Result<(), Stopping> {
        let (durable, done) = oneshot::channel();
        self.0.send(Message::Remember { facts, durable }).await.map_err(|_| Stopping)?;
        done.await.map_err(|_| Stopping)
    }

    /// As [`Core::remember`], from threads.
    ///
    /// # Errors
    /// [`Stopping`].
    pub fn remember_blocking(&self, facts: Vec<Fact>) -> Result<(), Stopping> {
        let (durable, done) = oneshot::channel();
        self.0.blocking_send(Message::Remember { facts, durable }).map_err(|_| Stopping)?;
        done.blocking_recv().map_err(|_| Stopping)
    }

    /// # Errors
    /// [`Stopping`]; the inner error says in words why the dock refuses.
    pub async fn ask(&self, actor: Actor, command: Command) -> Result<Reply, Stopping> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Message::Ask { actor, command, reply }).await.map_err(|_| Stopping)?;
        answer.await.map_err(|_| Stopping)
    }

    /// Runs `look` on the core's thread; keep it short.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Dock, &JournalView) -> T + Send + 'static,
    ) -> Result<T, Stopping> {
        let (reply, answer) = oneshot::channel();
        let look: Look = Box::new(move |dock, view| {
            // Whoever asked may have gone away; nobody else minds.
            let _ = reply.send(look(dock, view));
        });
        self.0.send(Message::Look(look)).await.map_err(|_| Stopping)?;
        answer.await.map_err(|_| Stopping)
    }

    /// As [`Core::look`], from threads.
    ///
    /// # Errors
    /// [`Stopping`].
    pub fn look_blocking<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Dock, &JournalView) -> T + Send + 'static,
    ) -> Result<T, Stopping> {
        let (reply, answer) = oneshot::channel();
        let look: Look = Box::new(move |dock, view| {
            // Whoever asked is waiting just below.
            let _ = reply.send(look(dock, view));
        });
        self.0.blocking_send(Message::Look(look)).map_err(|_| Stopping)?;
        answer.blocking_recv().map_err(|_| Stopping)
    }

    /// # Errors
    /// [`Stopping`].
    pub async fn stop(&self, why: String) -> Result<(), Stopping> {
        self.0.send(Message::Stop { why }).await.map_err(|_| Stopping)
    }

    /// Time passed. Dropped when the core is busy: it will hear the next one.
    pub fn tick(&self) {
        let _ = self.0.try_send(Message::Event(Box::new(Event::Tick)));
    }
}

/// The loop's own state.
pub struct Loop {
    pub dock: Dock,
    pub journal: Arc<Journal>,
    pub doors: Doors,
    pub inbox: mpsc::Receiver<Message>,
}

impl Loop {
    /// Runs until told to stop.
    ///
    /// # Errors
    /// [`DaemonError`]: the journal or its index failed; nothing may go on without them.
    pub fn run(mut self) -> Result<(), DaemonError> {
        let view = self.journal.view();
        while let Some(first) = self.inbox.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH_MAX {
                let Ok(next) = self.inbox.try_recv() else { break };
                batch.push(next);
            }
            if self.take_in(batch, &view)? {
                return Ok(());
            }
            self.give_out(&view)?;
        }
        Ok(())
    }

    /// Handles a batch with one commit; true when it held the order to stop.
    fn take_in(&mut self, batch: Vec<Message>, view: &JournalView) -> Result<bool, DaemonError> {
        let now = self.doors.clock.now();
        let mut whole = Step::default();
        let mut waiting: Vec<oneshot::Sender<()>> = Vec::new();
        let mut replies: Vec<(oneshot::Sender<Reply>, Reply, bool)> = Vec::new();
        let mut looks: Vec<Look> = Vec::new();
        let mut stop = false;
        for message in batch {
            match message {
                Message::Event(event) => add(&mut whole, self.handle(now, *event, view)?),
                Message::Remember { facts, durable } => {
                    whole.facts.extend(facts.into_iter().map(NewFact::from));
                    waiting.push(durable);
                }
                Message::Ask { actor, command, reply } => {
                    let accepts = matches!(command, Command::AcceptDamage { .. });
                    let mut step = self.handle(now, Event::Asked { actor, command }, view)?;
                    let answer = step.reply.take().unwrap_or_else(|| Ok(String::new()));
                    replies.push((reply, answer, accepts));
                    add(&mut whole, step);
                }
                Message::Look(look) => looks.push(look),
                Message::Stop { why } => {
                    add(&mut whole, self.handle(now, Event::Stopping { why }, view)?);
                    stop = true;
                }
            }
        }
        self.carry_out(now, whole)?;
        // Whoever waits may have gone away meanwhile; nobody else minds.
        waiting.into_iter().for_each(|durable| durable.send(()).unwrap_or_default());
        for (reply, answer, accepts) in replies {
            let answer = answer.map(|words| match accepts {
                true => words + &after_accepting(self.dock.journal_damage()),
                false => words,
            });
            drop(reply.send(answer));
        }
        looks.into_iter().for_each(|look| look(&self.dock, view));
        Ok(stop)
    }

    fn give_out(&mut self, view: &JournalView) -> Result<(), DaemonError> {
        loop {
            let now = self.doors.clock.now();
            let step = self.dock.poll(now, view)?;
            if step.is_idle() {
                return Ok(());
            }
            self.carry_out(now, step)?;
        }
    }

    fn handle(
        &mut self,
        now: Timestamp,
        event: Event,
        view: &dyn View,
    ) -> Result<Step, DaemonError> {
        Ok(self.dock.handle(now, event, view)?)
    }

    /// Durable before visible: the facts first, and only then what follows from them.
    fn carry_out(&mut self, now: Timestamp, step: Step) -> Result<(), DaemonError> {
        if !step.facts.is_empty() {
            loudly(&step.facts);
            self.journal.commit_blocking(step.facts, now)?;
        }
        for action in step.actions {
            match action {
                Action::AcceptDamage { first_seq, by, reason } => {
                    let left = self.journal.accept(first_seq, by, now, reason)?;
                    self.dock.set_journal_damage(left.map(log_damage));
                }
                action => self.perform(action),
            }
        }
        Ok(())
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::List { bay }
            | Action::Copy { bay, .. }
            | Action::SecondRead { bay, .. }
            | Action::Erase { bay, .. }
                if !self.dock.bays().contains_key(&bay) => {}
            action => {
                let bays = self.dock.bays();
                self.doors.perform(action, |bay| bays.get(bay).map(|bay| bay.camera.clone()));
            }
        }
    }
}

/// What the answer to an acceptance ends with, now that the log was looked at again.
fn after_accepting(left: Option<&LogDamage>) -> String {
    match left {
        None => "; releasing goes on".into(),
        Some(LogDamage { first_seq, words, .. }) => format!(
            "; but there is more damage, from line {first_seq} on ({words}), and nothing is \
             released until people have looked at that too: `bwvdock custody accept {first_seq} \
             --reason WHY`"
        ),
    }
}

/// Damage as the rules know it.
pub fn log_damage(damage: Damage) -> LogDamage {
    let words = damage.to_string();
    LogDamage { first_seq: damage.first_seq, last_seq: damage.last_seq, words }
}

fn add(whole: &mut Step, step: Step) {
    whole.facts.extend(step.facts);
    whole.actions.extend(step.actions);
}

/// What people must hear of at once also goes to the system's log.
fn loudly(facts: &[NewFact]) {
    for new in facts {
        match &new.fact {
            Fact::Sealed { segment, verdict, .. } if !verdict.is_sound() => {
                tracing::error!(%segment, %verdict, "a segment failed its check; quarantined");
            }
            Fact::GapFound { camera, gap } => tracing::error!(%camera, ?gap, "footage is missing"),
            Fact::SecondRead { segment, agrees: false, .. } => {
                tracing::error!(%segment, "two reads of the camera differ");
            }
            Fact::CameraFindings { camera, grave, clock, noted } => {
                grave.iter().for_each(|words| tracing::error!(%camera, "{words}"));
                clock.iter().chain(noted).for_each(|words| tracing::warn!(%camera, "{words}"));
            }
            Fact::EmptyCard { bay, .. } => {
                tracing::info!(%bay, "an empty card that does not say whose it is");
            }
            Fact::BayTrouble { bay, words } => tracing::warn!(%bay, "{words}"),
            Fact::Security { bay, port, device, words, measures } => {
                tracing::error!(%bay, %port, ?measures, "refused {device}: {words}");
            }
            Fact::PortSwitched { bay, port, on, why } => {
                tracing::warn!(%bay, %port, "switched {}: {why}", if *on { "on" } else { "off" });
            }
            Fact::BatteryFault { bay, camera, fault, percent, .. } => {
                tracing::error!(%bay, %camera, ?percent, "its battery is not right: {fault}");
            }
            Fact::ClockSetting { bay, camera, before } => {
                let ms = before.camera_minus_dock_ms;
                tracing::info!(%bay, %camera, "its clock is off by {ms} ms and is set");
            }
            Fact::ClockSet { bay, camera, words: Some(words), .. } => {
                tracing::warn!(%bay, %camera, "its clock was not set: {words}");
            }
            Fact::CopyFailed { segment, words, attempts, .. } => {
                tracing::warn!(%segment, attempts, "copy failed: {words}");
            }
            Fact::UploadFailed { object, words, attempts, retry_at, .. } => {
                tracing::warn!(%object, attempts, %retry_at, "upload failed: {words}");
            }
            Fact::StoreMissed { object, words } => tracing::error!(%object, "{words}"),
            Fact::StoreLost { object, words, .. } => {
                tracing::error!(%object, "the store lost what it had acknowledged: {words}");
            }
            Fact::StoreForgot { object, words, .. } => {
                tracing::warn!(%object, "back to the queue: {words}");
            }
            Fact::SpoolDamaged { object, words } => {
                tracing::error!(%object, "the spool lost an object: {words}");
            }
            Fact::SegmentVanished { segment, words, .. } => {
                let words = words.as_deref().unwrap_or("it was not released");
                tracing::warn!(%segment, "no longer on its camera: {words}");
            }
            Fact::ReleaseFailed { segment, words } => {
                tracing::warn!(%segment, "not released: {words}");
            }
            Fact::SourceChanged { segment, read } => {
                let sha256 = read.sha256;
                tracing::error!(%segment, %sha256, "replaced on its camera after it was copied");
            }
            Fact::LogDamaged { words, .. } => {
                tracing::error!("the custody log is damaged, nothing is released: {words}");
            }
            Fact::DamageAccepted { first_seq, reason, .. } => {
                tracing::warn!(first_seq, "damage of the custody log accepted: {reason}");
            }
            Fact::CameraDocked { bay, camera, .. } => tracing::info!(%bay, %camera, "docked"),
            Fact::CameraRemoved { bay, camera, .. } => tracing::info!(%bay, %camera, "removed"),
            Fact::IndexRebuilt { words } => tracing::error!("index rebuilt: {words}"),
            Fact::LogRepaired { cut_bytes, .. } => {
                tracing::error!(cut_bytes, "a torn last line of the custody log was cut off");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_accepts_damage_hears_of_the_next() {
        assert_eq!(after_accepting(None), "; releasing goes on");
        let words = "lines 20 to 21 are missing".to_owned();
        let next = LogDamage { first_seq: 20, last_seq: 21, words };
        let said = after_accepting(Some(&next));
        assert!(said.contains("nothing is released") && said.contains("accept 20 "), "{said}");
    }
}
