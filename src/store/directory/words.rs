//! What an error of the file system means, in words.

use crate::store::{Fault, StoreError};
use rustix::io::Errno;

/// What went wrong, and what the transfer rules need to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub fault: Fault,
    pub words: String,
}

impl Trouble {
    pub fn new(fault: Fault, words: impl Into<String>) -> Self {
        Self { fault, words: words.into() }
    }

    pub fn into_error(self, call: &'static str) -> StoreError {
        let words = self.words.chars().take(240).collect();
        StoreError { call, fault: self.fault, words }
    }
}

/// Says what was being done.
pub(super) fn while_<'a>(doing: &'a str, path: &'a str) -> impl Fn(Errno) -> Trouble + 'a {
    move |errno| trouble(doing, path, errno)
}

/// As [`while_`], for errors of the standard library.
pub(super) fn io<'a>(doing: &'a str, path: &'a str) -> impl Fn(std::io::Error) -> Trouble + 'a {
    move |error| match error.raw_os_error() {
        Some(errno) => trouble(doing, path, Errno::from_raw_os_error(errno)),
        None => Trouble::new(Fault::Server, format!("{doing} {path}: {error}")),
    }
}

fn trouble(doing: &str, path: &str, errno: Errno) -> Trouble {
    let (fault, meaning) = match errno {
        Errno::NOSPC => (Fault::Full, "no space is left there (ENOSPC)"),
        Errno::DQUOT => (Fault::Full, "the quota is used up (EDQUOT)"),
        Errno::ROFS => (
            Fault::Unwritable,
            "it is read-only (EROFS): mounted so, or the kernel made it so after an error; look at \
             `dmesg`, and mount it to be written",
        ),
        Errno::IO => (
            Fault::Unwritable,
            "the disk or the NAS failed (EIO): look at `dmesg`, and at the disk's health",
        ),
        Errno::STALE => (
            Fault::Network,
            "the mount is stale (ESTALE): the NAS was started anew; unmount it and mount it again",
        ),
        Errno::ACCESS | Errno::PERM => (
            Fault::Unwritable,
            "the daemon's user may not do that there (EACCES): give it the right to write",
        ),
        Errno::NOENT => (Fault::Missing, "it is not there"),
        Errno::EXIST => (Fault::Exists, "it is there already"),
        Errno::NOTCONN | Errno::HOSTDOWN | Errno::HOSTUNREACH | Errno::TIMEDOUT => {
            (Fault::Network, "the NAS does not answer")
        }
        _ => return Trouble::new(Fault::Server, format!("{doing} {path}: {errno}")),
    };
    Trouble::new(fault, format!("{doing} {path}: {meaning}"))
}

pub(super) fn no_marker(folder: &str) -> Trouble {
    Trouble::new(
        Fault::Network,
        format!(
            "{folder} has no .bwvdock-store: it is not mounted, or no store yet; nothing is \
             written there. Mount it; if it is new, `bwvdock store setup`"
        ),
    )
}

pub(super) fn replaces(path: &str) -> Trouble {
    Trouble::new(
        Fault::Refused,
        format!("this file system let {path} be replaced: evidence cannot be kept on it"),
    )
}
