//! What comes in and what goes out: the dock's rules speak to the world only in these.

use crate::{
    evidence::Plan,
    release::Approval,
    transfer::StoreNeed,
    types::{
        Actor, BayName, CameraId, Class, Condition, ObjectId, ReceiptLevel, RecordingId, SegmentId,
        fact::{
            ClockOffset, ClockReading, Content, Fact, Hashed, MarksAsked, MarksSeen, PartTable,
            ReceiptRef, Source, Target,
        },
    },
};
use jiff::Timestamp;

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// The daemon is up and the doors are open.
    Started(Started),
    Stopping {
        why: String,
    },
    CameraArrived(Arrival),
    /// A bay holds something that cannot be used; `words` say what and what to do.
    BayTrouble {
        bay: BayName,
        words: String,
    },
    /// A bay holds a card with nothing on it that could say whose it is.
    EmptyCard {
        bay: BayName,
        /// What lies on it besides, in words.
        noted: Vec<String>,
    },
    CameraGone {
        bay: BayName,
    },
    /// A docked camera said something of itself.
    CameraTold {
        bay: BayName,
        camera: CameraId,
        condition: Condition,
    },
    Listed {
        bay: BayName,
        listed: Listed,
    },
    ListFailed {
        bay: BayName,
        words: String,
    },
    Copied {
        bay: BayName,
        segment: SegmentId,
        object: ObjectId,
        result: CopyResult,
    },
    RecordSealed {
        recording: RecordingId,
        object: ObjectId,
        result: CopyResult,
    },
    SecondRead {
        bay: BayName,
        segment: SegmentId,
        result: Result<Hashed, String>,
    },
    Erased {
        bay: BayName,
        results: Vec<(SegmentId, EraseResult)>,
    },
    UploadEnded {
        object: ObjectId,
        end: UploadEnd,
    },
    /// The store was asked for the marks that `asked` says.
    MarkEnded {
        object: ObjectId,
        asked: MarksAsked,
        end: MarkEnd,
    },
    ReceiptWritten {
        object: ObjectId,
        result: Result<ReceiptRef, NoReceipt>,
    },
    ReceiptPlaced {
        object: ObjectId,
        result: Result<(), String>,
    },
    SpoolFreed {
        object: ObjectId,
    },
    /// Asked apart from any erase, the store does not have what its receipt says.
    StoreLacks {
        object: ObjectId,
        words: String,
    },
    /// Asked apart from any erase, it has what a look before had missed.
    StoreHolds {
        object: ObjectId,
    },
    /// The spool has no file for an object that still needs one.
    SpoolMissing {
        object: ObjectId,
        /// A receipt on the disk says the store has it: its line in the log was lost.
        stored: Option<(ReceiptLevel, Option<String>)>,
    },
    Asked {
        actor: Actor,
        command: Command,
    },
    /// Time passed; sent about once a second.
    Tick,
}

/// What is known at start.
#[derive(Debug)]
pub struct Started {
    pub fact: Fact,
    /// Facts about repairs that opening the journal made.
    pub repairs: Vec<Fact>,
}

/// A camera that answered and was recognised.
#[derive(Debug)]
pub struct Arrival {
    pub bay: BayName,
    pub camera: CameraId,
    pub profile: String,
    pub model: Option<String>,
    pub clock: Option<ClockOffset>,
    pub clock_reading: ClockReading,
    pub condition: Condition,
    /// It was there a moment before, and nobody did anything.
    pub again: bool,
    /// The mount and the bay's configuration allow erasing.
    pub erase_allowed: bool,
}

/// A complete look at a camera, already turned into recordings by its profile.
#[derive(Debug)]
pub struct Listed {
    pub plan: Plan,
    pub files: u64,
    pub bytes: u64,
}

/// How a copy ended.
#[derive(Debug)]
pub enum CopyResult {
    /// Whole under its final name in the spool, opened again and equal.
    Sealed {
        plain: Hashed,
        sealed: Hashed,
        table: PartTable,
        /// In words, when reading the source failed for good and only a prefix is sealed.
        read_failed: Option<String>,
    },
    /// The camera is gone; what was sealed so far waits in memory for its return.
    Gone,
    /// No room in the spool now; reading waits.
    SpoolFull,
    /// Nothing was kept.
    Failed { words: String },
    /// Nothing was kept: the file is not what was listed. The camera is listed again.
    Changed { words: String },
}

/// How one erase ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EraseResult {
    Erased,
    /// It was not there any more.
    Absent,
    Failed(String),
    /// The file there is another one, by two equal reads; nothing was done to it.
    Changed(Hashed),
    /// Told to stop reading; nothing was done.
    GaveWay,
    /// The store was asked and does not have what its receipt says; nothing was done.
    StoreLacks(String),
    /// The store could not be asked; nothing was done.
    StoreSilent(String),
    /// The camera went away before this one's turn.
    Gone,
}

/// How an upload ended.
#[derive(Debug)]
pub enum UploadEnd {
    Stored {
        level: ReceiptLevel,
        version: Option<String>,
    },
    /// It gave way to something more urgent, or to a pause; nothing is wrong.
    Preempted,
    /// Try again not before `retry_at`; `store_wide` when the store, not the object, is the cause.
    Failed {
        attempts: u32,
        words: String,
        retry_at: Timestamp,
        store_wide: bool,
        /// What of the store only a person can mend; it is not the object then.
        need: Option<StoreNeed>,
    },
    /// The sealed object in the spool is not what was sealed.
    SpoolDamaged {
        words: String,
    },
}

/// How marking an object at the store ended.
#[derive(Debug)]
pub enum MarkEnd {
    /// The store was read after the last change: what it keeps, and what it cannot.
    Seen(MarksSeen),
    /// Try again not before `retry_at`; `store_wide` when the store, not the object, is the cause.
    Failed { attempts: u32, words: String, retry_at: Timestamp, store_wide: bool },
}

/// Why there is no receipt, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoReceipt {
    /// It is tried again.
    Later(String),
    /// The store does not show the object it acknowledged: it is sent again.
    Forgotten(String),
}

/// What a person may ask for.
#[derive(Debug, Clone)]
pub enum Command {
    Pause {
        target: Target,
        reason: String,
    },
    Resume {
        target: Target,
        reason: Option<String>,
    },
    Retry {
        target: Target,
        reason: Option<String>,
    },
    Hold {
        target: Target,
        reason: String,
    },
    Unhold {
        target: Target,
        reason: String,
    },
    /// A person knows of what is wrong with a camera; all of it, or what has `only` in its words.
    Acknowledge {
        camera: CameraId,
        only: Option<String>,
        reason: String,
    },
    Reclass {
        recording: RecordingId,
        class: Class,
        reason: String,
    },
    /// Go on with the damage of the custody log that begins at this line.
    AcceptDamage {
        first_seq: u64,
        reason: String,
    },
    /// Look at every docked camera again, and at everything that could be released, now.
    Release,
}

/// What the shell must do; results come back as events.
#[derive(Debug)]
pub enum Action {
    List {
        bay: BayName,
    },
    Copy {
        bay: BayName,
        segment: SegmentId,
        object: ObjectId,
        source: Source,
    },
    /// Abandon the running copy in this bay; its state is kept for later.
    StopCopy {
        bay: BayName,
    },
    SecondRead {
        bay: BayName,
        segment: SegmentId,
        source: Source,
    },
    /// Where an approval asks for it, read and compare first.
    Erase {
        bay: BayName,
        approvals: Vec<Approval>,
    },
    /// Give way: end the reading before an erase in this bay.
    StopErase {
        bay: BayName,
    },
    /// Takes note of what a person has accepted; the answer is [`Dock::set_journal_damage`].
    ///
    /// [`Dock::set_journal_damage`]: super::Dock::set_journal_damage
    AcceptDamage {
        first_seq: u64,
        by: Actor,
        reason: String,
    },
    SealRecord {
        recording: RecordingId,
        object: ObjectId,
    },
    /// Remove a sealed object that no fact refers to.
    Discard {
        object: ObjectId,
    },
    Upload {
        object: ObjectId,
    },
    /// Hand out no further parts, then end.
    StopUpload {
        object: ObjectId,
    },
    /// Bring about at the store what the object's class asks, hold before tag, and read it back.
    Mark {
        object: ObjectId,
        asked: MarksAsked,
    },
    WriteReceipt {
        object: ObjectId,
    },
    PlaceReceipt {
        object: ObjectId,
    },
    FreeSpool {
        object: ObjectId,
    },
}

/// The answer to one event: remember the facts, and once they are durable do the actions.
#[derive(Debug, Default)]
pub struct Step {
    pub facts: Vec<crate::types::fact::NewFact>,
    pub actions: Vec<Action>,
    /// The reply to [`Event::Asked`].
    pub reply: Option<Result<String, String>>,
    /// Poll again even though this step is empty: a walk over many records goes on.
    pub again: bool,
}

impl Step {
    /// Nothing to remember, nothing to do, nothing more to ask.
    pub fn is_idle(&self) -> bool {
        self.facts.is_empty() && self.actions.is_empty() && !self.again
    }

    pub(super) fn fact(&mut self, fact: Fact) {
        self.facts.push(fact.into());
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }
}

/// Whether an object describes a recording rather than holding a segment.
pub fn is_record(content: &Content) -> bool {
    matches!(content, Content::Record(_))
}
