//! What a client says of an object at Put and Create, checked and kept.

use super::{errors::refuse, meta::Described};
use jiff::Timestamp;
use s3s::{S3ErrorCode, S3Result, dto::*};
use std::collections::BTreeMap;

/// S3's own bounds.
const TAGS_MAX: usize = 10;
const METADATA_BYTES_MAX: usize = 2048;

/// The standard headers kept with an object.
pub(super) struct Headers {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub content_disposition: Option<String>,
    pub content_language: Option<String>,
    pub cache_control: Option<String>,
}

/// The object-lock headers.
pub(super) struct Lock {
    pub mode: Option<ObjectLockMode>,
    pub until: Option<s3s::dto::Timestamp>,
    pub hold: Option<ObjectLockLegalHoldStatus>,
}

impl Described {
    pub fn new(
        headers: Headers,
        metadata: Option<Metadata>,
        tagging: Option<&str>,
        lock: Lock,
    ) -> S3Result<Self> {
        let metadata: BTreeMap<String, String> = metadata.unwrap_or_default().into_iter().collect();
        if metadata.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>() > METADATA_BYTES_MAX {
            return Err(refuse(S3ErrorCode::MetadataTooLarge, "at most 2 KiB of metadata"));
        }
        let tags = url::form_urlencoded::parse(tagging.unwrap_or_default().as_bytes());
        if lock.mode.is_some() != lock.until.is_some() {
            let words = "a lock mode and a retain-until date come together";
            return Err(refuse(S3ErrorCode::InvalidArgument, words));
        }
        Ok(Self {
            content_type: headers.content_type,
            content_encoding: headers.content_encoding.filter(|e| !e.is_empty()),
            content_disposition: headers.content_disposition,
            content_language: headers.content_language,
            cache_control: headers.cache_control,
            metadata,
            tags: checked_tags(tags.into_owned().collect())?,
            lock_mode: lock.mode.map(|mode| mode.as_str().to_owned()),
            retain_until: lock.until.map(from_s3).transpose()?,
            legal_hold: lock.hold.map(|hold| hold.as_str() == ObjectLockLegalHoldStatus::ON),
        })
    }
}

/// Tags within S3's bounds.
pub(super) fn checked_tags(tags: Vec<(String, String)>) -> S3Result<Vec<(String, String)>> {
    let fits = |(key, value): &(String, String)| {
        (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256
    };
    let names: std::collections::HashSet<_> = tags.iter().map(|(key, _)| key).collect();
    if tags.len() > TAGS_MAX || names.len() != tags.len() || !tags.iter().all(fits) {
        let words = "at most 10 tags with different keys of 1-128 and values of 0-256 characters";
        return Err(refuse(S3ErrorCode::InvalidTag, words));
    }
    Ok(tags)
}

fn from_s3(time: s3s::dto::Timestamp) -> S3Result<Timestamp> {
    let mut text = Vec::new();
    let written = time.format(TimestampFormat::DateTime, &mut text).is_ok();
    let text = String::from_utf8(text).ok().filter(|_| written);
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| refuse(S3ErrorCode::InvalidArgument, "a date is out of range"))
}
