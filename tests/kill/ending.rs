//! What must hold in the end, when everything was let through.

use crate::{
    footage::Footage,
    ledger::{Ledger, ObjectTrail},
    outside::{keys, opens_to, probe_key},
    rig::{BUCKET, Rig, finish},
};
use bwvdock::{
    custody::receipt::{Receipt, public_key_from_pem},
    types::Sha256Digest,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Every file of every camera: seen once, sealed once, stored once, byte for byte, and gone.
pub fn every_segment_once(rig: &Rig, footage: &Footage, ledger: &Ledger) {
    for (place, original) in &footage.originals {
        assert!(!footage.holds(place), "{place:?} is still there");
        let segment = &ledger.segments[place];
        assert_eq!(segment.objects.len(), 1, "{place:?} was sealed more than once");
        assert_eq!(segment.released, 1, "{place:?}");
        let trail = &ledger.objects[&segment.objects[0]];
        assert_eq!((trail.stored.len(), trail.receipted.len()), (1, 1), "{place:?}: {trail:?}");
        opens_to(rig, trail, original);
    }
    assert_eq!(ledger.segments.len(), footage.originals.len(), "files that nobody recorded");
    assert_eq!(ledger.of_segments().count(), footage.originals.len());
    for folder in footage.folders() {
        let left: Vec<_> = keys(&folder).into_iter().collect();
        assert_eq!(left, ["camera.json"], "what identifies a camera stays, and nothing else");
    }
}

/// The store holds the sealed objects, each with its receipt, and nothing besides; the spool holds
/// nothing. Says how many uploads of the probe were left open: a daemon that is killed while it
/// asks what the store enforces cannot abort the one it asks with.
pub fn nothing_left_over(rig: &Rig, ledger: &Ledger) -> usize {
    let mut wanted: BTreeSet<String> = BTreeSet::from([probe_key()]);
    for trail in ledger.objects.values() {
        assert!(trail.placed, "{trail:?}");
        wanted.insert(trail.object.key.clone());
        wanted.insert(format!("{}.receipt", trail.object.key));
    }
    assert_eq!(keys(&rig.objects()), wanted);
    let uploads = uploads(&rig.path("store").join(BUCKET).join("uploads"));
    let of_objects: Vec<_> = uploads.iter().filter(|key| **key != probe_key()).collect();
    assert!(of_objects.is_empty(), "uploads left open: {of_objects:?}");
    let spool = keys(&rig.path("state/spool"));
    assert!(spool.iter().all(|name| !name.contains(".age")), "left in the spool: {spool:?}");
    uploads.len()
}

/// The keys of the uploads that were never finished.
pub fn uploads(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let of = |path: PathBuf| {
        let text = fs::read(path.join("upload.json")).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        value["key"].as_str().expect("an upload has a key").to_owned()
    };
    entries.map(|entry| of(entry.unwrap().path())).collect()
}

/// Every receipt is signed by the dock, is the one the log names, lies beside its object, and
/// anchors the log as it is now.
pub fn receipts_hold(rig: &Rig, ledger: &Ledger) {
    let pem = fs::read_to_string(rig.path("state/dock.pub.pem")).unwrap();
    let key = public_key_from_pem(&pem).unwrap();
    let mut files = Vec::new();
    for trail in ledger.objects.values() {
        let file = rig.receipts().join(format!("{}.receipt", trail.object.id));
        let bytes = fs::read(&file).unwrap();
        assert_eq!(trail.receipted[0].1.sha256, Sha256Digest::of(&bytes), "{}", file.display());
        let placed = rig.objects().join(format!("{}.receipt", trail.object.key));
        assert_eq!(fs::read(placed).unwrap(), bytes, "the receipt beside the object differs");
        let receipt = Receipt::verify(&bytes, Some(&key)).unwrap();
        assert_eq!((receipt.object, receipt.sealed), (trail.object.id, trail.object.sealed));
        assert!(receipt.custody.seq >= trail.sealed, "anchored before it was sealed");
        files.push(file);
    }
    let journal = rig.journal();
    let mut arguments = vec!["custody", "verify", journal.to_str().unwrap()];
    for file in &files {
        arguments.extend(["--receipt", file.to_str().unwrap()]);
    }
    let said = finish("custody verify", &rig.run(&arguments));
    assert!(said.starts_with("whole: "), "{said}");
}

/// The same with nothing of ours: Debian's `age`, and the shell script over the log.
pub fn strangers_agree(rig: &Rig, ledger: &Ledger) {
    for trail in ledger.objects.values() {
        opens_with_age(rig, trail);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/verify_custody.sh");
    let output = Command::new("sh").arg(script).arg(rig.journal()).output().unwrap();
    let said = finish("verify_custody.sh", &output);
    assert!(said.starts_with(&format!("whole: line {},", ledger.lines)), "{said}");
}

fn opens_with_age(rig: &Rig, trail: &ObjectTrail) {
    let (sealed, plain) = (rig.objects().join(&trail.object.key), rig.path("opened"));
    let mut age = Command::new("age");
    age.arg("-d").arg("-i").arg(rig.path("identity.txt")).arg("-o").arg(&plain).arg(sealed);
    finish("age", &age.output().expect("age is installed"));
    let sum = Command::new("sha256sum").arg(&plain).output().unwrap();
    let said = finish("sha256sum", &sum);
    let expected = trail.object.plain.sha256.to_string();
    assert_eq!(said.split_whitespace().next(), Some(expected.as_str()), "{trail:?}");
}
