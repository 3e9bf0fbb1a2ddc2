//! What the board says of itself: temperature, voltage, throttling. From sysfs; what a board does
//! not have is absent.

use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

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
}

impl Board {
    /// Reads below `sys`, which is `/sys` but for tests.
    pub fn read(sys: &Path) -> Self {
        Self {
            temperatures: temperatures(&sys.join("class/thermal")),
            under_voltage: under_voltage(&sys.join("class/hwmon")),
            throttled: throttled(&sys.join("devices/platform/soc/soc:firmware/get_throttled")),
        }
    }
}

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn folders(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix)))
        .collect();
    found.sort();
    found
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

/// Bits 1 and 2 of the firmware's word: frequency capped, throttled (Raspberry Pi documentation,
/// `vcgencmd get_throttled`).
fn throttled(file: &Path) -> Option<bool> {
    let word = text(file)?;
    let bits = u32::from_str_radix(word.trim_start_matches("0x"), 16).ok()?;
    Some(bits & 0b110 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn what_a_board_has_is_told_and_what_it_has_not_is_absent() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Board::read(root.path()), Board::default());
        write(root.path(), "class/thermal/thermal_zone0/temp", "61341\n");
        write(root.path(), "class/thermal/thermal_zone0/type", "cpu-thermal\n");
        write(root.path(), "class/thermal/thermal_zone1/temp", "broken\n");
        write(root.path(), "class/hwmon/hwmon0/name", "nvme\n");
        write(root.path(), "class/hwmon/hwmon1/name", "rpi_volt\n");
        write(root.path(), "class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
        let throttled = "devices/platform/soc/soc:firmware/get_throttled";
        write(root.path(), throttled, "50005\n");
        let board = Board::read(root.path());
        assert_eq!(board.temperatures, [Sensor { name: "cpu-thermal0".into(), celsius: 61.341 }]);
        assert_eq!((board.under_voltage, board.throttled), (Some(true), Some(true)));
        write(root.path(), throttled, "0x50000\n");
        assert_eq!(Board::read(root.path()).throttled, Some(false), "it was, and is not now");
    }
}
