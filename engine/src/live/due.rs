//! When results are to be pushed: metrics with subscriptions, by the time each is due.
//!
//! A metric is looked at when its standing has changed, and when its time has come: the end of a tick it waits for, or
//! of the bucket its window ends in. Metrics that nobody subscribed to are never looked at.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::metric::Metric;

/// A metric, as whoever pushes its results holds it.
pub(super) type Watched = Arc<Mutex<Metric>>;

/// Metrics by when they are due.
#[derive(Default)]
pub(super) struct DueQueue {
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
    /// By address, which is theirs as long as they are here: what is due when. Other times in the heap are outdated.
    due: HashMap<usize, (Instant, Watched), foldhash::fast::RandomState>,
}

fn address(metric: &Watched) -> usize {
    Arc::as_ptr(metric).addr()
}

impl DueQueue {
    /// `metric` is due at `at`, whatever was said before.
    pub(super) fn set(&mut self, metric: &Watched, at: Instant) {
        let address = address(metric);
        let known = self.due.insert(address, (at, Arc::clone(metric)));
        if known.is_none_or(|(before, _)| before != at) {
            self.heap.push(Reverse((at, address)));
        }
    }

    /// `metric` is no longer due at any time.
    pub(super) fn forget(&mut self, metric: &Watched) {
        self.due.remove(&address(metric));
    }

    /// One that is due by `now`; it is no longer in the queue.
    pub(super) fn next(&mut self, now: Instant) -> Option<Watched> {
        while let Some(Reverse((at, address))) = self.heap.peek().copied().filter(|first| first.0.0 <= now) {
            self.heap.pop();
            if self.due.get(&address).is_some_and(|(due, _)| *due == at) {
                return self.due.remove(&address).map(|(_, metric)| metric);
            }
        }
        None
    }

    /// How long none is due.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.heap.peek().map(|first| first.0.0.saturating_duration_since(now))
    }
}
