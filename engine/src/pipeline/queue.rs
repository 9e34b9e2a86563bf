//! The bounded queue in front of the log.
//!
//! Adding wakes nobody: whoever adds decides whether it takes the group itself or wakes the log thread ([`Queue::wake`]:
//! one system call, and none when the thread is awake). The log thread sleeps without spinning first: between two
//! requests of one client lies a round trip and a sync, longer than any spin, which would only burn the core that decodes
//! the next request.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// What a group takes of the queue.
pub(super) trait Weighed {
    /// Its bytes.
    fn bytes(&self) -> usize;
}

/// Why an item was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// So many wait already.
    Full,
    /// The queue was closed.
    Closed,
}

/// What a wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// Something is there, or was until a moment ago.
    Ready,
    /// Nothing came in time.
    Nothing,
    /// The queue is closed and empty.
    Closed,
}

/// A queue with limits in items and in bytes.
pub(super) struct Queue<T> {
    inside: Mutex<Inside<T>>,
    /// Something is to be taken, or the queue was closed.
    changed: Condvar,
    /// Bytes of what waits.
    bytes: AtomicUsize,
    items_max: usize,
    bytes_max: usize,
}

struct Inside<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Queue")
    }
}

impl<T: Weighed> Queue<T> {
    /// An empty queue of at most `items_max` items, which takes one more while what waits is below `bytes_max` bytes.
    pub(super) fn new(items_max: usize, bytes_max: usize) -> Queue<T> {
        let inside = Mutex::new(Inside { items: VecDeque::new(), closed: false });
        Queue { inside, changed: Condvar::new(), bytes: AtomicUsize::new(0), items_max, bytes_max }
    }

    /// Adds an item, without waiting and without waking anybody.
    ///
    /// # Errors
    /// When it is full or closed; the item is dropped.
    pub(super) fn push(&self, item: T) -> Result<(), Refused> {
        let mut inside = self.inside.lock();
        if inside.closed {
            return Err(Refused::Closed);
        }
        if inside.items.len() >= self.items_max.max(1) || self.is_full() {
            return Err(Refused::Full);
        }
        self.bytes.fetch_add(item.bytes(), Ordering::Relaxed);
        inside.items.push_back(item);
        Ok(())
    }

    /// Whether as many bytes wait as may.
    pub(super) fn is_full(&self) -> bool {
        self.bytes() >= self.bytes_max.max(1)
    }

    /// Wakes who waits, for what was pushed before.
    pub(super) fn wake(&self) {
        // Who waits looks at the items under the lock before it sleeps, so none pushed before this is slept over.
        self.changed.notify_one();
    }

    /// Takes nothing more; what waits is still taken.
    pub(super) fn close(&self) {
        self.inside.lock().closed = true;
        self.changed.notify_all();
    }

    /// Takes nothing more, and drops what waits.
    pub(super) fn abandon(&self) {
        let mut inside = self.inside.lock();
        inside.closed = true;
        let left = std::mem::take(&mut inside.items);
        self.bytes.store(0, Ordering::Relaxed);
        // Dropped outside the lock: whoever waits for an item may do anything when it is gone.
        drop(inside);
        drop(left);
        self.changed.notify_all();
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.inside.lock().items.len()
    }

    /// Bytes of what waits.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Waits at most `patience` for something to take.
    pub(super) fn wait(&self, patience: Duration) -> Waited {
        let mut inside = self.inside.lock();
        if inside.items.is_empty() && !inside.closed {
            // Woken for what somebody else took meanwhile: look around, as after a wait in vain.
            self.changed.wait_for(&mut inside, patience);
        }
        match inside.items.is_empty() {
            false => Waited::Ready,
            true if inside.closed => Waited::Closed,
            true => Waited::Nothing,
        }
    }

    /// Takes what waits, in order, at most `max_items` and `max_bytes` of it; without waiting.
    pub(super) fn take(&self, max_items: usize, max_bytes: usize) -> Vec<T> {
        let mut inside = self.inside.lock();
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < max_items
            && let Some(item) = inside.items.pop_front_if(|item| item.bytes() <= max_bytes - bytes)
        {
            bytes += item.bytes();
            group.push(item);
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weighed for usize {
        fn bytes(&self) -> usize {
            *self
        }
    }

    const SOON: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn groups_end_at_their_limits_and_keep_the_order() {
        let queue = Queue::new(5, usize::MAX);
        assert_eq!((queue.wait(SOON), queue.take(9, 9)), (Waited::Nothing, vec![]));
        for item in 1..=5 {
            assert_eq!(queue.push(item), Ok(()));
        }
        assert_eq!((queue.push(6), queue.len(), queue.bytes()), (Err(Refused::Full), 5, 15));
        assert_eq!(queue.wait(LONG), Waited::Ready);
        assert_eq!((queue.take(2, 100), queue.bytes()), (vec![1, 2], 12));
        // The item with which the group would go beyond its bytes is left, even when it is the first.
        assert_eq!((queue.take(9, 7), queue.take(9, 4)), (vec![3, 4], vec![]));
        assert_eq!((queue.take(0, 9), queue.take(9, 5), queue.bytes()), (vec![], vec![5], 0));
        assert_eq!(queue.wait(SOON), Waited::Nothing);
    }

    #[test]
    fn it_is_full_of_bytes_too() {
        for (waiting, expect) in [(9, Ok(())), (10, Err(Refused::Full))] {
            let queue = Queue::new(5, 10);
            assert_eq!(queue.push(waiting), Ok(()));
            assert_eq!((queue.is_full(), queue.push(100)), (expect.is_err(), expect), "{waiting}");
        }
    }

    #[test]
    fn what_waits_is_taken_after_closing() {
        let queue = Queue::new(2, usize::MAX);
        assert_eq!(queue.push(1), Ok(()));
        queue.close();
        assert_eq!((queue.push(2), queue.wait(LONG)), (Err(Refused::Closed), Waited::Ready));
        assert_eq!((queue.take(9, 9), queue.wait(LONG)), (vec![1], Waited::Closed));
    }

    #[test]
    fn what_waits_is_dropped_with_an_abandoned_queue() {
        let queue = Queue::new(2, usize::MAX);
        assert_eq!(queue.push(1), Ok(()));
        queue.abandon();
        assert_eq!((queue.push(2), queue.len(), queue.bytes()), (Err(Refused::Closed), 0, 0));
        assert_eq!(queue.wait(LONG), Waited::Closed);
    }

    #[test]
    fn who_sleeps_is_woken_for_items_and_by_closing() {
        let queue = Queue::new(4, usize::MAX);
        let found = std::thread::scope(|scope| {
            let taking = scope.spawn(|| {
                let mut seen = Vec::new();
                while queue.wait(LONG) != Waited::Closed {
                    seen.extend(queue.take(9, usize::MAX));
                }
                seen
            });
            for item in 0..1_000 {
                while queue.push(item) == Err(Refused::Full) {
                    std::thread::yield_now();
                }
                queue.wake();
            }
            queue.close();
            taking.join().unwrap()
        });
        assert_eq!(found, (0..1_000).collect::<Vec<_>>());
    }
}
