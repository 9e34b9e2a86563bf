//! Dates as days since the epoch.

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A time as written, not yet checked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    /// Up to 60, for leap seconds: they count as the first second of the next minute.
    pub second: u32,
    pub nanos: u32,
    /// East of Greenwich.
    pub offset_seconds: i64,
}

impl Written {
    /// Nanoseconds since the epoch; `None` when there is no such time or it does not fit.
    pub(super) fn nanos_since_epoch(&self) -> Option<i64> {
        let in_day = self.hour < 24 && self.minute < 60 && self.second <= 60;
        if !in_day || self.day == 0 || self.day > days_in_month(self.year, self.month)? {
            return None;
        }
        let seconds = days_from_civil(self.year, self.month, self.day) * 86_400
            + i64::from(self.hour * 3_600 + self.minute * 60 + self.second)
            - self.offset_seconds;
        seconds.checked_mul(NANOS_PER_SECOND)?.checked_add(i64::from(self.nanos))
    }
}

fn days_in_month(year: i64, month: u32) -> Option<u32> {
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => return None,
    })
}

/// Days from 1970-01-01 in the Gregorian calendar: `days_from_civil` of Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms".
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The year that `nanos` since the epoch lies in.
pub(super) fn year_of(nanos: i64) -> i64 {
    // Never too late within the three centuries there are, and then moved to where it is right.
    let days = nanos.div_euclid(86_400 * NANOS_PER_SECOND);
    let mut year = 1968 + days.div_euclid(366);
    while days_from_civil(year + 1, 1, 1) <= days {
        year += 1;
    }
    year
}

/// The number that the next `digits` bytes of `bytes` from `at` write.
#[inline]
pub(super) fn number(bytes: &[u8], at: usize, digits: usize) -> Option<u32> {
    bytes.get(at..at + digits)?.iter().try_fold(0u32, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| sum * 10 + u32::from(digit))
    })
}

/// `HH:MM:SS` and a fraction behind `.` or `,`, from `at`, put into `written`: where it ends.
pub(super) fn clock(bytes: &[u8], at: usize, written: &mut Written) -> Option<usize> {
    if bytes.get(at + 2) != Some(&b':') || bytes.get(at + 5) != Some(&b':') {
        return None;
    }
    written.hour = number(bytes, at, 2)?;
    written.minute = number(bytes, at + 3, 2)?;
    written.second = number(bytes, at + 6, 2)?;
    let end = at + 8;
    if !matches!(bytes.get(end), Some(b'.' | b',')) {
        return Some(end);
    }
    let (nanos, digits) = fraction(bytes.get(end + 1..).unwrap_or_default());
    written.nanos = nanos;
    // A full stop or comma that ends a sentence is no fraction.
    Some(if digits == 0 { end } else { end + 1 + digits })
}

/// The billionths that a run of decimal digits behind a point writes, and how many digits it has. Digits behind the
/// ninth are dropped.
pub(super) fn fraction(bytes: &[u8]) -> (u32, usize) {
    let (mut nanos, mut unit, mut digits) = (0, 100_000_000, 0);
    for byte in bytes.iter().take_while(|byte| byte.is_ascii_digit()) {
        nanos += u32::from(byte - b'0') * unit;
        unit /= 10;
        digits += 1;
    }
    (nanos, digits)
}

/// A zone from `at`: `Z`, `+02`, `+0200`, `+02:00`, ` UTC`, ` GMT`, with or without a space before. Seconds east and
/// where it ends; none is UTC.
pub(super) fn zone(bytes: &[u8], at: usize) -> (i64, usize) {
    let start = at + usize::from(bytes.get(at) == Some(&b' '));
    let sign = match bytes.get(start) {
        Some(b'Z' | b'z') => return (0, start + 1),
        Some(b'U' | b'G') if matches!(bytes.get(start..start + 3), Some(b"UTC" | b"GMT")) => {
            return (0, start + 3);
        }
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return (0, at),
    };
    let Some(hours) = number(bytes, start + 1, 2).filter(|hours| *hours < 24) else { return (0, at) };
    let minutes_at = start + 3 + usize::from(bytes.get(start + 3) == Some(&b':'));
    let minutes = number(bytes, minutes_at, 2).filter(|minutes| *minutes < 60);
    let end = if minutes.is_some() { minutes_at + 2 } else { start + 3 };
    (sign * i64::from(hours * 3_600 + minutes.unwrap_or(0) * 60), end)
}
