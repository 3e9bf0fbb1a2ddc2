//! Figures for people and machines out of what was counted.

use crate::{
    day::Day,
    fleet::Fleet,
    options::Options,
    tally::{DAY_S, Kind},
};
use serde::Serialize;

/// Samples of Prometheus at one scrape interval.
#[derive(Debug, Serialize)]
pub struct Scraping {
    pub interval_s: u32,
    pub samples_per_second: f64,
    pub exposition_bytes_per_second: f64,
    pub disk_bytes_per_day: f64,
    pub disk_bytes_retained: f64,
}

#[derive(Debug, Serialize)]
pub struct Requests {
    pub kind: String,
    pub per_day: f64,
    pub per_object: f64,
    pub mean_per_second: f64,
    /// Of the busiest minute.
    pub peak_per_second: f64,
    pub sent_bytes: f64,
    pub received_bytes: f64,
}

/// How long cameras of docks with one line speed wait until their footage is safe.
#[derive(Debug, Serialize)]
pub struct Safe {
    pub line_mbit: u32,
    pub docks: usize,
    /// Hours after docking: half of the cameras, 95 of 100, and the last one.
    pub evidence_hours: [f64; 3],
    pub all_hours: [f64; 3],
    /// How long the line is busy with a day's footage, hours: the mean dock, and the busiest one.
    pub busy_hours: [f64; 2],
    /// Docks whose line is busy for less than a day, as a share; the others fall behind for ever.
    pub keeps_up: f64,
    pub spool_peak_gb: f64,
}

#[derive(Debug, Serialize)]
pub struct Summary {
    pub docks: u32,
    pub docks_simulated: usize,
    pub requests_simulated: u64,
    pub cameras: f64,
    pub files: f64,
    pub objects_per_day: f64,
    pub objects_kept: f64,
    pub bytes_per_day: f64,
    pub bytes_kept: f64,
    pub requests: Vec<Requests>,
    pub all: Requests,
    pub peak_bytes_per_second: f64,
    pub custody_lines_per_dock: f64,
    pub receipt_bytes: f64,
    pub safe: Vec<Safe>,
    pub series_per_dock_max: u64,
    pub series_at_once: f64,
    pub series_new_per_day: f64,
    pub exposition_bytes_max: u64,
    pub scraping: Vec<Scraping>,
    pub head_memory_bytes: f64,
    pub month_writes: f64,
    pub month_reads: f64,
    pub month_storage: f64,
    pub wrong: Vec<String>,
}

pub fn summary(fleet: &Fleet, options: &Options) -> Summary {
    let times = f64::from(options.docks) / fleet.days.len().max(1) as f64;
    let sum = |of: fn(&Day) -> u64| fleet.days.iter().map(of).sum::<u64>() as f64 * times;
    let objects = sum(|day| day.objects);
    let bytes = sum(|day| day.sealed_bytes);
    let row = |kind: Kind| {
        let row = fleet.tally.row(kind);
        let per_day = row.count as f64 * times;
        Requests {
            kind: format!("{kind:?}"),
            per_day,
            per_object: per_day / objects.max(1.0),
            mean_per_second: per_day / DAY_S as f64,
            peak_per_second: fleet.tally.peak(|other| other == kind) * times,
            sent_bytes: row.sent as f64 * times,
            received_bytes: row.received as f64 * times,
        }
    };
    let requests: Vec<_> = Kind::ALL.map(row).into_iter().filter(|row| row.per_day > 0.0).collect();
    let total = |of: fn(&Requests) -> f64| requests.iter().map(of).sum::<f64>();
    let all = Requests {
        kind: "all".into(),
        per_day: total(|row| row.per_day),
        per_object: total(|row| row.per_object),
        mean_per_second: total(|row| row.mean_per_second),
        peak_per_second: fleet.tally.peak(|_| true) * times,
        sent_bytes: total(|row| row.sent_bytes),
        received_bytes: total(|row| row.received_bytes),
    };
    let series = |day: &Day| day.series.iter().copied().max().unwrap_or(0);
    let at_once = fleet.days.iter().map(series).sum::<u64>() as f64 * times;
    let scraping = scraping(fleet, options, at_once, times);
    let writes = |is: bool| {
        Kind::ALL
            .into_iter()
            .filter(|kind| kind.is_write() == is)
            .map(|kind| fleet.tally.row(kind).count as f64 * times)
            .sum::<f64>()
    };
    let days = options.retention_days;
    Summary {
        docks: options.docks,
        docks_simulated: fleet.days.len(),
        requests_simulated: fleet.tally.total(),
        cameras: sum(|day| day.cameras),
        files: sum(|day| day.files),
        objects_per_day: objects,
        // The sealed object and its receipt.
        objects_kept: 2.0 * objects * days,
        bytes_per_day: bytes,
        bytes_kept: bytes * days,
        requests,
        all,
        peak_bytes_per_second: fleet.tally.peak_bytes() * times,
        custody_lines_per_dock: sum(|day| day.facts) / f64::from(options.docks),
        receipt_bytes: sum(|day| day.receipt_bytes),
        safe: safe(fleet, options),
        series_per_dock_max: fleet.days.iter().map(series).max().unwrap_or(0),
        series_at_once: at_once,
        series_new_per_day: fleet.days.iter().map(|day| day.series_of_cameras).sum::<u64>() as f64
            * times,
        exposition_bytes_max: fleet
            .days
            .iter()
            .flat_map(|day| day.exposition_bytes.iter().copied())
            .max()
            .unwrap_or(0),
        scraping,
        head_memory_bytes: at_once * options.bytes_per_series,
        month_writes: writes(true) * 30.0 / 1000.0 * options.prices.writes_per_1000,
        month_reads: writes(false) * 30.0 / 1000.0 * options.prices.reads_per_1000,
        month_storage: bytes * days / 1e9 * options.prices.gb_month,
        wrong: fleet.wrong.clone(),
    }
}

fn scraping(fleet: &Fleet, options: &Options, at_once: f64, times: f64) -> Vec<Scraping> {
    let largest = |day: &Day| day.exposition_bytes.iter().copied().max();
    let text = fleet.days.iter().filter_map(largest).sum::<u64>() as f64 * times;
    let at = |interval_s: u32| {
        let samples_per_second = at_once / f64::from(interval_s);
        let day = samples_per_second * DAY_S as f64 * options.bytes_per_sample;
        Scraping {
            interval_s,
            samples_per_second,
            exposition_bytes_per_second: text / f64::from(interval_s),
            disk_bytes_per_day: day,
            disk_bytes_retained: day * options.retention_days,
        }
    };
    [15, 30, 60].map(at).into()
}

fn safe(fleet: &Fleet, options: &Options) -> Vec<Safe> {
    let mut lines = options.lines.clone();
    lines.sort_by_key(|(mbit, _)| *mbit);
    let of = |mbit: u32| {
        let days: Vec<_> = fleet.days.iter().filter(|day| day.mbit == mbit).collect();
        let hours = |day: &&Day| {
            day.sealed_bytes as f64 * 8.0 / (f64::from(mbit) * 1e6 * options.goodput) / 3600.0
        };
        let busy: Vec<f64> = days.iter().map(hours).collect();
        let spread = |of: fn(&Day) -> &Vec<i64>| {
            let mut all: Vec<i64> =
                days.iter().flat_map(|day| of(day).iter().copied()).filter(|ms| *ms > 0).collect();
            all.sort_unstable();
            let at = |share: f64| {
                let last = all.len().saturating_sub(1) as f64;
                all.get((last * share) as usize).map_or(0.0, |ms| *ms as f64 / 3_600_000.0)
            };
            [at(0.5), at(0.95), at(1.0)]
        };
        Safe {
            line_mbit: mbit,
            docks: days.len(),
            evidence_hours: spread(|day| &day.safe_evidence),
            all_hours: spread(|day| &day.safe_all),
            busy_hours: [
                busy.iter().sum::<f64>() / busy.len().max(1) as f64,
                busy.iter().copied().fold(0.0, f64::max),
            ],
            keeps_up: busy.iter().filter(|hours| **hours < 24.0).count() as f64
                / busy.len().max(1) as f64,
            spool_peak_gb: days.iter().map(|day| day.spool_peak).max().unwrap_or(0) as f64 / 1e9,
        }
    };
    lines.into_iter().map(|(mbit, _)| of(mbit)).filter(|safe| safe.docks > 0).collect()
}
