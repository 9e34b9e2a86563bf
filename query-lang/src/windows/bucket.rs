//! Time buckets: how long they are, and which one an instant falls into.
//!
//! Buckets begin at multiples of their span in the zone's civil time: hours at the full hour, days at midnight,
//! weeks on Monday. Their number may be one more than asked for, because a range rarely begins where a bucket does.

use super::Zone;
use super::span::{DAY, HOUR, MINUTE, SECOND};

/// Spans that automatic buckets choose from, milliseconds.
const NICE: &[i64] = &[
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    4 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    90 * DAY,
    365 * DAY,
];
/// The first Monday: 1970-01-05, as civil milliseconds.
const MONDAY: i64 = 4 * DAY;

/// The shortest round span that cuts `range` milliseconds into at most `count` buckets.
#[must_use]
pub fn auto_span(range: i64, count: usize) -> i64 {
    let least = range.max(1).div_euclid(i64::try_from(count.max(1)).unwrap_or(i64::MAX));
    let fits = |span: &&i64| range <= span.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX));
    NICE.iter().find(fits).copied().unwrap_or_else(|| (least / DAY + 1).saturating_mul(DAY))
}

/// Cuts time into buckets. Remembers the offset of the zone, since rows come roughly in time order.
#[derive(Clone, Debug)]
pub struct Buckets {
    span: i64,
    zone: Zone,
    offset: i64,
    holds: std::ops::Range<i64>,
}

impl Buckets {
    /// Buckets of `span` milliseconds in `zone`.
    #[must_use]
    pub fn new(span: i64, zone: Zone) -> Buckets {
        Buckets { span: span.max(1), zone, offset: 0, holds: 0..0 }
    }

    /// Their length in milliseconds.
    #[must_use]
    pub fn span(&self) -> i64 {
        self.span
    }

    /// Where the bucket of `millis` begins, milliseconds.
    #[inline]
    pub fn start(&mut self, millis: i64) -> i64 {
        let start = self.civil_start(millis);
        let at = start.saturating_sub(self.offset);
        if at >= self.holds.start {
            return at;
        }
        // The clock was changed since the bucket began. Days begin at their own midnight; shorter buckets are cut
        // where the clock was changed.
        let before = self.zone.offset(self.holds.start.saturating_sub(1));
        if self.span >= DAY {
            start.saturating_sub(self.zone.offset(start.saturating_sub(before)))
        } else {
            self.holds.start.max(at)
        }
    }

    /// The end of a stretch of time from `millis` on that lies in one bucket, milliseconds, exclusive. Another bucket
    /// may begin there, but need not.
    pub fn until(&mut self, millis: i64) -> i64 {
        // As long as the offset holds and the civil bucket lasts, `start` says the same.
        let next = self.civil_start(millis).saturating_add(self.span).saturating_sub(self.offset);
        next.min(self.holds.end).max(millis.saturating_add(1))
    }

    /// Where the bucket of `millis` begins in the civil time of the offset that holds then.
    #[inline]
    fn civil_start(&mut self, millis: i64) -> i64 {
        if !self.holds.contains(&millis) {
            (self.offset, self.holds) = self.zone.offset_range(millis);
        }
        // Weeks are counted from a Monday, all else from the epoch.
        let anchor = if self.span % (7 * DAY) == 0 { MONDAY } else { 0 };
        let civil = millis.saturating_add(self.offset).saturating_sub(anchor);
        civil.saturating_sub(civil.rem_euclid(self.span)).saturating_add(anchor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn spans_are_round_and_enough() {
        for (range, count, span) in [
            (HOUR, 127, 30 * SECOND),
            (DAY, 127, 15 * MINUTE),
            (DAY, 24, HOUR),
            (1, 127, 1),
            (0, 10, 1),
            (7 * DAY, 7, DAY),
        ] {
            assert_eq!(auto_span(range, count), span, "{range} in {count}");
        }
        assert!(auto_span(4000 * 365 * DAY, 10) >= 400 * 365 * DAY);
    }

    #[test]
    fn a_stretch_lies_in_one_bucket() {
        for zone in ["", "Europe/Copenhagen", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"] {
            for span in [7 * MINUTE, 20 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY] {
                let mut buckets = Buckets::new(span, Zone::parse(zone).unwrap());
                for begin in ["2024-03-30T00:00:00Z", "2024-10-26T00:00:00Z", "1969-12-31T00:00:00Z"] {
                    let (mut time, end) = (at(begin), at(begin) + 60 * HOUR);
                    while time < end {
                        let (start, until) = (buckets.start(time), buckets.until(time));
                        assert!(until > time, "{zone} {span} {time}");
                        for inside in (time..until.min(end)).step_by(MINUTE as usize) {
                            assert_eq!(buckets.start(inside), start, "{zone} {span} {inside}");
                        }
                        assert_eq!(buckets.start(until - 1), start, "{zone} {span} {time}");
                        time = until.min(time + 7 * DAY);
                    }
                }
            }
        }
    }

    #[test]
    fn buckets_begin_at_round_civil_times() {
        for (span, zone, time, start) in [
            (5 * MINUTE, "", "2024-05-15T13:47:00Z", "2024-05-15T13:45:00Z"),
            (7 * MINUTE, "", "1970-01-01T00:13:00Z", "1970-01-01T00:07:00Z"),
            (DAY, "", "1969-12-31T23:00:00Z", "1969-12-31T00:00:00Z"),
            (DAY, "America/New_York", "2024-05-15T03:00:00Z", "2024-05-14T04:00:00Z"),
            (7 * DAY, "", "2024-05-15T13:47:00Z", "2024-05-13T00:00:00Z"),
            (HOUR, "Asia/Kolkata", "2024-05-15T13:47:00Z", "2024-05-15T13:30:00Z"),
            // The day the clock goes forward at 01:00Z begins at 23:00Z, in winter time.
            (DAY, "Europe/Copenhagen", "2024-03-31T12:00:00Z", "2024-03-30T23:00:00Z"),
            (DAY, "Europe/Copenhagen", "2024-10-27T12:00:00Z", "2024-10-26T22:00:00Z"),
        ] {
            let mut buckets = Buckets::new(span, Zone::parse(zone).unwrap());
            assert_eq!(buckets.start(at(time)), at(start), "{span} {zone} {time}");
        }
    }
}
