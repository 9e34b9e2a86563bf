//! What a standing costs the live thread.
//!
//! One batch in [`SAMPLE_EVERY`] is timed, standing by standing, and every batch while batches take long: a clock is read
//! twice for a standing that something comes to, and not at all for the others.

use std::time::{Duration, Instant};

/// One batch in so many is timed.
pub(super) const SAMPLE_EVERY: u64 = 8;
/// While a batch takes longer than this, the next one is timed as well: reading the clock is nothing beside it.
pub(super) const SAMPLE_FROM: Duration = Duration::from_millis(50);
/// Of how many timed events what is told of a cost is, about: what was before is forgotten.
const REMEMBERED_EVENTS: u64 = 1 << 20;

/// Which batches are timed.
#[derive(Debug, Default)]
pub(super) struct Sampling {
    batches: u64,
    was_long: bool,
}

impl Sampling {
    /// Whether the next batch is timed.
    pub(super) fn next(&mut self) -> bool {
        let is_turn = self.batches.is_multiple_of(SAMPLE_EVERY);
        self.batches += 1;
        is_turn || self.was_long
    }

    /// It took so long.
    pub(super) fn took(&mut self, took: Duration) {
        self.was_long = took > SAMPLE_FROM;
    }
}

/// What one standing costs. `timed_events` is everywhere how many events were in all batches that were timed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// Since so many timed events, so many nanoseconds.
    since: u64,
    nanos: u64,
    /// Of the time before: timed events, and nanoseconds.
    before: (u64, u64),
    /// Events that were brought to it.
    pub(super) events: u64,
}

impl Cost {
    /// Of a standing that there is since `timed_events`.
    pub(super) fn new(timed_events: u64) -> Cost {
        Cost { since: timed_events, ..Cost::default() }
    }

    /// It was stepped since `begun`.
    pub(super) fn charge(&mut self, took: Duration, timed_events: u64) {
        let events = timed_events.saturating_sub(self.since);
        if events >= REMEMBERED_EVENTS {
            self.before = (events, self.nanos);
            (self.since, self.nanos) = (timed_events, 0);
        }
        self.nanos = self.nanos.saturating_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Nanoseconds for each event that came to the repository of late, whether or not it was brought here.
    pub(super) fn nanos_per_event(&self, timed_events: u64) -> f64 {
        let (events, nanos) = self.before;
        let events = events + timed_events.saturating_sub(self.since);
        (nanos.saturating_add(self.nanos)) as f64 / events.max(1) as f64
    }
}

/// The clock, where it is to be read.
pub(super) fn clock(is_timed: bool) -> Option<Instant> {
    is_timed.then(Instant::now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_batch_in_eight_is_timed_and_the_one_behind_a_long_one() {
        let mut sampling = Sampling::default();
        let timed: Vec<u64> = (0..30)
            .filter(|batch| {
                let is_timed = sampling.next();
                sampling.took(SAMPLE_FROM + Duration::from_nanos(u64::from(*batch == 10 || *batch == 17)));
                is_timed
            })
            .collect();
        assert_eq!(timed, [0, 8, 11, 16, 18, 24]);
    }

    #[test]
    fn a_cost_is_that_of_late() {
        let mut cost = Cost::new(1_000);
        assert_eq!(cost.nanos_per_event(1_000), 0.0);
        cost.charge(Duration::from_nanos(500), 1_000);
        assert_eq!(cost.nanos_per_event(1_100), 5.0);
        cost.charge(Duration::from_nanos(500), 1_000 + REMEMBERED_EVENTS - 1);
        assert_eq!((cost.before, cost.nanos), ((0, 0), 1_000));
        cost.charge(Duration::from_nanos(500), 1_000 + REMEMBERED_EVENTS);
        assert_eq!((cost.before, cost.nanos), ((REMEMBERED_EVENTS, 1_000), 500));
        cost.charge(Duration::from_nanos(300), 1_000 + 2 * REMEMBERED_EVENTS);
        assert_eq!((cost.before, cost.nanos), ((REMEMBERED_EVENTS, 500), 300), "the first is forgotten");
    }
}
