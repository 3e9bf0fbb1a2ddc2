//! The plain tables.

use crate::{
    options::Options,
    summary::{Requests, Summary},
};
use std::fmt::{self, Display, Formatter};

pub struct Report<'a>(pub &'a Summary, pub &'a Options);

/// With a decimal prefix.
struct Bytes(f64);

impl Display for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        for unit in ["B", "kB", "MB", "GB", "TB"] {
            if left < 1000.0 {
                return f.pad(&format!("{left:.1} {unit}"));
            }
            left /= 1000.0;
        }
        f.pad(&format!("{left:.1} PB"))
    }
}

fn row(f: &mut Formatter<'_>, row: &Requests) -> fmt::Result {
    writeln!(
        f,
        "  {:<24} {:>11.0} {:>8.2} {:>8.1} {:>8.1} {:>10} {:>10}",
        row.kind,
        row.per_day,
        row.per_object,
        row.mean_per_second,
        row.peak_per_second,
        Bytes(row.sent_bytes),
        Bytes(row.received_bytes),
    )
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(s, o) = self;
        writeln!(
            f,
            "{} docks, {:.0} cameras, one day; simulated: {} docks with {} requests, times {:.1}",
            s.docks,
            s.cameras,
            s.docks_simulated,
            s.requests_simulated,
            f64::from(s.docks) / s.docks_simulated.max(1) as f64
        )?;
        writeln!(
            f,
            "footage: {:.1} h a camera, {:.1} to {:.1} GB/h, segments of {:.0} min; {:.0} files, {} sealed",
            o.hours,
            o.gb_per_hour.0,
            o.gb_per_hour.1,
            o.segment_minutes,
            s.files,
            Bytes(s.bytes_per_day),
        )?;
        writeln!(
            f,
            "objects: {:.0} a day and as many receipts; {:.1} million, {} in {} days",
            s.objects_per_day,
            s.objects_kept / 1e6,
            Bytes(s.bytes_kept),
            o.retention_days,
        )?;
        writeln!(
            f,
            "\n  {:<24} {:>11} {:>8} {:>8} {:>8} {:>10} {:>10}",
            "request", "a day", "/object", "mean/s", "peak/s", "sent", "received"
        )?;
        s.requests.iter().try_for_each(|requests| row(f, requests))?;
        row(f, &s.all)?;
        writeln!(
            f,
            "  peak: the busiest minute; footage then {}/s; what is received: as the simulated \
             bucket answers",
            Bytes(s.peak_bytes_per_second)
        )?;
        writeln!(
            f,
            "  custody log: {:.0} lines a dock and day; receipts {} a day",
            s.custody_lines_per_dock,
            Bytes(s.receipt_bytes)
        )?;
        self.safe(f)?;
        self.figures(f)?;
        writeln!(
            f,
            "\n  a month at {} and {} per 1,000 writes and reads, {} per GB and month:\n  writes \
             {:.0}, reads {:.0}, storage of {} days {:.0}",
            o.prices.writes_per_1000,
            o.prices.reads_per_1000,
            o.prices.gb_month,
            s.month_writes,
            s.month_reads,
            o.retention_days,
            s.month_storage,
        )?;
        s.wrong.iter().take(20).try_for_each(|words| writeln!(f, "WRONG {words}"))
    }
}

impl Report<'_> {
    fn safe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n  {:<14} {:>5}  {:<24} {:<24} {:>9} {:>11}",
            "line",
            "docks",
            "evidence safe after, h",
            "all safe after, h",
            "keeps up",
            "spool peak"
        )?;
        for safe in &self.0.safe {
            let hours =
                |[half, most, last]: [f64; 3]| format!("{half:.1}  95 %: {most:.1}  max {last:.1}");
            writeln!(
                f,
                "  {:>5} Mbit/s   {:>5}  {:<24} {:<25} {:>5.1} max {:>5.1} {:>7.0} % {:>8.0} GB",
                safe.line_mbit,
                safe.docks,
                hours(safe.evidence_hours),
                hours(safe.all_hours),
                safe.busy_hours[0],
                safe.busy_hours[1],
                safe.keeps_up * 100.0,
                safe.spool_peak_gb,
            )?;
        }
        Ok(())
    }

    fn figures(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(s, o) = self;
        writeln!(
            f,
            "\n  Prometheus: up to {} series a dock in {}; {:.0} at once, {:.0} new with each day's \
             dockings; memory of its head {}",
            s.series_per_dock_max,
            Bytes(s.exposition_bytes_max as f64),
            s.series_at_once,
            s.series_new_per_day,
            Bytes(s.head_memory_bytes),
        )?;
        writeln!(
            f,
            "  {:<10} {:>12} {:>12} {:>12} {:>14}",
            "interval",
            "samples/s",
            "fetched/s",
            "disk/day",
            format!("{} days", o.retention_days)
        )?;
        for at in &s.scraping {
            writeln!(
                f,
                "  {:>5} s    {:>12.0} {:>12} {:>12} {:>14}",
                at.interval_s,
                at.samples_per_second,
                Bytes(at.exposition_bytes_per_second),
                Bytes(at.disk_bytes_per_day),
                Bytes(at.disk_bytes_retained),
            )?;
        }
        writeln!(
            f,
            "  at {} bytes a sample and {} a series in memory",
            o.bytes_per_sample, o.bytes_per_series
        )
    }
}
