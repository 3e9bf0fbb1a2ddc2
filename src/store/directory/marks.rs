//! The record beside an object: what it is, and the marks of its class.

use super::{
    disk::{Looks, Modified, Root},
    words::Trouble,
};
use crate::{
    store::Fault,
    transfer::marks::{Locks, MarkChange, MarksFound},
    types::{Class, ObjectId, Sha256Digest, fact::SealedObject},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;
const NOTE: &str = "retention and legal hold are written down here for people and for tools that \
                    clear away; this folder enforces neither";

/// `KEY.marks`, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub version: u32,
    pub object: ObjectId,
    pub size: u64,
    pub sha256: Sha256Digest,
    pub stored: Timestamp,
    /// Of the object's file, when its bytes were last seen to be these; none before it has its
    /// name, and in records of before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Modified>,
    pub class: Class,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<Timestamp>,
    pub legal_hold: bool,
    pub note: String,
}

impl Record {
    pub fn new(object: &SealedObject) -> Self {
        Self {
            version: VERSION,
            object: object.id,
            size: object.sealed.size,
            sha256: object.sealed.sha256,
            stored: Timestamp::now(),
            modified: None,
            class: object.class,
            retain_until: object.retain_until,
            legal_hold: object.retain_until.is_some() && object.class == Class::Evidential,
            note: NOTE.to_owned(),
        }
    }

    pub fn path(key: &str) -> String {
        format!("{key}.marks")
    }

    /// None where there is none, or one that nobody can read: then only the bytes tell.
    pub fn read(root: &Root, key: &str) -> Result<Option<Self>, Trouble> {
        match root.read(&Self::path(key)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(trouble) if trouble.fault == Fault::Missing => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    pub fn write(&self, root: &Root, key: &str) -> Result<(), Trouble> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| Trouble::new(Fault::Server, error.to_string()))?;
        text.push(b'\n');
        root.replace(&Self::path(key), &text)
    }
}

/// Notes the time of a file whose bytes were just seen to be those of its record.
pub(super) fn seen(
    root: &Root,
    key: &str,
    found: (u64, Sha256Digest),
    before: Option<Looks>,
) -> Result<(), Trouble> {
    let Some(mut record) = Record::read(root, key)? else { return Ok(()) };
    let modified = before.map(|looks| looks.modified);
    let same = (record.size, record.sha256) == found && root.look(key)? == before;
    if !same || record.modified == modified {
        return Ok(());
    }
    record.modified = modified;
    record.write(root, key)
}

pub(super) fn found(root: &Root, key: &str) -> Result<MarksFound, Trouble> {
    if !root.has(key)? {
        return Err(Trouble::new(Fault::Missing, format!("{key} is not there")));
    }
    let record = Record::read(root, key)?;
    let locks = Locks {
        mode: None,
        retain_until: record.as_ref().and_then(|record| record.retain_until),
        legal_hold: record.as_ref().is_some_and(|record| record.legal_hold),
        noted_only: true,
    };
    let class = record.map(|record| record.class.to_string());
    Ok(MarksFound { class, locks: Some(Ok(locks)) })
}

pub(super) fn change(root: &Root, key: &str, change: &MarkChange) -> Result<(), Trouble> {
    let Some(mut record) = Record::read(root, key)? else {
        let words = format!("{key}.marks is missing or unreadable: nothing can be noted there");
        return Err(Trouble::new(Fault::Refused, words));
    };
    match change {
        MarkChange::Class(class) => record.class = *class,
        MarkChange::Hold(on) => record.legal_hold = *on,
        MarkChange::Retain { until, .. } => {
            record.retain_until = record.retain_until.max(Some(*until));
        }
    }
    record.write(root, key)
}
