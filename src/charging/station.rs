//! The whole dock: every bay's wish against the budgets, and what comes of it.

use super::{
    Anomaly, Decision, Fitness, Look, Moment, Report, Settings, State, Switch,
    bay::{Bay, Power, Refrain},
    order::{self, Slots, Wish},
};
use crate::types::{BayName, HubPath};
use jiff::{SignedDuration, Timestamp};
use std::{collections::BTreeMap, time::Duration};

/// The charging of one dock.
#[derive(Debug, Clone)]
pub struct Station {
    settings: Settings,
    pub(super) bays: BTreeMap<BayName, Bay>,
    /// When a port was switched on last.
    switched_on: Option<Duration>,
}

/// What becomes of one bay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    On,
    Off(Off),
}

/// Why a port is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Off {
    Refrain(Refrain),
    /// The power there is goes to others. `wait` is about how long.
    Turn {
        wait: Duration,
    },
    /// Another port was switched on a moment ago.
    Stagger,
}

/// What is left of the budgets, in ports.
struct Budget {
    slots: Slots,
    /// What cannot be switched takes more than there is.
    passed: bool,
}

impl Budget {
    fn new(settings: &Settings, bays: &BTreeMap<BayName, Bay>) -> Self {
        let ports = |milliamps: u32| milliamps / settings.port_milliamps.max(1);
        let of_hub = settings.hub_milliamps_max.map(ports);
        let hubs = bays.values().filter_map(|bay| Some((bay.hub.clone()?, of_hub?)));
        let station = settings.station_milliamps_max.map(ports);
        Self { slots: Slots { station, hubs: hubs.collect() }, passed: false }
    }

    fn has_room(&self, hub: Option<&HubPath>) -> bool {
        let on_hub = hub.and_then(|hub| self.slots.hubs.get(hub));
        self.slots.station != Some(0) && on_hub != Some(&0)
    }

    fn take(&mut self, hub: Option<&HubPath>) -> bool {
        let room = self.has_room(hub);
        self.passed |= !room;
        let on_hub = hub.and_then(|hub| self.slots.hubs.get_mut(hub));
        for slots in self.slots.station.iter_mut().chain(on_hub) {
            *slots = slots.saturating_sub(1);
        }
        room
    }
}

impl Station {
    pub fn new(settings: Settings) -> Self {
        Self { settings, bays: BTreeMap::new(), switched_on: None }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Decides about every bay. What is to be switched off comes first; perform it in that order,
    /// and before the next poll.
    pub fn poll(&mut self, at: Moment, looks: Vec<Look>) -> Vec<Decision> {
        let known = std::mem::take(&mut self.bays);
        for Look { bay: name, hub, switch, seat } in looks {
            let mut bay = known.get(&name).cloned().unwrap_or_else(|| Bay::new(at.elapsed));
            (bay.hub, bay.switch) = (hub, switch);
            bay.take_in(seat, at, &self.settings);
            self.bays.insert(name, bay);
        }
        let away = self.settings.shifts.next(at.now);
        let away = away.and_then(|next| Duration::try_from(next.duration_since(at.now)).ok());
        let mut fates = BTreeMap::new();
        let passed = self.share(at.elapsed, away, &mut fates);
        let mut decisions: Vec<_> = Vec::new();
        for (name, fate) in fates {
            let Some(bay) = self.bays.get_mut(&name) else { continue };
            settle(bay, fate, at.elapsed);
            decisions.push(decide(name, bay, fate, at.now, away, passed, &self.settings));
        }
        decisions.sort_by_key(|decision| decision.power);
        decisions
    }

    /// Shares the power; true if what cannot be switched passes a budget.
    fn share(
        &mut self,
        now: Duration,
        away: Option<Duration>,
        fates: &mut BTreeMap<BayName, Fate>,
    ) -> bool {
        let settings = &self.settings;
        let mut budget = Budget::new(settings, &self.bays);
        let mut refrains = BTreeMap::new();
        for (name, bay) in &mut self.bays {
            if let Some(refrain) = bay.refrains(now, away, settings) {
                refrains.insert(name.clone(), refrain);
            }
            if !bay.is_occupied() || bay.is_fixed() {
                // What is no port is not fed by this dock.
                if bay.draws() && bay.hub.is_some() {
                    budget.take(bay.hub.as_ref());
                }
                fates.insert(name.clone(), Fate::On);
            }
        }
        let passed = budget.passed;
        // Whoever is read keeps its power, the earlier one first.
        let mut working: Vec<_> = self.bays.iter().filter(|(_, bay)| bay.works()).collect();
        working.retain(|(name, _)| !fates.contains_key(*name));
        working.sort_by_key(|(_, bay)| bay.since);
        for (name, bay) in working {
            let fits = budget.has_room(bay.hub.as_ref()) && budget.take(bay.hub.as_ref());
            let off = Fate::Off(Off::Turn { wait: settings.dwell });
            fates.insert(name.clone(), if fits { Fate::On } else { off });
        }
        for (name, refrain) in refrains {
            fates.entry(name).or_insert(Fate::Off(Off::Refrain(refrain)));
        }
        let rest = self.bays.iter().filter(|(name, _)| !fates.contains_key(*name));
        let mut wishes: Vec<_> = rest.map(|(name, bay)| Wish::new(name, bay, settings)).collect();
        order::sort(&mut wishes, away, &budget.slots, now, settings);
        let slots = budget.slots.station.unwrap_or(u32::MAX).max(1);
        let mut ahead = Duration::ZERO;
        for wish in wishes {
            let fate = self.grant(&wish, &mut budget, now, ahead / slots);
            if fate == Fate::On && !wish.bay.draws() {
                self.switched_on = Some(now);
            }
            ahead += wish.to_gate();
            fates.insert(wish.name.clone(), fate);
        }
        passed
    }

    fn grant(&self, wish: &Wish<'_>, budget: &mut Budget, now: Duration, wait: Duration) -> Fate {
        let (bay, settings) = (wish.bay, &self.settings);
        let turn = Fate::Off(Off::Turn { wait });
        if !budget.has_room(bay.hub.as_ref()) {
            return turn;
        }
        if !bay.draws() {
            let off = bay.off_for(now).unwrap_or(settings.dwell);
            if off < settings.dwell && !bay.owes_footage {
                return turn;
            }
            if self.switched_on.is_some_and(|last| now < last + settings.stagger) {
                return Fate::Off(Off::Stagger);
            }
        }
        budget.take(bay.hub.as_ref());
        Fate::On
    }
}

/// Takes note of what is done with a bay's port.
fn settle(bay: &mut Bay, fate: Fate, now: Duration) {
    match fate {
        Fate::On if bay.is_dark() => {
            bay.power = Power::On(now);
            bay.resting = bay.resting && bay.percent.is_some();
        }
        Fate::On => {}
        Fate::Off(_) if bay.draws() => bay.power = Power::Off(now),
        Fate::Off(_) => {}
    }
}

fn decide(
    name: BayName,
    bay: &Bay,
    fate: Fate,
    now: Timestamp,
    away: Option<Duration>,
    passed: bool,
    settings: &Settings,
) -> Decision {
    let power = fate == Fate::On;
    let fault = bay.fault.filter(|fault| fault.is_fault());
    let state = state(bay, fate, settings);
    let mut words = words(bay, fate, state, settings);
    if let Switch::Cannot(why) = &bay.switch
        && bay.hub.is_some()
        && bay.is_occupied()
        && (fault.is_some() || passed || bay.temperature.is_some())
    {
        words = format!("{words}; the dock cannot take its power away: {why}");
    }
    let dark = !power && bay.is_occupied();
    let fitness = fitness(bay, settings);
    let report = Report {
        state,
        fitness,
        lacks: lacks(bay, fitness, settings),
        percent: bay.percent.filter(|_| bay.is_occupied()),
        celsius: bay.reading.and_then(|reading| reading.celsius).filter(|_| bay.draws() && power),
        anomaly: bay.fault,
        stopped: fault.is_some() && !power,
        powered: power,
        switchable: !bay.is_fixed(),
        dark,
        resting: bay.camera.clone().filter(|_| dark),
        owes_footage: dark && (bay.owes_footage || bay.camera.is_none()),
        ready_at: ready_at(bay, fate, now, away, settings),
        percent_per_hour: bay.curve.pace().map(|pace| 3600.0 / pace.as_secs_f32().max(1.0)),
        words: words.clone(),
    };
    Decision { bay: name, power, off_because: (!power).then_some(words), report }
}

fn state(bay: &Bay, fate: Fate, settings: &Settings) -> State {
    if !bay.is_occupied() {
        return State::Absent;
    }
    let stops = bay.fault.is_some_and(Anomaly::is_fault);
    match (bay.temperature, fate, bay.percent) {
        (_, _, _) if stops => State::Faulty,
        (Some(Refrain::Hot), ..) => State::TooHot,
        (Some(Refrain::Cold), ..) => State::TooCold,
        (Some(Refrain::Fault(_) | Refrain::Rest) | None, Fate::Off(_), _) => State::Held,
        (Some(Refrain::Fault(_) | Refrain::Rest) | None, Fate::On, Some(percent)) => {
            if percent >= settings.full_percent { State::Full } else { State::Charging }
        }
        (Some(Refrain::Fault(_) | Refrain::Rest) | None, Fate::On, None) => State::Unknown,
    }
}

fn words(bay: &Bay, fate: Fate, state: State, settings: &Settings) -> String {
    let celsius = bay.reading.and_then(|reading| reading.celsius);
    let degrees = celsius.map(|c| format!(" ({c} °C)")).unwrap_or_default();
    let anomaly = bay.fault.map_or("", |fault| fault.words());
    match (state, fate) {
        (State::Absent, _) => "no camera".into(),
        (State::Faulty, Fate::Off(_)) => format!("{anomaly}; charging was stopped"),
        (State::Faulty, Fate::On) => anomaly.into(),
        (State::TooHot, _) => format!("too hot to charge{degrees}"),
        (State::TooCold, _) => format!("too cold to charge{degrees}"),
        (State::Held, Fate::Off(Off::Refrain(_))) => {
            let percent = settings.hold.map_or(0, |hold| hold.percent);
            format!("rests at {percent} % or above until it is wanted")
        }
        (State::Held, Fate::Off(Off::Stagger)) => {
            "waits a moment: ports are switched on one after the other".into()
        }
        (State::Held, Fate::Off(Off::Turn { .. }) | Fate::On) => {
            "waits for its turn: there is not power for all at once".into()
        }
        (State::Full, _) => "full".into(),
        (State::Charging, _) if bay.fault.is_some() => format!("charging, but {anomaly}"),
        (State::Charging, _) => "charging".into(),
        (State::Unknown, _) => "does not say how full it is".into(),
    }
}

fn fitness(bay: &Bay, settings: &Settings) -> Fitness {
    let stops = bay.fault.is_some_and(Anomaly::is_fault);
    match bay.percent {
        _ if !bay.is_occupied() => Fitness::Untold,
        _ if stops => Fitness::Unfit,
        _ if bay.temperature == Some(Refrain::Hot) => Fitness::NotYet,
        Some(_) if bay.fit => Fitness::Fit,
        Some(_) => Fitness::NotYet,
        None if settings.battery_required => Fitness::NotYet,
        None => Fitness::Untold,
    }
}

/// What is missing for a shift, in words.
fn lacks(bay: &Bay, fitness: Fitness, settings: &Settings) -> Option<String> {
    let gate = settings.gate_percent;
    match (fitness, bay.percent, bay.fault) {
        (Fitness::Fit | Fitness::Untold, ..) => None,
        (Fitness::Unfit, _, fault) => {
            Some(format!("its battery is not right: {}", fault.map_or("", Anomaly::words)))
        }
        (Fitness::NotYet, ..) if bay.temperature == Some(Refrain::Hot) => {
            Some("its battery is too hot".into())
        }
        (Fitness::NotYet, Some(percent), _) => {
            Some(format!("battery {percent} %, a shift needs {gate} %"))
        }
        (Fitness::NotYet, None, _) => Some("it does not say how full its battery is".into()),
    }
}

/// About when it is fit: its own need, and before that those whose turn is sooner.
fn ready_at(
    bay: &Bay,
    fate: Fate,
    now: Timestamp,
    away: Option<Duration>,
    settings: &Settings,
) -> Option<Timestamp> {
    match fitness(bay, settings) {
        Fitness::Fit => return Some(now),
        Fitness::Unfit | Fitness::Untold => return None,
        Fitness::NotYet => {}
    }
    let need = bay.percent.map(|_| bay.need(settings.gate_percent, settings))?;
    let wait = match fate {
        Fate::On => need,
        Fate::Off(Off::Turn { wait }) => need + wait,
        Fate::Off(Off::Stagger) => need + settings.stagger,
        Fate::Off(Off::Refrain(Refrain::Rest)) => away?,
        Fate::Off(Off::Refrain(Refrain::Fault(_) | Refrain::Hot | Refrain::Cold)) => return None,
    };
    now.checked_add(SignedDuration::try_from(wait).ok()?).ok()
}
