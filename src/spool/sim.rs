//! The simulated spool: memory, with the faults disks have. Rules and errors are the real side's.

use super::{
    Admission, Entry, Limits, Spool, SpoolError, SpoolFile, Usage, Writer, Written,
    budget::{Answer, Budget, Reservation},
};
use crate::{seal::Proven, types::ObjectId};
use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// One fault, named after what a disk does; each happens once, in the order given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// ENOSPC: the next write takes only this many bytes.
    NoSpace { taken: usize },
    /// EIO from a write.
    WriteEio,
    /// EIO from an fsync: what was written since the last one may be lost.
    SyncEio,
    /// EIO when reading back reaches this byte.
    ReadEio { at: u64 },
    /// One bit of the file turns over between the write and the disk.
    FlipBit { at: u64 },
    /// The file loses its end between the write and the disk.
    CutTo { size: u64 },
    /// EIO from the rename.
    RenameEio,
}

impl Fault {
    /// The call it strikes.
    fn strikes(self) -> Call {
        match self {
            Self::NoSpace { .. } | Self::WriteEio => Call::Write,
            Self::SyncEio | Self::FlipBit { .. } | Self::CutTo { .. } => Call::Sync,
            Self::ReadEio { .. } => Call::Read,
            Self::RenameEio => Call::Rename,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Write,
    Sync,
    Read,
    Rename,
}

/// A spool in memory. Clones are the same spool.
#[derive(Clone, Default)]
pub struct SimSpool {
    disk: Arc<Mutex<Disk>>,
    budget: Budget,
}

#[derive(Default)]
struct Disk {
    objects: BTreeMap<ObjectId, Arc<[u8]>>,
    faults: VecDeque<Fault>,
    free: Option<u64>,
    /// Goes up with every power cut; writers of an earlier number are dead.
    life: u64,
    unfinished: u64,
}

impl Disk {
    fn strike(&mut self, call: Call) -> Option<Fault> {
        let first = self.faults.front().copied().filter(|fault| fault.strikes() == call);
        first.inspect(|_| {
            self.faults.pop_front();
        })
    }
}

fn eio(doing: &str) -> SpoolError {
    SpoolError::Io { doing: doing.into(), source: io::Error::from_raw_os_error(5) }
}

impl SimSpool {
    pub fn new(limits: Limits) -> Self {
        Self { disk: Arc::default(), budget: Budget::new(limits, 0) }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault behind those still to come.
    pub fn inject(&self, fault: Fault) {
        self.disk().faults.push_back(fault);
    }

    /// Faults that did not strike yet.
    pub fn faults_left(&self) -> usize {
        self.disk().faults.len()
    }

    /// What the file system shows as free from now on; without a call it is boundless.
    pub fn set_free(&self, bytes: u64) {
        self.disk().free = Some(bytes);
    }

    /// Writers that neither committed nor were dropped.
    pub fn unfinished(&self) -> u64 {
        self.disk().unfinished
    }

    /// Turns over a bit of a finished object: what a disk does over time.
    pub fn rot(&self, object: ObjectId, at: usize) {
        if let Some(bytes) = self.disk().objects.get_mut(&object) {
            let mut rotten = bytes.to_vec();
            rotten[at] ^= 1;
            *bytes = rotten.into();
        }
    }

    /// The power fails and comes back: committed objects stay, everything unfinished is gone, and
    /// writers of the life before fail.
    pub fn power_cut(&self) {
        let mut disk = self.disk();
        disk.life += 1;
        disk.unfinished = 0;
        disk.faults.clear();
    }

    fn free(&self) -> u64 {
        self.disk().free.unwrap_or(u64::MAX)
    }
}

impl Spool for SimSpool {
    fn create(&self, object: ObjectId, bytes: u64) -> Result<Admission, SpoolError> {
        if self.disk().objects.contains_key(&object) {
            return Err(SpoolError::Exists(object));
        }
        let reservation = match self.budget.reserve(bytes, self.free()) {
            Ok(reservation) => reservation,
            Err(Answer::Wait(wait)) => return Ok(Admission::Wait(wait)),
            Err(Answer::TooLarge | Answer::Granted) => {
                let bytes_max = self.budget.usage(0).limits.bytes_max;
                return Ok(Admission::TooLarge { bytes_max });
            }
        };
        let mut disk = self.disk();
        disk.unfinished += 1;
        let (life, spool) = (disk.life, self.clone());
        let (reservation, bytes) = (Some(reservation), Vec::new());
        let writer = SimWriter { object, spool, life, reservation, bytes, synced: false };
        Ok(Admission::Granted(Box::new(writer)))
    }

    fn open(&self, object: ObjectId) -> Result<SpoolFile, SpoolError> {
        let disk = self.disk();
        let bytes = disk.objects.get(&object).ok_or(SpoolError::Missing(object))?;
        Ok(SpoolFile::from_bytes(Arc::clone(bytes)))
    }

    fn remove(&self, object: ObjectId) -> Result<(), SpoolError> {
        let bytes = self.disk().objects.remove(&object).ok_or(SpoolError::Missing(object))?;
        self.budget.freed(bytes.len() as u64);
        Ok(())
    }

    fn list(&self) -> Result<Vec<Entry>, SpoolError> {
        let entry = |(object, bytes): (&ObjectId, &Arc<[u8]>)| Entry {
            object: *object,
            size: bytes.len() as u64,
        };
        Ok(self.disk().objects.iter().map(entry).collect())
    }

    fn usage(&self) -> Usage {
        self.budget.usage(self.free())
    }
}

struct SimWriter {
    object: ObjectId,
    spool: SimSpool,
    life: u64,
    reservation: Option<Reservation>,
    bytes: Vec<u8>,
    synced: bool,
}

impl SimWriter {
    /// The fault that strikes this call, unless the writer is of a life that ended.
    fn strike(&self, call: Call, doing: &str) -> Result<Option<Fault>, SpoolError> {
        let mut disk = self.spool.disk();
        if disk.life != self.life {
            return Err(eio(doing));
        }
        Ok(disk.strike(call))
    }
}

impl Writer for SimWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<Written, SpoolError> {
        let fault = self.strike(Call::Write, "write")?;
        let free = self.spool.free();
        let reservation = self.reservation.as_mut().expect("taken only by commit, which consumes");
        if reservation.allow(bytes.len() as u64, free).is_err() {
            return Ok(Written::Full { taken: 0 });
        }
        let taken = match fault {
            Some(Fault::NoSpace { taken }) => taken.min(bytes.len()),
            Some(_) => return Err(eio("write")),
            None => bytes.len(),
        };
        self.synced = false;
        self.bytes.extend_from_slice(&bytes[..taken]);
        reservation.wrote(taken as u64);
        Ok(if fault.is_some() { Written::Full { taken } } else { Written::All })
    }

    fn sync(&mut self) -> Result<Written, SpoolError> {
        match self.strike(Call::Sync, "fsync")? {
            Some(Fault::FlipBit { at }) => {
                let at = usize::try_from(at).expect("a test's file fits in memory");
                self.bytes[at] ^= 1;
            }
            Some(Fault::CutTo { size }) => {
                self.bytes.truncate(usize::try_from(size).expect("a test's file fits in memory"));
            }
            Some(_) => return Err(eio("fsync")),
            None => {}
        }
        self.synced = true;
        Ok(Written::All)
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_back(&self) -> Box<dyn Read + '_> {
        Box::new(SimReader { writer: self, at: 0 })
    }

    fn commit(mut self: Box<Self>, proof: &Proven) -> Result<SpoolFile, SpoolError> {
        if !self.synced || proof.sealed().size != self.size() {
            return Err(SpoolError::Unproved(self.object));
        }
        if self.strike(Call::Rename, "rename")?.is_some() {
            return Err(eio("rename"));
        }
        let bytes: Arc<[u8]> = std::mem::take(&mut self.bytes).into();
        if let Some(reservation) = self.reservation.take() {
            reservation.keep();
        }
        self.spool.disk().objects.insert(self.object, Arc::clone(&bytes));
        Ok(SpoolFile::from_bytes(bytes))
    }
}

struct SimReader<'a> {
    writer: &'a SimWriter,
    at: usize,
}

impl Read for SimReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = &self.writer.bytes[self.at..];
        let n = buffer.len().min(left.len());
        let mut disk = self.writer.spool.disk();
        if let Some(Fault::ReadEio { at }) = disk.faults.front()
            && *at < (self.at + n) as u64
        {
            disk.faults.pop_front();
            return Err(io::Error::from_raw_os_error(5));
        }
        buffer[..n].copy_from_slice(&left[..n]);
        self.at += n;
        Ok(n)
    }
}

impl Drop for SimWriter {
    fn drop(&mut self) {
        let mut disk = self.spool.disk();
        if disk.life == self.life {
            disk.unfinished -= 1;
        }
    }
}
