//! `2015-05-17T10:05:03.123456789+02:00` and what people make of it.

use super::civil::{Written, clock, number, zone};

/// The time at the front of `bytes`, and how long it is: a date with dashes or slashes, `T`, `t`, a space or `_`, the
/// clock, a fraction behind `.` or `,`, and a zone or none (UTC).
pub(super) fn iso(bytes: &[u8]) -> Option<(i64, usize)> {
    let dash = *bytes.get(4)?;
    if !matches!(dash, b'-' | b'/') || bytes.get(7) != Some(&dash) {
        return None;
    }
    if !matches!(bytes.get(10), Some(b'T' | b't' | b' ' | b'_')) {
        return None;
    }
    let mut written = Written {
        year: i64::from(number(bytes, 0, 4)?),
        month: number(bytes, 5, 2)?,
        day: number(bytes, 8, 2)?,
        ..Written::default()
    };
    let end = clock(bytes, 11, &mut written)?;
    let (offset, end) = zone(bytes, end);
    written.offset_seconds = offset;
    Some((written.nanos_since_epoch()?, end))
}

/// `YYYY-MM-DD` and nothing else: the midnight it begins with.
pub(super) fn date(bytes: &[u8]) -> Option<i64> {
    if bytes.len() != 10 || bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let (year, month, day) = (number(bytes, 0, 4)?, number(bytes, 5, 2)?, number(bytes, 8, 2)?);
    Written { year: i64::from(year), month, day, ..Written::default() }.nanos_since_epoch()
}
