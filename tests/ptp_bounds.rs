//! What a camera can make the dock allocate, counted: this test has an allocator of its own.
//!
//! A single test, so that nothing else allocates beside it.

use bwvdock::{
    camera::{Camera as _, CameraError, EraseMode, PtpCamera},
    ptp::{
        Limits, Operation, SimPipes, SimResponder, TRANSFER_BYTES,
        sim::{Content, SimFault, Trouble},
    },
    types::SourcePath,
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    io::Read as _,
    sync::atomic::{AtomicUsize, Ordering},
};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as promised by our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as promised by our caller.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `work` had allocated beyond what there was before it.
fn peak_of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let done = work();
    (PEAK.load(Ordering::Relaxed) - before, done)
}

fn dock(camera: SimResponder) -> (PtpCamera<SimPipes>, SimPipes) {
    let pipes = SimPipes::new(camera);
    let docked = PtpCamera::open(pipes.clone(), None, EraseMode::ReadOnly, Limits::default());
    (docked.unwrap(), pipes)
}

/// Above the transfer buffer: the reader, the listing of a few files, words.
const LITTLE: usize = 64 * 1024;

#[test]
fn memory_does_not_depend_on_what_a_camera_claims_or_sends() {
    let five_gibibytes = Content::Pattern { seed: 1, bytes: 5 << 30 };
    let path = SourcePath::new("DCIM/A.MP4").unwrap();

    // A file of any size is read with the one buffer, in each way to read.
    let partial = [Operation::GET_PARTIAL_OBJECT_64, Operation::GET_PARTIAL_OBJECT];
    for without in [&[][..], &partial] {
        let mut camera = SimResponder::new().without(without);
        camera.add_file("DCIM/A.MP4", five_gibibytes.clone());
        let (peak, _) = peak_of(|| {
            let (mut docked, _pipes) = dock(camera);
            docked.list().unwrap();
            let mut reader = docked.open(&path, 0).unwrap();
            let mut buffer = vec![0; 64 * 1024];
            (0..400).for_each(|_| reader.read_exact(&mut buffer).unwrap());
        });
        println!("25 MiB of a 5 GiB file: {peak} bytes");
        assert!(peak < TRANSFER_BYTES + 64 * 1024 + LITTLE, "{peak}");
    }

    // Lengths and counts are claims; data without end is cut off at the bound of its dataset.
    for operation in [
        Operation::GET_STORAGE_IDS,
        Operation::GET_OBJECT_HANDLES,
        Operation::GET_OBJECT_INFO,
        Operation::GET_OBJECT_PROP_VALUE,
        Operation::GET_PARTIAL_OBJECT_64,
    ] {
        for claimed in [12, 60_000, 700_000, 0x7FFF_FFFF, u32::MAX] {
            let mut camera = SimResponder::new();
            camera.oddities.sizes_are_zero = true;
            camera.add_file("DCIM/A.MP4", b"x");
            let (mut docked, pipes) = dock(camera);
            pipes.camera().faults.push(SimFault::always(operation, Trouble::Endless { claimed }));
            let (peak, _) = peak_of(|| {
                let _ = docked.list();
                if let Ok(mut reader) = docked.open(&path, 0) {
                    let _ = reader.read(&mut [0; 4096]);
                }
            });
            // A list of handles, while it grows: twice its bound.
            let bound =
                if operation == Operation::GET_OBJECT_HANDLES { 2_500_000 } else { 300_000 };
            println!("{operation} of {claimed}: {peak} bytes");
            assert!(peak < TRANSFER_BYTES + bound, "{operation} of {claimed}: {peak}");
        }
    }

    // Rubbish of every kind.
    for rubbish in [vec![], vec![0; 11], vec![0xFF; 40_000], vec![2; 300_000]] {
        let (mut docked, pipes) = dock(SimResponder::new());
        let trouble = Trouble::Garbage(rubbish);
        pipes.camera().faults.push(SimFault { operation: None, times: u32::MAX, trouble });
        let (peak, listed) = peak_of(|| docked.list());
        assert!(matches!(listed, Err(CameraError::Io { .. })));
        assert!(peak < 2 * TRANSFER_BYTES + 3 * 300_000, "{peak}");
    }
}
