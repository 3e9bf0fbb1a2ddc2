//! Listing a volume, and finding one name in a folder.

use super::{
    DIRECTORY_BYTES_MAX, RUNS_MAX, ReadAt, VolumeError,
    card::Volume,
    caveats::{Caveats, shown},
    chain::{Broken, Run},
    directory::{Directory, Place, Slot},
    entry::{Entry, Outcome},
    fat::Fat,
    walk::{Entries, Node, Walk},
};
use crate::types::{FileEntry, Listing};
use std::io;

/// The first file, or folder, of this name in a directory.
///
/// # Errors
/// It was not found, and a part of the directory cannot be read.
pub(super) fn lookup(
    dev: &dyn ReadAt,
    volume: &Volume,
    place: Place,
    name: &[u8],
    folder: bool,
) -> io::Result<Option<Entry>> {
    let mut directory = Directory::new(place, volume.geometry());
    let mut entries = Entries::of(volume);
    let mut fat = Fat::default();
    let mut failed = None;
    while directory.bytes <= DIRECTORY_BYTES_MAX {
        let (at, raw) = match directory.next(dev, volume.geometry(), &mut fat) {
            Slot::Entry(at, raw) => (at, raw),
            Slot::Unreadable(_, error) => {
                entries.gap();
                failed = Some(error);
                continue;
            }
            Slot::Broken(Broken::Io(error)) => return Err(error),
            Slot::Broken(broken) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, broken.to_string()));
            }
            Slot::End => break,
        };
        match entries.push(at, &raw) {
            Outcome::Found(entry) if entry.folder == folder && entry.name == name => {
                return Ok(Some(entry));
            }
            Outcome::End => break,
            Outcome::Found(_) | Outcome::Nothing | Outcome::Odd(_) | Outcome::System { .. } => {}
        }
    }
    failed.map_or(Ok(None), Err)
}

/// Adds the files of a volume, sorted, and its caveats.
pub(super) fn append(
    dev: &dyn ReadAt,
    volume: &Volume,
    listing: &mut Listing,
) -> Result<(), VolumeError> {
    let mut walk = Walk::new(dev, volume);
    let of_volume = volume.prefix.as_bytes();
    for fault in &volume.faults {
        walk.caveats.about(of_volume, fault);
    }
    if volume.dirty {
        walk.caveats
            .about(of_volume, "it was not unmounted properly; its newest files may be lost");
    }
    let mut files = Vec::new();
    let mut owners = Owners::default();
    while let Some(node) = walk.next()? {
        match node {
            Node::File(path, entry) => {
                let label = path.as_ref().map_or(&entry.name[..], |path| path.as_bytes());
                let index = if path.is_some() { files.len() } else { usize::MAX };
                if let Some(words) = owners.check(&mut walk, &entry, index) {
                    // An empty file would be listed, copied and called whole.
                    if entry.size == 0 {
                        walk.caveats.unread_at(label, &words);
                    } else {
                        walk.caveats.about(label, &words);
                    }
                }
                if let Some(path) = path {
                    let (size, modified_ms) = (entry.size, entry.modified_ms);
                    let mark = Some(entry.mark());
                    files.push(FileEntry { path, size, modified_ms, mark });
                }
            }
            Node::Folder(path, entry) => {
                if let Some(words) = owners.check(&mut walk, &entry, usize::MAX) {
                    walk.caveats.about(&path, &words);
                }
            }
            Node::System { table, .. } => {
                if let Some(words) = owners.check(&mut walk, &table, usize::MAX) {
                    walk.caveats.about(of_volume, &format!("a table of it is damaged: {words}"));
                }
            }
        }
    }
    owners.tell_shared(&files, &mut walk.caveats);
    if walk.fat.from_mirror {
        let words = "a part of the allocation table is unreadable; its second copy was used";
        walk.caveats.about(of_volume, words);
    }
    // Stable, so that of two files of one path the one stays first that is found first.
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut kept: Vec<FileEntry> = Vec::with_capacity(files.len());
    for file in files {
        if kept.last().is_some_and(|before| before.path == file.path) {
            let words = format!("a second file of this name, of {} bytes, not listed", file.size);
            walk.caveats.unread_at(file.path.as_bytes(), &words);
        } else {
            kept.push(file);
        }
    }
    listing.files.extend(kept);
    walk.caveats.finish(listing);
    Ok(())
}

/// Which clusters belong to whom; also stops chains from being walked for ever.
#[derive(Debug, Default)]
struct Owners {
    /// Runs and the index of their file.
    runs: Vec<(Run, u32)>,
    /// Clusters of all chains so far.
    walked: u64,
    /// Not all runs are in here.
    cut_off: bool,
    /// Together they have more clusters than there are.
    too_many: bool,
}

impl Owners {
    /// Follows one chain; what is wrong with it, in words.
    fn check(&mut self, walk: &mut Walk<'_>, entry: &Entry, index: usize) -> Option<String> {
        let geometry = walk.volume.geometry();
        let room = u64::from(geometry.clusters);
        if self.too_many {
            return None;
        }
        if entry.first == 0 {
            let words =
                || format!("it has {} bytes, but none of them is kept anywhere", entry.size);
            return (entry.size > 0).then(words);
        }
        let mut chain = entry.chain(geometry);
        let mut clusters = 0;
        let mut on_card = 0;
        let broken = loop {
            match chain.run(walk.dev, geometry, &mut walk.fat, u64::MAX) {
                Ok(Some(run)) => {
                    clusters += u64::from(run.count);
                    self.walked += u64::from(run.count);
                    let begins = geometry.at(run.first);
                    let bytes = u64::from(run.count) * u64::from(geometry.cluster);
                    on_card += bytes.min(walk.dev.bytes().saturating_sub(begins));
                    self.own(run, index);
                }
                Ok(None) => break None,
                Err(broken) => break Some(broken.to_string()),
            }
            if self.walked > room {
                self.too_many = true;
                break None;
            }
        };
        let held = clusters * u64::from(geometry.cluster);
        let size = entry.size;
        let words = broken.unwrap_or_else(|| "its chain of clusters ends there".into());
        if self.too_many {
            None
        } else if entry.folder {
            // A folder that is cut off is told where it is read.
            None
        } else if held < size {
            Some(format!("only {held} of its {size} bytes can be read: {words}"))
        } else if on_card < size {
            Some(format!("only {on_card} of its {size} bytes lie on the card"))
        } else if size == 0 {
            Some(format!(
                "it is empty, yet {held} bytes are kept for it: a recording that was cut off?"
            ))
        } else {
            let more = clusters - geometry.clusters_for(size);
            (more > 0).then(|| format!("{more} clusters more than its size are kept for it"))
        }
    }

    fn own(&mut self, run: Run, index: usize) {
        if self.runs.len() < RUNS_MAX {
            self.runs.push((run, u32::try_from(index).unwrap_or(u32::MAX)));
        } else {
            self.cut_off = true;
        }
    }

    /// Tells who shares clusters with whom.
    fn tell_shared(mut self, files: &[FileEntry], caveats: &mut Caveats) {
        if self.too_many {
            let words = "files have more clusters together than the volume has: some share them";
            caveats.add(words.into());
        } else if self.cut_off {
            caveats.add("it is too fragmented to tell whether files share clusters".into());
        }
        self.runs.sort_unstable();
        let name = |index: u32| {
            let file = usize::try_from(index).ok().and_then(|index| files.get(index));
            file.map_or_else(|| "a folder or table".into(), |file| shown(file.path.as_bytes()))
        };
        let mut before: Option<(Run, u32)> = None;
        for (run, index) in self.runs {
            if let Some((last, other)) = before.filter(|(last, _)| last.meets(run)) {
                caveats.add(format!("{} and {} share clusters", name(other), name(index)));
                if last.end() > run.end() {
                    continue;
                }
            }
            before = Some((run, index));
        }
    }
}
