//! Which port is which bay: the first new device after each question says it.

use crate::{
    types::{BayName, PortPath},
    usb::{Bus, Change, Watch},
};
use std::time::{Duration, Instant};

/// Why nothing was learnt.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    #[error("nothing was plugged into bay {bay} for {} s", waited.as_secs())]
    Nobody { bay: BayName, waited: Duration },
    #[error("the USB bus cannot be read: {0}")]
    Bus(String),
    #[error("bay {0} is named twice")]
    Twice(BayName),
}

/// Asks for a device in each bay in turn; `say` speaks to the person, `twin` knows sockets that
/// are two ports.
///
/// # Errors
/// [`LearnError`]; what was learnt until then is no map.
pub fn learn<B: Bus>(
    watch: &mut Watch<B>,
    bays: &[BayName],
    wait: Duration,
    twin: &dyn Fn(&PortPath) -> Option<PortPath>,
    say: &mut dyn FnMut(&str),
) -> Result<Vec<(BayName, PortPath)>, LearnError> {
    if let Some(twice) = bays.iter().enumerate().find(|(at, bay)| bays[..*at].contains(bay)) {
        return Err(LearnError::Twice(twice.1.clone()));
    }
    // What is plugged in already says nothing.
    watch.next(Duration::ZERO);
    if let Some(error) = watch.failure() {
        return Err(LearnError::Bus(crate::daemon::chain(error)));
    }
    let mut map: Vec<(BayName, PortPath)> = Vec::new();
    for bay in bays {
        say(&format!("Plug a device into bay {bay} (take it out and in again if it is there)."));
        let port = port_of(watch, bay, wait, &map, twin, say)?;
        say(&format!("Bay {bay} is port {port}."));
        map.push((bay.clone(), port));
    }
    Ok(map)
}

fn port_of<B: Bus>(
    watch: &mut Watch<B>,
    bay: &BayName,
    wait: Duration,
    map: &[(BayName, PortPath)],
    twin: &dyn Fn(&PortPath) -> Option<PortPath>,
    say: &mut dyn FnMut(&str),
) -> Result<PortPath, LearnError> {
    let until = Instant::now() + wait;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(LearnError::Nobody { bay: bay.clone(), waited: wait });
        }
        for change in watch.next(left) {
            let Change::Arrived { device, .. } = change else { continue };
            let port = device.port.clone();
            let other = twin(&port);
            let same = |known: &PortPath| *known == port || Some(known) == other.as_ref();
            let behind = |known: &PortPath| known.is_above(&port) || port.is_above(known);
            if device.is_hub() {
                say("That is a hub; plug in a camera or a stick.");
            } else if let Some((taken, _)) = map.iter().find(|(_, known)| same(known)) {
                say(&format!("That is port {port}, which is bay {taken} already."));
            } else if let Some((taken, _)) = map.iter().find(|(_, known)| behind(known)) {
                say(&format!(
                    "Port {port} lies behind, or before, bay {taken}: not a socket of its own."
                ));
            } else {
                return Ok(port);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        types::{UsbClass, UsbDevice, UsbId, UsbInterface},
        usb::{SimSwitch, SimUsb},
    };

    fn device(port: &str, class: u8) -> UsbDevice {
        UsbDevice {
            port: port.parse().unwrap(),
            address: 0,
            id: UsbId { vendor: 1, product: 2 },
            release: 0,
            class: UsbClass::new(class, 0, 0),
            interfaces: vec![UsbInterface {
                configuration: 1,
                number: 0,
                class: UsbClass::new(class, 6, 0x50),
                name: None,
            }],
            authorised: true,
            maker: None,
            product: None,
            serial: None,
        }
    }

    fn bays(names: &[&str]) -> Vec<BayName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    /// Plugs in the next device of a list at every word that asks for it.
    fn walk(
        devices: &[UsbDevice],
        names: &[&str],
    ) -> (Result<Vec<String>, LearnError>, Vec<String>) {
        let usb = SimUsb::new(SimSwitch::PerPort, 4);
        usb.plug(device("1-4", 8));
        let (mut next, mut said) = (devices.iter(), Vec::new());
        let twin = |port: &PortPath| {
            let text = port.to_string();
            let other = text.strip_prefix("1-1.").map(|number| format!("2-1.{number}"));
            let back = text.strip_prefix("2-1.").map(|number| format!("1-1.{number}"));
            other.or(back)?.parse().ok()
        };
        let learnt = learn(
            &mut Watch::new(usb.clone()),
            &bays(names),
            Duration::from_secs(20),
            &twin,
            &mut |words| {
                said.push(words.to_owned());
                if words.contains("Plug") || words.starts_with("That") || words.starts_with("Port")
                {
                    next.next().cloned().into_iter().for_each(|device| usb.plug(device));
                }
            },
        );
        let rows = |map: Vec<(BayName, PortPath)>| {
            map.iter().map(|(bay, port)| format!("{bay}={port}")).collect()
        };
        (learnt.map(rows), said)
    }

    #[test]
    fn each_bay_is_the_port_where_something_new_arrives() {
        let devices = [device("1-1.2", 8), device("2-1.1", 8)];
        assert_eq!(walk(&devices, &["left", "right"]).0.unwrap(), ["left=1-1.2", "right=2-1.1"]);
    }

    #[test]
    fn hubs_and_ports_that_are_bays_already_are_asked_for_again() {
        let devices = [
            device("1-1.2", 8),
            device("1-1.3", 9),
            device("1-1.2", 8),
            device("2-1.2", 8),
            device("1-1.2.1", 8),
            device("1-1.4", 8),
        ];
        let (map, said) = walk(&devices, &["1", "2"]);
        assert_eq!(map.unwrap(), ["1=1-1.2", "2=1-1.4"]);
        assert!(said.iter().any(|words| words.starts_with("That is a hub")), "{said:?}");
        let again = said.iter().filter(|words| words.contains("which is bay 1 already")).count();
        assert_eq!(again, 2, "{said:?}");
        assert!(said.iter().any(|words| words.contains("lies behind, or before, bay 1")));
    }

    #[test]
    fn nobody_there_and_names_twice_are_told() {
        let mut watch = Watch::new(SimUsb::new(SimSwitch::PerPort, 4));
        let mut run = |names: &[&str]| {
            let wait = Duration::from_millis(20);
            learn(&mut watch, &bays(names), wait, &|_| None, &mut |_| {}).unwrap_err().to_string()
        };
        assert_eq!(run(&["1", "1"]), "bay 1 is named twice");
        assert_eq!(run(&["1"]), "nothing was plugged into bay 1 for 0 s");
    }
}
