//! The folded state: what the facts add up to, as small records under ordered keys.
//!
//! | key | record |
//! |---|---|
//! | `c/CAMERA` | [`CameraState`] |
//! | `r/RECORDING` | [`RecordingState`] |
//! | `s/SEGMENT` | [`SegmentState`] |
//! | `o/OBJECT` | [`ObjectState`] |
//! | `a/OBJECT PART` | ETag of a part the store acknowledged |
//! | `n/CAMERA/NAME` | recording id |
//! | `u/CAMERA/RECORDING` | recordings with files on the camera, or gone but not stored |
//! | `i/CAMERA/PATH` | id of the newest segment at that place |
//! | `b/RECORDING SEGMENT` | segments of a recording |
//! | `k/CAMERA/RANK SEGMENT` | still to be copied, in order; value: not before (ms) |
//! | `e/CAMERA/SEGMENT` | stored, and still on the camera: what the release rule looks at |
//! | `q/CLASS TIME OBJECT` | still to be stored, oldest first; value: not before (ms), size |
//! | `w/RECORDING` | something of it is sealed that no record describes; value: since (ms) |
//! | `p/OBJECT` | stored, but receipt or clearing up is not finished |
//! | `f/RECORDING OBJECT` | every sealed object of a recording, older ones too |
//! | `l/OBJECT` | stored, and to be marked there; value: not before (ms) |
//! | `j/OBJECT` | stored, and the store cannot keep its marks |
//! | `g/CAMERA/DIGEST` | [`GapState`]: gaps already reported |
//! | `x/CAMERA/SEGMENT` | [`FileMatter`]: files that need a person |
//! | `y/CAMERA/NUMBER` | recording whose unproven manifest claims this running number |
//! | `v/CAMERA` | [`CameraHistory`](super::history::CameraHistory): the camera over its dockings |
//! | `d/CAMERA/TIME` | [`Docking`](super::history::Docking): past ones, the newest few |
//! | `h/TARGET`, `z/TARGET` | holds and pauses, with who and why |
//! | `t` | [`Totals`] |
//!
//! Keys that begin with `m/` are the journal's own.
//! Ids stand as 16 raw bytes, numbers big-endian, so that keys sort by what they mean.

use super::{IndexBroken, Table, View};
use crate::types::{
    Actor, BayName, CameraId, Class, ObjectId, ReceiptLevel, RecordingId, SegmentId, Sha256Digest,
    StoreNeed, Verdict,
    fact::{
        ClockOffset, ClockReading, Content, Gap, Hashed, MarksAsked, MarksSeen, ReceiptRef,
        Recording, SealedObject, Segment, Target,
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::ops::ControlFlow;

/// Where a segment is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Known, on the camera, not yet copied.
    Seen,
    /// Sealed in the spool, queued for the store.
    Sealed,
    /// The store acknowledged it.
    Stored,
    /// Its receipt is signed and on disk.
    Receipted,
    /// The rule agreed and an erase is under way.
    Releasing,
    /// Erased from the camera by the rule.
    Released,
    /// No longer on the camera, though nobody released it.
    Vanished,
}

impl Stage {
    pub const ALL: [Self; 7] = [
        Self::Seen,
        Self::Sealed,
        Self::Stored,
        Self::Receipted,
        Self::Releasing,
        Self::Released,
        Self::Vanished,
    ];

    /// Whether the file is no longer on its camera.
    pub fn is_gone(self) -> bool {
        matches!(self, Self::Released | Self::Vanished)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Sealed => "sealed",
            Self::Stored => "stored",
            Self::Receipted => "receipted",
            Self::Releasing => "releasing",
            Self::Released => "released",
            Self::Vanished => "vanished",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraState {
    pub id: CameraId,
    pub profile: String,
    pub model: Option<String>,
    pub first_docked: Timestamp,
    pub last_docked: Timestamp,
    pub last_bay: BayName,
    pub docked: bool,
    /// Its bay is the last one, as far as anybody saw: it was not taken out of it since, though the
    /// dock may have stopped.
    #[serde(default)]
    pub claims_bay: bool,
    pub clock: Option<ClockOffset>,
    #[serde(default)]
    pub clock_reading: Option<ClockReading>,
    /// What the last listing found wrong or odd.
    #[serde(default)]
    pub findings: Vec<FindingState>,
    /// Newest signed manifest seen: its number and hash; completeness is judged from here.
    pub last_manifest: Option<(u64, Sha256Digest)>,
    pub gaps: u32,
    pub recordings: u64,
}

/// What listings find, as long as they find it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindingState {
    pub words: String,
    pub weight: Weight,
    #[serde(default)]
    pub acknowledged: Option<Mark>,
}

/// What follows from a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// A person must look.
    Grave,
    /// The camera's clock is not to be believed; its footage is safe all the same.
    Clock,
    /// It is only noted.
    Noted,
}

/// A gap, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GapState {
    #[serde(flatten)]
    pub gap: Gap,
    #[serde(default)]
    pub acknowledged: Option<Mark>,
    /// What was missing was seen after all, then.
    #[serde(default)]
    pub arrived: Option<Timestamp>,
}

impl GapState {
    /// Neither explained by a person nor filled.
    pub fn is_open(&self) -> bool {
        self.acknowledged.is_none() && self.arrived.is_none()
    }
}

/// Why a file needs a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileTrouble {
    /// The copy sealed by this line of the log failed its check.
    Unsound { verdict: Verdict, seq: u64 },
    /// Two reads of the camera gave different bytes.
    ReadsDiffer,
    /// Another file of the same size and time lay in its place when it was to be erased.
    Replaced,
    /// It left its camera before it was copied, and not by the dock.
    Lost,
    /// After its receipt the store was seen, so often by now, not to have it any more.
    StoreLost { times: u32 },
    /// The store did not have it at the last look; one look is not believed yet.
    StoreMissed,
}

impl FileTrouble {
    /// What the state of a segment amounts to.
    pub fn of(state: &SegmentState) -> Option<Self> {
        match (&state.sealed, state.second_read) {
            (None, _) if state.stage == Stage::Vanished && !state.superseded => Some(Self::Lost),
            (None, _) => Self::store_lost(state),
            (Some(sealed), _) if !sealed.verdict.is_sound() => {
                Some(Self::Unsound { verdict: sealed.verdict, seq: sealed.seq })
            }
            (Some(_), _) if state.replaced => Some(Self::Replaced),
            // It had grown: what it grew to is copied too, and nothing is in doubt.
            (Some(sealed), Some((read, false)))
                if state.superseded
                    && state.stage == Stage::Vanished
                    && read.size > sealed.plain.size =>
            {
                None
            }
            (Some(_), Some((_, false))) => Some(Self::ReadsDiffer),
            (Some(_), _) => Self::store_lost(state),
        }
    }

    fn store_lost(state: &SegmentState) -> Option<Self> {
        if state.missed {
            return Some(Self::StoreMissed);
        }
        let times = state.store_losses;
        (times > 0).then_some(Self::StoreLost { times })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileMatter {
    pub segment: SegmentId,
    pub trouble: FileTrouble,
    pub acknowledged: Option<Mark>,
}

/// Counts within one recording; a segment is in exactly one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordingState {
    pub recording: Recording,
    pub first_seen: Timestamp,
    /// Files by stage, in the order of [`Stage::ALL`].
    pub files: [u64; 7],
    pub bytes: u64,
    pub unsound: u64,
    pub gaps: u32,
    /// Files on the camera that are no manifests.
    pub others_on_camera: u64,
    /// Media on the camera.
    #[serde(default)]
    pub media_on_camera: u64,
    /// Files that its manifest names and that never arrived, and files that got lost, as long as
    /// nobody acknowledged them.
    #[serde(default)]
    pub unaccounted: u64,
    /// Files that left the camera by another hand, sealed but not in the store yet.
    #[serde(default)]
    pub gone_unstored: u64,
    /// The newest sealed descriptive record and the sequence number of its sealing.
    pub record: Option<(ObjectId, u64)>,
    /// Everything sealed before this sequence number is described by a receipted record.
    pub described_before: u64,
}

impl RecordingState {
    /// Files in one stage.
    pub fn at(&self, stage: Stage) -> u64 {
        self.files[stage as usize]
    }

    /// Files that are on the camera, as far as the dock knows.
    pub fn on_camera(&self) -> u64 {
        let gone = self.at(Stage::Released) + self.at(Stage::Vanished);
        self.files.iter().sum::<u64>() - gone
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentState {
    pub segment: Segment,
    pub stage: Stage,
    pub seen_at: Timestamp,
    pub copy_attempts: u32,
    pub trouble: Option<String>,
    pub retry_at: Option<Timestamp>,
    pub sealed: Option<SealedState>,
    pub receipt: Option<ReceiptRef>,
    pub second_read: Option<(Hashed, bool)>,
    /// It vanished only in that the same file has grown, or is spoken of differently.
    #[serde(default)]
    pub superseded: bool,
    /// Another file lies in its place on the camera, found when it was to be erased.
    #[serde(default)]
    pub replaced: bool,
    /// How often the store did not have it any more after its receipt.
    #[serde(default, skip_serializing_if = "is_never")]
    pub store_losses: u32,
    /// At the last look the store did not have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missed: bool,
}

/// What sealing established.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SealedState {
    pub object: ObjectId,
    pub verdict: Verdict,
    pub plain: Hashed,
    pub at: Timestamp,
    pub seq: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectState {
    pub object: SealedObject,
    pub camera: CameraId,
    pub sealed_at: Timestamp,
    pub sealed_seq: u64,
    pub upload: Option<String>,
    /// Failures without progress in between.
    pub attempts: u32,
    /// Uploads that were begun and given up.
    pub abandoned: u32,
    pub trouble: Option<String>,
    pub retry_at: Option<Timestamp>,
    pub stored: Option<(ReceiptLevel, Option<String>)>,
    pub stored_at: Option<Timestamp>,
    pub receipt: Option<ReceiptRef>,
    pub receipt_placed: bool,
    pub spool_freed: bool,
    /// The spool file was found damaged: the segment is copied again under a new object.
    pub lost: bool,
    #[serde(default)]
    pub marking: MarkingState,
    /// How often the store did not have it any more after it had proved that it had.
    #[serde(default, skip_serializing_if = "is_never")]
    pub forgotten: u32,
    /// When a look after its receipt first missed it, as long as no second one decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_at: Option<Timestamp>,
    /// After its receipt the store was seen not to have it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
}

fn is_never(times: &u32) -> bool {
    *times == 0
}

impl ObjectState {
    /// Nothing is left to do with it. A line of the log may be destroyed, so each is asked for: what
    /// has no receipt gets one, though all that comes after it is done.
    pub fn is_finished(&self) -> bool {
        self.receipt.is_some() && self.receipt_placed && self.spool_freed
    }

    /// What its class asks of the store now.
    pub fn marks_asked(&self) -> MarksAsked {
        MarksAsked { class: self.object.class, evidence: self.marking.evidence }
    }
}

/// How the marks of a stored object stand at the store.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MarkingState {
    /// Its recording is evidence.
    pub evidence: bool,
    /// It was evidence at some time since a hold was last seen to be off: a hold there is ours.
    pub hold_is_ours: bool,
    /// The store is to be given the marks, or asked for them.
    pub due: bool,
    /// Failures since it became due.
    pub attempts: u32,
    pub trouble: Option<String>,
    pub retry_at: Option<Timestamp>,
    /// What the store was last seen to keep.
    pub seen: Option<MarksSeen>,
}

/// A hold or a pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub at: Timestamp,
    pub actor: Actor,
    pub reason: String,
}

/// Objects and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub count: u64,
    pub bytes: u64,
}

impl Amount {
    pub fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }

    /// Saturates: a total that disagrees is a display matter, never a reason to stop.
    pub fn remove(&mut self, bytes: u64) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Running totals over the whole life of the dock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// The dock's clock at the newest fact.
    #[serde(default)]
    pub last_at: Option<Timestamp>,
    pub recordings: u64,
    /// Files by stage, in the order of [`Stage::ALL`]; bytes as on the camera.
    pub stages: [Amount; 7],
    pub verified: u64,
    pub matched: u64,
    pub unverified: u64,
    #[serde(default)]
    pub bad_signature: u64,
    pub mismatched: u64,
    pub partial: u64,
    pub unreadable: u64,
    /// Waiting for the store, by class: evidential, quarantine, unreviewed; bytes of ciphertext.
    pub queue: [Amount; 3],
    /// Still to be read from cameras, by class of the recording.
    pub to_copy: [Amount; 3],
    pub stored: Amount,
    pub receipts: u64,
    pub parts_acknowledged: u64,
    pub gaps: u64,
    /// Gaps that were acknowledged, or filled after all.
    #[serde(default)]
    pub gaps_settled: u64,
    pub uploads_abandoned: u64,
    pub upload_failures: u64,
    pub copy_failures: u64,
    pub spool_damage: u64,
    /// Objects that the store lost after their receipt.
    #[serde(default)]
    pub store_losses: u64,
    pub vanished_unsealed: u64,
    pub index_rebuilds: u64,
    pub log_repairs: u64,
    pub second_reads_differing: u64,
    #[serde(default)]
    pub sources_changed: u64,
    #[serde(default)]
    pub log_damages: u64,
    /// Stored objects whose marks the store cannot keep.
    #[serde(default)]
    pub marks_lacking: u64,
    /// What of the store only a person can mend, since the last call that said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_need: Option<(StoreNeed, String)>,
    #[serde(default)]
    pub starts: Starts,
}

/// How often the daemon was started, and how the runs before ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Starts {
    pub count: u64,
    /// After a run that nobody stopped: killed, crashed, or the power went.
    pub unclean: u64,
    /// Those of them after which the machine had booted anew.
    pub unclean_boots: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_unclean_at: Option<Timestamp>,
    /// A start without its stop is the newest.
    pub running: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
}

impl Starts {
    pub(super) fn begin(&mut self, at: Timestamp, boot: &str) {
        self.count += 1;
        if self.running {
            self.unclean += 1;
            self.unclean_boots += u64::from(self.boot.as_deref() != Some(boot));
            self.last_unclean_at = Some(at);
        }
        self.running = true;
        self.last_at = Some(at);
        self.boot = Some(boot.to_owned());
    }
}

impl Totals {
    pub fn verdict(&mut self, verdict: Verdict) -> &mut u64 {
        match verdict {
            Verdict::Verified => &mut self.verified,
            Verdict::Matched => &mut self.matched,
            Verdict::Unverified => &mut self.unverified,
            Verdict::BadSignature => &mut self.bad_signature,
            Verdict::Mismatched => &mut self.mismatched,
            Verdict::Partial => &mut self.partial,
            Verdict::Unreadable => &mut self.unreadable,
        }
    }
}

/// Position of a class in arrays of totals.
pub fn class_slot(class: Class) -> usize {
    match class {
        Class::Evidential => 0,
        Class::Quarantine => 1,
        Class::Unreviewed => 2,
    }
}

/// The keys of the table above.
pub mod key {
    use super::*;

    fn join(prefix: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut key = prefix.to_vec();
        parts.iter().for_each(|part| key.extend_from_slice(part));
        key
    }

    /// Flipping the sign bit makes signed times sort as unsigned bytes.
    fn sortable(at: Timestamp) -> u64 {
        (at.as_millisecond() as u64) ^ (1 << 63)
    }

    pub const TOTALS: &[u8] = b"t";
    pub const CAMERAS: &[u8] = b"c/";
    pub const HISTORIES: &[u8] = b"v/";
    pub const COPIES: &[u8] = b"k/";
    pub const RECORDINGS: &[u8] = b"r/";
    pub const QUEUE: &[u8] = b"q/";
    pub const UNFINISHED: &[u8] = b"p/";
    pub const OBJECTS_OF: &[u8] = b"f/";
    pub const MARKS_DUE: &[u8] = b"l/";
    pub const MARKS_LACKING: &[u8] = b"j/";
    pub const MISSED: &[u8] = b"M/";
    pub const UNDESCRIBED: &[u8] = b"w/";
    pub const GAPS: &[u8] = b"g/";
    pub const MATTERS: &[u8] = b"x/";
    pub const HOLDS: &[u8] = b"h/";
    pub const PAUSES: &[u8] = b"z/";

    pub fn missed(object: ObjectId) -> Vec<u8> {
        join(MISSED, &[object.as_bytes()])
    }
    pub fn camera(id: &CameraId) -> Vec<u8> {
        join(CAMERAS, &[id.as_str().as_bytes()])
    }
    pub fn history(id: &CameraId) -> Vec<u8> {
        join(HISTORIES, &[id.as_str().as_bytes()])
    }
    pub fn dockings(id: &CameraId) -> Vec<u8> {
        join(b"d/", &[id.as_str().as_bytes(), b"/"])
    }
    pub fn docking(id: &CameraId, at: Timestamp) -> Vec<u8> {
        join(&dockings(id), &[&sortable(at).to_be_bytes()])
    }
    pub fn recording(id: RecordingId) -> Vec<u8> {
        join(RECORDINGS, &[id.as_bytes()])
    }
    pub fn segment(id: SegmentId) -> Vec<u8> {
        join(b"s/", &[id.as_bytes()])
    }
    pub fn object(id: ObjectId) -> Vec<u8> {
        join(b"o/", &[id.as_bytes()])
    }
    pub fn parts(id: ObjectId) -> Vec<u8> {
        join(b"a/", &[id.as_bytes()])
    }
    pub fn part(id: ObjectId, number: u32) -> Vec<u8> {
        join(b"a/", &[id.as_bytes(), &number.to_be_bytes()])
    }
    pub fn name(camera: &CameraId, name: &str) -> Vec<u8> {
        join(b"n/", &[camera.as_str().as_bytes(), b"/", name.as_bytes()])
    }
    pub fn open_recordings(camera: &CameraId) -> Vec<u8> {
        join(b"u/", &[camera.as_str().as_bytes(), b"/"])
    }
    pub fn open_recording(camera: &CameraId, id: RecordingId) -> Vec<u8> {
        join(&open_recordings(camera), &[id.as_bytes()])
    }
    pub fn sources(camera: &CameraId) -> Vec<u8> {
        join(b"i/", &[camera.as_str().as_bytes(), b"/"])
    }
    pub fn source(camera: &CameraId, path: &[u8]) -> Vec<u8> {
        join(&sources(camera), &[path])
    }
    pub fn members(id: RecordingId) -> Vec<u8> {
        join(b"b/", &[id.as_bytes()])
    }
    pub fn member(recording: RecordingId, segment: SegmentId) -> Vec<u8> {
        join(&members(recording), &[segment.as_bytes()])
    }
    pub fn copies(camera: &CameraId) -> Vec<u8> {
        join(COPIES, &[camera.as_str().as_bytes(), b"/"])
    }
    pub fn copy(camera: &CameraId, rank: u8, segment: SegmentId) -> Vec<u8> {
        join(&copies(camera), &[&[rank], segment.as_bytes()])
    }
    pub fn candidates(camera: &CameraId) -> Vec<u8> {
        join(b"e/", &[camera.as_str().as_bytes(), b"/"])
    }
    pub fn candidate(camera: &CameraId, segment: SegmentId) -> Vec<u8> {
        join(&candidates(camera), &[segment.as_bytes()])
    }
    pub fn queue_of(class: Class) -> Vec<u8> {
        join(QUEUE, &[&[class_slot(class) as u8]])
    }
    pub fn queue(class: Class, sealed_at: Timestamp, object: ObjectId) -> Vec<u8> {
        join(&queue_of(class), &[&sortable(sealed_at).to_be_bytes(), object.as_bytes()])
    }
    pub fn unfinished(object: ObjectId) -> Vec<u8> {
        join(UNFINISHED, &[object.as_bytes()])
    }
    pub fn objects_of(id: RecordingId) -> Vec<u8> {
        join(OBJECTS_OF, &[id.as_bytes()])
    }
    pub fn object_of(recording: RecordingId, object: ObjectId) -> Vec<u8> {
        join(&objects_of(recording), &[object.as_bytes()])
    }
    pub fn marks_due(object: ObjectId) -> Vec<u8> {
        join(MARKS_DUE, &[object.as_bytes()])
    }
    pub fn marks_lacking(object: ObjectId) -> Vec<u8> {
        join(MARKS_LACKING, &[object.as_bytes()])
    }
    pub fn undescribed(recording: RecordingId) -> Vec<u8> {
        join(UNDESCRIBED, &[recording.as_bytes()])
    }
    /// A gap by its content: the same one is reported once, however often a camera is docked.
    pub fn gap(camera: &CameraId, gap: &Gap) -> Vec<u8> {
        let content = Sha256Digest::of(format!("{gap:?}").as_bytes());
        join(&gaps(camera), &[&content.0])
    }
    pub fn gaps(camera: &CameraId) -> Vec<u8> {
        join(GAPS, &[camera.as_str().as_bytes(), b"/"])
    }
    pub fn matters(camera: &CameraId) -> Vec<u8> {
        join(MATTERS, &[camera.as_str().as_bytes(), b"/"])
    }
    pub fn matter(camera: &CameraId, segment: SegmentId) -> Vec<u8> {
        join(&matters(camera), &[segment.as_bytes()])
    }
    pub fn claims(camera: &CameraId) -> Vec<u8> {
        join(b"y/", &[camera.as_str().as_bytes(), b"/"])
    }
    pub fn claim(camera: &CameraId, number: u64) -> Vec<u8> {
        join(&claims(camera), &[&number.to_be_bytes()])
    }
    fn target(target: &Target) -> Vec<u8> {
        match target {
            Target::Dock => b"dock".to_vec(),
            Target::Camera(id) => join(b"camera/", &[id.as_str().as_bytes()]),
            Target::Recording(id) => join(b"recording/", &[id.as_bytes()]),
            Target::Segment(id) => join(b"segment/", &[id.as_bytes()]),
        }
    }
    pub fn hold(of: &Target) -> Vec<u8> {
        join(HOLDS, &[&target(of)])
    }
    pub fn pause(of: &Target) -> Vec<u8> {
        join(PAUSES, &[&target(of)])
    }
    /// The 16-byte id at the end of a key.
    pub fn tail(key: &[u8]) -> Option<&[u8]> {
        key.len().checked_sub(16).map(|at| &key[at..])
    }
}

/// One row of the queue index, without opening the object's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueRow {
    pub object: ObjectId,
    pub class: Class,
    pub sealed_at: Timestamp,
    pub not_before: Timestamp,
    /// Bytes of ciphertext.
    pub bytes: u64,
}

impl QueueRow {
    pub(super) fn value(not_before: Option<Timestamp>, bytes: u64) -> Vec<u8> {
        let not_before_ms = not_before.map_or(0, Timestamp::as_millisecond);
        [not_before_ms.to_be_bytes(), bytes.to_be_bytes()].concat()
    }

    fn read(class: Class, key: &[u8], value: &[u8]) -> Option<Self> {
        let word = |bytes: &[u8], at: usize| {
            bytes.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes)
        };
        let sealed_ms = (word(key, key.len().checked_sub(24)?)? ^ (1 << 63)) as i64;
        Some(Self {
            object: ObjectId::from_slice(key::tail(key)?).ok()?,
            class,
            sealed_at: Timestamp::from_millisecond(sealed_ms).ok()?,
            not_before: Timestamp::from_millisecond(word(value, 0)? as i64).ok()?,
            bytes: word(value, 8)?,
        })
    }
}

type Read<T> = Result<T, IndexBroken>;

fn decode<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Read<T> {
    serde_json::from_slice(value).map_err(|error| {
        IndexBroken(format!("the record at {} does not decode: {error}", key.escape_ascii()))
    })
}

/// Typed reading of the folded state.
pub trait Records: View {
    fn record<T: DeserializeOwned>(&self, key: &[u8]) -> Read<Option<T>> {
        self.get(key)?.map(|value| decode(key, &value)).transpose()
    }
    fn camera(&self, id: &CameraId) -> Read<Option<CameraState>> {
        self.record(&key::camera(id))
    }
    fn history(&self, id: &CameraId) -> Read<Option<super::history::CameraHistory>> {
        self.record(&key::history(id))
    }
    fn recording(&self, id: RecordingId) -> Read<Option<RecordingState>> {
        self.record(&key::recording(id))
    }
    fn segment(&self, id: SegmentId) -> Read<Option<SegmentState>> {
        self.record(&key::segment(id))
    }
    fn object(&self, id: ObjectId) -> Read<Option<ObjectState>> {
        self.record(&key::object(id))
    }
    fn totals(&self) -> Read<Totals> {
        Ok(self.record(key::TOTALS)?.unwrap_or_default())
    }
    fn held(&self, target: &Target) -> Read<Option<Mark>> {
        self.record(&key::hold(target))
    }
    fn paused(&self, target: &Target) -> Read<Option<Mark>> {
        self.record(&key::pause(target))
    }
    /// The hold that applies to a segment: its own, its recording's, its camera's or the dock's.
    fn hold_over(&self, segment: &Segment) -> Read<Option<Mark>> {
        for target in [
            Target::Segment(segment.id),
            Target::Recording(segment.recording),
            Target::Camera(segment.camera.clone()),
            Target::Dock,
        ] {
            if let Some(mark) = self.held(&target)? {
                return Ok(Some(mark));
            }
        }
        Ok(None)
    }
    fn recording_named(&self, camera: &CameraId, name: &str) -> Read<Option<RecordingId>> {
        Ok(self.get(&key::name(camera, name))?.and_then(|id| RecordingId::from_slice(&id).ok()))
    }
    fn segment_at(&self, camera: &CameraId, path: &[u8]) -> Read<Option<SegmentId>> {
        Ok(self.get(&key::source(camera, path))?.and_then(|id| SegmentId::from_slice(&id).ok()))
    }
    /// Ids at the end of the keys under `prefix`, from `from` on, at most `limit`.
    fn ids(&self, prefix: &[u8], from: &[u8], limit: usize) -> Read<Vec<[u8; 16]>> {
        let mut ids = Vec::new();
        self.scan(prefix, from, &mut |key, _| {
            if let Some(id) = key::tail(key).and_then(|tail| tail.try_into().ok()) {
                ids.push(id);
            }
            if ids.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(ids)
    }
    /// Visits the upload queue of one class, oldest first.
    fn queue(&self, class: Class, visit: &mut dyn FnMut(QueueRow) -> ControlFlow<()>) -> Read<()> {
        self.scan(&key::queue_of(class), b"", &mut |key, value| {
            QueueRow::read(class, key, value).map_or(ControlFlow::Continue(()), &mut *visit)
        })
    }
    /// ETags of acknowledged parts, by number.
    fn acknowledged(&self, object: ObjectId) -> Read<Vec<(u32, String)>> {
        let mut parts = Vec::new();
        self.scan(&key::parts(object), b"", &mut |key, value| {
            let number = key.last_chunk::<4>().map(|n| u32::from_be_bytes(*n));
            if let (Some(number), Ok(etag)) = (number, std::str::from_utf8(value)) {
                parts.push((number, etag.to_owned()));
            }
            ControlFlow::Continue(())
        })?;
        Ok(parts)
    }
    /// All records under a prefix, at most `limit`.
    fn list<T: DeserializeOwned>(&self, prefix: &[u8], from: &[u8], limit: usize) -> Read<Vec<T>> {
        let mut found = Vec::new();
        let mut broken = None;
        self.scan(prefix, from, &mut |key, value| {
            match decode(key, value) {
                Ok(record) => found.push(record),
                Err(error) => broken = Some(error),
            }
            if broken.is_none() && found.len() < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        broken.map_or(Ok(found), Err)
    }
}

impl<V: View + ?Sized> Records for V {}

pub(super) fn put<T: Serialize>(table: &mut dyn Table, key: Vec<u8>, record: &T) -> Read<()> {
    let value = serde_json::to_vec(record)
        .map_err(|error| IndexBroken(format!("a record cannot be written as JSON: {error}")))?;
    table.put(key, value);
    Ok(())
}

/// The segment an object holds, if it holds one.
pub fn segment_of(object: &SealedObject) -> Option<SegmentId> {
    match object.content {
        Content::Segment(id) => Some(id),
        Content::Record(_) => None,
    }
}
