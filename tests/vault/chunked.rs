//! Requests signed in the Authorization header, and bodies in aws-chunked pieces with trailers,
//! as SDKs send them. The signing here is written from the SigV4 documents, not from `s3s`.

use crate::client::{KEY, MIB, REGION, Reply, S3, SECRET, bytes, fresh, sha256_base64};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bwvdock::types::Sha256Digest;
use jiff::Timestamp;
use reqwest::Method;
use ring::hmac;

const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

struct Signer {
    time: String,
    scope: String,
    key: Vec<u8>,
}

impl Signer {
    fn at(now: Timestamp) -> Self {
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/{REGION}/s3/aws4_request", &time[..8]);
        let key = scope
            .split('/')
            .fold(format!("AWS4{SECRET}").into_bytes(), |key, step| mac(&key, step));
        Self { time, scope, key }
    }

    fn sign(&self, algorithm: &str, rest: &str) -> String {
        hex::encode(mac(&self.key, &format!("{algorithm}\n{}\n{}\n{rest}", self.time, self.scope)))
    }

    /// Sends a Put of `/evidence/KEY`; the headers are signed. Returns the seed signature too.
    async fn put(
        &self,
        s3: &S3,
        key: &str,
        payload: &str,
        extra: &[(&str, &str)],
        body: impl FnOnce(&str) -> Vec<u8>,
    ) -> Reply {
        let url = s3.bucket.object_url(key);
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let mut headers = vec![
            ("host", host.as_str()),
            ("x-amz-content-sha256", payload),
            ("x-amz-date", self.time.as_str()),
        ];
        headers.extend(extra);
        headers.sort_unstable();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = headers.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        let canonical = format!("PUT\n{}\n\n{lines}\n{names}\n{payload}", url.path());
        let digest = Sha256Digest::of(canonical.as_bytes()).to_string();
        let signature = self.sign("AWS4-HMAC-SHA256", &digest);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={KEY}/{}, SignedHeaders={names}, Signature={signature}",
            self.scope
        );
        let mut all: Vec<_> = headers.into_iter().filter(|(name, _)| *name != "host").collect();
        all.push(("authorization", authorization.as_str()));
        s3.raw(Method::PUT, url.clone(), &all, body(&signature)).await
    }
}

fn crc64(body: &[u8]) -> String {
    use s3s::crypto::{Checksum as _, Crc64Nvme};
    STANDARD.encode(Crc64Nvme::checksum(body))
}

/// One chunk, the end, and a trailer.
fn with_trailer(body: &[u8], trailer: &str) -> Vec<u8> {
    let head = format!("{:x}\r\n", body.len());
    [head.as_bytes(), body, b"\r\n0\r\n", trailer.as_bytes(), b"\r\n\r\n"].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_signed_whole_must_be_that_payload() {
    let (_root, _vault, s3) = fresh().await;
    let signer = Signer::at(Timestamp::now());
    let digest = Sha256Digest::of(b"body").to_string();
    let sent = signer.put(&s3, "a", &digest, &[], |_| b"b0dy".to_vec()).await;
    sent.refused(400, "XAmzContentSHA256Mismatch");
    signer.put(&s3, "a", &digest, &[], |_| b"body".to_vec()).await.is(200);
    assert_eq!(s3.get("a", &[], &[]).await.body, b"body");
}

#[tokio::test(flavor = "multi_thread")]
async fn header_signatures_of_another_time_are_refused() {
    let (_root, _vault, s3) = fresh().await;
    for seconds in [1200, -1200] {
        let signer = Signer::at(Timestamp::now() + jiff::SignedDuration::from_secs(seconds));
        let sent = signer.put(&s3, "a", EMPTY, &[], |_| Vec::new()).await;
        sent.refused(403, "RequestTimeTooSkewed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trailing_checksum_is_compared_and_must_come() {
    let (_root, _vault, s3) = fresh().await;
    let body = bytes(200_000, 9);
    let length = body.len().to_string();
    let extra = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", length.as_str()),
        ("x-amz-trailer", "x-amz-checksum-crc64nvme"),
    ];
    let send = |key: &'static str, trailer: String| {
        let (s3, body) = (&s3, &body);
        async move {
            let signer = Signer::at(Timestamp::now());
            signer.put(s3, key, UNSIGNED_TRAILER, &extra, |_| with_trailer(body, &trailer)).await
        }
    };
    let wrong = format!("x-amz-checksum-crc64nvme:{}", crc64(b"other"));
    send("a", wrong).await.refused(400, "BadDigest");
    send("a", String::new()).await.refused(400, "InvalidRequest");
    s3.head("a").await.is(404);
    let right = format!("x-amz-checksum-crc64nvme:{}", crc64(&body));
    let put = send("a", right).await.is(200);
    assert_eq!(put.header("x-amz-checksum-crc64nvme"), crc64(&body));
    let head = s3.head("a").await;
    assert_eq!(head.header("x-amz-checksum-sha256"), sha256_base64(&body));
    assert_eq!(s3.get("a", &[], &[]).await.body, body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_not_the_signed_one_is_refused() {
    let (_root, _vault, s3) = fresh().await;
    let body = bytes(70_000, 4);
    let length = body.len().to_string();
    let extra = [("x-amz-decoded-content-length", length.as_str())];
    let chunks = |signer: &Signer, seed: &str, sent: &[u8]| {
        let mut previous = seed.to_owned();
        let mut out = Vec::new();
        for (signed, sent) in [(&body[..], sent), (&[][..], &[][..])] {
            let digest = Sha256Digest::of(signed);
            let rest = format!("{previous}\n{EMPTY}\n{digest}");
            previous = signer.sign("AWS4-HMAC-SHA256-PAYLOAD", &rest);
            let head = format!("{:x};chunk-signature={previous}\r\n", sent.len());
            out.extend([head.as_bytes(), sent, b"\r\n"].concat());
        }
        out
    };
    let signer = Signer::at(Timestamp::now());
    let mut altered = body.clone();
    altered[5] ^= 1;
    let sent = signer.put(&s3, "a", SIGNED, &extra, |seed| chunks(&signer, seed, &altered)).await;
    sent.refused(403, "SignatureDoesNotMatch");
    s3.head("a").await.is(404);
    let sent = signer.put(&s3, "a", SIGNED, &extra, |seed| chunks(&signer, seed, &body)).await;
    sent.is(200);
    assert_eq!(s3.get("a", &[], &[]).await.body, body);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunked_bodies_are_bounded_because_chunks_are_held_in_memory() {
    let (_root, _vault, s3) = fresh().await;
    let length = (65 * MIB).to_string();
    let extra = [
        ("x-amz-decoded-content-length", length.as_str()),
        ("x-amz-trailer", "x-amz-checksum-crc64nvme"),
    ];
    let signer = Signer::at(Timestamp::now());
    let sent = signer.put(&s3, "a", UNSIGNED_TRAILER, &extra, |_| b"0\r\n\r\n".to_vec()).await;
    sent.refused(400, "EntityTooLarge");
}
