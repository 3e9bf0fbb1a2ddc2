//! Switching ports: cutting off strangers, reviving cameras, and learning what hubs really do.

use super::{Ports, SHOW};
use crate::{
    dock::Event,
    power::{Revival, Switching, forbidden, judge, keeps_current},
    types::{BayName, HubPath, PortPath, fact::Fact},
};
use std::{
    sync::{
        PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a port may take to show that it went off.
const OFF_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Ports {
    /// Ports of bays that were left off, by a stranger or a crash, are switched on.
    pub(super) fn begin(&self) {
        let bays: Vec<_> =
            self.lock().seats.iter().map(|(bay, seat)| (bay.clone(), seat.port.clone())).collect();
        for (bay, port) in bays {
            let look = self.power.look(&port.hub());
            if look.ports.get(&port).is_some_and(|look| look.powered == Some(false)) {
                // It stays off, and `doctor` says so, if that fails.
                let _ = self.switch(&bay, &port, true, "it was found off at start");
            }
        }
    }

    pub(super) fn switch(
        &self,
        bay: &BayName,
        port: &PortPath,
        on: bool,
        why: &str,
    ) -> Result<(), String> {
        self.power.switch(port, on).map_err(|error| crate::daemon::chain(&error))?;
        let (bay, port, why) = (bay.clone(), port.clone(), why.to_owned());
        self.tell.remember(vec![Fact::PortSwitched { bay, port, on, why }]);
        Ok(())
    }

    /// Switches off the port of a stranger; says what was achieved, or why it was not.
    pub(super) fn cut(&self, bay: &BayName, port: &PortPath) -> Result<String, String> {
        match self.switch_off(bay, port, "what is in it was refused")? {
            Switching::ConnectionOnly => {
                Ok("port disconnected (this board keeps its current on)".into())
            }
            Switching::PerPort => Ok("port switched off".into()),
            Switching::Ganged | Switching::Nothing => Err("the hub does not do it".into()),
        }
    }

    /// Switches a port off and on again to wake what is in it.
    pub(super) fn cycle(
        &self,
        bay: &BayName,
        port: &PortPath,
        stop: &AtomicBool,
    ) -> Result<(), String> {
        self.set_cycling(bay, true);
        let done = self.switch_off(bay, port, "the camera in it does not answer").and_then(|_| {
            let until = Instant::now() + Revival::OFF_FOR;
            while Instant::now() < until && !stop.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK_EVERY);
            }
            self.switch(bay, port, true, "to wake the camera in it")
        });
        if done.is_ok() {
            let until = Instant::now() + SHOW;
            while self.camera_in(bay).is_none()
                && Instant::now() < until
                && !stop.load(Ordering::Relaxed)
            {
                self.wait_for_news(until.saturating_duration_since(Instant::now()));
            }
        }
        self.set_cycling(bay, false);
        done
    }

    fn set_cycling(&self, bay: &BayName, cycling: bool) {
        if let Some(seat) = self.lock().seats.get_mut(bay) {
            seat.cycling = cycling;
        }
    }

    /// Switches off, looks what that did, and remembers it. On return the port is off if the
    /// hub switches single ports, and on if it does not.
    pub(super) fn switch_off(
        &self,
        bay: &BayName,
        port: &PortPath,
        why: &str,
    ) -> Result<Switching, String> {
        let hub = port.hub();
        let before = self.power.look(&hub);
        let known = self.finding(&hub, before.id);
        let beside = self.devices_beside(port);
        let beside: Vec<_> = beside.iter().collect();
        if let Some(why) = forbidden(known, before.claim, &beside) {
            return Err(why);
        }
        self.switch(bay, port, false, why)?;
        let until = Instant::now() + OFF_WITHIN;
        let off = loop {
            let look = self.power.look(&hub);
            let gone = look.ports.get(port).is_none_or(|look| !look.device);
            if gone || Instant::now() >= until {
                break look;
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let keeps = keeps_current(self.power.board().as_deref(), &hub, before.id);
        let found = judge(port, &before.ports, &off.ports, keeps);
        let switching = match (found, known) {
            (Some(found), _) => {
                self.remember_finding(&hub, before.id, found);
                found.switching
            }
            (None, Some(known)) => known,
            (None, None) => Switching::Nothing,
        };
        match switching {
            Switching::PerPort | Switching::ConnectionOnly => Ok(switching),
            Switching::Ganged => {
                self.switch(bay, port, true, "the hub switched off other ports with it")?;
                Err("the hub switches all its ports at once; they are on again".into())
            }
            Switching::Nothing => {
                self.switch(bay, port, true, "switching it off had no effect")?;
                Err("the hub ignores its power switch".into())
            }
        }
    }

    /// Devices on other ports of the hub that are in no bay.
    pub(super) fn devices_beside(&self, port: &PortPath) -> Vec<crate::types::UsbDevice> {
        let state = self.lock();
        let hub = port.hub();
        let beside = |device: &&crate::types::UsbDevice| {
            let on_hub = match &hub {
                HubPath::Root(bus) => device.port.bus() == *bus,
                HubPath::Port(hub) => hub.is_above(&device.port),
            };
            let same = device.port == *port || port.is_above(&device.port);
            let in_bay = state.seats.values().any(|seat| seat.holds(&device.port, &*self.power));
            on_hub && !same && !in_bay
        };
        state.health.devices.iter().filter(beside).cloned().collect()
    }

    pub(super) fn finding(
        &self,
        hub: &HubPath,
        id: Option<crate::types::UsbId>,
    ) -> Option<Switching> {
        let findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        findings.of(hub, id).map(|finding| finding.switching)
    }

    /// What a bay's hub was seen to do, for `doctor`.
    pub fn switching(&self, bay: &BayName) -> Option<Switching> {
        let port = self.lock().seats.get(bay)?.port.clone();
        let hub = port.hub();
        self.finding(&hub, self.sysfs.hub_id(&hub))
    }

    fn remember_finding(
        &self,
        hub: &HubPath,
        id: Option<crate::types::UsbId>,
        found: crate::power::Finding,
    ) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = findings.remember(hub, id, found) {
            tracing::warn!(%hub, "what its switch does is forgotten at the next start: {error}");
        }
    }

    /// Ports that were off long enough are switched on, to see whether the stranger is gone.
    pub(super) fn poll_isolation(&self) {
        let now = self.now();
        let (mut due, mut free) = (Vec::new(), Vec::new());
        {
            let mut state = self.lock();
            for (bay, seat) in &mut state.seats {
                let before = seat.refused.len();
                seat.refused.retain(|_, refused| {
                    refused.shown_since.is_none_or(|since| now < since + SHOW)
                });
                if before > 0 && seat.refused.is_empty() {
                    free.push(bay.clone());
                }
                for (port, refused) in &mut seat.refused {
                    let over = refused.isolation.as_ref().is_some_and(|i| i.is_over(now));
                    if over && refused.shown_since.is_none() {
                        refused.shown_since = Some(now);
                        due.push((bay.clone(), port.clone()));
                    }
                }
            }
            if !free.is_empty() {
                self.tell_news(&mut state);
            }
        }
        for (bay, port) in due {
            if let Err(why) = self.switch(&bay, &port, true, "to see what is in it") {
                tracing::warn!(%bay, %port, "not switched on again: {why}");
            }
        }
        for bay in free {
            self.tell.report(Event::CameraGone { bay });
        }
    }
}
