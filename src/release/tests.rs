use super::*;
use crate::types::{CameraId, RecordingId, SourcePath, Trust};
use uuid::Uuid;

const OBJECT: ObjectId = ObjectId(Uuid::from_u128(7));

fn policy() -> Policy {
    Policy {
        enabled: true,
        level_min: ReceiptLevel::ReadBack,
        age_min: SignedDuration::from_hours(1),
        erase_unverified: true,
        still_min: SignedDuration::from_secs(30),
        reread: true,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn hashed() -> Hashed {
    Hashed { size: 3, sha256: Sha256Digest::of(b"abc") }
}

fn segment(expected: Option<Sha256Digest>) -> Segment {
    Segment {
        id: SegmentId(Uuid::from_u128(1)),
        recording: RecordingId(Uuid::from_u128(2)),
        camera: CameraId::new("BWC1").unwrap(),
        kind: FileKind::Media,
        index: 1,
        source: Source {
            path: SourcePath::new("a.mp4").unwrap(),
            size: 3,
            modified_ms: None,
            expected,
            mark: None,
        },
        trust: if expected.is_some() { Trust::Signed } else { Trust::None },
        partial: false,
        started: None,
        ended: None,
    }
}

fn receipt() -> ReceiptRef {
    ReceiptRef { sha256: Sha256Digest([9; 32]), level: ReceiptLevel::Sha256PerPart }
}

fn good<'a>(segment: &'a Segment, receipt: &'a ReceiptRef) -> Evidence<'a> {
    let verdict =
        if segment.source.expected.is_some() { Verdict::Verified } else { Verdict::Unverified };
    Evidence {
        segment,
        sealed: Some(Sealed { object: OBJECT, verdict, plain: hashed(), at: at(0) }),
        receipt: Some((receipt, OBJECT)),
        described: true,
        second_read: None,
        reread_age: None,
        held: None,
        erase_allowed: true,
        needed_by_others: false,
        incomplete: false,
        journal_damaged: false,
    }
}

fn stays(evidence: &Evidence<'_>, because: Obstacle) {
    match evaluate(&policy(), evidence, at(7200)) {
        Decision::Stay(obstacles) => assert!(obstacles.contains(&because), "{obstacles:?}"),
        other => panic!("{because:?} was overlooked: {other:?}"),
    }
}

#[test]
fn a_verified_stored_receipted_segment_is_released() {
    let (segment, receipt) = (segment(Some(hashed().sha256)), receipt());
    match evaluate(&policy(), &good(&segment, &receipt), at(7200)) {
        Decision::Release(permit) => {
            assert_eq!(permit.segment(), segment.id);
            assert_eq!(permit.receipt(), receipt.sha256);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_condition_alone_keeps_it_on_the_camera() {
    let (sound, receipt) = (segment(Some(hashed().sha256)), receipt());
    let base = good(&sound, &receipt);
    let other = ObjectId(Uuid::from_u128(8));
    stays(&Evidence { sealed: None, ..base.clone() }, Obstacle::NotSealed);
    stays(&Evidence { receipt: None, ..base.clone() }, Obstacle::NoReceipt);
    stays(
        &Evidence { receipt: Some((&receipt, other)), ..base.clone() },
        Obstacle::ReceiptOfAnotherObject,
    );
    stays(&Evidence { described: false, ..base.clone() }, Obstacle::NotDescribed);
    stays(&Evidence { held: Some("case 7"), ..base.clone() }, Obstacle::Held("case 7".into()));
    stays(&Evidence { erase_allowed: false, ..base.clone() }, Obstacle::EraseNotAllowed);
    stays(&Evidence { needed_by_others: true, ..base.clone() }, Obstacle::NeededByOthers);
    stays(&Evidence { incomplete: true, ..base.clone() }, Obstacle::Incomplete);
    stays(&Evidence { journal_damaged: true, ..base.clone() }, Obstacle::JournalDamaged);
    let weak = ReceiptRef { level: ReceiptLevel::Md5PerPart, ..receipt.clone() };
    stays(
        &Evidence { receipt: Some((&weak, OBJECT)), ..base.clone() },
        Obstacle::ReceiptTooWeak { level: weak.level, wanted: ReceiptLevel::ReadBack },
    );
    let young = Sealed { at: at(7000), ..base.sealed.unwrap() };
    stays(
        &Evidence { sealed: Some(young), ..base.clone() },
        Obstacle::TooYoung { until: at(10_600) },
    );
}

#[test]
fn no_unsound_verdict_is_ever_released() {
    let (sound, receipt) = (segment(Some(hashed().sha256)), receipt());
    for verdict in
        [Verdict::BadSignature, Verdict::Mismatched, Verdict::Partial, Verdict::Unreadable]
    {
        let mut evidence = good(&sound, &receipt);
        evidence.sealed = Some(Sealed { verdict, ..evidence.sealed.unwrap() });
        stays(&evidence, Obstacle::Unsound(verdict));
    }
}

#[test]
fn a_verdict_is_not_believed_over_the_digests() {
    let (wrong, receipt) = (segment(Some(Sha256Digest([1; 32]))), receipt());
    stays(&good(&wrong, &receipt), Obstacle::DigestDiffers);
    let mut longer = segment(Some(hashed().sha256));
    longer.source.size = 4;
    stays(&good(&longer, &receipt), Obstacle::DigestDiffers);
}

#[test]
fn without_a_digest_two_equal_reads_are_needed() {
    let (bare, receipt) = (segment(None), receipt());
    let once = good(&bare, &receipt);
    assert_eq!(evaluate(&policy(), &once, at(7200)), Decision::ReadAgain);
    // Two reads in one breath say nothing about a file that is still being written.
    let now = Policy { age_min: SignedDuration::ZERO, ..policy() };
    let until = at(30);
    assert_eq!(
        evaluate(&now, &once, at(29)),
        Decision::Stay(vec![Obstacle::NotStillYet { until }])
    );
    assert_eq!(evaluate(&now, &once, until), Decision::ReadAgain);
    let twice = Evidence { second_read: Some(hashed()), ..once.clone() };
    assert!(matches!(evaluate(&policy(), &twice, at(7200)), Decision::Release(_)));
    let other = Hashed { size: 3, sha256: Sha256Digest([1; 32]) };
    stays(&Evidence { second_read: Some(other), ..once.clone() }, Obstacle::SecondReadDiffers);
    let strict = Policy { erase_unverified: false, ..policy() };
    assert_eq!(
        evaluate(&strict, &twice, at(7200)),
        Decision::Stay(vec![Obstacle::UnverifiedStays])
    );
}

#[test]
fn a_disabled_policy_releases_nothing_and_orphans_never_go() {
    let (mut file, receipt) = (segment(Some(hashed().sha256)), receipt());
    let off = Policy { enabled: false, ..policy() };
    assert_eq!(
        evaluate(&off, &good(&file, &receipt), at(7200)),
        Decision::Stay(vec![Obstacle::ReleaseDisabled])
    );
    file.kind = FileKind::Orphan;
    stays(&good(&file, &receipt), Obstacle::Unclaimed);
}

#[test]
fn a_clock_set_back_delays_and_never_hastens() {
    let (segment, receipt) = (segment(Some(hashed().sha256)), receipt());
    let decision = evaluate(&policy(), &good(&segment, &receipt), at(-100));
    assert_eq!(decision, Decision::Stay(vec![Obstacle::TooYoung { until: at(3600) }]));
}

#[test]
fn no_permit_without_a_fresh_read_that_gives_what_was_sealed_and_the_stores_word() {
    let (segment, receipt) = (segment(Some(hashed().sha256)), receipt());
    let approval = |policy: Policy, reread_age| {
        let evidence = Evidence { reread_age, ..good(&segment, &receipt) };
        match evaluate(&policy, &evidence, at(7200)) {
            Decision::Release(approval) => *approval,
            other => panic!("{other:?}"),
        }
    };
    let ago = |seconds| Some(SignedDuration::from_secs(seconds));
    let stored = StoredProof::for_test(approval(policy(), None).object());
    for age in [None, ago(61), ago(-1)] {
        assert!(approval(policy(), age).needs_read(), "{age:?}");
        assert_eq!(approval(policy(), age).confirmed_by(None, &stored), None);
        assert!(approval(policy(), age).confirmed_by(Some(hashed()), &stored).is_some());
        let replaced = Hashed { size: 3, sha256: Sha256Digest::of(b"abd") };
        assert_eq!(approval(policy(), age).confirmed_by(Some(replaced), &stored), None);
    }
    let read_just_now = approval(policy(), ago(60));
    assert!(read_just_now.confirmed_by(None, &stored).is_some());
    let trusting = Policy { reread: false, ..policy() };
    assert!(approval(trusting, None).confirmed_by(None, &stored).is_some());
    let another = StoredProof::for_test(ObjectId(uuid::Uuid::from_u128(99)));
    assert_eq!(approval(trusting, None).confirmed_by(None, &another), None);
}
