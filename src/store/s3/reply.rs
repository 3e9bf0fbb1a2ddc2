//! What a store's answer means: success has a shape, and so has every kind of failure.

use super::xml::Node;
use crate::store::{Fault, StoreError};
use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use std::time::Duration;

/// A whole answer, its body bounded.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) call: &'static str,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// The request was signed for a time this answer's Date contradicts.
    pub(super) signed_off: bool,
}

impl Reply {
    /// A header as text, trimmed; none if it is absent, empty or no text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?.to_str().ok()?.trim();
        Some(value).filter(|value| !value.is_empty())
    }

    /// The ETag without quotes, if it is a plausible one.
    pub(super) fn etag(&self) -> Option<String> {
        let etag = self.header("etag")?.trim_start_matches("W/").trim_matches('"');
        let plausible = (1..=200).contains(&etag.len())
            && etag.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'"');
        plausible.then(|| etag.to_owned())
    }

    /// Passes what has a status of success and is no web page.
    pub(super) fn success(self) -> Result<Self, StoreError> {
        if !self.status.is_success() {
            return Err(self.into_error());
        }
        if self.is_html() {
            return Err(self.not_the_store("a web page"));
        }
        Ok(self)
    }

    /// The XML document with this root, in an answer of success.
    pub(super) fn document(self, root: &str) -> Result<Node, StoreError> {
        let reply = self.success()?;
        match Node::parse(&reply.body) {
            // Some leave the end of the name away (`rclone serve s3`: InitiateMultipartUpload).
            Some(node) if node.name == root || root.strip_suffix("Result") == Some(&node.name) => {
                Ok(node)
            }
            // A 200 may carry an error: what was begun with success had none in the end.
            Some(node) if node.name == "Error" => Err(reply.error_from(Some(&node))),
            _ => Err(reply.not_the_store("something else than the expected XML")),
        }
    }

    pub(super) fn not_the_store(&self, what: &str) -> StoreError {
        let words = format!("answered {} with {what}", self.status);
        StoreError { call: self.call, fault: Fault::NotTheStore, words }
    }

    fn is_html(&self) -> bool {
        self.header(CONTENT_TYPE.as_str()).is_some_and(|t| t.starts_with("text/html"))
    }

    pub(super) fn into_error(self) -> StoreError {
        let node = Node::parse(&self.body).filter(|node| node.name == "Error");
        self.error_from(node.as_ref())
    }

    fn error_from(&self, node: Option<&Node>) -> StoreError {
        let code = node.and_then(|node| node.text_of("Code")).unwrap_or("");
        let message = node.and_then(|node| node.text_of("Message")).unwrap_or("");
        let words: String = format!("{} {code} {message}", self.status)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(240)
            .collect();
        let mut words = words.trim_end().to_owned();
        if self.status == StatusCode::PAYLOAD_TOO_LARGE {
            words += ": a proxy before the store limits the size of a request; have its limit \
                      raised above part_bytes (nginx: client_max_body_size)";
        }
        StoreError { call: self.call, fault: self.fault(node.is_some(), code), words }
    }

    fn fault(&self, explained: bool, code: &str) -> Fault {
        if let Some(fault) = self.fault_of_code(code) {
            return fault;
        }
        let stranger = self.is_html() && !explained;
        match self.status.as_u16() {
            300..=399 => Fault::NotTheStore,
            408 => Fault::Network,
            429 | 503 => Fault::Busy { retry_after: self.retry_after() },
            507 => Fault::Full,
            501 | 505 => Fault::Refused,
            500..=599 => Fault::Server,
            // A proxy's page, not the store's word; without a page it may be either.
            400..=499 if stranger => Fault::NotTheStore,
            401 | 403 if self.signed_off => Fault::Skewed,
            401 | 403 => Fault::Denied,
            404 => Fault::Missing,
            409 => Fault::Conflict,
            412 => Fault::Exists,
            400..=499 => Fault::Refused,
            // An error inside a success.
            _ => Fault::Server,
        }
    }

    /// Codes that say more than the status does; names as in the Amazon S3 API reference, "Error
    /// responses", and as other stores use them.
    fn fault_of_code(&self, code: &str) -> Option<Fault> {
        Some(match code {
            "SlowDown" | "ServiceUnavailable" | "TooManyRequests" | "RequestLimitExceeded" => {
                Fault::Busy { retry_after: self.retry_after() }
            }
            "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" => Fault::Full,
            "RequestTimeTooSkewed" => Fault::Skewed,
            "NoSuchUpload" | "NoSuchKey" => Fault::Missing,
            "NoSuchBucket" | "AccountProblem" | "ExpiredToken" | "InvalidToken" => Fault::Denied,
            "BadDigest"
            | "XAmzContentChecksumMismatch"
            | "XAmzContentSHA256Mismatch"
            | "InvalidChecksum" => Fault::BadDigest,
            "RequestTimeout" | "IncompleteBody" => Fault::Network,
            "OperationAborted" | "ConditionalRequestConflict" => Fault::Conflict,
            "PreconditionFailed" => Fault::Exists,
            "InternalError" => Fault::Server,
            _ => return None,
        })
    }

    /// Seconds only; a date would need the store's clock and is as good as none.
    fn retry_after(&self) -> Option<Duration> {
        self.header(RETRY_AFTER.as_str())?.parse().ok().map(Duration::from_secs)
    }
}
