//! Who is let in.

use crate::client::{S3, fresh};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use rusty_s3::{Credentials, S3Action as _, actions};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn nobody_unsigned_or_wrongly_signed_is_let_in() {
    let (_root, _vault, s3) = fresh().await;
    let plain = s3.bucket.object_url("a");
    s3.raw(Method::PUT, plain, &[], b"x".to_vec()).await.refused(403, "AccessDenied");

    let wrong = S3 { credentials: Credentials::new("AKTEST", "another secret"), ..s3.clone() };
    wrong.put("a", &[], b"x").await.refused(403, "SignatureDoesNotMatch");

    let unknown = S3 { credentials: Credentials::new("AKNOBODY", "secret"), ..s3.clone() };
    assert_eq!(unknown.put("a", &[], b"x").await.status, 403);
    s3.head("a").await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_for_one_key_does_not_open_another() {
    let (_root, _vault, s3) = fresh().await;
    let mut url = s3.signed_at("a", MINUTE, Timestamp::now());
    url.set_path("/evidence/b");
    s3.raw(Method::PUT, url, &[], b"x".to_vec()).await.refused(403, "SignatureDoesNotMatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_too_far_away_and_expired_urls_are_refused() {
    let (_root, _vault, s3) = fresh().await;
    let ahead = Timestamp::now() + SignedDuration::from_mins(20);
    let url = s3.signed_at("a", MINUTE, ahead);
    s3.raw(Method::PUT, url, &[], b"x".to_vec()).await.refused(403, "RequestTimeTooSkewed");
    let behind = Timestamp::now() - SignedDuration::from_mins(20);
    let url = s3.signed_at("a", MINUTE, behind);
    s3.raw(Method::PUT, url, &[], b"x".to_vec()).await.refused(403, "AccessDenied");
    let url = s3.signed_at("a", MINUTE, Timestamp::now() - SignedDuration::from_secs(30));
    s3.raw(Method::PUT, url, &[], b"x".to_vec()).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_region_is_refused() {
    let (_root, _vault, s3) = fresh().await;
    let url = format!("{}", s3.bucket.base_url()).parse::<url::Url>().unwrap();
    let mut endpoint = url.clone();
    endpoint.set_path("/");
    let elsewhere =
        rusty_s3::Bucket::new(endpoint, rusty_s3::UrlStyle::Path, "evidence", "mars-1").unwrap();
    let s3 = S3 { bucket: elsewhere, ..s3 };
    s3.put("a", &[], b"x").await.refused(400, "AuthorizationHeaderMalformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amz_header_that_was_not_signed_is_refused() {
    let (_root, _vault, s3) = fresh().await;
    let url = s3.signed_at("a", MINUTE, Timestamp::now());
    let sneaked = [("x-amz-meta-officer", "somebody else")];
    s3.raw(Method::PUT, url, &sneaked, b"x".to_vec()).await.refused(403, "AccessDenied");
    s3.put("a", &sneaked, b"x").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_signatures_are_refused() {
    let (_root, _vault, s3) = fresh().await;
    let mut url = s3.bucket.object_url("a");
    // AWS Signature Version 2, rightly computed or not, is not looked at further.
    url.set_query(Some("AWSAccessKeyId=AKTEST&Expires=9999999999&Signature=c2lnbmF0dXJl"));
    assert_eq!(s3.raw(Method::GET, url, &[], Vec::new()).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_ever_deleted_and_unknown_operations_are_refused() {
    let (_root, _vault, s3) = fresh().await;
    s3.put("a", &[], b"x").await.is(200);
    s3.delete("a").await.refused(403, "AccessDenied");
    let bucket = actions::DeleteBucket::new(&s3.bucket, &s3.credentials).sign(MINUTE);
    s3.raw(Method::DELETE, bucket, &[], Vec::new()).await.refused(403, "AccessDenied");
    let policy = s3.get("", &[("policy", "")], &[]).await;
    policy.refused(501, "NotImplemented");
    s3.head("a").await.is(200);
}
