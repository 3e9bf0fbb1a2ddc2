use super::*;
use crate::types::{SegmentId, fact::Source};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::PathBuf,
};
use tempfile::TempDir;

fn path(text: &str) -> SourcePath {
    SourcePath::new(text).unwrap()
}

/// Writes one of the committed images (see `tests/fixtures/volumes/make.sh`) as a sparse file.
fn image(place: &TempDir, name: &str) -> PathBuf {
    let sparse = fs::read(format!("tests/fixtures/volumes/{name}.sparse")).unwrap();
    let number = |at: usize| u32::from_le_bytes(sparse[at..at + 4].try_into().unwrap()) as usize;
    let image = place.path().join("image");
    let file = File::create(&image).unwrap();
    file.set_len(number(8) as u64).unwrap();
    let mut at = 16;
    while at < sparse.len() {
        let (first, bytes) = (number(at) * 512, number(at + 4) * 512);
        file.write_all_at(&sparse[at + 8..at + 8 + bytes], first as u64).unwrap();
        at += 8 + bytes;
    }
    image
}

fn docked(name: &str, erase: EraseMode) -> (TempDir, PathBuf, StorageCamera) {
    let place = TempDir::new().unwrap();
    let image = image(&place, name);
    let camera = StorageCamera::open(&image, None, erase).unwrap();
    (place, image, camera)
}

fn read(camera: &mut StorageCamera, name: &str, offset: u64) -> Result<Vec<u8>, CameraError> {
    let mut bytes = Vec::new();
    camera.open(&path(name), offset)?.read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

fn permit(camera: &mut StorageCamera, name: &str) -> ErasePermit {
    let listing = camera.list().unwrap();
    let file = listing.files.iter().find(|file| file.path == path(name)).unwrap();
    let (size, modified_ms) = (file.size, file.modified_ms);
    let source = Source { path: path(name), size, modified_ms, expected: None, mark: None };
    ErasePermit::for_test(SegmentId(uuid::Uuid::nil()), source)
}

/// What of an image's clusters no file has, as `fsck.fat` and `dump.exfat` count them too.
#[test]
fn a_card_tells_its_room() {
    for name in ["fat12", "fat16", "fat32", "exfat"] {
        let (_place, image, mut camera) = docked(name, EraseMode::ReadOnly);
        let listing = camera.list().unwrap();
        let told = camera.condition().unwrap();
        let all = told.storage_bytes.unwrap();
        let device = fs::metadata(image).unwrap().len();
        assert!(all > 0 && all <= device, "{name}: {all} of {device}");
        let free = told.storage_free_bytes.unwrap_or_else(|| panic!("{name} says nothing"));
        let files: u64 = listing.files.iter().map(|file| file.size).sum();
        assert!(free + files <= all, "{name}: {free} + {files} > {all}");
        // Folders, tables and the ends of clusters take the rest.
        let rest = all - free - files;
        assert!(rest < all / 3, "{name}: {rest} of {all} accounted for by nothing");
    }
}

const CLIP: &str = "DCIM/100MEDIA/CLIP0002.MP4";

#[test]
fn a_card_is_listed_and_read_without_being_mounted() {
    for name in ["fat12", "fat16", "fat32", "exfat"] {
        let (_place, _, mut camera) = docked(name, EraseMode::ReadOnly);
        let listing = camera.list().unwrap();
        assert_eq!([listing.caveats, listing.unread].concat(), Vec::<String>::new(), "{name}");
        let whole = read(&mut camera, CLIP, 0).unwrap();
        assert_eq!(whole.len(), 20_480);
        assert_eq!(read(&mut camera, CLIP, 20_000).unwrap(), whole[20_000..]);
        assert!(matches!(read(&mut camera, "none", 0), Err(CameraError::NoSuchFile(_))));
    }
}

#[test]
fn a_second_read_sees_what_the_device_holds_now() {
    let (_place, image, mut camera) = docked("exfat", EraseMode::ReadOnly);
    let first = read(&mut camera, CLIP, 0).unwrap();
    camera.drop_cached(&path(CLIP));
    assert_eq!(read(&mut camera, CLIP, 0).unwrap(), first);
    assert_eq!(read(&mut camera, CLIP, 12_345).unwrap(), first[12_345..]);
    // One changed byte on the device is seen: nothing is answered from memory.
    let bytes = fs::read(&image).unwrap();
    let at = bytes.windows(64).position(|window| *window == first[700..764]).unwrap();
    let file = File::options().write(true).open(&image).unwrap();
    file.write_all_at(&[first[700] ^ 1], at as u64).unwrap();
    file.sync_all().unwrap();
    camera.drop_cached(&path(CLIP));
    let second = read(&mut camera, CLIP, 0).unwrap();
    assert_eq!((second[700], &second[701..]), (first[700] ^ 1, &first[701..]));
}

#[test]
fn exactly_the_file_of_the_permit_is_erased() {
    for name in ["fat16", "fat32", "exfat"] {
        let (_place, _, mut camera) = docked(name, EraseMode::Allowed);
        let before = camera.list().unwrap();
        let permit = permit(&mut camera, CLIP);
        camera.erase(&permit).unwrap();
        let after = camera.list().unwrap();
        let left: Vec<_> =
            before.files.into_iter().filter(|file| file.path != path(CLIP)).collect();
        assert_eq!((after.files, after.caveats), (left, vec![]), "{name}");
        assert!(matches!(read(&mut camera, CLIP, 0), Err(CameraError::NoSuchFile(_))));
        assert!(matches!(camera.erase(&permit), Err(CameraError::NoSuchFile(_))));
    }
}

#[test]
fn a_card_docked_read_only_is_never_written_to() {
    let (_place, image, mut camera) = docked("fat32", EraseMode::ReadOnly);
    let before = fs::read(&image).unwrap();
    let permit = permit(&mut camera, CLIP);
    assert!(matches!(camera.erase(&permit), Err(CameraError::ReadOnly(_))));
    read(&mut camera, CLIP, 0).unwrap();
    camera.drop_cached(&path(CLIP));
    assert!(fs::read(&image).unwrap() == before);
}

#[test]
fn a_file_that_changed_or_a_volume_that_is_odd_is_left_alone() {
    let (_place, image, mut camera) = docked("fat16", EraseMode::Allowed);
    let good = permit(&mut camera, CLIP);
    let mut source = good.source().clone();
    source.size -= 1;
    let permit = ErasePermit::for_test(SegmentId(uuid::Uuid::nil()), source);
    assert!(matches!(camera.erase(&permit), Err(CameraError::Changed { .. })));
    // The second table says something else of the file.
    let bytes = fs::read(&image).unwrap();
    let number = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let entry = bytes.windows(11).position(|window| window == b"CLIP0002MP4").unwrap();
    let link = (number(14) + number(22)) * 512 + number(entry + 26) * 2;
    let file = File::options().write(true).open(&image).unwrap();
    file.write_all_at(&[0xff, 0xff], link as u64).unwrap();
    let before = fs::read(&image).unwrap();
    let refused = camera.erase(&good);
    assert!(matches!(refused, Err(CameraError::ReadOnly(_))), "{refused:?}");
    assert!(fs::read(&image).unwrap() == before, "nothing was written");
}

#[test]
fn a_pulled_device_and_another_one_in_its_place_are_gone() {
    let (place, image, _) = docked("fat16", EraseMode::Allowed);
    let sysfs = place.path().join("sysfs");
    fs::create_dir(&sysfs).unwrap();
    fs::write(sysfs.join("diskseq"), "7\n").unwrap();
    let mut camera = StorageCamera::open(&image, Some(&sysfs), EraseMode::Allowed).unwrap();
    let permit = permit(&mut camera, CLIP);
    assert!(camera.is_present());
    fs::write(sysfs.join("diskseq"), "8\n").unwrap();
    assert!(!camera.is_present());
    assert!(matches!(camera.list(), Err(CameraError::Gone)));
    assert!(matches!(read(&mut camera, CLIP, 0), Err(CameraError::Gone)));
    assert!(matches!(camera.erase(&permit), Err(CameraError::Gone)));
    fs::remove_dir_all(&sysfs).unwrap();
    assert!(!camera.is_present());
    let refused = StorageCamera::open(&place.path().join("none"), None, EraseMode::ReadOnly);
    assert!(matches!(refused, Err(CameraError::Gone)));
}

#[test]
fn what_is_no_card_is_refused_in_words() {
    let place = TempDir::new().unwrap();
    let refused = StorageCamera::open(place.path(), None, EraseMode::ReadOnly);
    assert!(matches!(refused, Err(CameraError::Io { .. })), "{refused:?}");
    let image = place.path().join("image");
    fs::write(&image, vec![0; 4096]).unwrap();
    let mut camera = StorageCamera::open(&image, None, EraseMode::ReadOnly).unwrap();
    let Err(CameraError::Io { source, .. }) = camera.list() else { panic!("an empty card") };
    assert!(source.to_string().contains("not formatted"), "{source}");
}

/// A loop device over an image, given back at the end.
struct Loop(PathBuf);

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = std::process::Command::new("losetup").arg("-d").arg(&self.0).status();
    }
}

/// None where there are no rights to make one; `tests/all` runs as root in CI and must.
fn attached(image: &std::path::Path) -> Option<Loop> {
    let output = std::process::Command::new("losetup").args(["-f", "--show"]).arg(image).output();
    let output = output.ok().filter(|output| output.status.success());
    let Some(output) = output else {
        let must =
            std::env::var_os("BWVDOCK_TESTS").is_some() && rustix::process::getuid().is_root();
        assert!(!must, "a loop device cannot be made");
        eprintln!("skipped: no loop device can be made here");
        return None;
    };
    Some(Loop(PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())))
}

#[test]
fn a_real_block_device_is_read_and_erased_only_while_nobody_else_claims_it() {
    for name in ["fat32", "exfat"] {
        let place = TempDir::new().unwrap();
        let Some(device) = attached(&image(&place, name)) else { return };
        let sysfs = PathBuf::from("/sys/class/block").join(device.0.file_name().unwrap());
        let mut camera = StorageCamera::open(&device.0, Some(&sysfs), EraseMode::Allowed).unwrap();
        let permit = permit(&mut camera, CLIP);
        let first = read(&mut camera, CLIP, 0).unwrap();
        camera.drop_cached(&path(CLIP));
        assert_eq!(read(&mut camera, CLIP, 0).unwrap(), first);
        // What a mount does.
        let claim = camera.device.reopen(rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::EXCL);
        let claim = claim.unwrap();
        assert!(camera.list().unwrap().caveats.iter().any(|c| c.contains("in use elsewhere")));
        assert!(matches!(camera.erase(&permit), Err(CameraError::ReadOnly(_))));
        drop(claim);
        camera.erase(&permit).unwrap();
        let listing = camera.list().unwrap();
        assert!(listing.files.iter().all(|file| file.path != path(CLIP)));
        assert_eq!([listing.caveats, listing.unread].concat(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn every_file_of_a_card_has_a_mark_of_its_own_that_lasts_until_its_entry_is_another() {
    for name in ["fat12", "fat16", "fat32", "exfat"] {
        let (_place, path, mut camera) = docked(name, EraseMode::ReadOnly);
        let marks = |camera: &mut StorageCamera| -> Vec<(SourcePath, String)> {
            let files = camera.list().unwrap().files.into_iter();
            files.map(|file| (file.path, format!("{:?}", file.mark.unwrap()))).collect()
        };
        let first = marks(&mut camera);
        assert_eq!(marks(&mut camera), first, "{name}");
        let apart: std::collections::BTreeSet<_> = first.iter().map(|(_, mark)| mark).collect();
        assert_eq!(apart.len(), first.len(), "{name}");
        if name == "exfat" {
            continue;
        }
        // A directory entry with another time of making, as a new file in the old place has.
        let mut image = fs::read(&path).unwrap();
        let at = image.windows(11).position(|bytes| bytes == b"CLIP0002MP4").unwrap();
        image[at + 16] ^= 1;
        fs::write(&path, image).unwrap();
        let second = marks(&mut camera);
        let changed: Vec<_> = first.iter().zip(&second).filter(|(a, b)| a != b).collect();
        assert_eq!(changed.len(), 1, "{name}");
        assert_eq!(changed[0].0.0.to_string(), CLIP, "{name}");
    }
}
