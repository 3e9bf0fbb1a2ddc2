use super::*;
use crate::seal::{Finished, Identity, Recipients, seal_small};
use std::os::unix::fs::PermissionsExt as _;
use uuid::Uuid;

const ROOMY: Limits = Limits { bytes_max: 10 << 20, reserve_bytes: 0 };

fn object(n: u128) -> ObjectId {
    ObjectId(Uuid::from_u128(n))
}

fn sealed(plain: &[u8]) -> (Vec<u8>, Finished) {
    let recipients = Recipients::parse(&[Identity::generate().public().to_owned()]).unwrap();
    seal_small(&recipients, plain, 1 << 20).unwrap()
}

fn writer(spool: &FolderSpool, n: u128, bytes: u64) -> Box<dyn Writer> {
    match spool.create(object(n), bytes).unwrap() {
        Admission::Granted(writer) => writer,
        _ => panic!("the spool is roomy"),
    }
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Puts a small sealed object into the spool by the rules.
fn put(spool: &FolderSpool, n: u128) -> (SpoolFile, Vec<u8>) {
    let (bytes, finished) = sealed(b"footage");
    let mut writer = writer(spool, n, bytes.len() as u64);
    assert_eq!(writer.write(&bytes).unwrap(), Written::All);
    writer.sync().unwrap();
    let proof = finished.opener.verify(&mut writer.read_back()).unwrap();
    (writer.commit(&proof).unwrap(), bytes)
}

#[test]
fn a_proved_object_gets_its_name_and_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let (spool, found) = FolderSpool::open(&path, ROOMY).unwrap();
    assert_eq!(found, Found::default());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let (file, bytes) = put(&spool, 1);
    let name = format!("{}.age", object(1));
    assert_eq!(names(&path), [name.as_str()]);
    assert_eq!(fs::metadata(path.join(&name)).unwrap().permissions().mode() & 0o777, 0o600);
    let (mut buffer, size) = (vec![0; bytes.len() + 9], bytes.len() as u64);
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), bytes.len(), "short at the end");
    assert_eq!((&buffer[..bytes.len()], file.size()), (&bytes[..], size));
    drop(spool);

    let (spool, found) = FolderSpool::open(&path, ROOMY).unwrap();
    let entry = Entry { object: object(1), size };
    assert_eq!((found.objects, found.removed), (vec![entry], 0));
    assert_eq!((spool.list().unwrap(), spool.usage().used), (vec![entry], size));
    assert_eq!(spool.open(object(1)).unwrap().size(), size);
    assert!(matches!(spool.create(object(1), 1), Err(SpoolError::Exists(_))));
    spool.remove(object(1)).unwrap();
    assert!(matches!(spool.open(object(1)), Err(SpoolError::Missing(_))));
    assert!(matches!(spool.remove(object(1)), Err(SpoolError::Missing(_))));
    assert_eq!((names(&path), spool.usage().used), (vec![], 0));
    // Whoever still reads the removed object reads it whole.
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), bytes.len());
}

#[test]
fn nothing_unproved_gets_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = FolderSpool::open(folder.path(), ROOMY).unwrap();
    let (bytes, finished) = sealed(b"footage");
    let proof = finished.opener.verify(&mut &bytes[..]).unwrap();

    let mut unsynced = writer(&spool, 1, 1000);
    unsynced.write(&bytes).unwrap();
    assert!(matches!(unsynced.commit(&proof), Err(SpoolError::Unproved(_))));

    let mut longer = writer(&spool, 1, 1000);
    longer.write(&bytes).unwrap();
    longer.sync().unwrap();
    longer.write(b"more").unwrap();
    longer.sync().unwrap();
    assert!(matches!(longer.commit(&proof), Err(SpoolError::Unproved(_))));

    assert_eq!(names(folder.path()), Vec::<String>::new(), "a dropped writer leaves nothing");
    let usage = spool.usage();
    assert_eq!((usage.used, usage.reserved, usage.written), (0, 0, 0));
}

#[test]
fn what_an_earlier_life_left_is_removed_and_what_is_not_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let id = object(0xabcd_ef00);
    let tmp = path.join(format!("{id}.age.tmp"));
    fs::write(&tmp, b"half").unwrap();
    fs::write(path.join(format!("{id}.age")), b"whole").unwrap();
    let upper = format!("{}.age", id.to_string().to_uppercase());
    let foreign = ["notes.txt", "x.age", "README", "a.tmp", upper.as_str()];
    for name in foreign {
        fs::write(path.join(name), b"mine").unwrap();
    }
    let linked = format!("{}.age", object(3));
    std::os::unix::fs::symlink(&tmp, path.join(&linked)).unwrap();
    let folder_name = format!("{}.age.tmp", object(4));
    fs::create_dir(path.join(&folder_name)).unwrap();

    let (spool, found) = FolderSpool::open(path, ROOMY).unwrap();
    assert_eq!(found.objects, [Entry { object: id, size: 5 }]);
    assert_eq!(found.removed, 1);
    let mut expected: Vec<String> = foreign.map(str::to_owned).to_vec();
    expected.extend([linked, folder_name]);
    expected.sort();
    assert_eq!(found.foreign, expected);
    assert_eq!(names(path).len(), expected.len() + 1, "only the leftover is gone");
    assert_eq!(spool.usage().used, 5);
}

#[test]
fn a_full_spool_says_wait_and_a_hopeless_object_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { bytes_max: 1000, reserve_bytes: 0 };
    let (spool, _) = FolderSpool::open(folder.path(), limits).unwrap();
    let first = writer(&spool, 1, 800);
    let again = spool.create(object(2), 300).unwrap();
    assert!(matches!(again, Admission::Wait(Wait::Budget { missing: 100 })));
    let never = spool.create(object(2), 1001).unwrap();
    assert!(matches!(never, Admission::TooLarge { bytes_max: 1000 }));
    drop(first);
    drop(writer(&spool, 2, 300));

    let limits = Limits { bytes_max: 1000, reserve_bytes: u64::MAX };
    let (spool, _) = FolderSpool::open(folder.path(), limits).unwrap();
    let no_space = spool.create(object(2), 1).unwrap();
    assert!(matches!(no_space, Admission::Wait(Wait::FreeSpace { .. })));
}

#[test]
fn a_source_that_outgrows_the_budget_waits_and_can_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { bytes_max: 1000, reserve_bytes: 0 };
    let (spool, _) = FolderSpool::open(folder.path(), limits).unwrap();
    let other = writer(&spool, 2, 500);
    let mut growing = writer(&spool, 1, 100);
    assert_eq!(growing.write(&[1; 100]).unwrap(), Written::All);
    assert_eq!(growing.write(&[2; 300]).unwrap(), Written::All, "there is room to grow");
    assert_eq!(growing.write(&[3; 200]).unwrap(), Written::Full { taken: 0 });
    drop(other);
    assert_eq!(growing.write(&[3; 200]).unwrap(), Written::All);
    assert_eq!(growing.size(), 600);
    assert_eq!(growing.sync().unwrap(), Written::All);
    let mut back = Vec::new();
    io::Read::read_to_end(&mut growing.read_back(), &mut back).unwrap();
    assert_eq!(back, [&[1; 100][..], &[2; 300], &[3; 200]].concat());
}

#[test]
fn two_copies_of_one_object_cannot_be_written_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = FolderSpool::open(folder.path(), ROOMY).unwrap();
    let first = writer(&spool, 1, 10);
    assert!(matches!(spool.create(object(1), 10), Err(SpoolError::Exists(_))));
    assert_eq!(spool.usage().reserved, 10, "the refused one holds nothing");
    drop(first);
    drop(writer(&spool, 1, 10));
}
