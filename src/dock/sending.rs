//! One object on its way to the store: the upload machine, its waits, and how it ends for the dock.
//!
//! The caller performs what [`Sending::poll`] says and hands back what came of it; the daemon does
//! so with tasks and sockets, the simulation with a store in memory.

use super::event::UploadEnd;
use crate::transfer::{Answer, Call, Step, StoreError, Upload, Why};
use jiff::{SignedDuration, Timestamp};

/// A wait longer than this gives the slot to somebody else.
pub const WAIT_IN_SLOT: SignedDuration = SignedDuration::from_secs(3);
/// How long an upload that only a person can help stays out of the queue.
pub const GAVE_UP_FOR: SignedDuration = SignedDuration::from_hours(1);

/// What is to be done next.
#[derive(Debug)]
pub enum Turn {
    /// Commit these, then poll again.
    Remember(Vec<crate::types::fact::Fact>),
    /// Perform this, hand the result to [`Sending::handle`]; poll again at once.
    Do(Call),
    /// Nothing before this time, which is no more than [`WAIT_IN_SLOT`] away.
    Sleep(Timestamp),
    /// Calls are on their way.
    Idle,
    /// It is over; calls on their way, if any, are let go.
    End(UploadEnd),
}

/// One upload as the dock runs it.
#[derive(Debug)]
pub struct Sending {
    machine: Upload,
    last_failure: Option<StoreError>,
    stopping: bool,
}

impl Sending {
    pub fn new(machine: Upload) -> Self {
        Self { machine, last_failure: None, stopping: false }
    }

    /// No further parts are handed out; then it ends.
    pub fn stop(&mut self) {
        self.stopping = true;
        self.machine.allow_parts(0);
    }

    /// Bytes that the store has acknowledged.
    pub fn acked_bytes(&self) -> u64 {
        self.machine.acked_bytes()
    }

    pub fn poll(&mut self, now: Timestamp) -> Turn {
        match self.machine.poll(now) {
            Step::Remember(facts) => Turn::Remember(facts),
            Step::Do(call) => Turn::Do(call),
            Step::Wait(until) => {
                if until.duration_since(now) > WAIT_IN_SLOT || self.stopping {
                    let failure = self.last_failure.as_ref();
                    return Turn::End(failed(self.machine.attempts(), until, failure));
                }
                Turn::Sleep(until)
            }
            Step::Idle => Turn::Idle,
            Step::Paused => Turn::End(UploadEnd::Preempted),
            Step::Done(proof) => Turn::End(UploadEnd::Stored {
                level: proof.level(),
                version: proof.head().version.clone(),
            }),
            Step::GiveUp(end) => Turn::End(match end.why {
                Why::SpoolDamaged => UploadEnd::SpoolDamaged { words: end.words },
                Why::Unequal | Why::Refused => UploadEnd::Failed {
                    attempts: self.machine.attempts() + 1,
                    words: end.words,
                    retry_at: now.saturating_add(GAVE_UP_FOR).unwrap_or(Timestamp::MAX),
                    store_wide: false,
                    need: None,
                },
            }),
        }
    }

    /// Takes the result of a call that [`Sending::poll`] handed out.
    pub fn handle(&mut self, now: Timestamp, call: Call, result: Result<Answer, StoreError>) {
        if let Err(error) = &result {
            self.last_failure = Some(error.clone());
        }
        self.machine.handle(now, call, result);
    }

    /// A call broke off inside this program: whatever it did, the next attempt looks first.
    pub fn broke_off(&self, now: Timestamp) -> UploadEnd {
        let until = now.saturating_add(WAIT_IN_SLOT).unwrap_or(Timestamp::MAX);
        failed(self.machine.attempts(), until, None)
    }
}

fn failed(attempts: u32, retry_at: Timestamp, failure: Option<&StoreError>) -> UploadEnd {
    let store_wide = failure.is_none_or(|error| error.fault.is_store_wide());
    let words = failure.map_or_else(|| "a call ended oddly".into(), StoreError::with_advice);
    let need = failure.and_then(|error| error.fault.needs_a_person());
    UploadEnd::Failed { attempts, words, retry_at, store_wide, need }
}
