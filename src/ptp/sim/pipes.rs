//! The simulated camera's side of the three pipes.

use super::{Outgoing, SimResponder};
use crate::ptp::{ClassRequest, Moved, Pipe, PipeError, Pipes};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// One end of the cable; clones reach the same camera.
#[derive(Debug, Clone)]
pub struct SimPipes(Arc<Mutex<SimResponder>>);

impl SimPipes {
    pub fn new(camera: SimResponder) -> Self {
        Self(Arc::new(Mutex::new(camera)))
    }

    /// The camera itself, to look at or to change.
    pub fn camera(&self) -> MutexGuard<'_, SimResponder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The camera, if it is there; every call takes a moment.
    fn touch(&self) -> Result<MutexGuard<'_, SimResponder>, PipeError> {
        let mut camera = self.camera();
        let latency = camera.latency;
        camera.now += latency;
        if camera.gone { Err(PipeError::Gone) } else { Ok(camera) }
    }
}

impl SimResponder {
    /// One packet's worth or more for the host.
    fn give(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<Moved, PipeError> {
        let mut bytes = 0;
        while bytes < buffer.len() {
            let room = &mut buffer[bytes..];
            let (moved, done, ends) = match self.outgoing.front_mut() {
                None | Some(Outgoing::Silence) if bytes > 0 => {
                    self.now += timeout;
                    return Ok(Moved { bytes, ended: false });
                }
                None | Some(Outgoing::Silence) => {
                    self.now += timeout;
                    return Err(PipeError::Timeout);
                }
                Some(Outgoing::Stall) if bytes > 0 => return Ok(Moved { bytes, ended: false }),
                Some(Outgoing::Stall) => return Err(PipeError::Stalled),
                Some(Outgoing::Vanish) => {
                    self.gone = true;
                    return Err(PipeError::Gone);
                }
                Some(Outgoing::Endless) => {
                    room.fill(0x55);
                    (room.len(), false, false)
                }
                Some(Outgoing::Bytes { bytes, at, ends }) => {
                    let moved = room.len().min(bytes.len() - *at);
                    room[..moved].copy_from_slice(&bytes[*at..*at + moved]);
                    *at += moved;
                    (moved, *at == bytes.len(), *ends)
                }
                Some(Outgoing::Object { content, at, end, ends }) => {
                    let left = usize::try_from(*end - *at).unwrap_or(usize::MAX);
                    let moved = room.len().min(left);
                    content.copy(*at, &mut room[..moved]);
                    *at += moved as u64;
                    (moved, at == end, *ends)
                }
            };
            bytes += moved;
            if done {
                self.outgoing.pop_front();
            }
            // A filled buffer ends the read before the short packet is seen.
            if done && ends && bytes < buffer.len() {
                return Ok(Moved { bytes, ended: true });
            }
            if done && ends && !bytes.is_multiple_of(self.packet_bytes) {
                return Ok(Moved { bytes, ended: true });
            }
            if done && ends {
                // Its empty packet is still to come.
                self.outgoing.push_front(Outgoing::Bytes { bytes: Vec::new(), at: 0, ends: true });
                return Ok(Moved { bytes, ended: false });
            }
        }
        Ok(Moved { bytes, ended: false })
    }

    fn forget(&mut self) {
        self.outgoing.clear();
        self.waiting = None;
    }
}

impl Pipes for SimPipes {
    fn packet_bytes(&self) -> usize {
        self.camera().packet_bytes
    }

    fn elapsed(&self) -> Duration {
        self.camera().now
    }

    fn pause(&mut self, time: Duration) {
        self.camera().now += time;
    }

    fn bulk_out(&mut self, bytes: &[u8], timeout: Duration) -> Result<(), PipeError> {
        let mut camera = self.touch()?;
        if camera.hung {
            camera.now += timeout;
            return Err(PipeError::Timeout);
        }
        if !bytes.is_empty() {
            camera.receive(bytes);
        }
        Ok(())
    }

    fn bulk_in(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<Moved, PipeError> {
        let mut camera = self.touch()?;
        assert!(
            !buffer.is_empty() && buffer.len().is_multiple_of(camera.packet_bytes),
            "a read of {} bytes would overflow on USB",
            buffer.len()
        );
        camera.give(buffer, timeout)
    }

    fn interrupt_in(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, PipeError> {
        let mut camera = self.touch()?;
        let Some(event) = camera.events.pop_front() else {
            camera.now += timeout;
            return Err(PipeError::Timeout);
        };
        let bytes = event.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&event[..bytes]);
        Ok(bytes)
    }

    fn clear_halt(&mut self, pipe: Pipe) -> Result<(), PipeError> {
        let mut camera = self.touch()?;
        if pipe == Pipe::BulkIn && matches!(camera.outgoing.front(), Some(Outgoing::Stall)) {
            camera.forget();
        }
        Ok(())
    }

    fn class_out(
        &mut self,
        request: ClassRequest,
        bytes: &[u8],
        _timeout: Duration,
    ) -> Result<(), PipeError> {
        let mut camera = self.touch()?;
        camera.class_requests.push(request.number());
        if camera.oddities.no_class_requests {
            return Err(PipeError::Stalled);
        }
        match request {
            ClassRequest::Cancel => {
                assert_eq!((bytes.len(), &bytes[..2]), (6, &[0x01, 0x40][..]));
                camera.forget();
                camera.busy_polls = 2;
                camera.hung |= camera.oddities.hangs_after_cancel;
            }
            ClassRequest::DeviceReset => {
                camera.forget();
                camera.session = None;
                camera.hung = false;
                camera.busy_polls = 0;
            }
            ClassRequest::ExtendedEventData | ClassRequest::DeviceStatus => {
                return Err(PipeError::Stalled);
            }
        }
        Ok(())
    }

    fn class_in(
        &mut self,
        request: ClassRequest,
        buffer: &mut [u8],
        _timeout: Duration,
    ) -> Result<usize, PipeError> {
        let mut camera = self.touch()?;
        camera.class_requests.push(request.number());
        if camera.oddities.no_class_requests || request != ClassRequest::DeviceStatus {
            return Err(PipeError::Stalled);
        }
        let busy = camera.busy_polls > 0 || camera.hung;
        camera.busy_polls = camera.busy_polls.saturating_sub(1);
        let halted = matches!(camera.outgoing.front(), Some(Outgoing::Stall));
        let answer: &[u8] = match (halted, busy) {
            (true, _) => &[8, 0, 0x1F, 0x20, 0x81, 0, 0, 0],
            (false, true) => &[4, 0, 0x19, 0x20],
            (false, false) => &[4, 0, 0x01, 0x20],
        };
        buffer[..answer.len()].copy_from_slice(answer);
        Ok(answer.len())
    }

    fn probe(&mut self, _timeout: Duration) -> Result<(), PipeError> {
        self.touch().map(drop)
    }
}
