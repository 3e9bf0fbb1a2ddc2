//! The receiver: one POST at a time, over TLS or to this machine itself.

use super::answer::{Verdict, judge, unanswered};
use crate::{
    config,
    store::{SetupError, client_config, sending_failed},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::{
    Client, Response,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

/// Bytes of an answer that are read, and characters of it that are told.
const SAID_BYTES_MAX: usize = 4096;
const SAID_CHARS_MAX: usize = 200;

/// What the dock signs in with, read from the files of the configuration.
#[derive(Default)]
pub struct Access {
    pub secret: Option<Zeroizing<String>>,
    /// PEM.
    pub ca: Option<Vec<u8>>,
    pub client: Option<(Vec<u8>, Zeroizing<String>)>,
}

/// Why nothing can be pushed at all.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error("[push] names no url")]
    NoUrl,
    #[error("the secret of [push] holds characters that no header can carry")]
    Secret,
    #[error("what [push] says of TLS cannot be used")]
    Tls(#[from] SetupError),
    #[error("the HTTP client of [push] cannot be set up")]
    Client(#[source] reqwest::Error),
}

pub(super) struct Receiver {
    client: Client,
    url: Url,
    name: String,
    authorization: Option<HeaderValue>,
}

impl Receiver {
    pub(super) fn new(config: &config::Push, access: Access) -> Result<Self, PushError> {
        let url = config.url.clone().ok_or(PushError::NoUrl)?;
        let client = access.client.as_ref();
        let client = client.map(|(cert, key)| (cert.as_slice(), key.as_bytes()));
        let tls = client_config(access.ca.as_deref(), client, None)?;
        let client = Client::builder()
            .user_agent(concat!("bwvdock/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls)
            .http1_only()
            // Figures and the secret go nowhere else.
            .redirect(Policy::none())
            .no_proxy()
            .timeout(Duration::from_millis(config.timeout_ms))
            .pool_max_idle_per_host(1)
            .build()
            .map_err(PushError::Client)?;
        let name = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        let authorization = access
            .secret
            .map(|secret| authorization(config.username.as_deref(), &secret))
            .transpose()?;
        Ok(Self { client, url, name, authorization })
    }

    /// Host, and port where it is not the scheme's own.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Remote-Write 1.0, "Protocol": the headers.
    pub(super) async fn send(&self, body: Bytes) -> Verdict {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_ENCODING, "snappy")
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header("X-Prometheus-Remote-Write-Version", "0.1.0")
            .body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let header = response.headers().get(RETRY_AFTER).cloned();
                let after = header.as_ref().and_then(|value| value.to_str().ok());
                let said = said(response).await;
                judge(status, after, &said)
            }
            Err(error) => {
                let error = sending_failed("remote-write", error);
                let next = unanswered(error.fault);
                Verdict::Later { fault: error.fault, words: error.words, next }
            }
        }
    }
}

fn authorization(username: Option<&str>, secret: &str) -> Result<HeaderValue, PushError> {
    let words = Zeroizing::new(match username {
        // RFC 7617, section 2, and RFC 6750, section 2.1.
        Some(name) => {
            let pair = Zeroizing::new(format!("{name}:{secret}"));
            format!("Basic {}", STANDARD.encode(pair.as_bytes()))
        }
        None => format!("Bearer {secret}"),
    });
    let mut value = HeaderValue::from_str(&words).map_err(|_| PushError::Secret)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The first words of an answer; an answer that breaks off has said what came. The whole body is
/// read if it is short, so that the connection can be used again.
async fn said(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > SAID_BYTES_MAX {
            break;
        }
    }
    let text = String::from_utf8_lossy(&body);
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect()
}
