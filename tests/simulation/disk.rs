//! The dock's disk: what was synced outlives a power cut, what was not may be lost or torn.

use crate::dice::Dice;
use bwvdock::types::ObjectId;
use std::collections::BTreeMap;

/// A disk that fills up, fails and forgets on demand.
#[derive(Debug, Default)]
pub struct Disk {
    /// The custody log, as one file.
    pub log: Vec<u8>,
    /// How much of the log is on the device.
    pub log_synced: usize,
    /// Sealed objects under their final names: fsynced before the rename.
    pub spool: BTreeMap<ObjectId, Vec<u8>>,
    /// Receipts: tmp, fsync, rename.
    pub receipts: BTreeMap<ObjectId, Vec<u8>>,
    /// Kept beside the spool: objects that the log has no line of.
    pub aside: BTreeMap<ObjectId, Vec<u8>>,
    /// Nothing more can be written to spool and receipts.
    pub full: bool,
    /// Writes to spool and receipts fail (EIO).
    pub failing: bool,
    /// The next sync of the log fails.
    pub sync_fails: bool,
}

impl Disk {
    /// Appends to the log; false when only a part was written.
    pub fn append(&mut self, bytes: &[u8], dice: &mut Dice, torn: bool) -> bool {
        let fits = if torn { dice.below(bytes.len()) } else { bytes.len() };
        self.log.extend_from_slice(&bytes[..fits]);
        !torn
    }

    /// False when it failed: what was not on the device may never get there.
    pub fn sync(&mut self) -> bool {
        if std::mem::take(&mut self.sync_fails) {
            return false;
        }
        self.log_synced = self.log.len();
        true
    }

    /// The power goes: of what was not synced, any part from its beginning may be there.
    pub fn lose_power(&mut self, dice: &mut Dice) {
        let unsynced = self.log.len() - self.log_synced;
        let kept = match dice.below(3) {
            0 => 0,
            1 => unsynced,
            _ => dice.below(unsynced + 1),
        };
        self.log.truncate(self.log_synced + kept);
    }

    /// Whatever the file holds at a start is what counts from then on.
    pub fn settle(&mut self) {
        self.log_synced = self.log.len();
        self.sync_fails = false;
    }
}
