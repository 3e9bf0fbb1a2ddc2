//! `reconcile`: the account of every camera, and what of it needs a person.

use super::{
    render::{count, table, utc},
    screens::none,
};
use crate::dock::report::CameraBalance;

pub fn reconcile(rows: &[CameraBalance]) -> String {
    let cells = rows
        .iter()
        .map(|c| {
            vec![
                c.camera.clone(),
                if c.docked { "yes".into() } else { "no".into() },
                c.seen.to_string(),
                c.on_camera.to_string(),
                c.copied.to_string(),
                c.stored.to_string(),
                c.released.to_string(),
                c.outstanding.to_string(),
                c.lost_sight_of.to_string(),
                c.unsound.to_string(),
                c.gaps.to_string(),
                match (c.clean, c.concerns.is_empty()) {
                    (true, true) => "clean".into(),
                    (true, false) => "explained".into(),
                    (false, _) => "differs".into(),
                },
            ]
        })
        .collect();
    let header = [
        "CAMERA",
        "DOCKED",
        "SEEN",
        "ON CAMERA",
        "COPIED",
        "STORED",
        "RELEASED",
        "OUTSTANDING",
        "LOST",
        "FAILED",
        "GAPS",
        "",
    ];
    let table = table(&header, &[2, 3, 4, 5, 6, 7, 8, 9, 10], cells);
    let mut out = none(table, "No camera was ever docked here.");
    let tells = |c: &&CameraBalance| {
        !(c.concerns.is_empty() && c.notes.is_empty() && c.outstanding + c.gone_stored == 0)
    };
    rows.iter().filter(tells).for_each(|c| out.push_str(&concerns(c)));
    out
}

/// What of a camera needs or needed a person, each with what became of it.
fn concerns(balance: &CameraBalance) -> String {
    let mut out = format!("\nCamera {}:\n", balance.camera);
    if balance.not_copied > 0 {
        let when = if balance.docked { "not copied yet" } else { "not back yet: dock the camera" };
        let files = count(balance.not_copied, "file", "files");
        out.push_str(&format!("  - outstanding: {files} on the camera, {when}\n"));
    }
    if balance.in_spool > 0 {
        let files = count(balance.in_spool, "file", "files");
        let gone = match balance.gone_in_spool {
            0 => String::new(),
            gone if gone == balance.in_spool => "; gone from the camera by another hand".into(),
            gone => format!("; {gone} of them gone from the camera by another hand"),
        };
        out.push_str(&format!(
            "  - outstanding: {files} in the dock's spool, waiting for the store{gone}\n"
        ));
    }
    if balance.gone_stored > 0 {
        let files = count(balance.gone_stored, "file", "files");
        out.push_str(&format!(
            "  - gone from the camera by another hand, safe in the store: {files}\n"
        ));
    }
    if balance.lost_sight_of > 0 {
        let files = count(balance.lost_sight_of, "file", "files");
        out.push_str(&format!("  - lost: {files} never copied, and gone from the camera\n"));
    }
    for concern in &balance.concerns {
        let mark = if concern.is_open() { "!" } else { " " };
        out.push_str(&format!("{mark} - {}\n", concern.words));
        if let Some(known) = &concern.acknowledged {
            let (at, actor, reason) = (utc(known.at), &known.actor, &known.reason);
            out.push_str(&format!("      acknowledged {at} by {actor}: {reason}\n"));
        }
        if let Some(at) = concern.arrived {
            out.push_str(&format!("      arrived after all, {}\n", utc(at)));
        }
    }
    let told = balance.concerns.iter().filter(|concern| concern.is_open()).count() as u64;
    if balance.open > told {
        out.push_str(&format!("! and {} more\n", balance.open - told));
    }
    balance.notes.iter().for_each(|note| out.push_str(&format!("  - noted: {note}\n")));
    if balance.open > 0 {
        out.push_str(&format!(
            "  -> look into it; `bwvdock acknowledge --camera {} --reason WHY` when it is known why\n",
            balance.camera
        ));
    }
    out
}
