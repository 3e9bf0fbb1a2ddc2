//! What machines say, from trees of sysfs in a folder, and from real certificates.

use super::{certificate::Expiry, disk, *};
use std::os::unix::fs::symlink;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn what_a_board_has_is_told_and_what_it_has_not_is_absent() {
    let root = tempfile::tempdir().unwrap();
    let machine = LinuxMachine::below(root.path());
    assert_eq!((machine.board(), machine.watchdog_runs()), (Board::default(), None));
    write(root.path(), "class/thermal/thermal_zone0/temp", "61341\n");
    write(root.path(), "class/thermal/thermal_zone0/type", "cpu-thermal\n");
    write(root.path(), "class/thermal/thermal_zone1/temp", "broken\n");
    write(root.path(), "class/hwmon/hwmon0/name", "nvme\n");
    write(root.path(), "class/hwmon/hwmon1/name", "rpi_volt\n");
    write(root.path(), "class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
    write(root.path(), "class/watchdog/watchdog0/state", "active\n");
    let throttled = "devices/platform/soc/soc:firmware/get_throttled";
    write(root.path(), throttled, "50005\n");
    let board = machine.board();
    assert_eq!(board.temperatures, [Sensor { name: "cpu-thermal0".into(), celsius: 61.341 }]);
    assert_eq!((board.under_voltage, board.throttled), (Some(true), Some(true)));
    assert_eq!(machine.watchdog_runs(), Some(true));
    write(root.path(), throttled, "0x50000\n");
    let board = machine.board();
    assert_eq!(board.throttled, Some(false), "it was, and is not now");
    assert_eq!((board.throttled_seen, board.under_voltage_seen), (Some(true), Some(true)));
    write(root.path(), "class/watchdog/watchdog0/state", "inactive\n");
    assert_eq!(machine.watchdog_runs(), Some(false));
    fs::remove_dir_all(root.path().join("class/hwmon")).unwrap();
    write(root.path(), throttled, "1\n");
    assert_eq!(machine.board().under_voltage, Some(true), "the firmware says so too");
}

#[test]
fn a_disk_tells_its_room_and_its_wear_as_far_as_it_says() {
    let root = tempfile::tempdir().unwrap();
    let machine = LinuxMachine::below(root.path());
    let room = machine.disk(root.path()).unwrap();
    assert!(room.free_bytes > 0 && room.free_bytes <= room.size_bytes && !room.read_only);
    assert_eq!((room.errors, room.life_used_percent), (None, None));
    assert_eq!(machine.disk(&root.path().join("none")), None);

    let block = root.path().join("devices/mmc0/block/mmcblk0/mmcblk0p2");
    write(&block, "partition", "2\n");
    write(root.path(), "devices/mmc0/block/mmcblk0/device/life_time", "0x02 0x0b\n");
    write(root.path(), "fs/ext4/mmcblk0p2/errors_count", "3\n");
    assert_eq!(disk::life_used(&block), Some(110));
    assert_eq!(disk::errors(&block, root.path()), Some(3));
    write(root.path(), "devices/mmc0/block/mmcblk0/device/life_time", "0x00 0x00\n");
    assert_eq!(disk::life_used(&block), None, "not defined");

    let number = rustix::fs::stat(root.path()).unwrap().st_dev;
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let link = root.path().join(format!("dev/block/{major}:{minor}"));
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink(&block, link).unwrap();
    assert_eq!(machine.disk(root.path()).unwrap().errors, Some(3));
}

#[test]
fn certificates_say_when_they_end_in_both_forms_of_time() {
    let chain = include_bytes!("../../tests/fixtures/certificates/chain.pem");
    let expiry = Expiry::of_pem(chain).unwrap();
    assert_eq!(expiry.first.to_string(), "2031-01-02T16:28:47Z");
    assert_eq!(expiry.last.to_string(), "2052-11-27T16:28:47Z");
    assert_eq!(Expiry::of_pem(b"no certificate"), None);
    let place = tempfile::tempdir().unwrap();
    let machine = LinuxMachine::default();
    assert_eq!(machine.expiry(&place.path().join("none.pem")), None);
    fs::write(place.path().join("a.pem"), chain).unwrap();
    assert_eq!(machine.expiry(&place.path().join("a.pem")), Some(expiry));
    // Cut and turned bytes give nothing, and never a panic.
    let der = |text: &[u8]| {
        use rustls::pki_types::{CertificateDer, pem::PemObject as _};
        CertificateDer::from_pem_slice(text).unwrap().to_vec()
    };
    let whole = der(chain);
    for end in 0..whole.len() {
        let mut bent = whole.clone();
        bent[end] ^= 0x80;
        let _ = certificate::not_after(&bent);
        let _ = certificate::not_after(&whole[..end]);
    }
    assert_eq!(certificate::not_after(&whole), Some(expiry.first));
}

#[test]
fn days_are_whole_and_negative_afterwards() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let end = at("2026-03-10T12:00:00Z");
    assert_eq!(days_left(end, at("2026-03-01T12:00:01Z")), 8);
    assert_eq!(days_left(end, at("2026-03-10T13:00:00Z")), -1);
}
