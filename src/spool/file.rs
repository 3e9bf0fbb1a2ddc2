//! A finished object as others read it.

use super::direct::{DirectLoader, SPAN, Span};
use bytes::Bytes;
use std::{
    fs::File,
    io,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

/// A finished sealed object, open for reading at any offset from several tasks at once.
#[derive(Debug, Clone)]
pub struct SpoolFile {
    bytes: Content,
    /// Another handle of the same file, past the kernel's cache.
    direct: Option<Arc<File>>,
    size: u64,
}

#[derive(Debug, Clone)]
enum Content {
    Disk(Arc<File>),
    Memory(Arc<[u8]>),
}

impl SpoolFile {
    /// A file of the real spool, as long as it is now.
    ///
    /// # Errors
    /// Plain I/O errors of fstat(2).
    pub fn from_file(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { bytes: Content::Disk(Arc::new(file)), direct: None, size })
    }

    pub(super) fn with_direct(mut self, direct: Option<File>) -> Self {
        self.direct = direct.map(Arc::new);
        self
    }

    /// Bytes in memory: the simulated spool, and tests of those who read the spool.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { size: bytes.len() as u64, bytes: Content::Memory(bytes), direct: None }
    }

    /// Bytes of ciphertext.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// `length` bytes from `offset` on, in order, in pieces of at most 256 KiB: past the kernel's
    /// cache where that can be. Each holds its memory until it is dropped, and gives it to a later
    /// one. An error, also that the file is shorter than what was asked for, is the last item to
    /// be taken.
    pub fn pieces(
        &self,
        offset: u64,
        length: u64,
    ) -> Box<dyn Iterator<Item = io::Result<Bytes>> + Send> {
        Box::new(self.reader(offset, length).map(|piece| piece.map(Bytes::from_owner)))
    }

    fn reader(&self, offset: u64, length: u64) -> Reader {
        let from = match &self.bytes {
            Content::Memory(bytes) => Source::Memory(bytes.clone()),
            Content::Disk(file) => {
                Source::Disk(DirectLoader::new(self.direct.clone(), file.clone(), offset))
            }
        };
        let end = offset.saturating_add(length);
        Reader { from, at: offset, end, spare: Spare::default() }
    }

    /// Reads at `offset` without moving a cursor; short only at the end.
    ///
    /// # Errors
    /// Plain I/O errors.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.bytes {
            Content::Disk(file) => {
                use std::os::unix::fs::FileExt as _;
                file.read_at(buffer, offset)
            }
            Content::Memory(bytes) => {
                let from = usize::try_from(offset).map_or(bytes.len(), |at| at.min(bytes.len()));
                let n = buffer.len().min(bytes.len() - from);
                buffer[..n].copy_from_slice(&bytes[from..from + n]);
                Ok(n)
            }
        }
    }
}

/// Part of a [`SpoolFile`], read in order.
struct Reader {
    from: Source,
    /// Where the next piece begins.
    at: u64,
    end: u64,
    spare: Spare,
}

enum Source {
    Disk(DirectLoader),
    Memory(Arc<[u8]>),
}

/// Spans that were read and let go, to be filled again.
#[derive(Clone, Default)]
struct Spare(Arc<Mutex<Vec<Span>>>);

impl Spare {
    fn take(&self) -> Span {
        let span = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        span.unwrap_or_else(|| Span::new(SPAN))
    }

    fn put(&self, span: Span) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(span);
    }
}

/// Some bytes of a spool file, at most 256 KiB, as they were read. Its memory goes back to the
/// reader when it is dropped.
struct Piece(Held);

enum Held {
    Memory(Arc<[u8]>, Range<usize>),
    /// None only while it is dropped.
    Span(Option<Span>, Range<usize>, Spare),
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Held::Memory(bytes, range) => &bytes[range.clone()],
            Held::Span(span, range, _) => span.as_ref().map_or(&[], |span| span.get(range.clone())),
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Held::Span(span, _, spare) = &mut self.0
            && let Some(span) = span.take()
        {
            spare.put(span);
        }
    }
}

impl Reader {
    /// The next bytes; none at the end of what was asked for.
    fn load(&mut self) -> io::Result<Option<Piece>> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(None);
        }
        let piece = match &mut self.from {
            Source::Memory(bytes) => {
                let from = usize::try_from(self.at).map_or(bytes.len(), |at| at.min(bytes.len()));
                let until = bytes.len().min(from.saturating_add(left.min(SPAN)));
                Held::Memory(bytes.clone(), from..until)
            }
            Source::Disk(loader) => {
                let mut span = self.spare.take();
                let loaded = loader.load(&mut span)?;
                let range = loaded.start..loaded.end.min(loaded.start.saturating_add(left));
                Held::Span(Some(span), range, self.spare.clone())
            }
        };
        let piece = Piece(piece);
        if piece.as_ref().is_empty() {
            let words = format!("the spool file ends at byte {}", self.at);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, words));
        }
        self.at += piece.as_ref().len() as u64;
        Ok(Some(piece))
    }
}

impl Iterator for Reader {
    type Item = io::Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        self.load().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: impl Iterator<Item = io::Result<Bytes>>) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        for piece in pieces {
            all.extend_from_slice(&piece?);
        }
        Ok(all)
    }

    #[test]
    fn any_part_of_a_file_is_read_whole_or_not_at_all() {
        let bytes: Vec<u8> = (0..2 * SPAN + 5000).map(|i| (i % 251) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, &bytes).unwrap();
        let file = || SpoolFile::from_file(File::open(&path).unwrap()).unwrap();
        let direct = file().with_direct(super::super::direct::open(&path, false));
        for file in [SpoolFile::from_bytes(bytes.clone()), file(), direct] {
            for (offset, length) in
                [(0, bytes.len()), (0, 0), (1, 1), (4095, SPAN + 2), (SPAN, SPAN), (5000, 2 * SPAN)]
            {
                let part = all(file.pieces(offset as u64, length as u64)).unwrap();
                assert!(part == bytes[offset..offset + length], "{offset} {length}");
            }
            let beyond = all(file.pieces(5000, 2 * SPAN as u64 + 1));
            assert_eq!(beyond.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn memory_of_pieces_let_go_is_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![7; 4 * SPAN]).unwrap();
        let file = SpoolFile::from_file(File::open(&path).unwrap()).unwrap();
        let mut reader = file.reader(0, 4 * SPAN as u64);
        let kept = reader.next().unwrap().unwrap();
        for _ in 0..3 {
            assert_eq!(reader.next().unwrap().unwrap().as_ref().len(), SPAN);
            assert_eq!(reader.spare.0.lock().unwrap().len(), 1);
        }
        assert_eq!(kept.as_ref(), [7; SPAN]);
        drop(kept);
        assert_eq!(reader.spare.0.lock().unwrap().len(), 2);
    }
}
