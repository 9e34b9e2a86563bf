//! Time zones: UTC, fixed offsets and IANA names, from the database built into the program.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::span::{HOUR, MINUTE};

/// A time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    zone: TimeZone,
    /// The offset from UTC when it never changes, milliseconds.
    fixed: Option<i64>,
}

impl Zone {
    /// UTC.
    pub const UTC: Zone = Zone { zone: TimeZone::UTC, fixed: Some(0) };

    /// The zone called `name`: an IANA name, `UTC`, `GMT`, `Z`, `+02:00`, `-0730`, `UTC+2`; empty is UTC.
    #[must_use]
    pub fn parse(name: &str) -> Option<Zone> {
        if matches!(name.to_ascii_uppercase().as_str(), "" | "UTC" | "GMT" | "Z" | "ETC/UTC") {
            return Some(Zone::UTC);
        }
        let offset = name.strip_prefix("UTC").or_else(|| name.strip_prefix("GMT")).unwrap_or(name);
        if offset.starts_with(['+', '-']) {
            return parse_offset(offset).and_then(Zone::fixed);
        }
        TimeZone::get(name).ok().map(|zone| Zone { zone, fixed: None })
    }

    /// A zone this many milliseconds ahead of UTC.
    #[must_use]
    pub fn fixed(offset_millis: i64) -> Option<Zone> {
        let seconds = i32::try_from(offset_millis / 1000).ok()?;
        let zone = TimeZone::fixed(Offset::from_seconds(seconds).ok()?);
        Some(Zone { zone, fixed: Some(i64::from(seconds) * 1000) })
    }

    /// How far the zone is ahead of UTC at `millis`, milliseconds.
    #[must_use]
    pub fn offset(&self, millis: i64) -> i64 {
        match (self.fixed, Timestamp::from_millisecond(millis)) {
            (Some(offset), _) => offset,
            (None, Ok(at)) => i64::from(self.zone.to_offset(at).seconds()) * 1000,
            (None, Err(_)) => 0,
        }
    }

    /// The offset at `millis` and the times, start inclusive and end exclusive, between which it holds.
    #[must_use]
    pub fn offset_range(&self, millis: i64) -> (i64, std::ops::Range<i64>) {
        let (None, Ok(at)) = (self.fixed, Timestamp::from_millisecond(millis)) else {
            return (self.offset(millis), i64::MIN..i64::MAX);
        };
        let start =
            self.zone.preceding(at).next().map_or(i64::MIN, |change| change.timestamp().as_millisecond());
        let end =
            self.zone.following(at).next().map_or(i64::MAX, |change| change.timestamp().as_millisecond());
        // A change exactly at `at` is listed by neither iterator.
        let now = self.offset(millis);
        if self.offset(millis.saturating_sub(1)) == now { (now, start..end) } else { (now, millis..end) }
    }

    /// The civil time at `millis`; none outside the years -9999 to 9999.
    #[must_use]
    pub fn civil(&self, millis: i64) -> Option<DateTime> {
        Some(self.zone.to_datetime(Timestamp::from_millisecond(millis).ok()?))
    }

    /// The time and zone at `millis`; none outside the years -9999 to 9999.
    #[must_use]
    pub fn zoned(&self, millis: i64) -> Option<Zoned> {
        Some(Timestamp::from_millisecond(millis).ok()?.to_zoned(self.zone.clone()))
    }

    /// The instant of a civil time, milliseconds; in a gap the time after it, in a fold the earlier one.
    #[must_use]
    pub fn instant(&self, civil: DateTime) -> Option<i64> {
        self.zone.to_ambiguous_timestamp(civil).compatible().ok().map(Timestamp::as_millisecond)
    }

    /// Its name, or its offset.
    #[must_use]
    pub fn name(&self) -> String {
        match (self.zone.iana_name(), self.fixed) {
            (_, Some(0)) => "Z".to_owned(),
            (_, Some(offset)) => offset_text(offset),
            (Some(name), None) => name.to_owned(),
            (None, None) => String::new(),
        }
    }

    /// The short name at `millis`: `CET`, `+02:00`.
    #[must_use]
    pub fn abbreviation(&self, millis: i64) -> String {
        match (self.fixed, Timestamp::from_millisecond(millis)) {
            (Some(0), _) => "UTC".to_owned(),
            (None, Ok(at)) => self.zone.to_offset_info(at).abbreviation().to_owned(),
            _ => offset_text(self.offset(millis)),
        }
    }
}

/// `+02:00` for an offset in milliseconds.
#[must_use]
pub fn offset_text(offset: i64) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let offset = offset.abs();
    format!("{sign}{:02}:{:02}", offset / HOUR, offset % HOUR / MINUTE)
}

/// The milliseconds of `+2`, `+02`, `+0200` or `+02:00`, up to 18 hours.
#[must_use]
pub fn parse_offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some(parts), _) => parts,
        (None, 1 | 2) => (digits, "0"),
        (None, 4) => (digits.get(..2)?, digits.get(2..)?),
        _ => return None,
    };
    let number = |text: &str, most: i64| -> Option<i64> {
        let valid = !text.is_empty() && text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|value| valid && *value <= most)
    };
    Some(sign * (number(hours, 18)? * HOUR + number(minutes, 59)? * MINUTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_by_name_and_offset() {
        let summer = 1_720_000_000_000;
        for (name, offset) in [
            ("", Some(0)),
            ("UTC", Some(0)),
            ("z", Some(0)),
            ("+02:00", Some(2 * HOUR)),
            ("-0730", Some(-(7 * HOUR + 30 * MINUTE))),
            ("UTC+2", Some(2 * HOUR)),
            ("Europe/Copenhagen", Some(2 * HOUR)),
            ("America/New_York", Some(-4 * HOUR)),
            ("Asia/Kolkata", Some(5 * HOUR + 30 * MINUTE)),
            ("Mars/Olympus", None),
            ("+99", None),
            ("+1:2:3", None),
            ("+-1", None),
        ] {
            assert_eq!(Zone::parse(name).map(|zone| zone.offset(summer)), offset, "{name}");
        }
    }

    #[test]
    fn offsets_hold_between_their_changes() {
        let zone = Zone::parse("Europe/Copenhagen").unwrap();
        let change = 1_711_846_800_000; // 2024-03-31T01:00:00Z
        assert_eq!(zone.offset_range(change - 1).1.end, change);
        assert_eq!(zone.offset_range(change).1.start, change);
        assert_eq!((zone.offset(change - 1), zone.offset(change)), (HOUR, 2 * HOUR));
        assert_eq!(zone.offset_range(change + 1).1.start, change);
    }
}
