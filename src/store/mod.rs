//! The store door: one evidence store, spoken to in multipart uploads.
//!
//! Real sides: [`s3`], and [`Directory`] for sites without. Simulated side: [`sim`]. What to send when is the business of
//! [`crate::transfer`]; this door performs one call and reports what the store said, trusting
//! nothing: an answer counts only with the shape the call demands.

mod any;
mod directory;
pub mod limiter;
mod marking;
mod md5;
mod perform;
pub mod s3;
pub mod sim;
#[cfg(test)]
mod tests;

pub use self::md5::Md5s;
pub use crate::transfer::{
    Distrust, Enforces, Fault, ListedPart, ObjectHead, OpenUpload, PartAck, StoreError,
};
pub use any::AnyStore;
pub use directory::{Directory, DirectoryReport, FolderSetup};
pub use limiter::Limiter;
pub use marking::establish;
pub use perform::perform;
pub use s3::{
    Answerer, BucketWanted, Kept, Lifecycle, LifecycleRule, Probe, S3, S3Options, Seen, SetupError,
    SetupReport, SetupStep, Survey, check_authorities, check_client, client_config, sending_failed,
};
pub use sim::SimStore;

use crate::{
    spool::SpoolFile,
    transfer::marks::{MarkChange, MarksFound},
    types::{Sha256Digest, fact::SealedObject},
};
use std::future::Future;

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
    /// GetObject streamed into SHA-256: size and digest of what the store really holds. A body that
    /// is announced with another length than `size`, which HEAD gave, is not read.
    fn read_back(
        &self,
        key: &str,
        size: u64,
    ) -> impl Future<Output = Answer<(u64, Sha256Digest)>> + Send;
    /// PutObject of a small file (receipts) with `If-None-Match: *`; already there is success.
    fn put_small(
        &self,
        key: &str,
        bytes: Vec<u8>,
        content_type: &'static str,
    ) -> impl Future<Output = Answer<()>> + Send;
    /// What this version of the object has for marks; its lock only `with_locks`. A store without
    /// tags says that there is none; [`Fault::Missing`] when it no longer has the object.
    fn marks(
        &self,
        key: &str,
        version: Option<&str>,
        with_locks: bool,
    ) -> impl Future<Output = Answer<MarksFound>> + Send;
    /// Changes one mark of this version. Its other tags stay.
    fn mark(
        &self,
        key: &str,
        version: Option<&str>,
        change: &MarkChange,
    ) -> impl Future<Output = Answer<()>> + Send;
}
