//! Signs one request, sends it within its deadline and reads the answer.
//!
//! Requests are presigned (AWS Signature Version 4 in the query): every header that matters is in
//! the signature, the digests of the body among them, so the body needs no signature of its own.

use super::{
    S3,
    body::{Account, PartBody},
    reply::Reply,
};
use crate::store::{Fault, StoreError};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use reqwest::{
    Body, Response,
    header::{CONTENT_LENGTH, DATE},
};
use rusty_s3::{Map, Method, signing};
use std::{
    error::Error as _,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// One call, before it is signed.
pub(super) struct Ask<'a> {
    call: &'static str,
    method: Method,
    key: Option<&'a str>,
    query: Map<'a>,
    headers: Map<'a>,
    payload: Payload,
    /// For what the call has to do besides moving its bytes; none: what is usual.
    patience: Option<Duration>,
}

enum Payload {
    Bytes(Vec<u8>),
    Part(PartBody, u64, Arc<Account>),
}

impl<'a> Ask<'a> {
    pub(super) fn new(call: &'static str, method: Method, key: Option<&'a str>) -> Self {
        Self {
            call,
            method,
            key,
            query: Map::new(),
            headers: Map::new(),
            payload: Payload::Bytes(Vec::new()),
            patience: None,
        }
    }

    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.insert(name, value.into());
        self
    }

    /// A header, which is signed. Lower case.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.insert(name, value.into());
        self
    }

    pub(super) fn bytes(mut self, bytes: Vec<u8>) -> Self {
        self.payload = Payload::Bytes(bytes);
        self
    }

    pub(super) fn part(mut self, (body, account): (PartBody, Arc<Account>), length: u64) -> Self {
        self.payload = Payload::Part(body, length, account);
        self
    }

    pub(super) fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }
}

/// An answer whose body is still to be read.
pub(super) struct Begun {
    pub(super) call: &'static str,
    pub(super) response: Response,
    signed_off: bool,
}

impl S3 {
    /// How long a presigned request is good for; the store compares it with its own clock.
    const GOOD_FOR_SECONDS: u64 = 900;
    /// Clocks nearer than this are equal: the Date header has only seconds, and roads have delays.
    const CLOCK_SLACK_MS: i64 = 30_000;
    /// The largest answer that is read, in bytes.
    const REPLY_MAX: usize = 4 << 20;

    /// Sends a call and reads its whole, small answer.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Reply, StoreError> {
        let (call, patience) = (ask.call, ask.patience.unwrap_or(self.patience));
        let Begun { mut response, signed_off, .. } = self.begin(ask).await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        let reading = async {
            while let Some(piece) = response.chunk().await.map_err(|e| sending_failed(call, e))? {
                if body.len() + piece.len() > Self::REPLY_MAX {
                    let words = "the answer is too long".into();
                    return Err(StoreError { call, fault: Fault::NotTheStore, words });
                }
                body.extend_from_slice(&piece);
            }
            Ok(())
        };
        timeout(patience, reading).await.map_err(|_| too_slow(call))??;
        Ok(Reply { call, status, headers, body, signed_off })
    }

    /// Sends a call and waits for the head of the answer.
    pub(super) async fn begin(&self, ask: Ask<'_>) -> Result<Begun, StoreError> {
        self.limiter.admit_request().await;
        let call = ask.call;
        let offset_ms = self.clock_offset_ms();
        let date = self.now().saturating_add(SignedDuration::from_millis(offset_ms));
        let date = date.unwrap_or(Timestamp::UNIX_EPOCH);
        let url = match ask.key {
            Some(key) => self.bucket.object_url(key),
            None => self.bucket.base_url().clone(),
        };
        let url = signing::sign(
            &date,
            ask.method,
            url,
            self.credentials.key(),
            self.credentials.secret(),
            None,
            self.bucket.region(),
            Self::GOOD_FOR_SECONDS,
            ask.query.iter(),
            ask.headers.iter(),
        );
        let mut request = self.wire.request(method(ask.method), url);
        for (name, value) in ask.headers.iter() {
            request = request.header(name, value);
        }
        let (length, account) = match ask.payload {
            Payload::Bytes(bytes) => {
                let length = bytes.len() as u64;
                if length > 0 {
                    request = request.body(bytes);
                }
                (length, None)
            }
            Payload::Part(body, length, account) => {
                // A length, so that the body is sent as it is and not in chunks.
                request = request.header(CONTENT_LENGTH, length).body(Body::wrap_stream(body));
                (length, Some(account))
            }
        };
        let allowed = ask.patience.unwrap_or(self.patience) + self.time_for(length);
        let sent = within(allowed, account.as_deref(), self.wire.send(request)).await;
        let spool = account.as_deref().and_then(Account::spool_error);
        if let (Some(words), true) = (spool, !matches!(sent, Some(Ok(_)))) {
            return Err(StoreError { call, fault: Fault::Spool, words: words.to_owned() });
        }
        let response =
            sent.ok_or_else(|| too_slow(call))?.map_err(|error| sending_failed(call, error))?;
        let signed_off = self.learn_clock(&response, offset_ms);
        Ok(Begun { call, response, signed_off })
    }

    /// What moving so many bytes may take at the slowest rate that is still worth waiting for.
    pub(super) fn time_for(&self, bytes: u64) -> Duration {
        Duration::from_secs(bytes.div_ceil(self.bytes_per_second_min))
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Takes the store's clock from an answer whose origin TLS (or the loopback) vouches for, and
    /// says whether the request had been signed for another time.
    fn learn_clock(&self, response: &Response, used_ms: i64) -> bool {
        let Some(date) = response.headers().get(DATE).and_then(|d| d.to_str().ok()) else {
            return false;
        };
        let Ok(date) = rfc2822::DateTimeParser::new().parse_timestamp(date) else { return false };
        let seen_ms = date.as_millisecond() - self.now().as_millisecond();
        let learned_ms = if seen_ms.abs() <= Self::CLOCK_SLACK_MS { 0 } else { seen_ms };
        self.offset_ms.store(learned_ms, Ordering::Relaxed);
        (seen_ms - used_ms).abs() > Self::CLOCK_SLACK_MS
    }
}

impl Begun {
    /// The head of the answer alone; its body is not read.
    pub(super) fn into_reply(mut self) -> (Reply, Response) {
        let headers = self.response.headers_mut().clone();
        let (call, status) = (self.call, self.response.status());
        let reply = Reply { call, status, headers, body: Vec::new(), signed_off: self.signed_off };
        (reply, self.response)
    }
}

/// Waits no longer than `allowed`, not counting what our own bandwidth limit held back.
async fn within<T>(
    allowed: Duration,
    account: Option<&Account>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let start = Instant::now();
    let mut work = std::pin::pin!(work);
    loop {
        let held_back = account.map_or(Duration::ZERO, Account::held_back);
        let left = (allowed + held_back).saturating_sub(start.elapsed());
        if left.is_zero() {
            return None;
        }
        if let Ok(done) = timeout(left, &mut work).await {
            return Some(done);
        }
    }
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Head => reqwest::Method::HEAD,
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Delete => reqwest::Method::DELETE,
    }
}

pub(super) fn too_slow(call: &'static str) -> StoreError {
    let words = "the store is too slow or the connection is dead".into();
    StoreError { call, fault: Fault::Network, words }
}

/// No answer, or half of one. Trouble with certificates is told apart: it does not pass by itself.
pub fn sending_failed(call: &'static str, error: reqwest::Error) -> StoreError {
    // The address holds the signature of the request.
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    let fault = match tls_error(&error) {
        Some(rustls::Error::InvalidCertificate(error)) => {
            Fault::Untrusted { why: super::tls::distrust(error) }
        }
        Some(rustls::Error::AlertReceived(alert)) if is_about_us(*alert) => Fault::Denied,
        _ => Fault::Network,
    };
    StoreError { call, fault, words: words.chars().take(240).collect() }
}

/// The TLS error behind an error, however it is wrapped: an I/O error hides what it carries from
/// `source`.
fn tls_error<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    if let Some(tls) = error.downcast_ref() {
        return Some(tls);
    }
    let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    carried.and_then(|e| tls_error(e)).or_else(|| tls_error(error.source()?))
}

/// Alerts by which a server refuses the dock's certificate, or that there is none.
fn is_about_us(alert: rustls::AlertDescription) -> bool {
    use rustls::AlertDescription::*;
    matches!(
        alert,
        CertificateRequired
            | BadCertificate
            | UnsupportedCertificate
            | CertificateRevoked
            | CertificateExpired
            | CertificateUnknown
            | UnknownCA
            | AccessDenied
    )
}
