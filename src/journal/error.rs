//! What can go wrong with the journal. None of it is worth trying again in the same process.

use super::files::LINE_BYTES_MAX;
use crate::dock::IndexBroken;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Clones share their source, as the first failure answers every later commit.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    #[error("cannot {doing} {path}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },
    #[error("another process has {0} open")]
    InUse(PathBuf),
    #[error("{file} has format version {v}, made by a newer program")]
    Newer { file: String, v: u32 },
    /// This request alone is refused; the journal goes on.
    #[error("a fact of {bytes} bytes does not fit a line of {LINE_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error(transparent)]
    Index(#[from] IndexBroken),
    #[error("the journal is closed")]
    Closed,
    #[error("{0}")]
    Options(&'static str),
}

impl JournalError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source: Arc::new(source) }
    }
}
