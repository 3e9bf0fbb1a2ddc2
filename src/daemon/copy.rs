//! The copy engine: one segment from its camera through the sealer into the spool.
//!
//! Blocking; each runs on a thread of its camera. **Memory**: while reading, the read buffer
//! ([`READ_BYTES`]), the sealed bytes of one read and one held chunk; while reading back, 512 KiB of
//! the file and two chunks; and the part table (at most 24 KiB): less than 1 MiB a running copy,
//! whatever the size of the segment. A paused one keeps less than 768 KiB, its file open, and its
//! reservation of the spool: whoever holds it decides for how long.
//!
//! A [`Copy`] lives in memory only. When its camera is pulled, or the spool is full, [`Copy::run`]
//! gives it back with all it has: the sealer, the unfinished spool file, the place in the source.
//! Running it again goes on there and seals nothing twice. Whoever does so has listed the camera
//! again and found the file with the same size and time. A copy that is dropped leaves nothing:
//! its key is wiped, its file removed, and the segment is read anew.
//!
//! The order at the end is fixed: last chunk, fsync, **read back, open, compare**, wipe the key,
//! rename, fsync the folder. A file that does not open to what was read is never called sealed.

mod draft;
mod small;
mod source;
mod spent;
#[cfg(test)]
mod tests;

pub use draft::SealedCopy;
pub use small::{SmallOutcome, spool_stream};
pub use source::{Patience, READ_BYTES, SecondRead, second_read};

use crate::{
    camera::{Camera, CameraError},
    seal::{self, Finished, OpenError, Recipients, SealError, Sealer},
    spool::{Admission, Spool, SpoolError, Wait},
    types::{ObjectId, SourcePath},
};
use draft::{Draft, Stop};
use source::{Chunk, ReadBuffer, SourceReader};
use spent::{Spent, Step};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What is to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyJob {
    pub object: ObjectId,
    pub path: SourcePath,
    /// Bytes, as listed; what is really there is found by reading.
    pub size: u64,
    /// Bytes, from [`seal::part_size`]. 512 of them are the most that is read of a source.
    pub part_size: u64,
}

/// What the daemon and a running copy share.
#[derive(Debug, Default)]
pub struct Watch {
    /// Plaintext bytes read so far.
    pub progress: AtomicU64,
    /// Set to make the copy pause at the next read.
    pub cancel: AtomicBool,
}

impl Watch {
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// Why a copy stands still; running it again is all it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pause {
    /// Pulled or powered off.
    CameraGone,
    /// The disk or the budget is full.
    SpoolFull,
    /// The watch said so.
    Cancelled,
}

/// How a run ended.
pub enum CopyOutcome {
    Sealed(SealedCopy),
    /// Reading failed for good at `offset`; what is readable before it is sealed.
    Unreadable {
        readable: SealedCopy,
        offset: u64,
        words: String,
    },
    Paused(Box<Copy>, Pause),
    /// The camera no longer has the file, or will not give it.
    Refused(CameraError),
    /// The source is longer than the part table holds; `read` bytes were read. Start anew with a
    /// part size for at least twice that.
    TooLong {
        read: u64,
    },
    /// What lies on the disk is not what was sealed; nothing was kept. Start anew.
    SealBroken(OpenError),
    /// The spool's disk failed; nothing was kept. Start anew.
    SpoolBroken(SpoolError),
}

/// How a beginning ended.
pub enum Begun {
    Started(Box<Copy>),
    Wait(Wait),
    /// Larger than the whole spool.
    TooLarge {
        bytes_max: u64,
    },
}

/// Why a copy cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    #[error("cannot seal")]
    Seal(#[from] SealError),
    #[error("cannot write to the spool")]
    Spool(#[from] SpoolError),
}

/// A copy under way.
pub struct Copy {
    job: CopyJob,
    draft: Draft,
    /// There until the source has ended; then `finished` is.
    sealer: Option<Sealer>,
    finished: Option<Finished>,
    patience: Patience,
    /// Where and why reading ended before the source did.
    broken: Option<(u64, String)>,
    spent: Spent,
}

impl Copy {
    /// Reserves the spool and draws the object's key.
    ///
    /// # Errors
    /// [`BeginError`].
    pub fn begin(
        job: CopyJob,
        recipients: &Recipients,
        spool: &dyn Spool,
        patience: Patience,
    ) -> Result<Begun, BeginError> {
        let writer = match spool.create(job.object, seal::sealed_size_max(job.size))? {
            Admission::Granted(writer) => writer,
            Admission::Wait(wait) => return Ok(Begun::Wait(wait)),
            Admission::TooLarge { bytes_max } => return Ok(Begun::TooLarge { bytes_max }),
        };
        let sealer = Some(Sealer::start(recipients, job.part_size)?);
        let draft = Draft::new(job.object, writer);
        let spent = Spent::default();
        let copy = Self { job, draft, sealer, finished: None, patience, broken: None, spent };
        Ok(Begun::Started(Box::new(copy)))
    }

    pub fn job(&self) -> &CopyJob {
        &self.job
    }

    /// Plaintext bytes read so far: where reading goes on.
    pub fn offset(&self) -> u64 {
        let finished = self.finished.as_ref().map_or(0, |finished| finished.plain.size);
        self.sealer.as_ref().map_or(finished, Sealer::plain_size)
    }

    /// Goes on until the end, or until something must be waited for.
    pub fn run(mut self: Box<Self>, camera: &mut dyn Camera, watch: &Watch) -> CopyOutcome {
        self.spent.begin();
        let stop = match self.read_and_seal(camera, watch).and_then(|()| self.prove(watch)) {
            Ok(proof) => return self.conclude(&proof),
            Err(stop) => stop,
        };
        match stop {
            Stop::Pause(pause) => CopyOutcome::Paused(self, pause),
            Stop::Refused(error) => CopyOutcome::Refused(error),
            Stop::TooLong { read } => CopyOutcome::TooLong { read },
            Stop::SealBroken(error) => CopyOutcome::SealBroken(error),
            Stop::SpoolBroken(error) => CopyOutcome::SpoolBroken(error),
        }
    }

    /// Reads to the end of the source, or to what cannot be read, and writes all of it.
    fn read_and_seal(&mut self, camera: &mut dyn Camera, watch: &Watch) -> Result<(), Stop> {
        let mut source = SourceReader::new(&self.job.path, self.job.size, self.patience);
        source.go_on_at(self.offset());
        // Without a sealer there is nothing left to read.
        let mut buffer = self.sealer.is_some().then(ReadBuffer::new);
        let buffer = buffer.as_mut().map_or(&mut [][..], ReadBuffer::get);
        while let Some(sealer) = &mut self.sealer {
            // Before the next read, so that a pause holds no more than one read's ciphertext.
            self.draft.drain()?;
            self.spent.on(Step::Write);
            watch.progress.store(sealer.plain_size(), Ordering::Relaxed);
            let chunk = source.read(camera, buffer, watch);
            self.spent.on(Step::Read);
            match chunk {
                Chunk::Bytes(n) => {
                    let read = sealer.plain_size() + n as u64;
                    sealer
                        .push(&buffer[..n], self.draft.pending())
                        .map_err(|_| Stop::TooLong { read })?;
                    self.spent.on(Step::Seal);
                    continue;
                }
                Chunk::End => {}
                Chunk::Broken(words) => self.broken = Some((sealer.plain_size(), words)),
                Chunk::Pause(pause) => return Err(Stop::Pause(pause)),
                Chunk::Refused(error) => return Err(Stop::Refused(error)),
            }
            let sealer = self.sealer.take().expect("looked at just above");
            self.finished = Some(sealer.finish(self.draft.pending()));
            self.spent.on(Step::Seal);
        }
        let drained = self.draft.drain_all();
        self.spent.on(Step::Write);
        drained
    }

    fn prove(&mut self, watch: &Watch) -> Result<seal::Proven, Stop> {
        let finished = self.finished.as_ref().expect("reading ends in a finished seal");
        let proven = self.draft.prove(&finished.opener, &watch.cancel);
        self.spent.on(Step::Prove);
        proven
    }

    fn conclude(self: Box<Self>, proof: &seal::Proven) -> CopyOutcome {
        let finished = self.finished.expect("only a finished seal is proved");
        tracing::debug!(
            object = %self.job.object,
            bytes = finished.plain.size,
            read_us = self.spent.micros(Step::Read),
            seal_us = self.spent.micros(Step::Seal),
            write_us = self.spent.micros(Step::Write),
            prove_us = self.spent.micros(Step::Prove),
            "CPU time of a copy"
        );
        match (self.draft.commit(finished, proof), self.broken) {
            (Err(error), _) => CopyOutcome::SpoolBroken(error),
            (Ok(sealed), None) => CopyOutcome::Sealed(sealed),
            (Ok(readable), Some((offset, words))) => {
                CopyOutcome::Unreadable { readable, offset, words }
            }
        }
    }
}
