//! Charging carried out: looks at every bay, lets the rules decide, and switches ports.
//!
//! One thread, a turn every few seconds and whenever a camera comes or goes. Batteries are asked by
//! the threads of their cameras, between two orders, so that no reading of footage is disturbed;
//! here is only what they said last.

use super::{
    cameras::World,
    ports::{Elapsed, Place, Ports},
};
use crate::{
    charging::{Anomaly, Decision, Look, Moment, Reading, Report, Seat, Settings, Station, Switch},
    config::{Bay, Config},
    dock::{Dock, View, report::needs_power},
    types::{BayName, CameraId, fact::Fact},
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

/// Between two turns at most.
const TURN: Duration = Duration::from_secs(5);
/// For how long it is believed what a port's switch can do, or why it did not do it.
const BELIEVED_FOR: Duration = Duration::from_secs(3600);

/// What the docked cameras said of their batteries.
pub struct Batteries {
    elapsed: Elapsed,
    every: Duration,
    known: Mutex<BTreeMap<BayName, Known>>,
}

struct Known {
    asked: Duration,
    told: Option<(CameraId, Reading)>,
}

impl Batteries {
    /// `every` is how often a camera is asked.
    pub fn new(every: Duration, elapsed: Elapsed) -> Self {
        Self { elapsed, every, known: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BayName, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed(&self) -> Duration {
        (self.elapsed)()
    }

    /// Another camera is in the bay.
    pub fn forget(&self, bay: &BayName) {
        self.lock().remove(bay);
    }

    /// Whether a bay's camera is to be asked now.
    pub fn is_due(&self, bay: &BayName) -> bool {
        self.lock().get(bay).is_none_or(|known| self.elapsed() >= known.asked + self.every)
    }

    /// What a camera said; none if it does not say.
    pub fn heard(&self, bay: &BayName, camera: &CameraId, percent: Option<u8>) {
        let at = self.elapsed();
        let told = Some((camera.clone(), Reading { percent, celsius: None, at }));
        self.lock().insert(bay.clone(), Known { asked: at, told });
    }

    /// It did not answer: what it said before stands, and it is asked again later.
    pub fn failed(&self, bay: &BayName) {
        let asked = self.elapsed();
        self.lock().entry(bay.clone()).or_insert(Known { asked, told: None }).asked = asked;
    }

    fn of(&self, bay: &BayName, camera: &CameraId) -> Option<Reading> {
        let known = self.lock();
        let (who, reading) = known.get(bay)?.told.as_ref()?;
        (who == camera).then_some(*reading)
    }
}

/// The cameras that are served, and whether their footage needs their power.
pub type Docked = BTreeMap<BayName, (CameraId, bool)>;

/// The thread's own state.
pub struct Charger {
    station: Station,
    bays: Vec<Bay>,
    switch_ports: bool,
    /// Why ports cannot be switched, or none, and since when that is believed.
    believed: BTreeMap<BayName, (Duration, Option<String>)>,
    /// Faults that stand in the custody log.
    told: BTreeSet<(BayName, CameraId, Anomaly)>,
}

impl Charger {
    pub fn new(settings: Settings, config: &Config) -> Self {
        Self {
            station: Station::new(settings),
            bays: config.bays.clone(),
            switch_ports: config.charging.switch_ports,
            believed: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// Takes turns until told to stop; then gives every port its power back.
    pub fn run(&mut self, world: &World) {
        let stopped = || world.stop.load(Ordering::Relaxed);
        while !stopped() {
            if self.turn(world).is_none() {
                break;
            }
            world.ports.look_at_resting(stopped);
            if !stopped() {
                world.ports.wait_for_news(TURN);
            }
        }
        world.ports.wake_all();
    }

    /// None once the daemon is stopping.
    fn turn(&mut self, world: &World) -> Option<()> {
        let docked = world.core.look_blocking(|dock, view| served(dock, view)).ok()?;
        let remember = |facts| world.core.remember_blocking(facts).ok();
        let now = world.clock.now();
        let reports = self.decide(&world.ports, &world.batteries, now, &docked, remember)?;
        world.progress.set_charge(reports);
        Some(())
    }

    /// One look at every bay, and what follows from it. `remember` returns once facts are durable.
    pub fn decide(
        &mut self,
        ports: &Ports,
        batteries: &Batteries,
        now: Timestamp,
        docked: &Docked,
        remember: impl FnOnce(Vec<Fact>) -> Option<()>,
    ) -> Option<BTreeMap<BayName, Report>> {
        let elapsed = batteries.elapsed();
        let bays = self.bays.clone();
        let looks = bays.iter().map(|bay| self.look(ports, batteries, bay, docked)).collect();
        let mut decisions = self.station.poll(Moment { now, elapsed }, looks);
        let facts = self.new_faults(docked, &decisions);
        if !facts.is_empty() {
            remember(facts)?;
        }
        for decision in &mut decisions {
            self.perform(ports, decision, elapsed);
        }
        Some(decisions.into_iter().map(|decision| (decision.bay, decision.report)).collect())
    }

    fn look(&mut self, ports: &Ports, batteries: &Batteries, bay: &Bay, docked: &Docked) -> Look {
        let camera = docked.get(&bay.name).map(|(camera, busy)| Seat::Camera {
            camera: camera.clone(),
            reading: batteries.of(&bay.name, camera),
            busy: *busy,
        });
        let place = ports.place(&bay.name);
        let seat = match (&place, camera) {
            (Some(Place { dark: true, .. }), _) => Seat::Dark,
            (_, Some(camera)) => camera,
            (Some(Place { draws: true, .. }), None) => Seat::Unnamed,
            (Some(_) | None, None) => Seat::Empty,
        };
        let switch = self.switch_of(ports, &bay.name, place.as_ref(), batteries.elapsed());
        Look { bay: bay.name.clone(), hub: place.map(|place| place.hub), switch, seat }
    }

    fn switch_of(
        &mut self,
        ports: &Ports,
        bay: &BayName,
        place: Option<&Place>,
        elapsed: Duration,
    ) -> Switch {
        let Some(place) = place else {
            return Switch::Cannot("it is a folder, not a port".into());
        };
        if !self.switch_ports {
            return Switch::Cannot("`switch_ports` under [charging] is false".into());
        }
        if place.nameless {
            return Switch::Cannot("its camera has no serial number".into());
        }
        let known = self.believed.get(bay).filter(|(since, _)| elapsed < *since + BELIEVED_FOR);
        let why = match known {
            Some((_, why)) => why.clone(),
            None => {
                let why = ports.cannot_switch(bay);
                self.believed.insert(bay.clone(), (elapsed, why.clone()));
                why
            }
        };
        why.map_or(Switch::PerPort, Switch::Cannot)
    }

    /// What is wrong with a battery is in the custody log before its camera loses power for it.
    fn new_faults(&mut self, docked: &Docked, decisions: &[Decision]) -> Vec<Fact> {
        let mut facts = Vec::new();
        for Decision { bay, power, report, .. } in decisions {
            let Some((anomaly, (camera, _))) = report.anomaly.zip(docked.get(bay)) else {
                continue;
            };
            if self.told.insert((bay.clone(), camera.clone(), anomaly)) {
                facts.push(Fact::BatteryFault {
                    bay: bay.clone(),
                    camera: camera.clone(),
                    fault: anomaly.as_str().into(),
                    percent: report.percent,
                    stops: anomaly.is_fault() && !power,
                });
            }
        }
        let absent =
            |bay: &BayName| decisions.iter().any(|d| d.bay == *bay && d.report.anomaly.is_none());
        self.told.retain(|(bay, ..)| !absent(bay));
        facts
    }

    /// Switches a port if that was decided; if it does not come about, the report says how it is.
    fn perform(&mut self, ports: &Ports, decision: &mut Decision, elapsed: Duration) {
        let Decision { bay, power, off_because, report } = decision;
        let Some(place) = ports.place(bay).filter(|place| place.dark == *power) else {
            return;
        };
        let done = match (place.dark, off_because) {
            (true, _) => ports.wake(bay, "charging: it is to be charged, or asked"),
            (false, Some(why)) if place.draws => ports.rest(bay, &format!("charging: {why}")),
            (false, Some(_) | None) => Ok(()),
        };
        let Err(why) = done else { return };
        tracing::warn!(%bay, "charging: its port is not switched: {why}");
        report.not_switched(!place.dark, &why);
        // What was learnt of the hub holds for its other ports too.
        self.believed.retain(|other, _| ports.place(other).is_none_or(|p| p.hub != place.hub));
        self.believed.insert(bay.clone(), (elapsed, Some(why)));
    }
}

/// The cameras that are served, and whether their footage needs their power.
fn served(dock: &Dock, view: &dyn View) -> Docked {
    let bays = dock.bays().iter();
    bays.map(|(name, bay)| {
        // With a broken index the daemon ends in a moment; nobody loses power for it.
        let busy = needs_power(bay, view).unwrap_or(true);
        (name.clone(), (bay.camera.clone(), busy))
    })
    .collect()
}
