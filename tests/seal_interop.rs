//! What the dock seals is opened by a program that shares no code with it: Debian's `age`.
//!
//! Skipped, in words, where `age` is not installed; `BWVDOCK_TESTS=all` makes that a failure.

use bwvdock::seal::{CHUNK, Identity, Recipients, Sealer};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

fn age_is_there() -> bool {
    let found = Command::new("age")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        let all = std::env::var_os("BWVDOCK_TESTS").is_some_and(|tier| tier == "all");
        assert!(!all, "the full tier needs `age`: apt-get install age");
        eprintln!("skipped: `age` is not installed");
    }
    found
}

fn footage(size: usize) -> Vec<u8> {
    (0..size as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn write_identity(folder: &Path, name: &str, identity: &Identity) -> std::path::PathBuf {
    let path = folder.join(name);
    let created = "2026-01-02T03:04:05Z".parse().unwrap();
    fs::write(&path, identity.file_text(created).as_bytes()).unwrap();
    path
}

/// Runs `age -d` and gives what it wrote, or nothing if it refused.
fn age_d(identity: &Path, sealed: &Path) -> Option<Vec<u8>> {
    let output = Command::new("age").arg("-d").arg("-i").args([identity, sealed]).output().unwrap();
    output.status.success().then_some(output.stdout)
}

#[test]
fn debian_age_opens_every_size_with_either_key() {
    if !age_is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (force, escrow) = (Identity::generate(), Identity::generate());
    let recipients =
        Recipients::parse(&[force.public().to_owned(), escrow.public().to_owned()]).unwrap();
    let keys = [
        write_identity(folder.path(), "force", &force),
        write_identity(folder.path(), "escrow", &escrow),
    ];
    let sealed_path = folder.path().join("segment.age");
    let c = CHUNK;
    for size in [0, 1, c - 1, c, c + 1, 2 * c, 2 * c + 1, 20_000_007] {
        let (plain, mut sealed) = (footage(size), Vec::new());
        let mut sealer = Sealer::start(&recipients, 5 << 20).unwrap();
        for piece in plain.chunks(100_003) {
            sealer.push(piece, &mut sealed).unwrap();
        }
        sealer.finish(&mut sealed);
        fs::write(&sealed_path, &sealed).unwrap();
        for key in &keys {
            let opened = age_d(key, &sealed_path).expect("age opens what the dock sealed");
            assert!(opened == plain, "{size}");
        }
    }
}

#[test]
fn debian_age_refuses_what_was_cut_or_altered_or_is_for_others() {
    if !age_is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (force, stranger) = (Identity::generate(), Identity::generate());
    let recipients = Recipients::parse(&[force.public().to_owned()]).unwrap();
    let key = write_identity(folder.path(), "force", &force);
    let wrong_key = write_identity(folder.path(), "stranger", &stranger);
    let (sealed, _) = bwvdock::seal::seal_small(&recipients, &footage(3 * CHUNK), 5 << 20).unwrap();
    let path = folder.path().join("segment.age");
    let opens = |bytes: &[u8], key: &Path| {
        fs::write(&path, bytes).unwrap();
        age_d(key, &path).is_some()
    };
    assert!(opens(&sealed, &key));
    assert!(!opens(&sealed, &wrong_key));
    let chunk_gone = sealed.len() - CHUNK - 16;
    assert!(!opens(&sealed[..chunk_gone], &key), "a missing last chunk is noticed");
    let mut altered = sealed.clone();
    altered[sealed.len() / 2] ^= 1;
    assert!(!opens(&altered, &key));
}
