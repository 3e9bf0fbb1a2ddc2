//! What somebody does to the files behind the running vault's back is never answered as if the
//! acknowledged object were still there: a dock erases on the word of a Head.

use crate::client::{Claim, Running, S3, fresh, options};
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, Instant},
};

const IS: &[u8] = b"evidence";
const JUNK: &[u8] = b"nonsense";

/// Writes in place until the file system's clock shows it.
fn overwrite(path: &Path, bytes: &[u8]) {
    let change = |path: &Path| {
        let stat = fs::metadata(path).unwrap();
        (stat.ctime(), stat.ctime_nsec())
    };
    let (before, begun) = (change(path), Instant::now());
    loop {
        fs::write(path, bytes).unwrap();
        if change(path) != before {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "no write changes the file's time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_altered_or_gone_from_the_disk_is_not_said_to_be_there() {
    let (root, vault, s3) = fresh().await;
    let file = root.path().join("evidence/objects/a");
    s3.put("a", &[], IS).await.is(200);
    let upload = s3.create("b", &[]).await.element("UploadId");
    s3.part("b", &upload, 1, &[], IS).await.is(200);
    s3.complete("b", &upload, &[Claim::of(1, IS)], &[]).await.is(200);
    for key in ["a", "b"] {
        s3.head(key).await.is(200);
        let file = root.path().join("evidence/objects").join(key);
        for junk in [JUNK, b"", b"short", b"longer than it was"] {
            overwrite(&file, junk);
            // Twice: what reading found out is remembered.
            s3.head(key).await.is(404);
            s3.head(key).await.is(404);
            s3.get(key, &[], &[]).await.refused(404, "ObjectAltered");
            s3.get(key, &[], &[("range", "bytes=0-0")]).await.refused(404, "ObjectAltered");
        }
        s3.put(key, &[], IS).await.refused(412, "PreconditionFailed");
        overwrite(&file, JUNK);
    }
    // A restart changes nothing about it.
    vault.stop().await;
    let _vault = Running::start(options(root.path())).await;
    let s3 = S3 { http: s3.http, ..S3::at(_vault.address) };
    s3.head("a").await.is(404);
    fs::remove_file(&file).unwrap();
    s3.head("a").await.is(404);
    s3.get("a", &[], &[]).await.refused(404, "NoSuchKey");
    fs::create_dir(&file).unwrap();
    s3.head("a").await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_with_other_times_are_read_once_and_are_the_object() {
    let (root, _vault, s3) = fresh().await;
    let meta = root.path().join("evidence/meta/a%.json");
    s3.put("a", &[], IS).await.is(200);
    let before = fs::read(&meta).unwrap();
    overwrite(&root.path().join("evidence/objects/a"), IS);
    s3.head("a").await.is(200);
    let after = fs::read(&meta).unwrap();
    assert_ne!(before, after, "the new times are noted");
    assert_eq!(s3.get("a", &[], &[]).await.is(200).body, IS);
    assert_eq!(fs::read(&meta).unwrap(), after);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_of_before_the_times_were_kept_is_compared_by_size() {
    let (root, _vault, s3) = fresh().await;
    s3.put("a", &[], IS).await.is(200);
    let path = root.path().join("evidence/meta/a%.json");
    let mut meta: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(meta.as_object_mut().unwrap().remove("file").is_some());
    fs::write(&path, meta.to_string()).unwrap();
    s3.head("a").await.is(200);
    overwrite(&root.path().join("evidence/objects/a"), b"short");
    s3.head("a").await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_gone_with_its_metadata_is_gone_at_once_and_can_be_stored_again() {
    let (root, _vault, s3) = fresh().await;
    let bucket = root.path().join("evidence");
    for only_new in [&[][..], &[("if-none-match", "*")]] {
        for key in ["with", "without"] {
            let _ = s3.put(key, &[], IS).await;
            fs::remove_file(bucket.join("objects").join(key)).unwrap();
        }
        fs::remove_file(bucket.join("meta/with%.json")).unwrap();
        s3.head("with").await.is(404);
        s3.get("with", &[], &[]).await.refused(404, "NoSuchKey");
        s3.head("without").await.is(404);
        // With its metadata left, its place is for the same bytes only.
        s3.put("without", &[], JUNK).await.refused(412, "PreconditionFailed");
        for key in ["with", "without"] {
            s3.put(key, only_new, IS).await.is(200);
            s3.head(key).await.is(200);
            assert_eq!(s3.get(key, &[], &[]).await.is(200).body, IS);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_upload_whose_file_is_gone_is_not_acknowledged_again_and_may_come_anew() {
    let (root, _vault, s3) = fresh().await;
    let upload = s3.create("b", &[]).await.element("UploadId");
    s3.part("b", &upload, 1, &[], IS).await.is(200);
    s3.complete("b", &upload, &[Claim::of(1, IS)], &[]).await.is(200);
    s3.complete("b", &upload, &[Claim::of(1, IS)], &[]).await.is(200);
    fs::remove_file(root.path().join("evidence/objects/b")).unwrap();
    s3.complete("b", &upload, &[Claim::of(1, IS)], &[]).await.refused(404, "NoSuchUpload");
    for (bytes, status) in [(JUNK, 412), (IS, 200)] {
        let upload = s3.create("b", &[]).await.element("UploadId");
        s3.part("b", &upload, 1, &[], bytes).await.is(200);
        s3.complete("b", &upload, &[Claim::of(1, bytes)], &[]).await.is(status);
    }
    assert_eq!(s3.get("b", &[], &[]).await.is(200).body, IS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_not_mounted_any_more_says_nothing_about_its_objects() {
    let (root, _vault, s3) = fresh().await;
    s3.put("a", &[], IS).await.is(200);
    let (bucket, away) = (root.path().join("evidence"), root.path().join("away"));
    fs::rename(&bucket, &away).unwrap();
    s3.head("a").await.is(500);
    fs::create_dir_all(bucket.join("objects")).unwrap();
    s3.head("a").await.is(500);
    fs::remove_dir_all(&bucket).unwrap();
    fs::rename(&away, &bucket).unwrap();
    s3.head("a").await.is(200);
}
