//! Where the CPU seconds of sealing go: `cargo bench --bench seal`.
//!
//! Prints, for each step alone and for the whole, MB/s (10^6 bytes) and CPU seconds per GiB, by the
//! CPU clock of this thread: what else the machine does does not count. The steps are the ones a
//! segment passes: hash the source, seal, hash the parts; then hash what lies on the disk, open it
//! and hash that. Then the copy engine with a file as its camera and a spool in
//! the temporary folder, kernel time included, alone and eight at once. No network.

use bwvdock::{
    camera::{Camera, CameraError, Listing},
    daemon::copy::{Begun, Copy, CopyJob, CopyOutcome, Patience, Watch},
    release::ErasePermit,
    seal::{CHUNK, Identity, Recipients, Sealer, TAG},
    spool::{FolderSpool, Limits, Spool},
    types::{ObjectId, SourcePath, fact::ClockOffset},
};
use jiff::Timestamp;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{Context, SHA256},
};
use rustix::time::{ClockId, clock_gettime};
use std::{
    fs::File,
    hint::black_box,
    io::{Read, Seek, SeekFrom, Write},
    path::PathBuf,
    thread,
};
use uuid::Uuid;

const READ: usize = 256 * 1024;
const TOTAL: usize = 512 << 20;
const PART: u64 = 16 << 20;

fn cpu_seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// The best of three runs over [`TOTAL`] bytes: the machine is shared, the work is the same.
fn measure(name: &str, mut run: impl FnMut()) -> f64 {
    let once = |run: &mut dyn FnMut()| {
        let start = cpu_seconds();
        run();
        cpu_seconds() - start
    };
    let seconds = (0..3).map(|_| once(&mut run)).fold(f64::INFINITY, f64::min);
    let per_gib = seconds * (1u64 << 30) as f64 / TOTAL as f64;
    println!("{name:<52} {:>8.0} MB/s {per_gib:>8.3} s/GiB", TOTAL as f64 / seconds / 1e6);
    per_gib
}

fn nonce(chunk: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[3..11].copy_from_slice(&chunk.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn sha256(piece: &[u8]) {
    let mut context = Context::new(&SHA256);
    for _ in 0..TOTAL / piece.len() {
        context.update(black_box(piece));
    }
    black_box(context.finish());
}

fn main() {
    let piece: Vec<u8> =
        (0..READ as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    // A key of the bench's own: the real one never leaves its room.
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).expect("32 bytes"));
    let recipients = Recipients::parse(&[
        Identity::generate().public().to_owned(),
        Identity::generate().public().to_owned(),
    ])
    .expect("keys just made");

    println!("steps alone, {} MiB each, parts of {} MiB", TOTAL >> 20, PART >> 20);
    let sha = measure("SHA-256", || sha256(&piece));
    let copy = measure("copy of the plaintext into the output", || {
        let mut out = Vec::with_capacity(READ + CHUNK);
        for _ in 0..TOTAL / READ {
            out.clear();
            for chunk in black_box(&piece).chunks(CHUNK) {
                out.extend_from_slice(chunk);
            }
            black_box(&out);
        }
    });
    let mut chunk = vec![0; CHUNK];
    let seal = measure("ChaCha20-Poly1305 seal, 64 KiB in place", || {
        for number in 0..TOTAL / CHUNK {
            let tag =
                key.seal_in_place_separate_tag(nonce(number as u64), Aad::empty(), &mut chunk);
            black_box(tag.expect("a chunk is short").as_ref());
        }
    });
    let mut sealed = vec![0; CHUNK];
    key.seal_in_place_append_tag(nonce(0), Aad::empty(), &mut sealed).expect("a chunk is short");
    let mut buffer = vec![0; CHUNK + TAG];
    let open = measure("ChaCha20-Poly1305 open, with the copy a read makes", || {
        for _ in 0..TOTAL / CHUNK {
            buffer.copy_from_slice(&sealed);
            black_box(key.open_in_place(nonce(0), Aad::empty(), &mut buffer).expect("it opens"));
        }
    });
    with_disk(&recipients, &piece);

    println!("\nthe whole, in memory");
    let pass = measure("Sealer", || drop(seal_all(&recipients, &piece, PART, None)));
    let mut object = Vec::with_capacity(TOTAL + TOTAL / 1024);
    let finished = seal_all(&recipients, &piece, PART, Some(&mut object));
    let verify = measure("Opener, from memory", || {
        black_box(finished.opener.verify(&mut &object[..]).expect("it opens"));
    });

    println!(
        "\nper GiB: the sealer {pass:.3} s; its steps one after the other {:.3} s = 2 SHA-256 \
         {:.3} + seal {seal:.3} + copy {copy:.3}",
        2.0 * sha + seal + copy,
        2.0 * sha
    );
    println!(
        "reading back {verify:.3} s; one after the other {:.3} s = 2 SHA-256 + open {open:.3}",
        2.0 * sha + open
    );
}

/// The copy engine over a real file system: one copy, then eight at the same time.
fn with_disk(recipients: &Recipients, piece: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("source");
    let mut file = File::create(&source).expect("a new file");
    (0..TOTAL / READ).for_each(|_| file.write_all(piece).expect("room for the source"));
    let (spool, _) =
        FolderSpool::open(&folder.path().join("spool"), Limits::default()).expect("a new spool");
    println!("\nthe copy engine, file to spool, read back from the disk");
    let copy = |object: u128| {
        let object = ObjectId(Uuid::from_u128(object));
        let path = SourcePath::new("source").expect("a plain name");
        let job = CopyJob { object, path, size: TOTAL as u64, part_size: PART };
        let begun = Copy::begin(job, recipients, &spool, Patience::default());
        let Ok(Begun::Started(copy)) = begun else { panic!("the spool has room") };
        let outcome = copy.run(&mut FileCamera(source.clone()), &Watch::default());
        assert!(matches!(outcome, CopyOutcome::Sealed(_)), "nothing is in the way");
        spool.remove(object).expect("it is there");
    };
    measure("Copy", || copy(0));
    thread::scope(|scope| {
        let copy = &copy;
        (1..=8).for_each(|n| drop(scope.spawn(move || copy(n))));
    });
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown");
    println!("peak of the process after eight at once: {peak}");
}

struct FileCamera(PathBuf);

impl Camera for FileCamera {
    fn list(&mut self) -> Result<Listing, CameraError> {
        Ok(Listing::default())
    }

    fn open(&mut self, _: &SourcePath, offset: u64) -> Result<Box<dyn Read + Send>, CameraError> {
        let failed = |source| CameraError::Io { doing: "open the source".into(), source };
        let mut file = File::open(&self.0).map_err(failed)?;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        Ok(Box::new(file))
    }

    fn erase(&mut self, _: &ErasePermit) -> Result<(), CameraError> {
        Err(CameraError::ReadOnly("a bench".into()))
    }

    fn is_present(&mut self) -> bool {
        true
    }

    fn clock_offset(&mut self, _: Timestamp, _: bool) -> Result<Option<ClockOffset>, CameraError> {
        Ok(None)
    }
}

fn seal_all(
    recipients: &Recipients,
    piece: &[u8],
    part_size: u64,
    mut keep: Option<&mut Vec<u8>>,
) -> bwvdock::seal::Finished {
    let mut out = Vec::new();
    let mut sealer = Sealer::start(recipients, part_size).expect("keys just made");
    for _ in 0..TOTAL / READ {
        out.clear();
        sealer.push(black_box(piece), &mut out).expect("below the table's limit");
        if let Some(object) = &mut keep {
            object.extend_from_slice(&out);
        }
    }
    out.clear();
    let finished = sealer.finish(&mut out);
    if let Some(object) = keep {
        object.extend_from_slice(&out);
    }
    finished
}
