//! Bays that are ports, on a simulated bus: who gets in, who is cut off, and what is written down.

mod charge;
mod rest;

use super::*;
use crate::{
    config::{BaySource, Usb},
    trust::{Model, ModelMark},
    types::{UsbClass, UsbInterface},
    usb::{SimSwitch, SimUsb},
};
use std::{sync::atomic::AtomicU64, thread::JoinHandle, time::Instant};

const LIMIT: Duration = Duration::from_secs(30);

/// What was told, as lines.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>, Condvar);

impl Heard {
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
        self.1.notify_all();
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn wait(&self, word: &str, times: usize) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        let few =
            |lines: &mut Vec<String>| lines.iter().filter(|l| l.contains(word)).count() < times;
        let (lines, late) = self.1.wait_timeout_while(lines, LIMIT, few).unwrap();
        assert!(!late.timed_out(), "no {times} times {word:?} in {lines:#?}");
        lines.clone()
    }
}

impl Tell for Heard {
    fn remember(&self, facts: Vec<Fact>) {
        for fact in facts {
            self.add(serde_json::to_string(&fact).unwrap());
        }
    }

    fn report(&self, event: Event) {
        self.add(format!("{event:?}"));
    }
}

/// A dock with two bays on one hub, and its watch running.
struct Rig {
    usb: SimUsb,
    heard: Arc<Heard>,
    ports: Arc<Ports>,
    seconds: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
    folder: tempfile::TempDir,
}

fn port(text: &str) -> PortPath {
    text.parse().unwrap()
}

fn bay(name: &str) -> BayName {
    BayName::new(name).unwrap()
}

fn bays() -> Vec<Bay> {
    let row = |name: &str, at: &str| Bay {
        name: bay(name),
        source: BaySource::Port(port(at)),
        camera_id: None,
        profile: None,
        models: Vec::new(),
        allow_erase: true,
    };
    vec![row("1", "1-1.1"), row("2", "1-1.2")]
}

impl Rig {
    fn new(switch: SimSwitch) -> Self {
        let usb = SimUsb::new(switch, 4);
        usb.pair(port("1-1.2"), port("2-1.2"));
        let folder = tempfile::tempdir().unwrap();
        let heard = Arc::new(Heard::default());
        let seconds = Arc::new(AtomicU64::new(0));
        let elapsed = {
            let seconds = seconds.clone();
            Box::new(move || Duration::from_secs(seconds.load(Ordering::SeqCst)))
        };
        let model = Model { how: ModelMark::Product("Bodycam".into()), named_by: "a test".into() };
        let parts = Parts {
            sysfs: Sysfs::at(folder.path(), "/dev"),
            power: Arc::new(usb.clone()),
            tell: heard.clone(),
            findings: Findings::open(folder.path().join("hubs.json")),
            policy: Policy { models: vec![model], ..Policy::default() },
            elapsed,
        };
        let ports = Arc::new(Ports::new(parts, &Usb::default(), &bays()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut rig = Self { usb, heard, ports, seconds, stop, watch: None, folder };
        rig.start();
        rig
    }

    fn start(&mut self) {
        let (ports, bus, stop) = (self.ports.clone(), self.usb.clone(), self.stop.clone());
        self.watch = Some(std::thread::spawn(move || ports.watch(bus, |_| None, &stop)));
    }

    /// The time of this rig.
    fn elapsed(&self) -> Elapsed {
        let seconds = self.seconds.clone();
        Box::new(move || Duration::from_secs(seconds.load(Ordering::SeqCst)))
    }

    fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The camera in a bay, waited for.
    fn camera(&self, name: &str) -> Admitted {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(camera) = self.ports.camera_in(&bay(name)) {
                return camera;
            }
            assert!(Instant::now() < until, "no camera in bay {name}: {:#?}", self.heard.lines());
            self.ports.wait_for_news(Duration::from_millis(100));
        }
    }

    /// Both bays' cameras, waited for.
    fn cameras(&self) -> [Admitted; 2] {
        ["1", "2"].map(|name| self.camera(name))
    }

    /// Waits until the port of a bay was switched off for the `times`-th time, and all about it done.
    fn isolated(&self, name: &str, times: u32) {
        let until = Instant::now() + LIMIT;
        let is = || {
            let state = self.ports.lock();
            let refused = state.seats[&bay(name)].refused.values();
            refused.filter_map(|r| r.isolation.as_ref()).any(|i| i.times() == times)
        };
        while !is() {
            assert!(Instant::now() < until);
            self.ports.wait_for_news(Duration::from_millis(50));
        }
    }

    fn gone(&self, name: &str, docking: u64) {
        let until = Instant::now() + LIMIT;
        while self.ports.is_still(&bay(name), docking) {
            assert!(Instant::now() < until);
            self.ports.wait_for_news(Duration::from_millis(100));
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(watch) = self.watch.take() {
            watch.join().unwrap();
        }
    }
}

fn device(at: &str, serial: &str, classes: &[UsbClass]) -> UsbDevice {
    let interface =
        |class: &UsbClass| UsbInterface { configuration: 1, number: 0, class: *class, name: None };
    UsbDevice {
        port: port(at),
        address: 0,
        id: UsbId { vendor: 0x46f4, product: 4 },
        release: 0x0100,
        class: UsbClass::new(0, 0, 0),
        interfaces: classes.iter().map(interface).collect(),
        authorised: true,
        maker: None,
        product: Some("Bodycam".into()),
        serial: Some(serial.into()),
    }
}

fn camera(at: &str, serial: &str) -> UsbDevice {
    device(at, serial, &[UsbClass::PTP])
}

fn keyboard(at: &str) -> UsbDevice {
    UsbDevice { product: Some("Keys".into()), ..device(at, "K", &[UsbClass::new(3, 1, 1)]) }
}

#[test]
fn a_camera_is_let_in_in_either_speed_of_its_socket_and_leaves() {
    let rig = Rig::new(SimSwitch::PerPort);
    rig.usb.plug(camera("1-1.1", "A"));
    rig.usb.plug(camera("2-1.2", "B"));
    let (a, b) = (rig.camera("1"), rig.camera("2"));
    assert_eq!((a.device.serial.as_deref(), a.kind), (Some("A"), Kind::Ptp));
    assert_eq!(b.device.serial.as_deref(), Some("B"), "the twin is the same bay");
    rig.usb.unplug(&port("1-1.1"));
    rig.gone("1", a.docking);
    assert!(rig.ports.is_still(&bay("2"), b.docking), "its neighbour is not disturbed");
    assert_eq!(rig.heard.lines(), Vec::<String>::new(), "bay threads report cameras themselves");
}

#[test]
fn a_camera_that_enumerates_anew_is_another_docking() {
    let rig = Rig::new(SimSwitch::PerPort);
    rig.usb.plug(camera("1-1.1", "A"));
    let first = rig.camera("1");
    rig.usb.reset_controller(1);
    rig.gone("1", first.docking);
    let second = rig.camera("1");
    assert!(second.docking > first.docking);
    assert_eq!(second.device.serial, first.device.serial);
}

#[test]
fn a_stranger_is_refused_written_down_once_and_its_port_switched_off_until_it_is_gone() {
    let rig = Rig::new(SimSwitch::PerPort);
    rig.usb.plug(camera("1-1.2", "B"));
    let neighbour = rig.camera("2");
    rig.usb.plug(keyboard("1-1.1"));
    let lines = rig.heard.wait("BayTrouble", 1);
    assert!(lines[0].contains(r#""type":"port_switched","bay":"1","port":"1-1.1","on":false"#));
    assert!(lines[1].contains(r#""type":"security","bay":"1","port":"1-1.1""#), "{lines:#?}");
    assert!(lines[1].contains("a keyboard (03/01/01)") && lines[1].contains("port switched off"));
    // This tree of files has no such device, as if the rights were missing: that is told too.
    assert!(lines[1].contains("kernel drivers not kept off"), "{}", lines[1]);
    assert!(lines[2].contains("is refused, and nothing was read from it"), "{}", lines[2]);
    assert!(rig.ports.camera_in(&bay("1")).is_none());
    assert!(rig.ports.is_still(&bay("2"), neighbour.docking));
    rig.isolated("1", 1);
    // It is still there when the port is switched on: off again, without another line about it.
    rig.pass(30);
    rig.heard.wait(r#""on":true,"why":"to see"#, 1);
    rig.heard.wait(r#""on":false"#, 2);
    // And for longer.
    rig.isolated("1", 2);
    rig.pass(31);
    assert_eq!(rig.usb.switched().len(), 3);
    // Taken out: the bay is as good as new.
    rig.usb.unplug(&port("1-1.1"));
    rig.pass(30);
    rig.heard.wait(r#""on":true"#, 2);
    rig.pass(5);
    let lines = rig.heard.wait("CameraGone", 1);
    let security = lines.iter().filter(|l| l.contains("\"security\"")).count();
    assert_eq!(security, 1, "{lines:#?}");
    rig.usb.plug(camera("1-1.1", "A"));
    rig.camera("1");
    assert_eq!(rig.ports.switching(&bay("1")), None, "this tree does not say which hub it is");
}

#[test]
fn a_hub_that_switches_all_ports_is_found_out_and_not_used_again() {
    let rig = Rig::new(SimSwitch::LyingGanged);
    rig.usb.plug(camera("1-1.2", "B"));
    rig.camera("2");
    rig.usb.plug(keyboard("1-1.1"));
    let lines = rig.heard.wait("BayTrouble", 1);
    assert!(
        lines.iter().any(|l| l.contains("the hub switches all its ports at once")),
        "{lines:#?}"
    );
    rig.camera("2");
    let switched = rig.usb.switched().len();
    assert_eq!(switched, 2, "off, seen, and on again");
    rig.usb.unplug(&port("1-1.1"));
    rig.heard.wait("CameraGone", 1);
    rig.usb.plug(UsbDevice { serial: Some("K2".into()), ..keyboard("1-1.1") });
    let lines = rig.heard.wait("BayTrouble", 2);
    assert!(lines.last().unwrap().contains("all its ports at once"), "{lines:#?}");
    assert_eq!(rig.usb.switched().len(), switched, "remembered");
    assert!(rig.folder.path().join("hubs.json").exists(), "also across restarts");
}

#[test]
fn where_a_port_cannot_be_switched_the_stranger_is_refused_all_the_same() {
    for (switch, why) in [
        (SimSwitch::Deaf, "the hub ignores its power switch"),
        (SimSwitch::Forbidden, "this user may not switch port 1-1.1"),
    ] {
        let rig = Rig::new(switch);
        rig.usb.plug(keyboard("1-1.1"));
        let lines = rig.heard.wait("BayTrouble", 1);
        assert!(lines.iter().any(|l| l.contains(why)), "{switch:?}: {lines:#?}");
        rig.usb.unplug(&port("1-1.1"));
        rig.heard.wait("CameraGone", 1);
    }
}

#[test]
fn a_camera_behind_a_hub_in_a_bay_is_no_camera_in_that_bay() {
    let rig = Rig::new(SimSwitch::Deaf);
    let hub = device("1-1.1", "H", &[UsbClass::new(9, 0, 0)]);
    rig.usb.plug(camera("1-1.1.4", "A"));
    rig.usb.plug(hub);
    rig.heard.wait("\"security\"", 2);
    assert!(rig.ports.camera_in(&bay("1")).is_none());
    // The hub is gone and so is what was behind it.
    rig.usb.unplug(&port("1-1.1.4"));
    rig.usb.unplug(&port("1-1.1"));
    rig.heard.wait("CameraGone", 1);
}

#[test]
fn a_stranger_beside_a_camera_in_one_seat_stops_the_reading() {
    let rig = Rig::new(SimSwitch::Deaf);
    rig.usb.plug(camera("1-1.2", "B"));
    let docked = rig.camera("2");
    rig.usb.plug(keyboard("2-1.2"));
    rig.gone("2", docked.docking);
    rig.usb.unplug(&port("2-1.2"));
    rig.camera("2");
}

#[test]
fn what_is_in_no_bay_is_left_alone_and_told_if_it_is_a_camera() {
    let rig = Rig::new(SimSwitch::PerPort);
    rig.usb.plug(camera("1-1.4", "X"));
    rig.usb.plug(keyboard("1-2"));
    rig.usb.plug(camera("1-1.1", "A"));
    rig.camera("1");
    let until = Instant::now() + LIMIT;
    let strays = loop {
        let strays = rig.ports.unmapped();
        if !strays.is_empty() {
            break strays;
        }
        assert!(Instant::now() < until);
        rig.ports.wait_for_news(Duration::from_millis(50));
    };
    assert_eq!(strays.iter().map(|d| d.port.to_string()).collect::<Vec<_>>(), ["1-1.4"]);
    assert_eq!(rig.usb.switched(), []);
    assert_eq!(rig.heard.lines(), Vec::<String>::new());
}

#[test]
fn a_camera_that_does_not_answer_is_switched_off_and_on_and_comes_back() {
    let rig = Rig::new(SimSwitch::PerPort);
    rig.usb.plug(camera("1-1.1", "A"));
    let first = rig.camera("1");
    assert_eq!(rig.ports.unanswered(&bay("1"), &rig.stop), None, "once is no reason");
    let words = rig.ports.unanswered(&bay("1"), &rig.stop).unwrap();
    assert_eq!(words, "its port was switched off and on (time 1)");
    assert_eq!(rig.usb.switched(), [(port("1-1.1"), false), (port("1-1.1"), true)]);
    assert!(rig.camera("1").docking > first.docking);
    let lines = rig.heard.lines();
    assert!(lines[0].contains(r#""why":"the camera in it does not answer""#), "{lines:#?}");
    assert_eq!(lines.len(), 2, "{lines:#?}");
    // Not again at once.
    for _ in 0..5 {
        assert_eq!(rig.ports.unanswered(&bay("1"), &rig.stop), None);
    }
    rig.ports.answered(&bay("1"));
}

#[test]
fn ports_that_were_left_off_are_switched_on_at_start() {
    let mut rig = Rig::new(SimSwitch::PerPort);
    rig.stop.store(true, Ordering::SeqCst);
    rig.watch.take().unwrap().join().unwrap();
    rig.usb.plug(camera("1-1.1", "A"));
    rig.usb.switch(&port("1-1.1"), false).unwrap();
    rig.stop.store(false, Ordering::SeqCst);
    rig.start();
    rig.camera("1");
    assert!(rig.heard.lines()[0].contains("it was found off at start"));
}
