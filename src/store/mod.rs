//! The store door: one evidence store, spoken to in multipart uploads.
//!
//! Real side: `s3`. Simulated side: `sim`. What to send when is the business of
//! [`crate::transfer`]; this door performs one call and reports what the store said, trusting
//! nothing: an answer counts only with the shape the call demands.

use crate::{
    spool::SpoolFile,
    types::{Sha256Digest, fact::SealedObject},
};
use jiff::Timestamp;
use std::{future::Future, time::Duration};

/// What went wrong, as the transfer rules need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No connection, reset, timeout, cut short. The call may or may not have happened.
    Network,
    /// 500, 502, 504 and the like.
    Server,
    /// 503 SlowDown, 429: slow down, perhaps for a time the store named.
    Busy { retry_after: Option<Duration> },
    /// 507 or a quota error: the store is full.
    Full,
    /// 401/403: credentials are wrong or lack a right.
    Denied,
    /// 403 RequestTimeTooSkewed; the door has learned the store's clock: try again at once.
    Skewed,
    /// 404 NoSuchUpload (or NoSuchKey on a HEAD).
    Missing,
    /// 409: a conflicting operation is under way.
    Conflict,
    /// 412: the object is already there.
    Exists,
    /// The store found the digest we sent unequal to the bytes it got.
    BadDigest,
    /// A redirect, a page of HTML, a 200 without what a 200 must carry: not our store talking.
    NotTheStore,
    /// Any other 4xx: asking again will not help.
    Refused,
    /// Reading our own spool failed while sending.
    Spool,
}

/// A failed call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{call}: {words}")]
pub struct StoreError {
    /// The S3 operation, for example `UploadPart`.
    pub call: &'static str,
    pub fault: Fault,
    /// For people: status, code and message as the store gave them, shortened.
    pub words: String,
}

/// What ListParts says of a part: a hint, never a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPart {
    pub number: u32,
    pub etag: String,
    pub size: u64,
}

/// An upload the store still keeps open for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    pub id: String,
    pub initiated: Option<Timestamp>,
}

/// What a HEAD of a stored object says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectHead {
    pub size: u64,
    pub etag: String,
    pub version: Option<String>,
    /// `x-amz-checksum-sha256`, composite form, if the store keeps one.
    pub composite_sha256: Option<String>,
    /// `x-amz-meta-sha256`: what we said at Create.
    pub meta_sha256: Option<String>,
    pub lock_mode: Option<String>,
    pub retain_until: Option<Timestamp>,
    pub legal_hold: Option<bool>,
    /// The `Date` header, as sent.
    pub server_date: Option<String>,
    pub request_id: Option<String>,
    /// SHA-256 of the store's TLS public key (SPKI), as base64; none without TLS.
    pub tls_spki_sha256: Option<String>,
}

/// How a part that was sent is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartAck {
    pub etag: String,
    /// The store echoed the SHA-256 we sent, and it is equal.
    pub sha256_echoed: bool,
    /// The ETag is the MD5 of the part.
    pub etag_is_md5: bool,
}

type Answer<T> = Result<T, StoreError>;

/// One evidence store. Calls may run at the same time.
pub trait Store: Send + Sync + 'static {
    /// CreateMultipartUpload with metadata, class tag, lock headers and SHA-256 checksums asked.
    fn create(&self, object: &SealedObject) -> impl Future<Output = Answer<String>> + Send;
    /// ListMultipartUploads for exactly this key, newest first.
    fn open_uploads(&self, key: &str) -> impl Future<Output = Answer<Vec<OpenUpload>>> + Send;
    /// ListParts, all pages, sorted by number, one row a number (the newest).
    fn parts(
        &self,
        key: &str,
        upload: &str,
    ) -> impl Future<Output = Answer<Vec<ListedPart>>> + Send;
    /// UploadPart, streamed from the spool with bounded memory.
    fn put_part(
        &self,
        object: &SealedObject,
        upload: &str,
        number: u32,
        file: &SpoolFile,
    ) -> impl Future<Output = Answer<PartAck>> + Send;
    /// CompleteMultipartUpload with `If-None-Match: *`; `etags[i]` belongs to part i+1.
    fn complete(
        &self,
        object: &SealedObject,
        upload: &str,
        etags: &[String],
    ) -> impl Future<Output = Answer<()>> + Send;
    /// AbortMultipartUpload; an upload already gone is success.
    fn abort(&self, key: &str, upload: &str) -> impl Future<Output = Answer<()>> + Send;
    /// HeadObject; `Ok(None)` when there is no such object.
    fn head(&self, key: &str) -> impl Future<Output = Answer<Option<ObjectHead>>> + Send;
    /// GetObject streamed into SHA-256: size and digest of what the store really holds.
    fn read_back(&self, key: &str) -> impl Future<Output = Answer<(u64, Sha256Digest)>> + Send;
    /// PutObject of a small file (receipts) with `If-None-Match: *`; already there is success.
    fn put_small(
        &self,
        key: &str,
        bytes: Vec<u8>,
        content_type: &'static str,
    ) -> impl Future<Output = Answer<()>> + Send;
}
