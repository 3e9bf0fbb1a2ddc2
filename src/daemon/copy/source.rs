//! Reading a source on a camera: retries, careful reads beside what is broken, and the question
//! whether an error means a bad file or a pulled camera.

use super::{Pause, Watch};
use crate::{
    camera::{Camera, CameraError},
    spool,
    types::{Sha256Digest, SourcePath, fact::Hashed},
};
use ring::digest::{Context, SHA256};
use std::{
    io::{ErrorKind, Read},
    sync::atomic::Ordering,
    thread,
    time::Duration,
};

/// Bytes asked of the camera at once.
pub const READ_BYTES: usize = 384 * 1024;

/// A buffer of [`READ_BYTES`] at an address that lets a camera's file be read past the kernel's
/// cache.
pub(super) struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
}

impl ReadBuffer {
    pub fn new() -> Self {
        let bytes = vec![0; READ_BYTES + spool::ALIGN];
        let start = bytes.as_ptr().align_offset(spool::ALIGN).min(spool::ALIGN);
        Self { bytes, start }
    }

    pub fn get(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + READ_BYTES]
    }
}

/// Bytes asked at once after a failed read, to come as close as possible to what is broken.
const CAREFUL_BYTES: usize = 4096;

/// How long a pause lasts before the copy looks whether it is cancelled.
const PAUSE_SLICE: Duration = Duration::from_millis(100);

/// How often and how patiently a failed read is tried again at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Reads at the same offset in all, at least 1.
    pub attempts: u32,
    /// Before the second attempt; doubled before each further one, up to 32 times this.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts: 5, pause: Duration::from_millis(200) }
    }
}

/// What one read gave.
pub(super) enum Chunk {
    Bytes(usize),
    End,
    /// Not readable here, in words.
    Broken(String),
    Pause(Pause),
    Refused(CameraError),
}

/// Reads a source from some offset to its real end.
pub(super) struct SourceReader<'a> {
    path: &'a SourcePath,
    listed: u64,
    patience: Patience,
    offset: u64,
    reader: Option<Box<dyn Read + Send>>,
    failures: u32,
    careful_until: u64,
    /// An end before the listed one was met once already.
    ended_early: bool,
}

impl<'a> SourceReader<'a> {
    pub fn new(path: &'a SourcePath, listed: u64, patience: Patience) -> Self {
        Self {
            path,
            listed,
            patience,
            offset: 0,
            reader: None,
            failures: 0,
            careful_until: 0,
            ended_early: false,
        }
    }

    pub fn go_on_at(&mut self, offset: u64) {
        self.offset = offset;
        self.reader = None;
    }

    pub fn read(&mut self, camera: &mut dyn Camera, buffer: &mut [u8], watch: &Watch) -> Chunk {
        loop {
            if watch.is_cancelled() {
                return Chunk::Pause(Pause::Cancelled);
            }
            let want = if self.offset < self.careful_until { CAREFUL_BYTES } else { buffer.len() };
            let want = want.min(buffer.len());
            let failure = match self.attempt(camera, &mut buffer[..want]) {
                Ok(0) if self.offset < self.listed && !self.ended_early => {
                    // Some devices report their own removal as an end of file: look again.
                    self.ended_early = true;
                    self.reader = None;
                    if !camera.is_present() {
                        return Chunk::Pause(Pause::CameraGone);
                    }
                    continue;
                }
                Ok(0) => return Chunk::End,
                Ok(n) => {
                    self.offset += n as u64;
                    (self.failures, self.ended_early) = (0, false);
                    return Chunk::Bytes(n);
                }
                // An unmounted camera has no files at all.
                Err(Failure::Ends(Chunk::Refused(_))) if !camera.is_present() => {
                    return Chunk::Pause(Pause::CameraGone);
                }
                Err(Failure::Ends(chunk)) => return chunk,
                Err(Failure::Read(words)) => words,
            };
            self.reader = None;
            if !camera.is_present() {
                return Chunk::Pause(Pause::CameraGone);
            }
            self.failures += 1;
            self.careful_until = self.offset.saturating_add(READ_BYTES as u64);
            if self.failures >= self.patience.attempts {
                return Chunk::Broken(failure);
            }
            self.pause(watch);
        }
    }

    fn attempt(&mut self, camera: &mut dyn Camera, buffer: &mut [u8]) -> Result<usize, Failure> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => {
                none.insert(camera.open(self.path, self.offset).map_err(|error| match error {
                    CameraError::Gone => Failure::Ends(Chunk::Pause(Pause::CameraGone)),
                    CameraError::Io { ref source, .. } => {
                        Failure::Read(format!("{error}: {source}"))
                    }
                    CameraError::NoSuchFile(_)
                    | CameraError::Changed { .. }
                    | CameraError::ReadOnly(_)
                    | CameraError::TooMany(_) => Failure::Ends(Chunk::Refused(error)),
                })?)
            }
        };
        loop {
            match reader.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::Read(error.to_string())),
                Ok(n) => return Ok(n),
            }
        }
    }

    fn pause(&self, watch: &Watch) {
        let doublings = self.failures.saturating_sub(1).min(5);
        let mut left = self.patience.pause.saturating_mul(1 << doublings);
        while !left.is_zero() && !watch.is_cancelled() {
            let slice = left.min(PAUSE_SLICE);
            thread::sleep(slice);
            left -= slice;
        }
    }
}

enum Failure {
    Read(String),
    Ends(Chunk),
}

/// How a second read ended.
pub enum SecondRead {
    Read(Hashed),
    /// Start it again when that is over; nothing is kept.
    Paused(Pause),
    Unreadable {
        offset: u64,
        words: String,
    },
    Refused(CameraError),
}

/// Reads the source once more, from its start to its end, through a reader of its own: for
/// segments whose camera gave no digest. Asks the camera first to drop what the dock's kernel
/// cached of the file, so that the bytes come from the camera's memory again.
pub fn second_read(
    camera: &mut dyn Camera,
    path: &SourcePath,
    listed: u64,
    patience: Patience,
    watch: &Watch,
) -> SecondRead {
    camera.drop_cached(path);
    let mut source = SourceReader::new(path, listed, patience);
    let mut buffer = ReadBuffer::new();
    let buffer = buffer.get();
    let mut context = Context::new(&SHA256);
    loop {
        match source.read(camera, buffer, watch) {
            Chunk::Bytes(n) => context.update(&buffer[..n]),
            Chunk::End => break,
            Chunk::Broken(words) => {
                return SecondRead::Unreadable { offset: source.offset, words };
            }
            Chunk::Pause(pause) => return SecondRead::Paused(pause),
            Chunk::Refused(error) => return SecondRead::Refused(error),
        }
        watch.progress.store(source.offset, Ordering::Relaxed);
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    SecondRead::Read(Hashed { size: source.offset, sha256: Sha256Digest(sha256) })
}
