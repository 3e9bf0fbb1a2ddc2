//! The same camera against real responders, over libusb: for the guest of `tests/usb`, where QEMU
//! and Debian's umtp-responder are plugged in. Ignored elsewhere; it needs
//!
//! - `BWVDOCK_USB_PORT`: the port path of the camera, such as `1-2`;
//! - `BWVDOCK_USB_FOLDER`: the folder it shows, to compare with;
//! - `BWVDOCK_USB_ERASE`: `allowed` or `refused`;
//! - `BWVDOCK_USB_RATIO`, if there is such a bound: what reading in parts must reach at least, as a
//!   fraction of GetObject alone.

use super::*;
use crate::usb::RusbPipes;
use rusb::{Context, Device, UsbContext as _};
use std::{env, fs, path::Path, time::Instant};

/// An odd number: one of them is the median.
const RATE_ROUNDS: usize = 25;

fn setting(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} must be set; see the module's text"))
}

fn device() -> (Device<Context>, Option<(u16, u16)>) {
    let port = setting("BWVDOCK_USB_PORT");
    let context = Context::new().expect("libusb starts");
    let devices = context.devices().expect("devices can be listed");
    let named = |device: &Device<Context>| {
        let ports = device.port_numbers().unwrap_or_default();
        let ports: Vec<String> = ports.iter().map(u8::to_string).collect();
        format!("{}-{}", device.bus_number(), ports.join("."))
    };
    let device = devices.iter().find(|device| named(device) == port).expect("it is plugged in");
    let ids = device.device_descriptor().unwrap();
    (device, Some((ids.vendor_id(), ids.product_id())))
}

/// What the folder holds, as the camera should list it.
fn files_below(folder: &Path, prefix: &str, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files_below(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push((name, fs::read(entry.path()).unwrap()));
        }
    }
}

/// Bytes a second of GetObject alone: the yardstick for reading in parts.
fn bare_rate(session: &mut Session<RusbPipes<Context>>, handle: ObjectHandle) -> f64 {
    let mut buffer = vec![0; 256 * 1024];
    let (began, mut all) = (Instant::now(), 0);
    let (transaction, _) = session.begin_whole(handle).unwrap();
    while let Some(crate::ptp::Received::Bytes(n)) = session.take(transaction, &mut buffer).unwrap()
    {
        all += n;
    }
    all as f64 / began.elapsed().as_secs_f64()
}

/// Bytes a second as a copy reads: the camera door, in parts.
fn door_rate(camera: &mut PtpCamera<RusbPipes<Context>>, path: &SourcePath) -> f64 {
    let mut reader = camera.open(path, 0).unwrap();
    let (began, mut buffer, mut all) = (Instant::now(), vec![0; 256 * 1024], 0);
    while let n @ 1.. = reader.read(&mut buffer).unwrap() {
        all += n;
    }
    all as f64 / began.elapsed().as_secs_f64()
}

/// The door's rate over that of GetObject alone, measured in turns, so that whatever else the machine
/// does falls on both: the median of the rounds, or that of the best of each, whichever is higher. A
/// busy machine spoils the one or the other; a slow door lowers both.
fn ratio_to_bare(
    camera: &mut PtpCamera<RusbPipes<Context>>,
    path: &SourcePath,
    handle: ObjectHandle,
) -> f64 {
    let (mut ratios, mut best_ours, mut best_bare) = (Vec::new(), 0_f64, 0_f64);
    for round in 0..RATE_ROUNDS {
        let before = (round % 2 == 0).then(|| bare_rate(&mut lock(&camera.session), handle));
        let ours = door_rate(camera, path);
        let bare = before.unwrap_or_else(|| bare_rate(&mut lock(&camera.session), handle));
        ratios.push(ours / bare);
        (best_ours, best_bare) = (best_ours.max(ours), best_bare.max(bare));
    }
    ratios.sort_by(f64::total_cmp);
    let (median, best) = (ratios[RATE_ROUNDS / 2], best_ours / best_bare);
    println!(
        "rate in parts over bare GetObject: median {median:.3}; best {best:.3} ({:.0} MB/s, {:.0} MB/s)",
        best_ours / 1e6,
        best_bare / 1e6
    );
    median.max(best)
}

#[test]
#[ignore = "needs a camera on real USB: the guest of tests/usb"]
fn a_real_responder_is_listed_read_and_erased() {
    let (device, ids) = device();
    let folder = setting("BWVDOCK_USB_FOLDER");
    let mut expected = Vec::new();
    files_below(Path::new(&folder), "", &mut expected);
    expected.sort();

    let pipes = RusbPipes::open(&device).expect("the interface can be claimed");
    let mut camera = PtpCamera::open(pipes, ids, EraseMode::Allowed, Limits::default()).unwrap();
    println!("{:?}", camera.info());
    assert!(camera.is_present());

    let began = Instant::now();
    let listing = camera.list().unwrap();
    println!(
        "{} files listed in {:?}: {:?}",
        listing.files.len(),
        began.elapsed(),
        listing.caveats
    );
    let names: Vec<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(listing.files.iter().map(|f| f.path.to_string()).collect::<Vec<_>>(), names);

    for ((name, content), file) in expected.iter().zip(&listing.files) {
        assert_eq!(file.size, content.len() as u64, "{name}");
        let len = content.len();
        for offset in [0, 1, len / 2, len.saturating_sub(1), len] {
            let (began, mut bytes) = (Instant::now(), Vec::new());
            let mut reader = camera.open(&file.path, offset as u64).unwrap();
            reader.read_to_end(&mut bytes).unwrap();
            println!("{name} from {offset}: {} bytes in {:?}", bytes.len(), began.elapsed());
            assert!(bytes == content[offset.min(content.len())..], "{name} from {offset}");
        }
    }

    let largest = listing.files.iter().max_by_key(|file| file.size).expect("there are files");
    let handle = camera.locate(&largest.path).unwrap().handle;
    if let Ok(least) = env::var("BWVDOCK_USB_RATIO") {
        let ratio = ratio_to_bare(&mut camera, &largest.path, handle);
        assert!(
            ratio >= least.parse().unwrap(),
            "reading in parts has {ratio:.2} of the bare rate"
        );
    }

    // A transfer left in the middle does not disturb what comes next.
    let mut buffer = vec![0; 256 * 1024];
    let mut reader = camera.open(&largest.path, 0).unwrap();
    reader.read_exact(&mut buffer[..1000]).unwrap();
    drop(reader);
    let began = Instant::now();
    {
        let mut session = lock(&camera.session);
        let (transaction, _) = session.begin_whole(handle).unwrap();
        session.take(transaction, &mut buffer).unwrap();
        println!("cancelling: {:?}", session.end_taking(transaction));
    }
    assert_eq!(camera.list().unwrap(), listing);
    println!("left in the middle and listed again in {:?}", began.elapsed());

    println!("battery: {:?}", camera.battery_percent());
    println!("clock: {:?}", camera.clock_offset(Timestamp::now(), false));
    println!("changed: {:?}", camera.said_changed());

    let victim = listing.files.first().unwrap();
    let permit = permit_for(&victim.path.to_string(), victim.size, victim.modified_ms);
    let erased = camera.erase(&permit);
    let is_there = Path::new(&folder).join(victim.path.to_path()).exists();
    match setting("BWVDOCK_USB_ERASE").as_str() {
        "allowed" => assert!(erased.is_ok() && !is_there, "{erased:?}"),
        _ => assert!(matches!(erased, Err(CameraError::ReadOnly(_))) && is_there, "{erased:?}"),
    }

    // A second opening finds the session of the first.
    drop(camera);
    let pipes = RusbPipes::open(&device).expect("the interface can be claimed again");
    let mut camera = PtpCamera::open(pipes, ids, EraseMode::ReadOnly, Limits::default()).unwrap();
    let left = listing.files.len() - usize::from(erased.is_ok());
    assert_eq!(camera.list().unwrap().files.len(), left);
}

/// Reads for ever, until somebody pulls it.
#[test]
#[ignore = "needs a camera on real USB that is pulled: the guest of tests/usb"]
fn a_real_camera_that_is_pulled_is_gone_within_seconds() {
    let (device, ids) = device();
    let pipes = RusbPipes::open(&device).expect("the interface can be claimed");
    let mut camera = PtpCamera::open(pipes, ids, EraseMode::ReadOnly, Limits::default()).unwrap();
    let listing = camera.list().unwrap();
    let largest = listing.files.iter().max_by_key(|file| file.size).expect("there are files");
    fs::write(setting("BWVDOCK_USB_READING"), "").unwrap();
    let mut buffer = vec![0; 256 * 1024];
    let began = Instant::now();
    let mut last = Instant::now();
    // An error of a read names it as the system does; between two reads it is simply gone.
    let error = 'pulled: loop {
        let mut reader = match camera.open(&largest.path, 0) {
            Ok(reader) => reader,
            Err(CameraError::Gone) => break None,
            Err(error) => panic!("{error:?}"),
        };
        loop {
            assert!(began.elapsed().as_secs() < 60, "nobody pulled it");
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(_) => last = Instant::now(),
                Err(error) => break 'pulled Some(error),
            }
        }
    };
    println!("{error:?} {:?} after the last byte", last.elapsed());
    assert!(error.is_none_or(|error| error.raw_os_error() == Some(19)));
    assert!(last.elapsed().as_secs() < 12);
    assert!(!camera.is_present());
    assert!(matches!(camera.list(), Err(CameraError::Gone)));
}
