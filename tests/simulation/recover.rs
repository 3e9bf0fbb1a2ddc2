//! What a start does: the log is read, its torn end cut off, its damage found, the index made again.

use crate::{alone::Alone, invariants, world::World};
use bwvdock::{
    custody::{
        chain::{Head, Verifier},
        receipt::Receipt,
    },
    dock::{
        Dock, Event, LogDamage, MemoryTable, event::Started, fold, spooled, state::ObjectState,
    },
    types::{ReceiptLevel, Sha256Digest, fact::Entry, fact::Fact},
};
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// A log as a start finds it.
pub struct Found {
    pub entries: Vec<Entry>,
    pub head: Head,
    /// First and last line of each damage.
    pub damage: Vec<(u64, u64)>,
    /// Bytes behind the last whole line.
    pub torn: usize,
}

pub fn read(log: &[u8]) -> Found {
    let whole = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut verifier = Verifier::new(Head::GENESIS);
    let (mut entries, mut damage) = (Vec::new(), Vec::<(u64, u64)>::new());
    for line in log[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match verifier.feed(line) {
            Ok(entry) => entries.push(entry),
            Err(bad) => {
                let seq = bad.expected_seq;
                match damage.last_mut() {
                    Some((_, last)) if *last + 1 == seq => *last = seq,
                    _ => damage.push((seq, seq)),
                }
                entries.extend(bad.entry.map(|entry| *entry));
            }
        }
    }
    Found { entries, head: verifier.head(), damage, torn: log.len() - whole }
}

/// The first damage that nobody has accepted.
pub fn damage(log: &[u8], accepted: &BTreeSet<u64>) -> Option<LogDamage> {
    let found = read(log).damage.into_iter().find(|(first, _)| !accepted.contains(first));
    found.map(|(first_seq, last_seq)| {
        let words = format!("lines {first_seq} to {last_seq} are not what they were");
        LogDamage { first_seq, last_seq, words }
    })
}

impl World {
    /// The last line that is on the device.
    pub fn durable_head(&self) -> Head {
        if self.disk.log_synced == self.disk.log.len() {
            return self.head;
        }
        read(&self.disk.log[..self.disk.log_synced]).head
    }

    /// The daemon starts, for the first time or again.
    pub fn start(&mut self) {
        let power = self.dead.take();
        if power.is_some() {
            self.tally.crashes += 1;
        }
        if power == Some(true) {
            self.tally.power_cuts += 1;
            self.disk.lose_power(&mut self.dice);
            let seldom = self.alone.is_none() && self.dice.permille(100);
            if self.chances.world > 0 && seldom || self.alone == Some(Alone::Boot1970) {
                self.tally.fault("clock: 1970 at boot");
                self.skew = SignedDuration::from_secs(30 - self.now.as_second());
            }
        }
        self.disk.settle();
        self.tasks.clear();
        self.paused.clear();
        let repairs = self.recover(power);
        self.settle_spool();
        let missing = spooled::missing(&self.table, |id| self.disk.spool.contains_key(&id));
        let missing = missing.expect("a table in memory");
        let fact = Fact::DockStarted {
            version: "0".into(),
            boot: "b".into(),
            clock_synchronised: true,
            config: Sha256Digest([0; 32]),
        };
        self.event(Event::Started(Started { fact, repairs }));
        for state in missing {
            let stored = self.stored_by_receipt(&state);
            self.event(Event::SpoolMissing { object: state.object.id, stored });
        }
        self.report_docked();
    }

    /// Reads the log; gives what the log must say of it.
    fn recover(&mut self, power: Option<bool>) -> Vec<Fact> {
        let Found { entries, head, damage: bad, torn } = read(&self.disk.log);
        let mut repairs = Vec::new();
        if torn > 0 {
            self.disk.log.truncate(self.disk.log.len() - torn);
            self.disk.settle();
            let cut_bytes = torn as u64;
            repairs.push(Fact::LogRepaired { cut_bytes, kept_as: "torn-1".into() });
        }
        let mut table = MemoryTable::default();
        for entry in &entries {
            let dropped = self.mutant.is_some_and(|mutant| mutant.drops(&entry.fact));
            if !dropped {
                fold(entry, &mut table).expect("a table in memory");
            }
        }
        self.head = head;
        let folded = self.truth.heard;
        // What had reached the disk and was not heard of any more when the daemon died.
        let mut end = 0;
        for line in self.disk.log.clone().split_inclusive(|byte| *byte == b'\n') {
            end += line.len();
            let entry = bwvdock::custody::chain::decode(&line[..line.len() - 1]);
            if let Some(entry) = entry.ok().filter(|entry| entry.seq > self.truth.heard) {
                invariants::at_fact(self, &entry, end);
            }
        }
        self.truth.heard = head.seq;
        // Where the number of a line rotted, the next one is called bad by that number.
        let unexplained = !bad.is_empty() && self.truth.rotten.is_empty();
        if unexplained {
            self.violate("custody chain", format!("{bad:?} is bad"));
        }
        let damage = damage(&self.disk.log, &self.accepted);
        let rebuilt = power == Some(true) || self.dice.permille(200);
        // The index outlives a killed daemon; it is made again after a power cut.
        if bad.is_empty() || rebuilt || table.0.is_empty() {
            self.table = table;
        } else {
            // Caught up with the lines that were not folded any more when the daemon died.
            for entry in entries.iter().filter(|entry| entry.seq > folded) {
                if !self.mutant.is_some_and(|mutant| mutant.drops(&entry.fact)) {
                    fold(entry, &mut self.table).expect("a table in memory");
                }
            }
        }
        let (settings, ids) = (self.dock.settings().clone(), self.dice.bits());
        self.dock = Dock::new(settings, Box::new(crate::dice::Dice::new(ids)));
        self.dock.set_journal_damage(damage.clone());
        repairs.extend(damage.map(|damage| Fact::LogDamaged {
            first_seq: damage.first_seq,
            last_seq: damage.last_seq,
            proved_hash: None,
            words: damage.words,
        }));
        repairs
    }

    fn settle_spool(&mut self) {
        let found: Vec<_> = self.disk.spool.keys().copied().collect();
        for object in found {
            let needed = spooled::still_needed(&self.table, object).expect("a table in memory");
            match (needed, self.dock.journal_damage().is_some()) {
                (Some(true), _) => {}
                (None, true) => {
                    if let Some(bytes) = self.disk.spool.remove(&object) {
                        self.disk.aside.insert(object, bytes);
                    }
                }
                (Some(false), _) | (None, false) => self.remove_from_spool(object),
            }
        }
    }

    fn stored_by_receipt(&self, state: &ObjectState) -> Option<(ReceiptLevel, Option<String>)> {
        let bytes = self.disk.receipts.get(&state.object.id)?;
        let receipt = Receipt::verify(bytes, Some(&self.key.public())).ok()?;
        let same = receipt.object == state.object.id
            && receipt.key == state.object.key
            && receipt.sealed == state.object.sealed;
        same.then_some((receipt.level, receipt.version_id))
    }
}
