//! What was seen and could not be had, in words, within bounds.

use super::CAVEATS_MAX;
use crate::types::SourcePath;

/// Caveats under way to a listing.
#[derive(Debug, Default)]
pub(super) struct Caveats {
    told: Vec<String>,
    untold: usize,
}

impl Caveats {
    pub fn add(&mut self, words: String) {
        if self.told.len() < CAVEATS_MAX {
            self.told.push(words);
        } else {
            self.untold += 1;
        }
    }

    /// About one file or folder; the root has the empty path.
    pub fn about(&mut self, path: &[u8], words: &str) {
        self.add(format!("{}: {words}", shown(path)));
    }

    /// In a stable order.
    pub fn finish(mut self) -> Vec<String> {
        self.told.sort();
        if self.untold > 0 {
            self.told.push(format!("and {} more troubles of this kind", self.untold));
        }
        self.told
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
