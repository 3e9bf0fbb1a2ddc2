//! A bad cable: bytes pass between the dock and whatever is behind, until a connection's turn to
//! fail comes. Knows nothing of what the bytes mean, so it also stands in front of TLS.

use std::{
    collections::VecDeque,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// What becomes of one connection.
#[derive(Debug, Clone, Copy)]
pub enum Cable {
    Good,
    /// Both ways end when so many bytes went to the store.
    CutUp(u64),
    /// Both ways end when so many bytes came back.
    CutDown(u64),
    /// From so many bytes back on nothing comes any more, and the end neither.
    StallDown(u64),
}

/// Connections take the plan's cables in turn; when it is used up, all are good.
pub struct Wire {
    pub address: SocketAddr,
    plan: Arc<Mutex<VecDeque<Cable>>>,
    broken: Arc<AtomicUsize>,
}

impl Wire {
    /// Its threads end with the test's process.
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self {
            address: listener.local_addr().unwrap(),
            plan: Arc::default(),
            broken: Arc::default(),
        };
        let (plan, broken) = (wire.plan.clone(), wire.broken.clone());
        thread::spawn(move || {
            for dock in listener.incoming().flatten() {
                let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
                let cable = plan.pop_front().unwrap_or(Cable::Good);
                if !matches!(cable, Cable::Good) {
                    broken.fetch_add(1, Ordering::Relaxed);
                }
                // While the store is away a connection ends at once.
                let Ok(store) = TcpStream::connect(upstream) else { continue };
                connect(cable, dock, store);
            }
        });
        wire
    }

    pub fn plan(&self, cables: impl IntoIterator<Item = Cable>) {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).extend(cables);
    }

    /// How many connections have failed as planned.
    pub fn broken(&self) -> usize {
        self.broken.load(Ordering::Relaxed)
    }
}

fn connect(cable: Cable, dock: TcpStream, store: TcpStream) {
    let (up, down, stalls) = match cable {
        Cable::Good => (u64::MAX, u64::MAX, false),
        Cable::CutUp(bytes) => (bytes, u64::MAX, false),
        Cable::CutDown(bytes) => (u64::MAX, bytes, false),
        Cable::StallDown(bytes) => (u64::MAX, bytes, true),
    };
    let (Ok(dock_too), Ok(store_too)) = (dock.try_clone(), store.try_clone()) else { return };
    thread::spawn(move || pass(dock, store, up, false));
    thread::spawn(move || pass(store_too, dock_too, down, stalls));
}

/// Passes so many bytes; then ends both connections, or swallows the rest without a word.
fn pass(mut from: TcpStream, mut to: TcpStream, bytes: u64, stalls: bool) {
    let (mut left, mut piece) = (bytes, vec![0; 64 << 10]);
    loop {
        let read = from.read(&mut piece).unwrap_or(0);
        let some = read.min(usize::try_from(left).unwrap_or(usize::MAX));
        left -= some as u64;
        let passed = read > 0 && to.write_all(&piece[..some]).is_ok();
        if passed && left > 0 || left == 0 && stalls && read > 0 {
            continue;
        }
        if !(left == 0 && stalls) {
            // Either may be gone already.
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        }
        return;
    }
}
