//! The store is looked at even when nothing is erased: at a start, and once a day, it is asked for what
//! it acknowledged last. A store that was emptied or exchanged is found then, and not when a court
//! asks.

use super::{
    core::Core,
    uploads::{StoreLook, Uploads},
    witnesses::newest_receipts,
};
use crate::{
    clock::Clock,
    dock::{
        Event, Records as _,
        state::{ObjectState, key},
    },
    types::ObjectId,
};
use jiff::{SignedDuration, Timestamp};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Objects asked for in one round.
const ROUND: usize = 8;
/// Receipts older than this are not asked about: no store's retention ends sooner.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long after a start the first round is, and how long after a round the next.
const FIRST: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_secs(24 * 3600);
/// How long after a round that missed something, or could not ask, the next one is.
const SOON: Duration = Duration::from_secs(600);
/// How often what was missed is asked for again, and how much of it at once.
const LOOK_AGAIN: Duration = Duration::from_secs(20);
const MISSED_MAX: usize = 64;

/// What a round found.
#[derive(Debug, Default)]
pub struct Round {
    /// What the store still has, as far as it was asked.
    pub held: usize,
    /// What it does not have, and its words.
    pub lacks: Vec<(ObjectId, String)>,
    /// It could not be asked, in words.
    pub silent: Option<String>,
}

/// Asks the store for the newest objects that have their receipt.
pub async fn round(uploads: &Uploads, now: Timestamp) -> Round {
    let mut round = Round::default();
    for state in newest(uploads, now).await {
        match uploads.look(&state).await {
            StoreLook::Holds(_) => round.held += 1,
            StoreLook::Lacks(words) => round.lacks.push((state.object.id, words)),
            StoreLook::Silent(words) => {
                round.silent = Some(words);
                break;
            }
        }
    }
    round
}

async fn newest(uploads: &Uploads, now: Timestamp) -> Vec<ObjectState> {
    let (folder, view) = (uploads.receipts.clone(), uploads.journal.view());
    let found = tokio::task::spawn_blocking(move || {
        let names = newest_receipts(&folder).unwrap_or_default();
        let states = names.into_iter().filter_map(|id| view.object(id).ok().flatten());
        let recent = |state: &ObjectState| {
            let age = state.stored_at.map(|at| now.duration_since(at));
            age.is_some_and(|age| age < AGE_MAX) && state.receipt.is_some() && !state.missing
        };
        states.filter(recent).take(ROUND).collect()
    });
    // It cannot panic; without an answer the next round asks.
    found.await.unwrap_or_default()
}

/// Goes its rounds for ever, and asks again for what a look has missed: the core decides when that is
/// believed.
pub async fn patrol(uploads: Arc<Uploads>, core: Core, clock: Arc<dyn Clock>) {
    let mut next = Instant::now() + FIRST;
    let mut pause = FIRST;
    loop {
        tokio::time::sleep(pause).await;
        pause = LOOK_AGAIN;
        let mut stopping = again(&uploads, &core).await;
        if Instant::now() >= next {
            let round = round(&uploads, clock.now()).await;
            let unsure = round.silent.is_some() || !round.lacks.is_empty();
            next = Instant::now() + if unsure { SOON } else { EVERY };
            for (object, words) in round.lacks {
                stopping |= core.send(Event::StoreLacks { object, words }).await.is_err();
            }
        }
        if stopping {
            return;
        }
    }
}

/// Asks once more for what was missed; true when the core is gone.
async fn again(uploads: &Uploads, core: &Core) -> bool {
    let view = uploads.journal.view();
    let missed = view.ids(key::MISSED, b"", MISSED_MAX).unwrap_or_default();
    for object in missed.iter().filter_map(|raw| ObjectId::from_slice(raw).ok()) {
        let Ok(Some(state)) = view.object(object) else { continue };
        let event = match uploads.look(&state).await {
            StoreLook::Holds(_) => Event::StoreHolds { object },
            StoreLook::Lacks(words) => Event::StoreLacks { object, words },
            StoreLook::Silent(_) => return false,
        };
        if core.send(event).await.is_err() {
            return true;
        }
    }
    false
}
