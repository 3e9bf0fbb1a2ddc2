//! The way to the store: one task an object, and its receipt afterwards.
//!
//! The task performs what [`transfer::Upload`] says and reports how it ended; what to send next,
//! and when, is the core's business.

use super::{core::Core, doors::store_seed, progress::Progress};
use crate::{
    clock::Clock,
    custody::receipt::{DockKey, Place, Receipt},
    dock::{
        Records as _,
        event::{Event, NoReceipt, UploadEnd},
        sending::{Sending, Turn},
        state::ObjectState,
    },
    journal::Journal,
    spool::{FolderSpool, Spool as _, SpoolFile},
    store::{AnyStore, Md5s, Probe, Store as _, perform},
    transfer::{Call, Fault, Limits, Random, Resume, StoreError, StoredProof, Upload},
    types::{DockId, ObjectId, ReceiptLevel, fact::ReceiptRef, fact::SealedObject},
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{Notify, OnceCell, Semaphore},
    task::JoinSet,
};

/// A camera's thread waits so long for one answer of the store at most.
const LOOK_MAX: Duration = Duration::from_secs(20);

/// What uploads share.
pub struct Uploads {
    pub store: Arc<AnyStore>,
    /// As configured; what the store enforces is asked once, before the first upload.
    pub limits: Limits,
    pub probed: OnceCell<Probe>,
    /// Of what is sent to a store that does not check SHA-256.
    pub md5s: Md5s,
    /// Where the probe leaves its tiny object.
    pub probe_prefix: String,
    pub core: Core,
    pub clock: Arc<dyn Clock>,
    pub spool: Arc<FolderSpool>,
    pub journal: Arc<Journal>,
    pub progress: Arc<Progress>,
    /// Connections: parts on their way at once, over all objects.
    pub connections: Arc<Semaphore>,
    pub stops: Stops,
    pub receipts: PathBuf,
    pub key: DockKey,
    pub dock: DockId,
    pub place: Place,
    /// Retention from capture on; none where objects are not to be locked.
    pub lock_for: Option<SignedDuration>,
    /// What the newest receipt proves; none until one was signed since the start.
    pub receipt_level: Mutex<Option<ReceiptLevel>>,
}

/// What a look at the store says about an object that has its receipt.
#[derive(Debug)]
pub enum StoreLook {
    Holds(StoredProof),
    /// It answered, and does not have it.
    Lacks(String),
    /// It could not be asked.
    Silent(String),
}

/// How camera threads ask the store.
pub struct Asking {
    pub runtime: Handle,
    pub uploads: Arc<Uploads>,
}

impl Asking {
    /// Waits for the answer; never on a thread of the runtime.
    pub fn ask(&self, object: ObjectId) -> StoreLook {
        match self.uploads.journal.view().object(object) {
            Ok(Some(state)) => self.runtime.block_on(self.uploads.look(&state)),
            Ok(None) => StoreLook::Silent("the object is not known".into()),
            Err(error) => StoreLook::Silent(error.to_string()),
        }
    }
}

/// Asks running uploads to end between two parts.
#[derive(Default)]
pub struct Stops(Mutex<BTreeMap<ObjectId, Arc<Stop>>>);

#[derive(Default)]
struct Stop {
    asked: AtomicBool,
    wake: Notify,
}

impl Stops {
    fn start(&self, object: ObjectId) -> Arc<Stop> {
        let stop = Arc::new(Stop::default());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(object, stop.clone());
        stop
    }

    fn end(&self, object: ObjectId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&object);
    }

    pub fn ask(&self, object: ObjectId) {
        let stops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stop) = stops.get(&object) {
            stop.asked.store(true, Ordering::Relaxed);
            stop.wake.notify_one();
        }
    }
}

impl Uploads {
    /// Sends one object; the end goes to the core.
    pub async fn send(self: Arc<Self>, state: ObjectState, acked: Vec<(u32, String)>) {
        let object = state.object.id;
        let stop = self.stops.start(object);
        let done = self.progress.upload_starts(object);
        let end = self.run(state, acked, &stop, &done).await;
        self.progress.upload_ends(object);
        self.stops.end(object);
        // The core is only gone when the daemon is stopping.
        let _ = self.core.send(Event::UploadEnded { object, end }).await;
    }

    async fn run(
        &self,
        state: ObjectState,
        acked: Vec<(u32, String)>,
        stop: &Stop,
        done: &AtomicU64,
    ) -> UploadEnd {
        let object = Arc::new(state.object);
        let file = match self.spool.open(object.id) {
            Ok(file) if file.size() == object.sealed.size => file,
            Ok(_) => return UploadEnd::SpoolDamaged { words: "its spool file is cut off".into() },
            Err(error) => return UploadEnd::SpoolDamaged { words: super::chain(&error) },
        };
        let resume = Resume {
            upload: state.upload,
            acked: acked.into_iter().collect(),
            attempts: state.attempts,
            abandoned: state.abandoned,
            retry_at: None,
            maybe_begun: true,
        };
        let seed = store_seed(object.id);
        let limits = match self.limits().await {
            Ok(limits) => limits,
            Err(error) => {
                let attempts = resume.attempts + 1;
                let mut random = Random::new(seed.wrapping_add(attempts.into()));
                let wait = self.limits.backoff.wait(error.fault, attempts, &mut random);
                let retry_at = self.clock.now().checked_add(wait).unwrap_or(Timestamp::MAX);
                let words = error.with_advice();
                let need = error.fault.needs_a_person();
                return UploadEnd::Failed { attempts, words, retry_at, store_wide: true, need };
            }
        };
        let object = match self.as_the_store_checks(object, &file).await {
            Ok(object) => object,
            Err(words) => return UploadEnd::SpoolDamaged { words },
        };
        let object = self.locked_within_reason(object);
        let mut sending = Sending::new(Upload::new(object.clone(), resume, limits, seed));
        let mut calls = JoinSet::new();
        loop {
            if stop.asked.load(Ordering::Relaxed) {
                sending.stop();
            }
            done.store(sending.acked_bytes(), Ordering::Relaxed);
            match sending.poll(self.clock.now()) {
                Turn::Remember(facts) => {
                    if self.core.remember(facts).await.is_err() {
                        return UploadEnd::Preempted;
                    }
                }
                Turn::Do(call) => {
                    let (store, file, object) = (self.store.clone(), file.clone(), object.clone());
                    let connections = self.connections.clone();
                    calls.spawn(async move {
                        // Never closed; without a permit the part would only be too early.
                        let part = matches!(call, Call::PutPart { .. });
                        let permit = if part { connections.acquire().await.ok() } else { None };
                        let result = perform(&*store, &object, &file, &call).await;
                        drop(permit);
                        (call, result)
                    });
                }
                Turn::Sleep(until) => {
                    let wait = until.duration_since(self.clock.now());
                    let wait = Duration::try_from(wait).unwrap_or_default();
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = stop.wake.notified() => {}
                    }
                }
                Turn::Idle => {
                    let finished = tokio::select! {
                        finished = calls.join_next() => finished,
                        () = stop.wake.notified() => continue,
                    };
                    let Some(Ok((call, result))) = finished else {
                        // A call that panicked.
                        return sending.broke_off(self.clock.now());
                    };
                    if let (Call::PutPart { number, .. }, Ok(_)) = (&call, &result) {
                        self.progress.sent(object.table.part_len(*number, object.sealed.size));
                    }
                    if result.is_ok() {
                        self.progress.store_answered(self.clock.now());
                    }
                    if let Err(error) = &result {
                        tracing::debug!(object = %object.id, %error, "a call to the store failed");
                    }
                    sending.handle(self.clock.now(), call, result);
                }
                Turn::End(end) => {
                    if matches!(end, UploadEnd::Stored { .. }) {
                        self.md5s.forget(object.id);
                    }
                    return end;
                }
            }
        }
    }

    /// The object with what this store needs to check its parts.
    async fn as_the_store_checks(
        &self,
        object: Arc<SealedObject>,
        file: &SpoolFile,
    ) -> Result<Arc<SealedObject>, String> {
        if self.probed.get().is_some_and(|probe| !probe.wants_md5) {
            return Ok(object);
        }
        let with_md5s = self.md5s.of(&object, file).await.map_err(|error| error.to_string())?;
        with_md5s.ok_or_else(|| "its spool file no longer has the digest it was sealed with".into())
    }

    /// The limits with what this store was seen to enforce. Nothing is asked of a store, and no word
    /// of it believed, before it has refused a wrong signature.
    pub(super) async fn limits(&self) -> Result<Limits, StoreError> {
        let probe = self.probed.get_or_try_init(|| self.store.probe(&self.probe_prefix)).await?;
        if !probe.signature {
            return Err(StoreError {
                call: "probe",
                fault: Fault::Denied,
                words: "the store takes requests with a wrong signature: anybody can write to it; \
                        nothing is sent there"
                    .into(),
            });
        }
        Ok(Limits { enforces: probe.enforces, ..self.limits })
    }

    /// Looks at the stored object once more, signs what the store says and keeps it on disk.
    ///
    /// # Errors
    /// In words; it is tried again.
    pub async fn write_receipt(&self, state: &ObjectState) -> Result<ReceiptRef, NoReceipt> {
        let later = |words: String| NoReceipt::Later(words);
        self.limits().await.map_err(|error| later(error.to_string()))?;
        let object = &state.object;
        let (level, version) =
            state.stored.clone().ok_or_else(|| later("the object is not stored".into()))?;
        let head = self.store.head(&object.key).await.map_err(|error| later(error.to_string()))?;
        let head = head.ok_or_else(|| {
            NoReceipt::Forgotten("the store no longer has the object it acknowledged".into())
        })?;
        let proof =
            StoredProof::again(object, head, level, version.as_deref()).ok_or_else(|| {
                later("the store now has something else under the object's key".into())
            })?;
        let anchor = self.journal.head();
        let now = self.clock.now();
        let place = self.place.clone();
        let receipt = Receipt::new(&self.dock, object, &proof, place, anchor, now);
        let bytes = receipt.sign(&self.key);
        let sha256 = crate::types::Sha256Digest::of(&bytes);
        let path = receipt_path(&self.receipts, object.id);
        let written = tokio::task::spawn_blocking(move || write_durably(&path, &bytes)).await;
        written
            .map_err(|error| later(error.to_string()))?
            .map_err(|error| later(format!("the receipt cannot be written: {error}")))?;
        *self.receipt_level.lock().unwrap_or_else(PoisonError::into_inner) = Some(level);
        Ok(ReceiptRef { sha256, level })
    }

    /// Looks whether the store still has what it has a receipt for.
    pub async fn look(&self, state: &ObjectState) -> StoreLook {
        let object = &state.object;
        let Some((level, version)) = state.stored.clone().filter(|_| state.receipt.is_some())
        else {
            return StoreLook::Lacks("it has no receipt any more".into());
        };
        // One that takes wrong signatures has no say. It need not be probed for this: what it must
        // say is what its receipt says.
        if self.probed.get().is_some_and(|probe| !probe.signature) {
            return StoreLook::Silent("it takes requests with a wrong signature".into());
        }
        let asked = self.store.head(&object.key);
        let head = match tokio::time::timeout(LOOK_MAX, asked).await {
            Err(_) => return StoreLook::Silent("it did not answer in time".into()),
            Ok(Err(error)) => return StoreLook::Silent(error.with_advice()),
            Ok(Ok(None)) => {
                return StoreLook::Lacks("the store no longer has what it acknowledged".into());
            }
            Ok(Ok(Some(head))) => head,
        };
        match StoredProof::again(object, head, level, version.as_deref()) {
            Some(proof) => StoreLook::Holds(proof),
            None => StoreLook::Lacks(
                "the store now has something else in the place of what it acknowledged".into(),
            ),
        }
    }

    /// Puts the receipt beside the object in the store.
    ///
    /// # Errors
    /// In words; it is tried again.
    pub async fn place_receipt(&self, object: &SealedObject) -> Result<(), String> {
        self.limits().await.map_err(|error| error.to_string())?;
        let path = receipt_path(&self.receipts, object.id);
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let key = format!("{}.receipt", object.key);
        self.store
            .put_small(&key, bytes, "application/json")
            .await
            .map_err(|error| error.to_string())
    }
}

/// Where a receipt lies on the dock.
pub fn receipt_path(folder: &Path, object: ObjectId) -> PathBuf {
    folder.join(format!("{object}.receipt"))
}

/// tmp, fsync, rename, fsync of the folder: a receipt is whole or not there.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("receipt.tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
