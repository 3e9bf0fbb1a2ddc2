//! What digests and ciphers cost on one core of this machine, with no file and no network.

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

/// CPU seconds a GiB.
pub struct Primitives {
    pub sha256: f64,
    pub seal: f64,
    pub open: f64,
    pub tls: f64,
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
