//! Times with names of months: the common log format, syslog (RFC 3164) and `asctime`.

use super::civil::{Written, clock, number, year_of, zone};

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

const WEEKDAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

/// The month whose name starts at `at`, from 1.
fn month(bytes: &[u8], at: usize) -> Option<u32> {
    let name = bytes.get(at..at + 3)?;
    MONTHS.iter().position(|month| *month == name).map(|place| place as u32 + 1)
}

/// `17/May/2015:10:05:03 +0000` at the front of `bytes`, and how long it is.
pub(super) fn common_log(bytes: &[u8]) -> Option<(i64, usize)> {
    if bytes.get(2) != Some(&b'/') || bytes.get(6) != Some(&b'/') {
        return None;
    }
    if !matches!(bytes.get(11), Some(b':' | b' ')) {
        return None;
    }
    let mut written = Written {
        year: i64::from(number(bytes, 7, 4)?),
        month: month(bytes, 3)?,
        day: number(bytes, 0, 2)?,
        ..Written::default()
    };
    let end = clock(bytes, 12, &mut written)?;
    let (offset, end) = zone(bytes, end);
    written.offset_seconds = offset;
    Some((written.nanos_since_epoch()?, end))
}

/// `May 17 10:05:03`, `May  7 10:05:03.123`, `May 17 2015 10:05:03` or `Sun May 17 10:05:03 2015` at the front of
/// `bytes`. Without a year, the latest one that is at most [`AHEAD_NANOS`] ahead of `reference_nanos`.
pub(super) fn at_front(bytes: &[u8], reference_nanos: i64) -> Option<i64> {
    let weekday = bytes.get(..3).is_some_and(|name| WEEKDAYS.iter().any(|day| *day == name));
    let start = match bytes.get(3)? {
        b' ' if weekday => 4,
        b',' if weekday && bytes.get(4) == Some(&b' ') => 5,
        _ => 0,
    };
    let mut written = Written { month: month(bytes, start)?, ..Written::default() };
    if bytes.get(start + 3) != Some(&b' ') {
        return None;
    }
    let padded = usize::from(bytes.get(start + 4) == Some(&b' '));
    let mut at = start + 4 + padded;
    let digits = if padded == 0 && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) { 2 } else { 1 };
    written.day = number(bytes, at, digits)?;
    at += digits;
    if bytes.get(at) != Some(&b' ') {
        return None;
    }
    at += 1;
    let mut year = None;
    if let (Some(found), Some(b' ')) = (number(bytes, at, 4), bytes.get(at + 4)) {
        year = Some(found);
        at += 5;
    }
    let end = clock(bytes, at, &mut written)?;
    if year.is_none() && bytes.get(end) == Some(&b' ') {
        let alone = !bytes.get(end + 5).is_some_and(u8::is_ascii_alphanumeric);
        year = number(bytes, end + 1, 4).filter(|year| alone && weekday && (1970..2262).contains(year));
    }
    match year {
        Some(year) => Written { year: i64::from(year), ..written }.nanos_since_epoch(),
        None => latest(written, reference_nanos),
    }
}

/// How far ahead of the reference a time without a year may be: clocks differ, and zones are not always told. Logs are
/// of the past beyond that, and the language's own `parseTimestamp` reads them so.
const AHEAD_NANOS: i64 = 8 * 86_400 * 1_000_000_000;

fn latest(written: Written, reference_nanos: i64) -> Option<i64> {
    let this = year_of(reference_nanos);
    // The leap years before decide about a 29th of February.
    let years = (this - 8)..=(this + 1);
    let times = years.filter_map(|year| Written { year, ..written }.nanos_since_epoch());
    times.filter(|time| *time <= reference_nanos.saturating_add(AHEAD_NANOS)).max()
}
