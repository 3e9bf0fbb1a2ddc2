//! One walk over a volume, remembered, so that erasing many of its files costs about one walk.
//!
//! Only what is said of *everything else* is remembered: that all of the volume could be read, and
//! who has which clusters. What is said of the file itself is looked at anew on the medium for each
//! one: its entry, byte for byte the same file as in the walk (name, size, first cluster, times); its
//! chain, the same clusters; its links in every table, or its bits. So a survey can only be wrong if
//! somebody else wrote to the card since, which its holder must prevent; even then the file that goes
//! is the one that was proven, and what it gives back is what its own entry and chain say.

use super::Erasure;
use crate::{
    types::SourcePath,
    volume::{
        RUNS_MAX, ReadAt, VolumeError,
        card::Volume,
        chain::{Broken, Run},
        entry::{Entry, Outcome},
        geometry::Width,
        walk::{Entries, Node, Walk},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Files that are remembered: about 24 MiB. A volume with more is walked for each file.
const FILES_MAX: usize = 65_536;

/// What a walk found on one volume.
#[derive(Debug)]
pub struct Survey {
    volume: u32,
    files: BTreeMap<SourcePath, Known>,
    /// Every run of clusters and the number of whoever has it, sorted.
    runs: Vec<(Run, u32)>,
    /// Who has a cluster that somebody else has too.
    shared: BTreeSet<u32>,
    /// exFAT's.
    bitmap: Option<Entry>,
    /// Why nothing on the volume may be erased.
    refusal: Option<String>,
}

#[derive(Debug)]
struct Known {
    entry: Entry,
    number: u32,
    /// There is another file of the same path.
    twice: bool,
}

impl Survey {
    /// Walks a volume; none if it holds more than is remembered.
    ///
    /// # Errors
    /// [`VolumeError::TooMuch`].
    pub(in crate::volume) fn take(
        dev: &dyn ReadAt,
        volume: &Volume,
    ) -> Result<Option<Self>, VolumeError> {
        let mut walk = Walk::new(dev, volume);
        let mut found = Found::default();
        let mut files: BTreeMap<SourcePath, Known> = BTreeMap::new();
        let mut bitmaps = Vec::new();
        // The root has no entry of its own.
        if let crate::volume::directory::Place::Linked { first } = volume.root() {
            found.follow(&mut walk, &Entry { folder: true, first, ..Entry::default() });
        }
        while let Some(node) = walk.next()? {
            let number = match &node {
                Node::File(_, entry) | Node::Folder(_, entry) => found.follow(&mut walk, entry),
                Node::System { table, .. } => found.follow(&mut walk, table),
            };
            match node {
                Node::File(Some(path), entry) => {
                    let twice = files.contains_key(&path);
                    let known = files.entry(path).or_insert(Known { entry, number, twice });
                    known.twice |= twice;
                }
                Node::System { kind: 0x81, flags, table } if flags & 1 == 0 => bitmaps.push(table),
                Node::File(None, _) | Node::Folder(..) | Node::System { .. } => {}
            }
            if files.len() > FILES_MAX || found.runs.len() > RUNS_MAX {
                return Ok(None);
            }
            if found.refusal.is_some() {
                break;
            }
        }
        let exfat = volume.geometry().width == Width::Exfat;
        let mut refusal = found.refusal.take();
        if refusal.is_none() && !walk.complete {
            let first = walk.caveats.first_unread().unwrap_or_default();
            refusal = Some(format!("not everything on the card can be read: {first}"));
        }
        if refusal.is_none() && exfat && bitmaps.len() != 1 {
            refusal = Some("the volume has no allocation bitmap, or several".into());
        }
        let shared = found.shared();
        let bitmap = bitmaps.pop().filter(|_| exfat);
        let runs = found.runs;
        Ok(Some(Self { volume: volume.number, files, runs, shared, bitmap, refusal }))
    }

    pub(in crate::volume) fn is_of(&self, volume: &Volume) -> bool {
        self.volume == volume.number
    }

    /// The entry of a file as the medium has it now, if it is the one of the walk; none for a file
    /// that the walk did not see.
    ///
    /// # Errors
    /// [`VolumeError::Changed`] if another entry is in its place; [`VolumeError::Io`].
    pub(in crate::volume) fn entry(
        &self,
        dev: &dyn ReadAt,
        volume: &Volume,
        path: &SourcePath,
    ) -> Result<Option<Entry>, VolumeError> {
        let Some(known) = self.files.get(path).filter(|known| !known.twice) else {
            return Ok(None);
        };
        let now = read_again(dev, volume, &known.entry).map_err(|source| VolumeError::Io {
            doing: format!("look at the directory entry of {path} again"),
            source,
        })?;
        if now.as_ref() == Some(&known.entry) {
            return Ok(now);
        }
        let words = "its directory entry is another one than a moment ago".into();
        Err(VolumeError::Changed { path: path.clone(), words })
    }

    /// That nobody else has one of a file's clusters; gives the bitmap of exFAT.
    pub(super) fn nobody_else_has(
        &self,
        erasure: &Erasure,
        runs: &[Run],
    ) -> Result<Option<Entry>, VolumeError> {
        if let Some(words) = &self.refusal {
            return Err(erasure.unsafe_to_erase(words.clone()));
        }
        let Some(known) = self.files.get(&erasure.path) else {
            return Err(erasure.unsafe_to_erase("it was not there when the card was walked"));
        };
        if known.twice {
            return Err(erasure.unsafe_to_erase("there are two files of this name"));
        }
        if self.shared.contains(&known.number) {
            let words = "another file or folder has some of its clusters too";
            return Err(erasure.unsafe_to_erase(words));
        }
        if runs.iter().any(|run| self.runs.binary_search(&(*run, known.number)).is_err()) {
            let words = "it has other clusters than when the card was walked";
            return Err(erasure.unsafe_to_erase(words));
        }
        Ok(self.bitmap.clone())
    }

    /// A file was erased: it is asked for on the medium again, should anybody want it.
    pub fn forget(&mut self, path: &SourcePath) {
        self.files.remove(path);
    }
}

/// What lies now where an entry was read before.
fn read_again(
    dev: &dyn ReadAt,
    volume: &Volume,
    entry: &Entry,
) -> Result<Option<Entry>, std::io::Error> {
    let mut slots = entry.slots.clone();
    // On FAT the entry that counts is the last one of its file on the medium, on exFAT the first.
    if volume.geometry().width != Width::Exfat {
        slots.reverse();
    }
    let mut entries = Entries::of(volume);
    let mut last = None;
    for at in slots {
        let mut raw = [0; 32];
        dev.read_at(at, &mut raw)?;
        last = match entries.push(at, &raw) {
            Outcome::Found(entry) => Some(entry),
            Outcome::Nothing | Outcome::Odd(_) | Outcome::System { .. } | Outcome::End => None,
        };
    }
    Ok(last)
}

/// Clusters and their owners while they are being found.
#[derive(Debug, Default)]
struct Found {
    runs: Vec<(Run, u32)>,
    owners: u32,
    walked: u64,
    refusal: Option<String>,
}

impl Found {
    /// Follows a chain; gives its owner's number.
    fn follow(&mut self, walk: &mut Walk<'_>, entry: &Entry) -> u32 {
        let geometry = walk.volume.geometry();
        let number = self.owners;
        self.owners += 1;
        let mut chain = entry.chain(geometry);
        while self.refusal.is_none() && self.runs.len() <= RUNS_MAX {
            match chain.run(walk.dev, geometry, &mut walk.fat, u64::MAX) {
                Ok(Some(run)) => {
                    self.walked += u64::from(run.count);
                    self.runs.push((run, number));
                }
                Err(Broken::Io(error)) => {
                    let words = format!("a part of the allocation table is unreadable: {error}");
                    self.refusal = Some(words);
                }
                // Whatever else is wrong with it, its clusters up to here are its own.
                Ok(None) | Err(_) => break,
            }
            if self.walked > u64::from(geometry.clusters) {
                self.refusal = Some("files of the card share clusters".into());
            }
        }
        number
    }

    /// Sorts the runs; gives everyone who has a cluster that another has.
    fn shared(&mut self) -> BTreeSet<u32> {
        self.runs.sort_unstable();
        let mut shared = BTreeSet::new();
        // The run that reaches furthest so far.
        let mut reach: Option<(Run, u32)> = None;
        for (run, number) in &self.runs {
            if let Some((furthest, other)) = reach
                && furthest.meets(*run)
            {
                shared.extend([*number, other]);
            }
            if reach.is_none_or(|(furthest, _)| furthest.end() < run.end()) {
                reach = Some((*run, *number));
            }
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn everyone_who_shares_is_found(
            runs in prop::collection::vec(((2..60u32, 1..12u32), 0..9u32), 0..24),
        ) {
            let runs: Vec<_> =
                runs.into_iter().map(|((first, count), who)| (Run { first, count }, who)).collect();
            let mut wanted = BTreeSet::new();
            for (at, (one, who)) in runs.iter().enumerate() {
                for (other, whose) in &runs[at + 1..] {
                    if one.meets(*other) {
                        wanted.extend([*who, *whose]);
                    }
                }
            }
            let mut found = Found { runs, ..Found::default() };
            prop_assert_eq!(found.shared(), wanted);
        }
    }
}
