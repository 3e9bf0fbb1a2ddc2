//! Little-endian numbers out of bytes that may be too few, and the two checksums of the formats.

/// The number at `at`, or 0 where the bytes end.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b))
}

/// The number at `at`, or 0 where the bytes end.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
}

/// The number at `at`, or 0 where the bytes end.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
}

/// CRC-32 as GPT has it (UEFI 2.10, 5.3.2: CCITT32 ANSI CRC); for a few KiB, so without a table.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// The rotating sum of the boot region (exFAT 3.4).
pub(super) fn rotating_sum32(sum: u32, byte: u8) -> u32 {
    sum.rotate_right(1).wrapping_add(u32::from(byte))
}

/// The rotating sum of a directory entry set (exFAT 6.3.3).
pub(super) fn rotating_sum16(sum: u16, byte: u8) -> u16 {
    sum.rotate_right(1).wrapping_add(u16::from(byte))
}

/// The rotating sum that ties long names to a short one (fatgen103, "ChkSum()").
pub(super) fn rotating_sum8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn numbers_beyond_the_end_are_zero() {
        assert_eq!((u16_at(&[1, 2], 0), u16_at(&[1, 2], 1), u16_at(&[], 9)), (0x201, 0, 0));
        assert_eq!((u32_at(&[1; 4], 0), u64_at(&[1; 7], 0)), (0x0101_0101, 0));
    }
}
