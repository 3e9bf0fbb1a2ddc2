//! `doctor`: what is wrong with the dock and its surroundings, and the next step for each.

mod fleet;
mod footage;
mod machine;
mod push;
mod surroundings;
mod usb;

use super::{chain, patrol, ports::Ports, uploads::Uploads};
use crate::{
    clock::Clock,
    config::{BaySource, Config, StoreKind},
    dock::{
        Dock, IndexBroken, Records as _, StoreTrouble,
        report::{self, BayReport, Concern, ConcernKind, Light},
    },
    journal::{Accepted, Journal, JournalView},
    metrics::{Push, Surroundings},
    spool::{FolderSpool, Spool as _},
    store::{Distrust, Fault, Probe, Store as _},
    types::BayName,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Accepted damages that are named one by one.
const ACCEPTED_MAX: usize = 4;

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// Nothing is to be done.
    pub fine: bool,
    /// Fine, and still not as it should be: somebody has accepted it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warning: bool,
    pub words: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Finding {
    fn fine(what: &str, words: impl Into<String>) -> Self {
        Self { what: what.into(), fine: true, warning: false, words: words.into(), next: None }
    }

    fn bad(what: &str, words: impl Into<String>, next: impl Into<String>) -> Self {
        let (what, words, next) = (what.into(), words.into(), Some(next.into()));
        Self { what, fine: false, warning: false, words, next }
    }

    fn warning(what: &str, words: impl Into<String>) -> Self {
        Self { warning: true, ..Self::fine(what, words) }
    }
}

/// What the core knows.
#[derive(Default)]
struct Known {
    bays: Vec<BayReport>,
    /// Bays whose cameras could not be read whole, in words; also while they are still copied.
    unread: BTreeMap<BayName, String>,
    store: Option<StoreTrouble>,
}

/// Looks at everything a dock needs.
pub struct Doctor {
    pub config: Config,
    pub clock: Arc<dyn Clock>,
    pub journal: Arc<Journal>,
    pub spool: Arc<FolderSpool>,
    pub uploads: Arc<Uploads>,
    pub profiles: Vec<String>,
    pub enrolled: usize,
    pub ports: Arc<Ports>,
    /// None where nothing is pushed.
    pub push: Option<Arc<Push>>,
    pub surroundings: Arc<Surroundings>,
}

impl Doctor {
    pub async fn findings(&self) -> Vec<Finding> {
        let mut findings = vec![self.clock(), self.custody(), self.spool()];
        findings.extend(self.footage().await);
        findings.extend(surroundings::findings(&self.config));
        findings.push(self.store().await);
        findings.push(self.cameras());
        findings.extend(self.bays().await);
        findings.extend(usb::findings(&self.ports, &self.config.bays));
        findings.extend(self.push.as_ref().map(|push| push::finding(&push.vitals())));
        let warnings = self.config.warnings();
        if warnings.is_empty() {
            findings.push(Finding::fine("configuration", "no warning"));
        }
        findings.extend(warnings.into_iter().map(|words| {
            Finding::bad(
                "configuration",
                words,
                "`bwvdock config show --default` explains each key",
            )
        }));
        findings
    }

    fn clock(&self) -> Finding {
        if self.clock.is_synchronised() {
            Finding::fine("clock", "synchronised")
        } else {
            Finding::bad(
                "clock",
                "not synchronised: times in the custody log are this dock's own opinion",
                "let chrony or systemd-timesyncd reach a time server",
            )
        }
    }

    fn custody(&self) -> Finding {
        match (self.journal.failure(), self.journal.damage()) {
            (Some(error), _) => Finding::bad(
                "custody log",
                format!("cannot be written: {}", chain(&error)),
                "look at the dock's disk; the daemon stops and starts again by itself",
            ),
            (None, Some(damage)) => {
                let folder = self.config.dock.state_dir.join("journal");
                Finding::bad(
                    "custody log",
                    format!("damaged: {damage}; nothing is released, everything else goes on"),
                    format!(
                        "find out what happened, and copy {} away. If there is a copy of what is \
                         missing: stop the dock, put the files back, start it. If not, and people \
                         have looked: `bwvdock custody accept {} --reason ...`",
                        folder.display(),
                        damage.first_seq
                    ),
                )
            }
            (None, None) => match self.journal.accepted() {
                Ok(accepted) => undamaged(self.journal.head().seq, &accepted),
                Err(error) => Finding::bad("custody log", chain(&error), "look at the dock's disk"),
            },
        }
    }

    /// Reads records that may be many: away from the network's threads.
    async fn footage(&self) -> Vec<Finding> {
        let (view, now) = (self.journal.view(), self.clock.now());
        let (surroundings, days) = (self.surroundings.clone(), self.config.retention.days);
        let found = tokio::task::spawn_blocking(move || {
            let mut found = footage::findings(&view, now)?;
            let (board, seen) = surroundings.look();
            found.extend(machine::findings((&board, &seen), &view.totals()?.starts, now));
            found.extend(fleet::findings(&view, now, days)?);
            Ok::<_, IndexBroken>(found)
        })
        .await;
        match found {
            Ok(Ok(findings)) => findings,
            Ok(Err(error)) => {
                let next = "nothing: the daemon stops and makes it anew from the custody log";
                vec![Finding::bad("index", error.to_string(), next)]
            }
            Err(error) => vec![Finding::bad("index", error.to_string(), "ask again")],
        }
    }

    fn spool(&self) -> Finding {
        let usage = self.spool.usage();
        let words = format!("{} of {} bytes used", usage.used, usage.limits.bytes_max);
        if usage.used.saturating_mul(10) >= usage.limits.bytes_max.saturating_mul(9) {
            return Finding::bad(
                "spool",
                format!("{words}: copying will wait for uploads"),
                "see `bwvdock queue`, or raise `bytes_max` under [spool]",
            );
        }
        Finding::fine("spool", words)
    }

    async fn store(&self) -> Finding {
        let endpoint = &self.config.store.endpoint;
        let key = format!("{}{}/doctor", self.config.store.prefix, self.config.dock.id);
        let looked = self.uploads.store.head(&key).await;
        // It may answer a look, and refuse what is sent.
        if let (Ok(_), Some(trouble)) = (&looked, self.known().await.store) {
            let words = format!("{endpoint}: {}: {}", trouble.need.words(), trouble.words);
            return Finding::bad("store", words, trouble.need.next_step());
        }
        if looked.is_ok() {
            let round = patrol::round(&self.uploads, self.clock.now()).await;
            if let Some((object, words)) = round.lacks.first() {
                let (missed, asked) = (round.lacks.len(), round.lacks.len() + round.held);
                return Finding::bad(
                    "store",
                    format!(
                        "{endpoint} lacks {missed} of the {asked} objects that it acknowledged \
                         last ({object}: {words}): is it another store, or was it emptied?"
                    ),
                    "check `endpoint`, `bucket` and `prefix` under [store], and ask whoever runs \
                     the store; nothing is erased that it does not have",
                );
            }
        }
        match looked {
            Ok(_) => match self.uploads.probed.get() {
                Some(probe) if !probe.signature => Finding::bad(
                    "store",
                    format!("{endpoint} takes requests with a wrong signature: anybody can write"),
                    "nothing is sent there; use another store",
                ),
                probe => Finding::fine(
                    "store",
                    format!(
                        "{endpoint} answers; {}; its clock is {:+.1} s from ours",
                        probe.map_or("not asked yet what it checks".into(), checks),
                        self.uploads.store.clock_offset_ms() as f64 / 1000.0
                    ),
                ),
            },
            Err(error) => {
                let next = match error.fault {
                    Fault::Network if self.config.store.kind == StoreKind::Directory => {
                        "look whether the folder's disk or NAS is mounted, and check `directory` \
                         under [store]; `bwvdock store setup` makes a new folder a store"
                    }
                    Fault::Network => "check cable, DNS, firewall and `endpoint` under [store]",
                    Fault::Denied => "check the access key, its rights and the bucket's name",
                    Fault::Skewed => "set this dock's clock",
                    Fault::Unwritable => {
                        "mount it to be written, give the daemon's user the right to, or look after \
                         its disk"
                    }
                    Fault::Untrusted { why: Distrust::Expired }
                        if !self.clock.is_synchronised() =>
                    {
                        "set this dock's clock, which is not synchronised, and look again"
                    }
                    Fault::Untrusted { why } => why.next_step(),
                    Fault::NotTheStore => {
                        "something else answers (a captive portal or a proxy): check the network"
                    }
                    Fault::Busy { .. } | Fault::Server | Fault::Full => {
                        "nothing here: tell whoever runs the store; uploads go on by themselves"
                    }
                    Fault::Missing
                    | Fault::Conflict
                    | Fault::Exists
                    | Fault::BadDigest
                    | Fault::Refused
                    | Fault::Spool => "check `bucket` and `endpoint` under [store]",
                };
                Finding::bad("store", format!("{endpoint}: {error}"), next)
            }
        }
    }

    fn cameras(&self) -> Finding {
        let words = format!(
            "profiles {}; {} camera keys enrolled",
            self.profiles.join(", "),
            self.enrolled
        );
        Finding::fine("cameras", words)
    }

    /// What the core knows of the bays and of the store.
    async fn known(&self) -> Known {
        let now = self.clock.now();
        let look = move |dock: &Dock, view: &JournalView| {
            let reports = report::bay_reports(dock, &report::Now::default(), now, view);
            let unread = dock.bays().iter().filter_map(|(name, bay)| {
                let found = report::concerns(view, &bay.camera, Concern::LIST_MAX).ok()?;
                let is_finding = |c: &Concern| c.is_open() && c.kind == ConcernKind::Finding;
                Some((name.clone(), found.into_iter().find(is_finding)?.words))
            });
            Known {
                unread: unread.collect(),
                bays: reports.unwrap_or_default(),
                store: dock.store_trouble().cloned(),
            }
        };
        // Without a core the daemon is stopping, and says so elsewhere.
        self.uploads.core.look(look).await.unwrap_or_default()
    }

    async fn bays(&self) -> Vec<Finding> {
        let Known { bays, unread, .. } = self.known().await;
        let mut findings = self.places();
        for bay in &bays {
            let words = match (bay.light, unread.get(&bay.bay)) {
                (Light::Red, _) => &bay.words,
                (Light::Off | Light::Amber | Light::Green, Some(words)) => words,
                (Light::Off | Light::Amber | Light::Green, None) => continue,
            };
            let what = format!("bay {}", bay.bay);
            // That the place can be read is no comfort then.
            findings.retain(|finding| finding.what != what || !finding.fine);
            let next = format!("`bwvdock why --bay {}` has everything, and what to do", bay.bay);
            findings.push(Finding::bad(&what, words.clone(), next));
        }
        findings
    }

    /// Whether the places where cameras appear can be looked at.
    fn places(&self) -> Vec<Finding> {
        if self.config.bays.is_empty() {
            let next = "add [[bays]] to the configuration";
            return vec![Finding::bad("bays", "none is configured", next)];
        }
        let look = |bay: &crate::config::Bay| {
            let what = format!("bay {}", bay.name);
            let folder = match &bay.source {
                BaySource::Folder(folder) => folder,
                BaySource::Port(port) => return usb::port(&self.ports, &what, &bay.name, port),
            };
            match std::fs::read_dir(folder) {
                Ok(_) => Finding::fine(&what, format!("{} can be read", folder.display())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    Finding::fine(&what, format!("empty ({} does not exist)", folder.display()))
                }
                Err(error) => Finding::bad(
                    &what,
                    format!("{} cannot be read: {error}", folder.display()),
                    "give the daemon's user access to it",
                ),
            }
        };
        self.config.bays.iter().map(look).collect()
    }
}

/// A custody log with no damage but what people have accepted, which `custody verify` still finds.
fn undamaged(last_seq: u64, accepted: &[Accepted]) -> Finding {
    let named = accepted.iter().take(ACCEPTED_MAX).map(|Accepted { damage, by, at, reason }| {
        let (first, last) = (damage.first_seq, damage.last_seq);
        let lines = if first == last { first.to_string() } else { format!("{first} to {last}") };
        format!("{lines} (accepted by {by} at {at:.0}: {reason})")
    });
    let named: Vec<_> = named.collect();
    let more = match accepted.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match named.is_empty() {
        true => Finding::fine("custody log", format!("whole, line {last_seq}")),
        false => Finding::warning(
            "custody log",
            format!(
                "damaged at lines {}{more}; releasing goes on; its last line is {last_seq}",
                named.join(", ")
            ),
        ),
    }
}

/// What a store was seen to check, in words.
fn checks(probe: &Probe) -> String {
    let seen = &probe.enforces;
    let found: Vec<_> = [
        (seen.sha256, "SHA-256"),
        (seen.md5, "MD5"),
        (seen.if_none_match, "that nothing is overwritten"),
    ]
    .iter()
    .filter(|(checked, _)| *checked)
    .map(|(_, what)| *what)
    .collect();
    match found.is_empty() {
        true => "it checks nothing, so every object is read back".into(),
        false => format!("it checks {}", found.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Damage;

    fn accepted(first_seq: u64, last_seq: u64) -> Accepted {
        let (file, words) = ("custody-2026-03-01-001.jsonl".into(), "lines are missing".into());
        Accepted {
            damage: Damage { file, line: 0, first_seq, last_seq, words, proved: None },
            by: "user:ann".parse().unwrap(),
            at: "2026-03-01T12:00:00Z".parse().unwrap(),
            reason: "disk replaced".into(),
        }
    }

    #[test]
    fn a_log_with_accepted_damage_is_not_called_whole() {
        assert_eq!(undamaged(9, &[]), Finding::fine("custody log", "whole, line 9"));
        let one = undamaged(40, &[accepted(8, 9)]);
        assert!(one.fine && one.warning, "{one:?}");
        assert!(one.words.starts_with("damaged at lines 8 to 9 (accepted by user:ann"), "{one:?}");
        assert!(one.words.contains("disk replaced") && !one.words.contains("whole"), "{one:?}");
        let many = undamaged(400, &(1..=9).map(|n| accepted(20 * n, 20 * n)).collect::<Vec<_>>());
        assert!(many.words.contains("80 (accepted") && !many.words.contains("100 ("), "{many:?}");
        assert!(many.words.contains("and 5 more; releasing goes on"), "{many:?}");
    }
}
