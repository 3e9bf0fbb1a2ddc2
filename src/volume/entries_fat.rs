//! Directory entries of FAT (fatgen103, "FAT Directory Structure" and "FAT Long Directory Entries").

use super::{
    bytes::{rotating_sum8, u16_at, u32_at},
    entry::{Entry, Outcome},
    name, time,
};

const DIRECTORY: u8 = 0x10;
const LABEL: u8 = 0x08;
const LONG: u8 = 0x0f;
const LONG_MASK: u8 = 0x3f;
const LAST_LONG: u8 = 0x40;
const DELETED: u8 = 0xe5;
/// Parts of the longest name: 255 units in parts of 13.
const PARTS_MAX: u8 = 20;
/// Where in an entry the 13 units lie.
const UNITS: [usize; 13] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/// A long name under way: its parts come last first, before the short entry.
#[derive(Debug)]
struct Long {
    sum: u8,
    /// The part that came last; 1 when all are there.
    part: u8,
    units: Vec<u16>,
    slots: Vec<u64>,
}

/// Puts entries together.
#[derive(Debug, Default)]
pub(super) struct FatEntries {
    wide: bool,
    long: Option<Long>,
}

impl FatEntries {
    /// `wide`: cluster numbers have 32 bits.
    pub fn new(wide: bool) -> Self {
        Self { wide, long: None }
    }

    pub fn push(&mut self, at: u64, raw: &[u8; 32]) -> Outcome {
        match raw[0] {
            0 => return Outcome::End,
            DELETED => {
                self.long = None;
                return Outcome::Nothing;
            }
            _ => {}
        }
        if raw[11] & LONG_MASK == LONG {
            self.long = take_part(self.long.take(), at, raw);
            return Outcome::Nothing;
        }
        let long = self.long.take();
        let dots = &raw[..11] == b".          " || &raw[..11] == b"..         ";
        if raw[11] & LABEL != 0 || dots {
            return Outcome::Nothing;
        }
        Outcome::Found(self.entry(long, at, raw))
    }

    /// A part of the directory is missing: what was under way is not whole.
    pub fn gap(&mut self) {
        self.long = None;
    }

    fn entry(&self, long: Option<Long>, at: u64, raw: &[u8; 32]) -> Entry {
        let mut short = [0; 11];
        short.copy_from_slice(&raw[..11]);
        let mut entry = Entry {
            name: name::from_short(&short, raw[12]),
            folder: raw[11] & DIRECTORY != 0,
            size: u64::from(u32_at(raw, 28)),
            first: u32::from(u16_at(raw, 26)),
            modified_ms: time::fat(u16_at(raw, 24), u16_at(raw, 22)),
            created: raw[13..18].iter().fold(0, |all, byte| all << 8 | u64::from(*byte)),
            slots: vec![at],
            ..Entry::default()
        };
        if self.wide {
            entry.first |= u32::from(u16_at(raw, 20)) << 16;
        }
        if entry.folder {
            entry.size = 0;
        }
        entry.valid = entry.size;
        match long {
            Some(long) if long.part == 1 && long.sum == rotating_sum8(&short) => {
                let end = long.units.iter().position(|unit| *unit == 0);
                entry.name = name::from_utf16(&long.units[..end.unwrap_or(long.units.len())]);
                entry.slots.extend(long.slots.iter().rev());
            }
            Some(_) => entry.odd.push("its long name is damaged, so it has its short one"),
            None => {}
        }
        entry
    }
}

fn take_part(before: Option<Long>, at: u64, raw: &[u8; 32]) -> Option<Long> {
    let part = raw[0] & !LAST_LONG;
    let mut long = if raw[0] & LAST_LONG != 0 {
        if !(1..=PARTS_MAX).contains(&part) {
            return None;
        }
        let units = vec![0; usize::from(part) * UNITS.len()];
        Long { sum: raw[13], part, units, slots: Vec::new() }
    } else {
        let long =
            before.filter(|long| long.part == part + 1 && long.sum == raw[13] && part > 0)?;
        Long { part, ..long }
    };
    let from = usize::from(part - 1) * UNITS.len();
    for (unit, at) in long.units[from..].iter_mut().zip(UNITS) {
        *unit = u16_at(raw, at);
    }
    long.slots.push(at);
    Some(long)
}
