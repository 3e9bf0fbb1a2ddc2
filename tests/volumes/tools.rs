//! The tools of Debian that know file systems and their tables: dosfstools, mtools, exfatprogs, fdisk.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

/// Whether the tools are there; without them, tests that need them say so, and fail when
/// BWVDOCK_TESTS=all.
pub fn are_there() -> bool {
    let missing: Vec<&str> = ["fsck.vfat", "fsck.exfat", "mcopy", "sfdisk"]
        .into_iter()
        .filter(|tool| Command::new(tool).arg("--help").output().is_err())
        .collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("BWVDOCK_TESTS").is_none(), "these tools are missing: {missing:?}");
    eprintln!("skipped: {missing:?} are not installed");
    false
}

fn run(tool: &str, arguments: &[&str], image: &Path) -> (Output, String) {
    let mut command = Command::new(tool);
    command.env("MTOOLS_SKIP_CHECK", "1").env("LC_ALL", "C.UTF-8");
    let output = command.args(arguments).arg(image).output().unwrap();
    let words =
        String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    (output, words)
}

/// What fsck says of an image, and whether it found nothing wrong.
pub fn fsck(image: &[u8], exfat: bool) -> (bool, String) {
    let place = TempDir::new().unwrap();
    let file = place.path().join("image");
    fs::write(&file, image).unwrap();
    let tool = if exfat { "fsck.exfat" } else { "fsck.vfat" };
    let (output, words) = run(tool, &["-n"], &file);
    (output.status.success(), words)
}

/// An empty card with the table that sfdisk makes of a script.
pub fn sfdisk(script: &str, bytes: u64) -> Vec<u8> {
    let place = TempDir::new().unwrap();
    let (image, input) = (place.path().join("image"), place.path().join("script"));
    fs::File::create(&image).unwrap().set_len(bytes).unwrap();
    fs::write(&input, script).unwrap();
    let input = fs::File::open(&input).unwrap();
    let mut command = Command::new("sfdisk");
    let output =
        command.args(["--quiet", "--no-reread"]).arg(&image).stdin(input).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(&image).unwrap()
}

/// A file of a FAT image as mtools reads it.
pub fn mtools_reads(image: &[u8], name: &str) -> Vec<u8> {
    let place = TempDir::new().unwrap();
    let file = place.path().join("image");
    fs::write(&file, image).unwrap();
    let mut command = Command::new("mtype");
    command.env("MTOOLS_SKIP_CHECK", "1").env("LC_ALL", "C.UTF-8");
    let output = command.arg("-i").arg(&file).arg(format!("::{name}")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
