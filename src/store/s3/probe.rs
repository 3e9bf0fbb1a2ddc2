//! Finds out with deliberately bad requests what a store enforces, before anything relies on it.

use super::{S3, request::Ask};
use crate::{
    store::{Enforces, Fault, Store as _, StoreError},
    types::{
        Class, Md5Digest, ObjectId, RecordingId, Sha256Digest,
        fact::{Content, Hashed, Part, PartTable, SealedObject},
    },
};
use md5::{Digest as _, Md5};
use rusty_s3::{Credentials, Method};

/// What a store was seen to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// It refuses a request signed with a wrong secret. A store that does not must not be used:
    /// anybody can write to it.
    pub signature: bool,
    pub enforces: Enforces,
}

/// Uploads of earlier probes, ended by a kill or a power cut, that one probe tidies away.
const STALE_MAX: usize = 16;

pub(super) const BODY: &[u8] = b"bwvdock asks what this store enforces\n";

impl S3 {
    /// Asks with a wrong signature, a wrong SHA-256, a wrong MD5 and an object that is there
    /// already. Leaves one tiny object, `<prefix>bwvdock-probe`, and no upload.
    ///
    /// # Errors
    /// As the store says when even what is right fails; then nothing was learned.
    pub async fn probe(&self, prefix: &str) -> Result<Probe, StoreError> {
        let object = probe_object(format!("{prefix}bwvdock-probe"));
        let signature = self.refuses_wrong_signature(&object.key).await?;
        self.put_small(&object.key, BODY.to_vec(), "text/plain").await?;
        self.tidy(&object.key).await;
        let upload = self.create(&object).await?;
        let seen = self.probe_upload(&object, &upload).await;
        // After a Complete that was refused the upload is still there; else this finds nothing.
        let tidied = self.abort(&object.key, &upload).await;
        let enforces = seen?;
        tidied?;
        Ok(Probe { signature, enforces })
    }

    /// Aborts what earlier probes of this dock left open, under exactly this key. A store that
    /// lists nothing, or a right that is lacking, leaves it to the bucket's lifecycle rule.
    async fn tidy(&self, key: &str) {
        let Ok(open) = self.open_uploads(key).await else { return };
        for stale in open.iter().take(STALE_MAX) {
            if self.abort(key, &stale.id).await.is_err() {
                return;
            }
        }
    }

    async fn probe_upload(
        &self,
        object: &SealedObject,
        upload: &str,
    ) -> Result<Enforces, StoreError> {
        let part = object.table.parts[0];
        let wrong_sha256 = Part { sha256: Sha256Digest([0x5a; 32]), ..part };
        let wrong_md5 = Part { md5: Md5Digest([0x5a; 16]), ..part };
        let sha256 = is_refusal(self.probe_part(&object.key, upload, wrong_sha256).await)?;
        let md5 = is_refusal(self.probe_part(&object.key, upload, wrong_md5).await)?;
        // What is right must be taken, or the refusals above mean nothing.
        let etag = self.probe_part(&object.key, upload, part).await?;
        let if_none_match = match self.complete(object, upload, &[etag]).await {
            Ok(()) => false,
            Err(error) if error.fault == Fault::Exists => true,
            Err(error) => {
                refused(error)?;
                false
            }
        };
        Ok(Enforces { sha256, md5, if_none_match })
    }

    async fn probe_part(&self, key: &str, upload: &str, says: Part) -> Result<String, StoreError> {
        let ask = Ask::new("UploadPart", Method::Put, Some(key))
            .query("partNumber", "1")
            .query("uploadId", upload)
            .header("content-md5", says.md5.to_base64())
            .header("x-amz-checksum-sha256", says.sha256.to_base64())
            .bytes(BODY.to_vec());
        let reply = self.ask(ask).await?.success()?;
        reply.etag().ok_or_else(|| reply.not_the_store("no ETag for a part"))
    }

    async fn refuses_wrong_signature(&self, key: &str) -> Result<bool, StoreError> {
        let wrong = format!("not{}", self.credentials.secret());
        let stranger = Self {
            client: self.client.clone(),
            bucket: self.bucket.clone(),
            credentials: Credentials::new(self.credentials.key(), wrong),
            limiter: self.limiter.clone(),
            endpoint: self.endpoint.clone(),
            clock: self.clock,
            bytes_per_second_min: self.bytes_per_second_min,
            patience: self.patience,
            offset_ms: self.clock_offset_ms().into(),
        };
        let mut answer = stranger.head(key).await.map(drop);
        if matches!(&answer, Err(error) if error.fault == Fault::Skewed) {
            answer = stranger.head(key).await.map(drop);
            self.adopt_clock(&stranger);
        }
        // Reading and writing may be guarded by different hands: a proxy, a cache, a policy.
        Ok(is_denied(answer)?
            && is_denied(stranger.put_small(key, BODY.to_vec(), "text/plain").await)?)
    }

    /// Whether PutObject over an object that is there is refused when it carries
    /// `If-None-Match: *`. The bytes are the same, should the store take them.
    pub(super) async fn refuses_second_put(&self, prefix: &str) -> Result<bool, StoreError> {
        let key = format!("{prefix}bwvdock-probe");
        let ask = Ask::new("PutObject", Method::Put, Some(&key))
            .header("content-type", "text/plain")
            .header("if-none-match", "*")
            .bytes(BODY.to_vec());
        match self.ask(ask).await?.success() {
            Ok(_) => Ok(false),
            Err(error) if error.fault == Fault::Exists => Ok(true),
            Err(error) => refused(error).map(|()| false),
        }
    }

    fn adopt_clock(&self, other: &Self) {
        self.offset_ms.store(other.clock_offset_ms(), std::sync::atomic::Ordering::Relaxed);
    }
}

fn is_denied(answer: Result<(), StoreError>) -> Result<bool, StoreError> {
    match answer {
        Ok(()) => Ok(false),
        Err(error) if error.fault == Fault::Denied => Ok(true),
        Err(error) => refused(error).map(|()| true),
    }
}

fn is_refusal<T>(answer: Result<T, StoreError>) -> Result<bool, StoreError> {
    match answer {
        Ok(_) => Ok(false),
        Err(error) => refused(error).map(|()| true),
    }
}

/// Passes a refusal; faults that say nothing about what the store enforces stay errors.
fn refused(error: StoreError) -> Result<(), StoreError> {
    match error.fault {
        Fault::BadDigest | Fault::Refused => Ok(()),
        Fault::Network
        | Fault::Server
        | Fault::Busy { .. }
        | Fault::Full
        | Fault::Denied
        | Fault::Skewed
        | Fault::Missing
        | Fault::Conflict
        | Fault::Exists
        | Fault::NotTheStore
        | Fault::Untrusted { .. }
        | Fault::Spool => Err(error),
    }
}

pub(super) fn probe_object(key: String) -> SealedObject {
    let sha256 = Sha256Digest::of(BODY);
    let hashed = Hashed { size: BODY.len() as u64, sha256 };
    let part = Part { sha256, md5: Md5Digest(Md5::digest(BODY).into()) };
    SealedObject {
        id: ObjectId(uuid::Uuid::nil()),
        content: Content::Record(RecordingId(uuid::Uuid::nil())),
        plain: hashed,
        sealed: hashed,
        table: PartTable { part_size: hashed.size, parts: vec![part] },
        key,
        class: Class::Unreviewed,
        retain_until: None,
    }
}
