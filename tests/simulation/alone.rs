//! Each fault alone, by name: it strikes often, nothing else goes wrong, and everything comes to rest
//! as it must. A shift in which it found nothing to strike does not count.

use crate::{dice::Dice, faults::Fault, shift, store::Trouble};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// Something in the world beside the calls to the store.
    World(Fault),
    /// A call to the store.
    Call(Trouble),
    /// The daemon dies at durable points.
    Kill,
    /// The power goes at durable points.
    PowerCut,
    /// It goes, and the clock says 1970 at every boot.
    Boot1970,
}

/// Shifts in which it has to strike, as many as there is time for, and shifts that it may take to get
/// there.
const STRUCK: usize = if cfg!(debug_assertions) { 1 } else { 5 };
const SHIFTS_MAX: u64 = 60;

fn survives(alone: Alone) {
    let mut struck = 0;
    // Other seeds for every fault.
    let name =
        format!("{alone:?}").bytes().fold(0u64, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte));
    let first = 1 + Dice::new(name).bits() % 1_000_000;
    for seed in first..first + SHIFTS_MAX {
        let outcome = shift::alone(seed, alone);
        if let Some(violation) = outcome.violation {
            panic!("{alone:?}, seed {seed}: {}: {}", violation.name, violation.words);
        }
        let tally = outcome.tally;
        struck += usize::from(match alone {
            Alone::World(fault) => tally.faults.contains_key(&format!("world: {fault:?}")),
            Alone::Call(trouble) => tally.faults.contains_key(&format!("store: {trouble:?}")),
            Alone::Kill => tally.crashes > 0,
            Alone::PowerCut => tally.power_cuts > 0,
            Alone::Boot1970 => tally.faults.contains_key("clock: 1970 at boot"),
        });
        if struck == STRUCK {
            return;
        }
    }
    panic!("{alone:?} struck in {struck} of {SHIFTS_MAX} shifts");
}

macro_rules! alone {
    ($($name:ident: $alone:expr,)*) => {
        $(#[test]
        fn $name() {
            survives($alone);
        })*
    };
}

alone! {
    yanked: Alone::World(Fault::Yank),
    yanked_mid_read: Alone::World(Fault::YankMidRead),
    put_into_another_bay: Alone::World(Fault::InsertElsewhere),
    duplicate_serial: Alone::World(Fault::DuplicateSerial),
    brown_out: Alone::World(Fault::BrownOut),
    still_written: Alone::World(Fault::StillWritten),
    wrong_digest: Alone::World(Fault::WrongDigest),
    sequence_gap: Alone::World(Fault::SequenceGap),
    short_read: Alone::World(Fault::ShortRead),
    stall: Alone::World(Fault::Stall),
    flipped_read: Alone::World(Fault::FlippedRead),
    unreadable_file: Alone::World(Fault::UnreadableFile),
    card_does_not_list: Alone::World(Fault::CardDoesNotList),
    write_protected: Alone::World(Fault::WriteProtected),
    replaced: Alone::World(Fault::Replaced),
    outage: Alone::World(Fault::Outage),
    store_restored_from_yesterdays_backup: Alone::World(Fault::StoreRestored),
    disk_full: Alone::World(Fault::DiskFull),
    disk_eio: Alone::World(Fault::DiskFails),
    fsync_of_the_log_eio: Alone::World(Fault::SyncFails),
    rot_in_the_spool: Alone::World(Fault::SpoolRot),
    rot_in_the_journal: Alone::World(Fault::JournalRot),
    clock_step: Alone::World(Fault::ClockStep),
    clock_backwards: Alone::World(Fault::ClockBackwards),
    clock_1970_at_boot: Alone::Boot1970,
    killed_at_durable_points: Alone::Kill,
    power_cut_at_durable_points_with_torn_and_lost_writes: Alone::PowerCut,
    drop: Alone::Call(Trouble::Drop),
    reset: Alone::Call(Trouble::Reset),
    lost_acknowledgement: Alone::Call(Trouble::LostAcknowledgement),
    half_open: Alone::Call(Trouble::HalfOpen),
    delayed_until_long_after: Alone::World(Fault::LateArrival),
    server_5xx: Alone::Call(Trouble::Server5xx),
    unauthorised_401: Alone::Call(Trouble::Unauthorised401),
    forbidden_403: Alone::Call(Trouble::Forbidden403),
    skewed_403: Alone::Call(Trouble::Skewed403),
    no_such_upload_404: Alone::Call(Trouble::NoSuchUpload404),
    conflict_409: Alone::Call(Trouble::Conflict409),
    exists_412: Alone::Call(Trouble::Exists412),
    slow_down_503: Alone::Call(Trouble::SlowDown503),
    slow_down_503_names_its_time: Alone::Call(Trouble::SlowDown503NamesItsTime),
    full_507: Alone::Call(Trouble::Full507),
    error_inside_200: Alone::Call(Trouble::ErrorInside200),
    error_inside_200_though_done: Alone::Call(Trouble::ErrorInside200ThoughDone),
    acknowledged_and_not_done: Alone::Call(Trouble::AcknowledgedAndNotDone),
    captive_portal: Alone::Call(Trouble::CaptivePortal),
    untrusted: Alone::Call(Trouble::Untrusted),
    forgotten_part: Alone::Call(Trouble::ForgottenPart),
    listing_doubled_and_unsorted: Alone::Call(Trouble::ListingDoubledAndUnsorted),
    wrong_etag: Alone::Call(Trouble::WrongEtag),
    flipped_bit: Alone::Call(Trouble::FlippedBit),
    stale_answer: Alone::Call(Trouble::StaleAnswer),
}
