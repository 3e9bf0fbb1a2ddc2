//! Folders named with `--camera`: which camera each is, where nothing in it says so.

use super::{DemoArgs, failed, usage};
use crate::{
    camera::{Camera as _, EraseMode, FolderCamera},
    cli::Complaint,
    daemon::chain,
    evidence::{self, IdentityFrom, Profile},
    types::CameraId,
};
use std::path::{Path, PathBuf};

/// The profile for a folder that fits none of the shipped ones; written into the workspace.
pub const ANY_FOLDER: (&str, &str) = ("any-folder", include_str!("any-folder.toml"));

/// A docked folder.
#[derive(Debug, Clone)]
pub struct DemoCamera {
    pub folder: PathBuf,
    /// Whether the release rule may be asked to erase it.
    pub erase: bool,
    /// Its id, where its files do not tell.
    pub id: Option<CameraId>,
    /// The profile it needs, where none is chosen by itself.
    pub profile: Option<&'static str>,
}

impl DemoCamera {
    /// A camera that says itself what it is.
    pub fn known(folder: PathBuf, erase: bool) -> Self {
        Self { folder, erase, id: None, profile: None }
    }
}

/// Looks at every `--camera` folder.
///
/// # Errors
/// A [`Complaint`] for the first that cannot be docked.
pub fn docked(args: &DemoArgs) -> Result<Vec<DemoCamera>, Complaint> {
    let mut cameras: Vec<DemoCamera> = Vec::new();
    for folder in &args.cameras {
        let camera = look_at(folder, args.release)?;
        if let Some(twice) = cameras.iter().find(|known| {
            known.folder.starts_with(&camera.folder) || camera.folder.starts_with(&known.folder)
        }) {
            let what = format!("{} and {} overlap", twice.folder.display(), folder.display());
            return Err(usage(what, "a folder can be in one bay only: name each one once"));
        }
        let id = camera.id.clone().map(|id| unlike_others(id, &cameras)).transpose()?;
        cameras.push(DemoCamera { id, ..camera });
    }
    Ok(cameras)
}

fn look_at(folder: &Path, erase: bool) -> Result<DemoCamera, Complaint> {
    let next = "name a folder, a mounted card or a mounted stick that you may read";
    let refuse =
        |words: String| usage(format!("{} cannot be docked: {words}", folder.display()), next);
    let found = folder.canonicalize().map_err(|error| refuse(error.to_string()))?;
    if !found.is_dir() {
        return Err(refuse("it is no folder".into()));
    }
    let mut camera =
        FolderCamera::open(&found, EraseMode::ReadOnly).map_err(|error| refuse(chain(&error)))?;
    let listing = camera.list().map_err(|error| refuse(chain(&error)))?;
    if listing.files.is_empty() {
        return Err(refuse("there is no file in it".into()));
    }
    let profiles = Profile::shipped();
    let profile = evidence::choose(&profiles, &listing, None);
    let silent = profile.is_none_or(|p| matches!(p.identity(), IdentityFrom::Configured));
    Ok(DemoCamera {
        id: silent.then(|| named_after(&found)).transpose()?,
        profile: profile.is_none().then_some(ANY_FOLDER.0),
        folder: found,
        erase,
    })
}

fn camera_id(text: String) -> Result<CameraId, Complaint> {
    CameraId::new(text).map_err(|error| failed(error.to_string()))
}

/// The folder's name, as far as a camera's id can hold it.
fn named_after(folder: &Path) -> Result<CameraId, Complaint> {
    let name = folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '-' };
    let name: String = name.chars().take(48).map(plain).collect();
    let name = name.trim_matches('-');
    camera_id(if name.is_empty() { "folder".to_owned() } else { name.to_owned() })
}

fn unlike_others(id: CameraId, others: &[DemoCamera]) -> Result<CameraId, Complaint> {
    let taken = |id: &CameraId| others.iter().any(|other| other.id.as_ref() == Some(id));
    let mut unlike = id.clone();
    for number in 2..=others.len() + 1 {
        if !taken(&unlike) {
            break;
        }
        unlike = camera_id(format!("{id}-{number}"))?;
    }
    Ok(unlike)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_for_any_folder_is_one() {
        let profile = Profile::parse(ANY_FOLDER.1).unwrap();
        assert_eq!(profile.name(), ANY_FOLDER.0);
        assert!(!profile.erase_allowed());
        assert!(matches!(profile.identity(), IdentityFrom::Configured));
    }

    #[test]
    fn ids_are_made_of_folder_names_and_differ() {
        for (folder, id) in [
            ("/media/CARD 1", "CARD-1"),
            ("/x/Übergabe", "bergabe"),
            ("/", "folder"),
            ("/x/東京", "folder"),
            ("/x/.hidden", "hidden"),
        ] {
            assert_eq!(named_after(Path::new(folder)).unwrap().as_str(), id);
        }
        let mut others = Vec::new();
        for id in ["card", "card-2", "card-3"] {
            let next = unlike_others(CameraId::new("card").unwrap(), &others).unwrap();
            assert_eq!(next.as_str(), id);
            others.push(DemoCamera {
                id: Some(next),
                ..DemoCamera::known(PathBuf::from("/x"), false)
            });
        }
    }
}
