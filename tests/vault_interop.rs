//! The embedded store used by tools that were not written for it: aws and rclone.
//!
//! A tool that is not installed is skipped in words, unless `BWVDOCK_TESTS=all` demands it.

#![cfg(feature = "vault")]

use bwvdock::{
    types::Sha256Digest,
    vault::{VaultOptions, serve},
};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

const KEY: &str = "AKTEST";
const SECRET: &str = "a-secret-of-the-tests";

/// Whether a tool runs here; missing ones end the test.
fn found(tool: &str) -> bool {
    let runs = Command::new(tool).arg("--version").output().is_ok_and(|out| out.status.success());
    if !runs {
        let all = std::env::var("BWVDOCK_TESTS").is_ok_and(|tier| tier == "all");
        assert!(!all, "{tool} is not installed, and BWVDOCK_TESTS=all asks for it");
        println!("skipped: {tool} is not installed");
    }
    runs
}

/// A vault on a thread of its own, for as long as the process lives.
fn vault(root: &Path) -> SocketAddr {
    let options = VaultOptions {
        root: root.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        access_key: KEY.into(),
        secret_key: SECRET.into(),
        buckets: vec!["evidence".into()],
        tls: None,
        region: "us-east-1".into(),
        access_log: None,
    };
    let (ready, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let ready = move |address| ready.send(address).unwrap();
        runtime.block_on(serve(options, ready, std::future::pending())).unwrap();
    });
    address.recv().unwrap()
}

struct Place {
    root: TempDir,
    address: SocketAddr,
    small: Vec<u8>,
    big: Vec<u8>,
}

impl Place {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        let address = vault(&root.path().join("store"));
        let noise = |length: usize| (0..length).map(|at| (at * 31 + at / 251) as u8).collect();
        let place = Self { address, small: noise(100_000), big: noise(20 << 20), root };
        fs::write(place.path("small.age"), &place.small).unwrap();
        fs::write(place.path("big.age"), &place.big).unwrap();
        place
    }

    fn path(&self, name: &str) -> String {
        self.root.path().join(name).to_str().unwrap().to_owned()
    }

    fn stored(&self, key: &str) -> Sha256Digest {
        let file = self.root.path().join("store/evidence/objects").join(key);
        Sha256Digest::of(&fs::read(file).unwrap())
    }

    fn aws(&self, args: &[&str]) -> Output {
        let out = Command::new("aws")
            .args(["--endpoint-url", &format!("http://{}", self.address)])
            .args(args)
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_CONFIG_FILE", self.path("aws-config"))
            .output()
            .unwrap();
        println!("aws {args:?}: {}", text(&out));
        out
    }

    fn rclone(&self, args: &[&str]) -> Output {
        let remote = format!(
            ":s3,provider=Other,access_key_id={KEY},secret_access_key={SECRET},\
             region=us-east-1,endpoint='http://{}':evidence",
            self.address
        );
        let args: Vec<String> = args.iter().map(|arg| arg.replace("REMOTE", &remote)).collect();
        let out = Command::new("rclone")
            .args(["--retries=1", "--low-level-retries=1", "--s3-upload-cutoff=5Mi"])
            .args(["--s3-chunk-size=5Mi", "--config=/dev/null"])
            .args(&args)
            .output()
            .unwrap();
        println!("rclone {args:?}: {}", text(&out));
        out
    }
}

fn text(out: &Output) -> String {
    let all = [&out.stdout[..], &out.stderr[..]].concat();
    String::from_utf8_lossy(&all).into_owned()
}

#[track_caller]
fn good(out: Output) -> String {
    assert!(out.status.success(), "{}", text(&out));
    text(&out)
}

#[test]
fn aws_writes_lists_and_reads_but_never_deletes() {
    if !found("aws") {
        return;
    }
    let place = Place::new();
    for (name, bytes) in [("small.age", &place.small), ("big.age", &place.big)] {
        let (here, there) = (place.path(name), format!("s3://evidence/aws/{name}"));
        good(place.aws(&["s3", "cp", "--no-progress", &here, &there]));
        assert_eq!(place.stored(&format!("aws/{name}")), Sha256Digest::of(bytes));
        let back = place.path("back");
        good(place.aws(&["s3", "cp", "--no-progress", &there, &back]));
        assert!(fs::read(&back).unwrap() == *bytes, "{name}");
        let refused = place.aws(&["s3", "rm", &there]);
        assert!(!refused.status.success() && text(&refused).contains("AccessDenied"));
        assert!(!place.aws(&["s3", "mv", &there, &place.path("moved")]).status.success());
    }
    assert!(good(place.aws(&["s3", "ls"])).contains("evidence"));
    assert!(good(place.aws(&["s3", "ls", "s3://evidence/"])).contains("PRE aws/"));
    let listed = good(place.aws(&["s3", "ls", "--recursive", "s3://evidence/"]));
    assert!(listed.contains("20971520 aws/big.age") && listed.contains("100000 aws/small.age"));
    // Another body under the same key.
    let other = place.aws(&[
        "s3",
        "cp",
        "--no-progress",
        &place.path("big.age"),
        "s3://evidence/aws/small.age",
    ]);
    assert!(!other.status.success());
    assert_eq!(place.stored("aws/small.age"), Sha256Digest::of(&place.small));
}

#[test]
fn aws_checksums_of_every_algorithm_are_checked_and_given_back() {
    if !found("aws") {
        return;
    }
    let place = Place::new();
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] {
        let key = format!("sum/{algorithm}");
        let put = place.aws(&[
            "s3api",
            "put-object",
            "--bucket",
            "evidence",
            "--key",
            &key,
            "--body",
            &place.path("small.age"),
            "--checksum-algorithm",
            algorithm,
        ]);
        // Some need a library the tool may have been installed without.
        if !put.status.success() && text(&put).contains("botocore[crt]") {
            println!("skipped: this aws cannot make {algorithm}");
            continue;
        }
        good(put);
        let head = good(place.aws(&[
            "s3api",
            "head-object",
            "--bucket",
            "evidence",
            "--key",
            &key,
            "--checksum-mode",
            "ENABLED",
        ]));
        assert!(head.contains(&format!("\"Checksum{algorithm}\"")), "{head}");
        if !algorithm.starts_with("CRC64") {
            let there = format!("s3://evidence/multi/{algorithm}");
            let here = place.path("big.age");
            good(place.aws(&[
                "s3",
                "cp",
                "--no-progress",
                "--checksum-algorithm",
                algorithm,
                &here,
                &there,
            ]));
            assert_eq!(place.stored(&format!("multi/{algorithm}")), Sha256Digest::of(&place.big));
        }
    }
}

#[test]
fn rclone_writes_lists_and_reads_but_never_deletes() {
    if !found("rclone") {
        return;
    }
    let place = Place::new();
    for (name, bytes) in [("small.age", &place.small), ("big.age", &place.big)] {
        let (here, there) = (place.path(name), format!("REMOTE/rc/{name}"));
        good(place.rclone(&["copyto", &here, &there]));
        assert_eq!(place.stored(&format!("rc/{name}")), Sha256Digest::of(bytes));
        let back = place.path("back");
        good(place.rclone(&["copyto", &there, &back]));
        assert!(fs::read(&back).unwrap() == *bytes, "{name}");
    }
    let listed = good(place.rclone(&["lsl", "REMOTE"]));
    assert!(listed.contains("rc/big.age") && listed.contains("rc/small.age"), "{listed}");
    assert!(good(place.rclone(&["lsf", "REMOTE"])).contains("rc/"));
    assert!(!place.rclone(&["deletefile", "REMOTE/rc/small.age"]).status.success());
    assert!(!place.rclone(&["purge", "REMOTE/rc"]).status.success());
    assert_eq!(place.stored("rc/small.age"), Sha256Digest::of(&place.small));
}
