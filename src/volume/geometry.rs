//! Where things lie on a volume, the same for every FAT and for exFAT.

/// How wide an entry of the file allocation table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Fat12,
    Fat16,
    Fat32,
    Exfat,
}

/// A volume's layout; all places are in bytes from the start of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Geometry {
    pub width: Width,
    /// Where the volume begins.
    pub start: u64,
    /// Bytes a sector: a power of two, 512 to 4096.
    pub sector: u32,
    /// Bytes a cluster: a power of two, 512 to 32 MiB.
    pub cluster: u32,
    /// The table in use.
    pub fat: u64,
    /// Bytes of one table.
    pub fat_bytes: u64,
    /// Other tables that are kept equal to it.
    pub mirrors: Vec<u64>,
    /// Where cluster 2 lies.
    pub heap: u64,
    /// How many clusters there are; their numbers begin at 2.
    pub clusters: u32,
}

/// What the table says of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Next(u32),
    /// The last of its chain.
    End,
    Free,
    Bad,
    /// A number that is no cluster of this volume.
    Outside(u32),
}

impl Geometry {
    pub fn has(&self, cluster: u32) -> bool {
        cluster >= 2 && cluster - 2 < self.clusters
    }

    /// Where a cluster lies.
    pub fn at(&self, cluster: u32) -> u64 {
        self.heap + u64::from(cluster.saturating_sub(2)) * u64::from(self.cluster)
    }

    /// How many clusters hold so many bytes.
    pub fn clusters_for(&self, bytes: u64) -> u64 {
        bytes.div_ceil(u64::from(self.cluster))
    }

    /// Where in a table the entry of a cluster begins, and its bytes. Two neighbours of FAT12 share
    /// a byte.
    pub fn entry(&self, cluster: u32) -> (u64, usize) {
        let cluster = u64::from(cluster);
        match self.width {
            Width::Fat12 => (cluster + cluster / 2, 2),
            Width::Fat16 => (cluster * 2, 2),
            Width::Fat32 | Width::Exfat => (cluster * 4, 4),
        }
    }

    /// The mark of a chain's last cluster.
    pub fn end_mark(&self) -> u32 {
        match self.width {
            Width::Fat12 => 0xfff,
            Width::Fat16 => 0xffff,
            Width::Fat32 => 0x0fff_ffff,
            Width::Exfat => 0xffff_ffff,
        }
    }

    /// What an entry means (fatgen103, "FAT Data Structure"; exFAT 4.1).
    pub fn link(&self, cluster: u32, raw: u32) -> Link {
        let (value, bad) = match self.width {
            Width::Fat12 if cluster % 2 == 1 => (raw >> 4 & 0xfff, 0xff7),
            Width::Fat12 => (raw & 0xfff, 0xff7),
            Width::Fat16 => (raw & 0xffff, 0xfff7),
            // The upper four bits belong to nobody.
            Width::Fat32 => (raw & 0x0fff_ffff, 0x0fff_fff7),
            Width::Exfat => (raw, 0xffff_fff7),
        };
        match value {
            0 => Link::Free,
            value if self.has(value) => Link::Next(value),
            value if value == bad => Link::Bad,
            value if value > bad => Link::End,
            value => Link::Outside(value),
        }
    }
}
