//! Spans of time: `24h`, `2 hours`, `500ms`.

/// Milliseconds of a second.
pub const SECOND: i64 = 1_000;
/// Milliseconds of a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Milliseconds of an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Milliseconds of a day of 24 hours.
pub const DAY: i64 = 24 * HOUR;

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `ms`
    Millisecond,
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`
    Day,
    /// `w`
    Week,
    /// `mon`
    Month,
    /// `q`
    Quarter,
    /// `y`
    Year,
}

impl Unit {
    /// The unit called `name`, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Unit> {
        const NAMES: &[(Unit, &[&str])] = &[
            (Unit::Millisecond, &["ms", "millis", "millisecond", "milliseconds"]),
            (Unit::Second, &["s", "sec", "secs", "second", "seconds"]),
            (Unit::Minute, &["m", "min", "mins", "minute", "minutes"]),
            (Unit::Hour, &["h", "hr", "hrs", "hour", "hours"]),
            (Unit::Day, &["d", "day", "days"]),
            (Unit::Week, &["w", "week", "weeks"]),
            (Unit::Month, &["mon", "month", "months"]),
            (Unit::Quarter, &["q", "qtr", "qtrs", "quarter", "quarters"]),
            (Unit::Year, &["y", "yr", "yrs", "year", "years"]),
        ];
        let called = |names: &&[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        NAMES.iter().find(|(_, names)| called(names)).map(|(unit, _)| *unit)
    }

    /// Its length in milliseconds; a day is 24 hours, a month 30 days, a quarter 90, a year 365.
    #[must_use]
    pub fn millis(self) -> i64 {
        match self {
            Unit::Millisecond => 1,
            Unit::Second => SECOND,
            Unit::Minute => MINUTE,
            Unit::Hour => HOUR,
            Unit::Day => DAY,
            Unit::Week => 7 * DAY,
            Unit::Month => 30 * DAY,
            Unit::Quarter => 90 * DAY,
            Unit::Year => 365 * DAY,
        }
    }
}

/// A count of units, `24h` or `2 hours`; a unit alone is one of it. What follows is left over.
pub(super) fn take_units(text: &str) -> Option<(i64, Unit, &str)> {
    let text = text.trim_start();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, rest) = text.split_at(digits);
    let rest = rest.trim_start();
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    let count = if count.is_empty() { 1 } else { count.parse().ok()? };
    Some((count, Unit::parse(unit)?, rest))
}

/// The milliseconds of a span above zero: `5m`, `1 hour`, `1h30m`.
#[must_use]
pub fn parse_span(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut total = 0_i64;
    while !rest.is_empty() {
        let (count, unit, left) = take_units(rest)?;
        total = total.checked_add(count.checked_mul(unit.millis())?)?;
        rest = left.trim_start();
    }
    (total > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_in_all_spellings() {
        for (text, millis) in [
            ("24h", Some(24 * HOUR)),
            ("2 hours", Some(2 * HOUR)),
            ("1hr", Some(HOUR)),
            ("500ms", Some(500)),
            ("1 Day", Some(DAY)),
            ("minute", Some(MINUTE)),
            ("1h30m", Some(90 * MINUTE)),
            ("1mon", Some(30 * DAY)),
            ("1q", Some(90 * DAY)),
            ("1y", Some(365 * DAY)),
            ("0s", None),
            ("", None),
            ("5", None),
            ("-5m", None),
            ("5 parsecs", None),
            ("99999999999999999999h", None),
            ("9999999999999999y", None),
        ] {
            assert_eq!(parse_span(text), millis, "{text}");
        }
    }
}
