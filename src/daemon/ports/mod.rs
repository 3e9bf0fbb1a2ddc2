//! Bays that are USB ports: who is let in, who is kept out, and the switches of their ports.
//!
//! One thread follows the bus and judges what comes before anybody speaks to it. Bay threads ask
//! [`Ports::camera_in`], and tell it when a camera does not answer.
//!
//! A seat is a bay's port together with its twin at the other speed and everything behind either:
//! one stranger among them and nothing of the seat is read.

mod rest;
mod seat;
mod switch;

use super::Core;
use crate::{
    config::{Bay, Usb},
    dock::Event,
    power::{Next, Revival},
    trust::{Decision, Kind, Policy, Refusal},
    types::{BayName, PortPath, UsbDevice, UsbId, fact::Fact},
    usb::{Bus, Change, Counts, Findings, PortPower, Sysfs, Watch},
};
pub use rest::Place;
use seat::Seat;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long one turn of the watch waits for news at most.
const TURN: Duration = Duration::from_millis(250);
/// How long a camera that says it is gone is given to really go.
const DOUBT: Duration = Duration::from_secs(2);
/// How long a port that was switched on again is given to show what is in it.
const SHOW: Duration = Duration::from_secs(4);

/// To whom the watch speaks: the core, or a test.
pub trait Tell: Send + Sync {
    /// Facts for the custody log; durable on return.
    fn remember(&self, facts: Vec<Fact>);
    fn report(&self, event: Event);
}

impl Tell for Core {
    // The core is only gone when the daemon is stopping; nobody is left to tell.
    fn remember(&self, facts: Vec<Fact>) {
        let _ = self.remember_blocking(facts);
    }

    fn report(&self, event: Event) {
        let _ = Core::report(self, event);
    }
}

/// A camera that was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    pub device: UsbDevice,
    pub kind: Kind,
    /// Another docking of the same camera has another number.
    pub docking: u64,
    /// It was there a moment before, and nobody did anything.
    pub again: bool,
}

/// What `doctor` is told of the bus.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// Why the bus cannot be looked at.
    pub failure: Option<String>,
    /// Why no events are heard.
    pub deaf: Option<String>,
    pub devices: Vec<UsbDevice>,
    pub counts: BTreeMap<PortPath, Counts>,
    pub bus_losses: u32,
}

/// All bays that are ports.
pub struct Ports {
    sysfs: Sysfs,
    power: Arc<dyn PortPower>,
    tell: Arc<dyn Tell>,
    policy: Policy,
    cut_power: bool,
    revive: bool,
    elapsed: Elapsed,
    findings: Mutex<Findings>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    seats: BTreeMap<BayName, Seat>,
    dockings: u64,
    news: u64,
    health: Health,
}

/// What a dock's ports are made of.
pub struct Parts {
    pub sysfs: Sysfs,
    pub power: Arc<dyn PortPower>,
    pub tell: Arc<dyn Tell>,
    pub findings: Findings,
    pub policy: Policy,
    pub elapsed: Elapsed,
}

/// What has passed since the start.
pub type Elapsed = Box<dyn Fn() -> Duration + Send + Sync>;

impl Ports {
    pub fn new(parts: Parts, usb: &Usb, bays: &[Bay]) -> Self {
        let seats = bays.iter().filter_map(|bay| {
            let port = bay.source.port()?.clone();
            Some((bay.name.clone(), Seat::new(port, bay.models.clone())))
        });
        let state = State { seats: seats.collect(), ..State::default() };
        Self {
            sysfs: parts.sysfs,
            power: parts.power,
            tell: parts.tell,
            policy: parts.policy,
            cut_power: usb.cut_power,
            revive: usb.revive,
            elapsed: parts.elapsed,
            findings: Mutex::new(parts.findings),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub fn sysfs(&self) -> &Sysfs {
        &self.sysfs
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        (self.elapsed)()
    }

    /// Follows the bus until told to stop; runs on a thread of its own. `deaf` says why no events
    /// are heard, if that is so.
    pub fn watch<B: Bus>(&self, bus: B, deaf: impl Fn(&B) -> Option<String>, stop: &AtomicBool) {
        self.begin();
        let mut watch = Watch::new(bus);
        while !stop.load(Ordering::Relaxed) {
            let changes = watch.next(TURN);
            for change in changes {
                self.take_in(change);
            }
            self.poll_isolation();
            let mut state = self.lock();
            state.health = Health {
                failure: watch.failure().map(|error| super::chain(error)),
                deaf: deaf(watch.bus()),
                devices: watch.present().cloned().collect(),
                counts: watch.counts().clone(),
                bus_losses: watch.bus_losses(),
            };
        }
    }

    /// Waits until a camera came or went, at most `limit`.
    pub fn wait_for_news(&self, limit: Duration) {
        let state = self.lock();
        let seen = state.news;
        // Woken too early only means one look more.
        drop(self.changed.wait_timeout_while(state, limit, |state| state.news == seen));
    }

    /// Wakes whoever waits for news.
    pub fn stir(&self) {
        self.tell_news(&mut self.lock());
    }

    fn tell_news(&self, state: &mut State) {
        state.news = state.news.wrapping_add(1);
        self.changed.notify_all();
    }

    /// The camera in a bay, if there is one and nothing else.
    pub fn camera_in(&self, bay: &BayName) -> Option<Admitted> {
        let now = self.now();
        let state = self.lock();
        let seat = state.seats.get(bay)?;
        seat.camera().filter(|_| !seat.is_doubted(now))
    }

    /// A camera said that it is gone, which its bay thread hears before the bus has settled.
    pub fn doubt(&self, bay: &BayName, docking: u64) {
        let until = self.now() + DOUBT;
        if let Some(seat) = self.lock().seats.get_mut(bay)
            && seat.camera().is_some_and(|camera| camera.docking == docking)
        {
            seat.doubted_until = Some(until);
        }
    }

    /// Whether that very docking still stands.
    pub fn is_still(&self, bay: &BayName, docking: u64) -> bool {
        self.camera_in(bay).is_some_and(|admitted| admitted.docking == docking)
    }

    pub fn health(&self) -> Health {
        self.lock().health.clone()
    }

    /// Cameras in ports that are no bay: nothing is read from them, but somebody should know.
    pub fn unmapped(&self) -> Vec<UsbDevice> {
        let state = self.lock();
        let strays = state.health.devices.iter().filter(|device| {
            state.seats.values().all(|seat| !seat.holds(&device.port, &*self.power))
                && matches!(self.policy.judge(device, &[]), Decision::Camera(_))
        });
        strays.cloned().collect()
    }

    fn take_in(&self, change: Change) {
        let port = match &change {
            Change::Left(device) | Change::Arrived { device, .. } => device.port.clone(),
        };
        let seats = self.lock();
        let bay = seats.seats.iter().find(|(_, seat)| seat.holds(&port, &*self.power));
        let Some((bay, models)) = bay.map(|(bay, seat)| (bay.clone(), seat.models.clone())) else {
            return;
        };
        drop(seats);
        match change {
            Change::Left(device) => self.take_out(&bay, &device),
            Change::Arrived { device, again } => self.judge(&bay, &models, device, again),
        }
    }

    fn take_out(&self, bay: &BayName, device: &UsbDevice) {
        let mut state = self.lock();
        let Some(seat) = state.seats.get_mut(bay) else { return };
        let emptied = seat.leave(&device.port);
        self.tell_news(&mut state);
        drop(state);
        if emptied {
            self.tell.report(Event::CameraGone { bay: bay.clone() });
        }
    }

    fn judge(&self, bay: &BayName, models: &[UsbId], device: UsbDevice, again: bool) {
        if self.still_rests(bay, &device) {
            return;
        }
        let own =
            self.lock().seats.get(bay).is_some_and(|seat| seat.is_own(&device.port, &*self.power));
        let decision = match self.policy.judge(&device, models) {
            // Behind a hub nobody can say which socket it is in.
            Decision::Camera(_) if !own => Decision::Refused(Refusal::Hub),
            decision => decision,
        };
        match decision {
            Decision::Camera(kind) => self.admit(bay, device, kind, again),
            Decision::Refused(refusal) => self.refuse(bay, device, &refusal),
        }
    }

    fn admit(&self, bay: &BayName, device: UsbDevice, kind: Kind, again: bool) {
        if !device.authorised
            && let Err(error) = self.sysfs.set_authorised(&device.port, true)
        {
            tracing::warn!(%bay, "the kernel keeps its drivers off a camera: {error}");
        }
        tracing::info!(%bay, port = %device.port, "let in: {}", device.words());
        let mut state = self.lock();
        state.dockings += 1;
        let docking = state.dockings;
        if let Some(seat) = state.seats.get_mut(bay) {
            let by_itself = again && !seat.cycling;
            seat.admit(Admitted { device, kind, docking, again: by_itself }, again);
        }
        self.tell_news(&mut state);
    }

    fn refuse(&self, bay: &BayName, device: UsbDevice, refusal: &Refusal) {
        let mut measures = Vec::new();
        match self.sysfs.set_authorised(&device.port, false) {
            Ok(()) => measures.push("kernel drivers kept off".to_owned()),
            Err(error) => measures.push(format!("kernel drivers not kept off: {error}")),
        }
        let (port, words) = (device.port.clone(), device.words());
        let known = self.lock().seats.get_mut(bay).is_some_and(|seat| seat.refuse(device));
        let cut = self.cut_power.then(|| self.cut(bay, &port));
        let off = matches!(cut, Some(Ok(_)));
        measures.extend(
            cut.map(|cut| cut.unwrap_or_else(|why| format!("port not switched off: {why}"))),
        );
        let again = {
            let mut state = self.lock();
            let now = self.now();
            if let Some(seat) = state.seats.get_mut(bay) {
                seat.isolate(off, now);
            }
            self.tell_news(&mut state);
            known
        };
        if again {
            return;
        }
        let because = refusal.to_string();
        self.tell.remember(vec![Fact::Security {
            bay: bay.clone(),
            port,
            device: words.clone(),
            words: because.clone(),
            measures: measures.clone(),
        }]);
        let words = format!(
            "{words} is refused, and nothing was read from it: {because} ({}). {}",
            measures.join(", "),
            capital(&refusal.next_step())
        );
        self.tell.report(Event::BayTrouble { bay: bay.clone(), words });
    }

    /// A camera that was let in does not answer. Returns what was done about it, in words.
    pub fn unanswered(&self, bay: &BayName, stop: &AtomicBool) -> Option<String> {
        if !self.revive {
            return None;
        }
        let now = self.now();
        let (port, next, cycles) = {
            let mut state = self.lock();
            let seat = state.seats.get_mut(bay)?;
            let port = seat.camera()?.device.port;
            let next = seat.revival.failed(now);
            (port, next, seat.revival.cycles())
        };
        match next {
            Next::TryAgain => None,
            Next::GiveUp => Some(format!(
                "its port was switched off and on {cycles} times; take the camera out and have it \
                 looked at"
            )),
            Next::Cycle => Some(match self.cycle(bay, &port, stop) {
                Ok(()) => format!("its port was switched off and on (time {cycles})"),
                Err(why) => format!("its port was not switched off and on: {why}"),
            }),
        }
    }

    /// A camera answered.
    pub fn answered(&self, bay: &BayName) {
        if let Some(seat) = self.lock().seats.get_mut(bay) {
            seat.revival.answered();
        }
    }
}

fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests;
