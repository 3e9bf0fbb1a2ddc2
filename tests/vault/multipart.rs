//! Multipart uploads, and every way to complete one wrongly.

use crate::client::{Claim, MIB, S3, bytes, fresh, md5_base64, md5_hex, sha256_base64};
use bwvdock::types::{
    Sha256Digest,
    fact::{Part, PartTable},
};
use std::fs;

const ASK: (&str, &str) = ("x-amz-checksum-algorithm", "SHA256");
const NEW: (&str, &str) = ("if-none-match", "*");

/// An upload with parts of 5 MiB, 5 MiB and 3 bytes.
async fn upload(s3: &S3, key: &str) -> (String, Vec<Vec<u8>>, Vec<Claim>) {
    let headers = [ASK, ("x-amz-meta-sha256", "beef"), ("x-amz-tagging", "class=unreviewed")];
    let created = s3.create(key, &headers).await.is(200);
    let id = created.element("UploadId");
    let parts = vec![bytes(5 * MIB, 1), bytes(5 * MIB, 2), b"end".to_vec()];
    for (number, body) in (1..).zip(&parts) {
        let (sha256, md5) = (sha256_base64(body), md5_base64(body));
        let headers = [("x-amz-checksum-sha256", sha256.as_str()), ("content-md5", &md5)];
        let reply = s3.part(key, &id, number, &headers, body).await.is(200);
        assert_eq!(reply.header("x-amz-checksum-sha256"), sha256);
        assert_eq!(reply.header("etag"), format!("\"{}\"", md5_hex(body)));
    }
    let claims = (1..).zip(&parts).map(|(number, body)| Claim::of(number, body)).collect();
    (id, parts, claims)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_composite_is_the_one_the_dock_computes() {
    let (root, _vault, s3) = fresh().await;
    let (id, parts, claims) = upload(&s3, "x.age").await;
    let table = PartTable {
        part_size: 5 * MIB as u64,
        parts: parts
            .iter()
            .map(|body| Part {
                sha256: Sha256Digest::of(body),
                md5: Some(md5_hex(body).parse().unwrap()),
            })
            .collect(),
    };
    let done = s3.complete("x.age", &id, &claims, &[NEW]).await.is(200);
    assert_eq!(done.element("ChecksumSHA256"), table.composite_sha256());
    let head = s3.head("x.age").await.is(200);
    assert_eq!(head.header("x-amz-checksum-sha256"), table.composite_sha256());
    assert_eq!(head.header("x-amz-meta-sha256"), "beef");
    assert!(head.header("etag").ends_with("-3\""));
    let whole = parts.concat();
    assert_eq!(s3.get("x.age", &[], &[]).await.body, whole);
    assert_eq!(fs::read(root.path().join("evidence/objects/x.age")).unwrap(), whole);
    assert_eq!(fs::read_dir(root.path().join("evidence/uploads")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(root.path().join("evidence/tmp")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parts_are_refused_and_leave_the_acknowledged_one() {
    let (_root, _vault, s3) = fresh().await;
    let id = s3.create("a", &[ASK]).await.element("UploadId");
    s3.part("a", &id, 1, &[], b"right").await.is(200);
    let (sha256, md5) = (sha256_base64(b"other"), md5_base64(b"other"));
    for headers in [[("x-amz-checksum-sha256", sha256.as_str())], [("content-md5", md5.as_str())]] {
        s3.part("a", &id, 1, &headers, b"wrong").await.refused(400, "BadDigest");
    }
    s3.part("a", &id, 10_001, &[], b"x").await.refused(400, "InvalidArgument");
    let none = "0".repeat(32);
    s3.part("a", &none, 1, &[], &bytes(MIB, 1)).await.refused(404, "NoSuchUpload");
    s3.part("a", "../../objects", 1, &[], b"x").await.refused(404, "NoSuchUpload");
    s3.part("b", &id, 1, &[], b"x").await.refused(404, "NoSuchUpload");
    let listed = s3.get("a", &[("uploadId", id.as_str())], &[]).await.is(200);
    assert_eq!(listed.elements("ChecksumSHA256"), [sha256_base64(b"right")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_sent_again_replaces_the_one_before() {
    let (root, _vault, s3) = fresh().await;
    let id = s3.create("a", &[]).await.element("UploadId");
    s3.part("a", &id, 1, &[], b"first").await.is(200);
    s3.part("a", &id, 1, &[], b"second").await.is(200);
    // The record of the upload, the record of the part, and its bytes.
    let folder = root.path().join("evidence/uploads").join(&id);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 3);
    s3.complete("a", &id, &[Claim::of(1, b"first")], &[]).await.refused(400, "InvalidPart");
    s3.complete("a", &id, &[Claim::of(1, b"second")], &[]).await.is(200);
    assert_eq!(s3.get("a", &[], &[]).await.body, b"second");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_complete_is_refused_and_the_right_one_still_works() {
    let (_root, _vault, s3) = fresh().await;
    let (id, _, claims) = upload(&s3, "a").await;
    let with = |change: &dyn Fn(&mut Vec<Claim>)| {
        let mut changed = claims.clone();
        change(&mut changed);
        changed
    };
    for (changed, code) in [
        (with(&|c| c.clear()), "MalformedXML"),
        (with(&|c| c.swap(0, 1)), "InvalidPartOrder"),
        (with(&|c| c[1] = c[0].clone()), "InvalidPartOrder"),
        (with(&|c| c[2].number = 4), "InvalidPart"),
        (with(&|c| c[0].etag = "0".repeat(32)), "InvalidPart"),
        (with(&|c| c[0].sha256 = Some(sha256_base64(b"other"))), "InvalidPart"),
    ] {
        s3.complete("a", &id, &changed, &[NEW]).await.refused(400, code);
    }
    // A whole-object checksum and a size that are not those of the object.
    let other = format!("{}-3", sha256_base64(b"other"));
    let headers = [("x-amz-checksum-sha256", other.as_str())];
    s3.complete("a", &id, &claims, &headers).await.refused(400, "BadDigest");
    let headers = [("x-amz-mp-object-size", "17")];
    s3.complete("a", &id, &claims, &headers).await.refused(400, "InvalidRequest");
    s3.head("a").await.is(404);
    s3.complete("a", &id, &claims, &[NEW]).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_parts_are_refused_but_for_the_last() {
    let (_root, _vault, s3) = fresh().await;
    let id = s3.create("a", &[]).await.element("UploadId");
    for number in [1, 2] {
        s3.part("a", &id, number, &[], b"small").await.is(200);
    }
    let both = [Claim::of(1, b"small"), Claim::of(2, b"small")];
    s3.complete("a", &id, &both, &[]).await.refused(400, "EntityTooSmall");
    s3.complete("a", &id, &both[1..], &[]).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_key_lets_an_upload_begin_as_s3_does_and_stops_its_complete() {
    let (_root, _vault, s3) = fresh().await;
    let (id, _, claims) = upload(&s3, "a").await;
    s3.put("a", &[], b"was faster").await.is(200);
    s3.create("a", &[]).await.is(200);
    for headers in [&[NEW][..], &[]] {
        s3.complete("a", &id, &claims, headers).await.refused(412, "PreconditionFailed");
    }
    assert_eq!(s3.get("a", &[], &[]).await.body, b"was faster");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_whose_answer_was_lost_can_be_asked_again() {
    let (_root, _vault, s3) = fresh().await;
    let (id, _, claims) = upload(&s3, "a").await;
    let first = s3.complete("a", &id, &claims, &[]).await.is(200);
    let again = s3.complete("a", &id, &claims, &[]).await.is(200);
    assert_eq!(first.element("ETag"), again.element("ETag"));
    assert_eq!(first.element("ChecksumSHA256"), again.element("ChecksumSHA256"));
    s3.complete("a", &id, &claims, &[NEW]).await.refused(412, "PreconditionFailed");
    let stranger = "f".repeat(32);
    s3.complete("a", &stranger, &claims, &[]).await.refused(412, "PreconditionFailed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_damaged_on_the_stores_disk_is_found_at_complete() {
    let (root, _vault, s3) = fresh().await;
    let (id, _, claims) = upload(&s3, "a").await;
    let folder = root.path().join("evidence/uploads").join(&id);
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let part = files.find(|path| path.extension().is_some_and(|ext| ext == "part")).unwrap();
    let mut damaged = fs::read(&part).unwrap();
    damaged[0] ^= 1;
    fs::write(&part, damaged).unwrap();
    s3.complete("a", &id, &claims, &[NEW]).await.refused(500, "InternalError");
    s3.head("a").await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_and_uploads_are_listed_sorted_and_paged() {
    let (_root, _vault, s3) = fresh().await;
    let id = s3.create("p/a", &[ASK]).await.element("UploadId");
    let second = s3.create("p/a", &[ASK]).await.element("UploadId");
    let other = s3.create("q/b", &[ASK]).await.element("UploadId");
    for number in [10, 2, 7, 1] {
        s3.part("p/a", &id, number, &[], &[number as u8]).await.is(200);
    }
    let query = [("uploadId", id.as_str()), ("max-parts", "3")];
    let page = s3.get("p/a", &query, &[]).await.is(200);
    assert_eq!(page.elements("PartNumber"), ["1", "2", "7"]);
    assert_eq!(page.element("IsTruncated"), "true");
    let marker = page.element("NextPartNumberMarker");
    let query = [("uploadId", id.as_str()), ("part-number-marker", marker.as_str())];
    let rest = s3.get("p/a", &query, &[]).await.is(200);
    assert_eq!(rest.elements("PartNumber"), ["10"]);
    assert_eq!(rest.element("IsTruncated"), "false");

    let listed = s3.uploads(&[("prefix", "p/")]).await.is(200);
    assert_eq!(listed.elements("UploadId"), [id.as_str(), &second]);
    let page = s3.uploads(&[("max-uploads", "1")]).await;
    let (key, upload) = (page.element("NextKeyMarker"), page.element("NextUploadIdMarker"));
    let query = [("key-marker", key.as_str()), ("upload-id-marker", upload.as_str())];
    assert_eq!(s3.uploads(&query).await.elements("UploadId"), [second.as_str(), &other]);

    s3.abort("p/a", &second).await.is(204);
    s3.abort("p/a", &second).await.refused(404, "NoSuchUpload");
    assert_eq!(s3.uploads(&[("prefix", "p/")]).await.elements("UploadId"), [id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_over_several_connections_at_once() {
    let (_root, _vault, s3) = fresh().await;
    let id = s3.create("a", &[ASK]).await.element("UploadId");
    let sending: Vec<_> = (1..=6u16)
        .map(|number| {
            let (s3, id) = (s3.clone(), id.clone());
            tokio::spawn(async move {
                let body = bytes(5 * MIB, number as u8);
                s3.part("a", &id, number, &[], &body).await.is(200);
                Claim::of(number, &body)
            })
        })
        .collect();
    let mut claims = Vec::new();
    for sent in sending {
        claims.push(sent.await.unwrap());
    }
    s3.complete("a", &id, &claims, &[NEW]).await.is(200);
    assert_eq!(s3.head("a").await.header("content-length"), (30 * MIB).to_string());
}
