//! Facts: what the dock remembers, and what the custody log says. One fact is one JSON line.
//!
//! **Format, version 1.** A line is one [`Entry`] as JSON without line breaks:
//! `{"prev":HEX,"v":1,"seq":N,"at":RFC3339,"dock":ID,"actor":WHO,"fact":{"type":...}}`.
//! `prev` is the SHA-256 of the line before (its bytes without the line feed); the first line of a
//! dock's life carries 64 zeros. `seq` counts from 1 without gaps. Every kind of fact has a line
//! in `tests/fixtures/facts-v1.jsonl` that must decode for ever; a change of meaning is a new `v`.

use super::*;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version this program writes. It reads this one and all before it.
pub const VERSION: u32 = 1;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub prev: Sha256Digest,
    pub v: u32,
    pub seq: u64,
    /// The dock's clock, UTC.
    pub at: Timestamp,
    pub dock: DockId,
    pub actor: Actor,
    pub fact: Fact,
}

/// Something to be remembered, and who did it. The committer adds the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFact {
    pub actor: Actor,
    pub fact: Fact,
}

impl From<Fact> for NewFact {
    /// A fact the dock itself established.
    fn from(fact: Fact) -> Self {
        Self { actor: Actor::dock(), fact }
    }
}

/// A segment's place and shape on its camera: the same source is never taken twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub path: SourcePath,
    /// Bytes, as listed by the camera.
    pub size: u64,
    /// The file's time as listed, milliseconds since 1970 by the camera's clock; if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_ms: Option<i64>,
    /// What the camera says the SHA-256 is; if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Sha256Digest>,
    /// What told the file from another one in its place when it was listed; if anything did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<ChangeMark>,
}

impl Source {
    /// Whether a listed file is this one: same size, same time, and the camera says the same of
    /// its bytes. Another mark is no other file: it is a reason to read it.
    pub fn is_same(&self, listed: &Self) -> bool {
        let Self { path, size, modified_ms, expected, mark: _ } = self;
        (path, size, modified_ms, expected)
            == (&listed.path, &listed.size, &listed.modified_ms, &listed.expected)
    }
}

/// The manifest a recording came with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRef {
    pub path: SourcePath,
    pub sha256: Sha256Digest,
    pub trust: Trust,
    /// The camera's own running number, from 1; only signed manifests have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The hash of the manifest before, as this one claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Sha256Digest>,
    /// The running number that a manifest without a valid signature claims; it proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<u64>,
    /// In words, why the manifest is not trusted more than it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caveat: Option<String>,
}

/// A recording as the dock understands it; a later fact with the same id replaces it whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    pub id: RecordingId,
    pub camera: CameraId,
    /// Stable on one camera: the same recording found again has the same name.
    pub name: String,
    /// The id of the officer, never a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub officer: Option<String>,
    /// By the camera's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Timestamp>,
    pub class: Class,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bookmarks: Vec<Bookmark>,
    /// How many media segments the camera says there are; if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segments_expected: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ManifestRef>,
    /// The camera profile that was used, and whether it allows erasing.
    pub profile: String,
    pub erase_allowed: bool,
}

/// A mark the officer set while recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

/// A file of a recording, before anything was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    pub id: SegmentId,
    pub recording: RecordingId,
    pub camera: CameraId,
    pub kind: FileKind,
    /// Place within the recording, from 1; 0 for what is not media.
    pub index: u32,
    pub source: Source,
    pub trust: Trust,
    /// The camera itself says the segment is cut off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// Length and SHA-256 of one byte string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashed {
    pub size: u64,
    pub sha256: Sha256Digest,
}

/// One part of a sealed object as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub sha256: Sha256Digest,
    /// Known while an object is sent to a store that checks nothing better, and then taken of bytes
    /// that were seen to have this SHA-256; and of objects that were sealed when the log still
    /// kept it.
    pub md5: Option<Md5Digest>,
}

impl From<Sha256Digest> for Part {
    fn from(sha256: Sha256Digest) -> Self {
        Self { sha256, md5: None }
    }
}

/// How a sealed object is cut into parts. All parts but the last have `part_size` bytes.
///
/// At most [`PartTable::PARTS_MAX`] parts, so that a line of the log and a record of the index
/// stay far below sled's 128 KiB blob limit.
///
/// In the log: `part_size`, and `sha256s`, base64 of the SHA-256 of each part, 32 bytes a part.
/// Older lines have `parts` instead: base64 of 48 bytes a part, its SHA-256, then its MD5.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "packed_parts::Packed", into = "packed_parts::Packed")]
pub struct PartTable {
    pub part_size: u64,
    pub parts: Vec<Part>,
}

impl PartTable {
    /// The most parts an object may have; S3 would allow 10,000.
    pub const PARTS_MAX: u64 = 512;

    /// The SHA-256 composite of S3: base64 of the SHA-256 over all part digests, `-`, the count.
    ///
    /// Source: Amazon S3 user guide, "Checking object integrity", COMPOSITE checksums.
    pub fn composite_sha256(&self) -> String {
        let parts: Vec<_> = self.parts.iter().map(|part| part.sha256).collect();
        Self::composite_of(&parts)
    }

    /// As [`Self::composite_sha256`], from the SHA-256 digests of the parts alone.
    pub fn composite_of(parts: &[Sha256Digest]) -> String {
        let all: Vec<u8> = parts.iter().flat_map(|sha256| sha256.0).collect();
        format!("{}-{}", Sha256Digest::of(&all).to_base64(), parts.len())
    }

    /// Bytes of part `number` (from 1) of an object of `total` bytes; 0 past its end.
    pub fn part_len(&self, number: u32, total: u64) -> u64 {
        let start = self.part_size * u64::from(number.saturating_sub(1));
        self.part_size.min(total.saturating_sub(start))
    }
}

mod packed_parts {
    use super::{Md5Digest, Part, PartTable, Sha256Digest};
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Serialize};

    const SHA256: usize = 32;
    const BOTH: usize = 48;

    #[derive(Serialize, Deserialize)]
    pub struct Packed {
        part_size: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256s: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parts: Option<String>,
    }

    impl From<PartTable> for Packed {
        /// Whatever came from an old line becomes the same line again.
        fn from(PartTable { part_size, parts }: PartTable) -> Self {
            let both = |part: &Part| part.md5.map(|md5| (part.sha256.0, md5.0));
            match parts.iter().map(both).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty()) {
                Some(rows) => {
                    let bytes: Vec<u8> = rows
                        .into_iter()
                        .flat_map(|(sha, md5)| sha.into_iter().chain(md5))
                        .collect();
                    Self { part_size, sha256s: None, parts: Some(STANDARD.encode(bytes)) }
                }
                None => {
                    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.sha256.0).collect();
                    Self { part_size, sha256s: Some(STANDARD.encode(bytes)), parts: None }
                }
            }
        }
    }

    impl TryFrom<Packed> for PartTable {
        type Error = String;

        fn try_from(packed: Packed) -> Result<Self, String> {
            let Packed { part_size, .. } = packed;
            let parts = match (packed.sha256s, packed.parts) {
                (Some(text), None) => {
                    let row = |row: [u8; SHA256]| Part::from(Sha256Digest(row));
                    rows(&text)?.into_iter().map(row).collect()
                }
                (None, Some(text)) => rows::<BOTH>(&text)?.into_iter().map(part_of_both).collect(),
                (Some(_), Some(_)) | (None, None) => {
                    return Err("a part table has either sha256s or parts".into());
                }
            };
            Ok(Self { part_size, parts })
        }
    }

    fn part_of_both(row: [u8; BOTH]) -> Part {
        let (mut sha256, mut md5) = ([0; SHA256], [0; BOTH - SHA256]);
        sha256.copy_from_slice(&row[..SHA256]);
        md5.copy_from_slice(&row[SHA256..]);
        Part { sha256: Sha256Digest(sha256), md5: Some(Md5Digest(md5)) }
    }

    fn rows<const N: usize>(text: &str) -> Result<Vec<[u8; N]>, String> {
        let bytes = STANDARD.decode(text).map_err(|error| error.to_string())?;
        let (rows, rest) = bytes.as_chunks::<N>();
        if !rest.is_empty() {
            return Err(format!("a part table is a whole number of {N}-byte rows"));
        }
        Ok(rows.to_vec())
    }
}

/// What a sealed object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Segment(SegmentId),
    /// The descriptive record of a recording: officer, times, verdicts, hashes, clock offset.
    Record(RecordingId),
}

/// A sealed object, complete and fsynced in the spool, opened again and found equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedObject {
    pub id: ObjectId,
    pub content: Content,
    pub plain: Hashed,
    pub sealed: Hashed,
    pub table: PartTable,
    /// The name in the store, fixed here so that every retry meets the same name.
    pub key: String,
    pub class: Class,
    /// Object-lock retention asked of the store; none where the store is not to lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<Timestamp>,
}

/// Something missing that a camera's own numbering says was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "missing", rename_all = "snake_case")]
pub enum Gap {
    /// Manifests `first` to `last` of this camera had not arrived when a later one did.
    Recordings { first: u64, last: u64 },
    /// Of this number there is only a manifest without a valid signature, in the recording of
    /// this name: the footage is here, that it is the missing one is not proven.
    Signature { sequence: u64, name: String },
    /// A manifest's claim about the one before does not fit what this dock saw.
    Chain { sequence: u64, claimed: Sha256Digest, seen: Sha256Digest },
    /// The manifest lists a segment that is not on the camera.
    Segment { recording: RecordingId, index: u32, path: SourcePath },
}

/// What a hold, a retry or a pause is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Dock,
    Camera(CameraId),
    Recording(RecordingId),
    Segment(SegmentId),
}

/// How the camera's clock stood against the dock's when it was docked, before anything was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockOffset {
    /// Camera minus dock, milliseconds.
    pub camera_minus_dock_ms: i64,
    /// Whether the dock's own clock was synchronised when this was measured.
    pub dock_synchronised: bool,
}

/// What asking a camera for its clock came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockReading {
    /// It was read and compared.
    Measured,
    /// The camera gives no clock: a card has none.
    None,
    /// It has one that could not be read.
    Failed,
}

/// Something about a camera that needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    Gap(Gap),
    /// A file that failed its check, was read twice with different outcome, or got lost.
    File(SegmentId),
    /// What a listing found, in its words.
    Finding(String),
}

/// What the class of an object asks of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarksAsked {
    /// The tag.
    pub class: Class,
    /// Its recording is evidence: where objects are locked, a legal hold.
    pub evidence: bool,
}

/// What the store was seen to keep of it, asked after the last change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarksSeen {
    /// None: the store keeps no class, or one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub legal_hold: bool,
    /// Retention and hold are written beside the object; nothing enforces them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noted_only: bool,
    /// What is missing, in words: this object is not locked, or not found by its class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
}

/// A signed receipt exists on the dock's disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptRef {
    /// SHA-256 of the receipt file.
    pub sha256: Sha256Digest,
    pub level: ReceiptLevel,
}

/// Everything the dock remembers. Field names are the format: see the module text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Fact {
    /// The daemon started; `boot` is the kernel's boot id, so that reboots are visible.
    DockStarted {
        version: String,
        boot: String,
        clock_synchronised: bool,
        config: Sha256Digest,
    },
    DockStopped {
        why: String,
    },
    /// A camera answered in a bay and was recognised.
    CameraDocked {
        bay: BayName,
        camera: CameraId,
        profile: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clock: Option<ClockOffset>,
        /// Why there is an offset, or none; lines of earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clock_reading: Option<ClockReading>,
        /// What it said of itself.
        #[serde(default, skip_serializing_if = "Condition::is_silent")]
        condition: Condition,
        /// It was there a moment before, and nobody did anything: a reset, or a bad contact.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// What a complete listing of a docked camera held.
    CameraListed {
        camera: CameraId,
        files: u64,
        bytes: u64,
        new_files: u64,
    },
    /// What listings find wrong or odd is another than before; this is all of it now.
    CameraFindings {
        camera: CameraId,
        /// Footage may be unread or not what it seems: a person must look.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        grave: Vec<String>,
        /// What its times say of the camera's clock.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        clock: Vec<String>,
        /// Passed over by right: links, FIFOs, sockets, devices; names that the profile ignores.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        noted: Vec<String>,
    },
    /// A bay holds a card with no file on it and nothing that says whose it is.
    EmptyCard {
        bay: BayName,
        /// What lies on it and is no footage: names that the profiles ignore, links, devices.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        noted: Vec<String>,
    },
    CameraRemoved {
        bay: BayName,
        camera: CameraId,
        /// What it said of itself last, in this docking.
        #[serde(default, skip_serializing_if = "Condition::is_silent")]
        condition: Condition,
    },
    /// Something in a bay was refused or could not be read; `words` are for people.
    BayTrouble {
        bay: BayName,
        words: String,
    },
    /// A device in a bay was refused before anything was read from it.
    Security {
        bay: BayName,
        port: PortPath,
        /// What it said it was.
        device: String,
        /// Why it was refused.
        words: String,
        /// What the dock did against it, and what it could not do.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        measures: Vec<String>,
    },
    /// The dock switched the power of a port.
    PortSwitched {
        bay: BayName,
        port: PortPath,
        on: bool,
        why: String,
    },
    /// A camera's battery does not charge as it should.
    BatteryFault {
        bay: BayName,
        camera: CameraId,
        /// What it does: `slow`, `stalls`, `never_full` or `drains`.
        fault: String,
        /// As the camera told last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percent: Option<u8>,
        /// Its port is switched off for it, unless the dock cannot do that.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stops: bool,
    },
    /// The camera's clock is about to be set; `before` was measured just now.
    ClockSetting {
        bay: BayName,
        camera: CameraId,
        before: ClockOffset,
    },
    /// What became of it: how the clock stands now, or in words why it was not set.
    ClockSet {
        bay: BayName,
        camera: CameraId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<ClockOffset>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<String>,
    },
    RecordingSeen {
        recording: Recording,
    },
    GapFound {
        camera: CameraId,
        gap: Gap,
    },
    SegmentSeen {
        segment: Segment,
    },
    /// A seen source is no longer on its camera although nobody released it.
    SegmentVanished {
        segment: SegmentId,
        /// What is known of why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<String>,
        /// The same file is still there and has only grown, or is spoken of differently by its
        /// camera: it is seen anew, and nothing is lost.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        superseded: bool,
    },
    /// A complete listing did not have these released files, and nothing on the camera names them
    /// any more: they leave the index of sources.
    AbsenceConfirmed {
        camera: CameraId,
        segments: Vec<SegmentId>,
    },
    /// Copied, hashed, sealed, fsynced and opened again. From here the spool holds it.
    Sealed {
        segment: SegmentId,
        verdict: Verdict,
        object: SealedObject,
    },
    /// The descriptive record of a recording was sealed, covering every segment sealed before.
    RecordSealed {
        recording: RecordingId,
        object: SealedObject,
    },
    /// A copy attempt failed; the segment stays on the camera.
    CopyFailed {
        segment: SegmentId,
        attempts: u32,
        words: String,
        retry_at: Timestamp,
    },
    /// The store opened a multipart upload for the object.
    UploadCreated {
        object: ObjectId,
        upload: String,
    },
    /// Progress: the store acknowledged a part. May lag the disk by the stated bound.
    PartAcknowledged {
        object: ObjectId,
        number: u32,
        etag: String,
    },
    /// The upload id is no longer good; all parts will be sent again from the spool.
    UploadAbandoned {
        object: ObjectId,
        words: String,
    },
    /// An upload attempt failed. Attempts are counted across restarts.
    UploadFailed {
        object: ObjectId,
        attempts: u32,
        words: String,
        retry_at: Timestamp,
        /// What of the store only a person can mend; it is not the object then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        need: Option<StoreNeed>,
    },
    /// The store acknowledged the whole sealed object, and a later look agreed.
    Stored {
        object: ObjectId,
        level: ReceiptLevel,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// The store is to be given, or asked for, the marks of the object's class.
    MarksDue {
        object: ObjectId,
    },
    /// The store was seen to have them, or it cannot: `seen` says which.
    Marked {
        object: ObjectId,
        asked: MarksAsked,
        seen: MarksSeen,
    },
    /// Marking failed for now. Attempts are counted across restarts.
    MarkFailed {
        object: ObjectId,
        attempts: u32,
        words: String,
        retry_at: Timestamp,
    },
    /// Looked at again before its receipt, the store does not have it any more (a restore from a
    /// backup, a lie): it is sent again, not before `retry_at`.
    StoreForgot {
        object: ObjectId,
        words: String,
        retry_at: Timestamp,
    },
    /// Asked again after its receipt, the store did not have it. One look proves little: it is asked
    /// once more before that is believed.
    StoreMissed {
        object: ObjectId,
        words: String,
    },
    /// A later look found it after all.
    StoreFound {
        object: ObjectId,
    },
    /// Asked again after its receipt, twice and some time apart, the store does not have it any more
    /// (emptied, exchanged, restored from a backup). What is still on its camera is read and sent
    /// again, not before `retry_at`.
    StoreLost {
        object: ObjectId,
        words: String,
        retry_at: Timestamp,
    },
    /// The receipt is signed and fsynced on the dock.
    Receipted {
        object: ObjectId,
        receipt: ReceiptRef,
    },
    /// The receipt also lies beside the object in the store.
    ReceiptPlaced {
        object: ObjectId,
    },
    /// The spool file is gone; the store has the object and the dock its receipt.
    SpoolFreed {
        object: ObjectId,
    },
    /// A sealed object in the spool no longer has the digest it was sealed with.
    SpoolDamaged {
        object: ObjectId,
        words: String,
    },
    /// An independent second read of the source on the camera.
    SecondRead {
        segment: SegmentId,
        read: Hashed,
        agrees: bool,
        /// It was made because the file had another mark than before: this one, which is its mark
        /// from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<ChangeMark>,
    },
    Held {
        target: Target,
        reason: String,
    },
    Unheld {
        target: Target,
        reason: String,
    },
    Paused {
        target: Target,
        reason: String,
    },
    Resumed {
        target: Target,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    RetryAsked {
        target: Target,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The class was changed after the recording was seen.
    Reclassed {
        recording: RecordingId,
        class: Class,
        reason: String,
    },
    /// A person knows of these, and why they are so: they alarm nobody any more.
    Acknowledged {
        camera: CameraId,
        matters: Vec<Matter>,
        reason: String,
    },
    /// The release rule agreed; the erase that follows is by this line's right.
    Releasing {
        segment: SegmentId,
        receipt: Sha256Digest,
        why: String,
    },
    /// The segment is no longer on the camera.
    Released {
        segment: SegmentId,
    },
    ReleaseFailed {
        segment: SegmentId,
        words: String,
    },
    /// Read again right before its erase, and other bytes than were sealed: the file was replaced
    /// after it was copied. Nothing was erased; what is there now is seen as new footage.
    SourceChanged {
        segment: SegmentId,
        read: Hashed,
    },
    /// Lines of this log are missing, changed, or proved to have been other ones: nothing is
    /// released until they are back, or until somebody accepts it. `proved_hash` is that of line
    /// `last_seq`, where something outside the log proves it.
    LogDamaged {
        first_seq: u64,
        last_seq: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proved_hash: Option<Sha256Digest>,
        words: String,
    },
    /// Somebody has looked at the damage that begins at line `first_seq` and goes on with it.
    DamageAccepted {
        first_seq: u64,
        last_seq: u64,
        reason: String,
    },
    /// A torn last line was cut off at start.
    LogRepaired {
        cut_bytes: u64,
        kept_as: String,
    },
    /// The index was missing, stale or damaged and was made again from the log.
    IndexRebuilt {
        words: String,
    },
    /// Whole daily files older than the retention were folded into a snapshot and removed.
    LogPruned {
        through_seq: u64,
        through_hash: Sha256Digest,
    },
}

impl Fact {
    /// Whether nobody may see a consequence before this is on disk. Progress may lag instead:
    /// losing it costs a part, or a repeated line, never evidence.
    pub fn must_be_durable(&self) -> bool {
        !matches!(
            self,
            Self::PartAcknowledged { .. }
                | Self::CameraListed { .. }
                | Self::AbsenceConfirmed { .. }
                | Self::SpoolFreed { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_tables_pack_and_unpack() {
        let row = |n: u8| Part::from(Sha256Digest([n; 32]));
        let table = PartTable { part_size: 8, parts: vec![row(1), row(2)] };
        let text = serde_json::to_string(&table).unwrap();
        assert!(text.starts_with(r#"{"part_size":8,"sha256s":"AQEB"#), "{text}");
        assert_eq!(serde_json::from_str::<PartTable>(&text).unwrap(), table);
        assert_eq!((table.part_len(1, 9), table.part_len(2, 9), table.part_len(3, 9)), (8, 1, 0));
        assert!(table.composite_sha256().ends_with("-2"));
        for bad in [
            r#"{"part_size":8,"sha256s":"AAAA"}"#,
            r#"{"part_size":8,"sha256s":"","parts":""}"#,
            r#"{"part_size":8}"#,
        ] {
            assert!(serde_json::from_str::<PartTable>(bad).is_err(), "{bad}");
        }
        let cut = r#"{"part_size":8,"parts":"AAAA"}"#;
        assert!(serde_json::from_str::<PartTable>(cut).is_err());
    }

    #[test]
    fn a_table_with_md5s_is_read_and_written_as_it_always_was() {
        // Three rows of 32 bytes are two of 48: only the name tells them apart.
        let row = |n: u8| Part { sha256: Sha256Digest([n; 32]), md5: Some(Md5Digest([n; 16])) };
        let table = PartTable { part_size: 8, parts: vec![row(1), row(2)] };
        let text = serde_json::to_string(&table).unwrap();
        assert!(text.starts_with(r#"{"part_size":8,"parts":"AQEB"#), "{text}");
        assert_eq!(serde_json::from_str::<PartTable>(&text).unwrap(), table);
        let mixed = vec![row(1), Part::from(Sha256Digest([2; 32]))];
        let text = serde_json::to_string(&PartTable { part_size: 8, parts: mixed }).unwrap();
        let back: PartTable = serde_json::from_str(&text).unwrap();
        assert_eq!(back.parts[0], Part::from(Sha256Digest([1; 32])));
    }
}
