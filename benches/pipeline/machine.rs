//! What a process used, as the kernel counts it.

use std::{
    collections::BTreeMap,
    fs,
    process::Child,
    thread,
    time::{Duration, Instant},
};

/// Ticks of /proc a second; the same on every Linux that matters here.
const HZ: f64 = 100.0;

#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub wall: f64,
    pub user: f64,
    pub system: f64,
    pub peak_kib: u64,
}

impl Usage {
    pub fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// User and system seconds of a `/proc/.../stat` line; `own` or those of children waited for.
fn seconds(path: &str, own: bool) -> Option<(String, f64, f64)> {
    let text = fs::read_to_string(path).ok()?;
    let (name, rest) = text.split_once('(')?.1.rsplit_once(')')?;
    let fields: Vec<f64> = rest.split_whitespace().skip(11).flat_map(str::parse).collect();
    let at = if own { 0 } else { 2 };
    Some((name.to_owned(), fields.get(at)? / HZ, fields.get(at + 1)? / HZ))
}

fn peak_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Watches a process that is stopped by the caller.
pub struct Watched {
    pid: u32,
    began: Instant,
    /// By thread: its name, user and system seconds when last seen.
    threads: BTreeMap<u32, (String, f64, f64)>,
}

impl Watched {
    pub fn new(pid: u32) -> Self {
        Self { pid, began: Instant::now(), threads: BTreeMap::new() }
    }

    /// To be called often: threads come and go.
    pub fn sample(&mut self) {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.pid)) else { return };
        for task in tasks.flatten() {
            let id = task.file_name().to_string_lossy().parse().unwrap_or(0);
            let stat = format!("/proc/{}/task/{id}/stat", self.pid);
            if let Some(found) = seconds(&stat, true) {
                self.threads.insert(id, found);
            }
        }
    }

    /// What it used until now.
    pub fn usage(&self) -> Usage {
        let stat = seconds(&format!("/proc/{}/stat", self.pid), true);
        let (_, user, system) = stat.expect("the process is still there");
        let wall = self.began.elapsed().as_secs_f64();
        let peak_kib = peak_kib(self.pid).expect("the process is still there");
        Usage { wall, user, system, peak_kib }
    }

    /// User and system seconds of the threads whose name begins so.
    pub fn of_threads(&self, prefix: &str) -> (f64, f64) {
        let named = self.threads.values().filter(|(name, ..)| name.starts_with(prefix));
        named.fold((0.0, 0.0), |(user, system), (_, u, s)| (user + u, system + s))
    }
}

/// Waits for the end of a child and says what it used.
pub fn wait(mut child: Child) -> (bool, Usage) {
    let children = || seconds("/proc/self/stat", false).expect("our own process");
    let (began, before, mut peak) = (Instant::now(), children(), 0);
    let status = loop {
        peak = peak.max(peak_kib(child.id()).unwrap_or(0));
        match child.try_wait().expect("our own child") {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    let wall = began.elapsed().as_secs_f64();
    let (_, user, system) = children();
    let usage = Usage { wall, user: user - before.1, system: system - before.2, peak_kib: peak };
    (status.success(), usage)
}
