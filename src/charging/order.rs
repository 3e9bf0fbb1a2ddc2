//! Whose turn it is: an order of the cameras that want power, first to last.
//!
//! **Next shift first.** All cameras have one deadline. Those that can reach the gate by then are
//! chosen, the least needy first, as long as their needs fit into the time and the slots there are
//! (every need by itself, all needs over all slots: McNaughton 1959). Among the chosen, whoever
//! could not wait any longer goes first, then whoever has power already, then the neediest. So
//! ports are switched rarely, and nobody is left to the end who then needs it whole. After the
//! chosen come those that will be late, and then whoever is above the gate already.
//!
//! **Fair.** Below the gate before above it; then whoever had power for the shortest time, with a
//! bonus for having it now.

use super::{Order, Settings, bay::Bay};
use crate::types::{BayName, HubPath};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Places in a budget for cameras that charge, per hub and in all; none: no limit.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    pub station: Option<u32>,
    pub hubs: BTreeMap<HubPath, u32>,
}

/// A camera that wants power.
pub struct Wish<'a> {
    pub name: &'a BayName,
    pub bay: &'a Bay,
    to_gate: Duration,
    to_full: Duration,
}

impl<'a> Wish<'a> {
    pub fn new(name: &'a BayName, bay: &'a Bay, settings: &Settings) -> Self {
        let to_gate = bay.need(settings.gate_percent, settings);
        Self { name, bay, to_gate, to_full: bay.need(settings.full_percent, settings) }
    }

    /// Time with power until it is at the gate.
    pub fn to_gate(&self) -> Duration {
        self.to_gate
    }

    fn is_on(&self) -> bool {
        self.bay.draws()
    }
}

/// Sorts wishes by whose turn it is; `away` is the time to the next shift.
pub fn sort(
    wishes: &mut [Wish<'_>],
    away: Option<Duration>,
    slots: &Slots,
    now: Duration,
    settings: &Settings,
) {
    match (settings.order, away) {
        (Order::NextShift, Some(away)) => {
            let chosen = choose(wishes, away, slots, settings);
            wishes.sort_by_cached_key(|wish| next_shift(wish, away, &chosen, settings));
        }
        (Order::NextShift, None) | (Order::Fair, _) => {
            wishes.sort_by_cached_key(|wish| fair(wish, settings));
        }
    }
    // Footage that nobody has read yet goes before any battery.
    wishes.sort_by_key(|wish| !(wish.bay.owes_footage && wish.bay.is_dark()));
    // Whoever was switched on just now stays.
    wishes.sort_by_key(|wish| !wish.bay.is_kept_on(now, settings));
}

/// The place in the order; less comes first.
type Place = (u8, Reverse<bool>, Reverse<Duration>, Duration, BayName);

fn next_shift(
    wish: &Wish<'_>,
    away: Duration,
    chosen: &BTreeSet<&BayName>,
    settings: &Settings,
) -> Place {
    let name = wish.name.clone();
    let on = Reverse(wish.is_on());
    if wish.to_gate.is_zero() {
        let tier = if wish.to_full.is_zero() { 4 } else { 3 };
        return (tier, on, Reverse(Duration::ZERO), wish.to_full, name);
    }
    if !chosen.contains(wish.name) {
        return (2, on, Reverse(Duration::ZERO), wish.to_gate, name);
    }
    let spare = away.saturating_sub(wish.to_gate);
    let tier = if spare <= margin(settings) { 0 } else { 1 };
    (tier, on, Reverse(wish.to_gate), Duration::ZERO, name)
}

/// What switching may cost: a dwell of waiting, one for another to end, and the stagger.
fn margin(settings: &Settings) -> Duration {
    settings.dwell * 2 + settings.stagger
}

/// Those that can be fit in time, as many as possible.
fn choose<'a>(
    wishes: &[Wish<'a>],
    away: Duration,
    slots: &Slots,
    settings: &Settings,
) -> BTreeSet<&'a BayName> {
    let mut needy: Vec<_> = wishes.iter().filter(|wish| !wish.to_gate.is_zero()).collect();
    needy.sort_by_key(|wish| (wish.to_gate, wish.name));
    let room = |slots: u32| away.saturating_mul(slots);
    let (mut chosen, mut all) = (BTreeSet::new(), Duration::ZERO);
    let mut hubs: BTreeMap<&HubPath, Duration> = BTreeMap::new();
    for wish in needy {
        // One that charges is not given up for a gauge that is late by a step.
        let late = if wish.is_on() { margin(settings) } else { Duration::ZERO };
        let need = wish.to_gate.saturating_sub(late);
        let on_hub = wish.bay.hub.as_ref().and_then(|hub| {
            let used = hubs.get(hub).copied().unwrap_or_default();
            slots.hubs.get(hub).map(|slots| (hub, used + wish.to_gate, room(*slots)))
        });
        let fits = need <= away
            && slots.station.is_none_or(|slots| all + wish.to_gate <= room(slots))
            && on_hub.is_none_or(|(_, used, room)| used <= room);
        if fits {
            all += wish.to_gate;
            hubs.extend(on_hub.map(|(hub, used, _)| (hub, used)));
            chosen.insert(wish.name);
        }
    }
    chosen
}

fn fair(wish: &Wish<'_>, settings: &Settings) -> Place {
    let name = wish.name.clone();
    let tier = match (wish.to_gate.is_zero(), wish.to_full.is_zero()) {
        (false, _) => 1,
        (true, false) => 3,
        (true, true) => 4,
    };
    let bonus = if wish.is_on() { settings.dwell * 4 } else { Duration::ZERO };
    let had = wish.bay.powered_for.saturating_sub(bonus);
    (tier, Reverse(false), Reverse(Duration::ZERO), had, name)
}
