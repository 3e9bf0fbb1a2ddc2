//! What the door must be told about a store, and why it may be refused.

use jiff::Timestamp;
use std::time::Duration;
use url::{Host, Url};
use zeroize::Zeroizing;

/// One store, one bucket, one set of credentials. Debug output shows no secret.
#[derive(Clone)]
pub struct S3Options {
    /// Scheme, host and port only; plain `http` only to a loopback address.
    pub endpoint: Url,
    pub region: String,
    pub bucket: String,
    /// `https://host/bucket/key` rather than `https://bucket.host/key`.
    pub path_style: bool,
    pub access_key: String,
    pub secret_key: Zeroizing<String>,
    /// The only authorities trusted, PEM; without it, those of the operating system.
    pub ca_pem: Option<Vec<u8>>,
    /// The certificate (PEM chain) the dock shows, and its key.
    pub client_pem: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
    /// Base64 SHA-256 of the store's public key (SPKI); any other server is refused.
    pub server_key_pin: Option<String>,
    pub connect_timeout: Duration,
    /// Slower than this for a whole call and the call is given up.
    pub bytes_per_second_min: u64,
    /// What a call may take besides moving its bytes, and how long nothing may come while an object
    /// is read back; Complete may take five times as long.
    pub patience: Duration,
    /// The dock's clock; only signing and learning the store's offset use it.
    pub clock: fn() -> Timestamp,
}

impl S3Options {
    /// The patience of a dock.
    pub const PATIENCE: Duration = Duration::from_secs(60);

    /// The defaults for this store.
    pub fn new(
        endpoint: Url,
        bucket: impl Into<String>,
        access_key: impl Into<String>,
        secret_key: Zeroizing<String>,
    ) -> Self {
        Self {
            endpoint,
            region: "us-east-1".into(),
            bucket: bucket.into(),
            path_style: true,
            access_key: access_key.into(),
            secret_key,
            ca_pem: None,
            client_pem: None,
            server_key_pin: None,
            connect_timeout: Duration::from_secs(10),
            bytes_per_second_min: 16 * 1024,
            patience: Self::PATIENCE,
            clock: Timestamp::now,
        }
    }

    /// The endpoint may be spoken to: https, or http that does not leave this machine.
    pub(super) fn check(&self) -> Result<(), SetupError> {
        let endpoint = &self.endpoint;
        let bare = endpoint.path() == "/"
            && endpoint.query().is_none()
            && endpoint.fragment().is_none()
            && endpoint.username().is_empty()
            && endpoint.password().is_none();
        if endpoint.host().is_none() || !bare {
            return Err(SetupError::Endpoint("is not just scheme, host and port"));
        }
        match endpoint.scheme() {
            "https" => {}
            "http" if is_loopback(endpoint) => {
                let tls = self.ca_pem.is_some() || self.client_pem.is_some();
                if tls || self.server_key_pin.is_some() {
                    return Err(SetupError::Endpoint("has TLS settings but is not https"));
                }
            }
            "http" => return Err(SetupError::Endpoint("is plain http to another machine")),
            _ => return Err(SetupError::Endpoint("is neither https nor http")),
        }
        if self.access_key.is_empty() || self.secret_key.is_empty() {
            return Err(SetupError::Credentials);
        }
        Ok(())
    }
}

impl std::fmt::Debug for S3Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Options")
            .field("endpoint", &self.endpoint.as_str())
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

fn is_loopback(endpoint: &Url) -> bool {
    match endpoint.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Why a store cannot be spoken to at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error("the store's address {0}")]
    Endpoint(&'static str),
    #[error("the store's bucket cannot be addressed: {0}")]
    Bucket(String),
    #[error("the store's access key or secret key is empty")]
    Credentials,
    #[error("{0}")]
    Pem(&'static str),
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}
