//! As much HTTP/1.1 as the proxy needs: requests with a length, answers with a length or in chunks.

use crate::proxy::Op;
use std::io;
use tokio::{io::AsyncReadExt as _, net::TcpStream};

const HEAD_MAX: usize = 64 << 10;

/// A request; its body may not have been read to its end.
pub struct Request {
    head: String,
    pub body: Vec<u8>,
    pub length: u64,
    pub key: String,
    method: String,
    query: String,
}

/// Reads up to the end of the head; none when the other side is done, or speaks no HTTP.
pub async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            break end + 4;
        }
        if bytes.len() > HEAD_MAX || stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let body = bytes.split_off(end);
    let head = String::from_utf8(bytes).ok()?;
    let mut first = head.split_whitespace();
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((target.as_str(), ""));
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).to_owned();
    let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let query = query.to_owned();
    Some(Request { head, body, length, key, method, query })
}

impl Request {
    pub fn op(&self) -> Op {
        let has = |name: &str| {
            self.query.split('&').any(|pair| pair.split('=').next().is_some_and(|n| n == name))
        };
        match self.method.as_str() {
            "HEAD" => Op::Head,
            "POST" if has("uploads") => Op::Create,
            "POST" if has("uploadId") => Op::Complete,
            "PUT" if has("partNumber") => Op::UploadPart,
            "PUT" => Op::Put,
            "DELETE" if has("uploadId") => Op::Abort,
            "GET" if has("uploads") => Op::ListUploads,
            "GET" if has("uploadId") => Op::ListParts,
            "GET" if has("tagging") || has("lifecycle") => Op::Other,
            "GET" => Op::Get,
            _ => Op::Other,
        }
    }

    /// The head, asking the store to end the connection with its answer.
    pub fn head(&self) -> Vec<u8> {
        let lines = self.head.trim_end_matches("\r\n");
        format!("{lines}\r\nconnection: close\r\n\r\n").into_bytes()
    }

    pub async fn read_rest(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        while (self.body.len() as u64) < self.length {
            if stream.read_buf(&mut self.body).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// An answer of the store, whole.
pub struct Answer {
    pub head: String,
    pub body: Vec<u8>,
    /// The body is none that could be measured: an answer to HEAD.
    bare: bool,
}

impl Answer {
    pub fn parse(mut bytes: Vec<u8>) -> Self {
        let end = find(&bytes, b"\r\n\r\n").map_or(bytes.len(), |end| end + 4);
        let mut body = bytes.split_off(end);
        let head = String::from_utf8_lossy(&bytes).into_owned();
        if header(&head, "transfer-encoding").is_some_and(|how| how.contains("chunked")) {
            body = from_chunks(&body);
        }
        Self { bare: body.is_empty(), head, body }
    }

    /// With a length, and nothing about the connection: it stays open.
    pub fn bytes(&self) -> Vec<u8> {
        let drop = |line: &&str| {
            let line = line.to_ascii_lowercase();
            let length = line.starts_with("content-length:") && !self.bare;
            !length && !line.starts_with("connection:") && !line.starts_with("transfer-encoding:")
        };
        let mut head: Vec<String> =
            self.head.trim_end().split("\r\n").filter(drop).map(str::to_owned).collect();
        if !self.bare {
            head.push(format!("content-length: {}", self.body.len()));
        }
        let mut bytes = (head.join("\r\n") + "\r\n\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The body as text, changed.
    pub fn change_text(&mut self, change: impl FnOnce(String) -> String) {
        self.body = change(String::from_utf8_lossy(&self.body).into_owned()).into_bytes();
    }
}

/// Whole chunks; what follows the last whole one is dropped.
fn from_chunks(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = find(chunks, b"\r\n") {
        let size = std::str::from_utf8(&chunks[..end]).unwrap_or("0");
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let from = end + 2;
        if size == 0 || chunks.len() < from + size {
            break;
        }
        body.extend_from_slice(&chunks[from..from + size]);
        chunks = &chunks[(from + size + 2).min(chunks.len())..];
    }
    body
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.split("\r\n").find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A made-up answer; its connection closes after it.
pub fn says(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

/// An error as S3 stores say it.
pub fn error(status: &str, code: &str) -> Vec<u8> {
    error_with(status, code, "")
}

pub fn error_with(status: &str, code: &str, headers: &str) -> Vec<u8> {
    let headers = format!("content-type: application/xml\r\n{headers}");
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as the test says</Message></Error>"
    );
    says(status, &headers, &body)
}
