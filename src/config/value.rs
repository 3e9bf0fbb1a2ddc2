//! Small typed values that a configuration is made of.

use serde::{Serialize, Serializer};
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Serialises what has a text form of its own.
pub(super) fn as_text<T: fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// Where a secret lies: a file of its own, or a credential that systemd hands over.
///
/// Text form: an absolute path, or `credential:NAME` for the file NAME in the folder that systemd
/// names in `$CREDENTIALS_DIRECTORY`. The secret itself is never part of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFile {
    Path(PathBuf),
    Credential(String),
}

impl SecretFile {
    /// Where a store needs no key.
    pub(super) fn none() -> Self {
        Self::Path(PathBuf::new())
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Self::none()
    }

    /// The file to read; none for a credential when systemd gave no folder.
    pub fn path(&self, credentials_dir: Option<&Path>) -> Option<PathBuf> {
        match self {
            Self::Path(path) => Some(path.clone()),
            Self::Credential(name) => Some(credentials_dir?.join(name)),
        }
    }
}

impl fmt::Display for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

impl FromStr for SecretFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(name) = text.strip_prefix("credential:") else {
            // The text is not repeated in the error: somebody may have pasted the secret itself.
            return match text.starts_with('/') {
                true => Ok(Self::Path(PathBuf::from(text))),
                false => Err("is neither an absolute path nor credential:NAME"),
            };
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match !name.is_empty() && !name.starts_with('.') && name.chars().all(plain) {
            true => Ok(Self::Credential(name.to_owned())),
            false => Err("names a credential with other characters than A-Z a-z 0-9 - _ ."),
        }
    }
}

impl Serialize for SecretFile {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A time of day on the wall clock, in minutes since midnight; 24:00 is the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    pub const START: Self = Self(0);
    pub const END: Self = Self(24 * 60);

    /// Minutes since midnight, 0 to 1440.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for TimeOfDay {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WORDS: &str = "is no time of day from 00:00 to 24:00";
        let two_digits = |part: &str| match part.len() == 2 {
            true if part.bytes().all(|b| b.is_ascii_digit()) => part.parse::<u16>().ok(),
            _ => None,
        };
        let (hour, minute) = text.split_once(':').ok_or(WORDS)?;
        let (hour, minute) = two_digits(hour).zip(two_digits(minute)).ok_or(WORDS)?;
        let time = Self(hour * 60 + minute);
        if minute < 60 && time <= Self::END { Ok(time) } else { Err(WORDS) }
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum $type { $(#[serde(rename = $text)] $variant),+ }

        impl $type {
            /// The word that stands for it in the file.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub(super) const WORDS: &[(&str, Self)] = &[$(($text, Self::$variant)),+];
        }
    };
}

words!(
    /// A day of the week.
    Day {
        Monday => "mon", Tuesday => "tue", Wednesday => "wed", Thursday => "thu",
        Friday => "fri", Saturday => "sat", Sunday => "sun",
    }
);
words!(
    /// The least urgent lines that are still written to the log.
    LogLevel { Error => "error", Warn => "warn", Info => "info", Debug => "debug", Trace => "trace" }
);
words!(
    /// How log lines look.
    LogFormat { Text => "text", Json => "json" }
);
words!(
    /// What the store is: the S3 protocol, or a plain folder.
    StoreKind { S3 => "s3", Directory => "directory" }
);
words!(
    /// Whose turn it is while there is not power for all.
    ChargeOrder { NextShift => "next_shift", Fair => "fair" }
);
words!(
    /// What happens to a camera of a model that nobody named.
    UnknownModels { Refuse => "refuse", Ptp => "ptp" }
);
