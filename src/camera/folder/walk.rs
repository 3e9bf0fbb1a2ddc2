//! Listing a folder with everything below it.

use super::{
    FolderCamera,
    below::{device_of, mark_of, modified_ms, open_folder},
    io_error,
};
use crate::{
    camera::{CameraError, FILES_MAX, FileEntry, Listing},
    types::SourcePath,
};
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Dir, FileType, Stat, statat},
    io::Errno,
};

/// Folders within folders that are looked into.
pub(super) const DEPTH_MAX: usize = 32;
/// Things seen and not listed that are told one by one.
pub(super) const CAVEATS_MAX: usize = 100;

/// A listing under way.
pub(super) struct Walk<'a> {
    camera: &'a FolderCamera,
    root: OwnedFd,
    listing: Listing,
    /// Folders still to be looked into, with their depth.
    folders: Vec<(Vec<u8>, usize)>,
    entries: usize,
    untold: usize,
    untold_unread: usize,
}

impl<'a> Walk<'a> {
    /// Lists everything, in a stable order.
    pub fn whole(camera: &'a FolderCamera) -> Result<Listing, CameraError> {
        let mut walk = Self {
            camera,
            root: camera.enter()?,
            listing: Listing::default(),
            folders: vec![(Vec::new(), 0)],
            entries: 0,
            untold: 0,
            untold_unread: 0,
        };
        while let Some((folder, depth)) = walk.folders.pop() {
            walk.look_into(folder, depth)?;
        }
        // What was pulled while it was listed is not whole.
        camera.enter()?;
        let mut listing = walk.listing;
        listing.files.sort_by(|a, b| a.path.cmp(&b.path));
        for (list, untold) in
            [(&mut listing.caveats, walk.untold), (&mut listing.unread, walk.untold_unread)]
        {
            list.sort();
            if untold > 0 {
                list.push(format!("and {untold} more that were not listed"));
            }
        }
        Ok(listing)
    }

    /// Something that is no file: there is no footage in it.
    fn pass_over(&mut self, path: &[u8], words: &str) {
        tell(&mut self.listing.caveats, &mut self.untold, path, words);
    }

    /// Something that may hold footage.
    fn unread(&mut self, path: &[u8], words: &str) {
        tell(&mut self.listing.unread, &mut self.untold_unread, path, words);
    }

    fn look_into(&mut self, folder: Vec<u8>, depth: usize) -> Result<(), CameraError> {
        let opened = if folder.is_empty() {
            self.root.try_clone().map_err(|source| CameraError::Io {
                doing: "open the camera's folder".into(),
                source,
            })?
        } else {
            match open_folder(&self.root, &folder, self.camera.id.device) {
                Ok(opened) => opened,
                Err(errno) => return self.unopened(&folder, errno),
            }
        };
        let failed = |errno| match self.camera.enter() {
            Ok(_) if errno != Errno::NODEV => io_error("list the camera", errno),
            _ => CameraError::Gone,
        };
        let mut entries = Dir::read_from(&opened).map_err(failed)?;
        while let Some(entry) = entries.read() {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            self.entries += 1;
            if self.entries > 2 * FILES_MAX || self.listing.files.len() >= FILES_MAX {
                return Err(CameraError::TooMany(FILES_MAX));
            }
            match statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => self.take(&folder, name, &stat, depth),
                // Removed since the folder was read.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        Ok(())
    }

    fn unopened(&mut self, folder: &[u8], errno: Errno) -> Result<(), CameraError> {
        match errno {
            Errno::NOENT => {}
            Errno::ACCESS => self.unread(folder, "this folder may not be read"),
            Errno::XDEV => self.unread(folder, "another file system is mounted here"),
            Errno::LOOP | Errno::NOTDIR => self.unread(folder, "changed while it was looked at"),
            _ if self.camera.enter().is_err() || errno == Errno::NODEV => {
                return Err(CameraError::Gone);
            }
            errno => return Err(io_error("list the camera", errno)),
        }
        Ok(())
    }

    fn take(&mut self, folder: &[u8], name: &[u8], stat: &Stat, depth: usize) {
        let path = if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() };
        let elsewhere = device_of(stat) != self.camera.id.device;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Directory if elsewhere => {
                self.unread(&path, "another file system is mounted here");
            }
            FileType::RegularFile => match SourcePath::new(path.clone()) {
                Ok(path) => self.listing.files.push(FileEntry {
                    path,
                    size: u64::try_from(stat.st_size).unwrap_or(0),
                    modified_ms: modified_ms(stat),
                    mark: Some(mark_of(stat)),
                }),
                Err(error) => self.unread(&path, &error.to_string()),
            },
            FileType::Directory if depth >= DEPTH_MAX => {
                self.unread(&path, "the folder lies too deep and was not looked into");
            }
            FileType::Directory => self.folders.push((path, depth + 1)),
            FileType::Symlink => self.pass_over(&path, "a link; links are not followed"),
            FileType::Fifo => self.pass_over(&path, "a FIFO, not a file"),
            FileType::Socket => self.pass_over(&path, "a socket, not a file"),
            FileType::CharacterDevice | FileType::BlockDevice => {
                self.pass_over(&path, "a device, not a file");
            }
            FileType::Unknown => self.unread(&path, "of a kind this system does not know"),
        }
    }
}

fn tell(list: &mut Vec<String>, untold: &mut usize, path: &[u8], words: &str) {
    if list.len() >= CAVEATS_MAX {
        *untold += 1;
        return;
    }
    let name = SourcePath::new(path).map_or_else(
        |_| format!("{:.80}…", String::from_utf8_lossy(path).escape_default().to_string()),
        |path| path.to_string(),
    );
    list.push(format!("{name}: {words}"));
}
