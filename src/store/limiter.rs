//! Makes calls wait for the token buckets of [`crate::transfer::rate`].

use crate::transfer::rate::TokenBucket;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// One limit on bytes sent and requests made, shared by everything that sends. Clones are the same.
#[derive(Debug, Clone)]
pub struct Limiter {
    start: Instant,
    buckets: Arc<Mutex<Buckets>>,
}

#[derive(Debug)]
struct Buckets {
    bytes: TokenBucket,
    requests: TokenBucket,
}

impl Limiter {
    /// Each 0 means no limit. A quarter of a second of bytes, and two seconds of requests, may go
    /// at once.
    pub fn new(bytes_per_second: u64, requests_per_second: u64) -> Self {
        Self {
            start: Instant::now(),
            buckets: Arc::new(Mutex::new(Buckets {
                bytes: TokenBucket::new(bytes_per_second, (bytes_per_second / 4).max(64 * 1024)),
                requests: TokenBucket::new(requests_per_second, 2 * requests_per_second),
            })),
        }
    }

    /// From now on this limit; 0 for none.
    pub fn set_bytes_per_second(&self, bytes_per_second: u64) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.bytes = TokenBucket::new(bytes_per_second, (bytes_per_second / 4).max(64 * 1024));
    }

    /// How long to wait before sending `bytes` that are now spoken for.
    pub(super) fn reserve_bytes(&self, bytes: u64) -> Duration {
        self.reserve(|buckets, now| buckets.bytes.take(now, bytes))
    }

    /// Waits until one more request may be made.
    pub(super) async fn admit_request(&self) {
        let wait = self.reserve(|buckets, now| buckets.requests.take(now, 1));
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    fn reserve(&self, take: impl FnOnce(&mut Buckets, Duration) -> Duration) -> Duration {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        take(&mut buckets, self.start.elapsed())
    }
}
