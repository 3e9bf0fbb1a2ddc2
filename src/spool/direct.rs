//! Reading a file back past the kernel's cache, where the file system can.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

/// Bytes a read asks for; a multiple of [`ALIGN`].
const SPAN: usize = 512 * 1024;

/// The strictest alignment that block devices ask for.
const ALIGN: usize = 4096;

/// A sequential reader with `O_DIRECT`: the bytes come from the device, and the page cache is
/// neither used nor filled. Where that is refused (some network and overlay file systems), it
/// reads through the cache.
pub(super) struct DirectReader<'a> {
    direct: Option<File>,
    cached: &'a File,
    /// Holds one aligned span.
    buffer: Vec<u8>,
    /// Where the span begins in `buffer`.
    aligned: usize,
    /// What of the span is loaded and not given yet.
    loaded: std::ops::Range<usize>,
    /// Where the next span begins in the file.
    at: u64,
}

impl<'a> DirectReader<'a> {
    /// `path` is another way to `cached`, which was fsynced.
    pub fn new(path: &Path, cached: &'a File) -> Self {
        let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
        let direct = OpenOptions::new().read(true).custom_flags(flags).open(path).ok();
        let buffer = vec![0; SPAN + ALIGN];
        let aligned = buffer.as_ptr().align_offset(ALIGN).min(ALIGN);
        Self { direct, cached, buffer, aligned, loaded: 0..0, at: 0 }
    }

    fn load(&mut self) -> io::Result<()> {
        let span = &mut self.buffer[self.aligned..self.aligned + SPAN];
        let n = match &self.direct {
            None => self.cached.read_at(span, self.at)?,
            Some(file) => match file.read_at(span, self.at) {
                Err(error) if error.kind() == ErrorKind::InvalidInput => {
                    self.direct = None;
                    self.cached.read_at(span, self.at)?
                }
                result => result?,
            },
        };
        self.loaded = self.aligned..self.aligned + n;
        self.at += n as u64;
        Ok(())
    }
}

impl Read for DirectReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.loaded.is_empty() {
            self.load()?;
        }
        let n = buffer.len().min(self.loaded.len());
        let from = self.loaded.start;
        buffer[..n].copy_from_slice(&self.buffer[from..from + n]);
        self.loaded.start += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_past_the_cache_and_through_it() {
        let folder = tempfile::tempdir().unwrap();
        for size in [0, 1, ALIGN, SPAN - 1, SPAN, SPAN + 1, 3 * SPAN + 17] {
            let path = folder.path().join("file");
            let bytes: Vec<u8> =
                (0..size).map(|i| (i.wrapping_mul(2_654_435_761) >> 9) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let file = File::open(&path).unwrap();
            file.sync_all().unwrap();
            // A path that is not there stands for a file system that refuses.
            for path in [path.as_path(), Path::new("/nonexistent")] {
                let mut reader = DirectReader::new(path, &file);
                let mut back = Vec::new();
                reader.read_to_end(&mut back).unwrap();
                assert!(back == bytes, "{size} {path:?}");
            }
        }
    }

    #[test]
    fn a_read_refused_in_the_middle_goes_on_through_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![7; 2 * SPAN]).unwrap();
        let file = File::open(&path).unwrap();
        let mut reader = DirectReader::new(&path, &file);
        // Off the alignment: a device refuses, and so does this file system or it gives the bytes.
        reader.at = 5;
        let mut back = Vec::new();
        reader.read_to_end(&mut back).unwrap();
        assert_eq!(back.len(), 2 * SPAN - 5);
    }
}
