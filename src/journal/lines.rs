//! Lines of a log file, one at a time, in bounded memory whatever the file holds.

use super::files::LINE_BYTES_MAX;
use crate::types::Sha256Digest;
use std::io::{self, BufRead, BufReader, Read};

/// Reads a log file from its start.
#[derive(Debug)]
pub(super) struct LineReader<R> {
    inner: BufReader<R>,
    line: Vec<u8>,
    number: u64,
    /// Where the line last handed out begins, in bytes.
    start: u64,
    /// Where the next one begins.
    end: u64,
}

/// What stands next in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// A line: see [`LineReader::line`].
    Line,
    /// More than [`LINE_BYTES_MAX`] bytes before the line feed.
    TooLong {
        hash: Sha256Digest,
        bytes: u64,
    },
    /// Bytes at the end of the file that no line feed closes.
    Torn {
        bytes: u64,
    },
    End,
}

impl<R: Read> LineReader<R> {
    pub fn new(inner: R) -> Self {
        let inner = BufReader::with_capacity(64 << 10, inner);
        Self { inner, line: Vec::new(), number: 0, start: 0, end: 0 }
    }

    /// The number of the line last handed out, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where the line last handed out begins, in bytes from the start of the file.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The line last handed out, without its line feed; of one too long, its beginning.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    pub fn next_piece(&mut self) -> io::Result<Piece> {
        self.line.clear();
        self.start = self.end;
        self.number += 1;
        let mut long = None;
        loop {
            let chunk = self.inner.fill_buf()?;
            let feed = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..feed.unwrap_or(chunk.len())];
            if part.is_empty() && feed.is_none() {
                let bytes = self.end - self.start;
                return Ok(if bytes == 0 { Piece::End } else { Piece::Torn { bytes } });
            }
            if long.is_none() && self.line.len() + part.len() > LINE_BYTES_MAX {
                let mut context = ring::digest::Context::new(&ring::digest::SHA256);
                context.update(&self.line);
                long = Some(context);
            }
            match &mut long {
                Some(context) => context.update(part),
                None => self.line.extend_from_slice(part),
            }
            let used = part.len() + usize::from(feed.is_some());
            self.inner.consume(used);
            self.end += used as u64;
            if feed.is_some() {
                break;
            }
        }
        let Some(context) = long else { return Ok(Piece::Line) };
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Ok(Piece::TooLong { hash: Sha256Digest(hash), bytes: self.end - self.start - 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_torn_ends_and_monsters() {
        let monster = vec![b'x'; LINE_BYTES_MAX + 1];
        let mut bytes = b"one\n\n".to_vec();
        bytes.extend(&monster);
        bytes.extend(b"\nrest");
        let mut reader = LineReader::new(&bytes[..]);
        assert_eq!(reader.next_piece().unwrap(), Piece::Line);
        assert_eq!(reader.line(), b"one");
        assert_eq!(reader.next_piece().unwrap(), Piece::Line);
        assert_eq!(reader.line(), b"");
        assert_eq!((reader.number(), reader.start()), (2, 4));
        let hash = Sha256Digest::of(&monster);
        let bytes = monster.len() as u64;
        assert_eq!(reader.next_piece().unwrap(), Piece::TooLong { hash, bytes });
        assert_eq!(reader.next_piece().unwrap(), Piece::Torn { bytes: 4 });
        assert_eq!(LineReader::new(&b""[..]).next_piece().unwrap(), Piece::End);
    }
}
