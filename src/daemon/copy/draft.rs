//! An object on its way into the spool: pending bytes, the proof, the final name.

use super::{Pause, READ_BYTES};
use crate::{
    camera::CameraError,
    seal::{CHUNK, Finished, OpenError, Opener, Proven},
    spool::{self, SpoolError, SpoolFile, Writer, Written},
    types::{
        ObjectId,
        fact::{Hashed, PartTable},
    },
};
use std::{
    io::{self, Read},
    sync::atomic::{AtomicBool, Ordering},
};

/// More than a header and the tags of one read take.
const HEADER_ROOM: usize = 8 * 1024;

/// A sealed object in the spool, proved.
#[derive(Debug, Clone)]
pub struct SealedCopy {
    pub object: ObjectId,
    pub plain: Hashed,
    pub sealed: Hashed,
    pub table: PartTable,
    pub file: SpoolFile,
}

/// What ends a run before its end.
pub(super) enum Stop {
    Pause(Pause),
    Refused(CameraError),
    TooLong { read: u64 },
    SealBroken(OpenError),
    SpoolBroken(SpoolError),
}

/// An unfinished object and the sealed bytes the spool has not taken yet.
pub(super) struct Draft {
    object: ObjectId,
    writer: Box<dyn Writer>,
    /// The sealed bytes begin at `start`, which makes their address a multiple of
    /// [`spool::ALIGN`]: the spool then writes them from here.
    pending: Vec<u8>,
    start: usize,
}

impl Draft {
    /// Room for what one read becomes when it is sealed, for what of the read before was no whole
    /// block, and for the alignment.
    const ROOM: usize = READ_BYTES + CHUNK + HEADER_ROOM + 2 * spool::ALIGN;

    pub fn new(object: ObjectId, writer: Box<dyn Writer>) -> Self {
        Self { object, writer, pending: Vec::new(), start: 0 }
    }

    /// Where sealed bytes go before they are written: to be appended to.
    pub fn pending(&mut self) -> &mut Vec<u8> {
        if self.pending.capacity() == 0 {
            self.pending.reserve_exact(Self::ROOM);
            self.start = self.pending.as_ptr().align_offset(spool::ALIGN).min(spool::ALIGN);
            self.pending.resize(self.start, 0);
        }
        &mut self.pending
    }

    /// Writes the whole blocks of what is pending; keeps what the spool did not take.
    pub fn drain(&mut self) -> Result<(), Stop> {
        let size = self.pending.len() - self.start;
        self.write(size - size % spool::ALIGN)
    }

    /// Writes all that is pending; keeps what the spool did not take.
    pub fn drain_all(&mut self) -> Result<(), Stop> {
        self.write(self.pending.len() - self.start)
    }

    fn write(&mut self, size: usize) -> Result<(), Stop> {
        let range = self.start..self.start + size;
        match self.writer.write(&self.pending[range.clone()]).map_err(Stop::SpoolBroken)? {
            Written::All => {
                self.pending.drain(range);
                Ok(())
            }
            Written::Full { taken } => {
                self.pending.drain(self.start..self.start + taken);
                Err(Stop::Pause(Pause::SpoolFull))
            }
        }
    }

    /// Makes the file durable, reads it back from the disk and opens it.
    pub fn prove(&mut self, opener: &Opener, cancel: &AtomicBool) -> Result<Proven, Stop> {
        debug_assert!(self.pending.len() == self.start, "only what is written can be proved");
        (self.pending, self.start) = (Vec::new(), 0);
        if let Written::Full { .. } = self.writer.sync().map_err(Stop::SpoolBroken)? {
            return Err(Stop::Pause(Pause::SpoolFull));
        }
        let mut reader = Cancellable { inner: self.writer.read_back(), cancel, cancelled: false };
        match opener.verify(&mut reader) {
            Ok(proof) => Ok(proof),
            Err(_) if reader.cancelled => Err(Stop::Pause(Pause::Cancelled)),
            Err(error) => Err(Stop::SealBroken(error)),
        }
    }

    /// Forgets the key, then gives the object its final name.
    pub fn commit(self, finished: Finished, proof: &Proven) -> Result<SealedCopy, SpoolError> {
        let Finished { plain, table, opener } = finished;
        drop(opener);
        let file = self.writer.commit(proof)?;
        Ok(SealedCopy { object: self.object, plain, sealed: proof.sealed(), table, file })
    }
}

/// Reading back 5 GiB takes long enough to be interrupted.
struct Cancellable<'a, R> {
    inner: R,
    cancel: &'a AtomicBool,
    cancelled: bool,
}

impl<R: Read> Read for Cancellable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.load(Ordering::Relaxed) {
            self.cancelled = true;
            return Err(io::ErrorKind::Other.into());
        }
        self.inner.read(buffer)
    }
}
