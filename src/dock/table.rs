//! Where folded state lives: an ordered map of small records, in sled or in memory.

use std::{collections::BTreeMap, ops::ControlFlow};

/// The index could not be read or written. The journal is the truth: stop, and rebuild from it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the index cannot be used: {0}")]
pub struct IndexBroken(pub String);

/// Called with each key and value of a scan; says whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Reading the folded state.
pub trait View {
    /// # Errors
    /// [`IndexBroken`] when the index below fails.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexBroken>;

    /// Visits keys that start with `prefix` and are not below `from`, in order, until told to stop.
    ///
    /// # Errors
    /// [`IndexBroken`] when the index below fails.
    fn scan(&self, prefix: &[u8], from: &[u8], visit: &mut Visit<'_>) -> Result<(), IndexBroken>;
}

/// Writing it; only the fold does. Writes of one batch become visible to its own later reads at
/// once, and to others together with the sequence number of the last fact folded.
pub trait Table: View {
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>);
    fn remove(&mut self, key: &[u8]);
}

/// The in-memory side: tests, the simulation, and snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryTable(pub BTreeMap<Vec<u8>, Vec<u8>>);

impl View for MemoryTable {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexBroken> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], from: &[u8], visit: &mut Visit<'_>) -> Result<(), IndexBroken> {
        let start = from.max(prefix).to_vec();
        for (key, value) in self.0.range(start..).take_while(|(key, _)| key.starts_with(prefix)) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Table for MemoryTable {
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert(key, value);
    }

    fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }
}
