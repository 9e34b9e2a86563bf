//! A live tail: matching events as they arrive.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use weir_query::result::ResultTable;

/// The most rows that wait for the reader of a live tail, by default.
pub const DEFAULT_FOLLOW_ROWS: usize = 10_000;

/// What a live tail has for its reader.
#[derive(Clone, Debug)]
pub enum Followed {
    /// Matching events of one batch.
    Rows {
        /// The events.
        table: ResultTable,
        /// Rows of `table`, oldest first.
        rows: Vec<u32>,
        /// Matching events before these that were dropped since the last call, because the reader was too slow.
        dropped: u64,
    },
    /// Nothing in time.
    Waiting,
    /// The tail is over. `dropped` as above.
    Closed {
        /// Matching events dropped since the last call.
        dropped: u64,
    },
}

type Waker = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Queue {
    tables: VecDeque<ResultTable>,
    rows: usize,
    dropped: u64,
    closed: bool,
    left: bool,
    waker: Option<Waker>,
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
                    if let Some(table) = queue.tables.pop_front() {
                        queue.rows -= table.rows.min(queue.rows);
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
            let rows = self.rows_after_skip(&table);
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

    fn rows_after_skip(&self, table: &ResultTable) -> Vec<u32> {
        let from = self.shared.skip_through.load(Ordering::Acquire);
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
        queue.tables.push_back(table);
        while queue.rows > self.max_rows && queue.tables.len() > 1 {
            let gone = queue.tables.pop_front().map_or(0, |table| table.rows);
            queue.rows -= gone.min(queue.rows);
            queue.dropped += gone as u64;
        }
        if let Some(waker) = &queue.waker {
            waker();
        }
        self.shared.changed.notify_all();
        true
    }

    /// Matching events that never reached the queue.
    pub(super) fn count_dropped(&self, events: u64) {
        self.shared.queue.lock().dropped += events;
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
