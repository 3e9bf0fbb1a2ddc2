//! Sysfs as files: the kernel's layout in a folder.

use super::{
    super::{descriptors::build, *},
    camera,
};
use crate::{
    power::{Finding, Proof, Switching},
    types::{HubPath, PortPath, UsbClass, UsbDevice},
};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    fn new() -> Self {
        let tree = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(tree.devices()).unwrap();
        tree
    }

    fn devices(&self) -> PathBuf {
        self.folder.path().join("sys/bus/usb/devices")
    }

    fn sysfs(&self) -> Sysfs {
        Sysfs::at(self.folder.path().join("sys"), "/dev")
    }

    fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let path = self.devices().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.devices().join(path)).unwrap()
    }

    fn add(&self, device: &UsbDevice) {
        let dir = PathBuf::from(device.port.to_string());
        self.write(dir.join("descriptors"), build(device));
        self.write(dir.join("devnum"), format!("{}\n", device.address));
        self.write(dir.join("authorized"), "1\n");
        for (name, text) in [
            ("manufacturer", &device.maker),
            ("product", &device.product),
            ("serial", &device.serial),
        ] {
            if let Some(text) = text {
                self.write(dir.join(name), format!("{text}\n"));
            }
        }
    }

    /// A hub as a folder: its ports lie below its only interface.
    fn hub(&self, name: &str, interface: &str, ports: u8) {
        self.write(format!("{name}/maxchild"), format!("{ports}\n"));
        self.write(format!("{name}/idVendor"), "2109\n");
        self.write(format!("{name}/idProduct"), "2817\n");
        for number in 1..=ports {
            self.write(format!("{name}/{interface}/{name}-port{number}/disable"), "0\n");
            self.write(format!("{name}/{interface}/{name}-port{number}/over_current_count"), "3\n");
        }
    }
}

fn port(text: &str) -> PortPath {
    text.parse().unwrap()
}

#[test]
fn devices_are_read_without_opening_them() {
    let tree = Tree::new();
    let mut device = camera("1-1.3", "BWC-0001");
    device.interfaces[0].name = Some("MTP".into());
    tree.add(&device);
    tree.write("1-1.3/1-1.3:1.0/interface", "MTP\n");
    tree.write("usb1/devnum", "1\n");
    tree.write("1-1.3:1.0/bInterfaceClass", "06\n");
    // On its way out: its folder is there, its files are not.
    fs::create_dir_all(tree.devices().join("1-1.4")).unwrap();
    assert_eq!(tree.sysfs().devices().unwrap(), [device]);
    tree.write("1-1.3/authorized", "0\n");
    assert!(!tree.sysfs().devices().unwrap()[0].authorised);
}

#[test]
fn hostile_texts_and_descriptors_do_no_harm() {
    let tree = Tree::new();
    tree.add(&camera("1-1", "x"));
    tree.write("1-1/serial", b"\x1b[2Jevil\xff\n".repeat(100));
    tree.write("1-1/descriptors", b"nonsense");
    tree.write("1-1/idVendor", "dead\n");
    tree.write("1-1/idProduct", "beef\n");
    let [device] = &tree.sysfs().devices().unwrap()[..] else { panic!() };
    let serial = device.serial.as_ref().unwrap();
    assert!(serial.chars().count() <= 126 && !serial.contains(char::is_control), "{serial:?}");
    assert_eq!((device.id.to_string().as_str(), device.interfaces.len()), ("dead:beef", 0));
}

#[test]
fn a_machine_without_usb_says_so() {
    let empty = tempfile::tempdir().unwrap();
    let sysfs = Sysfs::at(empty.path(), "/dev");
    assert_eq!(sysfs.devices().unwrap_err().kind(), std::io::ErrorKind::NotFound);
    let mut bus = RusbBus::open(sysfs);
    assert!(matches!(bus.devices(), Err(BusError::NoUsb(_))));
}

#[test]
fn twins_and_switches_of_ports_are_found() {
    let tree = Tree::new();
    tree.hub("1-1", "1-1:1.0", 4);
    tree.hub("usb2", "2-0:1.0", 2);
    tree.hub("2-1", "2-1:1.0", 4);
    let link = |from: &str, to: &str| symlink(to, tree.devices().join(from)).unwrap();
    link("1-1/1-1:1.0/1-1-port3/peer", "../../../2-1/2-1:1.0/2-1-port3");
    link("2-1/2-1:1.0/2-1-port3/peer", "../../../1-1/1-1:1.0/1-1-port3");
    link("usb2/2-0:1.0/usb2-port2/peer", "../../../usb1/1-0:1.0/usb1-port6");
    let sysfs = tree.sysfs();
    assert_eq!(sysfs.twin(&port("1-1.3")), Some(port("2-1.3")));
    assert_eq!(sysfs.twin(&port("2-2")), Some(port("1-6")));
    assert_eq!(sysfs.twin(&port("1-1.1")), None);
    let hubs = sysfs.hubs().unwrap();
    assert_eq!(hubs.iter().map(HubPath::device_name).collect::<Vec<_>>(), ["usb2", "1-1", "2-1"]);
    assert!(sysfs.has_port(&port("1-1.4")) && !sysfs.has_port(&port("1-1.5")));
    assert_eq!(sysfs.over_currents(&port("1-1.4")), Some(3));

    let power = HubPower::new(sysfs.clone());
    power.switch(&port("2-1.3"), false).unwrap();
    assert_eq!(tree.read("2-1/2-1:1.0/2-1-port3/disable"), "1\n");
    assert_eq!(tree.read("1-1/1-1:1.0/1-1-port3/disable"), "1\n", "its twin goes with it");
    assert_eq!(tree.read("1-1/1-1:1.0/1-1-port2/disable"), "0\n");
    assert_eq!(power.look(&HubPath::Port(port("1-1"))).ports[&port("1-1.3")].powered, Some(false));
    power.switch(&port("1-1.3"), true).unwrap();
    assert_eq!(sysfs.is_disabled(&port("2-1.3")), Some(false));
    assert!(matches!(power.switch(&port("3-1"), true), Err(PowerError::NoPort(_))));
}

#[test]
fn drivers_are_kept_off_by_the_kernels_own_file() {
    let tree = Tree::new();
    tree.add(&camera("1-1", "A"));
    tree.sysfs().set_authorised(&port("1-1"), false).unwrap();
    assert!(tree.read("1-1/authorized").starts_with('0'));
    assert!(tree.sysfs().set_authorised(&port("1-2"), false).is_err());
}

#[test]
fn disks_are_found_from_the_port_and_from_nowhere_else() {
    let tree = Tree::new();
    let stick = UsbDevice {
        interfaces: vec![crate::types::UsbInterface {
            class: UsbClass::BULK_STORAGE,
            ..camera("1-2", "S").interfaces[0].clone()
        }],
        ..camera("1-2", "S")
    };
    tree.add(&stick);
    assert_eq!(tree.sysfs().block_nodes(&port("1-2")).unwrap(), [], "not there yet");
    let disk = "1-2/1-2:1.0/host3/target3:0:0/3:0:0:0/block/sdb";
    tree.write(format!("{disk}/size"), "2048\n");
    tree.write(format!("{disk}/ro"), "1\n");
    tree.write("1-2/1-2.1/1-2.1:1.0/host4/target4:0:0/4:0:0:0/block/sdc/size", "1\n");
    let node = BlockNode { node: "/dev/sdb".into(), bytes: 1 << 20, read_only: true };
    assert_eq!(tree.sysfs().block_nodes(&port("1-2")).unwrap(), [node]);
    assert!(tree.sysfs().block_nodes(&port("1-3")).is_err());
}

#[test]
fn boards_say_their_name() {
    let tree = Tree::new();
    let model = tree.folder.path().join("sys/firmware/devicetree/base/model");
    fs::create_dir_all(model.parent().unwrap()).unwrap();
    fs::write(model, b"Raspberry Pi 5 Model B Rev 1.0\0").unwrap();
    assert_eq!(tree.sysfs().board().as_deref(), Some("Raspberry Pi 5 Model B Rev 1.0"));
}

#[test]
fn findings_are_remembered_by_place_and_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hubs.json");
    let hub = HubPath::Port(port("1-1"));
    let id = Some("2109:2817".parse().unwrap());
    let finding = Finding { switching: Switching::Ganged, proof: Proof::Device };
    Findings::open(file.clone()).remember(&hub, id, finding).unwrap();
    let again = Findings::open(file.clone());
    assert_eq!(again.of(&hub, id), Some(finding));
    assert_eq!(again.of(&hub, Some("2109:2818".parse().unwrap())), None, "another hub");
    assert_eq!(again.of(&HubPath::Root(1), id), None);
    fs::write(&file, "damaged").unwrap();
    assert_eq!(Findings::open(file).of(&hub, id), None, "it is tried again");
}
