//! Push: the figures of the exposition, brought to a receiver by Prometheus remote-write 1.0.
//!
//! Two tasks: one takes the figures every interval into a [`Buffer`], one sends the oldest and
//! goes on to the next. So a receiver that is slow or away never makes figures be taken late.
//! Invariants: bounded memory; one request at a time, no faster than configured; what is refused
//! or too old is counted and said, never silently gone; the secret is in no word and no error.

mod answer;
mod buffer;
mod door;
mod series;
mod told;
mod write;

pub use door::{Access, PushError};
pub use told::{PushVitals, Trouble};

use super::{Format, exposition, gather};
use crate::{
    api::Api,
    clock::Clock,
    config,
    transfer::{Backoff, Fault, Random},
    types::DockId,
};
use answer::Verdict;
use buffer::{Batch, Buffer};
use door::Receiver;
use jiff::Timestamp;
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use write::{Request, STALE};

/// The job all docks push as; alert rules ask for it.
pub const JOB: &str = "bwvdock";
/// As many as Prometheus itself puts into one request by default.
const SAMPLES_MAX: usize = 2000;

/// Everything a pushing dock needs.
pub struct Push {
    receiver: Receiver,
    dock: String,
    interval: Duration,
    pause: Duration,
    backoff: Backoff,
    started: Instant,
    inner: Mutex<Inner>,
    more: Notify,
}

struct Inner {
    buffer: Buffer,
    /// The series of the moment before.
    known: BTreeSet<String>,
    told: PushVitals,
}

impl Push {
    /// # Errors
    /// [`PushError`].
    pub fn new(config: &config::Push, dock: &DockId, access: Access) -> Result<Self, PushError> {
        let receiver = Receiver::new(config, access)?;
        let age_max = Duration::from_secs(60 * config.buffer_minutes_max);
        let told = PushVitals { to: receiver.name().to_owned(), ..PushVitals::default() };
        Ok(Self {
            receiver,
            dock: dock.to_string(),
            interval: Duration::from_secs(config.interval_seconds),
            pause: Duration::from_secs(1) / config.requests_per_second_max.max(1) as u32,
            backoff: Backoff {
                base: Duration::from_secs(1),
                cap: Duration::from_secs(config.retry_seconds_max),
            },
            started: Instant::now(),
            inner: Mutex::new(Inner {
                buffer: Buffer::new(age_max, config.buffer_bytes_max),
                known: BTreeSet::new(),
                told,
            }),
            more: Notify::new(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic of another holder leaves sums that are at most one step behind.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it goes.
    pub fn vitals(&self) -> PushVitals {
        let inner = self.inner();
        PushVitals {
            buffered_samples: inner.buffer.samples(),
            buffered_bytes: inner.buffer.bytes(),
            ..inner.told.clone()
        }
    }

    /// Takes and sends until the task is dropped.
    pub async fn run(&self, api: &Api) {
        let chance = Random::new(uuid::Uuid::now_v7().as_u128() as u64);
        tokio::join!(self.take(api, chance.clone()), self.send(&*api.clock, chance));
    }

    /// Takes the figures every interval.
    async fn take(&self, api: &Api, mut random: Random) {
        // Docks that got power at the same moment do not push at the same moment for ever.
        tokio::time::sleep(random.between(Duration::ZERO, self.interval)).await;
        let mut interval = tokio::time::interval(self.interval);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            interval.tick().await;
            let Ok(vitals) = gather(api).await else { continue };
            let text = exposition(&vitals, Format::OpenMetrics);
            self.take_in(&text, api.clock.now(), self.started.elapsed());
        }
    }

    /// Puts the figures of one moment (OpenMetrics text) into the buffer. `taken` is the same moment
    /// by a clock that never jumps.
    pub fn take_in(&self, text: &str, at: Timestamp, taken: Duration) {
        let mut inner = self.inner();
        let requests = requests(text, at.as_millisecond(), &self.dock, &mut inner.known);
        for request in requests {
            let samples = request.samples() as u64;
            let lost = inner.buffer.push(Batch { taken, samples, body: request.packed().into() });
            inner.told.overflowed_samples += lost;
        }
        drop(inner);
        self.more.notify_one();
    }

    /// Sends what waits, oldest first, until the task is dropped.
    pub async fn send(&self, clock: &dyn Clock, mut random: Random) {
        let mut attempts = 0;
        loop {
            let oldest = self.inner().buffer.oldest();
            let Some((number, batch)) = oldest else {
                self.more.notified().await;
                continue;
            };
            let verdict = self.receiver.send(batch.body).await;
            let wait = match self.settle(&verdict, number, batch.samples, clock.now()) {
                None => {
                    attempts = 0;
                    self.pause
                }
                Some(fault) => {
                    attempts += 1;
                    self.backoff.wait(fault, attempts, &mut random).max(self.pause)
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes the books further; a fault if it has to be sent again.
    fn settle(
        &self,
        verdict: &Verdict,
        number: u64,
        samples: u64,
        now: Timestamp,
    ) -> Option<Fault> {
        let mut inner = self.inner();
        match verdict {
            Verdict::Taken => {
                inner.buffer.done(number);
                if let Some(trouble) = inner.told.taken(samples, now) {
                    tracing::info!("figures are pushed again, after {} failures", trouble.times);
                }
                None
            }
            Verdict::Refused { words, next } => {
                if inner.buffer.done(number) {
                    inner.told.refused_samples += samples;
                }
                if inner.told.failed(words, next, now) {
                    tracing::warn!("figures were refused by {}: {words}", self.receiver.name());
                }
                None
            }
            Verdict::Later { fault, words, next } => {
                if inner.told.failed(words, next, now) {
                    tracing::warn!("figures wait, {} did not take them: {words}", inner.told.to);
                }
                Some(*fault)
            }
        }
    }
}

/// The figures of one moment as requests. `known` are the series of the moment before; those that
/// are not there any more are ended.
fn requests(text: &str, at_ms: i64, dock: &str, known: &mut BTreeSet<String>) -> Vec<Request> {
    let own = [("instance", dock), ("job", JOB)];
    let mut requests = vec![Request::new(at_ms)];
    let mut add = |series: &str, bits: u64| {
        let Some(labels) = series::labels(series, &own) else { return };
        if requests.last().is_none_or(|request| request.samples() >= SAMPLES_MAX) {
            requests.push(Request::new(at_ms));
        }
        if let Some(request) = requests.last_mut() {
            request.add(&labels, bits);
        }
    };
    let mut seen = BTreeSet::new();
    for sample in series::samples(text) {
        add(sample.series, sample.value.to_bits());
        seen.insert(sample.series.to_owned());
    }
    known.difference(&seen).for_each(|gone| add(gone, STALE));
    *known = seen;
    requests
}

#[cfg(test)]
mod tests;
