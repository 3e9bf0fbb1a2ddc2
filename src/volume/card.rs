//! A card: its volumes, and where a path leads on them.

use super::{
    FileReader, ReadAt, VolumeError,
    boot_exfat::{self, ExfatBoot},
    boot_fat::{self, FatBoot},
    bytes::{u16_at, u32_at},
    caveats::Caveats,
    directory::Place,
    entry::Entry,
    geometry::{Geometry, Width},
    known, list, partition,
};
use crate::types::{Listing, SourcePath};
use std::io;

/// What was found at the start of a volume.
#[derive(Debug, Clone)]
pub(super) enum Boot {
    Fat(FatBoot),
    Exfat(ExfatBoot),
}

/// One file system that can be read.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Its partition; 0 on a card without a partition table.
    pub(super) number: u32,
    /// `volume-N` if the card has several.
    pub(super) prefix: String,
    pub(super) boot: Boot,
    /// What of its frame is not as it should be: it is read, and nothing is written to it.
    pub(super) faults: Vec<String>,
    /// It says itself that it was not unmounted properly.
    pub(super) dirty: bool,
}

/// The volumes of one card, and what else was seen on it.
///
/// Only places and sizes are kept, so it stays true while the card is not formatted anew.
#[derive(Debug, Clone)]
pub struct Card {
    volumes: Vec<Volume>,
    /// What was seen beside them; holds no files.
    beside: Listing,
}

impl Volume {
    pub(super) fn geometry(&self) -> &Geometry {
        match &self.boot {
            Boot::Fat(boot) => &boot.geometry,
            Boot::Exfat(boot) => &boot.geometry,
        }
    }

    pub(super) fn root(&self) -> Place {
        match &self.boot {
            Boot::Fat(boot) if boot.geometry.width != Width::Fat32 => {
                Place::Region { at: boot.root_region.0, bytes: boot.root_region.1 }
            }
            Boot::Fat(boot) => Place::Linked { first: boot.root_cluster },
            Boot::Exfat(boot) => Place::Linked { first: boot.root_cluster },
        }
    }

    /// How people call its file system.
    pub fn kind(&self) -> &'static str {
        match self.geometry().width {
            Width::Fat12 => "FAT12",
            Width::Fat16 => "FAT16",
            Width::Fat32 => "FAT32",
            Width::Exfat => "exFAT",
        }
    }

    fn read(dev: &dyn ReadAt, part: partition::Part, table_sound: bool) -> Option<Self> {
        let mut sector = [0; 512];
        dev.read_at(part.start, &mut sector).ok()?;
        let boot = if boot_exfat::is_exfat(&sector) {
            Boot::Exfat(boot_exfat::read(dev, &sector, part.start)?)
        } else {
            Boot::Fat(boot_fat::parse(&sector, part.start)?)
        };
        let mut volume =
            Self { number: part.number, prefix: String::new(), boot, faults: vec![], dirty: false };
        let bytes = match &volume.boot {
            Boot::Fat(boot) => boot.bytes,
            Boot::Exfat(boot) => boot.bytes,
        };
        let mut fault = |wrong: bool, words: &str| {
            if wrong {
                volume.faults.push(words.to_owned());
            }
        };
        fault(!table_sound, "the partition table is not sound");
        fault(bytes > dev.bytes() - part.start, "the file system goes on beyond the card's end");
        fault(bytes > part.bytes, "the file system goes on beyond its partition");
        match &volume.boot {
            Boot::Fat(boot) => {
                let short = boot.table_too_short;
                fault(short, "the allocation table is too short for the volume");
                let (clean, healthy) = fat_state(dev, boot).unwrap_or((true, true));
                fault(!healthy, "the card had read or write errors before");
                // Bit 0 is what Windows and Linux set while they write.
                let state = if boot.geometry.width == Width::Fat32 { 65 } else { 37 };
                volume.dirty = !clean || sector[state] & 1 != 0;
            }
            Boot::Exfat(boot) => {
                fault(!boot.sum_holds, "the boot region fails its checksum");
                fault(boot.flags & 4 != 0, "the card had read or write errors before");
                volume.dirty = boot.flags & 2 != 0;
            }
        }
        Some(volume)
    }
}

/// The two bits of FAT[1] (fatgen103, "ClnShutBitMask", "HrdErrBitMask"): properly unmounted, and
/// free of errors.
fn fat_state(dev: &dyn ReadAt, boot: &FatBoot) -> Option<(bool, bool)> {
    let mut entry = [0; 4];
    let (at, _) = boot.geometry.entry(1);
    dev.read_at(boot.geometry.fat + at, &mut entry).ok()?;
    match boot.geometry.width {
        Width::Fat12 | Width::Exfat => None,
        Width::Fat16 => Some((u16_at(&entry, 0) >> 15 & 1 == 1, u16_at(&entry, 0) >> 14 & 1 == 1)),
        Width::Fat32 => Some((u32_at(&entry, 0) >> 27 & 1 == 1, u32_at(&entry, 0) >> 26 & 1 == 1)),
    }
}

impl Card {
    /// Finds the volumes of a card.
    ///
    /// # Errors
    /// [`VolumeError::Io`] if its first sector cannot be read; [`VolumeError::NotReadable`], with
    /// what there is instead, if there is no FAT and no exFAT on it.
    pub fn open(dev: &dyn ReadAt) -> Result<Self, VolumeError> {
        let mut first = [0; 512];
        dev.read_at(0, &mut first).map_err(|source| VolumeError::Io {
            doing: "read the card's beginning".into(),
            source,
        })?;
        let mut caveats = Caveats::default();
        let (parts, sound) = partition::parts(dev, &first, &mut caveats);
        let mut volumes = Vec::new();
        let mut unread = Vec::new();
        for part in parts {
            match Volume::read(dev, part, sound) {
                Some(volume) => volumes.push(volume),
                None if part.number == 0 => unread.push(known::name(dev, part.start)),
                None => unread.push(format!(
                    "partition {} is not read: {}",
                    part.number,
                    known::name(dev, part.start)
                )),
            }
        }
        if volumes.is_empty() {
            let mut beside = Listing::default();
            caveats.finish(&mut beside);
            unread.extend(beside.caveats.into_iter().chain(beside.unread));
            return Err(VolumeError::NotReadable(format!(
                "nothing on the card can be read: {}; an administrator can mount it \
                 (ro,nodev,nosuid,noexec) and dock that folder",
                unread.join("; ")
            )));
        }
        unread.into_iter().for_each(|words| caveats.unread(words));
        if volumes.len() > 1 {
            for volume in &mut volumes {
                volume.prefix = format!("volume-{}", volume.number);
            }
        }
        let mut beside = Listing::default();
        caveats.finish(&mut beside);
        Ok(Self { volumes, beside })
    }

    pub fn volumes(&self) -> &[Volume] {
        &self.volumes
    }

    /// All files of all volumes, sorted, and in words whatever could not be had. A card with
    /// several volumes has a folder `volume-N` for each.
    ///
    /// # Errors
    /// [`VolumeError::TooMuch`].
    pub fn list(&self, dev: &dyn ReadAt) -> Result<Listing, VolumeError> {
        let mut listing = self.beside.clone();
        for volume in &self.volumes {
            list::append(dev, volume, &mut listing)?;
        }
        Ok(listing)
    }

    /// A reader of one file, from `offset` on.
    ///
    /// # Errors
    /// [`VolumeError::NoSuchFile`]; [`VolumeError::Io`] if the way there cannot be read.
    pub fn read<D: ReadAt>(
        &self,
        dev: D,
        path: &SourcePath,
        offset: u64,
    ) -> Result<FileReader<D>, VolumeError> {
        let (volume, entry) = self.find(&dev, path)?;
        FileReader::new(dev, volume.geometry(), &entry, offset)
            .map_err(|source| VolumeError::Io { doing: format!("read {path}"), source })
    }

    /// The volume that a path is on.
    pub(super) fn volume_of(&self, path: &SourcePath) -> Result<&Volume, VolumeError> {
        let first = path.as_bytes().split(|byte| *byte == b'/').next().unwrap_or(b"");
        let prefix = if self.volumes.len() > 1 { first } else { b"" };
        let mut volumes = self.volumes.iter();
        let found = volumes.find(|volume| volume.prefix.as_bytes() == prefix);
        found.ok_or_else(|| VolumeError::NoSuchFile(path.clone()))
    }

    /// The first file of this path.
    pub(super) fn find(
        &self,
        dev: &dyn ReadAt,
        path: &SourcePath,
    ) -> Result<(&Volume, Entry), VolumeError> {
        let no_such = || VolumeError::NoSuchFile(path.clone());
        let volume = self.volume_of(path)?;
        let mut place = volume.root();
        let names = path.as_bytes().split(|byte| *byte == b'/');
        let mut names = names.skip(usize::from(self.volumes.len() > 1)).peekable();
        while let Some(name) = names.next() {
            let folder = names.peek().is_some();
            let found = list::lookup(dev, volume, place, name, folder).map_err(|source| {
                let doing = format!("look for {path}: a part of its folder is unreadable");
                VolumeError::Io { doing, source }
            })?;
            match found {
                Some(entry) if folder => place = entry.place(),
                Some(entry) => return Ok((volume, entry)),
                None => return Err(no_such()),
            }
        }
        Err(no_such())
    }
}

impl From<VolumeError> for io::Error {
    fn from(error: VolumeError) -> Self {
        match error {
            VolumeError::Io { source, .. } => source,
            other => Self::other(other),
        }
    }
}
