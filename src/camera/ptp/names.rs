//! Names of a camera's objects, made fit for paths, and words about those that are not listed.

use crate::{ptp::Text, types::SourcePath};

/// Things told one by one.
pub(super) const TOLD_MAX: usize = 100;

/// A list of words with a bound: what goes beyond is counted.
#[derive(Debug, Default)]
pub(super) struct Told {
    words: Vec<String>,
    untold: usize,
}

impl Told {
    pub fn tell(&mut self, name: &[u8], words: &str) {
        if self.words.len() >= TOLD_MAX {
            self.untold += 1;
            return;
        }
        let name = SourcePath::new(name).map_or_else(
            |_| format!("{:.80}…", String::from_utf8_lossy(name).escape_default().to_string()),
            |path| path.to_string(),
        );
        self.words.push(format!("{name}: {words}"));
    }

    pub fn into_words(mut self) -> Vec<String> {
        self.words.sort();
        if self.untold > 0 {
            self.words.push(format!("and {} more of that kind", self.untold));
        }
        self.words
    }
}

pub(super) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

/// A name that can be one component of a path, and whether it is the camera's own. What cannot be
/// is written as in URLs, so that no file is left behind for its name.
pub(super) fn safe_name(name: &Text) -> (Vec<u8>, bool) {
    match name.as_bytes() {
        b"" => (b"unnamed".to_vec(), false),
        b"." => (b"%2E".to_vec(), false),
        b".." => (b"%2E%2E".to_vec(), false),
        bytes => {
            let mut safe = Vec::with_capacity(bytes.len());
            for byte in bytes {
                match byte {
                    b'/' => safe.extend_from_slice(b"%2F"),
                    0 => safe.extend_from_slice(b"%00"),
                    byte => safe.push(*byte),
                }
            }
            let is_own = safe.len() == bytes.len();
            (safe, is_own)
        }
    }
}
