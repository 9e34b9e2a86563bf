//! How far event time has come: before the watermark nothing more is expected.

use std::time::Duration;

use super::window::nanos;

/// Without events for this long, and for the lateness, the watermark follows the clock.
pub(super) const IDLE_AFTER: Duration = Duration::from_secs(2);

/// A watermark: the newest event time seen, less the lateness. Times in the future do not move it beyond now; silence
/// moves it with the clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watermark {
    lateness_nanos: i64,
    newest: Option<i64>,
    last_arrival: i64,
}

impl Watermark {
    pub(super) fn new(lateness: Duration, now_nanos: i64) -> Watermark {
        Watermark { lateness_nanos: nanos(lateness), newest: None, last_arrival: now_nanos }
    }

    /// Events up to `newest` arrived at `now`.
    pub(super) fn observe(&mut self, newest: i64, now_nanos: i64) {
        self.newest = self.newest.max(Some(newest.min(now_nanos)));
        self.last_arrival = self.last_arrival.max(now_nanos);
    }

    /// With what `other` has seen too, at the lateness of this one.
    pub(super) fn joined(mut self, other: Watermark) -> Watermark {
        self.newest = self.newest.max(other.newest);
        self.last_arrival = self.last_arrival.max(other.last_arrival);
        self
    }

    /// How far event time has come; `None` while nothing is known.
    pub(super) fn reached(&self, now_nanos: i64) -> Option<i64> {
        let idle = now_nanos - self.last_arrival >= nanos(IDLE_AFTER).saturating_add(self.lateness_nanos);
        if idle { Some(now_nanos) } else { self.newest }
    }

    /// Nothing before this time is expected; `None` while nothing is known.
    pub(super) fn at(&self, now_nanos: i64) -> Option<i64> {
        self.reached(now_nanos).map(|reached| reached.saturating_sub(self.lateness_nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watermark_follows_events_and_in_silence_the_clock() {
        let second = 1_000_000_000;
        let mut watermark = Watermark::new(Duration::from_secs(5), 0);
        assert_eq!(watermark.at(second), None);
        watermark.observe(100 * second, 200 * second);
        assert_eq!(watermark.at(200 * second), Some(95 * second));
        watermark.observe(50 * second, 201 * second);
        assert_eq!(watermark.at(201 * second), Some(95 * second));
        watermark.observe(900 * second, 202 * second);
        assert_eq!(watermark.at(202 * second), Some(197 * second), "a future time does not move it past now");
        assert_eq!(watermark.at(208 * second), Some(197 * second));
        assert_eq!(watermark.at(209 * second), Some(204 * second), "silence does");
    }
}
