//! What the board says of itself: temperature, voltage, throttling. From sysfs; what a board does
//! not have is absent.

use super::{folders, text};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Sensors told at most: some boards have dozens.
const SENSORS_MAX: usize = 16;

/// One temperature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sensor {
    pub name: String,
    pub celsius: f64,
}

/// A board at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Board {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub temperatures: Vec<Sensor>,
    /// The supply is too weak now (driver `raspberrypi-hwmon`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_voltage: Option<bool>,
    /// The clock of the processor is held down now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled: Option<bool>,
    /// Either of the two since the machine booted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_voltage_seen: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_seen: Option<bool>,
}

impl Board {
    /// Reads below `sys`.
    pub(super) fn read(sys: &Path) -> Self {
        let word = firmware(&sys.join("devices/platform"));
        let bits = |bits: u32| word.map(|word| word & bits != 0);
        Self {
            temperatures: temperatures(&sys.join("class/thermal")),
            under_voltage: under_voltage(&sys.join("class/hwmon")).or(bits(1)),
            throttled: bits(0b110),
            under_voltage_seen: bits(1 << 16),
            throttled_seen: bits(0b110 << 16),
        }
    }
}

/// Thermal zones: millidegrees (Linux, Documentation/driver-api/thermal/sysfs-api.rst).
fn temperatures(thermal: &Path) -> Vec<Sensor> {
    let sensor = |zone: PathBuf| {
        let milli: f64 = text(&zone.join("temp"))?.parse().ok()?;
        let kind = text(&zone.join("type")).unwrap_or_default();
        let number = zone.file_name()?.to_string_lossy().replace("thermal_zone", "");
        let name = format!("{}{number}", kind.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        Some(Sensor { name, celsius: milli / 1000.0 })
    };
    folders(thermal, "thermal_zone").into_iter().filter_map(sensor).take(SENSORS_MAX).collect()
}

/// `in0_lcrit_alarm` of the sensor that the firmware of a Raspberry Pi gives (Linux,
/// Documentation/hwmon/raspberrypi-hwmon.rst).
fn under_voltage(hwmon: &Path) -> Option<bool> {
    let mut all = folders(hwmon, "hwmon").into_iter();
    let sensor = all.find(|s| text(&s.join("name")).as_deref() == Some("rpi_volt"))?;
    Some(text(&sensor.join("in0_lcrit_alarm"))? != "0")
}

/// The firmware's word, hexadecimal: bit 0 under-voltage, 1 frequency capped, 2 throttled, and from
/// bit 16 on the same since boot (Raspberry Pi documentation, `vcgencmd get_throttled`). Boards
/// differ in the name of the folder `soc*`.
fn firmware(platform: &Path) -> Option<u32> {
    let firmware = folders(platform, "soc").into_iter().flat_map(|soc| folders(&soc, "soc"));
    let word = firmware.filter_map(|folder| text(&folder.join("get_throttled"))).next()?;
    u32::from_str_radix(word.trim_start_matches("0x"), 16).ok()
}
