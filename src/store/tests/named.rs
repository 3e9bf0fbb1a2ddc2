//! One named test for each way an upload can go wrong.

use super::{ALL, End, NOTHING, PART, World, body, rule};
use crate::{
    spool::SpoolFile,
    store::{
        Enforces, Fault, ObjectHead,
        sim::{Kind, Trouble},
    },
    transfer::{Call, Resume, Step, Why},
    types::{ReceiptLevel, fact::Fact},
};
use jiff::SignedDuration;
use std::{sync::Arc, time::Duration};

fn stored(size: usize, script: Vec<crate::store::sim::Rule>) -> World {
    let mut world = World::new(size, ALL, script, 1);
    let end = world.run();
    let proof = world.assert_stored(&end);
    assert_eq!(proof.level(), ReceiptLevel::Sha256PerPart);
    assert_eq!(world.store.open(), 0);
    world
}

#[test]
fn without_trouble_nothing_is_asked_twice() {
    let world = stored(45, vec![]);
    let asked = |kind| world.store.calls(kind);
    assert_eq!((asked(Kind::Create), asked(Kind::PutPart), asked(Kind::Complete)), (1, 5, 1));
    assert_eq!((asked(Kind::Head), asked(Kind::Parts), asked(Kind::ReadBack)), (1, 0, 0));
    assert_eq!(world.most_in_flight, 3);
    assert!(world.waited.is_empty());
}

#[test]
fn one_byte_is_one_part() {
    assert_eq!(stored(1, vec![]).store.calls(Kind::PutPart), 1);
}

#[test]
fn a_lost_answer_to_create_is_found_and_not_made_twice() {
    let world = stored(25, vec![rule(Kind::Create, 1, Trouble::DropAfter)]);
    assert_eq!((world.store.calls(Kind::Create), world.store.calls(Kind::OpenUploads)), (1, 1));
}

#[test]
fn a_lost_answer_to_complete_is_found_by_looking() {
    let world = stored(25, vec![rule(Kind::Complete, 1, Trouble::DropAfter)]);
    assert_eq!((world.store.calls(Kind::Complete), world.store.calls(Kind::PutPart)), (1, 3));
}

#[test]
fn a_forgotten_upload_is_begun_again_from_the_spool() {
    let world = stored(25, vec![rule(Kind::PutPart, 3, Trouble::ForgetUploads)]);
    assert_eq!(world.store.calls(Kind::Create), 2);
    let abandoned = |fact: &&Fact| matches!(fact, Fact::UploadAbandoned { .. });
    assert_eq!(world.durable.iter().filter(abandoned).count(), 1);
}

#[test]
fn a_complete_that_destroys_the_upload_costs_the_upload_only() {
    let world = stored(25, vec![rule(Kind::Complete, 1, Trouble::ForgetUploads)]);
    assert_eq!((world.store.calls(Kind::Create), world.store.calls(Kind::PutPart)), (2, 6));
}

#[test]
fn a_store_that_forgets_every_upload_ends_in_words() {
    let script = (1..=8).map(|nth| rule(Kind::Complete, nth, Trouble::ForgetUploads)).collect();
    let mut world = World::new(25, ALL, script, 1);
    let End::GaveUp(end) = world.run() else { panic!() };
    assert_eq!(end.why, Why::Refused);
    assert!(end.words.contains("have the store examined"), "{}", end.words);
}

#[test]
fn a_part_the_store_lost_is_the_only_one_sent_again() {
    let world = stored(45, vec![rule(Kind::Complete, 1, Trouble::ForgetPart)]);
    assert_eq!((world.store.calls(Kind::Create), world.store.calls(Kind::PutPart)), (1, 6));
}

#[test]
fn an_etag_the_store_does_not_stand_by_is_corrected_from_its_list() {
    let world = stored(25, vec![rule(Kind::PutPart, 2, Trouble::WrongEtag)]);
    assert_eq!((world.store.calls(Kind::PutPart), world.store.calls(Kind::Complete)), (3, 2));
}

#[test]
fn after_a_restart_only_what_was_on_its_way_is_sent_again() {
    let mut world = World::new(95, ALL, vec![rule(Kind::Parts, 1, Trouble::DoubledRows)], 3);
    let mut upload = world.upload(Resume::default());
    while world.store.calls(Kind::PutPart) < 6 {
        assert!(world.step(&mut upload).is_none());
    }
    // The dock dies without a word to the parts on their way, and without its last progress.
    (world.in_flight, world.lagging) = (vec![], vec![]);
    let resume = world.remembered();
    let mut upload = world.upload(resume);
    let end = world.finish(&mut upload);
    world.assert_stored(&end);
    // Ten parts; six were there; the one whose rows contradict each other is sent once more.
    assert_eq!(world.store.calls(Kind::PutPart), 6 + 4 + 1);
}

#[test]
fn an_upload_the_dock_forgot_is_adopted_and_older_ones_are_ended() {
    let mut world = World::new(25, ALL, vec![], 1);
    for _ in 0..3 {
        world.perform(&Call::Create).unwrap();
    }
    let upload = "upload-3".to_owned();
    world.perform(&Call::PutPart { upload, number: 2 }).unwrap();
    let mut upload = world.upload(Resume { maybe_begun: true, ..Resume::default() });
    let end = world.finish(&mut upload);
    world.assert_stored(&end);
    assert_eq!((world.store.calls(Kind::Create), world.store.calls(Kind::PutPart)), (3, 3));
    assert_eq!((world.store.calls(Kind::Abort), world.store.open()), (2, 0));
}

#[test]
fn an_equal_object_that_is_there_already_is_success_and_our_upload_is_ended() {
    let mut world = World::new(25, ALL, vec![], 1);
    world.run();
    // The same object again, by a dock that remembers nothing.
    let mut upload = world.upload(Resume::default());
    let end = world.finish(&mut upload);
    world.assert_stored(&end);
    assert_eq!((world.store.calls(Kind::Complete), world.store.open()), (2, 0));
}

#[test]
fn another_object_under_our_key_is_an_alarm_whether_or_not_the_store_minds() {
    for enforces in [ALL, NOTHING] {
        let mut world = World::new(25, enforces, vec![], 1);
        let head = ObjectHead { size: 3, etag: "x".into(), ..ObjectHead::default() };
        world.store.plant(&world.object.key.clone(), b"abc", head);
        let End::GaveUp(end) = world.run() else { panic!() };
        assert_eq!(end.why, Why::Unequal);
        assert!(end.words.contains("was not overwritten"), "{}", end.words);
        assert_eq!(world.store.versions(&world.object.key).len(), 1);
    }
}

#[test]
fn a_store_that_proves_nothing_is_read_back() {
    let mut world = World::new(25, NOTHING, vec![], 1);
    let end = world.run();
    assert_eq!(world.assert_stored(&end).level(), ReceiptLevel::ReadBack);
    assert_eq!(world.store.calls(Kind::ReadBack), 1);
}

#[test]
fn md5_of_every_part_is_enough_only_where_it_was_asked_for() {
    let md5 = Enforces { md5: true, ..NOTHING };
    for (wanted, level, reads) in [
        (ReceiptLevel::Md5PerPart, ReceiptLevel::Md5PerPart, 0),
        (ReceiptLevel::ReadBack, ReceiptLevel::ReadBack, 1),
        (ReceiptLevel::Sha256PerPart, ReceiptLevel::ReadBack, 1),
    ] {
        let mut world = World::new(25, md5, vec![], 1);
        world.limits.wanted = wanted;
        let end = world.run();
        assert_eq!(world.assert_stored(&end).level(), level);
        assert_eq!(world.store.calls(Kind::ReadBack), reads);
    }
}

#[test]
fn a_bit_that_flips_on_the_way_to_a_store_that_checks_nothing_is_never_called_stored() {
    let mut world = World::new(25, NOTHING, vec![rule(Kind::PutPart, 2, Trouble::FlipBit)], 1);
    let End::GaveUp(end) = world.run() else { panic!() };
    assert_eq!(end.why, Why::Unequal);
}

#[test]
fn a_bit_that_flips_on_the_way_is_sent_again_where_the_store_checks() {
    let world = stored(25, vec![rule(Kind::PutPart, 2, Trouble::FlipBit)]);
    assert_eq!(world.store.calls(Kind::PutPart), 4);
}

#[test]
fn a_spool_file_that_changed_is_found_out_and_not_sent_for_ever() {
    let mut world = World::new(25, ALL, vec![], 1);
    let mut bytes = body(25);
    bytes[17] ^= 1;
    world.file = SpoolFile::from_bytes(bytes);
    let End::GaveUp(end) = world.run() else { panic!() };
    assert_eq!(end.why, Why::SpoolDamaged);
    world.file = SpoolFile::from_bytes(body(24));
    let End::GaveUp(end) = world.run() else { panic!() };
    assert_eq!(end.why, Why::SpoolDamaged);
}

/// Nothing but reading it back tells, and then the spool is asked before the store is blamed: the
/// segment is read and sealed again as another object, under another key.
#[test]
fn what_rotted_in_the_spool_is_found_out_behind_a_store_that_checks_nothing() {
    let mut bytes = body(25);
    bytes[17] ^= 1;
    let mut world = World::new(25, NOTHING, vec![], 1);
    world.file = SpoolFile::from_bytes(bytes);
    let End::GaveUp(end) = world.run() else { panic!() };
    assert_eq!(end.why, Why::SpoolDamaged, "{}", end.words);
    assert_eq!(world.store.calls(Kind::ReadBack), 1);
    // After a restart the same, though nothing is sent any more.
    let sent = world.store.calls(Kind::PutPart);
    let again = |world: &World| world.upload(Resume { maybe_begun: true, ..Resume::default() });
    let mut upload = again(&world);
    let End::GaveUp(end) = world.finish(&mut upload) else { panic!() };
    assert_eq!((end.why, world.store.calls(Kind::PutPart)), (Why::SpoolDamaged, sent));
    // What the spool is innocent of stays an alarm.
    world.file = SpoolFile::from_bytes(body(25));
    let mut upload = again(&world);
    let End::GaveUp(end) = world.finish(&mut upload) else { panic!() };
    assert_eq!(end.why, Why::Unequal, "{}", end.words);
}

#[test]
fn a_damaged_spool_file_is_found_out_before_anybody_waits() {
    let mut world = World::new(25, ALL, vec![], 1);
    world.file = SpoolFile::from_bytes(vec![0; 25]);
    assert!(matches!(world.run(), End::GaveUp(_)));
    assert!(world.waited.is_empty());
}

#[test]
fn an_upload_whose_complete_is_refused_is_begun_anew_even_over_restarts() {
    let refused = |nth| rule(Kind::Complete, nth, Trouble::Say(Fault::Refused));
    let mut world = World::new(25, ALL, (1..=4).map(refused).collect(), 1);
    let mut upload = world.upload(Resume::default());
    let end = loop {
        let waits = world.waited.len();
        if let Some(end) = world.step(&mut upload) {
            break end;
        }
        if world.waited.len() > waits {
            world.durable.append(&mut world.lagging);
            let resume = world.remembered();
            upload = world.upload(resume);
        }
    };
    world.assert_stored(&end);
    assert_eq!((world.store.calls(Kind::Create), world.store.calls(Kind::PutPart)), (2, 6));
}

#[test]
fn a_network_that_changes_data_every_time_ends_in_words() {
    let script = (1..=60).map(|nth| rule(Kind::PutPart, nth, Trouble::FlipBit)).collect();
    let mut world = World::new(5, ALL, script, 1);
    let End::GaveUp(end) = world.run() else { panic!() };
    assert!(end.words.contains("the spool file is intact"), "{}", end.words);
}

#[test]
fn an_old_answer_after_complete_does_not_send_everything_again() {
    let world = stored(25, vec![rule(Kind::Head, 1, Trouble::Stale)]);
    assert_eq!((world.store.calls(Kind::Complete), world.store.calls(Kind::PutPart)), (1, 3));
}

#[test]
fn wrong_credentials_wait_for_a_person_and_say_so() {
    let world = stored(5, vec![rule(Kind::PutPart, 1, Trouble::Say(Fault::Denied))]);
    assert!(world.waited[0] >= SignedDuration::from_secs(150));
    let words = |fact: &Fact| match fact {
        Fact::UploadFailed { words, attempts: 1, .. } => words.contains("check the credentials"),
        _ => false,
    };
    assert!(world.durable.iter().any(words), "{:?}", world.durable);
}

#[test]
fn a_busy_store_gets_the_time_it_asks_for() {
    let busy = Fault::Busy { retry_after: Some(Duration::from_secs(77)) };
    let world = stored(5, vec![rule(Kind::Create, 1, Trouble::Say(busy))]);
    assert!(world.waited[0] >= SignedDuration::from_secs(77));
}

#[test]
fn a_wrong_clock_is_tried_again_at_once_but_only_once() {
    let skewed = |nth| rule(Kind::Create, nth, Trouble::Say(Fault::Skewed));
    assert_eq!(stored(5, vec![skewed(1)]).waited.len(), 0);
    assert_eq!(stored(5, vec![skewed(1), skewed(2)]).waited.len(), 1);
}

#[test]
fn a_broken_line_is_one_failure_for_all_parts_and_waits_grow() {
    let drops = (1..=12).map(|nth| rule(Kind::PutPart, nth, Trouble::DropBefore)).collect();
    let world = stored(25, drops);
    let attempts = |fact: &Fact| match fact {
        Fact::UploadFailed { attempts, .. } => Some(*attempts),
        _ => None,
    };
    let attempts: Vec<_> = world.durable.iter().filter_map(attempts).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
}

#[test]
fn attempts_survive_a_restart_and_the_wait_is_kept() {
    let mut world = World::new(25, ALL, vec![], 1);
    let retry_at = world.now + SignedDuration::from_secs(99);
    let resume = Resume { attempts: 6, retry_at: Some(retry_at), ..Resume::default() };
    let mut upload = world.upload(resume);
    assert_eq!(upload.poll(world.now), Step::Wait(retry_at));
    assert_eq!(upload.attempts(), 6);
    upload.retry_now();
    assert!(matches!(upload.poll(world.now), Step::Do(Call::Head)));
    world.in_flight.push(Call::Head);
    let end = world.finish(&mut upload);
    world.assert_stored(&end);
}

#[test]
fn a_clock_set_back_does_not_make_the_wait_longer() {
    let mut world = World::new(5, ALL, vec![rule(Kind::Create, 1, Trouble::DropBefore)], 1);
    let mut upload = world.upload(Resume::default());
    while world.store.calls(Kind::Create) == 0 {
        world.step(&mut upload);
    }
    world.step(&mut upload);
    assert!(matches!(upload.poll(world.now), Step::Wait(_)));
    let long_ago = world.now - SignedDuration::from_hours(1000);
    assert!(matches!(upload.poll(long_ago), Step::Do(_)));
}

#[test]
fn a_paused_upload_lets_parts_finish_and_sends_no_more() {
    let mut world = World::new(95, ALL, vec![], 1);
    let mut upload = world.upload(Resume::default());
    while world.in_flight.len() < 3 {
        world.step(&mut upload);
    }
    upload.allow_parts(0);
    while !world.in_flight.is_empty() {
        world.step(&mut upload);
    }
    while let Step::Remember(_) = upload.poll(world.now) {}
    assert_eq!(upload.poll(world.now), Step::Paused);
    assert_eq!(upload.acked_bytes(), 3 * PART as u64);
    upload.allow_parts(1);
    world.most_in_flight = 0;
    let end = world.finish(&mut upload);
    world.assert_stored(&end);
    assert_eq!((world.most_in_flight, upload.resent_bytes()), (1, 0));
}

#[test]
fn answers_nobody_asked_for_change_nothing() {
    let mut world = World::new(25, ALL, vec![], 1);
    let mut upload = world.upload(Resume::default());
    let late = Call::PutPart { upload: "old".into(), number: 1 };
    let ack = crate::store::PartAck { etag: "x".into(), sha256_echoed: true, etag_is_md5: true };
    upload.handle(world.now, late, Ok(crate::transfer::Answer::Part(ack)));
    upload.handle(world.now, Call::Head, Ok(crate::transfer::Answer::Completed));
    let end = world.finish(&mut upload);
    world.assert_stored(&end);
    assert_eq!(world.store.calls(Kind::PutPart), 3);
}

#[test]
fn a_part_table_that_does_not_fit_the_object_is_refused() {
    let mut world = World::new(25, ALL, vec![], 1);
    let mut object = (*world.object).clone();
    object.table.parts.pop();
    world.object = Arc::new(object);
    assert!(matches!(world.run(), End::GaveUp(_)));
    assert_eq!(world.store.calls(Kind::Create), 0);
}

#[test]
fn locked_is_only_said_of_what_the_store_says_is_locked_as_long() {
    let mut world = World::new(25, ALL, vec![], 1);
    let mut object = (*world.object).clone();
    object.retain_until = Some("2026-02-05T12:00:00.5Z".parse().unwrap());
    world.object = Arc::new(object.clone());
    let end = world.run();
    let proof = world.assert_stored(&end);
    assert!(proof.is_locked_as_asked(&object));
    object.retain_until = Some("2026-02-06T12:00:00Z".parse().unwrap());
    assert!(!proof.is_locked_as_asked(&object));
}
