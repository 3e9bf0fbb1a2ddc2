//! A dock with batteries in it, a minute at a time.

use super::*;
use crate::types::PortPath;
use std::collections::BTreeMap;

pub const MINUTE: Duration = Duration::from_secs(60);

/// A battery, and the camera around it.
#[derive(Debug, Clone)]
pub struct Battery {
    pub camera: CameraId,
    pub percent: f64,
    /// Percent an hour with power.
    pub pace: f64,
    /// What the gauge shows: steps of this many points; none: it does not say.
    pub step: Option<u8>,
    pub celsius: Option<i16>,
    /// Minutes of reading footage still to do.
    pub work: u32,
}

impl Battery {
    pub fn new(camera: &str, percent: f64) -> Self {
        let camera = CameraId::new(camera).unwrap();
        Self { camera, percent, pace: 25.0, step: Some(1), celsius: None, work: 0 }
    }

    fn gauge(&self) -> Option<u8> {
        self.step.map(|step| self.percent.clamp(0.0, 100.0) as u8 / step * step)
    }
}

#[derive(Debug)]
pub struct Socket {
    pub hub: u8,
    pub fixed: bool,
    pub powered: bool,
    pub battery: Option<Battery>,
    /// When it was last switched, by a decision.
    pub switched: Option<(Duration, bool)>,
    pub switches: u32,
}

pub struct World {
    pub station: Station,
    pub sockets: BTreeMap<BayName, Socket>,
    pub at: Moment,
    pub last: BTreeMap<BayName, Decision>,
}

pub fn bay(n: usize) -> BayName {
    format!("{n:02}").parse().unwrap()
}

impl World {
    /// `hubs` says on which hub each bay is. It is Monday, midnight.
    pub fn new(settings: Settings, hubs: &[u8]) -> Self {
        let socket = |hub: &u8| Socket {
            hub: *hub,
            fixed: false,
            powered: true,
            battery: None,
            switched: None,
            switches: 0,
        };
        let sockets = hubs.iter().enumerate().map(|(n, hub)| (bay(n), socket(hub)));
        Self {
            station: Station::new(settings),
            sockets: sockets.collect(),
            at: Moment { now: "2026-03-02T00:00:00Z".parse().unwrap(), elapsed: Duration::ZERO },
            last: BTreeMap::new(),
        }
    }

    pub fn dock(&mut self, n: usize, battery: Battery) {
        self.sockets.get_mut(&bay(n)).unwrap().battery = Some(battery);
    }

    pub fn battery(&mut self, n: usize) -> &mut Battery {
        self.sockets.get_mut(&bay(n)).unwrap().battery.as_mut().unwrap()
    }

    /// Takes a camera out; the next look at a dark port shows that it is empty.
    pub fn take(&mut self, n: usize) -> Option<Battery> {
        let socket = self.sockets.get_mut(&bay(n)).unwrap();
        socket.powered = true;
        socket.battery.take()
    }

    pub fn report(&self, n: usize) -> &Report {
        &self.last[&bay(n)].report
    }

    fn looks(&self) -> Vec<Look> {
        let look = |(name, socket): (&BayName, &Socket)| Look {
            bay: name.clone(),
            hub: Some(HubPath::Port(PortPath::new(1, &[socket.hub]).unwrap())),
            switch: match socket.fixed {
                true => Switch::Cannot("the hub has no switches".into()),
                false => Switch::PerPort,
            },
            seat: match &socket.battery {
                None => Seat::Empty,
                Some(_) if !socket.powered => Seat::Dark,
                Some(battery) => Seat::Camera {
                    camera: battery.camera.clone(),
                    reading: Some(Reading {
                        percent: battery.gauge(),
                        celsius: battery.celsius,
                        at: self.at.elapsed,
                    }),
                    busy: battery.work > 0,
                },
            },
        };
        self.sockets.iter().map(look).collect()
    }

    /// One decision, checked against what must always hold, and a minute of what it does.
    pub fn minute(&mut self) {
        // A camera in a port that cannot be switched may take the place of one that is read.
        let fixed = self.sockets.values().any(|s| s.fixed && s.battery.is_some());
        let before: BTreeMap<_, _> = self
            .sockets
            .iter()
            .map(|(name, socket)| {
                let works = socket.battery.as_ref().is_some_and(|b| b.work > 0);
                let known = self.last.get(name).is_some_and(|d| d.report.state != State::Absent);
                (name.clone(), !fixed && works && socket.powered && known)
            })
            .collect();
        let decisions = self.station.poll(self.at, self.looks());
        assert_eq!(decisions.len(), self.sockets.len());
        let mut ons = 0;
        for decision in decisions {
            let socket = self.sockets.get_mut(&decision.bay).unwrap();
            assert!(decision.power || !socket.fixed, "what cannot be switched is not");
            assert_eq!(decision.off_because.is_none(), decision.power);
            if before[&decision.bay] {
                assert!(decision.power, "{} is read and loses its power", decision.bay);
            }
            if decision.power != socket.powered {
                self.station.check_dwell(self.at.elapsed, socket, &decision);
                ons += u32::from(decision.power);
                socket.powered = decision.power;
                socket.switched = Some((self.at.elapsed, decision.power));
                socket.switches += 1;
            }
            self.last.insert(decision.bay.clone(), decision);
        }
        assert!(ons <= 1, "{ons} ports switched on at once");
        self.check_budgets();
        self.pass();
    }

    pub fn minutes(&mut self, minutes: u32) {
        (0..minutes).for_each(|_| self.minute());
    }

    fn check_budgets(&self) {
        let settings = self.station.settings();
        let drawn = |hub: Option<u8>| {
            let draws = |s: &&Socket| s.powered && s.battery.is_some();
            let on = |s: &&Socket| hub.is_none_or(|hub| hub == s.hub);
            let found = self.sockets.values().filter(draws).filter(on);
            let (fixed, switched): (Vec<_>, Vec<_>) = found.partition(|s| s.fixed);
            // What cannot be switched is not the policy's doing, but nothing may come on top.
            let fixed = fixed.len() as u32 * settings.port_milliamps;
            (fixed, fixed + switched.len() as u32 * settings.port_milliamps)
        };
        let within = |(fixed, all): (u32, u32), max: Option<u32>| {
            max.is_none_or(|max| all <= max.max(fixed))
        };
        assert!(within(drawn(None), settings.station_milliamps_max), "the station's budget");
        for hub in 0..8 {
            assert!(within(drawn(Some(hub)), settings.hub_milliamps_max), "budget of hub {hub}");
        }
    }

    fn pass(&mut self) {
        for socket in self.sockets.values_mut() {
            let Some(battery) = &mut socket.battery else { continue };
            if socket.powered {
                battery.percent = (battery.percent + battery.pace / 60.0).clamp(0.0, 100.0);
                battery.work = battery.work.saturating_sub(1);
            } else {
                battery.percent = (battery.percent - 0.2 / 60.0).max(0.0);
            }
        }
        self.at.elapsed += MINUTE;
        self.at.now += jiff::SignedDuration::from_secs(60);
    }
}

impl Station {
    /// A port that was switched stays as it is for the dwell; only footage, a fault, a temperature
    /// and the asking of a resting camera end that.
    fn check_dwell(&self, now: Duration, socket: &Socket, decision: &Decision) {
        let Some((at, _)) = socket.switched.filter(|(at, _)| now - *at < self.settings().dwell)
        else {
            return;
        };
        let work = |s: &Socket| s.battery.as_ref().is_some_and(|battery| battery.work > 0);
        let excused =
            matches!(decision.report.state, State::Faulty | State::TooHot | State::TooCold)
                || decision.off_because.as_ref().is_some_and(|words| words.contains("rests"));
        let crowded = decision.off_because.as_ref().is_some_and(|words| words.contains("turn"));
        assert!(
            excused || work(socket) || crowded && self.is_crowded_by_work(),
            "{} oscillates: switched at {at:?} and again at {now:?}: {decision:?}",
            decision.bay
        );
    }

    fn is_crowded_by_work(&self) -> bool {
        self.bays.values().any(|bay| bay.works())
    }
}
