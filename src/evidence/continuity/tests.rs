use super::*;
use proptest::prelude::*;

fn digest(n: u64) -> Sha256Digest {
    if n == 0 { Manifest::FIRST } else { Sha256Digest::of(&n.to_le_bytes()) }
}

fn link(sequence: u64) -> Link {
    Link { sequence, sha256: digest(sequence), previous: digest(sequence - 1) }
}

fn last(sequence: u64) -> Option<LastLink> {
    Some(LastLink { sequence, sha256: digest(sequence) })
}

#[test]
fn an_unbroken_chain_has_no_gap() {
    assert_eq!(continuity(None, &[]), []);
    assert_eq!(continuity(None, &[link(1), link(2), link(3)]), []);
    assert_eq!(continuity(last(3), &[link(5), link(4)]), []);
}

#[test]
fn numbers_nobody_has_are_gaps_from_one_on_when_nothing_is_known() {
    let gaps = continuity(None, &[link(3), link(7)]);
    assert_eq!(
        gaps,
        [Gap::Recordings { first: 1, last: 2 }, Gap::Recordings { first: 4, last: 6 }]
    );
    assert_eq!(continuity(last(3), &[link(5)]), [Gap::Recordings { first: 4, last: 4 }]);
}

#[test]
fn listing_known_numbers_again_is_no_gap() {
    assert_eq!(continuity(last(5), &[link(2), link(5)]), []);
}

#[test]
fn a_changed_predecessor_breaks_the_chain() {
    let torn = Link { previous: digest(99), ..link(6) };
    let gap = Gap::Chain { sequence: 6, claimed: digest(99), seen: digest(5) };
    assert_eq!(continuity(last(5), &[torn]), std::slice::from_ref(&gap));
    assert_eq!(continuity(None, &[1, 2, 3, 4, 5].map(link)), []);
    let first = Link { previous: digest(99), ..link(1) };
    let gap = Gap::Chain { sequence: 1, claimed: digest(99), seen: Manifest::FIRST };
    assert_eq!(continuity(None, &[first]), [gap]);
}

#[test]
fn two_manifests_with_one_number_are_a_break_now_and_against_history() {
    let twin = Link { sha256: digest(77), ..link(5) };
    let gap = Gap::Chain { sequence: 5, claimed: digest(77), seen: digest(5) };
    assert_eq!(continuity(last(5), &[twin]), [gap]);
    let gaps = continuity(last(4), &[link(5), twin]);
    assert!(matches!(gaps[..], [Gap::Chain { sequence: 5, .. }]), "{gaps:?}");
}

#[test]
fn the_largest_number_and_number_zero_do_no_harm() {
    let zero = Link { sequence: 0, ..link(1) };
    let most = Link { sequence: u64::MAX, ..link(1) };
    let gaps = continuity(None, &[zero, most, most]);
    assert_eq!(gaps, [Gap::Recordings { first: 1, last: u64::MAX - 1 }]);
    assert_eq!(continuity(Some(LastLink { sequence: u64::MAX, sha256: digest(1) }), &[most]), []);
}

proptest! {
    #[test]
    fn the_order_of_listing_decides_nothing(
        present in proptest::collection::btree_set(1_u64..60, 0..40),
        twins in proptest::collection::vec(1_u64..60, 0..4),
        history in 0_u64..30,
        seed: u64,
    ) {
        let mut links: Vec<Link> = present.iter().copied().map(link).collect();
        links.extend(twins.iter().map(|n| Link { sha256: digest(n + 1000), ..link(*n) }));
        let history = (history > 0).then(|| last(history)).flatten();
        let ordered = continuity(history, &links);
        links.sort_by_key(|l| (l.sequence.wrapping_mul(seed | 1), l.sha256));
        prop_assert_eq!(continuity(history, &links), ordered);
    }

    #[test]
    fn the_gaps_are_exactly_the_numbers_that_are_absent(
        present in proptest::collection::btree_set(1_u64..60, 0..40),
    ) {
        let links: Vec<Link> = present.iter().copied().map(link).collect();
        let mut absent = Vec::new();
        for gap in continuity(None, &links) {
            match gap {
                Gap::Recordings { first, last } => absent.extend(first..=last),
                other => prop_assert!(false, "{other:?}"),
            }
        }
        let highest = present.last().copied().unwrap_or(0);
        let expected: Vec<u64> = (1..highest).filter(|n| !present.contains(n)).collect();
        prop_assert_eq!(absent, expected);
    }

    #[test]
    fn two_dockings_one_after_the_other_find_what_one_finds(
        present in proptest::collection::btree_set(1_u64..60, 1..40),
        cut in 0_u64..60,
    ) {
        let early: Vec<Link> = present.iter().copied().filter(|n| *n <= cut).map(link).collect();
        let all: Vec<Link> = present.iter().copied().map(link).collect();
        let history = early.last().map(|l| LastLink { sequence: l.sequence, sha256: l.sha256 });
        let mut twice = continuity(None, &early);
        twice.extend(continuity(history, &all));
        prop_assert_eq!(twice, continuity(None, &all));
    }
}

#[test]
fn a_number_that_is_here_without_its_signature_is_not_called_missing() {
    let gaps = vec![Gap::Recordings { first: 2, last: 6 }, Gap::Recordings { first: 9, last: 9 }];
    let unproven = BTreeMap::from([(2, "R2".to_owned()), (4, "R4".to_owned()), (9, "R9".into())]);
    let signature = |sequence, name: &str| Gap::Signature { sequence, name: name.into() };
    let told = tell_unproven(gaps, &unproven);
    let expected = [
        signature(2, "R2"),
        Gap::Recordings { first: 3, last: 3 },
        signature(4, "R4"),
        Gap::Recordings { first: 5, last: 6 },
        signature(9, "R9"),
    ];
    assert_eq!(told, expected);
    let all = vec![Gap::Recordings { first: 1, last: u64::MAX }];
    let end = BTreeMap::from([(u64::MAX, "end".to_owned())]);
    assert_eq!(
        tell_unproven(all, &end),
        [Gap::Recordings { first: 1, last: u64::MAX - 1 }, signature(u64::MAX, "end")]
    );
}
