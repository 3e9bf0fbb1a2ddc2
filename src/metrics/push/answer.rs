//! What the receiver's answer means for the batch that was sent. Pure.
//!
//! Remote-Write 1.0, "Retries & Backoff": 5xx must be sent again, 429 may be, any other 4xx must
//! not.

use crate::transfer::{Distrust, Fault};
use std::time::Duration;

/// What becomes of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Taken,
    /// It would be refused again: dropped, in words.
    Refused {
        words: String,
        next: &'static str,
    },
    /// To be sent again after a wait.
    Later {
        fault: Fault,
        words: String,
        next: &'static str,
    },
}

const RUNS: &str = "see whether the receiver runs and can be reached from here; what waits is kept \
                    as long as [push] says";

/// Status, `Retry-After` as it stands, and the first words of the body.
pub fn judge(status: u16, retry_after: Option<&str>, said: &str) -> Verdict {
    let words = match said.is_empty() {
        true => format!("it answers {status}"),
        false => format!("it answers {status}: {said}"),
    };
    let refused = |next| Verdict::Refused { words: words.clone(), next };
    let later = |fault| Verdict::Later { fault, words: words.clone(), next: RUNS };
    match status {
        200..=299 => Verdict::Taken,
        429 | 503 => {
            // Seconds only; a date would need the receiver's clock.
            let seconds = retry_after.and_then(|text| text.trim().parse().ok());
            later(Fault::Busy { retry_after: seconds.map(Duration::from_secs) })
        }
        401 | 403 => refused("check username and secret_file under [push], and restart"),
        404 | 405 => refused(
            "check the path of `url` under [push]; Prometheus wants /api/v1/write and \
             --web.enable-remote-write-receiver",
        ),
        400 => refused(
            "if samples are too old or out of order: give the receiver an \
             `out_of_order_time_window` as long as `buffer_minutes_max`, and let this dock's clock \
             be synchronised",
        ),
        402..=499 => refused("ask who runs the receiver; the dock sends what it is made to send"),
        500..=599 => later(Fault::Server),
        // A redirect, or no HTTP at all: something else on the way.
        _ => Verdict::Later {
            fault: Fault::NotTheStore,
            words,
            next: "something else than the receiver answers: check `url` under [push]",
        },
    }
}

/// What to do about a request that got no answer.
pub fn unanswered(fault: Fault) -> &'static str {
    match fault {
        Fault::Untrusted { why: Distrust::UnknownIssuer } => {
            "name the authority that issued the receiver's certificate as `ca_file` under [push]"
        }
        Fault::Untrusted { why: Distrust::Expired | Distrust::NotYetValid } => {
            "check this dock's clock; if it is right, the receiver's certificate must be renewed"
        }
        Fault::Untrusted { why: Distrust::WrongName } => {
            "the certificate names another host: correct `url` under [push]"
        }
        Fault::Untrusted { why: Distrust::WrongKey | Distrust::Unusable } => {
            "whoever runs the receiver must look at its certificate"
        }
        Fault::Denied => "the receiver refuses the dock's certificate: check client_cert_file",
        Fault::Network
        | Fault::Server
        | Fault::Busy { .. }
        | Fault::Full
        | Fault::Skewed
        | Fault::Missing
        | Fault::Conflict
        | Fault::Exists
        | Fault::BadDigest
        | Fault::NotTheStore
        | Fault::Refused
        | Fault::Spool => RUNS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_help_is_sent_again() {
        let busy =
            |seconds: Option<u64>| Fault::Busy { retry_after: seconds.map(Duration::from_secs) };
        for (status, after, expected) in [
            (500, None, Fault::Server),
            (502, Some("9"), Fault::Server),
            (503, Some("9"), busy(Some(9))),
            (429, Some(" 120 "), busy(Some(120))),
            (429, Some("Fri, 31 Dec 1999 23:59:59 GMT"), busy(None)),
            (302, None, Fault::NotTheStore),
        ] {
            let verdict = judge(status, after, "words");
            assert!(
                matches!(&verdict, Verdict::Later { fault, words, .. }
                    if *fault == expected && words.contains("words")),
                "{status}: {verdict:?}"
            );
        }
        for status in [400, 401, 403, 404, 405, 408, 409, 413, 422] {
            let verdict = judge(status, Some("9"), "");
            assert!(
                matches!(&verdict, Verdict::Refused { words, next }
                if words.ends_with(&status.to_string()) && !next.is_empty()),
                "{verdict:?}"
            );
        }
        for status in [200, 204] {
            assert_eq!(judge(status, None, ""), Verdict::Taken);
        }
    }
}
