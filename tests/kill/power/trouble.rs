//! The dock's own disk becomes full, read-only, or breaks, under a daemon that works: small file
//! systems of their own for the spool and for the log.

use super::{
    Mounted, ext4, inside,
    rounds::{configure, finish_all},
};
use crate::{
    footage::Footage,
    ledger::Ledger,
    outside::Outside,
    rig::{Process, Rig},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;

/// A dock with a camera, and one of its folders on a file system of its own.
struct Scene {
    rig: Rig,
    vault: Process,
    footage: Footage,
    outside: Outside,
    small: Option<Mounted>,
    at: PathBuf,
}

impl Scene {
    fn new(folder: &str, mebibytes: u64) -> Self {
        let mut rig = Rig::new();
        let vault = rig.start_vault();
        let footage = Footage::make(&rig, 1, 3 * MIB, 3);
        configure(&rig, &footage);
        let at = rig.path("state").join(folder);
        fs::create_dir(&at).unwrap();
        let small = Some(Mounted::mount(ext4(&rig.path("."), mebibytes), &at, "errors=remount-ro"));
        Self { rig, vault, footage, outside: Outside::default(), small, at }
    }

    /// Takes all the space that is left, and gives the file that holds it.
    fn fill(&self) -> PathBuf {
        let ballast = self.at.join("ballast");
        let mut fill = Command::new("dd");
        fill.args(["if=/dev/zero", "bs=4k", "status=none"])
            .arg(format!("of={}", ballast.display()));
        assert!(!fill.output().unwrap().status.success(), "there is no end to that disk");
        ballast
    }

    fn check(&mut self) {
        self.outside.check(&self.rig, &self.footage, &mut Ledger::new(self.rig.journal()));
    }

    fn says(&self, arguments: &[&str], wanted: &str) -> bool {
        let output = self.rig.run(arguments);
        String::from_utf8_lossy(&output.stdout).contains(wanted)
    }

    /// Waits until a command of the dock says this.
    fn await_words(&self, arguments: &[&str], wanted: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.says(arguments, wanted) {
            let said = self.rig.run(arguments);
            let said = String::from_utf8_lossy(&said.stdout).into_owned();
            assert!(Instant::now() < end, "{arguments:?} never said {wanted:?} but:\n{said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn await_line(&self, wanted: &str) {
        let end = Instant::now() + PATIENCE;
        while !logs(&self.rig.journal()).contains(wanted) {
            assert!(Instant::now() < end, "no {wanted}; {}", self.rig.last_words());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The daemon ends by itself, as one that failed, and says why.
    fn await_failed(&self, mut daemon: Process, wanted: &str) {
        let end = Instant::now() + PATIENCE;
        let well = loop {
            if let Some(well) = daemon.ended() {
                break well;
            }
            assert!(Instant::now() < end, "the daemon goes on; {}", self.rig.last_words());
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(!well, "it ended as if nothing were wrong");
        let words = self.rig.last_words();
        assert!(words.contains(wanted), "{wanted:?} is not among its last words: {words}");
    }

    /// The end of every scene: the disk is well again, and all of it gets through.
    fn finish(mut self) {
        let ledger = finish_all(&self.rig, &self.footage, &mut self.outside);
        assert!(self.vault.stop(), "the store did not end well");
        crate::ending::every_segment_once(&self.rig, &self.footage, &ledger);
        crate::ending::nothing_left_over(&self.rig, &ledger);
        crate::ending::receipts_hold(&self.rig, &ledger);
        self.small.take().unwrap().unmount();
    }
}

fn logs(folder: &Path) -> String {
    let Ok(entries) = fs::read_dir(folder) else { return String::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let logs = paths.filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
    logs.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()).collect()
}

fn remount(at: &Path, how: &str) -> bool {
    let mut mount = Command::new("mount");
    mount.arg("-o").arg(format!("remount,{how}")).arg(at).output().unwrap().status.success()
}

#[test]
fn spool_full_waits_in_words_and_goes_on_without_a_restart() {
    if !inside("power::trouble::spool_full_waits_in_words_and_goes_on_without_a_restart") {
        return;
    }
    let mut scene = Scene::new("spool", 160);
    let mut daemon = scene.rig.start_daemon();
    scene.rig.await_ready(&mut daemon);
    scene.await_line("\"type\":\"segment_seen\"");
    let ballast = scene.fill();
    scene.await_words(&["bays", "--json"], "waiting for room on the dock's disk");
    scene.check();
    fs::remove_file(ballast).unwrap();
    scene.rig.await_done(Duration::from_secs(120));
    scene.check();
    assert!(daemon.stop(), "{}", scene.rig.last_words());
    scene.finish();
}

#[test]
fn spool_read_only_is_said_and_got_over_without_a_restart() {
    if !inside("power::trouble::spool_read_only_is_said_and_got_over_without_a_restart") {
        return;
    }
    let mut scene = Scene::new("spool", 160);
    // The camera is put in after the file system went read-only.
    let camera = scene.footage.folders()[0].clone();
    let aside = camera.with_extension("aside");
    fs::rename(&camera, &aside).unwrap();
    let mut daemon = scene.rig.start_daemon();
    scene.rig.await_ready(&mut daemon);
    assert!(remount(&scene.at, "ro"), "nothing is being written there yet");
    fs::rename(&aside, &camera).unwrap();
    scene.await_line("\"type\":\"copy_failed\"");
    assert!(logs(&scene.rig.journal()).contains("Read-only file system"));
    scene.check();
    assert!(remount(&scene.at, "rw"));
    scene.rig.await_done(Duration::from_secs(120));
    assert!(daemon.stop(), "{}", scene.rig.last_words());
    scene.check();
    scene.finish();
}

#[test]
fn spool_that_breaks_is_said_and_loses_nothing() {
    if !inside("power::trouble::spool_that_breaks_is_said_and_loses_nothing") {
        return;
    }
    let mut scene = Scene::new("spool", 160);
    let mut daemon = scene.rig.start_daemon();
    scene.rig.await_ready(&mut daemon);
    scene.await_line("\"type\":\"segment_seen\"");
    scene.small.as_ref().unwrap().disk.break_down();
    scene.await_line("\"type\":\"copy_failed\"");
    scene.check();
    assert!(daemon.kill_9(), "it had ended; {}", scene.rig.last_words());
    replace(&mut scene);
    scene.finish();
}

#[test]
fn log_full_ends_the_daemon_in_words_and_goes_on_when_there_is_space() {
    if !inside("power::trouble::log_full_ends_the_daemon_in_words_and_goes_on_when_there_is_space")
    {
        return;
    }
    let mut scene = Scene::new("journal", 16);
    let mut daemon = scene.rig.start_daemon();
    scene.rig.await_ready(&mut daemon);
    scene.await_line("\"type\":\"sealed\"");
    let ballast = scene.fill();
    scene.await_failed(daemon, "No space left on device");
    scene.check();
    // The unit starts it again and again: each time in words, and nothing is made worse.
    for _ in 0..3 {
        let again = scene.rig.start_daemon();
        scene.await_failed(again, "No space left on device");
        scene.check();
    }
    fs::remove_file(ballast).unwrap();
    scene.finish();
}

#[test]
fn log_that_breaks_ends_the_daemon_in_words_and_loses_nothing() {
    if !inside("power::trouble::log_that_breaks_ends_the_daemon_in_words_and_loses_nothing") {
        return;
    }
    let mut scene = Scene::new("journal", 16);
    let mut daemon = scene.rig.start_daemon();
    scene.rig.await_ready(&mut daemon);
    scene.await_line("\"type\":\"sealed\"");
    scene.small.as_ref().unwrap().disk.break_down();
    scene.await_failed(daemon, "the custody log failed");
    // It does not even start, whichever call on the log the disk refuses first.
    let again = scene.rig.start_daemon();
    scene.await_failed(again, "the custody log failed: cannot");
    replace(&mut scene);
    scene.check();
    scene.finish();
}

/// The disk is taken out and holds, put back, what was flushed.
fn replace(scene: &mut Scene) {
    let small = scene.small.take().unwrap();
    let (frozen, mut dice) = (small.disk.freeze(), crate::dice::Dice::new(1));
    small.disk.off();
    small.unmount();
    let image = frozen.found(super::Left::Nothing, &mut dice);
    scene.small = Some(Mounted::mount(image, &scene.at, "errors=remount-ro"));
}
