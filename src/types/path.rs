//! A file's place on a camera, kept byte for byte and safe to join to a root.

use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf};

/// Why a path from a camera or a manifest is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path is empty")]
    Empty,
    #[error("the path is longer than {} bytes", SourcePath::BYTES_MAX)]
    TooLong,
    #[error("the path is absolute")]
    Absolute,
    #[error("the path climbs out of its folder")]
    Climbs,
    #[error("the path has an empty or '.' component")]
    NotPlain,
    #[error("the path holds a NUL byte")]
    Nul,
}

/// A relative path on a camera: `/`-separated, no empty, `.` or `..` component, no NUL.
///
/// Cameras name files in any encoding, so the bytes are kept as they are. The text form (JSON,
/// logs, tables) writes a byte that is not printable UTF-8, and the backslash itself, as `\xHH`;
/// that form is lossless and reads back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourcePath(Vec<u8>);

impl SourcePath {
    /// PATH_MAX of Linux, less the root it is joined to.
    pub const BYTES_MAX: usize = 2048;

    /// Checks and keeps the bytes.
    ///
    /// # Errors
    /// [`PathError`] names the rule that is broken.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, PathError> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(PathError::Empty);
        }
        if bytes.len() > Self::BYTES_MAX {
            return Err(PathError::TooLong);
        }
        if bytes.contains(&0) {
            return Err(PathError::Nul);
        }
        if bytes[0] == b'/' {
            return Err(PathError::Absolute);
        }
        for part in bytes.split(|b| *b == b'/') {
            match part {
                b".." => return Err(PathError::Climbs),
                b"" | b"." => return Err(PathError::NotPlain),
                _ => {}
            }
        }
        Ok(Self(bytes))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a path of the operating system, still relative.
    pub fn to_path(&self) -> PathBuf {
        use std::os::unix::ffi::OsStrExt as _;
        PathBuf::from(std::ffi::OsStr::from_bytes(&self.0))
    }

    /// The last component.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|b| *b == b'/').next().unwrap_or(&self.0)
    }

    /// Everything before the last component; empty at the root.
    pub fn folder(&self) -> &[u8] {
        match self.0.iter().rposition(|b| *b == b'/') {
            Some(slash) => &self.0[..slash],
            None => b"",
        }
    }

    fn from_text(text: &str) -> Result<Self, PathError> {
        let raw = text.as_bytes();
        let mut bytes = Vec::with_capacity(raw.len());
        let mut at = 0;
        while at < raw.len() {
            let escaped = raw[at..].strip_prefix(b"\\x").and_then(|rest| {
                let mut byte = [0];
                hex::decode_to_slice(rest.get(..2)?, &mut byte).ok()?;
                Some(byte[0])
            });
            bytes.push(escaped.unwrap_or(raw[at]));
            at += if escaped.is_some() { 4 } else { 1 };
        }
        Self::new(bytes)
    }
}

impl fmt::Display for SourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c == '\\' || c.is_control() {
                    let mut buffer = [0; 4];
                    for byte in c.encode_utf8(&mut buffer).bytes() {
                        write!(f, "\\x{byte:02x}")?;
                    }
                } else {
                    write!(f, "{c}")?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for SourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for SourcePath {
    type Error = PathError;
    fn try_from(text: String) -> Result<Self, PathError> {
        Self::from_text(&text)
    }
}

impl From<SourcePath> for String {
    fn from(path: SourcePath) -> String {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unsafe_paths_are_refused_by_name() {
        for (text, error) in [
            ("", PathError::Empty),
            ("/etc/passwd", PathError::Absolute),
            ("a/../../b", PathError::Climbs),
            ("a//b", PathError::NotPlain),
            ("./a", PathError::NotPlain),
            ("a\0b", PathError::Nul),
        ] {
            assert_eq!(SourcePath::new(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn parts_of_a_path() {
        let path = SourcePath::new("DCIM/100/A.MP4").unwrap();
        assert_eq!((path.folder(), path.name()), (&b"DCIM/100"[..], &b"A.MP4"[..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_survive_the_text_form(bytes: Vec<u8>) {
            if let Ok(path) = SourcePath::new(bytes) {
                let text = String::from(path.clone());
                prop_assert!(!text.chars().any(char::is_control));
                prop_assert_eq!(SourcePath::try_from(text), Ok(path));
            }
        }
    }
}
