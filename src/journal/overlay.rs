//! The table the fold writes to: changes in memory over the sled tree, until they are applied.

use super::index::guarded;
use crate::dock::{IndexBroken, Table, View, Visit};
use std::{collections::BTreeMap, ops::Bound, ops::ControlFlow};

/// Changes not applied yet, over what is. A removed key is kept as none.
#[derive(Debug)]
pub(super) struct Overlay {
    below: sled::Tree,
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
}

type Pair = (sled::IVec, sled::IVec);

impl Overlay {
    pub fn new(below: sled::Tree) -> Self {
        Self { below, changes: BTreeMap::new(), bytes: 0 }
    }

    /// Roughly how much memory the changes take; may count a key twice.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn into_batch(self) -> sled::Batch {
        let mut batch = sled::Batch::default();
        for (key, value) in self.changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch
    }
}

/// The next pair of a sled iterator, guarded.
pub(super) fn next_pair(iter: &mut sled::Iter) -> Result<Option<Pair>, IndexBroken> {
    guarded("reading", || iter.next().transpose())
}

/// An iterator over `tree` from the first key that starts with `prefix` and is not below `from`.
pub(super) fn iter_from(tree: &sled::Tree, prefix: &[u8], from: &[u8]) -> sled::Iter {
    tree.range(from.max(prefix).to_vec()..)
}

impl View for Overlay {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexBroken> {
        if let Some(change) = self.changes.get(key) {
            return Ok(change.clone());
        }
        Ok(guarded("reading", || self.below.get(key))?.map(|value| value.to_vec()))
    }

    fn scan(&self, prefix: &[u8], from: &[u8], visit: &mut Visit<'_>) -> Result<(), IndexBroken> {
        let start = from.max(prefix);
        let mut below = iter_from(&self.below, prefix, from);
        let mut under = next_pair(&mut below)?;
        let range = (Bound::Included(start), Bound::Unbounded);
        let mut changes = self.changes.range::<[u8], _>(range).peekable();
        loop {
            let old = under.as_ref().filter(|(key, _)| key.starts_with(prefix));
            let new = changes.peek().filter(|(key, _)| key.starts_with(prefix));
            let new_first = match (old, new) {
                (None, None) => return Ok(()),
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some((old, _)), Some((new, _))) => new.as_slice() <= old.as_ref(),
            };
            let flow = if new_first {
                let Some((key, value)) = changes.next() else { return Ok(()) };
                if under.as_ref().is_some_and(|(old, _)| old.as_ref() == key.as_slice()) {
                    under = next_pair(&mut below)?;
                }
                value.as_ref().map_or(ControlFlow::Continue(()), |value| visit(key, value))
            } else {
                let Some((key, value)) = under.take() else { return Ok(()) };
                under = next_pair(&mut below)?;
                visit(&key, &value)
            };
            if flow.is_break() {
                return Ok(());
            }
        }
    }
}

impl Table for Overlay {
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len() + 64;
        self.changes.insert(key, Some(value));
    }

    fn remove(&mut self, key: &[u8]) {
        self.bytes += key.len() + 64;
        self.changes.insert(key.to_vec(), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dock::MemoryTable;
    use proptest::prelude::*;

    fn pairs(view: &dyn View, prefix: &[u8], from: &[u8], most: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found = Vec::new();
        view.scan(prefix, from, &mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .unwrap();
        found
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0u8..3, 0..3)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn it_reads_like_a_plain_map(
            below in prop::collection::vec((key(), any::<u8>()), 0..12),
            above in prop::collection::vec((key(), any::<Option<u8>>()), 0..12),
            prefix in key(), from in key(), most in 1usize..5,
        ) {
            let db = sled::Config::new().temporary(true).open().unwrap();
            let mut plain = MemoryTable::default();
            for (key, value) in below {
                db.insert(&key, vec![value]).unwrap();
                plain.put(key, vec![value]);
            }
            let mut overlay = Overlay::new((*db).clone());
            for (key, value) in above {
                match value {
                    Some(value) => {
                        overlay.put(key.clone(), vec![value]);
                        plain.put(key, vec![value]);
                    }
                    None => {
                        overlay.remove(&key);
                        plain.remove(&key);
                    }
                }
            }
            prop_assert_eq!(overlay.get(&from).unwrap(), plain.get(&from).unwrap());
            prop_assert_eq!(
                pairs(&overlay, &prefix, &from, most), pairs(&plain, &prefix, &from, most)
            );
            db.apply_batch(overlay.into_batch()).unwrap();
            let applied: MemoryTable = MemoryTable(
                db.iter().map(|pair| pair.map(|(k, v)| (k.to_vec(), v.to_vec())).unwrap()).collect()
            );
            prop_assert_eq!(applied, plain);
        }
    }
}
