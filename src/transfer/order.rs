//! Which object is next: the one with the lowest due key.
//!
//! The due key is the time of sealing, less a head start by class. So a scan of an index by due
//! key yields the order, and nothing starves: an object that has waited longer than another by
//! more than the head start goes before it whatever their classes are.
//!
//! Evidential objects have the whole head start. Quarantined ones have half of it: their camera or
//! card may be failing, so they go before what nobody has marked; but a card full of strange files
//! must not hold up what an officer marked as evidence.

use crate::types::Class;
use jiff::Timestamp;
use std::time::Duration;

/// The head start where the configuration says nothing.
pub const HEAD_START: Duration = Duration::from_secs(24 * 3600);

/// Milliseconds since 1970, shifted by class; lower goes first.
pub fn due_key(sealed_at: Timestamp, class: Class, head_start: Duration) -> i64 {
    let head_start_ms = i64::try_from(head_start.as_millis()).unwrap_or(i64::MAX);
    let shift_ms = match class {
        Class::Evidential => head_start_ms,
        Class::Quarantine => head_start_ms / 2,
        Class::Unreviewed => 0,
    };
    sealed_at.as_millisecond().saturating_sub(shift_ms)
}

/// A due key as bytes that sort as the keys do, for an index.
pub fn due_bytes(key: i64) -> [u8; 8] {
    (key as u64 ^ 1 << 63).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLASSES: [Class; 3] = [Class::Evidential, Class::Quarantine, Class::Unreviewed];

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    proptest! {
        #[test]
        fn whoever_waited_longer_by_the_head_start_goes_first(
            early in 0_i64..2_000_000_000, by in 0_i64..100_000_000,
            one in 0_usize..3, other in 0_usize..3, hours in 0_u64..1000,
        ) {
            let head_start = Duration::from_secs(hours * 3600);
            let late = early + (hours * 3600) as i64 + 1 + by;
            prop_assert!(
                due_key(at(early), CLASSES[one], head_start)
                    < due_key(at(late), CLASSES[other], head_start)
            );
        }

        #[test]
        fn of_the_same_age_evidence_goes_first(second in 0_i64..2_000_000_000) {
            let keys = CLASSES.map(|class| due_key(at(second), class, HEAD_START));
            prop_assert!(keys[0] < keys[1] && keys[1] < keys[2]);
        }

        #[test]
        fn bytes_sort_as_keys_do(one: i64, other: i64) {
            prop_assert_eq!(due_bytes(one).cmp(&due_bytes(other)), one.cmp(&other));
        }
    }

    #[test]
    fn an_absurd_head_start_does_not_overflow() {
        assert_eq!(due_key(Timestamp::MIN, Class::Evidential, Duration::MAX), i64::MIN);
    }
}
