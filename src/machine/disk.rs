//! The file system of a folder, and the disk below it.

use super::text;
use rustix::fs::{StatVfsMountFlags, major, minor, stat, statvfs};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A file system at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Bytes that others than root may still write.
    pub free_bytes: u64,
    pub size_bytes: u64,
    /// It is mounted read-only, or turned so after an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// Errors that ext4 met since the file system was checked last; absent for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<u64>,
    /// How much of its life an eMMC says it has used, in steps of ten; absent for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life_used_percent: Option<u8>,
}

impl Disk {
    #[allow(clippy::unnecessary_cast, reason = "the width differs between architectures")]
    pub(super) fn read(folder: &Path, sys: &Path) -> Option<Self> {
        let room = statvfs(folder).ok()?;
        let device = stat(folder).ok()?.st_dev as u64;
        let block = sys.join(format!("dev/block/{}:{}", major(device), minor(device)));
        let block = block.canonicalize().ok();
        Some(Self {
            free_bytes: room.f_bavail.saturating_mul(room.f_frsize),
            size_bytes: room.f_blocks.saturating_mul(room.f_frsize),
            read_only: room.f_flag.contains(StatVfsMountFlags::RDONLY),
            errors: block.as_deref().and_then(|block| errors(block, sys)),
            life_used_percent: block.as_deref().and_then(life_used),
        })
    }
}

/// Linux, Documentation/ABI/testing/sysfs-fs-ext4.
pub(super) fn errors(block: &Path, sys: &Path) -> Option<u64> {
    let name = block.file_name()?;
    text(&sys.join("fs/ext4").join(name).join("errors_count"))?.parse().ok()
}

/// `life_time` (eMMC 5.0, EXT_CSD 268 and 269): two bytes, one for each type of its memory; 1 is
/// 0 to 10 % used, 10 is 90 to 100 %, 11 is beyond. The worse is told, at its upper end.
pub(super) fn life_used(block: &Path) -> Option<u8> {
    let whole = |at: &Path| at.join("device/life_time");
    // A partition lies in the folder of its disk.
    let above: Option<PathBuf> = block.parent().map(whole);
    let said = text(&whole(block)).or_else(|| text(&above?))?;
    let used = said
        .split_whitespace()
        .filter_map(|byte| u8::from_str_radix(byte.trim_start_matches("0x"), 16).ok())
        .filter(|step| (1..=11).contains(step));
    used.max().map(|step| step * 10)
}
