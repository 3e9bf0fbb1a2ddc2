//! The bucket at the other end: sees requests as HTTP, answers as a store that keeps everything,
//! and counts. It knows nothing of who asks or why.

use crate::tally::{Kind, Tally};
use reqwest::{Method, Request, header::HeaderMap};
use std::collections::{BTreeMap, BTreeSet};

/// What the connection adds to a request: `Host`, `Accept: */*` and `User-Agent`, with their ends
/// of line; the host's name besides.
const ADDED: usize =
    "host: \r\naccept: */*\r\nuser-agent: bwvdock/\r\n".len() + env!("CARGO_PKG_VERSION").len();

#[derive(Debug, Clone, Default)]
pub struct Object {
    pub size: u64,
    pub parts: u64,
    composite: String,
    meta: String,
    tagging: String,
    retention: Option<(String, String)>,
    hold: bool,
}

/// The key of an upload, what it will be, and the sizes of its parts.
type Open = (String, Object, BTreeMap<u32, u64>);

#[derive(Default)]
pub struct Bucket {
    pub tally: Tally,
    /// Virtual time of the next request.
    pub now: i64,
    pub round_trip_ms: i64,
    /// Requests of the call that is being made.
    pub asked: u32,
    open: BTreeMap<String, Open>,
    pub objects: BTreeMap<String, Object>,
    pub receipts: BTreeSet<String>,
    /// What a store would have refused.
    pub odd: Vec<String>,
    numbers: u64,
}

type Reply = http::Response<Vec<u8>>;

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

fn reply(status: u16, headers: &[(&str, &str)], body: String) -> Reply {
    let mut builder = http::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into_bytes()).expect("a good answer")
}

impl Bucket {
    pub fn new(round_trip_ms: i64) -> Self {
        Self { round_trip_ms, ..Self::default() }
    }

    pub fn answer(&mut self, request: &Request) -> Reply {
        let query: BTreeMap<_, _> =
            request.url().query_pairs().filter(|(name, _)| !name.starts_with("X-Amz")).collect();
        let upload = query.get("uploadId").map(|id| id.to_string());
        let key = request.url().path().splitn(3, '/').nth(2).unwrap_or("").to_owned();
        let has = |name: &str| query.contains_key(name);
        let method = request.method();
        let put = method == Method::PUT;
        let kind = match *method {
            Method::HEAD => Kind::HeadObject,
            Method::POST if has("uploads") => Kind::CreateMultipartUpload,
            Method::POST => Kind::CompleteMultipartUpload,
            Method::DELETE => Kind::AbortMultipartUpload,
            _ if has("partNumber") => Kind::UploadPart,
            _ if has("uploads") => Kind::ListMultipartUploads,
            _ if has("tagging") && put => Kind::PutObjectTagging,
            _ if has("tagging") => Kind::GetObjectTagging,
            _ if has("retention") && put => Kind::PutObjectRetention,
            _ if has("retention") => Kind::GetObjectRetention,
            _ if has("legal-hold") && put => Kind::PutObjectLegalHold,
            _ if has("legal-hold") => Kind::GetObjectLegalHold,
            _ if put => Kind::PutObject,
            _ if has("uploadId") => Kind::ListParts,
            _ => Kind::GetObject,
        };
        let part = query.get("partNumber").and_then(|number| number.parse().ok());
        let answer = self.act(kind, &key, upload, part, request);
        if !answer.status().is_success() && kind != Kind::HeadObject {
            self.odd.push(format!("{kind:?} {key}"));
        }
        let sent = sent_bytes(request);
        let received = received_bytes(&answer);
        let at = self.now + i64::from(self.asked) * self.round_trip_ms;
        self.asked += 1;
        self.tally.count(kind, at, sent, received);
        answer
    }

    fn act(
        &mut self,
        kind: Kind,
        key: &str,
        upload: Option<String>,
        part: Option<u32>,
        request: &Request,
    ) -> Reply {
        let headers = request.headers();
        match kind {
            Kind::HeadObject => self.head(key),
            Kind::ListMultipartUploads => {
                reply(200, &[], "<ListMultipartUploadsResult></ListMultipartUploadsResult>".into())
            }
            Kind::CreateMultipartUpload => {
                self.numbers += 1;
                let id = format!("{:032x}", self.numbers);
                let until = header(headers, "x-amz-object-lock-retain-until-date");
                let mode = header(headers, "x-amz-object-lock-mode");
                let object = Object {
                    meta: header(headers, "x-amz-meta-sha256").to_owned(),
                    tagging: header(headers, "x-amz-tagging").to_owned(),
                    retention: (!until.is_empty()).then(|| (mode.to_owned(), until.to_owned())),
                    hold: header(headers, "x-amz-object-lock-legal-hold") == "ON",
                    ..Object::default()
                };
                self.open.insert(id.clone(), (key.to_owned(), object, BTreeMap::new()));
                let body = format!(
                    "<InitiateMultipartUploadResult><Bucket>evidence</Bucket><Key>{key}</Key>\
                     <UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                );
                reply(200, &[], body)
            }
            Kind::UploadPart => {
                let length: u64 = header(headers, "content-length").parse().unwrap_or(0);
                let open = upload.and_then(|id| self.open.get_mut(&id));
                let Some(((_, _, parts), number)) = open.zip(part) else {
                    return reply(404, &[], String::new());
                };
                if length == 0 || parts.insert(number, length).is_some() {
                    return reply(400, &[], String::new());
                }
                let sum = header(headers, "x-amz-checksum-sha256");
                let etag = format!("\"{number:032x}\"");
                reply(200, &[("etag", &etag), ("x-amz-checksum-sha256", sum)], String::new())
            }
            Kind::CompleteMultipartUpload => {
                let open = upload.and_then(|id| self.open.remove(&id));
                let Some((key, mut object, parts)) = open else {
                    return reply(404, &[], String::new());
                };
                (object.size, object.parts) = (parts.values().sum(), parts.len() as u64);
                object.composite = header(headers, "x-amz-checksum-sha256").to_owned();
                if self.objects.insert(key.clone(), object).is_some() {
                    return reply(412, &[], String::new());
                }
                let body = format!(
                    "<CompleteMultipartUploadResult><Key>{key}</Key>\
                     <ETag>&quot;{:032x}-1&quot;</ETag></CompleteMultipartUploadResult>",
                    self.objects.len()
                );
                reply(200, &[], body)
            }
            Kind::PutObject => {
                let fresh = self.receipts.insert(key.to_owned());
                reply(if fresh { 200 } else { 412 }, &[("etag", "\"1\"")], String::new())
            }
            Kind::GetObjectTagging => self.tags(key),
            Kind::GetObjectRetention => {
                match self.objects.get(key).and_then(|o| o.retention.as_ref()) {
                    Some((mode, until)) => {
                        let body = format!(
                            "<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}\
                         </RetainUntilDate></Retention>"
                        );
                        reply(200, &[], body)
                    }
                    None => reply(404, &[], String::new()),
                }
            }
            Kind::GetObjectLegalHold => {
                let on = self.objects.get(key).is_some_and(|object| object.hold);
                let word = if on { "ON" } else { "OFF" };
                reply(200, &[], format!("<LegalHold><Status>{word}</Status></LegalHold>"))
            }
            Kind::PutObjectTagging | Kind::PutObjectRetention | Kind::PutObjectLegalHold => {
                reply(200, &[], String::new())
            }
            Kind::ListParts => self.parts(upload),
            // Nothing goes wrong here, so nothing is given up or read back.
            Kind::AbortMultipartUpload | Kind::GetObject => reply(501, &[], String::new()),
        }
    }

    fn head(&self, key: &str) -> Reply {
        let Some(object) = self.objects.get(key) else { return reply(404, &[], String::new()) };
        let length = object.size.to_string();
        let mut headers = vec![
            ("content-length", length.as_str()),
            ("etag", "\"0123456789abcdef0123456789abcdef-1\""),
            ("x-amz-version-id", "0123456789abcdef0123456789abcdef"),
            ("x-amz-checksum-sha256", &object.composite),
            ("x-amz-checksum-type", "COMPOSITE"),
            ("x-amz-meta-sha256", &object.meta),
        ];
        if let Some((mode, until)) = &object.retention {
            headers.push(("x-amz-object-lock-mode", mode));
            headers.push(("x-amz-object-lock-retain-until-date", until));
        }
        reply(200, &headers, String::new())
    }

    fn parts(&self, upload: Option<String>) -> Reply {
        let Some((_, _, parts)) = upload.and_then(|id| self.open.get(&id)) else {
            return reply(404, &[], String::new());
        };
        let row = |(number, size): (&u32, &u64)| {
            format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>&quot;{number:032x}&quot;</ETag>\
                 <Size>{size}</Size></Part>"
            )
        };
        let rows: String = parts.iter().map(row).collect();
        reply(200, &[], format!("<ListPartsResult>{rows}</ListPartsResult>"))
    }

    fn tags(&self, key: &str) -> Reply {
        let Some(object) = self.objects.get(key) else { return reply(404, &[], String::new()) };
        let class = object.tagging.strip_prefix("class=").unwrap_or("");
        let body = format!(
            "<Tagging><TagSet><Tag><Key>class</Key><Value>{class}</Value></Tag></TagSet></Tagging>"
        );
        reply(200, &[], body)
    }
}

/// What a request takes on the wire, before TLS.
pub fn sent_bytes(request: &Request) -> u64 {
    let url = request.url();
    let target = url.path().len() + url.query().map_or(0, |query| query.len() + 1);
    let line = request.method().as_str().len() + target + "  HTTP/1.1\r\n\r\n".len();
    let host = url.host_str().map_or(0, str::len) + url.port().map_or(0, |p| 1 + digits(p.into()));
    let whole = request.body().and_then(|body| body.as_bytes()).map_or(0, <[u8]>::len);
    let length = match request.headers().contains_key("content-length") {
        true => 0,
        // POST and PUT without a body say so; a body in one piece gets its length.
        false if whole > 0 => "content-length: \r\n".len() + digits(whole as u64),
        false => 0,
    };
    let streamed = header(request.headers(), "content-length").parse().unwrap_or(0);
    (line + ADDED + host + length + header_bytes(request.headers()) + whole) as u64
        + if whole == 0 { streamed } else { 0 }
}

fn received_bytes(answer: &Reply) -> u64 {
    ("HTTP/1.1 200 OK\r\n\r\n".len() + header_bytes(answer.headers()) + answer.body().len()) as u64
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum()
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |n| n as usize + 1)
}
