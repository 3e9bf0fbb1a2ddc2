//! What a docked camera says of itself beside its footage.

use super::chain;
use crate::{
    camera::{Camera, CameraError},
    evidence::{BatteryFile, Profile},
    types::{BayName, Condition},
};

/// What a camera says of itself as it is docked; nothing of it is needed, so no failure matters.
pub fn condition(
    camera: &mut dyn Camera,
    profile: &Profile,
    bay: &BayName,
    firmware: Option<String>,
) -> Condition {
    let said = camera.condition().unwrap_or_else(|error| {
        tracing::debug!(%bay, "its condition: {}", chain(&error));
        Condition::default()
    });
    let battery_percent = battery_percent(camera, profile).unwrap_or_else(|error| {
        tracing::debug!(%bay, "its battery: {}", chain(&error));
        None
    });
    let firmware = firmware.as_deref().and_then(Condition::text);
    Condition { battery_percent, firmware: firmware.or(said.firmware), ..said }
}

/// How full the battery is: asked, or read from the file that the profile names.
///
/// # Errors
/// [`CameraError`].
pub fn battery_percent(
    camera: &mut dyn Camera,
    profile: &Profile,
) -> Result<Option<u8>, CameraError> {
    if let Some(percent) = camera.battery_percent()? {
        return Ok(Some(percent));
    }
    let Some(battery) = profile.battery() else { return Ok(None) };
    camera.drop_cached(&battery.path);
    match camera.read_small(&battery.path, BatteryFile::BYTES_MAX) {
        Ok(bytes) => Ok(battery.percent(&bytes)),
        Err(CameraError::NoSuchFile(_) | CameraError::Changed { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::{EraseMode, FolderCamera};
    use std::fs;

    const PROFILE: &str = "name = \"x\"\nidentity.from = \"configured\"\nlayout.media = [\"*.mp4\"]\n\
                           recordings.group = \"file\"\nmanifest.kind = \"none\"\n\
                           [battery]\nfile = \"STATUS/B.TXT\"\nformat = \"key-value\"\nkey = \"LEVEL\"\n";

    #[test]
    fn the_battery_is_read_from_the_file_the_profile_names_or_is_not_known() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("STATUS/B.TXT");
        let profile = Profile::parse(PROFILE).unwrap();
        let bay: BayName = "1".parse().unwrap();
        let mut camera = FolderCamera::open(place.path(), EraseMode::ReadOnly).unwrap();
        assert_eq!(battery_percent(&mut camera, &profile).unwrap(), None);
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(&file, "MODEL=X\nLEVEL=57%\n").unwrap();
        assert_eq!(battery_percent(&mut camera, &profile).unwrap(), Some(57));
        fs::write(&file, "LEVEL=58\n").unwrap();
        let told = condition(&mut camera, &profile, &bay, Some("2.1\u{7}".into()));
        assert_eq!((told.battery_percent, told.firmware.as_deref()), (Some(58), Some("2.1")));
        let long = BatteryFile::BYTES_MAX as usize + 1;
        fs::write(&file, "LEVEL=58\n".repeat(long)).unwrap();
        assert_eq!(battery_percent(&mut camera, &profile).unwrap(), None, "too long");
        fs::remove_dir_all(place.path().join("STATUS")).unwrap();
        fs::create_dir_all(&file).unwrap();
        assert_eq!(battery_percent(&mut camera, &profile).unwrap(), None, "it is a folder");
        drop(place);
        let told = condition(&mut camera, &profile, &bay, None);
        assert!(told.is_silent(), "a camera that went says nothing");
    }
}
