//! What a file's path says: officer, serial, time, numbers.

use super::{ProfileError, text::PatternText};
use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use regex::bytes::{Captures, Regex, RegexBuilder};

/// The named groups a pattern may have.
pub const GROUPS: [&str; 5] = ["officer", "serial", "time", "sequence", "segment"];

/// The largest compiled pattern, bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// What was found in one path. A group that took no part, or is not UTF-8, is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    pub officer: Option<String>,
    pub serial: Option<String>,
    /// By the camera's clock.
    pub started: Option<Timestamp>,
    /// The camera's running number of the recording, as text.
    pub sequence: Option<String>,
    /// The number of the segment within its recording.
    pub segment: Option<u32>,
    /// The values of the grouping groups, joined by `_`; absent if any of them is.
    pub key: Option<String>,
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    time: Option<(String, TimeZone)>,
    group_by: Vec<String>,
}

impl Pattern {
    pub fn compile(text: PatternText, group_by: Vec<String>) -> Result<Self, ProfileError> {
        let regex = compile("pattern.regex", &text.regex)?;
        let names: Vec<&str> = regex.capture_names().flatten().collect();
        if let Some(odd) = names.iter().find(|name| !GROUPS.contains(name)) {
            let words = format!("has the group {odd:?}; known groups: {}", GROUPS.join(", "));
            return Err(ProfileError::Value { key: "pattern.regex", words });
        }
        if let Some(absent) = group_by.iter().find(|name| !names.contains(&name.as_str())) {
            let words = format!("names {absent:?}, which is no group of pattern.regex");
            return Err(ProfileError::Value { key: "recordings.group_by", words });
        }
        let time = match (names.contains(&"time"), text.time_format) {
            (true, Some(format)) => Some((format, zone(text.time_zone.as_deref())?)),
            (false, None) => None,
            (true, None) => return Err(missing("pattern.time_format", "the group time has none")),
            (false, Some(_)) => {
                return Err(missing("pattern.time_format", "pattern.regex has no group time"));
            }
        };
        if let Some((format, zone)) = &time {
            check_time_format(format, zone)?;
        }
        Ok(Self { regex, time, group_by })
    }

    pub fn has_serial(&self) -> bool {
        self.regex.capture_names().flatten().any(|name| name == "serial")
    }

    /// What the path says; `None` when the pattern does not fit it.
    pub fn read(&self, path: &[u8]) -> Option<Fields> {
        let found = self.regex.captures(path)?;
        let group = |name: &str| text_of(&found, name);
        let started =
            self.time.as_ref().and_then(|(format, zone)| read_time(format, zone, &group("time")?));
        let values: Option<Vec<String>> = self.group_by.iter().map(|name| group(name)).collect();
        Some(Fields {
            officer: group("officer"),
            serial: group("serial"),
            started,
            sequence: group("sequence"),
            segment: group("segment").and_then(|digits| digits.parse().ok()),
            key: values.filter(|values| !values.is_empty()).map(|values| values.join("_")),
        })
    }
}

/// A regular expression over the bytes of a path, with a bounded size; matching is linear.
pub fn compile(key: &'static str, text: &str) -> Result<Regex, ProfileError> {
    RegexBuilder::new(text)
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| ProfileError::Value { key, words: format!("cannot be used: {error}") })
}

/// A short text without control characters, or nothing: it ends up in log lines.
fn text_of(found: &Captures<'_>, name: &str) -> Option<String> {
    let text = std::str::from_utf8(found.name(name)?.as_bytes()).ok()?;
    let usable = (1..=128).contains(&text.len()) && !text.chars().any(char::is_control);
    usable.then(|| text.to_owned())
}

fn read_time(format: &str, zone: &TimeZone, text: &str) -> Option<Timestamp> {
    let parts = strtime::parse(format, text).ok()?;
    match parts.to_timestamp() {
        Ok(with_offset) => Some(with_offset),
        // No offset in the name: the camera's zone says what the digits mean.
        Err(_) => zone.to_timestamp(parts.to_datetime().ok()?).ok(),
    }
}

fn zone(text: Option<&str>) -> Result<TimeZone, ProfileError> {
    let Some(text) = text else { return Ok(TimeZone::UTC) };
    TimeZone::posix(text).map_err(|error| ProfileError::Value {
        key: "pattern.time_zone",
        words: format!(
            "is no POSIX time zone rule such as \"GMT0BST,M3.5.0/1,M10.5.0/2\": {error}"
        ),
    })
}

/// Writes a known time in the format and reads it again, so that a mistake shows at once.
fn check_time_format(format: &str, zone: &TimeZone) -> Result<(), ProfileError> {
    let key = "pattern.time_format";
    // In the afternoon, so that a twelve-hour clock without AM and PM does not pass.
    let sample = Timestamp::constant(2_000_000_000 + 12 * 3600, 0);
    let text = strtime::format(format, &sample.to_zoned(zone.clone()))
        .map_err(|error| missing(key, &format!("cannot be used: {error}")))?;
    let read = read_time(format, zone, &text);
    match read.is_some_and(|read| (read.as_second() - sample.as_second()).abs() < 60) {
        true => Ok(()),
        false => Err(missing(key, "does not hold a whole date and time")),
    }
}

fn missing(key: &'static str, words: &str) -> ProfileError {
    ProfileError::Value { key, words: words.into() }
}
