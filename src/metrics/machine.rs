//! The machine as figures.

use super::{
    Vitals,
    sheet::Sheet,
    text::{flag, maybe, one, total, unix},
};
use prometheus_client::registry::Unit;

pub fn tell(sheet: &mut Sheet, v: &Vitals) {
    let rows = v.board.temperatures.iter().map(|t| (vec![("sensor", t.name.clone())], t.celsius));
    sheet.gauge("temperature", "Temperatures of the dock", Some(Unit::Celsius), rows);
    let m = &v.machine;
    for (name, words, told) in [
        ("under_voltage", "Whether the supply is too weak now", v.board.under_voltage),
        ("throttled", "Whether the processor is held down now", v.board.throttled),
        (
            "under_voltage_seen",
            "Whether the supply was too weak since the boot",
            v.board.under_voltage_seen,
        ),
        (
            "throttled_seen",
            "Whether the processor was held down since the boot",
            v.board.throttled_seen,
        ),
        ("watchdog_running", "Whether a hardware watchdog runs", m.watchdog_runs),
        ("disk_read_only", "Whether nothing can be written", m.disk.map(|disk| disk.read_only)),
    ] {
        sheet.gauge(name, words, None, maybe(told.map(flag)));
    }
    let words = "Whether the service manager restarts a daemon that hangs";
    sheet.gauge("service_watched", words, None, one(flag(m.service_watched)));
    let words = "Share of its life that the disk says it has used";
    let used = m.disk.and_then(|disk| disk.life_used_percent);
    let used = used.map(|percent| f64::from(percent) / 100.0);
    sheet.gauge("disk_life_used", words, Some(Unit::Ratios), maybe(used));
    let words = "Errors the file system met since it was checked last";
    let errors = m.disk.and_then(|disk| disk.errors);
    sheet.gauge("disk_errors", words, None, maybe(errors.map(|n| n as f64)));
    let rows = m.certificates.iter().filter_map(|certificate| {
        Some((vec![("what", certificate.what.clone())], unix(certificate.expires_at?)))
    });
    let words = "When a certificate expires that the dock needs";
    sheet.gauge("certificate_expiry_timestamp", words, Some(Unit::Seconds), rows);
    let starts = &v.totals.starts;
    for (name, words, value) in [
        ("starts", "Starts of the daemon", starts.count),
        ("unclean_starts", "Starts after a run that nobody stopped", starts.unclean),
        (
            "unclean_boots",
            "Starts after a run that nobody stopped and a new boot: power, or the kernel",
            starts.unclean_boots,
        ),
        ("spool_write_failures", "Failures to write to the spool", v.spool_failures),
    ] {
        sheet.counter(name, words, None, total(value));
    }
    let words = "When the daemon was started";
    let at = starts.last_at.map(unix);
    sheet.gauge("start_timestamp", words, Some(Unit::Seconds), maybe(at));
    let words = "When the store last did what it was asked; absent until it did since the start";
    let at = v.store_answered_at.map(unix);
    sheet.gauge("store_answered_timestamp", words, Some(Unit::Seconds), maybe(at));
}
