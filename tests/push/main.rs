//! Push, against a receiver that answers as it is told and against a real Prometheus (Debian package
//! `prometheus`; without it that part is skipped in words, and fails where `BWVDOCK_TESTS=all` asks
//! for it).

#![cfg(feature = "vault")]

mod answers;
mod outage;
mod prometheus;
#[path = "../rig/mod.rs"]
mod rig;

use bwvdock::{
    clock::RealClock,
    config,
    metrics::{Push, PushVitals, push::Access},
    transfer::Random,
    types::DockId,
};
use jiff::{SignedDuration, Timestamp};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const WITHIN: Duration = Duration::from_secs(60);

/// What pushes as `dock` to `url`; nothing is sent before [`sending`].
fn push(url: &str, dock: &str, access: Access) -> Arc<Push> {
    let config = config::Push {
        url: Some(url.parse().unwrap()),
        requests_per_second_max: 50,
        retry_seconds_max: 1,
        ..config::Push::default()
    };
    Arc::new(Push::new(&config, &DockId::new(dock).unwrap(), access).unwrap())
}

/// Sends for as long as the test runs.
fn sending(push: &Arc<Push>) -> tokio::task::JoinHandle<()> {
    let push = push.clone();
    tokio::spawn(async move { push.send(&RealClock::new(), Random::new(5)).await })
}

/// The figures of one moment: one that says which moment it is.
fn take_in(push: &Push, at: Timestamp, since: Timestamp) {
    let age = at.duration_since(since);
    let text = format!("bwvdock_moment {}\n# EOF\n", at.as_second());
    push.take_in(&text, at, Duration::try_from(age).unwrap());
}

fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

/// Waits until it is so.
async fn until(push: &Push, what: &str, so: impl Fn(&PushVitals) -> bool) -> PushVitals {
    let end = Instant::now() + WITHIN;
    loop {
        let vitals = push.vitals();
        if so(&vitals) {
            return vitals;
        }
        assert!(Instant::now() < end, "not {what}: {vitals:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
