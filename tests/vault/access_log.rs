//! What the access log says of requests that were answered, refused, or broke off.

use crate::client::{MIB, Running, S3, bytes, options};
use serde_json::Value;
use std::{fs, path::Path};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_one_line_that_is_there_before_its_answer() {
    let root = TempDir::new().unwrap();
    let log = root.path().join("access.jsonl");
    let vault = Running::start(options_with(root.path(), &log)).await;
    let s3 = S3::at(vault.address);

    let id = s3.create("a b", &[]).await.is(200).element("UploadId");
    s3.part("a b", &id, 3, &[], &bytes(MIB, 1)).await.is(200);
    s3.get("absent", &[], &[]).await.is(404);
    let lines = lines(&log);
    assert_eq!(lines.len(), 3, "{lines:?}");
    let part = &lines[1];
    assert_eq!((&part["method"], &part["path"]), (&"PUT".into(), &"/evidence/a%20b".into()));
    assert_eq!((&part["part"], &part["upload"]), (&3.into(), &id.into()));
    assert_eq!((&part["status"], &part["bytes"]), (&200.into(), &MIB.into()));
    assert_eq!((&lines[2]["status"], lines[2].get("part")), (&404.into(), None));
    vault.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_cut_off_by_a_crash_is_ended_and_no_other_is_lost() {
    let root = TempDir::new().unwrap();
    let log = root.path().join("access.jsonl");
    fs::write(&log, "{\"at\":\"2026").unwrap();
    let vault = Running::start(options_with(root.path(), &log)).await;
    S3::at(vault.address).get("absent", &[], &[]).await.is(404);
    let text = fs::read_to_string(&log).unwrap();
    let (torn, whole) = text.split_once('\n').unwrap();
    assert_eq!(torn, "{\"at\":\"2026");
    assert_eq!(serde_json::from_str::<Value>(whole).unwrap()["status"], 404);
    vault.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_is_no_success() {
    let root = TempDir::new().unwrap();
    let log = root.path().join("access.jsonl");
    let vault = Running::start(options_with(root.path(), &log)).await;
    let s3 = S3::at(vault.address);
    let url = s3.signed_at("cut", std::time::Duration::from_secs(60), jiff::Timestamp::now());
    let mut wire = TcpStream::connect(vault.address).await.unwrap();
    let query = url.query().unwrap();
    let head = format!(
        "PUT {}?{query} HTTP/1.1\r\nhost: {}\r\ncontent-length: 100\r\n\r\n1234567",
        url.path(),
        vault.address
    );
    wire.write_all(head.as_bytes()).await.unwrap();
    wire.shutdown().await.unwrap();
    // The vault has heard it to its end when it hangs up.
    wire.read_to_end(&mut Vec::new()).await.unwrap();
    vault.stop().await;
    let lines = lines(&log);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_ne!(lines[0]["status"], 200);
    assert_eq!((&lines[0]["bytes"], &lines[0]["path"]), (&7.into(), &"/evidence/cut".into()));
    let text = fs::read_to_string(&log).unwrap();
    assert!(!text.contains("Signature"), "a signature is no business of the log: {text}");
}

fn options_with(root: &Path, log: &Path) -> bwvdock::vault::VaultOptions {
    bwvdock::vault::VaultOptions { access_log: Some(log.to_owned()), ..options(root) }
}
