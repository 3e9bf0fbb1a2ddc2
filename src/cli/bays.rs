//! `bays learn`, `bays ports` and `bays udev`: the way from sockets to bays. They need no daemon.

mod learn;
mod ports;
mod udev;

use super::{Complaint, Exit, Outcome, render};
use crate::{
    config::{self, PortsError},
    daemon::chain,
    types::BayName,
    usb::{RusbBus, Sysfs, Watch},
};
use clap::{Args, Subcommand};
use learn::LearnError;
pub use ports::ports;
use serde_json::json;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::{
        fs::{MetadataExt as _, OpenOptionsExt as _, fchown},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    time::Duration,
};
pub use udev::udev;

const CONFIG: &str = "/etc/bwvdock/bwvdock.toml";

#[derive(Debug, Subcommand)]
pub enum BaysVerb {
    /// Find out which port is which bay: plug one device into each in turn
    Learn(LearnArgs),
    /// All USB hubs and ports of this machine, and what is in them
    Ports,
    /// Print the udev rules for the bays of a configuration
    Udev {
        /// The configuration that names the bays
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct LearnArgs {
    /// The configuration that the map is written into
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// The bays, in the order they are asked for [default: those of the configuration]
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    bays: Vec<BayName>,
    /// Change nothing; print the map
    #[arg(long)]
    dry_run: bool,
    /// How long each device is waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 120,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    wait_seconds: u64,
}

/// Walks an administrator through the bays and writes what was learnt.
pub fn learn(args: LearnArgs, socket: &Path, as_json: bool) -> Outcome {
    if UnixStream::connect(socket).is_ok() {
        return Err(Complaint::new(
            Exit::Refused,
            "the dock is running, and would take what is plugged in for a camera",
            "stop it first: `systemctl stop bwvdock`",
        ));
    }
    let text = fs::read_to_string(&args.config).map_err(|error| {
        let next = "`bwvdock config show --default` prints a configuration to start from";
        Complaint::new(
            Exit::Usage,
            format!("{} cannot be read: {error}", args.config.display()),
            next,
        )
    })?;
    let bays = if args.bays.is_empty() { named(&text) } else { args.bays };
    if bays.is_empty() {
        let next = "name them in their order: --bays 1,2,3,4";
        return Err(Complaint::new(Exit::Usage, "the configuration has no bays yet", next));
    }
    let mut watch = Watch::new(RusbBus::open(Sysfs::default()));
    let twin = |port: &_| Sysfs::default().twin(port);
    let wait = Duration::from_secs(args.wait_seconds);
    let map = learn::learn(&mut watch, &bays, wait, &twin, &mut |words| eprintln!("{words}"))
        .map_err(refused)?;
    let new = config::with_ports(&text, &map).map_err(unwritable)?;
    if !args.dry_run {
        replace(&args.config, &new).map_err(|error| {
            let what = format!("{} cannot be written: {error}", args.config.display());
            Complaint::new(Exit::Failed, what, "nothing was changed; use sudo, or --dry-run")
        })?;
    }
    let written = (!args.dry_run).then(|| args.config.display().to_string());
    if as_json {
        let rows: Vec<_> =
            map.iter().map(|(bay, port)| json!({ "name": bay, "port": port })).collect();
        render::print_json(&json!({ "bays": rows, "written": written }));
        return Ok(Exit::Fine);
    }
    let rows: String =
        map.iter().map(|(bay, port)| format!("bay {bay:<8} port {port}\n")).collect();
    let last = match written {
        Some(file) => format!("written to {file}; start the dock again\n"),
        None => "nothing was written\n".to_owned(),
    };
    render::print(&format!("{rows}{last}"));
    Ok(Exit::Fine)
}

/// The bays a configuration names, whatever else is wrong in it.
fn named(text: &str) -> Vec<BayName> {
    let document: toml::Table = text.parse().unwrap_or_default();
    let bays = document.get("bays").and_then(toml::Value::as_array);
    let name = |bay: &toml::Value| bay.get("name")?.as_str()?.parse().ok();
    bays.into_iter().flatten().filter_map(name).collect()
}

fn refused(error: LearnError) -> Complaint {
    let next = match &error {
        LearnError::Nobody { .. } => {
            "nothing was written; is the hub powered, and the device good? Then begin again"
        }
        LearnError::Bus(_) => "this machine's USB cannot be read: see `dmesg`",
        LearnError::Twice(_) => "name each bay once",
    };
    let exit = match error {
        LearnError::Twice(_) => Exit::Usage,
        LearnError::Nobody { .. } | LearnError::Bus(_) => Exit::Failed,
    };
    Complaint::new(exit, chain(&error), next)
}

fn unwritable(error: PortsError) -> Complaint {
    let next = match &error {
        PortsError::Syntax(_) => "`bwvdock config check` says where",
        PortsError::Shape => "write each bay as a section of its own",
        PortsError::Invalid(_) => "learn all bays of the file, or remove those that are no more",
    };
    Complaint::new(Exit::Usage, format!("nothing was written: {}", chain(&error)), next)
}

/// Whole or not at all: a new file beside the old one, flushed, then renamed over it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let old = fs::metadata(&path)?;
    let new = path.with_extension("toml.new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(old.mode()).open(&new)?;
    file.set_permissions(old.permissions())?;
    // Only root may give files away; the rights are what counts.
    let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| fs::rename(&new, &path)) {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_file_is_replaced_whole_and_keeps_its_rights() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("dock.toml"), folder.path().join("link.toml"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn bays_are_named_even_by_a_configuration_that_is_not_finished() {
        let text = "[[bays]]\nname = \"1\"\n[[bays]]\nname = \"2\"\nfolder = 7\n";
        assert_eq!(named(text), ["1", "2"].map(|name| name.parse().unwrap()));
        assert_eq!(named("[dock"), []);
    }
}
