//! Seconds, milliseconds, microseconds and nanoseconds since the epoch, told apart by their size.

use super::civil::{NANOS_PER_SECOND, fraction};

/// Numbers below are not taken for a time: a field `time` that holds a duration must not move its event to 1970.
/// As seconds, this is in March 1973.
const LEAST_SECONDS: u64 = 100_000_000;

/// From here on a number means milliseconds; a thousand times that, microseconds; and so on. As seconds, this is in
/// the year 5138; as milliseconds, in March 1973.
const LEAST_MILLIS: u64 = 100_000_000_000;

/// The time that a whole text writes as a number.
pub(super) fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if !bytes.first()?.is_ascii_digit() {
        return None;
    }
    match number(bytes) {
        Some((nanos, end)) if end == bytes.len() => Some(nanos),
        _ if memchr::memchr2(b'e', b'E', bytes).is_some() => from_float(text.parse().ok()?),
        _ => None,
    }
}

/// The time at the front of a line: a number of ten digits or more that stands by itself.
pub(super) fn at_front(bytes: &[u8]) -> Option<i64> {
    let (nanos, end) = number(bytes)?;
    let alone = matches!(bytes.get(end), None | Some(b' ' | b'\t' | b']' | b',' | b';' | b':' | b'|' | b'"'));
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (alone && digits >= 10).then_some(nanos)
}

/// A decimal number at the front of `bytes` as a time, and how long it is.
fn number(bytes: &[u8]) -> Option<(i64, usize)> {
    let mut whole = 0u64;
    let mut end = 0;
    for byte in bytes.iter().take_while(|byte| byte.is_ascii_digit()) {
        whole = whole.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
        end += 1;
    }
    let mut billionths = 0;
    if bytes.get(end) == Some(&b'.') {
        let (value, digits) = fraction(bytes.get(end + 1..)?);
        if digits == 0 {
            return None;
        }
        billionths = value;
        end += 1 + digits;
    }
    let unit = unit_of(whole)?;
    let nanos = i64::try_from(whole).ok()?.checked_mul(unit)?;
    // A fraction of a unit, in nanoseconds: exact, as both are whole.
    let rest = i64::from(billionths) * unit / NANOS_PER_SECOND;
    Some((nanos.checked_add(rest)?, end))
}

/// Nanoseconds that one of `whole` stands for.
fn unit_of(whole: u64) -> Option<i64> {
    match whole {
        ..LEAST_SECONDS => None,
        LEAST_SECONDS..LEAST_MILLIS => Some(NANOS_PER_SECOND),
        whole if whole < LEAST_MILLIS * 1_000 => Some(1_000_000),
        whole if whole < LEAST_MILLIS * 1_000_000 => Some(1_000),
        _ => Some(1),
    }
}

/// A number in scientific notation: no more exact than it is.
fn from_float(value: f64) -> Option<i64> {
    if !value.is_finite() || value < 0.0 || value >= i64::MAX as f64 {
        return None;
    }
    let unit = unit_of(value as u64)?;
    let nanos = value * unit as f64;
    (nanos < i64::MAX as f64).then_some(nanos as i64)
}
