//! The JSON records of the vault, version 1: an object, an upload, a part, a bucket.

use super::held::FileTimes;
use crate::types::{Md5Digest, Sha256Digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) const VERSION: u32 = 1;

/// Base64 checksums by S3 algorithm name (`CRC32`, `CRC32C`, `CRC64NVME`, `SHA1`).
pub(super) type Sums = BTreeMap<String, String>;

/// What the client said about an object at Put or Create, to be said back at Head and Get.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Described {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `x-amz-meta-*`, names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
    /// Kept and said back. Nothing in the vault can be deleted, with a lock or without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<bool>,
}

/// A stored object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ObjectMeta {
    pub v: u32,
    pub key: String,
    pub version_id: String,
    pub created: Timestamp,
    pub size: u64,
    pub etag: String,
    /// Of the whole object, as it lies on disk.
    pub sha256: Sha256Digest,
    /// S3's SHA-256 over the parts' SHA-256, `-`, their count; of multipart objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composite_sha256: Option<String>,
    /// Other checksums the client asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sums: Sums,
    /// Of multipart objects: the upload it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<ObjectPart>,
    /// Times of the data file when it got its name, or when its bytes were last seen to be these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileTimes>,
    #[serde(flatten)]
    pub described: Described,
}

/// One part of a stored multipart object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ObjectPart {
    pub number: u32,
    pub size: u64,
    pub sha256: Sha256Digest,
}

/// An open multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UploadMeta {
    pub v: u32,
    pub id: String,
    pub key: String,
    pub created: Timestamp,
    /// The checksum algorithm asked at Create, S3's name of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// `FULL_OBJECT` was asked instead of `COMPOSITE`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full_object: bool,
    #[serde(flatten)]
    pub described: Described,
}

/// An acknowledged part of an open upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartMeta {
    pub v: u32,
    pub number: u32,
    pub size: u64,
    pub created: Timestamp,
    pub md5: Md5Digest,
    pub sha256: Sha256Digest,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sums: Sums,
    /// Name of the file with the bytes, in the same folder.
    pub file: String,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BucketMeta {
    pub v: u32,
    pub name: String,
    pub created: Timestamp,
}

/// What lists say of an object; kept in memory for every object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub size: u64,
    pub etag: String,
    pub created: Timestamp,
}

impl From<&ObjectMeta> for Row {
    fn from(meta: &ObjectMeta) -> Self {
        Self { size: meta.size, etag: meta.etag.clone(), created: meta.created }
    }
}

/// A fresh opaque id: 32 hexadecimal digits that sort by time of making.
pub(super) fn fresh_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}
