//! The real store: any that speaks S3 multipart uploads.
//!
//! HTTP/1.1 only (over HTTP/2 the server's window limits an upload), no redirects, no proxies from
//! the environment, no compression. Every part carries `x-amz-checksum-sha256`, and
//! `Content-MD5` where the store checks nothing better, in signed headers, and a plain body with a
//! length. Whatever is taken for success has the shape
//! success must have.

mod body;
mod bucket;
mod calls;
mod marks;
mod options;
mod probe;
mod reply;
mod request;
mod setup;
mod survey;
#[cfg(test)]
mod tests;
mod tls;
mod wire;
mod xml;

pub use options::{S3Options, SetupError};
pub use probe::Probe;
pub use request::sending_failed;
pub use setup::{BucketWanted, SetupReport, SetupStep};
pub use survey::{Kept, Lifecycle, LifecycleRule, Seen, Survey};
pub use tls::{check_authorities, check_client, client_config};
pub use wire::Answerer;

use super::Limiter;
use jiff::Timestamp;
use reqwest::{Client, redirect::Policy};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use wire::Wire;

/// One bucket of one store. Connections are kept and shared by all calls.
pub struct S3 {
    wire: Wire,
    bucket: Bucket,
    credentials: Credentials,
    limiter: Limiter,
    endpoint: String,
    clock: fn() -> Timestamp,
    bytes_per_second_min: u64,
    patience: Duration,
    /// The store's clock minus the dock's, milliseconds; 0 while they agree.
    offset_ms: AtomicI64,
}

impl S3 {
    /// Makes no connection yet.
    ///
    /// # Errors
    /// [`SetupError`] says in words which setting cannot be used.
    pub fn new(options: S3Options, limiter: Limiter) -> Result<Self, SetupError> {
        options.check()?;
        let style = if options.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = Bucket::new(options.endpoint.clone(), style, options.bucket, options.region)
            .map_err(|error| SetupError::Bucket(error.to_string()))?;
        let client_pem =
            options.client_pem.as_ref().map(|(cert, key)| (cert.as_slice(), key.as_slice()));
        let tls = tls::client_config(
            options.ca_pem.as_deref(),
            client_pem,
            options.server_key_pin.as_deref(),
        )?;
        let client = Client::builder()
            .user_agent(concat!("bwvdock/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls)
            .tls_info(true)
            .http1_only()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(options.connect_timeout)
            .tcp_user_timeout(Duration::from_secs(60))
            .tcp_keepalive(Duration::from_secs(30))
            .pool_idle_timeout(Duration::from_secs(50))
            .pool_max_idle_per_host(8)
            .build()
            .map_err(|error| SetupError::Client(error.to_string()))?;
        Ok(Self {
            wire: Wire::Network(client),
            bucket,
            credentials: Credentials::new(options.access_key, options.secret_key.as_str()),
            limiter,
            endpoint: options.endpoint.authority().to_owned(),
            clock: options.clock,
            bytes_per_second_min: options.bytes_per_second_min.max(1),
            patience: options.patience,
            offset_ms: AtomicI64::new(0),
        })
    }

    /// The same door, with `answer` where the network would be.
    ///
    /// # Errors
    /// As [`S3::new`].
    pub fn answered_by(
        options: S3Options,
        limiter: Limiter,
        answer: Arc<Answerer>,
    ) -> Result<Self, SetupError> {
        let mut door = Self::new(options, limiter)?;
        door.wire = match door.wire {
            Wire::Network(client) | Wire::Memory(client, _) => Wire::Memory(client, answer),
        };
        Ok(door)
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        self.bucket.name()
    }

    /// Host, and port where it is not the scheme's own: where this store is, for receipts.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// How far the store's clock is ahead of the dock's, milliseconds, as learned from its answers;
    /// 0 while they agree within half a minute. Used for signing only, and to be reported.
    pub fn clock_offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed)
    }
}
