//! A receiver that gives one answer after the other, and keeps what it was sent.

use super::*;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::{Mutex, mpsc},
    thread,
};

/// A request as it came.
struct Came {
    at: Instant,
    head: Vec<String>,
    body: Vec<u8>,
}

/// Answers one request after the other, each on a connection of its own; then takes everything.
fn receiver(answers: &'static [&'static str]) -> (String, Arc<Mutex<mpsc::Receiver<Came>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v1/write", listener.local_addr().unwrap());
    let (tell, came) = mpsc::channel();
    thread::spawn(move || {
        for n in 0.. {
            let mut stream = listener.accept().unwrap().0;
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                match line.trim_end() {
                    "" => break,
                    line => head.push(line.to_ascii_lowercase()),
                }
            }
            let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.unwrap().parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            if tell.send(Came { at: Instant::now(), head, body }).is_err() {
                return;
            }
            let answer = answers.get(n).copied().unwrap_or("204 No Content\r\n");
            let (head, words) = answer.split_once("\r\n").unwrap();
            let (headers, words) = words.rsplit_once("\r\n").unwrap_or(("", words));
            let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
            let length = words.len();
            let reply = format!(
                "HTTP/1.1 {head}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n\
                 {words}"
            );
            stream.write_all(reply.as_bytes()).unwrap();
        }
    });
    (url, Arc::new(Mutex::new(came)))
}

fn next(came: &Mutex<mpsc::Receiver<Came>>) -> Came {
    came.lock().unwrap().recv_timeout(WITHIN).unwrap()
}

/// The moment a body tells of: the last eight bytes of the only sample's value.
fn moment(came: &Came) -> i64 {
    let message = snap::raw::Decoder::new().decompress_vec(&came.body).unwrap();
    // The value is a fixed64, field 1, inside the sample, field 2.
    let at = message.windows(2).rposition(|two| two[0] == 0x12 && two[1] >= 11).unwrap();
    let bits: [u8; 8] = message[at + 3..at + 11].try_into().unwrap();
    f64::from_bits(u64::from_le_bytes(bits)) as i64
}

fn access(secret: &str) -> Access {
    Access { secret: Some(secret.to_owned().into()), ..Access::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_help_is_sent_again_in_order_and_what_cannot_is_dropped_and_said() {
    let (url, came) = receiver(&[
        "500 Internal Server Error\r\n",
        "503 Service Unavailable\r\nRetry-After: 2\r\nbusy",
        "204 No Content\r\n",
        "400 Bad Request\r\n\r\nout of order sample\n",
    ]);
    let push = push(&url, "dock-1", access("a secret"));
    let start = Timestamp::from_second(1_800_000_000).unwrap();
    for n in 0..3 {
        take_in(&push, start + seconds(n), start);
    }
    let sender = sending(&push);
    let all: Vec<_> = (0..5).map(|_| next(&came)).collect();
    let moments: Vec<_> = all.iter().map(|came| moment(came) - start.as_second()).collect();
    assert_eq!(moments, [0, 0, 0, 1, 2], "the oldest first, again until it was taken or refused");
    assert!(all[2].at - all[1].at >= Duration::from_secs(2), "Retry-After is a minimum");
    for header in [
        "post /api/v1/write http/1.1",
        "content-encoding: snappy",
        "content-type: application/x-protobuf",
        "x-prometheus-remote-write-version: 0.1.0",
        "authorization: bearer a secret",
    ] {
        assert!(all[0].head.iter().any(|line| line == header), "{:?}", all[0].head);
    }
    let told = until(&push, "all sent", |told| told.buffered_samples == 0).await;
    assert_eq!((told.sent_samples, told.refused_samples, told.failures), (2, 1, 3));
    assert_eq!(told.trouble, None, "the last one was taken");
    sender.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_and_what_to_do_and_never_the_secret() {
    let (url, came) = receiver(&["401 Unauthorized\r\n\r\n<html>who are\nyou"]);
    let config = config::Push {
        url: Some(url.parse().unwrap()),
        username: Some("docks".into()),
        ..config::Push::default()
    };
    let push = Push::new(&config, &DockId::new("dock-1").unwrap(), access("hunter2")).unwrap();
    let push = Arc::new(push);
    take_in(&push, Timestamp::now(), Timestamp::now() - seconds(1));
    let sender = sending(&push);
    let came = next(&came);
    // RFC 7617: base64 of "docks:hunter2"; lower case as all heads here.
    assert!(came.head.iter().any(|line| line == "authorization: basic zg9ja3m6ahvudgvymg=="));
    let told = until(&push, "refused", |told| told.refused_samples > 0).await;
    let trouble = told.trouble.unwrap();
    assert_eq!(trouble.words, "it answers 401: <html>who are you");
    assert!(trouble.next.contains("secret_file") && !format!("{trouble:?}").contains("hunter2"));
    sender.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_not_there_costs_a_bounded_buffer() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = config::Push {
        url: Some(format!("http://{gone}/api/v1/write").parse().unwrap()),
        buffer_minutes_max: 10,
        ..config::Push::default()
    };
    let dock = DockId::new("dock-1").unwrap();
    let push = Arc::new(Push::new(&config, &dock, Access::default()).unwrap());
    let sender = sending(&push);
    let start = Timestamp::from_second(1_800_000_000).unwrap();
    for n in 0..=60 {
        take_in(&push, start + seconds(30 * n), start);
    }
    let told = until(&push, "failing", |told| told.failures > 0).await;
    assert_eq!((told.buffered_samples, told.overflowed_samples), (21, 40), "ten minutes are kept");
    assert!(told.trouble.unwrap().words.contains("refused"));
    sender.abort();
}
