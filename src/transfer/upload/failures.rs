//! What a failed call means, and whether to wait, look, send again, start again or give up.

use super::{Doubt, Pause, Phase, Upload, Why};
use crate::{
    transfer::{Fault, StoreError, parts::Parts},
    types::fact::Fact,
};
use jiff::Timestamp;

impl Upload {
    pub(super) fn handle_part_failure(&mut self, now: Timestamp, number: u32, error: &StoreError) {
        if !self.parts.home(number, None) {
            return;
        }
        self.resent += self.object.table.part_len(number, self.object.sealed.size);
        if self.phase != Phase::Send {
            return;
        }
        match error.fault {
            Fault::Missing => {
                self.phase = Phase::Look { gone: true };
                self.fail_softly(now, error);
            }
            // At once, before any wait: a wait may outlive this machine.
            Fault::BadDigest | Fault::Spool => {
                self.phase = Phase::CheckSpool { doubt: Doubt::Part(error.clone()) };
            }
            Fault::Refused | Fault::Exists => self.handle_refusal(now, error),
            Fault::Skewed => self.fail_softly(now, error),
            Fault::Network
            | Fault::Server
            | Fault::Busy { .. }
            | Fault::Full
            | Fault::Denied
            | Fault::Unwritable
            | Fault::Conflict
            | Fault::NotTheStore
            | Fault::Untrusted { .. } => drop(self.fail(now, error)),
        }
    }

    /// A call that is no part failed.
    pub(super) fn handle_failure(&mut self, now: Timestamp, error: &StoreError) {
        match (&mut self.phase, error.fault) {
            // Tidying up is worth one try; the bucket's lifecycle rule does the rest.
            (Phase::Prune { others }, _) => {
                others.pop();
                let others = std::mem::take(others);
                self.prune(others);
            }
            (Phase::AbortOwn { .. }, _) => {
                self.upload = None;
                self.phase = Phase::Prove;
            }
            (_, Fault::Skewed) => self.fail_softly(now, error),
            (Phase::Complete, fault) => self.handle_complete_failure(now, fault, error),
            // Some stores cannot list uploads or parts. Then nothing is known, and all is sent.
            (Phase::Find, Fault::Refused | Fault::Missing) => self.phase = Phase::Create,
            (Phase::List, Fault::Refused) => self.merge(&[]),
            (Phase::List, Fault::Missing) => {
                self.phase = Phase::Look { gone: true };
                self.fail_softly(now, error);
            }
            // The upload may have been made and only the answer lost.
            (
                Phase::Create,
                Fault::Network | Fault::Server | Fault::NotTheStore | Fault::Untrusted { .. },
            ) => {
                self.phase = Phase::Find;
                self.fail(now, error);
            }
            (Phase::ReadBack { .. }, Fault::Missing) => {
                self.phase = Phase::Prove;
                self.fail(now, error);
            }
            (_, Fault::Refused) => self.handle_refusal(now, error),
            (
                _,
                Fault::Network
                | Fault::Server
                | Fault::Busy { .. }
                | Fault::Full
                | Fault::Denied
                | Fault::Unwritable
                | Fault::Missing
                | Fault::Conflict
                | Fault::Exists
                | Fault::BadDigest
                | Fault::NotTheStore
                | Fault::Untrusted { .. }
                | Fault::Spool,
            ) => drop(self.fail(now, error)),
        }
    }

    /// Complete failed, or succeeded and the answer was lost: only a look can tell.
    fn handle_complete_failure(&mut self, now: Timestamp, fault: Fault, error: &StoreError) {
        match fault {
            Fault::Missing => {
                self.phase = Phase::Look { gone: true };
                self.fail_softly(now, error);
            }
            Fault::Exists | Fault::Conflict => {
                self.said_there = true;
                self.phase = Phase::Look { gone: false };
                self.fail_softly(now, error);
            }
            Fault::BadDigest => {
                self.phase = Phase::CheckSpool { doubt: Doubt::Whole(error.clone()) };
            }
            Fault::Refused => {
                if self.attempts >= Self::COMPLETE_ATTEMPTS_MAX {
                    self.abandon(now, error.to_string());
                } else {
                    self.phase = Phase::Look { gone: false };
                    self.fail(now, error);
                }
            }
            Fault::Network
            | Fault::Server
            | Fault::Busy { .. }
            | Fault::Full
            | Fault::Denied
            | Fault::Unwritable
            | Fault::Skewed
            | Fault::NotTheStore
            | Fault::Untrusted { .. }
            | Fault::Spool => {
                self.phase = Phase::Look { gone: false };
                self.fail(now, error);
            }
        }
    }

    /// The upload id is no longer good: all parts are sent again, from the spool, in a new one.
    pub(super) fn abandon(&mut self, now: Timestamp, words: String) {
        self.abandoned += 1;
        self.resent += self.acked_bytes();
        self.upload = None;
        self.refusals = 0;
        self.remembered.clear();
        self.parts = Parts::new(&self.object);
        self.outbox.push(Fact::UploadAbandoned { object: self.object.id, words: words.clone() });
        if self.abandoned > Self::ABANDONED_MAX {
            let words = format!("{words}, {} times now; have the store examined", self.abandoned);
            return self.give_up(Why::Refused, words);
        }
        self.phase = Phase::Create;
        if self.abandoned > 1 {
            self.fail(now, &StoreError { call: "upload", fault: Fault::Missing, words });
        }
    }

    /// The spool file is what was sealed, and yet a part of it arrived as something else.
    pub(super) fn blame_the_way(&mut self, now: Timestamp, error: &StoreError) {
        self.fail(now, error);
        self.bad_digests += 1;
        if self.bad_digests > Self::BAD_DIGESTS_MAX {
            let words = format!(
                "{error}; the spool file is intact, so something between dock and store changes \
                 the data: have the network examined"
            );
            self.give_up(Why::Refused, words);
        }
    }

    fn handle_refusal(&mut self, now: Timestamp, error: &StoreError) {
        if !self.fail(now, error) {
            return;
        }
        self.refusals += 1;
        if self.refusals >= Self::REFUSALS_MAX {
            self.give_up(Why::Refused, format!("{error}; the store refuses it whenever asked"));
        }
    }

    /// Counts a failure and begins a wait, unless one is running already: the parts of one broken
    /// connection are one failure, and the answer is then `false`.
    pub(super) fn fail(&mut self, now: Timestamp, error: &StoreError) -> bool {
        if self.pause.is_some_and(|p| p.from <= now && now < p.until) {
            return false;
        }
        self.attempts = self.attempts.saturating_add(1);
        let strikes = self.attempts.max(self.abandoned);
        let wait = self.limits.backoff.wait(error.fault, strikes, &mut self.random);
        let until = now.checked_add(wait).unwrap_or(Timestamp::MAX);
        self.pause = Some(Pause { from: now, until });
        self.outbox.push(Fact::UploadFailed {
            object: self.object.id,
            attempts: self.attempts,
            words: error.with_advice(),
            retry_at: until,
            need: error.fault.needs_a_person(),
        });
        true
    }

    /// As [`Self::fail`], but the first one since the last progress is answered without waiting.
    fn fail_softly(&mut self, now: Timestamp, error: &StoreError) {
        self.at_once += 1;
        if self.at_once > 1 {
            self.fail(now, error);
        }
    }
}
