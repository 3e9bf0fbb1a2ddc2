//! What is told of pushing: to `health`, to `doctor`, and in the figures themselves.

use jiff::Timestamp;
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
}
