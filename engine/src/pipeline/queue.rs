//! The bounded queue between those who append and the log thread.
//!
//! One lock and one condition: whoever adds the first item to an idle queue wakes the reader, with one system call,
//! and the reader takes all that waits at once. It sleeps without spinning first: between two requests of one client
//! lies a round trip and a sync, longer than any spin, which would only burn the core that decodes the next request.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
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
    /// Nobody reads any more, or the queue was closed.
    Closed,
}

/// What the reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<T> {
    /// What waited, in order; at least one.
    Group(Vec<T>),
    /// Nothing came in time.
    Nothing,
    /// The queue is closed and empty.
    Closed,
}

struct Shared<T> {
    inside: Mutex<Inside<T>>,
    /// Something came, or the queue was closed.
    changed: Condvar,
    limit: usize,
}

struct Inside<T> {
    items: VecDeque<T>,
    closed: bool,
}

/// The end that adds.
pub(super) struct QueueSender<T> {
    shared: Arc<Shared<T>>,
}

/// The end that takes. When it is dropped the queue is closed and what waits is dropped.
pub(super) struct QueueReader<T> {
    shared: Arc<Shared<T>>,
}

/// Both ends of a queue of at most `limit` items.
pub(super) fn queue<T>(limit: usize) -> (QueueSender<T>, QueueReader<T>) {
    let inside = Mutex::new(Inside { items: VecDeque::new(), closed: false });
    let shared = Arc::new(Shared { inside, changed: Condvar::new(), limit: limit.max(1) });
    (QueueSender { shared: Arc::clone(&shared) }, QueueReader { shared })
}

impl<T> fmt::Debug for QueueSender<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("QueueSender")
    }
}

impl<T> QueueSender<T> {
    /// Adds an item, without waiting.
    ///
    /// # Errors
    /// When it is full or closed; the item is dropped.
    pub(super) fn send(&self, item: T) -> Result<(), Refused> {
        let mut inside = self.shared.inside.lock();
        if inside.closed {
            return Err(Refused::Closed);
        }
        if inside.items.len() >= self.shared.limit {
            return Err(Refused::Full);
        }
        let was_empty = inside.items.is_empty();
        inside.items.push_back(item);
        drop(inside);
        if was_empty {
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    /// Takes nothing more; what waits is still read.
    pub(super) fn close(&self) {
        self.shared.inside.lock().closed = true;
        self.shared.changed.notify_one();
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.shared.inside.lock().items.len()
    }
}

impl<T: Weighed> QueueReader<T> {
    /// Waits at most `patience` for something; then all that waits, until the group has `max_items` or reaches
    /// `max_bytes`.
    pub(super) fn take(&self, patience: Duration, max_items: usize, max_bytes: usize) -> Taken<T> {
        let mut inside = self.shared.inside.lock();
        if inside.items.is_empty() && !inside.closed {
            let open = |inside: &mut Inside<T>| inside.items.is_empty() && !inside.closed;
            self.shared.changed.wait_while_for(&mut inside, open, patience);
        }
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < max_items.max(1)
            && (group.is_empty() || bytes < max_bytes)
            && let Some(item) = inside.items.pop_front()
        {
            bytes += item.bytes();
            group.push(item);
        }
        match group.is_empty() {
            false => Taken::Group(group),
            true if inside.closed => Taken::Closed,
            true => Taken::Nothing,
        }
    }
}

impl<T> Drop for QueueReader<T> {
    fn drop(&mut self) {
        let mut inside = self.shared.inside.lock();
        inside.closed = true;
        let left = std::mem::take(&mut inside.items);
        // Dropped outside the lock: whoever waits for an item may do anything when it is gone.
        drop(inside);
        drop(left);
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
        let (sender, reader) = queue(5);
        assert_eq!(reader.take(SOON, 9, 9), Taken::Nothing);
        for item in 1..=5 {
            assert_eq!(sender.send(item), Ok(()));
        }
        assert_eq!((sender.send(6), sender.len()), (Err(Refused::Full), 5));
        assert_eq!(reader.take(LONG, 2, 100), Taken::Group(vec![1, 2]));
        // The item with which the group reaches the bytes still belongs to it.
        assert_eq!(reader.take(LONG, 9, 4), Taken::Group(vec![3, 4]));
        assert_eq!(reader.take(LONG, 0, 0), Taken::Group(vec![5]));
        assert_eq!(reader.take(SOON, 9, 9), Taken::Nothing);
    }

    #[test]
    fn what_waits_is_read_after_closing() {
        let (sender, reader) = queue(2);
        assert_eq!(sender.send(1), Ok(()));
        sender.close();
        assert_eq!(sender.send(2), Err(Refused::Closed));
        assert_eq!(reader.take(LONG, 9, 9), Taken::Group(vec![1]));
        assert_eq!(reader.take(LONG, 9, 9), Taken::Closed);
    }

    #[test]
    fn a_reader_that_left_closes_it() {
        let (sender, reader) = queue::<usize>(2);
        assert_eq!(sender.send(1), Ok(()));
        drop(reader);
        assert_eq!((sender.send(2), sender.len()), (Err(Refused::Closed), 0));
    }

    #[test]
    fn a_sleeping_reader_is_woken_by_items_and_by_closing() {
        let (sender, reader) = queue(4);
        let reading = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while let Taken::Group(group) = reader.take(LONG, 9, usize::MAX) {
                seen.extend(group);
            }
            seen
        });
        for item in 0..1_000 {
            while sender.send(item) == Err(Refused::Full) {
                std::thread::yield_now();
            }
        }
        sender.close();
        assert_eq!(reading.join().unwrap(), (0..1_000).collect::<Vec<_>>());
    }
}
