//! What a valid configuration may still make somebody regret.

use super::{Config, LogLevel, StoreKind};
use crate::types::{Class, ReceiptLevel};

impl Config {
    /// Sentences for `config check` and the log at start; an empty list is the normal case.
    pub fn warnings(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut warn = |wrong: bool, sentence: &str| {
            if wrong {
                words.push(sentence.to_owned());
            }
        };
        warn(self.bays.is_empty(), "bays: there is none, so no camera will ever be read");
        warn(
            self.seal.recipients.len() == 1,
            "seal.recipients: there is only one; if its private key is lost, all footage is lost",
        );
        warn(
            self.journal.keep_days < 365,
            "journal.keep_days: custody records kept for less than a year fall short of what audits \
             commonly demand (365)",
        );
        warn(
            self.spool.bytes_max < 8 << 30,
            "spool.bytes_max: a segment larger than this can never be copied, and cameras make \
             files of 4 GiB and more (write at least 8589934592)",
        );
        warn(
            !self.release.enabled,
            "release.enabled: no camera is ever emptied; cameras will run full",
        );
        warn(
            self.release.enabled && self.release.receipt_level_min == ReceiptLevel::Md5PerPart,
            "release.receipt_level_min: MD5 finds accidents, but not somebody who wants to deceive",
        );
        warn(
            self.release.age_hours_min > 31 * 24,
            "release.age_hours_min: cameras keep their footage for more than a month",
        );
        warn(
            self.transfer.objects_in_flight > self.transfer.parts_in_flight,
            "transfer.objects_in_flight: more objects than parts at once only makes each slower",
        );
        warn(
            self.transfer.windows.iter().any(|w| w.classes.contains(&Class::Evidential)),
            "transfer.windows: evidential footage waits for its window and is not safe until then",
        );
        let folder = self.store.kind == StoreKind::Directory;
        warn(
            folder && self.release.receipt_level_min == ReceiptLevel::Sha256PerPart,
            "release.receipt_level_min: a directory proves read_back at most, so nothing will ever \
             be released",
        );
        warn(
            folder && self.retention.lock,
            "retention.lock: a directory locks nothing; retention and legal holds are only written \
             beside each object",
        );
        warn(
            self.metrics.listen.is_some_and(|listen| !listen.ip().is_loopback()),
            "metrics.listen: whoever reaches this address reads which cameras are docked; keep it \
             in a network of its own, or let a proxy ask who is there",
        );
        warn(
            self.log.level >= LogLevel::Debug,
            "log.level: so many lines wear out a dock's storage; go back to info afterwards",
        );
        words
    }
}
