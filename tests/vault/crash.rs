//! kill -9 of a vault in a process of its own, and what is found afterwards.

use crate::client::{Claim, MIB, Running, S3, bytes, fresh, options};
use bwvdock::vault::{VaultError, serve};
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

const CHILD: &str = "BWVDOCK_TEST_VAULT_ROOT";

/// Not a test: what [`spawn`] runs in the other process.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(root) = std::env::var_os(CHILD) else { return };
    let ready = |address| {
        let mut out = std::io::stdout();
        writeln!(out, "\nlistening {address}").unwrap();
        out.flush().unwrap();
    };
    serve(options(Path::new(&root)), ready, std::future::pending()).await.unwrap();
}

fn spawn(root: &Path) -> (Child, S3) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env(CHILD, root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("listening ")?.parse().ok())
        .expect("the child says where it listens");
    (child, S3::at(address))
}

fn kill(mut child: Child) {
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_parts_and_objects_survive_kill_9() {
    let root = TempDir::new().unwrap();
    let (child, s3) = spawn(root.path());
    let id = s3.create("big", &[]).await.is(200).element("UploadId");
    let parts = [bytes(5 * MIB, 1), bytes(100, 2)];
    s3.part("big", &id, 1, &[], &parts[0]).await.is(200);
    s3.put("small", &[], b"small").await.is(200);
    kill(child);

    let (child, s3) = spawn(root.path());
    assert_eq!(s3.get("small", &[], &[]).await.is(200).body, b"small");
    let listed = s3.get("big", &[("uploadId", id.as_str())], &[]).await.is(200);
    assert_eq!(listed.elements("PartNumber"), ["1"]);
    s3.part("big", &id, 2, &[], &parts[1]).await.is(200);
    let claims = [Claim::of(1, &parts[0]), Claim::of(2, &parts[1])];
    s3.complete("big", &id, &claims, &[("if-none-match", "*")]).await.is(200);
    kill(child);

    let (child, s3) = spawn(root.path());
    assert_eq!(s3.get("big", &[], &[]).await.is(200).body, parts.concat());
    kill(child);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_writes_leaves_every_key_whole_or_absent() {
    let root = TempDir::new().unwrap();
    for round in 0..5u8 {
        let (child, s3) = spawn(root.path());
        let (acked, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let writers: Vec<_> = (0..4u8)
            .map(|writer| {
                let (s3, acked) = (s3.clone(), acked.clone());
                tokio::spawn(async move {
                    for number in 0..1000 {
                        let key = format!("r{round}/w{writer}/{number}");
                        let url = s3.signed_at(
                            &key,
                            std::time::Duration::from_secs(60),
                            jiff::Timestamp::now(),
                        );
                        let body = bytes(60_000, number as u8);
                        let sent = s3.http.put(url).body(body).send().await;
                        // From the kill on nobody answers.
                        let Ok(reply) = sent else { return };
                        assert_eq!(reply.status(), 200);
                        acked.send((key, number as u8)).unwrap();
                    }
                })
            })
            .collect();
        drop(acked);
        let mut kept = Vec::new();
        while kept.len() < 10 {
            kept.push(seen.recv().await.unwrap());
        }
        kill(child);
        for writer in writers {
            writer.await.unwrap();
        }
        while let Some(one) = seen.recv().await {
            kept.push(one);
        }
        let running = Running::start(options(root.path())).await;
        let s3 = S3::at(running.address);
        for (key, number) in &kept {
            assert_eq!(s3.get(key, &[], &[]).await.is(200).body, bytes(60_000, *number), "{key}");
        }
        let prefix = format!("r{round}/");
        let listed = s3.list(&[("prefix", &prefix)]).await.elements("Size");
        assert!(listed.len() >= kept.len() && listed.iter().all(|size| size == "60000"));
        assert_eq!(fs::read_dir(root.path().join("evidence/tmp")).unwrap().count(), 0);
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_of_a_crash_are_cleaned_up_and_nothing_that_was_acknowledged() {
    let (root, vault, s3) = fresh().await;
    s3.put("kept", &[], b"kept").await.is(200);
    let id = s3.create("done", &[]).await.element("UploadId");
    s3.part("done", &id, 1, &[], b"x").await.is(200);
    let upload = root.path().join("evidence/uploads").join(&id);
    let copy = root.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(&upload).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    s3.complete("done", &id, &[Claim::of(1, b"x")], &[]).await.is(200);
    vault.stop().await;
    // As if killed: before the upload was taken away, between object and metadata, while writing.
    fs::rename(copy, &upload).unwrap();
    let bucket = root.path().join("evidence");
    fs::write(bucket.join("objects/half"), b"never acknowledged").unwrap();
    fs::write(bucket.join("tmp/rest"), b"rest").unwrap();
    fs::create_dir(bucket.join("uploads/00000000000000000000000000000000")).unwrap();

    let vault = Running::start(options(root.path())).await;
    let s3 = S3::at(vault.address);
    assert_eq!(s3.list(&[]).await.elements("Key"), ["done", "kept"]);
    for (folder, entries) in [("uploads", 0), ("unclaimed", 1), ("objects", 2)] {
        assert_eq!(fs::read_dir(bucket.join(folder)).unwrap().count(), entries, "{folder}");
    }
    s3.put("half", &[("if-none-match", "*")], b"whole").await.is(200);
    assert_eq!(s3.get("done", &[], &[]).await.body, b"x");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_vaults_never_share_a_folder() {
    let (root, _vault, _s3) = fresh().await;
    let second = serve(options(root.path()), |_| (), std::future::ready(())).await;
    assert!(matches!(second, Err(VaultError::InUse(_))), "{second:?}");
}
