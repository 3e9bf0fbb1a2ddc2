//! Small shared pieces of what people see: sizes, times, tables.

use super::{fold::hung, table};
use crate::{dock::Stage, types::plain};
use jiff::{Timestamp, tz::TimeZone};
use rustix::termios::tcgetwinsize;
use std::{io::Write as _, os::fd::AsFd};

/// Prints words for people, with nothing in them that could steer a terminal or turn text around:
/// the one way to a screen, whoever the words are from.
/// Folded to the terminal, if it goes to one.
pub fn print(text: &str) {
    print_exact(&shown(text, columns(std::io::stdout())));
}

/// As [`print`], on stderr.
pub fn print_error(text: &str) {
    let text = shown(text, columns(std::io::stderr()));
    // Nobody may be listening any more.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn shown(text: &str, columns: Option<usize>) -> String {
    let text = plain(text);
    columns.map_or_else(|| text.to_string(), |columns| hung(&text, columns))
}

/// How wide the terminal on stdout is; none for what is no terminal.
pub fn terminal_columns() -> Option<usize> {
    columns(std::io::stdout())
}

/// How wide the terminal is; none for what is no terminal.
fn columns(out: impl AsFd) -> Option<usize> {
    let size = tcgetwinsize(out).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

/// Prints data as it is, for machines. A closed pipe is not minded (`| head`).
pub fn print_exact(text: &str) {
    let mut out = std::io::stdout().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    let _ = write!(out, "{text}{newline}").and_then(|()| out.flush());
}

pub fn json(value: &serde_json::Value) -> String {
    // A JSON value always has a text form.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

pub fn print_json(value: &serde_json::Value) {
    print_exact(&json(value));
}

/// The same value with no line feed in any of its strings, so that none makes two lines of one.
pub fn one_line(mut value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match &mut value {
        Value::String(text) if text.contains('\n') => *text = text.replace('\n', "\\n"),
        Value::Array(all) => all.iter_mut().for_each(|one| *one = one_line(one.take())),
        Value::Object(fields) => fields.values_mut().for_each(|one| *one = one_line(one.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

/// A number in groups of three digits: `1,234`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes as people read them: three digits and a binary unit.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match (unit, value) {
        (0, _) => format!("{bytes} B"),
        (_, value) if value < 10.0 => format!("{value:.2} {}", UNITS[unit]),
        (_, value) if value < 100.0 => format!("{value:.1} {}", UNITS[unit]),
        (_, value) => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// A time today as `06:40`, another day with its date; in the station's own time zone.
pub fn clock(at: Timestamp, now: Timestamp) -> String {
    let zone = TimeZone::system();
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone));
    if at.date() == now.date() {
        at.strftime("%H:%M").to_string()
    } else {
        at.strftime("%Y-%m-%d %H:%M").to_string()
    }
}

/// A point in time, whole seconds, UTC.
pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A point in time to the minute, UTC.
pub fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%MZ").to_string()
}

/// A plain table: no frame, two blanks between columns; `right` names columns of numbers. On a
/// terminal it fits: the words of the last column are folded, or else each row takes several lines.
pub fn table(header: &[&str], right: &[usize], rows: Vec<Vec<String>>) -> String {
    table::text(terminal_columns(), header, right, rows)
}

/// For clap: a stage by its name.
pub fn stage(text: &str) -> Result<Stage, String> {
    Stage::ALL.into_iter().find(|stage| stage.as_str() == text).ok_or_else(|| {
        let known: Vec<_> = Stage::ALL.iter().map(|stage| stage.as_str()).collect();
        format!("stages are {}", known.join(", "))
    })
}

/// `1 file`, `2 files`.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (n, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1024, "1.00 KiB"),
            (123_456, "121 KiB"),
            (5_368_709_120, "5.00 GiB"),
        ] {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn numbers_are_grouped_and_no_string_makes_two_lines() {
        let numbers = [0, 12, 999, 1000, 12_345, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "12", "999", "1,000", "12,345", "1,234,567"]);
        let value = serde_json::json!({ "a": ["x\ny", 1], "b": { "c": "\n" } });
        let line = serde_json::json!({ "a": ["x\\ny", 1], "b": { "c": "\\n" } });
        assert_eq!(one_line(value), line);
    }
}
