//! What a camera says of itself beside its footage.

use serde::{Deserialize, Serialize};

/// A camera at one moment. What it did not say is absent, never zero.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// The number its maker gave it, where that is said apart from its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_percent: Option<u8>,
    /// How fast it charged, as measured by the dock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_per_hour: Option<f32>,
    /// Bytes its storage has in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_free_bytes: Option<u64>,
}

impl Condition {
    /// The longest text kept of a camera, characters.
    pub const TEXT_MAX: usize = 64;

    /// Whether nothing was said.
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }

    /// A text of a camera as it is kept: without control characters, not too long, and not empty.
    pub fn text(text: &str) -> Option<String> {
        let kept: String =
            text.trim().chars().filter(|c| !c.is_control()).take(Self::TEXT_MAX).collect();
        (!kept.is_empty()).then_some(kept)
    }

    /// What was said now, and for what was not, what was said before.
    pub fn or(self, before: &Self) -> Self {
        Self {
            firmware: self.firmware.or_else(|| before.firmware.clone()),
            serial: self.serial.or_else(|| before.serial.clone()),
            battery_percent: self.battery_percent.or(before.battery_percent),
            percent_per_hour: self.percent_per_hour.or(before.percent_per_hour),
            storage_bytes: self.storage_bytes.or(before.storage_bytes),
            storage_free_bytes: self.storage_free_bytes.or(before.storage_free_bytes),
        }
    }
}
