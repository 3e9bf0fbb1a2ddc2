//! What was seen and could not be had, in words, within bounds.

use super::CAVEATS_MAX;
use crate::types::{Listing, SourcePath};

/// What is told with a listing, under way to it.
#[derive(Debug, Default)]
pub(super) struct Caveats {
    /// What was listed and is not as it should be.
    odd: Lines,
    /// What may hold footage and could not be listed.
    unread: Lines,
}

#[derive(Debug, Default)]
struct Lines {
    told: Vec<String>,
    untold: usize,
}

impl Lines {
    fn add(&mut self, words: String) {
        if self.told.len() < CAVEATS_MAX {
            self.told.push(words);
        } else {
            self.untold += 1;
        }
    }

    fn finish(mut self, to: &mut Vec<String>) {
        self.told.sort();
        to.append(&mut self.told);
        if self.untold > 0 {
            to.push(format!("and {} more troubles of this kind", self.untold));
        }
    }
}

impl Caveats {
    pub fn add(&mut self, words: String) {
        self.odd.add(words);
    }

    /// About one file or folder; the root has the empty path.
    pub fn about(&mut self, path: &[u8], words: &str) {
        self.odd.add(format!("{}: {words}", shown(path)));
    }

    pub fn unread(&mut self, words: String) {
        self.unread.add(words);
    }

    pub fn unread_at(&mut self, path: &[u8], words: &str) {
        self.unread.add(format!("{}: {words}", shown(path)));
    }

    /// The first of what could not be listed.
    pub fn first_unread(&self) -> Option<&str> {
        self.unread.told.first().map(String::as_str)
    }

    /// Adds both kinds to a listing, in a stable order.
    pub fn finish(self, listing: &mut Listing) {
        self.odd.finish(&mut listing.caveats);
        self.unread.finish(&mut listing.unread);
    }
}

/// A path that may be unusable as one, short enough for a line.
pub(super) fn shown(path: &[u8]) -> String {
    if path.is_empty() {
        return "the card".into();
    }
    SourcePath::new(path).map_or_else(
        |_| {
            let bytes = &path[..path.len().min(80)];
            let more = if path.len() > 80 { "…" } else { "" };
            format!("{}{more}", bytes.escape_ascii())
        },
        |path| path.to_string(),
    )
}
