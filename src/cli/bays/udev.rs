//! `bays udev`: the rules that keep the kernel's drivers off what is plugged into a bay.

use crate::{
    cli::{Complaint, Exit, Outcome, render},
    config::{self, Config},
    daemon::chain,
    types::{BayName, PortPath},
    usb::Sysfs,
};
use std::{collections::BTreeSet, path::Path};

const HEAD: &str = "\
# Made by `bwvdock bays udev`; install as /etc/udev/rules.d/71-bwvdock-bays.rules and make it anew
# when the bays change. It says which ports are bays; 72-bwvdock.rules says what follows from that.

ACTION==\"remove\", GOTO=\"bwvdock_bays_end\"
";

pub fn udev(config: &Path, as_json: bool) -> Outcome {
    let config = config::load(config).map_err(|error| {
        Complaint::new(
            Exit::Usage,
            chain(&error),
            "mend it; `bwvdock config check` names each line",
        )
    })?;
    let sysfs = Sysfs::default();
    let text = rules(&config, &|port| sysfs.twin(port));
    let text = text.ok_or_else(|| {
        let what = "no bay of this configuration is a USB port";
        Complaint::new(Exit::Usage, what, "`bwvdock bays learn` finds out which port is which bay")
    })?;
    match as_json {
        true => render::print_json(&serde_json::json!({ "rules": text })),
        false => render::print_exact(&text),
    }
    Ok(Exit::Fine)
}

/// None without bays that are ports.
fn rules(config: &Config, twin: &dyn Fn(&PortPath) -> Option<PortPath>) -> Option<String> {
    let mut sockets: Vec<(&BayName, PortPath, bool)> = Vec::new();
    for bay in &config.bays {
        let Some(port) = bay.source.port() else { continue };
        let ports = [Some(port.clone()), twin(port)];
        sockets.extend(ports.into_iter().flatten().map(|port| (&bay.name, port, bay.allow_erase)));
    }
    if sockets.is_empty() {
        return None;
    }
    let buses: BTreeSet<u8> = sockets.iter().map(|(_, port, _)| port.bus()).collect();
    let mut out = String::from(HEAD);
    out.push_str("\n# On these buses nothing gets a driver by itself any more.\n");
    for bus in buses {
        out.push_str(&format!("KERNEL==\"usb{bus}\", ATTR{{authorized_default}}=\"0\"\n"));
    }
    out.push_str("\n# The bays, and whatever is behind a hub in one.\n");
    for (bay, port, _) in &sockets {
        out.push_str(&format!(
            "SUBSYSTEM==\"usb\", KERNEL==\"{port}|{port}.*\", ENV{{DEVTYPE}}==\"usb_device\", \
             ENV{{BWVDOCK_BAY}}=\"{bay}\"\n"
        ));
    }
    out.push_str("\n# Disks of cameras: the daemon reads them itself, and writes only to erase.\n");
    for (_, port, erase) in &sockets {
        let mode = if *erase { "0660" } else { "0640" };
        out.push_str(&format!(
            "SUBSYSTEM==\"block\", KERNELS==\"{port}\", GROUP=\"bwvdock\", MODE=\"{mode}\"\n"
        ));
    }
    out.push_str("\nLABEL=\"bwvdock_bays_end\"\n");
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_twins_and_buses_are_named_and_nothing_else() {
        let mut text = crate::config::DEFAULT_TOML.replace("#id =", "id =");
        let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        text = text.replace(
            "#recipients = [\"age1...\", \"age1...\"]",
            &format!("recipients = [\"{key}\"]"),
        );
        for name in ["endpoint", "bucket", "access_key_file", "secret_key_file"] {
            text = text.replace(&format!("#{name} = "), &format!("{name} = "));
        }
        assert_eq!(rules(&Config::parse(&text).unwrap(), &|_| None), None);
        text.push_str("[[bays]]\nname = \"1\"\nport = \"1-1.3\"\n[[bays]]\nname = \"2\"\n");
        text.push_str("port = \"1-1.4\"\nallow_erase = false\n");
        let config = Config::parse(&text).unwrap();
        let twin = |port: &PortPath| (port.port() == 3).then(|| "2-1.3".parse().unwrap());
        let text = rules(&config, &twin).unwrap();
        for line in [
            "KERNEL==\"usb1\", ATTR{authorized_default}=\"0\"",
            "KERNEL==\"usb2\", ATTR{authorized_default}=\"0\"",
            "SUBSYSTEM==\"usb\", KERNEL==\"2-1.3|2-1.3.*\", ENV{DEVTYPE}==\"usb_device\", \
             ENV{BWVDOCK_BAY}=\"1\"",
            "SUBSYSTEM==\"block\", KERNELS==\"1-1.3\", GROUP=\"bwvdock\", MODE=\"0660\"",
            "SUBSYSTEM==\"block\", KERNELS==\"1-1.4\", GROUP=\"bwvdock\", MODE=\"0640\"",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert_eq!(text.matches("BWVDOCK_BAY").count(), 3);
    }
}
