//! What of a store only a person can mend.

use serde::{Deserialize, Serialize};

/// What of a store only a person can mend: until then footage is safe on the dock's disk alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreNeed {
    /// It refuses the dock's key, or the bucket is not there, or a right is lacking.
    Access,
    /// It is full.
    Room,
    /// It is a folder, and cannot be written, or its disk fails.
    Folder,
    /// Its certificate is not to be trusted.
    Trust,
}

impl StoreNeed {
    /// What is wrong, as a part of a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Access => "the store refuses this dock (credentials, bucket or rights)",
            Self::Room => "the store is full",
            Self::Folder => "the store's folder cannot be written, or its disk fails",
            Self::Trust => "the store's certificate is not trusted",
        }
    }

    /// What a station admin can do about it.
    pub fn next_step(self) -> &'static str {
        match self {
            Self::Access => {
                "check the access key, its rights and the bucket's name under [store]; then \
                 `bwvdock retry`"
            }
            Self::Room => "ask the store's administrator for space; then `bwvdock retry`",
            Self::Folder => {
                "`bwvdock doctor` says why: mount it to be written, give the daemon's user the right \
                 to, or look after its disk; then `bwvdock retry`"
            }
            Self::Trust => "`bwvdock doctor` says what is wrong with it; then `bwvdock retry`",
        }
    }
}
