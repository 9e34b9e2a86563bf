//! Whether the live thread keeps up, and which standings are to be put off when it does not.
//!
//! ```text
//!            lag over the limit, not shrinking, no time left, or the feed overflowed
//!   keeps up --------------------------------------------------------------------> behind: put off a quarter of the
//!            <-------------------------------------------------------------------- cost, look again
//!            lag under half the limit for five times the limit, and time left for what is taken up again
//! ```
//!
//! Shedding load by priority and cost, with hysteresis, is what Aurora and its successors do with tuples (Tatbul et al.,
//! "Load Shedding in a Data Stream Manager", 2003). Here nothing is shed: who is put off is read from history.

use std::time::{Duration, Instant};

use super::Priority;

/// It is looked so many times while the greatest lag passes.
const LOOKS_A_LAG: u32 = 2;
/// The lag is shrinking when it does by this share of the time that passes.
const SHRINK_PERCENT: u32 = 10;
/// Only a thread that worked for this share of the time is behind because of its work.
const BUSY_PERCENT: u32 = 80;
/// So much of what all standings cost is put off at a time.
const DEFER_PERCENT: f64 = 25.0;
/// While standings are less than this share of the work, putting them off would not help.
const WORTH_PERCENT: f64 = 20.0;
/// So many times the greatest lag it has to be calm before something is taken up again.
const CALM_LAGS: u32 = 5;
/// What is stepped then may take this share of the thread.
const RESUMED_PERCENT: f64 = 50.0;
/// What is left of a rate of events at the next look: bursts are remembered for a while.
const RATE_KEPT: f64 = 0.9;

/// How the live thread does since it was looked last.
#[derive(Debug, Default)]
pub(super) struct Load {
    looked: Option<Instant>,
    busy: Duration,
    events: u64,
    has_overflowed: bool,
    /// From the arrival of what was stepped over last to that.
    lag: Duration,
    /// At the last look.
    lag_before: Duration,
    calm: Duration,
    /// Events a second, of late.
    rate: f64,
}

/// What a look finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Nothing is to be done.
    Fine,
    /// Standings are to be put off.
    Behind {
        /// By so much.
        lag: Duration,
        /// What the thread works for each event, nanoseconds.
        nanos_per_event: f64,
    },
    /// Standings that cost so many nanoseconds an event may be taken up again.
    Calm {
        /// Nanoseconds an event.
        spare: f64,
    },
}

impl Load {
    /// Events were stepped over that had arrived `lag` ago.
    pub(super) fn stepped(&mut self, events: u64, lag: Duration) {
        self.events += events;
        self.lag = lag;
    }

    /// Nothing waits.
    pub(super) fn idle(&mut self) {
        self.lag = Duration::ZERO;
    }

    /// The thread worked for so long.
    pub(super) fn worked(&mut self, took: Duration) {
        self.busy += took;
    }

    /// More came than the feed holds.
    pub(super) fn overflowed(&mut self) {
        self.has_overflowed = true;
    }

    /// How it does at `now`, where a lag up to `max_lag` is fine.
    pub(super) fn look(&mut self, now: Instant, max_lag: Duration) -> Verdict {
        let span = now.saturating_duration_since(*self.looked.get_or_insert(now));
        if span < (max_lag / LOOKS_A_LAG).max(Duration::from_millis(1)) {
            return Verdict::Fine;
        }
        let Load { busy, events, has_overflowed, lag, lag_before, .. } = *self;
        self.rate = (events as f64 / span.as_secs_f64()).max(self.rate * RATE_KEPT);
        (self.looked, self.busy, self.events, self.has_overflowed) = (Some(now), Duration::ZERO, 0, false);
        self.lag_before = lag;
        let is_busy = busy * 100 >= span * BUSY_PERCENT;
        let shrinks = lag_before.saturating_sub(lag) * 100 >= span * SHRINK_PERCENT;
        if (lag > max_lag && !shrinks || has_overflowed) && is_busy {
            self.calm = Duration::ZERO;
            return Verdict::Behind { lag, nanos_per_event: busy.as_nanos() as f64 / events.max(1) as f64 };
        }
        if lag > max_lag / 2 || has_overflowed {
            self.calm = Duration::ZERO;
            return Verdict::Fine;
        }
        self.calm += span;
        let share = 100.0 * busy.as_secs_f64() / span.as_secs_f64();
        if self.calm < max_lag * CALM_LAGS || share >= RESUMED_PERCENT {
            return Verdict::Fine;
        }
        Verdict::Calm { spare: (RESUMED_PERCENT - share) / 100.0 * 1e9 / self.rate.max(1e-3) }
    }
}

/// What decides whether a standing is put off or taken up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) priority: Priority,
    pub(super) nanos_per_event: f64,
}

/// Which of `stepped` are to be put off, where the thread works `nanos_per_event`: of the lowest priority first, the
/// costliest first.
pub(super) fn to_defer(stepped: &[Candidate], nanos_per_event: f64) -> Vec<usize> {
    let all: f64 = stepped.iter().map(|one| one.nanos_per_event).sum();
    if all * 100.0 < nanos_per_event * WORTH_PERCENT {
        return Vec::new();
    }
    let mut order: Vec<(usize, &Candidate)> =
        stepped.iter().enumerate().filter(|(_, one)| one.nanos_per_event > 0.0).collect();
    order.sort_by(|(_, one), (_, other)| {
        one.priority.cmp(&other.priority).then(other.nanos_per_event.total_cmp(&one.nanos_per_event))
    });
    let mut sum = 0.0;
    let is_wanted = |(_, one): &(usize, &Candidate)| {
        let is_wanted = sum * 100.0 < all * DEFER_PERCENT;
        sum += one.nanos_per_event;
        is_wanted
    };
    order.into_iter().take_while(is_wanted).map(|(at, _)| at).collect()
}

/// Which of `deferred` are to be taken up again, where there is time for `spare` nanoseconds an event: of the highest
/// priority first, the cheapest first.
pub(super) fn to_resume(deferred: &[Candidate], spare: f64) -> Vec<usize> {
    let mut order: Vec<(usize, &Candidate)> = deferred.iter().enumerate().collect();
    order.sort_by(|(_, one), (_, other)| {
        other.priority.cmp(&one.priority).then(one.nanos_per_event.total_cmp(&other.nanos_per_event))
    });
    let mut sum = 0.0;
    let fits = |(_, one): &(usize, &Candidate)| {
        sum += one.nanos_per_event;
        sum <= spare
    };
    order.into_iter().take_while(fits).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_LAG: Duration = Duration::from_millis(1_000);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// What a look finds after the thread worked for `busy` ms of `span` ms, and the lag went from one to the other.
    fn verdict(span: u64, busy: u64, lags: (u64, u64), has_overflowed: bool) -> Verdict {
        let (begun, mut load) = (Instant::now(), Load::default());
        load.stepped(1, millis(lags.0));
        assert_eq!(load.look(begun, MAX_LAG), Verdict::Fine, "there is nothing to compare with");
        load.lag_before = millis(lags.0);
        load.stepped(999, millis(lags.1));
        load.worked(millis(busy));
        if has_overflowed {
            load.overflowed();
        }
        load.look(begun + millis(span), MAX_LAG)
    }

    #[test]
    fn behind_is_who_is_late_and_busy_and_does_not_catch_up() {
        let behind =
            |lag, busy: u64| Verdict::Behind { lag: millis(lag), nanos_per_event: busy as f64 * 1_000.0 };
        for (span, busy, lags, has_overflowed, expected) in [
            (1_000, 1_000, (1_001, 1_001), false, behind(1_001, 1_000)),
            (1_000, 1_000, (1_000, 1_000), false, Verdict::Fine),
            (1_000, 800, (0, 1_001), false, behind(1_001, 800)),
            (1_000, 799, (0, 1_001), false, Verdict::Fine),
            (1_000, 1_000, (5_000, 4_901), false, behind(4_901, 1_000)),
            (1_000, 1_000, (5_000, 4_900), false, Verdict::Fine),
            (1_000, 1_000, (0, 0), true, behind(0, 1_000)),
            (1_000, 500, (0, 0), true, Verdict::Fine),
            (500, 500, (0, 2_000), false, behind(2_000, 500)),
            (499, 499, (0, 2_000), false, Verdict::Fine),
        ] {
            let found = verdict(span, busy, lags, has_overflowed);
            assert_eq!(found, expected, "{busy} of {span} ms, lag {lags:?}");
        }
    }

    #[test]
    fn calm_is_who_kept_up_for_a_while_and_has_time_left() {
        let looks = |busy: u64, lag: u64| {
            let (begun, mut load) = (Instant::now(), Load::default());
            load.look(begun, MAX_LAG);
            (1..=6).map(move |at| {
                load.stepped(1_000, millis(lag));
                load.worked(millis(busy));
                load.look(begun + millis(1_000 * at), MAX_LAG)
            })
        };
        let spare = |busy, lag| match looks(busy, lag).collect::<Vec<_>>().as_slice() {
            [first @ .., Verdict::Calm { .. }, Verdict::Calm { spare }] => {
                assert!(first.iter().all(|verdict| *verdict == Verdict::Fine));
                Some((*spare / 1_000.0).round())
            }
            all => {
                assert!(all.iter().all(|verdict| *verdict == Verdict::Fine), "{all:?}");
                None
            }
        };
        assert_eq!(spare(0, 0), Some(500.0));
        assert_eq!(spare(200, 500), Some(300.0));
        assert_eq!(spare(499, 500), Some(1.0));
        assert_eq!(spare(500, 500), None);
        assert_eq!(spare(200, 501), None);
    }

    #[test]
    fn a_burst_is_remembered() {
        let (begun, mut load) = (Instant::now(), Load::default());
        load.look(begun, MAX_LAG);
        load.stepped(100_000, Duration::ZERO);
        let spares: Vec<f64> = (1..80)
            .filter_map(|second| match load.look(begun + millis(1_000 * second), MAX_LAG) {
                Verdict::Calm { spare } => Some(spare),
                _ => None,
            })
            .collect();
        assert!(spares.is_sorted() && spares[0] < 10_000.0 && spares[70] > 1_000_000.0, "{spares:?}");
    }

    fn candidates(all: &[(Priority, f64)]) -> Vec<Candidate> {
        all.iter()
            .map(|(priority, nanos_per_event)| Candidate {
                priority: *priority,
                nanos_per_event: *nanos_per_event,
            })
            .collect()
    }

    #[test]
    fn low_priorities_go_first_then_what_costs_most() {
        use Priority::{High, Low, Normal};
        for (stepped, works, expected) in [
            (&[(Normal, 1.0), (Normal, 90.0), (Normal, 9.0)][..], 100.0, &[1][..]),
            (&[(Normal, 1.0), (High, 90.0), (Normal, 9.0)], 100.0, &[2, 0, 1]),
            (&[(Normal, 55.0), (Low, 5.0), (Low, 20.0)], 100.0, &[2]),
            (&[(Normal, 56.0), (Low, 5.0), (Low, 20.0)], 100.0, &[2, 1]),
            (&[(Normal, 75.1), (Low, 5.0), (Low, 19.9)], 100.0, &[2, 1, 0]),
            (&[(Normal, 10.0); 4], 100.0, &[0]),
            (&[(Normal, 10.0); 5], 100.0, &[0, 1]),
            // Nothing is known of what they cost, or it is not they that cost it.
            (&[(Low, 0.0), (Normal, 0.0)], 0.0, &[]),
            (&[(Low, 10.0), (Normal, 9.9)], 100.0, &[]),
            (&[(Low, 10.0), (Normal, 10.0)], 100.0, &[0]),
        ] {
            assert_eq!(to_defer(&candidates(stepped), works), expected, "{stepped:?}");
        }
    }

    #[test]
    fn high_priorities_come_back_first_then_what_costs_least() {
        use Priority::{High, Low, Normal};
        let deferred = [(Normal, 30.0), (High, 50.0), (Normal, 10.0), (Low, 1.0)];
        for (spare, expected) in
            [(49.9, &[][..]), (50.0, &[1]), (60.0, &[1, 2]), (90.0, &[1, 2, 0]), (91.0, &[1, 2, 0, 3])]
        {
            assert_eq!(to_resume(&candidates(&deferred), spare), expected, "{spare}");
        }
    }
}
