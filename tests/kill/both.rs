//! kill -9 of the dock and of a whole foreign store, together, again and again.
//!
//! SeaweedFS and Ceph RGW run on disks of their own (`tests/tools/trial_store.sh`) and come back on
//! them. After every kill the store's objects are read back with rclone, and everything is
//! examined as in the test of the dock alone. `BWVDOCK_BOTH_ROUNDS` and `BWVDOCK_KILL_SEED` say how
//! often and when.

use crate::{
    dice::Dice,
    ending,
    footage::Footage,
    ledger::Ledger,
    moment::Moment,
    outside::{Outside, probe_key},
    rig::{ACCESS_KEY, BUCKET, Process, Rig, SECRET_KEY, all, finish},
};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const MIB: u64 = 1 << 20;
/// A store that was killed looks through its disk first.
const BACK_WITHIN: Duration = Duration::from_secs(180);

#[test]
fn dock_and_seaweedfs_are_killed_together_and_nothing_is_lost_or_doubled() {
    on_trial("weed", 9);
}

#[test]
fn dock_and_ceph_are_killed_together_and_nothing_is_lost_or_doubled() {
    on_trial("ceph", 3);
}

/// A store as the processes of one group.
pub struct Store {
    kind: &'static str,
    folder: std::path::PathBuf,
    port: u16,
    group: Option<Child>,
}

impl Store {
    pub fn new(kind: &'static str, rig: &Rig) -> Self {
        let folder = rig.path(kind);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("access"), ACCESS_KEY).unwrap();
        fs::write(folder.join("secret"), SECRET_KEY).unwrap();
        let mut store = Self { kind, folder, port: free_ports(kind), group: None };
        store.start();
        let made = store.script("make").output().unwrap();
        finish(&format!("{kind} make"), &made);
        store
    }

    fn script(&self, action: &str) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/trial_store.sh");
        let mut command = Command::new("bash");
        command.arg(script).args([self.kind, action]).arg(&self.folder).arg(self.port.to_string());
        command
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it and waits until it answers for itself.
    pub fn start(&mut self) {
        self.spawn();
        let end = Instant::now() + BACK_WITHIN;
        while !self.answers() {
            let running = self.group.as_mut().unwrap().try_wait().unwrap().is_none();
            assert!(Instant::now() < end, "{} is not back: {}", self.kind, self.words());
            if !running {
                // Others on this machine may have borrowed a port while it was down.
                let log = fs::read_to_string(self.folder.join("log")).unwrap();
                let borrowed = log.to_ascii_lowercase().contains("address already in use");
                assert!(borrowed, "{} ended: {}", self.kind, self.words());
                self.await_end();
                self.spawn();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn spawn(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log"));
        let log = log.unwrap();
        let mut run = self.script("run");
        run.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        self.group = Some(run.spawn().unwrap());
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut answer = [0; 12];
        let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        asked.and_then(|()| stream.read_exact(&mut answer)).is_ok() && answer[9] != b'5'
    }

    /// SIGKILL to every process of it.
    pub fn send_kill(&self) {
        let group = self.group.as_ref().expect("it runs");
        kill_process_group(Pid::from_child(group), Signal::KILL).unwrap();
    }

    pub fn await_end(&mut self) {
        let Some(mut group) = self.group.take() else { return };
        group.wait().unwrap();
        // Its ports are free only when all of its processes are gone.
        let pid = Pid::from_child(&group);
        while kill_process_group(pid, Signal::KILL).is_ok() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn words(&self) -> String {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// What the store has of objects, as files where the vault would have them.
    fn read_back(&self, rig: &Rig) {
        let end = Instant::now() + BACK_WITHIN;
        loop {
            let mut rclone = self.rclone("sync");
            rclone.arg(format!(":s3:{BUCKET}")).arg(rig.objects());
            let output = rclone.output().expect("rclone is on the PATH");
            if output.status.success() {
                return;
            }
            // It listens before it can give everything back.
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(Instant::now() < end, "rclone: {words}; {}", self.words());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The keys of all objects, or why the store does not list them.
    pub fn listed(&self) -> Result<Vec<String>, String> {
        let mut rclone = self.rclone("lsf");
        let output = rclone.arg("--recursive").arg(format!(":s3:{BUCKET}")).output().unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).lines().map(Into::into).collect()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    fn rclone(&self, verb: &str) -> Command {
        let mut rclone = Command::new("rclone");
        rclone.args([verb, "--s3-provider", "Other", "--s3-endpoint", &self.endpoint()]);
        rclone.args(["--s3-access-key-id", ACCESS_KEY, "--s3-secret-access-key", SECRET_KEY]);
        rclone.args(["--use-server-modtime", "--retries", "1", "--low-level-retries", "1"]);
        rclone.env("RCLONE_CONFIG", "/dev/null");
        rclone
    }

    fn ask(&self, arguments: &[&str]) -> Value {
        let mut aws = Command::new("aws");
        aws.args(["--endpoint-url", &self.endpoint(), "s3api"]).args(arguments);
        aws.args(["--bucket", BUCKET, "--output", "json"]);
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ] {
            aws.env(name, value);
        }
        let said = finish("aws", &aws.output().expect("aws is on the PATH"));
        serde_json::from_str(&said).unwrap_or_default()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            // It may have ended by itself, which is all that is wanted.
            let _ = kill_process_group(Pid::from_child(group), Signal::KILL);
        }
        self.await_end();
    }
}

/// The first of five ports that are free, with their twins 10,000 above, which SeaweedFS takes too.
///
/// Each kind has a range of its own, apart from the other's twins: both look at the same moment, and
/// what one found free would not be free any more when the other starts.
fn free_ports(kind: &str) -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut dice = Dice::new(std::process::id().into());
    let from = if kind == "weed" { 15_000 } else { 20_000 };
    (0..1000)
        .map(|_| from + 10 * dice.between(0, 400) as u16)
        .find(|base| (0..5).all(|n| free(base + n) && free(base + n + 10_000)))
        .expect("five free ports")
}

fn on_trial(kind: &'static str, rounds: u64) {
    if !all() {
        eprintln!("skipped: {kind}, rclone, aws and age are needed; BWVDOCK_TESTS=all asks for it");
        return;
    }
    let number =
        |name: &str, or| std::env::var(name).map_or(or, |text: String| text.parse().unwrap());
    let (rounds, seed) = (number("BWVDOCK_BOTH_ROUNDS", rounds), number("BWVDOCK_KILL_SEED", 1));
    eprintln!("BWVDOCK_KILL_SEED={seed} BWVDOCK_BOTH_ROUNDS={rounds}");
    let began = Instant::now();
    let mut dice = Dice::new(seed);
    let rig = Rig::new();
    let mut store = Store::new(kind, &rig);
    let mut footage = Footage::make(&rig, 3, rounds * MIB, dice.draw());
    rig.configure_for(&store.endpoint(), &footage.folders(), |config| {
        config.store.part_bytes = 5 * MIB;
        config.transfer.parts_in_flight = 3;
        config.transfer.bytes_per_second_max = 12 * MIB;
        config.transfer.retry_seconds_base = 1;
        config.transfer.retry_seconds_max = 1;
        config.spool.bytes_max = 64 * MIB;
    });
    eprintln!("{kind} is there after {:.1?}", began.elapsed());
    let (mut ledger, mut outside) = (Ledger::new(rig.journal()), Outside::default());
    let mut moments: BTreeMap<String, u64> = BTreeMap::new();
    let mut round = 0;
    // Something must have been erased while it was killed, or little was shown.
    while round < rounds || outside.erased() == 0 && round < 4 * rounds {
        footage.refill(24);
        let mut daemon = rig.start_daemon();
        // Erasing is the last thing of all; by chance alone it would hardly come in a few rounds.
        let moment = match round % 3 {
            2 => Moment::Fact("released", Duration::ZERO),
            _ => Moment::draw_of_dock(&mut dice),
        };
        moment.wait(&rig, || rig.await_ready(&mut daemon));
        assert!(daemon.is_alive(), "round {round}: the daemon had ended; {}", rig.last_words());
        kill_both(&mut daemon, &mut store, &mut dice);
        *moments.entry(moment.name()).or_default() += 1;
        store.start();
        store.read_back(&rig);
        outside.check(&rig, &footage, &mut ledger);
        round += 1;
    }
    eprintln!("{round} rounds after {:.1?}", began.elapsed());
    let erased = outside.erased();
    let mut daemon = rig.start_daemon();
    rig.await_ready(&mut daemon);
    rig.await_done(Duration::from_secs(240));
    finish("reconcile", &rig.run(&["reconcile"]));
    assert!(daemon.stop(), "the daemon did not end well; {}", rig.last_words());
    // Everything once more, from an empty folder.
    fs::remove_dir_all(rig.objects()).unwrap();
    store.read_back(&rig);
    outside.check(&rig, &footage, &mut ledger);
    ending::every_segment_once(&rig, &footage, &ledger);
    ending::nothing_left_over(&rig, &ledger);
    ending::receipts_hold(&rig, &ledger);
    ending::strangers_agree(&rig, &ledger);
    each_object_came_once(&store);
    eprintln!(
        "{kind}: {round} kills of both, {} files, {} lines, {erased} erased while being killed, \
         {moments:?}, {:?}, all in {:.1?}",
        footage.originals.len(),
        ledger.lines,
        ledger.kinds,
        began.elapsed()
    );
    assert!(erased > 0, "nothing was erased meanwhile, so little was shown");
}

/// In any order, up to 40 ms apart.
fn kill_both(daemon: &mut Process, store: &mut Store, dice: &mut Dice) {
    let apart = Duration::from_millis(dice.pick(&[0, 0, 5, 40]));
    if dice.between(0, 2) == 0 {
        store.send_kill();
        std::thread::sleep(apart);
        daemon.send_kill();
    } else {
        daemon.send_kill();
        std::thread::sleep(apart);
        store.send_kill();
    }
    daemon.kill_9();
    store.await_end();
}

/// The store keeps versions: a sealed object that was put twice would have two.
fn each_object_came_once(store: &Store) {
    let listing = store.ask(&["list-object-versions"]);
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    for version in listing["Versions"].as_array().expect("there are objects") {
        *versions.entry(version["Key"].as_str().unwrap()).or_default() += 1;
    }
    let twice: Vec<_> =
        versions.iter().filter(|(key, n)| key.ends_with(".age") && **n > 1).collect();
    assert!(twice.is_empty(), "stored more than once: {twice:?}");
    let uploads = store.ask(&["list-multipart-uploads"]);
    let left: Vec<_> = uploads["Uploads"].as_array().into_iter().flatten().collect();
    let of_objects: Vec<_> =
        left.iter().filter(|u| !u["Key"].as_str().unwrap().starts_with(&probe_key())).collect();
    eprintln!("{} uploads left open, {} of objects", left.len(), of_objects.len());
    assert!(of_objects.is_empty(), "uploads left open: {of_objects:?}");
}
