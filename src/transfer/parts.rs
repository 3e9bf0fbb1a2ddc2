//! Which parts the store has, which are on their way, and what ListParts may add to that.

use super::ListedPart;
use crate::types::fact::{Part, SealedObject};
use std::collections::{BTreeMap, BTreeSet};

/// The parts of one upload. Every number is in exactly one of the three.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    todo: BTreeSet<u32>,
    in_flight: BTreeSet<u32>,
    acked: BTreeMap<u32, String>,
}

impl Parts {
    pub(super) fn new(object: &SealedObject) -> Self {
        let count = object.table.parts.len() as u32;
        Self { todo: (1..=count).collect(), ..Self::default() }
    }

    /// Puts the lowest part that is to be sent on its way.
    pub(super) fn start(&mut self) -> Option<u32> {
        let number = self.todo.pop_first()?;
        self.in_flight.insert(number);
        Some(number)
    }

    /// A part came home; false if it was not on its way.
    pub(super) fn home(&mut self, number: u32, etag: Option<String>) -> bool {
        if !self.in_flight.remove(&number) {
            return false;
        }
        match etag {
            Some(etag) => drop(self.acked.insert(number, etag)),
            None => drop(self.todo.insert(number)),
        }
        true
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Bytes the store has acknowledged.
    pub(super) fn acked_bytes(&self, object: &SealedObject) -> u64 {
        let len = |n: &u32| object.table.part_len(*n, object.sealed.size);
        self.acked.keys().map(len).sum()
    }

    pub(super) fn all_acked(&self) -> bool {
        self.todo.is_empty() && self.in_flight.is_empty()
    }

    /// In the order of their numbers; only meaningful when all are there.
    pub(super) fn etags(&self) -> Vec<String> {
        self.acked.values().cloned().collect()
    }

    /// Takes what ListParts says together with what the dock remembers; on any doubt a part is
    /// sent again. Rows may be doubled, unsorted, foreign or lack parts.
    ///
    /// A part counts when a row has its size and its ETag is the one the dock was given, or the
    /// SHA-256 or, where that is known, the MD5 of the part: this covers a part whose
    /// acknowledgement was lost. Without either such a part is sent again.
    pub(super) fn merge(
        object: &SealedObject,
        remembered: &BTreeMap<u32, String>,
        rows: &[ListedPart],
    ) -> Self {
        let mut parts = Self::new(object);
        for (number, part) in (1..).zip(&object.table.parts) {
            let size = object.table.part_len(number, object.sealed.size);
            let mut matching = rows.iter().filter(|row| row.number == number).peekable();
            // Two rows for one part that differ: nobody knows which one Complete would take.
            let all_agree = matching.peek().is_some()
                && matching.clone().all(|row| {
                    let known = remembered.get(&number).is_some_and(|e| same_etag(e, &row.etag));
                    row.size == size && (known || is_digest_of(&row.etag, part))
                });
            let first = matching.next().filter(|_| all_agree);
            if let Some(row) = first
                && matching.all(|other| same_etag(&other.etag, &row.etag))
            {
                parts.todo.remove(&number);
                parts.acked.insert(number, row.etag.trim_matches('"').to_owned());
            }
        }
        parts
    }

    /// What was acknowledged, to be merged later.
    pub(super) fn into_acked(self) -> BTreeMap<u32, String> {
        self.acked
    }
}

fn same_etag(one: &str, other: &str) -> bool {
    let bare = |etag: &'_ str| etag.trim_matches('"').to_ascii_lowercase();
    bare(one) == bare(other)
}

fn is_digest_of(etag: &str, part: &Part) -> bool {
    let md5 = part.md5.is_some_and(|md5| same_etag(etag, &md5.to_string()));
    md5 || same_etag(etag, &part.sha256.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{
        Class, Md5Digest, ObjectId, RecordingId, Sha256Digest,
        fact::{Content, Hashed, PartTable},
    };

    fn object() -> SealedObject {
        let part = |n| Part { sha256: Sha256Digest([n; 32]), md5: Some(Md5Digest([n; 16])) };
        let hashed = Hashed { size: 15, sha256: Sha256Digest([9; 32]) };
        SealedObject {
            id: ObjectId(uuid::Uuid::nil()),
            content: Content::Record(RecordingId(uuid::Uuid::nil())),
            plain: hashed,
            sealed: hashed,
            table: PartTable { part_size: 8, parts: vec![part(1), part(2)] },
            key: "k".into(),
            class: Class::Evidential,
            retain_until: None,
        }
    }

    /// Which parts need not be sent again.
    fn kept(remembered: &[(u32, &str)], rows: &[(u32, &str, u64)]) -> Vec<u32> {
        let remembered = remembered.iter().map(|(n, etag)| (*n, (*etag).to_owned())).collect();
        let row = |(number, etag, size): &(u32, &str, u64)| ListedPart {
            number: *number,
            etag: (*etag).to_owned(),
            size: *size,
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        let parts = Parts::merge(&object(), &remembered, &rows);
        let all: BTreeSet<u32> = parts.acked.keys().chain(&parts.todo).copied().collect();
        assert_eq!(all, BTreeSet::from([1, 2]));
        parts.into_acked().into_keys().collect()
    }

    #[test]
    fn any_doubt_about_a_part_sends_it_again() {
        let (one, two) = ("01".repeat(16), "02".repeat(16));
        let (one, two) = (one.as_str(), two.as_str());
        let quoted = format!("\"{}\"", two.to_uppercase());
        for (remembered, rows, expected) in [
            // The MD5 or what the store said itself, and the size.
            (&[][..], &[(1, one, 8), (2, &quoted, 7)][..], &[1, 2][..]),
            (&[(1, "kms")], &[(1, "kms", 8)], &[1]),
            (&[(1, "lost")], &[(1, one, 8)], &[1]),
            (&[], &[(1, one, 7), (2, two, 8)], &[]),
            (&[(1, "kms")], &[(1, "kms", 9)], &[]),
            (&[(1, "kms")], &[(1, "other", 8)], &[]),
            // Remembering alone is not enough, nor is another part's digest.
            (&[(1, one), (2, two)], &[], &[]),
            (&[], &[(1, two, 8), (2, one, 7)], &[]),
            // Doubled rows count if they are equal.
            (&[], &[(2, two, 7), (1, one, 8), (1, one, 8)], &[1, 2]),
            (&[], &[(1, one, 8), (1, "x", 8)], &[]),
            (&[(1, "kms")], &[(1, "kms", 8), (1, one, 8)], &[]),
            // Parts that are none of ours.
            (&[], &[(0, one, 8), (3, one, 8), (u32::MAX, one, 8)], &[]),
        ] {
            assert_eq!(kept(remembered, rows), expected, "{remembered:?} {rows:?}");
        }
    }

    #[test]
    fn a_part_comes_home_once() {
        let mut parts = Parts::new(&object());
        assert!(!parts.home(1, Some("x".into())));
        assert_eq!((parts.start(), parts.start(), parts.start()), (Some(1), Some(2), None));
        assert!(parts.home(2, Some("b".into())) && parts.home(1, None));
        assert!(!parts.home(2, Some("c".into())));
        assert_eq!((parts.acked_bytes(&object()), parts.start()), (7, Some(1)));
        assert!(parts.home(1, Some("a".into())) && parts.all_acked());
        assert_eq!(parts.etags(), ["a", "b"]);
    }
}
