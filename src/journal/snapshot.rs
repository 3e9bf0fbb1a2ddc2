//! Snapshots: the folded state up to a line, so that the log before it may go.
//!
//! `snapshot-<seq>.jsonl`, version 1: first a header
//! `{"bwvdock_snapshot":1,"through_seq":N,"through_hash":HEX,"count":N}`, then one line a record
//! (base64 of the key, a space, base64 of the value; ordered by key), last the SHA-256 of every
//! byte before, in hexadecimal. A file under this name is whole: it is renamed after its sync.
//!
//! `rescue-<seq>.jsonl` has the same format: the state up to a line that was taken from the end of
//! the log, as the index alone remembered it. It accounts for no missing line.

use super::{
    JournalError, files,
    lines::{LineReader, Piece},
};
use crate::{custody::chain::Head, types::Sha256Digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

const VERSION: u32 = 1;
const SNAPSHOT: &str = "snapshot-";
const RESCUE: &str = "rescue-";

/// A snapshot whose header was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub path: PathBuf,
    /// The last line folded into it.
    pub through: Head,
    pub count: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    bwvdock_snapshot: u32,
    through_seq: u64,
    through_hash: Sha256Digest,
    count: u64,
}

/// One key and its value, or why it could not be read.
pub(super) type Record = Result<(Vec<u8>, Vec<u8>), JournalError>;

impl Snapshot {
    /// The snapshot that reaches furthest.
    pub fn newest(dir: &Path) -> Result<Option<Self>, JournalError> {
        Ok(Self::list(dir)?.pop())
    }

    /// The state up to the furthest line that was lost and that the index had seen.
    pub fn rescued(dir: &Path) -> Result<Option<Self>, JournalError> {
        Ok(Self::list_named(dir, RESCUE)?.pop())
    }

    /// All snapshots with a header that can be read, the furthest last.
    pub fn list(dir: &Path) -> Result<Vec<Self>, JournalError> {
        Self::list_named(dir, SNAPSHOT)
    }

    fn list_named(dir: &Path, prefix: &str) -> Result<Vec<Self>, JournalError> {
        let failed = |source| JournalError::io("list", dir, source);
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = files::name_of(&path);
            if name.starts_with(prefix) && name.ends_with(".jsonl") {
                found.extend(Self::read_header(&path)?);
            }
        }
        found.sort_by_key(|snapshot| snapshot.through.seq);
        Ok(found)
    }

    fn read_header(path: &Path) -> Result<Option<Self>, JournalError> {
        let failed = |source| JournalError::io("read", path, source);
        let mut reader = LineReader::new(File::open(path).map_err(failed)?);
        let Piece::Line = reader.next_piece().map_err(failed)? else { return Ok(None) };
        let Ok(header) = serde_json::from_slice::<Header>(reader.line()) else { return Ok(None) };
        if header.bwvdock_snapshot > VERSION {
            let (file, v) = (files::name_of(path), header.bwvdock_snapshot);
            return Err(JournalError::Newer { file, v });
        }
        let through = Head { seq: header.through_seq, hash: header.through_hash };
        Ok(Some(Self { path: path.to_owned(), through, count: header.count }))
    }

    /// Writes a snapshot of `count` records; when this returns it is durable under its name.
    pub fn write(
        dir: &Path,
        through: Head,
        count: u64,
        records: impl Iterator<Item = Record>,
    ) -> Result<Self, JournalError> {
        Self::write_named(dir, SNAPSHOT, through, count, records)
    }

    /// As [`Self::write`], for what the index remembers of lines that are gone.
    pub fn rescue(
        dir: &Path,
        through: Head,
        count: u64,
        records: impl Iterator<Item = Record>,
    ) -> Result<Self, JournalError> {
        Self::write_named(dir, RESCUE, through, count, records)
    }

    fn write_named(
        dir: &Path,
        prefix: &str,
        through: Head,
        count: u64,
        records: impl Iterator<Item = Record>,
    ) -> Result<Self, JournalError> {
        let path = dir.join(format!("{prefix}{}.jsonl", through.seq));
        let tmp = path.with_extension("tmp");
        let failed = |source| JournalError::io("write", &tmp, source);
        let file = File::create(&tmp).map_err(failed)?;
        let mut to = Hashing { to: BufWriter::new(file), context: Context::new(&SHA256) };
        let Head { seq: through_seq, hash: through_hash } = through;
        let header = Header { bwvdock_snapshot: VERSION, through_seq, through_hash, count };
        let header = serde_json::to_string(&header).expect("numbers and text");
        writeln!(to, "{header}").map_err(failed)?;
        for record in records {
            let (key, value) = record?;
            writeln!(to, "{} {}", STANDARD.encode(key), STANDARD.encode(value)).map_err(failed)?;
        }
        let digest = hex::encode(to.context.clone().finish());
        writeln!(to, "{digest}").and_then(|()| to.flush()).map_err(failed)?;
        to.to.get_ref().sync_all().map_err(failed)?;
        fs::rename(&tmp, &path).map_err(failed)?;
        files::sync_dir(dir)?;
        Ok(Self { path, through, count })
    }

    /// Hands out every record; checks the whole file before the first. False, with nothing handed
    /// out, if the file is not what was written.
    pub fn load(
        &self,
        put: &mut dyn FnMut(Vec<u8>, Vec<u8>) -> Result<(), JournalError>,
    ) -> Result<bool, JournalError> {
        if !self.is_whole()? {
            return Ok(false);
        }
        let failed = |source| JournalError::io("read", &self.path, source);
        let mut reader = LineReader::new(File::open(&self.path).map_err(failed)?);
        reader.next_piece().map_err(failed)?;
        for _ in 0..self.count {
            let Piece::Line = reader.next_piece().map_err(failed)? else { return Ok(false) };
            let Some((key, value)) = decode(reader.line()) else { return Ok(false) };
            put(key, value)?;
        }
        Ok(true)
    }

    /// Compares the last line with the digest of all before, and counts.
    fn is_whole(&self) -> Result<bool, JournalError> {
        let failed = |source| JournalError::io("read", &self.path, source);
        let mut reader = LineReader::new(File::open(&self.path).map_err(failed)?);
        let mut context = Context::new(&SHA256);
        let mut records = 0;
        loop {
            let Piece::Line = reader.next_piece().map_err(failed)? else { return Ok(false) };
            let line = reader.line();
            if records == self.count + 1 {
                let whole = line == hex::encode(context.finish()).as_bytes();
                return Ok(whole && reader.next_piece().map_err(failed)? == Piece::End);
            }
            context.update(line);
            context.update(b"\n");
            records += 1;
        }
    }
}

fn decode(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    Some((STANDARD.decode(&line[..space]).ok()?, STANDARD.decode(&line[space + 1..]).ok()?))
}

struct Hashing<W> {
    to: W,
    context: Context,
}

impl<W: io::Write> io::Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.context.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records(snapshot: &Snapshot) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut found = Vec::new();
        let put = &mut |key, value| {
            found.push((key, value));
            Ok(())
        };
        snapshot.load(put).unwrap().then_some(found)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_was_written_is_read_and_any_changed_byte_is_noticed(
            map: std::collections::BTreeMap<Vec<u8>, Vec<u8>>,
            at: prop::sample::Index,
            cut: bool,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let through = Head { seq: 7, hash: Sha256Digest([7; 32]) };
            let all: Vec<_> = map.into_iter().collect();
            let from = all.iter().cloned().map(Ok);
            Snapshot::write(dir.path(), through, all.len() as u64, from).unwrap();
            let found = Snapshot::newest(dir.path()).unwrap().unwrap();
            prop_assert_eq!(found.through, through);
            prop_assert_eq!(records(&found), Some(all));

            let mut bytes = fs::read(&found.path).unwrap();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 }
            fs::write(&found.path, bytes).unwrap();
            prop_assert_eq!(records(&found), None);
        }
    }
}
