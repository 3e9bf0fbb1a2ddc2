//! A camera that fails as told: what cables, cards and officers do, on demand.

use super::{Camera, CameraError, ClockSet, Listing};
use crate::{
    release::ErasePermit,
    types::{Condition, SourcePath, fact::ClockOffset},
};
use jiff::{Timestamp, tz::Offset};
use std::{
    io::{self, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

#[derive(Debug, Default)]
struct State {
    /// Bytes still readable before the cable comes out.
    yank_in: Option<u64>,
    gone: bool,
    /// Counts pulls: a reader from before one is dead for ever.
    docking: u64,
    /// Bytes still readable before reads time out.
    stall_in: Option<u64>,
    /// A file that ends early, and where.
    short: Option<(SourcePath, u64)>,
    /// A byte that reads wrong.
    flipped: Option<(SourcePath, u64)>,
    listings: u32,
    erases: u32,
    bytes_per_second: Option<u64>,
}

/// The switch box of a [`FaultyCamera`]: clones reach the same camera from any thread.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pulls the camera out after `bytes` more were read, of whatever file; 0 pulls it at the next
    /// read.
    pub fn yank_after(&self, bytes: u64) {
        self.state().yank_in = Some(bytes);
    }

    /// Pulls the camera out now.
    pub fn yank(&self) {
        let mut state = self.state();
        state.gone = true;
        state.docking += 1;
    }

    /// Puts it back. Readers from before stay dead.
    pub fn reinsert(&self) {
        let mut state = self.state();
        state.gone = false;
        state.yank_in = None;
    }

    /// Reads time out after `bytes` more, until [`Faults::recover`].
    pub fn stall_after(&self, bytes: u64) {
        self.state().stall_in = Some(bytes);
    }

    /// The file seems to end at `offset`.
    pub fn end_early(&self, path: SourcePath, offset: u64) {
        self.state().short = Some((path, offset));
    }

    /// The byte at `offset` reads with its lowest bit flipped.
    pub fn flip_bit(&self, path: SourcePath, offset: u64) {
        self.state().flipped = Some((path, offset));
    }

    /// The next `times` listings fail.
    pub fn fail_listings(&self, times: u32) {
        self.state().listings = times;
    }

    /// The next `times` erasings fail.
    pub fn fail_erases(&self, times: u32) {
        self.state().erases = times;
    }

    /// Reads no faster than this; 0 is as fast as it can.
    pub fn slow(&self, bytes_per_second: u64) {
        self.state().bytes_per_second = Some(bytes_per_second).filter(|rate| *rate > 0);
    }

    /// Ends every fault but being pulled out.
    pub fn recover(&self) {
        let mut state = self.state();
        let (gone, docking) = (state.gone, state.docking);
        *state = State { gone, docking, ..State::default() };
    }

    fn check(&self) -> Result<(), CameraError> {
        if self.state().gone { Err(CameraError::Gone) } else { Ok(()) }
    }

    /// Takes one of `count` planned failures.
    fn fails(&self, count: impl FnOnce(&mut State) -> &mut u32) -> bool {
        let mut state = self.state();
        let left = count(&mut state);
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        fails
    }
}

fn input_output(doing: &str) -> CameraError {
    // EIO: what a worn card or a bad cable answers.
    CameraError::Io { doing: doing.to_owned(), source: io::Error::from_raw_os_error(5) }
}

/// Any camera, with faults.
pub struct FaultyCamera {
    camera: Box<dyn Camera>,
    faults: Faults,
}

impl FaultyCamera {
    /// Wraps a camera; the faults are switched by the handle.
    pub fn new(camera: Box<dyn Camera>) -> (Self, Faults) {
        let faults = Faults::default();
        (Self { camera, faults: faults.clone() }, faults)
    }

    /// Wraps another camera under the same switches, as when it was pulled and docked again.
    pub fn with(camera: Box<dyn Camera>, faults: Faults) -> Self {
        Self { camera, faults }
    }
}

impl Camera for FaultyCamera {
    fn list(&mut self) -> Result<Listing, CameraError> {
        self.faults.check()?;
        if self.faults.fails(|state| &mut state.listings) {
            return Err(input_output("list the camera"));
        }
        self.camera.list()
    }

    fn open(
        &mut self,
        path: &SourcePath,
        offset: u64,
    ) -> Result<Box<dyn Read + Send>, CameraError> {
        self.faults.check()?;
        let reader = self.camera.open(path, offset)?;
        let docking = self.faults.state().docking;
        let faults = self.faults.clone();
        Ok(Box::new(FaultyReader { reader, faults, path: path.clone(), offset, docking }))
    }

    fn erase(&mut self, permit: &ErasePermit) -> Result<(), CameraError> {
        self.faults.check()?;
        if self.faults.fails(|state| &mut state.erases) {
            return Err(input_output("erase a file"));
        }
        self.camera.erase(permit)
    }

    fn is_present(&mut self) -> bool {
        self.faults.check().is_ok() && self.camera.is_present()
    }

    fn clock_offset(
        &mut self,
        now: Timestamp,
        dock_synchronised: bool,
    ) -> Result<Option<ClockOffset>, CameraError> {
        self.faults.check()?;
        self.camera.clock_offset(now, dock_synchronised)
    }

    fn set_clock(
        &mut self,
        now: Timestamp,
        zone: Offset,
        dock_synchronised: bool,
    ) -> Result<Option<ClockSet>, CameraError> {
        self.faults.check()?;
        self.camera.set_clock(now, zone, dock_synchronised)
    }

    fn condition(&mut self) -> Result<Condition, CameraError> {
        self.faults.check()?;
        self.camera.condition()
    }

    fn battery_percent(&mut self) -> Result<Option<u8>, CameraError> {
        self.faults.check()?;
        self.camera.battery_percent()
    }

    fn is_wedged(&mut self) -> bool {
        self.camera.is_wedged()
    }

    fn said_changed(&mut self) -> Result<bool, CameraError> {
        self.faults.check()?;
        self.camera.said_changed()
    }
}

struct FaultyReader {
    reader: Box<dyn Read + Send>,
    faults: Faults,
    path: SourcePath,
    offset: u64,
    docking: u64,
}

impl FaultyReader {
    /// How many of `wanted` bytes may be read now, and how long that takes at least.
    fn allowance(&self, wanted: u64) -> io::Result<(u64, Duration)> {
        let mut state = self.faults.state();
        if state.yank_in == Some(0) {
            state.yank_in = None;
            state.gone = true;
            state.docking += 1;
        }
        if state.gone || state.docking != self.docking {
            // ENODEV: what the kernel answers when a device was pulled.
            return Err(io::Error::from_raw_os_error(19));
        }
        if state.stall_in == Some(0) {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        let mut most = wanted;
        for bound in [state.yank_in, state.stall_in].into_iter().flatten() {
            most = most.min(bound);
        }
        if let Some((path, end)) = &state.short
            && *path == self.path
        {
            most = most.min(end.saturating_sub(self.offset));
        }
        let rate = state.bytes_per_second;
        // A twentieth of a second at a time, so that a pull is felt soon.
        most = rate.map_or(most, |rate| most.min((rate / 20).max(1)));
        let takes =
            rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(most as f64 / rate as f64));
        Ok((most, takes))
    }

    fn account(&mut self, piece: &mut [u8]) {
        let mut state = self.faults.state();
        let length = piece.len() as u64;
        let State { yank_in, stall_in, flipped, .. } = &mut *state;
        for left in [yank_in, stall_in].into_iter().flatten() {
            *left = left.saturating_sub(length);
        }
        if let Some((path, at)) = flipped
            && *path == self.path
            && let Some(byte) = at.checked_sub(self.offset)
            && byte < length
        {
            piece[usize::try_from(byte).expect("within the piece")] ^= 1;
        }
        self.offset += length;
    }
}

impl Read for FaultyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (most, takes) = self.allowance(buffer.len() as u64)?;
        thread::sleep(takes);
        let most = usize::try_from(most).expect("no more than the buffer");
        let length = self.reader.read(&mut buffer[..most])?;
        self.account(&mut buffer[..length]);
        Ok(length)
    }
}
