//! Reading the folded state from any thread.

use super::{
    Damage, JournalError,
    overlay::{iter_from, next_pair},
    shared::Shared,
};
use crate::dock::{IndexBroken, View, Visit};
use std::sync::Arc;

/// The folded state as of the last commit; cheap to clone. An index that fails a read stops the
/// journal: the next open makes it again from the log.
#[derive(Debug, Clone)]
pub struct JournalView {
    tree: sled::Tree,
    shared: Arc<Shared>,
}

impl JournalView {
    pub(super) fn new(tree: sled::Tree, shared: Arc<Shared>) -> Self {
        Self { tree, shared }
    }

    /// The first bad line of the log, if there is one. While there is, nothing the log says may
    /// be a reason to erase anything.
    pub fn damage(&self) -> Option<Damage> {
        self.shared.damage()
    }

    /// Why the journal stopped, if it did.
    pub fn failure(&self) -> Option<JournalError> {
        self.shared.failure()
    }
}

impl View for JournalView {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexBroken> {
        super::index::guarded("reading", || self.tree.get(key))
            .map(|value| value.map(|value| value.to_vec()))
            .map_err(|error| self.shared.index_failed(error))
    }

    fn scan(&self, prefix: &[u8], from: &[u8], visit: &mut Visit<'_>) -> Result<(), IndexBroken> {
        let mut pairs = iter_from(&self.tree, prefix, from);
        loop {
            let pair = next_pair(&mut pairs).map_err(|error| self.shared.index_failed(error))?;
            let Some((key, value)) = pair.filter(|(key, _)| key.starts_with(prefix)) else {
                return Ok(());
            };
            if visit(&key, &value).is_break() {
                return Ok(());
            }
        }
    }
}
