//! File systems that are recognised to be named, and not read.

use super::ReadAt;

/// Place, magic, name.
const MAGIC: &[(u64, &[u8], &str)] = &[
    (3, b"NTFS    ", "NTFS"),
    (3, b"-FVE-FS-", "BitLocker, which is encrypted"),
    (3, b"ReFS\0\0\0\0", "ReFS"),
    (0, b"LUKS\xba\xbe", "LUKS, which is encrypted"),
    (0x438, b"\x53\xef", "ext2, ext3 or ext4"),
    (0x400, b"\x10\x20\xf5\xf2", "F2FS"),
    (0x400, b"H+", "HFS+"),
    (0x400, b"HX", "HFSX"),
    (0x400, b"BD", "HFS"),
    (32, b"NXSB", "APFS"),
    (0, b"XFSB", "XFS"),
    (0x1_0040, b"_BHRfS_M", "Btrfs"),
    (0x1018, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca", "bcachefs"),
    (0, b"hsqs", "SquashFS"),
    (0x8001, b"CD001", "ISO 9660"),
    (0x8001, b"BEA01", "UDF"),
    (512, b"LABELONE", "a physical volume of LVM"),
    (0x1000, b"\xfc\x4e\x2b\xa9", "a member of a Linux RAID"),
    (0xff6, b"SWAPSPACE2", "Linux swap"),
];

/// What lies at `start`, in words.
pub(super) fn name(dev: &dyn ReadAt, start: u64) -> String {
    let mut anything = false;
    for (at, magic, name) in MAGIC {
        let mut found = [0; 16];
        let found = &mut found[..magic.len()];
        if dev.read_at(start + at, found).is_ok() {
            if found == *magic {
                return format!("it holds {name}");
            }
            anything = true;
        }
    }
    let mut first = [0; 512];
    if !anything || dev.read_at(start, &mut first).is_err() {
        return "its beginning cannot be read".into();
    }
    if first.iter().all(|byte| *byte == first[0]) {
        return "it is not formatted".into();
    }
    "it holds no known file system; it may be encrypted or damaged".into()
}
