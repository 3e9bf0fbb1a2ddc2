//! The files a dock is set up with, besides its configuration: keys and camera profiles.

use super::{DaemonError, dock_key::write_key};
use crate::{
    config::{self, Config},
    custody::receipt::DockKey,
    evidence::{Profile, PublicKey},
    types::CameraId,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What could be read, and what is wrong with the rest.
pub(super) type Read<T> = (Vec<T>, Vec<DaemonError>);

/// All of it, or the first thing that is wrong.
pub(super) fn whole<T>((read, wrong): Read<T>) -> Result<Vec<T>, DaemonError> {
    wrong.into_iter().next().map_or(Ok(read), Err)
}

pub(super) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DaemonError {
    let path = path.to_owned();
    move |source| DaemonError::Io { doing, path, source }
}

/// Where systemd put the credentials of the unit.
pub(super) fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// Where the dock's signing key is to be made, if there is none yet.
pub(super) fn dock_key_to_make(config: &Config) -> Option<PathBuf> {
    config.dock.key_file.path(credentials().as_deref()).filter(|path| !path.exists())
}

/// Reads the dock's signing key, or makes it at the first start.
pub(super) fn dock_key(config: &Config) -> Result<DockKey, DaemonError> {
    let Some(path) = dock_key_to_make(config) else { return read_dock_key(config) };
    let key = DockKey::generate().map_err(|error| unusable_key(super::chain(&error)))?;
    write_key(&path, &key).map_err(io_error("write the dock's key", &path))?;
    tracing::info!("made the dock's signing key; its public half lies beside it");
    Ok(key)
}

pub(super) fn read_dock_key(config: &Config) -> Result<DockKey, DaemonError> {
    let file = &config.dock.key_file;
    let pem = config::read_secret(file, credentials().as_deref())?;
    DockKey::from_pem(&pem)
        .map_err(|error| unusable_key(format!("the dock's key {file}: {}", super::chain(&error))))
}

fn unusable_key(what: String) -> DaemonError {
    DaemonError::Settings {
        what,
        next: "`bwvdock keys generate dock --out FILE` makes one; name it as key_file under [dock]",
    }
}

/// Shipped profiles, and those of the folder; a profile there replaces a shipped one by its name.
pub(super) fn profiles(folder: &Path) -> Read<Profile> {
    let (mut profiles, wrong) = each(folder, "toml", |path| {
        let text = fs::read_to_string(path).map_err(io_error("read the profile", path))?;
        Profile::parse(&text).map_err(|error| DaemonError::Settings {
            what: format!("camera profile {}: {}", path.display(), super::chain(&error)),
            next: "mend the profile; config/cameras/ has commented ones to copy from",
        })
    });
    for shipped in Profile::shipped() {
        if profiles.iter().all(|profile| profile.name() != shipped.name()) {
            profiles.push(shipped);
        }
    }
    (profiles, wrong)
}

pub(super) fn camera_keys(folder: &Path) -> Read<(CameraId, PublicKey)> {
    each(folder, "pub", |path| {
        let unusable = |what: String| DaemonError::Settings {
            what: format!("camera key {}: {what}", path.display()),
            next: "name it CAMERA_ID.pub; its content is an Ed25519 public key (PEM or base64)",
        };
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let camera = CameraId::new(name).map_err(|error| unusable(error.to_string()))?;
        let text = fs::read_to_string(path).map_err(io_error("read the camera key", path))?;
        let key = PublicKey::parse(&text).map_err(|error| unusable(super::chain(&error)))?;
        Ok((camera, key))
    })
}

/// Reads every file with an extension, in the order of their names; a folder that is not there has
/// none.
fn each<T>(
    folder: &Path,
    extension: &str,
    read: impl Fn(&Path) -> Result<T, DaemonError>,
) -> Read<T> {
    let files = match files_in(folder, extension) {
        Ok(files) => files,
        Err(error) => return (Vec::new(), vec![io_error("list", folder)(error)]),
    };
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for path in files {
        match read(&path) {
            Ok(one) => good.push(one),
            Err(error) => wrong.push(error),
        }
    }
    (good, wrong)
}

fn files_in(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
