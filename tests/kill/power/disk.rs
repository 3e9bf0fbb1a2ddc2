//! A disk that remembers what was flushed: what a power cut may take, and what it may not.
//!
//! A write is on the disk for everybody at once, and safe only after the next flush. When the
//! power fails, each write since then is there whole, in part or not at all, whatever came of the
//! others: a drive's cache has no order. That is what dm-log-writes and dm-flakey model too.

use crate::dice::Dice;
use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

const BLOCK: usize = 4096;
/// A drive writes no less than this at once.
const SECTOR: usize = 512;

/// The blocks that were ever written; all others are zero. Cheap to clone.
#[derive(Clone, Default)]
pub struct Image {
    blocks: BTreeMap<u64, Arc<[u8; BLOCK]>>,
    size: u64,
}

impl Image {
    /// An image file as it is.
    pub fn load(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let mut image = Self { blocks: BTreeMap::new(), size: bytes.len() as u64 };
        for (at, block) in bytes.chunks(BLOCK).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                image.write((at * BLOCK) as u64, block);
            }
        }
        image
    }

    fn read(&self, offset: u64, out: &mut [u8]) {
        each_block(offset, out.len(), |block, from, range| match self.blocks.get(&block) {
            Some(bytes) => {
                let length = range.len();
                out[range].copy_from_slice(&bytes[from..from + length]);
            }
            None => out[range].fill(0),
        });
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        each_block(offset, bytes.len(), |block, from, range| {
            let there = self.blocks.entry(block).or_insert_with(|| Arc::new([0; BLOCK]));
            let length = range.len();
            Arc::make_mut(there)[from..from + length].copy_from_slice(&bytes[range]);
        });
    }
}

/// The blocks that some bytes lie in: the block, where they begin in it, and which they are.
fn each_block(
    offset: u64,
    length: usize,
    mut visit: impl FnMut(u64, usize, std::ops::Range<usize>),
) {
    let mut done = 0;
    while done < length {
        let at = offset + done as u64;
        let from = (at % BLOCK as u64) as usize;
        let n = (BLOCK - from).min(length - done);
        visit(at / BLOCK as u64, from, done..done + n);
        done += n;
    }
}

/// What the disk holds, and what of it would survive.
#[derive(Clone)]
pub struct Frozen {
    durable: Image,
    unflushed: Vec<(u64, Vec<u8>)>,
}

/// What a power cut leaves of the writes that were not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    Nothing,
    Everything,
    /// Each write whole, not at all, or some of its sectors.
    Any,
}

impl Frozen {
    pub fn unflushed(&self) -> usize {
        self.unflushed.len()
    }

    /// The disk as it may be found when the power is back.
    pub fn found(&self, left: Left, dice: &mut Dice) -> Image {
        let mut image = self.durable.clone();
        for (offset, bytes) in &self.unflushed {
            let fate = match left {
                Left::Nothing => 0,
                Left::Everything => 1,
                Left::Any => dice.between(0, 3),
            };
            match fate {
                0 => {}
                1 => image.write(*offset, bytes),
                _ => {
                    for (sector, at) in bytes.chunks(SECTOR).zip((*offset..).step_by(SECTOR)) {
                        if dice.between(0, 2) == 0 {
                            image.write(at, sector);
                        }
                    }
                }
            }
        }
        image
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    /// The power is failing: nothing is answered any more.
    Failing,
    /// Whatever is asked is answered, and nothing of it is real.
    Off,
    /// Every write and flush is answered with an I/O error.
    Broken,
}

struct State {
    now: Image,
    durable: Image,
    unflushed: Vec<(u64, Vec<u8>)>,
    flushes: u64,
    fail_at: Option<u64>,
    power: Power,
    watch: Option<Watch>,
}

/// Told of every flush before it is done, with the number of flushes before it.
pub type Watch = Box<dyn FnMut(u64, Frozen) + Send>;

/// The disk, seen by the driver and by the test; clones are hands of the same disk.
#[derive(Clone)]
pub struct Disk(Arc<(Mutex<State>, Condvar)>);

impl Disk {
    pub fn new(image: Image) -> Self {
        let state = State {
            now: image.clone(),
            durable: image,
            unflushed: Vec::new(),
            flushes: 0,
            fail_at: None,
            power: Power::On,
            watch: None,
        };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    /// The state once the power is not just failing.
    fn settled(&self) -> MutexGuard<'_, State> {
        self.0.1.wait_while(self.state(), |state| state.power == Power::Failing).unwrap()
    }

    pub fn watch(&self, watch: Watch) {
        self.state().watch = Some(watch);
    }

    /// Ends the watching; no call is under way when this returns.
    pub fn unwatch(&self) {
        self.state().watch = None;
    }

    /// Lets the power fail when so many more flushes were done, before the next one is.
    pub fn fail_after(&self, flushes: u64) {
        let mut state = self.state();
        state.fail_at = Some(state.flushes + flushes);
    }

    /// Waits until it fails; after `within` it fails in any case.
    pub fn await_failure(&self, within: Duration) {
        let end = Instant::now() + within;
        let mut state = self.state();
        while state.power == Power::On && Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            state = self.0.1.wait_timeout(state, left).unwrap().0;
        }
        state.power = Power::Failing;
    }

    /// What the disk is at this moment.
    pub fn freeze(&self) -> Frozen {
        let state = self.state();
        Frozen { durable: state.durable.clone(), unflushed: state.unflushed.clone() }
    }

    /// Nothing is real any more, so that the file system can be unmounted.
    pub fn off(&self) {
        self.state().power = Power::Off;
        self.0.1.notify_all();
    }

    /// Every write and flush fails from now on.
    pub fn break_down(&self) {
        self.state().power = Power::Broken;
        self.0.1.notify_all();
    }

    pub fn size(&self) -> u64 {
        self.state().now.size
    }

    pub fn read(&self, offset: u64, out: &mut [u8]) {
        self.settled().now.read(offset, out);
    }

    pub fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.settled();
        match state.power {
            Power::Broken => return Err(io::Error::from_raw_os_error(5)),
            Power::On => state.unflushed.push((offset, bytes.to_vec())),
            Power::Off | Power::Failing => {}
        }
        state.now.write(offset, bytes);
        Ok(())
    }

    pub fn flush(&self) -> io::Result<()> {
        let mut state = self.settled();
        if state.power == Power::On && state.fail_at == Some(state.flushes) {
            state.power = Power::Failing;
            self.0.1.notify_all();
            state = self.0.1.wait_while(state, |state| state.power == Power::Failing).unwrap();
        }
        match state.power {
            Power::Broken => return Err(io::Error::from_raw_os_error(5)),
            Power::Off | Power::Failing => return Ok(()),
            Power::On => {}
        }
        if let Some(mut watch) = state.watch.take() {
            let (durable, unflushed) = (state.durable.clone(), state.unflushed.clone());
            watch(state.flushes, Frozen { durable, unflushed });
            state.watch = Some(watch);
        }
        for (offset, bytes) in std::mem::take(&mut state.unflushed) {
            state.durable.write(offset, &bytes);
        }
        state.flushes += 1;
        Ok(())
    }
}

#[test]
fn what_was_flushed_stays_and_the_rest_may_not() {
    let disk = Disk::new(Image { blocks: BTreeMap::new(), size: 1 << 20 });
    let read = |image: &Image, offset| {
        let mut byte = [0];
        image.read(offset, &mut byte);
        byte[0]
    };
    disk.write(4000, &[1; 200]).unwrap();
    disk.flush().unwrap();
    disk.write(4000, &[2; 100]).unwrap();
    disk.write(9000, &[3; 5000]).unwrap();
    let (frozen, mut dice) = (disk.freeze(), Dice::new(1));
    let nothing = frozen.found(Left::Nothing, &mut dice);
    assert_eq!([4000, 4199, 9000].map(|at| read(&nothing, at)), [1, 1, 0]);
    let everything = frozen.found(Left::Everything, &mut dice);
    assert_eq!([4000, 4199, 9000, 13999].map(|at| read(&everything, at)), [2, 1, 3, 3]);
    let torn = (0..100).map(|_| frozen.found(Left::Any, &mut dice));
    let torn = torn.map(|image| (read(&image, 9000), read(&image, 13999)));
    let seen: std::collections::BTreeSet<_> = torn.collect();
    assert_eq!(seen.len(), 4, "both ends, one of them, or none: {seen:?}");
}
