//! Random faults, random order, random crashes: at the end the object is there once, or the dock
//! does not say that it is.

use super::{ALL, End, NOTHING, World};
use crate::{
    store::{
        Enforces, Fault, ObjectHead,
        sim::{Kind, Rule, Trouble},
    },
    transfer::{Resume, Why},
    types::ReceiptLevel,
};
use proptest::prelude::*;

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Create),
        Just(Kind::OpenUploads),
        Just(Kind::Parts),
        Just(Kind::PutPart),
        Just(Kind::PutPart),
        Just(Kind::Complete),
        Just(Kind::Complete),
        Just(Kind::Abort),
        Just(Kind::Head),
        Just(Kind::ReadBack),
    ]
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    let say = prop_oneof![
        Just(Fault::Server),
        Just(Fault::Busy { retry_after: None }),
        Just(Fault::Full),
        Just(Fault::Denied),
        Just(Fault::Skewed),
        Just(Fault::Missing),
        Just(Fault::Conflict),
        Just(Fault::Exists),
        Just(Fault::NotTheStore),
        Just(Fault::Refused),
        Just(Fault::BadDigest),
    ];
    prop_oneof![
        3 => Just(Trouble::DropBefore),
        3 => Just(Trouble::DropAfter),
        2 => say.prop_map(Trouble::Say),
        1 => Just(Trouble::WrongEtag),
        1 => Just(Trouble::FlipBit),
        1 => Just(Trouble::ForgetUploads),
        1 => Just(Trouble::ForgetPart),
        1 => Just(Trouble::DoubledRows),
        1 => Just(Trouble::Stale),
    ]
}

fn any_script() -> impl Strategy<Value = Vec<Rule>> {
    let rule = (any_kind(), 1_u32..8, any_trouble());
    let rule = rule.prop_map(|(kind, nth, trouble)| Rule { kind, nth, trouble });
    prop::collection::vec(rule, 0..14)
}

fn any_enforces() -> impl Strategy<Value = Enforces> {
    let any = any::<(bool, bool, bool)>();
    let any = any.prop_map(|(sha256, md5, if_none_match)| Enforces { sha256, md5, if_none_match });
    prop_oneof![Just(ALL), Just(NOTHING), any]
}

fn has(script: &[Rule], wanted: impl Fn(Trouble) -> bool) -> bool {
    script.iter().any(|rule| wanted(rule.trouble))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn stored_once_or_not_called_stored(
        script in any_script(),
        enforces in any_enforces(),
        size in 1_usize..56,
        seed: u64,
        crashes in prop::collection::vec(1_usize..60, 0..4),
    ) {
        let mut world = World::new(size, enforces, script.clone(), seed);
        let mut upload = world.upload(Resume::default());
        let mut end = None;
        for steps in crashes {
            end = (0..steps).find_map(|_| world.step(&mut upload));
            if end.is_some() {
                break;
            }
            upload = world.crash();
        }
        let end = end.unwrap_or_else(|| world.finish(&mut upload));

        let versions = world.store.versions(&world.object.key);
        match end {
            End::Done(proof) => {
                let newest = versions.last().expect("called stored and is not there");
                prop_assert_eq!(&newest.bytes, &world.bytes);
                prop_assert_eq!(&newest.tagging, "class=unreviewed");
                prop_assert!(proof.level() >= ReceiptLevel::ReadBack);
                prop_assert!(proof.level() < ReceiptLevel::Sha256PerPart || enforces.sha256);
                // A second version takes a store without conditions that also shows old answers.
                let old = has(&script, |t| t == Trouble::Stale) && !enforces.if_none_match;
                prop_assert!(versions.len() == 1 || old, "{} versions", versions.len());
            }
            End::GaveUp(end) => {
                let flipped = has(&script, |t| t == Trouble::FlipBit);
                match end.why {
                    // A store that checks nothing was handed a body that had changed on its way.
                    Why::Unequal => prop_assert!(flipped && !(enforces.sha256 || enforces.md5)),
                    Why::SpoolDamaged => prop_assert!(false, "{}", end.words),
                    Why::Refused => prop_assert!(
                        has(&script, |t| matches!(
                            t,
                            Trouble::Say(Fault::Refused | Fault::Exists | Fault::Missing
                                | Fault::BadDigest)
                                | Trouble::FlipBit | Trouble::ForgetUploads | Trouble::ForgetPart
                        )),
                        "{}", end.words
                    ),
                }
            }
        }
        prop_assert!(world.most_in_flight <= 3);
    }

    #[test]
    fn what_is_not_ours_is_never_overwritten_and_never_called_stored(
        script in any_script(),
        enforces in any_enforces(),
        size in 1_usize..40,
        seed: u64,
        same_size: bool,
        begun: bool,
    ) {
        // An old answer on a store without conditions is beyond help: versions keep the older one.
        prop_assume!(enforces.if_none_match || !has(&script, |t| t == Trouble::Stale));
        let mut world = World::new(size, enforces, script, seed);
        let theirs = vec![0xee; if same_size { size } else { size + 1 }];
        let head = ObjectHead {
            size: theirs.len() as u64, etag: "e".repeat(32), ..ObjectHead::default()
        };
        world.store.plant(&world.object.key.clone(), &theirs, head);
        let mut upload = world.upload(Resume { maybe_begun: begun, ..Resume::default() });
        let end = world.finish(&mut upload);
        prop_assert!(matches!(end, End::GaveUp(_)), "{:?}", end);
        let versions = world.store.versions(&world.object.key);
        prop_assert_eq!(versions.len(), 1);
        prop_assert_eq!(&versions[0].bytes, &theirs);
    }
}
