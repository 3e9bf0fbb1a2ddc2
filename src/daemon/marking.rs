//! What a class asks of the store, brought about there: one object at a time.

use super::uploads::Uploads;
use crate::{
    dock::{event::MarkEnd, state::ObjectState},
    store::{Fault, StoreError, establish},
    transfer::{Random, marks},
    types::fact::{MarksAsked, SealedObject},
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

impl Uploads {
    /// Marks a stored object as `asked`, and reads back what the store keeps.
    pub async fn mark(&self, state: &ObjectState, asked: MarksAsked) -> MarkEnd {
        match self.try_mark(state, asked).await {
            Ok(seen) => MarkEnd::Seen(seen),
            Err(error) => {
                let attempts = state.marking.attempts.saturating_add(1);
                let seed = super::doors::store_seed(state.object.id);
                let mut random = Random::new(seed.wrapping_add(attempts.into()));
                let wait = self.limits.backoff.wait(error.fault, attempts, &mut random);
                let retry_at = self.clock.now().checked_add(wait).unwrap_or(Timestamp::MAX);
                let store_wide = error.fault.is_store_wide();
                MarkEnd::Failed { attempts, words: error.with_advice(), retry_at, store_wide }
            }
        }
    }

    async fn try_mark(
        &self,
        state: &ObjectState,
        asked: MarksAsked,
    ) -> Result<crate::types::fact::MarksSeen, StoreError> {
        self.limits().await?;
        let Some((_, version)) = &state.stored else {
            let words = "the object is not stored".into();
            return Err(StoreError { call: "marking", fault: Fault::Missing, words });
        };
        let first = state.marking.seen.is_none();
        let retain = state.object.retain_until.filter(|_| first).zip(self.lock_for);
        let wanted = marks::MarksWanted {
            asked,
            lock: self.lock_for.is_some(),
            retain_until: retain
                .map(|(asked, lock_for)| marks::retain_until(asked, self.store_now(), lock_for)),
            hold_is_ours: state.marking.hold_is_ours,
            known_class: state.marking.seen.as_ref().and_then(|seen| seen.class),
        };
        let (key, version) = (state.object.key.as_str(), version.as_deref());
        establish(&*self.store, key, version, &wanted, state.marking.attempts).await
    }

    /// The object with a lock that the best clock there is calls neither short nor absurd: it was
    /// asked for when the object was sealed, by what the dock's clock said then.
    pub(super) fn locked_within_reason(&self, object: Arc<SealedObject>) -> Arc<SealedObject> {
        let retain_until = match (object.retain_until, self.lock_for) {
            (Some(asked), Some(lock_for)) => {
                Some(marks::retain_until(asked, self.store_now(), lock_for))
            }
            // Locks were switched off, or on, since: as it is now.
            (_, None) => None,
            (None, Some(_)) => return object,
        };
        if retain_until == object.retain_until {
            return object;
        }
        Arc::new(SealedObject { retain_until, ..(*object).clone() })
    }

    /// The store's clock, as learned from its answers over TLS, or this dock's.
    fn store_now(&self) -> Timestamp {
        let offset = SignedDuration::from_millis(self.store.clock_offset_ms());
        self.clock.now().saturating_add(offset).unwrap_or(Timestamp::MAX)
    }
}
