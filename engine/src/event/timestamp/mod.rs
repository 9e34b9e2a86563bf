//! The time of an event: from a value that is said to be one, or from where it stands in a line of text.
//!
//! Times without a zone are UTC. Times are nanoseconds since the epoch; what does not fit 64 bits (before 1678,
//! after 2261) is no time.

mod civil;
mod date_time;
mod epoch;
mod names;

pub use civil::NANOS_PER_SECOND;

/// How far into a line of text a time is looked for, in bytes.
const MAX_DETECT_BYTES: usize = 128;

/// The time that a value says: RFC 3339 and its relatives, a date alone (its midnight), seconds, milliseconds, microseconds or nanoseconds since
/// the epoch by magnitude, or whatever [`detect`] finds at its front. Times without a year are the latest up to 8 days
/// after `reference_nanos`.
#[must_use]
pub fn parse(value: &str, reference_nanos: i64) -> Option<i64> {
    let bytes = value.as_bytes();
    if let Some((nanos, _)) = date_time::iso(bytes) {
        return Some(nanos);
    }
    let trimmed = value.trim_ascii();
    let plain = epoch::parse(trimmed).or_else(|| date_time::date(trimmed.as_bytes()));
    plain.or_else(|| detect(value, reference_nanos))
}

/// The first time that stands in the front of `text`. Known are RFC 3339 and `YYYY-MM-DD HH:MM:SS[,.]fff` (also with
/// slashes, in brackets, behind other words), the common log's `17/May/2015:10:05:03 +0000`, and at the start of
/// the text only: seconds to nanoseconds since the epoch, `May 17 10:05:03` and `Sun May 17 10:05:03 2015`; a syslog
/// priority may stand before.
#[must_use]
pub fn detect(text: &str, reference_nanos: i64) -> Option<i64> {
    let bytes = text.as_bytes();
    let front = bytes.get(..MAX_DETECT_BYTES).unwrap_or(bytes);
    let start = start_of(front);
    let first = front.get(start..)?;
    match first.first()? {
        b'0'..=b'9' => {
            if let Some(nanos) = epoch::at_front(bytes.get(start..)?) {
                return Some(nanos);
            }
        }
        b'A'..=b'Z' => {
            if let Some(nanos) = names::at_front(bytes.get(start..)?, reference_nanos) {
                return Some(nanos);
            }
        }
        _ => {}
    }
    let mut at = start;
    while let Some(byte) = front.get(at) {
        if !byte.is_ascii_digit() {
            at += 1;
            continue;
        }
        let rest = bytes.get(at..)?;
        if let Some((nanos, _)) = date_time::iso(rest).or_else(|| names::common_log(rest)) {
            return Some(nanos);
        }
        // The next time starts behind this word.
        at += rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    }
    None
}

/// Where the text proper starts: behind a syslog priority (`<34>`) and an opening bracket.
fn start_of(front: &[u8]) -> usize {
    let mut start = 0;
    if front.first() == Some(&b'<') {
        let digits = front.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
        if (1..=3).contains(&digits) && front.get(1 + digits) == Some(&b'>') {
            start = digits + 2;
        }
    }
    start + usize::from(front.get(start) == Some(&b'['))
}

#[cfg(test)]
mod tests;
