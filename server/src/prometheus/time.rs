//! Times and durations as Prometheus writes them.

use jiff::Timestamp;

use super::Fault;

const MILLIS_A_SECOND: f64 = 1e3;
const NANOS_A_MILLI: i64 = 1_000_000;
/// Times beyond this many seconds from the epoch, some thousands of years, are none.
const MAX_SECONDS: f64 = 9_000_000_000.0;

/// A time: seconds since the epoch, with a fraction, or RFC 3339; nanoseconds.
///
/// # Errors
/// When it is neither.
pub fn parse_time(name: &str, text: &str) -> Result<i64, Fault> {
    let wrong = || {
        Fault::bad_data(format!(
            "invalid parameter `{name}`: {text:?} is neither seconds since the epoch nor RFC 3339"
        ))
    };
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.abs() <= MAX_SECONDS).then(|| nanos(seconds)).ok_or_else(wrong);
    }
    let time: Timestamp = text.parse().map_err(|_| wrong())?;
    i64::try_from(time.as_nanosecond()).map_err(|_| wrong())
}

/// A duration: seconds, with a fraction, or numbers with units such as `1h30m`; nanoseconds.
///
/// # Errors
/// When it is neither.
pub fn parse_duration(name: &str, text: &str) -> Result<i64, Fault> {
    let wrong = || {
        Fault::bad_data(format!(
            "invalid parameter `{name}`: {text:?} is no duration; expected such as `15s`, `1h30m` or seconds"
        ))
    };
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.abs() <= MAX_SECONDS).then(|| nanos(seconds)).ok_or_else(wrong);
    }
    units(text).ok_or_else(wrong)
}

fn nanos(seconds: f64) -> i64 {
    // Milliseconds are as fine as Prometheus' times are.
    ((seconds * MILLIS_A_SECOND).round() as i64).saturating_mul(NANOS_A_MILLI)
}

/// Numbers with units, the largest first, each at most once; nanoseconds.
pub(super) fn units(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let (mut left, mut millis, mut next) = (text, 0_i64, 0);
    while !left.is_empty() {
        let digits = left.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = left.split_at_checked(digits)?;
        let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, rest) = rest.split_at_checked(letters)?;
        let (at, (_, scale)) = UNITS.iter().enumerate().skip(next).find(|(_, (name, _))| *name == unit)?;
        millis = millis.checked_add(number.parse::<i64>().ok()?.checked_mul(*scale)?)?;
        (left, next) = (rest, at + 1);
    }
    (next > 0).then(|| millis.checked_mul(NANOS_A_MILLI))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations() {
        let second = 1_000_000_000;
        for (text, expected) in [
            ("1435781451.781", Some(1_435_781_451_781_000_000)),
            ("0", Some(0)),
            ("2015-07-01T20:10:51.781Z", Some(1_435_781_451_781_000_000)),
            ("2015-07-01T20:10:51.781+02:00", Some(1_435_774_251_781_000_000)),
            ("1e40", None),
            ("NaN", None),
            ("soon", None),
        ] {
            assert_eq!(parse_time("time", text).ok(), expected, "{text}");
        }
        for (text, expected) in [
            ("15s", Some(15 * second)),
            ("1h30m", Some(5_400 * second)),
            ("0.5", Some(second / 2)),
            ("1w", Some(604_800 * second)),
            ("100ms", Some(second / 10)),
            ("1m1m", None),
            ("1s1m", None),
            ("5", Some(5 * second)),
            ("m", None),
            ("", None),
            ("99999999999999999y", None),
        ] {
            assert_eq!(parse_duration("step", text).ok(), expected, "{text}");
        }
    }
}
