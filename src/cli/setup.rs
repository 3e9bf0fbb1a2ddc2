//! `store setup`: brings the store to what evidence needs, and reads it back.

use super::{Complaint, Exit, Outcome, local, render, store::wrap};
use crate::{
    config::{Config, SecretFile, StoreKind},
    daemon::{chain, open_directory, open_store},
    store::{BucketWanted, FolderSetup, SetupReport},
};
use jiff::Timestamp;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct SetupArgs {
    /// The configuration; needs no running dock
    #[arg(long, value_name = "FILE", default_value = "/etc/bwvdock/bwvdock.toml")]
    config: PathBuf,
    /// Only show what would be changed (exit 1 if there is something)
    #[arg(long)]
    dry_run: bool,
    /// Make rules of ours shorter that are longer than asked; without it they are kept
    #[arg(long)]
    shorten: bool,
    /// Clear away uploads that nobody finished after so many days: more than a dock is ever offline
    #[arg(long, value_name = "DAYS", default_value_t = 14, value_parser = clap::value_parser!(u64).range(2..=3650))]
    stale_upload_days: u64,
    /// Keep a version that expired so many days longer, to be got back
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=3650))]
    noncurrent_days: u64,
    /// Keys of somebody who may change buckets, instead of the dock's own
    #[arg(long, value_name = "FILE", requires = "secret_key_file")]
    access_key_file: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "access_key_file")]
    secret_key_file: Option<PathBuf>,
}

pub fn run(args: SetupArgs, as_json: bool) -> Outcome {
    let mut config = local::load(&args.config)?;
    if let (Some(access), Some(secret)) = (&args.access_key_file, &args.secret_key_file) {
        config.store.access_key_file = SecretFile::Path(access.clone());
        config.store.secret_key_file = SecretFile::Path(secret.clone());
    }
    if config.store.kind == StoreKind::Directory {
        return folder(&args, &config, as_json);
    }
    let report = bucket(&args, &config)?;
    if as_json {
        let Config { store, .. } = &config;
        render::print(&render::json(&json!({
            "endpoint": store.endpoint.as_str(),
            "bucket": store.bucket,
            "dry_run": args.dry_run,
            "fine": report.problems.is_empty(),
            "report": report,
        })));
    } else {
        render::print(&as_text(&config, &report));
    }
    Ok(if report.problems.is_empty() { Exit::Fine } else { Exit::Differs })
}

fn bucket(args: &SetupArgs, config: &Config) -> Result<SetupReport, Complaint> {
    let store = open_store(config).map_err(|error| {
        let next = error.next_step().to_owned();
        Complaint::new(Exit::Usage, chain(&error), next)
    })?;
    let wanted = BucketWanted {
        prefix: config.store.prefix.clone(),
        object_lock: config.retention.lock,
        days: config.retention.days.into(),
        noncurrent_days: args.noncurrent_days,
        stale_upload_days: args.stale_upload_days,
        shorten: args.shorten,
    };
    runtime()?.block_on(store.set_up(&wanted, args.dry_run)).map_err(|error| {
        Complaint::new(
            Exit::Failed,
            format!("{} was not looked at whole: {}", config.store.endpoint, error.with_advice()),
            "name the keys of somebody who may change buckets with --access-key-file and \
             --secret-key-file; nothing was changed",
        )
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Complaint> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .map_err(|error| Complaint::new(Exit::Failed, format!("no runtime: {error}"), "try again"))
}

/// A store that is a folder.
fn folder(args: &SetupArgs, config: &Config, as_json: bool) -> Outcome {
    let store = open_directory(config);
    let how = FolderSetup {
        dry_run: args.dry_run,
        stale_upload_days: args.stale_upload_days,
        now: Timestamp::now(),
    };
    let shown = store.folder().display().to_string();
    let report = runtime()?.block_on(store.set_up(how)).map_err(|error| {
        let next = "mend that, and ask again; the folder is no store before";
        Complaint::new(Exit::Failed, format!("{shown}: {}", error.words), next)
    })?;
    if as_json {
        let value = json!({
            "directory": shown,
            "dry_run": args.dry_run,
            "fine": report.problems.is_empty(),
            "report": report,
        });
        render::print(&render::json(&value));
    } else {
        let state = match (report.was_a_store, report.is_a_store) {
            (true, _) => "is a store",
            (false, true) => "is a store now",
            (false, false) => "is no store",
        };
        let mut text = format!("{shown} {state}; {} free", render::bytes(report.free_bytes));
        if report.stale_uploads > 0 {
            text.push_str(&format!("; {} stale uploads cleared away", report.stale_uploads));
        }
        text.push_str("\n\n");
        report.notes.iter().chain(&report.problems).for_each(|words| wrap(words, &mut text));
        render::print(&text);
    }
    Ok(if report.problems.is_empty() { Exit::Fine } else { Exit::Differs })
}

fn as_text(config: &Config, report: &SetupReport) -> String {
    let rows = report.steps.iter().map(|step| {
        let result = match (&step.after, step.change) {
            (_, false) => "as wanted".to_owned(),
            (None, true) => format!("to be: {}", step.wanted),
            (Some(after), true) if step.fine => format!("now: {after}"),
            (Some(after), true) => format!("NOT as wanted: {after}"),
        };
        vec![step.what.to_owned(), step.before.clone(), result]
    });
    let mut text = format!("{} bucket {}\n\n", config.store.endpoint, config.store.bucket);
    text.push_str(&render::table(&["WHAT", "BEFORE", ""], &[], rows.collect()));
    for paragraphs in [&report.notes, &report.problems] {
        if !paragraphs.is_empty() {
            text.push('\n');
        }
        paragraphs.iter().for_each(|words| wrap(words, &mut text));
    }
    if report.problems.is_empty() {
        text.push_str("\nThe bucket is as evidence needs it; `bwvdock store probe` shows what the store makes of it.\n");
    }
    text
}
