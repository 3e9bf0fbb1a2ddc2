//! What `doctor` says of the machine: heat, supply, disk, certificates, restarts, watchdogs.

use super::Finding;
use crate::{
    dock::state::Starts,
    machine::{Board, Disk, days_left},
    metrics::{Certificate, MachineVitals},
};
use jiff::{SignedDuration, Timestamp};

/// From here on a Raspberry Pi slows itself down.
const HOT_CELSIUS: f64 = 80.0;
/// Certificates that end sooner want a person now.
const RENEW_DAYS: i64 = 21;
/// What a disk says of its life before it should be replaced.
const WORN_PERCENT: u8 = 90;
/// An unclean start is told for so long.
const UNCLEAN_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) fn findings(
    (board, machine): (&Board, &MachineVitals),
    starts: &Starts,
    now: Timestamp,
) -> Vec<Finding> {
    let mut found = of_board(board);
    found.extend(machine.disk.as_ref().and_then(of_disk));
    found.extend(machine.certificates.iter().map(|certificate| of_certificate(certificate, now)));
    found.push(of_starts(starts, now));
    found.push(of_watchdogs(machine));
    found
}

fn of_board(board: &Board) -> Vec<Finding> {
    let mut found = Vec::new();
    for sensor in board.temperatures.iter().filter(|sensor| sensor.celsius >= HOT_CELSIUS) {
        found.push(Finding::bad(
            "board",
            format!("{} is at {:.0} °C", sensor.name, sensor.celsius),
            "give it air: a fan, a larger case, a cooler place; it slows down, and wears out",
        ));
    }
    const SUPPLY: &str = "use the maker's power supply and a short, thick cable; feed the cameras \
                          from a hub with a supply of its own";
    match (board.under_voltage, board.under_voltage_seen) {
        (Some(true), _) => found.push(Finding::bad("board", "its supply is too weak now", SUPPLY)),
        (_, Some(true)) => {
            found.push(Finding::bad("board", "its supply was too weak since the boot", SUPPLY));
        }
        (Some(false) | None, Some(false) | None) => {}
    }
    match (board.throttled, board.throttled_seen) {
        (Some(true), _) => found.push(Finding::bad(
            "board",
            "its processor is held down now, by heat or a weak supply",
            "see to its supply and its cooling; copying is slow until then",
        )),
        (_, Some(true)) => {
            let words = "its processor was held down since the boot, and is not now";
            found.push(Finding::warning("board", words));
        }
        (Some(false) | None, Some(false) | None) => {}
    }
    if found.is_empty() {
        let told = board.temperatures.iter().map(|t| format!("{} {:.0} °C", t.name, t.celsius));
        let mut told: Vec<_> = told.collect();
        told.extend(board.under_voltage.map(|_| "supply strong enough".to_owned()));
        if told.is_empty() {
            told.push("it has no sensors that Linux shows".into());
        }
        found.push(Finding::fine("board", told.join("; ")));
    }
    found
}

/// None if there is nothing to say beside its room, which is told elsewhere.
fn of_disk(disk: &Disk) -> Option<Finding> {
    if disk.read_only {
        return Some(Finding::bad(
            "disk",
            "it is read-only: the kernel turns it so after an error",
            "see `dmesg`; replace the disk if it failed, else check and mount it again",
        ));
    }
    if let Some(errors) = disk.errors.filter(|errors| *errors > 0) {
        return Some(Finding::bad(
            "disk",
            format!("its file system met {errors} errors since it was checked last"),
            "see `dmesg`; stop the dock, check the file system with `fsck`, and think of a new disk",
        ));
    }
    let used = disk.life_used_percent?;
    if used >= WORN_PERCENT {
        return Some(Finding::bad(
            "disk",
            format!("it says that {used} % of its life are used"),
            "replace it soon: with the dock stopped, copy `state_dir` to the new one",
        ));
    }
    Some(Finding::fine("disk", format!("at most {used} % of its life used")))
}

fn of_certificate(certificate: &Certificate, now: Timestamp) -> Finding {
    let Certificate { what, file, expires_at } = certificate;
    let (what, renew) = match what.as_str() {
        "client" => (
            "client certificate",
            "have a new one issued, put it in its place, and restart the dock",
        ),
        _ => (
            "store's authority",
            "ask who runs the store for the next one, add it to the file, and restart the dock",
        ),
    };
    let Some(end) = expires_at else {
        return Finding::bad(
            what,
            format!("{} cannot be read as a certificate", file.display()),
            "check the file, which must be PEM",
        );
    };
    let date = end.strftime("%Y-%m-%d");
    match days_left(*end, now) {
        days if days < 0 => Finding::bad(what, format!("expired on {date}"), renew),
        days if days < RENEW_DAYS => {
            Finding::bad(what, format!("expires on {date}, in {days} days"), renew)
        }
        days => Finding::fine(what, format!("good until {date}, {days} days")),
    }
}

fn of_starts(starts: &Starts, now: Timestamp) -> Finding {
    let Starts { count, unclean, unclean_boots, last_unclean_at, .. } = starts;
    let words = match unclean {
        0 => format!("starts: {count}, each after an orderly stop or for the first time"),
        _ => format!(
            "starts: {count}, {unclean} of them after a run that nobody stopped \
             ({unclean_boots} with a new boot)"
        ),
    };
    let lately = last_unclean_at.filter(|at| now.duration_since(*at) < UNCLEAN_FOR);
    match lately {
        Some(at) => Finding::bad(
            "restarts",
            format!("{words}; the last at {at:.0}"),
            "if nobody pulled its plug: `journalctl -u bwvdock` and `last -x` tell what ended it; \
             footage is not lost by it",
        ),
        None => Finding::fine("restarts", words),
    }
}

fn of_watchdogs(machine: &MachineVitals) -> Finding {
    let hardware = match machine.watchdog_runs {
        Some(true) => "a hardware watchdog runs",
        Some(false) => "the hardware watchdog does not run",
        None => "this machine has no hardware watchdog",
    };
    match machine.service_watched {
        true => {
            Finding::fine("watchdog", format!("systemd restarts a daemon that hangs; {hardware}"))
        }
        false => Finding::warning(
            "watchdog",
            format!("nobody restarts a daemon that hangs (bwvdock.service does); {hardware}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Sensor;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn each_ill_of_a_machine_is_told_with_a_next_step() {
        let now = at("2026-03-01T12:00:00Z");
        let board = Board {
            temperatures: vec![Sensor { name: "cpu-thermal0".into(), celsius: 81.4 }],
            under_voltage: Some(false),
            under_voltage_seen: Some(true),
            throttled: Some(true),
            throttled_seen: Some(true),
        };
        let certificate = |what: &str, end: Option<&str>| Certificate {
            what: what.into(),
            file: "/etc/bwvdock/x.pem".into(),
            expires_at: end.map(at),
        };
        let machine = MachineVitals {
            disk: Some(Disk { errors: Some(2), life_used_percent: Some(20), ..Disk::default() }),
            certificates: vec![
                certificate("client", Some("2026-03-11T12:00:00Z")),
                certificate("ca", Some("2026-02-28T12:00:00Z")),
                certificate("ca", None),
            ],
            watchdog_runs: None,
            service_watched: false,
        };
        let starts = Starts {
            count: 9,
            unclean: 2,
            unclean_boots: 1,
            last_unclean_at: Some(at("2026-02-27T00:00:00Z")),
            ..Starts::default()
        };
        let found = findings((&board, &machine), &starts, now);
        let bad: Vec<_> = found.iter().filter(|finding| !finding.fine).collect();
        assert!(bad.iter().all(|finding| finding.next.is_some()));
        let all: Vec<_> = bad.iter().map(|finding| finding.words.as_str()).collect();
        for words in [
            "cpu-thermal0 is at 81 °C",
            "its supply was too weak since the boot",
            "its processor is held down now, by heat or a weak supply",
            "its file system met 2 errors since it was checked last",
            "expires on 2026-03-11, in 10 days",
            "expired on 2026-02-28",
            "/etc/bwvdock/x.pem cannot be read as a certificate",
        ] {
            assert!(all.contains(&words), "{words}: {all:#?}");
        }
        assert_eq!(all.len(), 8, "{all:#?}");
        let later = findings((&board, &machine), &starts, at("2026-04-01T00:00:00Z"));
        assert!(later.iter().any(|f| f.what == "restarts" && f.fine), "{later:?}");
    }

    #[test]
    fn a_machine_that_says_nothing_is_no_finding() {
        let now = at("2026-03-01T12:00:00Z");
        let machine = MachineVitals { service_watched: true, ..MachineVitals::default() };
        let starts = Starts { count: 1, ..Starts::default() };
        let found = findings((&Board::default(), &machine), &starts, now);
        assert!(found.iter().all(|finding| finding.fine && !finding.warning), "{found:?}");
        assert!(!found.iter().any(|finding| finding.words.contains(" 0 ")), "{found:?}");
    }
}
