//! Ports that are off for charging's sake: a camera rests in the dark.
//!
//! A dark port shows neither that its camera was taken nor that another one came. So it is switched
//! on for a moment again and again. A device with the same place, numbers and serial number is
//! still the resting one: it is not let in anew, and nothing is written about it. Anything else
//! ends the rest and is judged as whatever comes to a bay. Devices without a serial number never
//! rest, as nobody could tell one from the next.

use super::{Ports, SHOW, seat::Resting};
use crate::{
    power::{Switching, forbidden},
    types::{BayName, HubPath, PortPath, UsbDevice},
    usb::Change,
};
use std::time::{Duration, Instant};

/// Between two looks at a dark port.
pub const LOOK_EVERY: Duration = Duration::from_secs(300);

/// A bay that is a port, as charging sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub hub: HubPath,
    /// A camera rests in it without power.
    pub dark: bool,
    /// Something that was let in draws power.
    pub draws: bool,
    /// Nobody could tell its camera from another one.
    pub nameless: bool,
}

impl Ports {
    /// The place of a bay; none if it is no port.
    pub fn place(&self, bay: &BayName) -> Option<Place> {
        let state = self.lock();
        let seat = state.seats.get(bay)?;
        let camera = seat.camera();
        Some(Place {
            hub: seat.port.hub(),
            dark: seat.resting.is_some(),
            draws: camera.is_some(),
            nameless: camera.is_some_and(|camera| camera.device.serial.is_none()),
        })
    }

    /// Why the power of a bay's port cannot be taken away, in words; none if it can, or if nothing
    /// but a trial would tell.
    pub fn cannot_switch(&self, bay: &BayName) -> Option<String> {
        let port = self.lock().seats.get(bay)?.port.clone();
        let look = self.power.look(&port.hub());
        let known = self.finding(&port.hub(), look.id);
        if known == Some(Switching::ConnectionOnly) {
            return Some("this board keeps its current on".into());
        }
        let beside = self.devices_beside(&port);
        forbidden(known, look.claim, &beside.iter().collect::<Vec<_>>())
    }

    /// Takes the power of the camera in a bay away.
    ///
    /// # Errors
    /// In words; the port has power then.
    pub fn rest(&self, bay: &BayName, why: &str) -> Result<(), String> {
        let camera = self.lock().seats.get(bay).and_then(super::Seat::camera);
        let device = camera.ok_or("there is no camera in it")?.device;
        if device.serial.is_none() {
            return Err("its camera has no serial number, so it could not be told from another \
                        one put there meanwhile"
                .into());
        }
        let port = device.port.clone();
        match self.switch_off(bay, &port, why)? {
            Switching::PerPort => {}
            Switching::ConnectionOnly | Switching::Ganged | Switching::Nothing => {
                self.switch(bay, &port, true, "its current flows on")?;
                return Err("this board keeps its current on".into());
            }
        }
        let resting = Resting { device, looked: self.now(), seen: false };
        if let Some(seat) = self.lock().seats.get_mut(bay) {
            seat.resting = Some(resting);
        }
        Ok(())
    }

    /// Gives a resting camera its power back.
    ///
    /// # Errors
    /// In words; it goes on resting.
    pub fn wake(&self, bay: &BayName, why: &str) -> Result<(), String> {
        let Some(port) = self.resting_port(bay) else { return Ok(()) };
        self.switch(bay, &port, true, why)?;
        self.end_rest(bay);
        Ok(())
    }

    /// Every port that charging switched off is switched on: nobody will look after it any more.
    pub fn wake_all(&self) {
        let bays: Vec<_> = self.lock().seats.keys().cloned().collect();
        for bay in bays {
            if let Err(why) = self.wake(&bay, "the dock stops") {
                tracing::warn!(%bay, "its port stays off until the dock starts again: {why}");
            }
        }
    }

    fn resting_port(&self, bay: &BayName) -> Option<PortPath> {
        let state = self.lock();
        Some(state.seats.get(bay)?.resting.as_ref()?.device.port.clone())
    }

    fn end_rest(&self, bay: &BayName) {
        let mut state = self.lock();
        if let Some(seat) = state.seats.get_mut(bay) {
            seat.resting = None;
        }
        self.tell_news(&mut state);
    }

    /// Whether an arrival is only a resting camera that was looked at.
    pub(super) fn still_rests(&self, bay: &BayName, device: &UsbDevice) -> bool {
        let mut state = self.lock();
        let Some(seat) = state.seats.get_mut(bay) else { return false };
        let Some(resting) = &mut seat.resting else { return false };
        let same = resting.device.is_same_device(device);
        if same {
            resting.seen = true;
        } else {
            seat.resting = None;
        }
        self.tell_news(&mut state);
        same
    }

    /// Looks into dark ports whose turn it is.
    pub fn look_at_resting(&self, stopped: impl Fn() -> bool) {
        let now = self.now();
        let due: Vec<_> = {
            let state = self.lock();
            let due = state.seats.iter().filter_map(|(bay, seat)| {
                let resting = seat.resting.as_ref()?;
                (now >= resting.looked + LOOK_EVERY)
                    .then(|| (bay.clone(), resting.device.port.clone()))
            });
            due.collect()
        };
        for (bay, port) in due {
            if !stopped() {
                self.look_at(&bay, &port, &stopped);
            }
        }
    }

    fn look_at(&self, bay: &BayName, port: &PortPath, stopped: &impl Fn() -> bool) {
        let rests = |seen: bool| {
            let state = self.lock();
            let resting = state.seats.get(bay).and_then(|seat| seat.resting.as_ref());
            resting.is_some_and(|resting| resting.seen == seen)
        };
        if let Some(resting) = self.lock().seats.get_mut(bay).and_then(|seat| seat.resting.as_mut())
        {
            (resting.looked, resting.seen) = (self.now(), false);
        }
        if let Err(error) = self.power.switch(port, true) {
            tracing::warn!(%bay, "cannot look into its dark port: {error}");
            return;
        }
        let until = Instant::now() + SHOW;
        while rests(false) && Instant::now() < until && !stopped() {
            self.wait_for_news(until.saturating_duration_since(Instant::now()));
        }
        if rests(false) {
            tracing::info!(%bay, "the camera that rested in it is gone");
            self.end_rest(bay);
        }
        if rests(true)
            && let Err(error) = self.power.switch(port, false)
        {
            tracing::warn!(%bay, "its port cannot be switched off again: {error}");
            self.end_rest(bay);
            let device = self.lock().health.devices.iter().find(|d| d.port == *port).cloned();
            // It is there, and nobody let it in.
            if let Some(device) = device {
                self.take_in(Change::Arrived { device, again: true });
            }
        }
    }
}
