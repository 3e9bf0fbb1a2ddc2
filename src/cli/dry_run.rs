//! `release --dry-run`: the rule, its verdict on each file, and why files stay.

use super::{
    render::{count, table},
    screens::listed,
};
use crate::dock::report::{DryRun, DryRunRow};
use std::{cmp::Reverse, collections::BTreeMap};

pub fn dry_run(run: &DryRun) -> String {
    let mut out = String::from("The rule. Every line must hold, or the file stays:\n");
    for (number, condition) in run.conditions.iter().enumerate() {
        out.push_str(&format!("  {:>2}. {condition}\n", number + 1));
    }
    out.push('\n');
    let rows = run
        .page
        .rows
        .iter()
        .map(|row| {
            // The list below has them all.
            let mut because =
                row.obstacles.first().map_or_else(String::new, |(what, _)| what.clone());
            if row.obstacles.len() > 1 {
                because.push_str(&format!(", and {} more", row.obstacles.len() - 1));
            }
            vec![
                if row.release { "release".into() } else { "stays".to_owned() },
                row.camera.to_string(),
                row.path.to_string(),
                because,
            ]
        })
        .collect();
    out.push_str(&listed(
        &run.page,
        table(&["RULE", "CAMERA", "FILE", "BECAUSE"], &[], rows),
        "No file is on any camera this dock knows.",
    ));
    out.push_str(&reasons(&run.page.rows));
    out
}

/// Reasons named one by one; some say how long they last, so there may be as many as files.
const REASONS_MAX: usize = 20;

/// Why the files of these rows stay: every reason once, with how many it holds for.
fn reasons(rows: &[DryRunRow]) -> String {
    let mut found: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (words, next) in rows.iter().flat_map(|row| &row.obstacles) {
        *found.entry((words, next)).or_default() += 1;
    }
    let mut reasons: Vec<_> = found.into_iter().collect();
    reasons.sort_by_key(|(_, files)| Reverse(*files));
    let mut out = String::new();
    if !reasons.is_empty() {
        out.push_str("\nWhy the files above stay (more than one reason may hold for a file):\n");
    }
    for ((words, next), files) in reasons.iter().take(REASONS_MAX) {
        let files = count(*files, "file", "files");
        out.push_str(&format!("  {files}: {words}\n      -> {next}\n"));
    }
    if reasons.len() > REASONS_MAX {
        let more = count((reasons.len() - REASONS_MAX) as u64, "reason", "reasons");
        out.push_str(&format!("  and {more} more: `bwvdock why ID`, or --json\n"));
    }
    out
}
