//! The release rule: the only place that may say a segment can be erased from its camera.
//!
//! **The rule is data**: [`CONDITIONS`] is the whole of it, in order. Every condition must hold;
//! one that cannot be judged does not hold. What the rule allows is an [`Approval`], which only
//! [`evaluate`] makes. It becomes an [`ErasePermit`] by two looks made now: the store still holds the
//! object ([`StoredProof`]), and a fresh read of the file equals what was sealed (no read where the
//! force decided so, or where one was made just now). The camera door asks for a permit, so code that
//! erases without the rule, or without the looks, does not compile. The evidence is read from the folded state, which only holds facts already on disk.

use crate::{
    transfer::StoredProof,
    types::{
        FileKind, ObjectId, ReceiptLevel, SegmentId, Sha256Digest, Verdict,
        fact::{Hashed, ReceiptRef, Segment, Source},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// What the force decided; from the `[release]` section of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether anything is ever erased by this dock.
    pub enabled: bool,
    /// The weakest proof by the store that is good enough.
    pub level_min: ReceiptLevel,
    /// How long a segment stays on its camera after it was sealed, whatever else holds.
    pub age_min: SignedDuration,
    /// Whether a segment without a digest of its camera may go after two equal reads.
    pub erase_unverified: bool,
    /// How long a file without a digest of its camera must have held still: the time between the
    /// read it was sealed from and the second one. One that is still being written is longer then.
    pub still_min: SignedDuration,
    /// Whether a file is read whole once more, and compared with what was sealed, immediately
    /// before it is erased.
    pub reread: bool,
}

/// A read of the file on the camera no older than this, in the same docking, counts as made
/// immediately before the erase.
pub const READ_FRESH_FOR: SignedDuration = SignedDuration::from_secs(60);

/// Everything the rule looks at for one segment.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    pub segment: &'a Segment,
    /// What sealing established; none while it is not sealed.
    pub sealed: Option<Sealed>,
    /// The receipt on disk, and the object it is for.
    pub receipt: Option<(&'a ReceiptRef, ObjectId)>,
    /// The recording's descriptive record, sealed after this segment, has its receipt too.
    pub described: bool,
    /// An independent second read of the source, if there was one.
    pub second_read: Option<Hashed>,
    /// How long ago, in this docking, the camera was last read and gave what was sealed.
    pub reread_age: Option<SignedDuration>,
    /// Why somebody holds it, if somebody does.
    pub held: Option<&'a str>,
    /// The camera's profile and the bay both allow erasing.
    pub erase_allowed: bool,
    /// Other files of the recording are still on the camera and need this one to be understood.
    pub needed_by_others: bool,
    /// The recording names files that never arrived, or lost some, and nobody acknowledged it.
    pub incomplete: bool,
    /// The journal holds a damaged line that could concern this segment.
    pub journal_damaged: bool,
}

/// The part of sealing the rule needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    pub object: ObjectId,
    pub verdict: Verdict,
    pub plain: Hashed,
    pub at: Timestamp,
}

/// Why a segment may not be erased, now or ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    ReleaseDisabled,
    EraseNotAllowed,
    Unclaimed,
    NotSealed,
    Unsound(Verdict),
    DigestDiffers,
    NoReceipt,
    ReceiptOfAnotherObject,
    ReceiptTooWeak { level: ReceiptLevel, wanted: ReceiptLevel },
    NotDescribed,
    UnverifiedStays,
    NotStillYet { until: Timestamp },
    SecondReadMissing,
    SecondReadDiffers,
    Held(String),
    NeededByOthers,
    Incomplete,
    TooYoung { until: Timestamp },
    JournalDamaged,
}

impl Obstacle {
    /// Whether time or ordinary work will remove it; if not, the segment stays for good, or until
    /// a person acts.
    pub fn passes_by_itself(&self) -> bool {
        matches!(
            self,
            Self::NotSealed
                | Self::NoReceipt
                | Self::NotDescribed
                | Self::NotStillYet { .. }
                | Self::SecondReadMissing
                | Self::NeededByOthers
                | Self::TooYoung { .. }
        )
    }

    /// What a station admin can do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::ReleaseDisabled => "set `enabled = true` under [release] to erase cameras",
            Self::EraseNotAllowed => {
                "the camera profile, the recording or the bay forbids erasing; empty the camera \
                 with its maker's tool after checking `bwvdock reconcile`"
            }
            Self::Unclaimed => "look at the file: no camera profile claims it; it stays",
            Self::Unsound(_) | Self::DigestDiffers => {
                "keep the camera aside and tell the evidence unit; `bwvdock retry` reads it again"
            }
            Self::ReceiptOfAnotherObject => "nothing: the newer copy is on its way to the store",
            Self::ReceiptTooWeak { .. } => {
                "use a store that checks SHA-256, or lower `receipt_level_min` under [release]"
            }
            Self::UnverifiedStays => "set `erase_unverified = true`, or keep erasing by hand",
            Self::SecondReadDiffers => {
                "two reads of the camera differ: take the camera out of service"
            }
            Self::Incomplete => {
                "look for the missing files; `bwvdock acknowledge` when it is known why they are"
            }
            Self::Held(_) => "`bwvdock unhold` when the reason is gone",
            Self::JournalDamaged => {
                "keep every camera as it is; `bwvdock doctor` names the damage and what to do"
            }
            Self::NotSealed
            | Self::NoReceipt
            | Self::NotDescribed
            | Self::NotStillYet { .. }
            | Self::SecondReadMissing
            | Self::NeededByOthers
            | Self::TooYoung { .. } => "nothing: it passes by itself",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReleaseDisabled => f.write_str("this dock is set never to erase"),
            Self::EraseNotAllowed => f.write_str("erasing this camera is not allowed"),
            Self::Unclaimed => f.write_str("the file belongs to no recording"),
            Self::NotSealed => f.write_str("it is not copied and sealed yet"),
            Self::Unsound(verdict) => write!(f, "its check ended as {verdict}"),
            Self::DigestDiffers => f.write_str("the camera's digest and the dock's differ"),
            Self::NoReceipt => f.write_str("the store's receipt is not on this disk yet"),
            Self::ReceiptOfAnotherObject => f.write_str("the receipt is for an earlier copy"),
            Self::ReceiptTooWeak { level, wanted } => {
                write!(f, "the store proved only {level}, {wanted} is wanted")
            }
            Self::NotDescribed => f.write_str("the recording's description is not stored yet"),
            Self::UnverifiedStays => f.write_str("its camera gave no digest to compare with"),
            Self::NotStillYet { until } => {
                write!(f, "it may still be written: it is read a second time after {until}")
            }
            Self::SecondReadMissing => f.write_str("the second, independent read is still to come"),
            Self::SecondReadDiffers => f.write_str("a second read of the camera gave other bytes"),
            Self::Held(reason) => write!(f, "it is held: {reason}"),
            Self::NeededByOthers => f.write_str("files it describes are still on the camera"),
            Self::Incomplete => {
                f.write_str("files that its recording names are missing; it tells of them")
            }
            Self::TooYoung { until } => write!(f, "it stays on the camera until {until}"),
            Self::JournalDamaged => f.write_str("the custody log is damaged"),
        }
    }
}

type Check = fn(&Policy, &Evidence<'_>, Timestamp) -> Result<(), Obstacle>;

/// The declared rule: every row must hold. The names are what `release --dry-run` prints.
pub const CONDITIONS: &[(&str, Check)] = &[
    ("release enabled", |p, _, _| p.enabled.then_some(()).ok_or(Obstacle::ReleaseDisabled)),
    ("erasing allowed", |_, e, _| e.erase_allowed.then_some(()).ok_or(Obstacle::EraseNotAllowed)),
    ("claimed by a recording", |_, e, _| match e.segment.kind {
        FileKind::Orphan => Err(Obstacle::Unclaimed),
        FileKind::Media | FileKind::Sidecar | FileKind::Manifest => Ok(()),
    }),
    ("sealed and sound", |_, e, _| match e.sealed {
        None => Err(Obstacle::NotSealed),
        Some(s) if s.verdict.is_sound() && !e.segment.partial => Ok(()),
        Some(s) => Err(Obstacle::Unsound(s.verdict)),
    }),
    ("digest matched", digest_matched),
    ("receipt on disk for this object", |_, e, _| match (&e.sealed, e.receipt) {
        (Some(sealed), Some((_, object))) if sealed.object == object => Ok(()),
        (Some(_), Some(_)) => Err(Obstacle::ReceiptOfAnotherObject),
        _ => Err(Obstacle::NoReceipt),
    }),
    ("receipt strong enough", |p, e, _| match e.receipt {
        Some((receipt, _)) if receipt.level >= p.level_min => Ok(()),
        Some((receipt, _)) => {
            Err(Obstacle::ReceiptTooWeak { level: receipt.level, wanted: p.level_min })
        }
        None => Err(Obstacle::NoReceipt),
    }),
    ("recording described", |_, e, _| e.described.then_some(()).ok_or(Obstacle::NotDescribed)),
    ("not held", |_, e, _| match e.held {
        None => Ok(()),
        Some(reason) => Err(Obstacle::Held(reason.to_owned())),
    }),
    ("journal sound", |_, e, _| (!e.journal_damaged).then_some(()).ok_or(Obstacle::JournalDamaged)),
    ("old enough", |p, e, now| {
        let until = e.sealed.and_then(|s| s.at.checked_add(p.age_min).ok());
        match until {
            Some(until) if now >= until => Ok(()),
            Some(until) => Err(Obstacle::TooYoung { until }),
            None => Err(Obstacle::NotSealed),
        }
    }),
    ("not needed by others", |_, e, _| {
        (!e.needed_by_others).then_some(()).ok_or(Obstacle::NeededByOthers)
    }),
    ("recording complete or accounted for", |_, e, _| {
        (!e.incomplete).then_some(()).ok_or(Obstacle::Incomplete)
    }),
];

fn digest_matched(policy: &Policy, e: &Evidence<'_>, now: Timestamp) -> Result<(), Obstacle> {
    let Some(sealed) = e.sealed else { return Err(Obstacle::NotSealed) };
    let still_from = sealed.at.saturating_add(policy.still_min).unwrap_or(Timestamp::MAX);
    if sealed.plain.size != e.segment.source.size {
        return Err(Obstacle::DigestDiffers);
    }
    match (sealed.verdict, e.segment.source.expected) {
        (Verdict::Verified | Verdict::Matched, Some(expected))
            if expected == sealed.plain.sha256 =>
        {
            Ok(())
        }
        (Verdict::Unverified, None) if !policy.erase_unverified => Err(Obstacle::UnverifiedStays),
        (Verdict::Unverified, None) => match e.second_read {
            None if now < still_from => Err(Obstacle::NotStillYet { until: still_from }),
            None => Err(Obstacle::SecondReadMissing),
            Some(read) if read == sealed.plain => Ok(()),
            Some(_) => Err(Obstacle::SecondReadDiffers),
        },
        _ => Err(Obstacle::DigestDiffers),
    }
}

/// What the rule allows for one file of one camera. Only [`evaluate`] can make one.
#[derive(Debug, PartialEq, Eq)]
pub struct Approval {
    segment: SegmentId,
    object: ObjectId,
    source: Source,
    plain: Hashed,
    receipt: Sha256Digest,
    words: String,
    needs_read: bool,
}

impl Approval {
    pub fn segment(&self) -> SegmentId {
        self.segment
    }

    /// The sealed object that the store must still hold.
    pub fn object(&self) -> ObjectId {
        self.object
    }

    /// What the file looked like when it was sealed.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What was sealed: a fresh read must give the same.
    pub fn plain(&self) -> Hashed {
        self.plain
    }

    /// SHA-256 of the receipt file this stands on.
    pub fn receipt(&self) -> Sha256Digest {
        self.receipt
    }

    /// Why, for the custody log.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Whether the file must be read before it may be erased.
    pub fn needs_read(&self) -> bool {
        self.needs_read
    }

    /// The permit, by looks made now: what a read gave, if one was made, and what the store was
    /// seen to hold. None if a read was due and not made, if it gave anything but what was sealed,
    /// or if the store's word is about another object.
    pub fn confirmed_by(self, read: Option<Hashed>, stored: &StoredProof) -> Option<ErasePermit> {
        let as_sealed = read.map_or(!self.needs_read, |read| read == self.plain);
        let Self { segment, object, source, receipt, words, .. } = self;
        (as_sealed && stored.object() == object).then_some(ErasePermit {
            segment,
            source,
            receipt,
            words,
        })
    }
}

/// An approval out of thin air, for the tests of what comes after it only.
#[cfg(test)]
pub(crate) fn approval_for_test(source: Source, plain: Hashed, needs_read: bool) -> Approval {
    let segment = SegmentId(uuid::Uuid::nil());
    let (receipt, words) = (Sha256Digest([0; 32]), String::new());
    let object = ObjectId(uuid::Uuid::nil());
    Approval { segment, object, source, plain, receipt, words, needs_read }
}

/// The right to erase one file from one camera. Only an [`Approval`] can become one.
#[derive(Debug, PartialEq, Eq)]
pub struct ErasePermit {
    segment: SegmentId,
    source: Source,
    receipt: Sha256Digest,
    words: String,
}

impl ErasePermit {
    /// A permit out of thin air, for the tests of camera doors only.
    #[cfg(test)]
    pub(crate) fn for_test(segment: SegmentId, source: Source) -> Self {
        Self { segment, source, receipt: Sha256Digest([0; 32]), words: String::new() }
    }

    pub fn segment(&self) -> SegmentId {
        self.segment
    }

    /// What the file looked like when it was sealed; the camera compares before it erases.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// SHA-256 of the receipt file this permit stands on.
    pub fn receipt(&self) -> Sha256Digest {
        self.receipt
    }

    /// Why, for the custody log.
    pub fn words(&self) -> &str {
        &self.words
    }
}

/// What the rule says.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    Release(Box<Approval>),
    /// Everything else holds: read the source a second time, then ask again.
    ReadAgain,
    Stay(Vec<Obstacle>),
}

/// Applies every condition; fails closed.
pub fn evaluate(policy: &Policy, evidence: &Evidence<'_>, now: Timestamp) -> Decision {
    let obstacles: Vec<Obstacle> =
        CONDITIONS.iter().filter_map(|(_, check)| check(policy, evidence, now).err()).collect();
    if obstacles == [Obstacle::SecondReadMissing] {
        return Decision::ReadAgain;
    }
    match (obstacles.is_empty(), evidence.sealed, evidence.receipt) {
        (true, Some(sealed), Some((receipt, _))) => {
            let fresh = evidence
                .reread_age
                .is_some_and(|age| (SignedDuration::ZERO..=READ_FRESH_FOR).contains(&age));
            let needs_read = policy.reread && !fresh;
            let read = if needs_read { "; to be read again and compared first" } else { "" };
            Decision::Release(Box::new(Approval {
                segment: evidence.segment.id,
                object: sealed.object,
                source: evidence.segment.source.clone(),
                plain: sealed.plain,
                receipt: receipt.sha256,
                words: format!(
                    "{}, {}, every condition of the rule held{read}",
                    sealed.verdict, receipt.level
                ),
                needs_read,
            }))
        }
        _ => Decision::Stay(obstacles),
    }
}

#[cfg(test)]
mod tests;
