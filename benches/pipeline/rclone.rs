//! rclone, with its defaults, through its crypt remote.

use crate::{
    Ground,
    machine::{self, Usage},
    weed::{ACCESS_KEY, BUCKET, SECRET_KEY, Weed},
};
use std::process::{Command, Stdio};

fn rclone(ground: &Ground, weed: &Weed) -> Command {
    let mut command = Command::new(ground.tools.join("rclone"));
    command
        .args(["--config", "/dev/null", "--ca-cert"])
        .arg(ground.path("ca.pem"))
        .env("RCLONE_CONFIG_STORE_TYPE", "s3")
        .env("RCLONE_CONFIG_STORE_PROVIDER", "SeaweedFS")
        .env("RCLONE_CONFIG_STORE_ACCESS_KEY_ID", ACCESS_KEY)
        .env("RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("RCLONE_CONFIG_STORE_ENDPOINT", &weed.endpoint)
        .env("RCLONE_CONFIG_SEALED_TYPE", "crypt")
        .env("RCLONE_CONFIG_SEALED_REMOTE", format!("store:{BUCKET}/sealed"))
        .stdin(Stdio::null());
    command
}

pub fn make_bucket(ground: &Ground, weed: &Weed) {
    let status = rclone(ground, weed).args(["mkdir", &format!("store:{BUCKET}")]).status();
    assert!(status.expect("rclone is installed").success(), "no bucket could be made");
}

pub fn run(ground: &Ground, weed: &Weed) -> Usage {
    let obscured = rclone(ground, weed).args(["obscure", "a password of the bench"]).output();
    let obscured = obscured.expect("rclone is installed").stdout;
    let child = rclone(ground, weed)
        .env("RCLONE_CONFIG_SEALED_PASSWORD", String::from_utf8_lossy(&obscured).trim())
        .arg("copy")
        .arg(ground.path("cameras"))
        .arg("sealed:")
        .spawn();
    let (fine, usage) = machine::wait(child.expect("rclone is installed"));
    assert!(fine, "rclone failed");
    usage
}
