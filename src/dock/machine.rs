//! The dock's state machine: one event in, facts and actions out.
//!
//! The caller (daemon or simulation) keeps this order, and nothing here works without it:
//! `handle` the event, commit the facts, perform the actions, then `poll` and again commit and
//! perform, until `poll` is idle. What `handle` and `poll` read through the view is therefore
//! always durable, and each piece of work is given out once.
//! Every order to a camera is answered before the next arrival in its bay is reported.

use super::{
    IndexBroken, Records, View,
    arriving::Claims,
    elapsed::Elapsed,
    event::{Action, Arrival, Event, NoReceipt, Step},
    finishing::FinishTrouble,
    growing::Growing,
    ingest::Ingest,
    marks::Marks,
    recording::Describing,
    releasing::ReleasePass,
    uploading::StoreTrouble,
};
use crate::{
    release::Policy,
    transfer::window::Windows,
    types::{
        BayName, CameraId, Class, Condition, DockId, ObjectId, SegmentId,
        fact::{Fact, Target},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What the configuration says that the rules need.
#[derive(Debug, Clone)]
pub struct Settings {
    pub dock: DockId,
    pub bays: Vec<BayName>,
    /// Bays that copy at the same time.
    pub copies_max: usize,
    /// Objects on their way to the store at the same time.
    pub objects_in_flight: usize,
    /// How long evidence goes before footage sealed earlier; also how long that can wait at most.
    pub evidential_head_start: SignedDuration,
    pub release: Policy,
    /// When which class may be sent.
    pub windows: Windows,
    /// Prefix of every object key; empty or ending in `/`.
    pub key_prefix: String,
    /// Object-lock retention from capture on; none to set no lock.
    pub lock_for: Option<SignedDuration>,
    /// First and longest wait after a failed copy.
    pub copy_retry: (SignedDuration, SignedDuration),
    /// Read attempts before a segment that cannot be read is sealed as far as it goes.
    pub copy_attempts_max: u32,
}

/// Makes ids: random in the daemon, seeded in the simulation.
pub trait IdSource: Send {
    /// A fresh UUID, version 7 for `now`.
    fn next(&mut self, now: Timestamp) -> uuid::Uuid;
}

/// What a bay's camera is doing; a camera does one thing at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    List,
    Copy(SegmentId),
    SecondRead(SegmentId),
    Erase(usize),
}

/// A docked camera, as long as it is docked. Not remembered: arrivals are reported again at start.
#[derive(Debug)]
pub struct Bay {
    pub camera: CameraId,
    pub profile: String,
    pub erase_allowed: bool,
    /// What it said of itself since it was docked, the newest of each.
    pub condition: Condition,
    pub work: Option<Work>,
    pub listed_at: Option<Timestamp>,
    /// Files and bytes at the last complete listing.
    pub on_camera: (u64, u64),
    pub spool_full: bool,
    /// Since when every copy from it failed, and how the last one did.
    pub copies_fail: Option<(Timestamp, String)>,
    pub problem: Option<String>,
    /// The last whole walk over the release candidates found nothing more to do.
    pub settled: bool,
    /// The camera was listed after the last work on it and on its footage: nothing can have come
    /// to lie on it unseen while the dock was busy.
    pub checked: bool,
    /// The listing that was ordered last was ordered after all work.
    pub(super) list_covers_work: bool,
    pub(super) list_began: Option<Timestamp>,
    /// Rest before a settled camera is listed again.
    pub(super) list_rest: SignedDuration,
    pub(super) list_due: bool,
    pub(super) list_retry_at: Option<Timestamp>,
    pub(super) ingest: Option<Ingest>,
    pub(super) release: ReleasePass,
    /// When it was last given a copy, counted in copies of the dock: bays take turns.
    pub(super) last_copy: u64,
    /// Erase batches in a row of which nothing was erased.
    pub(super) erase_failures: u32,
    /// Why its camera is not cleared, when only the store's silence is the cause.
    pub store_silent: Option<String>,
    /// The last second read that gave what was sealed, and when.
    pub(super) fresh: Option<(SegmentId, Timestamp)>,
    /// Files whose second read differed and that were read once more in this docking, to tell a
    /// replaced file from a camera that reads unreliably.
    pub(super) doubted: BTreeSet<SegmentId>,
    /// Since when clearing gives way to copying elsewhere.
    pub(super) yields_since: Option<Timestamp>,
    /// It was listed before in this docking: what is another size or time now has changed since.
    pub(super) listed_before: bool,
    pub(super) growing: Growing,
    pub(super) marks: Marks,
}

/// Damage of the custody log, as the rules and people need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDamage {
    pub first_seq: u64,
    pub last_seq: u64,
    pub words: String,
}

impl Bay {
    /// Something was done with the camera or its footage: no earlier listing proves its state.
    pub(super) fn was_worked_on(&mut self) {
        self.checked = false;
        self.list_covers_work = false;
    }
}

/// The rules of one dock.
pub struct Dock {
    pub(super) settings: Settings,
    pub(super) ids: Box<dyn IdSource>,
    pub(super) bays: BTreeMap<BayName, Bay>,
    /// Bays with something unusable in them, in words.
    pub(super) troubles: BTreeMap<BayName, String>,
    /// Bays with a card on which there is nothing.
    pub(super) empty_cards: BTreeMap<BayName, Vec<String>>,
    /// Cameras whose id is docked elsewhere already: each is let in when the other is out.
    pub(super) twins: BTreeMap<BayName, Arrival>,
    pub(super) claims: Claims,
    /// Segments whose last read differed from the camera's digest: the next read counts.
    pub(super) suspects: BTreeSet<SegmentId>,
    pub(super) copies_given: u64,
    pub(super) elapsed: Elapsed,
    pub(super) uploads: BTreeMap<ObjectId, Class>,
    /// Uploads told to stop.
    pub(super) stopping: BTreeSet<ObjectId>,
    /// The store as a whole is unwell: nothing is sent before this time.
    pub(super) store_wait: Option<(Timestamp, String)>,
    /// What of the store only a person can mend.
    pub(super) store_need: Option<StoreTrouble>,
    /// The next object does not wait for its time.
    pub(super) ask_store_at_once: bool,
    /// Receipts, their placing and the clearing of the spool, under way.
    pub(super) finishing: BTreeMap<ObjectId, Option<Timestamp>>,
    pub(super) finish_trouble: Option<FinishTrouble>,
    /// Objects being marked at the store.
    pub(super) marking: BTreeSet<ObjectId>,
    /// The store would not be marked as a whole: until when, and why.
    pub(super) marking_wait: Option<(Timestamp, String)>,
    pub(super) describing: Describing,
    pub(super) journal_damage: Option<LogDamage>,
    pub(super) stopped: bool,
}

impl Dock {
    pub fn new(settings: Settings, ids: Box<dyn IdSource>) -> Self {
        Self {
            settings,
            ids,
            bays: BTreeMap::new(),
            troubles: BTreeMap::new(),
            empty_cards: BTreeMap::new(),
            twins: BTreeMap::new(),
            claims: Claims::default(),
            suspects: BTreeSet::new(),
            copies_given: 0,
            elapsed: Elapsed::default(),
            uploads: BTreeMap::new(),
            stopping: BTreeSet::new(),
            store_wait: None,
            store_need: None,
            ask_store_at_once: false,
            finishing: BTreeMap::new(),
            finish_trouble: None,
            marking: BTreeSet::new(),
            marking_wait: None,
            describing: Describing::default(),
            journal_damage: None,
            stopped: false,
        }
    }

    /// While the journal is damaged nothing is released.
    pub fn set_journal_damage(&mut self, damage: Option<LogDamage>) {
        self.journal_damage = damage;
    }

    pub fn journal_damage(&self) -> Option<&LogDamage> {
        self.journal_damage.as_ref()
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn bays(&self) -> &BTreeMap<BayName, Bay> {
        &self.bays
    }

    pub fn troubles(&self) -> &BTreeMap<BayName, String> {
        &self.troubles
    }

    /// Bays with a card on which there is nothing, and what is to be noted about it.
    pub fn empty_cards(&self) -> &BTreeMap<BayName, Vec<String>> {
        &self.empty_cards
    }

    pub fn uploads(&self) -> &BTreeMap<ObjectId, Class> {
        &self.uploads
    }

    /// Until when, and why, nothing is sent to the store.
    pub fn store_wait(&self) -> Option<&(Timestamp, String)> {
        self.store_wait.as_ref()
    }

    /// Takes in one event.
    ///
    /// # Errors
    /// [`IndexBroken`]: the daemon must stop and rebuild the index.
    pub fn handle(
        &mut self,
        now: Timestamp,
        event: Event,
        view: &dyn View,
    ) -> Result<Step, IndexBroken> {
        let mut step = Step::default();
        self.notice_clock(now);
        match event {
            Event::Started(started) => {
                self.claims.start(now);
                self.recall_store_need(view)?;
                // Nobody knows how much of the time since the last line really passed.
                if let Some(last) = view.totals()?.last_at {
                    self.elapsed.skip(last, now);
                }
                // What is dated later than this start was before it all the same.
                self.elapsed.set_back(now);
                step.fact(started.fact);
                started.repairs.into_iter().for_each(|fact| step.fact(fact));
            }
            Event::Stopping { why } => {
                self.stopped = true;
                step.fact(Fact::DockStopped { why });
            }
            Event::CameraArrived(arrival) => self.handle_arrival(now, arrival, view, &mut step)?,
            Event::BayTrouble { bay, words } => self.trouble(bay, words, &mut step),
            Event::EmptyCard { bay, noted } => {
                self.handle_empty_card(now, bay, noted, view, &mut step)?;
            }
            Event::CameraTold { bay, camera, condition } => {
                let docked = self.bays.get_mut(&bay).filter(|docked| docked.camera == camera);
                if let Some(docked) = docked {
                    docked.condition = condition.or(&docked.condition);
                }
            }
            Event::CameraGone { bay } => self.handle_gone(now, bay, view, &mut step)?,
            Event::Listed { bay, listed } => {
                self.handle_listed(now, &bay, listed, view, &mut step)?
            }
            Event::ListFailed { bay, words } => {
                self.handle_list_failed(now, &bay, words, &mut step)
            }
            Event::Copied { bay, segment, object, result } => {
                self.handle_copied(now, &bay, segment, object, result, view, &mut step)?;
            }
            Event::RecordSealed { recording, object, result } => {
                self.handle_record_sealed(now, recording, object, result, view, &mut step)?;
            }
            Event::SecondRead { bay, segment, result } => {
                self.handle_second_read(now, &bay, segment, result, view, &mut step)?;
            }
            Event::Erased { bay, results } => {
                self.handle_erased(now, &bay, results, view, &mut step)?;
            }
            Event::UploadEnded { object, end } => {
                self.handle_upload_ended(object, end, view, &mut step)?;
            }
            Event::MarkEnded { object, asked, end } => {
                self.handle_marked(object, asked, end, &mut step);
            }
            Event::ReceiptWritten { object, result } => match result {
                Ok(receipt) => {
                    self.finished(object);
                    let camera = view.object(object)?.map(|object| object.camera);
                    for bay in self.bays.values_mut().filter(|b| Some(&b.camera) == camera.as_ref())
                    {
                        bay.settled = false;
                        bay.was_worked_on();
                        bay.release.hasten();
                    }
                    step.fact(Fact::Receipted { object, receipt });
                }
                Err(NoReceipt::Later(words)) => self.finish_later(now, object, words),
                Err(NoReceipt::Forgotten(words)) => {
                    self.store_forgot(now, object, words, view, &mut step)?;
                }
            },
            Event::ReceiptPlaced { object, result } => match result {
                Ok(()) => {
                    self.finished(object);
                    step.fact(Fact::ReceiptPlaced { object });
                }
                Err(words) => self.finish_later(now, object, words),
            },
            Event::SpoolFreed { object } => {
                self.finishing.remove(&object);
                self.bays.values_mut().for_each(|bay| bay.spool_full = false);
                step.fact(Fact::SpoolFreed { object });
            }
            Event::StoreLacks { object, words } => {
                self.handle_store_lacks(now, object, &words, view, &mut step)?;
            }
            Event::StoreHolds { object } => {
                if view.object(object)?.is_some_and(|state| state.missed_at.is_some()) {
                    step.fact(Fact::StoreFound { object });
                }
            }
            Event::SpoolMissing { object, stored: Some((level, version)) } => {
                step.fact(Fact::Stored { object, level, version });
                step.fact(Fact::MarksDue { object });
            }
            Event::SpoolMissing { object, stored: None } => {
                let words = "its file is missing from the spool".to_owned();
                step.fact(Fact::SpoolDamaged { object, words });
            }
            Event::Asked { actor, command } => {
                self.handle_asked(now, actor, command, view, &mut step)?;
            }
            // A full spool is tried again: its disk may have been cleared by somebody else.
            Event::Tick => self.bays.values_mut().for_each(|bay| bay.spool_full = false),
        }
        Ok(step)
    }

    /// Gives out the next work; call until the step is idle.
    ///
    /// # Errors
    /// [`IndexBroken`]: the daemon must stop and rebuild the index.
    pub fn poll(&mut self, now: Timestamp, view: &dyn View) -> Result<Step, IndexBroken> {
        let mut step = Step::default();
        self.notice_clock(now);
        if self.stopped {
            return Ok(step);
        }
        self.poll_claims(now, view, &mut step)?;
        let mut turns: Vec<(u64, BayName)> =
            self.bays.iter().map(|(name, bay)| (bay.last_copy, name.clone())).collect();
        turns.sort();
        let mut free = Vec::new();
        for (_, bay) in turns {
            if self.poll_bay(now, &bay, view, &mut step)? {
                free.push(bay);
            }
        }
        // Copying first, in whatever bay: clearing reads cameras too.
        for bay in free {
            self.poll_release(now, &bay, view, &mut step)?;
            self.poll_marks(now, &bay, view, &mut step)?;
        }
        self.poll_records(now, view, &mut step)?;
        self.poll_marking(now, view, &mut step)?;
        self.poll_finishing(now, view, &mut step)?;
        self.poll_uploads(now, view, &mut step)?;
        Ok(step)
    }

    pub(super) fn object_id(&mut self, now: Timestamp) -> ObjectId {
        ObjectId(self.ids.next(now))
    }

    /// A clock that was set back makes every wait too long: they end.
    fn notice_clock(&mut self, now: Timestamp) {
        if !self.elapsed.notice(now) {
            return;
        }
        for bay in self.bays.values_mut() {
            bay.list_retry_at = None;
            bay.release.next_at = None;
            bay.release.rest_until = None;
            // How old that read is, nobody can tell any more.
            bay.fresh = None;
        }
        self.store_wait = self.store_wait.take().map(|(until, words)| (until.min(now), words));
        self.mark_now(now);
        self.finish_now(now);
        self.describing.retry_at = None;
    }

    pub(super) fn is_paused(&self, name: &BayName, view: &dyn View) -> Result<bool, IndexBroken> {
        let Some(bay) = self.bays.get(name) else { return Ok(false) };
        Ok(view.paused(&Target::Dock)?.is_some()
            || view.paused(&Target::Camera(bay.camera.clone()))?.is_some())
    }

    /// The bay, if `work` is what it is really doing: late answers of a camera that is gone are
    /// heard for their facts only.
    pub(super) fn finish_work(&mut self, bay: &BayName, work: Work) -> Option<&mut Bay> {
        let docked = self.bays.get_mut(bay)?;
        if docked.work == Some(work) {
            docked.work = None;
        }
        match work {
            Work::List => {}
            Work::Copy(_) | Work::SecondRead(_) | Work::Erase(_) => docked.was_worked_on(),
        }
        Some(docked)
    }

    /// True when the bay has nothing else to do than to be cleared.
    fn poll_bay(
        &mut self,
        now: Timestamp,
        name: &BayName,
        view: &dyn View,
        step: &mut Step,
    ) -> Result<bool, IndexBroken> {
        // What the listing told is not folded yet: nothing is decided about this camera before.
        if self.poll_ingest(now, name, view, step)? {
            return Ok(false);
        }
        let Some(bay) = self.bays.get_mut(name) else { return Ok(false) };
        if bay.work.is_some() || bay.ingest.is_some() {
            return Ok(false);
        }
        if bay.list_due && bay.list_retry_at.is_none_or(|at| now >= at) {
            bay.work = Some(Work::List);
            bay.list_due = false;
            bay.list_covers_work = true;
            bay.list_began = Some(now);
            step.act(Action::List { bay: name.clone() });
            return Ok(false);
        }
        if bay.listed_at.is_none() {
            return Ok(false);
        }
        if self.poll_copy(now, name, view, step)? {
            return Ok(false);
        }
        // A pause stops the dock's hands altogether: nothing is erased during one either.
        Ok(!self.is_paused(name, view)?)
    }
}
