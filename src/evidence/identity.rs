//! Which camera this is: its own card, its file names, or the configuration.
//!
//! **Format of the card** (`camera.json` at the camera's root, UTF-8 JSON, at most
//! [`CameraCard::BYTES_MAX`] bytes): `{"format":"bwv-camera","version":1,"camera":ID,
//! "model":TEXT,"firmware":TEXT,"public_key":BASE64}`. Unknown fields are skipped. The key is what
//! the camera says of itself; it proves nothing unless the force enrolled the same.

use super::{
    profile::{IdentityFrom, Profile, Role},
    signature::PublicKey,
};
use crate::types::{CameraId, Listing, SourcePath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a camera could not be told from others.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("the camera has no identity file {0}")]
    NoCard(SourcePath),
    #[error("the camera's identity file {path} cannot be used")]
    Card {
        path: SourcePath,
        #[source]
        source: CardError,
    },
    #[error("no file name on the camera holds a usable serial number")]
    NoSerial,
    #[error("the file names are of several cameras: {0} and {1}")]
    Several(CameraId, CameraId),
    #[error("this camera does not say who it is, and no id is configured for it")]
    NotConfigured,
    #[error("this camera has no usable serial number on USB, and no id is configured for it")]
    NoUsbSerial,
    #[error("the camera says it is {found}, but {configured} is configured here")]
    Differs { found: CameraId, configured: CameraId },
}

/// Why an identity file is refused.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    #[error("it is longer than {} bytes", CameraCard::BYTES_MAX)]
    TooLong,
    #[error("it is not the JSON object it should be")]
    Json(#[source] serde_json::Error),
    #[error("its format is {format:?} version {version}, not \"bwv-camera\" version 1")]
    Format { format: String, version: u64 },
    #[error("its text holds control characters or is longer than 256 bytes")]
    Text,
    #[error("its public key cannot be read")]
    Key(#[source] super::KeyError),
}

/// What a camera says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraCard {
    pub camera: CameraId,
    pub model: String,
    pub firmware: String,
    pub public_key: Option<PublicKey>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default)]
    format: String,
    #[serde(default)]
    version: u64,
    camera: CameraId,
    #[serde(default)]
    model: String,
    #[serde(default)]
    firmware: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
}

impl CameraCard {
    /// The longest identity file that is read.
    pub const BYTES_MAX: usize = 64 << 10;

    /// # Errors
    /// [`CardError`] names the first rule that is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, CardError> {
        if bytes.len() > Self::BYTES_MAX {
            return Err(CardError::TooLong);
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(CardError::Json)?;
        if wire.format != "bwv-camera" || wire.version != 1 {
            let format = wire.format.chars().take(80).collect();
            return Err(CardError::Format { format, version: wire.version });
        }
        let odd = |text: &str| text.len() > 256 || text.chars().any(char::is_control);
        if odd(&wire.model) || odd(&wire.firmware) {
            return Err(CardError::Text);
        }
        let public_key = wire.public_key.as_deref().map(PublicKey::parse).transpose();
        Ok(Self {
            camera: wire.camera,
            model: wire.model,
            firmware: wire.firmware,
            public_key: public_key.map_err(CardError::Key)?,
        })
    }

    /// The bytes a camera writes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let wire = Wire {
            format: "bwv-camera".into(),
            version: 1,
            camera: self.camera.clone(),
            model: self.model.clone(),
            firmware: self.firmware.clone(),
            public_key: self.public_key.map(PublicKey::to_base64),
        };
        let mut bytes = serde_json::to_vec_pretty(&wire).expect("a card has only text keys");
        bytes.push(b'\n');
        bytes
    }
}

/// What is known of a camera besides its files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// What the bay's configuration says.
    pub configured: Option<&'a CameraId>,
    /// Its serial number on USB, where it has one that can be a camera id.
    pub usb_serial: Option<&'a CameraId>,
}

/// Which camera holds `listing`. `small` holds what [`Profile::small_files`] asked for.
///
/// What the camera says counts; where it says nothing, the configuration stands in, and then its
/// serial number on USB: better kept under that than not at all.
///
/// # Errors
/// [`IdentityError`]: nothing usable was found, or it contradicts itself or the configuration.
pub fn identify(
    profile: &Profile,
    listing: &Listing,
    small: &BTreeMap<SourcePath, Vec<u8>>,
    known: Known<'_>,
) -> Result<CameraId, IdentityError> {
    let usb = || known.usb_serial.cloned().ok_or(IdentityError::NoUsbSerial);
    let found = match profile.identity() {
        IdentityFrom::Card(path) => from_card(path, small),
        IdentityFrom::Pattern => from_names(profile, listing),
        IdentityFrom::Configured => Err(IdentityError::NotConfigured),
        IdentityFrom::Usb => usb(),
    };
    match (found, known.configured) {
        (Ok(found), Some(configured)) if found != *configured => {
            Err(IdentityError::Differs { found, configured: configured.clone() })
        }
        (Err(error), configured) if error.is_silence() => {
            configured.cloned().or_else(|| usb().ok()).ok_or(error)
        }
        (found, _) => found,
    }
}

impl IdentityError {
    /// The camera says nothing, rather than something wrong.
    fn is_silence(&self) -> bool {
        match self {
            Self::NoCard(_) | Self::NoSerial | Self::NotConfigured | Self::NoUsbSerial => true,
            Self::Card { .. } | Self::Several(..) | Self::Differs { .. } => false,
        }
    }
}

/// Whether a camera could not be told from others for the one reason that there is nothing on it:
/// no file that would be copied, and nothing that could not be listed.
pub fn is_empty_card(profile: &Profile, listing: &Listing, error: &IdentityError) -> bool {
    let is_nothing = |file: &crate::types::FileEntry| {
        matches!(profile.role(&file.path), Role::Ignored | Role::Status)
    };
    error.is_silence() && listing.unread.is_empty() && listing.files.iter().all(is_nothing)
}

fn from_card(
    path: &SourcePath,
    small: &BTreeMap<SourcePath, Vec<u8>>,
) -> Result<CameraId, IdentityError> {
    let bytes = small.get(path).ok_or_else(|| IdentityError::NoCard(path.clone()))?;
    CameraCard::parse(bytes)
        .map(|card| card.camera)
        .map_err(|source| IdentityError::Card { path: path.clone(), source })
}

fn from_names(profile: &Profile, listing: &Listing) -> Result<CameraId, IdentityError> {
    let mut found: Option<CameraId> = None;
    for file in &listing.files {
        let serial = profile.fields(&file.path).and_then(|fields| fields.serial);
        match (serial.and_then(|serial| CameraId::new(serial).ok()), &found) {
            (Some(serial), None) => found = Some(serial),
            (Some(serial), Some(first)) if serial != *first => {
                return Err(IdentityError::Several(first.clone(), serial));
            }
            _ => {}
        }
    }
    found.ok_or(IdentityError::NoSerial)
}

#[cfg(test)]
mod tests;
