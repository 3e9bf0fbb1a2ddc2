//! How full the battery is, from a small file that the camera writes.

use super::{
    ProfileError,
    text::{BatteryFormatWord, BatteryText},
};
use crate::types::SourcePath;
use serde_json::Value;

/// Where a model says how full its battery is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatteryFile {
    pub path: SourcePath,
    /// The camera writes it anew while it is docked. Otherwise it tells only how full the battery
    /// was when it was docked: nothing may be concluded from its standing still.
    pub live: bool,
    format: Format,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    /// Nothing but a number.
    Number,
    /// Lines `KEY = VALUE` or `KEY: VALUE`.
    KeyValue(String),
    /// RFC 6901.
    Json(String),
}

impl BatteryFile {
    /// The longest file that is read, bytes.
    pub const BYTES_MAX: u64 = 16 << 10;

    pub(super) fn parse(text: BatteryText) -> Result<Self, ProfileError> {
        let value = |key, words: &str| Err(ProfileError::Value { key, words: words.into() });
        let path = match SourcePath::new(text.file) {
            Ok(path) => path,
            Err(error) => return value("battery.file", &error.to_string()),
        };
        let format = match (text.format, text.key, text.pointer) {
            (BatteryFormatWord::Number, None, None) => Format::Number,
            (BatteryFormatWord::KeyValue, Some(key), None) if !key.trim().is_empty() => {
                Format::KeyValue(key.trim().to_owned())
            }
            (BatteryFormatWord::Json, None, Some(pointer))
                if pointer.is_empty() || pointer.starts_with('/') =>
            {
                Format::Json(pointer)
            }
            (BatteryFormatWord::Json, None, _) => {
                let words = "is needed for \"json\": a JSON pointer such as \"/battery/percent\"";
                return value("battery.pointer", words);
            }
            (BatteryFormatWord::KeyValue, _, None) => {
                return value(
                    "battery.key",
                    "is needed for \"key-value\": the name before the sign",
                );
            }
            (BatteryFormatWord::Number | BatteryFormatWord::Json, Some(_), _) => {
                return value("battery.key", "only goes with battery.format = \"key-value\"");
            }
            (BatteryFormatWord::Number | BatteryFormatWord::KeyValue, _, Some(_)) => {
                return value("battery.pointer", "only goes with battery.format = \"json\"");
            }
        };
        Ok(Self { path, live: text.live, format })
    }

    /// What the file says, 0 to 100; none if it says nothing that could be a percentage.
    pub fn percent(&self, bytes: &[u8]) -> Option<u8> {
        let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}');
        match &self.format {
            Format::Number => number(text),
            Format::KeyValue(key) => {
                let named = |line: &&str| {
                    line.split_once(['=', ':']).is_some_and(|(name, _)| {
                        name.trim().trim_matches('"').eq_ignore_ascii_case(key)
                    })
                };
                let line = text.lines().find(named)?;
                number(line.split_once(['=', ':'])?.1.trim().trim_matches('"'))
            }
            Format::Json(pointer) => {
                match serde_json::from_str::<Value>(text).ok()?.pointer(pointer)? {
                    Value::Number(n) => whole(n.as_f64()?),
                    Value::String(text) => number(text),
                    Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
                }
            }
        }
    }
}

/// Digits, perhaps with a fraction, perhaps with a percent sign.
fn number(text: &str) -> Option<u8> {
    let text = text.trim();
    let digits = text.strip_suffix('%').unwrap_or(text).trim_end();
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { whole(digits.parse().ok()?) } else { None }
}

/// Rounded down: a battery is never told fuller than it says.
fn whole(percent: f64) -> Option<u8> {
    (0.0..=100.0).contains(&percent).then_some(percent as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(format: BatteryFormatWord, key: Option<&str>, pointer: Option<&str>) -> BatteryFile {
        let (key, pointer) = (key.map(str::to_owned), pointer.map(str::to_owned));
        let text = BatteryText { file: "S.TXT".into(), format, key, pointer, live: false };
        BatteryFile::parse(text).unwrap()
    }

    #[test]
    fn each_format_is_read_and_what_is_no_percentage_is_unknown() {
        let plain = file(BatteryFormatWord::Number, None, None);
        let lines = file(BatteryFormatWord::KeyValue, Some("Battery"), None);
        let json = file(BatteryFormatWord::Json, None, Some("/power/0/level"));
        for (file, text, percent) in [
            (&plain, "87\r\n", Some(87)),
            (&plain, "\u{feff} 99.9 %", Some(99)),
            (&plain, "101", None),
            (&plain, "-1", None),
            (&plain, "1e1", None),
            (&plain, "inf", None),
            (&plain, "", None),
            (&plain, "full", None),
            (&lines, "MODEL=X\nBATTERY = 45%\nbattery=9\n", Some(45)),
            (&lines, "\"battery\": \"7\"", Some(7)),
            (&lines, "BATTERY=\nBATTERY=9", None),
            (&lines, "BATTERIES=9", None),
            (&json, r#"{"power":[{"level":55.5}]}"#, Some(55)),
            (&json, r#"{"power":[{"level":"12 %"}]}"#, Some(12)),
            (&json, r#"{"power":[{"level":null}]}"#, None),
            (&json, r#"{"power":{}}"#, None),
            (&json, "{", None),
        ] {
            assert_eq!(file.percent(text.as_bytes()), percent, "{text:?}");
        }
        assert_eq!(plain.percent(b"\xff8"), None);
    }
}
