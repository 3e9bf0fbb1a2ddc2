//! The kernel's picture of the bus, and the switches it offers.
//!
//! | below `/sys/bus/usb/devices` | what |
//! |---|---|
//! | `1-1.3/` | the device in that port: `descriptors`, `devnum`, `serial`, `authorized` |
//! | `1-1.3/1-1.3:1.0/` | an interface: `interface` is its string; disks lie below it |
//! | `1-1/1-1:1.0/1-1-port3/` | the port itself: `peer` is its twin at the other speed, `disable` switches it |
//! | `usb1/1-0:1.0/usb1-port2/` | the same for a root hub |
//!
//! Source: Linux, Documentation/ABI/testing/sysfs-bus-usb. `disable` came with Linux 6.0.

use super::descriptors;
use crate::types::{HubPath, PortPath, UsbDevice, UsbInterface};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// Descriptors of one device at most, bytes; real ones have less than 4 KiB.
const DESCRIPTORS_MAX: u64 = 64 << 10;
/// A string descriptor holds at most 126 UTF-16 units.
const TEXT_MAX: usize = 126;
/// Devices of one bus at most are 127, buses 255; a picture beyond this is none.
const DEVICES_MAX: usize = 127 * 255;

/// A disk below a USB device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockNode {
    /// `/dev/sda`.
    pub node: PathBuf,
    pub bytes: u64,
    pub read_only: bool,
}

/// Where sysfs and the device nodes lie: `/sys` and `/dev`, or a folder in tests.
#[derive(Debug, Clone)]
pub struct Sysfs {
    sys: PathBuf,
    dev: PathBuf,
}

impl Default for Sysfs {
    fn default() -> Self {
        Self { sys: "/sys".into(), dev: "/dev".into() }
    }
}

impl Sysfs {
    pub fn at(sys: impl Into<PathBuf>, dev: impl Into<PathBuf>) -> Self {
        Self { sys: sys.into(), dev: dev.into() }
    }

    fn devices_dir(&self) -> PathBuf {
        self.sys.join("bus/usb/devices")
    }

    fn device_dir(&self, port: &PortPath) -> PathBuf {
        self.devices_dir().join(port.to_string())
    }

    /// Everything plugged in, in the order of ports. What goes away meanwhile is left out.
    ///
    /// # Errors
    /// The kernel has no USB, or its picture cannot be read.
    pub fn devices(&self) -> io::Result<Vec<UsbDevice>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.devices_dir())? {
            let name = entry?.file_name();
            let Some(port) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            if found.len() == DEVICES_MAX {
                return Err(io::Error::other("more USB devices than can be"));
            }
            match self.device(&port) {
                Ok(device) => found.push(device),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_by(|a, b| a.port.cmp(&b.port));
        Ok(found)
    }

    /// The device in a port.
    ///
    /// # Errors
    /// Not found if there is none.
    pub fn device(&self, port: &PortPath) -> io::Result<UsbDevice> {
        let dir = self.device_dir(port);
        let address = number(&dir.join("devnum"))?;
        let mut bytes = Vec::new();
        File::open(dir.join("descriptors"))?.take(DESCRIPTORS_MAX).read_to_end(&mut bytes)?;
        let said = descriptors::parse(&bytes);
        let mut interfaces = said.as_ref().map(|said| said.interfaces.clone()).unwrap_or_default();
        for interface in &mut interfaces {
            let UsbInterface { configuration, number, .. } = *interface;
            interface.name = text(&dir.join(format!("{port}:{configuration}.{number}/interface")));
        }
        let id = said.as_ref().map(|said| said.id);
        let id = id.map_or_else(|| self.id_from_files(&dir), Ok)?;
        Ok(UsbDevice {
            port: port.clone(),
            address: u8::try_from(address).map_err(io::Error::other)?,
            id,
            release: said.as_ref().map_or(0, |said| said.release),
            class: said.map_or(crate::types::UsbClass::new(0, 0, 0), |said| said.class),
            interfaces,
            authorised: number(&dir.join("authorized")).map_or(true, |value| value != 0),
            maker: text(&dir.join("manufacturer")),
            product: text(&dir.join("product")),
            serial: text(&dir.join("serial")),
        })
    }

    /// For devices whose descriptors make no sense: they get no interface, and are refused.
    fn id_from_files(&self, dir: &Path) -> io::Result<crate::types::UsbId> {
        let part = |name: &str| fs::read_to_string(dir.join(name));
        let text = format!("{}:{}", part("idVendor")?.trim(), part("idProduct")?.trim());
        text.parse().map_err(io::Error::other)
    }

    /// The numbers of a hub as a device; none where it is not there.
    pub fn hub_id(&self, hub: &HubPath) -> Option<crate::types::UsbId> {
        self.id_from_files(&self.devices_dir().join(hub.device_name())).ok()
    }

    /// All hubs, root hubs first.
    ///
    /// # Errors
    /// The kernel has no USB, or its picture cannot be read.
    pub fn hubs(&self) -> io::Result<Vec<HubPath>> {
        let mut hubs = Vec::new();
        for entry in fs::read_dir(self.devices_dir())? {
            let name = entry?.file_name();
            let name = name.to_str().unwrap_or_default();
            let root = name.strip_prefix("usb").and_then(|bus| bus.parse().ok()).map(HubPath::Root);
            let hub = root.or_else(|| name.parse().ok().map(HubPath::Port));
            hubs.extend(hub.filter(|hub| self.port_count(hub) > 0));
        }
        hubs.sort();
        Ok(hubs)
    }

    /// How many ports a hub has; 0 where it is none.
    pub fn port_count(&self, hub: &HubPath) -> u8 {
        let path = self.devices_dir().join(hub.device_name()).join("maxchild");
        number(&path).ok().and_then(|count| u8::try_from(count).ok()).unwrap_or(0)
    }

    /// The folder of a port; none where its hub is not there or not in use.
    fn port_dir(&self, port: &PortPath) -> Option<PathBuf> {
        let hub = port.hub();
        let dir = self.devices_dir().join(hub.device_name());
        let name = format!("{}-port{}", hub.device_name(), port.port());
        let interfaces = fs::read_dir(&dir).ok()?.flatten();
        interfaces
            .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.contains(':')))
            .map(|entry| entry.path().join(&name))
            .find(|path| path.is_dir())
    }

    /// Whether there is such a port, whatever is in it.
    pub fn has_port(&self, port: &PortPath) -> bool {
        self.port_dir(port).is_some() || self.port_count(&port.hub()) >= port.port()
    }

    /// The same socket at the other speed: a USB 3 hub is two hubs, each with its own ports.
    pub fn twin(&self, port: &PortPath) -> Option<PortPath> {
        let link = fs::read_link(self.port_dir(port)?.join("peer")).ok()?;
        let (hub, number) = link.file_name()?.to_str()?.rsplit_once("-port")?;
        let root = hub.strip_prefix("usb").and_then(|bus| bus.parse().ok()).map(HubPath::Root);
        let hub = root.or_else(|| hub.parse().ok().map(HubPath::Port))?;
        hub.port(number.parse().ok()?)
    }

    /// Whether the kernel's switch for a port says off; none where the kernel has none.
    pub fn is_disabled(&self, port: &PortPath) -> Option<bool> {
        number(&self.port_dir(port)?.join("disable")).ok().map(|value| value != 0)
    }

    /// Switches a port by the kernel; false where the kernel has no switch for it.
    ///
    /// # Errors
    /// The kernel or the rights of the file refuse.
    pub fn set_disabled(&self, port: &PortPath, disabled: bool) -> io::Result<bool> {
        let Some(path) = self.port_dir(port).map(|dir| dir.join("disable")) else {
            return Ok(false);
        };
        match write(&path, disabled) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lets kernel drivers have a device, or takes it from them.
    ///
    /// # Errors
    /// It is gone, or the rights of the file refuse.
    pub fn set_authorised(&self, port: &PortPath, authorised: bool) -> io::Result<()> {
        write(&self.device_dir(port).join("authorized"), authorised)
    }

    /// How often too much current flowed in a port since the kernel started.
    pub fn over_currents(&self, port: &PortPath) -> Option<u64> {
        number(&self.port_dir(port)?.join("over_current_count")).ok()
    }

    /// The disks of a mass-storage device; empty until the kernel has found them.
    ///
    /// # Errors
    /// The device is gone.
    pub fn block_nodes(&self, port: &PortPath) -> io::Result<Vec<BlockNode>> {
        let dir = self.device_dir(port);
        let mut nodes = Vec::new();
        // <interface>/host<N>/target<N>:<C>:<T>/<LUN>/block/sd<X>, for usb-storage and uas alike.
        let own = format!("{port}:");
        for interface in matching(&dir, &own)? {
            for host in matching(&interface, "host").unwrap_or_default() {
                for target in matching(&host, "target").unwrap_or_default() {
                    for lun in matching(&target, "").unwrap_or_default() {
                        let disks = matching(&lun.join("block"), "").unwrap_or_default();
                        nodes.extend(disks.iter().filter_map(|disk| self.block_node(disk)));
                    }
                }
            }
        }
        nodes.sort_by(|a, b| a.node.cmp(&b.node));
        Ok(nodes)
    }

    fn block_node(&self, dir: &Path) -> Option<BlockNode> {
        let name = dir.file_name()?.to_str()?;
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric());
        plain.then(|| BlockNode {
            node: self.dev.join(name),
            // The unit of `size` is 512 bytes, whatever the disk's sectors are.
            bytes: number(&dir.join("size")).unwrap_or(0).saturating_mul(512),
            read_only: number(&dir.join("ro")).is_ok_and(|value| value != 0),
        })
    }

    /// What the board calls itself, where firmware says so: `Raspberry Pi 5 Model B Rev 1.0`.
    pub fn board(&self) -> Option<String> {
        text(&self.sys.join("firmware/devicetree/base/model"))
    }
}

/// ENOENT, ENODEV or ESRCH: what is read goes away under the reader.
fn is_gone(error: &io::Error) -> bool {
    const ENODEV: i32 = 19;
    const ESRCH: i32 = 3;
    error.kind() == io::ErrorKind::NotFound || matches!(error.raw_os_error(), Some(ENODEV | ESRCH))
}

fn matching(dir: &Path, prefix: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn number(path: &Path) -> io::Result<u64> {
    fs::read_to_string(path)?.trim().parse().map_err(io::Error::other)
}

/// A string a device wrote: no control characters, no more than a descriptor holds.
fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(1024).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let clean: String = text
        .trim_matches(|c: char| c.is_whitespace() || c == '\0')
        .chars()
        .take(TEXT_MAX)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    (!clean.is_empty()).then_some(clean)
}

fn write(path: &Path, value: bool) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(if value { b"1" } else { b"0" })
}
