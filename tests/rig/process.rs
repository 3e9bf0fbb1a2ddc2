//! A child process that does not outlive its test.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

/// A vault or a daemon. Killed when dropped; and, by `--die-with-parent`, when the **thread** that
/// started it ends in whatever way: start them on the test's own thread.
pub struct Process(Child);

impl Process {
    /// Starts it; what it says on stderr is appended to `log`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let log = File::options().append(true).create(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        Self(command.spawn().unwrap())
    }

    /// The first line it writes to stdout; empty if it ends without one.
    pub fn first_line(&mut self) -> String {
        let mut line = String::new();
        if let Some(out) = self.0.stdout.take() {
            BufReader::new(out).read_line(&mut line).unwrap();
        }
        line.trim_end().to_owned()
    }

    pub fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// How it ended by itself, if it did: whether well.
    pub fn ended(&mut self) -> Option<bool> {
        self.0.try_wait().unwrap().map(|status| status.success())
    }

    /// SIGKILL, and waits until it is gone; false if it had ended by itself.
    pub fn kill_9(&mut self) -> bool {
        let was_alive = self.is_alive();
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        was_alive
    }

    /// SIGKILL without waiting: it may be stuck in a disk that does not answer.
    pub fn send_kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
    }

    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.0)
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// SIGTERM, and waits for its end; whether it ended well.
    pub fn stop(&mut self) -> bool {
        self.signal(rustix::process::Signal::TERM);
        self.0.wait().unwrap().success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already, which is all that is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command said, if it ended well.
pub fn finish(what: &str, output: &Output) -> String {
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}
