//! Sizes, before anything is read.

use super::{CHUNK, TAG};
use crate::types::fact::PartTable;

/// The smallest part S3 takes, but for the last one: 5 MiB.
pub const PART_BYTES_MIN: u64 = 5 * MIB;

const MIB: u64 = 1024 * 1024;

/// More than any header with [`super::Recipients::MAX`] recipients takes.
const HEADER_BYTES_MAX: u64 = 4096;

/// The most bytes a plaintext of this size has when sealed.
pub fn sealed_size_max(plain_size: u64) -> u64 {
    let chunks = plain_size.div_ceil(CHUNK as u64).max(1);
    plain_size.saturating_add(chunks.saturating_mul(TAG as u64)).saturating_add(HEADER_BYTES_MAX)
}

/// The part size for a source listed with `plain_size` bytes: at least `part_bytes_min` (as
/// configured) and [`PART_BYTES_MIN`], whole MiB, and large enough for the part table to hold the
/// object even if the source turns out a quarter longer than listed.
pub fn part_size(plain_size: u64, part_bytes_min: u64) -> u64 {
    let sealed = sealed_size_max(plain_size.saturating_add(plain_size / 4));
    let needed = sealed.div_ceil(PartTable::PARTS_MAX);
    needed.max(part_bytes_min).max(PART_BYTES_MIN).div_ceil(MIB).saturating_mul(MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_size_fits_the_table_with_a_quarter_to_spare() {
        let sizes = [0, 1, 5 << 20, 1 << 30, 5 << 30, 1 << 40, 4 << 40];
        for size in sizes {
            let part = part_size(size, 16 << 20);
            assert!(part >= 16 << 20 && part.is_multiple_of(MIB));
            assert!(sealed_size_max(size + size / 4) <= part * PartTable::PARTS_MAX, "{size}");
        }
        assert_eq!(part_size(5 << 30, 16 << 20), 16 << 20, "5 GiB stay at the configured size");
        assert_eq!(part_size(0, 1), PART_BYTES_MIN, "no configuration goes below S3's minimum");
        assert!(part_size(u64::MAX, u64::MAX) > 0, "nonsense saturates");
    }
}
