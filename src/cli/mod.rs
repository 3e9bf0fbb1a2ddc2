//! The command line: one binary, plain words for people, `--json` for machines.
//!
//! stdout is data, stderr is words. An error is two lines, what happened and what to do, or with
//! `--json` one object: see [`Complaint`]. Exit status: see [`Exit`].

mod ask;
mod balance;
mod battery;
mod bays;
mod cameras;
mod complaint;
mod custody;
mod dry_run;
mod fold;
mod health;
mod id;
mod lists;
mod local;
mod picture;
pub mod render;
mod screens;
mod setup;
mod store;
mod table;
mod usage;
mod watch;

use crate::{
    dock::report::Kind,
    types::{BayName, CameraId, Class, SegmentId, fact::Target},
};
use ask::Asker;
use clap::{Args, Parser, Subcommand, ValueEnum};
pub use complaint::{Complaint, Exit};
use id::GivenId;
use lists::Rows;
use std::{path::PathBuf, process::ExitCode};

type Outcome = Result<Exit, Complaint>;

/// Words that say something: blanks alone are none.
fn words_given(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is empty; say in a few words why".into()),
        _ => Ok(text.to_owned()),
    }
}

const EXITS: &str = "Exit status: 0 fine; 1 a check says no; 2 wrong usage or configuration; \
3 no dock answers; 4 the dock refused; 5 anything else.";

/// Docking-station service for body-worn video: verify, seal, upload, prove, release.
#[derive(Debug, Parser)]
#[command(name = "bwvdock", version, after_help = EXITS, max_term_width = 100)]
pub struct Cli {
    /// The daemon's socket [default: from the configuration, else /run/bwvdock/api.sock]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print JSON for machines instead of words for people
    #[arg(long, global = true)]
    json: bool,
    /// End when the process that started this one ends (how `demo` leaves nothing running)
    #[arg(long, global = true, hide = true)]
    die_with_parent: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the service of this dock
    Daemon {
        /// The configuration
        #[arg(long, value_name = "FILE", default_value = "/etc/bwvdock/bwvdock.toml")]
        config: PathBuf,
    },
    /// The dock at a glance
    Status,
    /// What is in the bays, and whether it may be taken
    ///
    /// With a command: which ports are the bays, and how they are found out.
    Bays {
        #[command(subcommand)]
        verb: Option<bays::BaysVerb>,
    },
    /// How the dock is: clock, disk, store, queue, sensors, batteries
    Health,
    /// Every camera this dock ever knew: the asset register
    Cameras {
        /// One camera, with its past dockings
        camera: Option<CameraId>,
        /// As CSV, for spreadsheets
        #[arg(long, conflicts_with_all = ["json", "camera"])]
        csv: bool,
    },
    /// The status, again and again
    ///
    /// On a terminal it fills the screen until Ctrl-C; elsewhere it writes one picture a change, or
    /// with --json one line a look.
    Watch {
        /// Seconds between two looks
        #[arg(long, default_value_t = 2.0, value_name = "SECONDS")]
        every: f64,
    },
    /// Recordings this dock knows
    Recordings(Selection),
    /// Files of recordings: where they stand and what their check said
    Segments(Selection),
    /// What waits for the store, in order
    Queue(Rows),
    /// Why something waits or is stuck, and what to do
    Why(WhyOf),
    /// Stop copying, sending and erasing for a while
    ///
    /// The whole dock if nothing is named, as a pause only costs time. What runs ends between two
    /// parts.
    Pause {
        #[command(flatten)]
        what: Whom,
        /// Why; it goes into the custody log
        #[arg(long, value_name = "WORDS", default_value = "no reason given",
              value_parser = words_given)]
        reason: String,
    },
    /// Go on after a pause
    ///
    /// The whole dock if nothing is named.
    Resume {
        #[command(flatten)]
        what: Whom,
        /// Why; it goes into the custody log
        #[arg(long, value_name = "WORDS", value_parser = words_given)]
        reason: Option<String>,
    },
    /// Try again now what waits or failed
    ///
    /// What waits for a later attempt is tried at once; what failed its check, and nobody has
    /// acknowledged, is read again. The whole dock, with the cameras in it, if nothing is named.
    Retry {
        #[command(flatten)]
        what: Whom,
        /// Why; it goes into the custody log
        #[arg(long, value_name = "WORDS", value_parser = words_given)]
        reason: Option<String>,
    },
    /// Keep something on its camera, whatever the release rule says
    ///
    /// What is held must be named; --all is the whole dock.
    Hold {
        #[command(flatten)]
        what: Whom,
        /// Why; it goes into the custody log
        #[arg(long, value_name = "WORDS", value_parser = words_given)]
        reason: String,
    },
    /// Take a hold back
    ///
    /// Which, must be named; --all is that of the whole dock, not those of its parts.
    Unhold {
        #[command(flatten)]
        what: Whom,
        /// Why; it goes into the custody log
        #[arg(long, value_name = "WORDS", value_parser = words_given)]
        reason: String,
    },
    /// Say that it is known what is wrong with a camera, and why
    ///
    /// It stays in the books and in the custody log, but turns no bay red any more.
    Acknowledge {
        /// Id of the camera
        #[arg(long, value_name = "ID")]
        camera: CameraId,
        /// Only what has this in its words (`bwvdock reconcile` names everything)
        #[arg(long, value_name = "WORDS", value_parser = words_given)]
        only: Option<String>,
        /// Why; it goes into the custody log
        #[arg(long, value_name = "WORDS", value_parser = words_given)]
        reason: String,
    },
    /// Mark a recording as evidence, or take the mark back
    Flag {
        /// Id of the recording; its last digits will do
        recording: GivenId,
        /// What it is to be
        #[arg(long, value_enum, default_value_t = Mark::Evidential)]
        class: Mark,
        /// Why; it goes into the custody log
        #[arg(long, value_name = "WORDS", value_parser = words_given)]
        reason: String,
    },
    /// Release what the rule allows, or only show what it would say
    Release {
        /// Print the rule and its verdict on each file; change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        rows: Rows,
    },
    /// Per camera: on camera, copied, stored, released, outstanding
    ///
    /// And what needs a person. Exit status 1 if anything differs.
    Reconcile {
        /// Only this camera
        #[arg(long, value_name = "ID")]
        camera: Option<CameraId>,
    },
    /// The custody log
    #[command(subcommand)]
    Custody(CustodyVerb),
    /// Receipts of the store
    #[command(subcommand)]
    Receipt(ReceiptVerb),
    /// The evidence store
    #[command(subcommand)]
    Store(StoreVerb),
    /// The configuration
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Keys of the dock and of the force
    #[command(subcommand)]
    Keys(KeysVerb),
    /// What is wrong with this dock, and the next step for each finding
    Doctor,
    /// Run the embedded evidence store
    #[cfg(feature = "vault")]
    Vault(crate::vault::command::VaultArgs),
    /// The main job on this machine: two cameras, a real daemon, a real store
    #[cfg(feature = "vault")]
    Demo(crate::demo::DemoArgs),
}

/// Which rows are wanted.
#[derive(Debug, Args)]
struct Selection {
    /// Only of this camera
    #[arg(long, value_name = "ID")]
    camera: Option<CameraId>,
    /// Only of this recording; the last digits of its id will do
    #[arg(long, value_name = "ID")]
    recording: Option<GivenId>,
    /// Only what is there: seen, sealed, stored, receipted, releasing, released or vanished
    #[arg(long, value_parser = render::stage)]
    stage: Option<crate::dock::Stage>,
    /// Only what failed its check
    #[arg(long)]
    unsound: bool,
    /// Only what left its camera by another hand
    #[arg(long)]
    vanished: bool,
    #[command(flatten)]
    rows: Rows,
}

/// What `why` is about.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct WhyOf {
    /// Name of a bay or a camera; or id of a segment, a recording or a sealed object, of which the
    /// last digits will do
    what: Option<String>,
    /// Name of a bay
    #[arg(long, value_name = "NAME")]
    bay: Option<BayName>,
    /// Id of a camera
    #[arg(long, value_name = "ID")]
    camera: Option<CameraId>,
}

/// What a command is about.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Whom {
    /// Everything of this camera
    #[arg(long, value_name = "ID")]
    camera: Option<CameraId>,
    /// Id of a recording; its last digits will do
    #[arg(long, value_name = "ID")]
    recording: Option<GivenId>,
    /// Id of a segment; its last digits will do
    #[arg(long, value_name = "ID")]
    segment: Option<GivenId>,
    /// The whole dock
    #[arg(long)]
    all: bool,
}

impl Whom {
    /// As [`Self::target`], where the whole dock must be meant and not only left out.
    fn named(self, verb: &str, asker: &Asker) -> Result<Target, Complaint> {
        let names =
            self.all || self.camera.is_some() || self.recording.is_some() || self.segment.is_some();
        if !names {
            return Err(Complaint::new(
                Exit::Usage,
                format!("nothing is named to {verb}; nothing was changed"),
                "name it with --segment, --recording or --camera, or say --all for the whole dock",
            ));
        }
        self.target(asker)
    }

    fn target(self, asker: &Asker) -> Result<Target, Complaint> {
        Ok(match self {
            Self { camera: Some(id), .. } => Target::Camera(id),
            Self { recording: Some(id), .. } => Target::Recording(asker.recording(&id)?),
            Self { segment: Some(id), .. } => {
                Target::Segment(SegmentId(id.resolve(asker, &[Kind::Segment])?))
            }
            Self { .. } => Target::Dock,
        })
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mark {
    Evidential,
    Unreviewed,
}

impl From<Mark> for Class {
    fn from(mark: Mark) -> Self {
        match mark {
            Mark::Evidential => Self::Evidential,
            Mark::Unreviewed => Self::Unreviewed,
        }
    }
}

#[derive(Debug, Subcommand)]
enum CustodyVerb {
    /// Print lines of the log: who did what, when, and why
    Show {
        /// The first line wanted, by its number [default: the last lines]
        #[arg(long, value_name = "LINE")]
        from: Option<u64>,
        /// Show at most so many
        #[arg(long, value_name = "N", default_value_t = 40)]
        limit: usize,
        /// Show the whole log
        #[arg(long, conflicts_with_all = ["from", "limit"])]
        all: bool,
        /// Read a copy of the log in this folder instead of asking the daemon
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Check the whole chain of a log, offline; names the first bad line
    Verify {
        /// The folder with the log (`<state_dir>/journal`), or a copy of it
        dir: PathBuf,
        /// Receipt files: their heads must lie on the chain, which shows a cut-off end
        #[arg(long = "receipt", value_name = "FILE", num_args = 1..)]
        receipts: Vec<PathBuf>,
    },
    /// Go on with damage that was looked at
    ///
    /// It stays in the log, and stops releasing no more. First look (`doctor`, `custody verify`),
    /// and put missing files back if there are copies.
    Accept {
        /// The line at which the damage begins, as `doctor` names it
        line: u64,
        /// Why; it goes into the custody log
        #[arg(long, value_name = "WORDS", value_parser = words_given)]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
enum ReceiptVerb {
    /// Print the receipt of a sealed object
    Show {
        /// Id of the sealed object; its last digits will do
        object: GivenId,
    },
    /// Check a receipt's signature, and the sealed object against it
    Verify {
        /// The receipt, as `receipt show` prints it or the store keeps it
        file: PathBuf,
        /// The dock's public key (PEM); without it the key inside the receipt is used
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// The sealed object, as downloaded from the store
        #[arg(long, value_name = "FILE")]
        object: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum StoreVerb {
    /// What the store really enforces, asked with wrong requests on purpose
    ///
    /// And what that means. Exit status 1 if evidence could not be sent, proved or kept there.
    Probe {
        /// The configuration; needs no running dock
        #[arg(long, value_name = "FILE", default_value = "/etc/bwvdock/bwvdock.toml")]
        config: PathBuf,
    },
    /// Bring the bucket to what evidence needs (versions, object lock, a lifecycle for unreviewed
    /// footage only), or make a folder a store; all of it is read back (exit 1 if it is not so)
    Setup(setup::SetupArgs),
}

/// Named bare, or as everywhere else.
#[derive(Debug, Args)]
struct WhichConfig {
    /// The configuration [default: /etc/bwvdock/bwvdock.toml]
    file: Option<PathBuf>,
    /// The same, named as other commands name it
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
}

impl WhichConfig {
    fn path(self) -> PathBuf {
        self.file.or(self.config).unwrap_or_else(|| "/etc/bwvdock/bwvdock.toml".into())
    }
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Check a configuration and the files it names: every problem at once
    ///
    /// It finds what a start would refuse, with the rights of whoever asks, and changes nothing.
    Check {
        #[command(flatten)]
        which: WhichConfig,
    },
    /// Print the configuration in force, or the commented default
    Show {
        #[command(flatten)]
        which: WhichConfig,
        /// The manual: every key with its default
        #[arg(long)]
        default: bool,
    },
}

#[derive(Debug, Subcommand)]
enum KeysVerb {
    /// Make keys; existing files are never overwritten
    Generate {
        #[command(subcommand)]
        which: KeyKind,
    },
}

#[derive(Debug, Subcommand)]
enum KeyKind {
    /// The dock's signing key (Ed25519); its public half lands beside it as PEM
    Dock {
        /// Where the private key goes
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// An age identity that opens footage
    ///
    /// Make it on a machine that is no dock, and keep it there.
    Identity {
        /// Where the identity goes; whoever has it opens all footage sealed to it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Runs the command line; what is said goes to stdout and stderr.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage::answer(&error, &arguments),
    };
    let as_json = cli.json;
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(complaint) => complaint.say(as_json),
    }
}

fn run(cli: Cli) -> Outcome {
    if cli.die_with_parent {
        use rustix::process::{Signal, set_parent_process_death_signal};
        // Where the kernel cannot do it, whoever started us ends us as well as it can.
        let _ = set_parent_process_death_signal(Some(Signal::TERM));
    }
    let asker = Asker::new(cli.socket, cli.json);
    match cli.verb {
        Verb::Daemon { config } => local::daemon(&config),
        Verb::Status => asker.status(),
        Verb::Bays { verb: None } => asker.bays(),
        Verb::Bays { verb: Some(bays::BaysVerb::Learn(args)) } => {
            bays::learn(args, asker.socket(), cli.json)
        }
        Verb::Bays { verb: Some(bays::BaysVerb::Ports) } => bays::ports(cli.json),
        Verb::Bays { verb: Some(bays::BaysVerb::Udev { config }) } => bays::udev(&config, cli.json),
        Verb::Health => asker.health(),
        Verb::Cameras { camera: Some(camera), .. } => asker.camera(camera),
        Verb::Cameras { camera: None, csv } => asker.cameras(csv),
        Verb::Watch { every } => asker.watch(every),
        Verb::Recordings(selection) => asker.recordings(selection),
        Verb::Segments(selection) => asker.segments(selection),
        Verb::Queue(rows) => asker.queue(&rows),
        Verb::Why(of) => asker.why(of),
        Verb::Pause { what, reason } => asker.pause(what.target(&asker)?, reason),
        Verb::Resume { what, reason } => asker.resume(what.target(&asker)?, reason),
        Verb::Retry { what, reason } => asker.retry(what.target(&asker)?, reason),
        Verb::Hold { what, reason } => asker.hold(what.named("hold", &asker)?, reason),
        Verb::Unhold { what, reason } => asker.unhold(what.named("unhold", &asker)?, reason),
        Verb::Acknowledge { camera, only, reason } => asker.acknowledge(camera, only, reason),
        Verb::Flag { recording, class, reason } => {
            asker.flag(asker.recording(&recording)?, class.into(), reason)
        }
        Verb::Release { dry_run: true, rows } => asker.dry_run(&rows),
        Verb::Release { dry_run: false, rows } if rows.are_named() => Err(Complaint::new(
            Exit::Usage,
            "--limit, --offset and --all say what --dry-run shows; nothing was released",
            "give them with --dry-run, or leave them out",
        )),
        Verb::Release { dry_run: false, .. } => asker.release(),
        Verb::Reconcile { camera } => asker.reconcile(camera),
        Verb::Custody(CustodyVerb::Show { from, limit, all, dir }) => {
            let wanted = custody::Wanted::new(from, limit, all);
            match dir {
                None => asker.custody_show(wanted),
                Some(dir) => custody::show(&dir, wanted, cli.json),
            }
        }
        Verb::Custody(CustodyVerb::Accept { line, reason }) => asker.accept_damage(line, reason),
        Verb::Custody(CustodyVerb::Verify { dir, receipts }) => {
            custody::verify(&dir, &receipts, cli.json)
        }
        Verb::Receipt(ReceiptVerb::Show { object }) => asker.receipt(&object),
        Verb::Receipt(ReceiptVerb::Verify { file, key, object }) => {
            local::receipt_verify(&file, key.as_deref(), object.as_deref(), cli.json)
        }
        Verb::Store(StoreVerb::Probe { config }) => store::probe(&config, cli.json),
        Verb::Store(StoreVerb::Setup(args)) => setup::run(args, cli.json),
        Verb::Config(ConfigVerb::Check { which }) => local::config_check(&which.path(), cli.json),
        Verb::Config(ConfigVerb::Show { default: true, .. }) => local::config_default(cli.json),
        Verb::Config(ConfigVerb::Show { which, .. }) => local::config_show(&which.path(), cli.json),
        Verb::Keys(KeysVerb::Generate { which: KeyKind::Dock { out } }) => {
            local::generate_dock_key(&out, cli.json)
        }
        Verb::Keys(KeysVerb::Generate { which: KeyKind::Identity { out } }) => {
            local::generate_identity(&out, cli.json)
        }
        Verb::Doctor => asker.doctor(),
        #[cfg(feature = "vault")]
        Verb::Vault(args) => crate::vault::command::run(args),
        #[cfg(feature = "vault")]
        Verb::Demo(args) => crate::demo::run(args, cli.json),
    }
}
