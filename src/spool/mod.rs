//! The spool door: sealed objects on the dock's disk, within a byte budget.
//!
//! Only ciphertext ever lies here. A file under its final name is whole, fsynced and was opened
//! again and found equal; everything else is `*.tmp` and is removed at start.
//! Real side: a folder. Simulated side: memory, with faults.

use std::{fs::File, sync::Arc};

/// A finished sealed object, open for reading at any offset from several tasks at once.
#[derive(Debug, Clone)]
pub struct SpoolFile {
    file: Arc<File>,
    size: u64,
}

impl SpoolFile {
    /// Bytes of ciphertext.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads at `offset` without moving a cursor; short only at the end.
    ///
    /// # Errors
    /// Plain I/O errors.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        use std::os::unix::fs::FileExt as _;
        self.file.read_at(buffer, offset)
    }
}
