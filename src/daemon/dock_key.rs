//! Writing the dock's signing key, at the first start, so that a power cut in the middle leaves none
//! rather than half of one.

use crate::custody::receipt::DockKey;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// The public half first: where the key is, what verifies its receipts is too.
pub(super) fn write_key(path: &Path, key: &DockKey) -> io::Result<()> {
    put(&path.with_extension("pub.pem"), 0o644, key.public_pem().as_bytes())?;
    put(path, 0o600, key.to_pem().as_bytes())
}

/// Puts a file there whole or not at all, power cut or not; durable when this returns.
fn put(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let tmp = path.with_file_name(name);
    // Left by a start that was cut off; made anew, so that it has this mode from its first byte.
    match fs::remove_file(&tmp) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&tmp)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&tmp, path)?;
    sync_folder(path)
}

/// Makes the name of something that was just made last through a power cut.
///
/// # Errors
/// Plain I/O errors.
pub(super) fn sync_folder(of: &Path) -> io::Result<()> {
    let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_first_start_that_was_cut_off_is_made_up_for() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("dock.key");
        // What a power cut leaves: the public half of a key that is not there, and half of one.
        fs::write(home.path().join("dock.pub.pem"), "").unwrap();
        fs::write(home.path().join("dock.key.tmp"), "-----BEGIN").unwrap();
        let key = DockKey::generate().unwrap();
        write_key(&path, &key).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), *key.to_pem());
        let public = fs::read_to_string(home.path().join("dock.pub.pem")).unwrap();
        assert_eq!(public, key.public_pem());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn no_key_stands_without_its_public_half() {
        let home = tempfile::tempdir().unwrap();
        // The public half cannot be put there: a folder has its name.
        fs::create_dir(home.path().join("dock.pub.pem")).unwrap();
        let path = home.path().join("dock.key");
        assert!(write_key(&path, &DockKey::generate().unwrap()).is_err());
        assert!(!path.exists());
    }
}
