use super::*;
use crate::types::BayName;
use serde_json::json;

fn status(lights: &[(&str, usize)], problems: &[&str]) -> StatusReport {
    let amount = json!({ "count": 3, "bytes": 5 << 20 });
    let amounts = json!({ "evidential": amount, "quarantine": amount, "unreviewed": amount });
    let mut bays = Vec::new();
    for (light, n) in lights {
        for _ in 0..*n {
            let words = match *light {
                "red" => {
                    "the signature does not fit what the camera recorded; hand it to the evidence unit"
                }
                "amber" => "copying, 3 files to go; do not take it yet",
                "green" => "everything is safe; take it",
                _ => "empty",
            };
            let number = bays.len() + 1;
            let camera = (*light != "off").then(|| format!("BWC-{number:04}"));
            bays.push(json!({
                "bay": number.to_string(), "light": light, "words": words, "camera": camera,
                "files": 7, "bytes": 9, "to_copy": amount, "to_store": amount,
            }));
        }
    }
    serde_json::from_value(json!({
        "dock": "station-7", "at": "2026-03-01T20:00:00Z", "bays": bays, "recordings": 0,
        "segments": [], "to_copy": amounts, "queue": amounts, "stored": amount, "receipts": 0,
        "unfinished": 0, "undescribed": 0, "verified": 0, "matched": 0, "unverified": 0,
        "mismatched": 0, "partial": 0, "unreadable": 0, "gaps": 0, "parts_acknowledged": 0,
        "uploads": [], "spool_used": 0, "spool_max": 1, "copy_rate": 0, "upload_rate": 0,
        "evidential_safe_at": "2026-03-01T20:00:00Z",
        "problems": problems, "custody_seq": 1, "custody_head": "00",
    }))
    .unwrap()
}

fn shown(status: &StatusReport, columns: usize, lines: usize) -> Vec<String> {
    let size = Size { columns, lines };
    let picture = picture(status, None, size, false);
    assert!(picture.len() <= lines, "{picture:#?}");
    assert!(picture.iter().all(|line| width(line) <= columns), "{picture:#?}");
    picture
}

#[test]
fn forty_bays_fit_the_smallest_terminal_and_who_needs_a_person_comes_first() {
    let status = status(
        &[("green", 20), ("red", 1), ("green", 15), ("off", 4)],
        &["the store cannot be used now"],
    );
    let lines = shown(&status, 40, 10);
    assert_eq!(lines[0], "Dock station-7  20:00:00Z");
    assert_eq!(lines[1], "21  red    the signature does not fit w…");
    assert_eq!(lines[2], "1   green  everything is safe; take it");
    assert_eq!(lines[6], "and 35 more: 31 green, 4 off");
    assert_eq!(lines[7], "! the store cannot be used now");
    assert_eq!(lines[8..], ["Safe: evidence now, all ?", "Left: 9 to copy, 9 to store"]);
    assert_eq!(lines.len(), 10);
}

#[test]
fn what_is_left_out_is_one_line() {
    let lines = shown(&status(&[("green", 40)], &[]), 40, 10);
    assert_eq!(lines[7], "and 34 more: all green");
    let lines = shown(&status(&[("red", 2), ("amber", 38)], &["a", "b", "c", "d"]), 80, 12);
    assert!(
        lines.contains(&"! a".to_owned()) && lines.contains(&"! and 3 more problems".to_owned())
    );
    assert!(lines[1].starts_with("1  red    BWC-0001  the signature"), "{lines:#?}");
}

#[test]
fn where_there_is_room_words_are_whole_and_bays_keep_their_places() {
    let lines = shown(&status(&[("green", 2), ("red", 1)], &[]), 60, 14);
    assert!(lines[1].starts_with("1  green  BWC-0001  everything is safe"), "{lines:#?}");
    assert_eq!(lines[3], "3  red    BWC-0003  the signature does not fit what the");
    assert_eq!(lines[5], "                    unit");
    // And all of `status` where that fits.
    let lines = shown(&status(&[("green", 2)], &[]), 120, 40);
    assert!(lines.iter().any(|line| line.starts_with("Custody    line")), "{lines:#?}");
}

#[test]
fn no_size_is_too_small_and_nothing_overflows() {
    let mut status = status(&[("red", 3), ("off", 9)], &["x\u{202e}y\nz", "b"]);
    status.bays[0].words =
        "東京東京東京東京 \u{1b}[2J and more than fits in any line of this".into();
    status.bays[1].bay = BayName::new("left-of-the-door").unwrap();
    for columns in (1..130).step_by(3) {
        for lines in 0..40 {
            let picture = shown(&status, columns, lines);
            let text = picture.concat();
            assert!(!text.contains(['\u{202e}', '\u{1b}', '\n']), "{picture:#?}");
        }
    }
    assert_eq!(shown(&self::status(&[], &[]), 40, 10)[1], "No bay is configured.");
}

#[test]
fn colours_take_no_room_and_only_lights_and_problems_have_them() {
    let size = Size { columns: 40, lines: 10 };
    let lines = picture(&status(&[("red", 9)], &[]), Some("no dock answers"), size, true);
    assert!(lines[1].starts_with("1  \x1b[1;31mred\x1b[0m    the"), "{lines:#?}");
    assert!(lines.iter().any(|line| line == "\x1b[31m! no dock answers\x1b[0m"), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.contains('\x1b')).count(), 6, "{lines:#?}");
}
