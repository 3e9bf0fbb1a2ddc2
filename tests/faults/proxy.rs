//! A bad network and a lying store, on the loopback, between the dock and a real store.
//!
//! In front of a store that speaks plain HTTP it reads every request, decides by [`Rule`]s what
//! goes wrong with it, and keeps a [`Seen`] of it. What goes wrong is a [`Fault`]; without one,
//! request and answer pass byte for byte (only the connection to the store ends with each answer).

use crate::http::{Answer, Request, read_request};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

/// What a call of S3 is, as its request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    Head,
    Get,
    Put,
    Create,
    ListUploads,
    UploadPart,
    ListParts,
    Complete,
    Abort,
    Other,
}

/// What goes wrong with one request.
#[derive(Clone)]
pub enum Fault {
    /// The connection closes when so many bytes of the request have passed.
    CutRequest(u64),
    /// So many bytes pass, the rest is never read; nothing is ever said.
    StallRequest(u64),
    /// As a cut, with a reset instead of an end.
    ResetRequest(u64),
    /// One bit of the body turns over on the way, at this byte.
    FlipBit(u64),
    /// The store never sees the request; this is said.
    Answer(Vec<u8>),
    /// The store does as asked; this is said instead of its answer.
    AnswerAfter(Vec<u8>),
    /// The store does as asked; so many bytes of its answer arrive, then the connection closes.
    CutAnswer(u64),
    /// As a cut, with a reset instead of an end.
    ResetAnswer(u64),
    /// As a cut, and the end never arrives: half-open.
    StallAnswer(u64),
    /// So many bytes of the answer in each tenth of a second.
    Trickle(usize),
    /// The store does as asked; its answer is changed on the way.
    Rewrite(fn(&mut Answer)),
    /// This, then the filling again and again until the dock has had enough.
    Endless(&'static str, &'static str),
}

/// Strikes calls of one kind.
#[derive(Clone)]
pub struct Rule {
    /// None: every call.
    pub op: Option<Op>,
    /// Only keys that end like this.
    pub key_end: &'static str,
    /// Only objects that the store has shown by a HEAD before.
    pub shown: bool,
    /// So many calls pass before.
    pub skip: u32,
    /// So many calls are struck.
    pub times: u32,
    pub fault: Fault,
}

/// A request that came by.
#[derive(Debug, Clone)]
pub struct Seen {
    pub op: Op,
    pub key: String,
    pub at: Instant,
    /// Whether something went wrong with it.
    pub struck: bool,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    seen: Vec<Seen>,
    shown: BTreeSet<String>,
}

struct Shared {
    upstream: SocketAddr,
    state: Mutex<State>,
    /// Bytes that were written to the dock, all answers together.
    said: AtomicU64,
}

/// Listens as long as it lives.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    // The connections end with it.
    runtime: Option<Runtime>,
}

impl Proxy {
    pub fn start(upstream: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream,
            state: Mutex::new(State::default()),
            said: AtomicU64::new(0),
        });
        let kept = shared.clone();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((dock, _)) = listener.accept().await {
                let shared = shared.clone();
                tokio::spawn(async move { shared.serve(dock).await });
            }
        });
        Self { address, shared: kept, runtime: Some(runtime) }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on these go wrong, and nothing else.
    pub fn set(&self, rules: Vec<Rule>) {
        self.shared.lock().rules = rules;
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.set(Vec::new());
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// How many requests were struck so far.
    pub fn struck(&self) -> usize {
        self.shared.lock().seen.iter().filter(|seen| seen.struck).count()
    }

    pub fn said_bytes(&self) -> u64 {
        self.shared.said.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides what goes wrong with this request, and counts it.
    fn meet(&self, request: &Request) -> Option<Fault> {
        let mut state = self.lock();
        let op = request.op();
        let shown = state.shown.contains(&request.key);
        let meant = |rule: &&mut Rule| {
            rule.op.is_none_or(|wanted| wanted == op)
                && request.key.ends_with(rule.key_end)
                && (shown || !rule.shown)
        };
        let mut fault = None;
        // Only the first rule that is meant: rules for the same calls follow each other.
        if let Some(rule) = state.rules.iter_mut().filter(|rule| rule.times > 0).find(meant) {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else {
                rule.times -= 1;
                fault = Some(rule.fault.clone());
            }
        }
        let (key, at) = (request.key.clone(), Instant::now());
        state.seen.push(Seen { op, key, at, struck: fault.is_some() });
        fault
    }

    async fn serve(&self, mut dock: TcpStream) {
        // Any error is the end of this connection; what matters is what the dock makes of it.
        while let Some(request) = read_request(&mut dock).await {
            let fault = self.meet(&request);
            let goes_on = self.one(&mut dock, request, fault).await;
            if !goes_on.unwrap_or(false) {
                return;
            }
        }
    }

    /// One request; whether the connection may be used again.
    async fn one(
        &self,
        dock: &mut TcpStream,
        mut request: Request,
        fault: Option<Fault>,
    ) -> std::io::Result<bool> {
        match fault {
            Some(Fault::CutRequest(after)) => {
                self.pass_some(dock, &mut request, after).await?;
                return Ok(false);
            }
            Some(Fault::ResetRequest(after)) => {
                self.pass_some(dock, &mut request, after).await?;
                dock.set_zero_linger()?;
                return Ok(false);
            }
            Some(Fault::StallRequest(after)) => {
                let _store = self.pass_some(dock, &mut request, after).await?;
                std::future::pending::<()>().await;
            }
            Some(Fault::Answer(says)) => {
                request.read_rest(dock).await?;
                self.say(dock, &says).await?;
                return Ok(false);
            }
            Some(Fault::Endless(begin, filling)) => {
                request.read_rest(dock).await?;
                self.say(dock, begin.as_bytes()).await?;
                let filling = filling.repeat(1 + 16_384 / filling.len());
                loop {
                    self.say(dock, filling.as_bytes()).await?;
                }
            }
            Some(Fault::FlipBit(at)) => {
                request.read_rest(dock).await?;
                request.body[at as usize] ^= 1;
                let answer = self.ask_store(&request).await?;
                self.say(dock, &answer.bytes()).await?;
                return Ok(true);
            }
            Some(Fault::AnswerAfter(says)) => {
                request.read_rest(dock).await?;
                self.ask_store(&request).await?;
                self.say(dock, &says).await?;
                return Ok(false);
            }
            Some(Fault::CutAnswer(after)) => {
                self.answer_some(dock, request, after).await?;
                return Ok(false);
            }
            Some(Fault::ResetAnswer(after)) => {
                self.answer_some(dock, request, after).await?;
                dock.set_zero_linger()?;
                return Ok(false);
            }
            Some(Fault::StallAnswer(after)) => {
                self.answer_some(dock, request, after).await?;
                std::future::pending::<()>().await;
            }
            Some(Fault::Trickle(bytes)) => {
                request.read_rest(dock).await?;
                let answer = self.ask_store(&request).await?.bytes();
                for some in answer.chunks(bytes) {
                    self.say(dock, some).await?;
                    // The slowness is the fault itself.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            Some(Fault::Rewrite(change)) => {
                request.read_rest(dock).await?;
                let mut answer = self.ask_store(&request).await?;
                change(&mut answer);
                self.say(dock, &answer.bytes()).await?;
            }
            None => {
                request.read_rest(dock).await?;
                let answer = self.ask_store(&request).await?;
                if request.op() == Op::Head && answer.head.starts_with("HTTP/1.1 200") {
                    self.lock().shown.insert(request.key.clone());
                }
                self.say(dock, &answer.bytes()).await?;
            }
        }
        Ok(true)
    }

    async fn say(&self, dock: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
        dock.write_all(bytes).await?;
        self.said.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    async fn answer_some(
        &self,
        dock: &mut TcpStream,
        mut request: Request,
        after: u64,
    ) -> std::io::Result<()> {
        request.read_rest(dock).await?;
        let answer = self.ask_store(&request).await?.bytes();
        self.say(dock, &answer[..answer.len().min(after as usize)]).await
    }

    /// Passes the first bytes of a request on; the connection to the store closes with the result.
    async fn pass_some(
        &self,
        dock: &mut TcpStream,
        request: &mut Request,
        after: u64,
    ) -> std::io::Result<TcpStream> {
        let mut store = TcpStream::connect(self.upstream).await?;
        let mut some = request.head();
        some.extend_from_slice(&request.body);
        while (some.len() as u64) < after && (request.body.len() as u64) < request.length {
            let mut piece = vec![0; 64 << 10];
            let n = dock.read(&mut piece).await?;
            if n == 0 {
                break;
            }
            request.body.extend_from_slice(&piece[..n]);
            some.extend_from_slice(&piece[..n]);
        }
        some.truncate(after as usize);
        // A store may have hung up already.
        let _ = store.write_all(&some).await;
        Ok(store)
    }

    async fn ask_store(&self, request: &Request) -> std::io::Result<Answer> {
        let mut store = TcpStream::connect(self.upstream).await?;
        let (mut reading, mut writing) = store.split();
        let mut says = Vec::new();
        let send = async {
            writing.write_all(&request.head()).await?;
            writing.write_all(&request.body).await
        };
        // It may answer, and hang up, before it has everything.
        let (_, read) = tokio::join!(send, reading.read_to_end(&mut says));
        match read {
            Err(error) if says.is_empty() => Err(error),
            Ok(_) | Err(_) => Ok(Answer::parse(says)),
        }
    }
}
