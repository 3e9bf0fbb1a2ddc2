//! The file allocation table, seen through a small window.

use super::{
    ReadAt,
    bytes::{u16_at, u32_at},
    geometry::{Geometry, Link},
};
use std::io;

/// Bytes of the table that are kept at a time.
const WINDOW: usize = 16 << 10;

/// A part of a volume's table in memory.
#[derive(Debug, Default)]
pub(super) struct Fat {
    bytes: Vec<u8>,
    /// Where in the table the bytes begin.
    at: u64,
    /// A part of the table could only be read from its second copy.
    pub from_mirror: bool,
}

impl Fat {
    /// What the table says of a cluster that the volume has.
    ///
    /// # Errors
    /// Neither the table nor a copy of it can be read there.
    pub fn link(
        &mut self,
        dev: &dyn ReadAt,
        geometry: &Geometry,
        cluster: u32,
    ) -> io::Result<Link> {
        let (at, width) = geometry.entry(cluster);
        let inside = |fat: &Self| {
            let offset = usize::try_from(at.checked_sub(fat.at)?).ok()?;
            (offset + width <= fat.bytes.len()).then_some(offset)
        };
        if inside(self).is_none() {
            self.load(dev, geometry, at)?;
        }
        let offset = inside(self).ok_or(io::ErrorKind::UnexpectedEof)?;
        let raw = match width {
            2 => u32::from(u16_at(&self.bytes, offset)),
            _ => u32_at(&self.bytes, offset),
        };
        Ok(geometry.link(cluster, raw))
    }

    fn load(&mut self, dev: &dyn ReadAt, geometry: &Geometry, at: u64) -> io::Result<()> {
        let sector = u64::from(geometry.sector);
        self.at = at / sector * sector;
        let left = usize::try_from(geometry.fat_bytes.saturating_sub(self.at)).unwrap_or(WINDOW);
        self.bytes.resize(WINDOW.min(left), 0);
        if dev.read_at(geometry.fat + self.at, &mut self.bytes).is_ok() {
            return Ok(());
        }
        // A bad sector, or the end of a cut-off image: as little as possible, from where possible.
        self.bytes.truncate(2 * geometry.sector as usize);
        let mut failed = match dev.read_at(geometry.fat + self.at, &mut self.bytes) {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        for mirror in &geometry.mirrors {
            match dev.read_at(mirror + self.at, &mut self.bytes) {
                Ok(()) => {
                    self.from_mirror = true;
                    return Ok(());
                }
                Err(error) => failed = error,
            }
        }
        self.bytes.clear();
        Err(failed)
    }
}
