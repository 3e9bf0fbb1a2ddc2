//! The dock's configuration: one TOML text in, one checked structure or all its problems out.
//!
//! Parsing is pure; only [`load`] and its like read files. An unknown key is an error with a suggestion,
//! because a misspelt safety setting must not silently mean its default. Secrets are never in a
//! configuration, only the names of the files they lie in. [`DEFAULT_TOML`] is the manual: every
//! key stands in it with its default, and tests keep that so.

mod charging;
mod error;
mod load;
mod metrics;
mod model;
mod ports;
mod push;
mod reader;
mod recipients;
mod report;
mod sections;
mod store;
#[cfg(test)]
mod tests;
mod value;
mod warnings;

pub use charging::{Charging, ChargingShift};
pub use error::{ConfigError, ConfigErrors};
pub use load::{LoadError, load, load_parts, load_store, read_secret};
pub use metrics::Metrics;
pub use model::{
    Api, Bay, BaySource, Cameras, Config, Dock, Journal, Log, Release, Retention, Seal, Spool,
    Store, StoreRequired, Transfer, Usb, Window,
};
pub use ports::{PortsError, with_ports};
pub use push::Push;
pub use value::{
    ChargeOrder, Day, LogFormat, LogLevel, SecretFile, StoreKind, TimeOfDay, UnknownModels,
};

use crate::types::DockId;
use reader::Section;
use report::Report;
use toml::de::DeTable;

/// The commented configuration that ships with bwvdock: all defaults, and what must be filled in.
pub const DEFAULT_TOML: &str = include_str!("../../config/bwvdock.toml");

impl Config {
    /// A configuration of defaults around what has none.
    pub fn new(id: DockId, recipients: Vec<String>, store: Store) -> Self {
        Self {
            dock: Dock::new(id),
            api: Api::default(),
            cameras: Cameras::default(),
            usb: Usb::default(),
            charging: Charging::default(),
            seal: Seal { recipients, recipients_file: None },
            spool: Spool::default(),
            journal: Journal::default(),
            store,
            transfer: Transfer::default(),
            release: Release::default(),
            retention: Retention::default(),
            log: Log::default(),
            metrics: Metrics::default(),
            push: Push::default(),
            bays: Vec::new(),
        }
    }

    /// Parses and checks a whole configuration.
    ///
    /// # Errors
    /// Every problem there is, each with its line.
    pub fn parse(text: &str) -> Result<Self, ConfigErrors> {
        let report = Report::new(text);
        with_document(&report, text, whole)
    }

    /// Parses the sections `[store]` and `[seal]` and ignores all others. A missing `[seal]`, or one
    /// that names nobody, is no problem here.
    ///
    /// # Errors
    /// Every problem in those sections.
    pub fn parse_store(text: &str) -> Result<(Store, Seal), ConfigErrors> {
        let report = Report::new(text);
        with_document(&report, text, |mut root| {
            let mut section = root.section("seal");
            let seal = sections::seal_of_any(&mut section);
            section.finish();
            store::store(root.section("store")).map(|store| (store, seal))
        })
    }

    /// The configuration in force, as TOML that parses to an equal one. Holds no secret.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a checked configuration has only text paths and plain keys")
    }
}

/// Runs `read` on the parsed document, and lets nothing through while anything is wrong.
fn with_document<T>(
    report: &Report<'_>,
    text: &str,
    read: impl FnOnce(Section<'_>) -> Option<T>,
) -> Result<T, ConfigErrors> {
    let (document, syntax) = DeTable::parse_recoverable(text);
    if syntax.is_empty() {
        let value = read(Section::root(report, document.get_ref()));
        report.finish()?;
        return Ok(value.expect("what has no value was reported as missing or wrong"));
    }
    for error in syntax {
        let words = error.message().trim_end().replace('\n', ", ");
        report.add(error.span().as_ref(), "", words, "see https://toml.io for how TOML is written");
    }
    Err(report.finish().expect_err("a syntax error was just reported"))
}

fn whole(mut root: Section<'_>) -> Option<Config> {
    // Every section is read before anything is given up, so that all problems are found.
    let dock = sections::dock(root.section("dock"));
    let api = sections::api(root.section("api"));
    let state_dir = dock.as_ref().map(|dock| dock.state_dir.as_path());
    let bays = sections::bays(root.sections("bays", sections::BAYS_MAX), state_dir);
    let cameras = sections::cameras(root.section("cameras"));
    let usb = sections::usb(root.section("usb"));
    let charging = charging::charging(root.section("charging"));
    let seal = sections::seal(root.section("seal"));
    let spool = sections::spool(root.section("spool"));
    let journal = sections::journal(root.section("journal"));
    let store = store::store(root.section("store"));
    let transfer = sections::transfer(root.section("transfer"));
    let release = sections::release(root.section("release"));
    let retention = sections::retention(root.section("retention"));
    let log = sections::log(root.section("log"));
    let metrics = metrics::metrics(root.section("metrics"));
    let push = push::push(root.section("push"));
    root.finish();
    let (dock, store) = (dock?, store?);
    Some(Config {
        dock,
        api,
        cameras,
        usb,
        charging,
        seal,
        spool,
        journal,
        store,
        transfer,
        release,
        retention,
        log,
        metrics,
        push,
        bays,
    })
}
