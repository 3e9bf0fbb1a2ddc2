//! Stores and networks that fail or lie, each fault by its name, and the end it must have.
//!
//! The real door and the real upload machine work through a proxy that does to their requests what
//! bad cables, proxies, portals and stores do; behind it is a real store. In every case, in the
//! end: the object is stored exactly once and equal, or it stays queued with words that say why,
//! or people are called; nothing hangs, and nothing is asked in a storm. `cargo test` uses the
//! embedded store; where `weed` is on the PATH, SeaweedFS goes through all of it as well.

#![cfg(feature = "vault")]

mod cases;
mod daemon;
#[path = "../kill/dice.rs"]
#[allow(dead_code, reason = "shared; this test uses a part of it")]
mod dice;
mod drive;
#[path = "../kill/ending.rs"]
#[allow(dead_code, reason = "shared; this test uses a part of it")]
mod ending;
#[path = "../kill/footage.rs"]
#[allow(dead_code, reason = "shared; this test uses a part of it")]
mod footage;
mod http;
#[path = "../kill/ledger.rs"]
#[allow(dead_code, reason = "shared; this test uses a part of it")]
mod ledger;
#[path = "../kill/outside.rs"]
#[allow(dead_code, reason = "shared; this test uses a part of it")]
mod outside;
mod proxy;
#[path = "../rig/mod.rs"]
mod rig;
#[path = "../seaweedfs/server.rs"]
#[allow(dead_code, reason = "shared; this test uses a part of it")]
mod server;
mod wire;

use bwvdock::store::{Limiter, S3, S3Options, Store as _};
use drive::Place;
use rig::{BUCKET, Rig};
use std::{fs, path::Path};

/// Each name is a test of its own against the embedded store, and one line of SeaweedFS's.
macro_rules! faults {
    ($($name:ident)+) => {
        const NAMES: &[&str] = &[$(stringify!($name)),+];
        $(
            #[tokio::test(flavor = "current_thread")]
            async fn $name() {
                let mut rig = Rig::new();
                let vault = rig.start_plain_vault();
                cases::run(&place_of(&rig), stringify!($name)).await;
                drop(vault);
            }
        )+
    };
}

faults! {
    request_cut_in_its_head_or_body
    request_reset_in_its_head_or_body
    request_stalls
    store_closes_every_connection
    answer_cut_in_its_head
    answer_cut_in_its_body
    answer_reset
    answer_stalls
    answer_trickles_in
    answer_dropped_of_create
    answer_dropped_of_part
    answer_dropped_of_complete
    answer_dropped_of_everything
    half_open_nothing_is_ever_answered
    half_open_after_complete
    bit_turned_over_on_the_way
    endless_header
    endless_body
    redirect_302
    captive_portal
    captive_portal_for_a_moment
    store_error_500
    bad_gateway_502
    slow_down_503
    slow_down_503_names_its_time
    unauthorised_401
    forbidden_403
    skewed_403_for_a_moment
    skewed_403_for_ever
    skewed_403_with_a_wrong_date
    bucket_gone_404
    upload_disowned_404_while_parts_go
    upload_disowned_404_at_complete
    conflict_409_at_complete
    exists_412_and_it_does_not
    too_large_413
    full_507
    error_inside_a_200_of_complete
    error_inside_a_200_though_complete_happened
    complete_acknowledged_and_not_done
    part_acknowledged_and_forgotten
    part_acknowledged_under_another_etag
    part_missing_in_the_listing
    listing_doubled_and_unsorted
    listing_cut_short
    read_back_cut_short
    read_back_trickles_in
    read_back_of_another_length
    read_back_differs
    another_object_is_there
}

fn place_of(rig: &Rig) -> Place {
    Place {
        endpoint: rig.plain_endpoint(),
        bucket: BUCKET,
        access_key: rig::ACCESS_KEY,
        secret_key: rig::SECRET_KEY,
    }
}

/// What is tested stands in the table of what happens when, and the other way round.
#[test]
fn every_fault_has_its_sentence() {
    let map = include_str!("../../ARCHITECTURE.md");
    let table = map.split("## When stores and networks fail or lie").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let named: Vec<&str> = table.split('`').skip(1).step_by(2).collect();
    let sources = [include_str!("main.rs"), include_str!("daemon.rs")];
    let src = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    for name in NAMES {
        assert!(named.contains(name), "{name} is not in ARCHITECTURE.md");
    }
    for name in named.iter().filter(|name| name.contains('_') && !name.ends_with('_')) {
        let is_test = |source: &&str| source.contains(&format!("fn {name}("));
        let known = match name.rsplit_once("::tests::") {
            Some((room, test)) => {
                let (test, room) = (test.rsplit("::").next(), src.join(room.replace("::", "/")));
                test.is_some_and(|test| has_test(&room, test))
            }
            None => NAMES.contains(name) || sources.iter().any(is_test),
        };
        assert!(known, "ARCHITECTURE.md names {name}, which is no test");
    }
}

/// Whether a room (`room.rs`, or what lies in `room/`) has a test of that name.
fn has_test(room: &Path, test: &str) -> bool {
    let is_there = |file: &Path| {
        fs::read_to_string(file).is_ok_and(|source| source.contains(&format!("fn {test}(")))
    };
    let tests = fs::read_dir(room.join("tests")).into_iter().flatten();
    is_there(&room.with_extension("rs"))
        || is_there(&room.join("tests.rs"))
        || is_there(&room.join("mod.rs"))
        || tests.flatten().any(|entry| is_there(&entry.path()))
}

/// The uploads that an outage outlives are really gone: a lifecycle rule, another hand.
#[tokio::test(flavor = "current_thread")]
async fn upload_gone_404_after_an_outage() {
    let mut rig = Rig::new();
    let vault = rig.start_plain_vault();
    for (name, op, parts) in
        [("gone-early", proxy::Op::UploadPart, 1), ("gone-late", proxy::Op::Complete, 3)]
    {
        let mut way = drive::Way::new(&place_of(&rig), name, 2 * drive::PART + 4321);
        let skip = if parts == 1 { 1 } else { 0 };
        let fault = proxy::Fault::Answer(http::error("503 Slow Down", "SlowDown"));
        way.break_with(vec![proxy::Rule {
            op: Some(op),
            shown: false,
            key_end: "",
            skip,
            times: u32::MAX,
            fault,
        }]);
        let end = way.run(jiff::SignedDuration::from_hours(1)).await;
        assert!(matches!(end, drive::End::Queued), "{end:?}");
        let key = way.object.key.clone();
        let open = way.direct.open_uploads(&key).await.unwrap();
        let kept = way.direct.parts(&key, &open[0].id).await.unwrap();
        assert_eq!((open.len(), kept.len()), (1, parts), "{name}");
        way.direct.abort(&key, &open[0].id).await.unwrap();
        way.proxy.heal();
        let end = way.run(jiff::SignedDuration::from_hours(1)).await;
        assert!(matches!(end, drive::End::Stored(_)), "{end:?}: {:?}", way.words());
        way.is_there_once(0).await;
    }
    drop(vault);
}

/// A dock's own patience on a connection that is open and dead; it is a minute, so that only
/// `BWVDOCK_TESTS=all` waits for it.
#[tokio::test(flavor = "current_thread")]
async fn half_open_for_the_patience_of_a_dock() {
    if !rig::all() {
        eprintln!("skipped: takes a minute");
        return;
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", nobody.local_addr().unwrap()).parse().unwrap();
    let secret = zeroize::Zeroizing::new("s".to_owned());
    let options = S3Options::new(endpoint, BUCKET, "k", secret);
    let door = S3::new(options, Limiter::new(0, 0)).unwrap();
    let began = std::time::Instant::now();
    let error = door.head("k").await.unwrap_err();
    assert_eq!(error.fault, bwvdock::store::Fault::Network, "{error}");
    let took = began.elapsed().as_secs();
    assert!((59..70).contains(&took), "after {took} s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seaweedfs_goes_through_every_fault() {
    let Some(program) = server::program() else { return };
    let weed = server::Weed::start(program, None).await;
    weed.make_bucket().await;
    let place = Place {
        endpoint: weed.http(),
        bucket: server::BUCKET,
        access_key: server::ACCESS_KEY,
        secret_key: server::SECRET_KEY,
    };
    for name in NAMES {
        let way = cases::run(&place, name).await;
        // Versions are kept there, so that a second writing would show.
        assert!(weed.versions(&way.object.key).await <= 1, "{name} was stored twice");
    }
}
