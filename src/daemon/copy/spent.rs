//! Where the CPU time of a copy goes, by the clock of its thread.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The steps of a copy, as far as they can be told apart.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Reading the source.
    Read,
    /// Hashing the source, sealing, hashing the parts: one pass.
    Seal,
    /// Writing to the spool.
    Write,
    /// fsync, reading back, opening, hashing.
    Prove,
}

/// What each step took so far.
#[derive(Debug, Default)]
pub(super) struct Spent {
    /// The thread's CPU clock when the last step ended.
    at: Duration,
    steps: [Duration; 4],
}

impl Spent {
    /// To be called when a thread begins with the copy: each has a clock of its own.
    pub fn begin(&mut self) {
        self.at = thread_clock();
    }

    /// What was used since the last call went into this step.
    pub fn on(&mut self, step: Step) {
        let now = thread_clock();
        self.steps[step as usize] += now.saturating_sub(self.at);
        self.at = now;
    }

    pub fn micros(&self, step: Step) -> u64 {
        u64::try_from(self.steps[step as usize].as_micros()).unwrap_or(u64::MAX)
    }
}

fn thread_clock() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}
