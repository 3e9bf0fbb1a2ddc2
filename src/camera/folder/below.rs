//! Opening what lies below a root, and nothing else.

use crate::types::ChangeMark;
use rustix::{
    fd::OwnedFd,
    fs::{
        AtFlags, CWD, Mode, OFlags, ResolveFlags, Stat, StatxFlags, fstat, openat, openat2, statx,
    },
    io::Errno,
};
use std::path::Path;

/// What tells one mounted root from another that appears in its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct RootId {
    pub device: u64,
    pub inode: u64,
    pub mount: u64,
    /// When it was made, where the file system says so: a folder that was removed leaves its inode
    /// to the next one.
    born: Option<(i64, u32)>,
}

impl RootId {
    pub fn is(&self, other: &Self) -> bool {
        let key = |id: &Self| (id.device, id.inode, id.mount);
        let born = self.born.zip(other.born).is_none_or(|(one, two)| one == two);
        key(self) == key(other) && born
    }
}

#[allow(clippy::unnecessary_cast, reason = "the width differs between architectures")]
pub(super) fn device_of(stat: &Stat) -> u64 {
    stat.st_dev as u64
}

pub(super) fn modified_ms(stat: &Stat) -> Option<i64> {
    let nanos = i64::try_from(stat.st_mtime_nsec).ok()?;
    stat.st_mtime.checked_mul(1000)?.checked_add(nanos / 1_000_000)
}

/// Inode and change time. The latter cannot be set by those who set the other times; FAT has none,
/// and its inodes are made up whenever one is looked at for the first time.
#[allow(clippy::unnecessary_cast, reason = "the width differs between architectures")]
pub(super) fn mark_of(stat: &Stat) -> ChangeMark {
    ChangeMark::of(&[stat.st_ino.into(), stat.st_ctime as i128, stat.st_ctime_nsec as i128])
}

/// Whether something is mounted just there, so that its file system is the camera's alone.
pub(super) fn is_mounted(root: &OwnedFd) -> Result<bool, Errno> {
    let above = openat(root, "..", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    Ok(device_of(&fstat(root)?) != device_of(&fstat(above)?))
}

pub(super) fn open_root(path: &Path) -> Result<(OwnedFd, RootId), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, path, flags, Mode::empty())?;
    let stat = fstat(&root)?;
    // Old kernels do not number mounts; device and inode must do there.
    let more = StatxFlags::MNT_ID | StatxFlags::BTIME;
    let seen = statx(&root, "", AtFlags::EMPTY_PATH, more).ok();
    let has = |flag: StatxFlags| seen.as_ref().filter(|s| s.stx_mask & flag.bits() != 0);
    let mount = has(StatxFlags::MNT_ID).map_or(0, |seen| seen.stx_mnt_id);
    let born = has(StatxFlags::BTIME).map(|seen| (seen.stx_btime.tv_sec, seen.stx_btime.tv_nsec));
    Ok((root, RootId { device: device_of(&stat), inode: stat.st_ino, mount, born }))
}

/// Opens a folder below `root` without following a link or leaving the file system.
pub(super) fn open_folder(root: &OwnedFd, path: &[u8], device: u64) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    match openat2(root, path, flags, Mode::empty(), resolve) {
        // Before Linux 5.6, or forbidden by a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => walk_to_folder(root, path, device),
        opened => opened,
    }
}

/// The same, step by step; only a bind mount within one file system passes unnoticed.
pub(super) fn walk_to_folder(root: &OwnedFd, path: &[u8], device: u64) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at: Option<OwnedFd> = None;
    for name in path.split(|byte| *byte == b'/') {
        // SourcePath allows neither; this function must not depend on it.
        if name == b".." || name.is_empty() {
            return Err(Errno::XDEV);
        }
        let next = openat(at.as_ref().unwrap_or(root), name, flags, Mode::empty())?;
        if device_of(&fstat(&next)?) != device {
            return Err(Errno::XDEV);
        }
        at = Some(next);
    }
    at.ok_or(Errno::INVAL)
}
