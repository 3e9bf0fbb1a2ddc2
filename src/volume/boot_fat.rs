//! The boot sector of FAT12, FAT16 and FAT32 (fatgen103, "Boot Sector and BPB"; ECMA-107, 9).

use super::{
    bytes::{u16_at, u32_at},
    geometry::{Geometry, Width},
};

/// A FAT volume as its boot sector tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FatBoot {
    pub geometry: Geometry,
    /// The root directory of FAT12 and FAT16: a place of its own and its bytes.
    pub root_region: (u64, u64),
    /// The root directory of FAT32: its first cluster.
    pub root_cluster: u32,
    /// Where FAT32 keeps its count of free clusters, if it does.
    pub info: Option<u64>,
    /// Bytes the volume says it has.
    pub bytes: u64,
    /// The table has no room for all clusters; those beyond it cannot be reached.
    pub table_too_short: bool,
}

/// Reads a boot sector found at `start`. None if it cannot be one: every number is checked against
/// the others.
pub(super) fn parse(sector: &[u8], start: u64) -> Option<FatBoot> {
    let bytes_per_sector = u16_at(sector, 11);
    let per_cluster = *sector.get(13)?;
    let reserved = u64::from(u16_at(sector, 14));
    let tables = u64::from(*sector.get(16)?);
    let root_entries = u64::from(u16_at(sector, 17));
    let total = match u16_at(sector, 19) {
        0 => u64::from(u32_at(sector, 32)),
        total => u64::from(total),
    };
    let media = *sector.get(21)?;
    let table_16 = u64::from(u16_at(sector, 22));
    let table_32 = u64::from(u32_at(sector, 36));
    let plausible = (512..=4096).contains(&bytes_per_sector)
        && bytes_per_sector.is_power_of_two()
        && per_cluster.is_power_of_two()
        && reserved > 0
        && (1..=4).contains(&tables)
        && (media == 0xf0 || media >= 0xf8);
    if !plausible {
        return None;
    }
    let is_32 = table_16 == 0;
    if is_32 && (root_entries != 0 || table_32 == 0) || !is_32 && root_entries == 0 {
        return None;
    }
    let sector_bytes = u64::from(bytes_per_sector);
    let table = if is_32 { table_32 } else { table_16 };
    let root_sectors = (root_entries * 32).div_ceil(sector_bytes);
    let heap = reserved + tables * table + root_sectors;
    let counted = total.checked_sub(heap)? / u64::from(per_cluster);
    if counted == 0 {
        return None;
    }
    let (width, bits) = match (is_32, counted) {
        (true, _) => (Width::Fat32, 32),
        (false, ..4085) => (Width::Fat12, 12),
        (false, ..65_525) => (Width::Fat16, 16),
        (false, _) => return None,
    };
    let fat_bytes = table * sector_bytes;
    let fits = (fat_bytes * 8 / bits).saturating_sub(2);
    let clusters = counted.min(fits).min(0x0fff_fff5);
    // ExtFlags: one table in use instead of equal ones.
    let flags = if is_32 { u16_at(sector, 40) } else { 0 };
    let in_use = if flags & 0x80 != 0 { u64::from(flags & 15) } else { 0 };
    if in_use >= tables {
        return None;
    }
    let table_at = |number: u64| start + (reserved + number * table) * sector_bytes;
    let mirrored = flags & 0x80 == 0;
    let mirrors = (1..tables).filter(|_| mirrored).map(table_at).collect();
    let info = u64::from(u16_at(sector, 48));
    Some(FatBoot {
        geometry: Geometry {
            width,
            start,
            sector: u32::from(bytes_per_sector),
            cluster: u32::from(bytes_per_sector) * u32::from(per_cluster),
            fat: table_at(in_use),
            fat_bytes,
            mirrors,
            heap: start + heap * sector_bytes,
            clusters: u32::try_from(clusters).ok()?,
        },
        root_region: (start + (heap - root_sectors) * sector_bytes, root_entries * 32),
        root_cluster: if is_32 { u32_at(sector, 44) } else { 0 },
        info: (is_32 && (1..reserved).contains(&info)).then_some(start + info * sector_bytes),
        bytes: total * sector_bytes,
        table_too_short: clusters < counted,
    })
}
