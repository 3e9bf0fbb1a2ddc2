//! The store that the configuration names, whichever it is.

use super::{Answer, Directory, ListedPart, ObjectHead, OpenUpload, PartAck, Probe, S3, Store};
use crate::{
    spool::SpoolFile,
    transfer::marks::{MarkChange, MarksFound},
    types::{Sha256Digest, fact::SealedObject},
};

/// One of the real stores.
pub enum AnyStore {
    S3(Box<S3>),
    Directory(Box<Directory>),
}

macro_rules! whichever {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            Self::S3($store) => $call,
            Self::Directory($store) => $call,
        }
    };
}

impl AnyStore {
    /// What it enforces, before anything relies on it.
    ///
    /// # Errors
    /// As the store says when even what is right fails.
    pub async fn probe(&self, prefix: &str) -> Answer<Probe> {
        whichever!(self, store => store.probe(prefix).await)
    }

    /// See [`S3::clock_offset_ms`]; a folder has no clock of its own.
    pub fn clock_offset_ms(&self) -> i64 {
        match self {
            Self::S3(store) => store.clock_offset_ms(),
            Self::Directory(_) => 0,
        }
    }
}

impl Store for AnyStore {
    async fn create(&self, object: &SealedObject) -> Answer<String> {
        whichever!(self, store => store.create(object).await)
    }

    async fn open_uploads(&self, key: &str) -> Answer<Vec<OpenUpload>> {
        whichever!(self, store => store.open_uploads(key).await)
    }

    async fn parts(&self, key: &str, upload: &str) -> Answer<Vec<ListedPart>> {
        whichever!(self, store => store.parts(key, upload).await)
    }

    async fn put_part(
        &self,
        object: &SealedObject,
        upload: &str,
        number: u32,
        file: &SpoolFile,
    ) -> Answer<PartAck> {
        whichever!(self, store => store.put_part(object, upload, number, file).await)
    }

    async fn complete(&self, object: &SealedObject, upload: &str, etags: &[String]) -> Answer<()> {
        whichever!(self, store => store.complete(object, upload, etags).await)
    }

    async fn abort(&self, key: &str, upload: &str) -> Answer<()> {
        whichever!(self, store => store.abort(key, upload).await)
    }

    async fn head(&self, key: &str) -> Answer<Option<ObjectHead>> {
        whichever!(self, store => store.head(key).await)
    }

    async fn read_back(&self, key: &str, size: u64) -> Answer<(u64, Sha256Digest)> {
        whichever!(self, store => store.read_back(key, size).await)
    }

    async fn put_small(&self, key: &str, bytes: Vec<u8>, content_type: &'static str) -> Answer<()> {
        whichever!(self, store => store.put_small(key, bytes, content_type).await)
    }

    async fn marks(
        &self,
        key: &str,
        version: Option<&str>,
        with_locks: bool,
    ) -> Answer<MarksFound> {
        whichever!(self, store => store.marks(key, version, with_locks).await)
    }

    async fn mark(&self, key: &str, version: Option<&str>, change: &MarkChange) -> Answer<()> {
        whichever!(self, store => store.mark(key, version, change).await)
    }
}
