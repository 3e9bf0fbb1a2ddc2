//! How much a card holds and how much of it is free.

use super::{
    Card, FileReader, ReadAt, Volume,
    bytes::u32_at,
    card::Boot,
    entry::Entry,
    fat::Fat,
    geometry::{Geometry, Link, Width},
    walk::{Node, Walk},
};
use std::io::Read as _;

/// The largest allocation bitmap that is counted, bytes: 33 million clusters.
const BITMAP_BYTES_MAX: u64 = 4 << 20;
/// Entries of an exFAT root looked at to find the bitmap; it stands at its beginning.
const LOOKED_AT_MAX: usize = 64;

/// Bytes of a card's volumes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub bytes: u64,
    /// None where the card does not say, or what it says is not to be believed.
    pub free: Option<u64>,
}

impl Card {
    /// How much room its volumes have. Reads at most 4 MiB a volume.
    pub fn room(&self, dev: &dyn ReadAt) -> Room {
        let mut all = Room { bytes: 0, free: Some(0) };
        for volume in self.volumes() {
            let geometry = volume.geometry();
            let cluster = u64::from(geometry.cluster);
            all.bytes += u64::from(geometry.clusters) * cluster;
            let free = free_clusters(dev, volume).map(|free| u64::from(free) * cluster);
            all.free = all.free.zip(free).map(|(all, free)| all + free);
        }
        all
    }
}

fn free_clusters(dev: &dyn ReadAt, volume: &Volume) -> Option<u32> {
    let geometry = volume.geometry();
    match (&volume.boot, geometry.width) {
        (Boot::Fat(boot), Width::Fat32) => {
            // The count is a hint that a card not unmounted properly may have left wrong.
            let info = boot.info.filter(|_| !volume.dirty)?;
            let mut sector = [0; 512];
            dev.read_at(info, &mut sector).ok()?;
            let marked = u32_at(&sector, 0) == 0x4161_5252 && u32_at(&sector, 484) == 0x6141_7272;
            Some(u32_at(&sector, 488)).filter(|free| marked && *free <= geometry.clusters)
        }
        (Boot::Fat(_), _) => counted(dev, geometry),
        (Boot::Exfat(_), _) => {
            let bitmap = bitmap(dev, volume)?;
            let used = used(dev, geometry, &bitmap)?;
            geometry.clusters.checked_sub(used)
        }
    }
}

/// FAT12 and FAT16 have at most 65,524 clusters.
fn counted(dev: &dyn ReadAt, geometry: &Geometry) -> Option<u32> {
    let mut fat = Fat::default();
    let mut free = 0;
    for cluster in 2..geometry.clusters.checked_add(2)? {
        free += u32::from(fat.link(dev, geometry, cluster).ok()? == Link::Free);
    }
    Some(free)
}

/// The allocation bitmap (exFAT 7.1), of volumes that have one.
fn bitmap(dev: &dyn ReadAt, volume: &Volume) -> Option<Entry> {
    let mut walk = Walk::new(dev, volume);
    for _ in 0..LOOKED_AT_MAX {
        match walk.next().ok()?? {
            Node::System { kind: 0x81, flags, table } if flags & 1 == 0 => return Some(table),
            Node::System { .. } | Node::File(..) | Node::Folder(..) => {}
        }
    }
    None
}

fn used(dev: &dyn ReadAt, geometry: &Geometry, bitmap: &Entry) -> Option<u32> {
    let bytes = u64::from(geometry.clusters).div_ceil(8);
    if bitmap.size < bytes || bytes > BITMAP_BYTES_MAX {
        return None;
    }
    let mut bits = vec![0; usize::try_from(bytes).ok()?];
    FileReader::new(dev, geometry, bitmap, 0).ok()?.read_exact(&mut bits).ok()?;
    // Bits beyond the last cluster mean nothing.
    let over = bits.len() * 8 - geometry.clusters as usize;
    if let Some(last) = bits.last_mut() {
        *last &= 0xff >> over;
    }
    Some(bits.iter().map(|byte| byte.count_ones()).sum())
}
