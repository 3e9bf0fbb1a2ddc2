//! Hash lists: which digest each file has, and which recording a list itself belongs to.

use super::{FindingKind, LISTS, PlannedFile, Planner};
use crate::{
    evidence::{HashList, ListKind, profile::Role},
    types::{FileKind, SourcePath},
};

impl Planner<'_> {
    /// Takes the digests of every readable list; unreadable lists are left to the grouping.
    pub(super) fn read_lists(&mut self) {
        let lists: Vec<usize> =
            (0..self.files.len()).filter(|at| self.files[*at].role == Role::Manifest).collect();
        for at in lists {
            let entry = self.files[at].entry;
            let Some(bytes) = self.small.get(&entry.path) else {
                let words = "the hash list could not be read, or is too long to be one";
                self.findings.add(FindingKind::Unreadable, Some(&entry.path), words);
                continue;
            };
            let list = HashList::parse(ListKind::of(&entry.path), entry.path.folder(), bytes);
            for refused in &list.refused {
                let words = format!("line {} does not count: {}", refused.line, refused.words);
                self.findings.add(FindingKind::Caveat, Some(&entry.path), words);
            }
            let name = self.list_home(&list);
            self.files[at].taken = true;
            self.recording(&name).files.push(PlannedFile::new(FileKind::Manifest, entry));
            self.merge(list);
        }
    }

    /// The one recording whose files the list names, or [`LISTS`]. Only the list's own text
    /// decides, so that it stays where it is while its files come and go.
    fn list_home(&self, list: &HashList) -> String {
        let mut keys = list.digests.keys().map(|path| self.group_name(path));
        match keys.next().flatten() {
            Some(first) if keys.all(|key| key.as_ref() == Some(&first)) => first,
            _ => LISTS.into(),
        }
    }

    fn merge(&mut self, list: HashList) {
        for path in list.conflicting {
            self.disbelieve(path);
        }
        for (path, digest) in list.digests {
            match self.digests.get(&path) {
                Some(before) if *before != digest => self.disbelieve(path),
                _ => {
                    self.digests.insert(path, digest);
                }
            }
        }
    }

    fn disbelieve(&mut self, path: SourcePath) {
        let words = "the camera's lists give it different digests; none is believed";
        self.findings.add(FindingKind::Conflict, Some(&path), words);
        self.conflicting.insert(path);
    }
}
