//! Where volumes begin: no table, an MBR with logical partitions (UEFI 2.10, 5.2.1), or a GPT.
//!
//! What the table says of a partition's type is not believed: its contents tell.

use super::{
    PARTITIONS_MAX, ReadAt, boot_exfat, boot_fat,
    bytes::{u16_at, u32_at},
    caveats::Caveats,
    gpt,
};

/// A partition: its number in the table (0 for a card without one), where it begins, its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub number: u32,
    pub start: u64,
    pub bytes: u64,
}

/// The block sizes a table may count in; it does not say which.
const BLOCKS: [u64; 2] = [512, 4096];

const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
const PROTECTIVE: u8 = 0xee;

/// Everything that may be a volume, in the order of the table, and whether the table is sound
/// enough to write below it.
pub(super) fn parts(dev: &dyn ReadAt, first: &[u8], caveats: &mut Caveats) -> (Vec<Part>, bool) {
    let whole = Part { number: 0, start: 0, bytes: dev.bytes() };
    let is_volume = boot_exfat::is_exfat(first) || boot_fat::parse(first, 0).is_some();
    let signed = u16_at(first, 510) == 0xaa55;
    let entries: Vec<&[u8]> = first.get(446..510).unwrap_or(&[]).chunks_exact(16).collect();
    let plain = entries.iter().all(|entry| entry[0] & 0x7f == 0);
    if is_volume || !signed || !plain {
        return (vec![whole], true);
    }
    let mut sound = true;
    let mut parts = if entries.iter().any(|entry| entry[4] == PROTECTIVE) {
        match gpt::read(dev, &BLOCKS) {
            Some((parts, true)) => parts,
            Some((parts, false)) => {
                caveats.add("the partition table is damaged; its second copy was used".into());
                sound = false;
                parts
            }
            None => {
                caveats.unread("the partition table (GPT) is damaged, and so is its copy".into());
                return (Vec::new(), false);
            }
        }
    } else {
        let (parts, tables) = mbr(dev, &entries, caveats);
        let covers = |part: &Part| {
            tables.iter().any(|at| (part.start..part.start.saturating_add(part.bytes)).contains(at))
        };
        if let Some(part) = parts.iter().find(|part| covers(part)) {
            caveats.add(format!("partition {} lies over a partition table", part.number));
            sound = false;
        }
        parts
    };
    if parts.is_empty() {
        // An MBR's signature with nothing behind it: perhaps a boot sector that is damaged.
        return (vec![whole], false);
    }
    if parts.len() > PARTITIONS_MAX {
        caveats
            .unread(format!("more than {PARTITIONS_MAX} partitions; the rest was not looked at"));
        parts.truncate(PARTITIONS_MAX);
    }
    parts.retain(|part| {
        let inside = part.start < dev.bytes();
        if !inside {
            caveats.unread(format!("partition {} begins beyond the end of the card", part.number));
        }
        inside
    });
    let end = |part: &Part| part.start.saturating_add(part.bytes);
    for (at, one) in parts.iter().enumerate() {
        if let Some(other) =
            parts[at + 1..].iter().find(|o| one.start < end(o) && o.start < end(one))
        {
            let (one, other) = (one.number, other.number);
            caveats.add(format!("partitions {one} and {other} overlap"));
            sound = false;
        }
    }
    (parts, sound)
}

/// The partitions, and where tables lie.
fn mbr(dev: &dyn ReadAt, entries: &[&[u8]], caveats: &mut Caveats) -> (Vec<Part>, Vec<u64>) {
    let mut parts = Vec::new();
    let mut tables = vec![0];
    for (number, entry) in (1..).zip(entries) {
        let (start, blocks) = (u64::from(u32_at(entry, 8)), u64::from(u32_at(entry, 12)));
        if entry[4] == 0 || blocks == 0 {
            continue;
        }
        if EXTENDED.contains(&entry[4]) {
            tables.extend(logical(dev, start, &mut parts, caveats));
        } else {
            parts.push(Part { number, start: start * 512, bytes: blocks * 512 });
        }
    }
    parts.sort_by_key(|part| part.number);
    (parts, tables)
}

/// The list of logical partitions: each has a small table of its own with itself and the next.
/// Gives where those tables lie.
fn logical(
    dev: &dyn ReadAt,
    extended: u64,
    parts: &mut Vec<Part>,
    caveats: &mut Caveats,
) -> Vec<u64> {
    let mut tables = Vec::new();
    let mut at = extended;
    for number in 5..=4 + PARTITIONS_MAX as u32 {
        // Tables that were added later may lie further ahead, but none can come twice.
        if tables.contains(&(at * 512)) {
            caveats.unread(format!(
                "the list of logical partitions comes back to one before partition {number}; what \
                 should follow was not found"
            ));
            return tables;
        }
        let mut sector = [0; 512];
        let read = dev.read_at(at * 512, &mut sector);
        if read.is_err() || u16_at(&sector, 510) != 0xaa55 {
            caveats.unread(format!("the table of the logical partition {number} is damaged"));
            return tables;
        }
        tables.push(at * 512);
        let (own, next) = (&sector[446..462], &sector[462..478]);
        let (start, blocks) = (u64::from(u32_at(own, 8)), u64::from(u32_at(own, 12)));
        if own[4] != 0 && blocks > 0 {
            parts.push(Part { number, start: (at + start) * 512, bytes: blocks * 512 });
        }
        if !EXTENDED.contains(&next[4]) {
            return tables;
        }
        at = extended + u64::from(u32_at(next, 8));
    }
    caveats.unread(format!(
        "more than {PARTITIONS_MAX} logical partitions; the rest was not looked at"
    ));
    tables
}
