//! Relative and anchored times: `24h`, `now`, `1d@d+12h`, `now@w`, `calendar:1mon`.
//!
//! ```text
//! time   = ["calendar:"] ("now" | count unit) [" ago"] { "@" unit | ("+"|"-") [count] unit }
//! ```
//!
//! `24h` is 24 hours before now. With `calendar:` days, weeks, months, quarters and years are those of the
//! calendar, whatever their length. `@unit` goes back to the beginning of the unit (weeks begin on Monday) in the
//! zone given. A plain number is milliseconds since the epoch.

use jiff::civil::DateTime;
use jiff::{Span, ToSpan};

use super::Zone;
use super::span::{Unit, take_units};

/// The instant `text` means, milliseconds; none when it means none.
#[must_use]
pub fn resolve(text: &str, now_millis: i64, zone: &Zone) -> Option<i64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let (calendar, text) = match text.strip_prefix("calendar:") {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let (mut at, mut rest) = match text.strip_prefix("now") {
        Some(rest) => (now_millis, rest),
        None => {
            let (count, unit, rest) = take_units(text.strip_prefix('-').unwrap_or(text))?;
            (shift(now_millis, -count, unit, calendar, zone)?, rest)
        }
    };
    rest = rest.trim_start();
    rest = rest.strip_prefix("ago").unwrap_or(rest).trim_start();
    while let Some(sign) = rest.chars().next() {
        let after = rest.get(sign.len_utf8()..)?;
        let (count, unit, left) = take_units(after)?;
        at = match sign {
            '@' if !after.trim_start().starts_with(|c: char| c.is_ascii_digit()) => begin(at, unit, zone)?,
            '+' => shift(at, count, unit, calendar, zone)?,
            '-' => shift(at, -count, unit, calendar, zone)?,
            _ => return None,
        };
        rest = left.trim_start();
    }
    Some(at)
}

fn shift(at: i64, count: i64, unit: Unit, calendar: bool, zone: &Zone) -> Option<i64> {
    let by: Option<Span> = match unit {
        _ if !calendar => None,
        Unit::Day => Some(Span::new().try_days(count).ok()?),
        Unit::Week => Some(Span::new().try_weeks(count).ok()?),
        Unit::Month => Some(Span::new().try_months(count).ok()?),
        Unit::Quarter => Some(Span::new().try_months(count.checked_mul(3)?).ok()?),
        Unit::Year => Some(Span::new().try_years(count).ok()?),
        _ => None,
    };
    match by {
        Some(span) => Some(zone.zoned(at)?.checked_add(span).ok()?.timestamp().as_millisecond()),
        None => at.checked_add(count.checked_mul(unit.millis())?),
    }
}

/// The beginning of the unit that `at` lies in.
fn begin(at: i64, unit: Unit, zone: &Zone) -> Option<i64> {
    let civil = zone.civil(at)?;
    let date = civil.date();
    let civil: DateTime = match unit {
        Unit::Millisecond => civil,
        Unit::Second => civil.with().subsec_nanosecond(0).build().ok()?,
        Unit::Minute => civil.with().second(0).subsec_nanosecond(0).build().ok()?,
        Unit::Hour => civil.with().minute(0).second(0).subsec_nanosecond(0).build().ok()?,
        Unit::Day => date.to_datetime(jiff::civil::Time::midnight()),
        Unit::Week => {
            let back = i64::from(date.weekday().to_monday_zero_offset());
            date.checked_sub(back.days()).ok()?.to_datetime(jiff::civil::Time::midnight())
        }
        Unit::Month => date.first_of_month().to_datetime(jiff::civil::Time::midnight()),
        Unit::Quarter => {
            let month = (date.month() - 1) / 3 * 3 + 1;
            let first = date.with().month(month).day(1).build().ok()?;
            first.to_datetime(jiff::civil::Time::midnight())
        }
        Unit::Year => date.first_of_year().to_datetime(jiff::civil::Time::midnight()),
    };
    zone.instant(civil)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_times() {
        // Wednesday.
        let now = "2024-05-15T13:45:30.250Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
        for (text, zone, told) in [
            ("now", "", Some("2024-05-15T13:45:30.25Z")),
            ("24h", "", Some("2024-05-14T13:45:30.25Z")),
            ("2 hours ago", "", Some("2024-05-15T11:45:30.25Z")),
            ("-1d", "", Some("2024-05-14T13:45:30.25Z")),
            ("now@w", "", Some("2024-05-13T00:00:00Z")),
            ("1d@d+12h", "", Some("2024-05-14T12:00:00Z")),
            ("now@d", "America/New_York", Some("2024-05-15T04:00:00Z")),
            ("now@mon", "", Some("2024-05-01T00:00:00Z")),
            ("now@q", "", Some("2024-04-01T00:00:00Z")),
            ("now@y-1d", "", Some("2023-12-31T00:00:00Z")),
            ("1mon", "", Some("2024-04-15T13:45:30.25Z")),
            ("calendar:1mon", "", Some("2024-04-15T13:45:30.25Z")),
            ("calendar:3mon", "", Some("2024-02-15T13:45:30.25Z")),
            ("3mon", "", Some("2024-02-15T13:45:30.25Z")),
            ("calendar:2q", "", Some("2023-11-15T13:45:30.25Z")),
            ("1700000000000", "", Some("2023-11-14T22:13:20Z")),
            ("", "", None),
            ("soon", "", None),
            ("1d@", "", None),
            ("1d@3d", "", None),
            ("1d*2", "", None),
        ] {
            let zone = Zone::parse(zone).unwrap();
            let at = resolve(text, now, &zone)
                .map(|at| jiff::Timestamp::from_millisecond(at).unwrap().to_string());
            assert_eq!(at.as_deref(), told, "{text}");
        }
    }
}
