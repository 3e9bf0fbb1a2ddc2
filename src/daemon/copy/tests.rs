use super::*;
use crate::{
    camera::{FileEntry, Listing},
    release::ErasePermit,
    seal::Identity,
    spool::{
        FolderSpool, Limits,
        sim::{Fault, SimSpool},
    },
    types::{Sha256Digest, fact::ClockOffset},
};
use jiff::Timestamp;
use proptest::prelude::*;
use std::{
    collections::VecDeque,
    io::{self, Read},
    sync::{Arc, Mutex},
    time::Duration,
};
use uuid::Uuid;

const NO_PAUSE: Patience = Patience { attempts: 3, pause: Duration::ZERO };
const PART: u64 = 100_000;

/// What a camera does to a read that reaches a byte.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    /// EIO once.
    Glitch(usize),
    /// EIO for ever.
    BadSector(usize),
    /// Pulled: EIO, and it no longer answers.
    Pull(usize),
    /// Pulled, and the device says "end of file".
    PullAsEnd(usize),
    /// End of file once, too early.
    FalseEnd(usize),
    /// Somebody cancels when this byte is reached.
    Cancel(usize),
}

impl Trouble {
    fn at(self) -> usize {
        match self {
            Self::Glitch(at) | Self::BadSector(at) | Self::Pull(at) => at,
            Self::PullAsEnd(at) | Self::FalseEnd(at) | Self::Cancel(at) => at,
        }
    }
}

struct State {
    file: Vec<u8>,
    troubles: VecDeque<Trouble>,
    present: bool,
    bytes_read: usize,
    reads: Vec<(usize, usize)>,
    watch: Arc<Watch>,
}

struct TestCamera(Arc<Mutex<State>>);

struct TestReader {
    state: Arc<Mutex<State>>,
    at: usize,
}

impl Read for TestReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap();
        let eio = || Err(io::Error::from_raw_os_error(5));
        if !state.present {
            return eio();
        }
        let size = buffer.len();
        state.reads.push((self.at, size));
        // A device reads up to what is broken only if it is not asked for more.
        if let Some(trouble) = state.troubles.front().copied()
            && trouble.at() < self.at + size
        {
            if !matches!(trouble, Trouble::BadSector(_)) {
                state.troubles.pop_front();
            }
            match trouble {
                Trouble::Glitch(_) | Trouble::BadSector(_) => return eio(),
                Trouble::Pull(_) => {
                    state.present = false;
                    return eio();
                }
                Trouble::PullAsEnd(_) => {
                    state.present = false;
                    return Ok(0);
                }
                Trouble::FalseEnd(_) => return Ok(0),
                Trouble::Cancel(_) => state.watch.cancel.store(true, Ordering::Relaxed),
            }
        }
        let n = size.min(state.file.len().saturating_sub(self.at));
        buffer[..n].copy_from_slice(&state.file[self.at..self.at + n]);
        self.at += n;
        state.bytes_read += n;
        Ok(n)
    }
}

impl Camera for TestCamera {
    fn list(&mut self) -> Result<Listing, CameraError> {
        let size = self.0.lock().unwrap().file.len() as u64;
        let file = FileEntry { path: path(), size, modified_ms: None, mark: None };
        Ok(Listing { files: vec![file], ..Listing::default() })
    }

    fn open(
        &mut self,
        asked: &SourcePath,
        offset: u64,
    ) -> Result<Box<dyn Read + Send>, CameraError> {
        if !self.0.lock().unwrap().present {
            return Err(CameraError::Gone);
        }
        if *asked != path() {
            return Err(CameraError::NoSuchFile(asked.clone()));
        }
        let at = usize::try_from(offset).unwrap();
        Ok(Box::new(TestReader { state: Arc::clone(&self.0), at }))
    }

    fn erase(&mut self, _: &ErasePermit) -> Result<(), CameraError> {
        unreachable!("a copy erases nothing")
    }

    fn is_present(&mut self) -> bool {
        self.0.lock().unwrap().present
    }

    fn clock_offset(&mut self, _: Timestamp, _: bool) -> Result<Option<ClockOffset>, CameraError> {
        Ok(None)
    }
}

fn path() -> SourcePath {
    SourcePath::new("DCIM/0001.MP4").unwrap()
}

fn object(n: u128) -> ObjectId {
    ObjectId(Uuid::from_u128(n))
}

fn footage(size: usize) -> Vec<u8> {
    (0..size as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A camera, a key pair and a watch.
struct Bench {
    camera: TestCamera,
    identity: Identity,
    recipients: Recipients,
    watch: Arc<Watch>,
    plain: Vec<u8>,
}

impl Bench {
    fn new(size: usize, troubles: &[Trouble]) -> Self {
        let identity = Identity::generate();
        let recipients = Recipients::parse(&[identity.public().to_owned()]).unwrap();
        let (plain, watch) = (footage(size), Arc::new(Watch::default()));
        let state = State {
            file: plain.clone(),
            troubles: troubles.iter().copied().collect(),
            present: true,
            bytes_read: 0,
            reads: Vec::new(),
            watch: Arc::clone(&watch),
        };
        let camera = TestCamera(Arc::new(Mutex::new(state)));
        Self { camera, identity, recipients, watch, plain }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.camera.0.lock().unwrap()
    }

    fn job(&self) -> CopyJob {
        let size = self.plain.len() as u64;
        CopyJob { object: object(1), path: path(), size, part_size: PART }
    }

    fn begin(&self, job: CopyJob, spool: &dyn Spool) -> Box<Copy> {
        match Copy::begin(job, &self.recipients, spool, NO_PAUSE).unwrap() {
            Begun::Started(copy) => copy,
            Begun::Wait(_) | Begun::TooLarge { .. } => panic!("the spool has room"),
        }
    }

    fn run(&mut self, copy: Box<Copy>) -> CopyOutcome {
        copy.run(&mut self.camera, &self.watch)
    }

    fn copy(&mut self, spool: &dyn Spool) -> CopyOutcome {
        let copy = self.begin(self.job(), spool);
        self.run(copy)
    }

    /// The object in the spool holds `plain`, and all that is said of it is so.
    fn check(&self, copy: &SealedCopy, plain: &[u8], spool: &dyn Spool) {
        let file = spool.open(copy.object).unwrap();
        let mut sealed = vec![0; usize::try_from(file.size()).unwrap()];
        assert_eq!(file.read_at(&mut sealed, 0).unwrap(), sealed.len());
        let identity: age::x25519::Identity = self.identity.secret().parse().unwrap();
        assert!(age::decrypt(&identity, &sealed).unwrap() == plain);
        assert_eq!(copy.plain.sha256, Sha256Digest::of(plain));
        assert_eq!(copy.plain.size, plain.len() as u64);
        assert_eq!(copy.sealed.sha256, Sha256Digest::of(&sealed));
        assert_eq!(copy.sealed.size, sealed.len() as u64);
        let parts: Vec<_> = sealed.chunks(PART as usize).map(Sha256Digest::of).collect();
        let table: Vec<_> = copy.table.parts.iter().map(|part| part.sha256).collect();
        assert_eq!(table, parts);
        assert_eq!(spool.usage().used, copy.sealed.size);
        assert_eq!(spool.usage().reserved, 0);
    }
}

fn spool() -> SimSpool {
    SimSpool::new(Limits { bytes_max: 50 << 20, reserve_bytes: 0 })
}

fn sealed(outcome: CopyOutcome) -> SealedCopy {
    match outcome {
        CopyOutcome::Sealed(copy) => copy,
        other => panic!("{}", name(&other)),
    }
}

fn paused(outcome: CopyOutcome, why: &Pause) -> Box<Copy> {
    match outcome {
        CopyOutcome::Paused(copy, pause) if pause == *why => copy,
        other => panic!("{}", name(&other)),
    }
}

fn name(outcome: &CopyOutcome) -> String {
    match outcome {
        CopyOutcome::Sealed(_) => "sealed".into(),
        CopyOutcome::Unreadable { offset, words, .. } => format!("unreadable {offset} {words}"),
        CopyOutcome::Paused(_, pause) => format!("paused {pause:?}"),
        CopyOutcome::Refused(error) => format!("refused {error}"),
        CopyOutcome::TooLong { read } => format!("too long {read}"),
        CopyOutcome::SealBroken(error) => format!("seal broken: {error}"),
        CopyOutcome::SpoolBroken(error) => format!("spool broken: {error}"),
    }
}

#[test]
fn a_segment_reaches_the_real_spool_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = FolderSpool::open(folder.path(), Limits::default()).unwrap();
    for size in [0, 1, READ_BYTES, READ_BYTES + 1, 1_300_007] {
        let mut bench = Bench::new(size, &[]);
        let copy = sealed(bench.copy(&spool));
        bench.check(&copy, &bench.plain, &spool);
        assert_eq!(bench.watch.progress.load(Ordering::Relaxed), size as u64);
        spool.remove(object(1)).unwrap();
    }
}

#[test]
fn a_bit_flipped_between_seal_and_disk_is_never_called_sealed() {
    let spool = spool();
    for at in [0, 100, 5_000, 300_000, 700_000] {
        let mut bench = Bench::new(700_000, &[]);
        spool.inject(Fault::FlipBit { at });
        let outcome = bench.copy(&spool);
        assert!(matches!(outcome, CopyOutcome::SealBroken(_)), "{at}: {}", name(&outcome));
        assert_eq!(spool.list().unwrap(), [], "nothing of it got a name");
        assert_eq!((spool.unfinished(), spool.usage().reserved), (0, 0));
        // Sealed anew from the camera, under a new key, it is whole.
        let copy = sealed(bench.copy(&spool));
        bench.check(&copy, &bench.plain, &spool);
        assert_eq!(bench.state().bytes_read, 1_400_000);
        spool.remove(object(1)).unwrap();
    }
}

#[test]
fn a_file_that_lost_its_end_is_never_called_sealed() {
    let spool = spool();
    let mut bench = Bench::new(200_000, &[]);
    spool.inject(Fault::CutTo { size: 150_000 });
    let outcome = bench.copy(&spool);
    assert!(matches!(outcome, CopyOutcome::SealBroken(seal::OpenError::Short { .. })));
    assert_eq!(spool.list().unwrap(), []);
}

#[test]
fn every_failure_of_the_disk_ends_in_nothing_kept() {
    let spool = spool();
    let faults =
        [Fault::WriteEio, Fault::SyncEio, Fault::RenameEio, Fault::ReadEio { at: 250_000 }];
    for fault in faults {
        let mut bench = Bench::new(300_000, &[]);
        spool.inject(fault);
        let outcome = bench.copy(&spool);
        let as_expected = match fault {
            Fault::ReadEio { .. } => matches!(outcome, CopyOutcome::SealBroken(_)),
            _ => matches!(outcome, CopyOutcome::SpoolBroken(_)),
        };
        assert!(as_expected, "{fault:?}: {}", name(&outcome));
        assert_eq!((spool.list().unwrap(), spool.faults_left()), (vec![], 0), "{fault:?}");
        assert_eq!((spool.unfinished(), spool.usage().reserved), (0, 0), "{fault:?}");
    }
}

#[test]
fn a_full_disk_is_waited_for_and_nothing_is_read_or_sealed_twice() {
    let spool = spool();
    let mut bench = Bench::new(1_000_000, &[]);
    for taken in [0, 1, 70_000] {
        spool.inject(Fault::NoSpace { taken });
    }
    let mut outcome = bench.copy(&spool);
    for _ in 0..3 {
        let copy = paused(outcome, &Pause::SpoolFull);
        outcome = bench.run(copy);
    }
    bench.check(&sealed(outcome), &bench.plain, &spool);
    assert_eq!(bench.state().bytes_read, 1_000_000);
}

#[test]
fn a_pulled_camera_goes_on_where_it_was() {
    for trouble in [Trouble::Pull(600_000), Trouble::PullAsEnd(600_000)] {
        let spool = spool();
        let mut bench = Bench::new(1_000_000, &[trouble]);
        let copy = paused(bench.copy(&spool), &Pause::CameraGone);
        let offset = copy.offset();
        let reads = 600_000 / READ_BYTES;
        assert_eq!(offset, (reads * READ_BYTES) as u64, "{trouble:?}");
        // Still away: nothing is lost by asking.
        let outcome = bench.run(copy);
        let copy = paused(outcome, &Pause::CameraGone);
        bench.state().present = true;
        let outcome = bench.run(copy);
        bench.check(&sealed(outcome), &bench.plain, &spool);
        assert_eq!(bench.state().bytes_read, 1_000_000, "nothing was read twice");
    }
}

#[test]
fn a_copy_given_up_while_paused_leaves_nothing() {
    let spool = spool();
    let mut bench = Bench::new(1_000_000, &[Trouble::Pull(600_000)]);
    let copy = paused(bench.copy(&spool), &Pause::CameraGone);
    assert_eq!(spool.unfinished(), 1);
    drop(copy);
    assert_eq!((spool.unfinished(), spool.usage().reserved, spool.usage().used), (0, 0, 0));
}

#[test]
fn a_power_cut_loses_the_unfinished_copy_and_no_finished_one() {
    let spool = spool();
    let mut first = Bench::new(10_000, &[]);
    let done = sealed(first.copy(&spool));
    let mut bench = Bench::new(1_000_000, &[Trouble::Pull(600_000)]);
    let job = CopyJob { object: object(2), ..bench.job() };
    let copy = bench.begin(job, &spool);
    let copy = paused(bench.run(copy), &Pause::CameraGone);
    spool.power_cut();
    bench.state().present = true;
    assert!(matches!(bench.run(copy), CopyOutcome::SpoolBroken(_)));
    first.check(&done, &first.plain, &spool);
    assert_eq!(spool.list().unwrap().len(), 1);
}

#[test]
fn glitches_are_read_again_and_change_nothing() {
    let spool = spool();
    let troubles = [100, 100, 300_000, 300_001, 990_000].map(Trouble::Glitch);
    let mut bench = Bench::new(1_000_000, &troubles);
    let copy = sealed(bench.copy(&spool));
    bench.check(&copy, &bench.plain, &spool);
}

#[test]
fn what_can_be_read_before_a_bad_sector_is_preserved_and_reported() {
    let spool = spool();
    let mut bench = Bench::new(1_000_000, &[Trouble::BadSector(700_000)]);
    let CopyOutcome::Unreadable { readable, offset, words } = bench.copy(&spool) else {
        panic!("a bad sector was read")
    };
    assert!((700_000 - 4096..=700_000).contains(&offset), "as close as careful reads come");
    assert!(words.contains("os error 5"), "{words}");
    let at = usize::try_from(offset).unwrap();
    bench.check(&readable, &bench.plain[..at], &spool);
    let here = |(from, size): &&(usize, usize)| *from == at && *size <= 4096;
    assert_eq!(bench.state().reads.iter().filter(here).count(), 3, "attempts are counted");
}

#[test]
fn a_file_unreadable_from_its_first_byte_is_an_empty_object_and_reported() {
    let spool = spool();
    let mut bench = Bench::new(5_000, &[Trouble::BadSector(0)]);
    let CopyOutcome::Unreadable { readable, offset: 0, .. } = bench.copy(&spool) else {
        panic!("a bad sector was read")
    };
    bench.check(&readable, &[], &spool);
}

#[test]
fn the_real_size_is_what_was_read_not_what_was_listed() {
    for listed in [0, 1, 399_999, 400_001, 5_000_000] {
        let spool = spool();
        let mut bench = Bench::new(400_000, &[]);
        let job = CopyJob { size: listed, ..bench.job() };
        let copy = bench.begin(job, &spool);
        let copy = sealed(bench.run(copy));
        bench.check(&copy, &bench.plain, &spool);
    }
    let spool = spool();
    let mut bench = Bench::new(400_000, &[Trouble::FalseEnd(300_000)]);
    let copy = sealed(bench.copy(&spool));
    bench.check(&copy, &bench.plain, &spool);
}

#[test]
fn a_source_that_never_ends_is_stopped_by_the_part_table() {
    let spool = spool();
    let mut bench = Bench::new(2_000_000, &[]);
    let job = CopyJob { part_size: 3_000, size: 1_000_000, ..bench.job() };
    let copy = bench.begin(job, &spool);
    let outcome = bench.run(copy);
    let CopyOutcome::TooLong { read } = outcome else { panic!("{}", name(&outcome)) };
    assert!(read > 1_500_000);
    assert_eq!((spool.list().unwrap(), spool.unfinished()), (vec![], 0));
}

#[test]
fn a_source_that_outgrows_the_spool_waits() {
    let spool = SimSpool::new(Limits { bytes_max: 600_000, reserve_bytes: 0 });
    let mut bench = Bench::new(1_000_000, &[]);
    let job = CopyJob { size: 100, ..bench.job() };
    let copy = bench.begin(job, &spool);
    let copy = paused(bench.run(copy), &Pause::SpoolFull);
    assert!(matches!(bench.run(copy), CopyOutcome::Paused(_, Pause::SpoolFull)));
    assert!(matches!(
        Copy::begin(bench.job(), &bench.recipients, &spool, NO_PAUSE).unwrap(),
        Begun::TooLarge { bytes_max: 600_000 }
    ));
}

#[test]
fn a_cancelled_copy_goes_on_later_even_while_it_is_read_back() {
    let spool = spool();
    let mut bench = Bench::new(1_000_000, &[Trouble::Cancel(300_000)]);
    let copy = paused(bench.copy(&spool), &Pause::Cancelled);
    // Once the source has ended, the next thing to cancel is the reading back.
    bench.watch.cancel.store(false, Ordering::Relaxed);
    bench.state().troubles.push_back(Trouble::Cancel(999_999));
    let copy = paused(bench.run(copy), &Pause::Cancelled);
    assert_eq!(copy.offset(), 1_000_000);
    bench.watch.cancel.store(false, Ordering::Relaxed);
    let outcome = bench.run(copy);
    bench.check(&sealed(outcome), &bench.plain, &spool);
    assert_eq!(bench.state().bytes_read, 1_000_000, "nothing was read twice");
}

#[test]
fn a_file_that_is_not_there_is_refused_and_a_pulled_camera_is_not_mistaken_for_it() {
    let spool = spool();
    let mut bench = Bench::new(1_000, &[]);
    let elsewhere = SourcePath::new("DCIM/9999.MP4").unwrap();
    let job = CopyJob { path: elsewhere, ..bench.job() };
    let copy = bench.begin(job.clone(), &spool);
    let outcome = bench.run(copy);
    assert!(matches!(outcome, CopyOutcome::Refused(CameraError::NoSuchFile(_))));
    bench.state().present = false;
    let copy = bench.begin(job, &spool);
    paused(bench.run(copy), &Pause::CameraGone);
}

#[test]
fn a_second_read_sees_what_the_camera_gives_the_second_time() {
    let mut bench = Bench::new(600_000, &[Trouble::Glitch(300_000)]);
    let watch = Arc::clone(&bench.watch);
    let read =
        |bench: &mut Bench| second_read(&mut bench.camera, &path(), 600_000, NO_PAUSE, &watch);
    let SecondRead::Read(first) = read(&mut bench) else { panic!("a glitch is no end") };
    assert_eq!((first.size, first.sha256), (600_000, Sha256Digest::of(&bench.plain)));
    bench.state().file[599_999] ^= 1;
    let SecondRead::Read(other) = read(&mut bench) else { panic!("it reads") };
    assert_ne!(other.sha256, first.sha256);
    bench.state().troubles.push_back(Trouble::BadSector(500_000));
    assert!(matches!(read(&mut bench), SecondRead::Unreadable { .. }));
    bench.state().troubles = [Trouble::Cancel(10)].into();
    assert!(matches!(read(&mut bench), SecondRead::Paused(Pause::Cancelled)));
    watch.cancel.store(false, Ordering::Relaxed);
    bench.state().present = false;
    assert!(matches!(read(&mut bench), SecondRead::Paused(Pause::CameraGone)));
}

#[test]
fn small_records_go_by_the_same_rules() {
    let bench = Bench::new(0, &[]);
    let spool = spool();
    let record = br#"{"officer":"4711"}"#;
    let put = || {
        let source = &mut &record[..];
        spool_stream(object(7), source, 4096, PART, &bench.recipients, &spool).unwrap()
    };
    spool.inject(Fault::FlipBit { at: 150 });
    assert!(matches!(put(), SmallOutcome::SealBroken(_)));
    spool.inject(Fault::SyncEio);
    assert!(matches!(put(), SmallOutcome::SpoolBroken(_)));
    spool.inject(Fault::NoSpace { taken: 5 });
    assert!(matches!(put(), SmallOutcome::SpoolFull));
    spool.set_free(0);
    assert!(matches!(put(), SmallOutcome::Wait(_)));
    spool.set_free(u64::MAX);
    assert_eq!((spool.list().unwrap(), spool.unfinished()), (vec![], 0));
    let SmallOutcome::Sealed(copy) = put() else { panic!("nothing is in the way") };
    bench.check(&copy, record, &spool);
}

/// A fault of the camera at a place, or of the spool.
fn faults() -> impl Strategy<Value = (Vec<Trouble>, Vec<usize>)> {
    let at = 0usize..900_000;
    let trouble = prop_oneof![
        at.clone().prop_map(Trouble::Glitch),
        at.clone().prop_map(Trouble::Pull),
        at.clone().prop_map(Trouble::PullAsEnd),
        at.prop_map(Trouble::Cancel),
    ];
    let troubles = prop::collection::vec(trouble, 0..8).prop_map(|mut troubles| {
        troubles.sort_by_key(|trouble| trouble.at());
        troubles
    });
    (troubles, prop::collection::vec(0usize..300_000, 0..4))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Pulled, full, cancelled, glitching, in any order and anywhere: in the end one whole object.
    #[test]
    fn whatever_interrupts_it_the_object_is_whole_and_nothing_is_read_twice(
        (troubles, no_space) in faults(),
        size in 0usize..900_000,
    ) {
        let spool = spool();
        let mut bench = Bench::new(size, &troubles);
        no_space.iter().for_each(|taken| spool.inject(Fault::NoSpace { taken: *taken }));
        let patience = Patience { attempts: 50, pause: Duration::ZERO };
        let begun = Copy::begin(bench.job(), &bench.recipients, &spool, patience).unwrap();
        let Begun::Started(copy) = begun else { panic!("the spool has room") };
        let mut outcome = bench.run(copy);
        for _ in 0..troubles.len() + no_space.len() {
            let CopyOutcome::Paused(copy, _) = outcome else { break };
            bench.state().present = true;
            bench.watch.cancel.store(false, Ordering::Relaxed);
            outcome = bench.run(copy);
        }
        bench.check(&sealed(outcome), &bench.plain, &spool);
        prop_assert_eq!(bench.state().bytes_read, size);
    }
}
