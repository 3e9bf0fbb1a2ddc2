//! A real ext4 on a [`Disk`], mounted where the dock keeps its state.
//!
//! Needs root, loop devices and FUSE. Everything is mounted in a mount namespace of its own, which
//! takes it all away when the test ends in whatever way.

use super::{
    disk::{Disk, Image},
    fuse,
};
use crate::rig::finish;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::JoinHandle,
    time::{Duration, Instant},
};

const INSIDE: &str = "BWVDOCK_POWER_NAMESPACE";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// For the kernel to let go of what was unmounted.
const LET_GO_WITHIN: Duration = Duration::from_secs(20);

/// Runs a test in a mount namespace of its own, if it is asked for; true if this is inside.
pub fn inside(test: &str) -> bool {
    if !crate::rig::all() {
        eprintln!("skipped: needs root, loop devices and FUSE; BWVDOCK_TESTS=all asks for it");
        return false;
    }
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    // In memory: a trial makes and removes thousands of files.
    let folder = tempfile::Builder::new().prefix("bwv-").tempdir().unwrap();
    let in_memory = "mount -t tmpfs power-tests \"$TMPDIR\" && exec \"$@\"";
    // Forked, so that the namespace outlives the test: its mounts end only after who serves them,
    // whose end makes them fail; the other way round the kernel would wait for itself.
    let mut command = Command::new("unshare");
    command.args(["--fork", "--mount", "--propagation", "private", "sh", "-c", in_memory, "sh"]);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    command.env(INSIDE, "1").env("TMPDIR", folder.path());
    let status = command.status().expect("unshare is part of util-linux");
    assert!(status.success(), "{test} failed; it needs root, loop devices and FUSE: {status}");
    false
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    finish(&format!("{program} {arguments:?}"), &output);
}

/// A new, empty ext4.
pub fn ext4(folder: &Path, mebibytes: u64) -> Image {
    let file = folder.join("new.img");
    fs::File::create(&file).unwrap().set_len(mebibytes << 20).unwrap();
    let now = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
    run(
        "mkfs.ext4",
        &["-q", "-b", "4096", "-m", "0", "-J", "size=4", "-E", now, file.to_str().unwrap()],
    );
    let image = Image::load(&file);
    fs::remove_file(file).unwrap();
    image
}

/// The kernel's boot id as processes of this namespace see it.
pub struct BootId(PathBuf);

impl BootId {
    pub fn new(folder: &Path) -> Self {
        let own = Self(folder.join("boot_id"));
        own.reboot(0);
        run("mount", &["--bind", own.0.to_str().unwrap(), BOOT_ID]);
        own
    }

    /// The machine came up again.
    pub fn reboot(&self, times: u64) {
        fs::write(&self.0, format!("00000000-0000-4000-8000-{times:012}\n")).unwrap();
    }
}

/// A disk with its file system mounted.
pub struct Mounted {
    pub disk: Disk,
    file: PathBuf,
    at: PathBuf,
    server: Option<JoinHandle<()>>,
}

impl Mounted {
    /// Mounts what is on the disk at `at`, as after a boot: the kernel replays ext4's own journal.
    pub fn mount(image: Image, at: &Path, options: &str) -> Self {
        let disk = Disk::new(image);
        let file = at.with_extension("disk");
        let server = fuse::serve(disk.clone(), &file);
        let options = format!("loop,nodiscard,{options}");
        run("mount", &["-o", &options, file.to_str().unwrap(), at.to_str().unwrap()]);
        Self { disk, file, at: at.to_owned(), server: Some(server) }
    }

    /// Unmounts; what is written on the way counts only if the power is on.
    pub fn unmount(mut self) {
        self.let_go().unwrap_or_else(|error| panic!("{error}"));
    }

    fn let_go(&mut self) -> Result<(), String> {
        let Some(server) = self.server.take() else { return Ok(()) };
        umount(&self.at)?;
        umount(&self.file)?;
        server.join().map_err(|_| "the server of the disk panicked".into())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.disk.off();
        if let Err(error) = self.let_go() {
            eprintln!("left mounted: {error}");
        }
    }
}

fn umount(at: &Path) -> Result<(), String> {
    let end = Instant::now() + LET_GO_WITHIN;
    loop {
        let output = Command::new("umount").arg(at).output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        // The kernel ends a loop device, and the last process in it, in the background.
        if Instant::now() > end {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
