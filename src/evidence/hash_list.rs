//! Unsigned lists of digests: coreutils `SHA256SUMS` / `*.sha256`, BagIt `manifest-sha256.txt`.
//!
//! **Coreutils.** `HEX`, a space, a space or `*`, the name to the end of the line. A line that
//! starts with `\` has `\\`, `\n` and `\r` written for backslash, line feed and carriage return.
//! **BagIt** (RFC 8493). `HEX`, white space, a path below `data/` with `%0A`, `%0D` and `%25`
//! written for line feed, carriage return and the percent sign. Both: a line may end in CRLF, a
//! leading `./` is dropped, names are relative to the list's own folder and kept byte for byte.
//!
//! A line that breaks these rules, or leads out of the folder, is refused by itself and reported;
//! the other lines still count. A name with two different digests has none.

use crate::types::{Sha256Digest, SourcePath};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// Which rules a list is written by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    Coreutils,
    BagIt,
}

impl ListKind {
    /// BagIt by its fixed name, everything else as coreutils writes it.
    pub fn of(path: &SourcePath) -> Self {
        let name = path.name();
        if name.eq_ignore_ascii_case(b"manifest-sha256.txt") {
            Self::BagIt
        } else {
            Self::Coreutils
        }
    }
}

/// A line that does not count, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLine {
    /// From 1.
    pub line: usize,
    pub words: String,
}

/// What a list says. Paths are from the camera's root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HashList {
    pub digests: BTreeMap<SourcePath, Sha256Digest>,
    /// Named more than once with different digests: none of them is believed.
    pub conflicting: BTreeSet<SourcePath>,
    /// The first [`HashList::REFUSED_MAX`] refused lines.
    pub refused: Vec<RefusedLine>,
    pub refused_count: usize,
}

impl HashList {
    /// The longest list that is read: 32 MiB.
    pub const BYTES_MAX: usize = 32 << 20;
    /// The most names taken from one list; as many as a camera may hold files.
    pub const NAMES_MAX: usize = 200_000;
    /// The most refused lines that are described.
    pub const REFUSED_MAX: usize = 20;

    /// Reads every line; the list lies in `folder` (empty: the camera's root). Never fails: what
    /// cannot be read is refused line by line.
    pub fn parse(kind: ListKind, folder: &[u8], bytes: &[u8]) -> Self {
        let mut list = Self::default();
        if bytes.len() > Self::BYTES_MAX {
            list.refuse(0, format!("the list is longer than {} bytes", Self::BYTES_MAX));
            return list;
        }
        // Some Windows tools write a byte order mark.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        for (line, text) in (1..).zip(bytes.split(|b| *b == b'\n')) {
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text.is_empty() {
                continue;
            }
            match read_line(kind, folder, text) {
                Ok((path, digest)) => list.add(line, path, digest),
                Err(words) => list.refuse(line, words),
            }
        }
        list
    }

    fn add(&mut self, line: usize, path: SourcePath, digest: Sha256Digest) {
        if self.conflicting.contains(&path) {
            self.refuse(line, format!("{path} was named before with another digest"));
        } else if self.digests.get(&path).is_some_and(|before| *before != digest) {
            self.digests.remove(&path);
            self.refuse(line, format!("{path} was named before with another digest"));
            self.conflicting.insert(path);
        } else if self.digests.len() >= Self::NAMES_MAX {
            self.refuse(line, format!("the list has more than {} names", Self::NAMES_MAX));
        } else {
            self.digests.insert(path, digest);
        }
    }

    fn refuse(&mut self, line: usize, words: String) {
        self.refused_count += 1;
        if self.refused.len() < Self::REFUSED_MAX {
            self.refused.push(RefusedLine { line, words });
        }
    }
}

fn read_line(
    kind: ListKind,
    folder: &[u8],
    text: &[u8],
) -> Result<(SourcePath, Sha256Digest), String> {
    let (escaped, text) = match (kind, text.strip_prefix(b"\\")) {
        (ListKind::Coreutils, Some(rest)) => (true, rest),
        _ => (false, text),
    };
    let (hex, rest) = text.split_at_checked(64).ok_or("it is shorter than a digest")?;
    let hex = std::str::from_utf8(hex).map_err(|_| "it does not start with a digest")?;
    let digest = hex.parse().map_err(|_| "it does not start with a SHA-256 digest")?;
    let name = match kind {
        ListKind::Coreutils => coreutils_name(rest, escaped)?,
        ListKind::BagIt => bagit_name(rest)?,
    };
    let plain = name.strip_prefix(b"./").unwrap_or(&name);
    let inside = SourcePath::new(plain).map_err(|error| error.to_string())?;
    if kind == ListKind::BagIt && !plain.starts_with(b"data/") {
        return Err(format!("{inside} is not below data/"));
    }
    Ok((super::inside(folder, &inside).map_err(|error| error.to_string())?, digest))
}

fn coreutils_name(rest: &[u8], escaped: bool) -> Result<Cow<'_, [u8]>, &'static str> {
    let name = match rest {
        [b' ', b' ' | b'*', name @ ..] => name,
        _ => return Err("the digest is not followed by two spaces or ' *'"),
    };
    if !escaped {
        return Ok(Cow::Borrowed(name));
    }
    let mut plain = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match (byte, byte == &b'\\') {
            (byte, false) => *byte,
            (_, true) => match bytes.next() {
                Some(b'\\') => b'\\',
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                _ => return Err("it has a backslash that stands for nothing"),
            },
        });
    }
    Ok(Cow::Owned(plain))
}

fn bagit_name(rest: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    let start = rest.iter().position(|b| !matches!(b, b' ' | b'\t'));
    let name = match start {
        Some(start) if start > 0 => &rest[start..],
        _ => return Err("the digest is not followed by white space and a name"),
    };
    let mut plain = Vec::with_capacity(name.len());
    let mut at = 0;
    while at < name.len() {
        let decoded = match name.get(at..at + 3) {
            Some([b'%', b'0', b'A' | b'a']) => Some(b'\n'),
            Some([b'%', b'0', b'D' | b'd']) => Some(b'\r'),
            Some([b'%', b'2', b'5']) => Some(b'%'),
            _ => None,
        };
        plain.push(decoded.unwrap_or(name[at]));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    Ok(Cow::Owned(plain))
}

#[cfg(test)]
mod tests;
