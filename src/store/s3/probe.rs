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
    /// Parts must carry `Content-MD5`: it checks nothing better, or takes no part without.
    pub wants_md5: bool,
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
        let (wants_md5, enforces) = seen?;
        tidied?;
        Ok(Probe { signature, wants_md5, enforces })
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
    ) -> Result<(bool, Enforces), StoreError> {
        let part = object.table.parts[0];
        let wrong_sha256 = Part { sha256: Sha256Digest([0x5a; 32]), ..part };
        let wrong_md5 = Part { md5: Some(Md5Digest([0x5a; 16])), ..part };
        let sha256 = is_refusal(self.probe_part(&object.key, upload, wrong_sha256).await)?;
        let md5 = is_refusal(self.probe_part(&object.key, upload, wrong_md5).await)?;
        // What is right must be taken, or the refusals above mean nothing; and it is sent as parts
        // will be sent, for some stores with locked objects insist on an MD5.
        let bare = match sha256 {
            true => Some(self.probe_part(&object.key, upload, Part { md5: None, ..part }).await),
            false => None,
        };
        let (wants_md5, etag) = match bare {
            Some(Ok(etag)) => (false, etag),
            Some(Err(error)) => {
                refused(error)?;
                (true, self.probe_part(&object.key, upload, part).await?)
            }
            None => (true, self.probe_part(&object.key, upload, part).await?),
        };
        let if_none_match = match self.complete(object, upload, &[etag]).await {
            Ok(()) => false,
            Err(error) if error.fault == Fault::Exists => true,
            Err(error) => {
                refused(error)?;
                false
            }
        };
        Ok((wants_md5, Enforces { sha256, md5, if_none_match }))
    }

    async fn probe_part(&self, key: &str, upload: &str, says: Part) -> Result<String, StoreError> {
        let ask = Ask::new("UploadPart", Method::Put, Some(key))
            .query("partNumber", "1")
            .query("uploadId", upload)
            .header("x-amz-checksum-sha256", says.sha256.to_base64())
            .bytes(BODY.to_vec());
        let ask = match says.md5 {
            Some(md5) => ask.header("content-md5", md5.to_base64()),
            None => ask,
        };
        let reply = self.ask(ask).await?.success()?;
        reply.etag().ok_or_else(|| reply.not_the_store("no ETag for a part"))
    }

    async fn refuses_wrong_signature(&self, key: &str) -> Result<bool, StoreError> {
        let wrong = format!("not{}", self.credentials.secret());
        let stranger = Self {
            wire: self.wire.clone(),
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
    let part = Part { sha256, md5: Some(Md5Digest(Md5::digest(BODY).into())) };
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

#[cfg(test)]
mod tests {
    use super::{super::tests, *};

    /// What the probe finds at a store that answers the three parts so, and the requests it made.
    async fn probed(parts: &[String]) -> (Probe, Vec<String>) {
        let created = "<InitiateMultipartUploadResult><UploadId>u</UploadId>\
                       </InitiateMultipartUploadResult>";
        let fine = |body| tests::answer("200 OK", "etag: \"e\"\r\n", body);
        let mut answers = vec![
            // Without a body, as HEAD is answered.
            tests::answer("403 Forbidden", "", ""),
            tests::error("403 Forbidden", "SignatureDoesNotMatch"),
            fine(""),
            tests::answer("200 OK", "", "<ListMultipartUploadsResult/>"),
            fine(created),
        ];
        answers.extend_from_slice(parts);
        answers.push(tests::error("412 Precondition Failed", "PreconditionFailed"));
        answers.push(tests::answer("204 No Content", "", ""));
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let (options, server) = tests::server(&answers).await;
        let probe = tests::door(options).probe("dock/").await.unwrap();
        (probe, server.await.unwrap())
    }

    fn taken() -> String {
        tests::answer("200 OK", "etag: \"e\"\r\n", "")
    }

    fn bad_digest() -> String {
        tests::error("400 Bad Request", "BadDigest")
    }

    fn has_md5(request: &str) -> bool {
        request.contains("\r\ncontent-md5: ")
    }

    #[tokio::test]
    async fn a_store_that_checks_sha256_is_sent_no_md5_unless_it_insists() {
        let (probe, requests) = probed(&[bad_digest(), bad_digest(), taken()]).await;
        let enforces = Enforces { sha256: true, md5: true, if_none_match: true };
        assert_eq!(probe, Probe { signature: true, wants_md5: false, enforces });
        assert!(!has_md5(&requests[7]), "{}", requests[7]);

        let insists = tests::error("400 Bad Request", "InvalidRequest");
        let parts = [bad_digest(), bad_digest(), insists, taken()];
        let (probe, requests) = probed(&parts).await;
        assert_eq!(probe, Probe { signature: true, wants_md5: true, enforces });
        assert!(!has_md5(&requests[7]) && has_md5(&requests[8]));
    }

    #[tokio::test]
    async fn a_store_that_does_not_check_sha256_is_sent_md5_whatever_it_does_with_it() {
        for (answer, md5) in [(bad_digest(), true), (taken(), false)] {
            let (probe, requests) = probed(&[taken(), answer, taken()]).await;
            let enforces = Enforces { sha256: false, md5, if_none_match: true };
            assert_eq!(probe, Probe { signature: true, wants_md5: true, enforces });
            assert!(requests[5..8].iter().all(|request| has_md5(request)));
        }
    }
}
