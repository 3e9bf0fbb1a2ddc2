//! When the port of a camera that does not answer is switched off and on again.

use std::time::Duration;

/// Failures in a row before the port is cycled.
const FAILURES: u32 = 2;
/// Cycles for one docking; after them only a person helps.
const CYCLES_MAX: u32 = 3;
/// Between two cycles at least; doubled with each.
const WAIT_BASE: Duration = Duration::from_secs(15);

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Just try again.
    TryAgain,
    /// Switch the port off and on.
    Cycle,
    /// It was cycled as often as makes sense.
    GiveUp,
}

/// The attempts to revive what is in one port.
#[derive(Debug, Clone, Default)]
pub struct Revival {
    failures: u32,
    cycles: u32,
    not_before: Duration,
}

impl Revival {
    /// How long a port stays off in a cycle: long enough for capacitors, short for people.
    pub const OFF_FOR: Duration = Duration::from_secs(3);

    /// The camera in the port did not answer.
    pub fn failed(&mut self, now: Duration) -> Next {
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES || now < self.not_before {
            return Next::TryAgain;
        }
        if self.cycles == CYCLES_MAX {
            return Next::GiveUp;
        }
        self.not_before = now + WAIT_BASE * 2_u32.pow(self.cycles);
        self.cycles += 1;
        self.failures = 0;
        Next::Cycle
    }

    /// The camera answered. The cycles stay counted: one that needs them again and again is ill.
    pub fn answered(&mut self) {
        self.failures = 0;
    }

    /// How often the port was cycled.
    pub fn cycles(&self) -> u32 {
        self.cycles
    }
}
