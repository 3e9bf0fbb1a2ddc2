//! `bays ports`: hubs and ports as the kernel and the hubs themselves tell of them.

use crate::{
    cli::{Complaint, Exit, Outcome, render},
    power::Claim,
    types::{HubPath, PortPath, UsbDevice, UsbId},
    usb::{HubPower, PortPower as _, Sysfs},
};
use serde::Serialize;

/// A hub as it is printed.
#[derive(Serialize)]
struct HubRow {
    hub: String,
    id: Option<UsbId>,
    /// What its descriptor says; what it does shows only a trial.
    says: Option<Claim>,
    ports: Vec<PortRow>,
}

#[derive(Serialize)]
struct PortRow {
    port: PortPath,
    powered: Option<bool>,
    connected: Option<bool>,
    twin: Option<PortPath>,
    device: Option<UsbDevice>,
}

pub fn ports(as_json: bool) -> Outcome {
    let sysfs = Sysfs::default();
    let hubs = sysfs.hubs().map_err(|error| {
        let what = format!("this machine has no USB that can be looked at: {error}");
        Complaint::new(Exit::Failed, what, "look at `dmesg`; the kernel needs USB drivers")
    })?;
    let power = HubPower::new(sysfs.clone());
    let rows: Vec<HubRow> = hubs.iter().map(|hub| row(&sysfs, &power, hub)).collect();
    match as_json {
        true => render::print_json(&serde_json::json!(rows)),
        false => render::print(&words(&rows)),
    }
    Ok(Exit::Fine)
}

fn row(sysfs: &Sysfs, power: &HubPower, hub: &HubPath) -> HubRow {
    let look = power.look(hub);
    let port = |(port, look): (PortPath, crate::power::PortLook)| PortRow {
        powered: look.powered,
        connected: look.connected,
        twin: power.twin(&port),
        device: sysfs.device(&port).ok(),
        port,
    };
    HubRow {
        hub: hub.to_string(),
        id: look.id,
        says: look.claim,
        ports: look.ports.into_iter().map(port).collect(),
    }
}

fn words(rows: &[HubRow]) -> String {
    let mut out = String::new();
    for hub in rows {
        let id = hub.id.map_or_else(String::new, |id| format!(" {id}"));
        let says = match hub.says {
            Some(Claim::PerPort) => "says it switches each port",
            Some(Claim::Ganged) => "says it switches all ports at once",
            Some(Claim::Nothing) => "has no power switch",
            None => "cannot be asked (its device node needs rights)",
        };
        out.push_str(&format!("hub {}{id}  {says}\n", hub.hub));
        let rows: Vec<Vec<String>> = hub.ports.iter().map(port_words).collect();
        out.push_str(&render::table(&["PORT", "POWER", "TWIN", "DEVICE"], &[], rows));
        out.push('\n');
    }
    out
}

fn port_words(row: &PortRow) -> Vec<String> {
    let power = match row.powered {
        Some(true) => "on",
        Some(false) => "off",
        None => "?",
    };
    let twin = row.twin.as_ref().map_or_else(String::new, PortPath::to_string);
    let device = match (&row.device, row.connected) {
        (Some(device), _) => device.words(),
        (None, Some(true)) => "something that is not enumerated".into(),
        (None, Some(false) | None) => String::new(),
    };
    vec![row.port.to_string(), power.to_owned(), twin, device]
}
