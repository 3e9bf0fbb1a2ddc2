//! What people and machines are told of a bay's charge.

use super::Anomaly;
use crate::types::CameraId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What charging does in a bay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is no camera.
    Absent,
    Charging,
    /// It has no power, for a reason that is no fault: its turn comes, or it rests.
    Held,
    Full,
    TooHot,
    TooCold,
    /// Something is wrong with its battery or its charge.
    Faulty,
    /// It does not say how full it is.
    Unknown,
}

impl State {
    pub const ALL: [Self; 8] = [
        Self::Absent,
        Self::Charging,
        Self::Held,
        Self::Full,
        Self::TooHot,
        Self::TooCold,
        Self::Faulty,
        Self::Unknown,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Charging => "charging",
            Self::Held => "held",
            Self::Full => "full",
            Self::TooHot => "too_hot",
            Self::TooCold => "too_cold",
            Self::Faulty => "faulty",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether a camera's battery lasts a shift: nothing is said of its footage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fitness {
    Fit,
    /// Below the level a shift needs; or not known, where that is demanded.
    NotYet,
    /// Its battery is not right.
    Unfit,
    /// Nothing is known and nothing demanded: cards, sticks, cameras that do not say.
    Untold,
}

/// A bay's charge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub state: State,
    pub fitness: Fitness,
    /// As the camera told last; never guessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub celsius: Option<i16>,
    /// What is wrong, also where charging goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly: Option<Anomaly>,
    /// Charging ended for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    pub powered: bool,
    /// Whether the dock can switch this bay's power; only then can it charge by a policy.
    pub switchable: bool,
    /// Its port was switched off with a camera in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dark: bool,
    /// Whose, as it was when the power went, if that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resting: Option<CameraId>,
    /// It was not all read when the power went.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owes_footage: bool,
    /// When it will be fit for a shift, as far as can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// Measured while it charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_per_hour: Option<f32>,
    /// One sentence without a stop.
    pub words: String,
    /// What a shift needs and the battery does not have, in words; none if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
}

impl Report {
    /// The port was not switched as decided, and has power or not as it had.
    pub fn not_switched(&mut self, powered: bool, why: &str) {
        (self.powered, self.dark) = (powered, !powered);
        if powered {
            (self.stopped, self.switchable, self.owes_footage) = (false, false, false);
            self.resting = None;
        }
        self.words = format!("{}; its port was not switched: {why}", self.words);
    }
}
