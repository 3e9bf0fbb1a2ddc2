//! The machine around the dock: disk, keys, time zones, sealed objects that nobody knows.

use super::Finding;
use crate::config::{Config, SecretFile};
use jiff::tz::TimeZone;
use rustix::fs::statvfs;
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

/// Below this the custody log itself may not be written soon.
const FULL_BYTES: u64 = 64 << 20;

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let state = &config.dock.state_dir;
    let mut found = vec![disk(state, config.spool.reserve_bytes)];
    found.extend(unclaimed(&state.join("unclaimed")));
    found.extend(keys(config));
    let zones = config.transfer.windows.iter().map(|window| window.time_zone.as_str());
    found.extend(unknown_zones(zones).map(|zone| {
        Finding::bad(
            "time zone",
            format!("there is no time zone {zone}"),
            "correct `time_zone` under [[transfer.windows]]",
        )
    }));
    found
}

/// Zones that neither the system nor this program knows.
fn unknown_zones<'a>(zones: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    zones.filter(|zone| TimeZone::get(zone).is_err())
}

fn disk(state: &Path, reserve: u64) -> Finding {
    let stat = match statvfs(state) {
        Ok(stat) => stat,
        Err(error) => {
            let words = format!("{} cannot be looked at: {error}", state.display());
            return Finding::bad("disk", words, "check the disk and the rights of state_dir");
        }
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let mib = free >> 20;
    if free < FULL_BYTES {
        let words = format!("full: {mib} MiB free; the custody log may stop the daemon");
        return Finding::bad("disk", words, "clear what is not the dock's, or use a larger disk");
    }
    if free < reserve {
        let words = format!("nearly full: {mib} MiB free, less than `reserve_bytes`");
        let next = "copying waits for uploads; clear what is not the dock's";
        return Finding::bad("disk", words, next);
    }
    Finding::fine("disk", format!("{mib} MiB free"))
}

/// Sealed objects whose lines in the custody log are missing.
fn unclaimed(folder: &Path) -> Option<Finding> {
    let objects = fs::read_dir(folder).ok()?.count();
    (objects > 0).then(|| {
        Finding::bad(
            "spool",
            format!("{objects} sealed objects of which the custody log has no line"),
            format!(
                "hand {} to the evidence unit, whose identity opens them; then remove it",
                folder.display()
            ),
        )
    })
}

/// Key files that others than their owner may read.
fn keys(config: &Config) -> Vec<Finding> {
    let store = &config.store;
    let named = [
        ("the dock's key", Some(&config.dock.key_file)),
        ("the access key", Some(&store.access_key_file)),
        ("the secret key", Some(&store.secret_key_file)),
        ("the TLS client key", store.client_key_file.as_ref()),
    ];
    let open = named.into_iter().filter_map(|(what, file)| {
        let SecretFile::Path(path) = file? else { return None };
        let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then(|| {
            Finding::bad(
                "key file",
                format!("{what} may be read by others: {} has mode {mode:03o}", path.display()),
                format!(
                    "`chmod 600 {}`; if others use this machine, make new keys",
                    path.display()
                ),
            )
        })
    });
    open.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_unclaimed_objects_and_zones() {
        let home = tempfile::tempdir().unwrap();
        assert!(disk(home.path(), 0).fine || disk(home.path(), 0).words.starts_with("full"));
        assert!(!disk(home.path(), u64::MAX).fine);
        assert!(!disk(&home.path().join("no such folder"), 0).fine);
        assert_eq!(unclaimed(&home.path().join("unclaimed")), None);
        fs::write(home.path().join("x.age"), b"").unwrap();
        assert!(unclaimed(home.path()).unwrap().words.starts_with("1 sealed"));
        let zones = ["UTC", "Europe/London", "Europe/Londinium"];
        assert_eq!(unknown_zones(zones.into_iter()).collect::<Vec<_>>(), ["Europe/Londinium"]);
    }
}
