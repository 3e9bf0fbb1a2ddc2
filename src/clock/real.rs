//! The kernel's clock.
//!
//! Whether it is synchronised is what adjtimex(2) knows, but no safe binding of that call is among
//! our dependencies, and `unsafe` is not worth one flag. Two safe witnesses are asked instead:
//! 1. `/run/systemd/timesync/synchronized`, which systemd-timesyncd makes once it has set the
//!    clock. `/run` does not survive a reboot, so neither does the claim.
//! 2. Where that file is missing (chrony, ntpd, PTP): `timedatectl show`, whose `NTPSynchronized`
//!    is the kernel's own flag. It is asked off-thread, at most once a minute.
//!
//! If neither answers, the clock counts as not synchronised: the custody log then says so.

use super::Clock;
use jiff::Timestamp;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

const TIMESYNCD_MARK: &str = "/run/systemd/timesync/synchronized";
const ASK_EVERY: Duration = Duration::from_secs(60);
/// How long the start may wait for the first answer.
const FIRST_ANSWER_MAX: Duration = Duration::from_secs(2);

/// The clock of the machine this runs on.
#[derive(Debug)]
pub struct RealClock {
    mark: PathBuf,
    asked: Arc<Mutex<Asked>>,
}

#[derive(Debug, Default)]
struct Asked {
    /// When the question was last put; an answer may still be outstanding.
    at: Option<Instant>,
    outstanding: bool,
    synchronised: bool,
}

impl RealClock {
    /// Finds out whether the clock is synchronised; waits at most two seconds for the answer.
    pub fn new() -> Self {
        let clock = Self { mark: TIMESYNCD_MARK.into(), asked: Arc::default() };
        if !clock.mark.exists() {
            let answered = clock.ask(ask_timedatectl);
            // No answer in time is an answer too: not known to be synchronised.
            let _ = answered.recv_timeout(FIRST_ANSWER_MAX);
        }
        clock
    }

    /// Asks in a thread of its own: the bus may have to start a service first.
    fn ask(&self, ask: fn() -> bool) -> mpsc::Receiver<()> {
        let (done, answered) = mpsc::sync_channel(1);
        let mut asked = lock(&self.asked);
        if asked.outstanding {
            return answered;
        }
        asked.at = Some(Instant::now());
        let answer_to = Arc::clone(&self.asked);
        let spawned = std::thread::Builder::new().name("clock".into()).spawn(move || {
            let synchronised = ask();
            let mut asked = lock(&answer_to);
            asked.synchronised = synchronised;
            asked.outstanding = false;
            let _ = done.send(());
        });
        asked.outstanding = spawned.is_ok();
        answered
    }
}

impl Default for RealClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn is_synchronised(&self) -> bool {
        if self.mark.exists() {
            return true;
        }
        let stale = lock(&self.asked).at.is_none_or(|at| at.elapsed() >= ASK_EVERY);
        if stale {
            drop(self.ask(ask_timedatectl));
        }
        lock(&self.asked).synchronised
    }
}

fn lock(asked: &Mutex<Asked>) -> MutexGuard<'_, Asked> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ask_timedatectl() -> bool {
    let answer = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    answer.is_ok_and(|answer| answer.status.success() && answer.stdout.trim_ascii() == b"yes")
}

/// The kernel's id of this boot (36 characters): two runs with the same id had no power cut between.
///
/// # Errors
/// Plain I/O errors of reading `/proc`.
pub fn boot_id() -> io::Result<String> {
    let text = fs::read_to_string(Path::new("/proc/sys/kernel/random/boot_id"))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_timesyncd_is_believed_and_its_absence_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let asked = Asked { at: Some(Instant::now()), ..Asked::default() };
        let clock =
            RealClock { mark: dir.path().join("synchronized"), asked: Arc::new(asked.into()) };
        assert!(!clock.is_synchronised());
        fs::write(&clock.mark, "").unwrap();
        assert!(clock.is_synchronised());
    }

    #[test]
    fn an_answer_is_kept_and_replaced_by_the_next() {
        let clock = RealClock { mark: "/nonexistent".into(), asked: Arc::default() };
        for answer in [(|| true) as fn() -> bool, || false] {
            clock.ask(answer).recv().unwrap();
            assert_eq!(clock.is_synchronised(), answer());
        }
    }

    #[test]
    fn the_boot_id_does_not_change_while_we_run() {
        assert_eq!(boot_id().unwrap(), boot_id().unwrap());
        assert_eq!(boot_id().unwrap().len(), 36);
    }
}
