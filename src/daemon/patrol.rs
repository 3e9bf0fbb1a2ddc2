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
    dock::{Event, Records as _, lacking::LOOKED_APART, state::ObjectState},
    types::ObjectId,
};
use jiff::{SignedDuration, Timestamp};
use std::{sync::Arc, time::Duration};

/// Objects asked for in one round.
const ROUND: usize = 8;
/// Receipts older than this are not asked about: no store's retention ends sooner.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long after a start the first round is, and how long after a round the next.
const FIRST: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_secs(24 * 3600);
/// How long after a round in which the store could not be asked the next one is.
const AGAIN: Duration = Duration::from_secs(600);

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

/// Goes its rounds for ever. What is missed is looked for once more before the core hears of it.
pub async fn patrol(uploads: Arc<Uploads>, core: Core, clock: Arc<dyn Clock>) {
    let mut wait = FIRST;
    loop {
        tokio::time::sleep(wait).await;
        let first = round(&uploads, clock.now()).await;
        wait = if first.silent.is_some() { AGAIN } else { EVERY };
        if first.lacks.is_empty() {
            continue;
        }
        let missed = first.lacks.len();
        tracing::error!(missed, "the store lacks what it acknowledged; it is asked once more");
        tokio::time::sleep(Duration::try_from(LOOKED_APART).unwrap_or_default()).await;
        for (object, _) in first.lacks {
            let Ok(Some(state)) = uploads.journal.view().object(object) else { continue };
            if let StoreLook::Lacks(words) = uploads.look(&state).await
                && core.send(Event::StoreLacks { object, words }).await.is_err()
            {
                return;
            }
        }
        // There may be more where these came from.
        wait = AGAIN;
    }
}
