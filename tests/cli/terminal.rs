//! `watch` on a real terminal: it fits, follows the size, outlives the daemon and gives the old
//! screen back.

use crate::dock::{Dock, Process, bwvdock};
use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use std::{
    fs::File,
    io::Read as _,
    os::fd::OwnedFd,
    sync::{Arc, Mutex},
    thread,
};

/// What a terminal shows of what was written to it: as much of ECMA-48 as `watch` uses.
#[derive(Default)]
struct Shown {
    lines: Vec<String>,
    at: (usize, usize),
    other_screen: bool,
    hidden_cursor: bool,
    everything: String,
}

impl Shown {
    fn take(&mut self, text: &str) {
        self.everything.push_str(text);
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\x1b' => {
                    let sequence = rest.strip_prefix('[').expect("a control sequence");
                    let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                    self.obey(&sequence[..=end]);
                    rest = &sequence[end + 1..];
                }
                '\r' => self.at.1 = 0,
                '\n' => self.at.0 += 1,
                c => self.put(c),
            }
        }
    }

    fn put(&mut self, c: char) {
        let (row, column) = self.at;
        self.lines.resize(self.lines.len().max(row + 1), String::new());
        let line = &mut self.lines[row];
        let mut chars: Vec<_> = line.chars().collect();
        chars.resize(chars.len().max(column + 1), ' ');
        chars[column] = c;
        *line = chars.into_iter().collect();
        self.at.1 += 1;
    }

    fn obey(&mut self, sequence: &str) {
        let (row, column) = self.at;
        match sequence {
            "?1049h" => self.other_screen = true,
            "?1049l" => self.other_screen = false,
            "?25l" => self.hidden_cursor = true,
            "?25h" => self.hidden_cursor = false,
            "H" => self.at = (0, 0),
            "2J" => self.lines.clear(),
            "K" => {
                if let Some(line) = self.lines.get_mut(row) {
                    *line = line.chars().take(column).collect();
                }
            }
            "J" => self.lines.truncate(row + 1),
            colour if colour.ends_with('m') => {}
            other => panic!("{other:?} is not expected"),
        }
    }
}

struct Terminal {
    controller: Arc<OwnedFd>,
    shown: Arc<Mutex<Shown>>,
    watch: Process,
}

impl Terminal {
    fn start(dock: &Dock, columns: u16, lines: u16) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let open = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        resize(&controller, columns, lines);
        let mut command = bwvdock();
        command.arg("--socket").arg(dock.path("api.sock")).args(["watch", "--every", "0.1"]);
        command.env("TERM", "xterm").env_remove("NO_COLOR");
        let watch = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
        let controller = Arc::new(controller);
        let shown = Arc::new(Mutex::new(Shown::default()));
        let (mut out, seen) = (File::from(controller.try_clone().unwrap()), shown.clone());
        thread::spawn(move || {
            let (mut buffer, mut left) = ([0; 4096], Vec::new());
            // The end of the last writer is an error on a pseudo-terminal.
            while let Ok(n @ 1..) = out.read(&mut buffer) {
                left.extend_from_slice(&buffer[..n]);
                // A picture is taken whole: it ends where the rest of the screen is cleared.
                let text = String::from_utf8_lossy(&left).into_owned();
                let end = ["\x1b[J", "h", "l"]
                    .iter()
                    .filter_map(|e| text.rfind(e).map(|at| at + e.len()));
                if let Some(end) = end.max() {
                    seen.lock().unwrap().take(&text[..end]);
                    left = text.as_bytes()[end..].to_vec();
                }
            }
        });
        Self { controller, shown, watch: Process(watch) }
    }

    fn lines(&self) -> Vec<String> {
        self.shown.lock().unwrap().lines.clone()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.watch.0), signal).unwrap();
    }

    fn fits(&self, columns: usize, lines: usize) -> bool {
        let shown = self.lines();
        shown.len() <= lines && shown.iter().all(|line| line.chars().count() <= columns)
    }
}

fn resize(terminal: &OwnedFd, columns: u16, lines: u16) {
    let size = Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

#[test]
fn a_watch_fits_follows_the_size_outlives_the_daemon_and_gives_the_screen_back() {
    let mut dock = Dock::start();
    dock.insert(&dock.camera("BWC-0001"), "1");
    dock.wait("bay 1 is green", || dock.light(1) == "green");
    let mut terminal = Terminal::start(&dock, 40, 10);
    let has =
        |terminal: &Terminal, words: &str| terminal.lines().iter().any(|line| line.contains(words));
    dock.wait("the picture", || has(&terminal, "1  green  everything is safe"));
    assert!(terminal.fits(40, 10), "{:#?}", terminal.lines());
    {
        let shown = terminal.shown.lock().unwrap();
        assert!(shown.other_screen && shown.hidden_cursor);
        assert!(shown.everything.contains("\x1b[32mgreen\x1b[0m"), "lights have their colours");
    }
    // Larger, and smaller again.
    resize(&terminal.controller, 120, 40);
    terminal.signal(Signal::WINCH);
    dock.wait("all of the status", || has(&terminal, "Custody    line"));
    resize(&terminal.controller, 30, 5);
    terminal.signal(Signal::WINCH);
    dock.wait("a small picture", || terminal.fits(30, 5) && has(&terminal, "green  everything"));
    resize(&terminal.controller, 60, 12);
    terminal.signal(Signal::WINCH);
    // The daemon goes, and comes back.
    dock.stop_daemon();
    dock.wait("it says so", || has(&terminal, "this is how it was"));
    dock.start_daemon();
    dock.wait("it goes on", || !has(&terminal, "how it was") && has(&terminal, "BWC-0001"));
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.watch.0.wait().unwrap().code(), Some(0));
    dock.wait("the screen is given back", || {
        let shown = terminal.shown.lock().unwrap();
        !shown.other_screen && !shown.hidden_cursor
    });
    // Ctrl-C is how it ends on most days.
    let mut terminal = Terminal::start(&dock, 80, 24);
    dock.wait("the picture", || has(&terminal, "BWC-0001"));
    terminal.signal(Signal::INT);
    assert_eq!(terminal.watch.0.wait().unwrap().code(), Some(0));
    dock.wait("the screen is given back", || !terminal.shown.lock().unwrap().other_screen);
}
