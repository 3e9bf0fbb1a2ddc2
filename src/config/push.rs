//! `[push]`: figures sent to a Prometheus that cannot reach this dock.

use super::{
    reader::Section,
    sections::SECRET,
    store::is_loopback,
    value::{self, SecretFile},
};
use serde::Serialize;
use std::path::PathBuf;
use url::Url;

/// `[push]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Push {
    /// The remote-write address; none: nothing is pushed. Plain `http` only to a loopback address.
    #[serde(serialize_with = "maybe_text", skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
    pub interval_seconds: u64,
    /// What could not be sent is kept for so long, and in so many bytes.
    pub buffer_minutes_max: u64,
    pub buffer_bytes_max: u64,
    pub requests_per_second_max: u64,
    pub timeout_ms: u64,
    pub retry_seconds_max: u64,
    /// The only authorities trusted, PEM; without it, those of the operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// A bearer token; with `username`, the password of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<SecretFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Both or neither: the certificate (PEM chain) the dock shows, and its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key_file: Option<SecretFile>,
}

fn maybe_text<S: serde::Serializer>(url: &Option<Url>, to: S) -> Result<S::Ok, S::Error> {
    match url {
        Some(url) => value::as_text(url, to),
        None => to.serialize_none(),
    }
}

impl Default for Push {
    fn default() -> Self {
        Self {
            url: None,
            interval_seconds: 30,
            buffer_minutes_max: 360,
            buffer_bytes_max: 12 << 20,
            requests_per_second_max: 4,
            timeout_ms: 15_000,
            retry_seconds_max: 60,
            ca_file: None,
            secret_file: None,
            username: None,
            client_cert_file: None,
            client_key_file: None,
        }
    }
}

/// What is not without the other.
const PAIRS: [(&str, &str); 3] = [
    ("username", "secret_file"),
    ("client_cert_file", "client_key_file"),
    ("client_key_file", "client_cert_file"),
];

pub(super) fn push(mut s: Section<'_>) -> Push {
    let default = Push::default();
    let push = Push {
        url: address(&mut s),
        interval_seconds: s.number("interval_seconds", 1..=3600, default.interval_seconds),
        buffer_minutes_max: s.number("buffer_minutes_max", 1..=10_080, default.buffer_minutes_max),
        buffer_bytes_max: s.number(
            "buffer_bytes_max",
            64 << 10..=64 << 20,
            default.buffer_bytes_max,
        ),
        requests_per_second_max: s.number(
            "requests_per_second_max",
            1..=50,
            default.requests_per_second_max,
        ),
        timeout_ms: s.number("timeout_ms", 1000..=120_000, default.timeout_ms),
        retry_seconds_max: s.number("retry_seconds_max", 1..=600, default.retry_seconds_max),
        ca_file: s.path("ca_file"),
        secret_file: s.parsed("secret_file", SECRET),
        username: s.text("username").map(str::to_owned),
        client_cert_file: s.path("client_cert_file"),
        client_key_file: s.parsed("client_key_file", SECRET),
    };
    check(&s, &push);
    s.finish();
    push
}

/// What belongs together.
fn check(s: &Section<'_>, push: &Push) {
    for (one, other) in PAIRS {
        if s.has(one) && !s.has(other) {
            s.problem(one, format!("is there without {other}"), "write both, or leave it out");
        }
    }
    if push.username.as_ref().is_some_and(|name| name.is_empty() || name.contains(':')) {
        // RFC 7617, section 2: the first colon ends the name.
        let words = "is empty or has a colon in it";
        s.problem("username", words, "write the name as the receiver knows it");
    }
    let plain = push.url.as_ref().is_some_and(|url| url.scheme() == "http");
    for key in ["ca_file", "client_cert_file"] {
        if plain && s.has(key) {
            s.problem(key, "is there, but url is not https", "write https, or leave it out");
        }
    }
}

fn address(s: &mut Section<'_>) -> Option<Url> {
    const REMEDY: &str = "write for example \"https://prometheus.example.org/api/v1/write\"";
    let url: Url = s.parsed("url", REMEDY)?;
    // An address is not repeated in an error: it may carry a password.
    let words = if !["http", "https"].contains(&url.scheme()) {
        "is no https address"
    } else if url.host().is_none() {
        "names no host"
    } else if !url.username().is_empty() || url.password().is_some() {
        "carries a user name or password; these have keys of their own"
    } else if url.fragment().is_some() {
        "has a fragment"
    } else if url.scheme() == "http" && !is_loopback(&url) {
        "is plain http, where anybody on the way can read the figures and the password"
    } else {
        return Some(url);
    };
    s.problem("url", words, REMEDY);
    None
}
