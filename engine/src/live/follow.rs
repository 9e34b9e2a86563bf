//! A live tail: matching events as they arrive.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use weir_query::result::ResultTable;

/// The most rows that wait for the reader of a live tail, by default.
pub const DEFAULT_FOLLOW_ROWS: usize = 10_000;
/// The most bytes that wait for the reader of a live tail.
pub const MAX_FOLLOW_BYTES: usize = 16 << 20;

/// What a live tail has for its reader.
#[derive(Clone, Debug)]
pub enum Followed {
    /// Matching events of one batch.
    Rows {
        /// The events.
        table: ResultTable,
        /// Rows of `table`, oldest first.
        rows: Vec<u32>,
        /// What is missing before these.
        dropped: Dropped,
    },
    /// Nothing in time.
    Waiting,
    /// The tail is over.
    Closed {
        /// What is missing since the last call.
        dropped: Dropped,
    },
}

/// What a live tail left out since the last call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Matching events that were dropped because the reader was too slow.
    pub matching: u64,
    /// Events that were never looked at, because they came faster than live queries step; some may have matched.
    pub unseen: u64,
}

impl Dropped {
    /// Nothing was left out.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Dropped::default()
    }
}

type Waker = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Queue {
    tables: VecDeque<ResultTable>,
    rows: usize,
    bytes: usize,
    dropped: Dropped,
    closed: bool,
    left: bool,
    waker: Option<Waker>,
}

impl Queue {
    fn take(&mut self) -> Option<ResultTable> {
        let table = self.tables.pop_front()?;
        self.rows -= table.rows.min(self.rows);
        self.bytes -= table.bytes().min(self.bytes);
        Some(table)
    }
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    skip_through: AtomicU64,
}

/// The side of a live tail that the live path writes to.
#[derive(Clone)]
pub(super) struct Tail {
    shared: Arc<Shared>,
    max_rows: usize,
}

/// Matching events as they arrive. Dropping it ends it.
pub struct Follow {
    shared: Arc<Shared>,
}

impl Follow {
    pub(super) fn new(max_rows: usize) -> (Tail, Follow) {
        let shared = Arc::new(Shared::default());
        (Tail { shared: Arc::clone(&shared), max_rows: max_rows.max(1) }, Follow { shared })
    }

    /// Events up to `sequence` are left out. For history, then live: follow first, scan a snapshot, and skip
    /// through its cut; nothing is missed and nothing comes twice.
    pub fn skip_through(&self, sequence: u64) {
        self.shared.skip_through.fetch_max(sequence.saturating_add(1), Ordering::AcqRel);
    }

    /// The next events, waiting at most `limit` for them.
    #[must_use]
    pub fn receive(&self, limit: Duration) -> Followed {
        let until = Instant::now() + limit;
        loop {
            let table = {
                let mut queue = self.shared.queue.lock();
                loop {
                    if let Some(table) = queue.take() {
                        break table;
                    }
                    if queue.closed {
                        return Followed::Closed { dropped: std::mem::take(&mut queue.dropped) };
                    }
                    let waited = self.shared.changed.wait_until(&mut queue, until);
                    if waited.timed_out() && queue.tables.is_empty() && !queue.closed {
                        return Followed::Waiting;
                    }
                }
            };
            let rows = self.shared.rows_after_skip(&table);
            if !rows.is_empty() {
                let dropped = std::mem::take(&mut self.shared.queue.lock().dropped);
                return Followed::Rows { table, rows, dropped };
            }
        }
    }

    /// The next events if there are some now.
    #[must_use]
    pub fn try_receive(&self) -> Followed {
        self.receive(Duration::ZERO)
    }

    /// `waker` is called, on another thread, whenever there is something to receive; at once if there is now. It
    /// must be quick and must not call the tail.
    pub fn set_waker(&self, waker: impl Fn() + Send + Sync + 'static) {
        let mut queue = self.shared.queue.lock();
        if !queue.tables.is_empty() || queue.closed {
            waker();
        }
        queue.waker = Some(Box::new(waker));
    }
}

impl Shared {
    /// The rows of `table` that are not left out, oldest first.
    fn rows_after_skip(&self, table: &ResultTable) -> Vec<u32> {
        let from = self.skip_through.load(Ordering::Acquire);
        let counts = |row: &u32| table.order.get(*row as usize).is_none_or(|key| key.sequence >= from);
        let mut rows: Vec<u32> = (0..u32::try_from(table.rows).unwrap_or(u32::MAX)).filter(counts).collect();
        rows.sort_by_key(|row| table.order.get(*row as usize).copied());
        rows
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let mut queue = self.shared.queue.lock();
        queue.left = true;
        queue.tables.clear();
        queue.waker = None;
    }
}

impl Tail {
    /// Hands `table` over; what does not fit is dropped from the oldest end and counted. False: the reader is
    /// gone.
    pub(super) fn push(&self, table: ResultTable) -> bool {
        let mut queue = self.shared.queue.lock();
        if queue.left {
            return false;
        }
        queue.rows += table.rows;
        queue.bytes += table.bytes();
        queue.tables.push_back(table);
        while (queue.rows > self.max_rows || queue.bytes > MAX_FOLLOW_BYTES) && queue.tables.len() > 1 {
            // What the reader has from history is not missing.
            let gone = queue.take().map_or(0, |table| self.shared.rows_after_skip(&table).len());
            queue.dropped.matching += gone as u64;
        }
        if let Some(waker) = &queue.waker {
            waker();
        }
        self.shared.changed.notify_all();
        true
    }

    /// Counts events that were never looked at.
    pub(super) fn count_dropped(&self, events: u64) {
        self.shared.queue.lock().dropped.unseen += events;
    }

    /// The reader is gone.
    pub(super) fn is_left(&self) -> bool {
        self.shared.queue.lock().left
    }

    /// Tells the reader that nothing more comes.
    pub(super) fn close(&self) {
        let mut queue = self.shared.queue.lock();
        queue.closed = true;
        if let Some(waker) = &queue.waker {
            waker();
        }
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of events with these sequences, each with a text of `bytes`.
    fn table(sequences: std::ops::RangeInclusive<u64>, bytes: usize) -> ResultTable {
        let row = |_| vec![("a".to_owned(), "x".repeat(bytes))];
        let mut table = ResultTable::of_events(&sequences.clone().map(row).collect::<Vec<_>>());
        table.order.iter_mut().zip(sequences).for_each(|(key, sequence)| key.sequence = sequence);
        table
    }

    fn received(follow: &Follow) -> (usize, Dropped) {
        match follow.try_receive() {
            Followed::Rows { rows, dropped, .. } => (rows.len(), dropped),
            Followed::Closed { dropped } => (0, dropped),
            Followed::Waiting => (0, Dropped::default()),
        }
    }

    #[test]
    fn what_does_not_wait_is_counted() {
        let (tail, follow) = Follow::new(5);
        assert!(tail.push(table(1..=3, 1)) && tail.push(table(4..=5, 1)));
        assert_eq!(received(&follow), (3, Dropped::default()), "five rows wait");
        assert!(tail.push(table(6..=8, 1)) && tail.push(table(9..=9, 1)));
        tail.count_dropped(7);
        assert_eq!(received(&follow), (3, Dropped { matching: 2, unseen: 7 }), "a sixth does not");
        assert_eq!(received(&follow), (1, Dropped::default()), "nothing is told twice");
        assert!(tail.push(table(10..=29, 1)));
        assert_eq!(received(&follow), (20, Dropped::default()), "a batch is never dropped for itself");
    }

    #[test]
    fn what_history_has_is_not_missing() {
        let (tail, follow) = Follow::new(2);
        follow.skip_through(3);
        assert!(tail.push(table(1..=4, 1)) && tail.push(table(5..=6, 1)));
        assert_eq!(received(&follow), (2, Dropped { matching: 1, unseen: 0 }));
    }

    #[test]
    fn bytes_are_bounded() {
        let (tail, follow) = Follow::new(100);
        assert!(tail.push(table(1..=1, MAX_FOLLOW_BYTES / 2)));
        assert!(tail.push(table(2..=2, MAX_FOLLOW_BYTES / 4)));
        assert!(tail.push(table(3..=3, MAX_FOLLOW_BYTES / 2)));
        assert_eq!(received(&follow), (1, Dropped { matching: 1, unseen: 0 }));
        assert_eq!(received(&follow), (1, Dropped::default()));
    }
}
