//! No storm: what docks ask of a store that is down for a day, and when it comes back.

use crate::{sealing, store::Trouble, world::World};
use bwvdock::{
    dock::{
        Records,
        event::UploadEnd,
        sending::{Sending, Turn},
        state::ObjectState,
    },
    transfer::{Answer, Backoff, Enforces, Fault, Limits, Resume, StoreError, Upload},
    types::{
        Class, ObjectId, ReceiptLevel, RecordingId,
        fact::{Content, SealedObject},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How often one dock may ask in any hour of an outage.
const PER_HOUR_MAX: usize = 90;
const DAY_SECONDS: i64 = 86_400;

fn object(number: u64) -> Arc<SealedObject> {
    let id = ObjectId(uuid::Uuid::from_u64_pair(number, number));
    let sealed = sealing::seal(id, b"what a camera saw");
    Arc::new(SealedObject {
        id,
        content: Content::Record(RecordingId(uuid::Uuid::nil())),
        plain: sealing::hashed(b"what a camera saw"),
        sealed: sealing::hashed(&sealed),
        table: sealing::table(&sealed, false),
        key: format!("{id}.age"),
        class: Class::Evidential,
        retain_until: None,
    })
}

const LIMITS: Limits = Limits {
    parts_in_flight: 2,
    wanted: ReceiptLevel::ReadBack,
    enforces: Enforces { sha256: true, md5: true, if_none_match: true },
    backoff: Backoff {
        base: std::time::Duration::from_secs(2),
        cap: std::time::Duration::from_secs(300),
    },
};

/// When one dock asks in vain, second by second of a day, and when it asks first afterwards. While
/// the store as a whole is unwell a dock sends one object at a time, so one stands for all. Every
/// wait ends the machine: what it knows afterwards is what a restart knows.
fn asks(seed: u64, fault: Fault) -> (Vec<i64>, i64, u32) {
    let began: Timestamp = "2026-03-14T23:00:00Z".parse().expect("a time");
    let (object, mut now) = (object(seed), began);
    let (mut asked, mut attempts) = (Vec::new(), 0);
    loop {
        let resume = Resume { attempts, maybe_begun: true, ..Resume::default() };
        let upload = Upload::new(object.clone(), resume, LIMITS, seed);
        let mut sending = Sending::new(upload);
        loop {
            match sending.poll(now) {
                Turn::Remember(_) => {}
                Turn::Do(call) => {
                    let second = now.duration_since(began).as_secs();
                    if second >= DAY_SECONDS {
                        return (asked, second, attempts);
                    }
                    asked.push(second);
                    let words = "the store is down".into();
                    let error: Result<Answer, _> = Err(StoreError { call: "any", fault, words });
                    sending.handle(now, call, error);
                }
                Turn::Sleep(until) => now = until,
                Turn::Idle => unreachable!("every call is answered at once"),
                Turn::End(UploadEnd::Failed { attempts: n, retry_at, .. }) => {
                    assert!(n > attempts, "attempts are counted on");
                    (attempts, now) = (n, retry_at);
                    break;
                }
                Turn::End(end) => panic!("{end:?}"),
            }
        }
    }
}

#[test]
fn a_day_without_a_store_is_no_storm_of_a_thousand_docks_and_its_return_is_none_either() {
    for fault in [Fault::Network, Fault::Denied, Fault::Full, Fault::NotTheStore] {
        let mut back = Vec::new();
        for dock in 0..1000 {
            let (asked, first, attempts) = asks(dock * 7919 + 1, fault);
            for (at, second) in asked.iter().enumerate() {
                let later = asked[at..].iter().take_while(|other| **other < second + 3600);
                assert!(later.count() <= PER_HOUR_MAX, "dock {dock} storms: {fault:?}");
            }
            assert!(attempts as usize <= asked.len());
            back.push(first - DAY_SECONDS);
        }
        // They come back one after the other: within the longest wait, and never together.
        let longest = if matches!(fault, Fault::Denied | Fault::Full) { 900 } else { 300 };
        assert!(back.iter().all(|second| *second <= longest), "{fault:?}");
        let busiest = (0..longest).map(|s| back.iter().filter(|b| **b == s).count()).max();
        assert!(busiest.is_some_and(|docks| docks <= 40), "{busiest:?} docks in one second");
    }
}

#[test]
fn one_dock_waits_out_a_day_without_a_store_and_a_restart_and_then_sends_everything() {
    let mut world = World::new(11, None, false);
    world.quiet();
    world.start();
    for number in 0..world.cameras.len() {
        for _ in 0..2 {
            world.cameras[number].record(&mut world.dice, false);
        }
        world.insert(&crate::world::bay(number), number, false);
    }
    let back = world.now + SignedDuration::from_hours(24);
    world.outage = Some((Trouble::Drop, back));
    let mut before = world.tally.requests;
    let mut most = 0;
    for hour in 0..23 {
        let end = world.began + SignedDuration::from_hours(hour + 1);
        while world.now < end {
            world.run_all();
            world.pass(60);
        }
        if hour == 12 {
            let attempts = world.attempts();
            assert!(attempts > 10, "{attempts}");
            world.dead = Some(true);
            world.start();
            assert_eq!(world.attempts(), attempts, "a restart forgets no attempts");
        }
        most = most.max(world.tally.requests - before);
        before = world.tally.requests;
        assert_eq!(world.tally.erased, 0);
    }
    assert!(most as usize <= PER_HOUR_MAX, "{most} requests in an hour");
    world.heal();
    assert!(world.violation.is_none(), "{:?}", world.violation);
    assert!(world.tally.stored > 0);
}

impl World {
    /// The most attempts of any object.
    fn attempts(&self) -> u32 {
        let all: Vec<ObjectState> = self.table.list(b"o/", b"", 1000).expect("a table in memory");
        all.iter().map(|state| state.attempts).max().unwrap_or(0)
    }
}
