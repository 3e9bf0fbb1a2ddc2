//! The door against a scripted server on the loopback: what a store, a proxy or a portal may say.

use super::*;
use crate::{
    spool::SpoolFile,
    store::{Fault, PartAck, Store as _, StoreError, tests::object},
    types::fact::SealedObject,
};
use jiff::SignedDuration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use zeroize::Zeroizing;

const BODY: &[u8] = b"25 bytes of sealed object";

/// A server that reads one whole request for each of these answers, says it and hangs up; gives
/// the requests in the end.
pub(super) async fn server(answers: &[&str]) -> (S3Options, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    let task = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            requests.push(read_request(&mut stream).await);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        requests
    });
    let endpoint = format!("http://{address}").parse().unwrap();
    let secret = Zeroizing::new("secret".to_owned());
    (S3Options::new(endpoint, "evidence", "key", secret), task)
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut wanted = usize::MAX;
    while bytes.len() < wanted {
        let n = stream.read_buf(&mut bytes).await.unwrap_or(0);
        if n == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            wanted = head.len() + 4 + length.map_or(0, |length| length.parse().unwrap());
        }
    }
    String::from_utf8(bytes).unwrap()
}

pub(super) fn door(options: S3Options) -> S3 {
    S3::new(options, Limiter::new(0, 0)).unwrap()
}

pub(super) fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
}

pub(super) fn error(status: &str, code: &str) -> String {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m</Message></Error>");
    answer(status, "content-type: application/xml\r\n", &body)
}

const HTML: &str = "<!DOCTYPE html><html><body>Please log in</body></html>";

async fn put(says: &str) -> Result<PartAck, StoreError> {
    let (options, _server) = server(&[says]).await;
    let file = SpoolFile::from_bytes(BODY.to_vec());
    door(options).put_part(&object(BODY), "id", 1, &file).await
}

#[tokio::test]
async fn every_way_to_fail_has_its_own_fault() {
    let busy = |s| Fault::Busy { retry_after: Some(Duration::from_secs(s)) };
    for (says, fault) in [
        (error("403 Forbidden", "AccessDenied"), Fault::Denied),
        (error("403 Forbidden", "RequestTimeTooSkewed"), Fault::Skewed),
        (error("404 Not Found", "NoSuchUpload"), Fault::Missing),
        (error("404 Not Found", "NoSuchBucket"), Fault::Denied),
        (error("400 Bad Request", "BadDigest"), Fault::BadDigest),
        (error("400 Bad Request", "RequestTimeout"), Fault::Network),
        (error("400 Bad Request", "InvalidPart"), Fault::Refused),
        (error("409 Conflict", "OperationAborted"), Fault::Conflict),
        (error("412 Precondition Failed", "PreconditionFailed"), Fault::Exists),
        (error("500 Internal Server Error", "InternalError"), Fault::Server),
        (error("501 Not Implemented", "NotImplemented"), Fault::Refused),
        (error("507 Insufficient Storage", "X"), Fault::Full),
        (error("503 Service Unavailable", "SlowDown"), Fault::Busy { retry_after: None }),
        (answer("503 Busy", "retry-after: 7\r\n", ""), busy(7)),
        (answer("429 Slow", "retry-after: 8\r\n", "plain"), busy(8)),
        (answer("502 Bad Gateway", "content-type: text/html\r\n", HTML), Fault::Server),
        (answer("403 Forbidden", "content-type: text/html\r\n", HTML), Fault::NotTheStore),
        (answer("413 Too Large", "content-type: text/html\r\n", HTML), Fault::NotTheStore),
        (answer("302 Found", "location: http://portal/\r\n", ""), Fault::NotTheStore),
        (answer("200 OK", "content-type: text/html\r\netag: \"x\"\r\n", HTML), Fault::NotTheStore),
        (answer("200 OK", "", ""), Fault::NotTheStore),
        (answer("200 OK", "etag: \"\"\r\n", ""), Fault::NotTheStore),
        (answer("200 OK", "etag: \"a b\"\r\n", ""), Fault::NotTheStore),
        (answer("200 OK", "etag: \"x\"\r\nx-amz-checksum-sha256: AAAA\r\n", ""), Fault::BadDigest),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99\r\netag: \"x\"\r\n\r\ncut".into(), Fault::Network),
        ("HTTP/1.1 200".into(), Fault::Network),
        (String::new(), Fault::Network),
    ] {
        assert_eq!(put(&says).await.map_err(|e| e.fault), Err(fault), "{says}");
    }
}

#[tokio::test]
async fn a_part_carries_its_digests_signed_and_a_plain_body() {
    let object = object(BODY);
    let part = object.table.parts[1];
    let md5 = part.md5.unwrap();
    let says =
        format!("etag: \"{}\"\r\nx-amz-checksum-sha256: {}\r\n", md5, part.sha256.to_base64());
    let (options, server) = server(&[&answer("200 OK", &says, "")]).await;
    let file = SpoolFile::from_bytes(BODY.to_vec());
    let ack = door(options).put_part(&object, "the id", 2, &file).await.unwrap();
    let etag = md5.to_string();
    assert_eq!(ack, PartAck { etag, sha256_echoed: true, etag_is_md5: true });

    let request = server.await.unwrap().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("PUT /evidence/force/dock/object.age?X-Amz-Algorithm="), "{head}");
    assert!(head.contains("&partNumber=2&uploadId=the%20id&X-Amz-Signature="), "{head}");
    assert!(
        head.contains("X-Amz-SignedHeaders=content-md5%3Bhost%3Bx-amz-checksum-sha256&"),
        "{head}"
    );
    assert!(head.contains(&format!("content-md5: {}", md5.to_base64())), "{head}");
    assert!(
        head.contains(&format!("x-amz-checksum-sha256: {}", part.sha256.to_base64())),
        "{head}"
    );
    assert!(!head.contains("chunked") && !head.contains("100-continue"), "{head}");
    assert_eq!(body.as_bytes(), &BODY[10..20]);
}

#[tokio::test]
async fn complete_is_conditional_and_a_200_may_be_an_error() {
    let object = object(b"ten bytes!");
    let done = "<?xml version=\"1.0\"?><CompleteMultipartUploadResult xmlns=\"http://x/\">\
                <ETag>&quot;abc-1&quot;</ETag></CompleteMultipartUploadResult>";
    for (body, expected) in [
        (format!("   \n{done}"), Ok(())),
        ("<Error><Code>InternalError</Code></Error>".into(), Err(Fault::Server)),
        ("<Error><Code>SlowDown</Code></Error>".into(), Err(Fault::Busy { retry_after: None })),
        ("<Error><Code>SomethingNew</Code></Error>".into(), Err(Fault::Server)),
        (done.replace("ETag", "Tag"), Err(Fault::NotTheStore)),
        (String::new(), Err(Fault::NotTheStore)),
        (HTML.into(), Err(Fault::NotTheStore)),
    ] {
        let (options, server) = server(&[&answer("200 OK", "", &body)]).await;
        let result = door(options).complete(&object, "id", &["a<b".into()]).await;
        assert_eq!(result.map_err(|e| e.fault), expected, "{body}");
        let request = server.await.unwrap().remove(0);
        assert!(request.contains("if-none-match: *"), "{request}");
        assert!(request.contains("if-none-match%3Bx-amz-checksum-sha256%3Bx-amz-checksum-type"));
        assert!(request.contains(&object.table.composite_sha256()));
        assert!(request.contains("<ETag>&quot;a&lt;b&quot;</ETag><ChecksumSHA256>"), "{request}");
    }
}

#[tokio::test]
async fn create_says_class_digest_and_lock_and_nothing_else_about_the_object() {
    let body = "<InitiateMultipartUploadResult><UploadId>u1</UploadId>\
                </InitiateMultipartUploadResult>";
    let empty = body.replace("u1", "");
    let (options, server) =
        server(&[&answer("200 OK", "", body), &answer("200 OK", "", &empty)]).await;
    let store = door(options);
    let retain_until = Some("2026-02-05T12:00:00.75Z".parse().unwrap());
    let object = SealedObject { retain_until, ..(*object(BODY)).clone() };
    assert_eq!(store.create(&object).await.unwrap(), "u1");
    assert_eq!(store.create(&object).await.unwrap_err().fault, Fault::NotTheStore);
    let request = server.await.unwrap().remove(0);
    for header in [
        "x-amz-tagging: class=unreviewed\r\n".to_owned(),
        format!("x-amz-meta-sha256: {}\r\n", object.sealed.sha256),
        "x-amz-object-lock-mode: GOVERNANCE\r\n".to_owned(),
        "x-amz-object-lock-retain-until-date: 2026-02-05T12:00:00Z\r\n".to_owned(),
        "x-amz-checksum-algorithm: SHA256\r\n".to_owned(),
    ] {
        assert!(request.contains(&header), "{header}: {request}");
    }
    let crate::types::fact::Content::Segment(segment) = object.content else { panic!() };
    assert!(!request.contains(&segment.to_string()));
}

#[tokio::test]
async fn listings_are_paged_sorted_and_keep_the_newest_row_of_a_part() {
    let row = |n: u32, etag: &str, at: &str| {
        format!(
            "<Part><PartNumber>{n}</PartNumber><ETag>&quot;{etag}&quot;</ETag><Size>10</Size>\
             <LastModified>2026-01-01T00:00:{at}Z</LastModified></Part>"
        )
    };
    let page = |rows: &str, more: &str| {
        answer("200 OK", "", &format!("<ListPartsResult>{rows}{more}</ListPartsResult>"))
    };
    let more = "<IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>";
    let first = page(&(row(2, "old", "01") + &row(2, "new", "02") + &row(2, "new", "02")), more);
    let second = page(&(row(1, "one", "01") + &row(1, "uno", "01") + "<Part/>"), "");
    let (options, server) = server(&[&first, &second]).await;
    let parts = door(options).parts("k", "id").await.unwrap();
    let rows: Vec<_> = parts.iter().map(|part| (part.number, part.etag.as_str())).collect();
    assert_eq!(rows, [(1, "one"), (1, "uno"), (2, "new")]);
    assert!(server.await.unwrap()[1].contains("part-number-marker=2"));

    // A store that always says "more" is not asked for ever.
    let page = page(&row(1, "x", "01"), more);
    let (options, _server) = self::server(&[&page, &page]).await;
    assert_eq!(door(options).parts("k", "id").await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_uploads_of_exactly_our_key_are_found() {
    let row = |key: &str, id: &str, second: u32| {
        format!(
            "<Upload><Key>{key}</Key><UploadId>{id}</UploadId>\
             <Initiated>2026-01-01T00:00:{second:02}.000Z</Initiated></Upload>"
        )
    };
    let rows = row("k", "a", 1) + &row("k2", "b", 9) + &row("k", "c", 3);
    let body = format!("<ListMultipartUploadsResult>{rows}</ListMultipartUploadsResult>");
    let (options, _server) = server(&[&answer("200 OK", "", &body)]).await;
    let found = door(options).open_uploads("k").await.unwrap();
    assert_eq!(found.iter().map(|u| u.id.as_str()).collect::<Vec<_>>(), ["c", "a"]);
}

#[tokio::test]
async fn uploads_that_killed_probes_left_open_are_aborted_and_no_others() {
    let row =
        |key: &str, id: &str| format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>");
    let rows = row("d/bwvdock-probe", "old-1")
        + &row("d/bwvdock-probe2", "other")
        + &row("d/bwvdock-probe", "old-2");
    let list = format!("<ListMultipartUploadsResult>{rows}</ListMultipartUploadsResult>");
    let gone = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    let (options, server) = server(&[
        &answer("403 Forbidden", "", ""),
        &error("403 Forbidden", "SignatureDoesNotMatch"),
        &answer("200 OK", "etag: \"x\"\r\n", ""),
        &answer("200 OK", "", &list),
        gone,
        gone,
        &error("500 Internal Server Error", "InternalError"),
    ])
    .await;
    assert_eq!(door(options).probe("d/").await.unwrap_err().fault, Fault::Server);
    let requests = server.await.unwrap();
    let aborted: Vec<_> = requests.iter().filter(|r| r.starts_with("DELETE ")).collect();
    assert_eq!(aborted.len(), 2, "{requests:?}");
    assert!(aborted.iter().all(|r| r.contains("d/bwvdock-probe?")), "{aborted:?}");
    assert!(aborted.iter().any(|r| r.contains("old-1")));
    assert!(aborted.iter().any(|r| r.contains("old-2")));
}

#[tokio::test]
async fn head_tells_absent_from_unknown() {
    for (says, expected) in [
        (answer("404 Not Found", "", ""), Ok(None)),
        (answer("200 OK", "", ""), Err(Fault::NotTheStore)),
        (
            answer("200 OK", "etag: \"x\"\r\ncontent-type: text/html\r\n", ""),
            Err(Fault::NotTheStore),
        ),
        (answer("404 Not Found", "content-type: text/html\r\n", ""), Err(Fault::NotTheStore)),
        (answer("403 Forbidden", "", ""), Err(Fault::Denied)),
        (answer("500 No", "", ""), Err(Fault::Server)),
    ] {
        let (options, _server) = server(&[&says]).await;
        let result = door(options).head("k").await.map_err(|e| e.fault);
        assert_eq!(result, expected, "{says}");
    }
    let says = "HTTP/1.1 200 OK\r\ncontent-length: 25\r\netag: \"x-1\"\r\nx-amz-version-id: null\r\n\
                x-amz-object-lock-legal-hold: ON\r\n\r\n";
    let (options, _server) = server(&[says]).await;
    let head = door(options).head("k").await.unwrap().unwrap();
    assert_eq!((head.size, head.etag.as_str()), (25, "x-1"));
    assert_eq!((head.version, head.legal_hold), (None, Some(true)));
}

#[tokio::test]
async fn a_body_that_is_cut_is_not_taken_for_the_object() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\netag: \"x\"\r\n\r\nabc";
    for (says, announced, expected) in [
        (answer("200 OK", "etag: \"x\"\r\n", "abc"), 3, Ok(3)),
        (cut.into(), 9, Err(Fault::Network)),
        (cut.into(), 3, Err(Fault::NotTheStore)),
        ("HTTP/1.1 200 OK\r\netag: \"x\"\r\n\r\nabc".into(), 3, Err(Fault::NotTheStore)),
        (error("404 Not Found", "NoSuchKey"), 3, Err(Fault::Missing)),
    ] {
        let (options, _server) = server(&[&says]).await;
        let result = door(options).read_back("k", announced).await;
        assert_eq!(result.map(|(size, _)| size).map_err(|e| e.fault), expected, "{says}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_after_a_time_that_grows_with_the_part() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let secret = Zeroizing::new("secret".to_owned());
    let mut store = door(S3Options::new(endpoint, "evidence", "key", secret));
    store.patience = Duration::from_millis(20);
    let start = std::time::Instant::now();
    let error = store.head("k").await.unwrap_err();
    assert_eq!(error.fault, Fault::Network, "{error}");
    assert!(start.elapsed() < Duration::from_millis(900));
    // The least there is to wait for is a second for a part, however small.
    let file = SpoolFile::from_bytes(BODY.to_vec());
    let error = store.put_part(&object(BODY), "id", 1, &file).await.unwrap_err();
    assert_eq!(error.fault, Fault::Network, "{error}");
    assert!(start.elapsed() >= Duration::from_millis(1000));
    assert_eq!(store.time_for(5 << 30), Duration::from_secs((5 << 30) / (16 * 1024)));
}

#[tokio::test]
async fn the_bandwidth_limit_holds_bodies_back() {
    let limiter = Limiter::new(1_000_000, 0);
    let file = SpoolFile::from_bytes(vec![7; 400_000]);
    let (mut body, account) = body::PartBody::new(&file, 0, 400_000, limiter);
    let start = std::time::Instant::now();
    let mut bytes = 0;
    while let Some(piece) = std::future::poll_fn(|cx| {
        futures_core::Stream::poll_next(std::pin::Pin::new(&mut body), cx)
    })
    .await
    {
        bytes += piece.unwrap().len();
    }
    // A quarter of a second's worth is free, the rest takes its time.
    assert_eq!(bytes, 400_000);
    assert!(start.elapsed() >= Duration::from_millis(140), "{:?}", start.elapsed());
    assert!(account.held_back() >= Duration::from_millis(100), "{account:?}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_learned_and_only_used_for_signing() {
    let date = (Timestamp::now() - SignedDuration::from_hours(500)).strftime("%a, %d %b %Y %T GMT");
    let denied = answer("403 Forbidden", &format!("date: {date}\r\n"), "");
    let (options, server) = server(&[&denied, &denied]).await;
    let store = door(options);
    assert_eq!(store.head("k").await.unwrap_err().fault, Fault::Skewed);
    assert!((store.clock_offset_ms() + 500 * 3_600_000).abs() < 3_000);
    assert_eq!(store.head("k").await.unwrap_err().fault, Fault::Denied);
    let requests = server.await.unwrap();
    assert!(requests[1].contains(&date.to_string()[12..16]), "{requests:?}");
}

#[tokio::test]
async fn nobody_there_is_a_network_fault_and_no_secret_is_told() {
    let endpoint = "http://127.0.0.1:1".parse().unwrap();
    let options = S3Options::new(endpoint, "evidence", "key", Zeroizing::new("secret".into()));
    assert!(!format!("{options:?}").contains("secret"));
    let error = door(options).head("k").await.unwrap_err();
    assert_eq!(error.fault, Fault::Network);
    assert!(!error.words.contains("Signature"), "{error}");
}

#[test]
fn settings_that_cannot_work_are_refused_in_words() {
    let check = |change: fn(&mut S3Options)| {
        let secret = Zeroizing::new("secret".to_owned());
        let endpoint = "https://store.example".parse().unwrap();
        let mut options = S3Options::new(endpoint, "evidence", "key", secret);
        options.ca_pem = Some(b"-----BEGIN NOTHING-----".to_vec());
        change(&mut options);
        S3::new(options, Limiter::new(0, 0)).map(drop).unwrap_err().to_string()
    };
    for (change, words) in [
        ((|o| o.endpoint = "http://store.example".parse().unwrap()) as fn(&mut S3Options), "plain"),
        (|o| o.endpoint = "ftp://store.example".parse().unwrap(), "neither"),
        (|o| o.endpoint = "https://store.example/path".parse().unwrap(), "just scheme"),
        (|o| o.endpoint = "https://me:pw@store.example".parse().unwrap(), "just scheme"),
        (|o| o.endpoint = "http://127.0.0.1".parse().unwrap(), "not https"),
        (|o| o.secret_key = Zeroizing::new(String::new()), "empty"),
        (|_| {}, "the CA file holds no PEM certificate"),
        (|o| (o.ca_pem, o.server_key_pin) = (None, Some("abc".into())), "pin"),
        (
            |o| (o.ca_pem, o.client_pem) = (None, Some((vec![], vec![].into()))),
            "client certificate",
        ),
    ] {
        let told = check(change);
        assert!(told.contains(words), "{told}");
    }
}
