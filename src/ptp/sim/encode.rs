//! Datasets as the simulated camera sends them.

use super::{SimBattery, SimObject, SimResponder, SimStorage};

pub(super) fn text(units: &[u16]) -> Vec<u8> {
    if units.is_empty() {
        return vec![0];
    }
    let units: Vec<u16> = units.iter().copied().take(254).chain([0]).collect();
    let count = u8::try_from(units.len()).unwrap_or(u8::MAX);
    std::iter::once(count).chain(units.iter().flat_map(|unit| unit.to_le_bytes())).collect()
}

pub(super) fn words(text_of: &str) -> Vec<u8> {
    text(&text_of.encode_utf16().collect::<Vec<_>>())
}

pub(super) fn array_u32(entries: impl IntoIterator<Item = u32>) -> Vec<u8> {
    let packed: Vec<u8> = entries.into_iter().flat_map(u32::to_le_bytes).collect();
    let count = u32::try_from(packed.len() / 4).unwrap_or(u32::MAX);
    [&count.to_le_bytes()[..], &packed].concat()
}

fn array_u16(entries: impl IntoIterator<Item = u16>) -> Vec<u8> {
    let packed: Vec<u8> = entries.into_iter().flat_map(u16::to_le_bytes).collect();
    let count = u32::try_from(packed.len() / 2).unwrap_or(u32::MAX);
    [&count.to_le_bytes()[..], &packed].concat()
}

impl SimResponder {
    /// DeviceInfo as it is sent.
    pub fn encode_device_info(&self) -> Vec<u8> {
        let properties = [0x5001u16, 0x5011];
        let properties =
            properties.into_iter().filter(|p| self.has_prop(crate::ptp::DeviceProp(*p)));
        [
            &100u16.to_le_bytes()[..],
            &6u32.to_le_bytes(),
            &100u16.to_le_bytes(),
            &words("microsoft.com: 1.0; android.com: 1.0;"),
            &0u16.to_le_bytes(),
            &array_u16(self.operations.iter().map(|operation| operation.0)),
            &array_u16([0x4002, 0x4003, 0x4004, 0x4005]),
            &array_u16(properties),
            &array_u16([]),
            &array_u16([0x3000, 0x3001]),
            &words(&self.manufacturer),
            &words(&self.model),
            &words(&self.version),
            &words(&self.serial),
        ]
        .concat()
    }

    pub(super) fn encode_object_info(&self, object: &SimObject) -> Vec<u8> {
        let bytes = object.content.len();
        let size = if self.oddities.sizes_are_zero {
            0
        } else if self.oddities.sizes_wrap {
            u32::try_from(bytes & 0xFFFF_FFFF).unwrap_or(0)
        } else {
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        [
            &object.storage.to_le_bytes()[..],
            &object.format.to_le_bytes(),
            &object.protection.to_le_bytes(),
            &size.to_le_bytes(),
            &[0; 26],
            &object.parent.to_le_bytes(),
            &u16::from(object.format == 0x3001).to_le_bytes(),
            &[0; 8],
            &text(&object.name),
            &words(&object.captured),
            &words(&object.modified),
            &[0],
        ]
        .concat()
    }

    /// BatteryLevel as a description; `None` if this camera has none.
    pub(super) fn encode_battery_desc(&self) -> Option<Vec<u8>> {
        let byte = |now: u8, form: &[u8]| [&[0x01, 0x50, 0x02, 0, 0, 100, now][..], form].concat();
        match &self.battery {
            SimBattery::None | SimBattery::ValueOnly(_) => None,
            SimBattery::Range(now) => Some(byte(*now, &[1, 0, 100, 1])),
            SimBattery::OneOf(now, values) => {
                let count = u16::try_from(values.len()).unwrap_or(0).to_le_bytes();
                Some(byte(*now, &[&[2][..], &count, values].concat()))
            }
            SimBattery::Wide(now) => {
                let now = now.to_le_bytes();
                Some([&[0x01, 0x50, 0x04, 0, 0, 0, 0][..], &now, &[0]].concat())
            }
        }
    }

    pub(super) fn encode_battery(&self) -> Option<Vec<u8>> {
        match &self.battery {
            SimBattery::None => None,
            SimBattery::Range(now) | SimBattery::OneOf(now, _) => Some(vec![*now]),
            SimBattery::Wide(now) => Some(now.to_le_bytes().to_vec()),
            SimBattery::ValueOnly(bytes) => Some(bytes.clone()),
        }
    }

    /// DateTime as a description.
    pub(super) fn encode_clock_desc(&self) -> Option<Vec<u8>> {
        let now = words(&self.clock_text()?);
        Some([&[0x11, 0x50, 0xFF, 0xFF, 1][..], &words("19700101T000000"), &now, &[0]].concat())
    }
}

impl SimStorage {
    pub(super) fn encode(&self) -> Vec<u8> {
        [
            &[4, 0, 2, 0][..],
            &self.access.to_le_bytes(),
            &self.capacity.to_le_bytes(),
            &self.capacity.to_le_bytes(),
            &[0xFF; 4],
            &words(&self.description),
            &[0],
        ]
        .concat()
    }
}
