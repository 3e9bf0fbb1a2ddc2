use super::{
    below::walk_to_folder,
    walk::{CAVEATS_MAX, DEPTH_MAX},
    *,
};
use crate::types::{SegmentId, fact::Source};
use rustix::fs::mknodat;
use std::{
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
        net::UnixListener,
    },
    time::{Duration, Instant, SystemTime},
};
use tempfile::TempDir;

fn path(text: &str) -> SourcePath {
    SourcePath::new(text).unwrap()
}

/// A card with two files, and the folder beside it that must never be reached.
fn card() -> (TempDir, FolderCamera) {
    let place = TempDir::new().unwrap();
    let root = place.path().join("card");
    fs::create_dir_all(root.join("DCIM/100")).unwrap();
    fs::write(root.join("DCIM/100/B.MP4"), b"bbb").unwrap();
    fs::write(root.join("DCIM/100/A.MP4"), b"aaaaa").unwrap();
    fs::create_dir(place.path().join("outside")).unwrap();
    fs::write(place.path().join("outside/secret"), b"secret").unwrap();
    let camera = FolderCamera::open(&root, EraseMode::Allowed).unwrap();
    (place, camera)
}

fn names(listing: &Listing) -> Vec<String> {
    listing.files.iter().map(|file| file.path.to_string()).collect()
}

fn read(camera: &mut FolderCamera, name: &str, offset: u64) -> Result<Vec<u8>, CameraError> {
    let mut bytes = Vec::new();
    camera.open(&path(name), offset)?.read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

fn permit(camera: &mut FolderCamera, name: &str) -> ErasePermit {
    let listing = camera.list().unwrap();
    let file = listing.files.iter().find(|file| file.path == path(name)).unwrap();
    permit_for(name, file.size, file.modified_ms)
}

fn permit_for(name: &str, size: u64, modified_ms: Option<i64>) -> ErasePermit {
    let source = Source { path: path(name), size, modified_ms, expected: None, mark: None };
    ErasePermit::for_test(SegmentId(uuid::Uuid::nil()), source)
}

#[test]
fn a_listing_is_sorted_and_has_sizes_and_times() {
    let (_place, mut camera) = card();
    let listing = camera.list().unwrap();
    assert_eq!(names(&listing), ["DCIM/100/A.MP4", "DCIM/100/B.MP4"]);
    assert_eq!(listing.files[0].size, 5);
    let modified = u64::try_from(listing.files[0].modified_ms.unwrap()).unwrap();
    let age = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH + Duration::from_millis(modified))
        .unwrap();
    assert!(age < Duration::from_secs(60));
    assert!(listing.caveats.is_empty());
}

#[test]
fn reading_starts_at_the_offset_and_ends_at_the_end() {
    let (_place, mut camera) = card();
    assert_eq!(read(&mut camera, "DCIM/100/A.MP4", 0).unwrap(), b"aaaaa");
    assert_eq!(read(&mut camera, "DCIM/100/A.MP4", 3).unwrap(), b"aa");
    assert_eq!(read(&mut camera, "DCIM/100/A.MP4", 99).unwrap(), b"");
    assert!(matches!(read(&mut camera, "DCIM/none", 0), Err(CameraError::NoSuchFile(_))));
}

#[test]
fn links_to_files_and_folders_and_loops_are_told_and_never_followed() {
    let (place, mut camera) = card();
    symlink(place.path().join("outside/secret"), camera.root().join("file.mp4")).unwrap();
    symlink(place.path().join("outside"), camera.root().join("folder")).unwrap();
    symlink(".", camera.root().join("loop")).unwrap();
    let listing = camera.list().unwrap();
    assert_eq!(listing.files.len(), 2);
    assert_eq!(listing.caveats.len(), 3);
    assert!(listing.caveats.iter().all(|caveat| caveat.contains("link")));
    for name in ["file.mp4", "folder/secret", "loop/DCIM/100/A.MP4"] {
        let refused = read(&mut camera, name, 0);
        assert!(matches!(refused, Err(CameraError::Changed { .. })), "{name}: {refused:?}");
        let refused = camera.erase(&permit_for(name, 6, None));
        assert!(matches!(refused, Err(CameraError::Changed { .. })), "{name}: {refused:?}");
    }
    assert!(place.path().join("outside/secret").exists());
}

#[test]
fn the_walk_for_old_kernels_refuses_the_same() {
    let (place, camera) = card();
    symlink(place.path().join("outside"), camera.root().join("folder")).unwrap();
    let root = camera.enter().unwrap();
    let walk = |path: &[u8]| walk_to_folder(&root, path, camera.id.device).map(drop);
    assert_eq!(walk(b"DCIM/100"), Ok(()));
    assert_eq!(walk(b"folder"), Err(Errno::NOTDIR));
    assert_eq!(walk(b"../outside"), Err(Errno::XDEV));
    assert_eq!(walk(b"DCIM/../../outside"), Err(Errno::XDEV));
    assert_eq!(walk_to_folder(&root, b"DCIM", camera.id.device + 1).map(drop), Err(Errno::XDEV));
    assert!(open_folder(&root, b"../outside", camera.id.device).is_err());
}

#[test]
fn a_folder_of_a_larger_file_system_tells_no_room_and_a_mount_tells_its_own() {
    let (_place, mut camera) = card();
    assert!(camera.condition().unwrap().is_silent());
    // On nearly every machine a file system of its own.
    let (mount, above) = (std::path::Path::new("/dev/shm"), std::path::Path::new("/dev"));
    let device = |path| rustix::fs::stat(path).unwrap().st_dev;
    let told = FolderCamera::open(mount, EraseMode::ReadOnly).unwrap().condition().unwrap();
    match device(mount) == device(above) {
        true => assert!(told.is_silent()),
        false => assert!(told.storage_free_bytes.unwrap() <= told.storage_bytes.unwrap()),
    }
}

#[test]
fn traversal_cannot_be_said() {
    for name in ["../outside/secret", "/etc/passwd", "DCIM/../../outside/secret"] {
        assert!(SourcePath::new(name).is_err(), "{name}");
    }
}

#[test]
fn fifos_sockets_and_devices_are_told_and_never_opened() {
    let (_place, mut camera) = card();
    let root = camera.enter().unwrap();
    mknodat(&root, "pipe.mp4", FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _socket = UnixListener::bind(camera.root().join("socket.mp4")).unwrap();
    let null = rustix::fs::makedev(1, 3);
    let mut odd = vec!["pipe.mp4", "socket.mp4"];
    // Making a device needs rights a test may lack.
    if mknodat(&root, "device.mp4", FileType::CharacterDevice, Mode::RWXU, null).is_ok() {
        odd.push("device.mp4");
    }
    let listing = camera.list().unwrap();
    assert_eq!(listing.files.len(), 2);
    assert_eq!(listing.caveats.len(), odd.len());
    for name in odd {
        // Would wait for ever if the FIFO were opened in the ordinary way.
        assert!(matches!(read(&mut camera, name, 0), Err(CameraError::Changed { .. })), "{name}");
    }
}

#[test]
fn names_that_are_not_utf_8_are_kept_and_open() {
    let (_place, mut camera) = card();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.mp4");
    fs::write(camera.root().join(name), b"x").unwrap();
    let listing = camera.list().unwrap();
    let odd = listing.files.last().unwrap().path.clone();
    assert_eq!(odd.as_bytes(), b"caf\xe9.mp4");
    let mut bytes = Vec::new();
    camera.open(&odd, 0).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"x");
}

#[test]
fn a_file_of_no_bytes_is_a_file() {
    let (_place, mut camera) = card();
    fs::write(camera.root().join("0.mp4"), b"").unwrap();
    assert_eq!(camera.list().unwrap().files[0].size, 0);
    assert_eq!(read(&mut camera, "0.mp4", 0).unwrap(), b"");
    let permit = permit(&mut camera, "0.mp4");
    camera.erase(&permit).unwrap();
    assert!(!camera.root().join("0.mp4").exists());
}

#[test]
fn a_file_swapped_for_a_folder_or_a_link_since_the_listing_is_changed() {
    let (place, mut camera) = card();
    let file = camera.root().join("DCIM/100/A.MP4");
    let permit = permit(&mut camera, "DCIM/100/A.MP4");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(matches!(read(&mut camera, "DCIM/100/A.MP4", 0), Err(CameraError::Changed { .. })));
    fs::remove_dir(&file).unwrap();
    symlink(place.path().join("outside/secret"), &file).unwrap();
    assert!(matches!(read(&mut camera, "DCIM/100/A.MP4", 0), Err(CameraError::Changed { .. })));
    assert!(matches!(camera.erase(&permit), Err(CameraError::Changed { .. })));
    assert!(place.path().join("outside/secret").exists());
}

#[test]
fn erase_compares_size_and_time_before() {
    let (_place, mut camera) = card();
    let file = camera.root().join("DCIM/100/A.MP4");
    let permit = permit(&mut camera, "DCIM/100/A.MP4");
    let modified = fs::metadata(&file).unwrap().modified().unwrap();

    fs::write(&file, b"aaaaaa").unwrap();
    assert!(matches!(camera.erase(&permit), Err(CameraError::Changed { .. })));

    fs::write(&file, b"zzzzz").unwrap();
    let later = modified + Duration::from_secs(2);
    File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
    assert!(matches!(camera.erase(&permit), Err(CameraError::Changed { .. })));
    assert!(file.exists());

    fs::write(&file, b"aaaaa").unwrap();
    File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    camera.erase(&permit).unwrap();
    assert!(!file.exists());
    assert!(camera.root().join("DCIM/100/B.MP4").exists());
    assert!(matches!(camera.erase(&permit), Err(CameraError::NoSuchFile(_))));
}

#[test]
fn a_camera_docked_read_only_is_never_erased() {
    let (_place, mut camera) = card();
    let permit = permit(&mut camera, "DCIM/100/A.MP4");
    let mut camera = FolderCamera::open(camera.root(), EraseMode::ReadOnly).unwrap();
    assert!(matches!(camera.erase(&permit), Err(CameraError::ReadOnly(_))));
    assert!(camera.root().join("DCIM/100/A.MP4").exists());
}

#[test]
fn a_root_that_vanished_or_was_replaced_is_gone() {
    let (place, mut camera) = card();
    let permit = permit(&mut camera, "DCIM/100/A.MP4");
    let root = camera.root().to_owned();
    assert!(camera.is_present());
    fs::rename(&root, place.path().join("elsewhere")).unwrap();
    for step in ["missing", "replaced", "a file"] {
        match step {
            "missing" => {}
            // As a bare mount point, or another card, would show.
            "replaced" => fs::create_dir_all(root.join("DCIM/100")).unwrap(),
            _ => {
                fs::remove_dir_all(&root).unwrap();
                fs::write(&root, b"").unwrap();
            }
        }
        assert!(!camera.is_present(), "{step}");
        assert!(matches!(camera.list(), Err(CameraError::Gone)), "{step}");
        assert!(matches!(read(&mut camera, "DCIM/100/A.MP4", 0), Err(CameraError::Gone)), "{step}");
        assert!(matches!(camera.erase(&permit), Err(CameraError::Gone)), "{step}");
    }
    assert!(place.path().join("elsewhere/DCIM/100/A.MP4").exists());
    let missing = FolderCamera::open(&place.path().join("none"), EraseMode::ReadOnly);
    assert!(matches!(missing, Err(CameraError::Gone)));
}

#[test]
fn a_folder_that_may_not_be_read_is_told() {
    let (_place, mut camera) = card();
    let locked = camera.root().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let listing = camera.list().unwrap();
    // The superuser may read it all the same.
    let expected = usize::from(!rustix::process::geteuid().is_root());
    assert_eq!((listing.unread.len(), listing.caveats.len()), (expected, 0));
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn folders_too_deep_and_caveats_too_many_are_bounded_in_words() {
    let (_place, mut camera) = card();
    let deep = (0..DEPTH_MAX + 5).fold(camera.root().to_owned(), |at, _| at.join("d"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("x.mp4"), b"x").unwrap();
    let listing = camera.list().unwrap();
    assert_eq!(listing.files.len(), 2);
    assert!(listing.unread[0].contains("too deep") && listing.caveats.is_empty());
    for number in 0..CAVEATS_MAX + 7 {
        symlink("nowhere", camera.root().join(format!("link-{number}"))).unwrap();
    }
    let listing = camera.list().unwrap();
    assert_eq!(listing.caveats.len(), CAVEATS_MAX + 1);
    assert!(listing.caveats.last().unwrap().starts_with("and 7 more"));
}

#[test]
fn fifty_thousand_files_are_listed_in_reasonable_time() {
    let (_place, mut camera) = card();
    for folder in 0..50 {
        let folder = camera.root().join(format!("{folder:03}"));
        fs::create_dir(&folder).unwrap();
        for file in 0..1000 {
            File::create(folder.join(format!("{file:04}.mp4"))).unwrap();
        }
    }
    let start = Instant::now();
    let listing = camera.list().unwrap();
    assert_eq!(listing.files.len(), 50_002);
    assert!(listing.files.is_sorted_by(|a, b| a.path < b.path));
    // A second or less on the slowest dock; the bound only catches what is quadratic.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn a_bay_is_empty_without_folder_or_with_a_bare_mount_point() {
    let place = TempDir::new().unwrap();
    let bay = FolderBay::new(place.path().join("bay"));
    assert!(!bay.is_present());
    fs::create_dir(bay.path()).unwrap();
    assert!(!bay.is_present());
    fs::write(bay.path().join("camera.json"), b"{}").unwrap();
    assert!(bay.is_present());
    fs::remove_dir_all(bay.path()).unwrap();
    fs::write(bay.path(), b"a file").unwrap();
    assert!(!bay.is_present());
}

#[test]
fn a_file_put_in_the_place_of_another_has_another_mark_though_size_and_time_are_equal() {
    let (place, mut camera) = card();
    let file = place.path().join("card/DCIM/100/A.MP4");
    let seen = |camera: &mut FolderCamera| camera.list().unwrap().files.remove(0);
    let first = seen(&mut camera);
    read(&mut camera, "DCIM/100/A.MP4", 0).unwrap();
    let reopened =
        &mut FolderCamera::open(&place.path().join("card"), EraseMode::ReadOnly).unwrap();
    assert_eq!((seen(&mut camera), seen(reopened)), (first.clone(), first.clone()));
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    let backdate = |file: &std::path::Path| {
        fs::File::options().write(true).open(file).unwrap().set_modified(modified).unwrap();
    };
    // Another file is moved there; then its bytes are written over in place.
    let other = place.path().join("other");
    fs::write(&other, b"AAAAA").unwrap();
    backdate(&other);
    fs::rename(&other, &file).unwrap();
    let moved = seen(&mut camera);
    fs::write(&file, b"XXXXX").unwrap();
    backdate(&file);
    let written = seen(&mut camera);
    for (before, after) in [(&first, &moved), (&moved, &written)] {
        let looks = |entry: &crate::types::FileEntry| (entry.size, entry.modified_ms);
        assert_eq!(looks(before), looks(after));
        assert!(before.mark.is_some() && before.mark != after.mark);
    }
}
