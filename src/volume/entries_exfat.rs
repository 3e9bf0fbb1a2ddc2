//! Directory entry sets of exFAT (exFAT 6 and 7).
//!
//! The up-case table is not needed: names are found again exactly as they were listed, so nothing
//! is compared without regard to case.

use super::{
    bytes::{rotating_sum16, u16_at, u32_at, u64_at},
    entry::{Entry, Outcome},
    name, time,
};

const IN_USE: u8 = 0x80;
const SECONDARY: u8 = 0x40;
const BENIGN: u8 = 0x20;
const BITMAP: u8 = 0x81;
const UPCASE: u8 = 0x82;
const LABEL: u8 = 0x83;
const FILE: u8 = 0x85;
const STREAM: u8 = 0xc0;
const NAME: u8 = 0xc1;
const DIRECTORY: u16 = 0x10;
const NO_FAT_CHAIN: u8 = 2;

/// A set under way.
#[derive(Debug)]
struct Set {
    file: [u8; 32],
    /// Secondary entries still to come.
    left: u8,
    sum: u16,
    stream: Option<[u8; 32]>,
    units: Vec<u16>,
    slots: Vec<u64>,
    odd: Vec<&'static str>,
}

/// Puts entries together.
#[derive(Debug, Default)]
pub(super) struct ExfatEntries {
    set: Option<Set>,
}

const CUT_OFF: &str = "a directory entry that is cut off";

impl ExfatEntries {
    pub fn push(&mut self, at: u64, raw: &[u8; 32]) -> Outcome {
        let kind = raw[0];
        let secondary = kind & (IN_USE | SECONDARY) == IN_USE | SECONDARY;
        if secondary {
            // Without a file before it, it is what deleting left over.
            return match self.set.take() {
                Some(set) => self.add(set, at, raw),
                None => Outcome::Nothing,
            };
        }
        let cut_off = self.set.take().is_some();
        let outcome = match kind {
            0 => Outcome::End,
            FILE => self.begin(at, raw),
            BITMAP | UPCASE => Outcome::System {
                kind,
                flags: raw[1],
                table: Entry {
                    size: u64_at(raw, 24),
                    valid: u64_at(raw, 24),
                    first: u32_at(raw, 20),
                    slots: vec![at],
                    ..Entry::default()
                },
            },
            _ if kind & IN_USE == 0 || kind & BENIGN != 0 || kind == LABEL => Outcome::Nothing,
            _ => Outcome::Odd("an entry of a kind that exFAT 1.00 does not have"),
        };
        match outcome {
            // What was under way was nothing worth keeping, but it is told.
            Outcome::Nothing if cut_off => Outcome::Odd(CUT_OFF),
            outcome => outcome,
        }
    }

    /// A part of the directory is missing: what was under way is not whole.
    pub fn gap(&mut self) {
        self.set = None;
    }

    fn begin(&mut self, at: u64, raw: &[u8; 32]) -> Outcome {
        if !(2..=18).contains(&raw[1]) {
            return Outcome::Odd("a file's entry with an impossible number of others");
        }
        // The sum itself is not summed (6.3.3).
        let summed = raw.iter().enumerate().filter(|(at, _)| !matches!(at, 2 | 3));
        self.set = Some(Set {
            file: *raw,
            left: raw[1],
            sum: summed.fold(0, |sum, (_, byte)| rotating_sum16(sum, *byte)),
            stream: None,
            units: Vec::new(),
            slots: vec![at],
            odd: Vec::new(),
        });
        Outcome::Nothing
    }

    fn add(&mut self, mut set: Set, at: u64, raw: &[u8; 32]) -> Outcome {
        set.sum = raw.iter().fold(set.sum, |sum, byte| rotating_sum16(sum, *byte));
        set.slots.push(at);
        set.left -= 1;
        match raw[0] {
            STREAM if set.stream.is_none() => set.stream = Some(*raw),
            NAME => set.units.extend((0..15).map(|unit| u16_at(raw, 2 + unit * 2))),
            _ => set.odd.push("its entry has parts of an unknown kind"),
        }
        if set.left > 0 {
            self.set = Some(set);
            return Outcome::Nothing;
        }
        match set.stream {
            Some(stream) => Outcome::Found(set.finish(&stream)),
            None => Outcome::Odd("a file's entry that does not say where the file is"),
        }
    }
}

/// The bytes of a time as one number.
fn join(all: u64, byte: &u8) -> u64 {
    all << 8 | u64::from(*byte)
}

impl Set {
    fn finish(mut self, stream: &[u8; 32]) -> Entry {
        let file = &self.file;
        if u16_at(file, 2) != self.sum {
            self.odd.push("its directory entry fails its checksum");
        }
        let length = usize::from(stream[3]);
        if self.units.len() < length || length == 0 {
            self.odd.push("its name is cut off");
        }
        self.units.truncate(length);
        let size = u64_at(stream, 24);
        let valid = u64_at(stream, 8);
        if valid > size {
            self.odd.push("more of it is said to be written than it has");
        }
        let first = u32_at(stream, 20);
        Entry {
            name: name::from_utf16(&self.units),
            folder: u16_at(file, 4) & DIRECTORY != 0,
            size,
            valid: valid.min(size),
            first,
            contiguous: stream[1] & NO_FAT_CHAIN != 0 && first != 0,
            modified_ms: time::exfat(&file[12..16], file[21], file[23]),
            created: file[8..12].iter().chain([&file[20], &file[22]]).fold(0, join),
            slots: self.slots,
            odd: self.odd,
        }
    }
}
