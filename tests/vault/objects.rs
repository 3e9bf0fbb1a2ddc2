//! Put, Get, Head, lists and tags.

use crate::client::{Running, S3, bytes, fresh, md5_base64, md5_hex, options, sha256_base64};
use reqwest::Method;
use rusty_s3::{S3Action as _, actions};
use std::{fs, time::Duration};

#[tokio::test(flavor = "multi_thread")]
async fn an_object_comes_back_as_it_was_put_with_all_that_was_said_of_it() {
    let (root, vault, s3) = fresh().await;
    let body = bytes(300_000, 1);
    let (sha256, md5) = (sha256_base64(&body), md5_base64(&body));
    let headers = [
        ("x-amz-checksum-sha256", sha256.as_str()),
        ("content-md5", &md5),
        ("content-type", "application/age"),
        ("x-amz-meta-sha256", "beef"),
        ("x-amz-tagging", "class=evidential&dock=d-1"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-object-lock-retain-until-date", "2030-01-02T03:04:05Z"),
        ("if-none-match", "*"),
    ];
    let put = s3.put("force/2026/x.age", &headers, &body).await.is(200);
    assert_eq!(put.header("x-amz-checksum-sha256"), sha256);
    assert_eq!(put.header("etag"), format!("\"{}\"", md5_hex(&body)));
    assert_eq!(put.header("x-amz-request-id").len(), 32);

    vault.stop().await;
    assert_eq!(fs::read(root.path().join("evidence/objects/force/2026/x.age")).unwrap(), body);
    let vault = Running::start(options(root.path())).await;
    let s3 = S3 { http: s3.http, ..S3::at(vault.address) };

    let head = s3.head("force/2026/x.age").await.is(200);
    assert_eq!(head.header("content-length"), "300000");
    assert_eq!(head.header("x-amz-checksum-sha256"), sha256);
    assert_eq!(head.header("x-amz-meta-sha256"), "beef");
    assert_eq!(head.header("x-amz-object-lock-mode"), "GOVERNANCE");
    assert!(head.header("x-amz-object-lock-retain-until-date").starts_with("2030-01-02T03:04:05"));
    assert_eq!(head.header("x-amz-version-id"), put.header("x-amz-version-id"));
    let get = s3.get("force/2026/x.age", &[], &[]).await.is(200);
    assert_eq!(get.body, body);
    assert_eq!(get.header("content-type"), "application/age");
    assert_eq!(get.header("x-amz-checksum-sha256"), "");
    let tags = s3.get("force/2026/x.age", &[("tagging", "")], &[]).await.is(200);
    assert_eq!(tags.elements("Value"), ["evidential", "d-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_checksum_is_a_bad_digest_and_leaves_nothing() {
    let (root, _vault, s3) = fresh().await;
    let (other_md5, other_sha) = (md5_base64(b"other"), sha256_base64(b"other"));
    for headers in [
        [("content-md5", other_md5.as_str())],
        [("x-amz-checksum-sha256", other_sha.as_str())],
        [("x-amz-checksum-crc32", "AAAAAA==")],
        [("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")],
    ] {
        s3.put("a", &headers, b"body").await.refused(400, "BadDigest");
    }
    s3.put("a", &[("content-md5", "nonsense")], b"body").await.refused(400, "InvalidDigest");
    let other = "0".repeat(64);
    let headers = [("x-amz-content-sha256", other.as_str())];
    s3.put("a", &headers, b"body").await.refused(400, "XAmzContentSHA256Mismatch");
    s3.head("a").await.is(404);
    assert_eq!(fs::read_dir(root.path().join("evidence/objects")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(root.path().join("evidence/tmp")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_exists_is_never_overwritten() {
    let (_root, _vault, s3) = fresh().await;
    let first = s3.put("a", &[], b"first").await.is(200);
    s3.put("a", &[], b"second").await.refused(412, "PreconditionFailed");
    let only_new = [("if-none-match", "*")];
    s3.put("a", &only_new, b"first").await.refused(412, "PreconditionFailed");
    // The same bytes again are a retry.
    let again = s3.put("a", &[], b"first").await.is(200);
    assert_eq!(again.header("x-amz-version-id"), first.header("x-amz-version-id"));
    assert_eq!(s3.get("a", &[], &[]).await.body, b"first");
    s3.put("a", &[("if-match", "\"abc\"")], b"x").await.refused(501, "NotImplemented");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_of_one_key_one_wins() {
    let (_root, _vault, s3) = fresh().await;
    let writers = (0..8u8).map(|number| {
        let s3 = s3.clone();
        tokio::spawn(async move { s3.put("a", &[("if-none-match", "*")], &[number; 4096]).await })
    });
    let mut won = Vec::new();
    for (number, writer) in (0..8u8).zip(writers.collect::<Vec<_>>()) {
        let reply = writer.await.unwrap();
        match reply.status.as_u16() {
            200 => won.push(number),
            409 | 412 => {}
            _ => panic!("{}", reply.text()),
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(s3.get("a", &[], &[]).await.body, [won[0]; 4096]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_exact_and_impossible_ones_refused() {
    let (_root, _vault, s3) = fresh().await;
    let body = bytes(1000, 3);
    s3.put("a", &[], &body).await.is(200);
    for (range, wanted) in [
        ("bytes=0-0", 0..1),
        ("bytes=10-19", 10..20),
        ("bytes=990-", 990..1000),
        ("bytes=-5", 995..1000),
    ] {
        let reply = s3.get("a", &[], &[("range", range)]).await.is(206);
        assert_eq!(reply.body, body[wanted.clone()], "{range}");
        let said = format!("bytes {}-{}/1000", wanted.start, wanted.end - 1);
        assert_eq!(reply.header("content-range"), said);
    }
    s3.get("a", &[], &[("range", "bytes=1000-")]).await.refused(416, "InvalidRange");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_no_bytes_is_an_object() {
    let (_root, _vault, s3) = fresh().await;
    s3.put("empty", &[], b"").await.is(200);
    assert_eq!(s3.head("empty").await.is(200).header("content-length"), "0");
    assert_eq!(s3.get("empty", &[], &[]).await.is(200).body, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_cannot_leave_their_folder() {
    let (root, _vault, s3) = fresh().await;
    // `%2e%2e` survives URL normalisation where `..` would not.
    let mut url = s3.bucket.object_url("x");
    url.set_path("/evidence/%2e%2e%2f%2e%2e%2foutside");
    assert_ne!(s3.raw(Method::PUT, url, &[], b"x".to_vec()).await.status, 200);
    s3.put(".hidden/..a//b%2f", &[], b"x").await.is(200);
    assert_eq!(s3.get(".hidden/..a//b%2f", &[], &[]).await.is(200).body, b"x");
    let file = root.path().join("evidence/objects/%2Ehidden/%2E.a/%/b%252f");
    assert_eq!(fs::read(file).unwrap(), b"x");
    s3.put(&"k".repeat(1025), &[], b"x").await.refused(400, "KeyTooLongError");
    s3.put(&"k".repeat(300), &[], b"x").await.refused(400, "KeyTooLongError");
    s3.put("a\nb", &[], b"x").await.refused(400, "InvalidArgument");
    s3.put("a", &[], b"x").await.is(200);
    s3.put("a/b", &[], b"x").await.refused(400, "InvalidArgument");
    assert!(!root.path().join("outside").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_sorted_paged_and_know_prefix_and_delimiter() {
    let (_root, _vault, s3) = fresh().await;
    for key in ["b/2", "a", "b/1", "b-x", "c/d/e", "c/f", "ü"] {
        s3.put(key, &[], key.as_bytes()).await.is(200);
    }
    let all = s3.list(&[]).await.is(200);
    // rusty-s3 asks for encoding-type=url.
    assert_eq!(all.elements("Key"), ["a", "b-x", "b/1", "b/2", "c/d/e", "c/f", "%C3%BC"]);
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let mut query = vec![("max-keys", "2"), ("delimiter", "/")];
        if !token.is_empty() {
            query.push(("continuation-token", &token));
        }
        let page = s3.list(&query).await.is(200);
        pages.push((page.elements("Key"), page.elements("CommonPrefixes").len()));
        token = page.element("NextContinuationToken");
        if page.element("IsTruncated") == "false" {
            break;
        }
    }
    let keys: Vec<_> = pages.iter().flat_map(|(keys, _)| keys.clone()).collect();
    assert_eq!(keys, ["a", "b-x", "%C3%BC"]);
    assert_eq!(pages.iter().map(|(_, prefixes)| prefixes).sum::<usize>(), 2);
    assert_eq!(pages.len(), 3);
    let some = s3.list(&[("prefix", "c/"), ("delimiter", "/")]).await;
    assert_eq!(some.elements("Key"), ["c/f"]);
    assert!(some.text().contains("<Prefix>c/d/</Prefix>"), "{}", some.text());
    assert_eq!(s3.list(&[("start-after", "b/1")]).await.elements("Key").len(), 4);
    s3.list(&[("continuation-token", "zz")]).await.refused(400, "InvalidArgument");
    s3.list(&[("max-keys", "-1")]).await.refused(400, "InvalidArgument");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_can_be_changed_and_nothing_else_of_an_object() {
    let (_root, _vault, s3) = fresh().await;
    s3.put("a", &[("x-amz-tagging", "class=unreviewed")], b"x").await.is(200);
    let put = |body: String| {
        let s3 = &s3;
        async move {
            let mut action = actions::PutObject::new(&s3.bucket, Some(&s3.credentials), "a");
            action.query_mut().insert("tagging", "");
            let url = action.sign(Duration::from_secs(60));
            s3.raw(Method::PUT, url, &[], body.into_bytes()).await
        }
    };
    let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let set = |tags: String| format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
    put(set(tag("class", "evidential"))).await.is(200);
    let tags = s3.get("a", &[("tagging", "")], &[]).await;
    assert_eq!(tags.elements("Value"), ["evidential"]);
    let twice = set(tag("a", "1") + &tag("a", "2"));
    put(twice).await.refused(400, "InvalidTag");
    let many = (0..11).map(|number| tag(&format!("k{number}"), "v")).collect();
    put(set(many)).await.refused(400, "InvalidTag");
    assert_eq!(s3.get("a", &[], &[]).await.body, b"x");
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_are_made_again_without_harm_and_must_have_proper_names() {
    let (_root, _vault, s3) = fresh().await;
    let make =
        actions::CreateBucket::new(&s3.bucket, &s3.credentials).sign(Duration::from_secs(60));
    s3.put("a", &[], b"x").await.is(200);
    s3.raw(Method::PUT, make, &[], Vec::new()).await.is(200);
    s3.head("a").await.is(200);
    let mut endpoint = s3.bucket.base_url().clone();
    endpoint.set_path("/");
    let named = |name: &'static str| {
        let style = rusty_s3::UrlStyle::Path;
        let bucket = rusty_s3::Bucket::new(endpoint.clone(), style, name, "eu-test-1").unwrap();
        S3 { bucket, ..s3.clone() }
    };
    named("missing").put("a", &[], b"x").await.refused(404, "NoSuchBucket");
    let bad = named("No_Name");
    let make = actions::CreateBucket::new(&bad.bucket, &bad.credentials);
    let url = make.sign(Duration::from_secs(60));
    bad.raw(Method::PUT, url, &[], Vec::new()).await.refused(400, "InvalidBucketName");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_cut_short_leaves_nothing() {
    let (root, _vault, s3) = fresh().await;
    let url = s3.signed_at("a", Duration::from_secs(60), jiff::Timestamp::now());
    let target = format!("{}?{}", url.path(), url.query().unwrap());
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let head = format!("PUT {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 1000\r\n\r\nhalf");
    let stream = std::net::TcpStream::connect(&host).unwrap();
    std::io::Write::write_all(&mut &stream, head.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    let _ = std::io::Read::read_to_string(&mut &stream, &mut answer);
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    s3.head("a").await.is(404);
    assert_eq!(fs::read_dir(root.path().join("evidence/tmp")).unwrap().count(), 0);
}
