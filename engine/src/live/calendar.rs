//! Spans of the calendar in a zone: this hour, today, this week, this month.
//!
//! A day begins at the first midnight of its date, or where the clock jumps over midnight, at the first moment after
//! the jump: days have 23, 24 or 25 hours. Weeks begin on Monday. An hour is cut where the clock is changed, so that
//! the hour that comes twice is two hours.

use std::ops::Range;
use std::time::Duration;

use jiff::civil::{Date, Time};
use weir_query::windows::Zone;

const HOUR: Duration = Duration::from_secs(3600);
const HOUR_MILLIS: i64 = 3_600_000;
const NANOS_A_MILLI: i64 = 1_000_000;
/// What the offsets of all zones have been multiples of since 1972.
pub(super) const OFFSET_STEP: Duration = Duration::from_secs(15 * 60);

/// A span of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CalendarUnit {
    /// From the full hour.
    Hour,
    /// From midnight.
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
}

impl CalendarUnit {
    /// All of them.
    pub const ALL: [CalendarUnit; 4] =
        [CalendarUnit::Hour, CalendarUnit::Day, CalendarUnit::Week, CalendarUnit::Month];

    /// `hour`, `day`, `week` or `month`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CalendarUnit::Hour => "hour",
            CalendarUnit::Day => "day",
            CalendarUnit::Week => "week",
            CalendarUnit::Month => "month",
        }
    }

    /// The unit of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<CalendarUnit> {
        CalendarUnit::ALL.into_iter().find(|unit| unit.as_str() == name)
    }

    /// How long it is at most. A clock set back by more than an hour is not reckoned with.
    #[must_use]
    pub fn longest(self) -> Duration {
        match self {
            CalendarUnit::Hour => HOUR,
            CalendarUnit::Day => HOUR * 25,
            CalendarUnit::Week => HOUR * (7 * 24 + 1),
            CalendarUnit::Month => HOUR * (31 * 24 + 1),
        }
    }

    /// The date its span around `date` begins with.
    fn first(self, date: Date) -> Date {
        match self {
            CalendarUnit::Hour | CalendarUnit::Day => date,
            CalendarUnit::Week => {
                let days = u64::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
                date.saturating_sub(HOUR * 24 * u32::try_from(days).unwrap_or(0))
            }
            CalendarUnit::Month => date.first_of_month(),
        }
    }

    /// The first date of the span after the one that begins with `first`.
    fn next(self, first: Date) -> Date {
        match self {
            CalendarUnit::Hour | CalendarUnit::Day => first.saturating_add(HOUR * 24),
            CalendarUnit::Week => first.saturating_add(HOUR * 24 * 7),
            CalendarUnit::Month => first.last_of_month().saturating_add(HOUR * 24),
        }
    }
}

/// A span of the calendar in a zone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Calendar {
    unit: CalendarUnit,
    zone: Zone,
}

impl Calendar {
    pub(super) fn new(unit: CalendarUnit, zone: Zone) -> Calendar {
        Calendar { unit, zone }
    }

    /// The span that holds `nanos`, in nanoseconds.
    pub(super) fn span_at(&self, nanos: i64) -> Range<i64> {
        let millis = nanos.div_euclid(NANOS_A_MILLI);
        let span = match self.unit {
            CalendarUnit::Hour => self.hour_at(millis),
            unit => self.dates_at(unit, millis).unwrap_or(millis..millis.saturating_add(HOUR_MILLIS)),
        };
        span.start.saturating_mul(NANOS_A_MILLI)..span.end.saturating_mul(NANOS_A_MILLI)
    }

    fn hour_at(&self, millis: i64) -> Range<i64> {
        let (offset, holds) = self.zone.offset_range(millis);
        let start = (millis + offset).div_euclid(HOUR_MILLIS) * HOUR_MILLIS - offset;
        start.max(holds.start)..(start + HOUR_MILLIS).min(holds.end)
    }

    /// None outside the years the calendar knows.
    fn dates_at(&self, unit: CalendarUnit, millis: i64) -> Option<Range<i64>> {
        let begin = |date: Date| self.zone.instant(date.to_datetime(Time::midnight()));
        let mut first = unit.first(self.zone.civil(millis)?.date());
        // A clock set back over midnight shows the day before once more, after its end.
        if begin(unit.next(first))? <= millis {
            first = unit.next(first);
        }
        Some(begin(first)?..begin(unit.next(first))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        i64::try_from(text.parse::<jiff::Timestamp>().unwrap().as_nanosecond()).unwrap()
    }

    #[test]
    fn spans_follow_the_clocks_of_their_zone() {
        use CalendarUnit::{Day, Hour, Month, Week};
        for (unit, zone, now, start, end) in [
            (Day, "UTC", "2024-03-31T00:00:00Z", "2024-03-31T00:00:00Z", "2024-04-01T00:00:00Z"),
            // 23 and 25 hours.
            (Day, "Europe/Berlin", "2024-03-31T12:00:00Z", "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"),
            (Day, "Europe/Berlin", "2024-10-27T12:00:00Z", "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"),
            (Day, "Asia/Kolkata", "2024-01-01T18:29:59Z", "2023-12-31T18:30:00Z", "2024-01-01T18:30:00Z"),
            (Day, "+05:45", "2024-01-01T18:15:00Z", "2024-01-01T18:15:00Z", "2024-01-02T18:15:00Z"),
            // Midnight is jumped over: the day begins at one o'clock.
            (Day, "Africa/Cairo", "2024-04-26T12:00:00Z", "2024-04-25T22:00:00Z", "2024-04-26T21:00:00Z"),
            // One o'clock goes back to midnight in Havana: it is still one day, of 25 hours.
            (Day, "America/Havana", "2024-11-03T05:30:00Z", "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z"),
            // A minute past midnight went back to eleven in the evening: the date shows the day before once more.
            (Day, "America/St_Johns", "2010-11-07T03:00:00Z", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"),
            // A day that never was.
            (Day, "Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
            (Day, "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
            (Week, "Europe/Berlin", "2024-03-31T12:00:00Z", "2024-03-24T23:00:00Z", "2024-03-31T22:00:00Z"),
            (Week, "UTC", "1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"),
            (Month, "UTC", "2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            (Month, "Europe/Berlin", "2024-10-31T23:00:00Z", "2024-10-31T23:00:00Z", "2024-11-30T23:00:00Z"),
            (Month, "UTC", "2023-12-15T00:00:00Z", "2023-12-01T00:00:00Z", "2024-01-01T00:00:00Z"),
            (Hour, "Asia/Kolkata", "2024-01-01T18:29:59Z", "2024-01-01T17:30:00Z", "2024-01-01T18:30:00Z"),
            // Two o'clock comes twice: two hours.
            (Hour, "Europe/Berlin", "2024-10-27T00:30:00Z", "2024-10-27T00:00:00Z", "2024-10-27T01:00:00Z"),
            (Hour, "Europe/Berlin", "2024-10-27T01:30:00Z", "2024-10-27T01:00:00Z", "2024-10-27T02:00:00Z"),
            // The clock is changed by half an hour.
            (
                Hour,
                "Australia/Lord_Howe",
                "2024-04-06T15:10:00Z",
                "2024-04-06T15:00:00Z",
                "2024-04-06T15:30:00Z",
            ),
        ] {
            let calendar = Calendar::new(unit, Zone::parse(zone).unwrap());
            let span = calendar.span_at(at(now));
            assert_eq!(span, at(start)..at(end), "{unit:?} in {zone} at {now}");
        }
    }

    #[test]
    fn spans_follow_upon_each_other() {
        for zone in ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo"] {
            for unit in CalendarUnit::ALL {
                let calendar = Calendar::new(unit, Zone::parse(zone).unwrap());
                let mut now = at("2010-10-20T11:17:13Z");
                for _ in 0..1_500 {
                    let span = calendar.span_at(now);
                    let next = calendar.span_at(span.end);
                    assert!(span.contains(&now) && next.start == span.end, "{unit:?} in {zone}: {span:?}");
                    let length = Duration::from_nanos(u64::try_from(span.end - span.start).unwrap());
                    assert!(length <= unit.longest(), "{unit:?} in {zone}: {length:?}");
                    now = span.end + (span.end - span.start) / 3;
                }
            }
        }
    }

    #[test]
    fn units_have_names() {
        for unit in CalendarUnit::ALL {
            assert_eq!(CalendarUnit::parse(unit.as_str()), Some(unit));
        }
        assert_eq!(CalendarUnit::parse("Year"), None);
    }
}
