use super::{names::TOLD_MAX, walk::DEPTH_MAX, *};
use crate::{
    ptp::{
        SimPipes, SimResponder,
        quirks::{Entry, Model, Need},
        sim::{Content, Oddities, SimBattery, SimFault, SimObject, SimStorage, Trouble},
    },
    types::{SegmentId, fact::Source},
};
use jiff::SignedDuration;
use proptest::prelude::*;
use std::sync::LazyLock;

mod device;
mod erasing;
mod guest;
mod hostile;
mod listing;
mod reading;
mod torn;

fn path(text: &str) -> SourcePath {
    SourcePath::new(text).unwrap()
}

/// Parts small enough that the files of these tests have several.
fn limits() -> Limits {
    Limits { ask_bytes: 1024 * 1024, ..Limits::default() }
}

fn dock(camera: SimResponder) -> (PtpCamera<SimPipes>, SimPipes) {
    let pipes = SimPipes::new(camera);
    let camera = PtpCamera::open(pipes.clone(), None, EraseMode::Allowed, limits()).unwrap();
    (camera, pipes)
}

fn dock_again(pipes: SimPipes) -> PtpCamera<SimPipes> {
    // What was on its way went with the power.
    pipes.clone().class_out(crate::ptp::ClassRequest::DeviceReset, &[], EVENT_WAIT).unwrap();
    PtpCamera::open(pipes, None, EraseMode::Allowed, limits()).unwrap()
}

fn pattern(bytes: usize) -> Vec<u8> {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut data = vec![0; 2_500_000];
        Content::Pattern { seed: 3, bytes: 0 }.copy(0, &mut data);
        data
    });
    BYTES[..bytes].to_vec()
}

/// DCIM/100/A.MP4 with 2.5 MB of pattern, and B.MP4 with three bytes.
fn two_files() -> SimResponder {
    let mut camera = SimResponder::new();
    camera.add_file("DCIM/100/A.MP4", pattern(2_500_000));
    camera.add_file("DCIM/100/B.MP4", b"bbb");
    camera
}

fn names(listing: &Listing) -> Vec<String> {
    listing.files.iter().map(|file| file.path.to_string()).collect()
}

fn read(camera: &mut PtpCamera<SimPipes>, name: &str, offset: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reader = camera.open(&path(name), offset).map_err(|error| match error {
        CameraError::Io { source, .. } => source,
        error => io::Error::other(error),
    });
    reader?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn permit(camera: &mut PtpCamera<SimPipes>, name: &str) -> ErasePermit {
    let listing = camera.list().unwrap();
    let file = listing.files.iter().find(|file| file.path == path(name)).unwrap();
    permit_for(name, file.size, file.modified_ms)
}

fn permit_for(name: &str, size: u64, modified_ms: Option<i64>) -> ErasePermit {
    let source = Source { path: path(name), size, modified_ms, expected: None, mark: None };
    ErasePermit::for_test(SegmentId(uuid::Uuid::nil()), source)
}

fn count(pipes: &SimPipes, operation: Operation) -> usize {
    pipes.camera().asked.iter().filter(|asked| **asked == operation).count()
}

/// The three ways to read, by what the camera cannot do.
fn ways() -> [Vec<Operation>; 3] {
    [
        vec![],
        vec![Operation::GET_PARTIAL_OBJECT_64],
        vec![Operation::GET_PARTIAL_OBJECT_64, Operation::GET_PARTIAL_OBJECT],
    ]
}
