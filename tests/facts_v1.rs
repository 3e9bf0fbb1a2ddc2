//! Every kind of fact ever written must be read for ever, and mean the same bytes.
//!
//! `tests/fixtures/facts-v1.jsonl` is only ever added to, at its end: it is one whole chain.

use bwvdock::{
    custody::chain::{Head, Verifier, encode},
    dock::{FOLD_VERSION, MemoryTable, View as _, fold},
    types::{
        Sha256Digest,
        fact::{Entry, Fact},
    },
};
use serde_json::Value;
use std::{collections::BTreeSet, ops::ControlFlow};

const FIXTURE: &str = include_str!("fixtures/facts-v1.jsonl");

/// The last line as first published: with the chain it pins every line before.
const FIRST_SEQ: u64 = 53;
const FIRST_HASH: &str = "b1a27d7321e193a39cc28b7d86be3b88721694a745c2e7ea3b3b61f5fae49f05";

/// The list of kinds, and a match that does not compile while one is missing from it.
macro_rules! kinds {
    ($($kind:ident),+ $(,)?) => {
        const KINDS: &[&str] = &[$(stringify!($kind)),+];

        fn kind(fact: &Fact) -> &'static str {
            match fact { $(Fact::$kind { .. } => stringify!($kind)),+ }
        }
    };
}

kinds! {
    DockStarted, DockStopped, CameraDocked, CameraListed, CameraFindings, EmptyCard,
    CameraRemoved, BayTrouble, AbsenceConfirmed, Acknowledged,
    RecordingSeen, GapFound, SegmentSeen, SegmentVanished, Sealed, RecordSealed, CopyFailed,
    UploadCreated, PartAcknowledged, UploadAbandoned, UploadFailed, Stored, Receipted,
    ReceiptPlaced, SpoolFreed, SpoolDamaged, SecondRead, Held, Unheld, Paused, Resumed,
    RetryAsked, Reclassed, Releasing, Released, ReleaseFailed, LogRepaired, IndexRebuilt,
    LogPruned, SourceChanged, LogDamaged, DamageAccepted, Security, PortSwitched, ClockSetting,
    ClockSet, MarksDue, Marked, MarkFailed, BatteryFault,
    StoreForgot, StoreLost, StoreMissed, StoreFound,
}

/// What may be left out of a line, by the kind of fact and the path to it.
const OPTIONAL: &[(&str, &str)] = &[
    ("camera_docked", "/model"),
    ("camera_docked", "/clock"),
    ("camera_docked", "/clock_reading"),
    ("camera_docked", "/condition"),
    ("camera_docked", "/condition/firmware"),
    ("camera_docked", "/condition/serial"),
    ("camera_docked", "/condition/battery_percent"),
    ("camera_docked", "/condition/percent_per_hour"),
    ("camera_docked", "/condition/storage_bytes"),
    ("camera_docked", "/condition/storage_free_bytes"),
    ("camera_docked", "/again"),
    ("camera_removed", "/condition"),
    ("camera_findings", "/grave"),
    ("camera_findings", "/clock"),
    ("camera_findings", "/noted"),
    ("empty_card", "/noted"),
    ("segment_vanished", "/words"),
    ("segment_vanished", "/superseded"),
    ("recording_seen", "/recording/manifest/claimed"),
    ("recording_seen", "/recording/officer"),
    ("recording_seen", "/recording/started"),
    ("recording_seen", "/recording/stopped"),
    ("recording_seen", "/recording/flags"),
    ("recording_seen", "/recording/bookmarks"),
    ("recording_seen", "/recording/bookmarks/1/label"),
    ("recording_seen", "/recording/segments_expected"),
    ("recording_seen", "/recording/manifest"),
    ("recording_seen", "/recording/manifest/sequence"),
    ("recording_seen", "/recording/manifest/previous"),
    ("recording_seen", "/recording/manifest/caveat"),
    ("segment_seen", "/segment/partial"),
    ("segment_seen", "/segment/started"),
    ("segment_seen", "/segment/ended"),
    ("segment_seen", "/segment/source/modified_ms"),
    ("segment_seen", "/segment/source/expected"),
    ("segment_seen", "/segment/source/mark"),
    ("second_read", "/mark"),
    ("sealed", "/object/retain_until"),
    ("upload_failed", "/need"),
    ("stored", "/version"),
    ("resumed", "/reason"),
    ("retry_asked", "/reason"),
    ("log_damaged", "/proved_hash"),
    ("security", "/measures"),
    ("clock_set", "/after"),
    ("clock_set", "/words"),
    ("marked", "/seen/class"),
    ("marked", "/seen/retain_until"),
    ("marked", "/seen/legal_hold"),
    ("marked", "/seen/noted_only"),
    ("marked", "/seen/lacks"),
    ("battery_fault", "/percent"),
    ("battery_fault", "/stops"),
];

#[test]
fn every_kind_of_fact_is_there_decodes_and_encodes_to_the_same_bytes() {
    let mut verifier = Verifier::new(Head::GENESIS);
    let mut seen = BTreeSet::new();
    for line in FIXTURE.lines() {
        let before = verifier.head();
        let entry = verifier.feed(line.as_bytes()).unwrap_or_else(|bad| {
            panic!("line {} (after {}): {}", bad.expected_seq, before.hash, bad.fault)
        });
        assert_eq!(String::from_utf8(encode(&entry)).unwrap(), line);
        seen.insert(kind(&entry.fact));
        if entry.seq == FIRST_SEQ {
            assert_eq!(verifier.head().hash.to_string(), FIRST_HASH, "an old line was altered");
        }
    }
    let missing: Vec<_> = KINDS.iter().filter(|kind| !seen.contains(*kind)).collect();
    assert!(missing.is_empty(), "no line for {missing:?}: add one at the end of the fixture");
}

/// The state that the fixture's lines fold to, by the version of the fold. When this fails and the
/// change is meant, the same log folds to other records now: raise `FOLD_VERSION`, so that every
/// index made before is made again from its log, and put the new digest here.
const FOLDED: (u32, &str) = (9, "99bcf918cbf2ab2db10fd34885d9beb4674fde1c914048dd1c0ac037bb44c4d3");

#[test]
fn the_same_log_folds_to_the_same_records_as_long_as_the_fold_has_this_version() {
    let folded = |entries: &[Entry]| {
        let mut table = MemoryTable::default();
        entries.iter().for_each(|entry| fold(entry, &mut table).unwrap());
        let mut text = Vec::new();
        table
            .scan(b"", b"", &mut |key, value| {
                text.extend_from_slice(format!("{}={}\n", hex(key), hex(value)).as_bytes());
                ControlFlow::Continue(())
            })
            .unwrap();
        Sha256Digest::of(&text).to_string()
    };
    let entries: Vec<Entry> =
        FIXTURE.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(folded(&entries), folded(&entries));
    let old = &entries[..FIRST_SEQ as usize];
    assert_eq!((FOLD_VERSION, folded(old).as_str()), FOLDED);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_may_be_left_out_is_there_once_and_left_out_once() {
    let facts: Vec<Value> = FIXTURE
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["fact"].take())
        .collect();
    for (kind, path) in OPTIONAL {
        let of_kind = || facts.iter().filter(|fact| fact["type"] == *kind);
        assert!(of_kind().any(|fact| fact.pointer(path).is_none()), "{kind}{path} always there");
        // A label is optional within each bookmark: the first has one, the second has not.
        let path = path.replace("/1/", "/0/");
        assert!(of_kind().any(|fact| fact.pointer(&path).is_some()), "{kind}{path} never there");
    }
}

#[test]
fn every_word_of_the_enums_within_facts_is_there() {
    for words in [
        &["signed", "listed", "invalid", "none"][..],
        &["media", "sidecar", "manifest", "orphan"],
        &["verified", "matched", "unverified", "mismatched", "partial", "unreadable"],
        &["bad_signature"],
        &["measured", "none", "failed"],
        &["evidential", "quarantine", "unreviewed"],
        &["size_only", "md5_per_part", "read_back", "sha256_per_part"],
        &["recordings", "signature", "chain", "segment"],
    ] {
        for word in words {
            assert!(FIXTURE.contains(&format!(":\"{word}\"")), "{word}");
        }
    }
    for matter in ["{\"gap\":{", "{\"file\":\"", "{\"finding\":\""] {
        assert!(FIXTURE.contains(matter), "{matter}");
    }
    for target in ["\"target\":\"dock\"", "{\"camera\":", "{\"recording\":", "{\"segment\":"] {
        assert!(FIXTURE.contains(target), "{target}");
    }
}
