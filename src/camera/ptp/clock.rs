//! The camera's clock: measured before it is set, and set only when told.

use super::{PtpCamera, explain};
use crate::{
    camera::{CameraError, ClockSet},
    ptp::{CameraTime, DeviceProp, Operation, Pipes, PtpError, Session, Text},
    types::fact::ClockOffset,
};
use jiff::{SignedDuration, Timestamp, tz::Offset};
use std::{io, time::Duration};

/// What the dock's clock shows, for any moment of the pipes' clock.
#[derive(Debug, Clone, Copy)]
struct DockTime {
    now: Timestamp,
    at: Duration,
}

impl DockTime {
    fn when(self, elapsed: Duration) -> Timestamp {
        let since = SignedDuration::try_from(elapsed.saturating_sub(self.at));
        since.ok().and_then(|since| self.now.checked_add(since).ok()).unwrap_or(self.now)
    }
}

const DOING: &str = "read the camera's clock";

impl<P: Pipes + Send + 'static> PtpCamera<P> {
    fn has_clock(&self) -> bool {
        self.info.properties.contains(&DeviceProp::DATE_TIME.0)
            && self.info.offers(Operation::GET_DEVICE_PROP_VALUE)
    }

    pub(super) fn measure_clock(
        &self,
        now: Timestamp,
        dock_synchronised: bool,
    ) -> Result<Option<ClockOffset>, CameraError> {
        if !self.has_clock() {
            return Ok(None);
        }
        let mut session = super::lock(&self.session);
        let dock = DockTime { now, at: session.elapsed() };
        session.open().map_err(|error| explain(DOING, error))?;
        let measured = measure(&mut session, dock, dock_synchronised)?;
        Ok(measured.map(|(offset, _)| offset))
    }

    pub(super) fn set_clock_to(
        &self,
        now: Timestamp,
        zone: Offset,
        dock_synchronised: bool,
    ) -> Result<Option<ClockSet>, CameraError> {
        let doing = "set the camera's clock";
        if !dock_synchronised {
            let words = "this dock's own clock is not synchronised; see `bwvdock doctor`";
            let source = io::Error::new(io::ErrorKind::PermissionDenied, words);
            return Err(CameraError::Io { doing: doing.into(), source });
        }
        if !self.has_clock() || !self.info.offers(Operation::SET_DEVICE_PROP_VALUE) {
            return Ok(None);
        }
        let mut session = super::lock(&self.session);
        let dock = DockTime { now, at: session.elapsed() };
        session.open().map_err(|error| explain(doing, error))?;
        let Some((before, form)) = measure(&mut session, dock, true)? else { return Ok(None) };
        // What cannot be written is rounded, not cut off.
        let moment = dock.when(session.elapsed());
        let moment = moment.checked_add(form.half_resolution()).unwrap_or(moment);
        let text = form.same_form(moment, zone);
        let value = Text::encode(&text).expect("a time is far shorter than 254 units");
        match session.set_prop_value(DeviceProp::DATE_TIME, &value) {
            Ok(()) => {}
            Err(PtpError::Refused { .. }) => return Ok(None),
            Err(error) => return Err(explain(doing, error)),
        }
        let after = measure(&mut session, dock, true)?;
        Ok(after.map(|(after, _)| ClockSet { before, after }))
    }
}

/// Reads the clock once. The camera is taken to have looked at it half way between question and
/// answer, and in the middle of the second (or tenth) that it names: the error is at most half of
/// both together.
fn measure<P: Pipes>(
    session: &mut Session<P>,
    dock: DockTime,
    dock_synchronised: bool,
) -> Result<Option<(ClockOffset, CameraTime)>, CameraError> {
    let asked = session.elapsed();
    let text = match session.prop_text(DeviceProp::DATE_TIME) {
        Ok(text) => text,
        Err(PtpError::Refused { .. } | PtpError::Malformed { .. }) => return Ok(None),
        Err(error) => return Err(explain(DOING, error)),
    };
    let answered = session.elapsed();
    let half_way = dock.when(asked + answered.saturating_sub(asked) / 2);
    let time = text.as_str().and_then(CameraTime::parse);
    let shown = time.and_then(|time| Some((time, time.milliseconds()?)));
    Ok(shown.map(|(time, shown_ms)| {
        let half_ms = i64::try_from(time.half_resolution().as_millis()).unwrap_or(0);
        let camera_minus_dock_ms = shown_ms + half_ms - half_way.as_millisecond();
        (ClockOffset { camera_minus_dock_ms, dock_synchronised }, time)
    }))
}
