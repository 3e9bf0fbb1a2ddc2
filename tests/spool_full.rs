//! A file system that is really full, met by the real spool: it waits, and loses nothing.
//!
//! Needs a small file system of its own: `BWVDOCK_SMALL_FS=DIR`, for example of
//! `mount -t tmpfs -o size=2m none DIR`. Skipped, in words, without one.

use bwvdock::{
    seal::{Identity, Recipients, seal_small},
    spool::{Admission, FolderSpool, Limits, Spool, Wait, Written},
    types::ObjectId,
};
use std::{fs, path::Path};
use uuid::Uuid;

const KIB: usize = 1024;

#[test]
fn a_write_cut_short_by_enospc_goes_on_when_there_is_space() {
    let Some(small) = std::env::var_os("BWVDOCK_SMALL_FS") else {
        eprintln!("skipped: BWVDOCK_SMALL_FS names no small file system");
        return;
    };
    let folder = tempfile::tempdir_in(small).unwrap();
    let (spool, _) = FolderSpool::open(&folder.path().join("spool"), Limits::default()).unwrap();
    let free = spool.usage().free;
    assert!((1 << 20..64 << 20).contains(&free), "{free} bytes are not a small file system");

    let object = ObjectId(Uuid::from_u128(1));
    let recipients = Recipients::parse(&[Identity::generate().public().to_owned()]).unwrap();
    let (sealed, finished) = seal_small(&recipients, &vec![7; 600 * KIB], 5 << 20).unwrap();
    let size = sealed.len() as u64;
    let Admission::Granted(mut writer) = spool.create(object, size).unwrap() else {
        panic!("there is room")
    };
    // Somebody else takes the space that was promised.
    let other = folder.path().join("other");
    fill(&other, free - 300 * KIB as u64);
    let Written::Full { taken } = writer.write(&sealed).unwrap() else { panic!("no room") };
    assert!((1..sealed.len()).contains(&taken), "{taken}");
    assert_eq!(writer.size(), taken as u64);
    let more = spool.create(ObjectId(Uuid::from_u128(2)), 100 * KIB as u64).unwrap();
    assert!(matches!(more, Admission::Wait(Wait::FreeSpace { .. })));
    let still = writer.write(&sealed[taken..]).unwrap();
    assert_eq!(still, Written::Full { taken: 0 }, "and it stays full");

    fs::remove_file(other).unwrap();
    assert_eq!(writer.write(&sealed[taken..]).unwrap(), Written::All);
    writer.sync().unwrap();
    let proof = finished.opener.verify(&mut writer.read_back()).unwrap();
    assert_eq!(writer.commit(&proof).unwrap().size(), size);
    assert_eq!(spool.usage().used, size);
}

fn fill(path: &Path, bytes: u64) {
    fs::write(path, vec![1; usize::try_from(bytes).unwrap()]).unwrap();
}
