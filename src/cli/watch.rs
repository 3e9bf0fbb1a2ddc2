//! `watch`: the dock, again and again, in a terminal of any size.
//!
//! On a terminal it draws on the alternate screen and gives the old one back however it ends, save
//! by SIGKILL; it survives a restart of the daemon. Elsewhere it writes one picture a change, or
//! with `--json` one line a look.

use super::{
    Complaint, Exit, Outcome,
    picture::{Size, change, picture},
    render,
};
use crate::{
    api::{Client, ClientError, Request},
    dock::report::StatusReport,
    types::plain,
};
use rustix::{
    process::{Signal, getpid, kill_process},
    termios::tcgetwinsize,
};
use serde_json::Value;
use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// Another screen without a cursor; and the first one again, as it was.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

pub fn watch(socket: &Path, every: f64, as_json: bool) -> Outcome {
    if !(0.05..=60.0).contains(&every) {
        let what = format!("--every {every} is not possible");
        return Err(Complaint::new(Exit::Usage, what, "give 0.05 to 60 seconds"));
    }
    let every = Duration::from_secs_f64(every);
    let (feed, first) = Feed::open(socket, every)?;
    let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
    match (as_json, io::stdout().is_terminal() && !dumb) {
        (true, _) => lines(feed, first, |value| Ok(value.to_string() + "\n")),
        (false, false) => {
            let mut last = String::new();
            lines(feed, first, move |value| changed(value, &mut last))
        }
        (false, true) => on_terminal(feed, first, socket.to_owned(), every),
    }
}

/// A connection that brings one status after the other.
struct Feed(Client);

impl Feed {
    fn open(socket: &Path, every: Duration) -> Result<(Self, Value), ClientError> {
        let mut client = Client::connect(socket)?;
        // The next one comes when it is due, and a busy dock may be late.
        client.be_patient(every + Duration::from_secs(60))?;
        let first = client.ask(&Request::Watch { every_ms: every.as_millis() as u64 })?;
        Ok((Self(client), first))
    }
}

/// For readers that are no terminal.
fn lines(
    mut feed: Feed,
    first: Value,
    mut words: impl FnMut(Value) -> Result<String, ClientError>,
) -> Outcome {
    let mut value = first;
    loop {
        let text = words(value)?;
        let mut out = io::stdout().lock();
        // A closed pipe is how a watch in a script ends.
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return Ok(Exit::Fine);
        }
        value = feed.0.next_answer()?;
    }
}

/// The picture if it is another one than before, else nothing.
fn changed(value: Value, last: &mut String) -> Result<String, ClientError> {
    let status = decoded(value)?;
    let new = change(&status);
    if *last == new {
        return Ok(String::new());
    }
    let text = format!("{}\n{}\n", render::utc(status.at), plain(&new));
    *last = new;
    Ok(text)
}

fn decoded(value: Value) -> Result<StatusReport, ClientError> {
    serde_json::from_value(render::one_line(value)).map_err(ClientError::Garbled)
}

type Heard = Result<StatusReport, ClientError>;

/// Listens, and again after the dock was away, until nobody wants to hear any more.
fn listen(mut feed: Option<Feed>, socket: &Path, every: Duration, tell: &mpsc::Sender<Heard>) {
    loop {
        let heard = match &mut feed {
            Some(feed) => feed.0.next_answer(),
            None => Feed::open(socket, every).map(|(new, first)| {
                feed = Some(new);
                first
            }),
        };
        let lost = heard.is_err();
        if tell.blocking_send(heard.and_then(decoded)).is_err() {
            return;
        }
        if lost {
            feed = None;
            thread::sleep(every);
        }
    }
}

/// The other screen; the first one comes back when it goes.
struct Screen {
    coloured: bool,
    drawn: Option<Size>,
}

impl Screen {
    fn enter() -> io::Result<Self> {
        let coloured = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let screen = Self { coloured, drawn: None };
        say(ENTER)?;
        Ok(screen)
    }

    fn draw(&mut self, status: &StatusReport, notice: Option<&str>) -> io::Result<()> {
        let size = size();
        let lines = picture(status, notice, size, self.coloured);
        // Drawn over what is there, so that nothing flickers; a new size begins anew.
        let mut text =
            String::from(if self.drawn == Some(size) { "\x1b[H" } else { "\x1b[2J\x1b[H" });
        text.push_str(&lines.join("\x1b[K\r\n"));
        text.push_str("\x1b[K\x1b[J");
        self.drawn = Some(size);
        say(&text)
    }

    /// Gives the terminal back, stops, and goes on when the shell says so.
    fn suspend(&mut self) -> io::Result<()> {
        say(LEAVE)?;
        kill_process(getpid(), Signal::STOP)?;
        self.drawn = None;
        say(ENTER)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = say(LEAVE);
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Of the terminal; of an ordinary one where it does not say.
fn size() -> Size {
    let known = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    known.map_or(Size { columns: 80, lines: 24 }, |size| Size {
        columns: size.ws_col.into(),
        lines: size.ws_row.into(),
    })
}

fn on_terminal(feed: Feed, first: Value, socket: PathBuf, every: Duration) -> Outcome {
    let failed = |error: io::Error| {
        Complaint::new(
            Exit::Failed,
            format!("cannot watch: {error}"),
            "`bwvdock status` looks once",
        )
    };
    let first = decoded(first)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failed)?;
    let (tell, heard) = mpsc::channel(1);
    // It ends with the process: it may be waiting for a dock that says nothing.
    thread::spawn(move || listen(Some(feed), &socket, every, &tell));
    runtime.block_on(show(first, heard)).unwrap_or_else(|error| match error {
        // The terminal went away: so did whoever watched.
        Ended::Terminal => Ok(Exit::Fine),
        Ended::Setup(error) => Err(failed(error)),
    })
}

/// Why no picture can be drawn.
enum Ended {
    Setup(io::Error),
    Terminal,
}

async fn show(first: StatusReport, mut heard: mpsc::Receiver<Heard>) -> Result<Outcome, Ended> {
    let catch = |kind| signal(kind).map_err(Ended::Setup);
    let (mut int, mut term, mut hup) = (
        catch(SignalKind::interrupt())?,
        catch(SignalKind::terminate())?,
        catch(SignalKind::hangup())?,
    );
    let mut quit = catch(SignalKind::quit())?;
    let mut resized = catch(SignalKind::window_change())?;
    let mut stop = catch(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
    let (mut status, mut notice) = (first, None::<String>);
    let mut screen = Screen::enter().map_err(|_| Ended::Terminal)?;
    loop {
        screen.draw(&status, notice.as_deref()).map_err(|_| Ended::Terminal)?;
        tokio::select! {
            next = heard.recv() => match next {
                Some(Ok(new)) => (status, notice) = (new, None),
                Some(Err(error @ (ClientError::Unreachable { .. } | ClientError::Broken(_)))) => {
                    notice = Some(format!("{error}; this is how it was. Asking again"));
                }
                Some(Err(error)) => return Ok(Err(error.into())),
                None => return Ok(Ok(Exit::Fine)),
            },
            _ = resized.recv() => {}
            _ = stop.recv() => screen.suspend().map_err(|_| Ended::Terminal)?,
            _ = int.recv() => return Ok(Ok(Exit::Fine)),
            _ = term.recv() => return Ok(Ok(Exit::Fine)),
            _ = hup.recv() => return Ok(Ok(Exit::Fine)),
            _ = quit.recv() => return Ok(Ok(Exit::Fine)),
        }
    }
}
