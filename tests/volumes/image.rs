//! Images: made from committed fixtures, changed at will.

use bwvdock::{
    types::{Sha256Digest, SourcePath},
    volume::{Card, Change, ReadAt},
};
use std::{collections::BTreeMap, fs, io::Read as _};

/// Expands a fixture; how it was made stands in `make.sh` beside it.
pub fn fixture(name: &str) -> Vec<u8> {
    let sparse = fs::read(format!("tests/fixtures/volumes/{name}.sparse")).unwrap();
    assert_eq!(&sparse[..8], b"BWVSPARS");
    let number = |at: usize| u32::from_le_bytes(sparse[at..at + 4].try_into().unwrap()) as usize;
    let mut image = vec![0; number(8)];
    let mut at = 16;
    while at < sparse.len() {
        let (first, bytes) = (number(at) * 512, number(at + 4) * 512);
        image[first..first + bytes].copy_from_slice(&sparse[at + 8..at + 8 + bytes]);
        at += 8 + bytes;
    }
    image
}

/// Name and SHA-256 of every file that was copied into each fixture, as sha256sum wrote them.
pub fn tree() -> BTreeMap<String, String> {
    let sums = fs::read_to_string("tests/fixtures/volumes/tree.sums").unwrap();
    let pair = |line: &str| {
        let (sum, name) = line.split_once("  ").unwrap();
        (name.to_owned(), sum.to_owned())
    };
    sums.lines().map(pair).collect()
}

pub fn path(text: &str) -> SourcePath {
    SourcePath::new(text).unwrap()
}

pub fn sum(bytes: &[u8]) -> String {
    Sha256Digest::of(bytes).to_string()
}

/// Reads a file whole.
pub fn content(card: &Card, dev: &dyn ReadAt, name: &SourcePath) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    card.read(dev, name, 0)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Every file and the SHA-256 of its bytes, as the program reads them; no caveats are allowed but
/// those that contain one of `allowed`.
pub fn contents(image: &[u8], allowed: &[&str]) -> BTreeMap<String, String> {
    let card = Card::open(&image).unwrap();
    let listing = card.list(&image).unwrap();
    for caveat in listing.caveats.iter().chain(&listing.unread) {
        assert!(allowed.iter().any(|words| caveat.contains(words)), "{caveat}");
    }
    let read = |file: &bwvdock::types::FileEntry| {
        let bytes = content(&card, &image, &file.path).unwrap();
        assert_eq!(bytes.len() as u64, file.size, "{}", file.path);
        let name = String::from_utf8(file.path.as_bytes().to_vec()).unwrap();
        (name, sum(&bytes))
    };
    listing.files.iter().map(read).collect()
}

/// All writes that erase one file, and the image after all of them.
pub fn erase(image: &[u8], name: &str) -> (Vec<Change>, Vec<u8>) {
    let mut image = image.to_vec();
    let card = Card::open(&&image[..]).unwrap();
    let listing = card.list(&&image[..]).unwrap();
    let file = listing.files.iter().find(|file| file.path == path(name)).unwrap();
    let mut erasure = card.erasure(&&image[..], &file.path, file.size, file.modified_ms).unwrap();
    let mut changes = Vec::new();
    while let Some(change) = erasure.step(&&image[..]).unwrap() {
        apply(&mut image, &change);
        changes.push(change);
    }
    (changes, image)
}

pub fn apply(image: &mut [u8], change: &Change) {
    let at = usize::try_from(change.offset).unwrap();
    let place = &mut image[at..at + change.after.len()];
    assert_eq!(place, change.before, "{}", change.what);
    place.copy_from_slice(&change.after);
}
