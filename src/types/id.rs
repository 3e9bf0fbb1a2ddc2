//! Newtypes for every id, so that no signature holds two bare strings side by side.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A name or id that would not be safe in a file name, a log line or an object key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("{what} must be 1 to {max} characters long")]
    Length { what: &'static str, max: usize },
    #[error("{what} may hold letters, digits, '.', '_', '-', but not {found:?}")]
    Character { what: &'static str, found: char },
    #[error("{0:?} is not an id of this dock")]
    NotUuid(String),
}

fn check(what: &'static str, max: usize, text: &str, extra: &str) -> Result<(), IdError> {
    if text.is_empty() || text.len() > max {
        return Err(IdError::Length { what, max });
    }
    let odd = |c: &char| !(c.is_ascii_alphanumeric() || "._-".contains(*c) || extra.contains(*c));
    // A leading dot would hide a file or climb a folder.
    match text.chars().next().filter(|c| *c == '.').or_else(|| text.chars().find(odd)) {
        Some(found) => Err(IdError::Character { what, found }),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $max:literal, $extra:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Checks the length and the characters.
            ///
            /// # Errors
            /// [`IdError`] says which rule the text breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                check($what, $max, &text, $extra)?;
                Ok(Self(text))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl FromStr for $type {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name!(
    /// One dock (one Raspberry-Pi class computer), unique in the force. At most 64 characters.
    DockId, "a dock id", 64, ""
);
name!(
    /// What is painted on the bay, for example `3` or `A-3`. At most 32 characters.
    BayName, "a bay name", 32, ""
);
name!(
    /// A camera's serial number as the force's asset register knows it. At most 64 characters.
    CameraId, "a camera id", 64, ""
);
name!(
    /// Who did something: `dock`, or `user:NAME` / `uid:N` of the local peer. At most 80 characters.
    Actor, "an actor", 80, ":@"
);

impl Actor {
    /// The dock itself, acting by its rules.
    pub fn dock() -> Self {
        Self("dock".into())
    }
}

macro_rules! opaque {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub Uuid);

        impl $type {
            /// The raw bytes, which sort by time of making (UUID version 7, RFC 9562).
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// # Errors
            /// None but a wrong length: any 16 bytes are an id.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                Uuid::from_slice(bytes)
                    .map(Self)
                    .map_err(|_| IdError::NotUuid(hex::encode(bytes)))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $type {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| IdError::NotUuid(text.chars().take(80).collect()))
            }
        }
    };
}

opaque!(
    /// One recording: what an officer started and stopped. Opaque; says nothing of its content.
    RecordingId
);
opaque!(
    /// One file of a recording as it stood on a camera.
    SegmentId
);
opaque!(
    /// One sealed object: what the spool and the store hold. Sealing again makes a new one.
    ObjectId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_would_escape_a_folder_or_a_line() {
        for bad in ["", "../x", "a/b", "a b", "a\n", ".hidden", &"x".repeat(65)] {
            assert!(CameraId::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(CameraId::new("BWC-0001.a").unwrap().as_str(), "BWC-0001.a");
        assert!(Actor::new("user:ann@example").is_ok());
    }
}
