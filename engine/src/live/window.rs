//! A sliding window as bucket numbers.

use std::ops::Range;
use std::time::Duration;

use super::MetricDefinition;

/// How far ahead of the window events with a future time are kept, in windows.
const WINDOWS_AHEAD: i64 = 1;

/// The window of a metric, in buckets of its granule. Bucket `n` holds `[n * granule, (n + 1) * granule)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) granule_nanos: i64,
    buckets: i64,
    late_buckets: i64,
}

impl Window {
    pub(super) fn new(definition: &MetricDefinition) -> Window {
        let granule_nanos = nanos(definition.granule).max(1);
        let up = |span: Duration| (nanos(span) - 1).div_euclid(granule_nanos) + 1;
        Window {
            granule_nanos,
            buckets: up(definition.window).max(1),
            late_buckets: up(definition.lateness).max(0),
        }
    }

    /// How many buckets it is long.
    pub(super) fn len(&self) -> i64 {
        self.buckets
    }

    /// The bucket that holds `nanos`.
    pub(super) fn bucket(&self, nanos: i64) -> i64 {
        nanos.div_euclid(self.granule_nanos)
    }

    /// The buckets of the window at `now`; the last of them is still filling.
    pub(super) fn at(&self, now_nanos: i64) -> Range<i64> {
        let end = self.bucket(now_nanos) + 1;
        end - self.buckets..end
    }

    /// The buckets a ring keeps at `now`: the window, what may come late before it, and what lies ahead of it.
    pub(super) fn kept(&self, now_nanos: i64) -> Range<i64> {
        let window = self.at(now_nanos);
        window.start - self.late_buckets..window.end + self.buckets * WINDOWS_AHEAD
    }

    /// Start of bucket `bucket`, nanoseconds.
    pub(super) fn start_of(&self, bucket: i64) -> i64 {
        bucket.saturating_mul(self.granule_nanos)
    }

    /// The time range of `buckets`, nanoseconds.
    pub(super) fn nanos_of(&self, buckets: &Range<i64>) -> Range<i64> {
        self.start_of(buckets.start)..self.start_of(buckets.end)
    }
}

pub(super) fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_whole_buckets() {
        let second = 1_000_000_000;
        for (window, granule, now, expected) in [
            (60, 1, 0, -59..1),
            (60, 1, 59 * second, 0..60),
            (60, 7, 70 * second, 2..11),
            (60, 60, 60 * second - 1, 0..1),
            (60, 60, -1, -1..0),
        ] {
            let mut definition = MetricDefinition::new("*", Duration::from_secs(window));
            definition.granule = Duration::from_secs(granule);
            let window = Window::new(&definition);
            assert_eq!(window.at(now), expected, "{window:?} at {now}");
            assert!(window.kept(now).start <= expected.start && window.kept(now).end > expected.end);
        }
    }
}
