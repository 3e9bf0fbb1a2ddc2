//! The open doors, and how each action is performed at them.

use super::{
    cameras::{Bays, Order, World},
    copy::{SmallOutcome, Watch, spool_stream},
    core::Core,
    records::{RecordStream, size_max},
    uploads::Uploads,
};
use crate::{
    clock::Clock,
    dock::{
        Action, Records as _,
        event::{CopyResult, Event, MarkEnd, NoReceipt},
    },
    journal::Journal,
    spool::{FolderSpool, Spool as _, SpoolError},
    types::{BayName, CameraId, DockId, ObjectId, RecordingId, fact::MarksAsked},
};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Everything the core acts through.
pub struct Doors {
    pub clock: Arc<dyn Clock>,
    pub core: Core,
    pub runtime: Handle,
    pub world: Arc<World>,
    pub bays: Arc<Bays>,
    pub spool: Arc<FolderSpool>,
    pub journal: Arc<Journal>,
    pub uploads: Arc<Uploads>,
    pub dock: DockId,
}

/// Spreads the waits of docks and objects.
pub fn store_seed(object: ObjectId) -> u64 {
    let bytes = object.as_bytes();
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Doors {
    /// Starts what an action asks for; never waits for its end.
    pub fn perform(&self, action: Action, camera_in: impl Fn(&BayName) -> Option<CameraId>) {
        let order = |bay: &BayName, order: Order| {
            if let Some(camera) = camera_in(bay) {
                self.bays.order(bay, &camera, order);
            }
        };
        match action {
            Action::List { bay } => order(&bay, Order::List),
            Action::Copy { bay, segment, object, source } => {
                order(&bay, Order::Copy { segment, object, source });
            }
            Action::SecondRead { bay, segment, source } => {
                order(&bay, Order::SecondRead { segment, source });
            }
            Action::Erase { bay, approvals } => {
                let watch = Arc::new(Watch::default());
                self.world.progress.read_starts(&bay, watch.clone());
                order(&bay, Order::Erase { approvals, watch });
            }
            Action::StopErase { bay } => self.world.progress.stop_read(&bay),
            // The core's own: see its loop.
            Action::AcceptDamage { .. } => {}
            Action::StopCopy { bay } => self.world.progress.stop_copy(&bay),
            Action::SealRecord { recording, object } => self.seal_record(recording, object),
            Action::Discard { object } => self.discard(object),
            Action::Upload { object } => self.upload(object),
            Action::StopUpload { object } => self.uploads.stops.ask(object),
            Action::Mark { object, asked } => self.mark(object, asked),
            Action::WriteReceipt { object } => self.write_receipt(object),
            Action::PlaceReceipt { object } => self.place_receipt(object),
            Action::FreeSpool { object } => self.free_spool(object),
        }
    }

    fn seal_record(&self, recording: RecordingId, object: ObjectId) {
        let (core, world) = (self.core.clone(), self.world.clone());
        let (journal, dock, clock) = (self.journal.clone(), self.dock.clone(), self.clock.clone());
        self.runtime.spawn_blocking(move || {
            let result = record(&journal, &world, &dock, recording, object, &*clock);
            // The core is only gone when the daemon is stopping.
            let _ = core.report(Event::RecordSealed { recording, object, result });
        });
    }

    fn discard(&self, object: ObjectId) {
        let spool = self.spool.clone();
        self.runtime.spawn_blocking(move || match spool.remove(object) {
            Ok(()) | Err(SpoolError::Missing(_)) => {}
            // It is found and removed at the next start.
            Err(error) => tracing::warn!(%object, "not removed from the spool: {error}"),
        });
    }

    fn upload(&self, object: ObjectId) {
        let view = self.journal.view();
        let found = view.object(object).and_then(|o| Ok((o, view.acknowledged(object)?)));
        let uploads = self.uploads.clone();
        match found {
            Ok((Some(state), acked)) => {
                self.runtime.spawn(uploads.send(state, acked));
            }
            // The index is broken or the object unknown: the next event meets the same and stops.
            Ok((None, _)) | Err(_) => tracing::error!(%object, "an unknown object cannot be sent"),
        }
    }

    fn mark(&self, object: ObjectId, asked: MarksAsked) {
        let (uploads, core, journal) =
            (self.uploads.clone(), self.core.clone(), self.journal.clone());
        self.runtime.spawn(async move {
            let end = match journal.view().object(object) {
                Ok(Some(state)) => uploads.mark(&state, asked).await,
                // The index is broken or the object unknown: the next event meets the same.
                Ok(None) | Err(_) => return,
            };
            match &end {
                MarkEnd::Failed { words, .. } => {
                    tracing::warn!(%object, "not marked at the store yet: {words}");
                }
                MarkEnd::Seen(seen) => {
                    if let Some(words) = &seen.lacks {
                        tracing::error!(%object, "the store keeps not all its marks: {words}");
                    }
                }
            }
            let _ = core.send(Event::MarkEnded { object, asked, end }).await;
        });
    }

    fn write_receipt(&self, object: ObjectId) {
        let (uploads, core, journal) =
            (self.uploads.clone(), self.core.clone(), self.journal.clone());
        self.runtime.spawn(async move {
            let state = journal.view().object(object);
            let result = match state {
                Ok(Some(state)) => uploads.write_receipt(&state).await,
                Ok(None) => Err(NoReceipt::Later("the object is not known".into())),
                Err(error) => Err(NoReceipt::Later(error.to_string())),
            };
            if let Err(NoReceipt::Later(words) | NoReceipt::Forgotten(words)) = &result {
                tracing::warn!(%object, "no receipt yet: {words}");
            }
            let _ = core.send(Event::ReceiptWritten { object, result }).await;
        });
    }

    fn place_receipt(&self, object: ObjectId) {
        let (uploads, core, journal) =
            (self.uploads.clone(), self.core.clone(), self.journal.clone());
        self.runtime.spawn(async move {
            let result = match journal.view().object(object) {
                Ok(Some(state)) => uploads.place_receipt(&state.object).await,
                Ok(None) => Err("the object is not known".into()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(words) = &result {
                tracing::warn!(%object, "receipt not placed in the store yet: {words}");
            }
            let _ = core.send(Event::ReceiptPlaced { object, result }).await;
        });
    }

    fn free_spool(&self, object: ObjectId) {
        let (spool, core) = (self.spool.clone(), self.core.clone());
        self.runtime.spawn_blocking(move || {
            match spool.remove(object) {
                Ok(()) | Err(SpoolError::Missing(_)) => {}
                Err(error) => tracing::warn!(%object, "not removed from the spool: {error}"),
            }
            let _ = core.report(Event::SpoolFreed { object });
        });
    }
}

fn record(
    journal: &Journal,
    world: &World,
    dock: &DockId,
    recording: RecordingId,
    object: ObjectId,
    clock: &dyn Clock,
) -> CopyResult {
    let failed = |words: String| CopyResult::Failed { words };
    let view = journal.view();
    let files = match view.recording(recording) {
        Ok(Some(state)) => state.files.iter().sum::<u64>(),
        Ok(None) => return failed("the recording is not known".into()),
        Err(error) => return failed(error.to_string()),
    };
    let head = journal.head();
    let head = (head.seq, head.hash);
    let mut stream = match RecordStream::new(view, recording, dock, clock.now(), head) {
        Ok(Some(stream)) => stream,
        Ok(None) => return failed("the recording is not known".into()),
        Err(error) => return failed(error.to_string()),
    };
    let outcome = spool_stream(
        object,
        &mut stream,
        size_max(files),
        world.part_bytes,
        &world.recipients,
        &*world.spool,
    );
    match outcome {
        Ok(SmallOutcome::Sealed(sealed)) => CopyResult::Sealed {
            plain: sealed.plain,
            sealed: sealed.sealed,
            table: sealed.table,
            read_failed: None,
        },
        Ok(SmallOutcome::Wait(_) | SmallOutcome::SpoolFull) => CopyResult::SpoolFull,
        Ok(SmallOutcome::SourceBroken(error)) => failed(super::chain(&error)),
        Ok(SmallOutcome::SealBroken(error)) => failed(super::chain(&error)),
        Ok(SmallOutcome::SpoolBroken(error)) => failed(super::chain(&error)),
        Err(error) => failed(super::chain(&error)),
    }
}
