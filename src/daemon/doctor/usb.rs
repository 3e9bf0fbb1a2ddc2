//! What `doctor` says of the USB bus and the ports that are bays.

use super::Finding;
use crate::{
    config::Bay,
    daemon::ports::Ports,
    power::Switching,
    types::{BayName, PortPath},
    usb::{BACKEND, RusbBus},
};

const WHAT: &str = "usb";
/// Enumerations without a person's doing before a port is worth a word.
const AGAIN_MANY: u32 = 5;

/// The bus as a whole, and what is plugged in where nobody looks.
pub fn findings(ports: &Ports, bays: &[Bay]) -> Vec<Finding> {
    let health = ports.health();
    let needed = bays.iter().any(|bay| bay.source.port().is_some());
    let mut findings = Vec::new();
    if RusbBus::has_udev_backend() {
        findings.push(Finding::bad(
            WHAT,
            format!("this program was built with another libusb backend than {BACKEND}"),
            "build it with LIBUDEV_NO_PKG_CONFIG=1, as .cargo/config.toml does",
        ));
    }
    findings.push(match (&health.failure, &health.deaf, needed) {
        (Some(words), _, false) => Finding::fine(WHAT, format!("{words}; no bay needs it")),
        (Some(words), _, true) => Finding::bad(
            WHAT,
            words.clone(),
            "look at `dmesg`; a kernel without USB cannot serve bays that are ports",
        ),
        (None, Some(words), true) => Finding::bad(
            WHAT,
            format!("{words}; the bus is looked at twice a second instead"),
            "let the daemon see /dev/bus/usb and a netlink socket (see bwvdock.service)",
        ),
        (None, deaf, _) => {
            let hears = if deaf.is_none() { "hears" } else { "does not hear" };
            Finding::fine(
                WHAT,
                format!(
                    "{} devices; libusb ({BACKEND}) {hears} them come and go",
                    health.devices.len()
                ),
            )
        }
    });
    if needed {
        findings.extend(ports.unmapped().iter().map(|device| {
            Finding::bad(
                WHAT,
                format!("{} is in port {}, which is no bay", device.words(), device.port),
                "put it into a bay, or make the port one with `bwvdock bays learn`",
            )
        }));
    }
    let restless = health.counts.iter().filter(|(_, counts)| counts.again >= AGAIN_MANY);
    findings.extend(restless.map(|(port, counts)| {
        Finding::bad(
            WHAT,
            format!("what is in port {port} came back by itself {} times", counts.again),
            "look at its cable, its contacts and its power supply",
        )
    }));
    if health.bus_losses > 0 {
        findings.push(Finding::bad(
            WHAT,
            format!("a whole bus was lost and came back {} times", health.bus_losses),
            "look at `dmesg`, the power supply and the hub",
        ));
    }
    findings
}

/// One bay that is a port.
pub fn port(ports: &Ports, what: &str, bay: &BayName, port: &PortPath) -> Finding {
    if !ports.sysfs().has_port(port) {
        return Finding::bad(
            what,
            format!("there is no port {port} here"),
            "is its hub plugged in where it was? `bwvdock bays learn` finds the ports anew",
        );
    }
    let power = match ports.switching(bay) {
        None => "whether its power can be switched was not tried yet",
        Some(Switching::PerPort) => "its power can be switched",
        Some(Switching::ConnectionOnly) => {
            "it can be disconnected; this board keeps its current on"
        }
        Some(Switching::Ganged) => "its power cannot be switched without its neighbours'",
        Some(Switching::Nothing) => "its power cannot be switched",
    };
    let over = ports.sysfs().over_currents(port).unwrap_or(0);
    if over > 0 {
        return Finding::bad(
            what,
            format!("port {port} drew too much current {over} times; {power}"),
            "look for damage, and try another camera and cable there",
        );
    }
    Finding::fine(what, format!("port {port}; {power}"))
}
