//! GPT (UEFI 2.10, 5.3): the header at block 1, its copy at the last block, and their entries.

use super::{
    ReadAt,
    bytes::{crc32, u32_at, u64_at},
    partition::Part,
};

/// Bytes of entries that are read; 128 entries of 128 bytes are usual.
const ENTRIES_BYTES_MAX: u64 = 64 << 10;

/// The partitions of a table that is whole, and whether it is the first copy. `blocks` are the block
/// sizes to try.
pub(super) fn read(dev: &dyn ReadAt, blocks: &[u64]) -> Option<(Vec<Part>, bool)> {
    for block in blocks {
        if let Some(parts) = table(dev, *block, 1) {
            return Some((parts, true));
        }
    }
    for block in blocks {
        let last = (dev.bytes() / block).checked_sub(1)?;
        if let Some(parts) = table(dev, *block, last) {
            return Some((parts, false));
        }
    }
    None
}

fn table(dev: &dyn ReadAt, block: u64, at: u64) -> Option<Vec<Part>> {
    let mut header = vec![0; usize::try_from(block).ok()?];
    dev.read_at(at.checked_mul(block)?, &mut header).ok()?;
    let length = usize::try_from(u32_at(&header, 12)).ok()?;
    if header.get(..8) != Some(b"EFI PART") || !(92..=header.len()).contains(&length) {
        return None;
    }
    let sum = u32_at(&header, 16);
    header[16..20].fill(0);
    if crc32(&header[..length]) != sum || u64_at(&header, 24) != at {
        return None;
    }
    let (count, size) = (u64::from(u32_at(&header, 80)), u64::from(u32_at(&header, 84)));
    let bytes = count * size;
    if size < 128 || size % 128 != 0 || bytes > ENTRIES_BYTES_MAX {
        return None;
    }
    let mut entries = vec![0; usize::try_from(bytes).ok()?];
    dev.read_at(u64_at(&header, 72).checked_mul(block)?, &mut entries).ok()?;
    if crc32(&entries) != u32_at(&header, 88) {
        return None;
    }
    let mut parts = Vec::new();
    for (number, entry) in (1..).zip(entries.chunks_exact(usize::try_from(size).ok()?)) {
        let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
        if entry[..16].iter().all(|byte| *byte == 0) || first > last {
            continue;
        }
        let start = first.checked_mul(block);
        let end = last.checked_add(1).and_then(|end| end.checked_mul(block));
        // Numbers beyond all bytes there can be: told by the caller as outside the card.
        let (start, end) = (start.unwrap_or(u64::MAX), end.unwrap_or(u64::MAX));
        parts.push(Part { number, start, bytes: end.saturating_sub(start) });
    }
    Some(parts)
}
