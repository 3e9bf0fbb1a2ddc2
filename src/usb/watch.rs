//! Watching a bus: settle, enumerate, compare.

use super::{Bus, BusError, Trigger};
use crate::types::{PortPath, UsbDevice};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// After an event the bus is looked at when nothing more was heard for this long...
const SETTLE: Duration = Duration::from_millis(100);
/// ...or at the latest after this long: a storm of events must not hide what happened.
const SETTLE_MAX: Duration = Duration::from_millis(500);
/// Looked at without any event: events can be lost (the kernel drops them when its queue is full).
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A failed look is repeated after this long, doubled up to [`LOOK_EVERY`].
const RETRY: Duration = Duration::from_millis(250);
/// The same device back within this time was reset or lost contact; nobody changed it.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// Ports whose counts are kept; there are never so many.
const PORTS_MAX: usize = 4096;

/// A difference between two looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Left(UsbDevice),
    /// `again`: the same device was there moments ago, under another address.
    Arrived {
        device: UsbDevice,
        again: bool,
    },
}

/// What happened in one port since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub arrivals: u32,
    /// Arrivals of a device that had been there moments before: resets and bad contacts.
    pub again: u32,
}

/// Follows one bus.
pub struct Watch<B> {
    bus: B,
    present: BTreeMap<PortPath, UsbDevice>,
    left: BTreeMap<PortPath, (UsbDevice, Instant)>,
    counts: BTreeMap<PortPath, Counts>,
    bus_losses: u32,
    looked: Option<Instant>,
    failure: Option<(BusError, u32)>,
}

impl<B: Bus> Watch<B> {
    pub fn new(bus: B) -> Self {
        Self {
            bus,
            present: BTreeMap::new(),
            left: BTreeMap::new(),
            counts: BTreeMap::new(),
            bus_losses: 0,
            looked: None,
            failure: None,
        }
    }

    /// Waits at most `limit` for a change; the first call reports what is there already.
    pub fn next(&mut self, limit: Duration) -> Vec<Change> {
        let due = match (self.looked, &self.failure) {
            (None, _) => Duration::ZERO,
            (Some(at), Some((_, times))) => {
                let wait = RETRY.saturating_mul(2_u32.saturating_pow(times.saturating_sub(1)));
                wait.min(LOOK_EVERY).saturating_sub(at.elapsed())
            }
            (Some(at), None) => LOOK_EVERY.saturating_sub(at.elapsed()),
        };
        if due.is_zero() {
            return self.look();
        }
        match self.bus.wait(limit.min(due)) {
            Trigger::Event => {
                self.settle();
                self.look()
            }
            Trigger::Quiet if due <= limit => self.look(),
            Trigger::Quiet => Vec::new(),
        }
    }

    fn settle(&mut self) {
        let until = Instant::now() + SETTLE_MAX;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.bus.wait(left.min(SETTLE)) == Trigger::Quiet {
                return;
            }
        }
    }

    fn look(&mut self) -> Vec<Change> {
        let now = Instant::now();
        self.looked = Some(now);
        match self.bus.devices() {
            Ok(devices) => {
                self.failure = None;
                self.compare(devices, now)
            }
            // The last picture stands: a bus that cannot be read has not lost its devices.
            Err(error) => {
                let times = self.failure.take().map_or(0, |(_, times)| times);
                self.failure = Some((error, times.saturating_add(1)));
                Vec::new()
            }
        }
    }

    fn compare(&mut self, devices: Vec<UsbDevice>, now: Instant) -> Vec<Change> {
        let found: BTreeMap<_, _> = devices.into_iter().map(|d| (d.port.clone(), d)).collect();
        let before = std::mem::replace(&mut self.present, found);
        self.left.retain(|_, (_, at)| now.duration_since(*at) <= BACK_WITHIN);
        let mut changes = Vec::new();
        let stays = |device: &UsbDevice| {
            self.present.get(&device.port).is_some_and(|found| is_same_enumeration(device, found))
        };
        let gone: Vec<UsbDevice> = before.values().filter(|d| !stays(d)).cloned().collect();
        self.bus_losses += lost_buses(&before, &self.present);
        for device in gone {
            self.left.insert(device.port.clone(), (device.clone(), now));
            changes.push(Change::Left(device));
        }
        for device in self.present.values() {
            if before.get(&device.port).is_some_and(|was| is_same_enumeration(was, device)) {
                continue;
            }
            let again =
                self.left.remove(&device.port).is_some_and(|(was, _)| was.is_same_device(device));
            if self.counts.len() < PORTS_MAX || self.counts.contains_key(&device.port) {
                let counts = self.counts.entry(device.port.clone()).or_default();
                counts.arrivals = counts.arrivals.saturating_add(1);
                counts.again = counts.again.saturating_add(again.into());
            }
            changes.push(Change::Arrived { device: device.clone(), again });
        }
        changes
    }

    pub fn bus(&self) -> &B {
        &self.bus
    }

    /// The last picture.
    pub fn present(&self) -> impl Iterator<Item = &UsbDevice> {
        self.present.values()
    }

    pub fn counts(&self) -> &BTreeMap<PortPath, Counts> {
        &self.counts
    }

    /// How often a bus lost several devices at one blow: its controller was reset, or a hub.
    pub fn bus_losses(&self) -> u32 {
        self.bus_losses
    }

    /// Why the last look failed.
    pub fn failure(&self) -> Option<&BusError> {
        self.failure.as_ref().map(|(error, _)| error)
    }
}

/// Names of interfaces and the authorisation may change without a new enumeration.
fn is_same_enumeration(a: &UsbDevice, b: &UsbDevice) -> bool {
    let shape = |device: &UsbDevice| -> Vec<_> {
        device.interfaces.iter().map(|i| (i.configuration, i.number, i.class)).collect()
    };
    a.address == b.address && a.is_same_device(b) && shape(a) == shape(b)
}

/// Buses that had two devices or more and kept none of them as they were.
fn lost_buses(
    before: &BTreeMap<PortPath, UsbDevice>,
    after: &BTreeMap<PortPath, UsbDevice>,
) -> u32 {
    let mut kept: BTreeMap<u8, (u32, u32)> = BTreeMap::new();
    for (port, device) in before {
        let (all, same) = kept.entry(port.bus()).or_default();
        *all += 1;
        *same += u32::from(after.get(port).is_some_and(|found| is_same_enumeration(device, found)));
    }
    kept.values().filter(|(all, same)| *all >= 2 && *same == 0).count() as u32
}
