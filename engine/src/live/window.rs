//! Windows as bucket numbers.

use std::ops::Range;
use std::time::Duration;

use weir_query::windows::Zone;

use super::calendar::Calendar;
use super::{MetricDefinition, WindowKind};

/// How far ahead of the window events with a future time are kept, in windows.
const WINDOWS_AHEAD: i64 = 1;
/// How long a span that was given up is kept, in case whoever closes it is late.
const CLOSING_SLACK: Duration = Duration::from_secs(60);
/// The span of one bucket of a global window, nanoseconds: one before the epoch and one after it hold everything from
/// 1823 to 2116.
const GLOBAL_GRANULE: i64 = i64::MAX / 2;

/// The window of a metric, in buckets of its granule. Bucket `n` holds `[n * granule, (n + 1) * granule)`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) granule_nanos: i64,
    reach: Reach,
    /// How long it is at most.
    buckets: i64,
    late_buckets: i64,
    /// How long a closing span is waited for at most.
    hold_buckets: i64,
    slack_buckets: i64,
    /// The longest silence within a session, where the result is one a session.
    pub(super) gap_nanos: Option<i64>,
}

/// Which buckets are in it.
#[derive(Clone, Debug, PartialEq)]
enum Reach {
    /// The last ones.
    Sliding,
    /// Those since a multiple of its length.
    Tumbling,
    /// Those since a span of the calendar began.
    Calendar(Calendar),
    /// All.
    Global,
}

impl Window {
    pub(super) fn new(definition: &MetricDefinition) -> Window {
        let (reach, length) = match definition.kind {
            WindowKind::Sliding | WindowKind::Session { .. } => (Reach::Sliding, definition.window),
            WindowKind::Tumbling => (Reach::Tumbling, definition.window),
            WindowKind::Global => (Reach::Global, definition.window),
            WindowKind::Calendar(unit) => {
                let zone = Zone::parse(&definition.timezone).unwrap_or(Zone::UTC);
                (Reach::Calendar(Calendar::new(unit, zone)), unit.longest())
            }
        };
        let granule_nanos = match reach {
            Reach::Global => GLOBAL_GRANULE,
            Reach::Sliding | Reach::Tumbling | Reach::Calendar(_) => nanos(definition.granule).max(1),
        };
        let up = |span: Duration| nanos(span).saturating_sub(1).div_euclid(granule_nanos) + 1;
        let late_buckets = up(definition.lateness).max(0);
        Window {
            granule_nanos,
            reach,
            buckets: up(length).max(1),
            late_buckets,
            hold_buckets: up(definition.idle_timeout).max(1) + late_buckets,
            slack_buckets: up(CLOSING_SLACK),
            gap_nanos: match definition.kind {
                WindowKind::Session { gap } => Some(nanos(gap)),
                _ => None,
            },
        }
    }

    /// How many buckets it is long at most.
    pub(super) fn len(&self) -> i64 {
        self.buckets
    }

    /// Whether it is the last buckets of every time, and its results are of all of them at once.
    pub(super) fn slides(&self) -> bool {
        self.reach == Reach::Sliding && self.gap_nanos.is_none()
    }

    /// The bucket that holds `nanos`.
    pub(super) fn bucket(&self, nanos: i64) -> i64 {
        nanos.div_euclid(self.granule_nanos)
    }

    /// The buckets of the window at `now`. Of a sliding window the last of them is still filling; of others, those
    /// from now on are still empty.
    pub(super) fn at(&self, now_nanos: i64) -> Range<i64> {
        let now = self.bucket(now_nanos);
        match &self.reach {
            Reach::Sliding => now + 1 - self.buckets..now + 1,
            Reach::Tumbling => {
                let start = now.div_euclid(self.buckets) * self.buckets;
                start..start + self.buckets
            }
            Reach::Calendar(calendar) => {
                let span = calendar.span_at(now_nanos);
                let end = self.bucket(span.end.saturating_sub(1)) + 1;
                self.bucket(span.start)..end
            }
            Reach::Global => -1..1,
        }
    }

    /// Whether its spans end for good and others follow, instead of the window moving on with time.
    pub(super) fn is_closing(&self) -> bool {
        matches!(self.reach, Reach::Tumbling | Reach::Calendar(_))
    }

    /// Whether a span that ended with `end` is no longer waited for at `now`, whatever the watermark says.
    pub(super) fn is_given_up(&self, end: i64, now_nanos: i64) -> bool {
        self.bucket(now_nanos) >= end + self.hold_buckets
    }

    /// The buckets a ring keeps at `now`: the window, what may come late before it, and what lies ahead of it.
    pub(super) fn kept(&self, now_nanos: i64) -> Range<i64> {
        let window = self.at(now_nanos);
        let ahead = window.end + self.buckets * WINDOWS_AHEAD;
        match self.reach {
            Reach::Global => window,
            Reach::Sliding => window.start - self.late_buckets..ahead,
            Reach::Tumbling | Reach::Calendar(_) => {
                let held = self.bucket(now_nanos) - self.hold_buckets - self.slack_buckets;
                self.at(self.start_of(held)).start - self.late_buckets..ahead
            }
        }
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

/// The windows of metrics that share a ring, all of one granule.
#[derive(Debug)]
pub(super) struct Windows {
    /// And how many metrics have it. The first stays when its last metric goes, so that there is always one.
    windows: Vec<(Window, usize)>,
    pub(super) granule_nanos: i64,
    /// A bucket of now, and what is kept then.
    kept: Option<(i64, Range<i64>)>,
}

impl Windows {
    pub(super) fn new(window: Window) -> Windows {
        Windows { granule_nanos: window.granule_nanos, windows: vec![(window, 1)], kept: None }
    }

    /// How many metrics there are.
    pub(super) fn metrics(&self) -> usize {
        self.windows.iter().map(|(_, metrics)| metrics).sum()
    }

    pub(super) fn add(&mut self, window: Window) {
        self.kept = None;
        match self.windows.iter_mut().find(|(other, _)| *other == window) {
            Some((_, metrics)) => *metrics += 1,
            None => self.windows.push((window, 1)),
        }
    }

    /// A metric over `window` is about to come: what it needs is kept from now on.
    pub(super) fn expect(&mut self, window: &Window) {
        self.kept = None;
        if !self.windows.iter().any(|(other, _)| other == window) {
            self.windows.push((window.clone(), 0));
        }
    }

    /// Those that were expected have come or never will.
    pub(super) fn expect_no_more(&mut self) {
        if self.metrics() > 0 {
            self.kept = None;
            self.windows.retain(|(_, metrics)| *metrics > 0);
        }
    }

    /// A metric over `window` is gone. False: it was the last one.
    pub(super) fn remove(&mut self, window: &Window) -> bool {
        self.kept = None;
        if let Some((_, metrics)) = self.windows.iter_mut().find(|(other, _)| other == window) {
            *metrics = metrics.saturating_sub(1);
        }
        if self.metrics() > 0 {
            self.windows.retain(|(_, metrics)| *metrics > 0);
        }
        self.metrics() > 0
    }

    /// Some metric is over `window`.
    pub(super) fn has(&self, window: &Window) -> bool {
        self.windows.iter().any(|(other, metrics)| other == window && *metrics > 0)
    }

    /// How many buckets the longest is long.
    pub(super) fn len(&self) -> i64 {
        self.windows.iter().map(|(window, _)| window.len()).max().unwrap_or(0)
    }

    /// Whether all of them slide.
    pub(super) fn slide(&self) -> bool {
        self.windows.iter().all(|(window, _)| window.slides())
    }

    /// The bucket that holds `nanos`.
    pub(super) fn bucket(&self, nanos: i64) -> i64 {
        nanos.div_euclid(self.granule_nanos)
    }

    /// Start of bucket `bucket`, nanoseconds.
    pub(super) fn start_of(&self, bucket: i64) -> i64 {
        bucket.saturating_mul(self.granule_nanos)
    }

    /// The time range of `buckets`, nanoseconds.
    pub(super) fn nanos_of(&self, buckets: &Range<i64>) -> Range<i64> {
        self.start_of(buckets.start)..self.start_of(buckets.end)
    }

    /// The buckets of all windows at `now`.
    pub(super) fn at(&self, now_nanos: i64) -> Range<i64> {
        self.all(|window| window.at(now_nanos))
    }

    /// The buckets a ring keeps at `now` for all of them.
    pub(super) fn kept(&mut self, now_nanos: i64) -> Range<i64> {
        let now = self.bucket(now_nanos);
        if let Some((at, kept)) = &self.kept
            && *at == now
        {
            return kept.clone();
        }
        let kept = self.all(|window| window.kept(now_nanos));
        self.kept = Some((now, kept.clone()));
        kept
    }

    fn all(&self, buckets: impl Fn(&Window) -> Range<i64>) -> Range<i64> {
        let mut windows = self.windows.iter().map(|(window, _)| buckets(window));
        let first = windows.next().unwrap_or(0..0);
        windows.fold(first, |all, more| all.start.min(more.start)..all.end.max(more.end))
    }
}

#[cfg(test)]
mod tests {
    use super::super::CalendarUnit;
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn window(kind: WindowKind, seconds: u64, granule: u64) -> Window {
        let definition = MetricDefinition::new("*", Duration::from_secs(seconds)).over(kind);
        Window::new(&MetricDefinition { granule: Duration::from_secs(granule), ..definition })
    }

    #[test]
    fn windows_are_whole_buckets() {
        use WindowKind::{Calendar, Global, Session, Sliding, Tumbling};
        let gap = Duration::from_secs(10);
        for (kind, length, granule, now, expected) in [
            (Sliding, 60, 1, 0, -59..1),
            (Sliding, 60, 1, 59 * SECOND, 0..60),
            (Sliding, 60, 7, 70 * SECOND, 2..11),
            (Sliding, 60, 60, 60 * SECOND - 1, 0..1),
            (Sliding, 60, 60, -1, -1..0),
            (Session { gap }, 60, 1, 59 * SECOND, 0..60),
            (Tumbling, 60, 1, 59 * SECOND, 0..60),
            (Tumbling, 60, 1, 60 * SECOND, 60..120),
            (Tumbling, 60, 20, -1, -3..0),
            (Calendar(CalendarUnit::Hour), 1, 60, 3_600 * SECOND, 60..120),
            (Calendar(CalendarUnit::Day), 1, 900, -1, -96..0),
            (Calendar(CalendarUnit::Week), 1, 900, 0, -288..384),
            (Global, 60, 1, 0, -1..1),
            (Global, 60, 1, i64::MAX / 4, -1..1),
        ] {
            let window = window(kind, length, granule);
            assert_eq!(window.at(now), expected, "{window:?} at {now}");
            let kept = window.kept(now);
            assert!(kept.start <= expected.start && kept.end >= expected.end, "{window:?}: {kept:?}");
        }
    }

    #[test]
    fn a_span_is_kept_until_it_is_given_up() {
        let window = window(WindowKind::Tumbling, 60, 1);
        let given_up = (60..).find(|second| window.is_given_up(60, second * SECOND)).unwrap();
        assert_eq!(given_up, 63, "a second of lateness, two of silence");
        assert_eq!(window.kept((given_up + 59) * SECOND).start, -1);
        assert_eq!(window.kept((given_up + 60) * SECOND).start, 59);
    }

    #[test]
    fn windows_that_share_keep_what_any_of_them_needs() {
        let (short, long) = (window(WindowKind::Sliding, 5, 1), window(WindowKind::Tumbling, 60, 1));
        let mut windows = Windows::new(short.clone());
        let now = 59 * SECOND;
        assert_eq!((windows.at(now), windows.kept(now)), (short.at(now), short.kept(now)));
        windows.add(long.clone());
        windows.add(long.clone());
        assert_eq!((windows.at(now), windows.kept(now).start, windows.metrics()), (0..60, -61, 3));
        assert!(windows.remove(&long) && windows.at(now) == (0..60));
        assert!(windows.remove(&long) && windows.at(now) == short.at(now));
        assert_eq!(windows.kept(now), short.kept(now));
        assert!(!windows.remove(&short) && windows.kept(now) == short.kept(now));
    }
}
