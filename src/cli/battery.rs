//! How bays charge, in two cells of a table.

use super::render::clock;
use crate::{
    charging::{Fitness, Report, State},
    dock::report::BayReport,
};
use jiff::Timestamp;

/// Whether any bay has something to say of its battery: a dock of cards has not.
pub fn is_told(bays: &[BayReport]) -> bool {
    let told = |charge: &Report| {
        charge.percent.is_some() || charge.dark || charge.fitness != Fitness::Untold
    };
    bays.iter().any(|bay| bay.charge.as_ref().is_some_and(told))
}

/// Its charge with what becomes of it, and when it will be fit for a shift.
pub fn cells(bay: &BayReport, now: Timestamp) -> [String; 2] {
    let Some(charge) = bay.charge.as_ref().filter(|charge| charge.state != State::Absent) else {
        return ["-".into(), "-".into()];
    };
    let percent = charge.percent.map(|percent| format!("{percent} %"));
    let state = match charge.state {
        State::Absent => "-",
        State::Charging => "charging",
        State::Held => "held",
        State::Full => "full",
        State::TooHot => "too hot",
        State::TooCold => "too cold",
        State::Faulty => "faulty",
        State::Unknown => "not told",
    };
    let battery = percent.map_or(state.to_owned(), |percent| format!("{percent} {state}"));
    let ready = match (charge.fitness, charge.ready_at) {
        (Fitness::Fit, _) => "yes".into(),
        (Fitness::Unfit, _) => "no".into(),
        (Fitness::NotYet, Some(at)) => clock(at, now),
        (Fitness::NotYet | Fitness::Untold, _) => "-".into(),
    };
    [battery, ready]
}
