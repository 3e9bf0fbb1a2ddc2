//! A bus without wires: devices come and go by method calls, hubs switch as well as told.

use super::{Bus, BusError, HubLook, PortPower, PowerError, Trigger};
use crate::{
    power::{Claim, PortLook},
    types::{HubPath, PortPath, UsbDevice, UsbId},
};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How well a simulated hub switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimSwitch {
    PerPort,
    /// Says per port, switches all.
    LyingGanged,
    /// Takes the order and does nothing.
    Deaf,
    /// May not be switched by this user.
    Forbidden,
}

/// The simulated bus; clones are the same bus.
#[derive(Clone)]
pub struct SimUsb {
    shared: Arc<(Mutex<State>, Condvar)>,
}

struct State {
    /// What is physically plugged in.
    plugged: BTreeMap<PortPath, UsbDevice>,
    off: BTreeMap<PortPath, bool>,
    twins: BTreeMap<PortPath, PortPath>,
    switch: SimSwitch,
    ports_per_hub: u8,
    next_address: u8,
    events: u32,
    failing: u32,
    looks: u32,
    switched: Vec<(PortPath, bool)>,
}

impl SimUsb {
    pub fn new(switch: SimSwitch, ports_per_hub: u8) -> Self {
        let state = State {
            plugged: BTreeMap::new(),
            off: BTreeMap::new(),
            twins: BTreeMap::new(),
            switch,
            ports_per_hub,
            next_address: 2,
            events: 0,
            failing: 0,
            looks: 0,
            switched: Vec::new(),
        };
        Self { shared: Arc::new((Mutex::new(state), Condvar::new())) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        state.events = state.events.saturating_add(1);
        self.shared.1.notify_all();
    }

    /// Puts a device into its port; it gets an address of its own.
    pub fn plug(&self, device: UsbDevice) {
        self.change(|state| {
            let address = state.address();
            state.plugged.insert(device.port.clone(), UsbDevice { address, ..device });
        });
    }

    pub fn unplug(&self, port: &PortPath) {
        self.change(|state| drop(state.plugged.remove(port)));
    }

    /// Every device of the bus is enumerated again, as after a reset of its controller.
    pub fn reset_controller(&self, bus: u8) {
        self.change(|state| {
            let ports: Vec<_> = state.plugged.keys().filter(|p| p.bus() == bus).cloned().collect();
            for port in ports {
                let address = state.address();
                if let Some(device) = state.plugged.get_mut(&port) {
                    device.address = address;
                }
            }
        });
    }

    /// Events without any change.
    pub fn storm(&self, events: u32) {
        self.change(|state| state.events = state.events.saturating_add(events));
    }

    /// The next `times` looks fail.
    pub fn fail(&self, times: u32) {
        self.change(|state| state.failing = times);
    }

    /// Two ports are one socket.
    pub fn pair(&self, one: PortPath, other: PortPath) {
        let mut state = self.state();
        state.twins.insert(one.clone(), other.clone());
        state.twins.insert(other, one);
    }

    /// How often the bus was looked at.
    pub fn looks(&self) -> u32 {
        self.state().looks
    }

    /// What was asked of the switches, in order.
    pub fn switched(&self) -> Vec<(PortPath, bool)> {
        self.state().switched.clone()
    }
}

impl State {
    fn address(&mut self) -> u8 {
        let address = self.next_address;
        self.next_address = if address == 127 { 2 } else { address + 1 };
        address
    }

    fn is_off(&self, port: &PortPath) -> bool {
        self.off.get(port).copied().unwrap_or(false)
    }

    fn set(&mut self, port: &PortPath, on: bool) {
        if self.is_off(port) && on {
            let address = self.address();
            if let Some(device) = self.plugged.get_mut(port) {
                device.address = address;
            }
        }
        self.off.insert(port.clone(), !on);
    }

    fn ports(&self, hub: &HubPath) -> Vec<PortPath> {
        (1..=self.ports_per_hub).filter_map(|n| hub.port(n)).collect()
    }
}

impl Bus for SimUsb {
    fn wait(&mut self, limit: Duration) -> Trigger {
        let until = Instant::now() + limit;
        let mut state = self.state();
        while state.events == 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Trigger::Quiet;
            }
            let waited = self.shared.1.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.events -= 1;
        Trigger::Event
    }

    fn devices(&mut self) -> Result<Vec<UsbDevice>, BusError> {
        let mut state = self.state();
        state.looks = state.looks.saturating_add(1);
        if state.failing > 0 {
            state.failing -= 1;
            return Err(BusError::Read(io::Error::other("the bus is away")));
        }
        Ok(state.plugged.values().filter(|d| !state.is_off(&d.port)).cloned().collect())
    }
}

impl PortPower for SimUsb {
    fn look(&self, hub: &HubPath) -> HubLook {
        let state = self.state();
        let look = |port: PortPath| {
            let device = state.plugged.contains_key(&port) && !state.is_off(&port);
            let powered = Some(!state.is_off(&port));
            (port, PortLook { powered, connected: Some(device), device })
        };
        HubLook {
            id: Some(UsbId { vendor: 0x0409, product: 0x55aa }),
            claim: Some(Claim::PerPort),
            ports: state.ports(hub).into_iter().map(look).collect(),
        }
    }

    fn switch(&self, port: &PortPath, on: bool) -> Result<(), PowerError> {
        if self.state().switch == SimSwitch::Forbidden {
            return Err(PowerError::Forbidden(port.clone()));
        }
        self.change(|state| {
            state.switched.push((port.clone(), on));
            let twin = state.twins.get(port).cloned();
            let ports = match state.switch {
                SimSwitch::Deaf | SimSwitch::Forbidden => Vec::new(),
                SimSwitch::PerPort => [Some(port.clone()), twin].into_iter().flatten().collect(),
                SimSwitch::LyingGanged => state.ports(&port.hub()),
            };
            ports.iter().for_each(|port| state.set(port, on));
        });
        Ok(())
    }

    fn twin(&self, port: &PortPath) -> Option<PortPath> {
        self.state().twins.get(port).cloned()
    }

    fn board(&self) -> Option<String> {
        None
    }
}
