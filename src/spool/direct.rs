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

/// Bytes asked for or written at once; a multiple of [`ALIGN`].
pub(super) const SPAN: usize = 256 * 1024;

/// The strictest alignment that block devices ask for.
const ALIGN: usize = 4096;

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
    pub fn new() -> Self {
        let bytes = vec![0; SPAN + ALIGN];
        let aligned = bytes.as_ptr().align_offset(ALIGN).min(ALIGN);
        Self { bytes, aligned }
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
            let n = self.read(span.get_mut(0..SPAN))?;
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
        Self { loader, span: Span::new(), loaded: 0..0 }
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

/// Appends to a file in whole spans. What is not written yet is kept through every error, so
/// after a full disk it can go on where it was.
pub(super) struct DirectWriter {
    direct: Option<File>,
    span: Span,
    /// What of the span is still to be written.
    held: Range<usize>,
    /// Bytes of the file that are written.
    at: u64,
}

impl DirectWriter {
    /// For a file of `at` bytes; `direct` is a handle of it past the cache.
    pub fn new(direct: Option<File>, at: u64) -> Self {
        Self { direct, span: Span::new(), held: 0..0, at }
    }

    /// Takes some of `bytes`, at least one of them.
    ///
    /// # Errors
    /// Of writing; nothing was taken.
    pub fn push(&mut self, cached: &File, bytes: &[u8]) -> io::Result<usize> {
        if self.held.end == SPAN {
            self.flush(cached)?;
        }
        let n = bytes.len().min(SPAN - self.held.end);
        self.span.get_mut(self.held.end..self.held.end + n).copy_from_slice(&bytes[..n]);
        self.held.end += n;
        Ok(n)
    }

    /// Writes what is held; an end that is no whole block, through the cache.
    pub fn flush(&mut self, cached: &File) -> io::Result<()> {
        while !self.held.is_empty() {
            let whole = self.held.len() - self.held.len() % ALIGN;
            let aligned = self.at.is_multiple_of(ALIGN as u64) && whole > 0;
            let direct = self.direct.as_ref().filter(|_| aligned);
            let written = match direct {
                Some(file) => {
                    let blocks = self.held.start..self.held.start + whole;
                    file.write_at(self.span.get(blocks), self.at)
                }
                None => cached.write_at(self.span.get(self.held.clone()), self.at),
            };
            match written {
                Ok(0) => return Err(ErrorKind::StorageFull.into()),
                Ok(n) => {
                    self.at += n as u64;
                    self.held.start += n;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if direct.is_some() && error.kind() == ErrorKind::InvalidInput => {
                    self.direct = None;
                }
                Err(error) => return Err(error),
            }
        }
        self.held = 0..0;
        Ok(())
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
