//! The file below the log: the only two things it must do, so that tests can make both fail.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

/// A log file open for appending.
pub trait LogFile: Send {
    /// Appends all of `bytes`; after an error any part of them may be in the file.
    ///
    /// # Errors
    /// Plain I/O errors; the caller never writes to the file again.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Puts what was appended on the device: fdatasync(2).
    ///
    /// # Errors
    /// Plain I/O errors; the caller never calls again, as a second call may falsely succeed.
    fn sync(&mut self) -> io::Result<()>;
}

/// Where log files are made.
pub trait Media: Send {
    /// Makes a file that must not exist yet; its name is durable when this returns.
    ///
    /// # Errors
    /// Plain I/O errors.
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn LogFile>>;

    /// Opens an existing file to append to it; its name is durable when this returns, though the
    /// run that made it may have been killed before it could see to that.
    ///
    /// # Errors
    /// Plain I/O errors.
    fn reopen(&mut self, path: &Path) -> io::Result<Box<dyn LogFile>>;
}

/// The dock's disk.
#[derive(Debug, Default)]
pub struct Disk;

impl Media for Disk {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o640).open(path)?;
        sync_name(path)?;
        Ok(Box::new(file))
    }

    fn reopen(&mut self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let file = OpenOptions::new().append(true).open(path)?;
        sync_name(path)?;
        Ok(Box::new(file))
    }
}

fn sync_name(path: &Path) -> io::Result<()> {
    File::open(super::files::folder_of(path))?.sync_all()
}

impl LogFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Marks a finished file read-only (0440): a reminder to people, the chain is the protection.
pub(super) fn make_read_only(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o440))
}
