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

/// Things by when they are due: metrics.
pub(super) struct DueQueue<T> {
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
    /// By address, which is theirs as long as they are here: what is due when. Other times in the heap are outdated.
    due: HashMap<usize, (Instant, Arc<T>), foldhash::fast::RandomState>,
}

fn address<T>(thing: &Arc<T>) -> usize {
    Arc::as_ptr(thing).addr()
}

impl<T> Default for DueQueue<T> {
    fn default() -> DueQueue<T> {
        DueQueue { heap: BinaryHeap::new(), due: HashMap::default() }
    }
}

impl<T> DueQueue<T> {
    /// `thing` is due at `at`, or earlier if that was said before.
    pub(super) fn set(&mut self, thing: &Arc<T>, at: Instant) {
        let address = address(thing);
        if self.due.get(&address).is_none_or(|(before, _)| at < *before) {
            self.due.insert(address, (at, Arc::clone(thing)));
            self.heap.push(Reverse((at, address)));
        }
    }

    /// `thing` is no longer due at any time.
    pub(super) fn forget(&mut self, thing: &Arc<T>) {
        self.due.remove(&address(thing));
    }

    /// One that is due by `now`; it is no longer in the queue.
    pub(super) fn next(&mut self, now: Instant) -> Option<Arc<T>> {
        while let Some(Reverse((at, address))) = self.heap.peek().copied().filter(|first| first.0.0 <= now) {
            self.heap.pop();
            if self.due.get(&address).is_some_and(|(due, _)| *due == at) {
                return self.due.remove(&address).map(|(_, thing)| thing);
            }
        }
        None
    }

    /// How long none is due.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.heap.peek().map(|first| first.0.0.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_once_when_it_is_due() {
        let begun = Instant::now();
        let at = |millis: u64| begun + Duration::from_millis(millis);
        let (one, other) = (Arc::new(1), Arc::new(2));
        let mut queue = DueQueue::default();
        queue.set(&one, at(50));
        queue.set(&one, at(90));
        queue.set(&other, at(40));
        queue.set(&other, at(20));
        assert_eq!((queue.next(at(10)), queue.wait(at(10))), (None, Some(Duration::from_millis(10))));
        assert_eq!((queue.next(at(45)).as_deref(), queue.next(at(45))), (Some(&2), None));
        assert_eq!((queue.next(at(60)).as_deref(), queue.next(at(100))), (Some(&1), None));
        queue.set(&one, at(110));
        queue.forget(&one);
        assert_eq!((queue.next(at(200)), queue.wait(at(200))), (None, None));
    }
}
