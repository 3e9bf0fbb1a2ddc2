//! The boot region of exFAT (exFAT 3).

use super::{
    ReadAt,
    bytes::{rotating_sum32, u16_at, u32_at, u64_at},
    geometry::{Geometry, Width},
};

/// An exFAT volume as its boot sector tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExfatBoot {
    pub geometry: Geometry,
    pub root_cluster: u32,
    /// VolumeFlags (3.1.13): 0 second table in use, 1 dirty, 2 the medium failed.
    pub flags: u16,
    /// There are two tables and two bitmaps (TexFAT).
    pub transactional: bool,
    /// Bytes the volume says it has.
    pub bytes: u64,
    /// The boot region's own sum is right.
    pub sum_holds: bool,
}

/// Sectors of one boot region; the second copy follows the first.
const REGION_SECTORS: u64 = 12;

/// Whether a sector says that it begins an exFAT volume.
pub(super) fn is_exfat(sector: &[u8]) -> bool {
    sector.get(3..11) == Some(b"EXFAT   ")
}

/// Reads the boot region at `start`; if its sum is wrong, the second copy where that holds.
pub(super) fn read(dev: &dyn ReadAt, first: &[u8], start: u64) -> Option<ExfatBoot> {
    let main = parse(first, start).map(|boot| summed(dev, boot, start));
    if let Some(boot) = main.as_ref().filter(|boot| boot.sum_holds) {
        return Some(boot.clone());
    }
    // Where the second copy lies depends on the sector size, which may be what is damaged.
    for shift in 9..=12 {
        let at = start.checked_add(REGION_SECTORS << shift)?;
        let mut sector = [0; 512];
        if dev.read_at(at, &mut sector).is_err() || !is_exfat(&sector) {
            continue;
        }
        let second = parse(&sector, start).filter(|boot| boot.geometry.sector == 1 << shift);
        if let Some(mut boot) = second.map(|boot| summed(dev, boot, at))
            && boot.sum_holds
        {
            boot.sum_holds = false;
            return Some(boot);
        }
    }
    main
}

fn summed(dev: &dyn ReadAt, mut boot: ExfatBoot, at: u64) -> ExfatBoot {
    let sector = boot.geometry.sector as usize;
    let mut region = vec![0; REGION_SECTORS as usize * sector];
    boot.sum_holds = dev.read_at(at, &mut region).is_ok() && {
        let (summed, sums) = region.split_at(11 * sector);
        // VolumeFlags and PercentInUse change without a new sum.
        let counts = |at: &usize| !matches!(at, 106 | 107 | 112);
        let sum = (0..summed.len()).filter(counts).fold(0, |s, at| rotating_sum32(s, summed[at]));
        sums.chunks_exact(4).all(|four| u32_at(four, 0) == sum)
    };
    boot
}

fn parse(sector: &[u8], start: u64) -> Option<ExfatBoot> {
    let shift = *sector.get(108)?;
    let cluster_shift = *sector.get(109)?;
    let tables = *sector.get(110)?;
    let plausible = is_exfat(sector)
        && (9..=12).contains(&shift)
        && cluster_shift <= 25 - shift
        && (tables == 1 || tables == 2);
    if !plausible {
        return None;
    }
    let length = u64_at(sector, 72);
    let fat_at = u64::from(u32_at(sector, 80));
    let fat_length = u64::from(u32_at(sector, 84));
    let heap = u64::from(u32_at(sector, 88));
    let flags = u16_at(sector, 106);
    let in_use = u64::from(tables == 2 && flags & 1 != 0);
    let fat_bytes = fat_length << shift;
    let counted = u64::from(u32_at(sector, 92));
    // The heap cannot have more clusters than the volume has room for, nor the table entries.
    let room = length.checked_sub(heap)? >> cluster_shift;
    let entries = (fat_bytes / 4).saturating_sub(2);
    let clusters = counted.min(room).min(entries).min(0xffff_fff5);
    let laid_out = fat_at >= 2 * REGION_SECTORS
        && fat_at + fat_length * u64::from(tables) <= heap
        && clusters > 0
        && length < 1 << (63 - shift);
    if !laid_out {
        return None;
    }
    Some(ExfatBoot {
        geometry: Geometry {
            width: Width::Exfat,
            start,
            sector: 1 << shift,
            cluster: 1 << (shift + cluster_shift),
            fat: start + ((fat_at + in_use * fat_length) << shift),
            fat_bytes,
            mirrors: Vec::new(),
            heap: start + (heap << shift),
            clusters: u32::try_from(clusters).ok()?,
        },
        root_cluster: u32_at(sector, 96),
        flags,
        transactional: tables == 2,
        bytes: length << shift,
        sum_holds: false,
    })
}
