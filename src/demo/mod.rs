//! `bwvdock demo`: the main job on real input, on any machine, with nothing set up.
//!
//! What runs is the real thing: this same binary as the vault, and as the daemon, in processes of
//! their own, on a workspace with real keys, TLS and files. Only the cameras are simulated, and
//! with `--camera` not even those.

mod docked;
mod foreign;
mod progress;
mod summary;
mod workspace;

use crate::{
    api::{self, Client, ClientError, Request},
    cli::{Complaint, Exit},
    daemon::chain,
    dock::report::{
        CameraBalance, Explanation, Filter, Light, Page, SegmentRow, Span, StatusReport,
    },
};
use clap::Args;
use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use workspace::Workspace;

/// Shows the main job: two cameras are docked, verified, sealed, stored, proved and released
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Dock this folder, SD card or USB stick instead of simulated cameras; may be repeated.
    /// Read only: nothing is erased from it unless --release is given
    #[arg(long = "camera", value_name = "DIR")]
    cameras: Vec<PathBuf>,
    /// Erase from --camera folders what the release rule allows. Only with --keep, or with a
    /// --store whose FILE names recipients: the store and a key must outlive the demo
    #[arg(long)]
    release: bool,
    /// Keep the workspace (identity, store, journal, receipts, configuration) in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Use the store of this configuration ([store] section) instead of the embedded one; the
    /// recipients under its [seal] can open what is sealed for it, as the demo's own key can
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
}

/// No progress at all for this long: something is stuck, say what.
const STUCK_AFTER: Duration = Duration::from_secs(120);
/// Nothing but files that somebody still writes to for this long: they are told, and left.
const GROWING_FOR: Duration = Duration::from_secs(120);
const START_WITHIN: Duration = Duration::from_secs(20);

/// A child process that does not outlive the demo.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Result<Self, Complaint> {
        command.spawn().map(Self).map_err(|error| failed(format!("cannot start myself: {error}")))
    }

    /// SIGTERM, a while, then SIGKILL.
    fn stop(&mut self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn failed(what: impl Into<String>) -> Complaint {
    Complaint::new(Exit::Failed, what, "run it with --keep DIR and look at DIR/daemon.log")
}

fn usage(what: impl Into<String>, next: &str) -> Complaint {
    Complaint::new(Exit::Usage, what, next)
}

/// Runs the demo; [`Exit::Fine`] only if every segment reached the end.
///
/// # Errors
/// A [`Complaint`] for people.
pub fn run(args: DemoArgs, as_json: bool) -> Result<Exit, Complaint> {
    let work = Workspace::make(&args)?;
    let myself = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let (vault, endpoint) = match &args.store {
        Some(_) => (None, None),
        None => {
            let (vault, endpoint) = start_vault(&myself, &work)?;
            (Some(vault), Some(endpoint))
        }
    };
    work.write_config(&args, endpoint.as_deref())?;
    let mut daemon = start_daemon(&myself, &work)?;
    let mut client = connect(&work, &mut daemon)?;
    let started = Instant::now();
    let status = watch(&mut client, as_json, &mut daemon, &work);
    let took = started.elapsed();
    let status = status.inspect_err(|_| work.show_log())?;
    drop(client);
    let rows = segments(&work)?;
    let rule = all(&work, |Span { offset, limit }| Request::DryRun { offset, limit })?;
    let mut noted = noted(&work, &status)?;
    noted.splice(0..0, work.nobody_opens.clone());
    // The log is complete, and checked, only when its writer has ended.
    daemon.stop();
    let summary =
        summary::Summary::make(&work, &status, (&rows, &rule), noted, took, args.store.is_some())?;
    drop(vault);
    let fine = summary.complete;
    summary.print(as_json);
    Ok(if fine { Exit::Fine } else { Exit::Differs })
}

fn start_vault(myself: &Path, work: &Workspace) -> Result<(Running, String), Complaint> {
    let mut command = Command::new(myself);
    command
        .args(["vault", "--die-with-parent"])
        .args(["--listen", "127.0.0.1:0"])
        .arg("--root")
        .arg(work.path("store"))
        .arg("--access-key-file")
        .arg(work.path("store.access"))
        .arg("--secret-key-file")
        .arg(work.path("store.secret"))
        .arg("--cert-file")
        .arg(work.path("tls/server.pem"))
        .arg("--key-file")
        .arg(work.path("tls/server.key"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log(work, "vault.log")?);
    let mut vault = Running::start(command)?;
    let mut line = String::new();
    if let Some(out) = vault.0.stdout.take() {
        BufReader::new(out).read_line(&mut line).map_err(|error| failed(error.to_string()))?;
    }
    match line.trim().strip_prefix("listening ") {
        Some(endpoint) => Ok((vault, endpoint.to_owned())),
        None => {
            work.show_log();
            Err(failed("the embedded store did not start"))
        }
    }
}

fn log(work: &Workspace, name: &str) -> Result<File, Complaint> {
    File::create(work.path(name)).map_err(|error| failed(format!("{name}: {error}")))
}

fn start_daemon(myself: &Path, work: &Workspace) -> Result<Running, Complaint> {
    let mut command = Command::new(myself);
    command
        .args(["daemon", "--die-with-parent"])
        .arg("--config")
        .arg(work.path("bwvdock.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log(work, "daemon.log")?);
    Running::start(command)
}

fn connect(work: &Workspace, daemon: &mut Running) -> Result<Client, Complaint> {
    let end = Instant::now() + START_WITHIN;
    loop {
        match Client::connect(work.socket()) {
            Ok(client) => return Ok(client),
            Err(error @ ClientError::Unreachable { .. }) => {
                let ended = !matches!(daemon.0.try_wait(), Ok(None));
                if ended || Instant::now() > end {
                    work.show_log();
                    return Err(failed(format!("the daemon did not start: {}", chain(&error))));
                }
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn segments(work: &Workspace) -> Result<Vec<SegmentRow>, Complaint> {
    let page: Page<SegmentRow> = all(work, |Span { offset, limit }| Request::Segments {
        filter: Filter { offset, limit, ..Filter::default() },
    })?;
    Ok(page.rows)
}

/// All that is known of each bay's camera and is no trouble: a bay tells a few of it only, and
/// nobody can be asked for the rest once the daemon has ended.
fn noted(work: &Workspace, status: &StatusReport) -> Result<Vec<String>, Complaint> {
    let mut noted = Vec::new();
    for bay in status.bays.iter().filter(|bay| !bay.notes.is_empty()) {
        let Some(camera) = &bay.camera else {
            // An empty card: first what the bay says, then each thing that was left out.
            let request = Request::WhyBay { bay: bay.bay.clone() };
            let why: Explanation = Client::connect(work.socket())?.ask(&request)?;
            noted.extend(why.because.into_iter().skip(1));
            continue;
        };
        let request = Request::Reconcile { camera: Some(camera.clone()) };
        let balances: Vec<CameraBalance> = Client::connect(work.socket())?.ask(&request)?;
        let notes = balances.into_iter().flat_map(|balance| balance.notes);
        // What is a problem is said as one.
        let notes = notes.filter(|n| !status.problems.iter().any(|p| p.ends_with(n.as_str())));
        noted.extend(notes.map(|note| format!("camera {camera}: {note}")));
    }
    Ok(noted)
}

/// A whole list, however long.
fn all<T: serde::de::DeserializeOwned>(
    work: &Workspace,
    request: impl Fn(Span) -> Request,
) -> Result<T, Complaint> {
    let value = api::ask_rows(work.socket(), Span::from(usize::MAX), request)?;
    Ok(serde_json::from_value(value).map_err(ClientError::Garbled)?)
}

/// Follows the work until nothing is left to do.
fn watch(
    client: &mut Client,
    as_json: bool,
    daemon: &mut Running,
    work: &Workspace,
) -> Result<StatusReport, Complaint> {
    let mut screen = progress::Screen::new(as_json);
    let mut status: StatusReport = client.ask(&Request::Watch { every_ms: 100 })?;
    let mut last = (custody(&status), Instant::now());
    let mut growing: Option<Instant> = None;
    loop {
        screen.show(&status);
        growing = match work.is_only_written_to(&status) {
            true => Some(growing.unwrap_or_else(Instant::now)),
            false => None,
        };
        let left = growing.is_some_and(|since| since.elapsed() > GROWING_FOR);
        if work.is_done(&status) || left {
            screen.finish();
            return Ok(status);
        }
        let now = custody(&status);
        if now != last.0 {
            last = (now, Instant::now());
        } else if last.1.elapsed() > STUCK_AFTER {
            screen.finish();
            let why: Vec<_> = status
                .bays
                .iter()
                .filter(|bay| bay.light != Light::Green)
                .map(|bay| format!("bay {}: {}", bay.bay, bay.words))
                .chain(status.problems.iter().cloned())
                .collect();
            return Err(failed(format!("nothing moves any more: {}", why.join("; "))));
        }
        status = match client.next_answer() {
            Ok(status) => status,
            Err(error) => {
                screen.finish();
                let ended = !matches!(daemon.0.try_wait(), Ok(None));
                let what = if ended { "the daemon ended" } else { "the daemon does not answer" };
                return Err(failed(format!("{what}: {}", chain(&error))));
            }
        };
    }
}

/// What changes while anything happens.
fn custody(status: &StatusReport) -> (u64, u64, u64) {
    let moving = status.bays.iter().map(|bay| bay.to_copy.bytes + bay.bytes).sum::<u64>();
    (status.custody_seq, moving, status.uploads.iter().map(|upload| upload.done).sum())
}
