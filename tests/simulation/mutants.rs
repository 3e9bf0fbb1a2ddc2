//! Planted law-breakers: what a dock would do whose rules, journal or doors were broken so.
//!
//! Each bends what passes between the rules and the world, and nothing in the program itself: there
//! is no hook that a shipped build could contain.

use bwvdock::types::fact::Fact;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// The dock's own first read is taken for the camera's word: no second read.
    OwnReadTakenForTheCamerasWord,
    /// Commit answers without a sync.
    EraseBeforeTheFactIsFlushed,
    /// The second read is answered from memory.
    SecondReadSkipped,
    /// Files without a digest need not hold still between their two reads.
    StillTimeIgnored,
    /// The read before an erase is answered from memory.
    RereadSkipped,
    /// What Complete said is believed, and the look after it is answered from memory.
    ErrorInside200Believed,
    /// The receipt names another object.
    ReceiptOfAnotherObject,
    /// A copy that differs from the camera's digest is reported as equal.
    WrongDigestAccepted,
    /// An unsound copy is stored as ordinary footage.
    QuarantineForgotten,
    /// The fold does not hear of holds.
    HoldDroppedInTheFold,
    /// Complete goes on without a part that the store forgot.
    ResumedWithAForgottenPart,
    /// The receipt is written without a look at the store.
    ErasedAfterTheStoreLostIt,
    /// Actions are performed before their facts are committed.
    ActionsBeforeFacts,
    /// A retry uses another name.
    AnotherKeyEachTime,
    /// A line carries the hash of a line that is not the one before it.
    ChainBroken,
    /// The room in the spool is given back before the receipt.
    SpoolFreedEarly,
    /// A failed upload is never tried again.
    FailuresForgotten,
}

impl Mutant {
    /// All, with the invariants that may catch each.
    pub const ALL: [(Self, &'static [&'static str]); 17] = [
        (Self::OwnReadTakenForTheCamerasWord, &["law: digest or two reads"]),
        (Self::EraseBeforeTheFactIsFlushed, &["law: flushed before the erase"]),
        (Self::SecondReadSkipped, &["law: digest or two reads"]),
        (Self::StillTimeIgnored, &["law: what is still written stays"]),
        (
            Self::RereadSkipped,
            &[
                "law: digest or two reads",
                "law: the file erased is the file sealed",
                "law: the store holds it",
                "no loss",
            ],
        ),
        (Self::ErrorInside200Believed, &["stored means stored", "liveness: stored or quarantined"]),
        (Self::ReceiptOfAnotherObject, &["law: a receipt of that object"]),
        (Self::WrongDigestAccepted, &["law: digest or two reads", "quarantine"]),
        (Self::QuarantineForgotten, &["quarantine"]),
        (Self::HoldDroppedInTheFold, &["what is held stays"]),
        (Self::ResumedWithAForgottenPart, &["stored means stored"]),
        (
            Self::ErasedAfterTheStoreLostIt,
            &["law: the store holds it", "liveness: stored or quarantined"],
        ),
        (Self::ActionsBeforeFacts, &["law: flushed before the erase"]),
        (Self::AnotherKeyEachTime, &["stored means stored", "no duplicates"]),
        (Self::ChainBroken, &["custody chain"]),
        (Self::SpoolFreedEarly, &["sealed means kept"]),
        (Self::FailuresForgotten, &["liveness: stored or quarantined", "liveness: comes to rest"]),
    ];

    /// Whether the fold is kept from hearing of this.
    pub fn drops(self, fact: &Fact) -> bool {
        self == Self::HoldDroppedInTheFold && matches!(fact, Fact::Held { .. })
    }
}
