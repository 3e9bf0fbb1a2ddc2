//! Weeks of shifts with every kind of dock, and what must come of them.

use super::{world::*, *};
use proptest::prelude::*;

/// A dock and who comes to it.
#[derive(Debug, Clone)]
struct Plan {
    hubs: Vec<u8>,
    hub_ports: Option<u32>,
    station_ports: Option<u32>,
    order: Order,
    hold: bool,
    /// For each bay: percent at docking, pace, gauge, minutes of footage, whether it is fixed.
    cameras: Vec<(f64, f64, Option<u8>, u32, bool)>,
    /// Minutes between the start of a shift and the return of each camera.
    shift_minutes: Vec<u32>,
}

fn plan(healthy: bool) -> impl Strategy<Value = Plan> {
    (1_usize..9, any::<bool>()).prop_flat_map(move |(n, switched)| {
        let pace = if healthy { 18.0..50.0 } else { -20.0..50.0 };
        let step = prop_oneof![Just(Some(1)), Just(Some(5)), Just(Some(25)), Just(None)];
        let step = if healthy { Just(Some(1_u8)).boxed() } else { step.boxed() };
        let fixed = if healthy || switched { Just(false).boxed() } else { any::<bool>().boxed() };
        let camera = (0.0..70.0_f64, pace, step, 0_u32..40, fixed);
        (
            proptest::collection::vec(1_u8..3, n),
            proptest::option::of(1_u32..5),
            proptest::option::of(1_u32..7),
            prop_oneof![Just(Order::NextShift), Just(Order::Fair)],
            any::<bool>(),
            proptest::collection::vec(camera, n),
            proptest::collection::vec(30_u32..600, n),
        )
            .prop_map(
                |(hubs, hub_ports, station_ports, order, hold, cameras, shift_minutes)| Plan {
                    hubs,
                    hub_ports,
                    station_ports,
                    order,
                    hold,
                    cameras,
                    shift_minutes,
                },
            )
    })
}

impl Plan {
    fn settings(&self) -> Settings {
        let base = settings();
        Settings {
            hub_milliamps_max: self.hub_ports.map(|ports| ports * base.port_milliamps),
            station_milliamps_max: self.station_ports.map(|ports| ports * base.port_milliamps),
            order: self.order,
            hold: base.hold.filter(|_| self.hold),
            ..base
        }
    }

    fn battery(&self, n: usize) -> Battery {
        let (percent, pace, step, work, _) = self.cameras[n];
        Battery { pace, step, work, ..Battery::new(&format!("C{n}"), percent) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// The budgets, the power of whoever is read, and the dwell are checked by every minute of
    /// the world itself. Here: that a port is not switched more often than there is reason for.
    #[test]
    fn a_week_of_shifts_passes_no_budget_and_does_not_oscillate(plan in plan(false)) {
        let mut world = World::new(plan.settings(), &plan.hubs);
        for (n, camera) in plan.cameras.iter().enumerate() {
            world.sockets.get_mut(&bay(n)).unwrap().fixed = camera.4;
            world.dock(n, plan.battery(n));
        }
        let bays = plan.hubs.len() as u32;
        for minute in 0..7 * 24 * 60_u32 {
            let of_shift = (minute + 17 * 60) % (12 * 60);
            let on_duty = minute / (24 * 60) < 5;
            for n in 0..plan.hubs.len() {
                if on_duty && of_shift == 0 {
                    world.take(n);
                }
                if on_duty && of_shift == plan.shift_minutes[n] {
                    world.dock(n, plan.battery(n));
                }
            }
            world.minute();
        }
        for socket in world.sockets.values() {
            // Fourteen half days; in each, turns of an hour at the shortest among all bays.
            prop_assert!(socket.switches <= 14 * (8 + 4 * bays), "{} times", socket.switches);
        }
    }

    /// As many cameras are fit at the shift's start as could be: those whose needs, with what
    /// switching costs, fit into the time and the slots, the least needy first.
    #[test]
    fn every_camera_that_can_be_ready_for_the_shift_is(
        plan in plan(true), hours in 1_u32..11,
    ) {
        let plan = Plan { order: Order::NextShift, ..plan };
        let mut world = World::new(plan.settings(), &plan.hubs);
        let start = 7 * 60;
        let begin = start - hours.min(7) * 60;
        world.minutes(begin);
        for n in 0..plan.hubs.len() {
            world.dock(n, Battery { work: 0, ..plan.battery(n) });
        }
        world.minutes(start - begin);
        let ready = (0..plan.hubs.len()).filter(|n| world.report(*n).fitness == Fitness::Fit);
        let (ready, possible) = (ready.count(), possible(&plan, start - begin));
        prop_assert!(ready >= possible, "{ready} ready of {possible} possible");
    }
}

/// How many can be ready `minutes` later: a count that no order can be blamed for missing.
fn possible(plan: &Plan, minutes: u32) -> usize {
    // Two dwells for giving way, and the gauge and the stagger once.
    const COST: f64 = 25.0;
    let (mut all, mut hubs) = (0.0, BTreeMap::<u8, f64>::new());
    let mut needs: Vec<_> = plan
        .cameras
        .iter()
        .zip(&plan.hubs)
        // The policy reckons with the configured pace until it has seen the true one.
        .map(|(camera, hub)| ((81.0 - camera.0).max(0.0) / camera.1.min(25.0) * 60.0 + COST, *hub))
        .collect();
    needs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let room = |ports: Option<u32>| ports.map_or(f64::MAX, |ports| f64::from(ports * minutes));
    let fits = |(need, hub): &(f64, u8)| {
        let on_hub = hubs.entry(*hub).or_default();
        if *need > f64::from(minutes)
            || all + need > room(plan.station_ports)
            || *on_hub + need > room(plan.hub_ports)
        {
            return false;
        }
        (all, *on_hub) = (all + need, *on_hub + need);
        true
    };
    needs.iter().map(fits).filter(|fits| *fits).count()
}

use std::collections::BTreeMap;
