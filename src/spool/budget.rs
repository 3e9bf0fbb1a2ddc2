//! Who may write how much: a pure rule, and the shared count it is asked about.
//!
//! `used + reserved + asked <= bytes_max`, and what the file system has free, less everything
//! reserved and not yet written, less what is asked, stays at least `reserve_bytes`. The reserve
//! is what keeps the journal writing when the spool is full.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The spool's limits, in bytes, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most ciphertext the spool holds.
    pub bytes_max: u64,
    /// What must stay free on its file system for everybody else.
    pub reserve_bytes: u64,
}

/// How full the spool is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// In finished objects.
    pub used: u64,
    /// Promised to writers, written or not.
    pub reserved: u64,
    /// Of `reserved`, what lies on the disk already.
    pub written: u64,
    /// Free on the file system, as last asked.
    pub free: u64,
    pub limits: Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: u64::MAX, reserve_bytes: 0 }
    }
}

/// What a writer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Objects in the spool must be uploaded and removed first; bytes missing.
    Budget { missing: u64 },
    /// Somebody else fills the file system; bytes missing above the reserve.
    FreeSpace { missing: u64 },
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Budget { missing } => {
                write!(f, "the spool is full: {missing} bytes must be uploaded and freed first")
            }
            Self::FreeSpace { missing } => {
                write!(f, "the spool's disk is full: {missing} bytes more must become free")
            }
        }
    }
}

/// The rule's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Granted,
    Wait(Wait),
    TooLarge,
}

/// The rule: whether `bytes` more may be promised.
pub fn admit(usage: &Usage, bytes: u64) -> Answer {
    let limits = usage.limits;
    if bytes > limits.bytes_max {
        return Answer::TooLarge;
    }
    let promised = usage.used.saturating_add(usage.reserved).saturating_add(bytes);
    if promised > limits.bytes_max {
        return Answer::Wait(Wait::Budget { missing: promised - limits.bytes_max });
    }
    let unwritten = usage.reserved.saturating_sub(usage.written);
    let needed = limits.reserve_bytes.saturating_add(unwritten).saturating_add(bytes);
    if needed > usage.free {
        return Answer::Wait(Wait::FreeSpace { missing: needed - usage.free });
    }
    Answer::Granted
}

/// The count, shared by a spool and its writers.
#[derive(Debug, Clone, Default)]
pub struct Budget(Arc<Mutex<Usage>>);

impl Budget {
    pub fn new(limits: Limits, used: u64) -> Self {
        Self(Arc::new(Mutex::new(Usage { used, limits, ..Usage::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Usage> {
        // Every change is one assignment: a panic elsewhere leaves the numbers sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The count, with what the file system has free now.
    pub fn usage(&self, free: u64) -> Usage {
        let mut usage = self.lock();
        usage.free = free;
        *usage
    }

    /// Asks the rule, and promises the bytes if it agrees.
    ///
    /// # Errors
    /// The rule's answer when it is not [`Answer::Granted`].
    pub fn reserve(&self, bytes: u64, free: u64) -> Result<Reservation, Answer> {
        let mut usage = self.lock();
        usage.free = free;
        match admit(&usage, bytes) {
            Answer::Granted => usage.reserved += bytes,
            refused => return Err(refused),
        }
        Ok(Reservation { budget: self.clone(), bytes, written: 0 })
    }

    /// A finished object was removed.
    pub fn freed(&self, bytes: u64) {
        let mut usage = self.lock();
        usage.used = usage.used.saturating_sub(bytes);
    }
}

/// A promise of bytes; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: u64,
    written: u64,
}

impl Reservation {
    /// Whether writing `wanted` more bytes goes beyond the promise.
    pub fn is_beyond(&self, wanted: u64) -> bool {
        self.written.saturating_add(wanted) > self.bytes
    }

    /// Whether `wanted` more bytes may be written: within the promise always, beyond it (the
    /// source grew) only if the rule agrees to the rest.
    ///
    /// # Errors
    /// The rule's answer when it is not [`Answer::Granted`].
    pub fn allow(&mut self, wanted: u64, free: u64) -> Result<(), Answer> {
        let needed = self.written.saturating_add(wanted);
        if needed <= self.bytes {
            return Ok(());
        }
        let more = needed - self.bytes;
        let mut usage = self.budget.lock();
        usage.free = free;
        match admit(&usage, more) {
            Answer::Granted => usage.reserved += more,
            refused => return Err(refused),
        }
        self.bytes = needed;
        Ok(())
    }

    /// Bytes reached the disk.
    pub fn wrote(&mut self, bytes: u64) {
        self.written += bytes;
        self.budget.lock().written += bytes;
    }

    /// The object is finished with what was written; the unused rest is given back.
    pub fn keep(self) {
        let mut usage = self.budget.lock();
        usage.used += self.written;
        drop(usage);
        // Dropping gives the promise back.
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut usage = self.budget.lock();
        usage.reserved -= self.bytes;
        usage.written -= self.written;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { bytes_max: 100, reserve_bytes: 10 };

    #[test]
    fn full_means_wait_and_too_large_means_never() {
        let budget = Budget::new(LIMITS, 60);
        assert_eq!(budget.reserve(101, 1000).unwrap_err(), Answer::TooLarge);
        let missing = |missing| Answer::Wait(Wait::Budget { missing });
        assert_eq!(budget.reserve(41, 1000).unwrap_err(), missing(1));
        let held = budget.reserve(40, 1000).unwrap();
        assert_eq!(budget.reserve(1, 1000).unwrap_err(), missing(1));
        drop(held);
        assert!(budget.reserve(40, 1000).is_ok());
        budget.freed(60);
        assert!(budget.reserve(100, 1000).is_ok());
    }

    #[test]
    fn the_reserve_stays_free_whoever_fills_the_disk() {
        let budget = Budget::new(LIMITS, 0);
        let wait = |missing| Answer::Wait(Wait::FreeSpace { missing });
        assert_eq!(budget.reserve(20, 29).unwrap_err(), wait(1));
        let mut first = budget.reserve(20, 30).unwrap();
        assert_eq!(budget.reserve(1, 30).unwrap_err(), wait(1), "the promise counts as taken");
        // 15 of the 20 are written, so the file system shows 15 free: 10 reserve, 5 promised.
        first.wrote(15);
        assert_eq!(budget.reserve(1, 15).unwrap_err(), wait(1), "written bytes count once");
        assert!(budget.reserve(1, 16).is_ok());
    }

    #[test]
    fn a_source_that_grows_asks_again_and_may_be_refused() {
        let budget = Budget::new(LIMITS, 0);
        let mut one = budget.reserve(10, 1000).unwrap();
        assert_eq!(one.allow(10, 1000), Ok(()));
        one.wrote(10);
        assert_eq!(one.allow(90, 1000), Ok(()));
        assert!(one.allow(91, 1000).is_err());
        one.keep();
        let usage = budget.usage(1000);
        assert_eq!((usage.used, usage.reserved, usage.written), (10, 0, 0));
    }

    proptest! {
        #[test]
        fn never_over_the_budget_and_nothing_leaks(
            steps in prop::collection::vec((0u64..60, 0u64..60, any::<bool>(), 0u64..200), 1..60),
        ) {
            let budget = Budget::new(LIMITS, 0);
            let mut open = Vec::new();
            for (ask, write, keep, free) in steps {
                if let Ok(one) = budget.reserve(ask, free) {
                    open.push(one);
                }
                if keep && let Some(mut one) = open.pop() {
                    if one.allow(write, free).is_ok() {
                        one.wrote(write);
                    }
                    one.keep();
                }
                let usage = budget.usage(free);
                prop_assert!(usage.used + usage.reserved <= LIMITS.bytes_max);
                prop_assert!(usage.written <= usage.reserved);
            }
            drop(open);
            let usage = budget.usage(0);
            prop_assert_eq!((usage.reserved, usage.written), (0, 0));
        }
    }
}
