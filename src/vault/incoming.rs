//! The request body as it comes from the wire: watched, and drained when it was not wanted.
//!
//! A client that is refused while still sending would see a reset instead of the answer, so what
//! is left of the body is read and thrown away, up to a bound, before the answer goes out.

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep};

/// Longest silence of a client in the middle of a body.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Most bytes and longest time spent on a body nobody wants.
const DRAIN_BYTES_MAX: u64 = 64 << 20;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(20);

/// How the transport of a body went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Open,
    /// Every byte came.
    Ended,
    /// The connection broke or fell silent.
    Broken,
}

struct Inner {
    body: Incoming,
    silence: Pin<Box<Sleep>>,
    transport: Transport,
    /// How much of the body came.
    bytes: u64,
    /// The client waits for `100 Continue`, which asking for the body would send.
    waiting: bool,
}

/// A handle on a body; clones look at the same one.
#[derive(Clone)]
pub(super) struct WatchedBody(Arc<Mutex<Inner>>);

impl WatchedBody {
    pub fn new(body: Incoming, waiting: bool) -> Self {
        let transport = if body.is_end_stream() { Transport::Ended } else { Transport::Open };
        let silence = Box::pin(sleep(SILENCE_MAX));
        Self(Arc::new(Mutex::new(Inner { body, silence, transport, bytes: 0, waiting })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn transport(&self) -> Transport {
        self.inner().transport
    }

    /// How many bytes of the body came so far.
    pub fn bytes(&self) -> u64 {
        self.inner().bytes
    }

    /// Throws away what has not been read; whether the body is at its end afterwards.
    pub async fn drain(mut self) -> bool {
        if self.inner().waiting {
            return self.transport() == Transport::Ended;
        }
        let all = async {
            let mut drained = 0;
            while self.transport() == Transport::Open && drained <= DRAIN_BYTES_MAX {
                let frame = std::future::poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await;
                if let Some(Ok(frame)) = frame {
                    drained += frame.data_ref().map_or(0, |data| data.len() as u64);
                }
            }
        };
        let _ = tokio::time::timeout(DRAIN_TIME_MAX, all).await;
        self.transport() == Transport::Ended
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let mut guard = self.inner();
        let inner = &mut *guard;
        inner.waiting = false;
        let frame = match Pin::new(&mut inner.body).poll_frame(cx) {
            Poll::Pending => {
                if inner.silence.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                Some(Err(io::Error::from(io::ErrorKind::TimedOut)))
            }
            Poll::Ready(frame) => frame.map(|frame| frame.map_err(io::Error::other)),
        };
        inner.silence.as_mut().reset(Instant::now() + SILENCE_MAX);
        if let Some(Ok(frame)) = &frame {
            inner.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        match &frame {
            None => inner.transport = Transport::Ended,
            Some(Err(_)) => inner.transport = Transport::Broken,
            Some(Ok(_)) if inner.body.is_end_stream() => inner.transport = Transport::Ended,
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner().body.size_hint()
    }
}
