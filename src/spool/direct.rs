//! Reading and writing files past the kernel's cache, where the file system can.
//!
//! What is sealed is written once, read back once, and sent once: the cache would only push out
//! what others need, and each copy into fresh pages costs more CPU than a digest. Where `O_DIRECT`
//! is refused (some network and overlay file systems), the same bytes go through the cache.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read},
    ops::Range,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
};

/// Bytes asked for at once while a part is sent; a multiple of [`ALIGN`].
pub(super) const SPAN: usize = 256 * 1024;

/// Bytes asked for at once while a file is read back; a multiple of [`ALIGN`].
pub(super) const READ_BACK: usize = 512 * 1024;

/// The strictest alignment that block devices ask for, in memory and on the disk.
pub const ALIGN: usize = 4096;

/// Opens `path` once more, past the cache; none where that is refused.
pub(super) fn open(path: &Path, write: bool) -> Option<File> {
    let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
    OpenOptions::new().read(!write).write(write).custom_flags(flags).open(path).ok()
}

/// One span of memory, aligned as devices want it.
pub(super) struct Span {
    bytes: Vec<u8>,
    aligned: usize,
}

impl Span {
    /// `size` bytes, a multiple of [`ALIGN`].
    pub fn new(size: usize) -> Self {
        let bytes = vec![0; size + ALIGN];
        let aligned = bytes.as_ptr().align_offset(ALIGN).min(ALIGN);
        Self { bytes, aligned }
    }

    fn size(&self) -> usize {
        self.bytes.len() - ALIGN
    }

    pub fn get(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[self.aligned + range.start..self.aligned + range.end]
    }

    fn get_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.bytes[self.aligned + range.start..self.aligned + range.end]
    }
}

/// Loads a file in order, span by span, from some offset on.
pub(super) struct DirectLoader {
    direct: Option<Arc<File>>,
    cached: Arc<File>,
    /// Where the next span begins in the file.
    at: u64,
    /// Bytes of the next span that were not asked for.
    skip: usize,
}

impl DirectLoader {
    /// `direct` is another handle of the same file, past the cache.
    pub fn new(direct: Option<Arc<File>>, cached: Arc<File>, offset: u64) -> Self {
        let skip = offset % ALIGN as u64;
        Self { direct, cached, at: offset - skip, skip: skip as usize }
    }

    /// Fills the span; gives what of it are the next bytes: none only at the end.
    pub fn load(&mut self, span: &mut Span) -> io::Result<Range<usize>> {
        loop {
            let size = span.size();
            let n = self.read(span.get_mut(0..size))?;
            let loaded = self.skip.min(n)..n;
            self.at += n as u64;
            self.skip -= loaded.start;
            // After a read that ended between two blocks only the cache can go on.
            if !self.at.is_multiple_of(ALIGN as u64) {
                self.direct = None;
            }
            // A short read may give nothing but what was not asked for: that is not the end.
            if n == 0 || !loaded.is_empty() {
                return Ok(loaded);
            }
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let file = self.direct.as_ref().unwrap_or(&self.cached);
            match file.read_at(bytes, self.at) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if self.direct.is_some() && error.kind() == ErrorKind::InvalidInput => {
                    self.direct = None;
                }
                result => return result,
            }
        }
    }
}

/// Reads a file in order, from some offset on.
pub(super) struct DirectReader {
    loader: DirectLoader,
    span: Span,
    /// What of the span is loaded and not given yet.
    loaded: Range<usize>,
}

impl DirectReader {
    pub fn new(loader: DirectLoader) -> Self {
        Self { loader, span: Span::new(READ_BACK), loaded: 0..0 }
    }
}

impl Read for DirectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.loaded.is_empty() {
            self.loaded = self.loader.load(&mut self.span)?;
        }
        let n = buffer.len().min(self.loaded.len());
        let from = self.loaded.start;
        buffer[..n].copy_from_slice(self.span.get(from..from + n));
        self.loaded.start += n;
        Ok(n)
    }
}

/// Appends to a file. Whole blocks that come at an aligned address go to the disk as they are; the
/// rest is gathered in a span. What is not written yet is kept through every error, so after a full
/// disk it can go on where it was.
pub(super) struct DirectWriter {
    direct: Option<File>,
    span: Option<Span>,
    /// What of the span is still to be written.
    held: Range<usize>,
    /// Bytes of the file that are written.
    at: u64,
}

impl DirectWriter {
    /// For a file of `at` bytes; `direct` is a handle of it past the cache.
    pub fn new(direct: Option<File>, at: u64) -> Self {
        Self { direct, span: None, held: 0..0, at }
    }

    /// Takes some of `bytes`, at least one of them.
    ///
    /// # Errors
    /// Of writing; nothing was taken.
    pub fn push(&mut self, cached: &File, bytes: &[u8]) -> io::Result<usize> {
        if self.held.is_empty() {
            let whole = bytes.len() - bytes.len() % ALIGN;
            if whole > 0 && bytes.as_ptr().align_offset(ALIGN) == 0 && self.is_direct() {
                return self.write(cached, &bytes[..whole]);
            }
        }
        if self.held.end == SPAN {
            self.flush(cached)?;
        }
        let n = bytes.len().min(SPAN - self.held.end);
        let span = self.span.get_or_insert_with(|| Span::new(SPAN));
        span.get_mut(self.held.end..self.held.end + n).copy_from_slice(&bytes[..n]);
        self.held.end += n;
        Ok(n)
    }

    /// Writes what is held; an end that is no whole block, through the cache.
    pub fn flush(&mut self, cached: &File) -> io::Result<()> {
        // Put back below, whatever becomes of the writing.
        if let Some(span) = self.span.take() {
            let flushed = self.flush_span(cached, &span);
            self.span = Some(span);
            flushed?;
        }
        self.held = 0..0;
        Ok(())
    }

    fn flush_span(&mut self, cached: &File, span: &Span) -> io::Result<()> {
        while !self.held.is_empty() {
            let whole = self.held.len() - self.held.len() % ALIGN;
            let end = match self.is_direct() && whole > 0 {
                true => self.held.start + whole,
                false => self.held.end,
            };
            self.held.start += self.write(cached, span.get(self.held.start..end))?;
        }
        Ok(())
    }

    fn is_direct(&self) -> bool {
        self.direct.is_some() && self.at.is_multiple_of(ALIGN as u64)
    }

    /// Some of `bytes`, at least one; whole blocks past the cache.
    fn write(&mut self, cached: &File, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let whole = bytes.len().is_multiple_of(ALIGN);
            let direct = self.direct.as_ref().filter(|_| whole && self.is_direct());
            match direct.unwrap_or(cached).write_at(bytes, self.at) {
                Ok(0) => return Err(ErrorKind::StorageFull.into()),
                Ok(n) => {
                    self.at += n as u64;
                    return Ok(n);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if direct.is_some() && error.kind() == ErrorKind::InvalidInput => {
                    self.direct = None;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(size: usize) -> Vec<u8> {
        (0..size).map(|i| (i.wrapping_mul(2_654_435_761) >> 9) as u8).collect()
    }

    const SIZES: [usize; 7] = [0, 1, ALIGN, SPAN - 1, SPAN, SPAN + 1, 3 * SPAN + 17];

    #[test]
    fn every_byte_comes_back_past_the_cache_and_through_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for size in SIZES {
            let bytes = bytes(size);
            std::fs::write(&path, &bytes).unwrap();
            let file = Arc::new(File::open(&path).unwrap());
            file.sync_all().unwrap();
            for direct in [open(&path, false).map(Arc::new), None] {
                for offset in [0, 1, ALIGN - 1, ALIGN, SPAN + 5] {
                    let loader = DirectLoader::new(direct.clone(), file.clone(), offset as u64);
                    let mut reader = DirectReader::new(loader);
                    let mut back = Vec::new();
                    reader.read_to_end(&mut back).unwrap();
                    assert!(back == bytes[offset.min(size)..], "{size} from {offset}");
                }
            }
        }
    }

    #[test]
    fn what_is_written_in_any_pieces_is_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for size in SIZES {
            for piece in [1000, SPAN, 70_000] {
                let file = File::create(&path).unwrap();
                for direct in [open(&path, true), None] {
                    file.set_len(0).unwrap();
                    let (bytes, mut writer) = (bytes(size), DirectWriter::new(direct, 0));
                    for mut piece in bytes.chunks(piece) {
                        while !piece.is_empty() {
                            let n = writer.push(&file, piece).unwrap();
                            piece = &piece[n..];
                        }
                    }
                    writer.flush(&file).unwrap();
                    assert!(std::fs::read(&path).unwrap() == bytes, "{size} in pieces of {piece}");
                }
            }
        }
    }

    #[test]
    fn whole_blocks_at_an_aligned_address_are_written_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        let (bytes, mut writer) = (bytes(SPAN), DirectWriter::new(open(&path, true), 0));
        let mut span = Span::new(SPAN);
        span.get_mut(0..SPAN).copy_from_slice(&bytes);
        let direct = writer.is_direct();
        let mut at = 0;
        for size in [ALIGN, 5 * ALIGN, 3 * ALIGN + 7, 100, SPAN - 9 * ALIGN - 107] {
            let end = at + size;
            while at < end {
                at += writer.push(&file, span.get(at..end)).unwrap();
            }
            if direct && at <= 6 * ALIGN {
                assert!(writer.span.is_none(), "nothing was gathered");
            }
        }
        writer.flush(&file).unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
    }

    #[test]
    fn what_could_not_be_written_is_kept_and_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        let unwritable = File::open(&path).unwrap();
        let (bytes, mut writer) = (bytes(SPAN + 99), DirectWriter::new(None, 0));
        assert_eq!(writer.push(&unwritable, &bytes).unwrap(), SPAN, "held");
        assert!(writer.push(&unwritable, &bytes[SPAN..]).is_err());
        assert!(writer.flush(&unwritable).is_err());
        assert_eq!(writer.push(&file, &bytes[SPAN..]).unwrap(), 99);
        writer.flush(&file).unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
    }

    #[test]
    fn a_device_that_refuses_in_the_middle_is_asked_through_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, bytes(2 * SPAN)).unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        let direct = open(&path, false).map(Arc::new);
        let mut reader = DirectReader::new(DirectLoader::new(direct, file, 0));
        // Off the alignment: a device refuses, and so does this file system or it gives the bytes.
        reader.loader.at = 5;
        let mut back = Vec::new();
        reader.read_to_end(&mut back).unwrap();
        assert!(back == bytes(2 * SPAN)[5..]);
    }
}
