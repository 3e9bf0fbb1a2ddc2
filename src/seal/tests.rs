use super::*;
use crate::types::{
    Sha256Digest,
    fact::{Hashed, Part, PartTable},
};
use proptest::prelude::*;
use std::io::{self, Read};

const MIB: u64 = 1 << 20;

fn pair() -> (Identity, Recipients) {
    let identity = Identity::generate();
    let recipients = Recipients::parse(&[identity.public().to_owned()]).unwrap();
    (identity, recipients)
}

/// Bytes that repeat nowhere a chunk or part could be swapped unnoticed.
fn footage(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

fn seal(recipients: &Recipients, pieces: &[&[u8]], part_size: u64) -> (Vec<u8>, Finished) {
    let mut out = Vec::new();
    let mut sealer = Sealer::start(recipients, part_size).unwrap();
    for piece in pieces {
        sealer.push(piece, &mut out).unwrap();
    }
    let finished = sealer.finish(&mut out);
    (out, finished)
}

fn open(identity: &Identity, sealed: &[u8]) -> Vec<u8> {
    let identity: age::x25519::Identity = identity.secret().parse().unwrap();
    let decryptor = age::Decryptor::new(sealed).unwrap();
    let mut plain = Vec::new();
    let mut reader = decryptor.decrypt(std::iter::once(&identity as _)).unwrap();
    reader.read_to_end(&mut plain).unwrap();
    plain
}

/// What the table must be, computed from the whole ciphertext by other means.
fn table_of(sealed: &[u8], part_size: u64) -> PartTable {
    let row = |part: &[u8]| Part::from(Sha256Digest::of(part));
    let parts = sealed.chunks(usize::try_from(part_size).unwrap()).map(row).collect();
    PartTable { part_size, parts }
}

fn hashed(bytes: &[u8]) -> Hashed {
    Hashed { size: bytes.len() as u64, sha256: Sha256Digest::of(bytes) }
}

#[test]
fn every_size_around_a_chunk_opens_with_age_and_is_counted_right() {
    let (identity, recipients) = pair();
    let c = CHUNK;
    for size in [0, 1, c - 1, c, c + 1, 2 * c - 1, 2 * c, 2 * c + 1, 5 * c, 1_000_003] {
        let plain = footage(size);
        let (sealed, finished) = seal(&recipients, &[&plain], MIB);
        assert_eq!(open(&identity, &sealed), plain, "{size}");
        assert_eq!(finished.plain, hashed(&plain));
        assert_eq!(finished.table, table_of(&sealed, MIB));
        assert_eq!(finished.opener.sealed_size(), sealed.len() as u64);
        assert!(sealed.len() as u64 <= sealed_size_max(size as u64));
        let proven = finished.opener.verify(&mut &sealed[..]).unwrap();
        assert_eq!(proven.sealed(), hashed(&sealed));
    }
}

/// Seals with parts whose size depends on how long the header came out.
fn seal_with_parts(
    recipients: &Recipients,
    plain: &[u8],
    part_size: impl Fn(u64) -> u64,
) -> (Vec<u8>, Finished) {
    let (header, key) = key::start(recipients).unwrap();
    let part_size = part_size(header.len() as u64);
    let mut sealer = Sealer::with_key(header, key, part_size).unwrap();
    let mut out = Vec::new();
    sealer.push(plain, &mut out).unwrap();
    let finished = sealer.finish(&mut out);
    assert_eq!(finished.table, table_of(&out, part_size), "{part_size}");
    let proven = finished.opener.verify(&mut &out[..]).unwrap();
    assert_eq!(proven.sealed(), hashed(&out), "{part_size}");
    (out, finished)
}

#[test]
fn parts_may_end_anywhere_even_exactly_on_a_chunk() {
    let (_, recipients) = pair();
    let plain = footage(6 * CHUNK + 17);
    let chunk = (CHUNK + TAG) as u64;
    for extra in [1000, chunk - 1, chunk, chunk + 1, 2 * chunk, 6 * chunk] {
        seal_with_parts(&recipients, &plain, |header| header + extra);
    }
    for part_size in [chunk, 4096, 65_537, 6 * chunk] {
        seal_with_parts(&recipients, &plain, |_| part_size);
    }
    // An object that ends exactly with its only part has one part, not an empty second.
    let whole = plain.len() as u64 + 7 * TAG as u64;
    let (_, one) = seal_with_parts(&recipients, &plain, |header| header + whole);
    assert_eq!(one.table.parts.len(), 1);
    let (_, two) = seal_with_parts(&recipients, &plain, |header| header + whole - 1);
    assert_eq!(two.table.parts.len(), 2);
}

#[test]
fn the_composite_is_the_hash_over_the_part_hashes() {
    let (_, recipients) = pair();
    let (sealed, finished) = seal(&recipients, &[&footage(300_000)], 100_000);
    let mut all = Vec::new();
    for part in sealed.chunks(100_000) {
        all.extend(Sha256Digest::of(part).0);
    }
    let expected = format!("{}-{}", Sha256Digest::of(&all).to_base64(), all.len() / 32);
    assert_eq!(finished.table.composite_sha256(), expected);
}

#[test]
fn every_recipient_opens_it_and_nobody_else() {
    let (force, escrow, stranger) =
        (Identity::generate(), Identity::generate(), Identity::generate());
    let texts = [&force, &escrow].map(|i| i.public().to_owned());
    let recipients = Recipients::parse(&texts).unwrap();
    assert_eq!((recipients.count(), recipients.texts()), (2, texts.to_vec()));
    let (sealed, finished) = seal_small(&recipients, b"{\"officer\":\"4711\"}", MIB).unwrap();
    assert_eq!(finished.opener.verify(&mut &sealed[..]).unwrap().sealed(), hashed(&sealed));
    assert_eq!(open(&force, &sealed), open(&escrow, &sealed));
    let stranger: age::x25519::Identity = stranger.secret().parse().unwrap();
    let decryptor = age::Decryptor::new(&sealed[..]).unwrap();
    assert!(decryptor.decrypt(std::iter::once(&stranger as _)).is_err());
}

#[test]
fn the_same_plaintext_never_seals_to_the_same_bytes() {
    let (_, recipients) = pair();
    let plain = footage(10_000);
    let (one, _) = seal(&recipients, &[&plain], MIB);
    let (two, other) = seal(&recipients, &[&plain], MIB);
    assert_ne!(one, two);
    assert!(matches!(other.opener.verify(&mut &one[..]), Err(OpenError::Header)));
}

#[test]
fn wrong_keys_are_refused_in_words_that_never_repeat_a_secret() {
    let identity = Identity::generate();
    let public = identity.public().to_owned();
    let parse = |texts: &[&str]| {
        Recipients::parse(&texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>()).unwrap_err()
    };
    assert!(matches!(parse(&[]), SealError::NoRecipients));
    let pasted = identity.file_text("2026-01-02T03:04:05Z".parse().unwrap());
    let lower = identity.secret().to_lowercase();
    for secret in [identity.secret(), lower.as_str(), pasted.as_str()] {
        let error = parse(&[&public, secret]);
        assert!(matches!(error, SealError::PrivateKey { place: 2 }));
        let words = error.to_string();
        assert!(words.contains("PRIVATE") && !words.contains(&identity.secret()[16..]));
    }
    let mut flipped = public.clone();
    flipped.replace_range(20..21, if &public[20..21] == "q" { "p" } else { "q" });
    for bad in ["", "age1", "ssh-ed25519 AAAA", "age1pq1abc", flipped.as_str()] {
        assert!(matches!(parse(&[bad]), SealError::NotARecipient { place: 1, .. }), "{bad:?}");
    }
    let shouted = public.to_uppercase();
    assert!(matches!(parse(&[&public, &shouted]), SealError::Repeated { place: 2, first: 1 }));
    let many = vec![public.as_str(); Recipients::MAX + 1];
    assert!(matches!(parse(&many), SealError::TooManyRecipients));
}

#[test]
fn an_identity_never_shows_its_secret_by_accident() {
    let identity = Identity::generate();
    assert!(!format!("{identity:?}").contains("SECRET"));
    let text = identity.file_text("2026-01-02T03:04:05Z".parse().unwrap());
    assert!(text.starts_with("# created: 2026-01-02T03:04:05Z\n# public key: age1"));
    assert!(text.ends_with(&format!("\n{}\n", identity.secret())));
}

#[test]
fn a_stream_past_the_table_is_refused_and_the_rest_stays_good() {
    let (identity, recipients) = pair();
    let part_size = 1024;
    let bytes_max = part_size * PartTable::PARTS_MAX;
    let mut sealer = Sealer::start(&recipients, part_size).unwrap();
    let mut out = Vec::new();
    let good = footage(500_000);
    sealer.push(&good, &mut out).unwrap();
    let before = out.len();
    let error = sealer.push(&footage(30_000), &mut out).unwrap_err();
    assert!(matches!(error, SealError::TooLong { bytes_max: b, .. } if b == bytes_max));
    assert_eq!((out.len(), sealer.plain_size()), (before, 500_000), "nothing of it was taken");
    let finished = sealer.finish(&mut out);
    assert_eq!(open(&identity, &out), good);
    assert_eq!(finished.table, table_of(&out, part_size));

    // The very last byte that fits, fits; one more does not.
    let (header, key) = key::start(&recipients).unwrap();
    let taken = |n: usize| (header.len() + n + TAG * n.div_ceil(CHUNK)) as u64;
    let fits = (1..).find(|n| taken(*n) == bytes_max).unwrap();
    let mut sealer = Sealer::with_key(header, key, part_size).unwrap();
    assert!(sealer.push(&footage(fits + 1), &mut Vec::new()).is_err());
    sealer.push(&footage(fits), &mut Vec::new()).unwrap();
    let full = sealer.finish(&mut Vec::new());
    assert_eq!(
        (full.table.parts.len() as u64, full.opener.sealed_size()),
        (PartTable::PARTS_MAX, bytes_max)
    );
    assert!(Sealer::start(&recipients, 0).is_err());
}

#[test]
fn any_damage_on_the_disk_is_found_when_it_is_opened_again() {
    let (_, recipients) = pair();
    let plain = footage(2 * CHUNK + 100);
    let (sealed, finished) = seal(&recipients, &[&plain], MIB);
    let verify = |bytes: &[u8]| finished.opener.verify(&mut &bytes[..]);
    let header = sealed.len() - plain.len() - 3 * TAG;
    let flipped = |at: usize, bit: u8| {
        let mut bytes = sealed.clone();
        bytes[at] ^= 1 << bit;
        bytes
    };
    for at in 0..header {
        assert!(matches!(verify(&flipped(at, (at % 8) as u8)), Err(OpenError::Header)), "{at}");
    }
    for at in (header..sealed.len()).step_by(997).chain([sealed.len() - 1]) {
        let number = ((at - header) / (CHUNK + TAG)) as u64;
        let found = verify(&flipped(at, (at % 8) as u8));
        assert!(matches!(found, Err(OpenError::Chunk { number: n }) if n == number), "{at}");
    }
    for size in [0, header - 1, header, sealed.len() - TAG, sealed.len() - 1] {
        let found = verify(&sealed[..size]);
        let missing_is = (sealed.len() - size) as u64;
        assert!(matches!(found, Err(OpenError::Short { missing, .. }) if missing == missing_is));
    }
    let longer: Vec<u8> = sealed.iter().copied().chain([0]).collect();
    assert!(matches!(verify(&longer), Err(OpenError::Trailing)));
    let mut swapped = sealed.clone();
    let (first, second) = swapped[header..].split_at_mut(CHUNK + TAG);
    first.swap_with_slice(&mut second[..CHUNK + TAG]);
    assert!(matches!(verify(&swapped), Err(OpenError::Chunk { number: 0 })));
    assert!(verify(&sealed).is_ok(), "and the undamaged one still opens");
}

#[test]
fn a_plaintext_hashed_wrong_on_the_way_in_is_found() {
    let (_, recipients) = pair();
    let (sealed, mut finished) = seal(&recipients, &[b"footage"], MIB);
    finished.opener.pretend_plain(hashed(b"Footage"));
    assert!(matches!(finished.opener.verify(&mut &sealed[..]), Err(OpenError::Differs)));
}

#[test]
fn a_disk_that_fails_while_reading_back_is_no_proof() {
    struct Failing<'a>(&'a [u8], bool);
    impl Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if !std::mem::replace(&mut self.1, true) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            // Short reads are no failure; an error is.
            let n = self.0.len().min(buffer.len()).min(1000);
            if n == 0 {
                return Err(io::Error::from_raw_os_error(5));
            }
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }
    let (_, recipients) = pair();
    let (sealed, finished) = seal(&recipients, &[&footage(70_000)], MIB);
    let found = finished.opener.verify(&mut Failing(&sealed, false));
    let end = sealed.len() as u64;
    assert!(matches!(found, Err(OpenError::Read { at, .. }) if at == end), "{found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn however_it_is_pushed_the_result_is_the_same(
        size in 0usize..400_000,
        part_size in prop_oneof![1024u64..2048, 60_000u64..140_000, Just(65_552)],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        drain in any::<bool>(),
    ) {
        let (identity, recipients) = pair();
        let plain = footage(size);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(size + 1)).collect();
        cuts.extend([0, size]);
        cuts.sort_unstable();
        let mut sealer = Sealer::start(&recipients, part_size).unwrap();
        let (mut out, mut sealed) = (Vec::new(), Vec::new());
        for cut in cuts.windows(2) {
            sealer.push(&plain[cut[0]..cut[1]], &mut out).unwrap();
            if drain {
                sealed.append(&mut out);
            }
        }
        let finished = sealer.finish(&mut out);
        sealed.append(&mut out);
        prop_assert_eq!(finished.plain, hashed(&plain));
        prop_assert_eq!(&finished.table, &table_of(&sealed, part_size));
        prop_assert_eq!(finished.opener.verify(&mut &sealed[..]).unwrap().sealed(), hashed(&sealed));
        prop_assert!(open(&identity, &sealed) == plain);
    }

    #[test]
    fn no_text_makes_parsing_recipients_panic(texts in prop::collection::vec(".{0,80}", 0..4)) {
        prop_assert!(Recipients::parse(&texts).is_err());
    }
}
