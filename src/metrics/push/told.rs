//! What is told of pushing: to `health`, to `doctor`, and in the figures themselves.

use crate::metrics::{
    sheet::Sheet,
    text::{maybe, one, total, unix},
};
use jiff::Timestamp;
use prometheus_client::registry::Unit;
use serde::{Deserialize, Serialize};

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub since: Timestamp,
    /// Requests that failed since then.
    pub times: u64,
    /// Of the last of them.
    pub words: String,
    pub next: String,
}

/// How pushing goes, since the daemon started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushVitals {
    /// Host and port.
    pub to: String,
    pub buffered_samples: u64,
    pub buffered_bytes: u64,
    pub sent_samples: u64,
    /// Dropped because the receiver would never take them.
    pub refused_samples: u64,
    /// Dropped because they were too old or too many.
    pub overflowed_samples: u64,
    /// Requests that did not get through.
    pub failures: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// Since the last success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

impl PushVitals {
    /// A request was taken; what stood in the way before.
    pub(super) fn taken(&mut self, samples: u64, now: Timestamp) -> Option<Trouble> {
        self.sent_samples += samples;
        self.last_success = Some(now);
        self.trouble.take()
    }

    /// A request was not taken; whether that is news.
    pub(super) fn failed(&mut self, words: &str, next: &str, now: Timestamp) -> bool {
        self.failures += 1;
        let before = self.trouble.take();
        let news = before.as_ref().is_none_or(|trouble| trouble.words != words);
        self.trouble = Some(Trouble {
            since: before.as_ref().map_or(now, |trouble| trouble.since),
            times: before.map_or(0, |trouble| trouble.times) + 1,
            words: words.to_owned(),
            next: next.to_owned(),
        });
        news
    }

    /// In the figures themselves.
    pub(in crate::metrics) fn tell(&self, sheet: &mut Sheet) {
        let words = "Samples that wait to be pushed";
        sheet.gauge("push_buffered_samples", words, None, one(self.buffered_samples as f64));
        let words = "Memory of the samples that wait to be pushed";
        sheet.gauge("push_buffered", words, Some(Unit::Bytes), one(self.buffered_bytes as f64));
        let words = "Samples the receiver took, since the daemon started";
        sheet.counter("push_sent_samples", words, None, total(self.sent_samples));
        let words = "Samples that were dropped, since the daemon started";
        let reasons = [("refused", self.refused_samples), ("buffer_full", self.overflowed_samples)];
        let rows = reasons.map(|(reason, n)| (vec![("reason", reason.to_owned())], n));
        sheet.counter("push_dropped_samples", words, None, rows);
        let words = "Requests that did not get through, since the daemon started";
        sheet.counter("push_failures", words, None, total(self.failures));
        let words = "When the receiver took samples last";
        let rows = maybe(self.last_success.map(unix));
        sheet.gauge("push_last_success_timestamp", words, Some(Unit::Seconds), rows);
    }
}
