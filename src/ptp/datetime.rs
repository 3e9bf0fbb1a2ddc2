//! Times as cameras write them.
//!
//! PIMA 15740:2000 clause 5.3 (DateTime string) and MTP 1.1 section 3.2.5: `YYYYMMDDThhmmss`, then
//! perhaps `.s` (tenths), then perhaps `Z` or `+hhmm` / `-hhmm`. Without a zone the text is what the
//! camera's own clock shows; where that clock stands is not known here.

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{Offset, TimeZone},
};
use std::fmt::Write as _;

/// One time, with what its text did and did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CameraTime {
    pub shown: DateTime,
    /// East of Greenwich; `None` if the camera said nothing of its zone.
    pub zone: Option<Offset>,
    /// Whether tenths of a second were written.
    pub has_tenths: bool,
}

impl CameraTime {
    /// Reads the text; `None` if it is no time at all. Trailing spaces and a missing `T` have been
    /// seen and are let through.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        let (date, rest) = text.split_at_checked(8)?;
        let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest);
        let (time, rest) = rest.split_at_checked(6)?;
        let (tenths, rest) = fraction(rest)?;
        let pair = |from: &str, at: usize| number::<i8>(from.get(at..at + 2)?);
        let shown = DateTime::new(
            number::<i16>(date.get(..4)?)?,
            pair(date, 4)?,
            pair(date, 6)?,
            pair(time, 0)?,
            pair(time, 2)?,
            // A leap second is the last one told again.
            pair(time, 4).filter(|s| *s <= 60)?.min(59),
            i32::from(tenths.unwrap_or(0)) * 100_000_000,
        );
        Some(Self { shown: shown.ok()?, zone: zone(rest)?, has_tenths: tenths.is_some() })
    }

    /// Milliseconds since 1970 by the camera's clock: with a zone the instant itself; without one,
    /// what the clock shows, taken as if it were UTC.
    pub fn milliseconds(&self) -> Option<i64> {
        let zone = self.zone.unwrap_or(Offset::UTC);
        zone.to_timestamp(self.shown).ok().map(|at| at.as_millisecond())
    }

    /// The text for `now`, in the form this camera writes itself. `zone` is where its clock is meant
    /// to stand and is only used if its text says nothing.
    pub fn same_form(&self, now: Timestamp, zone: Offset) -> String {
        let zone = self.zone.unwrap_or(zone);
        let shown = now.to_zoned(TimeZone::fixed(zone)).datetime();
        let mut text = format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}",
            shown.year(),
            shown.month(),
            shown.day(),
            shown.hour(),
            shown.minute(),
            shown.second()
        );
        // Writing to a String cannot fail.
        if self.has_tenths {
            let _ = write!(text, ".{}", shown.subsec_nanosecond() / 100_000_000);
        }
        match self.zone {
            None => {}
            Some(Offset::UTC) => text.push('Z'),
            Some(zone) => {
                let minutes = zone.seconds() / 60;
                let sign = if minutes < 0 { '-' } else { '+' };
                let minutes = minutes.abs();
                let _ = write!(text, "{sign}{:02}{:02}", minutes / 60, minutes % 60);
            }
        }
        text
    }

    /// How much later than written the moment lies on average: half of what was not written.
    pub fn half_resolution(&self) -> SignedDuration {
        SignedDuration::from_millis(if self.has_tenths { 50 } else { 500 })
    }
}

fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// `.s`, of which only the first digit counts, and what comes after.
fn fraction(text: &str) -> Option<(Option<u8>, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((None, text)) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, rest) = rest.split_at(digits);
    Some((Some(number(fraction.get(..1)?)?), rest))
}

/// The outer `None` is nonsense, the inner one is nothing said.
fn zone(text: &str) -> Option<Option<Offset>> {
    let (sign, rest) = match text.as_bytes() {
        [] => return Some(None),
        b"Z" | b"z" => return Some(Some(Offset::UTC)),
        [b'+', ..] => (1, &text[1..]),
        [b'-', ..] => (-1, &text[1..]),
        _ => return None,
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let hours: i32 = number(digits.get(..2)?)?;
    let minutes: i32 = number(digits.get(2..4).filter(|_| digits.len() == 4)?)?;
    let seconds = sign * (hours * 60 + minutes).checked_mul(60)?;
    (minutes < 60).then(|| Offset::from_seconds(seconds).ok())?.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(text: &str) -> Option<i64> {
        CameraTime::parse(text)?.milliseconds()
    }

    #[test]
    fn every_form_of_the_standard() {
        let noon = 1_772_366_400_000;
        for (text, expected) in [
            ("20260301T120000", noon),
            ("20260301T120000.0", noon),
            ("20260301T120000.7", noon + 700),
            ("20260301T120000Z", noon),
            ("20260301T120000.3Z", noon + 300),
            ("20260301T130000+0100", noon),
            ("20260301T070000.0-0500", noon),
            ("20260301T173000+0530", noon),
            // Seen from cameras.
            ("20260301120000", noon),
            ("20260301T120000 ", noon),
            ("20260301T130000+01:00", noon),
            ("20260301T120000.000", noon),
        ] {
            assert_eq!(ms(text), Some(expected), "{text}");
        }
        assert_eq!(ms("20161231T235960Z"), ms("20161231T235959Z"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "0",
            "20260301",
            "20260301T",
            "20260301T1200",
            "20261301T120000",
            "20260230T120000",
            "20260301T250000",
            "20260301T120061",
            "20260301T120000.",
            "20260301T120000.xZ",
            "20260301T120000+9900",
            "20260301T120000+0160",
            "20260301T120000+1",
            "20260301T120000nonsense",
            "+0260301T120000",
            "2026\u{e9}301T120000",
            "00000000T000000",
        ] {
            assert_eq!(ms(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_time_is_written_in_the_form_that_was_read() {
        let now: Timestamp = "2026-03-01T12:00:05.678Z".parse().unwrap();
        let hour = Offset::from_seconds(3600).unwrap();
        for (form, expected) in [
            ("20200101T000000", "20260301T130005"),
            ("20200101T000000.0", "20260301T130005.6"),
            ("20200101T000000Z", "20260301T120005Z"),
            ("20200101T000000.0Z", "20260301T120005.6Z"),
            ("20200101T000000-0230", "20260301T093005-0230"),
        ] {
            assert_eq!(CameraTime::parse(form).unwrap().same_form(now, hour), expected, "{form}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_none(text in "\\PC{0,40}") {
            let _ = ms(&text);
        }

        #[test]
        fn near_misses_are_times_or_none(text in "[0-9]{0,9}T?[0-9]{0,7}[.]?[0-9]{0,2}[Zz+-]?[0-9:]{0,5}") {
            let _ = ms(&text);
        }

        #[test]
        fn what_is_written_is_read_back(second in 0i64..4_000_000_000, east in -14 * 60i32..=14 * 60) {
            let zone = Offset::from_seconds(east * 60).unwrap();
            let now = Timestamp::from_second(second).unwrap();
            let form = CameraTime { shown: DateTime::default(), zone: Some(zone), has_tenths: true };
            prop_assert_eq!(ms(&form.same_form(now, Offset::UTC)), Some(second * 1000));
        }
    }
}
