//! Opening what is in a bay: a folder, a PTP camera, or a camera that is mass storage.

use super::{
    cameras::{World, chain},
    ports::Admitted,
};
use crate::{
    camera::{Camera, EraseMode, FolderCamera, PtpCamera},
    config::{Bay, BaySource},
    ptp::Limits,
    trust::Kind,
    usb::{self, RusbPipes},
};

/// A camera that can be asked.
pub struct Opened {
    pub camera: Box<dyn Camera>,
    /// What it is on USB; none for a folder.
    pub usb: Option<Admitted>,
}

/// Opens the camera in a bay. Of a port, only what was let in.
///
/// # Errors
/// In words, for the screen.
pub fn open(world: &World, bay: &Bay) -> Result<Opened, String> {
    let mode = if bay.allow_erase { EraseMode::Allowed } else { EraseMode::ReadOnly };
    if let BaySource::Folder(folder) = &bay.source {
        let camera = FolderCamera::open(folder, mode).map_err(|error| chain(&error))?;
        return Ok(Opened { camera: Box::new(camera), usb: None });
    }
    let admitted = world.ports.camera_in(&bay.name).ok_or("the camera is gone")?;
    let camera = match admitted.kind {
        Kind::Ptp | Kind::VendorMtp => open_ptp(&admitted, mode),
        Kind::Storage => {
            Err("mass storage in a port is not read; mount it, and give the bay that folder"
                .to_owned())
        }
    };
    match camera {
        Ok(camera) => Ok(Opened { camera, usb: Some(admitted) }),
        Err(words) => Err(unanswered(world, bay, true, words)),
    }
}

/// A camera was let in and does not answer: its port may be cycled, which the words then say.
pub fn unanswered(world: &World, bay: &Bay, on_usb: bool, words: String) -> String {
    let done = on_usb.then(|| world.ports.unanswered(&bay.name, &world.stop)).flatten();
    match done {
        Some(done) => format!("{words}; {done}"),
        None => words,
    }
}

fn open_ptp(admitted: &Admitted, mode: EraseMode) -> Result<Box<dyn Camera>, String> {
    let device = &admitted.device;
    let found = usb::find(&device.port, device.address).map_err(|error| chain(&error))?;
    let pipes = RusbPipes::open(&found).map_err(|error| chain(&error))?;
    let id = Some((device.id.vendor, device.id.product));
    let camera = PtpCamera::open(pipes, id, mode, Limits::default());
    Ok(Box::new(camera.map_err(|error| chain(&error))?))
}
