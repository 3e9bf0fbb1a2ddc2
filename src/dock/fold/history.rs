//! What is remembered of cameras over their dockings; see [`crate::dock::history`].

use super::{Done, Fold};
use crate::{
    dock::{
        Records,
        history::{CameraHistory, ClockPoint, DOCKINGS_MAX, Docking},
        state::{CameraState, key, put},
    },
    types::{
        BayName, CameraId, Condition, SegmentId, Verdict,
        fact::{ClockOffset, Recording},
    },
};
use jiff::Timestamp;
use std::ops::ControlFlow;

impl CameraHistory {
    /// Of a camera that is docked for the first time.
    pub(in crate::dock) fn new(camera: CameraId, bay: BayName, at: Timestamp) -> Self {
        Self {
            camera,
            dockings: 0,
            last: docking(bay, at),
            model: None,
            firmware: None,
            firmware_before: None,
            firmware_changed_at: None,
            serial: None,
            storage_bytes: None,
            storage_free_bytes: None,
            clock: Vec::new(),
            last_recording_at: None,
            hash_failures: 0,
            unreadable_files: 0,
            differing_reads: 0,
            last_failure_at: None,
            usb_resets: 0,
            battery_faults: 0,
            last_battery_fault: None,
            last_battery_fault_at: None,
        }
    }

    fn told(&mut self, condition: &Condition, at: Timestamp) {
        let Condition { firmware, serial, storage_bytes, storage_free_bytes, .. } = condition;
        if firmware.is_some() && *firmware != self.firmware {
            if self.firmware.is_some() {
                self.firmware_changed_at = Some(at);
            }
            self.firmware_before = std::mem::replace(&mut self.firmware, firmware.clone());
        }
        self.serial = serial.clone().or(self.serial.take());
        self.storage_bytes = storage_bytes.or(self.storage_bytes);
        self.storage_free_bytes = storage_free_bytes.or(self.storage_free_bytes);
    }
}

fn docking(bay: BayName, at: Timestamp) -> Docking {
    Docking {
        bay,
        docked_at: at,
        removed_at: None,
        battery_docked_percent: None,
        battery_removed_percent: None,
        percent_per_hour: None,
        clock_offset_ms: None,
        first_recording_at: None,
        last_recording_at: None,
        usb_resets: 0,
        dark: false,
        lit_at: None,
    }
}

impl Fold<'_> {
    fn history(&mut self, id: &CameraId, change: impl FnOnce(&mut CameraHistory)) -> Done {
        let Some(mut history) = self.table.history(id)? else { return Ok(()) };
        change(&mut history);
        put(self.table, key::history(id), &history)
    }

    /// A camera came, or was there all the time and shows itself again.
    pub(super) fn history_docked(
        &mut self,
        (id, bay): (&CameraId, &BayName),
        (model, clock): (&Option<String>, Option<ClockOffset>),
        condition: &Condition,
        again: bool,
    ) -> Done {
        let at = self.entry.at;
        let (mut history, new) = match self.table.history(id)? {
            Some(history) => (history, false),
            None => (CameraHistory::new(id.clone(), bay.clone(), at), true),
        };
        let last = &history.last;
        let started = self.totals.starts.last_at;
        let stayed = last.bay == *bay && last.goes_on(at, started, again);
        if new || !stayed {
            if !new {
                self.keep(&history)?;
            }
            history.last = docking(bay.clone(), at);
            history.dockings += 1;
        } else if again && !history.last.dark {
            history.usb_resets += 1;
            history.last.usb_resets = history.last.usb_resets.saturating_add(1);
        }
        let last = &mut history.last;
        (last.removed_at, last.dark, last.lit_at) = (None, false, None);
        last.battery_docked_percent = last.battery_docked_percent.or(condition.battery_percent);
        last.battery_removed_percent = None;
        if let Some(clock) = clock {
            last.clock_offset_ms.get_or_insert(clock.camera_minus_dock_ms);
            if clock.dock_synchronised {
                history.measured(ClockPoint { at, offset_ms: clock.camera_minus_dock_ms });
            }
        }
        history.model = model.clone().or(history.model.take());
        history.told(condition, at);
        put(self.table, key::history(id), &history)
    }

    /// Puts a docking that is over with the older ones, of which the oldest go.
    fn keep(&mut self, history: &CameraHistory) -> Done {
        let row = key::docking(&history.camera, history.last.docked_at);
        put(self.table, row, &history.last)?;
        let mut keys = Vec::new();
        self.table.scan(&key::dockings(&history.camera), b"", &mut |key, _| {
            keys.push(key.to_vec());
            ControlFlow::Continue(())
        })?;
        let over = keys.len().saturating_sub(DOCKINGS_MAX);
        keys.iter().take(over).for_each(|key| self.table.remove(key));
        Ok(())
    }

    pub(super) fn history_removed(&mut self, id: &CameraId, condition: &Condition) -> Done {
        let at = self.entry.at;
        self.history(id, |history| {
            let last = &mut history.last;
            last.removed_at = Some(at);
            last.battery_removed_percent = condition.battery_percent;
            last.percent_per_hour = condition.percent_per_hour.or(last.percent_per_hour);
            history.told(condition, at);
        })
    }

    /// The dock switched a port: whose camera goes for it was not taken.
    pub(super) fn history_switched(&mut self, bay: &BayName, on: bool) -> Done {
        let at = self.entry.at;
        let cameras = self.table.list::<CameraState>(key::CAMERAS, b"", usize::MAX)?;
        for camera in cameras.iter().filter(|camera| camera.last_bay == *bay) {
            self.history(&camera.id, |history| match on {
                true => history.last.lit_at = history.last.dark.then_some(at),
                false => history.last.dark |= camera.docked,
            })?;
        }
        Ok(())
    }

    pub(super) fn history_clock_set(&mut self, id: &CameraId, after: Option<ClockOffset>) -> Done {
        let at = self.entry.at;
        let Some(after) = after else { return Ok(()) };
        self.history(id, |history| {
            history.clock = vec![ClockPoint { at, offset_ms: after.camera_minus_dock_ms }];
        })
    }

    pub(super) fn history_battery_fault(&mut self, id: &CameraId, fault: &str) -> Done {
        let at = self.entry.at;
        self.history(id, |history| {
            history.battery_faults += 1;
            history.last_battery_fault = Some(fault.to_owned());
            history.last_battery_fault_at = Some(at);
        })
    }

    /// A recording that was not known before.
    pub(super) fn history_recording(&mut self, recording: &Recording) -> Done {
        let times = [recording.started, recording.stopped];
        if times.iter().all(Option::is_none) {
            return Ok(());
        }
        let clock = self.table.camera(&recording.camera)?.and_then(|camera| camera.clock);
        let offset_ms = clock.map(|clock| clock.camera_minus_dock_ms);
        self.history(&recording.camera, |history| {
            times.into_iter().flatten().for_each(|at| history.captured(at, offset_ms));
        })
    }

    pub(super) fn history_sealed(&mut self, segment: SegmentId, verdict: Verdict) -> Done {
        let count: fn(&mut CameraHistory) = match verdict {
            Verdict::Mismatched => |history| history.hash_failures += 1,
            Verdict::Unreadable => |history| history.unreadable_files += 1,
            Verdict::Verified
            | Verdict::Matched
            | Verdict::Unverified
            | Verdict::BadSignature
            | Verdict::Partial => return Ok(()),
        };
        self.history_failure(segment, count)
    }

    pub(super) fn history_read_differs(&mut self, segment: SegmentId) -> Done {
        self.history_failure(segment, |history| history.differing_reads += 1)
    }

    fn history_failure(&mut self, segment: SegmentId, count: fn(&mut CameraHistory)) -> Done {
        let at = self.entry.at;
        let Some(state) = self.table.segment(segment)? else { return Ok(()) };
        self.history(&state.segment.camera, |history| {
            count(history);
            history.last_failure_at = Some(at);
        })
    }
}
