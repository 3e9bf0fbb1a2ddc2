//! `store probe`: what the store really enforces, seen by asking it wrongly on purpose.

use super::{Complaint, Exit, Outcome, local, render};
use crate::{
    config::{Config, StoreKind},
    daemon::{chain, open_directory, open_store},
    store::{Kept, Lifecycle, LifecycleRule, S3, Seen, StoreError, Survey},
    types::ReceiptLevel,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::Path;

/// One line of the table.
struct Check {
    name: &'static str,
    what: &'static str,
    seen: Seen,
    /// How yes, and how no, is said.
    words: [&'static str; 2],
}

pub fn probe(file: &Path, as_json: bool) -> Outcome {
    let config = local::load(file)?;
    if config.store.kind == StoreKind::Directory {
        return probe_folder(&config, as_json);
    }
    let store = open_store(&config).map_err(|error| {
        let next = error.next_step().to_owned();
        Complaint::new(Exit::Usage, chain(&error), next)
    })?;
    let prefix = format!("{}{}/", config.store.prefix, config.dock.id);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Complaint::new(Exit::Failed, format!("no runtime: {error}"), "try again")
    })?;
    let wanted = config.release.receipt_level_min;
    let survey = runtime.block_on(store.survey(&prefix, wanted, Timestamp::now()));
    let survey = survey.map_err(|error| unreachable(&config, &error))?;
    let verdict = Verdict::of(&config, &survey);
    if as_json {
        render::print_json(&as_value(&config, &store, &survey, &verdict));
    } else {
        render::print(&as_text(&config, &store, &survey, &verdict));
    }
    Ok(if verdict.good { Exit::Fine } else { Exit::Differs })
}

/// A folder enforces nothing that could be asked; whether it is a store, and keeps names, can be.
fn probe_folder(config: &Config, as_json: bool) -> Outcome {
    let store = open_directory(config);
    let prefix = format!("{}{}/", config.store.prefix, config.dock.id);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Complaint::new(Exit::Failed, format!("no runtime: {error}"), "try again")
    })?;
    let shown = store.folder().display().to_string();
    runtime.block_on(store.probe(&prefix)).map_err(|error| {
        let next = "`bwvdock store setup` makes a folder a store";
        Complaint::new(Exit::Failed, format!("{shown}: {}", error.words), next)
    })?;
    let good = config.release.receipt_level_min <= ReceiptLevel::ReadBack;
    let meaning = [
        "no name is given twice, and every object is read back and hashed: receipts say read_back",
        "class, retention and legal hold are written beside each object; nothing enforces them, and \
         nothing here is locked",
    ];
    if as_json {
        let value = json!({
            "directory": shown,
            "good": good,
            "receipt_level": ReceiptLevel::ReadBack,
            "meaning": meaning,
        });
        render::print(&render::json(&value));
    } else {
        let mut text = format!("{shown} is a store\n\n");
        meaning.iter().for_each(|words| wrap(words, &mut text));
        if !good {
            wrap(
                "[release] asks for more than a folder can prove: nothing would be released",
                &mut text,
            );
        }
        render::print(&text);
    }
    Ok(if good { Exit::Fine } else { Exit::Differs })
}

fn unreachable(config: &Config, error: &StoreError) -> Complaint {
    let endpoint = &config.store.endpoint;
    Complaint::new(
        Exit::Failed,
        format!("{endpoint} was not examined: {error}"),
        "`bwvdock doctor` says what to look at; check [store] in the configuration",
    )
}

/// What all of it means for a dock.
struct Verdict {
    /// Footage can be sent here, proved, and released.
    good: bool,
    meaning: Vec<String>,
}

impl Verdict {
    fn of(config: &Config, survey: &Survey) -> Self {
        let Some(kept) = &survey.kept else {
            let words = "REFUSED: it takes requests with a wrong signature, so anybody can write \
                         to it; no dock sends anything there";
            return Self { good: false, meaning: vec![words.into()] };
        };
        let mut verdict = Self { good: true, meaning: Vec::new() };
        verdict.level(config, kept);
        verdict.overwriting(survey, kept);
        verdict.keeping(config, kept);
        verdict.lifecycle(config, kept);
        verdict
    }

    fn good(&mut self, words: impl Into<String>) {
        self.meaning.push(words.into());
    }

    fn bad(&mut self, words: impl Into<String>) {
        self.good = false;
        self.meaning.push(words.into());
    }

    fn level(&mut self, config: &Config, kept: &Kept) {
        let wanted = config.release.receipt_level_min;
        match &kept.level {
            Ok(level) if *level >= wanted => {
                self.good(format!("receipts will say {level}: {}", means(*level)))
            }
            Ok(level) => self.bad(format!(
                "receipts will say {level}: {}; [release] asks for {wanted}, so nothing would ever \
                 be released",
                means(*level)
            )),
            Err(words) => self.bad(format!("an object did not get through: {words}")),
        }
    }

    fn overwriting(&mut self, survey: &Survey, kept: &Kept) {
        if survey.probe.enforces.if_none_match {
            self.good("nothing can be overwritten by mistake: the store refuses a second Complete");
        } else if kept.versions {
            self.good(
                "the store would take a second Complete; the dock looks first, and versions keep \
                 both",
            );
        } else {
            self.good(
                "WARNING: the store would overwrite on a second Complete and keeps no versions; the \
                 dock looks first, but two writers of one key could destroy evidence: give each \
                 dock a key for its own prefix only",
            );
        }
    }

    fn keeping(&mut self, config: &Config, kept: &Kept) {
        if kept.class_tag != Seen::Yes && kept.class_tag_after == Seen::Yes {
            self.good(
                "the class tag of a multipart upload is lost here; the dock gives it to the stored \
                 object and reads it back",
            );
        } else if kept.class_tag != Seen::Yes {
            self.good(
                "WARNING: the class tag is not seen to be kept: lifecycle rules by tag cannot work \
                 here; let nothing expire by itself",
            );
        }
        if config.retention.lock && kept.legal_hold != Seen::Yes {
            self.good(
                "WARNING: no legal hold is seen to be kept: evidence is held here by its class \
                 tag alone",
            );
        }
        match (&kept.lock, config.retention.lock) {
            (Seen::Yes, _) => self.good("objects are locked until their date"),
            (Seen::No, _) if kept.lock_after == Seen::Yes => self.good(
                "the lock of a multipart upload is lost here; the dock locks the stored object \
                 and reads it back",
            ),
            (Seen::No, true) => self.bad(
                "[retention] asks for locks, and this store keeps none: nothing here may be called \
                 locked; make the bucket anew with object lock, or set `lock = false`",
            ),
            (Seen::Unknown(words), true) => self.good(format!(
                "WARNING: [retention] asks for locks, and none was seen ({words}): have whoever \
                 runs the store show that a locked object cannot be deleted",
            )),
            (Seen::No | Seen::Unknown(_), false) => self.good(
                "no lock is seen on objects: whoever has a key with delete rights may delete them",
            ),
        }
    }

    fn lifecycle(&mut self, config: &Config, kept: &Kept) {
        let ours = &config.store.prefix;
        let Lifecycle::Rules(rules) = &kept.lifecycle else { return };
        for rule in rules.iter().filter(|rule| rule.expires_anything_below(ours)) {
            self.bad(format!(
                "DANGER: the lifecycle rule {} expires objects whatever their class, evidence \
                 included: have it limited to the tag class=unreviewed, and read back",
                rule.id
            ));
        }
    }
}

fn means(level: ReceiptLevel) -> &'static str {
    match level {
        ReceiptLevel::Sha256PerPart => "the store itself checks the SHA-256 of every part",
        ReceiptLevel::ReadBack => {
            "the dock reads every object back and hashes it, which costs the same traffic again"
        }
        ReceiptLevel::Md5PerPart => "the store itself checks an MD5 of every part",
        ReceiptLevel::SizeOnly => "the store proves no more than the size",
    }
}

fn checks(survey: &Survey) -> Vec<Check> {
    const REFUSED: [&str; 2] = ["refused", "TAKEN"];
    const KEPT: [&str; 2] = ["kept", "not kept"];
    const YES: [&str; 2] = ["yes", "no"];
    let check = |name, what, seen: Seen, words| Check { name, what, seen, words };
    let probe = &survey.probe;
    let mut checks = vec![check(
        "signature",
        "a request with a wrong signature",
        probe.signature.into(),
        REFUSED,
    )];
    let Some(kept) = &survey.kept else { return checks };
    let seen = &probe.enforces;
    checks.extend([
        check("sha256", "a part with a wrong SHA-256", seen.sha256.into(), REFUSED),
        check("md5", "a part with a wrong MD5", seen.md5.into(), REFUSED),
        check(
            "put_if_none_match",
            "PutObject over an object",
            kept.put_if_none_match.into(),
            REFUSED,
        ),
        check(
            "complete_if_none_match",
            "Complete over an object",
            seen.if_none_match.into(),
            REFUSED,
        ),
        check("composite_sha256", "the SHA-256 of the parts", kept.composite_sha256.into(), KEPT),
        check("metadata", "the metadata of an object", kept.metadata.into(), KEPT),
        check("class_tag", "the class tag", kept.class_tag.clone(), KEPT),
        check("class_tag_after", "the class tag, given later", kept.class_tag_after.clone(), KEPT),
        check("lock", "the lock until a date", kept.lock.clone(), KEPT),
        check("lock_after", "the lock, given later", kept.lock_after.clone(), KEPT),
        check("legal_hold", "a legal hold, and its end", kept.legal_hold.clone(), KEPT),
        check("versions", "versions of objects", kept.versions.into(), YES),
        check(
            "uploads_listed",
            "unfinished uploads can be listed",
            kept.uploads_listed.clone(),
            YES,
        ),
    ]);
    checks
}

fn lifecycle_words(lifecycle: &Lifecycle) -> String {
    let rule = |rule: &LifecycleRule| {
        let mut words =
            vec![if rule.enabled { rule.id.clone() } else { format!("{} (off)", rule.id) }];
        if let Some(days) = rule.expires_after_days {
            let what =
                if rule.tags.is_empty() { "EVERYTHING".into() } else { rule.tags.join(" and ") };
            words.push(format!("expires {what} after {days} days"));
        }
        if let Some(days) = rule.aborts_uploads_after_days {
            words.push(format!("ends stale uploads after {days} days"));
        }
        words.join(" ")
    };
    match lifecycle {
        Lifecycle::Unset => "none: nothing expires, stale uploads neither".into(),
        Lifecycle::Unreadable(words) => format!("not to be read: {words}"),
        Lifecycle::Rules(rules) => rules.iter().map(rule).collect::<Vec<_>>().join("; "),
    }
}

fn as_text(config: &Config, store: &S3, survey: &Survey, verdict: &Verdict) -> String {
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for check in checks(survey) {
        let found = match check.seen {
            Seen::Yes => check.words[0],
            Seen::No => check.words[1],
            Seen::Unknown(words) => {
                notes.push(format!("{}: {words}", check.what));
                "not seen, see below"
            }
        };
        rows.push(vec![check.what.to_owned(), found.to_owned()]);
    }
    let offset = store.clock_offset_ms() as f64 / 1000.0;
    rows.push(vec!["its clock".into(), format!("{offset:+.1} s from ours")]);
    if let Some(kept) = &survey.kept {
        notes.push(format!("lifecycle rules: {}", lifecycle_words(&kept.lifecycle)));
    }
    let mut text = format!("{} bucket {}\n\n", config.store.endpoint, config.store.bucket);
    text.push_str(&render::table(&["ASKED", "THIS STORE"], &[], rows));
    for paragraphs in [&notes, &verdict.meaning] {
        text.push('\n');
        paragraphs.iter().for_each(|words| wrap(words, &mut text));
    }
    text
}

/// A paragraph of a list, with lines that fit a terminal.
pub(super) fn wrap(words: &str, text: &mut String) {
    let columns = render::terminal_columns().map_or(98, |columns| columns.min(98));
    let mut column = 0;
    for word in words.split_whitespace() {
        let width = word.chars().count();
        let separator = match column {
            0 => "- ",
            _ if column + 1 + width > columns => {
                column = 0;
                "\n  "
            }
            _ => " ",
        };
        column += if column == 0 { 2 } else { 1 } + width;
        text.push_str(separator);
        text.push_str(word);
    }
    text.push('\n');
}

fn as_value(config: &Config, store: &S3, survey: &Survey, verdict: &Verdict) -> Value {
    let checks: serde_json::Map<_, _> = checks(survey)
        .into_iter()
        .map(|check| {
            let value = match check.seen {
                Seen::Yes => Value::Bool(true),
                Seen::No => Value::Bool(false),
                Seen::Unknown(words) => Value::String(words),
            };
            (check.name.to_owned(), value)
        })
        .collect();
    let kept = survey.kept.as_ref();
    json!({
        "endpoint": config.store.endpoint.as_str(),
        "bucket": config.store.bucket,
        "good": verdict.good,
        "receipt_level": kept.and_then(|kept| kept.level.as_ref().ok()),
        "checks": checks,
        "lifecycle": kept.map(|kept| &kept.lifecycle),
        "clock_offset_ms": store.clock_offset_ms(),
        "meaning": verdict.meaning,
    })
}
