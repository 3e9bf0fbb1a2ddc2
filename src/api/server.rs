//! The daemon's end of the socket.

use super::{
    Answer, CLIENTS_MAX, REQUEST_BYTES_MAX, ROWS_MAX, Refusal, Request, Rights,
    peer::{Groups, Peer, group_id},
};
use crate::{
    clock::Clock,
    daemon::{Core, Doctor, Progress, Stopping},
    dock::{
        Command, IndexBroken, Records as _, View,
        report::{self, Filter, Page, Span},
    },
    journal::Journal,
    metrics::{self, VitalsError},
    spool::{FolderSpool, Spool as _},
    types::{CameraId, ObjectId},
};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use std::{
    fs, io,
    ops::ControlFlow,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::timeout,
};

const REQUEST_WAIT: Duration = Duration::from_secs(10);
/// Ids with one end that are named at most.
const FOUND_MAX: usize = 5;
const WATCH_MS: std::ops::RangeInclusive<u64> = 50..=60_000;

/// What answering needs.
#[derive(Clone)]
pub struct Api {
    pub core: Core,
    pub clock: Arc<dyn Clock>,
    pub journal: Arc<Journal>,
    pub spool: Arc<FolderSpool>,
    pub progress: Arc<Progress>,
    pub doctor: Arc<Doctor>,
    pub receipts: PathBuf,
    pub groups: (Option<String>, Option<String>),
}

/// Binds the socket and serves until the task is dropped.
///
/// # Errors
/// The socket cannot be made.
pub async fn serve(path: &Path, api: Api) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // Anybody may knock; who may come in is decided by what the kernel says of them.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    let slots = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let (socket, _) = listener.accept().await?;
        let Ok(slot) = slots.clone().acquire_owned().await else { return Ok(()) };
        let api = api.clone();
        tokio::spawn(async move {
            if let Err(error) = converse(socket, &api).await {
                tracing::debug!(%error, "a local client went away");
            }
            drop(slot);
        });
    }
}

async fn converse(socket: UnixStream, api: &Api) -> io::Result<()> {
    let peer = Peer::of(&socket)?;
    let groups = Groups {
        read: api.groups.0.as_deref().and_then(group_id),
        admin: api.groups.1.as_deref().and_then(group_id),
    };
    let rights = peer.rights(rustix::process::geteuid().as_raw(), groups);
    let (read, mut write) = socket.into_split();
    let mut read = BufReader::new(read).take(REQUEST_BYTES_MAX as u64);
    let mut line = Vec::new();
    timeout(REQUEST_WAIT, read.read_until(b'\n', &mut line)).await??;
    let request = match serde_json::from_slice::<Request>(&line) {
        Ok(request) => request,
        Err(error) => {
            let what = format!("the request is not understood: {error}");
            let refusal = Refusal::new(what, "use the bwvdock of the same version as the daemon");
            return send(&mut write, &Answer::Error(refusal)).await;
        }
    };
    let needed = if request.is_command() { Rights::Administer } else { Rights::Read };
    if rights < needed {
        let refusal = Refusal::new(
            format!("user {} may not do this on this dock", peer.uid),
            "ask an administrator to add you to `read_group` or `admin_group` of [api], or use sudo",
        );
        return send(&mut write, &Answer::Error(refusal)).await;
    }
    if let Request::Watch { every_ms } = request {
        let every = Duration::from_millis(every_ms.clamp(*WATCH_MS.start(), *WATCH_MS.end()));
        loop {
            let answer = answer(api, &peer, Request::Status).await;
            let last = matches!(answer, Answer::Error(_));
            send(&mut write, &answer).await?;
            if last {
                return Ok(());
            }
            tokio::time::sleep(every).await;
        }
    }
    let answer = answer(api, &peer, request).await;
    send(&mut write, &answer).await
}

async fn send(write: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    write.write_all(&line).await
}

async fn answer(api: &Api, peer: &Peer, request: Request) -> Answer {
    match reply(api, peer, request).await {
        Ok(value) => Answer::Ok(value),
        Err(refusal) => Answer::Error(refusal),
    }
}

impl From<Stopping> for Refusal {
    fn from(stopping: Stopping) -> Self {
        Self::new(stopping.to_string(), "ask again when it has started: `systemctl status bwvdock`")
    }
}

impl From<IndexBroken> for Refusal {
    fn from(error: IndexBroken) -> Self {
        Self::new(error.to_string(), "the daemon rebuilds it by itself; ask again in a minute")
    }
}

fn json(value: impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(value)
        .map_err(|error| Refusal::new(format!("the answer is no JSON: {error}"), "report this"))
}

/// Runs a long look at the index away from the network's threads.
async fn look<T: Serialize + Send + 'static>(
    api: &Api,
    look: impl FnOnce(&dyn View) -> Result<T, IndexBroken> + Send + 'static,
) -> Result<Value, Refusal> {
    let view = api.journal.view();
    let found = tokio::task::spawn_blocking(move || look(&view)).await;
    json(found.map_err(|error| Refusal::new(error.to_string(), "ask again"))??)
}

async fn reply(api: &Api, peer: &Peer, request: Request) -> Result<Value, Refusal> {
    let now = api.clock.now();
    let at = || {
        let usage = api.spool.usage();
        api.progress.now(usage.used, usage.limits.bytes_max)
    };
    match request {
        Request::Status | Request::Watch { .. } => {
            let (at, head) = (at(), api.journal.head());
            let head = (head.seq, head.hash);
            json(
                api.core
                    .look(move |dock, view| report::status(dock, &at, head, now, view))
                    .await??,
            )
        }
        Request::Bays => {
            let at = at();
            json(
                api.core
                    .look(move |dock, view| report::bay_reports(dock, &at, now, view))
                    .await??,
            )
        }
        Request::Health => match metrics::gather(api).await {
            Ok(vitals) => json(vitals),
            Err(VitalsError::Stopping(error)) => Err(error.into()),
            Err(VitalsError::Index(error)) => Err(error.into()),
        },
        Request::Cameras => {
            let at = at();
            look(api, move |view| report::camera_rows(view, &at, now, ROWS_MAX)).await
        }
        Request::Camera { camera } => {
            let at = at();
            look(api, move |view| report::camera_row(view, &at, now, &camera)).await
        }
        Request::Why { id } => {
            let known =
                api.core.look(move |dock, view| report::explain(dock, id, now, view)).await??;
            known.map(json).unwrap_or_else(|| {
                Err(Refusal::new(
                    format!("this dock knows nothing by the id {id}"),
                    "`bwvdock segments` and `bwvdock recordings` list the ids there are",
                ))
            })
        }
        Request::WhyBay { bay } => {
            let (at, name) = (at(), bay.clone());
            let core = &api.core;
            let answer = core
                .look(move |dock, view| report::explain_bay(dock, &name, &at, now, view))
                .await??;
            known(answer, format!("this dock has no bay {bay}"), "`bwvdock bays` lists them")
        }
        Request::WhyCamera { camera } => {
            let (at, id) = (at(), camera.clone());
            let core = &api.core;
            let answer = core
                .look(move |dock, view| report::explain_camera(dock, &id, &at, now, view))
                .await??;
            answer.map_or_else(|| Err(never_docked(&camera)), json)
        }
        Request::WhyNamed { name } => {
            let (at, core) = (at(), &api.core);
            json(
                core.look(move |dock, view| report::explain_named(dock, &name, &at, now, view))
                    .await??,
            )
        }
        Request::DryRun { offset, limit } => {
            let span = Span { offset, limit: limit.min(ROWS_MAX) };
            json(api.core.look(move |dock, view| report::dry_run(dock, now, view, span)).await??)
        }
        Request::Recordings { filter } => {
            let filter = bounded(api, filter)?;
            look(api, move |view| report::recording_rows(view, &filter)).await
        }
        Request::Segments { filter } => {
            let filter = bounded(api, filter)?;
            look(api, move |view| report::segment_rows(view, &filter)).await
        }
        Request::Queue { offset, limit } => {
            let span = Span { offset, limit: limit.min(ROWS_MAX) };
            look(api, move |view| report::objects(view, span)).await
        }
        Request::Find { digits } => {
            look(api, move |view| report::find(view, &digits, FOUND_MAX)).await
        }
        Request::Reconcile { camera } => {
            let named = camera.clone();
            let balances = look(api, move |view| report::reconcile(view, camera.as_ref())).await?;
            match named {
                // Nothing to balance must not look like a clean account.
                Some(id) if balances == Value::Array(Vec::new()) => Err(never_docked(&id)),
                _ => Ok(balances),
            }
        }
        Request::Custody { from, limit } => custody(api, from, limit.min(ROWS_MAX as u64)).await,
        Request::Receipt { object } => receipt(api, object),
        Request::Doctor => json(api.doctor.findings().await),
        command => {
            let command = command_of(command);
            let answer = api.core.ask(peer.actor(), command).await?;
            answer.map(Value::String).map_err(|what| {
                Refusal::new(what, "`bwvdock status` and `bwvdock why ID` tell how things stand")
            })
        }
    }
}

/// An explanation, or that there is nothing of that name.
fn known(answer: Option<report::Explanation>, what: String, next: &str) -> Result<Value, Refusal> {
    answer.map_or_else(|| Err(Refusal::new(what, next)), json)
}

fn never_docked(camera: &CameraId) -> Refusal {
    Refusal::new(
        format!("camera {camera} was never docked here"),
        "`bwvdock reconcile` lists every camera this dock knows",
    )
}

/// As many rows as an answer holds. No rows of a camera that nobody knows must not look like an
/// account of one that is empty.
fn bounded(api: &Api, filter: Filter) -> Result<Filter, Refusal> {
    if let Some(camera) = &filter.camera
        && api.journal.view().camera(camera)?.is_none()
    {
        return Err(never_docked(camera));
    }
    Ok(Filter { limit: filter.limit.min(ROWS_MAX), ..filter })
}

fn command_of(request: Request) -> Command {
    match request {
        Request::Pause { target, reason } => Command::Pause { target, reason },
        Request::Resume { target, reason } => Command::Resume { target, reason },
        Request::Retry { target, reason } => Command::Retry { target, reason },
        Request::AcceptDamage { first_seq, reason } => Command::AcceptDamage { first_seq, reason },
        Request::Hold { target, reason } => Command::Hold { target, reason },
        Request::Unhold { target, reason } => Command::Unhold { target, reason },
        Request::Acknowledge { camera, only, reason } => {
            Command::Acknowledge { camera, only, reason }
        }
        Request::Reclass { recording, class, reason } => {
            Command::Reclass { recording, class, reason }
        }
        // Looking again is the only command left, and does no harm.
        _ => Command::Release,
    }
}

/// Lines as they stand on disk; the list is the whole log, its first lines pruned or not.
async fn custody(api: &Api, from: Option<u64>, limit: u64) -> Result<Value, Refusal> {
    let journal = api.journal.clone();
    let last = journal.head().seq;
    let from = from.unwrap_or((last + 1).saturating_sub(limit)).max(1);
    let lines = tokio::task::spawn_blocking(move || {
        let mut lines: Vec<Box<RawValue>> = Vec::new();
        journal.read(from, limit, &mut |line| {
            let text = String::from_utf8_lossy(line.bytes).into_owned();
            lines.extend(RawValue::from_string(text));
            ControlFlow::Continue(())
        })?;
        Ok::<_, crate::journal::JournalError>(lines)
    });
    let lines = lines.await.map_err(|error| Refusal::new(error.to_string(), "ask again"))?;
    let lines =
        lines.map_err(|error| Refusal::new(error.to_string(), "look at the dock's disk"))?;
    json(Page::new(lines, from - 1, last))
}

fn receipt(api: &Api, object: ObjectId) -> Result<Value, Refusal> {
    let path = api.receipts.join(format!("{object}.receipt"));
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Value::String(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Refusal::new(
            format!("there is no receipt for object {object}"),
            "`bwvdock why ID` tells how far it is; `bwvdock segments` names the object of a segment",
        )),
        Err(error) => Err(Refusal::new(
            format!("the receipt of {object} cannot be read: {error}"),
            "look at the dock's disk; a copy lies beside the object in the store",
        )),
    }
}
