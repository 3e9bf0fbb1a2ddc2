//! What only the running daemon knows: bytes under way and smoothed rates. Never remembered.

use super::copy::Watch;
use crate::{
    charging::Report,
    dock::report::Now,
    types::{BayName, ObjectId},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Shared by the copy threads, the upload tasks and whoever reports.
#[derive(Debug, Default)]
pub struct Progress {
    copies: Mutex<BTreeMap<BayName, Arc<Watch>>>,
    uploads: Mutex<BTreeMap<ObjectId, Arc<AtomicU64>>>,
    /// Second reads and those before an erase, which can be stopped and show no progress.
    reads: Mutex<BTreeMap<BayName, Arc<Watch>>>,
    charge: Mutex<BTreeMap<BayName, Report>>,
    rates: Mutex<Rates>,
    copied: AtomicU64,
    sent: AtomicU64,
}

#[derive(Debug, Default)]
struct Rates {
    copy: Rate,
    upload: Rate,
}

/// Bytes per second, smoothed over about a minute of work; idle time does not count.
#[derive(Debug, Default)]
struct Rate {
    last_total: u64,
    per_second: f64,
}

impl Rate {
    fn sample(&mut self, total: u64, since: Duration, busy: bool) {
        let moved = total.saturating_sub(self.last_total);
        self.last_total = total;
        let seconds = since.as_secs_f64();
        if seconds <= 0.0 || (!busy && moved == 0) {
            return;
        }
        let now = moved as f64 / seconds;
        let weight = if self.per_second == 0.0 { 1.0 } else { 1.0 - (-seconds / 30.0).exp() };
        self.per_second += weight * (now - self.per_second);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here can be left half done: a poisoned lock still guards good numbers.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Progress {
    pub fn copy_starts(&self, bay: &BayName, watch: Arc<Watch>) {
        lock(&self.copies).insert(bay.clone(), watch);
    }

    pub fn copy_ends(&self, bay: &BayName, bytes: u64) {
        self.copied.fetch_add(bytes, Ordering::Relaxed);
        lock(&self.copies).remove(bay);
    }

    pub fn read_starts(&self, bay: &BayName, watch: Arc<Watch>) {
        lock(&self.reads).insert(bay.clone(), watch);
    }

    /// Not if another one began there since.
    pub fn read_ends(&self, bay: &BayName, watch: &Arc<Watch>) {
        let mut reads = lock(&self.reads);
        if reads.get(bay).is_some_and(|current| Arc::ptr_eq(current, watch)) {
            reads.remove(bay);
        }
    }

    /// The daemon stops: whatever reads a camera ends at its next read.
    pub fn stop_all(&self) {
        for watches in [&self.copies, &self.reads] {
            lock(watches).values().for_each(|w| w.cancel.store(true, Ordering::Relaxed));
        }
    }

    /// Makes the copy in a bay pause at its next read.
    pub fn stop_copy(&self, bay: &BayName) {
        if let Some(watch) = lock(&self.copies).get(bay) {
            watch.cancel.store(true, Ordering::Relaxed);
        }
    }

    /// Makes the reading before an erase in a bay end.
    pub fn stop_read(&self, bay: &BayName) {
        if let Some(watch) = lock(&self.reads).get(bay) {
            watch.cancel.store(true, Ordering::Relaxed);
        }
    }

    pub fn upload_starts(&self, object: ObjectId) -> Arc<AtomicU64> {
        let done = Arc::new(AtomicU64::new(0));
        lock(&self.uploads).insert(object, done.clone());
        done
    }

    pub fn upload_ends(&self, object: ObjectId) {
        lock(&self.uploads).remove(&object);
    }

    pub fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Called about once a second with the time since the last call.
    pub fn sample(&self, since: Duration) {
        let running: u64 =
            lock(&self.copies).values().map(|watch| watch.progress.load(Ordering::Relaxed)).sum();
        let (copying, sending) = (!lock(&self.copies).is_empty(), !lock(&self.uploads).is_empty());
        let mut rates = lock(&self.rates);
        rates.copy.sample(self.copied.load(Ordering::Relaxed) + running, since, copying);
        rates.upload.sample(self.sent.load(Ordering::Relaxed), since, sending);
    }

    /// How the bays charge, as it was decided just now.
    pub fn set_charge(&self, charge: BTreeMap<BayName, Report>) {
        *lock(&self.charge) = charge;
    }

    /// As the reports want it; the spool's figures are the caller's.
    pub fn now(&self, spool_used: u64, spool_max: u64) -> Now {
        let rates = lock(&self.rates);
        Now {
            copied: lock(&self.copies)
                .iter()
                .map(|(bay, watch)| (bay.clone(), watch.progress.load(Ordering::Relaxed)))
                .collect(),
            uploaded: lock(&self.uploads)
                .iter()
                .map(|(object, done)| (*object, done.load(Ordering::Relaxed)))
                .collect(),
            copy_rate: rates.copy.per_second,
            upload_rate: rates.upload.per_second,
            spool_used,
            spool_max,
            charge: lock(&self.charge).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_follows_work_and_keeps_still_while_idle() {
        let mut rate = Rate::default();
        rate.sample(100, Duration::from_secs(1), true);
        assert_eq!(rate.per_second, 100.0);
        rate.sample(100, Duration::from_secs(1), false);
        assert_eq!(rate.per_second, 100.0);
        for total in 1..600 {
            rate.sample(100 + total * 200, Duration::from_secs(1), true);
        }
        assert!((190.0..=201.0).contains(&rate.per_second), "{}", rate.per_second);
    }
}
