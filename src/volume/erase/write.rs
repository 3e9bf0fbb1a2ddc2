//! One task as one write, made from what the device holds now.

use super::{Change, Erasure, Phase, Task};
use crate::volume::{
    ReadAt, VolumeError,
    bytes::{u16_at, u32_at},
    chain::Run,
    geometry::{Link, Width},
};

impl Erasure {
    /// None where there is nothing to write.
    pub(super) fn change(
        &self,
        dev: &dyn ReadAt,
        task: &Task,
    ) -> Result<Option<Change>, VolumeError> {
        match task {
            Task::FatMark { table, clean } => self.fat_mark(dev, *table, *clean).map(Some),
            Task::ExfatMark { dirty } => self.exfat_mark(dev, *dirty).map(Some),
            Task::Slots { sector_at, slots } => self.slots(dev, *sector_at, slots).map(Some),
            Task::Table { table, run, follows, phase } => {
                self.table(dev, *table, *run, *follows, *phase).map(Some)
            }
            Task::Bits { at, from, count } => self.bits(dev, *at, *from, *count).map(Some),
            Task::Info { at, freed } => self.info(dev, *at, *freed),
        }
    }

    /// Whole sectors around `bytes` bytes at `at`, and where in them those begin.
    fn sectors(
        &self,
        dev: &dyn ReadAt,
        at: u64,
        bytes: u64,
        what: &'static str,
    ) -> Result<(Change, usize), VolumeError> {
        let sector = u64::from(self.geometry.sector);
        let inside = (at - self.geometry.start) % sector;
        let length = (inside + bytes).div_ceil(sector) * sector;
        let mut before = vec![0; usize::try_from(length).unwrap_or(0)];
        dev.read_at(at - inside, &mut before)
            .map_err(|source| VolumeError::Io { doing: format!("read {what}"), source })?;
        let after = before.clone();
        let change = Change { offset: at - inside, before, after, what };
        Ok((change, usize::try_from(inside).unwrap_or(0)))
    }

    fn fat_mark(&self, dev: &dyn ReadAt, table: u64, clean: bool) -> Result<Change, VolumeError> {
        // FAT[1]: the uppermost bit of 16, or bit 27 of 32; set means clean.
        let (entry, byte, bit) = match self.geometry.width {
            Width::Fat16 => (2, 1, 0x80),
            Width::Fat12 | Width::Fat32 | Width::Exfat => (4, 3, 0x08),
        };
        let (mut change, from) = self.sectors(dev, table + entry, entry, "the clean mark")?;
        let byte = &mut change.after[from + byte];
        *byte = if clean { *byte | bit } else { *byte & !bit };
        Ok(change)
    }

    fn exfat_mark(&self, dev: &dyn ReadAt, dirty: bool) -> Result<Change, VolumeError> {
        let (mut change, from) = self.sectors(dev, self.geometry.start, 512, "the dirty mark")?;
        if change.before.get(from + 3..from + 11) != Some(b"EXFAT   ") {
            return Err(self.unsafe_to_erase("the volume's first sector changed"));
        }
        let byte = &mut change.after[from + 106];
        *byte = if dirty { *byte | 2 } else { *byte & !2 };
        Ok(change)
    }

    fn slots(&self, dev: &dyn ReadAt, at: u64, slots: &[u64]) -> Result<Change, VolumeError> {
        let sector = u64::from(self.geometry.sector);
        let (mut change, _) = self.sectors(dev, at, sector, "the directory entry")?;
        for slot in slots {
            let first = usize::try_from(slot - at).ok().and_then(|at| change.after.get_mut(at));
            let first = first.ok_or_else(|| self.unsafe_to_erase("its entry moved"))?;
            if !self.is_in_use(*first) {
                return Err(self.unsafe_to_erase("its entry was erased meanwhile"));
            }
            *first = if self.exfat { *first & 0x7f } else { 0xe5 };
        }
        Ok(change)
    }

    fn table(
        &self,
        dev: &dyn ReadAt,
        table: u64,
        run: Run,
        follows: Option<u32>,
        phase: Phase,
    ) -> Result<Change, VolumeError> {
        let geometry = &self.geometry;
        let (at, width) = geometry.entry(run.first);
        let bytes = u64::from(run.count) * width as u64;
        let (mut change, from) = self.sectors(dev, table + at, bytes, "the allocation table")?;
        let entries = change.after[from..].chunks_exact_mut(width);
        for (number, raw) in (0..run.count).zip(entries) {
            let cluster = run.first + number;
            let last = number + 1 == run.count;
            let next = if last { follows } else { Some(cluster + 1) };
            let value = if width == 2 { u32::from(u16_at(raw, 0)) } else { u32_at(raw, 0) };
            let link = geometry.link(cluster, value);
            let expected = match (phase, next) {
                (Phase::Cut, Some(next)) => Link::Next(next),
                (Phase::Cut, None) | (Phase::Free, _) => Link::End,
            };
            if link != expected {
                let words = "a copy of the allocation table has another chain for it";
                return Err(self.unsafe_to_erase(words));
            }
            let new = match phase {
                Phase::Cut => geometry.end_mark(),
                Phase::Free => 0,
            };
            if width == 2 {
                raw.copy_from_slice(&(new as u16).to_le_bytes());
            } else {
                // The upper four bits of FAT32 stay as they are.
                raw.copy_from_slice(&(value & 0xf000_0000 | new & 0x0fff_ffff).to_le_bytes());
            }
        }
        Ok(change)
    }

    fn bits(
        &self,
        dev: &dyn ReadAt,
        at: u64,
        from: u64,
        count: u64,
    ) -> Result<Change, VolumeError> {
        let first = from / 8;
        let bytes = (from + count).div_ceil(8) - first;
        let (mut change, start) = self.sectors(dev, at + first, bytes, "the allocation bitmap")?;
        for bit in from..from + count {
            let byte = usize::try_from(bit / 8 - first).ok();
            let byte = byte.and_then(|byte| change.after.get_mut(start + byte));
            let byte = byte.ok_or_else(|| self.unsafe_to_erase("the bitmap is cut off"))?;
            if *byte >> (bit % 8) & 1 == 0 {
                return Err(self.unsafe_to_erase("the bitmap says that it has no clusters"));
            }
            *byte &= !(1 << (bit % 8));
        }
        Ok(change)
    }

    /// The count of free clusters is a hint that may be absent or wrong (fatgen103, "FSInfo").
    fn info(&self, dev: &dyn ReadAt, at: u64, freed: u32) -> Result<Option<Change>, VolumeError> {
        let (mut change, from) = self.sectors(dev, at, 512, "the count of free clusters")?;
        let sector = &mut change.after[from..];
        let marked = u32_at(sector, 0) == 0x4161_5252 && u32_at(sector, 484) == 0x6141_7272;
        let free = u32_at(sector, 488).checked_add(freed);
        let Some(free) = free.filter(|free| marked && *free <= self.geometry.clusters) else {
            return Ok(None);
        };
        sector[488..492].copy_from_slice(&free.to_le_bytes());
        Ok(Some(change))
    }
}
