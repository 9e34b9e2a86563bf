//! Times in requests: epoch milliseconds, RFC 3339, and relative ones such as `24h`, `2 days`, `1d@d`, `now`.
//!
//! A relative time is a distance back from now. Months, quarters and years are those of the calendar in the
//! request's zone; `@unit` then rounds down to the start of that unit.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Unit, Zoned};

/// Nanoseconds in a millisecond.
const NANOS_PER_MILLI: i64 = 1_000_000;

/// A time that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no time: expected epoch milliseconds, RFC 3339, `now`, or a distance back such as `24h`"
)]
pub struct TimeError {
    text: String,
}

/// The time `text` means, nanoseconds since the epoch. All digits are epoch milliseconds.
///
/// # Errors
/// When it means nothing.
pub fn parse_time(text: &str, now_nanos: i64, zone: &TimeZone) -> Result<i64, TimeError> {
    let wrong = || TimeError { text: text.to_owned() };
    let trimmed = text.trim();
    if let Ok(millis) = trimmed.parse::<i64>() {
        return Ok(millis.saturating_mul(NANOS_PER_MILLI));
    }
    if let Some(nanos) = parse_relative_nanos(trimmed, now_nanos, zone) {
        return Ok(nanos);
    }
    let timestamp = trimmed.parse::<Timestamp>().ok().or_else(|| {
        let civil = trimmed.parse::<jiff::civil::DateTime>().ok()?;
        Some(civil.to_zoned(zone.clone()).ok()?.timestamp())
    });
    let nanos = timestamp.ok_or_else(wrong)?.as_nanosecond();
    Ok(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
}

/// The time a relative text means; `None` when it is not one.
#[must_use]
pub fn parse_relative_nanos(text: &str, now_nanos: i64, zone: &TimeZone) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let (distance, anchor) = match text.split_once('@') {
        Some((distance, anchor)) => (distance.trim(), Some(unit(anchor.trim())?)),
        None => (text.as_str(), None),
    };
    if distance == "now" && anchor.is_none() {
        return Some(now_nanos);
    }
    let now = Timestamp::from_nanosecond(i128::from(now_nanos)).ok()?.to_zoned(zone.clone());
    let mut at = match distance {
        "now" | "" if anchor.is_some() || distance == "now" => now,
        _ => {
            let distance = distance.strip_prefix('-').unwrap_or(distance);
            let digits = distance.bytes().take_while(u8::is_ascii_digit).count();
            let (number, word) = distance.split_at_checked(digits)?;
            back(&now, number.parse().ok()?, unit(word.trim())?)?
        }
    };
    if let Some(anchor) = anchor {
        at = start_of(&at, anchor)?;
    }
    i64::try_from(at.timestamp().as_nanosecond()).ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Milli,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

fn unit(word: &str) -> Option<Step> {
    Some(match word {
        "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => Step::Milli,
        "s" | "sec" | "secs" | "second" | "seconds" => Step::Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Step::Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => Step::Hour,
        "d" | "day" | "days" => Step::Day,
        "w" | "week" | "weeks" => Step::Week,
        "mon" | "month" | "months" => Step::Month,
        "q" | "qtr" | "qtrs" | "quarter" | "quarters" => Step::Quarter,
        "y" | "yr" | "yrs" | "year" | "years" => Step::Year,
        _ => return None,
    })
}

fn back(now: &Zoned, count: i64, step: Step) -> Option<Zoned> {
    let span = match step {
        Step::Milli => Span::new().try_milliseconds(count),
        Step::Second => Span::new().try_seconds(count),
        Step::Minute => Span::new().try_minutes(count),
        Step::Hour => Span::new().try_hours(count),
        // A day is 24 hours, unless it is anchored: `1d` must mean the same span everywhere.
        Step::Day => Span::new().try_hours(count.checked_mul(24)?),
        Step::Week => Span::new().try_hours(count.checked_mul(168)?),
        Step::Month => Span::new().try_months(count),
        Step::Quarter => Span::new().try_months(count.checked_mul(3)?),
        Step::Year => Span::new().try_years(count),
    };
    // Further back than the calendar goes is the beginning of it.
    let Ok(span) = span else { return earliest(now) };
    now.checked_sub(span).ok().or_else(|| earliest(now))
}

fn earliest(now: &Zoned) -> Option<Zoned> {
    Some(Timestamp::UNIX_EPOCH.to_zoned(now.time_zone().clone()))
}

fn start_of(at: &Zoned, step: Step) -> Option<Zoned> {
    let floor = |unit| at.round(jiff::ZonedRound::new().smallest(unit).mode(jiff::RoundMode::Floor)).ok();
    let day = at.start_of_day().ok()?;
    match step {
        Step::Milli => floor(Unit::Millisecond),
        Step::Second => floor(Unit::Second),
        Step::Minute => floor(Unit::Minute),
        Step::Hour => floor(Unit::Hour),
        Step::Day => Some(day),
        Step::Week => day.checked_sub(Span::new().days(at.weekday().to_monday_zero_offset())).ok(),
        Step::Month => day.first_of_month().ok(),
        Step::Quarter => {
            let into = (at.month() - 1) % 3;
            day.first_of_month().ok()?.checked_sub(Span::new().months(into)).ok()
        }
        Step::Year => day.first_of_year().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, zone: &str, expected: &str) {
        let zone = TimeZone::get(zone).unwrap();
        let now: Timestamp = "2026-11-20T13:14:15.678Z".parse().unwrap();
        let now = i64::try_from(now.as_nanosecond()).unwrap();
        let got = parse_time(text, now, &zone)
            .map(|nanos| Timestamp::from_nanosecond(i128::from(nanos)).unwrap().to_string());
        assert_eq!(got.unwrap_or_else(|error| error.to_string()), expected, "{text}");
    }

    #[test]
    fn every_form_of_time() {
        for (text, expected) in [
            ("now", "2026-11-20T13:14:15.678Z"),
            ("1721000000000", "2024-07-14T23:33:20Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("500ms", "2026-11-20T13:14:15.178Z"),
            ("10 sec", "2026-11-20T13:14:05.678Z"),
            ("5m", "2026-11-20T13:09:15.678Z"),
            ("24hours", "2026-11-19T13:14:15.678Z"),
            ("7d", "2026-11-13T13:14:15.678Z"),
            ("2 weeks", "2026-11-06T13:14:15.678Z"),
            ("1mon", "2026-10-20T13:14:15.678Z"),
            ("1q", "2026-08-20T13:14:15.678Z"),
            ("1yr", "2025-11-20T13:14:15.678Z"),
            ("1d@d", "2026-11-19T00:00:00Z"),
            ("now@h", "2026-11-20T13:00:00Z"),
            ("@mon", "2026-11-01T00:00:00Z"),
            ("0w@w", "2026-11-16T00:00:00Z"),
            ("0q@q", "2026-10-01T00:00:00Z"),
            ("0y@y", "2026-01-01T00:00:00Z"),
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
            ("2024-01-02T03:04:05+01:00", "2024-01-02T02:04:05Z"),
            ("2024-01-02T03:04:05", "2024-01-02T03:04:05Z"),
            ("2024-01-02", "2024-01-02T00:00:00Z"),
            ("999999999y", "1970-01-01T00:00:00Z"),
        ] {
            check(text, "UTC", expected);
        }
        check("1d@d", "Europe/Copenhagen", "2026-11-18T23:00:00Z");
        check("2024-01-02T03:04:05", "Europe/Copenhagen", "2024-01-02T02:04:05Z");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "soon", "5", "12 parsecs", "1d@", "@", "-", "1.5h"] {
            let zone = TimeZone::UTC;
            let known = text == "5";
            assert_eq!(parse_time(text, 0, &zone).is_ok(), known, "{text}");
        }
    }
}
