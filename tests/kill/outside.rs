//! What must hold at every moment, seen from outside: on the files, while no daemon runs.

use crate::{
    footage::{Footage, Place},
    ledger::{Ledger, ObjectTrail},
    rig::{BUCKET, DOCK, Rig},
};
use bwvdock::{
    journal::offline,
    types::{Sha256Digest, fact::Hashed},
    vault::object_path,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, BufReader, Read as _},
    path::Path,
};

/// The store's own trace of having been asked what it enforces.
pub fn probe_key() -> String {
    format!("{DOCK}/bwvdock-probe")
}

/// Looks at a log that may be growing.
const LOOKS: u32 = 20;

/// Files that were found erased by right; each is looked at once.
#[derive(Default)]
pub struct Outside {
    gone: BTreeSet<Place>,
}

impl Outside {
    /// Checks everything; the log is read on from where it was.
    pub fn check(&mut self, rig: &Rig, footage: &Footage, ledger: &mut Ledger) {
        // A daemon that runs may write between the two looks, but not each time.
        for left in (0..LOOKS).rev() {
            ledger.catch_up();
            if ledger.lines == 0 {
                break;
            }
            let report = offline::verify(&rig.journal(), &[]).unwrap();
            assert_eq!((&report.damage, report.bad_lines), (&None, 0), "the log has a bad line");
            if left == 0 {
                assert_eq!(report.head.seq, ledger.lines, "lines of the log changed place");
            } else if report.head.seq == ledger.lines {
                break;
            }
        }
        for (place, original) in &footage.originals {
            if !self.gone.contains(place) && !footage.holds(place) {
                the_law(rig, ledger, place, original);
                self.gone.insert(place.clone());
            }
        }
        nothing_unexplained(rig, ledger);
    }

    pub fn erased(&self) -> usize {
        self.gone.len()
    }
}

/// A file is gone: it was sealed as it was, stored, receipted, and only then released.
fn the_law(rig: &Rig, ledger: &Ledger, place: &Place, original: &Hashed) {
    let segment = ledger.segments.get(place);
    let segment = segment.unwrap_or_else(|| panic!("{place:?} is gone and was never seen"));
    let Some(trail) = segment.objects.last().and_then(|object| ledger.objects.get(object)) else {
        panic!("{place:?} is gone and was never sealed");
    };
    assert_eq!(&trail.object.plain, original, "{place:?} was sealed as something else");
    let stored = trail.stored.first().copied();
    let receipted = trail.receipted.first().map(|(seq, _)| *seq);
    let releasing = segment.releasing.first().copied();
    let order = [Some(trail.sealed), stored, receipted, releasing];
    assert!(order.is_sorted() && order.iter().all(Option::is_some), "{place:?} is gone: {order:?}");
    opens_to(rig, trail, original);
}

/// The object in the store opens to what was on the camera.
pub fn opens_to(rig: &Rig, trail: &ObjectTrail, original: &Hashed) {
    let path = object_path(&rig.path("store"), BUCKET, &trail.object.key).unwrap();
    let opened = open(&path, &rig.path("identity.txt"));
    let opened = opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(&opened, original, "{} opens to other bytes", path.display());
}

/// Every object in the store has its line in the log; a receipt's object has a receipt's.
fn nothing_unexplained(rig: &Rig, ledger: &Ledger) {
    let sealed: BTreeMap<&str, &ObjectTrail> =
        ledger.objects.values().map(|trail| (trail.object.key.as_str(), trail)).collect();
    for key in keys(&rig.objects()) {
        let explained = match key.strip_suffix(".receipt") {
            Some(of) => sealed.get(of).is_some_and(|trail| !trail.receipted.is_empty()),
            None => sealed.contains_key(key.as_str()) || key == probe_key(),
        };
        assert!(explained, "the log knows nothing of {key} in the store");
    }
}

/// The keys of all objects below a folder. Keys of a dock stand in paths as they are.
pub fn keys(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        // The store makes the folder with its first object.
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let key = path.strip_prefix(folder).unwrap();
                found.insert(key.to_str().unwrap().to_owned());
            }
        }
    }
    found
}

fn open(path: &Path, identity: &Path) -> io::Result<Hashed> {
    let text = fs::read_to_string(identity)?;
    let line = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap_or("");
    let identity: age::x25519::Identity = line.parse().map_err(io::Error::other)?;
    let decryptor =
        age::Decryptor::new(BufReader::new(File::open(path)?)).map_err(io::Error::other)?;
    let mut reader = decryptor
        .decrypt(std::iter::once(&identity as &dyn age::Identity))
        .map_err(io::Error::other)?;
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    let (mut buffer, mut size) = (vec![0; 64 << 10], 0);
    loop {
        let n = reader.read(&mut buffer)?;
        if n == 0 {
            let sha256 = digest.finish().as_ref().try_into().expect("SHA-256 has 32 bytes");
            return Ok(Hashed { size, sha256: Sha256Digest(sha256) });
        }
        digest.update(&buffer[..n]);
        size += n as u64;
    }
}
