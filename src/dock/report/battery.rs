//! A bay's battery beside its footage: "safe to take" and "fit for a shift" are two things, and the
//! words say which of them is missing.

use super::{
    concerns::Concern,
    light::{Light, Take, files_of, needs_a_person},
    status::{BayReport, outstanding},
};
use crate::{
    charging::{Fitness, Report},
    dock::{
        IndexBroken, View,
        machine::{Bay, Work},
    },
};

/// The light and words of a bay, once its battery has been heard too.
pub(super) fn finish(
    (light, words, take): (Light, String, Take),
    charge: Option<&Report>,
) -> (Light, String) {
    let lacking = charge.and_then(|charge| Some((charge.fitness, charge.lacks.as_deref()?)));
    match (take, lacking) {
        (Take::No, _) => (light, words),
        (Take::May, None) => (light, format!("{words}; may be taken")),
        (Take::Now, None) => (light, format!("{words}; take it")),
        (Take::May | Take::Now, Some((Fitness::Unfit, lacks))) => {
            (Light::Red, format!("{words}; take the camera out of service: {lacks}"))
        }
        (
            Take::May | Take::Now,
            Some((Fitness::NotYet | Fitness::Fit | Fitness::Untold, lacks)),
        ) => (Light::Amber, format!("{words}; not fit for a shift yet: {lacks}")),
    }
}

/// Whether a docked camera has work that needs its power: all of it is not looked at, copied and
/// cleared. What only waits for the store does not count: that may take days.
///
/// # Errors
/// [`IndexBroken`].
pub fn needs_power(bay: &Bay, view: &dyn View) -> Result<bool, IndexBroken> {
    let reads = match bay.work {
        Some(Work::Copy(_) | Work::SecondRead(_) | Work::Erase(_)) => true,
        Some(Work::List) | None => bay.listed_at.is_none() || bay.ingest.is_some(),
    };
    if reads || bay.problem.is_some() {
        return Ok(true);
    }
    let open = outstanding(&bay.camera, view)?;
    let finished = bay.settled && bay.checked;
    Ok(open.to_copy.count > 0 || open.to_store.count == 0 && !finished)
}

/// The light and words of a bay whose port is off: what is in it cannot be asked, so it is never
/// green. Before the power went there was nothing left to do with its footage, unless it says so.
pub(super) fn of_dark(report: &BayReport, charge: &Report, open: &[Concern]) -> (Light, String) {
    if let Some(words) = needs_a_person(open, report.to_store.count) {
        return (Light::Red, words);
    }
    let who = charge.resting.as_ref().map_or("a camera".to_owned(), ToString::to_string);
    let why = &charge.words;
    if charge.owes_footage || report.to_copy.count > 0 {
        return (
            Light::Amber,
            format!("{who} has no power now: {why}; not all copied, do not take it"),
        );
    }
    let safe = match report.to_store.count {
        0 => "everything on it was safe".to_owned(),
        n => format!("all copied, {} on the way to the store", files_of(n)),
    };
    finish(
        (Light::Amber, format!("{who} has no power now: {why}; {safe}"), Take::May),
        Some(charge),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charging::{Anomaly, State};

    fn charge(fitness: Fitness, lacks: Option<&str>) -> Report {
        Report {
            state: State::Charging,
            fitness,
            percent: Some(43),
            celsius: None,
            anomaly: None::<Anomaly>,
            stopped: false,
            powered: true,
            switchable: true,
            dark: false,
            resting: None,
            owes_footage: false,
            ready_at: None,
            percent_per_hour: None,
            words: "rests".into(),
            lacks: lacks.map(str::to_owned),
        }
    }

    #[test]
    fn green_needs_both_and_the_words_say_which_is_missing() {
        let safe = || (Light::Green, "everything is safe".to_owned(), Take::Now);
        let (fit, unfit) = (charge(Fitness::Fit, None), charge(Fitness::Unfit, Some("it drains")));
        let low = charge(Fitness::NotYet, Some("battery 43 %, a shift needs 80 %"));
        for (charge, light, words) in [
            (None, Light::Green, "everything is safe; take it"),
            (Some(&fit), Light::Green, "everything is safe; take it"),
            (
                Some(&low),
                Light::Amber,
                "everything is safe; not fit for a shift yet: battery 43 %, a shift needs 80 %",
            ),
            (
                Some(&unfit),
                Light::Red,
                "everything is safe; take the camera out of service: it drains",
            ),
        ] {
            assert_eq!(finish(safe(), charge), (light, words.to_owned()));
        }
        // A good battery makes no footage safe.
        let copying =
            (Light::Amber, "copying, 2 files to go; do not take it yet".to_owned(), Take::No);
        for charge in [&fit, &low, &unfit] {
            assert_eq!(finish(copying.clone(), Some(charge)), (copying.0, copying.1.clone()));
        }
    }
}
