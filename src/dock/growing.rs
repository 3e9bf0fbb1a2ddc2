//! Files that somebody still writes to: they are not copied again before they hold still.
//!
//! Every copy of a growing file is a whole one. So a file that changed since the last listing of
//! the same docking waits until two listings agree on it, some time apart, and versions of one file
//! come ever more rarely. But not for ever: evidence counts more than room.

use super::elapsed::is_due;
use crate::types::{SegmentId, SourcePath, fact::Source};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashSet};

/// Two listings this far apart must agree on a file.
const STEADY_FOR: SignedDuration = SignedDuration::from_secs(10);
/// A file that never holds still is copied as it is after this time; twice as long for each
/// version copied since the docking, up to the longest.
const WAIT_FIRST: SignedDuration = SignedDuration::from_mins(5);
const WAIT_LONGEST: SignedDuration = SignedDuration::from_hours(1);
/// At least this long between two versions, however still it holds; doubled and bounded alike.
const REST_FIRST: SignedDuration = SignedDuration::from_secs(20);
/// Changed files that are followed in one docking; beyond it they are copied at once.
const FOLLOWED_MAX: usize = 1000;

/// The changing files of one docked camera.
#[derive(Debug, Default)]
pub(super) struct Growing(BTreeMap<SourcePath, Followed>);

#[derive(Debug)]
struct Followed {
    /// As what it is known until it is taken anew.
    segment: SegmentId,
    /// Size and time when it was listed last.
    listed: (u64, Option<i64>),
    /// Listed so since then.
    steady_since: Timestamp,
    /// Waits since then; none when it is known as it is.
    waits_since: Option<Timestamp>,
    /// Versions taken because it had changed, in this docking.
    versions: u32,
    not_before: Timestamp,
}

fn doubled(first: SignedDuration, times: u32) -> SignedDuration {
    first.saturating_mul(1 << times.min(16)).min(WAIT_LONGEST)
}

impl Followed {
    fn at_the_latest(&self) -> Option<Timestamp> {
        self.waits_since?.checked_add(doubled(WAIT_FIRST, self.versions)).ok()
    }
}

impl Growing {
    /// Whether a file that is listed otherwise than it is known still has to wait.
    pub fn must_wait(&mut self, now: Timestamp, segment: SegmentId, listed: &Source) -> bool {
        if self.0.len() >= FOLLOWED_MAX && !self.0.contains_key(&listed.path) {
            return false;
        }
        let looks = (listed.size, listed.modified_ms);
        let file = self.0.entry(listed.path.clone()).or_insert_with(|| Followed {
            segment,
            listed: looks,
            steady_since: now,
            waits_since: None,
            versions: 0,
            not_before: now,
        });
        file.segment = segment;
        let since = *file.waits_since.get_or_insert(now);
        if file.listed != looks {
            file.listed = looks;
            file.steady_since = now;
        }
        let for_long = |from: Timestamp, long| now.duration_since(from).abs() >= long;
        let steady = for_long(file.steady_since, STEADY_FOR) && is_due(file.not_before, now);
        if !steady && !for_long(since, doubled(WAIT_FIRST, file.versions)) {
            return true;
        }
        file.versions += 1;
        file.waits_since = None;
        file.not_before = now.saturating_add(doubled(REST_FIRST, file.versions)).unwrap_or(now);
        false
    }

    /// It is listed as it is known.
    pub fn is_known(&mut self, path: &SourcePath) {
        if let Some(file) = self.0.get_mut(path) {
            file.waits_since = None;
        }
    }

    /// What is not on the camera any more is not followed.
    pub fn keep(&mut self, listed: &HashSet<SourcePath>) {
        self.0.retain(|path, _| listed.contains(path));
    }

    fn waiting(&self) -> impl Iterator<Item = &Followed> {
        self.0.values().filter(|file| file.waits_since.is_some())
    }

    /// Files that wait.
    pub fn count(&self) -> u64 {
        self.waiting().count() as u64
    }

    /// Whether this is what a waiting file is known as.
    pub fn waits(&self, segment: SegmentId) -> bool {
        self.waiting().any(|file| file.segment == segment)
    }

    /// When a waiting file is copied at the latest.
    pub fn latest(&self, segment: SegmentId) -> Option<Timestamp> {
        self.waiting().find(|file| file.segment == segment)?.at_the_latest()
    }
}
