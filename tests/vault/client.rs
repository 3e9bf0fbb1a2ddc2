//! A vault on loopback and a client that can be as wrong as a test wants.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bwvdock::{
    types::Sha256Digest,
    vault::{VaultError, VaultOptions, serve},
};
use jiff::Timestamp;
use md5::Digest as _;
use reqwest::{Client, Method, StatusCode, header::HeaderMap};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle, actions};
use std::{net::SocketAddr, path::Path, time::Duration};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use url::Url;

pub const KEY: &str = "AKTEST";
pub const SECRET: &str = "a secret of the tests";
pub const REGION: &str = "eu-test-1";
pub const BUCKET: &str = "evidence";
pub const MIB: usize = 1 << 20;
const VALID: Duration = Duration::from_secs(60);

pub fn options(root: &Path) -> VaultOptions {
    VaultOptions {
        root: root.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        access_key: KEY.into(),
        secret_key: SECRET.into(),
        buckets: vec![BUCKET.into()],
        tls: None,
        region: REGION.into(),
        access_log: None,
    }
}

/// A vault being served by this process.
pub struct Running {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), VaultError>>,
}

impl Running {
    pub async fn start(options: VaultOptions) -> Self {
        let (ready, address) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let serving =
            tokio::spawn(serve(options, move |address| ready.send(address).unwrap(), async move {
                drop(stopped.await)
            }));
        Self { address: address.await.unwrap(), stop, serving }
    }

    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap().unwrap();
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The text of the first element of this name.
    pub fn element(&self, name: &str) -> String {
        self.elements(name).into_iter().next().unwrap_or_default()
    }

    pub fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        text.split(&open)
            .skip(1)
            .map(|rest| rest.split(&close).next().unwrap().replace("&quot;", "\""))
            .collect()
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{} {:?}", self.text(), self.headers);
        self
    }

    /// A refusal with this code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) {
        let reply = self.is(status);
        assert_eq!(reply.element("Code"), code, "{}", reply.text());
    }
}

/// Headers to be sent; `x-amz-*` and conditions are signed with them.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

#[derive(Clone)]
pub struct S3 {
    pub bucket: Bucket,
    pub credentials: Credentials,
    pub http: Client,
}

impl S3 {
    pub fn at(address: SocketAddr) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url: Url = format!("http://{address}").parse().unwrap();
        Self {
            bucket: Bucket::new(url, UrlStyle::Path, BUCKET, REGION).unwrap(),
            credentials: Credentials::new(KEY, SECRET),
            http: Client::builder().no_proxy().build().unwrap(),
        }
    }

    pub fn sign<'a, A: S3Action<'a>>(&self, mut action: A, headers: Headers<'a>) -> Url {
        for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-amz-")) {
            action.headers_mut().insert(*name, *value);
        }
        action.sign(VALID)
    }

    pub async fn raw(
        &self,
        method: Method,
        url: Url,
        headers: Headers<'_>,
        body: Vec<u8>,
    ) -> Reply {
        let mut request = self.http.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Reply { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    pub async fn put(&self, key: &str, headers: Headers<'_>, body: &[u8]) -> Reply {
        let action = actions::PutObject::new(&self.bucket, Some(&self.credentials), key);
        let url = self.sign(action, headers);
        self.raw(Method::PUT, url, headers, body.to_vec()).await
    }

    pub async fn get(&self, key: &str, query: Headers<'_>, headers: Headers<'_>) -> Reply {
        let mut action = actions::GetObject::new(&self.bucket, Some(&self.credentials), key);
        query.iter().for_each(|(name, value)| action.query_mut().insert(*name, *value));
        let url = self.sign(action, headers);
        self.raw(Method::GET, url, headers, Vec::new()).await
    }

    pub async fn head(&self, key: &str) -> Reply {
        let headers = [("x-amz-checksum-mode", "ENABLED")];
        let action = actions::HeadObject::new(&self.bucket, Some(&self.credentials), key);
        let url = self.sign(action, &headers);
        self.raw(Method::HEAD, url, &headers, Vec::new()).await
    }

    /// GET on the bucket itself.
    pub async fn list(&self, query: Headers<'_>) -> Reply {
        let mut action = actions::ListObjectsV2::new(&self.bucket, Some(&self.credentials));
        query.iter().for_each(|(name, value)| action.query_mut().insert(*name, *value));
        let url = self.sign(action, &[]);
        self.raw(Method::GET, url, &[], Vec::new()).await
    }

    /// Lists open uploads, which `ListObjectsV2` cannot be bent to.
    pub async fn uploads(&self, query: Headers<'_>) -> Reply {
        self.get("", &[&[("uploads", "")], query].concat(), &[]).await
    }

    pub async fn create(&self, key: &str, headers: Headers<'_>) -> Reply {
        let action =
            actions::CreateMultipartUpload::new(&self.bucket, Some(&self.credentials), key);
        let url = self.sign(action, headers);
        self.raw(Method::POST, url, headers, Vec::new()).await
    }

    pub async fn part(
        &self,
        key: &str,
        upload: &str,
        number: u16,
        headers: Headers<'_>,
        body: &[u8],
    ) -> Reply {
        let credentials = Some(&self.credentials);
        let action = actions::UploadPart::new(&self.bucket, credentials, key, number, upload);
        let url = self.sign(action, headers);
        self.raw(Method::PUT, url, headers, body.to_vec()).await
    }

    pub async fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: &[Claim],
        headers: Headers<'_>,
    ) -> Reply {
        let credentials = Some(&self.credentials);
        let none = std::iter::empty::<&str>();
        let action =
            actions::CompleteMultipartUpload::new(&self.bucket, credentials, key, upload, none);
        let url = self.sign(action, headers);
        let rows: String = parts.iter().map(Claim::xml).collect();
        let body = format!("<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>");
        self.raw(Method::POST, url, headers, body.into_bytes()).await
    }

    pub async fn abort(&self, key: &str, upload: &str) -> Reply {
        let credentials = Some(&self.credentials);
        let action = actions::AbortMultipartUpload::new(&self.bucket, credentials, key, upload);
        self.raw(Method::DELETE, action.sign(VALID), &[], Vec::new()).await
    }

    pub async fn delete(&self, key: &str) -> Reply {
        let action = actions::DeleteObject::new(&self.bucket, Some(&self.credentials), key);
        self.raw(Method::DELETE, action.sign(VALID), &[], Vec::new()).await
    }

    /// A presigned Put made as if it were `at`.
    pub fn signed_at(&self, key: &str, valid: Duration, at: Timestamp) -> Url {
        actions::PutObject::new(&self.bucket, Some(&self.credentials), key)
            .sign_with_time(valid, &at)
    }
}

/// One row of a Complete.
#[derive(Debug, Clone)]
pub struct Claim {
    pub number: u16,
    pub etag: String,
    pub sha256: Option<String>,
}

impl Claim {
    pub fn of(number: u16, body: &[u8]) -> Self {
        Self { number, etag: md5_hex(body), sha256: Some(sha256_base64(body)) }
    }

    fn xml(&self) -> String {
        let sum = self.sha256.iter().map(|sum| format!("<ChecksumSHA256>{sum}</ChecksumSHA256>"));
        let sum: String = sum.collect();
        let Self { number, etag, .. } = self;
        format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag>{sum}</Part>")
    }
}

pub fn md5_hex(body: &[u8]) -> String {
    hex::encode(md5::Md5::digest(body))
}

pub fn md5_base64(body: &[u8]) -> String {
    STANDARD.encode(md5::Md5::digest(body))
}

pub fn sha256_base64(body: &[u8]) -> String {
    Sha256Digest::of(body).to_base64()
}

/// Bytes that are different at every place.
pub fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 251) as u8 ^ seed).collect()
}

/// A fresh vault and its client.
pub async fn fresh() -> (TempDir, Running, S3) {
    let root = TempDir::new().unwrap();
    let running = Running::start(options(root.path())).await;
    let s3 = S3::at(running.address);
    (root, running, s3)
}
