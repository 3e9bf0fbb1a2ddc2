//! One bay's memory: who is in it, what its battery did, and since when its port is as it is.

use super::{Anomaly, Moment, Reading, Seat, Settings, Switch, curve::Curve};
use crate::types::{CameraId, HubPath};
use std::time::Duration;

/// How long something may take to show itself after its port was switched on.
const WAKES_WITHIN: Duration = Duration::from_secs(60);
/// How long a camera may take to tell its temperature or its charge then.
const TELLS_WITHIN: Duration = Duration::from_secs(300);
/// A resting camera is asked this often how full it still is.
const ASKED_EVERY: Duration = Duration::from_secs(24 * 3600);
/// It may lose this much, points, before it is charged up again.
const REST_LOSS: u8 = 10;
/// Points below the gate that do not make a fit camera unfit.
const GATE_WOBBLE: u8 = 2;
/// Degrees it must be away from the limit again.
const DEGREES_BACK: i16 = 5;

/// Why a camera is not to have power, whatever the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refrain {
    Fault(Anomaly),
    Hot,
    Cold,
    /// It rests at the level for storage.
    Rest,
}

/// What a bay's port was decided to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Nobody decided it: nothing was in the bay, or it was there before.
    ByItself,
    On(Duration),
    Off(Duration),
}

/// One bay.
#[derive(Debug, Clone)]
pub struct Bay {
    pub hub: Option<HubPath>,
    pub switch: Switch,
    pub seat: Seat,
    pub power: Power,
    /// Who was recognised here last, as long as it may still be here.
    pub camera: Option<CameraId>,
    pub reading: Option<Reading>,
    pub percent: Option<u8>,
    pub curve: Curve,
    pub fault: Option<Anomaly>,
    pub temperature: Option<Refrain>,
    pub resting: bool,
    /// It reached the gate; a point or two below it make it no less fit.
    pub fit: bool,
    /// It had work when its power went.
    pub owes_footage: bool,
    /// Time with power in this docking.
    pub powered_for: Duration,
    /// Since when something has been here.
    pub since: Duration,
    last: Duration,
}

impl Bay {
    pub fn new(now: Duration) -> Self {
        Self {
            hub: None,
            switch: Switch::PerPort,
            seat: Seat::Empty,
            power: Power::ByItself,
            camera: None,
            reading: None,
            percent: None,
            curve: Curve::default(),
            fault: None,
            temperature: None,
            resting: false,
            fit: false,
            owes_footage: false,
            powered_for: Duration::ZERO,
            since: now,
            last: now,
        }
    }

    /// Takes in a look.
    pub fn take_in(&mut self, seat: Seat, at: Moment, settings: &Settings) {
        let passed = at.elapsed.saturating_sub(self.last);
        if self.draws() {
            self.powered_for += passed;
        }
        self.last = at.elapsed;
        match &seat {
            // It was switched on a moment ago, and current flows before anything is to be seen.
            Seat::Empty if self.is_waking(at.elapsed) => {
                self.seat = Seat::Unnamed;
                return;
            }
            Seat::Empty => *self = self.emptied(at.elapsed),
            Seat::Dark => {
                self.curve.interrupt();
                // Switching it on did not work.
                if !matches!(self.power, Power::Off(_)) {
                    self.power = Power::Off(at.elapsed);
                }
            }
            Seat::Unnamed => {
                self.arrived(at.elapsed);
                // Of a camera that nobody recognised yet, nothing was read.
                self.owes_footage |= self.camera.is_none();
            }
            Seat::Camera { camera, reading, busy } => {
                if self.camera.as_ref().is_some_and(|before| before != camera) {
                    *self = self.emptied(at.elapsed);
                }
                self.arrived(at.elapsed);
                self.camera = Some(camera.clone());
                // Switching it off did not work.
                if matches!(self.power, Power::Off(_)) {
                    self.power = Power::ByItself;
                }
                self.owes_footage = *busy;
                self.hear(*reading, *busy, at.elapsed, settings);
            }
        }
        self.seat = seat;
    }

    fn arrived(&mut self, now: Duration) {
        if self.seat == Seat::Empty {
            self.since = now;
            self.powered_for = Duration::ZERO;
        }
    }

    /// The same socket with nothing in it.
    fn emptied(&self, now: Duration) -> Self {
        let (hub, switch) = (self.hub.clone(), self.switch.clone());
        Self { hub, switch, ..Self::new(now) }
    }

    fn hear(&mut self, reading: Option<Reading>, busy: bool, now: Duration, settings: &Settings) {
        if busy {
            self.curve.interrupt();
        }
        let fresh = reading.filter(|reading| {
            self.reading.is_none_or(|known| known.at < reading.at) && self.is_since_on(reading.at)
        });
        if let Some(reading) = fresh {
            self.reading = Some(reading);
            self.percent = reading.percent.or(self.percent);
            let wobble = if self.fit { GATE_WOBBLE } else { 0 };
            self.fit = self.percent.is_some_and(|p| p + wobble >= settings.gate_percent);
            if let Some(percent) = reading.percent {
                self.curve.observe(reading.at, percent, !busy);
            }
            self.temperature = self.judge_temperature(reading.celsius, settings);
        }
        let found = self.curve.anomaly(now, settings);
        // The worst that was seen of a camera stays with it until it is taken out.
        self.fault = self.fault.max(found);
    }

    fn judge_temperature(&self, celsius: Option<i16>, settings: &Settings) -> Option<Refrain> {
        let celsius = celsius?;
        let back = |was| if self.temperature == Some(was) { DEGREES_BACK } else { 0 };
        if celsius >= settings.hottest_celsius - back(Refrain::Hot) {
            Some(Refrain::Hot)
        } else if celsius <= settings.coldest_celsius + back(Refrain::Cold) {
            Some(Refrain::Cold)
        } else {
            None
        }
    }

    fn is_since_on(&self, at: Duration) -> bool {
        match self.power {
            Power::ByItself => true,
            Power::On(since) => at >= since,
            Power::Off(_) => false,
        }
    }

    /// Whether something was told since the port is on.
    fn has_told(&self) -> bool {
        self.reading.is_some_and(|reading| self.is_since_on(reading.at))
    }

    fn is_waking(&self, now: Duration) -> bool {
        matches!(self.power, Power::On(since) if now < since + WAKES_WITHIN)
    }

    /// Whether its port was switched on just now to hear how it is.
    fn is_asked(&self, now: Duration) -> bool {
        !self.has_told() && matches!(self.power, Power::On(since) if now < since + TELLS_WITHIN)
    }

    pub fn is_occupied(&self) -> bool {
        self.seat != Seat::Empty
    }

    pub fn is_dark(&self) -> bool {
        self.seat == Seat::Dark
    }

    /// Whether it takes current now.
    pub fn draws(&self) -> bool {
        self.is_occupied() && !self.is_dark()
    }

    pub fn is_fixed(&self) -> bool {
        self.switch != Switch::PerPort
    }

    /// It has power, and work that needs it.
    pub fn works(&self) -> bool {
        matches!(self.seat, Seat::Unnamed | Seat::Camera { busy: true, .. })
    }

    /// For how long its port has been off.
    pub fn off_for(&self, now: Duration) -> Option<Duration> {
        match self.power {
            Power::Off(since) => Some(now.saturating_sub(since)),
            Power::ByItself | Power::On(_) => None,
        }
    }

    /// Within the dwell, and switched on by a decision.
    pub fn is_kept_on(&self, now: Duration, settings: &Settings) -> bool {
        matches!(self.power, Power::On(since) if now < since + settings.dwell)
    }

    /// What speaks against power, but for the budget. `away` is the time to the next shift.
    pub fn refrains(
        &mut self,
        now: Duration,
        away: Option<Duration>,
        settings: &Settings,
    ) -> Option<Refrain> {
        if let Some(fault) = self.fault.filter(|fault| settings.stops && fault.is_fault()) {
            return Some(Refrain::Fault(fault));
        }
        let off = self.off_for(now);
        if let Some(refrain) = self.temperature {
            // In the dark nobody knows whether it cooled down.
            let look = off.is_some_and(|off| off >= settings.dwell) || self.is_asked(now);
            return (!look).then_some(refrain);
        }
        self.resting = self.rests(away, settings);
        if !self.resting {
            return None;
        }
        let look = off.is_some_and(|off| off >= ASKED_EVERY) || self.is_asked(now);
        (!look).then_some(Refrain::Rest)
    }

    fn rests(&self, away: Option<Duration>, settings: &Settings) -> bool {
        let (Some(hold), Some(percent)) = (settings.hold, self.percent) else { return false };
        let Some(away) = away else { return false };
        if !self.resting {
            return percent >= hold.percent && away > hold.idle;
        }
        percent.saturating_add(REST_LOSS) > hold.percent && away > self.wakes_before(settings)
    }

    /// How long before a shift a resting camera is charged up.
    fn wakes_before(&self, settings: &Settings) -> Duration {
        // Half as long again, as cameras wait for each other.
        settings.full_charge.max(settings.pace() * 100) * 3 / 2
    }

    /// Time with power until the battery is at `percent`; from nothing where nobody knows.
    pub fn need(&self, percent: u8, settings: &Settings) -> Duration {
        let pace = self.pace(settings);
        match self.percent {
            Some(known) => pace * u32::from(percent.saturating_sub(known)),
            // It had this much; more is not known of it.
            None => (pace * u32::from(percent)).saturating_sub(self.powered_for),
        }
    }

    /// Time for one percent: as it was seen, or slower if the configuration says so.
    pub fn pace(&self, settings: &Settings) -> Duration {
        self.curve.pace().unwrap_or(settings.pace())
    }
}
