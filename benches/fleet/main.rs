//! A fleet's day against the real code: what its docks ask of a store and tell Prometheus.
//!
//! `cargo bench --bench fleet [-- --every 10] [--json] [--docks N] [--cameras N] ...`. Each dock's
//! rules, its upload machine and its S3 door are the real ones, signing included; time, cameras,
//! lines and the bucket are simulated. Every option is in `options.rs`, with its default.

mod agenda;
mod bucket;
mod copying;
mod day;
mod figures;
mod fleet;
mod footage;
mod line;
mod options;
mod report;
mod sending;
mod station;
mod store;
mod summary;
mod tally;

use std::{io::Write as _, process::ExitCode};

fn main() -> ExitCode {
    let options = match options::Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::from(2);
        }
    };
    let fleet = fleet::run(&options);
    let summary = summary::summary(&fleet, &options);
    if options.json {
        println!("{}", serde_json::to_string(&summary).expect("plain figures"));
    } else {
        print!("{}", report::Report(&summary, &options));
    }
    if let Some(path) = &options.scrapes
        && let Err(error) = write(path, &fleet)
    {
        eprintln!("{path}: {error}");
        return ExitCode::FAILURE;
    }
    if summary.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All scrapes as one OpenMetrics file.
fn write(path: &str, fleet: &fleet::Fleet) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for day in &fleet.days {
        file.write_all(day.scrapes.as_bytes())?;
    }
    file.write_all(b"# EOF\n")?;
    file.flush()
}
