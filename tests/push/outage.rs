//! Outages of a real Prometheus.

use super::{
    prometheus::{PASSWORD, Prometheus, USER, is_there, widest_gap},
    rig::Rig,
    *,
};
use bwvdock::{api::Request, config::SecretFile, metrics::Vitals};
use std::{fs, os::unix::fs::PermissionsExt as _};

/// Ten minutes without Prometheus, and what was taken in them is there afterwards. Nobody waits ten
/// minutes: the moments are given, everything else is real.
#[tokio::test(flavor = "multi_thread")]
async fn ten_minutes_without_prometheus_leave_no_gap() {
    if !is_there() {
        return;
    }
    const STEP: i64 = 15;
    let folder = tempfile::tempdir().unwrap();
    let mut prometheus = Prometheus::new(folder.path(), "", None);
    prometheus.start().await;
    let push = push(&prometheus.url("/api/v1/write"), "dock-1", Access::default());
    let sender = sending(&push);
    let start = Timestamp::from_second(Timestamp::now().as_second() - 20 * 60).unwrap();
    let minutes = |from: i64, to: i64| {
        for n in from * 60 / STEP..to * 60 / STEP {
            take_in(&push, start + seconds(n * STEP), start);
        }
    };
    minutes(0, 5);
    until(&push, "all taken", |told| told.sent_samples == 20).await;
    prometheus.kill();
    minutes(5, 15);
    let told = until(&push, "failing", |told| told.failures > 0).await;
    assert_eq!((told.buffered_samples, told.overflowed_samples), (40, 0));
    prometheus.start().await;
    minutes(15, 20);
    let told = until(&push, "all taken", |told| told.buffered_samples == 0).await;
    assert_eq!((told.sent_samples, told.refused_samples), (80, 0), "{told:?}");
    assert_eq!(told.trouble, None);
    let stored =
        prometheus.stored("bwvdock_moment{job=\"bwvdock\",instance=\"dock-1\"}", "1h").await;
    assert_eq!(stored.len(), 80);
    assert_eq!(widest_gap(&stored), STEP as f64);
    assert!(stored.iter().all(|(at, value)| at.to_string() == *value), "each with its own time");
    sender.abort();
}

/// What the manual says of `out_of_order_time_window`: while other docks go on, a backlog older
/// than an hour is taken with it, and refused, dropped and said without.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_backlog_needs_the_window_of_the_receiver() {
    if !is_there() {
        return;
    }
    let window = "storage:\n  tsdb:\n    out_of_order_time_window: 6h\n";
    for (config, taken, refused) in [(window, 10, 0), ("", 0, 10)] {
        let folder = tempfile::tempdir().unwrap();
        let mut prometheus = Prometheus::new(folder.path(), config, None);
        prometheus.start().await;
        let url = prometheus.url("/api/v1/write");
        let (other, late) =
            (push(&url, "dock-2", Access::default()), push(&url, "dock-1", Access::default()));
        let senders = [sending(&other), sending(&late)];
        let now = Timestamp::now();
        take_in(&other, now, now);
        until(&other, "taken", |told| told.sent_samples == 1).await;
        for n in 0..10 {
            take_in(&late, now - seconds(3 * 3600 - n * 30), now - seconds(3 * 3600));
        }
        let told = until(&late, "settled", |told| told.buffered_samples == 0).await;
        assert_eq!((told.sent_samples, told.refused_samples), (taken, refused), "{told:?}");
        let told_to_set_it =
            told.trouble.is_some_and(|trouble| trouble.next.contains("out_of_order_time_window"));
        assert_eq!(told_to_set_it, refused > 0);
        senders.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// The whole daemon: TLS with its own authority, name and password, killed and started again.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_pushes_over_tls_and_through_the_death_of_prometheus() {
    if !is_there() {
        return;
    }
    let mut rig = Rig::new();
    let _vault = rig.start_vault();
    let mut prometheus = Prometheus::new(&rig.path("prom"), "", Some(&rig.path("tls")));
    let secret = rig.path("push.secret");
    fs::write(&secret, PASSWORD).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let url = prometheus.url("/api/v1/write");
    rig.configure(&[], |config| {
        config.push = config::Push {
            url: Some(url.parse().unwrap()),
            interval_seconds: 1,
            retry_seconds_max: 1,
            ca_file: Some(rig.path("tls/ca.pem")),
            secret_file: Some(SecretFile::Path(secret.clone())),
            username: Some(USER.into()),
            ..config::Push::default()
        }
    });
    let mut daemon = rig.start_daemon();
    rig.await_ready(&mut daemon);
    let told = |so: fn(&PushVitals) -> bool| {
        let end = Instant::now() + WITHIN;
        loop {
            let vitals: Vitals = rig.ask(&Request::Health);
            let push = vitals.push.unwrap();
            if so(&push) {
                return push;
            }
            assert!(Instant::now() < end, "{push:?}; {}", rig.last_words());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    told(|push| push.trouble.is_some());
    let doctor = String::from_utf8(rig.run(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains("figures do not reach 127.0.0.1"), "{doctor}");
    let health = String::from_utf8(rig.run(&["health"]).stdout).unwrap();
    assert!(health.contains("Push       to 127.0.0.1") && health.contains("FAILS"), "{health}");

    prometheus.start().await;
    told(|push| push.last_success.is_some() && push.buffered_samples == 0);
    prometheus.kill();
    // More than one moment is missed, each of at least 40 series.
    told(|push| push.buffered_samples > 200);
    prometheus.start().await;
    let push = told(|push| push.trouble.is_none() && push.buffered_samples == 0);
    assert_eq!((push.refused_samples, push.overflowed_samples), (0, 0));
    let series = "bwvdock_build_info{job=\"bwvdock\",instance=\"test-dock\"}";
    let end = Instant::now() + Duration::from_secs(30);
    let stored = loop {
        let stored = prometheus.stored(series, "5m").await;
        if stored.len() >= 6 {
            break stored;
        }
        assert!(Instant::now() < end, "{stored:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    // A second from moment to moment; a busy machine may skip some, an outage would show as more.
    assert!(widest_gap(&stored) < 3.5, "{stored:?}\n{}", rig.last_words());
    let text = rig.last_words();
    assert!(!text.contains(PASSWORD), "{text}");
    assert!(daemon.stop());
}
