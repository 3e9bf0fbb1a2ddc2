//! What digests and ciphers cost on one core of this machine, with no file and no network.

use bwvdock::seal::{Finished, Identity, Recipients, Sealer};
use ring::{
    aead::{
        AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
    },
    digest::{Context, SHA256},
};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;

const TOTAL: usize = 256 << 20;
/// Bytes of a chunk of age, and of a TLS record.
const CHUNK: usize = 64 << 10;
const RECORD: usize = 16 << 10;
/// Bytes that the copy engine reads at once, and of a part.
const READ: usize = 256 << 10;
const PART: u64 = 16 << 20;

/// CPU seconds a GiB.
pub struct Primitives {
    pub sha256: f64,
    pub seal: f64,
    pub open: f64,
    pub tls: f64,
    /// The sealer as it is: source hashed, sealed, parts hashed; from memory to memory.
    pub sealer: f64,
    /// Hashed, opened, hashed; from memory.
    pub opener: f64,
}

impl Primitives {
    pub fn measure() -> Self {
        let piece = vec![0x5a; CHUNK];
        let sha256 = best(|| {
            let mut context = Context::new(&SHA256);
            (0..TOTAL / CHUNK).for_each(|_| context.update(black_box(&piece)));
            black_box(context.finish());
        });
        Self {
            sha256,
            seal: sealing(&CHACHA20_POLY1305, CHUNK),
            open: opening(),
            tls: sealing(&AES_256_GCM, RECORD),
            sealer: best(|| drop(seal_all(None))),
            opener: {
                let mut object = Vec::with_capacity(TOTAL + TOTAL / 1024);
                let finished = seal_all(Some(&mut object));
                best(|| {
                    black_box(finished.opener.verify(&mut &object[..]).expect("it opens"));
                })
            },
        }
    }
}

fn cpu_seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

fn best(mut run: impl FnMut()) -> f64 {
    let once = |run: &mut dyn FnMut()| {
        let start = cpu_seconds();
        run();
        cpu_seconds() - start
    };
    let seconds = (0..3).map(|_| once(&mut run)).fold(f64::INFINITY, f64::min);
    seconds * (1u64 << 30) as f64 / TOTAL as f64
}

fn key(algorithm: &'static Algorithm) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(algorithm, &[7; 32]).expect("32 bytes are a key"))
}

fn nonce(number: usize) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn sealing(algorithm: &'static Algorithm, size: usize) -> f64 {
    let (key, mut piece) = (key(algorithm), vec![0x5a; size]);
    best(|| {
        for number in 0..TOTAL / size {
            let tag = key.seal_in_place_separate_tag(nonce(number), Aad::empty(), &mut piece);
            black_box(tag.expect("a short piece").as_ref());
        }
    })
}

fn opening() -> f64 {
    let (key, mut sealed) = (key(&CHACHA20_POLY1305), vec![0x5a; CHUNK]);
    key.seal_in_place_append_tag(nonce(0), Aad::empty(), &mut sealed).expect("a short piece");
    let mut piece = sealed.clone();
    best(|| {
        for _ in 0..TOTAL / CHUNK {
            piece.copy_from_slice(&sealed);
            black_box(key.open_in_place(nonce(0), Aad::empty(), &mut piece).expect("it opens"));
        }
    })
}

fn seal_all(mut keep: Option<&mut Vec<u8>>) -> Finished {
    let recipients = Recipients::parse(&[Identity::generate().public().to_owned()]);
    let recipients = recipients.expect("a key just made");
    let (piece, mut out) = (vec![0x5a; READ], Vec::new());
    let mut sealer = Sealer::start(&recipients, PART).expect("large parts");
    for _ in 0..TOTAL / READ {
        sealer.push(black_box(&piece), &mut out).expect("below the table's limit");
        if let Some(object) = &mut keep {
            object.extend_from_slice(&out);
        }
        out.clear();
    }
    let finished = sealer.finish(&mut out);
    if let Some(object) = keep {
        object.extend_from_slice(&out);
    }
    finished
}
