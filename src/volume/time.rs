//! Dates and times of FAT and exFAT, as milliseconds since 1970 by the camera's clock.

use super::bytes::u16_at;
use jiff::civil::{Date, DateTime, Time};

/// A FAT date and time (fatgen103, "Date and Time Formats"): 2-second steps, local time without a
/// zone, taken as if it were UTC. None for a date that is no date, also the 0 of "not kept".
pub(super) fn fat(date: u16, time: u16) -> Option<i64> {
    let small = |value: u16| i8::try_from(value).ok();
    let year = 1980 + i16::try_from(date >> 9).ok()?;
    let date = Date::new(year, small(date >> 5 & 15)?, small(date & 31)?).ok()?;
    let time = Time::new(small(time >> 11)?, small(time >> 5 & 63)?, small((time & 31) * 2)?, 0);
    let since = DateTime::from_parts(date, time.ok()?)
        .duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    i64::try_from(since.as_millis()).ok()
}

/// An exFAT timestamp with its tens of milliseconds and offset from UTC (exFAT 7.4.5 to 7.4.8).
/// `raw` is the timestamp in a directory entry. An offset that is not valid counts as none.
pub(super) fn exfat(raw: &[u8], tens_ms: u8, offset: u8) -> Option<i64> {
    let local_ms = fat(u16_at(raw, 2), u16_at(raw, 0))?;
    // 0 to 199: the odd second is in here too.
    let local_ms = local_ms + i64::from(tens_ms.min(199)) * 10;
    if offset & 0x80 == 0 {
        return Some(local_ms);
    }
    // Seven bits, two's complement, quarters of an hour east of UTC.
    let quarters = i64::from((offset << 1).cast_signed() >> 1);
    Some(local_ms - quarters * 15 * 60 * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: u16, month: u16, day: u16) -> u16 {
        (year - 1980) << 9 | month << 5 | day
    }

    #[test]
    fn a_fat_time_is_taken_as_if_it_were_utc() {
        // 2026-02-28 23:59:58
        let ms = fat(date(2026, 2, 28), 23 << 11 | 59 << 5 | 29);
        assert_eq!(ms, Some(1_772_323_198_000));
        assert_eq!(fat(date(1980, 1, 1), 0), Some(315_532_800_000));
        assert_eq!(fat(date(2107, 12, 31), 0), Some(4_354_732_800_000));
    }

    #[test]
    fn what_is_no_date_is_no_time() {
        for (d, t) in [
            (0, 0),
            (date(2026, 0, 1), 0),
            (date(2026, 13, 1), 0),
            (date(2026, 2, 30), 0),
            (date(2026, 1, 1), 24 << 11),
            (date(2026, 1, 1), 60 << 5),
            (date(2026, 1, 1), 30),
            (u16::MAX, u16::MAX),
        ] {
            assert_eq!(fat(d, t), None, "{d:x} {t:x}");
        }
    }

    #[test]
    fn an_exfat_time_is_brought_to_utc_by_a_valid_offset_only() {
        let mut raw = [0; 4];
        raw[2..].copy_from_slice(&date(2026, 1, 1).to_le_bytes());
        let utc = exfat(&raw, 0, 0x80).unwrap();
        assert_eq!(utc, 1_767_225_600_000);
        let hour = 3_600_000;
        assert_eq!(exfat(&raw, 0, 0x80 | 4), Some(utc - hour));
        assert_eq!(exfat(&raw, 0, 0x80 | (-20i8).cast_unsigned() & 0x7f), Some(utc + 5 * hour));
        assert_eq!(exfat(&raw, 0, 4), Some(utc));
        assert_eq!(exfat(&raw, 199, 0), Some(utc + 1990));
        assert_eq!(exfat(&raw, 255, 0), Some(utc + 1990));
    }
}
