//! The embedded evidence store: the part of S3 a dock uses, strict, on plain files.
//!
//! For the demo and for small sites. The protocol (routing, SigV4, XML) is crate `s3s`; what is
//! here is what an evidence store adds to it.
//!
//! **Never overwritten, never deleted.** A key that exists stays as it is: writing other bytes to
//! it is refused with 412 `PreconditionFailed`, with or without `If-None-Match: *`; deleting is
//! refused with 403 `AccessDenied`. Writing the *same* bytes again without `If-None-Match` answers
//! 200 with the object that is there, so a retry is harmless. Only tags may change.
//!
//! **Strict.** SigV4 only (header or presigned), in the configured region, every `x-amz-*` header
//! signed; each checksum a client names (MD5, SHA-256, SHA-1, CRC32, CRC32C, CRC64NVME; header or
//! trailer) is compared with the bytes that came; parts are at least 5 MiB but for the last.
//!
//! **Durable.** Everything is written as a temporary file, fsynced, renamed, and its folder
//! fsynced, before it is acknowledged. A kill at any moment leaves the old or the new state.
//!
//! **Looked at.** Head and Get look at the file itself: one that is missing, or no longer what was
//! acknowledged (size; where its times differ, its bytes), is answered 404, as a dock erases on it.
//!
//! **Layout**, readable without this program:
//! ```text
//! ROOT/BUCKET/bucket.json                  who made it and when
//! ROOT/BUCKET/objects/KEY                  the object's bytes, one plain file
//! ROOT/BUCKET/meta/KEY%.json               its ETag, digests, tags, metadata, version, file times
//! ROOT/BUCKET/uploads/ID/upload.json       an open multipart upload
//! ROOT/BUCKET/uploads/ID/NNNNN.json, *.part  its parts
//! ROOT/BUCKET/tmp/                         emptied at start
//! ROOT/BUCKET/unclaimed/                   object files a crash left without metadata
//! ```
//! In paths, `/` of a key makes folders; every byte but `A-Za-z0-9_-+=@,` and inner dots is
//! written `%HH`; an empty piece is written `%`. The metadata file is the commit: an object without
//! it was never acknowledged.

mod access;
mod access_log;
mod bucket;
pub mod command;
mod described;
mod disk;
mod errors;
mod finish;
mod held;
mod incoming;
mod listing;
mod meta;
mod names;
mod objects;
mod outgoing;
mod patient;
mod receive;
mod server;
mod service;
mod sums;
mod tls;
mod upload_lists;
mod uploads;

pub use tls::{CertifiedPem, ThrowawayCa, VaultTls};

use std::{
    future::Future,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// What a vault needs to run.
#[derive(Debug, Clone)]
pub struct VaultOptions {
    /// Folder of the store; made if missing.
    pub root: PathBuf,
    /// Port 0 takes a free one; `ready` is told which.
    pub listen: SocketAddr,
    pub access_key: String,
    pub secret_key: String,
    /// Buckets made at start if missing.
    pub buckets: Vec<String>,
    /// Plain HTTP without; only fit for loopback.
    pub tls: Option<VaultTls>,
    /// The region clients must sign for.
    pub region: String,
    /// Gets one JSON line a request; appended to.
    pub access_log: Option<PathBuf>,
}

/// Why a vault cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("cannot {doing} {path}")]
    Disk {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("another vault is using {0}")]
    InUse(PathBuf),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("bad TLS key, certificate or client CA: {0}")]
    Tls(String),
    #[error("not a bucket name: {0}")]
    BucketName(String),
    #[error("the access key and the secret key may not be empty")]
    NoCredentials,
}

/// Serves until `shutdown` completes, then lets calls under way finish for up to ten seconds.
///
/// # Errors
/// [`VaultError`]: only what makes starting impossible; a failing request is answered, not raised.
pub async fn serve(
    options: VaultOptions,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), VaultError> {
    server::serve(options, ready, shutdown).await
}

/// Where the bytes of a key lie, for people who want to look; `None` for a key no vault stores.
pub fn object_path(root: &Path, bucket: &str, key: &str) -> Option<PathBuf> {
    Some(root.join(bucket).join("objects").join(names::key_path(key).ok()?))
}
