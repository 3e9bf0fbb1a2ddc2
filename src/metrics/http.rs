//! `GET /metrics`, and nothing else.
//!
//! HTTP/1.1 as far as a scraper speaks it (RFC 9112): one request a connection, a head of at most
//! 8 KiB within five seconds, no body. Few readers at a time; the next one waits.

use super::{Format, exposition, gather};
use crate::api::Api;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

const HEAD_BYTES_MAX: usize = 8 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);
const READERS_MAX: usize = 4;
/// After a failed accept: out of file descriptors, most likely.
const ACCEPT_AGAIN: Duration = Duration::from_millis(500);

/// Takes the address.
///
/// # Errors
/// It cannot be had.
pub async fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(listen).await
}

/// Serves until the task is dropped.
pub async fn serve(listener: TcpListener, api: Api) {
    let slots = Arc::new(Semaphore::new(READERS_MAX));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("figures cannot be given out just now: {error}");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let api = api.clone();
        tokio::spawn(async move {
            // A reader that went away misses one reading.
            let _ = timeout(2 * PATIENCE, converse(stream, &api)).await;
            drop(slot);
        });
    }
}

async fn converse(mut stream: TcpStream, api: &Api) -> io::Result<()> {
    let head = match timeout(PATIENCE, read_head(&mut stream)).await {
        Ok(head) => head?,
        Err(_) => return Ok(()),
    };
    let reply = match ask(&head) {
        Asked::Metrics(format) => match gather(api).await {
            Ok(vitals) => reply("200 OK", format.content_type(), &exposition(&vitals, format)),
            Err(error) => reply("503 Service Unavailable", "text/plain", &format!("{error}\n")),
        },
        Asked::Other => reply("404 Not Found", "text/plain", "the figures are at /metrics\n"),
        Asked::Act => reply("405 Method Not Allowed", "text/plain", "only GET\n"),
        Asked::Nonsense => reply("400 Bad Request", "text/plain", "not understood\n"),
    };
    stream.write_all(reply.as_bytes()).await?;
    stream.shutdown().await
}

async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        match stream.read(&mut piece).await? {
            0 => break,
            n => head.extend_from_slice(&piece[..n]),
        }
    }
    Ok(head)
}

fn reply(status: &str, kind: &str, body: &str) -> String {
    let bytes = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {bytes}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

/// What a head asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Metrics(Format),
    Other,
    Act,
    Nonsense,
}

fn ask(head: &[u8]) -> Asked {
    let Some(end) = head.windows(4).position(|end| end == b"\r\n\r\n") else {
        return Asked::Nonsense;
    };
    let text = String::from_utf8_lossy(&head[..end]);
    let mut lines = text.split("\r\n");
    let words: Vec<_> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = words[..] else { return Asked::Nonsense };
    if !version.starts_with("HTTP/1.") {
        return Asked::Nonsense;
    }
    if method != "GET" {
        return Asked::Act;
    }
    if target.split('?').next() != Some("/metrics") {
        return Asked::Other;
    }
    let accepts = lines.filter_map(|line| line.split_once(':')).any(|(name, value)| {
        name.eq_ignore_ascii_case("accept") && value.contains("application/openmetrics-text")
    });
    Asked::Metrics(if accepts { Format::OpenMetrics } else { Format::Text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reading_the_figures_is_answered() {
        let open = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
        for (head, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", Asked::Metrics(Format::Text)),
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", Asked::Metrics(Format::Text)),
            (
                &format!("GET /metrics HTTP/1.1\r\n{open}\r\n\r\n"),
                Asked::Metrics(Format::OpenMetrics),
            ),
            ("GET / HTTP/1.1\r\n\r\n", Asked::Other),
            ("GET /metrics/../etc HTTP/1.1\r\n\r\n", Asked::Other),
            ("POST /metrics HTTP/1.1\r\n\r\n", Asked::Act),
            ("GET /metrics HTTP/1.1\r\n", Asked::Nonsense),
            ("GET /metrics\r\n\r\n", Asked::Nonsense),
            ("PRI * HTTP/2.0\r\n\r\n", Asked::Nonsense),
            ("\r\n\r\n", Asked::Nonsense),
        ] {
            assert_eq!(ask(head.as_bytes()), expected, "{head:?}");
        }
    }
}
